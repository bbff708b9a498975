//! Stage 8: nothing that went up comes back.
//!
//! Every secret that a call carried, in each spelling that an upstream might
//! echo it in, is cut out of the answer and replaced by `[redacted]`. Of a
//! compressed answer a copy is read: if it is clean, the upstream's own bytes
//! go out. What cannot be read is withheld.

mod spelling;
mod reading;
mod target;
mod search;
mod glance;
mod sweep;
mod leak;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response as HttpResponse, StatusCode, header};

use super::cache::Said;
use super::coding::{self, Accepts, Coding, changed, weakened};
use super::headers::Allowed;
use super::stream::{Pace, Passage};
use super::unpack::{Fault, unpack};
use crate::credential::Needle;
use crate::secret::vault::SHORTEST;
use crate::wire::Problem;
use crate::wire::client::Incoming;
use crate::wire::problem::Kind;

use search::Search;
use spelling::{Spelling, spellings};

pub use leak::{Leak, Leaks};
pub(super) use leak::{Place, REDACTED};
pub use sweep::Sweep;

/// Finds secrets, in all their spellings, in one pass.
#[derive(Clone, Default)]
pub struct Guard {
    search: Option<Arc<Search>>,
    /// The same for the names of headers, which have no upper case.
    names: Option<Arc<Search>>,
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
            let Some(cut) = self.guard.clean(&came, Place::Body, leaks) else { return Ok(came) };
            return Ok(changed(cut, headers));
        }
        let copy = unpack(&codings, &came, open.limit).map_err(|fault| problem(fault, open.limit))?;
        if let Some(cut) = self.guard.clean(&copy, Place::Body, leaks) {
            return Ok(changed(cut, headers));
        }
        // A packed body has places that no decoder shows, such as gzip's comment.
        if !open.read && self.accepts.all(&codings) && self.guard.clean(&came, Place::Body, leaks).is_none() {
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
        let search = |fold: fn(Spelling) -> Spelling| {
            let secrets = needles.iter().filter(|needle| SHORTEST <= needle.secret.expose().len());
            let all = secrets.flat_map(|needle| {
                spellings(needle.secret.expose()).into_iter().map(|it| (needle.name.clone(), fold(it)))
            });
            Search::new(all.collect()).map(Arc::new)
        };
        Self { search: search(|it| it), names: search(Spelling::lower) }
    }

    fn clean_headers(&self, headers: HeaderMap, leaks: &mut Leaks) -> HeaderMap {
        let (Some(search), Some(names)) = (&self.search, &self.names) else { return headers };
        let mut cleaned = HeaderMap::with_capacity(headers.len());
        for (name, value) in &headers {
            if names.clean(name.as_str().as_bytes(), Place::Name, leaks).is_some() {
                continue;
            }
            let value = match search.clean(value.as_bytes(), Place::Header(name), leaks) {
                None => value.clone(),
                Some(cut) => HeaderValue::from_bytes(&cut).unwrap_or(HeaderValue::from_static(REDACTED)),
            };
            cleaned.append(name, value);
        }
        cleaned
    }

    /// The same search for a body that still arrives.
    pub(super) fn sweep(&self) -> Sweep {
        Sweep::new(self.search.clone())
    }

    /// The bytes without the secrets, if there are any in them.
    pub(super) fn clean(&self, bytes: &[u8], place: Place<'_>, leaks: &mut Leaks) -> Option<Vec<u8>> {
        self.search.as_deref()?.clean(bytes, place, leaks)
    }
}

#[cfg(test)]
mod tests;
