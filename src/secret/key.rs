//! Keys that sign, as they are written in secrets. Nothing is signed here.

use std::sync::Arc;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD};
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{Signer, SigningKey};
use zeroize::Zeroizing;

use super::pem::straighten;

/// How a key of bytes is written in its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncoding {
    /// Its bytes are those of the text.
    Text,
    /// They are what the text stands for; `whsec_` in front, as Standard
    /// Webhooks has it, is no part of it.
    Base64,
    /// They are what the text stands for.
    Hex,
}

/// With or without padding: people copy keys as they find them.
const INDIFFERENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl KeyEncoding {
    /// The key's bytes; `None`: the text is not written so, or stands for none.
    pub fn read(self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = match self {
            Self::Text => Some(text.as_bytes().to_vec()),
            Self::Base64 => INDIFFERENT.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok(),
            Self::Hex => unhex(text.as_bytes()),
        };
        bytes.filter(|bytes| !bytes.is_empty()).map(Zeroizing::new)
    }
}

impl KeyEncoding {
    /// Other ways to write the same key. Nothing of one that is text.
    pub fn writings(self, text: &str) -> Vec<Zeroizing<String>> {
        let Some(bytes) = self.read(text).filter(|_| self != Self::Text) else { return Vec::new() };
        let hex = Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let upper = Zeroizing::new(hex.to_uppercase());
        let base64 = Zeroizing::new(STANDARD_NO_PAD.encode(bytes.as_slice()));
        [hex, upper, base64].into_iter().filter(|writing| writing.as_str() != text).collect()
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A private key in PEM: PKCS#8 (RFC 7468 §10), PKCS#1, or SEC 1 (RFC 5915).
///
/// # Errors
/// What is wrong with it, without any of it.
pub fn private(pem: &str) -> Result<Arc<dyn SigningKey>, &'static str> {
    let key = PrivateKeyDer::from_pem_slice(straighten(pem).as_bytes()).map_err(
        |_| "it is not a private key as PEM, or has a passphrase; store all of it, with the lines of dashes",
    )?;
    any_supported_type(&key).map_err(
        |_| "its private key is none that we can sign with; store an RSA key of 2048 bits or more, or a P-256 one",
    )
}

/// What signs with a private key in PEM in this way.
///
/// # Errors
/// What is wrong with it, without any of it.
pub fn signer(pem: &str, scheme: SignatureScheme) -> Result<Box<dyn Signer>, &'static str> {
    private(pem)?.choose_scheme(&[scheme]).ok_or(
        "its private key does not fit the `alg`; RS256 signs with an RSA key, ES256 with one on the curve P-256",
    )
}
