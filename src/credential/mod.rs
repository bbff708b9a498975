//! How we prove ourselves to an upstream.
//!
//! A [`Credential`] is a recipe: it holds names, never values. Arming a call
//! has two phases. First the values: headers, query, path, cookies, fields of
//! the body, a client certificate. Then, over the request that is complete but
//! for them, the signatures.

pub mod choice;
pub mod armed;

pub mod body;
pub mod hmac;
pub mod sigv4;
pub mod mtls;
pub mod token;

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use http::HeaderName;
use tokio::time::Instant;

use crate::secret::role::Role;
use crate::secret::vault::{Found, Slot};
use crate::secret::{SecretRef, Vault};
use crate::wire::Problem;
use crate::wire::client::Client;
use crate::wire::problem::Kind;

pub use armed::{Armed, Carried, Draft, Needle, Used};
pub use choice::{Choice, Credentials};

use body::Pointer;
use hmac::Hmac;
use mtls::Mtls;
use sigv4::Sigv4;
use token::Source;

/// A recipe. A closed set, so an enum and not a trait.
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
    /// A field of a JSON or form body.
    Body(Pointer, Value),
    /// A token that is fetched or signed.
    Token(Arc<Source>),
    /// A signature in a header (HMAC, RFC 2104).
    Hmac(Hmac),
    /// AWS Signature Version 4.
    Sigv4(Sigv4),
    /// A client certificate.
    Mtls(Mtls),
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

/// What a call may be armed with.
pub struct Means<'m> {
    /// The values of the secrets.
    pub vault: &'m Vault,
    /// The way to whoever hands out tokens, and where clients with a
    /// certificate of their own come from.
    pub client: &'m Client,
    /// Whom the function is at AWS, where an upstream wants to know.
    pub role: Option<&'m Role>,
    /// When the call came in.
    pub now: SystemTime,
    /// When it must be over.
    pub deadline: Instant,
    /// What tells it apart from all others.
    pub id: &'m str,
    /// The secrets that somebody who hands out tokens did not take, as they were then.
    pub blamed: OnceLock<Vec<(SecretRef, Found)>>,
}

impl Credential {
    /// The secrets that the recipe needs, and what each is put into; and
    /// whether it is always a secret, and never just a user name.
    pub fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        let (values, slot) = match self {
            Self::Bearer(secret) => return vec![(secret, Slot::Header, true)],
            Self::Token(source) => return source.recipe().wants(),
            Self::Hmac(hmac) => return vec![(&hmac.key, Slot::Key(hmac.key_encoding), true)],
            Self::Sigv4(sigv4) => return sigv4.wants(),
            Self::Mtls(mtls) => return mtls.wants(),
            Self::Basic { username, password } => (vec![username, password], Slot::Basic),
            Self::Header(_, value) => (vec![value], Slot::Header),
            Self::Cookie(_, value) => (vec![value], Slot::Cookie),
            Self::Query(_, value) | Self::Path(_, value) => (vec![value], Slot::Url),
            Self::Body(_, value) => (vec![value], Slot::Body),
        };
        values.into_iter().filter_map(|value| Some((value.secret()?, slot, false))).collect()
    }

    /// Whether it needs to know whom the function is at AWS.
    pub fn needs_role(&self) -> bool {
        matches!(self, Self::Sigv4(sigv4) if sigv4.needs_role())
    }

    /// Whether it owns a query parameter of this name: no caller may send it.
    pub fn owns_query(&self, name: &str) -> bool {
        match self {
            Self::Query(own, _) => is_same_param(own, name),
            Self::Sigv4(_) => sigv4::is_own_param(name),
            _ => false,
        }
    }

    /// The headers of its own that it writes, besides those that no caller's may pass as.
    pub fn headers(&self) -> Vec<&HeaderName> {
        match self {
            Self::Header(name, _) => vec![name],
            Self::Hmac(hmac) => hmac.headers().collect(),
            _ => Vec::new(),
        }
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.wants().iter().map(|(secret, ..)| secret.to_string()).collect();
        names.join("+")
    }
}

/// Whether two names may mean one parameter: some frameworks read `API_KEY`,
/// `api.key`, `api_key[]` and `api_key[0]` as `api_key`. The credential's own
/// takes the place of the caller's.
pub fn is_same_param(known: &str, name: &str) -> bool {
    folded(known) == folded(name)
}

/// A parameter's name as any of them may read it.
pub fn folded(name: &str) -> String {
    name.split('[').next().unwrap_or_default().to_ascii_lowercase().replace(['.', ' '], "_")
}

impl Value {
    fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Text(_) => None,
            Self::Secret { secret, .. } => Some(secret),
        }
    }
}

/// Nothing is sent without its credential. `cause`: for the record.
fn unavailable(cause: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::SecretUnavailable, "the credential for this call is not available").because(cause)
}
