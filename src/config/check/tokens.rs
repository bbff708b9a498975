//! The recipes whose token is fetched or signed: that all they need is there,
//! that nothing is there in vain, and that a secret crosses no open network.

use url::Url;

use super::upstreams::is_private_host;
use super::{Flaws, pasted, refer};
use crate::config::declared::Upstream;
use crate::config::fields::{OneOrMany, Parsed};
use crate::config::tokens::{Exchange, GitHubApp, Grant, Jwt, OAuth2, Style};
use crate::config::tree::At;
use crate::credential::Value;
use crate::credential::token::endpoint::Endpoint;
use crate::secret::SecretRef;

/// What we write into each assertion ourselves, and where to say it instead.
const CLAIMS: [(&str, &str); 6] = [
    ("iss", "write it as `issuer`"),
    ("sub", "write it as `subject`"),
    ("aud", "write it as `audience`"),
    ("exp", "write how long it holds as `lifetime`"),
    ("iat", "remove it: each assertion says when it was signed"),
    ("jti", "remove it: each assertion has an id of its own"),
];

/// What a permission of GitHub's may be.
const LEVELS: [&str; 3] = ["read", "write", "admin"];

/// Where a recipe stands: beside which secrets, and at which upstream.
pub(super) struct Site<'s> {
    pub secrets: &'s At<'s>,
    pub upstream: &'s Upstream,
}

/// `at` is where the recipe's fields are.
pub(super) fn oauth2(recipe: &OAuth2, at: &At<'_>, site: &Site<'_>, flaws: &mut Flaws) {
    site.endpoint(recipe.token_url.as_ref(), &at.key("token_url"), flaws);
    site.value(Some(&recipe.client_id), &at.key("client_id"), flaws);
    let style = recipe.style.unwrap_or_default();
    let keyed = style == Style::PrivateKeyJwt;
    let (secret, key) = (at.key("client_secret"), at.key("key"));
    for name in ["key", "alg", "key_id", "assertion_audience"] {
        if !keyed {
            flaws.note(&at.key(name), "no assertion is signed here", "write `style: private_key_jwt` too");
        }
    }
    match keyed {
        true => {
            flaws.note(&secret, "a client with a key sends no secret", "remove it, or `style`");
            site.secret(recipe.key.as_ref(), &key, flaws);
            site.optional(recipe.key_id.as_ref(), &at.key("key_id"), flaws);
        }
        // The key that stands in vain is what is wrong, and was said.
        false if key.is_written() && !secret.is_written() => {}
        false => site.secret(recipe.client_secret.as_ref(), &secret, flaws),
    }
    let refresh = at.key("refresh_token");
    match recipe.grant.unwrap_or_default() {
        Grant::RefreshToken => site.secret(recipe.refresh_token.as_ref(), &refresh, flaws),
        Grant::ClientCredentials => {
            flaws.note(&refresh, "this grant needs no refresh token", "write `grant: refresh_token` too");
        }
    }
    purpose(recipe.scope.as_ref(), recipe.resource.as_ref(), at, flaws);
}

/// `at` is where the recipe's fields are.
pub(super) fn jwt(recipe: &Jwt, at: &At<'_>, site: &Site<'_>, flaws: &mut Flaws) {
    site.secret(recipe.key.as_ref(), &at.key("key"), flaws);
    site.value(Some(&recipe.issuer), &at.key("issuer"), flaws);
    for (name, value) in
        [("key_id", &recipe.key_id), ("subject", &recipe.subject), ("audience", &recipe.audience)]
    {
        site.optional(value.as_ref(), &at.key(name), flaws);
    }
    if recipe.lifetime.is_some_and(|lifetime| !(10..=86400).contains(&lifetime.0.as_secs())) {
        let help = "write 10s to 1d; most verifiers take an hour at most";
        flaws.note(
            &at.key("lifetime"),
            "no verifier takes an assertion that holds so long or so short",
            help,
        );
    }
    let claims = at.key("claims");
    for (name, value) in &recipe.claims {
        let at = claims.key(name);
        if let Some((_, help)) = CLAIMS.iter().find(|(known, _)| known == name) {
            flaws.note_key(&at, "this claim is written here already", *help);
        }
        if let serde_json::Value::String(text) = &value.0 {
            pasted(&at, text, flaws);
        }
    }
    if let Some(Exchange { token_url, scope, resource, .. }) = &recipe.exchange {
        let at = at.key("exchange");
        site.endpoint(token_url.as_ref(), &at.key("token_url"), flaws);
        purpose(scope.as_ref(), resource.as_ref(), &at, flaws);
    }
}

/// `at` is where the recipe's fields are.
pub(super) fn github_app(recipe: &GitHubApp, at: &At<'_>, site: &Site<'_>, flaws: &mut Flaws) {
    site.value(Some(&recipe.app_id), &at.key("app_id"), flaws);
    let installation = at.key("installation_id");
    site.value(Some(&recipe.installation_id), &installation, flaws);
    if let Value::Text(id) = &recipe.installation_id
        && !id.bytes().all(|byte| byte.is_ascii_digit())
    {
        let help = "write the number at the end of the URL of the installation's settings";
        flaws.note(&installation, "an installation's id is a number", help);
    }
    site.secret(recipe.private_key.as_ref(), &at.key("private_key"), flaws);
    if recipe.api_url.is_some() {
        site.endpoint(recipe.api_url.as_ref(), &at.key("api_url"), flaws);
    }
    narrowing(recipe, at, flaws);
}

fn narrowing(recipe: &GitHubApp, at: &At<'_>, flaws: &mut Flaws) {
    let (repositories, permissions) = (at.key("repositories"), at.key("permissions"));
    let empty = "name at least one; without this line the token is for all";
    if recipe.repositories.as_ref().is_some_and(Vec::is_empty) {
        flaws.note(&repositories, "the token would be for no repository", empty);
    }
    for (at, name) in repositories.sound_items().iter().zip(recipe.repositories.iter().flatten()) {
        if name.is_empty() || name.contains('/') {
            let help = "write the name alone: the installation says whose it is";
            flaws.note(at, "this is no name of a repository", help);
        }
    }
    if recipe.permissions.as_ref().is_some_and(|permissions| permissions.is_empty()) {
        flaws.note(&permissions, "the token would permit nothing", empty);
    }
    for (name, level) in recipe.permissions.iter().flatten() {
        if !LEVELS.contains(&level.as_str()) {
            let help = "write `read`, `write` or `admin`";
            flaws.note(&permissions.key(name), "GitHub knows no such permission", help);
        }
    }
}

impl Site<'_> {
    /// Where a secret is sent to.
    fn endpoint(&self, url: Option<&Parsed<Endpoint>>, at: &At<'_>, flaws: &mut Flaws) {
        let Some(Parsed(url)) = url else {
            return flaws.missing(at, "it is not said where tokens are had", "write `token_url: https://…`");
        };
        if !url.is_https() && !self.upstream.dangerous_plain_http {
            let help =
                "write `https://`, or for a private network `dangerous_plain_http: true` at the upstream";
            flaws.note(at, "the credential would cross the network in the clear", help);
        }
        if is_private_host(url.host(), url.address()) && !self.upstream.dangerous_private_network {
            let help = "name a public host, or write `dangerous_private_network: true` at the upstream";
            flaws.note(at, "this host is in a private network", help);
        }
    }

    /// A field that always holds a secret. What is written is never repeated:
    /// somebody may have written the value itself.
    fn secret(&self, reference: Option<&Parsed<SecretRef>>, at: &At<'_>, flaws: &mut Flaws) {
        match reference {
            Some(Parsed(reference)) => self.refer(reference, at, flaws),
            None => flaws.missing(at, "a secret is missing here", "write the name of one from `secrets`"),
        }
    }

    fn refer(&self, reference: &SecretRef, at: &At<'_>, flaws: &mut Flaws) {
        let (name, field) = (reference.name(), reference.field().unwrap_or_default());
        if !pasted(at, name, flaws) && !pasted(at, field, flaws) {
            refer(at, name, self.secrets, flaws);
        }
    }

    /// A field that may be left out.
    fn optional(&self, value: Option<&Value>, at: &At<'_>, flaws: &mut Flaws) {
        if value.is_some() {
            self.value(value, at, flaws);
        }
    }

    /// A field that holds text or a secret.
    fn value(&self, value: Option<&Value>, at: &At<'_>, flaws: &mut Flaws) {
        match value {
            Some(Value::Secret { secret, format }) => {
                self.refer(secret, &at.key("secret"), flaws);
                if format.as_ref().is_some_and(|format| format.matches("{}").count() != 1) {
                    let what = "it is not said where the secret goes";
                    flaws.note(&at.key("format"), what, "write `{}` in it, once");
                }
            }
            Some(Value::Text(text)) if !text.is_empty() => drop(pasted(at, text, flaws)),
            Some(Value::Text(_)) | None => {
                flaws.missing(at, "a value is missing here", "write text, or `{ secret: name }`");
            }
        }
    }
}

/// What a token is to be for.
fn purpose(
    scope: Option<&OneOrMany<String>>,
    resource: Option<&OneOrMany<String>>,
    at: &At<'_>,
    flaws: &mut Flaws,
) {
    let (scopes, resources) = (at.key("scope"), at.key("resource"));
    for (at, words) in scopes.sound_items().iter().zip(scope.iter().flat_map(|all| &all.0)) {
        if words.trim().is_empty() || !words.bytes().all(is_of_a_scope) {
            flaws.note(at, "this is no scope", "write the server's words, as it has them (RFC 6749 §3.3)");
        }
    }
    for (at, uri) in resources.sound_items().iter().zip(resource.iter().flat_map(|all| &all.0)) {
        if !Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none()) {
            let help = "write the API's URI, such as `https://api.example.com` (RFC 8707 §2)";
            flaws.note(at, "a resource is an absolute URI without a fragment", help);
        }
    }
}

/// A word of a scope (RFC 6749 §3.3), or a space between two.
fn is_of_a_scope(byte: u8) -> bool {
    (byte == b' ' || byte.is_ascii_graphic()) && byte != b'"' && byte != b'\\'
}
