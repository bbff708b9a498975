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

use super::headers::is_range;
use super::path::encode_segment;
use super::route::Found;
use super::template::encode;
use super::validate::Valid;
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
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) needles: Vec<Needle>,
    pub(super) used: Vec<Used>,
    /// Whether a part of the answer was asked for.
    pub(super) range: bool,
}

impl Outbound {
    /// The names and versions of the secrets that it carries.
    pub fn used(&self) -> &[Used] {
        &self.used
    }
}

impl Valid<'_, '_> {
    /// Arms the request for the upstream of its route.
    pub fn inject(self, vault: &Vault) -> Result<Outbound, Problem> {
        let Self { found, request } = self;
        let (route, upstream) = (found.route, &found.route.upstream);
        let mut armed = Armed::with(&upstream.credentials, vault)?;
        let path = fill(&found, &armed)?;
        let query = encode_query(&request.query, &armed);
        let Some(url) = upstream.base.join(&path, &query) else {
            return Err(Problem::new(Kind::MalformedPath, "the path cannot be sent on without changing it"));
        };
        let mut headers = route.request_headers.up(&request.headers, route.range);
        let range = headers.keys().any(is_range);
        for (name, value) in &upstream.headers {
            headers.insert(name, value.clone());
        }
        for (name, value) in std::mem::take(&mut armed.headers) {
            headers.insert(name, value);
        }
        // The guard has to read what comes back.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let Armed { needles, used, .. } = armed;
        let Request { id, method, body, .. } = request;
        Ok(Outbound { id, method, url, headers, body, needles, used, range })
    }
}

/// The upstream's path with the caller's and the credential's values in it.
fn fill(found: &Found<'_, '_>, armed: &Armed) -> Result<String, Problem> {
    let value = |name: &str| {
        let secret = || armed.path.iter().find(|(param, _)| param == name);
        let own = found.params.get(name).map(|segments| Cow::Owned(encode(segments)));
        own.or_else(|| secret().map(|(_, value)| Cow::Owned(encode_segment(value))))
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

/// The caller's parameters in their order, then the credential's, which takes
/// the place of the caller's of that name: also of what some frameworks read
/// as that name, `API_KEY` and `api_key[]`.
fn encode_query(sent: &[(String, String)], armed: &Armed) -> String {
    let bare = |name: &'_ str| name.trim_end_matches("[]").to_ascii_lowercase();
    let same = |known: &str, name: &str| bare(known) == bare(name);
    let own = |name: &str| armed.query.iter().any(|(known, _)| same(known, name));
    let sent = sent.iter().filter(|(name, _)| !own(name)).map(|(name, value)| (name, value.as_str()));
    let secret = armed.query.iter().map(|(name, value)| (name, value.as_str()));
    let mut text = String::new();
    for (name, value) in sent.chain(secret) {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, &QUERY));
        text.push('=');
        text.extend(utf8_percent_encode(value, &QUERY));
    }
    text
}
