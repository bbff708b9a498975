//! From issuers as they are declared to those whose tokens are verified.

use std::collections::BTreeMap;

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
        mut keys: BTreeMap<String, Keys>,
    ) -> Result<Vec<Self>, Gap> {
        declared
            .into_iter()
            .map(|(name, issuer)| {
                let keys = keys.remove(&name);
                Self::new(name, issuer, keys)
            })
            .collect()
    }

    fn new(name: String, issuer: identity::Issuer, keys: Option<Keys>) -> Result<Self, Gap> {
        let lacks = |what: &str| format!("issuer `{name}` {what}");
        let url = issuer.url.as_ref().ok_or_else(|| lacks("has no `url`"))?;
        let hosts = std::iter::once(url.0.host()).chain(issuer.jwks_hosts.iter().map(String::as_str));
        let private = hosts.filter(|_| issuer.dangerous_private_network).map(str::to_owned);
        Ok(Self {
            url: url.0.text().to_owned(),
            audience: issuer.audience.clone().ok_or_else(|| lacks("has no `audience`"))?,
            algs: issuer.algs().to_vec(),
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
        Issuer { name, url, audience, algs, source }
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
