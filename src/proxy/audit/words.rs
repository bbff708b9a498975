//! A record in the words of OCSF 1.8: *API Activity* (6003),
//! <https://schema.ocsf.io/1.8.0/classes/api_activity>. What OCSF has no word for
//! is in `unmapped`. Fields stand in the order of RFC 8785, by name, and all
//! numbers are whole: the hash of a record is that of its line.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::super::cache::Outcome;
use super::super::guard::{Leak, Leaks};
use super::super::stream::End;
use super::Record;
use crate::credential::Used;
use crate::trail::Event;
use crate::trail::chain::{Attestation, Place};
use crate::trail::ocsf::{Metadata, Severity, millis};
use crate::wire::Trace;

/// Stands where nothing was found out: no name in a file can be this.
const NOBODY: &str = "-";

/// API Activity: one request, and what became of it.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct ApiActivity<'r> {
    /// By the method. 1: POST, 2: GET and HEAD, 3: PUT and PATCH, 4: DELETE, 99: another one.
    activity_id: u8,
    activity_name: &'static str,
    actor: Actor<'r>,
    api: Api<'r>,
    attestation_list: [Attestation<'r>; 1],
    category_uid: u8,
    class_uid: u16,
    /// Milliseconds, to the end of the body.
    duration: u64,
    http_request: HttpRequest<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_response: Option<HttpResponse>,
    metadata: Metadata<'r>,
    /// The secrets that were used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource<'r>>,
    /// 4: a secret came back. 3: a problem of ours or of the upstream's. 2: refused. 1: neither.
    severity_id: u8,
    src_endpoint: Endpoint<'r>,
    /// The status that the caller got.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<String>,
    /// Why it ended early, in words that the caller did not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'r str>,
    /// 1: success, 2: failure, 0: it is only about to be sent (`audit.mode: strict`).
    status_id: u8,
    /// When it came in: milliseconds since 1970.
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Traced>,
    type_uid: u32,
    unmapped: Unmapped<'r>,
}

/// Who called.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Actor<'r> {
    /// The entry of `callers`; `-` where the route was not granted.
    app_name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idp: Option<Idp<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'r>>,
}

/// Who has issued the token that was shown.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Idp<'r> {
    /// The entry of `issuers`.
    name: &'r str,
}

/// The human who is accountable.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct User<'r> {
    /// What the claim says that the caller's rule names (`human`); the `sub` of a token that fits none.
    uid: &'r str,
}

/// What was called.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Api<'r> {
    /// The entry of `routes`; `-` where none was found.
    operation: &'r str,
    request: RequestId<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<ApiResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Service<'r>>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct RequestId<'r> {
    /// What the gateway calls it, and a problem's `request_id`.
    uid: &'r str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct ApiResponse {
    /// The status that the caller got.
    code: u16,
    /// The `code` of the problem, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Service<'r> {
    /// The entry of `upstreams` that a call was armed for.
    name: &'r str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct HttpRequest<'r> {
    /// Bytes.
    body_length: usize,
    /// `origin` and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_headers: Option<[Header<'r>; 1]>,
    #[serde(skip_serializing_if = "str::is_empty")]
    http_method: &'r str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Header<'r> {
    name: &'static str,
    value: &'r str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct HttpResponse {
    /// Bytes that the caller got.
    body_length: usize,
    code: u16,
}

/// A secret that was used.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Resource<'r> {
    /// The entry of `secrets`, with its field: `github.token`.
    name: &'r str,
    /// `secret`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The version's id in Secrets Manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'r str>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Endpoint<'r> {
    /// The caller's address, as the gateway says it.
    #[serde(skip_serializing_if = "str::is_empty")]
    ip: &'r str,
}

/// Where it stands in a trace: what the caller or the gateway says, and the step that it is.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Traced {
    span: Span,
    /// 16 bytes in hexadecimal digits: the `trace-id` of W3C.
    uid: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Span {
    /// Milliseconds since 1970.
    end_time: u64,
    /// The step that called us: 8 bytes in hexadecimal digits, as is ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_uid: Option<String>,
    start_time: u64,
    uid: String,
}

/// What OCSF has no word for.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Unmapped<'r> {
    /// The id of the API key that the gateway took. Not its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<&'r str>,
    /// What the route's cache had to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<Outcome>,
    /// Microseconds, to the end of the body.
    duration_us: u64,
    /// Whether a secret had to be cut out of the answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    leak: bool,
    /// Which, where, and how it was written.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    leaked: Vec<&'r Leak>,
    /// What the route's meters read of the upstream's answer, rounded down.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meters: &'r BTreeMap<String, u64>,
    /// Which of several things a problem is: why a token was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Whether the upstream refused the first key, and it was sent once more with a new one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    renewed: bool,
    /// How often it was sent again.
    #[serde(skip_serializing_if = "is_zero")]
    retries: u8,
    /// The secrets that could not be read again: the value before was used.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stale: &'r [String],
    /// How a body that was streamed came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<End>,
    /// What the upstream said.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<u16>,
    /// Microseconds that it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_us: Option<u64>,
    /// The code that it would have been refused with by a rule that is only observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_deny: Option<&'static str>,
}

impl Event for Record<'_> {
    fn words<'e>(&'e self, place: &'e Place<'e>) -> impl Serialize + 'e {
        let (activity_id, activity_name) = activity(&self.method);
        let sent = 0 < self.status;
        ApiActivity {
            activity_id,
            activity_name,
            actor: Actor {
                app_name: self.caller.as_deref().unwrap_or(NOBODY),
                idp: self.issuer.as_deref().map(|name| Idp { name }),
                user: self.human.as_deref().map(|uid| User { uid }),
            },
            api: Api {
                operation: self.route.as_deref().unwrap_or(NOBODY),
                request: RequestId { uid: &self.request_id },
                response: sent.then_some(ApiResponse { code: self.status, error: self.code }),
                service: self.upstream.as_deref().map(|name| Service { name }),
            },
            attestation_list: place.attestation(),
            category_uid: 6,
            class_uid: 6003,
            duration: self.took.as_millis() as u64,
            http_request: HttpRequest {
                body_length: self.bytes_in,
                http_headers: self.origin.as_deref().map(|value| [Header { name: "origin", value }]),
                http_method: &self.method,
            },
            http_response: sent.then_some(HttpResponse { body_length: self.bytes_out, code: self.status }),
            metadata: Metadata::at(place, Some(&self.request_id)),
            resources: self.secrets.iter().map(resource).collect(),
            severity_id: self.severity() as u8,
            src_endpoint: Endpoint { ip: &self.source },
            status_code: sent.then(|| self.status.to_string()),
            status_detail: self.cause.as_deref(),
            status_id: self.outcome(),
            time: millis(self.time),
            trace: self.trace.map(|trace| self.traced(trace)),
            type_uid: 600_300 + u32::from(activity_id),
            unmapped: self.unmapped(),
        }
    }

    fn ended(&self) -> SystemTime {
        self.time + self.took
    }
}

impl Record<'_> {
    fn traced(&self, trace: Trace) -> Traced {
        let span = Span {
            end_time: millis(self.time + self.took),
            parent_uid: trace.parent.map(|parent| parent.to_string()),
            start_time: millis(self.time),
            uid: trace.span.to_string(),
        };
        Traced { span, uid: trace.id.to_string() }
    }

    fn unmapped(&self) -> Unmapped<'_> {
        let micros = |took: Duration| took.as_micros() as u64;
        Unmapped {
            api_key_id: self.api_key_id.as_deref(),
            cache: self.cache,
            duration_us: micros(self.took),
            leak: self.leak,
            leaked: Leaks::iter(&self.leaked).collect(),
            meters: &self.meters,
            reason: self.reason,
            renewed: self.renewed,
            retries: self.retries,
            stale: &self.stale,
            stream: self.stream,
            upstream_status: self.upstream_status,
            upstream_us: self.upstream_took.map(micros),
            would_deny: self.would_deny,
        }
    }

    fn severity(&self) -> Severity {
        match self.code {
            _ if self.leak => Severity::High,
            Some(_) if 500 <= self.status || self.stream.is_some() => Severity::Medium,
            Some(_) => Severity::Low,
            None if self.would_deny.is_some() => Severity::Low,
            None => Severity::Informational,
        }
    }

    /// OCSF's `status_id`.
    fn outcome(&self) -> u8 {
        match self.status {
            0 => 0,
            1..400 if self.code.is_none() => 1,
            _ => 2,
        }
    }
}

/// OCSF's activity, by what HTTP says of a method.
fn activity(method: &str) -> (u8, &'static str) {
    match method {
        "POST" => (1, "Create"),
        "GET" | "HEAD" => (2, "Read"),
        "PUT" | "PATCH" => (3, "Update"),
        "DELETE" => (4, "Delete"),
        _ => (99, "Other"),
    }
}

fn resource(used: &Used) -> Resource<'_> {
    Resource { name: &used.name, kind: "secret", version: used.version.as_deref() }
}

fn is_zero(count: &u8) -> bool {
    *count == 0
}
