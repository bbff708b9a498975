//! Stage 8: nothing that went up comes back.
//!
//! Every secret that a call carried, in each spelling that an upstream might
//! echo it in, is cut out of the answer and replaced by `[redacted]`. Of a
//! compressed answer a copy is read: if it is clean, the upstream's own bytes
//! go out. What cannot be read is withheld.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response as HttpResponse, StatusCode, header};
use zeroize::Zeroizing;

use super::cache::Said;
use super::coding::{self, Accepts, Coding, changed, weakened};
use super::headers::Allowed;
use super::search::Search;
use super::spelling::spellings;
use super::stream::{Pace, Passage};
use super::sweep::Sweep;
use super::unpack::{Fault, unpack};
use crate::credential::Needle;
use crate::secret::vault::SHORTEST;
use crate::wire::Problem;
use crate::wire::client::Incoming;
use crate::wire::problem::Kind;

pub use super::search::Leaks;
pub(super) use super::search::REDACTED;

/// Finds secrets, in all their spellings, in one pass.
#[derive(Clone)]
pub struct Guard {
    inner: Option<Arc<Search>>,
}

/// An answer that nobody has searched for leaks yet. It is no [`Response`](crate::wire::Response):
///
/// ```compile_fail
/// fn skip(reply: countersign::proxy::guard::Reply) -> countersign::wire::Response {
///     reply
/// }
/// ```
pub struct Reply {
    method: Method,
    accepts: Accepts,
    status: StatusCode,
    headers: HeaderMap,
    body: Arrived,
    guard: Guard,
}

/// What there is of a body when its answer is searched: all of it, or
/// nothing yet, and where the rest comes from.
pub(super) struct Arrived {
    pub(super) bytes: Bytes,
    pub(super) rest: Option<(Incoming, Pace)>,
}

/// An answer without secrets, whose links still lead to the upstream. It is
/// no [`Response`](crate::wire::Response) yet:
///
/// ```compile_fail
/// fn skip(clean: countersign::proxy::guard::Clean) -> countersign::wire::Response {
///     clean
/// }
/// ```
pub struct Clean {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Empty where the body is still to come.
    pub(super) body: Bytes,
    /// The rest of an answer whose body passes as it arrives.
    pub(super) passage: Option<Passage>,
    /// Looks again where the body is written anew.
    pub(super) guard: Guard,
}

/// How a body is opened.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// How long it may be once it is decoded, in bytes.
    pub limit: usize,
    /// Whether somebody reads it later, so that it must not stay packed.
    pub read: bool,
}

impl Reply {
    pub(super) fn new(
        method: Method,
        accepts: Accepts,
        response: HttpResponse<Arrived>,
        guard: Guard,
    ) -> Self {
        let (parts, body) = response.into_parts();
        Self { method, accepts, status: parts.status, headers: parts.headers, body, guard }
    }

    /// What the upstream says about keeping the answer.
    pub(super) fn said(&self) -> Said {
        Said::new(self.status, &self.headers)
    }

    /// The answer, with the headers that the route lets through and
    /// without the secrets; and which secrets had to be cut out. No body is
    /// longer than `open.limit` once it is decoded, but for one that still arrives.
    pub fn release(mut self, allowed: &Allowed, open: Open) -> Result<(Clean, Leaks), Problem> {
        let (status, guard, mut leaks) = (self.status, self.guard.clone(), Leaks::new());
        let mut headers = self.guard.clean_headers(allowed.down(&self.headers), &mut leaks);
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        let passage = self.body.rest.take().map(|(incoming, pace)| {
            coding::may_change(&mut headers);
            Passage::new(incoming, pace, self.guard.sweep(), &headers)
        });
        // Without a body nothing is said of its coding either: a cache would
        // say it of the body that it keeps, which may be a decoded one.
        let body =
            if self.is_bodiless() { Bytes::new() } else { self.search(&mut headers, open, &mut leaks)? };
        Ok((Clean { status, headers, body, passage, guard }, leaks))
    }

    fn is_bodiless(&self) -> bool {
        const BODILESS: [StatusCode; 3] =
            [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
        self.body.bytes.is_empty() || self.method == Method::HEAD || BODILESS.contains(&self.status)
    }

    /// The body as it may leave, with `headers` true of it.
    fn search(self, headers: &mut HeaderMap, open: Open, leaks: &mut Leaks) -> Result<Bytes, Problem> {
        let codings = self.codings()?;
        let came = self.body.bytes;
        if codings.is_empty() {
            let Some(cut) = self.guard.clean(&came, leaks) else { return Ok(came) };
            return Ok(changed(cut, headers));
        }
        let copy = unpack(&codings, &came, open.limit).map_err(|fault| problem(fault, open.limit))?;
        if let Some(cut) = self.guard.clean(&copy, leaks) {
            return Ok(changed(cut, headers));
        }
        // A packed body has places that no decoder shows, such as gzip's comment.
        if !open.read && self.accepts.all(&codings) && self.guard.clean(&came, leaks).is_none() {
            headers.insert(header::CONTENT_ENCODING, coding::list(&codings));
            return Ok(came);
        }
        let etag = headers.get(header::ETAG).and_then(weakened);
        let body = changed(copy, headers);
        headers.extend(etag.map(|etag| (header::ETAG, etag)));
        Ok(body)
    }

    /// What must be undone before the body can be read.
    fn codings(&self) -> Result<Vec<Coding>, Problem> {
        let withheld = |why| {
            Err(Problem::new(Kind::ResponseWithheld, "the upstream's answer was withheld").because(why))
        };
        match coding::codings(&self.headers) {
            _ if coding::is_transfer_coded(&self.headers) => withheld("its transfer coding cannot be undone"),
            None => withheld("its content-encoding cannot be undone, so it cannot be searched for secrets"),
            Some(codings) if !codings.is_empty() && self.status == StatusCode::PARTIAL_CONTENT => {
                withheld("a part of a compressed answer cannot be searched for secrets")
            }
            Some(codings) => Ok(codings),
        }
    }
}

fn problem(fault: Fault, limit: usize) -> Problem {
    match fault {
        Fault::Broken => Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not valid")
            .because("its body is not packed as its content-encoding says"),
        Fault::TooLarge => too_large(limit).because("once decoded"),
    }
}

/// Also said of an answer that was too long before anybody decoded it.
pub(super) fn too_large(limit: usize) -> Problem {
    let limit = bytesize::ByteSize::b(limit as u64);
    Problem::new(Kind::ResponseTooLarge, format!("the upstream's answer is longer than {limit}")).hint(
        "whoever runs this API can raise the route's `response.max_bytes`, up to Lambda's 6 MB, or stream it",
    )
}

impl Guard {
    /// Looks for these. Values too short to be secrets are left alone.
    pub fn new(needles: &[Needle]) -> Self {
        let mut patterns: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        let mut names = Vec::new();
        for needle in needles.iter().filter(|needle| SHORTEST <= needle.secret.expose().len()) {
            for spelling in spellings(needle.secret.expose()) {
                if !patterns.contains(&spelling) {
                    patterns.push(spelling);
                    names.push(needle.name.clone());
                }
            }
        }
        Self { inner: Search::new(patterns, names).map(Arc::new) }
    }

    fn clean_headers(&self, headers: HeaderMap, leaks: &mut Leaks) -> HeaderMap {
        if self.inner.is_none() {
            return headers;
        }
        let mut cleaned = HeaderMap::with_capacity(headers.len());
        for (name, value) in &headers {
            if self.clean(name.as_str().as_bytes(), leaks).is_some() {
                continue;
            }
            let value = match self.clean(value.as_bytes(), leaks) {
                None => value.clone(),
                Some(cut) => HeaderValue::from_bytes(&cut).unwrap_or(HeaderValue::from_static(REDACTED)),
            };
            cleaned.append(name, value);
        }
        cleaned
    }

    /// The same search for a body that still arrives.
    pub(super) fn sweep(&self) -> Sweep {
        Sweep::new(self.inner.clone())
    }

    /// The bytes without the secrets, if there are any in them.
    pub(super) fn clean(&self, bytes: &[u8], leaks: &mut Leaks) -> Option<Vec<u8>> {
        self.inner.as_deref()?.clean(bytes, leaks)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;
    use crate::proxy::unpack::tests::packed;
    use crate::secret::Secret;

    const CANARY: &str = "gh/p_\"Zp9<&>+x é%7";

    fn guard() -> Guard {
        Guard::new(&[Needle { name: "github.token".to_owned(), secret: Secret::new(CANARY) }])
    }

    fn clean(body: &str) -> (String, Leaks) {
        let mut leaks = Leaks::new();
        let cut = guard().clean(body.as_bytes(), &mut leaks);
        (cut.map_or(body.to_owned(), |cut| String::from_utf8(cut).unwrap()), leaks)
    }

    #[test]
    fn an_echoed_secret_is_cut_out_in_each_spelling() {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        for spelling in [
            CANARY.to_owned(),
            encoded(CANARY),
            encoded(CANARY).replace("%2F", "%2f").replace("%22", "\""),
            encoded(CANARY).replace("%2F", "/").replace("%5F", "_"),
            serde_json::Value::from(CANARY).to_string(),
            CANARY.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
            CANARY.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ] {
            let (cleaned, leaks) = clean(&format!("you sent «{spelling}», twice: {spelling}."));
            assert!(!cleaned.contains(spelling.trim_matches('"')), "{spelling}: {cleaned}");
            assert_eq!(cleaned.matches(REDACTED).count(), 2, "{spelling}: {cleaned}");
            assert_eq!(leaks, Leaks::from(["github.token".to_owned()]));
        }
    }

    #[test]
    fn base64_is_recognised_at_every_alignment() {
        for before in ["", "x", "xy", "user:"] {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let text = engine.encode(format!("{before}{CANARY}!"));
                let (cleaned, leaks) = clean(&text);
                assert!(cleaned.contains(REDACTED) && leaks.len() == 1, "{before}: {cleaned}");
            }
        }
    }

    /// What `GET` with this `accept-encoding` gets of this body.
    fn release(body: Bytes, encoding: &str, accept: &'static str) -> (Clean, Leaks) {
        let accepts = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
        let arrived = Arrived { bytes: body, rest: None };
        let response = HttpResponse::builder().header("content-encoding", encoding).body(arrived).unwrap();
        let reply = Reply::new(Method::GET, Accepts::of(&accepts), response, guard());
        reply.release(&Allowed::Any, Open { limit: 1000, read: false }).unwrap()
    }

    #[test]
    fn clean_bytes_are_untouched() {
        let body = Bytes::from_static(b"{\"name\":\"hello\",\"n\":[1,2,3]}");
        let (response, leaks) = release(body.clone(), "identity", "gzip");
        assert!(std::ptr::eq(response.body.as_ptr(), body.as_ptr()) && leaks.is_empty());
        for (name, coding, packed) in packed(&body) {
            let packed = Bytes::from(packed);
            let (response, leaks) = release(packed.clone(), coding.name(), "*");
            assert!(std::ptr::eq(response.body.as_ptr(), packed.as_ptr()) && leaks.is_empty(), "{name}");
            assert_eq!(release(packed, coding.name(), "identity").0.body, body, "{name}");
        }
    }

    /// Gzip may carry a name and a comment, zstd frames that are skipped: no decoder shows them.
    #[test]
    fn a_secret_beside_the_packed_text_does_not_leave_either() {
        let mut gzip = flate2::GzBuilder::new().comment(CANARY).write(Vec::new(), Default::default());
        std::io::Write::write_all(&mut gzip, b"clean").unwrap();
        let (response, leaks) = release(gzip.finish().unwrap().into(), "gzip", "gzip");
        assert_eq!((response.body.as_ref(), leaks.len()), (&b"clean"[..], 1));
        assert!(!response.headers.contains_key("content-encoding"));
    }
}
