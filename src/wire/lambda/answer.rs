//! An answer, in the form that the sender of the event reads.
//!
//! API Gateway answers 502 for a member it does not know or one of another
//! type, so these are all there are. Text is borrowed from the response;
//! base64 is written as it is made.

use std::borrow::Cow;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, GetAll, HeaderMap, HeaderName, HeaderValue};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::Form;
use crate::wire::Response;
use crate::wire::problem::{Kind, Problem};

/// A response, ready to be serialized.
#[derive(Debug)]
pub struct Answer<'a> {
    response: &'a Response,
    form: Form,
    body: Body<'a>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(response: &'a Response, form: Form) -> Self {
        Self { response, form, body: Body::new(response) }
    }
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let status = self.response.status();
        let lists = match self.form {
            Form::Rest => true,
            Form::Http => false,
            Form::Alb { multi } => multi,
        };
        let headers = Headers { headers: self.response.headers(), untyped: self.body.untyped(), lists };
        let mut answer = serializer.serialize_map(None)?;
        answer.serialize_entry("statusCode", &status.as_u16())?;
        if matches!(self.form, Form::Alb { .. }) {
            let reason = status.canonical_reason().unwrap_or("Unassigned");
            answer.serialize_entry("statusDescription", &format_args!("{} {reason}", status.as_str()))?;
        }
        answer.serialize_entry(if lists { "multiValueHeaders" } else { "headers" }, &headers)?;
        if self.form == Form::Http {
            // No cookie ever crosses; `cargo lambda watch` wants the list all the same.
            answer.serialize_entry("cookies", &[(); 0])?;
        }
        answer.serialize_entry("body", &self.body)?;
        answer.serialize_entry("isBase64Encoded", &matches!(self.body, Body::Bytes(_)))?;
        answer.end()
    }
}

/// The body as JSON can carry it.
#[derive(Debug)]
enum Body<'a> {
    Empty,
    /// Text of a declared type.
    Text(&'a str),
    /// Text that does not say what it is.
    Untyped(&'a str),
    /// What is not UTF-8, or is of a type that nobody reads as text.
    Bytes(Binary<'a>),
}

/// Bytes, and whether a header says what they are.
#[derive(Debug)]
struct Binary<'a> {
    bytes: &'a [u8],
    typed: bool,
}

/// The type to declare of this answer, where it declares none itself.
pub(super) fn untyped(response: &Response) -> Option<&'static str> {
    Body::new(response).untyped()
}

impl<'a> Body<'a> {
    fn new(response: &'a Response) -> Self {
        let bytes = response.body().as_ref();
        let declared = response.headers().get(header::CONTENT_TYPE);
        let textual = declared.is_none_or(|value| value.to_str().is_ok_and(is_textual));
        match std::str::from_utf8(bytes) {
            Ok("") => Self::Empty,
            Ok(text) if textual && declared.is_some() => Self::Text(text),
            Ok(text) if textual => Self::Untyped(text),
            _ => Self::Bytes(Binary { bytes, typed: declared.is_some() }),
        }
    }

    /// The type to declare where the response declares none: REST APIs would
    /// call it `application/json`.
    fn untyped(&self) -> Option<&'static str> {
        match self {
            Self::Empty | Self::Text(_) | Self::Bytes(Binary { typed: true, .. }) => None,
            Self::Untyped(_) => Some("text/plain; charset=utf-8"),
            Self::Bytes(Binary { typed: false, .. }) => Some("application/octet-stream"),
        }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_str(""),
            Self::Text(text) | Self::Untyped(text) => serializer.serialize_str(text),
            Self::Bytes(Binary { bytes, .. }) => {
                serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
            }
        }
    }
}

/// Lambda takes 6 MB of JSON (its quota "invocation payload"), the status and
/// the headers included: API Gateway has 10 KB for those.
const LARGEST: usize = 6 * 1024 * 1024 - 64 * 1024;

/// As JSON a body is longer than it was: base64 takes four bytes for three,
/// and text has characters that must be escaped.
pub(super) fn check_size(response: &Response) -> Result<(), Problem> {
    // Even if every byte became `\u0000`.
    if response.body().len() <= LARGEST / 6 {
        return Ok(());
    }
    let length = match Body::new(response) {
        Body::Empty => 0,
        Body::Text(text) | Body::Untyped(text) => text.bytes().map(written).sum(),
        Body::Bytes(Binary { bytes, .. }) => bytes.len().div_ceil(3) * 4,
    };
    if length <= LARGEST {
        return Ok(());
    }
    let detail = "the upstream's answer is longer than the 6 MB that AWS Lambda lets through";
    let why = format!("as JSON the body takes {length} bytes");
    let hint = "whoever runs this API can stream the route's answers";
    Err(Problem::new(Kind::ResponseTooLarge, detail).hint(hint).because(why))
}

/// How many bytes a byte of text takes in a JSON string.
pub(super) fn written(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// Types other than `text/…` whose bytes people read: each stands for itself
/// and as a suffix, `application/json` and `application/problem+json`.
const TEXTUAL: [&str; 11] = [
    "json",
    "xml",
    "javascript",
    "x-javascript",
    "x-www-form-urlencoded",
    "yaml",
    "x-yaml",
    "graphql",
    "event-stream",
    "ndjson",
    "x-ndjson",
];

fn is_textual(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    let name = subtype.rsplit('+').next().unwrap_or_default();
    kind.eq_ignore_ascii_case("text") || TEXTUAL.iter().any(|textual| name.eq_ignore_ascii_case(textual))
}

/// The headers as lists of values, or as comma-joined text (RFC 9110 §5.3).
struct Headers<'a> {
    headers: &'a HeaderMap,
    untyped: Option<&'static str>,
    lists: bool,
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in self.headers.keys() {
            self.entry(&mut map, name)?;
        }
        if let Some(content_type) = self.untyped {
            let list = [content_type];
            match self.lists {
                true => map.serialize_entry("content-type", &list)?,
                false => map.serialize_entry("content-type", content_type)?,
            }
        }
        map.end()
    }
}

impl Headers<'_> {
    fn entry<M: SerializeMap>(&self, map: &mut M, name: &HeaderName) -> Result<(), M::Error> {
        let values = self.headers.get_all(name);
        if self.lists {
            return map.serialize_entry(name.as_str(), &List(values));
        }
        map.serialize_entry(name.as_str(), &joined(&values))
    }
}

/// Repeats of a header as one line (RFC 9110 §5.3).
pub(super) fn joined<'a>(values: &GetAll<'a, HeaderValue>) -> Cow<'a, str> {
    let mut texts = values.iter().map(text);
    match (texts.next(), texts.next()) {
        (Some(only), None) => only,
        _ => values.iter().map(text).collect::<Vec<_>>().join(", ").into(),
    }
}

struct List<'a>(GetAll<'a, HeaderValue>);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for value in &self.0 {
            list.serialize_element(&text(value))?;
        }
        list.end()
    }
}

/// A header's value as text. Bytes that are not UTF-8 are read as Latin-1, as
/// HTTP once had it: a gateway that writes them back loses nothing.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().copied().map(char::from).collect()),
    }
}
