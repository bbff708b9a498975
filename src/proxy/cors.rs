//! Stage 1: lets the right pages in the browser call us (Fetch standard, CORS protocol).
//!
//! Every answer is decorated, problems too: without the header a browser
//! hides the problem from the very developer who needs to read it. A request
//! from a page that is not ours ends before a credential is touched. An
//! origin is no identity: anything but a browser can claim one.

use std::str::FromStr;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::Route;
use super::headers;
use super::headers::Allowed;
use super::pattern::Params;
use super::route::Resource;
use crate::wire::problem::Kind;
use crate::wire::{Problem, Request, Response};

/// What a cache must tell apart, always: the answer names the origin.
const VARY: &str = "Origin";
/// The same for a preflight, whose answer depends on what was asked.
const VARY_PREFLIGHT: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// Which origins may call, and what browsers are told about it.
pub struct Cors {
    origins: Vec<OriginPattern>,
    credentials: bool,
    max_age: Option<HeaderValue>,
}

/// An origin as the file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginPattern {
    /// `*`: every origin but `null`.
    Any,
    /// `https://app.example.com`, to the letter.
    Exact(String),
    /// `https://*.preview.example.com`: one label in the place of the star.
    Label {
        /// What stands before the star: `https://`.
        before: String,
        /// What stands behind it: `.preview.example.com`.
        after: String,
    },
}

/// How a request stands towards the browser's rules.
pub struct Asking {
    /// Whether a browser asks for leave before it sends the real request (Fetch §4.8).
    pub preflight: bool,
    verdict: Verdict,
}

/// What we think of a request's origin.
enum Verdict {
    /// No page is asking.
    Absent,
    /// The page may call; this is the `access-control-allow-origin` it needs.
    Allowed(HeaderValue),
    /// The page may not call.
    Refused,
}

impl Cors {
    /// `max_age`: how long a browser may remember a preflight's answer.
    pub fn new(origins: Vec<OriginPattern>, credentials: bool, max_age: Option<Duration>) -> Self {
        let max_age = max_age.map(|age| HeaderValue::from(age.as_secs()));
        Self { origins, credentials, max_age }
    }

    /// Judges a request before anything is looked up for it.
    pub fn judge(&self, request: &Request) -> Asking {
        let preflight = request.method == Method::OPTIONS
            && request.headers.contains_key(header::ORIGIN)
            && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Asking { preflight, verdict: self.verdict(&request.headers) }
    }

    /// Judges the origin. Two `Origin` headers are nobody's.
    fn verdict(&self, headers: &HeaderMap) -> Verdict {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = values.next() else { return Verdict::Absent };
        let known = |text: &str| self.origins.iter().find(|pattern| pattern.admits(text));
        let pattern = origin.to_str().ok().and_then(known).filter(|_| values.next().is_none());
        match pattern {
            Some(OriginPattern::Any) => Verdict::Allowed(HeaderValue::from_static("*")),
            Some(_) => Verdict::Allowed(origin.clone()),
            None => Verdict::Refused,
        }
    }

    /// Answers a preflight. It needs no token and no key, and a known path is
    /// told its methods also where the asked one is not among them: the
    /// browser then says which it is.
    pub fn preflight(
        &self,
        request: &Request,
        asking: &Asking,
        resource: Option<(&Resource, Params<'_>)>,
    ) -> Result<Response, Problem> {
        asking.admit()?;
        let Some((resource, _)) = resource else {
            return Err(Problem::new(Kind::RouteNotFound, "no route has this path"));
        };
        let mut headers = HeaderMap::with_capacity(8);
        let methods = HeaderValue::try_from(resource.methods()).unwrap_or(HeaderValue::from_static(""));
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(names) = allowed_headers(request, resource) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        if let Some(age) = &self.max_age {
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, age.clone());
        }
        Ok(Response::new(StatusCode::NO_CONTENT, headers, bytes::Bytes::new()))
    }

    /// Puts on an answer what the browser wants to see on it.
    pub fn decorate(&self, asking: &Asking, route: Option<&Route>, response: &mut Response) {
        let headers = response.headers_mut();
        let vary = headers::vary(if asking.preflight { VARY_PREFLIGHT } else { VARY }, headers);
        headers.insert(header::VARY, vary);
        let Verdict::Allowed(origin) = &asking.verdict else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if asking.preflight {
            return;
        }
        let exposed = route.map_or_else(|| headers::exposed([]), |route| route.exposed(headers));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

impl Asking {
    /// What is no request comes from no page.
    pub const NOBODY: Self = Self { preflight: false, verdict: Verdict::Absent };

    /// The end of the way for a page that is not ours.
    pub fn admit(&self) -> Result<(), Problem> {
        match self.verdict {
            Verdict::Absent | Verdict::Allowed(_) => Ok(()),
            Verdict::Refused => Err(Problem::new(Kind::OriginNotAllowed, "this origin may not call here")),
        }
    }
}

/// The headers that the asked route takes. Where a route takes any, the
/// asked ones are repeated: `*` would not count for requests with credentials.
fn allowed_headers(request: &Request, resource: &Resource) -> Option<HeaderValue> {
    let asked = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let method = Method::from_bytes(asked.as_bytes()).ok()?;
    let route = resource.route(&method).or_else(|| resource.first())?;
    let token = route.policy.wants_proof();
    match &route.request_headers {
        Allowed::These(names) => Some(headers::allowed(names, token)),
        Allowed::Any => {
            let asked = request.headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
            Some(headers::allowed(&headers::listed(asked), token))
        }
    }
}

impl OriginPattern {
    fn admits(&self, origin: &str) -> bool {
        match self {
            Self::Any => origin != "null" && is_origin(origin),
            Self::Exact(known) => origin == known,
            Self::Label { before, after } => origin
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(is_label),
        }
    }
}

impl FromStr for OriginPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text == "null" {
            return Err(
                "`null` is the origin of every sandbox; serve the page from an origin of its own".to_owned()
            );
        }
        let plain = text.replacen("://*.", "://star.", 1);
        if !is_origin(&plain) {
            return Err(format!(
                "`{text}` is no origin; write `scheme://host` in lower case, \
                 a port where it is not the scheme's own, and nothing behind"
            ));
        }
        let Some((scheme, after)) = text.split_once("://*.") else { return Ok(Self::Exact(text.to_owned())) };
        let host = after.split(':').next().unwrap_or_default();
        if !host.contains('.') {
            return Err(format!(
                "`{text}` lets half the internet in; name at least two labels behind the star"
            ));
        }
        Ok(Self::Label { before: format!("{scheme}://"), after: format!(".{after}") })
    }
}

/// An origin as browsers serialise it (HTML standard, "serialization of an
/// origin"): lower case, no path, no default port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
    let (host, port) = split_port(authority);
    let default = matches!((scheme, port), ("http", Some("80")) | ("https", Some("443")));
    let port_ok = port
        .is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port) && !default);
    scheme_ok && port_ok && is_host(host)
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.split('.').all(is_label)
}

/// One label of a host name, as browsers write it.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 64
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_matched_to_the_letter() {
        let check = |pattern: &str, origin: &str, expected: bool| {
            let pattern: OriginPattern = pattern.parse().unwrap();
            assert_eq!(pattern.admits(origin), expected, "{origin}");
        };
        let app = "https://app.example.com";
        check(app, app, true);
        for other in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.io",
            "https://APP.example.com",
            "null",
            "",
        ] {
            check(app, other, false);
        }
        let star = "https://*.preview.example.com";
        check(star, "https://pr-7.preview.example.com", true);
        for other in [
            "https://preview.example.com",
            "https://.preview.example.com",
            "https://a.b.preview.example.com",
            "https://pr-7.preview.example.com:8443",
            "http://pr-7.preview.example.com",
            "https://evil.io/.preview.example.com",
            "https://evil.io#.preview.example.com",
            "https://user@x.preview.example.com",
        ] {
            check(star, other, false);
        }
        check("https://*.example.com:8443", "https://a.example.com:8443", true);
        check("https://*.example.com:8443", "https://a.example.com", false);
        check("*", "https://anything.example", true);
        check("*", "null", false);
        check("http://[::1]:3000", "http://[::1]:3000", true);
    }

    #[test]
    fn what_no_browser_would_send_is_refused_in_the_file() {
        for text in [
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://app.example.com:443",
            "http://a.example:80",
            "https://*.com",
            "https://a.*.example.com",
            "https://*",
            "https://**.example.com",
            "https://user@example.com",
            "https://exa mple.com",
            "",
            "https://a.example:99999",
            "https://a.example:08",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }
}
