//! From issuers as they are declared to those whose tokens are verified.

use std::collections::BTreeMap;

use serde_json::Value;

use super::build::Gap;
use super::identity;
use crate::identity::{Alg, Issuer, Issuers, Keys, Source};
use crate::wire::client::{Client, Reach, Roots};

/// An issuer that is declared, and checked.
pub struct Trusted {
    name: String,
    url: String,
    audience: String,
    algs: Vec<Alg>,
    /// Its keys, where the file gives them.
    keys: Option<Keys>,
    jwks_hosts: Vec<String>,
    dangerous_plain_http: bool,
    /// The hosts of its that may be in a private network.
    private_hosts: Vec<String>,
}

impl Trusted {
    /// All that are declared. `keys`: those that the file gives, by the issuers' names.
    pub(super) fn all(
        declared: BTreeMap<String, identity::Issuer>,
        keys: &BTreeMap<String, Value>,
    ) -> Result<Vec<Self>, Gap> {
        declared.into_iter().map(|(name, issuer)| Self::new(name, issuer, keys)).collect()
    }

    fn new(name: String, issuer: identity::Issuer, keys: &BTreeMap<String, Value>) -> Result<Self, Gap> {
        let lacks = |what: &str| format!("issuer `{name}` {what}");
        let url = issuer.url.as_ref().ok_or_else(|| lacks("has no `url`"))?;
        let parsed = keys.get(&name).map(|keys| Keys::parse(keys.to_string().as_bytes()));
        let keys =
            parsed.transpose().map_err(|why| lacks(&format!("has no keys that can be used: {why}")))?;
        let hosts = std::iter::once(url.0.host()).chain(issuer.jwks_hosts.iter().map(String::as_str));
        let private = hosts.filter(|_| issuer.dangerous_private_network).map(str::to_owned);
        Ok(Self {
            url: url.0.text().to_owned(),
            audience: issuer.audience.clone().ok_or_else(|| lacks("has no `audience`"))?,
            algs: issuer.algs().iter().map(|alg| alg.verified()).collect(),
            keys,
            private_hosts: private.collect(),
            jwks_hosts: issuer.jwks_hosts,
            dangerous_plain_http: issuer.dangerous_plain_http,
            name,
        })
    }

    fn issuer(self, client: &Client) -> Issuer {
        let source = match self.keys {
            Some(keys) => Source::pinned(keys),
            None => Source::discovered(client.clone(), &self.url, self.jwks_hosts, self.dangerous_plain_http),
        };
        let (name, url, audience, algs) = (self.name, self.url, self.audience, self.algs);
        // One that says so is for calling APIs with (RFC 9068 §2.1): for what is done here.
        let access_tokens = true;
        Issuer { name, url, audience, several_audiences: false, access_tokens, algs, source }
    }
}

/// All whose tokens are verified. A client for their keys is only made where there are any.
///
/// # Errors
/// There is no client to be had.
pub fn issuers(trusted: Vec<Trusted>, roots: &Roots) -> Result<Issuers, String> {
    if trusted.is_empty() {
        return Ok(Issuers(Vec::new()));
    }
    let private = trusted.iter().flat_map(|issuer| issuer.private_hosts.clone()).collect();
    let client = Client::new(roots, Reach::Public { except: private })?;
    Ok(Issuers(trusted.into_iter().map(|issuer| issuer.issuer(&client)).collect()))
}

impl identity::Alg {
    fn verified(self) -> Alg {
        match self {
            Self::RS256 => Alg::Rs256,
            Self::RS384 => Alg::Rs384,
            Self::RS512 => Alg::Rs512,
            Self::PS256 => Alg::Ps256,
            Self::PS384 => Alg::Ps384,
            Self::PS512 => Alg::Ps512,
            Self::ES256 => Alg::Es256,
            Self::ES384 => Alg::Es384,
            Self::EdDSA => Alg::EdDsa,
        }
    }
}
