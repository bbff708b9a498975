//! The life of a token: fetched, kept, renewed, forgotten, refused. Time and
//! the token endpoint are played.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::time::sleep;
use url::Url;

use super::errand::Line;
use super::oauth2::{Grant, OAuth2, Proof, Purpose};
use super::*;
use crate::credential::Value;
use crate::secret::vault::Found;
use crate::wire::Problem;
use crate::wire::client::Failure;

/// What an endpoint was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub url: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The fields of the form.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    /// The only value of a field.
    pub fn field(&self, name: &str) -> String {
        let form = self.form();
        let values: Vec<_> = form.iter().filter(|(known, _)| known == name).collect();
        assert_eq!(values.len(), 1, "{name}: {form:?}");
        values[0].1.clone()
    }
}

/// What the nth asking is answered: status and body, or none.
type Script = Box<dyn Fn(usize) -> Result<(u16, String), Failure> + Send + Sync>;

/// A token endpoint of a test, and the vault beside it.
pub struct Played {
    script: Script,
    takes: Duration,
    asked: Mutex<Vec<Asked>>,
    secrets: Mutex<BTreeMap<String, String>>,
}

impl Played {
    pub fn new(script: impl Fn(usize) -> Result<(u16, String), Failure> + Send + Sync + 'static) -> Self {
        let keys = keys();
        let secrets = [("client", "client-secret-canary"), ("refresh", "refresh-canary-0")].map(owned);
        let pems = [("rsa", keys.rsa.as_str()), ("ec", keys.ec.as_str())].map(owned);
        Self {
            script: Box::new(script),
            takes: Duration::ZERO,
            asked: Mutex::default(),
            secrets: Mutex::new(secrets.into_iter().chain(pems).collect()),
        }
    }

    /// Grants `token-1`, `token-2` … for an hour each.
    pub fn granting() -> Self {
        Self::new(|number| Ok((200, granted(number, 3600))))
    }

    /// Always says this.
    pub fn saying(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::new(move |_| Ok((status, body.clone())))
    }

    pub fn taking(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    /// Keeps another value under a name.
    pub fn keep(&self, name: &str, value: &str) {
        self.secrets.lock().unwrap().extend([owned((name, value))]);
    }

    pub async fn send(
        &self,
        request: Request<Bytes>,
        url: &Url,
        limit: usize,
    ) -> Result<Response<Bytes>, Failure> {
        let (head, body) = request.into_parts();
        let body = String::from_utf8(body.to_vec()).unwrap();
        self.asked.lock().unwrap().push(Asked { url: url.to_string(), headers: head.headers, body });
        let number = self.count();
        sleep(self.takes).await;
        let (status, body) = (self.script)(number)?;
        if limit < body.len() {
            return Err(Failure::TooLarge);
        }
        Ok(Response::builder().status(status).body(body.into()).unwrap())
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.asked().len()
    }

    /// A token for a request of the time `at`, in seconds, with ten seconds left.
    pub async fn token(&self, source: &Source, at: u64) -> Result<Arc<Token>, Refused> {
        self.token_within(source, at, Duration::from_secs(10)).await
    }

    pub async fn token_within(
        &self,
        source: &Source,
        at: u64,
        patience: Duration,
    ) -> Result<Arc<Token>, Refused> {
        let find = |reference: &SecretRef| {
            let value = self.secrets.lock().unwrap().get(&reference.to_string()).cloned()?;
            Some(Found { secret: Secret::new(value), version: Some("v1".to_owned()) })
        };
        let (line, deadline) = (Line::Played(self), Instant::now() + patience);
        source.token(&Errand { find: &find, line, now: time(at), deadline, id: "r-1" }).await
    }

    /// What it grants, as it would be sent.
    pub async fn sent(&self, source: &Source, at: u64) -> String {
        let token = self.token(source, at).await;
        token.unwrap_or_else(|refused| panic!("{refused}")).secret().expose().to_owned()
    }
}

pub fn granted(number: usize, seconds: u64) -> String {
    format!(r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":{seconds}}}"#)
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Some seconds after the world began, which was in 2001.
pub fn time(at: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + at)
}

/// Keys in PEM, and what verifies their signatures. Made here, so that no
/// scanner takes the test for a leak.
pub struct Keys {
    pub rsa: String,
    pub rsa_pkcs1: String,
    pub rsa_public: Vec<u8>,
    pub ec: String,
    pub ec_sec1: String,
    pub ec_public: Vec<u8>,
}

pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'_> = ec.private_key().as_der().unwrap();
        Keys {
            rsa: pem("PRIVATE KEY", pkcs8.as_ref()),
            // Of 2048 bits, PKCS#8 is 26 bytes in front of PKCS#1.
            rsa_pkcs1: pem("RSA PRIVATE KEY", &pkcs8.as_ref()[26..]),
            rsa_public: rsa.public_key().as_ref().to_vec(),
            ec: pem("PRIVATE KEY", ec.to_pkcs8v1().unwrap().as_ref()),
            ec_sec1: pem("EC PRIVATE KEY", sec1.as_ref()),
            ec_public: ec.public_key().as_ref().to_vec(),
        }
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A client with a secret that it sends in the form.
pub fn client(grant: Grant) -> OAuth2 {
    OAuth2 {
        token_url: "https://auth.example/token".parse().unwrap(),
        client_id: Value::Text("me".to_owned()),
        proof: Proof::Post("client".parse().unwrap()),
        grant,
        purpose: Purpose::default(),
    }
}

fn source() -> Source {
    Source::new(Recipe::OAuth2(client(Grant::ClientCredentials)))
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_renewed_before_it_ages() {
    let check = async |lifetime: u64, asks: &[(u64, &str)]| {
        let (source, played) = (source(), Played::new(move |number| Ok((200, granted(number, lifetime)))));
        for (at, expected) in asks {
            assert_eq!(played.sent(&source, *at).await, *expected, "{lifetime} s, at {at}");
        }
    };
    check(3600, &[(0, "token-1"), (1, "token-1"), (3539, "token-1"), (3540, "token-2"), (7079, "token-2")])
        .await;
    // A quarter of a short life.
    check(60, &[(0, "token-1"), (44, "token-1"), (45, "token-2")]).await;
    check(4, &[(0, "token-1"), (2, "token-1"), (3, "token-2")]).await;
    // One that is old at once serves the request that fetched it.
    check(0, &[(0, "token-1"), (0, "token-2")]).await;
    // Nobody means a million years.
    check(u64::MAX, &[(0, "token-1"), (86_339, "token-1"), (86_340, "token-2")]).await;
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_at_once_cost_one_fetch() {
    let second = Duration::from_secs(1);
    let (source, played) = (source(), Played::granting().taking(second));
    let begun = Instant::now();
    let late = async {
        sleep(second / 2).await;
        played.sent(&source, 0).await
    };
    let sent = tokio::join!(played.sent(&source, 0), played.sent(&source, 0), late);
    assert_eq!([sent.0, sent.1, sent.2], ["token-1"; 3]);
    assert!(played.count() == 1 && begun.elapsed() < 2 * second, "{} {:?}", played.count(), begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_are_told_what_the_first_was_told_and_the_next_asks_anew() {
    let (source, played) = (source(), Played::saying(503, "").taking(Duration::from_secs(1)));
    let ask = async || played.token(&source, 0).await.err().unwrap();
    let told = tokio::join!(ask(), ask(), ask());
    assert!([&told.0, &told.1, &told.2].iter().all(|told| told.to_string().contains("503")), "{told:?}");
    assert_eq!(played.count(), 1);
    assert!(ask().await.to_string().contains("503"));
    assert_eq!(played.count(), 2);
}

/// A route may have little time; that is not the next one's fault.
#[tokio::test(start_paused = true)]
async fn whoever_runs_out_of_time_leaves_the_seat_to_the_next() {
    let (source, played) = (source(), Played::granting().taking(Duration::from_secs(2)));
    let hasty = played.token_within(&source, 0, Duration::from_secs(1));
    let (hasty, patient) = tokio::join!(hasty, played.token(&source, 0));
    assert_eq!(hasty.err(), Some(Refused::TooLate));
    assert_eq!(patient.unwrap().secret().expose(), "token-2");
    let (source, played) = (self::source(), Played::granting().taking(Duration::from_secs(2)));
    let gone = tokio::time::timeout(Duration::from_secs(1), played.token(&source, 0));
    let (gone, waiting) = tokio::join!(gone, played.token(&source, 0));
    assert!(gone.is_err() && waiting.is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_past_their_own_time_or_for_an_endpoint_that_is_down() {
    let check = async |patience: u64, expected: u64| {
        let (source, played) = (source(), Played::granting().taking(Duration::from_secs(3600)));
        let begun = Instant::now();
        let outcome = played.token_within(&source, 0, Duration::from_secs(patience)).await;
        assert_eq!(
            (outcome.err(), begun.elapsed().as_secs()),
            (Some(Refused::TooLate), expected),
            "{patience}"
        );
    };
    check(3, 3).await;
    check(60, 10).await;
    // Nor for somebody else's fetch.
    let (source, played) = (source(), Played::granting().taking(Duration::from_secs(3600)));
    let begun = Instant::now();
    let hasty = async {
        sleep(Duration::from_secs(1)).await;
        played.token_within(&source, 0, Duration::from_secs(1)).await.err()
    };
    let (_, hasty) =
        tokio::join!(tokio::time::timeout(Duration::from_secs(5), played.token(&source, 0)), hasty);
    assert_eq!((hasty, begun.elapsed().as_secs()), (Some(Refused::TooLate), 5));
}

/// An outage within a token's last minute hurts nobody.
#[tokio::test(start_paused = true)]
async fn while_the_old_token_is_good_a_failed_renewal_costs_little() {
    let script = |number| match number {
        1 => Ok((200, granted(1, 3600))),
        2..=7 => Ok((503, String::new())),
        _ => Ok((200, granted(number, 3600))),
    };
    let (source, played) = (source(), Played::new(script));
    let mut counts = Vec::new();
    for at in [0, 3540, 3541, 3549, 3550, 3599] {
        assert_eq!(played.sent(&source, at).await, "token-1", "{at}");
        counts.push(played.count());
    }
    assert_eq!(counts, [1, 2, 2, 2, 3, 4]);
    assert!(played.token(&source, 3600).await.is_err());
    // It may hold up the request for a moment only.
    let (source, played) = (self::source(), Played::granting());
    played.sent(&source, 0).await;
    let played = played.taking(Duration::from_secs(3600));
    let begun = Instant::now();
    assert_eq!(played.sent(&source, 3540).await, "token-1");
    assert_eq!(begun.elapsed(), RENEWAL);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_forgotten_once_in_a_while() {
    let (source, played) = (source(), Played::granting());
    let first = played.token(&source, 0).await.unwrap();
    assert!(source.forget(first.version(), time(0)));
    let second = played.token(&source, 0).await.unwrap();
    assert_eq!((second.secret().expose(), played.count()), ("token-2", 2));
    // The others who were refused with the first one find the second.
    assert!(source.forget(first.version(), time(1)));
    assert_eq!(played.sent(&source, 1).await, "token-2");
    // An upstream that refuses every token does not make us fetch without end.
    assert!(!source.forget(second.version(), time(29)));
    assert_eq!(played.sent(&source, 29).await, "token-2");
    assert!(source.forget(second.version(), time(30)));
    assert_eq!(played.sent(&source, 30).await, "token-3");
}

#[tokio::test(start_paused = true)]
async fn a_doubted_token_serves_unless_the_endpoint_says_no() {
    for (status, serves) in [(500, true), (429, true), (400, false), (401, false)] {
        let script = move |number| {
            if number == 1 { Ok((200, granted(1, 3600))) } else { Ok((status, String::new())) }
        };
        let (source, played) = (self::source(), Played::new(script).taking(Duration::from_secs(1)));
        let first = played.token(&source, 0).await.unwrap();
        let doubting = async {
            sleep(Duration::from_millis(500)).await;
            source.forget(first.version(), time(3550))
        };
        let (renewed, _) = tokio::join!(played.token(&source, 3550), doubting);
        assert_eq!(renewed.is_ok(), serves, "{status}");
        assert!(played.token(&source, 3551).await.is_ok(), "{status}: for other calls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_says_which_secrets_it_was_had_for() {
    let (source, played) = (source(), Played::granting());
    let token = played.token(&source, 0).await.unwrap();
    let version = Some("v1".to_owned());
    assert_eq!((token.version(), token.used()), (1, &[Used { name: "client".to_owned(), version }][..]));
}

#[tokio::test(start_paused = true)]
async fn each_refusal_is_a_problem_of_its_own_and_blames_whom_it_should() {
    let check = async |played: Played, expected: (u16, &str, bool)| {
        let refused = played.token(&source(), 0).await.err().unwrap();
        let problem = Problem::from(refused.clone());
        let told = (problem.kind().status().as_u16(), problem.kind().code(), refused.blames_us());
        assert_eq!(told, expected, "{refused}");
        let shown = format!("{problem:?} {refused:?} {refused}");
        assert!(!shown.contains("canary") && !shown.contains("auth.example"), "{shown}");
    };
    let error = |error: &str| format!(r#"{{"error":"{error}","error_description":"client-secret-canary"}}"#);
    check(Played::saying(401, &error("invalid_client")), (503, "secret_unavailable", true)).await;
    check(Played::saying(400, &error("invalid_client")), (503, "secret_unavailable", true)).await;
    check(Played::saying(400, &error("invalid_grant")), (503, "secret_unavailable", true)).await;
    check(Played::saying(400, &error("invalid_scope")), (503, "secret_unavailable", false)).await;
    check(Played::saying(400, &error("client-secret-canary")), (503, "secret_unavailable", false)).await;
    check(Played::saying(401, ""), (503, "secret_unavailable", true)).await;
    check(Played::saying(429, "slow down"), (503, "secret_unavailable", false)).await;
    check(Played::saying(500, "client-secret-canary"), (503, "secret_unavailable", false)).await;
    check(Played::saying(302, ""), (503, "secret_unavailable", false)).await;
    check(Played::saying(200, "client-secret-canary"), (502, "upstream_invalid", false)).await;
    let down = Played::new(|_| Err(Failure::Unreachable("refused".to_owned())));
    check(down, (502, "upstream_unreachable", false)).await;
    check(Played::new(|_| Err(Failure::Invalid("no HTTP".to_owned()))), (502, "upstream_invalid", false))
        .await;
    check(Played::granting().taking(Duration::from_secs(60)), (504, "upstream_timeout", false)).await;
}

#[tokio::test(start_paused = true)]
async fn without_its_secrets_nothing_is_asked() {
    let (source, played) = (source(), Played::granting());
    played.secrets.lock().unwrap().remove("client");
    let refused = played.token(&source, 0).await.err().unwrap();
    assert_eq!((refused.to_string().as_str(), played.count()), ("secret `client` is not in the vault", 0));
    assert_eq!(Problem::from(refused).kind().status(), 503);
}
