//! A browser's side of CORS, as the Fetch standard has it (fetch.spec.whatwg.org).
//!
//! What a page gets depends on what these algorithms make of an answer's
//! headers, not on how the headers are worded.

use std::collections::BTreeSet;

/// An answer's status and headers, as a browser has them.
pub struct Seen {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// What becomes of a page's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No other origin is involved: CORS does not apply.
    SameOrigin,
    /// A network error: the page learns nothing.
    Blocked,
    /// The page may read the answer, and of its headers these.
    Readable(BTreeSet<String>),
    /// The real request may be sent; the answer counts for so many seconds.
    Leave { max_age: u64 },
}

/// What a page asks a browser to do.
pub struct Page<'p> {
    pub origin: &'p str,
    /// Credentials mode `include`.
    pub include: bool,
}

impl Seen {
    /// "Get" of a header list (§2.2.2): repeats joined.
    fn get(&self, name: &str) -> Option<String> {
        let values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// "Extract header list values" (§2.2.2): `Ok(None)` where it is absent, `Err` where it does not parse.
    fn list(&self, name: &str) -> Result<Option<Vec<String>>, ()> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_owned).collect();
        if words.iter().all(|word| word.parse::<http::HeaderName>().is_ok()) {
            Ok(Some(words))
        } else {
            Err(())
        }
    }
}

impl Page<'_> {
    /// "CORS check" (§4.10).
    fn check(&self, seen: &Seen) -> bool {
        let Some(allowed) = seen.get("access-control-allow-origin") else { return false };
        if !self.include && allowed == "*" {
            return true;
        }
        let vouched = || seen.get("access-control-allow-credentials").as_deref() == Some("true");
        allowed == self.origin && (!self.include || vouched())
    }

    /// What a page may read of an answer (§4.1 step "CORS", §2.2.6 CORS-exposed header-name list).
    pub fn read(&self, seen: &Seen, names: &[&str]) -> Verdict {
        if !self.check(seen) {
            return Verdict::Blocked;
        }
        let exposed = seen.list("access-control-expose-headers").ok().flatten().unwrap_or_default();
        let all = !self.include && exposed.iter().any(|name| name == "*");
        let readable = |name: &&&str| all || is_safelisted(name) || holds(&exposed, name);
        Verdict::Readable(names.iter().filter(readable).map(|name| name.to_lowercase()).collect())
    }

    /// "CORS-preflight fetch" (§4.9): whether the browser goes on to send `method` with `names`.
    pub fn preflight(&self, seen: &Seen, method: &str, names: &[String]) -> Verdict {
        let listed = (seen.list("access-control-allow-methods"), seen.list("access-control-allow-headers"));
        let (Ok(methods), Ok(headers)) = listed else { return Verdict::Blocked };
        let (methods, headers) = (methods.unwrap_or_default(), headers.unwrap_or_default());
        let star = |list: &[String]| !self.include && list.iter().any(|word| word == "*");
        let ok = (200..=299).contains(&seen.status) && self.check(seen);
        let method_ok = methods.iter().any(|known| known == method)
            || ["GET", "HEAD", "POST"].contains(&method)
            || star(&methods);
        let wildcardless = |name: &str| name.eq_ignore_ascii_case("authorization");
        let header_ok = |name: &String| holds(&headers, name) || (star(&headers) && !wildcardless(name));
        if !ok || !method_ok || !names.iter().all(header_ok) {
            return Verdict::Blocked;
        }
        let age = seen.get("access-control-max-age").and_then(|age| age.parse().ok());
        Verdict::Leave { max_age: age.unwrap_or(5) }
    }
}

fn holds(list: &[String], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// "CORS-safelisted response-header name" (§2.2.6).
fn is_safelisted(name: &str) -> bool {
    [
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    ]
    .contains(&name.to_lowercase().as_str())
}

#[test]
fn the_judge_itself_is_right() {
    let seen = |headers: &[(&str, &str)]| Seen {
        status: 204,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let check = |include: bool, method: &str, name: &str, headers: &[(&str, &str)], expected: bool| {
        let page = Page { origin: "https://a.example", include };
        let names: Vec<String> = name.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let found = page.preflight(&seen(headers), method, &names) != Verdict::Blocked;
        assert_eq!(found, expected, "{include} {method} {name} {headers:?}");
    };
    let (any, exact) =
        (("access-control-allow-origin", "*"), ("access-control-allow-origin", "https://a.example"));
    let vouched = ("access-control-allow-credentials", "true");
    check(false, "GET", "", &[], false);
    check(false, "GET", "", &[any], true);
    check(true, "GET", "", &[any, vouched], false);
    check(true, "GET", "", &[exact], false);
    check(true, "GET", "", &[exact, vouched], true);
    check(false, "GET", "", &[exact, exact], false);
    check(false, "PUT", "", &[exact], false);
    check(false, "PUT", "", &[exact, ("access-control-allow-methods", "put")], false);
    check(false, "PUT", "", &[exact, ("access-control-allow-methods", "GET, PUT")], true);
    check(false, "PUT", "", &[exact, ("access-control-allow-methods", "*")], true);
    check(true, "PUT", "", &[exact, vouched, ("access-control-allow-methods", "*")], false);
    check(false, "GET", "x-a", &[exact], false);
    check(false, "GET", "x-a", &[exact, ("access-control-allow-headers", "X-A")], true);
    check(false, "GET", "x-a,x-b", &[exact, ("access-control-allow-headers", "x-a")], false);
    check(false, "GET", "x-a", &[exact, ("access-control-allow-headers", "*")], true);
    check(false, "GET", "authorization", &[exact, ("access-control-allow-headers", "*")], false);
    check(false, "GET", "x-a", &[exact, ("access-control-allow-headers", "x-a, b c")], false);
}
