//! The last stage: one line for each request, whatever became of it.
//!
//! A record names the secrets that were used, and their versions. It holds
//! no value, no header but the origin, no query and no body, so that it can
//! be kept for years and read by many.

mod intent;
mod metrics;
#[cfg(feature = "otlp")]
mod spans;
mod steps;
pub mod words;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::{Method, header};

pub use steps::Stage;
use steps::Steps;

use super::Route;
use super::authorize::Grant;
use super::cache::Outcome;
use super::forward::Effort;
use super::guard::Leaks;
use super::identify::{Caller, Proof};
use super::stream::End;
use crate::credential::Used;
use crate::trail::Trail;
use crate::wire::problem::Kind;
use crate::wire::{Body, Problem, Request, Response, Trace};

/// So many leaks are named; a record stays short.
const MOST_LEAKS: usize = 16;

/// What is known of one request, filled in as it passes the stages.
pub struct Record<'r> {
    /// When it came in.
    time: SystemTime,
    request_id: String,
    api_key_id: Option<String>,
    method: String,
    route: Option<Cow<'r, str>>,
    found: Option<&'r Route>,
    caller: Option<Cow<'r, str>>,
    /// Whose token was shown, and whom it makes accountable.
    issuer: Option<Cow<'r, str>>,
    human: Option<String>,
    /// The code that it would have been refused with by a rule that is only observed.
    would_deny: Option<&'static str>,
    cache: Option<Outcome>,
    origin: Option<String>,
    source: String,
    /// Its place in a trace; none where it was no request.
    trace: Option<Trace>,
    steps: Steps,
    status: u16,
    code: Option<&'static str>,
    reason: Option<&'static str>,
    cause: Option<String>,
    took: Duration,
    upstream: Option<Cow<'r, str>>,
    upstream_status: Option<u16>,
    upstream_took: Option<Duration>,
    retries: u8,
    secrets: Vec<Used>,
    /// Those of them that could not be read again: the value before was used.
    stale: Vec<String>,
    /// Whether the upstream refused the first key, and it was sent once more with a new one.
    renewed: bool,
    bytes_in: usize,
    bytes_out: usize,
    /// How a body that was streamed came to its end.
    stream: Option<End>,
    leak: bool,
    leaked: Leaks,
    /// What the route's meters read.
    meters: BTreeMap<String, u64>,
}

impl<'r> Record<'r> {
    /// The record of a request that came in at `now`.
    pub fn open(request: &Request, now: SystemTime) -> Self {
        let origin = request.headers.get(header::ORIGIN);
        Self {
            api_key_id: request.api_key_id.clone(),
            method: shorten(request.method.as_str()),
            origin: origin.map(|value| shorten(&String::from_utf8_lossy(value.as_bytes()))),
            source: request.source.clone(),
            trace: Some(request.trace),
            bytes_in: request.body.len(),
            ..Self::of_nothing(&request.id, now)
        }
    }

    /// The record of an event that is no request.
    pub fn of_nothing(id: &str, now: SystemTime) -> Self {
        Self {
            time: now,
            request_id: shorten(id),
            api_key_id: None,
            method: String::new(),
            route: None,
            found: None,
            caller: None,
            issuer: None,
            human: None,
            would_deny: None,
            cache: None,
            origin: None,
            source: String::new(),
            trace: None,
            steps: Steps::default(),
            status: 0,
            code: None,
            reason: None,
            cause: None,
            took: Duration::ZERO,
            upstream: None,
            upstream_status: None,
            upstream_took: None,
            retries: 0,
            secrets: Vec::new(),
            stale: Vec::new(),
            renewed: false,
            bytes_in: 0,
            bytes_out: 0,
            stream: None,
            leak: false,
            leaked: Leaks::new(),
            meters: BTreeMap::new(),
        }
    }

    /// Notes that a stage begins.
    pub fn enter(&mut self, stage: Stage) {
        self.steps.enter(stage);
    }

    /// Notes which route it found.
    pub fn route(&mut self, route: &'r Route) {
        self.route = Some(Cow::Borrowed(&route.key));
        self.found = Some(route);
    }

    /// The route it found.
    pub fn found(&self) -> Option<&'r Route> {
        self.found
    }

    /// Notes whose token was shown and for whom, before anybody says whether that is enough.
    pub fn shown(&mut self, caller: &Caller<'r>) {
        if let Proof::Token(token) = caller.proof() {
            self.issuer = Some(Cow::Borrowed(token.issuer));
            self.human = Some(token.claims.subject().to_owned());
        }
    }

    /// Notes to whom the route was granted, and against which rule.
    pub fn caller(&mut self, grant: &Grant<'r, '_>) {
        self.caller = Some(Cow::Borrowed(grant.class()));
        self.issuer = grant.issuer().map(Cow::Borrowed);
        self.human = grant.human().map(str::to_owned);
        self.would_deny = grant.would_deny().map(Kind::code);
    }

    /// Notes what the cache had to do with it.
    pub fn cached(&mut self, outcome: Outcome) {
        self.cache = Some(outcome);
    }

    /// Notes where it is about to go.
    pub fn intend(&mut self, upstream: &'r str) {
        self.upstream = Some(Cow::Borrowed(upstream));
    }

    /// Notes which secrets are about to be used, and where.
    pub fn arm(&mut self, upstream: &'r str, used: &[Used]) {
        self.upstream = Some(Cow::Borrowed(upstream));
        self.secrets = used.to_vec();
    }

    /// The secrets that were used.
    pub fn used(&self) -> &[Used] {
        &self.secrets
    }

    /// Notes that it is sent once more, with these.
    pub fn rearm(&mut self, used: &[Used]) {
        self.secrets = used.to_vec();
        self.renewed = true;
    }

    /// Notes which of the secrets could not be read again.
    pub fn stale(&mut self, names: Vec<String>) {
        self.stale = names;
    }

    /// Notes what the upstream took.
    pub fn effort(&mut self, effort: Effort, took: Duration) {
        self.upstream_status = effort.status.map(|status| status.as_u16());
        self.retries = effort.retries;
        self.upstream_took = Some(took);
    }

    /// Notes that secrets had to be cut out of the answer.
    pub fn leaks(&mut self, leaks: Leaks) {
        self.leak |= !leaks.is_empty();
        // Each part of a stream may bring others.
        let room = MOST_LEAKS.saturating_sub(self.leaked.len());
        self.leaked.extend(leaks.into_iter().take(room));
    }

    /// Whether secrets had to be cut out of the answer.
    pub fn has_leaks(&self) -> bool {
        self.leak
    }

    /// Notes what the route's meters read; later numbers go before earlier ones.
    pub fn metered(&mut self, numbers: BTreeMap<String, u64>) {
        self.meters.extend(numbers);
    }

    /// Notes why it ended early, and says so to the caller.
    pub fn problem(&mut self, problem: &Problem) -> Response {
        self.code = Some(problem.kind().code());
        self.reason = problem.finer();
        self.cause = problem.cause().map(str::to_owned);
        problem.answer(&self.request_id)
    }

    /// Notes how it ended. An answer to HEAD loses its body here, whoever made it.
    pub fn close(&mut self, response: Response, took: Duration) -> Response {
        let response =
            if self.method == Method::HEAD.as_str() { response.with_body(Body::NONE) } else { response };
        self.status = response.status().as_u16();
        self.bytes_out = response.body().len();
        self.took(took);
        response
    }

    /// What the gateway calls this request.
    pub fn id(&self) -> &str {
        &self.request_id
    }

    /// Notes that a part of a streamed body went out.
    pub fn passed(&mut self, bytes: usize) {
        self.bytes_out += bytes;
    }

    /// Notes how a streamed body came to its end, and what was the matter.
    pub fn ended(&mut self, end: End, problem: Option<&Problem>) {
        self.stream = Some(end);
        self.code = problem.map(|problem| problem.kind().code());
        self.cause = problem.and_then(Problem::cause).map(str::to_owned);
    }

    /// Notes how long it took, to the end of the body.
    pub fn took(&mut self, took: Duration) {
        self.took = took;
    }

    /// Leaves it on a trail, and says its numbers.
    pub fn leave(&self, trail: &Trail) {
        trail.leave(self);
        trail.measure(|| self.metrics());
        #[cfg(feature = "otlp")]
        trail.trace(|| self.spans());
    }

    /// The same record, for a body that outlives the request's own stages.
    pub fn into_owned(self) -> Record<'static> {
        let owned = |text: Option<Cow<'r, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Record {
            route: owned(self.route),
            caller: owned(self.caller),
            issuer: owned(self.issuer),
            upstream: owned(self.upstream),
            found: None,
            ..self
        }
    }
}

/// Origins, methods and ids are short; what is not was made up to fill our logs.
fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}
