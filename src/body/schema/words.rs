//! What is wrong with a body, in sentences that a form can show beside the
//! field. Written here and not taken from `jsonschema`, which quotes values.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::refs::escaped;

/// One place of a body that does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The way to it: a JSON Pointer (RFC 6901). It leads to the field that is
    /// missing, or that is too many.
    pub pointer: String,
    /// The keyword of the schema that it breaks.
    pub keyword: String,
    /// What is wrong, to be read behind the field's name: `is missing`. Never
    /// repeats a value of the body.
    pub detail: String,
}

/// More of a list, or of the forms that a choice names, nobody reads.
const MOST_NAMED: usize = 10;
const MOST_FORMS: usize = 4;

/// The violations that one error of the crate stands for.
pub fn violations(error: &ValidationError<'_>) -> Vec<Violation> {
    let pointer = error.instance_path().as_str();
    let keyword = error.kind().keyword();
    let say = |pointer: String, detail: String| Violation { pointer, keyword: keyword.to_owned(), detail };
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![say(below(pointer, name), "is missing".to_owned())]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected.iter().map(|name| say(below(pointer, name), "is not known".to_owned())).collect()
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            choice(pointer, context).unwrap_or_else(|| vec![say(pointer.to_owned(), forms(pointer, context))])
        }
        kind => vec![say(pointer.to_owned(), sentence(kind))],
    }
}

/// A pointer one step on.
fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", escaped(name))
}

type Branches = [Vec<ValidationError<'static>>];

/// The violations of the form that was meant: the only one whose type and
/// whose constants fit.
fn choice(pointer: &str, branches: &Branches) -> Option<Vec<Violation>> {
    let is_meant = |branch: &&Vec<ValidationError<'_>>| {
        !branch.iter().any(|error| match error.kind() {
            Kind::Type { .. } | Kind::FalseSchema => error.instance_path().as_str() == pointer,
            Kind::Constant { .. } | Kind::Enum { .. } => true,
            _ => false,
        })
    };
    let mut meant = branches.iter().filter(is_meant);
    let only = meant.next().filter(|_| meant.next().is_none())?;
    Some(only.iter().flat_map(violations).collect())
}

/// That none of several forms fits, and what each lacks.
fn forms(pointer: &str, branches: &Branches) -> String {
    let types: Option<Vec<&str>> = branches.iter().map(|branch| only_type(pointer, branch)).collect();
    if let Some(types) = types {
        return format!("must be {}", types.join(" or "));
    }
    let lacks: Vec<String> =
        branches.iter().take(MOST_FORMS).filter_map(|branch| lack(pointer, branch)).collect();
    let more = if MOST_FORMS < branches.len() { " …" } else { "" };
    format!("fits none of the {} allowed forms: {}{more}", branches.len(), lacks.join(", or "))
}

fn only_type(pointer: &str, branch: &[ValidationError<'_>]) -> Option<&'static str> {
    let [error] = branch else { return None };
    match error.kind() {
        Kind::Type { kind: TypeKind::Single(kind) } if error.instance_path().as_str() == pointer => {
            Some(noun(*kind))
        }
        _ => None,
    }
}

fn lack(pointer: &str, branch: &[ValidationError<'_>]) -> Option<String> {
    let first = branch.first().and_then(|error| violations(error).into_iter().next())?;
    let way = first.pointer.strip_prefix(pointer).unwrap_or_default();
    let subject = if way.is_empty() { "it".to_owned() } else { format!("`{}`", way.trim_start_matches('/')) };
    Some(format!("{subject} {}", first.detail))
}

fn sentence(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind } => format!("must be {}", nouns(kind)),
        Kind::Constant { expected_value } => match plain(expected_value) {
            Some(text) => format!("must be {text}"),
            None => "must be exactly what the schema says".to_owned(),
        },
        Kind::Enum { options } => options_of(options),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must be at least {} long", count(*limit, "character")),
        Kind::MaxLength { limit } => format!("must be at most {} long", count(*limit, "character")),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinItems { limit: 1 } | Kind::MinProperties { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinItems { limit } => format!("must hold at least {}", count(*limit, "item")),
        Kind::MaxItems { limit } => format!("must hold at most {}", count(*limit, "item")),
        Kind::AdditionalItems { limit } => {
            format!("must hold at most {}", count(u64::try_from(*limit).unwrap_or(u64::MAX), "item"))
        }
        Kind::MinProperties { limit } => format!("must hold at least {}", count(*limit, "field")),
        Kind::MaxProperties { limit } => format!("must hold at most {}", count(*limit, "field")),
        Kind::Format { format } => format!("must be {}", written_as(format)),
        Kind::Pattern { .. } => "is not written as it must be".to_owned(),
        Kind::Contains => "does not hold as many of the wanted items as it must".to_owned(),
        Kind::UnevaluatedItems { .. } => "holds items that are not known".to_owned(),
        Kind::PropertyNames { .. } => "holds a field whose name is not allowed".to_owned(),
        Kind::FalseSchema => "is not allowed".to_owned(),
        Kind::Not { .. } => "has a form that is not allowed".to_owned(),
        Kind::OneOfMultipleValid { .. } => {
            "fits more than one of the forms that exclude each other".to_owned()
        }
        // The keywords that are ours.
        Kind::Custom { message, .. } => message.clone(),
        Kind::ContentEncoding { content_encoding } => format!("must be text encoded as {content_encoding}"),
        Kind::ContentMediaType { content_media_type } => format!("must be text that is {content_media_type}"),
        // Said before, with more in them, or never said of a body.
        _ => "does not fit".to_owned(),
    }
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn nouns(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => noun(*kind).to_owned(),
        TypeKind::Multiple(kinds) => kinds.iter().map(noun).collect::<Vec<_>>().join(" or "),
    }
}

fn noun(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    }
}

/// A value of the schema, where it is short.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Array(_) | Value::Object(_) => None,
        Value::String(text) if text.is_empty() => Some("empty".to_owned()),
        Value::String(text) if 40 < text.chars().count() => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

fn options_of(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let named: Option<Vec<String>> = options.iter().map(plain).collect();
    match named.as_deref() {
        Some([only]) => format!("must be {only}"),
        Some(named) if named.len() <= MOST_NAMED => format!("must be one of {}", named.join(", ")),
        _ => format!("must be one of {} values", options.len()),
    }
}

/// What a format of JSON Schema is called by people.
fn written_as(format: &str) -> &str {
    match format {
        "date" => "a date such as 2030-12-31",
        "date-time" => "a date and time such as 2030-12-31T23:59:59Z",
        "time" => "a time such as 23:59:59Z",
        "duration" => "a duration such as P1DT12H",
        "email" | "idn-email" => "an email address",
        "hostname" | "idn-hostname" => "a host name",
        "ipv4" => "an IPv4 address",
        "ipv6" => "an IPv6 address",
        "uri" | "iri" => "a URL",
        "uri-reference" | "iri-reference" => "a URL or a path",
        "uri-template" => "a URL template",
        "uuid" => "a UUID",
        "json-pointer" | "relative-json-pointer" => "a JSON Pointer",
        "regex" => "a regular expression",
        other => other,
    }
}
