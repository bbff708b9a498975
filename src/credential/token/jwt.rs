//! Tokens that we sign ourselves: sent as they are, or traded at a token
//! endpoint for the one that is sent (RFC 7523 §2.1).

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Map, Value as Json};

use super::endpoint::Endpoint;
use super::oauth2::Purpose;
use super::sign::{Signer, claims};
use super::{Errand, Fresh, Refused};
use crate::credential::Value;
use crate::secret::SecretRef;
use crate::secret::vault::Slot;

/// RFC 7523 §2.1.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// An assertion (RFC 7523 §3).
#[derive(Debug, Clone)]
pub struct Jwt {
    /// What signs it.
    pub signer: Signer,
    /// Who says it: the `iss`.
    pub issuer: Value,
    /// On whose behalf: the `sub`.
    pub subject: Option<Value>,
    /// Who is told it: the `aud`.
    pub audience: Option<Value>,
    /// How long it holds.
    pub lifetime: Duration,
    /// What else it says.
    pub claims: Map<String, Json>,
    /// Where it is traded for another token; `None`: it is sent itself.
    pub exchange: Option<Exchange>,
}

/// Where an assertion is traded for a token.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The token endpoint. It is the audience of an assertion that names none.
    pub token_url: Endpoint,
    /// What the token is for.
    pub purpose: Purpose,
}

impl Jwt {
    pub(super) fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        let values = [Some(&self.issuer), self.subject.as_ref(), self.audience.as_ref()];
        let secrets = values.into_iter().flatten().filter_map(Value::secret);
        let mut wants = self.signer.wants();
        wants.extend(secrets.map(|secret| (secret, Slot::Url, false)));
        wants
    }

    pub(super) async fn fetch(&self, errand: &Errand<'_>) -> Result<Fresh, Refused> {
        let assertion = self.signer.sign(self.claims(errand)?, errand)?;
        let Some(exchange) = &self.exchange else {
            return Ok(Fresh { secret: assertion, lifetime: self.lifetime });
        };
        let mut form = vec![("grant_type", GRANT_TYPE), ("assertion", assertion.expose())];
        exchange.purpose.fill(&mut form);
        exchange.token_url.grant(&form, HeaderMap::new(), errand).await.map(|(fresh, _)| fresh)
    }

    fn claims(&self, errand: &Errand<'_>) -> Result<Map<String, Json>, Refused> {
        let mut said = self.claims.clone();
        said.append(&mut claims(self.lifetime, errand));
        if let Some(exchange) = &self.exchange {
            said.insert("aud".to_owned(), exchange.token_url.as_str().into());
        }
        let named =
            [("iss", Some(&self.issuer)), ("sub", self.subject.as_ref()), ("aud", self.audience.as_ref())];
        for (name, value) in named {
            if let Some(value) = value {
                said.insert(name.to_owned(), errand.text(value)?.as_str().into());
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sign::Alg;
    use super::super::sign::tests::verified;
    use super::super::tests::Played;
    use super::super::{Recipe, Source};
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn jwt(alg: Alg, key: &str) -> Jwt {
        Jwt {
            signer: Signer { key: key.parse().unwrap(), alg, key_id: Some(text("key-1")) },
            issuer: text("me"),
            subject: None,
            audience: Some(text("them")),
            lifetime: Duration::from_secs(300),
            claims: Map::new(),
            exchange: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_assertion_is_a_token_itself_and_is_signed_anew_before_it_ends() {
        for (alg, name, key) in [(Alg::Rs256, "RS256", "rsa"), (Alg::Es256, "ES256", "ec")] {
            let (source, played) = (Source::new(Recipe::Jwt(jwt(alg, key))), Played::granting());
            let first = played.sent(&source, 0).await;
            let (header, claims) = verified(&first);
            assert_eq!(header, json!({ "alg": name, "typ": "JWT", "kid": "key-1" }));
            assert_eq!(
                (&claims["iss"], &claims["aud"], &claims["sub"]),
                (&json!("me"), &json!("them"), &json!(null))
            );
            assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
            assert_eq!(played.sent(&source, 239).await, first);
            assert_ne!(played.sent(&source, 240).await, first);
            assert_eq!(played.count(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_assertion_is_traded_for_a_token() {
        let mut recipe = jwt(Alg::Rs256, "rsa");
        recipe.audience = None;
        recipe.subject = Some(text("somebody"));
        recipe.claims =
            Map::from_iter([("scope".to_owned(), json!("a b")), ("iss".to_owned(), json!("not me"))]);
        let purpose = Purpose { scope: Some("c".to_owned()), ..Purpose::default() };
        let token_url: Endpoint = "https://oauth2.example/token".parse().unwrap();
        recipe.exchange = Some(Exchange { token_url, purpose });
        let played = Played::granting();
        assert_eq!(played.sent(&Source::new(Recipe::Jwt(recipe)), 0).await, "token-1");
        let asked = played.asked().remove(0);
        assert_eq!(
            (asked.field("grant_type"), asked.field("scope")),
            (GRANT_TYPE.to_owned(), "c".to_owned())
        );
        assert!(!asked.headers.contains_key("authorization"));
        let claims = verified(&asked.field("assertion")).1;
        let said = ["iss", "sub", "aud", "scope"].map(|name| claims[name].as_str().unwrap());
        assert_eq!(said, ["me", "somebody", "https://oauth2.example/token", "a b"]);
    }

    /// Somebody may have stored the wrong half of the pair.
    #[tokio::test(start_paused = true)]
    async fn a_key_that_does_not_sign_is_named_and_not_shown() {
        let (source, played) = (Source::new(Recipe::Jwt(jwt(Alg::Rs256, "rsa"))), Played::granting());
        played.keep("rsa", "canary");
        let refused = played.token(&source, 0).await.err().unwrap().to_string();
        assert!(refused.starts_with("secret `rsa`: it is not a private key as PEM"), "{refused}");
        assert!(!refused.contains("canary"), "{refused}");
    }
}
