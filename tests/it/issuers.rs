//! Issuers on the network: asked for their keys over real sockets, and no
//! further than they were declared to be.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::identity::{Alg, Issuer, Issuers, Reason, Source};
use countersign::wire::client::{Client, Reach, Roots};
use serde_json::json;

use crate::upstream::{Say, Seen, Upstream, say};

const NOW: u64 = 1_795_276_800;

/// An issuer with one key, and a proxy that trusts it.
struct Idp {
    upstream: Upstream,
    pair: EcdsaKeyPair,
    issuers: Issuers,
}

impl Idp {
    /// One whose key set is answered as told, at an address that is declared to be private or not.
    async fn start(declared: bool, keys: impl Fn(String) -> Say + Send + Sync + 'static) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "x": x, "y": y });
        let set = json!({ "keys": [key] }).to_string();
        let script = move |seen: &Seen| {
            let url = format!("http://{}/idp", seen.all("host").concat());
            match seen.target.as_str() {
                "/idp/.well-known/openid-configuration" => {
                    say(200).body(json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string())
                }
                "/idp/keys" => keys(set.clone()),
                _ => say(200).body(set.clone()),
            }
        };
        let upstream = Upstream::start(Arc::new(script)).await;
        let except = if declared { [upstream.address.ip().to_string()].into() } else { Default::default() };
        let client = Client::new(&Roots::new(None).unwrap(), Reach::Public { except }).unwrap();
        let url = format!("http://{}/idp", upstream.address);
        let source = Source::discovered(client, &url, Vec::new(), true);
        let (name, audience, algs) = ("idp".to_owned(), "us".to_owned(), vec![Alg::RS256, Alg::ES256]);
        let issuer = Issuer { name, url, audience, algs, source };
        Self { upstream, pair, issuers: Issuers(vec![issuer]) }
    }

    fn token(&self) -> String {
        let iss = format!("http://{}/idp", self.upstream.address);
        let claims = json!({ "iss": iss, "aud": "us", "sub": "me", "iat": NOW, "exp": NOW + 300 });
        let header = json!({ "alg": "ES256", "kid": "k1" });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    async fn verify(&self) -> Result<(), (Reason, Option<String>)> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let outcome = self.issuers.verify(&self.token(), now).await;
        outcome.map(drop).map_err(|refusal| (refusal.code, refusal.cause))
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.seen().into_iter().map(|seen| seen.target).collect()
    }
}

#[tokio::test]
async fn an_issuer_is_asked_once_for_what_many_tokens_need() {
    let idp = Idp::start(true, |set| say(200).body(set)).await;
    let (first, second) = tokio::join!(idp.verify(), idp.verify());
    assert_eq!((first, second, idp.verify().await), (Ok(()), Ok(()), Ok(())));
    assert_eq!(idp.targets(), ["/idp/.well-known/openid-configuration", "/idp/keys"]);
    for seen in idp.upstream.seen() {
        assert_eq!(
            (seen.all("accept-encoding"), seen.all("authorization")),
            (vec!["identity".to_owned()], vec![])
        );
    }
}

#[tokio::test]
async fn an_issuer_on_a_private_network_must_be_declared() {
    let idp = Idp::start(false, |set| say(200).body(set)).await;
    let (code, cause) = idp.verify().await.unwrap_err();
    assert_eq!(code, Reason::KeysUnavailable);
    let cause = cause.unwrap();
    assert!(cause.contains("issuer `idp`: the discovery document: the host leads to no public"), "{cause}");
    assert!(idp.upstream.seen().is_empty());
}

#[tokio::test]
async fn what_answers_with_anything_but_a_key_set_is_not_followed() {
    let check = async |expected: &str, keys: fn(String) -> Say| {
        let idp = Idp::start(true, keys).await;
        let (code, cause) = idp.verify().await.unwrap_err();
        let cause = cause.unwrap();
        assert!(code == Reason::KeysUnavailable && cause.contains(expected), "{cause}");
        assert_eq!(idp.targets().len(), 2, "{expected}: {:?}", idp.targets());
    };
    check("the answer is 302", |_| say(302).with("location", "/moved")).await;
    check("the answer is 307", |set| say(307).with("location", "/moved").body(set)).await;
    check("the answer is too large", |set| say(200).body(set + &" ".repeat(256 * 1024))).await;
    check("the key set: line 1", |_| say(200).body("<html>")).await;
}
