//! Stage 9: links that keep working.
//!
//! `location` and `link` lead to the upstream, where a page has no key. One
//! that some route of ours serves is rewritten to our own address; any other
//! is dropped, unless the route declares the header. Nothing here ever holds a
//! secret: the guard has cleaned the answer, and what relative references
//! start from was made without the credential.

use std::ptr;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use url::Url;
use url::form_urlencoded;

use super::Route;
use super::guard::{Clean, REDACTED};
use super::inject::{Outbound, encode_query};
use super::path::Path;
use super::pattern::Pattern;
use super::reshape::Shaped;
use super::route::Routes;
use super::stream::Passage;
use super::template::encode;
use super::weblink::{Link, values};
use crate::wire::Response;

/// What the links of one answer are read against.
pub struct Links<'p> {
    routes: &'p Routes,
    /// The route that the answer came through.
    route: &'p Route,
    /// What was asked of the upstream, without the credential.
    asked: Url,
    /// Our base URL; empty where nobody knows it, which makes links relative.
    ours: String,
}

impl<'p> Links<'p> {
    /// Links of the answer to `outbound`. `ours`: our base URL, where it is known.
    pub fn new(routes: &'p Routes, route: &'p Route, outbound: &Outbound, ours: Option<String>) -> Self {
        Self { routes, route, asked: outbound.shown.clone(), ours: ours.unwrap_or_default() }
    }

    /// The URL of ours for an absolute one of an upstream's, if a route serves it.
    pub(super) fn lead(&self, url: &str) -> Option<String> {
        let absolute = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
        if absolute { self.ours(url) } else { None }
    }

    /// The response, whose `location` and `link` lead to us; and the rest of
    /// it, where its body is still to come.
    pub fn rewrite(&self, shaped: Shaped) -> (Response, Option<Passage>) {
        let Clean { status, mut headers, body, passage, .. } = shaped.0;
        for name in [header::LOCATION, header::LINK] {
            let lines: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
            headers.remove(&name);
            for line in lines.iter().filter_map(|line| self.line(&name, line)) {
                headers.append(&name, line);
            }
        }
        (Response::new(status, headers, body), passage)
    }

    /// One header line, or what is left of it. Where the route declares the
    /// header, what no route serves passes as it came.
    fn line(&self, name: &HeaderName, line: &HeaderValue) -> Option<HeaderValue> {
        let declared = self.route.response_headers.names(name);
        let kept = |text: &str| (declared && !is_redacted(text)).then(|| text.to_owned());
        // Some upstreams write titles in plain UTF-8; other bytes are no link we can read.
        let Ok(text) = std::str::from_utf8(line.as_bytes()) else { return declared.then(|| line.clone()) };
        let text = if *name == header::LINK {
            let links = values(text).into_iter().filter_map(|value| self.link(value).or_else(|| kept(value)));
            Some(links.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
        } else {
            self.ours(text).or_else(|| kept(text))
        };
        HeaderValue::from_bytes(text?.as_bytes()).ok()
    }

    fn link(&self, value: &str) -> Option<String> {
        let Link { target, params } = Link::parse(value)?;
        self.ours(target).map(|ours| format!("<{ours}>{params}"))
    }

    /// The URL of ours that leads where `reference` does, if there is one. The
    /// answer's own route goes first, then those to the same upstream: a link
    /// should not change the credential.
    fn ours(&self, reference: &str) -> Option<String> {
        let url = self.asked.join(reference).ok()?;
        let mut routes: Vec<_> = self.routes.placed().collect();
        routes.retain(|(_, route)| route.methods.contains(&Method::GET));
        routes.sort_by_key(|(_, route)| {
            (!ptr::eq(*route, self.route), !Arc::ptr_eq(&route.upstream, &self.route.upstream))
        });
        let target = routes.into_iter().find_map(|(pattern, route)| self.served(pattern, route, &url))?;
        Some(format!("{}{target}", self.ours))
    }

    /// Path, query and fragment of ours for a URL that this route serves.
    fn served(&self, pattern: &Pattern, route: &Route, url: &Url) -> Option<String> {
        let mut target = own_path(pattern, route, url)?;
        if !self.leads_to(route, &target) {
            return None;
        }
        let query = own_query(route, url)?;
        for (mark, text) in
            [('?', Some(query.as_str()).filter(|query| !query.is_empty())), ('#', url.fragment())]
        {
            target.extend(text.map(|text| format!("{mark}{text}")));
        }
        (!is_redacted(&target)).then_some(target)
    }

    /// Whether a GET of this path would come to this route, and not to one
    /// that is more exact.
    fn leads_to(&self, route: &Route, path: &str) -> bool {
        let Ok(path) = Path::parse(path) else { return false };
        let found = self.routes.find(&Method::GET, &path);
        self.routes.check_slashes(&path).is_ok() && found.is_ok_and(|found| ptr::eq(found.route, route))
    }
}

/// The path of ours that the route sends on as this URL's. The credential's
/// parameters have no place in ours, and are left behind here.
fn own_path(pattern: &Pattern, route: &Route, url: &Url) -> Option<String> {
    let path = route.upstream.base.under(url)?;
    let values = route.path.recover(path, |name| pattern.is_rest(name))?;
    pattern.fill(|name| {
        let (_, value) = values.iter().find(|(known, _)| *known == name)?;
        let value = format!("/{value}");
        Some(encode(Path::parse(&value).ok()?.segments()))
    })
}

/// The query that the route takes for this URL's. The credential's own
/// parameter is left behind.
fn own_query(route: &Route, url: &Url) -> Option<String> {
    let query = url.query().unwrap_or_default();
    // The parser would put U+FFFD where bytes are no text.
    percent_decode_str(query).decode_utf8().ok()?;
    let own = |name: &str| route.upstream.credentials.iter().any(|recipe| recipe.owns_query(name));
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !own(name)).collect();
    let declared =
        |name: &str| route.rules.query.as_ref().is_none_or(|names| names.iter().any(|n| n == name));
    let fits = pairs.iter().all(|(name, _)| declared(name));
    fits.then(|| encode_query(pairs.iter().map(|(name, value)| (&**name, &**value))))
}

/// Whether the guard had to cut something out of it.
fn is_redacted(text: &str) -> bool {
    percent_decode_str(text).decode_utf8_lossy().contains(REDACTED)
}
