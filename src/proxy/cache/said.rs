//! What an upstream said about keeping its answer, in the letters that are judged.
//!
//! `http-cache-semantics` judges. It is shown the headers that matter to it,
//! and never a credential: RFC 9111 §3.5 would forbid to keep what was got with
//! `authorization`, and the file's owner allows it.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_cache_semantics::{CacheOptions, CachePolicy};

/// What is judged by. `age` is read here: see [`Said::made`].
const JUDGED_BY: [HeaderName; 5] =
    [header::DATE, header::ETAG, header::EXPIRES, header::LAST_MODIFIED, header::VARY];

/// A shared cache that guesses nothing: what an answer does not say, the file does.
const OPTIONS: CacheOptions = CacheOptions {
    shared: true,
    cache_heuristic: 0.0,
    immutable_min_time_to_live: Duration::ZERO,
    ignore_cargo_cult: false,
};

/// What an upstream said about keeping its answer.
#[derive(Debug)]
pub struct Said {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    age: Duration,
    cookie: bool,
}

impl Said {
    /// What these headers say, with the upstream's own `etag`.
    pub fn new(status: StatusCode, answer: &HeaderMap) -> Self {
        let values = JUDGED_BY.iter().filter_map(|name| Some((name.clone(), joined(answer, name)?)));
        let mut headers: HeaderMap = values.collect();
        if let Some(words) = control(answer) {
            headers.insert(header::CACHE_CONTROL, words);
        }
        let age = answer.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
        let cookie = answer.contains_key(header::SET_COOKIE);
        Self { status, headers, age: Duration::from_secs(age.unwrap_or_default()), cookie }
    }

    /// What no `cache-control` can make right: a cookie, and an answer that
    /// varies by more than anybody could tell apart.
    pub(super) fn may_be_kept(&self) -> bool {
        let names = |value: &HeaderValue| {
            let is_name = |name: &str| name.trim() != "*" && name.trim().parse::<HeaderName>().is_ok();
            value.to_str().is_ok_and(|names| names.split(',').all(is_name))
        };
        !self.cookie && self.headers.get(header::VARY).is_none_or(names)
    }

    /// Whether `cache-control` is among what was said.
    pub(super) fn says_control(&self) -> bool {
        self.headers.contains_key(header::CACHE_CONTROL)
    }

    fn says(&self, name: &str) -> Option<&str> {
        directive(self.headers.get(header::CACHE_CONTROL)?.to_str().ok()?, name)
    }

    fn says_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.says(name).is_some())
    }

    /// The judge of an answer to these headers. Where it says nothing of its
    /// freshness, `lifetime` is what it says.
    pub(super) fn policy(&self, sent: &HeaderMap, lifetime: Duration, now: SystemTime) -> CachePolicy {
        let answer = self.as_answer(self.judged(Some(lifetime)));
        CachePolicy::new_options(&request(sent), &answer, self.made(now), OPTIONS)
    }

    /// The headers to judge, with `lifetime` where they say nothing of it. All
    /// of `cache-control` in one value: of repeats the judge drops some.
    pub(super) fn judged(&self, lifetime: Option<Duration>) -> HeaderMap {
        let mut headers = self.headers.clone();
        let said = self.says_any(&["max-age", "s-maxage"]) || headers.contains_key(header::EXPIRES);
        if let Some(lifetime) = lifetime.filter(|_| !said) {
            let own = headers.get(header::CACHE_CONTROL).and_then(|own| own.to_str().ok());
            let all = own.map(|own| format!("{own}, ")).unwrap_or_default();
            let all = value(format!("{all}max-age={}", lifetime.as_secs()));
            headers.insert(header::CACHE_CONTROL, all);
        }
        headers
    }

    pub(super) fn as_answer(&self, headers: HeaderMap) -> Response<()> {
        let mut answer = Response::new(());
        *answer.status_mut() = self.status;
        *answer.headers_mut() = headers;
        answer
    }

    /// When the answer was made. What came with an age is put that far back:
    /// the judge would add a number without bounds to another.
    pub(super) fn made(&self, now: SystemTime) -> SystemTime {
        now.checked_sub(self.age).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// How long it may be used after it went stale, should the upstream fail
    /// (RFC 5861 §4), where nothing else forbids that (RFC 9111 §4.2.4).
    pub(super) fn stale_if_error(&self) -> Duration {
        if self.says_any(&["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage"]) {
            return Duration::ZERO;
        }
        let seconds = self.says("stale-if-error").and_then(|text| text.parse::<u32>().ok());
        Duration::from_secs(seconds.unwrap_or_default().into())
    }

    /// `cache-control` for the caller, where it is not just the upstream's own:
    /// the lifetime is added where that has none. `private` where it said
    /// nothing: what the file allows us is no word to caches that we do not know.
    pub(super) fn told(
        &self,
        leaving: &HeaderMap,
        policy: &CachePolicy,
        now: SystemTime,
    ) -> Option<HeaderValue> {
        if self.says_any(&["max-age", "s-maxage", "no-cache"]) {
            return None;
        }
        let own = leaving.get(header::CACHE_CONTROL).filter(|_| self.says_control());
        let own = own.and_then(|own| own.to_str().ok()).unwrap_or("private");
        let whole = policy.time_to_live(now).saturating_add(policy.age(now)).as_secs();
        Some(value(format!("{own}, max-age={whole}")))
    }

    /// What to ask the upstream with whether its answer still holds.
    pub(super) fn validators(&self) -> HeaderMap {
        let pairs =
            [(header::ETAG, header::IF_NONE_MATCH), (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE)];
        pairs.into_iter().filter_map(|(from, to)| Some((to, self.headers.get(from)?.clone()))).collect()
    }
}

/// The value of a directive, empty where it has none. `words` is in lower case.
pub(super) fn directive<'w>(words: &'w str, name: &str) -> Option<&'w str> {
    words.split(',').find_map(|word| {
        let (known, value) = word.split_once('=').unwrap_or((word, ""));
        (known.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

/// All values of a header in one (RFC 9110 §5.3).
pub(super) fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if values.is_empty() { None } else { HeaderValue::from_bytes(&values.join(&b", "[..])).ok() }
}

/// The request as the judge sees it. Which URL it is about, the key says.
pub(super) fn request(sent: &HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    sent.clone_into(request.headers_mut());
    request
}

/// `cache-control`, whose words are the same in either case (RFC 9111 §5.2);
/// `pragma` where there is none (§5.4). What cannot be read forbids all.
fn control(answer: &HeaderMap) -> Option<HeaderValue> {
    let Some(words) = joined(answer, &header::CACHE_CONTROL) else {
        let pragma = joined(answer, &header::PRAGMA)?.as_bytes().to_ascii_lowercase();
        return (pragma == b"no-cache").then_some(HeaderValue::from_static("no-cache"));
    };
    Some(value(words.to_str().unwrap_or("no-store").to_ascii_lowercase()))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-store"))
}
