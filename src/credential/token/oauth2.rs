//! Tokens of an OAuth 2.0 server (RFC 6749): for the client itself (§4.4), or
//! for a person who once gave it a refresh token (§6).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::sign::{Signer, claims};
use super::{Errand, Fresh, Memory, Refused};
use crate::credential::Value;
use crate::secret::vault::Slot;
use crate::secret::{Secret, SecretRef};

/// An assertion is used at once; what is left of its life serves only thieves.
const ASSERTION: Duration = Duration::from_secs(60);
/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client of an OAuth 2.0 server.
#[derive(Debug, Clone)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: Endpoint,
    /// The client's name there.
    pub client_id: Value,
    /// How it proves to be that client.
    pub proof: Proof,
    /// On whose behalf.
    pub grant: Grant,
    /// What the token is for.
    pub purpose: Purpose,
}

/// How a client proves itself to the token endpoint.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Its secret in `Authorization: Basic …` (RFC 6749 §2.3.1).
    Basic(SecretRef),
    /// Its secret in the form (RFC 6749 §2.3.1).
    Post(SecretRef),
    /// An assertion that it signs: `private_key_jwt` (RFC 7523 §2.2).
    Key {
        /// The client's key.
        signer: Signer,
        /// Whom the assertion is for, where that is not the token endpoint's URL.
        audience: Option<String>,
    },
}

/// On whose behalf a token is asked for.
#[derive(Debug, Clone)]
pub enum Grant {
    /// The client's own (RFC 6749 §4.4).
    ClientCredentials,
    /// That of whoever gave the client this refresh token (RFC 6749 §6).
    RefreshToken(SecretRef),
}

/// What a token is for, in the endpoint's own words.
#[derive(Debug, Clone, Default)]
pub struct Purpose {
    /// The scope: words with spaces between them (RFC 6749 §3.3).
    pub scope: Option<String>,
    /// The audience, as some servers want to be told it.
    pub audience: Option<String>,
    /// The resources, as URIs (RFC 8707 §2).
    pub resource: Vec<String>,
}

/// The fields of a form.
type Form<'f> = Vec<(&'f str, &'f str)>;

impl Purpose {
    /// Writes it into the form.
    pub(super) fn fill<'f>(&'f self, form: &mut Form<'f>) {
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        form.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        form.extend(self.resource.iter().map(|resource| ("resource", resource.as_str())));
    }
}

impl OAuth2 {
    pub(super) fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        let mut wants = Vec::new();
        wants.extend(self.client_id.secret().map(|id| (id, Slot::Url, false)));
        match &self.proof {
            Proof::Basic(secret) | Proof::Post(secret) => wants.push((secret, Slot::Url, true)),
            Proof::Key { signer, .. } => wants.extend(signer.wants()),
        }
        if let Grant::RefreshToken(token) = &self.grant {
            wants.push((token, Slot::Url, true));
        }
        wants
    }

    pub(super) async fn fetch(&self, errand: &Errand<'_>, memory: &mut Memory) -> Result<Fresh, Refused> {
        let refresh = self.refresh_token(errand, memory)?;
        let mut form: Form<'_> = match &refresh {
            None => vec![("grant_type", "client_credentials")],
            Some(token) => vec![("grant_type", "refresh_token"), ("refresh_token", token.now.expose())],
        };
        self.purpose.fill(&mut form);
        let id = errand.text(&self.client_id)?;
        let (proof, headers) = self.prove(&id, errand)?;
        form.extend(proof.iter().map(|(name, value)| (*name, value.as_str())));
        let outcome = self.token_url.grant(&form, headers, errand).await;
        if let Some(token) = refresh {
            memory.refresh = token.next(&outcome);
        }
        outcome.map(|(fresh, _)| fresh)
    }

    /// What says and proves who we are: fields of the form, and headers.
    fn prove(&self, id: &str, errand: &Errand<'_>) -> Result<(Fields, HeaderMap), Refused> {
        let own = |text: &str| Zeroizing::new(text.to_owned());
        match &self.proof {
            Proof::Basic(secret) => {
                let headers = basic(id, errand.secret(secret)?.expose())?;
                Ok((Vec::new(), headers))
            }
            Proof::Post(secret) => {
                let secret = own(errand.secret(secret)?.expose());
                Ok((vec![("client_id", own(id)), ("client_secret", secret)], HeaderMap::new()))
            }
            Proof::Key { signer, audience } => {
                let mut claims = claims(ASSERTION, errand);
                let audience = audience.as_deref().unwrap_or(self.token_url.as_str());
                for (name, value) in [("iss", id), ("sub", id), ("aud", audience)] {
                    claims.insert(name.to_owned(), value.into());
                }
                let assertion = own(signer.sign(claims, errand)?.expose());
                let fields = vec![
                    ("client_id", own(id)),
                    ("client_assertion_type", own(ASSERTION_TYPE)),
                    ("client_assertion", assertion),
                ];
                Ok((fields, HeaderMap::new()))
            }
        }
    }

    /// The refresh token that is good now: the vault's, or its successor.
    fn refresh_token(&self, errand: &Errand<'_>, memory: &Memory) -> Result<Option<Refresh>, Refused> {
        let Grant::RefreshToken(reference) = &self.grant else { return Ok(None) };
        let kept = errand.secret(reference)?;
        let successor = memory.refresh.as_ref().filter(|(of, _)| of.expose() == kept.expose());
        let now = successor.map_or_else(|| kept.clone(), |(_, successor)| successor.clone());
        Ok(Some(Refresh { kept, now }))
    }
}

/// Fields that are put together here.
type Fields = Vec<(&'static str, Zeroizing<String>)>;

/// A refresh token, and what it was in the vault.
struct Refresh {
    kept: Secret,
    now: Secret,
}

impl Refresh {
    /// What to remember: a successor takes the place of the token that was
    /// used (RFC 6749 §6). One that was refused is forgotten, for the vault's.
    fn next(self, outcome: &Result<(Fresh, Option<Secret>), Refused>) -> Option<(Secret, Secret)> {
        match outcome {
            Ok((_, Some(successor))) => Some((self.kept, successor.clone())),
            Err(Refused::Denied(_, Some("invalid_grant"))) => None,
            Ok((_, None)) | Err(_) => Some((self.kept, self.now)),
        }
    }
}

/// Name and secret are encoded as in a form before they are joined: a colon
/// in either would be read as the one between them (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &str) -> Result<HeaderMap, Refused> {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let value = HeaderValue::from_str(&text).map_err(|_| Refused::Unready("no legal header".to_owned()));
    let mut value = value?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sign::Alg;
    use super::super::sign::tests::verified;
    use super::super::tests::{Asked, Played, client, time};
    use super::super::{Recipe, Source};
    use super::*;

    async fn asked(recipe: OAuth2) -> Asked {
        let played = Played::granting();
        assert_eq!(played.sent(&Source::new(Recipe::OAuth2(recipe)), 0).await, "token-1");
        played.asked().remove(0)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_proves_itself_in_the_form() {
        let asked = asked(client(Grant::ClientCredentials)).await;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "me"),
            ("client_secret", "client-secret-canary"),
        ];
        assert_eq!((asked.url.as_str(), asked.form()), ("https://auth.example/token", pairs(&form)));
        assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
        assert_eq!(
            (asked.header("accept"), asked.header("accept-encoding")),
            ("application/json", "identity")
        );
        assert!(!asked.headers.contains_key("authorization"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_proves_itself_in_a_header_and_each_part_is_encoded() {
        let mut recipe = client(Grant::ClientCredentials);
        recipe.proof = Proof::Basic("client".parse().unwrap());
        recipe.client_id = Value::Text("me:too é".to_owned());
        let asked = asked(recipe).await;
        let pair = STANDARD.decode(asked.header("authorization").strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "me%3Atoo+%C3%A9:client-secret-canary");
        assert_eq!(asked.form(), pairs(&[("grant_type", "client_credentials")]));
        assert!(asked.headers["authorization"].is_sensitive());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_proves_itself_with_an_assertion_that_it_signs() {
        let check = async |audience: Option<&str>, expected: &str| {
            let signer = Signer { key: "ec".parse().unwrap(), alg: Alg::Es256, key_id: None };
            let mut recipe = client(Grant::ClientCredentials);
            recipe.proof = Proof::Key { signer, audience: audience.map(str::to_owned) };
            let asked = asked(recipe).await;
            assert_eq!(
                (asked.field("client_id"), asked.field("client_assertion_type")),
                ("me".to_owned(), ASSERTION_TYPE.to_owned())
            );
            let (header, mut claims) = verified(&asked.field("client_assertion"));
            assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT" }));
            let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
            assert!(id.as_str().unwrap().starts_with("r-1-"), "{id}");
            let from = time(0).duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let (iss, until) = ("me", from + 60);
            assert_eq!(claims, json!({ "iss": iss, "sub": iss, "aud": expected, "iat": from, "exp": until }));
        };
        check(None, "https://auth.example/token").await;
        check(Some("https://auth.example"), "https://auth.example").await;
    }

    /// A server must be able to tell a replay.
    #[tokio::test(start_paused = true)]
    async fn no_two_assertions_have_the_same_id() {
        let signer = Signer { key: "ec".parse().unwrap(), alg: Alg::Es256, key_id: None };
        let mut recipe = client(Grant::ClientCredentials);
        recipe.proof = Proof::Key { signer, audience: None };
        let (source, played) = (Source::new(Recipe::OAuth2(recipe)), Played::saying(500, ""));
        for _ in 0..2 {
            assert!(played.token(&source, 0).await.is_err());
        }
        let ids = played
            .asked()
            .iter()
            .map(|asked| verified(&asked.field("client_assertion")).1["jti"].clone())
            .collect::<Vec<_>>();
        assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_token_is_for_is_said_in_the_form() {
        let mut recipe = client(Grant::RefreshToken("refresh".parse().unwrap()));
        recipe.purpose = Purpose {
            scope: Some("read write".to_owned()),
            audience: Some("https://api.example".to_owned()),
            resource: vec!["urn:a".to_owned(), "urn:b".to_owned()],
        };
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "refresh-canary-0"),
            ("scope", "read write"),
            ("audience", "https://api.example"),
            ("resource", "urn:a"),
            ("resource", "urn:b"),
            ("client_id", "me"),
            ("client_secret", "client-secret-canary"),
        ];
        assert_eq!(asked(recipe).await.form(), pairs(&form));
    }

    /// What each fetch sends as refresh token, where the endpoint answers so.
    async fn sent(
        script: impl Fn(usize) -> (u16, &'static str) + Send + Sync + 'static,
        rotate: usize,
    ) -> Vec<String> {
        let played = Played::new(move |number| {
            let (status, more) = script(number);
            Ok((status, format!(r#"{{"access_token":"token-{number}","expires_in":1{more}}}"#)))
        });
        let source = Source::new(Recipe::OAuth2(client(Grant::RefreshToken("refresh".parse().unwrap()))));
        for number in 1..=4 {
            if number == rotate {
                played.keep("refresh", "refresh-canary-new");
            }
            drop(played.token(&source, 10 * number as u64).await);
        }
        played.asked().iter().map(|asked| asked.field("refresh_token")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_refresh_token_takes_the_place_of_the_old_one() {
        let never = 9;
        let successor = r#","refresh_token":"successor""#;
        let old = "refresh-canary-0";
        assert_eq!(sent(|_| (200, ""), never).await, [old; 4]);
        let once = move |number| if number == 1 { (200, successor) } else { (200, "") };
        assert_eq!(sent(once, never).await, [old, "successor", "successor", "successor"]);
        // Somebody stored a newer one: that is the one that counts.
        assert_eq!(sent(once, 3).await, [old, "successor", "refresh-canary-new", "refresh-canary-new"]);
        // The successor is refused: back to the vault's.
        let refused = move |number| match number {
            1 => (200, successor),
            2 => (400, r#","error":"invalid_grant""#),
            _ => (200, ""),
        };
        assert_eq!(sent(refused, never).await, [old, "successor", old, old]);
        // An outage is no refusal.
        let down = move |number| match number {
            1 => (200, successor),
            2 => (503, ""),
            _ => (200, ""),
        };
        assert_eq!(sent(down, never).await, [old, "successor", "successor", "successor"]);
    }

    #[test]
    fn each_secret_of_it_is_wanted() {
        let wants = |recipe: &OAuth2| {
            recipe
                .wants()
                .iter()
                .map(|(secret, slot, always)| format!("{secret} {slot:?} {always}"))
                .collect::<Vec<_>>()
        };
        let mut recipe = client(Grant::RefreshToken("refresh".parse().unwrap()));
        recipe.client_id = Value::Secret { secret: "id".parse().unwrap(), format: None };
        assert_eq!(wants(&recipe), ["id Url false", "client Url true", "refresh Url true"]);
        let key_id = Some(Value::Secret { secret: "kid".parse().unwrap(), format: None });
        let signer = Signer { key: "rsa".parse().unwrap(), alg: Alg::Rs256, key_id };
        recipe.proof = Proof::Key { signer, audience: None };
        assert_eq!(
            wants(&recipe),
            ["id Url false", "rsa Signer(RSA_PKCS1_SHA256) true", "kid Url false", "refresh Url true"]
        );
    }
}
