//! Stage 8: nothing that went up comes back.
//!
//! Every secret that a call carried, in each spelling that an upstream might
//! echo it in, is cut out of the answer and replaced by `[redacted]`. An
//! answer that cannot be read, because it is compressed, is withheld.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response as HttpResponse, StatusCode, header};
use zeroize::Zeroizing;

use super::headers::Allowed;
use super::spelling::{Decoded, spellings};
use crate::credential::Needle;
use crate::secret::vault::SHORTEST;
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// What stands where a secret stood.
pub(super) const REDACTED: &str = "[redacted]";

/// Finds secrets, in all their spellings, in one pass.
#[derive(Clone)]
pub struct Guard {
    inner: Option<Arc<Search>>,
}

struct Search {
    spellings: AhoCorasick,
    /// The secret's name for each spelling.
    names: Vec<String>,
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
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    guard: Guard,
}

/// An answer without secrets, whose links still lead to the upstream. It is
/// no [`Response`](crate::wire::Response) yet:
///
/// ```compile_fail
/// fn skip(clean: countersign::proxy::guard::Clean) -> countersign::wire::Response {
///     clean
/// }
/// ```
#[derive(Debug)]
pub struct Clean {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The names of the secrets that an answer repeated.
pub type Leaks = BTreeSet<String>;

impl Reply {
    pub(super) fn new(method: Method, response: HttpResponse<Bytes>, guard: Guard) -> Self {
        let (parts, body) = response.into_parts();
        Self { method, status: parts.status, headers: parts.headers, body, guard }
    }

    /// The answer, with the headers that the route lets through and
    /// without the secrets; and which secrets had to be cut out.
    pub fn release(self, allowed: &Allowed) -> Result<(Clean, Leaks), Problem> {
        if is_encoded(&self.headers) && !self.body.is_empty() {
            return Err(Problem::new(Kind::ResponseWithheld, "the upstream's answer was withheld")
                .because("it is compressed, though asked not to be, and cannot be searched for secrets"));
        }
        let mut leaks = Leaks::new();
        let mut headers = self.guard.clean_headers(allowed.down(&self.headers), &mut leaks);
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        let bodiless = self.method == Method::HEAD
            || matches!(
                self.status,
                StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
            );
        let body = if bodiless { Bytes::new() } else { self.guard.clean_body(self.body, &mut leaks) };
        Ok((Clean { status: self.status, headers, body }, leaks))
    }
}

/// Whether the bytes are other than what they say. Each coding counts, in any
/// line: one that is overlooked is a way past the guard. `chunked` was undone
/// by the client (RFC 9112 §7.1), other transfer codings were not.
fn is_encoded(headers: &HeaderMap) -> bool {
    let codings = |name, plain: &str| {
        let values = headers.get_all(name).iter();
        let words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let mut words = words.map(<[u8]>::trim_ascii).filter(|word| !word.is_empty());
        words.any(|word| !word.eq_ignore_ascii_case(plain.as_bytes()))
    };
    codings(header::CONTENT_ENCODING, "identity") || codings(header::TRANSFER_ENCODING, "chunked")
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
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns.iter().map(|p| &**p));
        let search = search.ok().filter(|_| !names.is_empty());
        Self { inner: search.map(|spellings| Arc::new(Search { spellings, names })) }
    }

    fn clean_body(&self, body: Bytes, leaks: &mut Leaks) -> Bytes {
        match self.clean(&body, leaks) {
            Cow::Borrowed(_) => body,
            Cow::Owned(cleaned) => cleaned.into(),
        }
    }

    fn clean_headers(&self, headers: HeaderMap, leaks: &mut Leaks) -> HeaderMap {
        if self.inner.is_none() {
            return headers;
        }
        let mut cleaned = HeaderMap::with_capacity(headers.len());
        for (name, value) in &headers {
            if matches!(self.clean(name.as_str().as_bytes(), leaks), Cow::Owned(_)) {
                continue;
            }
            let value = match self.clean(value.as_bytes(), leaks) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(bytes) => {
                    HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static(REDACTED))
                }
            };
            cleaned.append(name, value);
        }
        cleaned
    }

    /// The bytes themselves where they are clean.
    fn clean<'b>(&self, bytes: &'b [u8], leaks: &mut Leaks) -> Cow<'b, [u8]> {
        let Some(search) = self.inner.as_deref() else { return Cow::Borrowed(bytes) };
        let cleaned = search.cut(bytes, leaks);
        let decoded = Decoded::of(cleaned.as_deref().unwrap_or(bytes));
        match decoded.and_then(|decoded| search.cut_decoded(&decoded, leaks)).or(cleaned) {
            Some(cleaned) => Cow::Owned(cleaned),
            None => Cow::Borrowed(bytes),
        }
    }
}

impl Search {
    /// The bytes without the secrets, if there are any in them.
    fn cut(&self, bytes: &[u8], leaks: &mut Leaks) -> Option<Vec<u8>> {
        if !self.spellings.is_match(bytes) {
            return None;
        }
        let mut cleaned = Vec::with_capacity(bytes.len());
        self.spellings.replace_all_with_bytes(bytes, &mut cleaned, |found, _, out| {
            leaks.extend(self.names.get(found.pattern().as_usize()).cloned());
            out.extend_from_slice(REDACTED.as_bytes());
            true
        });
        Some(cleaned)
    }

    /// The same for what shows only once it is percent-decoded: encoders
    /// differ in which characters they leave alone.
    fn cut_decoded(&self, decoded: &Decoded<'_>, leaks: &mut Leaks) -> Option<Vec<u8>> {
        let mut cleaned = Vec::new();
        let mut done = 0;
        for found in self.spellings.find_iter(&decoded.bytes) {
            leaks.extend(self.names.get(found.pattern().as_usize()).cloned());
            cleaned.extend_from_slice(decoded.source(done, found.start()));
            cleaned.extend_from_slice(REDACTED.as_bytes());
            done = found.end();
        }
        if done == 0 {
            return None;
        }
        cleaned.extend_from_slice(decoded.source(done, decoded.bytes.len()));
        Some(cleaned)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;
    use crate::secret::Secret;

    const CANARY: &str = "gh/p_\"Zp9<&>+x é%7";

    fn guard() -> Guard {
        Guard::new(&[Needle { name: "github.token".to_owned(), secret: Secret::new(CANARY) }])
    }

    fn clean(body: &str) -> (String, Leaks) {
        let mut leaks = Leaks::new();
        let cleaned = guard().clean_body(Bytes::from(body.to_owned()), &mut leaks);
        (String::from_utf8(cleaned.to_vec()).unwrap(), leaks)
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

    #[test]
    fn clean_bytes_are_untouched() {
        let body = Bytes::from_static(b"{\"name\":\"hello\",\"n\":[1,2,3]}");
        let mut leaks = Leaks::new();
        let cleaned = guard().clean_body(body.clone(), &mut leaks);
        assert!(std::ptr::eq(cleaned.as_ptr(), body.as_ptr()) && leaks.is_empty());
    }

    #[test]
    fn a_compressed_answer_is_withheld() {
        let response =
            HttpResponse::builder().header("content-encoding", "gzip").body(Bytes::from("x")).unwrap();
        let outcome = Reply::new(Method::GET, response, guard()).release(&Allowed::Any);
        assert_eq!(outcome.unwrap_err().kind(), Kind::ResponseWithheld);
    }
}
