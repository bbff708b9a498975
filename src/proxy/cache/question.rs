//! What a caller asks of the cache: for which answer, how fresh it must be,
//! and what they have already.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;

use super::said::{directive, joined};
use super::{Call, RELOAD};
use crate::proxy::headers::Allowed;
use crate::proxy::validate::Valid;
use crate::wire::Response;
use crate::wire::trace::{TRACEPARENT, TRACESTATE};

/// What only an origin may judge (RFC 9111 §4.3.2), and parts of an answer:
/// such requests pass by the cache.
const PASSING_BY: [HeaderName; 4] =
    [header::IF_MATCH, header::IF_UNMODIFIED_SINCE, header::RANGE, header::IF_RANGE];

/// What the cache reads itself, and no answer may vary by.
const READ_HERE: [HeaderName; 4] =
    [header::CACHE_CONTROL, header::IF_MODIFIED_SINCE, header::IF_NONE_MATCH, header::PRAGMA];

/// All that shapes an answer besides the headers that go upstream. The path
/// and query are ours: the upstream's are made from them, and programs may see
/// those that the upstream never gets.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The route's key in the file. Routes share nothing.
    pub route: String,
    /// The class of caller. Always a part, whether or not the answer depends
    /// on it today: a forgotten part would show one class what is another's.
    pub class: String,
    /// Our base URL, which links in the answer begin with.
    pub ours: String,
    /// The path of ours, as sent.
    pub path: String,
    /// The query, in its order.
    pub query: Vec<(String, String)>,
    /// The headers that the route declares, with what they say: few upstreams
    /// name such a header in `vary`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Key {
    /// What it costs to keep, in bytes.
    pub fn weight(&self) -> usize {
        let texts = [&self.route, &self.class, &self.ours, &self.path];
        let pairs =
            self.query.iter().map(|(name, value)| name.len() + value.len() + size_of::<[String; 2]>());
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        texts.into_iter().map(String::len).sum::<usize>() + pairs.sum::<usize>() + headers.sum::<usize>()
    }
}

/// One request, as the cache sees it.
#[derive(Debug)]
pub struct Question {
    /// Which answer.
    pub key: Arc<Key>,
    /// The headers that go upstream, without the credential's: what an answer
    /// may vary by (RFC 9111 §4.1). Repeats stand in one value.
    pub sent: HeaderMap,
    /// How long an answer that says nothing of it is fresh.
    pub lifetime: Duration,
    /// When it came in.
    pub now: SystemTime,
    /// When waiting for somebody else's answer must be over.
    pub deadline: Instant,
    /// The whole time until then, for the caller to be told.
    pub patience: Duration,
    /// Whether what it gets is for itself: HEAD, and `no-store`.
    pub alone: bool,
    pub(super) head: bool,
    /// The age from which on it wants an answer checked.
    pub(super) oldest: Option<Duration>,
    pub(super) if_none_match: Option<String>,
    pub(super) if_modified_since: Option<HeaderValue>,
}

/// What each call has for itself, and no answer is made of.
const EACH_ITS_OWN: [HeaderName; 2] = [TRACEPARENT, TRACESTATE];

/// What a request says in the headers that its route declares.
fn declared(allowed: &Allowed, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let Allowed::These(names) = allowed else { return Vec::new() };
    let names = names.iter().filter(|name| !EACH_ITS_OWN.contains(name));
    let sent = names.flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
    sent.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Those who ask the same of the upstream, in the very same words.
pub type FlightKey = (Arc<Key>, Vec<(HeaderName, HeaderValue)>);

impl Question {
    /// What a request asks of the cache. `None` where it has no business here.
    pub fn of(valid: &Valid<'_, '_>, call: &Call<'_>) -> Option<Self> {
        let (route, request) = (valid.found.route, &valid.request);
        let lifetime = route.cache?;
        let head = request.method == Method::HEAD;
        let readable = (head || request.method == Method::GET) && request.body.is_empty();
        if !readable || PASSING_BY.iter().any(|name| request.headers.contains_key(name)) {
            return None;
        }
        let key = Key {
            route: route.key.clone(),
            class: call.class.to_owned(),
            ours: call.ours.clone().unwrap_or_default(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: declared(&route.request_headers, &request.headers),
        };
        let mut sent = one_each(&route.request_headers.up(&request.headers, false));
        sent.extend(one_each(&route.upstream.headers));
        EACH_ITS_OWN.iter().for_each(|name| drop(sent.remove(name)));
        let words = directives(&request.headers);
        let patience = route.timeout.min(call.deadline.saturating_duration_since(Instant::now()));
        Some(Self {
            key: Arc::new(key),
            sent,
            lifetime,
            now: call.now,
            deadline: Instant::now() + patience,
            patience,
            alone: head || directive(&words, "no-store").is_some(),
            head,
            oldest: oldest(&words),
            if_none_match: text(&request.headers, &header::IF_NONE_MATCH),
            if_modified_since: request.headers.get(header::IF_MODIFIED_SINCE).cloned(),
        })
    }

    /// The request to fetch the answer with. What the caller has already is
    /// judged here, and the whole answer is asked for, so that it can be kept;
    /// unpacked, so that it does for everybody.
    pub fn ask<'r, 'p>(&self, mut valid: Valid<'r, 'p>, validators: HeaderMap) -> Valid<'r, 'p> {
        if !self.head {
            let headers = &mut valid.request.headers;
            for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::ACCEPT_ENCODING] {
                headers.remove(name);
            }
            for (name, value) in &validators {
                headers.insert(name.clone(), value.clone());
            }
        }
        valid
    }

    /// Who would send the upstream the very same request.
    pub fn flight(&self) -> FlightKey {
        let sent = self.sent.iter().map(|(name, value)| (name.clone(), value.clone()));
        (Arc::clone(&self.key), sent.collect())
    }

    /// Whether an answer that was last checked then does, fresh as it is. The
    /// caller's word counts (RFC 9111 §5.2.1), but not more often than [`RELOAD`].
    pub fn takes(&self, checked: SystemTime) -> bool {
        let since = self.now.duration_since(checked).unwrap_or_default();
        self.oldest.is_none_or(|oldest| since <= oldest || since < RELOAD)
    }

    /// The answer, or 304 where the caller has it already (RFC 9110 §13.2.2).
    pub fn judge(&self, response: Response) -> Response {
        if response.status() != StatusCode::OK || !self.has(response.headers()) {
            return response;
        }
        let mut headers = response.headers().clone();
        for name in [header::CONTENT_TYPE, header::CONTENT_LANGUAGE, header::CONTENT_ENCODING] {
            headers.remove(name);
        }
        Response::new(StatusCode::NOT_MODIFIED, headers, bytes::Bytes::new())
    }

    /// Dates are compared to the letter: browsers send back what they got.
    fn has(&self, headers: &HeaderMap) -> bool {
        let Some(known) = &self.if_none_match else {
            let date = headers.get(header::LAST_MODIFIED);
            return date.is_some() && date == self.if_modified_since.as_ref();
        };
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(bare);
        let same = |tag: &str| own.as_ref().is_some_and(|own| *own == bare(tag));
        known.trim() == "*" || known.split(',').any(same)
    }
}

/// The caller's `cache-control`; `pragma` where there is none (RFC 9111 §5.4).
fn directives(headers: &HeaderMap) -> String {
    let words = text(headers, &header::CACHE_CONTROL).or_else(|| text(headers, &header::PRAGMA));
    words.unwrap_or_default().to_ascii_lowercase()
}

fn oldest(words: &str) -> Option<Duration> {
    if directive(words, "no-cache").is_some() {
        return Some(Duration::ZERO);
    }
    directive(words, "max-age")?.parse().ok().map(Duration::from_secs)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    joined(headers, name)?.to_str().ok().map(str::to_owned)
}

/// Repeats in one value, or only the first would be compared.
fn one_each(headers: &HeaderMap) -> HeaderMap {
    let names = headers.keys().filter(|name| !READ_HERE.contains(name));
    names.filter_map(|name| Some((name.clone(), joined(headers, name)?))).collect()
}
