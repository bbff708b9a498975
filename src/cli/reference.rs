//! `countersign reference`: the manual of the file in Markdown, made from the
//! schema and so from the doc comments of the declared structs.

use std::fmt::Write as _;

use serde_json::Value;

use super::schema;

/// What stands above all.
const HEAD: &str = "\
# Reference of `countersign.yaml`

<!-- Made by `countersign reference` from the doc comments in src/config/: change those. -->

`countersign check` says what is wrong with a file and how to mend it, every flaw at once.
`countersign schema` prints the JSON Schema for editors (docs/countersign.schema.json); a first line
`# yaml-language-server: $schema=…` tells an editor where it is.

Durations are written `500ms`, `5s` or `1h30m`; sizes `16KiB`, `1MB` or a plain number of bytes.
Text stays as it is written: `1.10` is not shortened. Truth values are `true` and `false`, nothing else.
Anchors and aliases work; tags, merge keys (`<<`) and doubled keys are refused.
";

/// The reference as it is committed.
pub(super) fn text() -> String {
    let schema = schema::value();
    let mut text = HEAD.to_owned();
    section(&mut text, "The file", &schema);
    for name in in_order(&schema) {
        if let Some(definition) = schema.pointer(&format!("/definitions/{name}")) {
            section(&mut text, &spaced(&name), definition);
        }
    }
    text
}

/// The definitions, each once, in the order in which a reader meets them.
fn in_order(schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = 0;
    refer(schema.get("properties"), &mut names);
    while let Some(name) = names.get(next).cloned() {
        refer(schema.pointer(&format!("/definitions/{name}")), &mut names);
        next += 1;
    }
    names
}

fn refer(schema: Option<&Value>, names: &mut Vec<String>) {
    match schema {
        Some(Value::Object(map)) => {
            if let Some(name) = definition(&Value::Object(map.clone()))
                && !names.contains(&name)
            {
                names.push(name);
            }
            map.values().for_each(|value| refer(Some(value), names));
        }
        Some(Value::Array(items)) => items.iter().for_each(|value| refer(Some(value), names)),
        _ => {}
    }
}

fn definition(schema: &Value) -> Option<String> {
    schema["$ref"].as_str()?.strip_prefix("#/definitions/").map(str::to_owned)
}

fn section(text: &mut String, title: &str, schema: &Value) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\n## {title}\n\n{}\n\n", described(schema));
    fields(text, schema, "");
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        let _ = match variant["const"].as_str() {
            Some(word) => writeln!(text, "- `{word}`: {}", described(variant)),
            None => Ok(()),
        };
        for (name, inner) in variant["properties"].as_object().into_iter().flatten() {
            let kind =
                if inner["properties"].is_object() { String::new() } else { format!(" ({})", kind(inner)) };
            let _ = writeln!(text, "- **`{name}`**{kind}: {}", described(variant));
            fields(text, inner, "  ");
        }
    }
}

fn fields(text: &mut String, schema: &Value, indent: &str) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let must = if required.contains(&name.as_str()) { ", required" } else { "" };
        let default = match &field["default"] {
            Value::Bool(default) => format!(" Default: `{default}`."),
            _ => String::new(),
        };
        let within = field["properties"].is_object();
        let kind = if within { String::new() } else { format!(" ({}{must})", kind(field)) };
        let _ = writeln!(text, "{indent}- `{name}`{kind}: {}{default}", described(field));
        if within {
            fields(text, field, &format!("{indent}  "));
        }
    }
}

fn described(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// What may stand in a field, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = definition(schema) {
        let title = spaced(&name);
        return format!("[{}](#{})", title.to_lowercase(), title.to_lowercase().replace(' ', "-"));
    }
    for group in ["anyOf", "allOf"] {
        if schema["title"].is_null()
            && let Some(options) = schema[group].as_array()
        {
            let kinds = options.iter().filter(|option| option["type"] != "null").map(kind);
            return kinds.collect::<Vec<_>>().join(", or ");
        }
    }
    match schema["title"].as_str() {
        Some(title) => match schema.pointer("/examples/0").and_then(Value::as_str) {
            Some(example) => format!("{title} such as `{example}`"),
            None => title.to_owned(),
        },
        None => plain_kind(schema),
    }
}

fn plain_kind(schema: &Value) -> String {
    let is = |kind: &str| {
        schema["type"] == kind
            || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind))
    };
    if is("array") {
        return format!("list: {}", kind(&schema["items"]));
    }
    if is("object") {
        let patterns = schema["patternProperties"].as_object();
        let value =
            patterns.and_then(|patterns| patterns.values().next()).unwrap_or(&schema["additionalProperties"]);
        return format!("mapping: {}", kind(value));
    }
    match (&schema["minimum"], &schema["maximum"]) {
        _ if is("boolean") => "`true` or `false`".to_owned(),
        (Value::Number(least), Value::Number(most)) if is("integer") && least == most => format!("`{least}`"),
        (Value::Number(least), Value::Number(most)) if is("integer") => format!("{least} to {most}"),
        (Value::Number(least), _) if is("integer") => format!("a whole number from {least}"),
        _ => "text".to_owned(),
    }
}

/// `SecretPlace` as `Secret place`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for (at, c) in name.chars().enumerate() {
        if at > 0 && c.is_uppercase() {
            words.push(' ');
            words.extend(c.to_lowercase());
        } else {
            words.push(c);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_reference_is_that_of_the_code() {
        let committed = include_str!("../../docs/reference.md");
        let update = "cargo run --features cli --bin countersign reference > docs/reference.md";
        assert!(committed == super::text(), "the declared structs have changed; run `{update}`");
    }
}
