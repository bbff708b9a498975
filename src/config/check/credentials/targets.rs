//! Where recipes write: two of them in one place would undo each other.

use http::{HeaderName, header};

use crate::config::check::{Flaws, headers as names};
use crate::config::credentials::{Credential, Form};
use crate::config::declared::Upstream;
use crate::config::tree::At;
use crate::credential::body::Pointer;
use crate::credential::{folded, is_same_param};

/// A place. Headers and parameters are named here as upstreams may read them.
#[derive(PartialEq)]
pub(super) enum Target {
    Header(HeaderName),
    Query(String),
    Cookie(String),
    Path(String),
    Body(Pointer),
    /// The query as a whole, which AWS's signature becomes a part of.
    Signature,
    Certificate,
}

/// Where a recipe writes; a name that cannot be written is noted.
pub(super) fn of(credential: &Credential, at: &At<'_>, flaws: &mut Flaws) -> Vec<Target> {
    let (recipe, field, name) = match credential {
        Credential::Bearer(_)
        | Credential::Basic { .. }
        | Credential::Oauth2(_)
        | Credential::Jwt(_)
        | Credential::GithubApp(_) => {
            return vec![Target::Header(header::AUTHORIZATION)];
        }
        Credential::Sigv4(sigv4) => return of_sigv4(sigv4.form),
        Credential::Mtls { .. } => return vec![Target::Certificate],
        Credential::Hmac(_) => return of_hmac(credential, &at.key("hmac"), flaws),
        Credential::Body { pointer, .. } => {
            return of_body(pointer.as_ref().map(|p| &p.0), &at.key("body"), flaws);
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
        return Vec::new();
    }
    match credential {
        Credential::Header { .. } => {
            names::of_ours(&at, name, flaws).map(Target::Header).into_iter().collect()
        }
        Credential::Query { .. } => vec![Target::Query(folded(name))],
        Credential::Path { .. } => vec![Target::Path(name.clone())],
        // A cookie's name is a token (RFC 6265 §4.1.1), as a header's is.
        _ => {
            if name.parse::<HeaderName>().is_err() {
                flaws.note(&at, "this cannot be the name of a cookie", "write letters, digits, `-` and `_`");
            }
            vec![Target::Cookie(name.clone())]
        }
    }
}

/// In a header it is `Authorization`; two signatures of either form would sign each other.
fn of_sigv4(form: Option<Form>) -> Vec<Target> {
    match form {
        Some(Form::Query) => vec![Target::Signature],
        Some(Form::Header) | None => vec![Target::Signature, Target::Header(header::AUTHORIZATION)],
    }
}

fn of_hmac(credential: &Credential, at: &At<'_>, flaws: &mut Flaws) -> Vec<Target> {
    let named = hmac_headers(credential);
    let named = named.into_iter().filter_map(|(field, name)| names::of_ours(&at.key(field), name, flaws));
    named.map(Target::Header).collect()
}

fn of_body(pointer: Option<&Pointer>, at: &At<'_>, flaws: &mut Flaws) -> Vec<Target> {
    if pointer.is_none() {
        let help = "write `pointer:` and where it goes, such as `/api_key`";
        flaws.missing(&at.key("pointer"), "`body` has no `pointer`", help);
    }
    pointer.cloned().map(Target::Body).into_iter().collect()
}

/// The headers of an `hmac`, by the fields that name them.
fn hmac_headers(credential: &Credential) -> Vec<(&'static str, &str)> {
    let Credential::Hmac(hmac) = credential else { return Vec::new() };
    let fields = [
        ("header", &hmac.header),
        ("timestamp_header", &hmac.timestamp_header),
        ("id_header", &hmac.id_header),
    ];
    fields.into_iter().filter_map(|(field, name)| Some((field, name.as_deref()?))).collect()
}

/// The headers that a recipe writes and a route could declare, folded.
pub(in super::super) fn headers(credential: &Credential) -> Vec<HeaderName> {
    match credential {
        Credential::Header { name, .. } => names::fold(name).into_iter().collect(),
        Credential::Hmac(_) => {
            hmac_headers(credential).into_iter().filter_map(|(_, name)| names::fold(name)).collect()
        }
        // Theirs never go upstream in any case, or they have none.
        _ => Vec::new(),
    }
}

/// Whether a query parameter is the credential's own, in any spelling.
pub(in super::super) fn owns_query(credential: &Credential, name: &str) -> bool {
    match credential {
        Credential::Query { name: own, .. } => is_same_param(own, name),
        Credential::Sigv4(_) => folded(name).starts_with("x-amz-"),
        _ => false,
    }
}

/// The parameter of the upstream's path that a recipe fills in.
pub(in super::super) fn path_param(credential: &Credential) -> Option<&str> {
    match credential {
        Credential::Path { param, .. } => Some(param.as_str()).filter(|param| !param.is_empty()),
        _ => None,
    }
}

pub(super) fn collide(
    target: &Target,
    before: &[Target],
    (at, upstream): (&At<'_>, &Upstream),
    flaws: &mut Flaws,
) {
    let same = |other: &Target| match (target, other) {
        (Target::Cookie(_), Target::Header(name)) | (Target::Header(name), Target::Cookie(_)) => {
            name == "cookie"
        }
        (Target::Body(a), Target::Body(b)) => a.overlaps(b),
        (a, b) => a == b,
    };
    if before.iter().any(same) {
        flaws.note(at, "another recipe of this list writes the same place", "remove one of the two");
    }
    let Target::Header(name) = target else { return };
    let is_same = |own: &String| names::fold(own).as_ref() == Some(name);
    if upstream.headers.keys().any(is_same) && !names::proves(name) {
        flaws.note(at, "`headers` of this upstream sets the same header", "remove it there");
    }
}
