//! From recipes as they are written, and checked, to those that run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::build::{Gap, header_name};
use super::credentials::{self as declared, Entry};
use super::fields::Parsed;
use crate::body::jq::{Message, Program};
use crate::credential::hmac::{self, Hmac, Shown};
use crate::credential::mtls::Mtls;
use crate::credential::sigv4::{Form, Payload, Signer, Sigv4};
use crate::credential::token;
use crate::credential::{Choice, Credential, Credentials};
use crate::proxy::forward::BaseUrl;

/// A signature in a query is for one call, and a little more for clocks that differ.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// What an upstream declares as its credential. A list in which no entry says
/// whom it is for is one choice of all its recipes.
pub(super) fn build(entries: Vec<Entry>, base: &BaseUrl) -> Result<Credentials, Gap> {
    let conditional = entries.iter().any(Entry::is_conditional);
    let mut choices: Vec<Choice> =
        entries.into_iter().map(|entry| choice(entry, base)).collect::<Result<_, _>>()?;
    if !conditional && !choices.is_empty() {
        let recipes = choices.into_iter().flat_map(|choice| choice.recipes).collect();
        choices = vec![Choice { callers: None, when: None, recipes }];
    }
    Ok(Credentials::new(choices))
}

fn choice(entry: Entry, base: &BaseUrl) -> Result<Choice, Gap> {
    let when = entry.when.map(|text| Program::new(text, Message::Request));
    let recipes =
        entry.recipes.into_iter().map(|declared| recipe(declared, base)).collect::<Result<_, _>>()?;
    Ok(Choice { callers: entry.callers, when, recipes })
}

fn recipe(declared: declared::Credential, base: &BaseUrl) -> Result<Credential, Gap> {
    use declared::Credential as D;
    Ok(match declared {
        D::Bearer(secret) => Credential::Bearer(secret.0),
        D::Basic { username, password } => Credential::Basic { username, password },
        D::Header { name, value } => Credential::Header(header_name(&name)?, value),
        D::Query { name, value } => Credential::Query(name, value),
        D::Cookie { name, value } => Credential::Cookie(name, value),
        D::Path { param, value } => Credential::Path(param, value),
        D::Body { pointer, value } => Credential::Body(given(pointer, "pointer")?.0, value),
        D::Oauth2(declared) => token(declared.build()?),
        D::Jwt(declared) => token(declared.build()?),
        D::GithubApp(declared) => {
            let base = base.join("/", "").ok_or_else(|| "an upstream has no base".to_owned())?;
            token(declared.build(base.into())?)
        }
        D::Hmac(declared) => Credential::Hmac(hmac(*declared)?),
        D::Sigv4(declared) => Credential::Sigv4(sigv4(*declared)?),
        D::Mtls { certificate, key } => {
            Credential::Mtls(Mtls::new(given(certificate, "certificate")?.0, given(key, "key")?.0))
        }
    })
}

fn token(recipe: token::Recipe) -> Credential {
    Credential::Token(Arc::new(token::Source::new(recipe)))
}

fn given<T>(field: Option<T>, name: &str) -> Result<T, Gap> {
    field.ok_or_else(|| format!("a recipe has no `{name}`"))
}

fn hmac(declared: declared::Hmac) -> Result<Hmac, Gap> {
    use declared::{Algorithm, Encoding, KeyEncoding, Timestamp};
    let header = |name: Option<String>| name.as_deref().map(header_name).transpose();
    Ok(Hmac {
        key: given(declared.key, "key")?.0,
        key_encoding: match declared.key_encoding {
            None | Some(KeyEncoding::Text) => hmac::KeyEncoding::Text,
            Some(KeyEncoding::Base64) => hmac::KeyEncoding::Base64,
            Some(KeyEncoding::Hex) => hmac::KeyEncoding::Hex,
        },
        algorithm: match declared.algorithm {
            None | Some(Algorithm::Sha256) => hmac::Algorithm::Sha256,
            Some(Algorithm::Sha1) => hmac::Algorithm::Sha1,
            Some(Algorithm::Sha384) => hmac::Algorithm::Sha384,
            Some(Algorithm::Sha512) => hmac::Algorithm::Sha512,
        },
        over: given(declared.over, "over")?.0,
        header: header_name(&given(declared.header, "header")?)?,
        format: declared.format.map_or_else(Shown::bare, |Parsed(format)| format),
        encoding: match declared.encoding {
            None | Some(Encoding::Hex) => hmac::Encoding::Hex,
            Some(Encoding::Base64) => hmac::Encoding::Base64,
        },
        timestamp: match declared.timestamp {
            None | Some(Timestamp::Seconds) => hmac::Timestamp::Seconds,
            Some(Timestamp::Milliseconds) => hmac::Timestamp::Milliseconds,
            Some(Timestamp::Rfc3339) => hmac::Timestamp::Rfc3339,
        },
        timestamp_header: header(declared.timestamp_header)?,
        id_header: header(declared.id_header)?,
    })
}

fn sigv4(declared: declared::Sigv4) -> Result<Sigv4, Gap> {
    let signer = match (declared.access_key_id, declared.secret_access_key, declared.role) {
        (Some(id), Some(secret), None) => Signer::Given {
            access_key_id: id.0,
            secret_access_key: secret.0,
            session_token: declared.session_token.map(|token| token.0),
        },
        (None, None, Some(role)) => Signer::Assumed { role, kept: Mutex::default() },
        (None, None, None) => Signer::Own,
        _ => return Err("a `sigv4` has parts of keys".to_owned()),
    };
    let good_for = declared.expires.map_or(GOOD_FOR, |expires| expires.0);
    Ok(Sigv4 {
        service: given(declared.service, "service")?,
        region: given(declared.region, "region")?,
        signer,
        form: match declared.form {
            None | Some(declared::Form::Header) => Form::Header,
            Some(declared::Form::Query) => Form::Query(good_for),
        },
        payload: match declared.payload {
            None | Some(declared::Payload::Signed) => Payload::Signed,
            Some(declared::Payload::Unsigned) => Payload::Unsigned,
        },
    })
}
