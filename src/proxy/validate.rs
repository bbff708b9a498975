//! Stage 5: only what is declared gets through.

use http::{HeaderMap, HeaderValue, header};

use super::authorize::Grant;
use super::parameters::Parameters;
use super::read::{self, Content};
use super::route::Found;
use super::transform::is_exactly;
use crate::body::jq::{About, Program};
use crate::body::schema::{Fault, Schema, Unplaced, Violation};
use crate::body::{Doc, MediaType, Val};
use crate::wire::problem::{Kind, Place};
use crate::wire::{Problem, Request};

/// What a request to a route may hold.
#[derive(Default)]
pub struct Rules {
    /// The query parameters that may be sent; `None`: any.
    pub query: Option<Vec<String>>,
    /// What their values must look like.
    pub parameters: Option<Parameters>,
    /// The types that a body may have; `None`: any.
    pub content_types: Option<Vec<MediaRange>>,
    /// The longest body, in bytes.
    pub max_bytes: usize,
    /// What a body must look like.
    pub schema: Option<Schema>,
    /// What must not hold of a body.
    pub reject_if: Option<Program>,
}

/// `application/json`, or `image/*` for all images (RFC 9110 §12.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange(String);

impl MediaRange {
    /// Takes a type as the file has it, checked there.
    pub fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    fn holds(&self, essence: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(family) => essence.starts_with(family),
            None => essence == self.0,
        }
    }
}

/// A request that keeps to the rules of the route it was granted.
pub struct Valid<'r, 'p> {
    pub(super) found: Found<'r, 'p>,
    pub(super) about: About,
    /// The class of the caller that it was granted to.
    pub(super) class: &'r str,
    pub(super) request: Request,
    /// What the body says, where somebody must know.
    pub(super) content: Option<Content>,
}

impl Valid<'_, '_> {
    /// What the route's programs are told of the request.
    pub fn about(&self) -> About {
        self.about.clone()
    }
}

impl<'r, 'p> Grant<'r, 'p> {
    /// Lets a request pass that keeps to the route's rules, and that the door
    /// could read as a whole.
    pub async fn validate(self, mut request: Request) -> Result<Valid<'r, 'p>, Problem> {
        if let Some(fault) = request.fault.take() {
            return Err(fault);
        }
        let Self { found, about, class, .. } = self;
        let rules = &found.route.rules;
        rules.check(&request).await?;
        read::unpack_body(&mut request, rules.max_bytes)?;
        let reads = rules.schema.is_some() || rules.reject_if.is_some() || found.route.of_request.reads();
        let content = if reads { read::read(&mut request)? } else { None };
        if let (Some(schema), Some(content)) = (&rules.schema, &content) {
            check_body(schema, &content.doc).await?;
        }
        if let Some(program) = &rules.reject_if {
            let body = content.as_ref().map_or(Val::Null, |content| content.doc.value());
            is_exactly(program, body, about.clone(), false).await?;
        }
        Ok(Valid { found, about, class, request, content })
    }
}

impl Rules {
    async fn check(&self, request: &Request) -> Result<(), Problem> {
        self.check_query(&request.query).await?;
        self.check_length(request.body.len())?;
        if request.body.is_empty() { Ok(()) } else { self.check_type(&request.headers) }
    }

    async fn check_query(&self, sent: &[(String, String)]) -> Result<(), Problem> {
        let Some(declared) = &self.query else { return Ok(()) };
        if sent.iter().all(|(name, _)| declared.contains(name)) {
            return match &self.parameters {
                Some(parameters) => parameters.check(sent).await,
                None => Ok(()),
            };
        }
        let detail = match declared.as_slice() {
            [] => "this route takes no query parameters".to_owned(),
            names => format!("this route takes the query parameters {}", names.join(", ")),
        };
        Err(Problem::new(Kind::QueryNotAllowed, detail))
    }

    fn check_length(&self, length: usize) -> Result<(), Problem> {
        if length <= self.max_bytes {
            return Ok(());
        }
        Err(too_long(self.max_bytes))
    }

    /// The first declared type that a credential can be written into.
    pub(super) fn writable_type(&self) -> Option<HeaderValue> {
        let types = self.content_types.iter().flatten();
        let parsed = types.filter_map(|range| MediaType::parse(&range.0));
        let mut writable = parsed.filter(|media| media.is_json() || media.is_form());
        writable.next().and_then(|media| HeaderValue::from_str(media.essence()).ok())
    }

    /// A type that is said twice is two types: we could judge by the one, and
    /// the upstream parse by the other.
    pub(super) fn check_type(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut said = headers.get_all(header::CONTENT_TYPE).iter();
        let sent = said.next().and_then(|value| value.to_str().ok());
        if said.next().is_some() {
            return Err(Problem::new(Kind::ContentTypeNotAllowed, "send one content-type"));
        }
        let Some(declared) = &self.content_types else { return Ok(()) };
        let essence = sent.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        if essence.is_some_and(|essence| declared.iter().any(|range| range.holds(&essence))) {
            return Ok(());
        }
        let types: Vec<&str> = declared.iter().map(|range| range.0.as_str()).collect();
        let detail = format!("send the body with a content-type of {}", types.join(" or "));
        Err(Problem::new(Kind::ContentTypeNotAllowed, detail))
    }
}

/// Also said of a body that is too long once it is unpacked.
pub(super) fn too_long(limit: usize) -> Problem {
    let limit = bytesize::ByteSize::b(limit as u64);
    Problem::new(Kind::BodyTooLarge, format!("the body may be {limit} long at most"))
}

/// Lets a body pass that fits the route's `request.schema`.
///
/// # Errors
/// `invalid_body`, with every place that does not fit, where they come to an end.
pub async fn check_body(schema: &Schema, body: &Doc) -> Result<(), Problem> {
    let unplaced = "the body is not as this route takes it, and it takes too long to say where";
    let violations = schema.validate(body.root()).await;
    let violations = violations.map_err(|why| self::unplaced(&why, Kind::InvalidBody, unplaced))?;
    if violations.is_empty() {
        return Ok(());
    }
    let detail = "the body is not as this route takes it; `errors` says where, and what it must be";
    Err(Problem::new(Kind::InvalidBody, detail).errors(violations.into_iter().map(place)))
}

pub(super) fn place(violation: Violation) -> Place {
    Place { pointer: violation.pointer, detail: violation.detail }
}

/// What does not fit, and nobody can say where. `detail`: for the caller.
pub(super) fn unplaced(why: &Unplaced, kind: Kind, detail: &'static str) -> Problem {
    match why {
        Unplaced::Faulty(fault) => faulty(fault),
        Unplaced::Endless => {
            Problem::new(kind, detail).because("schema: the places that do not fit came to no end").last()
        }
    }
}

/// A schema that `countersign check` would have refused.
pub(super) fn faulty(fault: &Fault) -> Problem {
    Problem::new(Kind::Internal, "this route is not set up right").because(format_args!("schema: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::tests::request;

    #[tokio::test]
    async fn only_declared_parameters_and_types_pass() {
        let rules = Rules {
            query: Some(vec!["page".to_owned()]),
            parameters: None,
            content_types: Some(vec![MediaRange::new("application/JSON"), MediaRange::new("image/*")]),
            max_bytes: 8,
            schema: None,
            reject_if: None,
        };
        let check = async |query: &str, content_type: &str, body: &'static str, expected: Option<Kind>| {
            let mut asked = request("POST", "/");
            asked.query =
                query.split('&').filter(|q| !q.is_empty()).map(|q| (q.to_owned(), String::new())).collect();
            asked.body = body.into();
            for value in content_type.split('|').filter(|value| !value.is_empty()) {
                asked.headers.append(header::CONTENT_TYPE, value.parse().unwrap());
            }
            let found = rules.check(&asked).await.err().map(|problem| problem.kind());
            assert_eq!(found, expected, "{query} {content_type} {body}");
        };
        check("page&page", "", "", None).await;
        check("page&pages", "", "", Some(Kind::QueryNotAllowed)).await;
        check("", "Application/Json; charset=utf-8", "{}", None).await;
        check("", "image/png", "x", None).await;
        check("", "imagex/png", "x", Some(Kind::ContentTypeNotAllowed)).await;
        check("", "text/plain", "x", Some(Kind::ContentTypeNotAllowed)).await;
        check("", "", "x", Some(Kind::ContentTypeNotAllowed)).await;
        check("", "application/json|text/xml", "{}", Some(Kind::ContentTypeNotAllowed)).await;
        check("", "image/png", "12345678", None).await;
        check("", "image/png", "123456789", Some(Kind::BodyTooLarge)).await;
        check("page=", "", "", Some(Kind::QueryNotAllowed)).await;
    }

    #[tokio::test]
    async fn a_body_that_does_not_fit_is_told_every_place() {
        let document = serde_json::json!({ "required": ["email"], "additionalProperties": false,
            "properties": { "email": { "format": "email" }, "age": { "type": "integer" } } });
        let schema = Schema::new("", document, std::sync::Arc::default());
        let body = |text: &'static str| crate::body::json::read(&text.into()).unwrap();
        assert!(check_body(&schema, &body(r#"{"email":"a@b.example"}"#)).await.is_ok());
        let problem = check_body(&schema, &body(r#"{"age":"x","more":1}"#)).await.unwrap_err();
        let shown: serde_json::Value = serde_json::from_slice(problem.answer("r-1").body()).unwrap();
        let mut errors: Vec<&str> = shown["errors"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|error| error["pointer"].as_str())
            .collect();
        errors.sort_unstable();
        assert_eq!((shown["status"].as_u64(), errors), (Some(422), vec!["/age", "/email", "/more"]));
    }

    #[test]
    fn places_that_come_to_no_end_are_left_out_and_the_process_ends() {
        let problem = unplaced(&Unplaced::Endless, Kind::InvalidBody, "no");
        assert!(problem.is_last());
        let shown: serde_json::Value = serde_json::from_slice(problem.answer("r-1").body()).unwrap();
        assert_eq!((shown["status"].as_u64(), shown.get("errors")), (Some(422), None));
    }
}
