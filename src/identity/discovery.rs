//! Asks an issuer for its keys (OpenID Connect Discovery 1.0 §4).
//!
//! Whom we ask comes out of the configuration, never out of a token. What
//! answers must say the same issuer, byte by byte, and may lead to its own
//! host or to a declared one; a redirect leads nowhere.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use super::keys::{Keys, LONGEST};
use super::refusal::echo;
use super::strict::object;
use crate::wire::client::{Client, Failure};

/// A document that takes longer is not worth a caller's time.
const PATIENCE: Duration = Duration::from_secs(2);
/// Issuers that sign with new keys are asked again when one is seen; this is
/// how soon a key that was withdrawn is noticed.
const SHORTEST: Duration = Duration::from_secs(5 * 60);
/// However long an issuer says: a key may have to go.
const LONGEST_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long keys are kept where the issuer does not say.
const UNSAID: Duration = Duration::from_secs(10 * 60);

/// Where an issuer's keys are found.
pub struct Discovery {
    /// The issuer's URL, as its tokens have it.
    pub(super) issuer: String,
    /// Hosts beside the issuer's own that its keys may be at.
    pub(super) jwks_hosts: Vec<String>,
    /// Whether `http://` will do. Whoever is on the way can then make tokens.
    pub(super) dangerous_plain_http: bool,
    pub(super) door: Door,
}

/// The way out.
pub(super) enum Door {
    /// The client that upstreams are called with, which guards where it leads.
    Client(Client),
    /// A play of one: tests of time need an issuer without sockets.
    #[cfg(test)]
    Played(std::sync::Arc<super::tests::Played>),
}

impl Door {
    async fn send(&self, request: Request<Bytes>, url: Url) -> Result<Response<Bytes>, Failure> {
        match self {
            Self::Client(client) => {
                let (head, body) = client.open(request, url).await?.into_parts();
                Ok(Response::from_parts(head, body.whole(LONGEST).await?))
            }
            #[cfg(test)]
            Self::Played(played) => played.send(request, url).await,
        }
    }
}

impl Discovery {
    /// The keys of now, and how long they may be kept.
    ///
    /// # Errors
    /// Why there are none, for the record.
    pub(super) async fn fetch(&self) -> Result<(Keys, Duration), String> {
        let base = self.issuer.strip_suffix('/').unwrap_or(&self.issuer);
        let document = self.get(&format!("{base}/.well-known/openid-configuration")).await;
        let document = document.map_err(|why| format!("the discovery document: {why}"))?;
        let jwks_uri = self.jwks_uri(document.into_body())?;
        let (head, set) =
            self.get(&jwks_uri).await.map_err(|why| format!("the key set: {why}"))?.into_parts();
        Ok((Keys::parse(&set)?, kept_for(&head.headers)))
    }

    fn jwks_uri(&self, document: Bytes) -> Result<String, String> {
        let document = object(document).map_err(|why| format!("the discovery document: {why}"))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("issuer") != self.issuer {
            return Err(format!("the discovery document is of the issuer {}", echo(text("issuer"))));
        }
        let url = Url::parse(text("jwks_uri")).map_err(|_| "the discovery document has no `jwks_uri`")?;
        let host = url.host_str().unwrap_or_default();
        let own = Url::parse(&self.issuer).is_ok_and(|issuer| issuer.host_str() == Some(host));
        if !own && !self.jwks_hosts.iter().any(|declared| declared == host) {
            return Err(format!("`jwks_uri` leads to the host {}, which is not declared", echo(host)));
        }
        Ok(url.into())
    }

    async fn get(&self, url: &str) -> Result<Response<Bytes>, String> {
        let url = Url::parse(url).map_err(|_| "it has no URL")?;
        if url.scheme() != "https" && !(self.dangerous_plain_http && url.scheme() == "http") {
            return Err("it is not at an https:// URL".to_owned());
        }
        let mut request = Request::new(Bytes::new());
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        // Nothing is unpacked here, so nothing can burst.
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let answer = timeout(PATIENCE, self.door.send(request, url)).await;
        let answer = answer.map_err(|_| "no answer in time")?.map_err(|failure| failure.to_string())?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(format!("the answer is {}", status.as_u16())),
        }
    }
}

/// `max-age` (RFC 9111 §5.2.2.1), within our own bounds.
fn kept_for(headers: &HeaderMap) -> Duration {
    let said = headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
    let age = said.flat_map(|value| value.split(',')).find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("max-age");
        named.then(|| seconds.trim().trim_matches('"').parse().ok()).flatten()
    });
    age.map_or(UNSAID, Duration::from_secs).clamp(SHORTEST, LONGEST_KEPT)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ISSUER, Played, signers};
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn discovery(issuer: &str, played: &Arc<Played>) -> Discovery {
        let door = Door::Played(Arc::clone(played));
        Discovery { issuer: issuer.to_owned(), jwks_hosts: Vec::new(), dangerous_plain_http: false, door }
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_is_asked_where_its_name_says() {
        let check = async |issuer: &str, expected: &str| {
            let played = Played::new();
            assert!(discovery(issuer, &played).fetch().await.is_err());
            assert_eq!(played.asked(), [expected]);
        };
        check("https://a.example", "https://a.example/.well-known/openid-configuration").await;
        check("https://a.example/", "https://a.example/.well-known/openid-configuration").await;
        check("https://a.example/idp", "https://a.example/idp/.well-known/openid-configuration").await;
        check("https://a.example:8443/x/", "https://a.example:8443/x/.well-known/openid-configuration").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_document_leads_to_declared_hosts_only() {
        let check = async |document: Value, expected: Result<(), &str>| {
            let played = Played::new();
            played.say(&format!("{ISSUER}/.well-known/openid-configuration"), document.to_string());
            for url in ["https://idp.example/keys", "https://idp.example:8443/keys", "https://keys.example/k"]
            {
                played.say(url, json!({ "keys": [signers()[0].jwk] }).to_string());
            }
            let mut discovery = discovery(ISSUER, &played);
            discovery.jwks_hosts = vec!["keys.example".to_owned()];
            let outcome = discovery.fetch().await.map(|(keys, _)| assert_eq!(keys.len(), 1));
            match expected {
                Ok(()) => assert_eq!(outcome, Ok(()), "{document}"),
                Err(part) => {
                    let why = outcome.unwrap_err();
                    assert!(why.contains(part) && played.asked().len() == 1, "{document}: {why}");
                }
            }
        };
        let of = |jwks_uri: &str| json!({ "issuer": ISSUER, "jwks_uri": jwks_uri });
        check(of("https://idp.example/keys"), Ok(())).await;
        check(of("https://idp.example:8443/keys"), Ok(())).await;
        check(of("https://keys.example/k"), Ok(())).await;
        for host in
            ["evil.example", "idp.example.evil.example", "169.254.169.254", "localhost", "x.keys.example"]
        {
            check(of(&format!("https://{host}/keys")), Err("is not declared")).await;
        }
        check(of("https://idp.example@evil.example/"), Err("\"evil.example\", which is not declared")).await;
        check(of("http://idp.example/keys"), Err("not at an https:// URL")).await;
        check(of("file:///etc/passwd"), Err("is not declared")).await;
        for jwks_uri in ["", "/keys", "keys"] {
            check(of(jwks_uri), Err("no `jwks_uri`")).await;
        }
        check(json!({ "issuer": ISSUER, "jwks_uri": 7 }), Err("no `jwks_uri`")).await;
        for issuer in
            ["https://idp.example/", "https://IDP.example", "http://idp.example", "", "https://evil.example"]
        {
            let document = json!({ "issuer": issuer, "jwks_uri": "https://idp.example/keys" });
            check(document, Err("is of the issuer")).await;
        }
        check(json!({ "jwks_uri": "https://idp.example/keys" }), Err("is of the issuer")).await;
        check(json!([]), Err("no JSON object")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_short_and_in_time_and_no_redirect() {
        let check = async |status: u16, body: String, takes: u64, expected: &str| {
            let played = Played::new();
            played.serve(&signers()[0].jwk);
            played.answer("https://idp.example/keys", (status, body, takes));
            let why = discovery(ISSUER, &played).fetch().await.unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(302, String::new(), 0, "the key set: the answer is 302").await;
        check(404, "{\"keys\":[]}".to_owned(), 0, "the answer is 404").await;
        check(204, String::new(), 0, "the answer is 204").await;
        check(200, " ".repeat(LONGEST + 1), 0, "too large").await;
        check(200, "{\"keys\":[]}".to_owned(), 2001, "no answer in time").await;
        check(200, "<html>".to_owned(), 0, "the key set: line 1").await;
    }

    #[tokio::test(start_paused = true)]
    async fn plain_http_is_for_those_who_said_so() {
        let check = async |declared: bool, asked: usize| {
            let played = Played::new();
            let mut discovery = discovery("http://idp.example", &played);
            discovery.dangerous_plain_http = declared;
            assert!(discovery.fetch().await.is_err());
            assert_eq!(played.asked().len(), asked, "{declared}");
        };
        check(false, 0).await;
        check(true, 1).await;
    }

    #[test]
    fn keys_are_kept_as_long_as_is_said_within_bounds() {
        let check = |said: &[&str], minutes: u64| {
            let values =
                said.iter().map(|value| (header::CACHE_CONTROL, HeaderValue::from_str(value).unwrap()));
            assert_eq!(kept_for(&values.collect()), Duration::from_secs(minutes * 60), "{said:?}");
        };
        check(&["max-age=3600"], 60);
        check(&["public, Max-Age=1800, must-revalidate"], 30);
        check(&["public", "max-age=\"1800\""], 30);
        check(&["max-age=0"], 5);
        check(&["max-age=299"], 5);
        check(&["max-age=86400"], 24 * 60);
        check(&["max-age=99999999"], 24 * 60);
        for said in [&[][..], &["no-store"], &["max-age=soon"], &["max-age=-1"], &["s-maxage=3600"]] {
            check(said, 10);
        }
    }
}
