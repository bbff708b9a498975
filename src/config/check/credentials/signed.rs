//! The recipes that sign, and the client certificate: secrets by their bare
//! names, and what must be said beside them.

use std::time::Duration;

use super::secret;
use crate::config::check::Flaws;
use crate::config::credentials::{Credential, Form, Hmac, Sigv4};
use crate::config::fields::Parsed;
use crate::config::tree::At;
use crate::secret::SecretRef;

/// AWS's own limit for a signature in a query.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

type Reference = Parsed<SecretRef>;

/// A field that holds a secret and must be there.
pub(super) fn needed(
    at: &At<'_>,
    field: &str,
    reference: Option<&Reference>,
    secrets: &At<'_>,
    flaws: &mut Flaws,
) {
    let at = at.key(field);
    match reference {
        Some(reference) => secret(&at, &reference.0, secrets, flaws),
        None => {
            let what = format!("there is no `{field}` here");
            flaws.missing(&at, what, format!("write `{field}:` and the name of a secret"));
        }
    }
}

pub(super) fn hmac(hmac: &Hmac, at: &At<'_>, secrets: &At<'_>, flaws: &mut Flaws) {
    needed(at, "key", hmac.key.as_ref(), secrets, flaws);
    if hmac.header.as_ref().is_none_or(String::is_empty) {
        let help = "write `header:` and the name of the header that shows the signature";
        flaws.missing(&at.key("header"), "there is no `header` here", help);
    }
    let Some(Parsed(over)) = &hmac.over else {
        let help = "write `over:` and what is signed, such as `\"{timestamp}.{body}\"`";
        return flaws.missing(&at.key("over"), "it is not said what is signed", help);
    };
    if over.is_constant() {
        let help = "write at least one of `{body}`, `{path}`, `{timestamp}` … in it";
        flaws.note(&at.key("over"), "this signature would be the same for every request", help);
    }
    let shows = |shown: fn(&crate::credential::hmac::Shown) -> bool| {
        hmac.format.as_ref().is_some_and(|format| shown(&format.0))
    };
    let told = [
        ("timestamp", over.has_time(), hmac.timestamp_header.is_some() || shows(|shown| shown.has_time())),
        ("id", over.has_id(), hmac.id_header.is_some() || shows(|shown| shown.has_id())),
    ];
    for (name, ..) in told.into_iter().filter(|(_, signed, told)| *signed && !told) {
        let what = format!("`{{{name}}}` is signed, and the upstream is not told it");
        flaws.note(&at.key("over"), what, format!("write `{name}_header:`, or `{{{name}}}` in `format`"));
    }
}

/// Whether it is a signature over the query.
pub(super) fn covers_query(credential: &Credential) -> bool {
    matches!(credential, Credential::Hmac(hmac) if hmac.over.as_ref().is_some_and(|over| over.0.has_query()))
}

pub(super) fn sigv4(sigv4: &Sigv4, at: &At<'_>, secrets: &At<'_>, flaws: &mut Flaws) {
    for (field, text, example) in
        [("service", &sigv4.service, "execute-api"), ("region", &sigv4.region, "eu-west-1")]
    {
        let at = at.key(field);
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match text {
            Some(text) if !text.is_empty() && text.chars().all(legal) => {}
            Some(_) => {
                let help = format!("write it in small letters, digits and `-`, such as `{example}`");
                flaws.note(&at, format!("this is no name of a {field}"), help);
            }
            None => flaws.missing(
                &at,
                format!("there is no `{field}` here"),
                format!("write `{field}:`, such as `{example}`"),
            ),
        }
    }
    keys(sigv4, at, secrets, flaws);
    expires(sigv4, at, flaws);
}

/// Keys, a role, or neither.
fn keys(sigv4: &Sigv4, at: &At<'_>, secrets: &At<'_>, flaws: &mut Flaws) {
    let (id, key) = (sigv4.access_key_id.as_ref(), sigv4.secret_access_key.as_ref());
    let given = id.is_some() || key.is_some() || sigv4.session_token.is_some();
    if given {
        needed(at, "access_key_id", id, secrets, flaws);
        needed(at, "secret_access_key", key, secrets, flaws);
    }
    if let Some(token) = &sigv4.session_token {
        secret(&at.key("session_token"), &token.0, secrets, flaws);
    }
    let Some(role) = &sigv4.role else { return };
    let at = at.key("role");
    if given {
        let help = "remove `role`, or the keys";
        flaws.note(&at, "the function takes on a role with its own, and not with other keys", help);
    }
    if !role.starts_with("arn:") || !role.contains(":role/") {
        flaws.note(
            &at,
            "this is no ARN of a role",
            "write one such as `arn:aws:iam::123456789012:role/name`",
        );
    }
}

fn expires(sigv4: &Sigv4, at: &At<'_>, flaws: &mut Flaws) {
    let Some(expires) = sigv4.expires else { return };
    let at = at.key("expires");
    if sigv4.form != Some(Form::Query) {
        flaws.note(
            &at,
            "only a signature in the query says how long it is good",
            "write `form: query`, or remove it",
        );
    }
    if expires.0.subsec_nanos() != 0 || LONGEST < expires.0 {
        flaws.note(&at, "AWS takes whole seconds here, and no more than 7 days", "write one such as `5m`");
    }
}
