//! Stage 6: adds the credential that the caller never sees.
//!
//! The URL is put together here, and only here: base, path, parameters, each
//! value encoded for its place; what comes out is compared with what a URL
//! parser reads, so that the string the policy saw is the string that is sent.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::coding::Accepts;
use super::guard::REDACTED;
use super::headers::is_range;
use super::path::encode_segment;
use super::route::Found;
use super::template::encode;
use super::transform::Ready;
use crate::credential::{Armed, Needle, Used};
use crate::secret::Vault;
use crate::wire::problem::Kind;
use crate::wire::{Problem, Request};

/// All but the unreserved characters (RFC 3986 §2.3) is encoded in a query,
/// so that every decoder, form or URI, reads the same pairs in the same order.
const QUERY: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request that carries a secret. It can be forwarded, and nothing else:
///
/// ```compile_fail
/// fn log(outbound: countersign::proxy::inject::Outbound) {
///     println!("{outbound:?}");
/// }
/// ```
///
/// ```compile_fail
/// fn peek(outbound: &countersign::proxy::inject::Outbound) -> &http::HeaderMap {
///     &outbound.headers
/// }
/// ```
pub struct Outbound {
    pub(super) id: String,
    pub(super) method: Method,
    pub(super) url: Url,
    /// The URL with nothing of the credential in it, for links to start from.
    pub(super) shown: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) needles: Vec<Needle>,
    pub(super) used: Vec<Used>,
    /// How the caller may get the answer packed.
    pub(super) accepts: Accepts,
    /// Whether a part of the answer was asked for.
    pub(super) range: bool,
}

impl Outbound {
    /// The names and versions of the secrets that it carries.
    pub fn used(&self) -> &[Used] {
        &self.used
    }
}

impl Ready<'_, '_> {
    /// Arms the request for the upstream of its route.
    pub fn inject(self, vault: &Vault) -> Result<Outbound, Problem> {
        let Self { found, request } = self;
        let (route, upstream) = (found.route, &found.route.upstream);
        let mut armed = Armed::with(&upstream.credentials, vault)?;
        let (url, shown) = urls(&found, &request.query, &armed)?;
        let mut headers = route.request_headers.up(&request.headers, route.range);
        let range = headers.keys().any(is_range);
        for (name, value) in &upstream.headers {
            headers.insert(name, value.clone());
        }
        for (name, value) in std::mem::take(&mut armed.headers) {
            headers.insert(name, value);
        }
        // The guard has to read what comes back. Some upstreams pack it all the same.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let accepts = Accepts::of(&request.headers);
        let Armed { needles, used, .. } = armed;
        let Request { id, method, body, .. } = request;
        Ok(Outbound { id, method, url, shown, headers, body, needles, used, accepts, range })
    }
}

/// The URL to call, and the same without the credential: what an answer's
/// links are read against must hold no secret that could end up in ours.
fn urls(found: &Found<'_, '_>, sent: &[(String, String)], armed: &Armed) -> Result<(Url, Url), Problem> {
    let join = |path: &str, query: &str| {
        let url = found.route.upstream.base.join(path, query);
        url.ok_or_else(|| Problem::new(Kind::MalformedPath, "the path cannot be sent on without changing it"))
    };
    let sent = || {
        let replaced = |name: &str| armed.query.iter().any(|(known, _)| is_same_param(known, name));
        let others = sent.iter().filter(move |(name, _)| !replaced(name));
        others.map(|(name, value)| (name.as_str(), value.as_str()))
    };
    let secret = armed.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let value = |name: &str| armed.path.iter().find(|(param, _)| param == name).map(|(_, v)| v.as_str());
    let url = join(&fill(found, value)?, &encode_query(sent().chain(secret)))?;
    if armed.path.is_empty() && armed.query.is_empty() {
        return Ok((url.clone(), url));
    }
    let shown = join(&fill(found, |_| Some(REDACTED))?, &encode_query(sent()))?;
    Ok((url, shown))
}

/// The upstream's path with the caller's and the credential's values in it.
fn fill<'s>(found: &Found<'_, '_>, secret: impl Fn(&str) -> Option<&'s str>) -> Result<String, Problem> {
    let value = |name: &str| {
        let own = found.params.get(name).map(|segments| Cow::Owned(encode(segments)));
        own.or_else(|| secret(name).map(|value| Cow::Owned(encode_segment(value))))
    };
    let Some(path) = found.route.path.fill(value) else {
        return Err(Problem::new(Kind::Internal, "this route is not set up right")
            .because("a parameter of its path has no value"));
    };
    // `{path}` may end with a slash, and the template go on with one.
    if path.contains("//") {
        return Err(Problem::new(Kind::MalformedPath, "the path has an empty segment (`//`)"));
    }
    Ok(path)
}

/// Whether two names may mean one parameter: some frameworks read `API_KEY`
/// and `api_key[]` as `api_key`. The credential's own takes the place of the
/// caller's.
pub(super) fn is_same_param(known: &str, name: &str) -> bool {
    let bare = |name: &str| name.trim_end_matches("[]").to_ascii_lowercase();
    bare(known) == bare(name)
}

/// Pairs as a query, in their order.
pub(super) fn encode_query<'q>(pairs: impl Iterator<Item = (&'q str, &'q str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, &QUERY));
        text.push('=');
        text.extend(utf8_percent_encode(value, &QUERY));
    }
    text
}
