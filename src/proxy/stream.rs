//! Stage 10, where a route streams: the body passes as it arrives.
//!
//! It is guarded chunk by chunk, and goes out as fast as the caller reads. The
//! answer's head is gone by then, so nothing can be taken back: what breaks off
//! ends, server-sent events with a last word, and the record says how. Nothing
//! of our own or of the upstream's errors ever stands in the body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep_until, timeout};

use super::audit::{Record, Trail};
use super::events::{Events, Form, Reshape};
use super::forward::too_slow;
use super::guard::Leaks;
use super::sweep::Sweep;
use crate::wire::client::{Failure, Incoming};
use crate::wire::problem::Kind;
use crate::wire::{Body, Problem};

/// How long a caller that does not read may keep us from saying the last word.
const LAST_WORD: Duration = Duration::from_millis(100);

/// How long a body that arrives may take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest pause between two chunks.
    pub pause: Duration,
    /// When the invocation must be over.
    pub deadline: Instant,
    /// Whether only events are streamed: something reshapes them one by one,
    /// and any other body as a whole.
    pub events_only: bool,
}

/// How a body that arrived came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All of it passed.
    Complete,
    /// The upstream broke off, or sent what is no body.
    UpstreamBroke,
    /// The upstream paused for too long, or the invocation's time was up.
    Timeout,
    /// Nobody was listening any more.
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
        Self { incoming, pace, sweep, events: Form::of(headers).map(Events::new) }
    }

    /// Reshapes each event. A body without events passes as it came.
    pub fn reshape(&mut self, reshape: Reshape) {
        if let Some(events) = &mut self.events {
            events.reshape(reshape);
        }
    }

    /// Sets off. The record is left when the body has ended, however it did.
    pub fn start(self, account: Account) -> Body {
        let (out, body) = Body::arriving();
        tokio::spawn(self.run(account, out));
        body
    }

    async fn run(mut self, mut account: Account, out: Sender<Bytes>) {
        let deadline = self.pace.deadline;
        let early = tokio::select! {
            biased;
            passed = self.pass(&mut account, &out) => passed.err(),
            () = out.closed() => Some(Early::CallerLeft),
            () = sleep_until(deadline) => Some(Early::Problem(no_time_left())),
        };
        if let Some(Early::Problem(problem)) = &early
            && let Some(events) = self.events.as_ref().filter(|events| events.ends_in_words())
        {
            let word = events.error(problem, account.record.id());
            drop(timeout(LAST_WORD, account.send(word, &out)).await);
        }
        account.close(early, self.sweep.into_leaks());
        // The record is out before the invocation may end.
        drop(out);
    }

    async fn pass(&mut self, account: &mut Account, out: &Sender<Bytes>) -> Result<(), Early> {
        loop {
            // A caller that reads slowly does not use up the upstream's time.
            let arriving = timeout(self.pace.pause, self.incoming.next());
            let arrived = arriving.await.map_err(|_| too_slow(self.pace.pause))?;
            let Some(chunk) = arrived.map_err(broken)? else { break };
            let clean = self.sweep.pass(chunk);
            let shaped = match &mut self.events {
                Some(events) => events.pass(clean).await?,
                None => clean,
            };
            account.send(shaped, out).await?;
        }
        let mut rest = self.sweep.end();
        if let Some(events) = &mut self.events {
            account.send(events.pass(rest).await?, out).await?;
            rest = events.end().await?;
        }
        account.send(rest, out).await
    }
}

/// The record of a passage. It is left when this is dropped, so also by a panic.
pub struct Account {
    record: Record<'static>,
    opened: Instant,
    trail: Arc<Trail>,
    /// Learns whether the process must end once the body has.
    spent: Arc<AtomicBool>,
}

impl Account {
    /// Until it is closed, it says what a panic would leave behind.
    pub fn open(
        mut record: Record<'static>,
        opened: Instant,
        trail: Arc<Trail>,
        spent: Arc<AtomicBool>,
    ) -> Self {
        let lost =
            Problem::new(Kind::Internal, "something went wrong here").because("it never came to an end");
        record.ended(End::Stopped, Some(&lost));
        Self { record, opened, trail, spent }
    }

    async fn send(&mut self, bytes: Bytes, out: &Sender<Bytes>) -> Result<(), Early> {
        let length = bytes.len();
        if 0 < length {
            out.send(bytes).await.map_err(|_| Early::CallerLeft)?;
            self.record.passed(length);
        }
        Ok(())
    }

    fn close(mut self, early: Option<Early>, leaks: Leaks) {
        let (end, problem) = match early {
            None => (End::Complete, None),
            Some(Early::CallerLeft) => (End::CallerLeft, None),
            Some(Early::Problem(problem)) => (End::of(problem.kind()), Some(problem)),
        };
        self.spent.fetch_or(problem.as_ref().is_some_and(Problem::is_last), Ordering::Relaxed);
        self.record.leaks(leaks);
        self.record.ended(end, problem.as_ref());
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.record.took(self.opened.elapsed());
        self.trail.leave(&self.record);
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
        Failure::Unreachable(_) => Kind::UpstreamUnreachable,
        Failure::Invalid(_) | Failure::TooLarge => Kind::UpstreamInvalid,
    };
    Problem::new(kind, "the upstream's answer broke off").because(failure)
}

fn no_time_left() -> Problem {
    Problem::new(Kind::UpstreamTimeout, "the answer took longer than there was time for")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::SystemTime;

    use http::{Method, Request};
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use url::Url;

    use super::*;
    use crate::proxy::events::Reshaping;
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
        let trail = Arc::new(Trail::Memory(Mutex::default()));
        let record = Record::of_nothing("r-1", SystemTime::UNIX_EPOCH);
        let mut body =
            passage.start(Account::open(record, Instant::now(), Arc::clone(&trail), Arc::default()));
        let mut text = String::new();
        while let Some(chunk) = body.next().await {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let Trail::Memory(lines) = &*trail else { panic!("records are kept in memory here") };
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 1);
        (text, serde_json::from_str(&lines[0]).unwrap())
    }

    #[tokio::test]
    async fn each_event_is_reshaped_on_its_way() {
        let twice = |data: Bytes| -> Reshaping { Box::pin(async move { Ok(vec![data.clone(), data]) }) };
        let (text, record) = reshaped("data: 1\n\n: ping\n\ndata: [DONE]\n\n", Box::new(twice)).await;
        assert_eq!(text, "data: 1\n\ndata: 1\n\n: ping\n\ndata: [DONE]\n\n");
        assert_eq!((&record["stream"], &record["bytes_out"]), (&json!("complete"), &json!(text.len())));
    }

    #[tokio::test]
    async fn a_hook_that_fails_ends_the_body_in_words() {
        let failing = |data: Bytes| -> Reshaping {
            let bad = data == "2";
            let problem = || Problem::new(Kind::Internal, "this cannot be shown").because("of its shape");
            Box::pin(async move { if bad { Err(problem()) } else { Ok(vec![data]) } })
        };
        let (text, record) = reshaped("data: 1\n\ndata: 2\n\ndata: 3\n\n", Box::new(failing)).await;
        let (_, word) = text.split_once("event: error\ndata: ").unwrap();
        let problem: Value = serde_json::from_str(word).unwrap();
        assert_eq!(
            (&problem["code"], &problem["detail"]),
            (&json!("internal"), &json!("this cannot be shown"))
        );
        assert_eq!((&record["stream"], &record["code"]), (&json!("stopped"), &json!("internal")));
        assert_eq!(record["cause"], "of its shape");
        assert!(!text.contains("data: 3"), "{text}");
    }

    /// The record is left although nobody is there any more to close it.
    #[tokio::test]
    async fn a_panic_ends_the_body_and_leaves_a_record() {
        let (text, record) = reshaped("data: 1\n\n", Box::new(|_| panic!("a bug"))).await;
        assert_eq!(text, "");
        assert_eq!((&record["stream"], &record["code"]), (&json!("stopped"), &json!("internal")));
    }
}
