//! What a recipe takes: its fields that hold values, and what may stand in them.

use super::signed;
use super::{is_secret, secret};
use crate::config::check::{Flaws, headers, pasted};
use crate::config::credentials::Credential;
use crate::config::tree::At;
use crate::credential::Value;

pub(super) fn check(credential: &Credential, at: &At<'_>, secrets: &At<'_>, flaws: &mut Flaws) {
    let (name, values) = parts(credential);
    let at = at.key(name);
    match credential {
        Credential::Bearer(reference) => secret(&at, &reference.0, secrets, flaws),
        Credential::Hmac(hmac) => signed::hmac(hmac, &at, secrets, flaws),
        Credential::Sigv4(sigv4) => signed::sigv4(sigv4, &at, secrets, flaws),
        Credential::Mtls { certificate, key } => {
            signed::needed(&at, "certificate", certificate.as_ref(), secrets, flaws);
            signed::needed(&at, "key", key.as_ref(), secrets, flaws);
        }
        Credential::Basic { username, password } => basic(&at, username, password, flaws),
        _ => {}
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
}

/// A recipe's name, and its fields that hold values.
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
        Credential::Body { value, .. } => ("body", vec![("value", value)]),
        Credential::Oauth2(_) => ("oauth2", vec![]),
        Credential::Jwt(_) => ("jwt", vec![]),
        Credential::GithubApp(_) => ("github_app", vec![]),
        Credential::Hmac(_) => ("hmac", vec![]),
        Credential::Sigv4(_) => ("sigv4", vec![]),
        Credential::Mtls { .. } => ("mtls", vec![]),
    }
}

fn basic(at: &At<'_>, username: &Value, password: &Value, flaws: &mut Flaws) {
    if let Value::Text(name) = username
        && name.contains(':')
    {
        let help = "remove it: what stands behind it would be read as the password (RFC 7617 §2)";
        flaws.note(&at.key("username"), "a user name cannot hold a colon", help);
    }
    if !is_secret(username) && !is_secret(password) {
        let help = "write the password as `{ secret: name }`";
        flaws.missing(at, "a user name and a password without a secret prove nothing", help);
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
        Credential::Basic { .. } if text.chars().any(char::is_control) => {
            flaws.note(at, "a control character cannot be sent here", "remove it (RFC 7617 §2)");
        }
        Credential::Header { .. } => headers::value(at, text, flaws),
        Credential::Cookie { .. } if !text.bytes().all(is_cookie_octet) => {
            let help = "percent-encode what is no cookie character";
            flaws.note(at, "this cannot be the value of a cookie", help);
        }
        _ => {}
    }
    if text.is_empty() && !matches!(credential, Credential::Basic { .. }) {
        flaws.note(at, "an empty value proves nothing", "write text, or `{ secret: name }`");
    }
}

/// RFC 6265 §4.1.1; braces are ours in `format`.
fn is_cookie_octet(octet: u8) -> bool {
    matches!(octet, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}
