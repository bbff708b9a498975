//! Tokens of a GitHub App's installation, narrowed to the repositories and
//! permissions that a route needs.
//!
//! <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::endpoint::{Endpoint, bearer_token};
use super::sign::{Alg, Signer, claims};
use super::{Errand, Fresh, Refused};
use crate::credential::Value;
use crate::secret::vault::Slot;
use crate::secret::{Secret, SecretRef};

/// GitHub takes ten minutes at most, and asks us to date the app's token a
/// minute back, since clocks differ.
const APP_TOKEN: Duration = Duration::from_secs(9 * 60);
const BACK: Duration = Duration::from_secs(60);

/// A GitHub App that is installed somewhere.
#[derive(Debug, Clone)]
pub struct GitHubApp {
    /// The app's id, or its client id.
    pub app_id: Value,
    /// Where it is installed: a number.
    pub installation_id: Value,
    /// The app's private key, an RSA key in PEM.
    pub private_key: SecretRef,
    /// The names of the repositories that the token is for; empty: all that
    /// the app is installed on.
    pub repositories: Vec<String>,
    /// What the token permits there, such as `contents: read`; empty: all
    /// that the app may.
    pub permissions: BTreeMap<String, String>,
    /// Where the API is: `https://api.github.com`, or `https://host/api/v3`.
    pub api: Endpoint,
}

/// What is asked for.
#[derive(Serialize)]
struct Wish<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    repositories: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    permissions: &'a BTreeMap<String, String>,
}

/// What is given.
#[derive(Deserialize)]
struct Given {
    token: String,
    expires_at: String,
}

impl GitHubApp {
    pub(super) fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        let ids = [&self.app_id, &self.installation_id].into_iter().filter_map(Value::secret);
        let mut wants = vec![(&self.private_key, Slot::Signer(Alg::Rs256.scheme()), true)];
        wants.extend(ids.map(|id| (id, Slot::Url, false)));
        wants
    }

    pub(super) async fn fetch(&self, errand: &Errand<'_>) -> Result<Fresh, Refused> {
        let installation = errand.text(&self.installation_id)?;
        let endpoint = self.api.below(&["app", "installations", &installation, "access_tokens"]);
        let headers = headers(&self.prove(errand)?)?;
        let Self { repositories, permissions, .. } = self;
        let wish = serde_json::to_string(&Wish { repositories, permissions }).unwrap_or_default();
        let answer = endpoint.post(wish, headers, errand).await?;
        // serde_json's own words could quote the token.
        let given: Given = serde_json::from_slice(&answer)
            .map_err(|_| Refused::invalid("its answer is no JSON object with a `token` and `expires_at`"))?;
        let ends = humantime::parse_rfc3339(&given.expires_at)
            .map_err(|_| Refused::invalid("its `expires_at` is no time"))?;
        let lifetime = ends.duration_since(errand.now).unwrap_or_default();
        Ok(Fresh { secret: bearer_token(given.token)?, lifetime })
    }

    /// The token with which the app proves to be itself.
    fn prove(&self, errand: &Errand<'_>) -> Result<Secret, Refused> {
        let signer = Signer { key: self.private_key.clone(), alg: Alg::Rs256, key_id: None };
        let mut claims = claims(APP_TOKEN, errand);
        claims.insert("iat".to_owned(), errand.epoch().saturating_sub(BACK).as_secs().into());
        claims.insert("iss".to_owned(), errand.text(&self.app_id)?.as_str().into());
        signer.sign(claims, errand)
    }
}

fn headers(app: &Secret) -> Result<HeaderMap, Refused> {
    let text = Zeroizing::new(format!("Bearer {}", app.expose()));
    let value = HeaderValue::from_str(&text).map_err(|_| Refused::Unready("no legal header".to_owned()));
    let mut proof = value?;
    proof.set_sensitive(true);
    let json = HeaderValue::from_static("application/json");
    Ok(HeaderMap::from_iter([
        (header::AUTHORIZATION, proof),
        (header::CONTENT_TYPE, json),
        (header::ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        (HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28")),
    ]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::sign::tests::verified;
    use super::super::tests::{Played, time};
    use super::super::{Recipe, Source};
    use super::*;

    fn app() -> GitHubApp {
        GitHubApp {
            app_id: Value::Text("12345".to_owned()),
            installation_id: Value::Text("67890".to_owned()),
            private_key: "rsa".parse().unwrap(),
            repositories: vec!["hello".to_owned()],
            permissions: BTreeMap::from([("contents".to_owned(), "read".to_owned())]),
            api: "https://api.github.example/".parse().unwrap(),
        }
    }

    fn given(seconds: u64) -> String {
        let ends = humantime::format_rfc3339_seconds(time(seconds));
        format!(r#"{{"token":"ghs_canary","expires_at":"{ends}","permissions":{{"contents":"read"}}}}"#)
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_asked_for_these_repositories_and_permissions() {
        let (source, played) = (Source::new(Recipe::GitHubApp(app())), Played::saying(201, &given(3600)));
        assert_eq!(played.sent(&source, 0).await, "ghs_canary");
        let asked = played.asked().remove(0);
        assert_eq!(asked.url, "https://api.github.example/app/installations/67890/access_tokens");
        assert_eq!(asked.header("accept"), "application/vnd.github+json");
        let body: Json = serde_json::from_str(&asked.body).unwrap();
        assert_eq!(body, json!({ "repositories": ["hello"], "permissions": { "contents": "read" } }));
        let (header, claims) = verified(asked.header("authorization").strip_prefix("Bearer ").unwrap());
        assert_eq!((&header["alg"], &claims["iss"]), (&json!("RS256"), &json!("12345")));
        let now = time(0).duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now - 60), &json!(now + 540)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_github_says() {
        let (source, played) = (Source::new(Recipe::GitHubApp(app())), Played::saying(201, &given(3600)));
        for (at, count) in [(0, 1), (3539, 1), (3540, 2)] {
            played.sent(&source, at).await;
            assert_eq!(played.count(), count, "{at}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_narrowed_that_is_not_named() {
        let recipe = GitHubApp { repositories: Vec::new(), permissions: BTreeMap::new(), ..app() };
        let played = Played::saying(201, &given(3600));
        played.sent(&Source::new(Recipe::GitHubApp(recipe)), 0).await;
        assert_eq!(played.asked()[0].body, "{}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_a_token_or_its_end_is_none() {
        let check = async |status: u16, body: &str, expected: &str| {
            let source = Source::new(Recipe::GitHubApp(app()));
            let refused = Played::saying(status, body).token(&source, 0).await.err().unwrap().to_string();
            assert!(refused.contains(expected) && !refused.contains("canary"), "{body}: {refused}");
        };
        check(201, "{}", "no JSON object with a `token`").await;
        check(201, r#"{"token":"ghs_canary"}"#, "no JSON object").await;
        check(201, r#"{"token":"ghs_canary","expires_at":"soon"}"#, "`expires_at` is no time").await;
        check(201, &given(3600).replace("ghs_", "a b"), "cannot stand in a header").await;
        check(404, r#"{"message":"canary"}"#, "said 404").await;
        check(422, r#"{"message":"canary"}"#, "said 422").await;
    }
}
