//! What a schema can look at in a value. Of all else no copy need be made.
//!
//! Where it is not plain to see that a keyword looks no further, it looks at
//! everything.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Keywords that look at a value itself: at its type, at a text, at a number,
/// at how many items or which keys it has. They judge nothing that it holds.
const ITSELF: [&str; 31] = [
    "$comment",
    "$defs",
    "$schema",
    "contentEncoding",
    "contentMediaType",
    "default",
    "definitions",
    "dependentRequired",
    "deprecated",
    "description",
    "example",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maximum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minimum",
    "minItems",
    "minLength",
    "minProperties",
    "multipleOf",
    "nullable",
    "pattern",
    "readOnly",
    "required",
    "title",
    "type",
    "writeOnly",
];

/// How far a schema looks into a value.
pub enum Sight {
    /// At all of it.
    All,
    /// Not at all.
    Nothing,
    /// At the value itself, and on into these.
    Into { fields: HashMap<String, Sight>, items: Box<Sight> },
}

impl Sight {
    /// How far this schema looks.
    pub fn of(schema: &Value) -> Self {
        match schema {
            Value::Bool(_) => Self::Nothing,
            Value::Object(keywords) => Self::of_keywords(keywords).unwrap_or(Self::All),
            _ => Self::All,
        }
    }

    fn of_keywords(keywords: &Map<String, Value>) -> Option<Self> {
        let (mut fields, mut items) = (HashMap::new(), Self::Nothing);
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("properties", Value::Object(declared)) => {
                    fields = declared.iter().map(|(name, schema)| (name.clone(), Self::of(schema))).collect();
                }
                ("items", Value::Object(_)) => items = Self::of(value),
                ("additionalProperties" | "items", Value::Bool(_)) => {}
                ("enum", Value::Array(constants)) if !constants.iter().any(is_deep) => {}
                ("const", constant) if !is_deep(constant) => {}
                (keyword, _) if ITSELF.contains(&keyword) => {}
                _ => return None,
            }
        }
        Some(Self::Into { fields, items: Box::new(items) })
    }

    /// How far into a field.
    pub fn field(&self, name: &str) -> &Self {
        match self {
            Self::Into { fields, .. } => fields.get(name).unwrap_or(&Self::Nothing),
            same => same,
        }
    }

    /// How far into each item.
    pub fn items(&self) -> &Self {
        match self {
            Self::Into { items, .. } => items,
            same => same,
        }
    }
}

fn is_deep(value: &Value) -> bool {
    value.is_array() || value.is_object()
}
