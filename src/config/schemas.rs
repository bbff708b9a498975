//! Where the file speaks JSON Schema: a schema, inline or by the path of its
//! file, and the schemas of query parameters.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value as JSON has it: `3` is a number, `"3"` is text.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Json(pub Value);

/// A JSON Schema.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Json")]
pub enum SchemaText {
    /// Written out.
    Inline(Value),
    /// The path of a file, as it is written.
    File(String),
}

impl TryFrom<Json> for SchemaText {
    type Error = &'static str;

    fn try_from(Json(value): Json) -> Result<Self, Self::Error> {
        match value {
            Value::String(path) => Ok(Self::File(path)),
            Value::Object(_) => Ok(Self::Inline(value)),
            _ => Err("this is no schema; write a JSON Schema as a mapping, or the path of its file"),
        }
    }
}

/// The query parameters that may be sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// `any`.
    Any,
    /// A list of names.
    These(Vec<String>),
    /// Names, and what their values must look like.
    Judged(BTreeMap<String, Value>),
}

impl Default for Query {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QueryVisitor)
    }
}

struct QueryVisitor;

impl<'de> Visitor<'de> for QueryVisitor {
    type Value = Query;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, a mapping from names to schemas, or `any`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Query, E> {
        if text == "any" {
            Ok(Query::Any)
        } else {
            Err(E::custom("a list is wanted here; write `[name, …]`, `{name: schema, …}` or `any`"))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Query, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(Query::These)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Query, A::Error> {
        let judged: BTreeMap<String, Parameter> = BTreeMap::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Query::Judged(judged.into_iter().map(|(name, Parameter(schema))| (name, schema)).collect()))
    }
}

/// The schema of one parameter.
#[derive(Deserialize)]
#[serde(try_from = "Json")]
struct Parameter(Value);

impl TryFrom<Json> for Parameter {
    type Error = &'static str;

    fn try_from(Json(value): Json) -> Result<Self, Self::Error> {
        match value {
            Value::Object(_) => Ok(Self(value)),
            // `page:` alone: it may be sent, and nothing more is said of it.
            Value::Null => Ok(Self(Value::Object(serde_json::Map::new()))),
            _ => Err("this is no schema; write one such as `{type: integer, maximum: 100}`"),
        }
    }
}
