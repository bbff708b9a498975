//! The file as it is written. The comments here are the manual: the
//! reference in `docs/` and the JSON Schema for editors are made from them.
//!
//! Nothing is required by these types, so that one missing word does not
//! hide the next flaw: what must be there is said in `check`.

use std::collections::BTreeMap;

use serde::Deserialize;
use validator::Validate;

pub use super::audit::{Audit, AuditMode};
pub use super::credentials::{Credential, Entry};
use super::fields::{Duration, Names, OneOrMany, Parsed, Size};
use super::flaw::Flaw;
pub use super::identity::{Caller, Issuer, Plan};
use super::schemas::{Query, SchemaText};
use crate::body::schema::Files;
use crate::identity::Keys;
use crate::proxy::cors::OriginPattern;
use crate::proxy::forward::BaseUrl;
use crate::proxy::pattern::{RouteKey, Verb};
use crate::proxy::template::Template;

/// `countersign.yaml`: who may call what, and with which credential we call on.
/// Everything is denied unless it is declared here.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// The version of this grammar: `1`.
    #[validate(range(
        min = 1,
        max = 1,
        message = "this version of the grammar is not known; write `version: 1`"
    ))]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub version: Option<u32>,
    /// Where each secret is kept: our name for it, and its name or ARN in AWS Secrets Manager.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<super::schema::Name, Secret>"))]
    pub secrets: BTreeMap<String, Secret>,
    /// The third-party APIs that routes lead to.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<super::schema::Name, Upstream>"))]
    pub upstreams: BTreeMap<String, Upstream>,
    /// Which web pages may call. Without it, none may.
    pub cors: Option<Cors>,
    /// Those whose tokens we trust: OpenID Connect issuers. Nobody else's are looked at.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<super::schema::Name, Issuer>"))]
    pub issuers: BTreeMap<String, Issuer>,
    /// Who calls. Routes name the callers that they are open to.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<super::schema::Name, Caller>"))]
    pub callers: BTreeMap<String, Caller>,
    /// Usage plans that callers are put in.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<super::schema::Name, Plan>"))]
    pub plans: BTreeMap<String, Plan>,
    /// How records are kept.
    pub audit: Option<Audit>,
    /// What may be called: a method and a path of ours, in API Gateway's notation.
    /// `{name}` stands for one segment, `{name+}` for the rest of the path, `ANY` for every method.
    /// An exact segment wins over `{name}`, that over `{name+}`.
    #[serde(default)]
    pub routes: BTreeMap<Parsed<RouteKey>, Route>,
    /// The files beside this one that schemas are in.
    #[serde(skip)]
    pub files: Files,
    /// The keys of issuers that are pinned: for each issuer's name the JWKS beside this file.
    #[serde(skip)]
    pub keys: BTreeMap<String, Keys>,
    /// What is no flaw, and what whoever runs this should know all the same.
    #[serde(skip)]
    pub warnings: Vec<Flaw>,
}

/// Where a secret is kept.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SecretPlace {
    /// Its name or ARN in AWS Secrets Manager.
    #[validate(length(
        min = 1,
        max = 2048,
        message = "this names no secret; write its name or ARN in Secrets Manager"
    ))]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub id: Option<String>,
    /// What its value looks like: a regular expression such as `^ghp_`. A value that does not fit is
    /// refused at start, which catches a pasted wrong key; one that a rotation brings later is not used.
    /// For a JSON secret each field that is used is checked.
    pub expect: Option<String>,
    /// The age after which it is read again, such as `1h`, beside the next request. Default: not for its age;
    /// what an upstream refuses with 401 or 403 is read again either way.
    pub refresh: Option<Duration>,
}

/// A secret: its name or ARN in AWS Secrets Manager, or that with more said about it.
#[derive(Debug)]
pub enum Secret {
    /// Only the name or ARN.
    Id(String),
    /// With more said about it.
    Place(SecretPlace),
}

/// A third-party API.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(extend("anyOf" = [{ "required": ["url"] }, { "required": ["preset"] }])))]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// A widespread API, such as `github`: `url`, `headers`, `bad_key` and what a key looks like are then known, and
    /// `credential` is only the secret. What stands beside it goes first. `countersign presets` lists them.
    #[cfg_attr(feature = "cli", schemars(with = "Option<super::schema::Preset>"))]
    pub preset: Option<String>,
    /// Its base URL, such as `https://api.github.com` or `https://api.example.com/v2`.
    /// No request can move its scheme, host, port or base path. Required, unless a `preset` knows it.
    pub url: Option<Parsed<BaseUrl>>,
    /// How we prove ourselves: one recipe, or a list of recipes that all apply; or a list whose entries say `for` whom
    /// or `when` they are, of which the first that fits applies. With a `preset`, the secret alone: `github.token`.
    #[cfg_attr(feature = "cli", schemars(with = "Option<super::schema::Proof>"))]
    pub credential: Option<OneOrMany<Entry>>,
    /// What the secrets that `credential` names look like: a regular expression such as `^ghp_`. What a secret itself
    /// expects goes first. Default: what the `preset` knows, where `credential` is only the secret.
    pub expect: Option<String>,
    /// The statuses by which it says that a key is bad; the secret is then read again. Default: those of the `preset`,
    /// or `[401, 403]`.
    #[cfg_attr(feature = "cli", schemars(with = "Option<Vec<super::schema::Refusal>>"))]
    pub bad_key: Option<Vec<u16>>,
    /// Headers that we set, over the caller's. No secrets: those belong in `credential`.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<String, super::schema::Text>"))]
    pub headers: BTreeMap<String, String>,
    /// How long the whole call may take, retries included. Never past the invocation's own deadline. Default: `25s`.
    pub timeout: Option<Duration>,
    /// How often a call that failed is tried again, with jittered backoff within `timeout`: when no answer came, or
    /// on 502, 503 and 504; only GET, HEAD, PUT and DELETE (RFC 9110 §9.2.2). Default: `1`.
    #[validate(range(max = 5, message = "more than 5 retries make an outage worse; write 0 to 5"))]
    pub retries: Option<u8>,
    /// Accepts an `http://` URL. The credential then crosses the network in the clear: for a private network only.
    #[serde(default)]
    pub dangerous_plain_http: bool,
    /// Lets the URL's host be at a private, loopback, link-local or metadata address. Whoever controls that
    /// name's DNS then chooses which of your machines receives the credential.
    #[serde(default)]
    pub dangerous_private_network: bool,
}

/// Which web pages may call (Fetch standard, CORS protocol). An origin is no identity:
/// programs other than browsers can claim any.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins such as `https://app.example.com`; `https://*.preview.example.com` stands for any one label in
    /// the place of the star; `"*"` for every page of the web, only without `credentials`.
    #[serde(default)]
    #[validate(length(min = 1, message = "no page may call; name at least one origin, or remove `cors`"))]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub origins: Vec<Parsed<OriginPattern>>,
    /// Whether pages may call with the browser's credentials mode `include`. Cookies never go upstream either way.
    #[serde(default)]
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight, in whole seconds. Browsers cap it (Chromium: `2h`).
    pub max_age: Option<Duration>,
}

/// One method and path of ours that may be called.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Narrows `ANY` to these methods. A route that serves GET serves HEAD too (RFC 9110 §9.1).
    #[validate(length(
        min = 1,
        message = "the route has no method; name at least one, or remove `methods`"
    ))]
    pub methods: Option<Vec<Parsed<Verb>>>,
    /// The callers that the route is open to.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub allow: Vec<String>,
    /// A jq program that must give exactly `true`, or the call is refused with 403. `.` and `$request` are both
    /// `{method, path, params, query, headers, caller}`; one that fails, refuses. `{ program: …, observe: true }` refuses
    /// nobody, and the record says whom it would have.
    pub when: Option<When>,
    /// The upstream that it leads to.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub upstream: Option<String>,
    /// The path there; `{name}` takes the value of the route's parameter, percent-encoded. Default: the route's own path.
    pub path: Option<Parsed<Template>>,
    /// What may be sent.
    #[serde(default)]
    pub request: Request,
    /// What comes back.
    #[serde(default)]
    pub response: Response,
    /// How long the whole call may take, instead of the upstream's `timeout`.
    pub timeout: Option<Duration>,
    /// `keep` lets `%2F` stay within one segment, as npm's scoped packages need it. Otherwise it is refused.
    pub encoded_slash: Option<EncodedSlash>,
    /// Lets `range` requests through. The two halves of an echoed secret, asked for one by one, would pass the guard.
    #[serde(default)]
    pub dangerous_range: bool,
}

/// What must hold of a request: a jq program, or that with more said about it.
#[derive(Debug)]
pub enum When {
    /// Only the program.
    Program(String),
    /// With more said about it.
    Condition(Condition),
}

/// What must hold of a request.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The jq program, which must give exactly `true`.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub program: Option<String>,
    /// Lets through what it would refuse; the record says `would_deny: condition_not_met`. To try a condition out
    /// before it counts. A program that does not end is refused all the same.
    #[serde(default)]
    pub observe: bool,
}

impl When {
    /// The program, and whether it is only observed. Where `check` has noted that there is none, it is
    /// one that gives no truth value, and denies.
    pub fn parts(&self) -> (&str, bool) {
        match self {
            Self::Program(program) => (program, false),
            Self::Condition(Condition { program, observe }) => {
                (program.as_deref().unwrap_or_default(), *observe)
            }
        }
    }
}

/// What to do with `%2F` in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EncodedSlash {
    /// It stays within its segment, and goes upstream as `%2F`.
    Keep,
}

/// What a caller may send.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The query parameters that may be sent; others are refused. `any`: all but the credential's own. A mapping gives
    /// each a JSON Schema, such as `{ page: { type: integer, maximum: 100 }, q: { type: string, required: true } }`: its
    /// text is read as the schema's `type` says, repeats only where that is `array`, and `required: true` says that it
    /// must be sent. What goes upstream stays as it was sent.
    #[serde(default)]
    pub query: Query,
    /// The headers that go upstream, next to `accept`, `accept-language`, `content-type` and `if-*`; others are
    /// dropped. `any`: all but the credential's own, those that never cross, and names with `_`.
    #[serde(default)]
    pub headers: Names,
    /// The types that a body may have, such as `application/json`, or `image/*` for all of a
    /// kind; others are refused. Default: any.
    #[validate(length(
        min = 1,
        message = "no body could be sent; name at least one type, or remove `content_types`"
    ))]
    pub content_types: Option<Vec<String>>,
    /// A jq program that must give exactly `false`, or the body is refused with 403: `.website != ""` for a field
    /// that people never see and robots fill in. It sees the body before `transform` (`null` where there is none),
    /// and `$request`.
    pub reject_if: Option<String>,
    /// A jq program that makes the body that goes upstream, out of the one that came: exactly one value. It sees
    /// `$request`. Forms are JSON by then; a request without a body is `null`. GET and HEAD without one stay so.
    pub transform: Option<String>,
    /// How the body goes upstream. Default: as it came, and as JSON where there is a `transform`.
    pub encode: Option<Encode>,
    /// The longest body. Default: `1MiB`. Lambda lets 6 MB of JSON through, headers and all: a binary body is
    /// base64 in it and ends at about 4.5 MB, text ends the earlier the more of its characters must be escaped.
    pub max_bytes: Option<Size>,
    /// What a body must look like: a JSON Schema as a mapping, or the path of its file (JSON or YAML) from this file on.
    /// Drafts 4, 6, 7, 2019-09 and 2020-12 by `$schema` (default: 2020-12); `format` is checked; `$ref` leads into files
    /// beside this one, never into the network; patterns have no look-around. A body that does not fit is answered
    /// with 422 and every place.
    pub schema: Option<SchemaText>,
}

/// How a body is written for the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Encode {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`: what is nested is `a[b]=…`, a list repeats its name.
    Form,
}

/// What becomes of an upstream's 4xx and 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// Their bodies pass as they are, secrets cut out.
    Pass,
    /// The caller learns the status, and nothing else.
    Hide,
    /// Their bodies go through `transform` too; `$status` tells them apart.
    Transform,
}

/// What a caller gets back.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The headers that come back, next to `content-type`, `content-language`, `cache-control`, `etag`,
    /// `last-modified`, `retry-after`, and `location` and `link` rewritten: a URL in them that a GET route here serves
    /// leads to that route instead, and any other is dropped. Named here, those two keep what could not be rewritten,
    /// as it came. Others are dropped. `any`: all but those that never cross.
    #[serde(default)]
    pub headers: Names,
    /// A jq program that makes the body that the caller gets, out of the upstream's JSON: one value for one, any
    /// number for each of several, for each line of NDJSON and for the data of each server-sent event. It sees
    /// `$request` and `$status`. For answers of 2xx; any other type is then refused with 502.
    pub transform: Option<String>,
    /// Numbers to read out of the upstream's answer, each by a name and a jq program: `{ tokens: .usage.total_tokens }`.
    /// They go into the record and into the metric `Meter.tokens`, rounded down; what is no number is not counted, and
    /// fails no request. A program sees the JSON before `transform`, `$request` and `$status`; of lines and server-sent
    /// events each, and the last number counts. What is metered comes down unpacked. At most 8.
    #[serde(default)]
    #[validate(length(max = 8, message = "each meter is metrics that cost money; write at most 8"))]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<super::schema::MeterName, String>", extend("maxProperties" = 8)))]
    pub meter: BTreeMap<String, String>,
    /// What becomes of an upstream's 4xx and 5xx. Default: `pass`.
    pub errors: Option<Errors>,
    /// Rewrites absolute URLs in the JSON of the answer that lead where a GET route here does, as `location` and
    /// `link` are.
    #[serde(default)]
    pub rewrite_urls: bool,
    /// The longest body, compressed ones once decoded. Default: `4MiB`. Lambda lets 6 MB of JSON through, headers
    /// and all: a binary answer is base64 in it and ends at about 4.5 MB, text ends the earlier the more of its
    /// characters must be escaped. Does not bound a body that is streamed.
    pub max_bytes: Option<Size>,
    /// What a body must look like, written as in `request`. An answer that does not fit is withheld with 502; the record
    /// says where it does not.
    pub schema: Option<SchemaText>,
    /// Lets only the fields through that `schema` declares: in `properties`, `patternProperties`, or
    /// `additionalProperties` with a schema of its own. A field that the upstream adds tomorrow stays here.
    #[serde(default)]
    pub project: bool,
    /// Keeps answers to GET in the function's memory, in whole seconds up to `1d`: how long an answer that says
    /// nothing of it is fresh. Where the upstream says so itself (`max-age`, `s-maxage`, `expires`), the shorter of
    /// the two counts. Later, an answer with an `etag` or `last-modified` is asked about, and kept on if it still
    /// holds. Each caller class has answers of its own. Never kept: what sets a cookie, is `private` or `no-store`,
    /// or had a secret cut out. Answers that the credential was needed for are kept all the same: that is for you to
    /// allow here. Each environment of the function has a cache of its own, and loses it when it ends.
    pub cache: Option<Duration>,
    /// Sends the body on as it arrives: server-sent events, lines of JSON, downloads. It needs
    /// `COUNTERSIGN_STREAMING=true`; without it, and where the upstream's status is not 2xx or its body is compressed,
    /// the body is kept until it is whole, up to `max_bytes`. `timeout` then bounds the wait for the answer's head, and
    /// after that each pause. AWS lets at most 200 MB of a streamed body through, for 15 minutes at most.
    #[serde(default)]
    pub stream: bool,
}
