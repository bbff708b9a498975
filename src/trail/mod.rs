//! The trail: where records go, in order, each bound to the one before it.
//!
//! Nothing here knows what a record is about. An [`Event`] is worded with its
//! place in the chain, and written down: on standard output, or in a log group of
//! its own. What cannot be delivered is said on standard output,
//! so no record is lost without a word.

pub mod chain;
pub mod delivery;
#[cfg(feature = "cli")]
pub mod group;
pub mod logs;
pub mod metrics;
pub mod ocsf;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod queue;

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tokio::time::Instant;

use chain::{Chain, Place};
use delivery::{Delivery, Outcome};
use metrics::{ALONE, Metrics};

/// What leaves a line on the trail.
pub trait Event {
    /// Its words, at a place of the chain. Its keys are in the order of
    /// RFC 8785, and its numbers are whole.
    fn words<'e>(&'e self, place: &'e Place<'e>) -> impl Serialize + 'e;

    /// When it ended.
    fn ended(&self) -> SystemTime;
}

/// Where records go.
pub struct Trail {
    chain: Mutex<Chain>,
    /// To a log group of their own; `None`: to standard output.
    delivery: Option<Delivery>,
    output: Output,
    /// Whose metrics are said on standard output; `None`: none are.
    service: Option<String>,
    /// Who wants to know the steps of each request; `None`: nobody.
    #[cfg(feature = "otlp")]
    spans: Option<otlp::Spans>,
}

/// Standard output, which Lambda takes to the function's own log group.
pub enum Output {
    /// The real one.
    Stdout,
    /// Kept in memory, for tests.
    Memory(Mutex<Vec<String>>),
}

impl Trail {
    /// Begins a chain. `name`: what tells this environment from all others.
    pub fn new(name: String, delivery: Option<Delivery>, output: Output) -> Self {
        Self {
            chain: Mutex::new(Chain::new(name)),
            delivery,
            output,
            service: None,
            #[cfg(feature = "otlp")]
            spans: None,
        }
    }

    /// The same, with metrics of the function that is called so.
    pub fn measured(self, service: String) -> Self {
        Self { service: Some(service), ..self }
    }

    /// The same, with the steps of each request for a collector. Without one it runs as well.
    #[cfg(feature = "otlp")]
    pub fn traced(self, spans: Result<otlp::Spans, otlp::Lost>) -> Self {
        let spans = spans.map_err(|lost| self.say(&lost)).ok();
        Self { spans, ..self }
    }

    /// Leaves a record. The order of the lines is that of the chain.
    pub fn leave(&self, event: &impl Event) {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let line = chain.seal(|place| serde_json::to_string(&event.words(place)));
        match &self.delivery {
            Some(delivery) => delivery.push(line, event.ended()),
            None => self.output.print(&line),
        }
    }

    /// Says what is no record, and worth a look.
    pub fn say(&self, line: &impl Serialize) {
        self.output.print(&serde_json::to_string(line).unwrap_or_default());
    }

    /// Says what happened, in numbers, where somebody wants to know.
    pub fn measure<'m>(&self, metrics: impl FnOnce() -> Metrics<'m>) {
        if let Some(service) = &self.service {
            self.say(&metrics().line(service));
        }
    }

    /// Leaves the steps of a request, where somebody wants to know.
    #[cfg(feature = "otlp")]
    pub fn trace(&self, spans: impl FnOnce() -> Vec<opentelemetry_sdk::trace::SpanData>) {
        if let Some(collector) = &self.spans {
            collector.push(spans());
        }
    }

    /// Whether records go to a log group of their own.
    pub fn is_delivered(&self) -> bool {
        self.delivery.is_some()
    }

    /// Delivers what was left since the last time, and says whether all of it is where it
    /// belongs. What is not there by `until` stands on standard output then.
    pub async fn flush(&self, until: Instant) -> bool {
        let delivered = match &self.delivery {
            Some(delivery) => self.tell(delivery, &delivery.flush(until).await),
            None => true,
        };
        self.export(until).await;
        delivered
    }

    /// Leaves the last record, and delivers what is left before the process ends.
    pub async fn close(&self, event: &impl Event, until: Instant) {
        self.leave(event);
        if let Some(delivery) = &self.delivery {
            self.tell(delivery, &delivery.finish(until).await);
        }
        self.export(until).await;
    }

    #[cfg(not(feature = "otlp"))]
    async fn export(&self, _: Instant) {}

    #[cfg(feature = "otlp")]
    async fn export(&self, until: Instant) {
        if let Some(spans) = &self.spans
            && let Some(lost) = spans.flush(until).await
        {
            self.say(&lost);
        }
    }

    fn tell(&self, delivery: &Delivery, outcome: &Outcome) -> bool {
        outcome.told.iter().for_each(|line| self.output.print(line));
        if !outcome.told.is_empty() {
            self.measure(|| {
                let mut metrics = Metrics::at(delivery.last());
                metrics.count("AuditUndelivered", outcome.told.len() as u64, ALONE);
                metrics
            });
        }
        outcome.why.is_none()
    }

    /// The lines so far, where they are kept in memory.
    pub fn lines(&self) -> Vec<String> {
        match &self.output {
            Output::Memory(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Output::Stdout => Vec::new(),
        }
    }
}

impl Output {
    /// One that is gone is nothing that a request could be blamed for.
    fn print(&self, line: &str) {
        match self {
            Self::Memory(lines) => {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
            }
            Self::Stdout => drop(writeln!(std::io::stdout().lock(), "{line}")),
        }
    }
}
