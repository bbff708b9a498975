//! Stage 7: sends the armed request, with patience and not without end.
//!
//! The upstream's host, scheme, port and base path are the file's; no request
//! moves them. Nothing is followed, nothing is half delivered: an answer is
//! whole, or it is a problem; or its route streams, and it has begun well.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::coding;
use super::events::Form;
use super::guard::{Arrived, Reply, too_large};
use super::inject::Outbound;
use super::known::Known;
use super::stream::Pace;
use crate::credential::Credentials;
use crate::wire::Problem;
use crate::wire::client::{Client, Failure};
use crate::wire::problem::Kind;

/// The first pause before a retry; each further one is twice as long.
const BACKOFF: Duration = Duration::from_millis(100);

/// Waiting is billed. An upstream that asks for a longer pause asks the
/// caller, who gets its answer and its `retry-after`.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What most APIs say to a key that is not, or no longer, good (RFC 9110
/// §15.5.2 and §15.5.4).
pub const BAD_KEY: [StatusCode; 2] = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];

/// A third-party API that routes lead to.
pub struct Upstream {
    /// Its name in the file.
    pub name: String,
    /// Where it is.
    pub base: BaseUrl,
    /// How we prove ourselves to it.
    pub credentials: Credentials,
    /// Headers that we set, over the caller's.
    pub headers: HeaderMap,
    /// How often an idempotent call that failed is tried again.
    pub retries: u8,
    /// What it says to a bad key: the secret is then read again.
    pub bad_key: Vec<StatusCode>,
    /// What its answers are searched for.
    pub known: Known,
}

/// How long a call may take, and how much may come back.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// When it must be over.
    pub deadline: Instant,
    /// The whole time it had, for the caller to be told.
    pub timeout: Duration,
    /// The longest answer that is kept in memory, in bytes.
    pub max_bytes: usize,
    /// How an answer may pass as it arrives; `None`: it is kept until it is whole.
    pub pace: Option<Pace>,
}

/// What a call cost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// How often it was tried again.
    pub retries: u8,
    /// The upstream's last status.
    pub status: Option<StatusCode>,
}

impl Upstream {
    /// Sends a request and waits for the answer, within `limits`: the whole of
    /// it, or its head where the body may pass as it arrives.
    pub async fn forward(
        &self,
        outbound: Outbound,
        client: &Client,
        limits: Limits,
        effort: &mut Effort,
    ) -> Result<Reply, Problem> {
        // A timer that is due already would still let a quick answer win.
        if limits.deadline <= Instant::now() {
            return Err(too_late(limits.timeout));
        }
        self.known.carries(&outbound.carried.needles, Instant::now());
        let again = if is_idempotent(&outbound.method) { self.retries } else { 0 };
        loop {
            let attempt = outbound.send(client, limits);
            let outcome = timeout_at(limits.deadline, attempt).await.map_err(|_| too_late(limits.timeout))?;
            effort.status = outcome.as_ref().ok().map(Response::status);
            let left = again.saturating_sub(effort.retries);
            match pause(&outcome, &outbound, effort.retries).filter(|_| 0 < left) {
                Some(pause) if pause < limits.deadline.saturating_duration_since(Instant::now()) => {
                    sleep(pause).await;
                }
                _ => return self.reply(outcome, outbound, limits),
            }
            effort.retries += 1;
        }
    }

    fn reply(
        &self,
        outcome: Result<Response<Arrived>, Failure>,
        outbound: Outbound,
        limits: Limits,
    ) -> Result<Reply, Problem> {
        let response = outcome.map_err(|failure| problem(failure, limits.max_bytes))?;
        check_status(response.status(), outbound.range)?;
        Ok(Reply::new(outbound.method, outbound.accepts, response, self.known.guard()))
    }

    /// Whether an answer may be about the key that the request carried.
    pub fn refuses_key(&self, status: StatusCode) -> bool {
        self.bad_key.contains(&status)
    }
}

impl Outbound {
    async fn send(&self, client: &Client, limits: Limits) -> Result<Response<Arrived>, Failure> {
        let client = self.client.as_ref().unwrap_or(client);
        let (head, incoming) = client.open(self.request(), self.url.clone()).await?.into_parts();
        let arrived = match limits.pace.filter(|pace| self.is_streamed(&head, *pace)) {
            Some(pace) => Arrived { bytes: Bytes::new(), rest: Some((incoming, pace)) },
            None => Arrived { bytes: incoming.whole(limits.max_bytes).await?, rest: None },
        };
        Ok(Response::from_parts(head, arrived))
    }

    /// An error is short, and its words may be replaced; what is packed must
    /// be unpacked before anybody can look into it.
    fn is_streamed(&self, head: &Parts, pace: Pace) -> bool {
        const BODILESS: [StatusCode; 2] = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT];
        let body = self.method != Method::HEAD && !BODILESS.contains(&head.status);
        let plain = coding::codings(&head.headers).is_some_and(|codings| codings.is_empty())
            && !coding::is_transfer_coded(&head.headers);
        let wanted = !pace.events_only || Form::of(&head.headers).is_some();
        head.status.is_success() && body && plain && wanted
    }

    fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// A number that differs between requests, so that their retries do too.
    fn salt(&self, attempt: u8) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one((&self.id, attempt))
    }
}

/// Whether a request whose key was refused may be sent once more with another.
/// A 401 says that nothing was done (RFC 9110 §15.5.2); of other answers that is
/// not certain.
pub(super) fn may_repeat(method: &Method, status: StatusCode) -> bool {
    status == StatusCode::UNAUTHORIZED || is_idempotent(method)
}

/// RFC 9110 §9.2.2: sending it twice does what sending it once does.
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE].contains(method)
}

/// How long to wait before another try, if one may help.
fn pause(outcome: &Result<Response<Arrived>, Failure>, outbound: &Outbound, attempt: u8) -> Option<Duration> {
    match outcome {
        Err(Failure::Unreachable(_)) => Some(backoff(outbound, attempt)),
        Err(Failure::Untrusted(_) | Failure::Invalid(_) | Failure::TooLarge) => None,
        Ok(response) => {
            let asked = retry_after(response.headers()).unwrap_or_default();
            let passing =
                [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
            let worth_it = passing.contains(&response.status()) && asked <= LONGEST_PAUSE;
            worth_it.then(|| backoff(outbound, attempt).max(asked))
        }
    }
}

/// Doubled each time, with up to half of it taken off, so that callers who
/// failed together do not come back together.
fn backoff(outbound: &Outbound, attempt: u8) -> Duration {
    let whole = BACKOFF * 2_u32.pow(u32::from(attempt.min(8)));
    let jitter = outbound.salt(attempt) % 500;
    whole - whole.mul_f64(jitter as f64 / 1000.0)
}

/// The seconds that an upstream asks us to wait (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Only whole, final answers of a kind that API Gateway can pass on.
fn check_status(status: StatusCode, range: bool) -> Result<(), Problem> {
    let invalid = |cause: &str| {
        Err(Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not valid").because(cause))
    };
    match status.as_u16() {
        206 if !range => invalid("206 without a range request"),
        200..=599 => Ok(()),
        other => invalid(&format!("status {other}")),
    }
}

/// Also said of those who waited for somebody else's call.
pub(super) fn too_late(timeout: Duration) -> Problem {
    Problem::new(Kind::UpstreamTimeout, format!("the upstream did not answer within {}", millis(timeout)))
}

/// Said of a body that has begun to arrive.
pub(super) fn too_slow(pause: Duration) -> Problem {
    Problem::new(Kind::UpstreamTimeout, format!("the upstream paused for longer than {}", millis(pause)))
}

fn millis(duration: Duration) -> impl std::fmt::Display {
    humantime::format_duration(Duration::from_millis(duration.as_millis() as u64))
}

fn problem(failure: Failure, max_bytes: usize) -> Problem {
    match failure {
        Failure::Unreachable(why) | Failure::Untrusted(why) => {
            Problem::new(Kind::UpstreamUnreachable, "the upstream cannot be reached").because(why)
        }
        Failure::Invalid(why) => {
            Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not valid").because(why)
        }
        Failure::TooLarge => too_large(max_bytes),
    }
}

/// Where an upstream is: scheme, host, port and base path, which no request moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The host, as the URL has it.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the way there is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address, where the host is one and no name.
    pub fn address(&self) -> Option<std::net::IpAddr> {
        match self.0.host()? {
            url::Host::Domain(_) => None,
            url::Host::Ipv4(address) => Some(address.into()),
            url::Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// The URL of a path and query under it. `None` where a URL parser would
    /// read another path or query out of them than those that were judged.
    pub fn join(&self, path: &str, query: &str) -> Option<Url> {
        let path = format!("{}{path}", self.0.path().trim_end_matches('/'));
        let query = Some(query).filter(|query| !query.is_empty());
        let mut url = self.0.clone();
        url.set_path(&path);
        url.set_query(query);
        (url.path() == path && url.query() == query).then_some(url)
    }

    /// The path that a URL has under it: the way back of [`join`](Self::join).
    pub fn under<'u>(&self, url: &'u Url) -> Option<&'u str> {
        let bare = url.username().is_empty() && url.password().is_none();
        let path = url.path().strip_prefix(self.0.path().trim_end_matches('/'))?;
        (bare && url.origin() == self.0.origin() && path.starts_with('/')).then_some(path)
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Ok(url) = Url::parse(text) else {
            return Err("this is no URL; write `https://host` or `https://host/base/path`".to_owned());
        };
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err("an upstream is reached by HTTPS; write `https://host`".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the URL holds a user name or a password; put them in `credential: {basic: …}`".to_owned()
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "the URL has a query or a fragment; declare parameters in `request.query` or `credential`"
                    .to_owned(),
            );
        }
        Ok(Self(url))
    }
}
