//! Whom the tests of this room know: signers of each kind, made for the length
//! of a test, and an issuer that answers as told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as sig;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

use super::{Alg, Issuer, Issuers, Keys, Source};
use crate::wire::client::Failure;

/// The time of the tests, in seconds since 1970.
pub const NOW: u64 = 1_795_276_800;

pub fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The same object with other members; null takes one away.
pub fn merge(object: &Value, change: &Value) -> Value {
    let mut merged = object.as_object().unwrap().clone();
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(merged.remove(name)),
            value => drop(merged.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(merged)
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// Whoever signs tokens.
pub struct Signer {
    pub kid: String,
    pub jwk: Value,
    pair: Pair,
}

impl Signer {
    /// Whatever header and payload: signed by this key all the same.
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let said: Value = serde_json::from_str(header).unwrap();
        let signature = self.signature(said["alg"].as_str().unwrap(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &dyn sig::RsaEncoding = match alg {
                    "RS384" => &sig::RSA_PKCS1_SHA384,
                    "RS512" => &sig::RSA_PKCS1_SHA512,
                    "PS256" => &sig::RSA_PSS_SHA256,
                    "PS384" => &sig::RSA_PSS_SHA384,
                    "PS512" => &sig::RSA_PSS_SHA512,
                    _ => &sig::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// What it can sign with.
    pub fn algs(&self) -> &'static [&'static str] {
        match self.jwk["crv"].as_str() {
            None => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            Some("P-256") => &["ES256"],
            Some("P-384") => &["ES384"],
            Some(_) => &["EdDSA", "Ed25519"],
        }
    }

    pub fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn new(kid: &str, pair: Pair, kind: &Value) -> Self {
        let mut signer = Self { kid: kid.to_owned(), jwk: Value::Null, pair };
        let public = signer.public();
        let encode = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let numbers = match &signer.pair {
            // The exponent is 65537, behind a modulus of 2048 bits and 9 bytes of DER.
            Pair::Rsa(_) => json!({ "n": encode(&public[9..265]), "e": "AQAB" }),
            Pair::Ec(_) => {
                let (x, y) = public[1..].split_at(public.len() / 2);
                json!({ "x": encode(x), "y": encode(y) })
            }
            Pair::Ed(_) => json!({ "x": encode(&public) }),
        };
        signer.jwk = merge(&merge(&json!({ "kid": kid, "use": "sig" }), kind), &numbers);
        signer
    }
}

/// An RSA key, keys on P-256 and P-384, and one on Ed25519.
pub fn signers() -> &'static [Signer; 4] {
    static SIGNERS: OnceLock<[Signer; 4]> = OnceLock::new();
    SIGNERS.get_or_init(|| {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let p256 = EcdsaKeyPair::generate(&sig::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let p384 = EcdsaKeyPair::generate(&sig::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let ed = Ed25519KeyPair::generate().unwrap();
        [
            Signer::new("rsa", Pair::Rsa(rsa), &json!({ "kty": "RSA" })),
            Signer::new("p256", Pair::Ec(p256), &json!({ "kty": "EC", "crv": "P-256" })),
            Signer::new("p384", Pair::Ec(p384), &json!({ "kty": "EC", "crv": "P-384" })),
            Signer::new("ed", Pair::Ed(ed), &json!({ "kty": "OKP", "crv": "Ed25519" })),
        ]
    })
}

pub const ISSUER: &str = "https://idp.example";

/// Status, body, and how many milliseconds it takes.
type Answer = (u16, String, u64);

/// An issuer of a test: what it answers at which URL. Elsewhere, it is down.
#[derive(Default)]
pub struct Played {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
}

impl Played {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn answer(&self, url: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(url.to_owned(), answer);
    }

    pub fn say(&self, url: &str, body: String) {
        self.answer(url, (200, body, 10));
    }

    /// Publishes one key, as [`ISSUER`].
    pub fn serve(&self, jwk: &Value) {
        let document = json!({ "issuer": ISSUER, "jwks_uri": "https://idp.example/keys" });
        self.say(&format!("{ISSUER}/.well-known/openid-configuration"), document.to_string());
        self.say("https://idp.example/keys", json!({ "keys": [jwk] }).to_string());
    }

    pub fn fall_silent(&self) {
        self.answers.lock().unwrap().clear();
    }

    pub async fn send(&self, request: http::Request<Bytes>, url: Url) -> Result<Response<Bytes>, Failure> {
        assert_eq!((request.method(), request.body().len()), (&http::Method::GET, 0));
        self.asked.lock().unwrap().push(url.to_string());
        let answer = self.answers.lock().unwrap().get(url.as_str()).cloned();
        let (status, body, takes) =
            answer.ok_or_else(|| Failure::Unreachable("nobody is there".to_owned()))?;
        sleep(Duration::from_millis(takes)).await;
        if super::keys::LONGEST < body.len() {
            return Err(Failure::TooLarge);
        }
        let answer = Response::builder().status(status).header("cache-control", "max-age=3600");
        Ok(answer.body(body.into()).unwrap())
    }

    /// The URLs that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// How often the keys were.
    pub fn fetches(&self) -> usize {
        self.asked().iter().filter(|url| url.ends_with("openid-configuration")).count()
    }
}

/// Verifies a claim set, signed in both of the ways that providers sign, and
/// looks for what must be found in it.
async fn check_shape(claims: Value, found: &[(&str, Value)]) {
    let times =
        json!({ "iat": NOW - 60, "exp": NOW + 240, "aud": claims.get("aud").unwrap_or(&json!("us")) });
    let claims = merge(&claims, &times);
    let [rsa, _, p384, _] = signers();
    let keys = json!({ "keys": [rsa.jwk, p384.jwk] }).to_string();
    let issuers = Issuers(vec![Issuer {
        name: "idp".to_owned(),
        url: claims["iss"].as_str().unwrap().to_owned(),
        audience: "us".to_owned(),
        algs: vec![Alg::RS256, Alg::ES384],
        source: Source::pinned(Keys::parse(keys.as_bytes()).unwrap()),
    }]);
    for (signer, alg) in [(rsa, "RS256"), (p384, "ES384")] {
        let header = json!({ "alg": alg, "kid": signer.kid }).to_string();
        let verified = issuers.verify(&signer.sign(&header, &claims.to_string()), at(NOW)).await;
        let verified = verified.unwrap_or_else(|refusal| panic!("{claims}: {refusal}"));
        for (path, expected) in found {
            assert_eq!(verified.claims.get(path), Some(expected), "{path}");
        }
    }
}

/// Claim sets as the providers write them: what identifies a workspace, a
/// human and a tenant is found under its name, whatever the shape.
#[tokio::test]
async fn each_providers_own_shape_is_taken() {
    let repository = "https://github.com/acme/api";
    let gitpod = json!({
        "iss": "https://api.gitpod.io/idp", "aud": ["us"], "azp": "us", "sub": repository, "auth_time": NOW,
        "c_hash": "u5Yk", "user_id": "0f9c1d5e", "org_id": "7c2b", "workspace_id": "acme-api-te23l4bjejv",
        "email_verified": true,
    });
    check_shape(gitpod, &[("workspace_id", json!("acme-api-te23l4bjejv")), ("org_id", json!("7c2b"))]).await;
    let ona = json!({
        "iss": "https://app.gitpod.io", "sub": "organization_id:a1b2:project_id:c9d0", "aud": ["us"],
        "environment_id": "e5f6", "creator_id": "b3c4", "creator_idp_claims": { "groups": ["engineering"] },
        "environment_initializers": [{ "git": { "remote_uri": repository } }],
    });
    let groups = ("creator_idp_claims.groups", json!(["engineering"]));
    check_shape(ona, &[("environment_id", json!("e5f6")), groups]).await;
    let github = json!({
        "iss": "https://token.actions.githubusercontent.com", "nbf": NOW - 360, "repository_owner_id": "123456",
        "sub": "repo:acme@123456/api@456789:ref:refs/heads/main", "run_id": "120034", "actor_id": "998877",
    });
    check_shape(github, &[("repository_owner_id", json!("123456"))]).await;
    let gitlab = json!({
        "iss": "https://gitlab.com", "sub": "project_path:acme/api:ref_type:branch:ref:main", "runner_id": 7,
        "namespace_id": "72", "ref_protected": "true", "nbf": NOW - 65,
    });
    check_shape(gitlab, &[("ref_protected", json!("true")), ("runner_id", json!(7))]).await;
    let google = json!({
        "iss": "https://accounts.google.com", "sub": "1134", "azp": "1134",
        "google": { "compute_engine": { "instance_id": "77", "project_number": 12 } },
    });
    check_shape(google, &[("google.compute_engine.instance_id", json!("77"))]).await;
    let okta = json!({
        "iss": "https://acme.okta.com/oauth2/aus1", "sub": "jane@acme.dev", "ver": 1, "scp": ["proxy.use"],
        "groups": ["eng"],
    });
    check_shape(okta, &[("groups", json!(["eng"]))]).await;
    let aws = json!({
        "iss": "https://abc123.tokens.sts.global.api.aws", "sub": "arn:aws:iam::123456789012:role/DevBox",
        "https://sts.amazonaws.com/": { "aws_account": "123456789012", "principal_tags": { "team": "x" } },
    });
    check_shape(aws, &[("https://sts.amazonaws.com/.aws_account", json!("123456789012"))]).await;
}
