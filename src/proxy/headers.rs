//! Which headers cross, in which direction.
//!
//! Denied unless declared, and some never: what belongs to one hop, what a
//! caller proves itself with to us, what tells an upstream to do something
//! other than the policy saw, and what the upstream says to browsers.

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The headers that a route lets through, next to those that always may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// All but those that never cross.
    Any,
    /// These.
    These(Vec<HeaderName>),
}

/// What any request may carry upstream.
const ALWAYS_UP: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

/// What any answer may carry back. `vary` is joined with ours, `link` and
/// `location` are rewritten to our own address.
const ALWAYS_DOWN: [HeaderName; 9] = [
    header::CONTENT_TYPE,
    header::CONTENT_LANGUAGE,
    header::CACHE_CONTROL,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
];

/// One hop's own business (RFC 9110 §7.6.1).
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a caller proves itself with to us is nobody else's business; what
/// would tell the upstream another method, host or path than the policy saw;
/// what claims to come from further away; and what we say ourselves.
const NEVER_UP: [&str; 17] = [
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cdn-loop",
    "client-ip",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "max-forwards",
    "proxy",
    "true-client-ip",
    "via",
    "x-api-key",
    "x-method-override",
];

/// The same, by how the name begins.
const NEVER_UP_FAMILIES: [&str; 8] = [
    "lambda-runtime-",
    "x-amz-",
    "x-amzn-",
    "x-forwarded",
    "x-http-method",
    "x-original-",
    "x-real-",
    "x-rewrite-",
];

/// What the upstream says to its own browsers and connections; lengths and
/// encodings are said anew by whoever knows the bytes that leave: the guard.
const NEVER_DOWN: [&str; 6] = [
    "alt-svc",
    "content-encoding",
    "content-length",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
];

/// Whether a request header never goes upstream, whatever a route says.
/// Programs behind CGI, WSGI or Rack read `_` and `-` as the same.
pub fn never_up(name: &HeaderName) -> bool {
    let mut folded = Cow::Borrowed(name.as_str());
    if folded.contains('_') {
        folded = Cow::Owned(folded.replace('_', "-"));
    }
    let name = &*folded;
    HOP_BY_HOP.contains(&name)
        || NEVER_UP.contains(&name)
        || NEVER_UP_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether a response header never comes back, whatever a route says.
pub fn never_down(name: &HeaderName) -> bool {
    let name = name.as_str();
    HOP_BY_HOP.contains(&name) || NEVER_DOWN.contains(&name) || name.starts_with("access-control-")
}

/// Whether a header asks for a part of an answer: let through by
/// `dangerous_range` only.
pub fn is_range(name: &HeaderName) -> bool {
    *name == header::RANGE || *name == header::IF_RANGE
}

impl Allowed {
    /// Whether the file names it. `any` names all.
    pub(super) fn names(&self, name: &HeaderName) -> bool {
        match self {
            Self::Any => true,
            Self::These(names) => names.contains(name),
        }
    }

    /// The part of a request's headers that goes upstream, repeats in order.
    /// Under `any` a name with `_` stays here, as with nginx: it could stand
    /// for one with `-` that must not cross, or that we set ourselves.
    pub fn up(&self, headers: &HeaderMap, range: bool) -> HeaderMap {
        let own = named_by_connection(headers);
        cross(headers, |name| {
            let wanted = if is_range(name) { range } else { ALWAYS_UP.contains(name) || self.names(name) };
            let double = matches!(self, Self::Any) && name.as_str().contains('_');
            wanted && !double && !never_up(name) && !own.contains(name)
        })
    }

    /// The part of an answer's headers that comes back, repeats in order.
    pub fn down(&self, headers: &HeaderMap) -> HeaderMap {
        let own = named_by_connection(headers);
        cross(headers, |name| {
            (ALWAYS_DOWN.contains(name) || self.names(name)) && !never_down(name) && !own.contains(name)
        })
    }
}

fn cross(headers: &HeaderMap, wanted: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut crossed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter().filter(|(name, _)| wanted(name)) {
        crossed.append(name, value.clone());
    }
    crossed
}

/// The headers that a `Connection` header declares to be this hop's own.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    listed(headers.get_all(header::CONNECTION))
}

/// The names in a comma-separated header (RFC 9110 §5.6.1); what is no name is passed over.
pub fn listed<'h>(values: impl IntoIterator<Item = &'h HeaderValue>) -> Vec<HeaderName> {
    let texts = values.into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// What caches must tell apart: the origin, what the upstream says of the
/// headers that reach it, and who can unpack what is packed. That is ours to
/// heed, so an upstream's `accept-encoding` is true of us as well.
pub fn vary(own: &'static str, answer: &HeaderMap) -> HeaderValue {
    let packed = answer.contains_key(header::CONTENT_ENCODING).then_some(header::ACCEPT_ENCODING);
    let mut names = vec![own.to_owned()];
    for name in listed(answer.get_all(header::VARY)).into_iter().chain(packed) {
        let hidden = never_up(&name) && name != header::ACCEPT_ENCODING;
        let known = name == header::ORIGIN || hidden || names.iter().any(|other| name == *other.as_str());
        if !known {
            names.push(name.to_string());
        }
    }
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(own))
}

/// Keeps an answer to whoever has shown a token: an upstream that says `public` speaks
/// of us, its own caller, and a shared cache would take it at its word (RFC 9111 §3.5).
pub fn keep_private(headers: &mut HeaderMap) {
    let said = headers.get_all(header::CACHE_CONTROL);
    let said: Vec<&str> = said.iter().filter_map(|value| value.to_str().ok()).collect();
    let all = said.join(", ");
    let shared = ["public", "s-maxage", "private", "proxy-revalidate"];
    let name = |word: &str| word.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut words: Vec<&str> = all.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    words.retain(|word| !shared.contains(&name(word).as_str()));
    words.insert(0, "private");
    if let Ok(value) = HeaderValue::try_from(words.join(", ")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    let vary = headers.get(header::VARY).and_then(|vary| vary.to_str().ok()).unwrap_or("origin");
    if let Ok(value) = HeaderValue::try_from(format!("{vary}, authorization")) {
        headers.insert(header::VARY, value);
    }
}

/// `access-control-allow-headers`: what a page may send on this route. The
/// list is short and fixed, so a browser can cache it. `token`: whether it may
/// be one, for us; it never goes upstream.
pub fn allowed<'n>(names: impl IntoIterator<Item = &'n HeaderName>, token: bool) -> HeaderValue {
    let declared = names.into_iter().filter(|name| !never_up(name) && !ALWAYS_UP.contains(name));
    join(ALWAYS_UP.iter().chain(token.then_some(&header::AUTHORIZATION)).chain(declared))
}

/// `access-control-expose-headers`: what a page may read of the answer,
/// beyond what it always may (Fetch, "CORS-safelisted response-header name").
pub fn exposed<'n>(names: impl IntoIterator<Item = &'n HeaderName>) -> HeaderValue {
    const BEYOND: [HeaderName; 4] = [header::ETAG, header::LINK, header::LOCATION, header::RETRY_AFTER];
    let declared = names.into_iter().filter(|name| !never_down(name) && !ALWAYS_DOWN.contains(name));
    join(BEYOND.iter().chain(declared))
}

fn join<'n>(names: impl Iterator<Item = &'n HeaderName>) -> HeaderValue {
    let names: Vec<&str> = names.map(HeaderName::as_str).collect();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_declared_headers_go_upstream_and_some_never() {
        let sent = map(&[
            ("accept", "a"),
            ("authorization", "Bearer mine"),
            ("cookie", "session=1"),
            ("x-api-key", "k"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-http-method-override", "DELETE"),
            ("x-amzn-trace-id", "t"),
            ("lambda-runtime-aws-request-id", "r"),
            ("connection", "close, x-own"),
            ("x-own", "hop"),
            ("x-mine", "1"),
            ("x-mine", "2"),
            ("range", "bytes=0-1"),
            ("te", "trailers"),
            ("x_http_method_override", "DELETE"),
            ("x_token", "mine"),
        ]);
        let names = |allowed: Allowed, range| {
            let up = allowed.up(&sent, range);
            up.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(Allowed::These(vec![]), false), "accept=a");
        let mine = Allowed::These(vec!["x-mine".parse().unwrap(), "x-own".parse().unwrap()]);
        assert_eq!(names(mine, false), "accept=a x-mine=1 x-mine=2");
        assert_eq!(names(Allowed::Any, false), "accept=a x-mine=1 x-mine=2");
        assert_eq!(names(Allowed::Any, true), "accept=a x-mine=1 x-mine=2 range=bytes=0-1");
    }

    #[test]
    fn what_the_upstream_varies_by_stands_once_and_as_far_as_it_sees_it() {
        let sent =
            map(&[("vary", "Accept, Authorization, Origin"), ("vary", "accept-encoding, accept, x-otp")]);
        assert_eq!(vary("Origin", &sent), "Origin, accept, accept-encoding, x-otp");
    }

    #[test]
    fn the_upstream_speaks_to_no_browser() {
        let sent = map(&[
            ("content-type", "text/plain"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "*"),
            ("content-length", "3"),
            ("x-rate", "9"),
        ]);
        assert_eq!(Allowed::Any.down(&sent).len(), 2);
        assert_eq!(Allowed::These(vec![]).down(&sent).len(), 1);
    }
}
