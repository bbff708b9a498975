//! An answer that says no, as RFC 9457 words it.
//!
//! A problem has two faces: `detail` is for the caller and says what to do;
//! `cause` is for the record and says what happened. Neither ever holds a
//! secret, a URL of an upstream, or what a caller sent beyond its own words.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::Response;

/// What went wrong. Each kind has one status and one stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The path is ambiguous: dot segments, encoded slashes, control characters.
    MalformedPath,
    /// The event is none that we know. Not said of a bad request in a good event.
    MalformedEvent,
    /// A query parameter that the route does not declare, or one that does not fit its schema.
    QueryNotAllowed,
    /// The body cannot be parsed as what its type says it is.
    MalformedBody,
    /// The body was fit, and the route's own program could not reshape it.
    TransformFailed,
    /// The page's origin is not one of ours. Said before anything is looked up.
    OriginNotAllowed,
    /// Somebody is asking, and the route is not open to them.
    CallerNotAllowed,
    /// The route's own condition is not met, or cannot be evaluated.
    ConditionNotMet,
    /// Nobody is asking, and the route wants to know who.
    TokenMissing,
    /// Somebody shows a token that is none that we take.
    TokenInvalid,
    /// No route has this path.
    RouteNotFound,
    /// A route has this path, with other methods.
    MethodNotAllowed,
    /// The request's body is longer than the route takes.
    BodyTooLarge,
    /// The request's body is of a type that the route does not take.
    ContentTypeNotAllowed,
    /// The request's body does not fit the route's schema.
    InvalidBody,
    /// No connection, or one that broke before the answer was complete.
    UpstreamUnreachable,
    /// An answer that is no proper HTTP, or not the one we asked for.
    UpstreamInvalid,
    /// The upstream refused, and the route hides its words. Keeps the upstream's status.
    UpstreamRefused,
    /// The upstream's answer is longer than the route lets through.
    ResponseTooLarge,
    /// A leak that could not be cut out.
    ResponseWithheld,
    /// The upstream did not answer within the route's time.
    UpstreamTimeout,
    /// The credential could not be made ready; nothing was sent.
    SecretUnavailable,
    /// The keys of a token's issuer cannot be had, so nobody can say whether it is valid.
    IssuerUnavailable,
    /// The trail is strict, and the intent could not be written down; nothing was sent.
    AuditUnavailable,
    /// Our own fault.
    Internal,
}

impl Kind {
    /// Every kind, in the order of the manual.
    pub const ALL: [Self; 25] = [
        Self::MalformedPath,
        Self::MalformedEvent,
        Self::QueryNotAllowed,
        Self::MalformedBody,
        Self::TransformFailed,
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::OriginNotAllowed,
        Self::CallerNotAllowed,
        Self::ConditionNotMet,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::ContentTypeNotAllowed,
        Self::InvalidBody,
        Self::UpstreamUnreachable,
        Self::UpstreamInvalid,
        Self::UpstreamRefused,
        Self::ResponseTooLarge,
        Self::ResponseWithheld,
        Self::UpstreamTimeout,
        Self::Internal,
        Self::SecretUnavailable,
        Self::IssuerUnavailable,
        Self::AuditUnavailable,
    ];

    /// Status, code, title.
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedPath => (S::BAD_REQUEST, "malformed_path", "The path is malformed"),
            Self::MalformedEvent => (S::BAD_REQUEST, "malformed_event", "The event is not an HTTP request"),
            Self::QueryNotAllowed => {
                (S::BAD_REQUEST, "query_not_allowed", "A query parameter is not allowed")
            }
            Self::MalformedBody => (S::BAD_REQUEST, "malformed_body", "The body is malformed"),
            Self::TransformFailed => (S::BAD_REQUEST, "transform_failed", "The body could not be reshaped"),
            Self::TokenMissing => (S::UNAUTHORIZED, "token_missing", "A token is missing"),
            Self::TokenInvalid => (S::UNAUTHORIZED, "token_invalid", "The token is not valid"),
            Self::OriginNotAllowed => (S::FORBIDDEN, "origin_not_allowed", "This origin may not call"),
            Self::CallerNotAllowed => {
                (S::FORBIDDEN, "caller_not_allowed", "This caller may not use the route")
            }
            Self::ConditionNotMet => (S::FORBIDDEN, "condition_not_met", "The route's condition is not met"),
            Self::RouteNotFound => (S::NOT_FOUND, "route_not_found", "There is no such route"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "The route has no such method")
            }
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
            Self::ContentTypeNotAllowed => {
                (S::UNSUPPORTED_MEDIA_TYPE, "content_type_not_allowed", "The content type is not allowed")
            }
            Self::InvalidBody => (S::UNPROCESSABLE_ENTITY, "invalid_body", "The body is not valid"),
            Self::UpstreamUnreachable => {
                (S::BAD_GATEWAY, "upstream_unreachable", "The upstream cannot be reached")
            }
            Self::UpstreamInvalid => {
                (S::BAD_GATEWAY, "upstream_invalid", "The upstream's answer is not valid")
            }
            Self::UpstreamRefused => (S::BAD_GATEWAY, "upstream_refused", "The upstream refused the call"),
            Self::ResponseTooLarge => {
                (S::BAD_GATEWAY, "response_too_large", "The upstream's answer is too large")
            }
            Self::ResponseWithheld => {
                (S::BAD_GATEWAY, "response_withheld", "The upstream's answer was withheld")
            }
            Self::UpstreamTimeout => (S::GATEWAY_TIMEOUT, "upstream_timeout", "The upstream took too long"),
            Self::SecretUnavailable => {
                (S::SERVICE_UNAVAILABLE, "secret_unavailable", "A credential is not available")
            }
            Self::IssuerUnavailable => {
                (S::SERVICE_UNAVAILABLE, "issuer_unavailable", "The issuer cannot be asked")
            }
            Self::AuditUnavailable => {
                (S::SERVICE_UNAVAILABLE, "audit_unavailable", "The call cannot be recorded")
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
        }
    }

    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        self.facts().0
    }

    /// The stable code that programs may rely on.
    pub fn code(self) -> &'static str {
        self.facts().1
    }

    fn title(self) -> &'static str {
        self.facts().2
    }

    /// Whether the same request may fare better a little later.
    fn retryable(self) -> bool {
        matches!(
            self,
            Self::UpstreamUnreachable
                | Self::UpstreamTimeout
                | Self::SecretUnavailable
                | Self::IssuerUnavailable
                | Self::AuditUnavailable
        )
    }
}

/// One place of a request that is wrong, for a form to show at its field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The way to it: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong, without the value that is.
    pub detail: String,
}

/// A refusal or a failure, on its way to the caller and to the record.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

/// Boxed, because nearly every stage returns one and hardly ever does.
#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    detail: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    /// A finer code.
    reason: Option<&'static str>,
    errors: Vec<Place>,
    cause: Option<String>,
    header: Option<(HeaderName, HeaderValue)>,
    /// Instead of the kind's own.
    status: Option<StatusCode>,
    /// Whether the process must end once this is answered.
    last: bool,
}

impl Problem {
    /// A problem, with what the caller is told of it.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self(Box::new(Inner {
            kind,
            detail,
            hint: None,
            reason: None,
            errors: Vec::new(),
            cause: None,
            header: None,
            status: None,
            last: false,
        }))
    }

    /// Adds what the caller may try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds which of several things it is, as a stable code.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.0.reason = Some(reason);
        self
    }

    /// Adds every place that is wrong.
    #[must_use]
    pub fn errors(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        self.0.errors.extend(places);
        self
    }

    /// Adds what the record keeps and the caller is not told. No secret and
    /// no URL may be in it.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Adds a header that the status asks for, such as `allow` (RFC 9110 §15.5.6).
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Takes over the status of another's refusal.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Says that something still runs which only the end of the process ends.
    #[must_use]
    pub fn last(mut self) -> Self {
        self.0.last = true;
        self
    }

    /// Whether the process must end once this is answered.
    pub fn is_last(&self) -> bool {
        self.0.last
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Which of several things it is.
    pub fn finer(&self) -> Option<&'static str> {
        self.0.reason
    }

    /// What the caller is told.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What the record keeps.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The status that is answered: the kind's own, or another's refusal's.
    fn status_code(&self) -> StatusCode {
        self.0.status.unwrap_or_else(|| self.0.kind.status())
    }

    /// What a caller reads of it: one line of JSON (RFC 9457 §3.1).
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        let Inner { kind, detail, hint, reason, errors, .. } = &*self.0;
        let status = self.status_code();
        let body = Body {
            kind: format!("urn:countersign:problem:{}", kind.code()),
            title: kind.title(),
            status: status.as_u16(),
            detail,
            code: kind.code(),
            reason: *reason,
            request_id,
            retryable: kind.retryable(),
            hint: hint.as_deref(),
            errors,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The answer that a caller sees: `application/problem+json` (RFC 9457 §3).
    pub fn answer(&self, request_id: &str) -> Response {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = &self.0.header {
            headers.insert(name.clone(), value.clone());
        }
        Response::new(self.status_code(), headers, Bytes::from(self.body(request_id)))
    }
}

/// The members of RFC 9457 §3.1, and ours (§3.2).
#[derive(Serialize)]
struct Body<'p> {
    #[serde(rename = "type")]
    kind: String,
    title: &'p str,
    status: u16,
    detail: &'p str,
    code: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    request_id: &'p str,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'p str>,
    #[serde(skip_serializing_if = "<[Place]>::is_empty")]
    errors: &'p [Place],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let mut codes: Vec<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Kind::ALL.len());
    }

    #[test]
    fn every_place_is_told_and_none_where_there_is_none() {
        let place = Place { pointer: "/a".to_owned(), detail: "is missing".to_owned() };
        let told = |problem: Problem| -> serde_json::Value {
            serde_json::from_slice(problem.answer("r-1").body()).unwrap()
        };
        let body = told(Problem::new(Kind::InvalidBody, "no").errors([place]));
        assert_eq!(body["errors"], serde_json::json!([{ "pointer": "/a", "detail": "is missing" }]));
        assert!(told(Problem::new(Kind::InvalidBody, "no")).get("errors").is_none());
    }

    #[test]
    fn the_cause_stays_with_us() {
        let problem = Problem::new(Kind::Internal, "sorry").because("the cat sat on it");
        let answer = problem.answer("r-1");
        let text = std::str::from_utf8(answer.body()).unwrap();
        assert!(text.contains("\"request_id\":\"r-1\"") && !text.contains("cat"), "{text}");
        assert_eq!(problem.cause(), Some("the cat sat on it"));
    }
}
