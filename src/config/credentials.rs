//! How we prove ourselves to an upstream, as the file says it. The comments
//! here are a part of the manual, like those in `declared`.

use serde::Deserialize;

use super::fields::{Duration, Parsed};
use super::tokens::{GitHubApp, Jwt, OAuth2};
use crate::credential::Value;
use crate::credential::body::Pointer;
use crate::credential::hmac::{Over, Shown};
use crate::secret::SecretRef;

/// How we prove ourselves to an upstream.
///
/// A field that always holds a secret takes its reference bare (`bearer: github.token`); one that may hold either
/// takes text, or `{secret: github.token}`, or with words around it `{secret: github.token, format: "Token {}"}`.
///
/// All recipes of a list apply. As soon as one of its entries says `for` or `when`, the first entry that fits applies,
/// alone; where none does, the call is refused with 403.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Credential {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    Bearer(Parsed<SecretRef>),
    /// `Authorization: Basic …`, put together and encoded here (RFC 7617 §2).
    Basic {
        /// The user name.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        username: Value,
        /// The password.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        password: Value,
    },
    /// Any header.
    Header {
        /// Its name, such as `X-Api-Key`.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        name: String,
        /// Its value.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        value: Value,
    },
    /// One query parameter, percent-encoded. It takes the place of the caller's.
    Query {
        /// Its name, such as `access_token`.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        name: String,
        /// Its value.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        value: Value,
    },
    /// One cookie (RFC 6265 §4.2).
    Cookie {
        /// Its name.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        name: String,
        /// Its value.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        value: Value,
    },
    /// A part of the upstream's path, such as the token in `/bot{token}/sendMessage`.
    Path {
        /// The name that stands in braces in the `path` of the routes.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        param: String,
        /// Its value.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        value: Value,
    },
    /// A field of a JSON or form body. It takes the place of what a caller wrote there.
    Body {
        /// Where it is, as a JSON Pointer (RFC 6901): `/api_key`, or `/auth/key` for what is nested. In a form the
        /// latter is the field `auth[key]`.
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        pointer: Option<Parsed<Pointer>>,
        /// Its value.
        #[serde(default)]
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        value: Value,
    },
    /// The access token of an OAuth 2.0 server (RFC 6749).
    #[cfg_attr(feature = "cli", schemars(with = "OAuth2"))]
    Oauth2(Box<OAuth2>),
    /// An assertion that is signed here, or the token that it is traded for (RFC 7523).
    #[cfg_attr(feature = "cli", schemars(with = "Jwt"))]
    Jwt(Box<Jwt>),
    /// The token of a GitHub App's installation.
    #[cfg_attr(feature = "cli", schemars(with = "GitHubApp"))]
    GithubApp(Box<GitHubApp>),
    /// A signature over parts of the request, in a header (HMAC, RFC 2104).
    #[cfg_attr(feature = "cli", schemars(with = "Hmac"))]
    Hmac(Box<Hmac>),
    /// AWS Signature Version 4, for AWS and for all who sign as it does. Made last, over the URL, headers and body as
    /// they go out.
    #[cfg_attr(feature = "cli", schemars(with = "Sigv4"))]
    Sigv4(Box<Sigv4>),
    /// A client certificate, shown when a connection is made (mutual TLS).
    Mtls {
        /// The secret that holds it as PEM, with the certificates between it and a root behind it.
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        certificate: Option<Parsed<SecretRef>>,
        /// The secret that holds its private key as PEM: PKCS#8, PKCS#1 or SEC 1, without a passphrase.
        #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
        key: Option<Parsed<SecretRef>>,
    },
}

/// How a request is signed with HMAC.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The secret that holds the key.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub key: Option<Parsed<SecretRef>>,
    /// How the key is written there: `text`, or `base64` or `hex` of it. `whsec_` in front of base64, as Standard
    /// Webhooks has it, is no part of the key. Default: `text`.
    pub key_encoding: Option<KeyEncoding>,
    /// The hash: `sha256`, `sha384`, `sha512`, or `sha1` for those who have not moved on. Default: `sha256`.
    pub algorithm: Option<Algorithm>,
    /// What is signed: text with `{timestamp}`, `{id}` (of the request), `{method}`, `{path}` and `{query}` as they go
    /// out, `{target}` (the path, and where there is a query, `?` and the query) and `{body}`.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub over: Option<Parsed<Over>>,
    /// The header that shows the signature.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub header: Option<String>,
    /// What stands in it: text with `{signature}`, and `{timestamp}` and `{id}` where they are wanted, such as
    /// `t={timestamp},v1={signature}`. Default: `{signature}`.
    pub format: Option<Parsed<Shown>>,
    /// How the signature is written: `hex`, in small letters, or `base64`. Default: `hex`.
    pub encoding: Option<Encoding>,
    /// How the time is written: `seconds` or `milliseconds` since 1970, or `rfc3339`. Default: `seconds`.
    pub timestamp: Option<Timestamp>,
    /// The header that shows the time.
    pub timestamp_header: Option<String>,
    /// The header that shows the request's id.
    pub id_header: Option<String>,
}

/// A hash that a signature is made with.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// In small letters.
    Hex,
    /// With `+`, `/` and padding.
    Base64,
}

/// How a key is written in its secret.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum KeyEncoding {
    /// As it is.
    Text,
    /// In base64.
    Base64,
    /// In hexadecimal digits.
    Hex,
}

/// How a point in time is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum Timestamp {
    /// Since 1970.
    Seconds,
    /// Since 1970.
    Milliseconds,
    /// `2026-11-21T21:17:31Z`.
    Rfc3339,
}

/// How a request is signed for AWS.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(deny_unknown_fields)]
pub struct Sigv4 {
    /// The name that the service has in signatures, such as `execute-api`, `s3`, `lambda` or `bedrock`.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub service: Option<String>,
    /// The region that it is in, such as `eu-west-1`.
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub region: Option<String>,
    /// The secret that holds the id of an access key. Without keys the function's own role signs.
    pub access_key_id: Option<Parsed<SecretRef>>,
    /// The secret that holds the secret access key.
    pub secret_access_key: Option<Parsed<SecretRef>>,
    /// The secret that holds the session token, where the keys are lent for a while.
    pub session_token: Option<Parsed<SecretRef>>,
    /// The ARN of a role that the function's own role takes on, in place of keys. Its keys are fetched from AWS
    /// Security Token Service when they are first needed, and anew before they end.
    pub role: Option<String>,
    /// Where the signature goes: `header`, or `query` as in a presigned URL. Default: `header`.
    pub form: Option<Form>,
    /// How long a signature in the query is good, in whole seconds from `1s` to `7d`. Default: `5m`.
    pub expires: Option<Duration>,
    /// Whether the body is signed: `signed`, or `unsigned`, which S3 and a few others take. Default: `signed`.
    pub payload: Option<Payload>,
}

/// Where a signature goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Into headers.
    Header,
    /// Into the query.
    Query,
}

/// Whether a body is signed.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// It is.
    Signed,
    /// It is not.
    Unsigned,
}

/// A recipe, or an entry of a list that says whom it is for.
#[derive(Debug, Default)]
pub struct Entry {
    /// The callers that it is for.
    pub callers: Option<Vec<String>>,
    /// A jq program that must give exactly `true`.
    pub when: Option<String>,
    /// Whether its recipes stand in `all`.
    pub several: bool,
    /// Its recipes.
    pub recipes: Vec<Credential>,
}

impl Entry {
    /// Whether it is not for everybody, at all times.
    pub fn is_conditional(&self) -> bool {
        self.callers.is_some() || self.when.is_some()
    }
}
