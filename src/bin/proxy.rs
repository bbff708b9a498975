//! The proxy function: API Gateway hands in a request, and gets an answer.
//!
//! Wires and runs; decides nothing. What cannot start says why on standard
//! error and ends, and Lambda tries a fresh start with the next request.

use std::convert::Infallible;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::time::SystemTime;

use countersign::config;
use countersign::config::env::Env;
use countersign::proxy::Proxy;
use countersign::wire::Body;
use countersign::wire::lambda::{self, Form, Whole};
use lambda_runtime::tower::util::MapFutureLayer;
use lambda_runtime::{Error, FunctionResponse, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

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
    let proxy: &'static Proxy = Box::leak(Box::new(config::start(Env::read(variable)?, now()).await?));
    // Boxed, both: the runtime moves them through a dozen layers.
    let service = service_fn(move |event| Box::pin(answer(proxy, event)));
    let whole = MapFutureLayer::new(move |answering| Box::pin(invocation(proxy, answering)));
    let runtime = Runtime::new(service).layer(whole);
    // A task of its own: the runtime wakes its outermost future through the
    // kernel, a spawned one through a queue.
    let served = tokio::task::spawn_local(runtime.run()).await;
    served.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Lambda starts a fresh environment for the next event.
const SPENT: &str = "a program of the configuration came to no end; the environment ends, and it with it";

/// One invocation, until its answer is out and nothing of it goes on. Where
/// the way to a caller breaks, that is the end of a body and not of the process.
async fn invocation(proxy: &Proxy, answering: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
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
    if proxy.is_spent() { Err(SPENT.into()) } else { done }
}

/// One event, one answer, whatever the event is.
async fn answer(
    proxy: &Proxy,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<FunctionResponse<Whole, Body>, Infallible> {
    let LambdaEvent { payload, context } = event;
    let now = now();
    let patience = lambda::patience(context.deadline(), now, proxy.streaming);
    let (response, form) = match lambda::request(payload.get(), &context.request_id) {
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

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]
fn now() -> SystemTime {
    SystemTime::now()
}
