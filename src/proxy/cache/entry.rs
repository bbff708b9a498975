//! One kept answer: what it says, how long it is fresh, and how it is renewed.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_cache_semantics::{AfterResponse, BeforeRequest, CachePolicy};

use super::question::{Key, Question};
use super::said::{Said, request};
use super::{Outcome, RELOAD};
use crate::wire::Response;

/// What may be kept without a word of the upstream's, as far as it is whole
/// and worth it (RFC 9110 §15.1).
const KEPT: [u16; 6] = [200, 203, 301, 308, 404, 410];

/// What an entry costs beyond its texts, in bytes: the judge's tables and ours.
/// Measured with small answers.
const OVERHEAD: usize = 5 * 1024;

/// An answer that is kept. It never changes: a renewed one takes its place.
#[derive(Clone)]
pub struct Entry {
    policy: CachePolicy,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// What the upstream is asked with whether it still holds.
    validators: HeaderMap,
    checked: SystemTime,
    fresh_until: SystemTime,
    /// How long it may stand in for an upstream that fails.
    stale_until: SystemTime,
    kept: bool,
}

impl Entry {
    /// Keeps an answer, if it may be kept.
    pub fn new(response: &Response, said: &Said, question: &Question) -> Option<Self> {
        let Question { now, lifetime, .. } = *question;
        let policy = said.policy(&question.sent, lifetime, now);
        let whole = KEPT.contains(&said.status.as_u16()) && said.status == response.status();
        if !whole || !said.may_be_kept() || !policy.is_storable() {
            return None;
        }
        let mut headers = response.headers().clone();
        if let Some(told) = said.told(&headers, &policy, now) {
            headers.insert(header::CACHE_CONTROL, told);
        }
        let fresh_until = now + policy.time_to_live(now).min(lifetime);
        Some(Self {
            policy,
            status: response.status(),
            headers,
            // A copy: the bytes may be a part of something larger.
            body: Bytes::copy_from_slice(response.body()),
            validators: said.validators(),
            checked: now,
            fresh_until,
            stale_until: fresh_until + said.stale_if_error(),
            kept: true,
        })
    }

    /// The same answer after a 304 with these headers (RFC 9111 §4.3.4). `None`
    /// where that is about another answer.
    pub fn renewed(&self, fresh: &HeaderMap, said: &Said, question: &Question) -> Option<Self> {
        let Question { now, lifetime, .. } = *question;
        let answer = said.as_answer(self.confirmed(said, lifetime));
        let after = self.policy.after_response(&request(&question.sent), &answer, said.made(now));
        let AfterResponse::NotModified(policy, _) = after else { return None };
        let mut headers = self.headers.clone();
        for name in fresh.keys().filter(|name| is_renewed(name, said)) {
            headers.remove(name);
            headers.extend(fresh.get_all(name).iter().map(|value| (name.clone(), value.clone())));
        }
        if said.says_control()
            && let Some(told) = said.told(fresh, &policy, now)
        {
            headers.insert(header::CACHE_CONTROL, told);
        }
        let mut validators = self.validators.clone();
        for (name, value) in &said.validators() {
            validators.insert(name.clone(), value.clone());
        }
        let kept = said.may_be_kept() && policy.is_storable();
        let fresh_until = now + policy.time_to_live(now).min(lifetime);
        // What the first answer allowed still holds, unless this one speaks of it.
        let first = self.stale_until.duration_since(self.fresh_until).unwrap_or_default();
        let stale_until = fresh_until + if said.says_control() { said.stale_if_error() } else { first };
        Some(Self {
            policy,
            headers,
            validators,
            checked: now,
            fresh_until,
            stale_until,
            kept,
            ..self.clone()
        })
    }

    /// What a 304 says. One without any validator can only mean the answer
    /// that it was asked about, although it should say so (RFC 9110 §15.4.5).
    fn confirmed(&self, said: &Said, lifetime: Duration) -> HeaderMap {
        let lifetime = Some(lifetime).filter(|_| said.says_control());
        let mut headers = said.judged(lifetime);
        if headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED) {
            return headers;
        }
        let pairs =
            [(header::IF_NONE_MATCH, header::ETAG), (header::IF_MODIFIED_SINCE, header::LAST_MODIFIED)];
        for (from, to) in pairs {
            headers.extend(self.validators.get(from).map(|value| (to, value.clone())));
        }
        headers
    }

    /// The same answer for an upstream that fails: not asked again at once.
    pub fn standing_in(&self, now: SystemTime) -> Self {
        Self { checked: now, fresh_until: self.stale_until.min(now + RELOAD), ..self.clone() }
    }

    /// Whether its upstream lets it stand in now.
    pub fn may_stand_in(&self, now: SystemTime) -> bool {
        self.fresh_until < self.stale_until && now < self.stale_until
    }

    /// Whether it answers requests with these headers (RFC 9111 §4.1).
    pub fn fits(&self, question: &Question) -> bool {
        match self.policy.before_request(&request(&question.sent), question.now) {
            BeforeRequest::Fresh(_) => true,
            BeforeRequest::Stale { matches, .. } => matches,
        }
    }

    /// Whether it need not be checked yet.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        now < self.fresh_until
    }

    /// Whether it may still be kept, after what a 304 said.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// When the upstream was last asked about it.
    pub fn checked(&self) -> SystemTime {
        self.checked
    }

    /// `if-none-match` and `if-modified-since` for the upstream.
    pub fn validators(&self) -> &HeaderMap {
        &self.validators
    }

    /// The answer, with its age where the upstream did not just say it (RFC 9111 §5.1).
    pub fn answer(&self, now: SystemTime, outcome: Outcome) -> Response {
        let mut headers = self.headers.clone();
        let age = self.policy.age(now).as_secs();
        if 0 < age || outcome == Outcome::Hit {
            headers.insert(header::AGE, HeaderValue::from(age));
        }
        Response::new(self.status, headers, self.body.clone())
    }

    /// What it costs to keep under this key, in bytes, about.
    pub fn weight(&self, key: &Key) -> usize {
        let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 64;
        let headers: usize = self.headers.iter().map(line).sum();
        // The judge has the headers once more.
        OVERHEAD + key.weight() + 2 * headers + self.body.len()
    }
}

/// What a 304 may change: nothing that is about the body (RFC 9111 §3.2), not
/// our own `etag`, which may be a weaker one, and no `cache-control` that it
/// does not say.
fn is_renewed(name: &HeaderName, said: &Said) -> bool {
    let unsaid = *name == header::CACHE_CONTROL && !said.says_control();
    !unsaid && *name != header::ETAG && !name.as_str().starts_with("content-")
}
