//! From the file as it is written, and checked, to something that runs.
//!
//! Nothing is judged here: `check` has found every flaw before. Where a name
//! leads nowhere all the same, that is a bug of ours and is said so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use regex_lite::Regex;

use super::check::schemas;
use super::credentials::Credential as Recipe;
use super::declared::{self, AuditMode, Declared};
use super::fields::{Names, Size};
use super::recipes;
use super::schemas::{Query, SchemaText};
use super::trust::Trusted;
use crate::body::jq::{Message, Program};
use crate::body::schema::{Files, Schema};
use crate::credential::Credential;
use crate::proxy::Route;
use crate::proxy::authorize::{Class, Condition, Policy};
use crate::proxy::cors::Cors;
use crate::proxy::forward::{BAD_KEY, Upstream};
use crate::proxy::headers::Allowed;
use crate::proxy::known::Known;
use crate::proxy::meter::Meter;
use crate::proxy::parameters::Parameters;
use crate::proxy::pattern::{METHODS, RouteKey};
use crate::proxy::reshape::{Errors, OfAnswer};
use crate::proxy::route::Routes;
use crate::proxy::template::Template;
use crate::proxy::transform::{Encode, OfRequest};
use crate::proxy::validate::{MediaRange, Rules};
use crate::secret::vault::Wanted;

/// API Gateway hangs up after 29 s; we say what happened before it does.
const TIMEOUT: Duration = Duration::from_secs(25);
/// One stale connection, or one hiccup, is no reason to bother a caller.
const RETRIES: u8 = 1;
/// The longest body of a request that declares no other.
const REQUEST_BYTES: usize = 1 << 20;
/// The longest answer of a route that declares no other: as base64 it still
/// fits into the 6 MB that Lambda lets through.
const RESPONSE_BYTES: usize = 4 << 20;

/// All that a file declares, ready to run once the secrets are there.
pub struct Blueprint {
    /// Which pages may call.
    pub cors: Cors,
    /// What may be called.
    pub routes: Routes,
    /// The secrets that routes need, and what each must look like.
    pub wanted: Vec<Wanted>,
    /// The hosts that may be at private addresses.
    pub private_hosts: BTreeSet<String>,
    /// Whether nothing is sent before a record of it is written down.
    pub strict: bool,
    /// Whose tokens are taken.
    pub issuers: Vec<Trusted>,
    /// Whether metrics are written to standard output.
    pub metrics: bool,
    /// The upstream that wants to know whom the function is at AWS, if one does.
    pub aws_upstream: Option<String>,
}

/// What a checked declaration does not say, although it must.
pub(super) type Gap = String;
type Secrets = BTreeMap<String, declared::Secret>;
/// What the secrets of an upstream look like, where they do not say so themselves.
type Expected = BTreeMap<String, String>;

impl Blueprint {
    /// Puts together what a checked file declares.
    pub fn new(declared: Declared) -> Result<Self, Gap> {
        let private_hosts = declared.upstreams.values().filter(|upstream| upstream.dangerous_private_network);
        let private_hosts = private_hosts.flat_map(hosts).collect();
        let mut upstreams = BTreeMap::new();
        let expected = declared.upstreams.iter();
        let expected = expected.filter_map(|(name, upstream)| Some((name.clone(), upstream.expect.clone()?)));
        let expected: Expected = expected.collect();
        for (name, upstream) in declared.upstreams {
            let timeout = upstream.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.0);
            upstreams.insert(name.clone(), (Arc::new(build_upstream(name, upstream)?), timeout));
        }
        let classes: BTreeMap<String, Class> = declared
            .callers
            .into_iter()
            .map(|(name, caller)| {
                let rule = caller.rule();
                (name.clone(), Class { name, anonymous: caller.anonymous, rule, observe: caller.observe })
            })
            .collect();
        let files = Arc::new(declared.files);
        let mut routes = Vec::new();
        for (key, mut route) in declared.routes {
            let (upstream, timeout) = lookup(&upstreams, route.upstream.as_deref())?;
            let policy = build_policy(&route.allow, &classes, route.when.take())?;
            let pattern = key.0.pattern().clone();
            routes.push((
                pattern,
                build_route(key.0, route, policy, (Arc::clone(upstream), *timeout), &files)?,
            ));
        }
        let routes = Routes::new(routes);
        let wanted = wanted(&routes, &declared.secrets, &expected)?;
        let aws = |route: &&Route| route.upstream.credentials.iter().any(Credential::needs_role);
        let aws_upstream = routes.iter().find(aws).map(|route| route.upstream.name.clone());
        let audit = declared.audit.unwrap_or_default();
        let strict = audit.mode == Some(AuditMode::Strict);
        let metrics = audit.metrics.unwrap_or(true);
        Ok(Self {
            issuers: Trusted::all(declared.issuers, declared.keys)?,
            cors: build_cors(declared.cors),
            routes,
            wanted,
            private_hosts,
            strict,
            metrics,
            aws_upstream,
        })
    }
}

fn lookup<'m, V>(map: &'m BTreeMap<String, V>, name: Option<&str>) -> Result<&'m V, Gap> {
    name.and_then(|name| map.get(name))
        .ok_or_else(|| format!("`{}` is not declared", name.unwrap_or_default()))
}

fn build_cors(declared: Option<declared::Cors>) -> Cors {
    let declared = declared.unwrap_or_default();
    let origins = declared.origins.into_iter().map(|origin| origin.0).collect();
    Cors::new(origins, declared.credentials, declared.max_age.map(|age| age.0))
}

fn build_policy(
    allow: &[String],
    classes: &BTreeMap<String, Class>,
    when: Option<declared::When>,
) -> Result<Policy, Gap> {
    let when = when.map(|when| {
        let (program, observe) = when.parts();
        Condition { program: Program::new(program, Message::Request), observe }
    });
    let allowed: Result<Vec<Class>, Gap> =
        allow.iter().map(|name| lookup(classes, Some(name)).cloned()).collect();
    allowed.map(|classes| Policy::new(classes, when))
}

/// Where an upstream is, and those who give out its tokens.
fn hosts(upstream: &declared::Upstream) -> Vec<String> {
    let own = upstream.url.iter().map(|url| url.0.host());
    let recipes = upstream.credential.iter().flat_map(|entries| &entries.0).flat_map(|entry| &entry.recipes);
    let tokens = recipes.filter_map(|recipe| match recipe {
        Recipe::Oauth2(recipe) => recipe.host(),
        Recipe::Jwt(recipe) => recipe.host(),
        Recipe::GithubApp(recipe) => recipe.host(),
        _ => None,
    });
    own.chain(tokens).map(str::to_owned).collect()
}

fn build_upstream(name: String, declared: declared::Upstream) -> Result<Upstream, Gap> {
    let Some(base) = declared.url else { return Err(format!("upstream `{name}` has no url")) };
    let mut headers = HeaderMap::new();
    for (name, value) in &declared.headers {
        headers.insert(header_name(name)?, header_value(name, value)?);
    }
    Ok(Upstream {
        name,
        credentials: recipes::build(
            declared.credential.map(|entries| entries.0).unwrap_or_default(),
            &base.0,
        )?,
        base: base.0,
        headers,
        retries: declared.retries.unwrap_or(RETRIES),
        bad_key: bad_key(declared.bad_key)?,
        known: Known::default(),
    })
}

fn bad_key(declared: Option<Vec<u16>>) -> Result<Vec<StatusCode>, Gap> {
    let Some(declared) = declared else { return Ok(BAD_KEY.to_vec()) };
    let statuses = declared.into_iter().map(StatusCode::from_u16).collect::<Result<_, _>>();
    statuses.map_err(|_| "a `bad_key` is no status".to_owned())
}

fn build_route(
    key: RouteKey,
    declared: declared::Route,
    policy: Policy,
    (upstream, timeout): (Arc<Upstream>, Duration),
    files: &Arc<Files>,
) -> Result<Route, Gap> {
    let path = match declared.path {
        Some(path) => path.0,
        None => Template::own(key.pattern())?,
    };
    let (request, response) = (declared.request, declared.response);
    let of_request = OfRequest {
        program: request.transform.map(|text| Program::new(text, Message::Request)),
        encode: request.encode.map(build_encode),
    };
    let of_answer = OfAnswer {
        schema: build_schema(response.schema, files)?,
        project: response.project,
        program: response.transform.map(|text| Arc::new(Program::new(text, Message::Answer))),
        meters: response.meter.into_iter().map(build_meter).collect(),
        errors: build_errors(response.errors),
        rewrite_urls: response.rewrite_urls,
        max_bytes: response.max_bytes.map_or(RESPONSE_BYTES, |size| size.0),
    };
    let mut rules = build_rules(request.query, request.content_types, request.max_bytes, files);
    rules.schema = build_schema(request.schema, files)?;
    rules.reject_if = request.reject_if.map(|text| Program::new(text, Message::Request));
    let programs = [of_request.program.as_ref(), of_answer.program.as_deref(), rules.reject_if.as_ref()];
    let meters = of_answer.meters.iter().map(|meter| &meter.program);
    let asks = policy.has_condition()
        || upstream.credentials.asks()
        || programs.into_iter().flatten().chain(meters).any(Program::asks_for_request);
    Ok(Route {
        methods: methods(
            &key,
            declared.methods.map(|verbs| verbs.into_iter().map(|verb| verb.0.0).collect()),
        ),
        any: key.method().is_none(),
        keeps_encoded_slash: declared.encoded_slash.is_some(),
        policy,
        rules,
        request_headers: build_names(request.headers)?,
        range: declared.dangerous_range,
        upstream,
        path,
        timeout: declared.timeout.map_or(timeout, |timeout| timeout.0),
        response_headers: build_names(response.headers)?,
        of_request,
        of_answer,
        asks,
        cache: response.cache.map(|lifetime| lifetime.0),
        stream: response.stream,
        key: key.text().to_owned(),
    })
}

fn build_meter((name, text): (String, String)) -> Meter {
    Meter { name, program: Program::new(text, Message::Answer) }
}

fn build_encode(declared: declared::Encode) -> Encode {
    match declared {
        declared::Encode::Json => Encode::Json,
        declared::Encode::Form => Encode::Form,
    }
}

fn build_errors(declared: Option<declared::Errors>) -> Errors {
    match declared {
        None | Some(declared::Errors::Pass) => Errors::Pass,
        Some(declared::Errors::Hide) => Errors::Hide,
        Some(declared::Errors::Transform) => Errors::Transform,
    }
}

fn build_rules(
    query: Query,
    content_types: Option<Vec<String>>,
    max_bytes: Option<Size>,
    files: &Arc<Files>,
) -> Rules {
    let (query, parameters) = match query {
        Query::Any => (None, None),
        Query::These(names) => (Some(names), None),
        Query::Judged(schemas) => {
            let parameters = Parameters::new(schemas, Arc::clone(files));
            (Some(parameters.names()), Some(parameters))
        }
    };
    let content_types = content_types.map(|types| types.iter().map(|text| MediaRange::new(text)).collect());
    let max_bytes = max_bytes.map_or(REQUEST_BYTES, |size| size.0);
    Rules { query, parameters, content_types, max_bytes, schema: None, reject_if: None }
}

fn build_schema(text: Option<SchemaText>, files: &Arc<Files>) -> Result<Option<Schema>, Gap> {
    let build = |text| schemas::build(&text, files).ok_or_else(|| "a schema's file was not read".to_owned());
    text.map(build).transpose()
}

fn methods(key: &RouteKey, narrowed: Option<Vec<Method>>) -> Vec<Method> {
    match key.method() {
        Some(method) => vec![method],
        None => narrowed.unwrap_or_else(|| METHODS.to_vec()),
    }
}

fn build_names(names: Names) -> Result<Allowed, Gap> {
    match names {
        Names::Any => Ok(Allowed::Any),
        Names::These(names) => {
            names.iter().map(|name| header_name(name)).collect::<Result<_, _>>().map(Allowed::These)
        }
    }
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, Gap> {
    name.parse().map_err(|_| format!("`{name}` is no header name"))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, Gap> {
    value.parse().map_err(|_| format!("the value of header `{name}` is not legal"))
}

/// Each value that some route's credential needs, once for each place it is put into.
fn wanted(routes: &Routes, secrets: &Secrets, expected: &Expected) -> Result<Vec<Wanted>, Gap> {
    let mut upstreams: Vec<&Upstream> = routes.iter().map(|route| &*route.upstream).collect();
    upstreams.sort_by_key(|upstream| &upstream.name);
    upstreams.dedup_by_key(|upstream| &upstream.name);
    let mut wanted = Vec::new();
    for upstream in upstreams {
        let expected = expected.get(&upstream.name).map(String::as_str);
        for (reference, slot, always_secret) in upstream.credentials.iter().flat_map(Credential::wants) {
            let place = lookup(secrets, Some(reference.name()))?;
            let (id, own, refresh) = match place {
                declared::Secret::Id(id) => (id.clone(), None, None),
                declared::Secret::Place(place) => {
                    let refresh = place.refresh.map(|age| age.0);
                    (place.id.clone().unwrap_or_default(), place.expect.as_deref(), refresh)
                }
            };
            let expect = own.or(expected).map(Regex::new).transpose();
            let expect = expect.map_err(|error| format!("`expect` of `{reference}`: {error}"))?;
            wanted.push(Wanted { reference: reference.clone(), id, expect, refresh, slot, always_secret });
        }
    }
    Ok(wanted)
}
