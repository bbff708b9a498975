//! Callers who show a token: as whom they get in, and what is said to those who do not.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::config::Declared;
use serde_json::{Value, json};

use crate::upstream::say;
use crate::world::{APP, Setup, World};

const CALLERS: &str = "\
issuers:
  idp: { url: https://idp.example, audience: https://gate.example, algs: [ES256], keys: keys.json }
  other: { url: https://other.example, audience: https://gate.example, algs: [ES256], keys: keys.json }
callers:
  website: { anonymous: true }
  staff: { issuer: idp, match: { groups: { contains: staff } }, human: sub }
  fresh: { issuer: idp, match: { groups: { contains: staff } }, human: sub, max_age: 1m }
  robot: { issuer: idp, match: { kind: robot }, human: none, reason: it is a machine }
  tried: { issuer: idp, match: { groups: { contains: tried } }, human: sub, observe: true }";

const ROUTES: &str = "\
GET /staff: { allow: [staff], upstream: api }
GET /fresh: { allow: [fresh], upstream: api }
GET /robot: { allow: [robot], upstream: api }
GET /both: { allow: [website, staff], upstream: api, response: { cache: 1m } }
GET /mixed: { allow: [robot, website], upstream: api }
GET /tried: { allow: [tried], upstream: api }
GET /open-tried: { allow: [website, tried], upstream: api }
GET /all: { {open} }";

/// Whoever has its key is any of the issuers.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwks(&self) -> String {
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[..32]), URL_SAFE_NO_PAD.encode(&point[32..]));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y }] }).to_string()
    }

    /// A token of `idp` for us and for five minutes, with these changes; `null` takes a claim away.
    fn token(&self, changes: Value) -> String {
        let mut claims = json!({ "iss": "https://idp.example", "aud": "https://gate.example", "sub": "jane",
            "iat": 0, "exp": 300, "groups": ["staff"] });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            }
        }
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&json!({ "alg": "ES256", "kid": "k" })), encode(&claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `check` refuses two callers of one route that a token could be both of. So they meet here.
fn meet(declared: &mut Declared) {
    let robots = declared.routes.values_mut().filter(|route| route.allow.contains(&"robot".to_owned()));
    robots.for_each(|route| route.allow.insert(0, "staff".to_owned()));
}

async fn world(signer: &Signer) -> World {
    let setup = Setup::routes(ROUTES).callers(CALLERS).file("keys.json", &signer.jwks());
    setup.mend(meet).start().await
}

/// What is answered, and the caller, the human and the reason of it.
async fn ask(world: &World, path: &str, token: &str, seconds: u64) -> (String, Value, Value, Value) {
    let ask = world.get(path).from(APP).after(seconds);
    let ask = if token.is_empty() { ask } else { ask.header("authorization", &format!("Bearer {token}")) };
    let answer = ask.send().await;
    let record = world.record();
    let said = answer.text();
    if !token.is_empty() {
        assert!(!record.to_string().contains(token) && !said.contains(token), "{record} {said}");
    }
    let reason = serde_json::from_str::<Value>(&said).map(|body| body["reason"].clone()).unwrap_or_default();
    (answer.verdict(), record["caller"].clone(), record["human"].clone(), reason)
}

#[tokio::test]
async fn who_somebody_is_depends_on_their_token_and_on_no_order() {
    let signer = Signer::new();
    let world = world(&signer).await;
    let check = async |path: &str, changes: Value, seconds: u64, verdict: &str, caller: &str, said: &str| {
        let token = if changes.is_null() { String::new() } else { signer.token(changes.clone()) };
        let (was, by, human, reason) = ask(&world, path, &token, seconds).await;
        let known = reason.as_str().or(human.as_str()).unwrap_or_default();
        let by = by.as_str().unwrap_or_default();
        assert_eq!((was.as_str(), by, known), (verdict, caller, said), "{path} {changes}");
    };
    check("/staff", json!({}), 0, "200", "staff", "jane").await;
    check("/staff", json!({}), 299, "200", "staff", "jane").await;
    check("/staff", json!({}), 300, "401 token_invalid", "", "expired").await;
    check("/staff", json!({ "groups": ["guests"] }), 0, "403 caller_not_allowed", "", "claim_mismatch").await;
    check("/staff", json!({ "groups": null }), 0, "403 caller_not_allowed", "", "claim_missing").await;
    check("/staff", json!({ "iss": "https://other.example" }), 0, "403 caller_not_allowed", "", "jane").await;
    check("/staff", json!({ "sub": null }), 0, "401 token_invalid", "", "claim_missing").await;
    check("/staff", Value::Null, 0, "401 token_missing", "", "").await;
    // How old a token may be is the caller's to say, and not the route's first concern.
    check("/fresh", json!({}), 60, "200", "fresh", "jane").await;
    check("/fresh", json!({}), 61, "401 token_invalid", "", "too_old").await;
    // A machine has no human; and one that is both is neither.
    check("/robot", json!({ "kind": "robot", "groups": [] }), 0, "200", "robot", "").await;
    let both = json!({ "kind": "robot" });
    check("/robot", both.clone(), 0, "403 caller_not_allowed", "", "ambiguous_rule").await;
    // Where anybody may call, whoever fits no rule is anybody; whose token is not good is told so.
    check("/both", json!({}), 0, "200", "staff", "jane").await;
    check("/both", json!({ "groups": [] }), 0, "200", "website", "").await;
    check("/both", Value::Null, 0, "200", "website", "").await;
    check("/both", json!({}), 300, "401 token_invalid", "", "expired").await;
    check("/mixed", both, 0, "403 caller_not_allowed", "", "ambiguous_rule").await;
    check("/all", json!({}), 9_999, "200", "website", "").await;
}

#[tokio::test]
async fn a_rule_that_is_observed_lets_in_and_says_whom_it_would_deny() {
    let signer = Signer::new();
    let world = world(&signer).await;
    // Never as more than anybody, where the route is open to anybody.
    for (path, changes, caller, denied) in [
        ("/tried", json!({ "groups": ["tried"] }), "tried", Value::Null),
        ("/tried", json!({}), "tried", json!("caller_not_allowed")),
        ("/tried", json!({ "aud": "else" }), "tried", json!("token_invalid")),
        ("/open-tried", json!({ "groups": ["tried"] }), "tried", Value::Null),
        ("/open-tried", json!({}), "website", Value::Null),
        ("/open-tried", json!({ "aud": "else" }), "website", json!("token_invalid")),
    ] {
        let (verdict, by, ..) = ask(&world, path, &signer.token(changes.clone()), 0).await;
        assert_eq!((verdict.as_str(), by), ("200", json!(caller)), "{path} {changes}");
        assert_eq!(world.record().get("would_deny").cloned().unwrap_or_default(), denied, "{path} {changes}");
    }
}

#[tokio::test]
async fn no_shared_cache_keeps_what_somebody_got_for_a_token() {
    let signer = Signer::new();
    let setup = Setup::routes(ROUTES).callers(CALLERS).file("keys.json", &signer.jwks()).mend(meet);
    let public = |_: &_| say(200).with("cache-control", "public, max-age=600, s-maxage=900").body("{}");
    let world = setup.answer(public).start().await;
    let token = format!("Bearer {}", signer.token(json!({})));
    for (path, expected) in
        [("/staff", "private, max-age=600"), ("/all", "public, max-age=600, s-maxage=900")]
    {
        let answer = world.get(path).from(APP).header("authorization", &token).send().await;
        assert_eq!(answer.header("cache-control").as_deref(), Some(expected), "{path}");
        let vary = answer.header("vary").unwrap();
        assert_eq!(vary.contains("authorization"), path == "/staff", "{path}: {vary}");
    }
}

#[tokio::test]
async fn the_record_of_a_refusal_says_who_it_was_and_what_was_wanted() {
    let signer = Signer::new();
    let world = world(&signer).await;
    ask(&world, "/staff", &signer.token(json!({ "groups": ["guests"] })), 0).await;
    let line = world.lines().into_iter().rfind(|line| line["class_uid"] == 6003).unwrap();
    assert_eq!(
        (&line["actor"]["idp"]["name"], &line["actor"]["user"]["uid"]),
        (&json!("idp"), &json!("jane"))
    );
    assert_eq!(line["unmapped"]["reason"], "claim_mismatch");
    assert_eq!(
        line["status_detail"],
        "caller `staff` wants `groups` to contain staff, and it is [\"guests\"]"
    );
}

#[tokio::test]
async fn a_page_may_send_a_token_where_one_is_wanted_and_it_goes_no_further() {
    let signer = Signer::new();
    let world = world(&signer).await;
    for (path, wanted) in [("/staff", true), ("/both", true), ("/all", false)] {
        let answer = world.preflight("GET", path).from(APP).send().await;
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert_eq!(allowed.split(", ").any(|name| name == "authorization"), wanted, "{path}: {allowed}");
    }
    let token = signer.token(json!({}));
    assert_eq!(ask(&world, "/staff", &token, 0).await.0, "200");
    let seen = world.upstream.seen().pop().unwrap();
    assert!(!format!("{:?}", seen.headers).contains(&token));
    let answer = world.get("/staff").from(APP).send().await;
    assert_eq!(answer.header("www-authenticate").as_deref(), Some("Bearer"));
    let answer = world.get("/staff").from(APP).header("authorization", "Bearer a.b.c").send().await;
    assert_eq!(answer.header("www-authenticate").as_deref(), Some(r#"Bearer error="invalid_token""#));
    let twice =
        world.get("/staff").from(APP).header("authorization", "Bearer a").header("authorization", "b");
    assert_eq!(twice.send().await.verdict(), "401 token_invalid");
}
