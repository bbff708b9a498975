//! The recipes whose token is fetched or signed, as the file has them. The
//! comments here are the manual, as those of [`declared`](super::declared) are.
//!
//! Nothing is required by these types: what must be there is said in `check`.

mod build;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::fields::{Duration, OneOrMany, Parsed};
use super::schemas::Json;
use crate::credential::Value;
use crate::credential::token::endpoint::Endpoint;
use crate::secret::SecretRef;

/// The access token of an OAuth 2.0 server (RFC 6749), as `Authorization: Bearer …`. Fetched once by each environment
/// of the function, renewed a minute before it ends (or when a quarter of its life is left, whichever is later), and
/// fetched once more where the upstream answers 401.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// The server's token endpoint. The upstream's `dangerous_…` options hold for it too.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub token_url: Option<Parsed<Endpoint>>,
    /// The client's name there.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub client_id: Value,
    /// The client's secret, for `style: basic` and `style: post`.
    pub client_secret: Option<Parsed<SecretRef>>,
    /// How the client proves itself to the token endpoint. Default: `basic`.
    pub style: Option<Style>,
    /// On whose behalf the token is asked for. Default: `client_credentials`.
    pub grant: Option<Grant>,
    /// The refresh token, for `grant: refresh_token`. Where the server gives a new one with each access token, that
    /// one is kept in memory only: it is lost when the environment ends, and no other environment knows it.
    pub refresh_token: Option<Parsed<SecretRef>>,
    /// What the token is to permit: words of the server's own (RFC 6749 §3.3).
    pub scope: Option<OneOrMany<String>>,
    /// The API that the token is for, where the server wants to be told it so.
    pub audience: Option<String>,
    /// The API that the token is for, as absolute URIs (RFC 8707 §2).
    pub resource: Option<OneOrMany<String>>,
    /// The client's private key in PEM, for `style: private_key_jwt`.
    pub key: Option<Parsed<SecretRef>>,
    /// How that key signs. Default: `RS256`.
    pub alg: Option<Alg>,
    /// What the server calls that key: the assertion's `kid`.
    pub key_id: Option<Value>,
    /// Whom the assertion is for: its `aud`. Default: the `token_url`.
    pub assertion_audience: Option<String>,
}

impl OAuth2 {
    /// The host of its token endpoint.
    pub fn host(&self) -> Option<&str> {
        self.token_url.as_ref().map(|Parsed(url)| url.host())
    }
}

/// How a client proves itself to a token endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `client_id` and `client_secret` in `Authorization: Basic …` (RFC 6749 §2.3.1).
    #[default]
    Basic,
    /// `client_id` and `client_secret` in the form (RFC 6749 §2.3.1).
    Post,
    /// An assertion, signed by `key` and good for a minute (RFC 7523 §2.2).
    PrivateKeyJwt,
}

/// On whose behalf a token is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// The client's own (RFC 6749 §4.4).
    #[default]
    ClientCredentials,
    /// That of whoever gave the client the `refresh_token` (RFC 6749 §6).
    RefreshToken,
}

/// How a JSON Web Token is signed (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Alg {
    /// By an RSA key of 2048 bits or more.
    #[default]
    Rs256,
    /// By a key on the curve P-256.
    Es256,
}

/// An assertion that is signed here, as `Authorization: Bearer …`; or the token that it is traded for (RFC 7523 §2.1).
/// Signed or traded anew as early as a token of `oauth2` is.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The private key in PEM: PKCS#8, PKCS#1 or SEC 1, without a passphrase.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub key: Option<Parsed<SecretRef>>,
    /// How it signs. Default: `RS256`.
    pub alg: Option<Alg>,
    /// What the verifier calls the key: the `kid`.
    pub key_id: Option<Value>,
    /// Who says it: the `iss`, such as a service account's address.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub issuer: Value,
    /// On whose behalf: the `sub`.
    pub subject: Option<Value>,
    /// Who is told it: the `aud`. Default: none, and with `exchange` its `token_url`.
    pub audience: Option<Value>,
    /// How long it holds. Default: `5m`.
    pub lifetime: Option<Duration>,
    /// What else it says, such as Google's `scope`. `iss`, `sub`, `aud`, `iat`, `exp` and `jti` are written here.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub claims: BTreeMap<String, Json>,
    /// Where it is traded for the token that goes upstream.
    pub exchange: Option<Exchange>,
}

/// Where an assertion is traded for a token.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The token endpoint. The upstream's `dangerous_…` options hold for it too.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub token_url: Option<Parsed<Endpoint>>,
    /// What the token is to permit. Google reads this out of the assertion instead: write it as `claims: { scope: … }`.
    pub scope: Option<OneOrMany<String>>,
    /// The API that the token is for, where the server wants to be told it so.
    pub audience: Option<String>,
    /// The API that the token is for, as absolute URIs (RFC 8707 §2).
    pub resource: Option<OneOrMany<String>>,
}

impl Jwt {
    /// The host where it is traded.
    pub fn host(&self) -> Option<&str> {
        let exchange = self.exchange.as_ref()?;
        exchange.token_url.as_ref().map(|Parsed(url)| url.host())
    }
}

/// The token of a GitHub App's installation, as `Authorization: Bearer …`: good for an hour, renewed a minute before.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(deny_unknown_fields)]
pub struct GitHubApp {
    /// The app's id or its client id, from its settings.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub app_id: Value,
    /// Where it is installed: the number at the end of the URL of the installation's settings.
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub installation_id: Value,
    /// The app's private key in PEM, as GitHub hands it out.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub private_key: Option<Parsed<SecretRef>>,
    /// The repositories that the token is for, without their owner. Default: all that the app is installed on.
    pub repositories: Option<Vec<String>>,
    /// What the token permits there, such as `{ contents: read, issues: write }`. Default: all that the app may.
    pub permissions: Option<BTreeMap<String, String>>,
    /// GitHub's API, where it is not at the upstream's own URL. The upstream's `dangerous_…` options hold for it too.
    pub api_url: Option<Parsed<Endpoint>>,
}

impl GitHubApp {
    /// The host of the API, where it is another one than the upstream's.
    pub fn host(&self) -> Option<&str> {
        self.api_url.as_ref().map(|Parsed(url)| url.host())
    }
}
