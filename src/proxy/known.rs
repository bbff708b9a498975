//! What the answers of an upstream are searched for: all that was sent there lately.
//!
//! While a key is rotated, answers to the old one still arrive, and may name
//! either. So a guard knows both: it is made anew only where a value goes up
//! that was not sent before, and where no answer to an old one can arrive any more.

use std::cmp::Reverse;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::guard::Guard;
use crate::credential::Needle;

/// No invocation lasts longer than Lambda's own limit.
const LATEST_ANSWER: Duration = Duration::from_mins(15);

/// A guard of more would cost more than it could find. Those that were sent
/// last are kept.
const MOST: usize = 64;

/// What an upstream was sent lately.
#[derive(Default)]
pub struct Known(Mutex<Sent>);

#[derive(Default)]
struct Sent {
    needles: Vec<(Needle, Instant)>,
    /// `None` where a value is new since it was made.
    guard: Option<Guard>,
}

impl Known {
    /// Notes what a request is about to carry.
    pub fn carries(&self, needles: &[Needle], now: Instant) {
        let mut sent = self.sent();
        for needle in needles {
            if let Some((_, last)) = sent.needles.iter_mut().find(|(known, _)| known == needle) {
                *last = now;
                continue;
            }
            sent.needles.push((needle.clone(), now));
            sent.guard = None;
        }
        sent.forget(now);
    }

    /// Knows every value that an answer may still be an answer to.
    pub fn guard(&self) -> Guard {
        let mut sent = self.sent();
        if let Some(guard) = &sent.guard {
            return guard.clone();
        }
        let needles: Vec<Needle> = sent.needles.iter().map(|(needle, _)| needle.clone()).collect();
        sent.guard.insert(Guard::new(&needles)).clone()
    }

    /// What a panic may have left behind is at worst a guard to be made.
    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sent {
    fn forget(&mut self, now: Instant) {
        let before = self.needles.len();
        self.needles.retain(|(_, last)| now.saturating_duration_since(*last) < LATEST_ANSWER);
        if MOST < self.needles.len() {
            self.needles.sort_by_key(|(_, last)| Reverse(*last));
            self.needles.truncate(MOST);
        }
        if self.needles.len() < before {
            self.guard = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::guard::{Leaks, Place};
    use crate::secret::Secret;

    fn needle(value: &str) -> Needle {
        Needle { name: "key".to_owned(), secret: Secret::new(value) }
    }

    fn finds(known: &Known, value: &str) -> bool {
        known.guard().clean(value.as_bytes(), Place::Body, &mut Leaks::new()).is_some()
    }

    #[test]
    fn an_upstream_that_was_sent_nothing_is_not_searched() {
        assert!(!finds(&Known::default(), "old-value-1"));
    }

    #[test]
    fn the_old_value_and_the_new_one_are_known_until_no_answer_to_the_old_can_arrive() {
        let (known, start) = (Known::default(), Instant::now());
        let at = |minutes: u64| start + Duration::from_mins(minutes);
        known.carries(&[needle("old-value-1")], at(0));
        assert_eq!((finds(&known, "old-value-1"), finds(&known, "new-value-2")), (true, false));
        known.carries(&[needle("old-value-1")], at(10));
        known.carries(&[needle("new-value-2")], at(11));
        assert_eq!((finds(&known, "old-value-1"), finds(&known, "new-value-2")), (true, true));
        known.carries(&[needle("third-value")], at(24));
        assert_eq!((finds(&known, "old-value-1"), finds(&known, "new-value-2")), (true, true));
        known.carries(&[needle("fourth-value")], at(25));
        assert_eq!((finds(&known, "old-value-1"), finds(&known, "new-value-2")), (false, true));
        assert!(finds(&known, "third-value") && finds(&known, "fourth-value"));
        known.carries(&[needle("fourth-value")], at(27));
        assert_eq!((finds(&known, "new-value-2"), finds(&known, "fourth-value")), (false, true));
    }

    #[test]
    fn however_many_values_there_are_the_last_ones_are_known() {
        let (known, start) = (Known::default(), Instant::now());
        for at in 0..1000 {
            known.carries(&[needle(&format!("value-{at:04}"))], start + Duration::from_millis(at));
        }
        assert!(finds(&known, "value-0999") && finds(&known, "value-0936") && !finds(&known, "value-0935"));
    }

    #[test]
    fn a_guard_is_made_once_for_a_value() {
        let (known, now) = (Known::default(), Instant::now());
        known.carries(&[needle("old-value-1")], now);
        known.guard();
        known.carries(&[needle("old-value-1")], now);
        assert!(known.sent().guard.is_some());
        known.carries(&[needle("new-value-2")], now);
        assert!(known.sent().guard.is_none());
    }
}
