//! What schemas say of bodies, in tables.

mod agreement;
mod drafts;
mod hostile;
mod projecting;
mod sentences;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::body::json;

fn value(text: &str) -> Val {
    json::read(&Bytes::copy_from_slice(text.as_bytes())).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn text(value: &Val) -> String {
    String::from_utf8(json::write(value, usize::MAX).unwrap()).unwrap()
}

fn schema(document: Value) -> Schema {
    with_files(document, json!({}))
}

fn with_files(document: Value, files: Value) -> Schema {
    let files = files.as_object().unwrap().clone().into_iter().collect();
    Schema::new("", document, Arc::new(files))
}

/// Each violation as `pointer detail`.
fn told(schema: &Schema, body: &str) -> Vec<String> {
    let violations = schema.validate(&value(body)).unwrap_or_else(|fault| panic!("{fault}"));
    violations.iter().map(|violation| format!("{} {}", violation.pointer, violation.detail)).collect()
}

fn fits(document: &Value, body: &str) -> bool {
    told(&schema(document.clone()), body).is_empty()
}

/// What is wrong with a schema itself, as `file pointer: what`.
fn fault(schema: &Schema) -> Option<String> {
    let Fault { file, pointer, what, .. } = schema.faults().into_iter().next()?;
    Some(format!("{file} {pointer}: {what}"))
}
