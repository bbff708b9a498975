//! What schemas say of bodies, in tables.

mod drafts;
mod hostile;
mod projecting;
mod sentences;
mod sights;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::body::json;

fn doc(text: &str) -> Doc {
    json::read(&Bytes::copy_from_slice(text.as_bytes())).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn schema(document: Value) -> Schema {
    with_files(document, json!({}))
}

fn with_files(document: Value, files: Value) -> Schema {
    let files = files.as_object().unwrap().clone().into_iter().collect();
    Schema::new("", document, Arc::new(files))
}

/// What a schema says of a body, waited for.
fn ask(schema: &Schema, body: &Doc) -> Result<Vec<Violation>, Unplaced> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(schema.validate(body.root()))
}

/// The same of a body whose judgement ends. The memory of tests that run
/// beside this one counts as its own: so it may be asked again.
fn validate(schema: &Schema, body: &Doc) -> Result<Vec<Violation>, Unplaced> {
    let mut asked = (0..5).map(|_| ask(schema, body));
    asked.find(|said| *said != Err(Unplaced::Endless)).unwrap_or(Err(Unplaced::Endless))
}

/// Each violation as `pointer detail`.
fn told(schema: &Schema, body: &str) -> Vec<String> {
    let violations = validate(schema, &doc(body)).unwrap_or_else(|why| panic!("{why:?}"));
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
