//! Where a schema refers to, read off its text: what must be there before it
//! is compiled.

use serde_json::Value;

/// A `$ref` of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'s> {
    /// The way to it: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What it says.
    pub text: &'s str,
    /// Where it leads.
    pub target: Target<'s>,
}

/// Where a reference leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'s> {
    /// Into the same document, or to a meta-schema. Whether anything is there
    /// is found by compiling it.
    Within,
    /// To a file: the path, as it is written, without the fragment.
    File(&'s str),
    /// To somewhere that we do not go.
    Elsewhere,
}

/// What holds values and no schemas.
const VALUES: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// How the meta-schemas begin that `jsonschema` brings along.
const META: [&str; 2] = ["http://json-schema.org/draft-0", "https://json-schema.org/draft/20"];

/// Every reference of a schema.
pub fn references(schema: &Value) -> Vec<Reference<'_>> {
    let mut found = Found::default();
    found.walk(schema, &mut String::new());
    let Found { texts, ids } = found;
    let lead = |(pointer, text)| Reference { pointer, text, target: target(text, &ids) };
    texts.into_iter().map(lead).collect()
}

fn target<'s>(text: &'s str, ids: &[&str]) -> Target<'s> {
    let path = text.split('#').next().unwrap_or_default();
    if path.is_empty() || ids.contains(&path) || META.iter().any(|meta| path.starts_with(meta)) {
        Target::Within
    } else if path.contains(':') || path.starts_with("//") {
        Target::Elsewhere
    } else {
        Target::File(path)
    }
}

/// What a walk through a schema finds.
#[derive(Default)]
struct Found<'s> {
    texts: Vec<(String, &'s str)>,
    ids: Vec<&'s str>,
}

impl<'s> Found<'s> {
    fn walk(&mut self, schema: &'s Value, pointer: &mut String) {
        let length = pointer.len();
        match schema {
            Value::Object(map) => {
                for (key, value) in map.iter().filter(|(key, _)| !VALUES.contains(&key.as_str())) {
                    pointer.push('/');
                    pointer.push_str(&escaped(key));
                    match (key.as_str(), value) {
                        ("$ref" | "$dynamicRef", Value::String(text)) => {
                            self.texts.push((pointer.clone(), text));
                        }
                        ("$id" | "id", Value::String(id)) => self.ids.push(id),
                        _ => self.walk(value, pointer),
                    }
                    pointer.truncate(length);
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    self.walk(value, pointer);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }
}

/// A name as a part of a JSON Pointer (RFC 6901 §3).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A document without the address that it gives itself: its references lead
/// from the place where it lies.
pub fn without_id(mut document: Value) -> Value {
    if let Value::Object(map) = &mut document {
        for key in ["$id", "id"] {
            // An anchor is no address (draft 7 §8.2.3).
            if map.get(key).and_then(Value::as_str).is_some_and(|id| !id.starts_with('#')) {
                map.remove(key);
            }
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_where_schemas_stand() {
        let schema = serde_json::json!({
            "$ref": "#/$defs/a",
            "properties": { "a/b": { "$ref": "../x/y.json#/z" }, "$ref": { "$ref": "https://a.example/b" } },
            "allOf": [{ "$ref": "http://json-schema.org/draft-07/schema#" }, { "$ref": "urn:own" }],
            "$defs": { "own": { "$id": "urn:own" } },
            "const": { "$ref": "nothing.json" },
        });
        let found = references(&schema);
        let check = |pointer: &str, target: Target<'_>| {
            let reference = found.iter().find(|reference| reference.pointer == pointer);
            assert_eq!(reference.map(|reference| reference.target), Some(target), "{pointer}");
        };
        check("/$ref", Target::Within);
        check("/properties/a~1b/$ref", Target::File("../x/y.json"));
        check("/properties/$ref/$ref", Target::Elsewhere);
        check("/allOf/0/$ref", Target::Within);
        check("/allOf/1/$ref", Target::Within);
        assert_eq!(found.len(), 5);
    }
}
