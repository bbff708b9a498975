//! Stage 10, where a route streams: the body passes as it arrives.
//!
//! It is guarded chunk by chunk, and goes out as fast as the caller reads. The
//! answer's head is gone by then, so nothing can be taken back: what breaks off
//! ends, server-sent events with a last word, and the record says how. Nothing
//! of our own or of the upstream's errors ever stands in the body.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Sender, WeakSender};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::audit::Record;
use super::caught;
use super::events::{Events, Form, Reshape};
use super::forward::too_slow;
use super::guard::Sweep;
use super::meter::{Listening, Metered};
use crate::trail::Trail;
use crate::wire::client::{Failure, Incoming};
use crate::wire::problem::Kind;
use crate::wire::{Body, Problem};

/// How often one looks whether the way to the caller is gone.
const LOOK: Duration = Duration::from_millis(50);

/// How long a caller that does not read may keep us from saying the last word.
const LAST_WORD: Duration = Duration::from_millis(100);

/// How long a body that arrives may take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest pause between two chunks, and the longest that one may wait
    /// for a caller who does not read.
    pub pause: Duration,
    /// When the invocation must be over.
    pub deadline: Instant,
    /// Whether only events are streamed: something reshapes them one by one,
    /// and any other body as a whole.
    pub events_only: bool,
}

/// How a body that arrived came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All of it passed.
    Complete,
    /// The upstream broke off, or sent what is no body.
    UpstreamBroke,
    /// The upstream paused for too long, or the invocation's time was up.
    Timeout,
    /// Nobody was listening any more, or nobody read.
    CallerLeft,
    /// We ended it ourselves; the record's code says why.
    Stopped,
}

/// A body on its way from the upstream to the caller, past the guard.
pub struct Passage {
    incoming: Incoming,
    pace: Pace,
    sweep: Sweep,
    events: Option<Events>,
    /// What reads along.
    pub(super) meters: Option<Listening>,
}

/// Why a passage ended before the body did.
enum Early {
    CallerLeft,
    Problem(Problem),
}

impl From<Problem> for Early {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Passage {
    pub(super) fn new(incoming: Incoming, pace: Pace, sweep: Sweep, headers: &HeaderMap) -> Self {
        Self { incoming, pace, sweep, events: Form::of(headers).map(Events::new), meters: None }
    }

    /// Reshapes each event. A body without events passes as it came.
    pub fn reshape(&mut self, reshape: Reshape) {
        if let Some(events) = &mut self.events {
            events.reshape(reshape);
        }
    }

    async fn run(mut self, mut account: Account, caller: Caller) {
        let deadline = self.pace.deadline;
        let passing = async {
            let passed = caught(async { Ok(self.pass(&mut account, &caller).await) }).await;
            passed.unwrap_or_else(|problem| Err(problem.into())).err()
        };
        let early = tokio::select! {
            biased;
            early = passing => early,
            () = caller.out.closed() => Some(Early::CallerLeft),
            () = sleep_until(deadline) => Some(Early::Problem(no_time_left())),
        };
        if let Some(Early::Problem(problem)) = &early
            && self.events.as_ref().is_some_and(Events::ends_in_words)
        {
            let word = Events::error(problem, account.record.id());
            drop(timeout(LAST_WORD, account.send(word, &caller)).await);
        }
        let left = matches!(early, Some(Early::CallerLeft));
        // The record is out before the invocation may end.
        account.close(early);
        if left {
            caller.left.notify_waiters();
        }
    }

    async fn pass(&mut self, account: &mut Account, caller: &Caller) -> Result<(), Early> {
        loop {
            // A caller that reads slowly does not use up the upstream's time.
            let arriving = timeout(self.pace.pause, self.incoming.next());
            let arrived = arriving.await.map_err(|_| too_slow(self.pace.pause))?;
            let Some(chunk) = arrived.map_err(broken)? else { break };
            let clean = self.sweep.pass(chunk);
            self.hand_on(clean, account, caller).await?;
        }
        let rest = self.sweep.end();
        self.hand_on(rest, account, caller).await?;
        if let Some(meters) = &mut self.meters {
            account.metered(meters.end().await);
        }
        match &mut self.events {
            Some(events) => account.send(events.end().await?, caller).await,
            None => Ok(()),
        }
    }

    /// Sends on what the guard let through, each event as soon as it is made.
    async fn hand_on(&mut self, clean: Bytes, account: &mut Account, caller: &Caller) -> Result<(), Early> {
        account.record.leaks(self.sweep.leaks());
        if let Some(meters) = &mut self.meters {
            account.metered(meters.hear(clean.clone()).await);
        }
        let Some(events) = &mut self.events else { return account.send(clean, caller).await };
        account.send(events.take(clean), caller).await?;
        while let Some(event) = events.next().await? {
            let event = self.sweep.again(event);
            account.record.leaks(self.sweep.leaks());
            account.send(event, caller).await?;
        }
        Ok(())
    }
}

/// The bodies that are on their way: one at most in Lambda, where an
/// environment has one invocation at a time.
#[derive(Default)]
pub struct Passages {
    open: Mutex<Open>,
    left: Arc<Notify>,
}

#[derive(Default)]
struct Open {
    tasks: JoinSet<()>,
    /// The way to the last one's caller, for as long as there is one.
    way: Option<WeakSender<Bytes>>,
}

impl Passages {
    /// Sets off. The record is left when the body has ended, however it did.
    pub fn start(&self, passage: Passage, account: Account) -> Body {
        let (out, body) = Body::arriving();
        let caller = Caller { out, patience: passage.pace.pause, left: Arc::clone(&self.left) };
        let mut open = self.open();
        open.way = Some(caller.out.downgrade());
        open.tasks.spawn(passage.run(account, caller));
        body
    }

    /// Waits until a caller leaves, or does not read for too long: its
    /// invocation then has nobody to answer, and need not go on.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    /// Ends what is still on its way, since nobody is there any more to take
    /// it; the records are left by then. Whether there was a body since the
    /// last invocation's end.
    pub async fn end(&self) -> bool {
        let mut tasks = std::mem::take(&mut *self.open()).tasks;
        let any = !tasks.is_empty();
        tasks.shutdown().await;
        any
    }

    /// Waits for the end of what is still on its way behind an answer that
    /// Lambda took, or refused: the runtime does not say which, and
    /// `cargo lambda watch` takes it at once. The records are left by then.
    pub async fn settle(&self) {
        let Open { mut tasks, way } = std::mem::take(&mut *self.open());
        loop {
            // An empty chunk is nothing on the wire, and shows the runtime that
            // the way is gone where it is: at the latest with the second one.
            if let Some(out) = way.as_ref().and_then(|way| way.upgrade()) {
                drop(out.try_send(Bytes::new()));
            }
            tokio::select! {
                ended = tasks.join_next() => if ended.is_none() { return },
                () = sleep(LOOK) => {}
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who reads the body.
struct Caller {
    out: Sender<Bytes>,
    /// How long a chunk may wait to be taken.
    patience: Duration,
    /// Learns that nobody reads any more.
    left: Arc<Notify>,
}

/// The record of a passage. It is left when this is dropped: whatever ends the
/// passage, what was found until then is told.
pub struct Account {
    record: Record<'static>,
    opened: Instant,
    trail: Arc<Trail>,
    /// Learns whether the process must end once the body has.
    spent: Arc<AtomicBool>,
}

impl Account {
    /// Until it is closed, it says what is true of a passage that is dropped:
    /// there was nobody to go on for.
    pub fn open(
        mut record: Record<'static>,
        opened: Instant,
        trail: Arc<Trail>,
        spent: Arc<AtomicBool>,
    ) -> Self {
        record.ended(End::CallerLeft, None);
        Self { record, opened, trail, spent }
    }

    async fn send(&mut self, bytes: Bytes, caller: &Caller) -> Result<(), Early> {
        let length = bytes.len();
        if 0 < length {
            let taken = timeout(caller.patience, caller.out.send(bytes)).await;
            taken.map_err(|_| Early::CallerLeft)?.map_err(|_| Early::CallerLeft)?;
            self.record.passed(length);
        }
        Ok(())
    }

    fn metered(&mut self, metered: Metered) {
        self.spent.fetch_or(metered.endless, Ordering::Relaxed);
        self.record.metered(metered.numbers);
    }

    fn close(mut self, early: Option<Early>) {
        let (end, problem) = match early {
            None => (End::Complete, None),
            Some(Early::CallerLeft) => (End::CallerLeft, None),
            Some(Early::Problem(problem)) => (End::of(problem.kind()), Some(problem)),
        };
        self.spent.fetch_or(problem.as_ref().is_some_and(Problem::is_last), Ordering::Relaxed);
        self.record.ended(end, problem.as_ref());
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.record.took(self.opened.elapsed());
        self.record.leave(&self.trail);
    }
}

impl End {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::UpstreamTimeout => Self::Timeout,
            Kind::UpstreamUnreachable | Kind::UpstreamInvalid => Self::UpstreamBroke,
            _ => Self::Stopped,
        }
    }
}

fn broken(failure: Failure) -> Problem {
    let kind = match failure {
        Failure::Unreachable(_) | Failure::Untrusted(_) => Kind::UpstreamUnreachable,
        Failure::Invalid(_) | Failure::TooLarge => Kind::UpstreamInvalid,
    };
    Problem::new(kind, "the upstream's answer broke off").because(failure)
}

fn no_time_left() -> Problem {
    Problem::new(Kind::UpstreamTimeout, "the answer took longer than there was time for")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::{HeaderMap, Method, Request, StatusCode};
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use url::Url;

    use super::*;
    use crate::proxy::events::Reshaping;
    use crate::trail::Output;
    use crate::wire::Response;
    use crate::wire::client::{Client, Reach, Roots};

    /// What a caller reads of these events once a hook has seen them, and the record.
    async fn reshaped(events: &'static str, reshape: Reshape) -> (String, Value) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write_all([head, events].concat().as_bytes()).await.unwrap();
        });
        let client = Client::new(&Roots::new(None).unwrap(), Reach::Anywhere).unwrap();
        let request = Request::builder().method(Method::GET).body(Bytes::new()).unwrap();
        let (head, incoming) = client.open(request, url).await.unwrap().into_parts();
        let pause = Duration::from_secs(5);
        let pace = Pace { pause, deadline: Instant::now() + pause, events_only: true };
        let mut passage = Passage::new(incoming, pace, Sweep::new(None), &head.headers);
        passage.reshape(reshape);
        let trail = Arc::new(Trail::new("t".to_owned(), None, Output::Memory(Mutex::default())));
        let mut record = Record::of_nothing("r-1", SystemTime::UNIX_EPOCH);
        let _ = record.close(Response::new(StatusCode::OK, HeaderMap::new(), Bytes::new()), Duration::ZERO);
        let account = Account::open(record, Instant::now(), Arc::clone(&trail), Arc::default());
        let passages = Passages::default();
        let mut body = passages.start(passage, account);
        let mut text = String::new();
        while let Some(chunk) = body.next().await {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let [line] = &trail.lines()[..] else { panic!("one record") };
        let record: Value = serde_json::from_str(line).unwrap();
        let how =
            [&record["unmapped"]["stream"], &record["api"]["response"]["error"], &record["status_detail"]];
        assert_eq!(record["http_response"]["body_length"], text.len());
        (text, json!(how))
    }

    #[tokio::test]
    async fn each_event_is_reshaped_on_its_way() {
        let twice = |data: Bytes| -> Reshaping { Box::pin(async move { Ok(vec![data.clone(), data]) }) };
        let (text, record) = reshaped("data: 1\n\n: ping\n\ndata: [DONE]\n\n", Box::new(twice)).await;
        assert_eq!(text, "data: 1\n\ndata: 1\n\n:\n\ndata: [DONE]\n\n");
        assert_eq!(record, json!(["complete", null, null]));
    }

    #[tokio::test]
    async fn a_hook_that_fails_ends_the_body_in_words() {
        let failing = |data: Bytes| -> Reshaping {
            let bad = data == "2";
            let problem = || Problem::new(Kind::Internal, "this cannot be shown").because("of its shape");
            Box::pin(async move { if bad { Err(problem()) } else { Ok(vec![data]) } })
        };
        let (text, record) = reshaped("data: 1\n\ndata: 2\n\ndata: 3\n\n", Box::new(failing)).await;
        let (before, word) = text.split_once("event: error\ndata: ").unwrap();
        // The event before it was good, although both came in one piece.
        assert_eq!(before, "data: 1\n\n\n\n");
        let problem: Value = serde_json::from_str(word).unwrap();
        let said = [&problem["code"], &problem["detail"]];
        assert_eq!(said, ["internal", "this cannot be shown"]);
        assert_eq!(record, json!(["stopped", "internal", "of its shape"]));
        assert!(!text.contains("data: 3"), "{text}");
    }

    #[tokio::test]
    async fn a_panic_ends_the_body_and_leaves_a_record() {
        let (text, record) = reshaped("data: 1\n\n", Box::new(|_| panic!("a bug"))).await;
        assert!(text.starts_with("\n\nevent: error\n"), "{text}");
        assert_eq!(record, json!(["stopped", "internal", "panic"]));
    }
}
