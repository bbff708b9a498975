//! The life of a request, in request order.
//!
//! From the route on, each stage makes a value that only it can make, and the
//! next one needs it, so a stage that is left out does not compile: `Found` →
//! `Grant` → `Valid` → `Ready` → `Outbound` → `Reply` → `Clean` → `Shaped` →
//! `Response`.

pub mod cors;
pub mod route;
pub mod identify;
pub mod authorize;
pub mod validate;
pub mod parameters;
pub mod cache;
pub mod transform;
pub mod inject;
pub mod forward;
pub mod renew;
pub mod known;
pub mod guard;
pub mod meter;
pub mod answer;
pub mod reshape;
pub mod links;
pub mod stream;
pub mod audit;

pub mod headers;
pub mod path;
pub mod pattern;
pub mod template;
mod about;
mod read;
pub mod events;
mod coding;
mod unpack;
mod weblink;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method};
use tokio::time::{Instant, sleep, timeout_at};

use crate::credential::Means;
use crate::identity::Issuers;
use crate::secret::Vault;
use crate::secret::role::Role;
use crate::trail::Trail;
use crate::trail::ocsf::{Lifecycle, Phase};
use crate::wire::client::Client;
use crate::wire::problem::Kind;
use crate::wire::{Problem, Request, Response, lambda};

use audit::{Record, Stage};
use authorize::Policy;
use cache::{Cache, Call, Fetched};
use cors::{Asking, Cors};
use forward::{Effort, Limits, Upstream, may_repeat};
use guard::{Open, Reply};
use headers::Allowed;
use inject::Outbound;
use links::Links;
use path::Path;
use renew::Readings;
use reshape::OfAnswer;
use route::Routes;
use stream::{Account, Pace, Passage, Passages};
use template::Template;
use transform::{OfRequest, Ready};
use validate::{Rules, Valid};

/// The doorman: all that is declared, and the values behind the names.
pub struct Proxy {
    /// Which pages may call.
    pub cors: Cors,
    /// What may be called.
    pub routes: Routes,
    /// The values of the secrets.
    pub vault: Vault,
    /// Those of them that are being read again.
    pub readings: Readings,
    /// The way out.
    pub client: Client,
    /// Whom the function is at AWS, where an upstream wants to know.
    pub role: Option<Role>,
    /// Whose tokens are taken.
    pub issuers: Issuers,
    /// What was answered before, and may be again.
    pub cache: Cache,
    /// Where records are left.
    pub trail: Arc<Trail>,
    /// Whether nothing is sent before a record of it is written down.
    pub strict: bool,
    /// The hash of the configuration, which a trail begins and ends with.
    pub configuration: String,
    /// Whether bodies may pass as they arrive: the function answers in
    /// Lambda's streaming mode.
    pub streaming: bool,
    /// Our base URL as callers see it, where the file's owner says so: over
    /// what the gateway tells.
    pub public_url: Option<String>,
    /// Whether a request is being answered.
    pub busy: AtomicBool,
    /// Whether something still runs that only the end of the process ends.
    pub spent: Arc<AtomicBool>,
    /// The bodies that are on their way.
    pub passages: Passages,
}

/// One method and path of ours that may be called, and all that is declared about it.
pub struct Route {
    /// As the file writes it: `GET /my-repos`.
    pub key: String,
    /// The methods that it serves.
    pub methods: Vec<Method>,
    /// Whether it was written `ANY`: a route with a method of its own wins.
    pub any: bool,
    /// Whether `%2F` may stay within a segment.
    pub keeps_encoded_slash: bool,
    /// Who may use it.
    pub policy: Policy,
    /// What a request may hold.
    pub rules: Rules,
    /// The request headers that go upstream.
    pub request_headers: Allowed,
    /// Whether a part of an answer may be asked for.
    pub range: bool,
    /// Where it leads.
    pub upstream: Arc<Upstream>,
    /// The path there.
    pub path: Template,
    /// How long the whole call may take.
    pub timeout: Duration,
    /// The response headers that come back.
    pub response_headers: Allowed,
    /// What becomes of a request's body.
    pub of_request: OfRequest,
    /// What becomes of an answer's body.
    pub of_answer: OfAnswer,
    /// Whether one of its programs asks for `$request`.
    pub asks: bool,
    /// How long an answer that says nothing of it is kept; `None`: not at all.
    pub cache: Option<Duration>,
    /// Whether the body passes as it arrives.
    pub stream: bool,
}

impl Proxy {
    /// Answers one request within `patience`. Always answers, and always
    /// leaves a record.
    pub async fn handle(&self, request: Request, now: SystemTime, patience: Duration) -> Response {
        let started = Instant::now();
        self.busy.store(true, Ordering::Relaxed);
        let mut record = Record::open(&request, now);
        let asking = self.cors.judge(&request);
        let deadline = started + patience;
        self.refresh(now, deadline);
        let serving = self.serve(request, &asking, (now, started, deadline), &mut record);
        let outcome = caught(serving).await;
        let (mut response, passage) = outcome.unwrap_or_else(|problem| {
            self.spent.fetch_or(problem.is_last(), Ordering::Relaxed);
            (record.problem(&problem), None)
        });
        self.cors.decorate(&asking, record.found(), &mut response);
        if record.found().is_some_and(|route| route.policy.wants_proof()) {
            headers::keep_private(response.headers_mut());
        }
        let response = record.close(response, started.elapsed());
        self.busy.store(false, Ordering::Relaxed);
        let Some(passage) = passage else {
            record.leave(&self.trail);
            return response;
        };
        let (trail, spent) = (Arc::clone(&self.trail), Arc::clone(&self.spent));
        let account = Account::open(record.into_owned(), started, trail, spent);
        response.with_body(self.passages.start(passage, account))
    }

    /// The environment ends: the last record, and the delivery of what is left.
    ///
    /// Lambda gives it half a second. A request that is under way may end meanwhile.
    pub async fn close(&self, now: SystemTime) {
        let started = Instant::now();
        self.passages.end().await;
        while self.busy.load(Ordering::Relaxed) && started.elapsed() < GRACE {
            sleep(GRACE / 20).await;
        }
        let configuration = &self.configuration;
        let last = Lifecycle { phase: Phase::Stop, configuration, now };
        self.trail.close(&last, started + 2 * GRACE).await;
    }

    /// Whether the process must end once the last answer is out: work
    /// that came to no end still runs in it.
    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    /// Answers what is no request, with a record of it.
    pub fn refuse(&self, problem: &Problem, id: &str, now: SystemTime) -> Response {
        let mut record = Record::of_nothing(id, now);
        let mut response = record.problem(problem);
        self.cors.decorate(&Asking::NOBODY, None, &mut response);
        let response = record.close(response, Duration::ZERO);
        record.leave(&self.trail);
        response
    }

    async fn serve<'p>(
        &'p self,
        request: Request,
        asking: &Asking,
        (now, started, deadline): (SystemTime, Instant, Instant),
        record: &mut Record<'p>,
    ) -> Result<(Response, Option<Passage>), Problem> {
        record.enter(Stage::Authorize);
        let raw = request.path.clone();
        let path = Path::parse(&raw)?;
        self.routes.check_slashes(&path)?;
        if asking.preflight {
            let response = self.cors.preflight(&request, asking, self.routes.resource(&path))?;
            return Ok((response, None));
        }
        asking.admit()?;
        let found = self.routes.find(&request.method, &path)?;
        let route = found.route;
        record.route(route);
        let ours = self.public_url.clone().or_else(|| request.public_url.clone());
        let caller = identify::identify(&request, &route.policy, &self.issuers, (now, deadline)).await;
        record.shown(&caller);
        let grant = found.authorize(&caller, &request, now).await?;
        record.caller(&grant);
        let call = Call { class: grant.class(), ours, now, started, deadline };
        record.enter(Stage::Validate);
        let valid = grant.validate(request).await?;
        self.answer(valid, call, record).await
    }

    /// The upstream's answer, ready to leave. What is kept is answered without.
    async fn fetch<'p>(
        &'p self,
        valid: Valid<'p, '_>,
        mut call: Call<'_>,
        record: &mut Record<'p>,
    ) -> Result<Fetched, Problem> {
        let (route, about) = (valid.found.route, valid.about());
        let ready = valid.transform().await?;
        self.intend(&route.upstream.name, call.deadline, record).await?;
        record.enter(Stage::Inject);
        let limits = self.limits(route, call.deadline, Instant::now());
        let outbound = self.armed(&ready, &call, limits.deadline).await?;
        let links = Links::new(&self.routes, route, &outbound, call.ours.take());
        record.enter(Stage::Forward);
        let reply = self.forward(&ready, outbound, (&call, limits), record).await?;
        record.enter(Stage::Answer);
        let said = route.cache.map(|_| reply.said());
        let (mut clean, leaks) = reply.release(&route.response_headers, route.opened())?;
        record.leaks(leaks);
        self.meter(&mut clean, (&route.of_answer.meters, &about), call.deadline, record).await;
        let shaping = clean.reshape(&route.of_answer, about, &links);
        let (shaped, leaks) =
            timeout_at(call.deadline, shaping).await.map_err(|_| too_late_to_reshape())??;
        record.leaks(leaks);
        let said = said.filter(|_| !record.has_leaks());
        let (response, passage) = links.rewrite(shaped);
        if !self.streaming {
            lambda::check_size(&response)?;
        }
        Ok(Fetched { response, passage, said })
    }

    /// What a call may be armed with, until `deadline`.
    fn means<'m>(&'m self, ready: &'m Ready<'_, '_>, call: &Call<'_>, deadline: Instant) -> Means<'m> {
        let (vault, client, role, id) = (&self.vault, &self.client, self.role.as_ref(), &ready.request.id);
        let (now, blamed) = (call.moment(), OnceLock::new());
        Means { vault, client, role, now, deadline, id, blamed }
    }

    /// Sends a request to the route's upstream, once more where its key was an
    /// old one. Where it cannot be armed again, that is what the caller is told:
    /// a refusal of a credential that is no longer there would mislead.
    async fn forward<'p>(
        &'p self,
        ready: &Ready<'p, '_>,
        outbound: Outbound,
        (call, limits): (&Call<'_>, Limits),
        record: &mut Record<'p>,
    ) -> Result<Reply, Problem> {
        let (started, upstream) = (Instant::now(), &*ready.found.route.upstream);
        let mut effort = Effort::default();
        let carried = Arc::clone(&outbound.carried);
        record.arm(&upstream.name, &carried.used);
        let mut reply = upstream.forward(outbound, &self.client, limits, &mut effort).await;
        if let Some(status) = effort.status.filter(|status| upstream.refuses_key(*status)) {
            let readings = self.refused(&carried, status, call);
            // Where it must not be sent again, the next request has what is read now.
            if may_repeat(&ready.request.method, status) {
                match self.renewed(ready, &carried, (readings, limits.deadline), call).await {
                    Ok(Some(again)) => {
                        record.rearm(&again.carried.used);
                        reply = upstream.forward(again, &self.client, limits, &mut effort).await;
                    }
                    Ok(None) => {}
                    Err(problem) => reply = Err(problem),
                }
            }
        }
        record.stale(self.vault.stale(record.used().iter().map(|used| used.name.as_str())));
        record.effort(effort, started.elapsed());
        reply
    }

    /// How long a call of a route may take, arming it included, and never past
    /// the invocation's own time; and how much may come back.
    fn limits(&self, route: &Route, deadline: Instant, started: Instant) -> Limits {
        let timeout = route.timeout.min(deadline.saturating_duration_since(started));
        let pace = Pace { pause: route.timeout, deadline, events_only: route.of_answer.opens() };
        let pace = (self.streaming && route.stream).then_some(pace);
        Limits { deadline: started + timeout, timeout, max_bytes: route.of_answer.max_bytes, pace }
    }
}

/// Of the half second in which an environment ends: for what is still under way.
const GRACE: Duration = Duration::from_millis(200);

fn too_late_to_reshape() -> Problem {
    Problem::new(Kind::UpstreamTimeout, "there was no time left to reshape the upstream's answer")
}

/// A panic is a bug of ours: the caller gets a problem like any other, and
/// the environment lives on.
async fn caught<T>(serving: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let mut serving = pin!(serving);
    let polled = poll_fn(|context| {
        let poll = catch_unwind(AssertUnwindSafe(|| serving.as_mut().poll(context)));
        poll.unwrap_or_else(|_| {
            Poll::Ready(Err(Problem::new(Kind::Internal, "something went wrong here").because("panic")))
        })
    });
    polled.await
}

impl Route {
    /// What a page may read of an answer's headers.
    fn exposed(&self, sent: &HeaderMap) -> HeaderValue {
        match &self.response_headers {
            Allowed::These(names) => headers::exposed(names),
            Allowed::Any => headers::exposed(sent.keys()),
        }
    }

    /// How the bodies of answers are opened.
    fn opened(&self) -> Open {
        Open { limit: self.of_answer.max_bytes, read: self.of_answer.opens() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::wire::Trace;
    use bytes::Bytes;

    /// A bare request, as a door would hand it in.
    pub(crate) fn request(method: &str, path: &str) -> Request {
        Request {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            id: "r-1".to_owned(),
            source: "192.0.2.1".to_owned(),
            api_key_id: None,
            public_url: None,
            trace: Trace::of(&HeaderMap::new(), None, "r-1"),
            fault: None,
        }
    }
}
