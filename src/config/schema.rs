//! What editors are told about the fields that parse themselves: the JSON
//! Schema that `countersign schema` prints, and the reference made from it.
//! A part of the command line only; the function never builds a schema.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::credentials::{Credential, Entry};
use super::declared::{Condition, Secret, SecretPlace, When};
use super::fields::{Duration, Names, OneOrMany, Parsed, Quota, SecretValue, Size};
use super::identity::{Form, IssuerUrl};
use super::schemas::{Query, SchemaText};
use super::{issuers, presets};
use crate::credential::Value;
use crate::credential::body::Pointer;
use crate::credential::hmac::{Over, Shown};
use crate::credential::token::endpoint::Endpoint;
use crate::identity::rule::{Glob, Human, Pattern, Test};
use crate::proxy::cors::OriginPattern;
use crate::proxy::forward::BaseUrl;
use crate::proxy::pattern::{RouteKey, Verb};
use crate::proxy::template::Template;
use crate::secret::SecretRef;

/// A noun that is written as text: what it is called, and what it looks like.
trait Written {
    const TITLE: &'static str;
    const PATTERN: &'static str;
    const EXAMPLE: &'static str;
}

/// What a name of ours looks like. Stands in for `String` in schemas only.
pub struct Name;

/// What the name of a meter looks like. Stands in for `String` in schemas only.
pub struct MeterName;

/// The name of a preset. Stands in for `String` in schemas only.
pub struct Preset;

/// The name of a preset of issuers. Stands in for `String` in schemas only.
pub struct Provider;

/// A status that refuses a key. Stands in for its number in schemas only.
pub struct Refusal;

/// A credential, or of a preset only its secret. Stands in for its type in schemas only.
pub struct Proof;

/// Text, also where YAML would read a number out of it: it stays as written.
pub struct Text;

macro_rules! written {
    ($($noun:ty: $title:literal, $pattern:literal, $example:literal;)*) => {$(
        impl Written for $noun {
            const TITLE: &'static str = $title;
            const PATTERN: &'static str = $pattern;
            const EXAMPLE: &'static str = $example;
        }
    )*};
}

written! {
    Over: "what is signed", r"^[^{}]*(\{(timestamp|id|method|path|query|target|body)\}[^{}]*)*$", "{timestamp}.{body}";
    Pointer: "JSON Pointer", r"^(/[^/\[\]]+)+$", "/api_key";
    Shown: "how it is shown", r"^[^{}]*(\{(signature|timestamp|id)\}[^{}]*)+$", "t={timestamp},v1={signature}";
    BaseUrl: "URL", r"^https?://[^\s?#@]+$", "https://api.github.com";
    Duration: "duration", r"^\d+ *[a-zA-Zµ]+( *\d+ *[a-zA-Zµ]+)*$", "5s";
    Endpoint: "URL", r"^https?://[^\s#@]+$", "https://auth.example.com/oauth2/token";
    Glob: "glob", r"\*", "https://github.com/acme/*";
    Human: "claim, or `none`", r"^.+$", "user_id";
    IssuerUrl: "URL", r"^https?://[^\s?#@\\]+$", "https://api.gitpod.io/idp";
    MeterName: "meter", r"^[a-z][a-z0-9_]{0,30}$", "tokens";
    Name: "name", r"^[A-Za-z0-9_-]+$", "github";
    OriginPattern: "origin", r"^(\*|[a-z][a-z0-9+.-]*://[^\s/?#]+)$", "https://app.example.com";
    Pattern: "regular expression", r"^\^(.*[^\\])?(\\\\)*\$$", "^refs/heads/(main|dev)$";
    Quota: "quota", r"^\d+ */ *(day|week|month)$", "10000/day";
    RouteKey: "route", r"^(ANY|GET|HEAD|POST|PUT|PATCH|DELETE) +/[^\s?#%\\]*$", "GET /my-repos";
    SecretRef: "secret", r"^[A-Za-z0-9_-]+(\..+)?$", "github.token";
    Size: "size", r"^\d+(\.\d+)? *([KMGkmg]i?)?[Bb]?$", "16KiB";
    Template: "path", r"^/[^\s?#]*$", "/user/repos";
    Verb: "method", r"^(GET|HEAD|POST|PUT|PATCH|DELETE)$", "GET";
}

fn schema_of<T: Written>(kind: &[&str]) -> Schema {
    let kind = if let [only] = kind { serde_json::json!(only) } else { serde_json::json!(kind) };
    json_schema!({ "title": T::TITLE, "type": kind, "pattern": T::PATTERN, "examples": [T::EXAMPLE] })
}

impl<T: Written> JsonSchema for Parsed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::TITLE.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema_of::<T>(&["string"])
    }
}

macro_rules! inline {
    ($($noun:ty: $schema:expr;)*) => {$(
        impl JsonSchema for $noun {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($noun).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    )*};
}

inline! {
    Duration: |_| schema_of::<Duration>(&["string"]);
    MeterName: |_| schema_of::<MeterName>(&["string"]);
    Name: |_| schema_of::<Name>(&["string"]);
    Preset: |_| {
        let names: Vec<&str> = presets::names().collect();
        json_schema!({ "title": "preset", "type": "string", "enum": names, "examples": ["github"] })
    };
    Provider: |_| {
        json_schema!({ "title": "preset", "type": "string", "enum": issuers::names(), "examples": ["gitpod"] })
    };
    Proof: |generator| {
        let secret = generator.subschema_for::<Parsed<SecretRef>>();
        let recipes = generator.subschema_for::<OneOrMany<Entry>>();
        json_schema!({ "anyOf": [recipes, secret] })
    };
    Quota: |_| schema_of::<Quota>(&["string"]);
    Size: |_| {
        let mut schema = schema_of::<Size>(&["string", "integer"]);
        schema.insert("minimum".to_owned(), 1.into());
        schema
    };
    Refusal: |_| json_schema!({ "type": "integer", "minimum": 400, "maximum": 499 });
    Text: |_| json_schema!({ "title": "text", "type": ["string", "number", "boolean"] });
    Names: |generator| {
        let names = generator.subschema_for::<Vec<String>>();
        json_schema!({ "title": "list of names, or `any`", "anyOf": [{ "const": "any" }, names] })
    };
    Query: |generator| {
        let names = generator.subschema_for::<Vec<String>>();
        let judged = json_schema!({ "type": "object", "additionalProperties": { "type": ["object", "null"] } });
        let title = "list of names, mapping from names to JSON Schemas, or `any`";
        json_schema!({ "title": title, "anyOf": [{ "const": "any" }, names, judged] })
    };
    SchemaText: |_| {
        let title = "JSON Schema, or the path of its file";
        json_schema!({ "title": title, "anyOf": [{ "type": "string", "pattern": "^[A-Za-z0-9_./-]+\\.(json|ya?ml)$" }, { "type": "object" }] })
    };
    Test: |generator| {
        let (text, texts) = (generator.subschema_for::<Text>(), generator.subschema_for::<Vec<Text>>());
        json_schema!({ "anyOf": [text, texts, generator.subschema_for::<Form>()] })
    };
    Value: |generator| {
        let (text, secret) = (generator.subschema_for::<Text>(), generator.subschema_for::<SecretValue>());
        json_schema!({ "anyOf": [text, secret] })
    };
    Secret: |generator| {
        let place = generator.subschema_for::<SecretPlace>();
        json_schema!({ "anyOf": [{ "title": "name or ARN", "type": "string", "minLength": 1 }, place] })
    };
    When: |generator| {
        let condition = generator.subschema_for::<Condition>();
        json_schema!({ "anyOf": [{ "title": "jq program", "type": "string", "minLength": 1 }, condition] })
    };
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (one, many) = (generator.subschema_for::<T>(), generator.subschema_for::<Vec<T>>());
        json_schema!({ "anyOf": [one, many] })
    }
}

/// A recipe, and whom it is for: the recipes' names and three more, of which
/// one must be there.
impl JsonSchema for Entry {
    fn schema_name() -> Cow<'static, str> {
        "Credential".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (callers, when) = (generator.subschema_for::<Vec<String>>(), generator.subschema_for::<String>());
        let recipe = Credential::json_schema(generator);
        let mut fields = json_schema!({
            "for": described(callers, "The callers that it is for. Default: all."),
            "when": described(when, "A jq program that must give exactly `true`; it sees what a route's `when` does."),
        });
        let all = generator.subschema_for::<Vec<Self>>();
        fields.insert("all".to_owned(), described(all, "Several recipes that apply together.").into());
        let mut names = vec!["all"];
        let variants = recipe.get("oneOf").and_then(|variants| variants.as_array());
        for variant in variants.into_iter().flatten() {
            let text = variant.get("description").and_then(|text| text.as_str()).unwrap_or_default();
            let recipes = variant.get("properties").and_then(|properties| properties.as_object());
            for (name, field) in recipes.into_iter().flatten() {
                let field = Schema::try_from(field.clone()).unwrap_or_default();
                fields.insert(name.clone(), described(field, text).into());
                names.push(name);
            }
        }
        let one: Vec<_> = names.iter().map(|name| json_schema!({ "required": [name] })).collect();
        json_schema!({
            "description": recipe.get("description"),
            "type": "object",
            "properties": fields,
            "additionalProperties": false,
            "oneOf": one,
        })
    }
}

fn described(mut schema: Schema, text: &str) -> Schema {
    schema.insert("description".to_owned(), text.into());
    schema
}
