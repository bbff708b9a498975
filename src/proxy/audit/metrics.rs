//! A record in numbers: what is worth a graph or an alarm.
//!
//! Counted by names of the file and by closed sets, never by anything that a
//! caller sent or an upstream said: see `trail::metrics`.

use super::super::cache::Outcome;
use super::Record;
use crate::trail::Event;
use crate::trail::metrics::{ALONE, By, Metrics};

const BY_CODE: By = &[&["Service"], &["Service", "Code"]];
const BY_UPSTREAM: By = &[&["Service"], &["Service", "Upstream"]];
const BY_ANSWER: By = &[&["Service"], &["Service", "Upstream", "Class"]];
const BY_SPENDER: By = &[&["Service"], &["Service", "Caller"], &["Service", "Route"]];

impl Record<'_> {
    pub(super) fn metrics(&self) -> Metrics<'_> {
        let mut metrics = Metrics::at(self.ended());
        let once = |it: bool| u64::from(it);
        let counts = [
            ("Requests", 1),
            ("Retries", u64::from(self.retries)),
            ("SecretHeals", once(self.renewed)),
            ("Leaks", once(self.leak)),
            ("WouldDeny", once(self.would_deny.is_some())),
            ("CacheHits", once(self.cache == Some(Outcome::Hit))),
        ];
        for (name, count) in counts.into_iter().filter(|(_, count)| 0 < *count) {
            metrics.count(name, count, ALONE);
        }
        if let Some(code) = self.code {
            metrics.count("Problems", 1, BY_CODE);
            metrics.dimension("Code", code);
        }
        if let (Some(upstream), Some(took)) = (&self.upstream, self.upstream_took) {
            metrics.took("UpstreamMs", took, BY_UPSTREAM);
            metrics.count("UpstreamAnswers", 1, BY_ANSWER);
            metrics.dimension("Upstream", upstream);
            metrics.dimension("Class", class(self.upstream_status));
        }
        if let (false, Some(caller), Some(route)) = (self.meters.is_empty(), &self.caller, &self.route) {
            for (name, number) in &self.meters {
                metrics.count(format!("Meter.{name}"), *number, BY_SPENDER);
            }
            metrics.dimension("Caller", caller);
            metrics.dimension("Route", route);
        }
        metrics
    }
}

/// The class of an upstream's status (RFC 9110 §15); `none` where no answer came that is one.
fn class(status: Option<u16>) -> &'static str {
    match status {
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        Some(_) | None => "none",
    }
}
