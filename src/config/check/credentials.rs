//! The recipes for proving ourselves: what they name must be there, and no
//! two of them may write the same place.

use http::{HeaderName, header};

use super::{Flaws, headers, pasted, refer};
use crate::config::declared::{Credential, Upstream};
use crate::config::tree::At;
use crate::credential::Value;
use crate::secret::SecretRef;

/// Where a recipe writes: two of them in one place would undo each other.
/// Headers and parameters are named here as upstreams may read them.
#[derive(PartialEq)]
enum Target {
    Header(HeaderName),
    Query(String),
    Cookie(String),
    Path(String),
}

pub(super) fn check(upstream: &Upstream, at: &At<'_>, secrets: &At<'_>, flaws: &mut Flaws) {
    let Some(credentials) = &upstream.credential else { return };
    let credential = at.key("credential");
    let mut targets = Vec::new();
    if credentials.0.is_empty() {
        flaws.missing(&credential, "no credential is named here", "name one, or remove `credential`");
    }
    for (at, credential) in credential.sound_items().iter().zip(&credentials.0) {
        recipe(credential, at, secrets, flaws);
        let Some(target) = target(credential, at, flaws) else { continue };
        collide(&target, &targets, (at, upstream), flaws);
        targets.push(target);
    }
}

/// What a recipe takes: its name, and its fields that hold values.
fn parts(credential: &Credential) -> (&'static str, Vec<(&'static str, &Value)>) {
    match credential {
        Credential::Bearer(_) => ("bearer", vec![]),
        Credential::Basic { username, password } => {
            ("basic", vec![("username", username), ("password", password)])
        }
        Credential::Header { value, .. } => ("header", vec![("value", value)]),
        Credential::Query { value, .. } => ("query", vec![("value", value)]),
        Credential::Cookie { value, .. } => ("cookie", vec![("value", value)]),
        Credential::Path { value, .. } => ("path", vec![("value", value)]),
    }
}

fn recipe(credential: &Credential, at: &At<'_>, secrets: &At<'_>, flaws: &mut Flaws) {
    let (name, values) = parts(credential);
    let at = at.key(name);
    if let Credential::Bearer(reference) = credential {
        secret(&at, &reference.0, secrets, flaws);
    }
    for (field, value) in &values {
        let at = at.key(field);
        match value {
            _ if !at.is_written() => {
                let help = format!("write `{field}:` and text, or `{{ secret: name }}`");
                flaws.missing(&at, format!("`{name}` has no `{field}`"), help);
            }
            Value::Text(value) => text(credential, &at, value, flaws),
            Value::Secret { secret: reference, format } => {
                secret(&at.key("secret"), reference, secrets, flaws);
                if let Some(format) = format {
                    around(credential, &at.key("format"), format, flaws);
                }
            }
        }
    }
    if let Credential::Basic { username: Value::Text(name), .. } = credential
        && name.contains(':')
    {
        let help = "remove it: what stands behind it would be read as the password (RFC 7617 §2)";
        flaws.note(&at.key("username"), "a user name cannot hold a colon", help);
    }
    if let Credential::Basic { username: Value::Text(_), password: Value::Text(_) } = credential {
        let help = "write the password as `{ secret: name }`";
        flaws.missing(&at, "a user name and a password without a secret prove nothing", help);
    }
}

/// A reference to a secret. It is never repeated: somebody may have written the value itself.
fn secret(at: &At<'_>, reference: &SecretRef, secrets: &At<'_>, flaws: &mut Flaws) {
    if !pasted(at, reference.name(), flaws) && !pasted(at, reference.field().unwrap_or_default(), flaws) {
        refer(at, reference.name(), secrets, flaws);
    }
}

/// What stands around a secret.
fn around(credential: &Credential, at: &At<'_>, format: &str, flaws: &mut Flaws) {
    match format.matches("{}").count() {
        1 => text(credential, at, format, flaws),
        _ => flaws.note(at, "it is not said where the secret goes", "write `{}` in it, once"),
    }
}

/// Text that stands where a secret may stand.
fn text(credential: &Credential, at: &At<'_>, text: &str, flaws: &mut Flaws) {
    if pasted(at, text, flaws) {
        return;
    }
    match credential {
        Credential::Bearer(_) => {}
        Credential::Basic { .. } => {
            if text.chars().any(char::is_control) {
                flaws.note(at, "a control character cannot be sent here", "remove it (RFC 7617 §2)");
            }
        }
        Credential::Header { .. } => headers::value(at, text, flaws),
        Credential::Cookie { .. } => {
            if !text.bytes().all(is_cookie_octet) {
                flaws.note(
                    at,
                    "this cannot be the value of a cookie",
                    "percent-encode what is no cookie character",
                );
            }
        }
        Credential::Query { .. } | Credential::Path { .. } => {}
    }
    if text.is_empty() && !matches!(credential, Credential::Basic { .. }) {
        flaws.note(at, "an empty value proves nothing", "write text, or `{ secret: name }`");
    }
}

/// RFC 6265 §4.1.1; braces are ours in `format`.
fn is_cookie_octet(octet: u8) -> bool {
    matches!(octet, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// Where a recipe writes; a name that cannot be written is noted.
fn target(credential: &Credential, at: &At<'_>, flaws: &mut Flaws) -> Option<Target> {
    let (recipe, field, name) = match credential {
        Credential::Bearer(_) | Credential::Basic { .. } => {
            return Some(Target::Header(header::AUTHORIZATION));
        }
        Credential::Header { name, .. } => ("header", "name", name),
        Credential::Query { name, .. } => ("query", "name", name),
        Credential::Cookie { name, .. } => ("cookie", "name", name),
        Credential::Path { param, .. } => ("path", "param", param),
    };
    let at = at.key(recipe);
    let at = at.key(field);
    if name.is_empty() {
        flaws.missing(&at, format!("`{recipe}` has no `{field}`"), format!("write `{field}:`"));
        return None;
    }
    match credential {
        Credential::Bearer(_) | Credential::Basic { .. } => None,
        Credential::Header { .. } => headers::of_ours(&at, name, flaws).map(Target::Header),
        Credential::Query { .. } => Some(Target::Query(fold(name))),
        Credential::Cookie { .. } => {
            // A cookie's name is a token (RFC 6265 §4.1.1), as a header's is.
            if name.parse::<HeaderName>().is_err() {
                flaws.note(&at, "this cannot be the name of a cookie", "write letters, digits, `-` and `_`");
            }
            Some(Target::Cookie(name.clone()))
        }
        Credential::Path { .. } => Some(Target::Path(name.clone())),
    }
}

/// A parameter's name as upstreams may read it: some do not tell `KEY` from
/// `key`, and some make a list of `key[]` that takes the place of `key`.
pub(super) fn fold(parameter: &str) -> String {
    parameter.trim_end_matches("[]").to_ascii_lowercase()
}

fn collide(target: &Target, before: &[Target], (at, upstream): (&At<'_>, &Upstream), flaws: &mut Flaws) {
    let cookies = |other: &Target| match (target, other) {
        (Target::Cookie(_), Target::Header(name)) | (Target::Header(name), Target::Cookie(_)) => {
            name == "cookie"
        }
        (a, b) => a == b,
    };
    if before.iter().any(cookies) {
        flaws.note(at, "another recipe of this list writes the same place", "remove one of the two");
    }
    let Target::Header(name) = target else { return };
    let is_same = |own: &String| headers::fold(own).as_ref() == Some(name);
    if upstream.headers.keys().any(is_same) && !headers::proves(name) {
        flaws.note(at, "`headers` of this upstream sets the same header", "remove it there");
    }
}
