//! The proxy function: API Gateway hands in a request, and gets an answer.
//!
//! Wires and runs; decides nothing. What cannot start says why on standard
//! error and ends, and Lambda tries a fresh start with the next request.

use std::convert::Infallible;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use countersign::config;
use countersign::config::env::Env;
use countersign::proxy::Proxy;
use countersign::wire::Body;
use countersign::wire::client::{Client, Reach, Roots};
use countersign::wire::lambda::{self, Form, Whole};
use lambda_runtime::tower::util::MapFutureLayer;
use lambda_runtime::{Error, FunctionResponse, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    std::panic::set_hook(Box::new(say_where));
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("countersign cannot run:\n{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    // It lives as long as the process.
    let proxy: &'static Proxy =
        Box::leak(Box::new(config::start(Env::read(variable)?, &name(), now()).await?));
    // Boxed, both: the runtime moves them through a dozen layers.
    let due: &'static Due = Box::leak(Box::new(Mutex::new(Instant::now())));
    let service = service_fn(move |event| Box::pin(answer(proxy, due, event)));
    let whole = MapFutureLayer::new(move |answering| Box::pin(invocation(proxy, due, answering)));
    let runtime = Runtime::new(service).layer(whole);
    if proxy.trail.is_delivered()
        && let Err(why) = listen(proxy).await
    {
        // Its records are delivered all the same; the last one is missing.
        eprintln!("countersign will not be told when its environment ends: {why}");
    }
    // A task of its own: the runtime wakes its outermost future through the
    // kernel, a spawned one through a queue.
    let served = tokio::task::spawn_local(runtime.run()).await;
    served.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// It is on the same machine.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ends the trail well where the environment ends: Lambda gives it half a second.
async fn listen(proxy: &'static Proxy) -> Result<(), String> {
    let mut ending = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let client = Client::new(&Roots::new(None)?, Reach::Anywhere)?;
    let api = variable("AWS_LAMBDA_RUNTIME_API").unwrap_or_default();
    let registered = timeout(PATIENCE, lambda::register(client, &api)).await;
    tokio::task::spawn_local(async move {
        ending.recv().await;
        proxy.close(now()).await;
        std::process::exit(0);
    });
    let waiting = registered.unwrap_or_else(|_| Err("the Runtime API does not answer".to_owned()))?;
    tokio::task::spawn_local(waiting);
    Ok(())
}

/// Lambda starts a fresh environment for the next event.
const SPENT: &str = "a program of the configuration came to no end; the environment ends, and it with it";

/// When the invocation that is under way must be over.
type Due = Mutex<Instant>;

/// Of the time that is spared to answer in, for what is left once the answer is out.
const LAST_WORDS: Duration = Duration::from_millis(150);

/// One invocation, until its answer is out and nothing of it goes on. Where
/// the way to a caller breaks, that is the end of a body and not of the process.
async fn invocation(
    proxy: &Proxy,
    due: &Due,
    answering: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let done = tokio::select! {
        done = answering => done,
        () = proxy.passages.left() => Ok(()),
    };
    let done = match done {
        Ok(()) => {
            proxy.passages.settle().await;
            Ok(())
        }
        Err(_) if proxy.passages.end().await => Ok(()),
        Err(error) => Err(error),
    };
    // A reading that froze with the environment would find its time over.
    proxy.readings.settle().await;
    let until = *due.lock().unwrap_or_else(PoisonError::into_inner);
    proxy.trail.flush(until).await;
    if proxy.is_spent() { Err(SPENT.into()) } else { done }
}

/// One event, one answer, whatever the event is.
async fn answer(
    proxy: &Proxy,
    due: &Due,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<FunctionResponse<Whole, Body>, Infallible> {
    let LambdaEvent { payload, context } = event;
    let now = now();
    let patience = lambda::patience(context.deadline(), now, proxy.streaming);
    *due.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + patience + LAST_WORDS;
    let read = lambda::request(payload.get(), &context.request_id, context.xray_trace_id.as_deref());
    let (response, form) = match read {
        Ok((request, form)) => {
            drop(payload);
            (proxy.handle(request, now, patience).await, form)
        }
        Err(problem) => (proxy.refuse(&problem, &context.request_id, now), Form::Rest),
    };
    Ok(lambda::reply(response, form, proxy.streaming))
}

/// A panic's own words could quote a value; its place cannot.
fn say_where(panic: &PanicHookInfo<'_>) {
    match panic.location() {
        Some(place) => eprintln!("panic at {place}"),
        None => eprintln!("panic"),
    }
}

/// What no other environment is called.
fn name() -> String {
    let mut bytes = [0; 8];
    // Without chance, the time still tells them apart.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        let since = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        bytes = (since.as_nanos() as u64).to_be_bytes();
    }
    format!("{:016x}", u64::from_be_bytes(bytes))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]
fn now() -> SystemTime {
    SystemTime::now()
}
