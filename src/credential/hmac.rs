//! A signature over parts of the request, in a header (HMAC, RFC 2104): as
//! Stripe, Slack and Standard Webhooks sign, and many APIs ask of their clients.
//!
//! The key never goes out.

mod template;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac as lc;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;

use super::armed::sensitive;
use super::{Draft, unavailable};
use crate::secret::{Secret, SecretRef};
use crate::wire::Problem;

pub use crate::secret::key::KeyEncoding;
pub use template::{Over, Shown};

use template::Part;

/// How a request is signed.
pub struct Hmac {
    /// The key.
    pub key: SecretRef,
    /// How the key is written in the secret.
    pub key_encoding: KeyEncoding,
    /// The hash.
    pub algorithm: Algorithm,
    /// What is signed.
    pub over: Over,
    /// The header that shows the signature, and how.
    pub header: HeaderName,
    /// What stands in it.
    pub format: Shown,
    /// How the signature is written.
    pub encoding: Encoding,
    /// How the time is written.
    pub timestamp: Timestamp,
    /// The header that shows the time.
    pub timestamp_header: Option<HeaderName>,
    /// The header that shows the request's id.
    pub id_header: Option<HeaderName>,
}

/// A hash that a signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// For those who have not moved on: HMAC with it is not broken (RFC 6194 §3.3).
    Sha1,
    /// What nearly all ask for.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// In small letters.
    Hex,
    /// With `+`, `/` and padding (RFC 4648 §4).
    Base64,
}

/// How a point in time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// `2026-11-21T21:17:31Z` (RFC 3339).
    Rfc3339,
}

impl Hmac {
    /// The headers that it writes.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        std::iter::once(&self.header).chain(&self.timestamp_header).chain(&self.id_header)
    }

    /// Signs a request as it is, at a time.
    ///
    /// # Errors
    /// `secret_unavailable`: the key is not what `key_encoding` says.
    pub(super) fn sign(&self, key: &Secret, draft: &mut Draft<'_>, now: SystemTime) -> Result<(), Problem> {
        let time = self.timestamp.write(now);
        let key = self.key_encoding.read(key.expose()).ok_or_else(|| {
            unavailable(format_args!("secret `{}` is not written as `key_encoding` says", self.key))
        })?;
        let mut signing = lc::Context::with_key(&lc::Key::new(self.algorithm.hash(), &key));
        for part in &self.over.0 {
            signing.update(part.bytes(draft, &time, ""));
        }
        let signature = self.encoding.write(signing.sign().as_ref());
        let shown: Vec<&[u8]> =
            self.format.0.iter().map(|part| part.bytes(draft, &time, &signature)).collect();
        let shown = String::from_utf8_lossy(&shown.concat()).into_owned();
        let id = draft.id.to_owned();
        let all = [
            (Some(&self.header), shown),
            (self.timestamp_header.as_ref(), time),
            (self.id_header.as_ref(), id),
        ];
        for (name, value) in all {
            if let Some(name) = name {
                draft.headers.insert(name, sensitive(&value)?);
            }
        }
        Ok(())
    }
}

impl Part {
    fn bytes<'a>(&'a self, draft: &'a Draft<'_>, time: &'a str, signature: &'a str) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Timestamp => time.as_bytes(),
            Self::Id => draft.id.as_bytes(),
            Self::Method => draft.method.as_str().as_bytes(),
            Self::Path => draft.url.path().as_bytes(),
            Self::Query => draft.url.query().unwrap_or_default().as_bytes(),
            Self::Target => draft.url[url::Position::BeforePath..].as_bytes(),
            Self::Body => draft.body,
            Self::Signature => signature.as_bytes(),
        }
    }
}

impl Algorithm {
    fn hash(self) -> lc::Algorithm {
        match self {
            Self::Sha1 => lc::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => lc::HMAC_SHA256,
            Self::Sha384 => lc::HMAC_SHA384,
            Self::Sha512 => lc::HMAC_SHA512,
        }
    }
}

impl Encoding {
    fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Base64 => STANDARD.encode(bytes),
        }
    }
}

impl Timestamp {
    fn write(self, now: SystemTime) -> String {
        let since: Duration = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        match self {
            Self::Seconds => since.as_secs().to_string(),
            Self::Milliseconds => since.as_millis().to_string(),
            Self::Rfc3339 => humantime::format_rfc3339_seconds(now).to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
