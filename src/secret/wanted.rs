//! What a value must be like to be of use. One that could not work is refused
//! before any request carries it; the refusal names the secret, never the value.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use regex_lite::Regex;
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::key::{self, KeyEncoding};
use super::pem::straighten;
use super::vault::{Found, Kept, Refusal};
use super::{Secret, SecretRef};

/// A shorter value is no secret: it could be guessed, and cutting it out of
/// answers would cut out half the words.
pub const SHORTEST: usize = 8;

/// One value that the configuration uses.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Our name for it, and the field.
    pub reference: SecretRef,
    /// Its name or ARN where it is kept.
    pub id: String,
    /// What it must look like.
    pub expect: Option<Regex>,
    /// The age after which it is read again.
    pub refresh: Option<Duration>,
    /// What it is put into.
    pub slot: Slot,
    /// Whether it is always a secret, and never just a user name.
    pub always_secret: bool,
}

/// What a value is put into, which decides what it must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// A header: visible ASCII and spaces within (RFC 9110 §5.5).
    Header,
    /// A cookie's value (RFC 6265 §4.1.1).
    Cookie,
    /// A part of a Basic pair: no control characters (RFC 7617 §2).
    Basic,
    /// A part of a URL, where anything can be percent-encoded.
    Url,
    /// A field of a body, where anything can be escaped.
    Body,
    /// A key that signs, and is written nowhere.
    Key(KeyEncoding),
    /// Certificates as PEM (RFC 7468).
    Certificate,
    /// A private key as PEM.
    PrivateKey,
    /// A private key as PEM that can sign so.
    Signer(SignatureScheme),
}

/// All values that are used of one secret, or every reason why they cannot be.
pub(super) fn find(
    wanted: &[Wanted],
    kept: &BTreeMap<String, Kept>,
) -> Result<HashMap<SecretRef, Found>, Vec<Refusal>> {
    let mut found = HashMap::new();
    let mut refusals = Vec::new();
    for wanted in wanted {
        match wanted.find(kept) {
            Ok(value) => drop(found.insert(wanted.reference.clone(), value)),
            Err(why) => refusals.push(Refusal::new(&wanted.reference, why)),
        }
    }
    // One value may be put into two places, and fit neither.
    refusals.dedup();
    if refusals.is_empty() { Ok(found) } else { Err(refusals) }
}

impl Wanted {
    fn find(&self, kept: &BTreeMap<String, Kept>) -> Result<Found, String> {
        let Some(kept) = kept.get(&self.id) else {
            return Err(format!("`{}` was not found", self.id));
        };
        let secret = match self.reference.field() {
            None => kept.text.clone(),
            Some(field) => field_of(&kept.text, field)?,
        };
        self.check(secret.expose())?;
        Ok(Found { secret, version: kept.version.clone() })
    }

    fn check(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err("its value is empty".to_owned());
        }
        if !self.slot.has_lines() && value.trim_matches(['\n', '\r', ' ', '\t']) != value {
            return Err("its value begins or ends with white space; store it without a line break".to_owned());
        }
        if self.always_secret && value.chars().count() < SHORTEST {
            return Err(format!("its value is shorter than {SHORTEST} characters, which is no secret"));
        }
        self.slot.check(value)?;
        if self.expect.as_ref().is_some_and(|pattern| !pattern.is_match(value)) {
            return Err(
                "its value does not look as `expect` says; a wrong key may have been stored".to_owned()
            );
        }
        Ok(())
    }
}

/// A field of a JSON object: a string, or a whole number that parsing cannot change.
fn field_of(text: &Secret, field: &str) -> Result<Secret, String> {
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(text.expose());
    // serde_json's own words could quote the value.
    let Ok(object) = parsed else {
        return Err("it is no JSON object, so it has no fields".to_owned());
    };
    match object.get(field) {
        Some(serde_json::Value::String(value)) => Ok(Secret::new(value.as_str())),
        Some(serde_json::Value::Number(value)) if !value.is_f64() => Ok(Secret::new(value.to_string())),
        Some(serde_json::Value::Number(_)) => {
            Err(format!("its field `{field}` is a number that would be changed; store it as a string"))
        }
        Some(_) => Err(format!("its field `{field}` is no string")),
        None => Err(format!("it has no field `{field}`")),
    }
}

impl Slot {
    fn check(self, value: &str) -> Result<(), &'static str> {
        let printable = !value.chars().any(char::is_control);
        let (fits, why) = match self {
            Self::Header => {
                let visible = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
                (visible, "its value has characters that a header cannot have")
            }
            Self::Cookie => {
                let legal = value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte));
                (legal, "its value has characters that a cookie cannot have")
            }
            Self::Basic => (printable, "its value has characters that a user name or password cannot have"),
            Self::Url => (printable, "its value has characters that a URL cannot have"),
            Self::Body => (printable, "its value has characters that a field of a body cannot have"),
            Self::Key(KeyEncoding::Text) => (printable, "its value has characters that a key cannot have"),
            Self::Key(encoding) => (
                encoding.read(value).is_some(),
                "its value is not written as `key_encoding` says; store it so, or name the encoding that it has",
            ),
            Self::Certificate => (
                is_certificate(value),
                "its value is not a certificate as PEM; store all of it, with the lines of dashes",
            ),
            Self::PrivateKey => return key::private(value).map(drop),
            Self::Signer(scheme) => return key::signer(value, scheme).map(drop),
        };
        if fits { Ok(()) } else { Err(why) }
    }

    /// Whether a value has several lines, and a break at its end does no harm.
    fn has_lines(self) -> bool {
        matches!(self, Self::Certificate | Self::PrivateKey | Self::Signer(_))
    }
}

fn is_certificate(value: &str) -> bool {
    let pem = straighten(value);
    CertificateDer::pem_slice_iter(pem.as_bytes()).next().is_some_and(|first| first.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(reference: &str, text: &str, slot: Slot) -> Result<Secret, String> {
        let wanted = Wanted {
            reference: reference.parse().unwrap(),
            id: "prod/x".to_owned(),
            expect: Regex::new("^(ghp_|user|12)").ok(),
            refresh: None,
            slot,
            always_secret: slot == Slot::Header,
        };
        let kept = Kept { text: Secret::new(text), version: Some("v1".to_owned()) };
        wanted.find(&BTreeMap::from([("prod/x".to_owned(), kept)])).map(|found| found.secret)
    }

    #[test]
    fn a_value_that_could_not_work_is_refused_without_showing_it() {
        let check = |reference: &str, text: &str, slot: Slot, expected: Option<&str>| {
            let outcome = open(reference, text, slot);
            match (outcome, expected) {
                (Ok(_), None) => {}
                (Err(why), Some(part)) => {
                    assert!(why.contains(part), "{text}: {why}");
                    assert!(text.len() < 4 || !why.contains(text), "{why}");
                }
                (outcome, _) => panic!("{text}: {:?}", outcome.err()),
            }
        };
        check("x", "ghp_0123456789", Slot::Header, None);
        check("x.token", r#"{"token":"ghp_0123456789"}"#, Slot::Header, None);
        check("x.id", r#"{"id":12}"#, Slot::Url, None);
        check("x.id", r#"{"id":1.10}"#, Slot::Url, Some("store it as a string"));
        check("x.id", r#"{"id":1234567890123456789012345}"#, Slot::Url, Some("store it as a string"));
        check("x.user", r#"{"user":"user"}"#, Slot::Basic, None);
        check("x", "", Slot::Header, Some("empty"));
        check("x", "ghp_1", Slot::Header, Some("shorter than 8"));
        check("x", "ghp_0123456789\n", Slot::Header, Some("white space"));
        check("x", "ghp_01234\u{7}56789", Slot::Header, Some("a header"));
        check("x", "ghp_0123456é", Slot::Header, Some("a header"));
        check("x", "ghp_0123;456", Slot::Cookie, Some("a cookie"));
        check("x", "sk_live_0123456", Slot::Header, Some("`expect`"));
        check("x.token", "ghp_0123456789", Slot::Header, Some("no JSON object"));
        check("x.token", r#"{"key":"ghp_0123456789"}"#, Slot::Header, Some("no field `token`"));
        check("x.token", r#"{"token":["ghp_0123456789"]}"#, Slot::Header, Some("no string"));
        let key = Slot::Key(KeyEncoding::Text);
        check("x", "user-k\u{7}y", key, Some("a key"));
        check("x", "user-key\n", key, Some("white space"));
        for (encoding, fine, wrong) in [
            (KeyEncoding::Base64, ["user", "userag=="], ["user%", "user-_ab"]),
            (KeyEncoding::Hex, ["12ab", "12AB"], ["12a", "12xy"]),
        ] {
            fine.iter().for_each(|text| check("x", text, Slot::Key(encoding), None));
            wrong.iter().for_each(|text| check("x", text, Slot::Key(encoding), Some("`key_encoding`")));
        }
    }

    #[test]
    fn pem_is_read_before_it_is_needed() {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let check = |text: &str, slot: Slot, fine: bool| {
            assert_eq!(slot.check(text).is_ok(), fine, "{slot:?} {text}")
        };
        check(&chain, Slot::Certificate, true);
        check(&format!("{chain}{chain}"), Slot::Certificate, true);
        check(&key, Slot::PrivateKey, true);
        check(&format!("{chain}{key}"), Slot::PrivateKey, true);
        for wrong in ["", "MIIB", &chain[..60]] {
            check(wrong, Slot::Certificate, false);
            check(wrong, Slot::PrivateKey, false);
        }
        check(&key, Slot::Certificate, false);
        check(&chain, Slot::PrivateKey, false);
        let refused = open("x", "no key at all", Slot::PrivateKey).err().unwrap();
        assert!(refused.contains("not a private key as PEM") && !refused.contains("at all"), "{refused}");
        let (ec, rsa) = (
            Slot::Signer(SignatureScheme::ECDSA_NISTP256_SHA256),
            Slot::Signer(SignatureScheme::RSA_PKCS1_SHA256),
        );
        check(&key, ec, true);
        check(&key, rsa, false);
        check(&chain, ec, false);
        for slot in [Slot::PrivateKey, ec, rsa] {
            check("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", slot, false);
        }
        let refused = open("x", &key, rsa).err().unwrap();
        assert!(refused.contains("does not fit the `alg`") && !refused.contains("BEGIN"), "{refused}");
    }
}
