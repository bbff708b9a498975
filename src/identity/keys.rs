//! The public keys of an issuer (JSON Web Key Sets, RFC 7517 §5), and what
//! each of them may verify.
//!
//! A key that we would not trust is passed over, so that one odd key does not
//! lock everybody out. A key's algorithm comes from the set and the issuer's
//! declaration, never from a token: a public key is never taken for an HMAC's.

use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::alg::Alg;
use super::strict::{base64url, object};
use super::token::Unverified;

/// The longest set that is read, in bytes.
pub(super) const LONGEST: usize = 256 * 1024;
/// Nobody signs with more keys at a time.
const MOST: usize = 64;
/// What no public key has (RFC 7518 §6.2.2, §6.3.2 and §6.4.1). One that has
/// it is known to whoever has read the set.
pub const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of an issuer that we would trust.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

/// A public key.
#[derive(Debug)]
pub struct Key {
    kid: Option<String>,
    fits: Vec<Alg>,
    public: DecodingKey,
}

impl Keys {
    /// Reads a set. Keys that are symmetric, private, weak, of a kind that we
    /// do not know, or not for signatures are passed over.
    ///
    /// # Errors
    /// The set is too long, is no strict JSON, has too many keys, or has two of one `kid`.
    pub fn parse(jwks: &[u8]) -> Result<Self, String> {
        if LONGEST < jwks.len() {
            return Err(format!("the key set is longer than {LONGEST} bytes"));
        }
        let set = object(jwks.to_vec()).map_err(|why| format!("the key set: {why}"))?;
        let Some(Value::Array(items)) = set.get("keys") else {
            return Err("the key set has no list `keys`".to_owned());
        };
        if MOST < items.len() {
            return Err(format!("the key set has more than {MOST} keys"));
        }
        let keys: Vec<Key> = items.iter().filter_map(Value::as_object).filter_map(Key::read).collect();
        let named = |kid: &String| keys.iter().filter(|key| key.kid.as_ref() == Some(kid)).count();
        if keys.iter().filter_map(|key| key.kid.as_ref()).any(|kid| 1 < named(kid)) {
            return Err("the key set has two keys of one `kid`".to_owned());
        }
        Ok(Self(keys))
    }

    /// The key that a token names; without a name, the only one that fits.
    pub fn find(&self, kid: Option<&str>, alg: Alg) -> Option<&Key> {
        let mut fit = self.0.iter().filter(|key| key.fits.contains(&alg));
        match kid {
            Some(kid) => fit.find(|key| key.kid.as_deref() == Some(kid)),
            None => fit.next().filter(|_| fit.next().is_none()),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether any of them may verify by this algorithm.
    pub fn fits(&self, alg: Alg) -> bool {
        self.0.iter().any(|key| key.fits.contains(&alg))
    }

    /// Whether no token could be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Key {
    /// Whether the token's signature is by this key, in an algorithm that fits it.
    pub fn verify(&self, token: &Unverified) -> bool {
        let Some(alg) = Alg::parse(&token.alg).filter(|alg| self.fits.contains(alg)) else { return false };
        let (signature, signed) = (token.signature.as_str(), token.signed.as_bytes());
        jsonwebtoken::crypto::verify(signature, signed, &self.public, alg.algorithm()).unwrap_or(false)
    }

    /// `None`: it is one to pass over.
    fn read(key: &Map<String, Value>) -> Option<Self> {
        let verifies = match key.get("key_ops") {
            None => true,
            Some(operations) => operations.as_array()?.iter().any(|operation| operation == "verify"),
        };
        let signs = key.get("use").is_none_or(|purpose| purpose == "sig");
        if !verifies || !signs || PRIVATE.iter().any(|member| key.contains_key(*member)) {
            return None;
        }
        let (fits, public) = public(key)?;
        let fits = match key.get("alg") {
            None => fits.to_vec(),
            Some(alg) => vec![Alg::parse(alg.as_str()?).filter(|alg| fits.contains(alg))?],
        };
        let kid = match key.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        Some(Self { kid, fits, public })
    }
}

/// The numbers of a key, and the algorithms that such a key is for.
fn public(key: &Map<String, Value>) -> Option<(&'static [Alg], DecodingKey)> {
    let text = |member: &str| key.get(member).and_then(Value::as_str);
    let number = |member: &str| base64url(text(member)?);
    match (text("kty")?, text("crv")) {
        ("RSA", None) => {
            let (modulus, exponent) = (number("n")?, number("e")?);
            let (modulus, exponent) = (significant(&modulus), significant(&exponent));
            let strong = (2048..=8192).contains(&bits(modulus)) && is_exponent(exponent);
            strong.then(|| (&Alg::RSA[..], DecodingKey::from_rsa_raw_components(modulus, exponent)))
        }
        ("EC", Some("P-256")) => Some((&[Alg::ES256], point(&number("x")?, &number("y")?, 32)?)),
        ("EC", Some("P-384")) => Some((&[Alg::ES384], point(&number("x")?, &number("y")?, 48)?)),
        ("OKP", Some("Ed25519")) => {
            let point = number("x")?;
            (point.len() == 32).then(|| (&[Alg::EdDSA][..], DecodingKey::from_ed_der(&point)))
        }
        _ => None,
    }
}

/// A number without leading zeros, which some issuers write.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bits(number: &[u8]) -> usize {
    let spare = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len() * 8 - spare
}

/// Odd, at least 3, and no longer than the 32 bits that everybody can count with.
fn is_exponent(number: &[u8]) -> bool {
    let value = number.iter().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte));
    number.len() <= 4 && 3 <= value && value % 2 == 1
}

/// A point on a curve, uncompressed (SEC 1 §2.3.3). The library sees whether it is on it.
fn point(x: &[u8], y: &[u8], length: usize) -> Option<DecodingKey> {
    let whole = x.len() == length && y.len() == length;
    whole.then(|| DecodingKey::from_ec_der(&[&[4], x, y].concat()))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::super::tests::{Signer, merge, signers};
    use super::*;

    fn keys(list: &[Value]) -> Result<Keys, String> {
        Keys::parse(json!({ "keys": list }).to_string().as_bytes())
    }

    fn token(signer: &Signer, alg: &str) -> Unverified {
        let header = json!({ "alg": alg, "kid": signer.kid });
        Unverified::parse(&signer.sign(&header.to_string(), r#"{"iss":"x"}"#)).unwrap()
    }

    #[test]
    fn a_signature_holds_under_its_own_key_and_no_other() {
        let all = keys(&signers().iter().map(|signer| signer.jwk.clone()).collect::<Vec<_>>()).unwrap();
        assert_eq!(all.len(), 4);
        for signer in signers() {
            for alg in signer.algs() {
                let token = token(signer, alg);
                let alg = Alg::parse(alg).unwrap();
                assert!(all.find(Some(&signer.kid), alg).unwrap().verify(&token), "{alg:?}");
                let holds = all.0.iter().filter(|key| key.verify(&token)).count();
                assert_eq!(holds, 1, "{alg:?}");
            }
        }
    }

    /// A key that is said to be for one algorithm is for no other of its kind (RFC 7517 §4.4).
    #[test]
    fn a_key_is_used_as_it_is_meant() {
        let rsa = &signers()[0];
        let all = keys(&[merge(&rsa.jwk, &json!({ "alg": "PS512" }))]).unwrap();
        assert!(all.0[0].verify(&token(rsa, "PS512")));
        assert!(!all.0[0].verify(&token(rsa, "RS256")));
        assert!(all.find(Some("rsa"), Alg::RS256).is_none());
    }

    #[test]
    fn a_changed_token_does_not_hold() {
        let signer = &signers()[1];
        let all = keys(std::slice::from_ref(&signer.jwk)).unwrap();
        let key = all.find(None, Alg::ES256).unwrap();
        let holds = |change: &dyn Fn(&mut Unverified)| {
            let mut token = token(signer, "ES256");
            change(&mut token);
            key.verify(&token)
        };
        assert!(holds(&|_| ()));
        assert!(!holds(&|token| token.signed.push('A')));
        assert!(!holds(&|token| token.signature.truncate(4)));
        assert!(!holds(&|token| token.signature = "A".repeat(86)));
        for alg in ["none", "None", "HS256", "es256", "RS256", "ES384", "ES512", "ES256K", ""] {
            assert!(!holds(&|token| token.alg = alg.to_owned()), "{alg}");
        }
    }

    /// The classic: the public key as the secret of an HMAC.
    #[test]
    fn a_public_key_is_no_secret() {
        for signer in signers() {
            let all = keys(std::slice::from_ref(&signer.jwk)).unwrap();
            let public = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &signer.public());
            let mut token = token(signer, signer.algs()[0]);
            token.alg = "HS256".to_owned();
            let forged = aws_lc_rs::hmac::sign(&public, token.signed.as_bytes());
            token.signature = URL_SAFE_NO_PAD.encode(forged);
            assert!(!all.0[0].verify(&token));
        }
    }

    #[test]
    fn a_key_that_we_would_not_trust_is_passed_over() {
        let [rsa, p256, p384, ed] = signers().each_ref().map(|signer| signer.jwk.clone());
        let check = |key: &Value, change: Value, kept: bool| {
            let key = merge(key, &change);
            assert_eq!(keys(std::slice::from_ref(&key)).unwrap().len(), usize::from(kept), "{change}");
        };
        let number = |length: usize, first: u8| {
            URL_SAFE_NO_PAD.encode([&[first][..], &vec![0xff; length - 1]].concat())
        };
        for key in [&rsa, &p256, &p384, &ed] {
            check(key, json!({}), true);
            check(key, json!({ "use": null, "kid": null, "alg": null }), true);
            check(key, json!({ "use": "sig", "key_ops": ["verify"], "x5c": ["x"], "more": 1 }), true);
            check(key, json!({ "use": "enc" }), false);
            check(key, json!({ "use": ["sig"] }), false);
            check(key, json!({ "key_ops": ["sign"] }), false);
            check(key, json!({ "key_ops": "verify" }), false);
            check(key, json!({ "kid": 7 }), false);
            check(key, json!({ "alg": "HS256" }), false);
            check(key, json!({ "alg": "RSA-OAEP" }), false);
            check(key, json!({ "kty": "oct", "crv": null }), false);
            check(key, json!({ "kty": null }), false);
            for member in PRIVATE {
                check(key, json!({ member: "AQAB" }), false);
            }
        }
        check(&rsa, json!({ "alg": "PS512" }), true);
        check(&rsa, json!({ "alg": "ES256" }), false);
        check(&rsa, json!({ "n": number(128, 0xff) }), false);
        check(&rsa, json!({ "n": number(256, 0x7f) }), false);
        check(&rsa, json!({ "n": number(256, 0x80) }), true);
        check(&rsa, json!({ "n": number(257, 0x00) }), true);
        check(&rsa, json!({ "n": number(1024, 0xff) }), true);
        check(&rsa, json!({ "n": number(1025, 0x01) }), false);
        check(&rsa, json!({ "n": "" }), false);
        check(&rsa, json!({ "n": "====" }), false);
        check(&rsa, json!({ "n": null }), false);
        for (exponent, kept) in [
            ("", false),
            ("AA", false),
            ("AQ", false),
            ("Ag", false),
            ("Aw", true),
            ("AQAB", true),
            ("AQAA", false),
        ] {
            check(&rsa, json!({ "e": exponent }), kept);
        }
        check(&rsa, json!({ "e": number(5, 1) }), false);
        check(&p256, json!({ "crv": "P-384" }), false);
        check(&p256, json!({ "crv": "secp256k1" }), false);
        check(&p256, json!({ "crv": "P-521" }), false);
        check(&p256, json!({ "x": number(31, 1) }), false);
        check(&p256, json!({ "y": number(33, 0) }), false);
        check(&p256, json!({ "alg": "ES384" }), false);
        check(&ed, json!({ "crv": "Ed448" }), false);
        check(&ed, json!({ "crv": "X25519" }), false);
        check(&ed, json!({ "x": number(31, 1) }), false);
        check(&ed, json!({ "alg": "Ed25519" }), true);
    }

    #[test]
    fn a_set_that_could_be_read_in_two_ways_is_refused() {
        let rsa = &signers()[0].jwk;
        let check = |set: &str, expected: &str| {
            let why = Keys::parse(set.as_bytes()).expect_err(set);
            assert!(why.contains(expected), "{why}");
        };
        check("", "line 1");
        check("[]", "no JSON object");
        check("{}", "no list `keys`");
        check(r#"{"keys":{}}"#, "no list `keys`");
        check(r#"{"keys":[],"keys":[]}"#, "a key stands twice");
        check(r#"{"keys":[{"kid":"a","kid":"b"}]}"#, "a key stands twice");
        check(&json!({ "keys": [rsa, rsa] }).to_string(), "two keys of one `kid`");
        check(&json!({ "keys": vec![json!({}); 65] }).to_string(), "more than 64 keys");
        check(&format!("{{\"keys\":[]}}{}", " ".repeat(LONGEST)), "longer than");
        assert!(keys(&vec![json!({}); 64]).unwrap().is_empty());
        // What is passed over is not counted.
        let encrypting = merge(rsa, &json!({ "use": "enc" }));
        assert_eq!(keys(&[rsa.clone(), encrypting, json!(7), json!(null)]).unwrap().len(), 1);
    }

    #[test]
    fn a_token_without_a_kid_needs_the_only_key_that_fits() {
        let [rsa, p256, _, _] = signers().each_ref().map(|signer| signer.jwk.clone());
        let other = merge(&rsa, &json!({ "kid": "other" }));
        let nameless = merge(&rsa, &json!({ "kid": null }));
        let check = |list: &[&Value], kid: Option<&str>, alg: Alg, found: bool| {
            let list: Vec<Value> = list.iter().copied().cloned().collect();
            assert_eq!(keys(&list).unwrap().find(kid, alg).is_some(), found, "{kid:?} {alg:?}");
        };
        check(&[&rsa, &p256], None, Alg::RS256, true);
        check(&[&rsa, &p256], None, Alg::ES256, true);
        check(&[&rsa, &p256], None, Alg::ES384, false);
        check(&[&rsa, &other], None, Alg::RS256, false);
        check(&[&rsa, &other], Some("other"), Alg::RS256, true);
        check(&[&rsa, &other], Some("another"), Alg::RS256, false);
        check(&[&rsa, &other], Some("../../etc/passwd"), Alg::RS256, false);
        check(&[&rsa, &p256], Some("rsa"), Alg::ES256, false);
        check(&[&nameless], Some("rsa"), Alg::RS256, false);
        check(&[&nameless, &nameless], None, Alg::RS256, false);
        check(&[], None, Alg::RS256, false);
    }
}
