//! Answers that are kept for a while, where a route says `response.cache` (RFC 9111).
//!
//! Each environment of the function has a cache of its own, in memory and
//! bounded. What is kept is the answer as it leaves, before CORS: guarded, and
//! for the very path, query, base URL and class of caller that it was made
//! for. An answer in which a secret was cut out is never kept, nor one that its
//! upstream calls private. No lock is held while anything is awaited.

mod entry;
mod flight;
mod question;
mod said;
mod shelf;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use tokio::time::Instant;

use super::Proxy;
use super::audit::Record;
use super::stream::Passage;
use super::validate::Valid;
use crate::wire::problem::Kind;
use crate::wire::{Problem, Response};

pub use said::Said;

use entry::Entry;
use flight::{Flights, Landed, Seat};
use question::Question;
use shelf::Shelf;

/// How often a caller may have an answer checked that is still fresh. It bounds
/// what reloading costs the upstream's quota, and whoever pays for it.
const RELOAD: Duration = Duration::from_secs(5);

/// What an environment keeps.
#[derive(Default)]
pub struct Cache {
    shelf: Mutex<Shelf>,
    flights: Flights,
}

/// How an answer came about, as the record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was kept; the upstream was not asked.
    Hit,
    /// The upstream gave it.
    Miss,
    /// It was kept, and the upstream said that it still holds.
    Revalidated,
    /// It was kept and is old; the upstream failed, and allows this.
    Stale,
}

impl Outcome {
    /// The word of the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Revalidated => "revalidated",
            Self::Stale => "stale",
        }
    }
}

/// What a call is about, besides the request itself.
pub struct Call<'c> {
    /// The class of caller that the route was granted to.
    pub class: &'c str,
    /// Our base URL as the caller sees it, which answers' links begin with.
    pub ours: Option<String>,
    /// When it came in.
    pub now: SystemTime,
    /// The same on the clock that waiting is measured by.
    pub started: Instant,
    /// When it must be over.
    pub deadline: Instant,
}

impl Call<'_> {
    /// What time it is by now.
    pub fn moment(&self) -> SystemTime {
        self.now + self.started.elapsed()
    }
}

/// An answer that is ready to leave.
pub struct Fetched {
    /// The answer.
    pub response: Response,
    /// The rest of it, where its body is still to come. Such an answer is never kept.
    pub passage: Option<Passage>,
    /// What its upstream said about keeping it; `None` where it must not be kept.
    pub said: Option<Said>,
}

impl Proxy {
    /// The answer to a valid request: a kept one where one fits, or the upstream's.
    pub(super) async fn answer<'p>(
        &'p self,
        valid: Valid<'p, '_>,
        call: Call<'_>,
        record: &mut Record<'p>,
    ) -> Result<(Response, Option<Passage>), Problem> {
        let Some(question) = Question::of(&valid, &call) else {
            let changes = Change::of(&valid);
            let Fetched { response, passage, .. } = self.fetch(valid, call, record).await?;
            self.cache.heed(changes, &response);
            return Ok((response, passage));
        };
        record.cached(Outcome::Miss);
        let fetch = async |validators| self.fetch(question.ask(valid, validators), call, record).await;
        let (response, outcome) = self.cache.answer(&question, fetch).await?;
        record.cached(outcome);
        Ok((response, None))
    }
}

impl Cache {
    /// The answer to a question, with what the caller knows already left out.
    /// `fetch` asks the upstream, and takes the validators to ask it with.
    async fn answer(
        &self,
        question: &Question,
        fetch: impl AsyncFnOnce(HeaderMap) -> Result<Fetched, Problem>,
    ) -> Result<(Response, Outcome), Problem> {
        let (response, outcome) = self.find_or_fetch(question, fetch).await?;
        Ok((question.judge(response), outcome))
    }

    /// Of those who ask the same at once, one asks the upstream and the others
    /// wait for it: they share what it gets if that can be shared, and its
    /// problem if it gets one. Where it gives up, the next one takes its place.
    async fn find_or_fetch(
        &self,
        question: &Question,
        fetch: impl AsyncFnOnce(HeaderMap) -> Result<Fetched, Problem>,
    ) -> Result<(Response, Outcome), Problem> {
        loop {
            if let Some(entry) = self.fresh(question) {
                return Ok((entry.answer(question.now, Outcome::Hit), Outcome::Hit));
            }
            if question.alone {
                return Ok((fetch(HeaderMap::new()).await?.response, Outcome::Miss));
            }
            match self.flights.join(question.flight()) {
                Seat::First(flight) => {
                    let result = self.renew(question, fetch).await;
                    flight.land(match &result {
                        Ok(_) if self.fresh(question).is_some() => Landed::Kept,
                        Ok(_) => Landed::NotKept,
                        Err(problem) => Landed::Failed(problem.clone()),
                    });
                    return result;
                }
                Seat::Next(waiting) => match waiting.landed(question.deadline, question.patience).await? {
                    Some(Landed::Kept) | None => {}
                    Some(Landed::NotKept) => return self.renew(question, fetch).await,
                    Some(Landed::Failed(problem)) => return Err(problem),
                },
            }
        }
    }

    /// Asks the upstream: for the whole answer, or whether the kept one still holds.
    async fn renew(
        &self,
        question: &Question,
        fetch: impl AsyncFnOnce(HeaderMap) -> Result<Fetched, Problem>,
    ) -> Result<(Response, Outcome), Problem> {
        let old = self.find(question);
        let validators = old.as_ref().map(|old| old.validators().clone()).unwrap_or_default();
        let fetched = fetch(validators).await;
        let failed = has_failed(&fetched);
        let (entry, outcome) = match (old, fetched) {
            (Some(old), _) if failed && old.may_stand_in(question.now) => {
                (old.standing_in(question.now), Outcome::Stale)
            }
            (Some(old), Ok(fetched)) if fetched.response.status() == StatusCode::NOT_MODIFIED => {
                (self.renewed(&old, &fetched, question)?, Outcome::Revalidated)
            }
            (_, fetched) => {
                let Fetched { response, said, .. } = fetched?;
                let entry = said.and_then(|said| Entry::new(&response, &said, question));
                let Some(entry) = entry else {
                    if !failed {
                        self.shelf(|shelf| shelf.remove(question));
                    }
                    return Ok((response, Outcome::Miss));
                };
                (entry, Outcome::Miss)
            }
        };
        let response = entry.answer(question.now, outcome);
        self.shelf(|shelf| shelf.put(question, entry));
        Ok((response, outcome))
    }

    /// A 304 that is about something else says nothing about what we keep
    /// (RFC 9111 §4.3.4), and there is no body to give.
    fn renewed(&self, old: &Entry, fetched: &Fetched, question: &Question) -> Result<Entry, Problem> {
        let said = fetched.said.as_ref();
        let entry = said.and_then(|said| old.renewed(fetched.response.headers(), said, question));
        entry.ok_or_else(|| {
            self.shelf(|shelf| shelf.forget(&question.key.path));
            Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not valid")
                .because("304 about another answer than the one that is kept")
        })
    }

    fn find(&self, question: &Question) -> Option<Arc<Entry>> {
        self.shelf(|shelf| shelf.find(question))
    }

    fn fresh(&self, question: &Question) -> Option<Arc<Entry>> {
        self.find(question).filter(|entry| entry.is_fresh(question.now) && question.takes(entry.checked()))
    }

    /// Forgets what a request has made untrue (RFC 9111 §4.4).
    fn heed(&self, change: Option<Change>, response: &Response) {
        let done = response.status().is_success() || response.status().is_redirection();
        if let Some(Change(path)) = change.filter(|_| done) {
            self.shelf(|shelf| shelf.forget(&path));
        }
    }

    /// What a panic may have left behind is whole: each change is one call.
    fn shelf<T>(&self, work: impl FnOnce(&mut Shelf) -> T) -> T {
        work(&mut self.shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The path that an unsafe request is about (RFC 9110 §9.2.1).
struct Change(String);

impl Change {
    fn of(valid: &Valid<'_, '_>) -> Option<Self> {
        let safe = [Method::GET, Method::HEAD].contains(&valid.request.method);
        (!safe).then(|| Self(valid.request.path.clone()))
    }
}

/// Whether the upstream failed, rather than us or the caller (RFC 5861 §4).
fn has_failed(fetched: &Result<Fetched, Problem>) -> bool {
    match fetched {
        Ok(fetched) => [500, 502, 503, 504].contains(&fetched.response.status().as_u16()),
        Err(problem) => matches!(
            problem.kind(),
            Kind::UpstreamUnreachable | Kind::UpstreamTimeout | Kind::UpstreamInvalid
        ),
    }
}

#[cfg(test)]
mod tests;
