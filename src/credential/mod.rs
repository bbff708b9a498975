//! How we prove ourselves to an upstream.
//!
//! A [`Credential`] is a recipe: it holds names, never values. Armed with the
//! vault's values it says what goes where into a request, and which values an
//! answer must be searched for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::secret::vault::{self, Found};
use crate::secret::{Secret, SecretRef, Vault};
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// A recipe. A closed set, so an enum and not a trait.
#[derive(Debug, Clone)]
pub enum Credential {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    Bearer(SecretRef),
    /// `Authorization: Basic …` (RFC 7617 §2).
    Basic {
        /// The user name.
        username: Value,
        /// The password.
        password: Value,
    },
    /// A header.
    Header(HeaderName, Value),
    /// A query parameter.
    Query(String, Value),
    /// A cookie.
    Cookie(String, Value),
    /// A parameter in the upstream's path.
    Path(String, Value),
}

/// A value that may be secret.
#[derive(Debug, Clone)]
pub enum Value {
    /// Plain text, as the file has it.
    Text(String),
    /// A secret, with words around it where `format` has them: `Token {}`.
    Secret {
        /// Which secret.
        secret: SecretRef,
        /// The words, with `{}` in the place of the secret.
        format: Option<String>,
    },
}

/// A credential's values, each in its place. They live as long as one request.
#[derive(Default)]
pub struct Armed {
    /// Headers to set, over any others of that name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Query parameters, in the place of the caller's of that name.
    pub query: Vec<(String, Zeroizing<String>)>,
    /// Values of parameters of the upstream's path.
    pub path: Vec<(String, Zeroizing<String>)>,
    /// What the answer is searched for.
    pub needles: Vec<Needle>,
    /// What the record says was used.
    pub used: Vec<Used>,
    cookies: Vec<Zeroizing<String>>,
}

/// A value to look for in an answer, and what to call it in the record.
pub struct Needle {
    /// The secret's name.
    pub name: String,
    /// Its value.
    pub secret: Secret,
}

/// Which secret a request carried, and in which version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Used {
    /// Our name for it, with the field.
    pub name: String,
    /// Secrets Manager's version id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Armed {
    /// Takes all recipes' values out of the vault. One that is missing ends
    /// the request: nothing is ever sent without its credential.
    pub fn with(recipes: &[Credential], vault: &Vault) -> Result<Self, Problem> {
        let mut armed = Self::default();
        for recipe in recipes {
            recipe.arm(vault, &mut armed)?;
        }
        if !armed.cookies.is_empty() {
            let cookies =
                Zeroizing::new(armed.cookies.iter().map(|c| c.as_str()).collect::<Vec<_>>().join("; "));
            armed.set_header(header::COOKIE, &cookies)?;
        }
        Ok(armed)
    }

    fn set_header(&mut self, name: HeaderName, value: &str) -> Result<(), Problem> {
        // The error's own words are dropped: they could quote the value.
        let mut value =
            HeaderValue::from_str(value).map_err(|_| unavailable("a credential is no legal header value"))?;
        value.set_sensitive(true);
        self.headers.push((name, value));
        Ok(())
    }

    fn take(&mut self, reference: &SecretRef, vault: &Vault) -> Result<Secret, Problem> {
        let Some(Found { secret, version }) = vault.get(reference) else {
            return Err(unavailable(&format!("secret `{reference}` is not in the vault")));
        };
        let used = Used { name: reference.to_string(), version: version.clone() };
        if !self.used.contains(&used) {
            self.needles.push(Needle { name: used.name.clone(), secret: secret.clone() });
            self.used.push(used);
        }
        Ok(secret.clone())
    }

    fn text(&mut self, value: &Value, vault: &Vault) -> Result<Zeroizing<String>, Problem> {
        Ok(Zeroizing::new(match value {
            Value::Text(text) => text.clone(),
            Value::Secret { secret, format: None } => self.take(secret, vault)?.expose().to_owned(),
            Value::Secret { secret, format: Some(words) } => {
                words.replacen("{}", self.take(secret, vault)?.expose(), 1)
            }
        }))
    }
}

impl Credential {
    fn arm(&self, vault: &Vault, armed: &mut Armed) -> Result<(), Problem> {
        match self {
            Self::Bearer(secret) => {
                let token = armed.take(secret, vault)?;
                armed.set_header(header::AUTHORIZATION, &Zeroizing::new(format!("Bearer {}", token.expose())))
            }
            Self::Basic { username, password } => {
                let (username, password) = (armed.text(username, vault)?, armed.text(password, vault)?);
                let pair = Zeroizing::new(STANDARD.encode(format!("{}:{}", *username, *password)));
                armed.needles.push(Needle { name: self.names(), secret: Secret::new(pair.as_str()) });
                armed.set_header(header::AUTHORIZATION, &Zeroizing::new(format!("Basic {}", *pair)))
            }
            Self::Header(name, value) => {
                let value = armed.text(value, vault)?;
                armed.set_header(name.clone(), &value)
            }
            Self::Query(name, value) => {
                let value = armed.text(value, vault)?;
                armed.query.push((name.clone(), value));
                Ok(())
            }
            Self::Cookie(name, value) => {
                let value = armed.text(value, vault)?;
                armed.cookies.push(Zeroizing::new(format!("{name}={}", *value)));
                Ok(())
            }
            Self::Path(param, value) => {
                let value = armed.text(value, vault)?;
                armed.path.push((param.clone(), value));
                Ok(())
            }
        }
    }

    /// The secrets that the recipe needs, and what each is put into.
    pub fn wants(&self) -> Vec<(&SecretRef, vault::Slot, bool)> {
        use vault::Slot;
        let (values, slot) = match self {
            Self::Bearer(secret) => return vec![(secret, Slot::Header, true)],
            Self::Basic { username, password } => (vec![username, password], Slot::Basic),
            Self::Header(_, value) => (vec![value], Slot::Header),
            Self::Cookie(_, value) => (vec![value], Slot::Cookie),
            Self::Query(_, value) | Self::Path(_, value) => (vec![value], Slot::Url),
        };
        values.into_iter().filter_map(|value| Some((value.secret()?, slot, false))).collect()
    }

    /// The query parameter that the recipe owns.
    pub fn query(&self) -> Option<&str> {
        if let Self::Query(name, _) = self { Some(name) } else { None }
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.wants().iter().map(|(secret, ..)| secret.to_string()).collect();
        names.join("+")
    }
}

impl Value {
    fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Text(_) => None,
            Self::Secret { secret, .. } => Some(secret),
        }
    }
}

fn unavailable(cause: &str) -> Problem {
    Problem::new(Kind::SecretUnavailable, "the credential for this call is not available").because(cause)
}
