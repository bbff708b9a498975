//! Signed assertions: JSON Web Tokens (RFC 7519) in the compact form of JSON
//! Web Signatures (RFC 7515 §3.1).
//!
//! The signing is done by the library that TLS is done by. What is signed is
//! always ours: nothing of a caller's request comes into it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use serde_json::{Map, Value as Json, json};

use super::{Errand, Refused};
use crate::credential::Value;
use crate::secret::vault::Slot;
use crate::secret::{Secret, SecretRef, key};

/// Half a signature of ES256.
const HALF: usize = 32;

/// How a JSON Web Token is signed (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alg {
    /// RSASSA-PKCS1-v1_5 with SHA-256, by an RSA key of 2048 bits or more.
    #[default]
    Rs256,
    /// ECDSA with SHA-256, by a key on the curve P-256.
    Es256,
}

impl Alg {
    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// The same, as TLS calls it.
    pub(super) fn scheme(self) -> SignatureScheme {
        match self {
            Self::Rs256 => SignatureScheme::RSA_PKCS1_SHA256,
            Self::Es256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        }
    }

    /// The bytes of a signature as a token has them (RFC 7518 §3.3 and §3.4).
    fn bytes(self, signature: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Rs256 => Some(signature),
            Self::Es256 => fixed(&signature),
        }
    }
}

/// A key that signs, and how.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The private key in PEM: PKCS#8 (RFC 7468 §10), PKCS#1, or SEC 1 (RFC 5915).
    pub key: SecretRef,
    /// How it signs.
    pub alg: Alg,
    /// What the verifier calls the key: the `kid` (RFC 7515 §4.1.4).
    pub key_id: Option<Value>,
}

impl Signer {
    /// The secrets that it needs.
    pub(super) fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        let mut wants = vec![(&self.key, Slot::Signer(self.alg.scheme()), true)];
        wants.extend(self.key_id.as_ref().and_then(Value::secret).map(|id| (id, Slot::Url, false)));
        wants
    }

    /// The claims, signed.
    pub(super) fn sign(&self, claims: Map<String, Json>, errand: &Errand<'_>) -> Result<Secret, Refused> {
        let mut header = json!({ "alg": self.alg.name(), "typ": "JWT" });
        if let (Some(id), Some(header)) = (&self.key_id, header.as_object_mut()) {
            header.insert("kid".to_owned(), errand.text(id)?.as_str().into());
        }
        let encode = |part: &Json| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&Json::Object(claims)));
        let pem = errand.secret(&self.key)?;
        let unfit = |why| Refused::Unready(format!("secret `{}`: {why}", self.key));
        let signature = signature(&pem, self.alg, signed.as_bytes()).map_err(unfit)?;
        Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// What each assertion says: since when and until when it holds, in seconds
/// since 1970, and an id that no other one has (RFC 7519 §4.1.4, §4.1.6 and §4.1.7).
pub(super) fn claims(lifetime: Duration, errand: &Errand<'_>) -> Map<String, Json> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let epoch = errand.epoch();
    let id = format!("{}-{}-{serial}", errand.id, epoch.as_nanos());
    let (from, until) = (epoch.as_secs(), (epoch + lifetime).as_secs());
    Map::from_iter([
        ("iat".to_owned(), from.into()),
        ("exp".to_owned(), until.into()),
        ("jti".to_owned(), id.into()),
    ])
}

/// Signs, or says what is wrong with the key, without any of it.
fn signature(pem: &Secret, alg: Alg, message: &[u8]) -> Result<Vec<u8>, &'static str> {
    let signature = key::signer(pem.expose(), alg.scheme())?
        .sign(message)
        .ok()
        .and_then(|signature| alg.bytes(signature));
    signature.ok_or("its private key does not sign")
}

/// A signature of two numbers as JSON Web Tokens have it, side by side
/// (RFC 7518 §3.4), out of the DER that X.509 has (RFC 3279 §2.2.3).
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let [0x30, length, rest @ ..] = der else { return None };
    let (r, rest) = half(rest.get(..usize::from(*length))?)?;
    let (s, rest) = half(rest)?;
    rest.is_empty().then(|| [r, s].concat())
}

/// One number, padded, and what follows it. DER writes it without leading
/// zeros, but for one where it would look negative.
fn half(der: &[u8]) -> Option<([u8; HALF], &[u8])> {
    let [0x02, length, rest @ ..] = der else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    let mut padded = [0; HALF];
    padded.get_mut(HALF.checked_sub(number.len())?..)?.copy_from_slice(number);
    Some((padded, rest))
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::super::tests::{Keys, keys};
    use super::*;

    /// The header and the claims of a token whose signature holds.
    pub(crate) fn verified(token: &str) -> (Json, Json) {
        let Keys { rsa_public, ec_public, .. } = keys();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let header: Json = serde_json::from_slice(&decode(header)).unwrap();
        let (signature, message) = (decode(signature), signed.as_bytes());
        let verdict = match header["alg"].as_str().unwrap() {
            "RS256" => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa_public).verify(message, &signature)
            }
            "ES256" => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec_public).verify(message, &signature)
            }
            other => panic!("{other}"),
        };
        verdict.expect("the signature holds");
        (header, serde_json::from_slice(&decode(claims)).unwrap())
    }

    fn check_key(pem: &str, alg: Alg) -> Result<(), &'static str> {
        let signature = signature(&Secret::new(pem), alg, b"message")?;
        let Keys { rsa_public, ec_public, .. } = keys();
        match alg {
            Alg::Rs256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa_public),
            Alg::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec_public),
        }
        .verify(b"message", &signature)
        .map_err(|_| "does not verify")
    }

    #[test]
    fn a_key_signs_however_it_is_written() {
        let Keys { rsa, rsa_pkcs1, ec, ec_sec1, .. } = keys();
        for (alg, pems) in [(Alg::Rs256, [rsa, rsa_pkcs1]), (Alg::Es256, [ec, ec_sec1])] {
            for pem in pems {
                let parameters =
                    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
                for written in [
                    pem.clone(),
                    pem.trim_end().to_owned(),
                    pem.replace('\n', "\r\n"),
                    pem.replace('\n', "\\n"),
                    pem.replace('\n', " "),
                    format!("Bag Attributes\n    friendlyName: me\n{pem}"),
                    format!("{parameters}{pem}"),
                ] {
                    assert_eq!(check_key(&written, alg), Ok(()), "{alg:?}: {} bytes", written.len());
                }
            }
        }
    }

    /// The two numbers of a signature are shorter now and then; each of many must fit.
    #[test]
    fn every_signature_of_es256_has_its_length() {
        for _ in 0..600 {
            assert_eq!(check_key(&keys().ec, Alg::Es256), Ok(()));
        }
    }

    #[test]
    fn numbers_of_a_signature_are_padded_and_nothing_else_is_taken_for_one() {
        let half = |end: &[u8]| [vec![0; HALF - end.len()], end.to_vec()].concat();
        let check = |der: &[u8], expected: Option<(&[u8], &[u8])>| {
            assert_eq!(fixed(der), expected.map(|(r, s)| [half(r), half(s)].concat()), "{der:?}");
        };
        check(&[0x30, 6, 2, 1, 7, 2, 1, 8], Some((&[7], &[8])));
        check(&[0x30, 8, 2, 2, 0, 0x80, 2, 2, 1, 2], Some((&[0x80], &[1, 2])));
        let long = [&[0x30, 38, 2, 33, 0][..], &[0xff; 32], &[2, 1, 1]].concat();
        check(&long, Some((&[0xff; 32], &[1])));
        check(&[], None);
        check(&[0x30, 6, 2, 1, 7, 2, 1], None);
        check(&[0x30, 7, 2, 1, 7, 2, 1, 8, 9], None);
        check(&[0x31, 6, 2, 1, 7, 2, 1, 8], None);
        check(&[&[0x30, 39, 2, 34, 0][..], &[0xff; 33], &[2, 1, 1]].concat(), None);
    }

    #[test]
    fn a_key_that_cannot_sign_is_refused_without_a_word_of_it() {
        let Keys { rsa, ec, .. } = keys();
        let check = |pem: &str, alg: Alg, expected: &str| {
            let why = check_key(pem, alg).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(rsa, Alg::Es256, "does not fit the `alg`");
        check(ec, Alg::Rs256, "does not fit the `alg`");
        check("", Alg::Rs256, "not a private key as PEM");
        check(
            "-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----",
            Alg::Rs256,
            "not a private key as PEM",
        );
        let empty = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        check(empty, Alg::Rs256, "none that we can sign with");
        check(&rsa.replace("PRIVATE", "ENCRYPTED PRIVATE"), Alg::Rs256, "passphrase");
        check(&rsa.replace("PRIVATE", "PUBLIC"), Alg::Rs256, "not a private key as PEM");
    }
}
