//! Stage 6: adds the credential that the caller never sees.
//!
//! The URL is put together here, and only here: base, path, parameters, each
//! value encoded for its place; what comes out is compared with what a URL
//! parser reads, so that the string the policy saw is the string that is sent.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::Route;
use super::coding::Accepts;
use super::guard::REDACTED;
use super::headers::is_range;
use super::path::encode_segment;
use super::route::Found;
use super::template::encode;
use super::transform::Ready;
use crate::credential::{Armed, Carried, Credential, Draft, Means};
use crate::wire::Problem;
use crate::wire::client::Client;
use crate::wire::problem::Kind;
use crate::wire::trace::{TRACEPARENT, TRACESTATE};

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
    /// Shared with whoever wants to know it once this is sent.
    pub(super) carried: Arc<Carried>,
    /// The client that shows our certificate, where there is one to show.
    pub(super) client: Option<Client>,
    /// How the caller may get the answer packed.
    pub(super) accepts: Accepts,
    /// Whether a part of the answer was asked for.
    pub(super) range: bool,
}

impl Ready<'_, '_> {
    /// Arms the request for the upstream of its route: values first, and then
    /// the signatures over all that goes out. May be done again, with what the
    /// vault knows by then.
    ///
    /// # Errors
    /// `condition_not_met`: no credential is for such a call. `secret_unavailable`:
    /// it cannot be had. What the caller sent has no place for it.
    pub async fn inject(&self, means: &Means<'_>) -> Result<Outbound, Problem> {
        let Self { found, about, class, request } = self;
        let (route, upstream) = (found.route, &found.route.upstream);
        let recipes = upstream.credentials.choose(class, about).await?;
        let armed = Armed::with(recipes, means).await?;
        let (mut url, shown) = urls(found, &request.query, &armed)?;
        let accepts = Accepts::of(&request.headers);
        let mut headers = route.request_headers.up(&request.headers, route.range);
        let range = headers.keys().any(is_range);
        if route.request_headers.names(&TRACEPARENT) {
            request.trace.pass_on(&mut headers);
        } else {
            headers.remove(TRACESTATE);
        }
        if armed.fills_body() && request.body.is_empty() {
            name_body(route, &mut headers)?;
        }
        // Some servers read `x_sign` and `x-sign` as one.
        let plain = |name: &HeaderName| name.as_str().replace('_', "-");
        for own in upstream.credentials.iter().flat_map(Credential::headers) {
            let same: Vec<_> = headers.keys().filter(|name| plain(name) == plain(own)).cloned().collect();
            same.iter().for_each(|name| drop(headers.remove(name)));
        }
        for (name, value) in upstream.headers.iter().chain(armed.headers.iter().map(|(n, v)| (n, v))) {
            headers.insert(name, value.clone());
        }
        // The guard has to read what comes back. Some upstreams pack it all the same.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (id, method, mut body) = (request.id.clone(), request.method.clone(), request.body.clone());
        let draft = Draft { id: &id, method: &method, url: &mut url, headers: &mut headers, body: &mut body };
        armed.seal(draft, means)?;
        let (client, carried) = (armed.client, Arc::new(armed.carried));
        Ok(Outbound { id, method, url, shown, headers, body, carried, client, accepts, range })
    }
}

/// Says what a body is that has only the credential in it: what the route writes,
/// or what the caller says, which nobody has judged where there was no body.
fn name_body(route: &Route, headers: &mut HeaderMap) -> Result<(), Problem> {
    let named = match route.of_request.encode {
        Some(encode) => Some(encode.content_type()),
        None if headers.contains_key(header::CONTENT_TYPE) => return route.rules.check_type(headers),
        None => route.rules.writable_type(),
    };
    if let Some(named) = named {
        headers.insert(header::CONTENT_TYPE, named);
    }
    Ok(())
}

/// The URL to call, and the same without the credential: what an answer's
/// links are read against must hold no secret that could end up in ours.
fn urls(found: &Found<'_, '_>, sent: &[(String, String)], armed: &Armed<'_>) -> Result<(Url, Url), Problem> {
    let upstream = &found.route.upstream;
    let join = |path: &str, query: &str| {
        let url = upstream.base.join(path, query);
        url.ok_or_else(|| Problem::new(Kind::MalformedPath, "the path cannot be sent on without changing it"))
    };
    let sent = || {
        let owned = |name: &str| upstream.credentials.iter().any(|recipe| recipe.owns_query(name));
        let others = sent.iter().filter(move |(name, _)| !owned(name));
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
