//! Routes: who may call them, where they lead, and that no two of them mean the same.

use std::time::Duration;

use http::Method;

use super::{
    Flaws, credentials, field_rules, flaw, headers, observed, programs, proving, refer, schemas, upstreams,
};
use crate::config::declared::{Declared, Request, Route, Upstream};
use crate::config::fields::{Parsed, Size};
use crate::config::schemas::Query;
use crate::config::tree::At;
use crate::proxy::pattern::{METHODS, RouteKey};
use crate::proxy::template::Template;

/// What Lambda takes in and gives back at most.
const LAMBDAS_LIMIT: usize = 6 * 1024 * 1024;

/// Lambda replaces environments within hours.
const LONGEST_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A route with its key, and where it stands.
pub(super) struct Placed<'a> {
    key: &'a RouteKey,
    pub(super) route: &'a Route,
    pub(super) at: At<'a>,
}

pub(super) fn check(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    let routes = root.key("routes");
    if !routes.is_written() || routes.names().next().is_none() {
        let help = "write one, such as `GET /my-path`";
        flaws.missing(&routes, "no route is declared, so nothing may be called", help);
    }
    let mut all: Vec<Placed<'_>> = Vec::new();
    for (Parsed(key), route) in &declared.routes {
        all.push(Placed { key, route, at: routes.key(key.text()) });
    }
    all.sort_by_key(|placed| (placed.at.key_place().line, placed.at.key_place().column));
    for placed in &all {
        one(placed, declared, root, flaws);
    }
    for (index, later) in all.iter().enumerate() {
        if let Some(first) = all.iter().take(index).find(|first| clash(first, later).is_some()) {
            alike(first, later, flaws);
        }
    }
}

fn one(placed: &Placed<'_>, declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    let Placed { key, route, at } = placed;
    field_rules(*route, at, flaws);
    allow(route, at, &root.key("callers"), flaws);
    match &route.upstream {
        Some(name) => refer(&at.key("upstream"), name, &root.key("upstreams"), flaws),
        None => {
            let help = "write `upstream:` and a name from `upstreams`";
            flaws.missing(&at.key("upstream"), "it is not said where this route leads", help);
        }
    }
    if route.methods.is_some() && key.method().is_some() {
        let help = "remove `methods`, or write `ANY` in the route's key";
        flaws.note(&at.key("methods"), "`methods` narrows `ANY`, and this route has its one method", help);
    }
    upstreams::patience(route.timeout, at, flaws);
    messages(route, at, flaws);
    observed::condition(route, at, flaws);
    programs::relations(route, at, flaws);
    schemas::shallow(route, at, flaws);
    cache(placed, flaws);
    let Some((name, upstream)) =
        route.upstream.as_ref().and_then(|name| declared.upstreams.get_key_value(name))
    else {
        return;
    };
    let request = at.key("request");
    credential_query(&request.key("query"), &route.request, upstream, flaws);
    proving::check(placed, upstream, flaws);
    headers::not_ours(&request.key("headers"), &route.request.headers, upstream, flaws);
    arrives(route, upstream, at, flaws);
    // What a flawed credential would put into the path is not known.
    let upstreams = root.key("upstreams");
    if !upstreams.key(name).key("credential").is_flawed_within() {
        path(placed, upstream, flaws);
    }
}

fn allow(route: &Route, at: &At<'_>, callers: &At<'_>, flaws: &mut Flaws) {
    let at = at.key("allow");
    if route.allow.is_empty() {
        let help = "write `allow:` and the callers that it is open to, or remove the route";
        flaws.missing(&at, "nobody may call this route", help);
    }
    for (item, name) in at.sound_items().iter().zip(&route.allow) {
        refer(item, name, callers, flaws);
    }
}

fn messages(route: &Route, at: &At<'_>, flaws: &mut Flaws) {
    let (request, response) = (at.key("request"), at.key("response"));
    field_rules(&route.request, &request, flaws);
    field_rules(&route.response, &response, flaws);
    headers::up(&request.key("headers"), &route.request.headers, route.dangerous_range, flaws);
    headers::down(&response.key("headers"), &route.response.headers, flaws);
    size(&request.key("max_bytes"), route.request.max_bytes, flaws);
    size(&response.key("max_bytes"), route.response.max_bytes, flaws);
    meters(&response.key("meter"), route, flaws);
    let types = request.key("content_types");
    for (item, text) in types.sound_items().iter().zip(route.request.content_types.iter().flatten()) {
        if !is_media_range(text) {
            let help = "write `type/subtype` such as `application/json`, or `type/*`, without parameters";
            flaws.note(item, "this is no media type", help);
        }
    }
}

fn size(at: &At<'_>, size: Option<Size>, flaws: &mut Flaws) {
    if size.is_some_and(|size| LAMBDAS_LIMIT < size.0) {
        flaws.note(
            at,
            "a function on Lambda neither gets nor answers more than 6 MiB",
            "write `6MiB` or less",
        );
    }
}

/// The names of meters become parts of the names of metrics.
fn meters(at: &At<'_>, route: &Route, flaws: &mut Flaws) {
    for name in route.response.meter.keys().filter(|name| !is_meter(name)) {
        let help = "write up to 31 small letters, digits and `_`, a letter first";
        flaws.note_key(&at.key(name), "this is no name of a meter", help);
    }
}

fn is_meter(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(legal) && name.len() <= 31
}

/// A cache that could never answer, or that could answer wrongly.
fn cache(placed: &Placed<'_>, flaws: &mut Flaws) {
    let Some(lifetime) = placed.route.response.cache else { return };
    let response = placed.at.key("response");
    let at = response.key("cache");
    if !methods(placed).contains(&Method::GET) {
        flaws.note(&at, "only answers to GET are kept, and this route serves none", "remove `cache`");
    }
    if placed.route.dangerous_range {
        let help = "remove `cache`, or `dangerous_range`";
        flaws.note(&at, "a part of an answer cannot be had from what is kept", help);
    }
    if lifetime.0.subsec_nanos() != 0 {
        flaws.note(&at, "this is counted in whole seconds", "write a duration such as `60s`");
    }
    if LONGEST_KEPT < lifetime.0 {
        flaws.note(&at, "no environment of a function lives that long", "write `1d` or less");
    }
}

/// `type/subtype` or `type/*` (RFC 9110 §8.3.1: both are tokens, as header names are).
fn is_media_range(text: &str) -> bool {
    let is_token = |part: &str| !part.contains('*') && part.parse::<http::HeaderName>().is_ok();
    text.split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && (subtype == "*" || is_token(subtype)))
}

/// The credential's own parameter is ours to send, in any spelling.
fn credential_query(at: &At<'_>, request: &Request, upstream: &Upstream, flaws: &mut Flaws) {
    let items = at.sound_items();
    let named: Vec<(At<'_>, &String)> = match &request.query {
        Query::Any => Vec::new(),
        Query::These(names) => items.into_iter().zip(names).collect(),
        Query::Judged(parameters) => parameters.keys().map(|name| (at.key(name), name)).collect(),
    };
    for (item, name) in &named {
        if credentials::recipes(upstream).any(|recipe| credentials::owns_query(recipe, name)) {
            flaws.note_key(item, "the upstream's credential is sent in this parameter", "remove it here");
        }
    }
}

/// A URL parser leaves the path alone; otherwise every call would be refused.
fn arrives(route: &Route, upstream: &Upstream, at: &At<'_>, flaws: &mut Flaws) {
    let (Some(url), Some(template)) = (&upstream.url, &route.path) else { return };
    let path = template.0.fill(|_| Some("x".into())).unwrap_or_default();
    if url.0.join(&path, "").is_none() {
        let what = "no call could be sent: a URL parser reads another path out of this one";
        flaws.note(&at.key("path"), what, "write the path that it leads to, without `%2e` for a dot");
    }
}

/// Every name in the upstream's path has a value, and the credential's is among them.
fn path(placed: &Placed<'_>, upstream: &Upstream, flaws: &mut Flaws) {
    let Placed { key, route, at } = placed;
    let at = at.key("path");
    let params: Vec<&str> = key.pattern().params().map(|(name, _)| name).collect();
    let mut own: Vec<&str> = credentials::recipes(upstream).filter_map(credentials::path_param).collect();
    own.dedup();
    let wanted: Vec<&str> = match &route.path {
        Some(template) => template.0.params().collect(),
        None => params.clone(),
    };
    if route.path.is_none()
        && let Err(text) = Template::own(key.pattern())
    {
        let what = flaw::split(&text).0;
        flaws.missing(&at, what, "write the upstream's own `path`, percent-encoded");
    }
    for name in wanted.iter().filter(|name| !params.contains(name) && !own.contains(name)) {
        let help = match flaw::nearest(name, params.iter().chain(&own).copied()) {
            Some(near) => format!("did you mean `{{{near}}}`?"),
            None => "write a parameter of the route's own path".to_owned(),
        };
        flaws.note(&at, format!("`{{{name}}}` has no value here"), help);
    }
    for name in own {
        if params.contains(&name) {
            let what = format!("`{{{name}}}` is where the upstream's credential goes");
            flaws.note_key(&placed.at, what, "give the route's parameter another name");
        } else if !wanted.contains(&name) {
            let help = format!("put `{{{name}}}` into `path`");
            flaws.missing(&at, "the upstream's credential has no place in this path", help);
        }
    }
}

/// Why two routes cannot stand beside each other.
enum Clash {
    /// They serve the same method at the same path.
    Same,
    /// They name the parameters of one path differently.
    Names,
}

fn clash(first: &Placed<'_>, later: &Placed<'_>) -> Option<Clash> {
    let (a, b) = (first.key, later.key);
    if !a.pattern().is_like(b.pattern()) {
        return None;
    }
    // A route that names its method goes before `ANY`.
    let comparable = a.method().is_some() == b.method().is_some();
    let (ours, others) = (methods(first), methods(later));
    if comparable && ours.iter().any(|method| others.contains(method)) {
        return Some(Clash::Same);
    }
    (a.pattern() != b.pattern()).then_some(Clash::Names)
}

/// The methods that a route serves.
pub(super) fn methods(placed: &Placed<'_>) -> Vec<Method> {
    match (placed.key.method(), &placed.route.methods) {
        (Some(method), _) => vec![method],
        (None, Some(methods)) => methods.iter().map(|Parsed(verb)| verb.0.clone()).collect(),
        (None, None) => METHODS.to_vec(),
    }
}

fn alike(first: &Placed<'_>, later: &Placed<'_>, flaws: &mut Flaws) {
    let other = format!("`{}` in line {}", first.key.text(), first.at.key_place().line);
    match clash(first, later) {
        None => {}
        Some(Clash::Same) => {
            let help = "remove one of the two, or make their paths or methods differ";
            flaws.note_key(&later.at, format!("this route matches the same requests as {other}"), help);
        }
        Some(Clash::Names) => {
            let help = "give the parameters the same names in both";
            flaws.note_key(&later.at, format!("this path is that of {other}, with other names"), help);
        }
    }
}
