//! A call's values, each in its place. They live as long as one request.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;
use zeroize::Zeroizing;

use super::body::{self, Pointer};
use super::hmac::Hmac;
use super::sigv4::{Keys, Sigv4};
use super::token::Source;
use super::{Credential, Means, Value, unavailable};
use crate::secret::vault::Found;
use crate::secret::{Secret, SecretRef, Vault};
use crate::wire::Problem;
use crate::wire::client::Client;

/// A credential's values, each in its place, and the signatures to come.
#[derive(Default)]
pub struct Armed<'r> {
    /// Headers to set, over any others of that name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Query parameters, in the place of the caller's of that name.
    pub query: Vec<(String, Zeroizing<String>)>,
    /// Values of parameters of the upstream's path.
    pub path: Vec<(String, Zeroizing<String>)>,
    /// The client that shows our certificate, where there is one to show.
    pub client: Option<Client>,
    /// What it carries of secrets.
    pub carried: Carried,
    cookies: Vec<Zeroizing<String>>,
    fields: Vec<(&'r Pointer, Zeroizing<String>)>,
    hmacs: Vec<(&'r Hmac, Secret)>,
    sigv4: Option<(&'r Sigv4, Keys)>,
}

/// What a call carries of secrets.
#[derive(Default)]
pub struct Carried {
    /// What the answer is searched for.
    pub needles: Vec<Needle>,
    /// What it shows of itself: certificates. No answer is searched for them.
    pub shown: Vec<Secret>,
    /// What the record says was used.
    pub used: Vec<Used>,
    /// The tokens in it, and which of its source each is.
    pub tokens: Vec<(Arc<Source>, u64)>,
}

impl Carried {
    /// Whether another call would carry the same values, in whatever versions.
    pub fn is_same(&self, other: &Self) -> bool {
        self.needles == other.needles && self.shown == other.shown
    }
}

/// A value to look for in an answer, and what to call it in the record.
#[derive(Clone, PartialEq, Eq)]
pub struct Needle {
    /// The secret's name.
    pub name: String,
    /// Its value.
    pub secret: Secret,
}

/// Which secret a request carried, and in which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Our name for it, with the field.
    pub name: String,
    /// Secrets Manager's version id.
    pub version: Option<String>,
}

/// A request that is complete but for what [`Armed::seal`] puts into it.
pub struct Draft<'d> {
    /// What tells it apart from all others.
    pub id: &'d str,
    /// Its method.
    pub method: &'d Method,
    /// Where it goes.
    pub url: &'d mut Url,
    /// Its headers, but for those that the connection says for itself.
    pub headers: &'d mut HeaderMap,
    /// Its body.
    pub body: &'d mut Bytes,
}

impl<'r> Armed<'r> {
    /// Makes all recipes' values ready. One that is missing ends the request:
    /// nothing is ever sent without its credential.
    pub async fn with(
        recipes: impl IntoIterator<Item = &'r Credential>,
        means: &Means<'_>,
    ) -> Result<Self, Problem> {
        let mut armed = Self::default();
        for recipe in recipes {
            recipe.arm(means, &mut armed).await?;
        }
        if !armed.cookies.is_empty() {
            let cookies =
                Zeroizing::new(armed.cookies.iter().map(|c| c.as_str()).collect::<Vec<_>>().join("; "));
            armed.set_header(header::COOKIE, &cookies)?;
        }
        Ok(armed)
    }

    /// Whether it has something for the body.
    pub fn fills_body(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Puts in what needs the rest to be there: the body's fields, and then
    /// the signatures, AWS's last because it covers the other headers.
    pub fn seal(&self, mut draft: Draft<'_>, means: &Means<'_>) -> Result<(), Problem> {
        if self.fills_body() {
            body::fill(&self.fields, &mut draft)?;
        }
        for (hmac, key) in &self.hmacs {
            hmac.sign(key, &mut draft, means.now)?;
        }
        match &self.sigv4 {
            Some((sigv4, keys)) => sigv4.sign(keys, &mut draft, means.now),
            None => Ok(()),
        }
    }

    /// A value that was made out of secrets, and is guarded like one.
    pub fn derived(&mut self, name: impl Into<String>, secret: Secret) {
        let needle = Needle { name: name.into(), secret };
        if !self.carried.needles.contains(&needle) {
            self.carried.needles.push(needle);
        }
    }

    /// The value behind a reference, which the answer is searched for.
    pub fn take(&mut self, reference: &SecretRef, vault: &Vault) -> Result<Secret, Problem> {
        let Some(Found { secret, version }) = vault.get(reference) else {
            return Err(unavailable(format_args!("secret `{reference}` is not in the vault")));
        };
        self.derived(reference.to_string(), secret.clone());
        self.was_used(&[Used { name: reference.to_string(), version }]);
        Ok(secret)
    }

    /// A secret that the call does not carry, but whom it is sent to may know.
    fn guard(&mut self, reference: &SecretRef, vault: &Vault) {
        if let Some(Found { secret, .. }) = vault.get(reference) {
            self.derived(reference.to_string(), secret);
        }
    }

    /// What the record says of it.
    pub(super) fn was_used(&mut self, used: &[Used]) {
        for one in used {
            if !self.carried.used.contains(one) {
                self.carried.used.push(one.clone());
            }
        }
    }

    /// A value with the words around it.
    pub fn text(&mut self, value: &Value, vault: &Vault) -> Result<Zeroizing<String>, Problem> {
        Ok(Zeroizing::new(match value {
            Value::Text(text) => text.clone(),
            Value::Secret { secret, format: None } => self.take(secret, vault)?.expose().to_owned(),
            Value::Secret { secret, format: Some(words) } => {
                words.replacen("{}", self.take(secret, vault)?.expose(), 1)
            }
        }))
    }

    fn set_header(&mut self, name: HeaderName, value: &str) -> Result<(), Problem> {
        self.headers.push((name, sensitive(value)?));
        Ok(())
    }

    fn bearer(&mut self, token: &Secret) -> Result<(), Problem> {
        self.set_header(header::AUTHORIZATION, &Zeroizing::new(format!("Bearer {}", token.expose())))
    }
}

/// A header's value that no compression table keeps (RFC 7541 §7.1.3).
pub(super) fn sensitive(value: &str) -> Result<HeaderValue, Problem> {
    // The error's own words are dropped: they could quote the value.
    let mut value =
        HeaderValue::from_str(value).map_err(|_| unavailable("a credential is no legal header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Credential {
    async fn arm<'r>(&'r self, means: &Means<'_>, armed: &mut Armed<'r>) -> Result<(), Problem> {
        let vault = means.vault;
        match self {
            Self::Bearer(secret) => {
                let token = armed.take(secret, vault)?;
                armed.bearer(&token)?;
            }
            Self::Basic { username, password } => {
                let (username, password) = (armed.text(username, vault)?, armed.text(password, vault)?);
                let pair = Secret::new(format!("{}:{}", *username, *password));
                let encoded = Zeroizing::new(STANDARD.encode(pair.expose()));
                armed.derived(self.names(), pair);
                armed.derived(self.names(), Secret::new(encoded.as_str()));
                armed.set_header(header::AUTHORIZATION, &Zeroizing::new(format!("Basic {}", *encoded)))?;
            }
            Self::Header(name, value) => {
                let value = armed.text(value, vault)?;
                armed.set_header(name.clone(), &value)?;
            }
            Self::Query(name, value) => {
                let value = armed.text(value, vault)?;
                armed.query.push((name.clone(), value));
            }
            Self::Cookie(name, value) => {
                let value = armed.text(value, vault)?;
                armed.cookies.push(Zeroizing::new(format!("{name}={}", *value)));
            }
            Self::Path(param, value) => {
                let value = armed.text(value, vault)?;
                armed.path.push((param.clone(), value));
            }
            Self::Body(pointer, value) => {
                let value = armed.text(value, vault)?;
                armed.fields.push((pointer, value));
            }
            Self::Token(source) => {
                let token = source.obtain(means).await?;
                for (reference, ..) in source.recipe().wants() {
                    armed.guard(reference, vault);
                }
                armed.was_used(token.used());
                armed.derived(self.names(), token.secret().clone());
                armed.bearer(token.secret())?;
                armed.carried.tokens.push((Arc::clone(source), token.version()));
            }
            Self::Hmac(hmac) => {
                let key = armed.take(&hmac.key, vault)?;
                // The upstream has it too, and may write it otherwise.
                for writing in hmac.key_encoding.writings(key.expose()) {
                    armed.derived(hmac.key.to_string(), Secret::new(writing.as_str()));
                }
                armed.hmacs.push((hmac, key));
            }
            Self::Sigv4(sigv4) => {
                let keys = sigv4.keys(means, armed).await?;
                armed.sigv4 = Some((sigv4, keys));
            }
            Self::Mtls(mtls) => armed.client = Some(mtls.client(means, armed)?),
        }
        Ok(())
    }
}
