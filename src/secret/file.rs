//! Secrets from a JSON file, for a laptop: `COUNTERSIGN_SECRETS_FILE`,
//! together with `COUNTERSIGN_LOCAL=true` only.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use zeroize::Zeroizing;

use super::Secret;
use super::vault::{Kept, Refusal};

/// Reads `{secret id: string or object}`. What is not in the file is left
/// out: the vault says which.
pub fn read(path: &Path, ids: &[&str]) -> Result<BTreeMap<String, Kept>, Vec<Refusal>> {
    let refuse = |why: String| vec![Refusal::new("*", why)];
    let name = path.display();
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| refuse(format!("the secrets file {name} cannot be read: {error}")))?;
    // serde_json's own words could quote a value.
    let object: serde_json::Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        refuse(format!("the secrets file {name} is no JSON object (line {})", error.line()))
    })?;
    let kept = |value: &Value| Kept { text: text_of(value), version: None };
    Ok(ids.iter().filter_map(|id| Some(((*id).to_owned(), kept(object.get(*id)?)))).collect())
}

fn text_of(value: &Value) -> Secret {
    match value {
        Value::String(text) => Secret::new(text.as_str()),
        other => Secret::new(other.to_string()),
    }
}
