//! Delivery: after the answer is out and before the environment may freeze, what
//! was left goes to CloudWatch Logs, in order and in batches.
//!
//! What cannot be delivered is said on standard output at once, marked, for a
//! frozen environment may never wake again. It is kept all the same, and
//! delivered when the service is back, so that the trail has no gap.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::logs::Logs;
use super::ocsf::millis;
use super::queue::{Queue, Waiting};

/// After a delivery that failed, for so long no other one is tried; twice as long after each
/// further one.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long the next request of this environment may have to wait for a delivery.
const PATIENCE: Duration = Duration::from_secs(2);

const TOO_LATE: &str = "there was no time left to deliver them";

/// The way of records to a log stream.
pub struct Delivery {
    logs: Logs,
    queue: Mutex<Queue>,
    /// One call at a time, or the order would be lost. What it holds: after a failure, how long
    /// nothing is tried, and until when.
    turn: tokio::sync::Mutex<Option<(Duration, Instant)>>,
}

/// A record that could not be delivered: its line on standard output.
#[derive(Serialize)]
struct Undelivered<'r> {
    record: &'r RawValue,
    /// What kind of line this is: `undelivered`.
    #[serde(rename = "type")]
    kind: &'static str,
}

/// What became of the records so far.
#[derive(Default)]
pub struct Outcome {
    /// The lines for standard output, in order.
    pub told: Vec<String>,
    /// Why they are not where they belong; absent where all are.
    pub why: Option<String>,
}

impl Delivery {
    /// To a stream.
    pub fn new(logs: Logs) -> Self {
        Self { logs, queue: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Takes a record that ended at a time.
    pub fn push(&self, line: String, ended: SystemTime) {
        self.queue().push(line, millis(ended));
    }

    /// Delivers all that is there by `until`, and waits for no pause: there is no later.
    /// Whoever is out with a batch just now has it still in the queue.
    pub async fn finish(&self, until: Instant) -> Outcome {
        match timeout_at(until, self.turn.lock()).await {
            Ok(mut pause) => *pause = None,
            Err(_) => return self.tell(TOO_LATE.to_owned()),
        }
        self.flush(until).await
    }

    /// When the last record ended: what time it is here.
    pub fn last(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.queue().last())
    }

    /// Delivers all that is there, by `until`; what is not delivered then is told of.
    pub async fn flush(&self, until: Instant) -> Outcome {
        let Ok(mut pause) = timeout_at(until, self.turn.lock()).await else {
            return self.tell(TOO_LATE.to_owned());
        };
        let mut outcome = Outcome::default();
        loop {
            let batch = self.queue().batch();
            if batch.is_empty() {
                return outcome;
            }
            let sent = match *pause {
                Some((_, until)) if Instant::now() < until => Err("it failed a moment ago".to_owned()),
                _ => self.put(&batch, until).await,
            };
            match sent {
                Ok(refused) => {
                    *pause = None;
                    self.queue().done(batch.len());
                    if !refused.is_empty() {
                        outcome.told.extend(refused.iter().map(|waiting| undelivered(&waiting.line)));
                        outcome.why = Some("CloudWatch Logs does not take them".to_owned());
                    }
                }
                Err(why) => {
                    *pause = Some(longer(*pause));
                    outcome.told.extend(self.tell(why.clone()).told);
                    return Outcome { why: Some(why), ..outcome };
                }
            }
        }
    }

    async fn put<'b>(&self, batch: &'b [Waiting], until: Instant) -> Result<Vec<&'b Waiting>, String> {
        let until = until.min(Instant::now() + PATIENCE);
        timeout_at(until, self.logs.put(batch)).await.unwrap_or_else(|_| Err(TOO_LATE.to_owned()))
    }

    /// What nobody was told of yet. All of it is kept.
    fn tell(&self, why: String) -> Outcome {
        let told = self.queue().tell().iter().map(|line| undelivered(line)).collect();
        Outcome { told, why: Some(why) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after a failure. While one lasts it is not made longer.
fn longer(before: Option<(Duration, Instant)>) -> (Duration, Instant) {
    let now = Instant::now();
    match before {
        Some((length, until)) if now < until => (length, until),
        before => {
            let length = before.map_or(PAUSE, |(length, _)| (length * 2).min(LONGEST_PAUSE));
            (length, now + length)
        }
    }
}

fn undelivered(line: &str) -> String {
    let record = serde_json::from_str::<&RawValue>(line);
    let words = record.and_then(|record| serde_json::to_string(&Undelivered { record, kind: "undelivered" }));
    words.unwrap_or_default()
}
