//! Somebody whose tokens we take, and on which terms.
//!
//! The terms are the configuration's and are fixed before a token comes: it
//! chooses neither the algorithm nor where its key is found (RFC 8725 §3.1 and §3.10).

use std::sync::Arc;
use std::time::SystemTime;

use super::alg::Alg;
use super::claims::Claims;
use super::discovery::{Discovery, Door};
use super::jwks::{Jwks, Wanted};
use super::keys::Keys;
use super::refusal::{Reason, Refusal, echo};
use super::token::Unverified;
use crate::wire::client::Client;

/// Somebody whose tokens we take.
pub struct Issuer {
    /// Our name for them.
    pub name: String,
    /// Theirs: what `iss` says, byte by byte.
    pub url: String,
    /// Our name at them: what `aud` says.
    pub audience: String,
    /// What they may sign with.
    pub algs: Vec<Alg>,
    /// Where their keys come from.
    pub source: Source,
}

/// Where an issuer's keys come from. A closed set, so an enum and not a trait.
pub enum Source {
    /// Given in the configuration: nobody is asked.
    Pinned(Arc<Keys>),
    /// Asked for, and kept.
    Discovered(Box<Jwks>),
}

impl Source {
    /// Keys that are given outright.
    pub fn pinned(keys: Keys) -> Self {
        Self::Pinned(Arc::new(keys))
    }

    /// Keys that the issuer at `url` publishes, on its own host or on one of `jwks_hosts`.
    pub fn discovered(
        client: Client,
        url: &str,
        jwks_hosts: Vec<String>,
        dangerous_plain_http: bool,
    ) -> Self {
        let (issuer, door) = (url.to_owned(), Door::Client(client));
        Self::Discovered(Box::new(Jwks::new(Discovery { issuer, jwks_hosts, dangerous_plain_http, door })))
    }

    async fn keys(&self, wanted: Wanted<'_>, now: SystemTime) -> Result<Arc<Keys>, String> {
        match self {
            Self::Pinned(keys) => Ok(Arc::clone(keys)),
            Self::Discovered(jwks) => jwks.keys(wanted, now).await,
        }
    }
}

impl Issuer {
    /// What a token says, if this issuer has signed it for us and its time is now.
    ///
    /// # Errors
    /// Why not: the first reason in the order of kind, algorithm, key,
    /// signature, audience, times, subject.
    pub async fn verify(&self, token: &Unverified, now: SystemTime) -> Result<Claims, Refusal> {
        if token.iss != self.url {
            let detail = format!("iss {} is not trusted", echo(&token.iss));
            return Err(Refusal::new(Reason::UntrustedIssuer, detail));
        }
        let alg = self.admit(token)?;
        let wanted = Wanted { kid: token.kid.as_deref(), alg };
        let keys = self.source.keys(wanted, now).await.map_err(|why| {
            let detail = "the keys of the token's issuer cannot be had now; try again later";
            Refusal::new(Reason::KeysUnavailable, detail).because(format!("issuer `{}`: {why}", self.name))
        })?;
        let Some(key) = keys.find(wanted.kid, alg) else {
            let detail = "the issuer has no key that fits the token's `kid` and `alg`";
            let kid = wanted.kid.map_or_else(|| "none".to_owned(), echo);
            return Err(
                Refusal::new(Reason::UnknownKey, detail).because(format!("kid {kid}, {}", alg.name()))
            );
        };
        if !key.verify(token) {
            return Err(Refusal::new(Reason::BadSignature, "the token's signature does not hold"));
        }
        Claims::judge(&token.claims, &self.audience, now)
    }

    /// The algorithm, if it is one that is taken.
    fn admit(&self, token: &Unverified) -> Result<Alg, Refusal> {
        let alg = Alg::parse(&token.alg).filter(|alg| self.algs.contains(alg));
        alg.ok_or_else(|| {
            let taken: Vec<&str> = self.algs.iter().map(|alg| alg.name()).collect();
            let detail = format!("its `alg` is {}, which is not taken from its issuer", echo(&token.alg));
            Refusal::new(Reason::BadSignature, detail).because(format!("taken: {}", taken.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Issuers;
    use super::super::tests::{ISSUER, NOW, Played, at, merge, signers};
    use super::*;

    const HEADER: &str = r#"{"alg":"RS256","kid":"rsa"}"#;

    fn issuer(name: &str, url: &str, source: Source) -> Issuer {
        let (name, url, audience) = (name.to_owned(), url.to_owned(), "us".to_owned());
        let algs = vec![Alg::RS256, Alg::ES256];
        Issuer { name, url, audience, algs, source }
    }

    fn pinned() -> Source {
        let keys: Vec<&Value> = signers().iter().map(|signer| &signer.jwk).collect();
        Source::pinned(Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
    }

    fn ours() -> Issuers {
        Issuers(vec![issuer("other", "https://other.example", pinned()), issuer("idp", ISSUER, pinned())])
    }

    fn right() -> Value {
        json!({ "iss": ISSUER, "aud": "us", "sub": "me", "iat": NOW, "exp": NOW + 300, "org": "acme" })
    }

    fn signed(header: &str, change: &Value) -> String {
        signers()[0].sign(header, &merge(&right(), change).to_string())
    }

    async fn code(token: &str) -> Result<(), Reason> {
        ours().verify(token, at(NOW)).await.map(drop).map_err(|refusal| refusal.code)
    }

    #[tokio::test]
    async fn a_right_token_is_taken() {
        let issuers = ours();
        let header = r#"{"alg":"RS256","kid":"rsa","typ":"JWT","jku":"https://evil.example"}"#;
        let verified = issuers.verify(&signed(header, &json!({})), at(NOW)).await.unwrap();
        assert_eq!((verified.issuer, verified.claims.subject()), ("idp", "me"));
        assert_eq!(verified.claims.get("org"), Some(&json!("acme")));
    }

    /// Right but for one thing, and correctly signed: told the issuer and the
    /// audience, `decode` of the common crate takes all of these but the second `sub`.
    #[tokio::test]
    async fn what_the_common_crate_lets_through_is_refused() {
        let check = async |change: Value, expected: Reason| {
            assert_eq!(code(&signed(HEADER, &change)).await, Err(expected), "{change}");
        };
        check(json!({ "iss": null }), Reason::Malformed).await;
        check(json!({ "iss": 7 }), Reason::Malformed).await;
        check(json!({ "iss": {} }), Reason::Malformed).await;
        check(json!({ "iss": ["https://evil.example", ISSUER] }), Reason::Malformed).await;
        check(json!({ "aud": null }), Reason::ClaimMissing).await;
        check(json!({ "aud": 7 }), Reason::ClaimMismatch).await;
        check(json!({ "aud": ["us", "sts.amazonaws.com"] }), Reason::WrongAudience).await;
        check(json!({ "sub": null }), Reason::ClaimMissing).await;
        let year = NOW + 365 * 86400;
        check(json!({ "iat": year, "exp": year + 60 }), Reason::NotYetValid).await;
        check(json!({ "exp": 9_000_000_000_000_000_u64 }), Reason::ClaimMismatch).await;
        check(json!({ "exp": 9e15 }), Reason::ClaimMismatch).await;
        check(json!({ "iat": NOW - 300, "exp": NOW - 55 }), Reason::Expired).await;
        check(json!({ "iat": null }), Reason::ClaimMissing).await;
        for member in [r#""typ":"dpop+jwt""#, r#""crit":["x"]"#, r#""b64":false"#] {
            let token = signed(&format!(r#"{{"alg":"RS256","kid":"rsa",{member}}}"#), &json!({}));
            assert_eq!(code(&token).await, Err(Reason::Malformed), "{member}");
        }
        for name in ["org", "sub"] {
            let twice = right().to_string().replacen('{', &format!("{{\"{name}\":\"x\","), 1);
            assert_eq!(code(&signers()[0].sign(HEADER, &twice)).await, Err(Reason::Malformed), "{name}");
        }
    }

    #[tokio::test]
    async fn a_token_does_not_choose_its_algorithm_or_its_key() {
        let check = async |token: &str, expected: Result<(), Reason>| {
            assert_eq!(code(token).await, expected, "{}", token.split('.').next().unwrap());
        };
        let right = right().to_string();
        let [rsa, p256, p384, ed] = signers();
        check(&p256.sign(r#"{"alg":"ES256","kid":"p256"}"#, &right), Ok(())).await;
        check(&p256.sign(r#"{"alg":"ES256"}"#, &right), Ok(())).await;
        let not_declared =
            [(rsa, "RS512"), (rsa, "PS256"), (p384, "ES384"), (ed, "EdDSA"), (ed, "none"), (rsa, "HS256")];
        for (signer, alg) in not_declared {
            let header = format!(r#"{{"alg":"{alg}","kid":"{}"}}"#, signer.kid);
            check(&signer.sign(&header, &right), Err(Reason::BadSignature)).await;
        }
        check(&p256.sign(r#"{"alg":"RS256","kid":"p256"}"#, &right), Err(Reason::UnknownKey)).await;
        check(&p256.sign(r#"{"alg":"RS256","kid":"rsa"}"#, &right), Err(Reason::BadSignature)).await;
        for kid in ["nobody", "", "../rsa", "rsa' OR 1=1", "https://evil.example/key"] {
            let header = format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#);
            check(&rsa.sign(&header, &right), Err(Reason::UnknownKey)).await;
        }
        let header = json!({ "alg": "ES256", "kid": "p256", "jwk": p384.jwk }).to_string();
        check(&p384.sign(&header, &right), Err(Reason::BadSignature)).await;
    }

    #[tokio::test]
    async fn access_tokens_that_say_so_are_taken_too() {
        let issuers = ours();
        for typ in ["at+jwt", "JWT"] {
            let token = signed(&format!(r#"{{"alg":"RS256","kid":"rsa","typ":"{typ}"}}"#), &json!({}));
            assert!(issuers.verify(&token, at(NOW)).await.is_ok(), "{typ}");
        }
    }

    /// Whoever cannot sign learns nothing of what would be right.
    #[tokio::test]
    async fn a_refusal_tells_only_what_the_caller_may_know() {
        let check = async |token: &str, detail: &str, cause: Option<&str>| {
            let refusal = ours().verify(token, at(NOW)).await.unwrap_err();
            assert_eq!((refusal.detail.as_str(), refusal.cause.as_deref()), (detail, cause));
            let signature = token.rsplit('.').next().unwrap();
            assert!(!format!("{refusal:?}").contains(signature), "{refusal:?}");
        };
        let named = |iss: &str| signed(HEADER, &json!({ "iss": iss, "aud": "them" }));
        check(&named("https://evil.example"), "iss \"https://evil.example\" is not trusted", None).await;
        let near = "iss \"https://idp.example/\" is not trusted; \
                    a trusted issuer differs only by the trailing slash";
        check(&named("https://idp.example/"), near, None).await;
        let long = format!("iss \"{}…\" is not trusted", "x".repeat(200));
        check(&named(&format!("{}\n", "x".repeat(300))), &long, None).await;
        let header = r#"{"alg":"HS256"}"#;
        let expected = "its `alg` is \"HS256\", which is not taken from its issuer";
        check(&signed(header, &json!({})), expected, Some("taken: RS256, ES256")).await;
        let forged = signers()[1].sign(HEADER, &merge(&right(), &json!({ "aud": "them" })).to_string());
        check(&forged, "the token's signature does not hold", None).await;
        let expected = "`aud` is \"them\": the token is not meant for us";
        check(&signed(HEADER, &json!({ "aud": "them" })), expected, Some("expected \"us\"")).await;
        let token = signed(r#"{"alg":"RS256","kid":"gone"}"#, &json!({}));
        let expected = "the issuer has no key that fits the token's `kid` and `alg`";
        check(&token, expected, Some("kid \"gone\", RS256")).await;
    }

    #[tokio::test]
    async fn an_issuer_judges_nobody_elses_tokens() {
        let token = Unverified::parse(&signed(HEADER, &json!({}))).unwrap();
        let refusal = issuer("other", "https://other.example", pinned()).verify(&token, at(NOW)).await;
        assert_eq!(refusal.unwrap_err().code, Reason::UntrustedIssuer);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_asked_of_the_issuer_once_it_is_trusted() {
        let played = Played::new();
        let door = Door::Played(Arc::clone(&played));
        let discovery = Discovery {
            issuer: ISSUER.to_owned(),
            jwks_hosts: Vec::new(),
            dangerous_plain_http: false,
            door,
        };
        let source = Source::Discovered(Box::new(Jwks::new(discovery)));
        let issuers = Issuers(vec![issuer("idp", ISSUER, source)]);
        let verify = async |token: &str, now: u64| {
            let outcome = issuers.verify(token, at(now)).await;
            (outcome.map(drop).map_err(|refusal| refusal.code), played.fetches())
        };
        let foreign = signed(HEADER, &json!({ "iss": "https://evil.example" }));
        assert_eq!(verify(&foreign, NOW).await, (Err(Reason::UntrustedIssuer), 0));
        let unsigned = signed(r#"{"alg":"none"}"#, &json!({}));
        assert_eq!(verify(&unsigned, NOW).await, (Err(Reason::BadSignature), 0));
        let token = signed(HEADER, &json!({}));
        assert_eq!(verify(&token, NOW).await, (Err(Reason::KeysUnavailable), 1));
        played.serve(&signers()[0].jwk);
        assert_eq!(verify(&token, NOW + 5).await, (Ok(()), 2));
    }
}
