//! From the recipes as they are written, and checked, to those that run.
//!
//! Nothing is judged here: what is missing all the same is a bug of ours.

use std::time::Duration;

use super::{Alg, Exchange, GitHubApp, Grant, Jwt, OAuth2, Style};
use crate::config::fields::{OneOrMany, Parsed};
use crate::credential::Value;
use crate::credential::token::endpoint::Endpoint;
use crate::credential::token::oauth2::{Proof, Purpose};
use crate::credential::token::sign::{self, Signer};
use crate::credential::token::{Recipe, github, jwt, oauth2};
use crate::secret::SecretRef;

/// As long as most verifiers take; renewing it costs nothing.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

impl OAuth2 {
    /// The recipe that runs. The error names what is missing.
    pub fn build(self) -> Result<Recipe, String> {
        let proof = match self.style.unwrap_or_default() {
            Style::Basic => Proof::Basic(need("client_secret", self.client_secret)?),
            Style::Post => Proof::Post(need("client_secret", self.client_secret)?),
            Style::PrivateKeyJwt => Proof::Key {
                signer: signer(self.key, self.alg, self.key_id)?,
                audience: self.assertion_audience,
            },
        };
        let grant = match self.grant.unwrap_or_default() {
            Grant::ClientCredentials => oauth2::Grant::ClientCredentials,
            Grant::RefreshToken => oauth2::Grant::RefreshToken(need("refresh_token", self.refresh_token)?),
        };
        Ok(Recipe::OAuth2(oauth2::OAuth2 {
            token_url: need("token_url", self.token_url)?,
            client_id: self.client_id,
            proof,
            grant,
            purpose: purpose(self.scope, self.audience, self.resource),
        }))
    }
}

impl Jwt {
    /// The recipe that runs. The error names what is missing.
    pub fn build(self) -> Result<Recipe, String> {
        Ok(Recipe::Jwt(jwt::Jwt {
            signer: signer(self.key, self.alg, self.key_id)?,
            issuer: self.issuer,
            subject: self.subject,
            audience: self.audience,
            lifetime: self.lifetime.map_or(LIFETIME, |lifetime| lifetime.0),
            claims: self.claims.into_iter().map(|(name, value)| (name, value.0)).collect(),
            exchange: self.exchange.map(Exchange::build).transpose()?,
        }))
    }
}

impl Exchange {
    fn build(self) -> Result<jwt::Exchange, String> {
        let purpose = purpose(self.scope, self.audience, self.resource);
        Ok(jwt::Exchange { token_url: need("token_url", self.token_url)?, purpose })
    }
}

impl GitHubApp {
    /// The recipe that runs, for an upstream that is at `base`. The error
    /// names what is missing.
    pub fn build(self, base: Endpoint) -> Result<Recipe, String> {
        Ok(Recipe::GitHubApp(github::GitHubApp {
            app_id: self.app_id,
            installation_id: self.installation_id,
            private_key: need("private_key", self.private_key)?,
            repositories: self.repositories.unwrap_or_default(),
            permissions: self.permissions.unwrap_or_default(),
            api: self.api_url.map_or(base, |Parsed(api)| api),
        }))
    }
}

fn need<T>(name: &str, field: Option<Parsed<T>>) -> Result<T, String> {
    field.map(|Parsed(field)| field).ok_or_else(|| format!("a credential has no `{name}`"))
}

fn signer(key: Option<Parsed<SecretRef>>, alg: Option<Alg>, key_id: Option<Value>) -> Result<Signer, String> {
    let alg = match alg.unwrap_or_default() {
        Alg::Rs256 => sign::Alg::Rs256,
        Alg::Es256 => sign::Alg::Es256,
    };
    Ok(Signer { key: need("key", key)?, alg, key_id })
}

fn purpose(
    scope: Option<OneOrMany<String>>,
    audience: Option<String>,
    resource: Option<OneOrMany<String>>,
) -> Purpose {
    let scope = scope.map(|OneOrMany(words)| words.join(" "));
    Purpose { scope, audience, resource: resource.map(|OneOrMany(all)| all).unwrap_or_default() }
}
