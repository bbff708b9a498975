//! The pinned keys of issuers: files beside the configuration, each a JWKS (RFC 7517 §5).
//!
//! A file that holds none that can be used, or one that is secret, is a flaw.

use std::collections::BTreeMap;

use serde_json::Value;

use super::beside::{self, Read, Wrong};
use super::declared::Declared;
use super::flaw::{Flaw, Flaws};
use super::tree::At;
use crate::identity::Alg;
use crate::identity::keys::{Keys, PRIVATE};

/// The keys of each issuer that pins them.
pub(super) fn gather(
    declared: &Declared,
    root: &At<'_>,
    read: &Read<'_>,
    flaws: &mut Flaws,
) -> BTreeMap<String, Keys> {
    let issuers = root.key("issuers");
    let mut found = BTreeMap::new();
    for (name, issuer) in &declared.issuers {
        let Some(path) = &issuer.keys else { continue };
        let (issuer, algs) = (issuers.key(name), issuer.algs());
        match document(path, algs, read) {
            Ok(keys) => drop(found.insert(name.clone(), keys)),
            Err((what, help)) => {
                let at = issuer.key("keys");
                flaws.push(Flaw::new(at.path(), at.place(), what, help));
            }
        }
    }
    found
}

fn document(path: &str, algs: &[Alg], read: &Read<'_>) -> Result<Keys, Wrong> {
    if path.contains("://") {
        let help = "remove `keys`, and they are fetched as the issuer says; or write the path of a file";
        return Err(("only a file can be named here".to_owned(), help.to_owned()));
    }
    let keys = beside::document(path, read)?;
    judge(&keys)?;
    let help = "put there what the issuer publishes, and ask it why";
    match Keys::parse(keys.to_string().as_bytes()) {
        Ok(usable) if algs.iter().any(|alg| usable.fits(*alg)) => Ok(usable),
        Ok(_) => {
            let what = "none of the keys in this file can be used for what the issuer's `algs` name";
            Err((what.to_owned(), help.to_owned()))
        }
        Err(why) => Err((format!("these keys cannot be used: {why}"), help.to_owned())),
    }
}

fn judge(keys: &Value) -> Result<(), Wrong> {
    let wrong = |what: &str, help: &str| Err((what.to_owned(), help.to_owned()));
    let keys = match keys.get("keys").and_then(Value::as_array) {
        Some(keys) if !keys.is_empty() && keys.iter().all(|key| key["kty"].is_string()) => keys,
        _ => {
            return wrong(
                "this file holds no JWKS",
                "let it be `{\"keys\": […]}`, as the issuer publishes it",
            );
        }
    };
    if keys.iter().any(|key| PRIVATE.iter().any(|member| key.get(member).is_some())) {
        return wrong(
            "a key in this file is secret, and nobody but the issuer may have it",
            "put the public keys there, as the issuer publishes them, and have the secret one replaced",
        );
    }
    Ok(())
}
