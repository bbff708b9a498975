//! Tokens that are fetched: what the token endpoint sees, what the upstream
//! sees, and what the caller sees where there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::manager::Manager;
use crate::upstream::{Deed, Misbehaving, Say, Seen, Upstream, say};
use crate::world::{CANARY, Setup, World};

const ROUTE: &str = "GET /a: { {open} }";

/// A server that gives out `issued-canary-1`, `issued-canary-2` … for an hour each.
async fn issuer() -> Upstream {
    let count = AtomicUsize::new(1);
    let script = move |_: &Seen| granted(&format!("issued-canary-{}", count.fetch_add(1, Ordering::SeqCst)));
    Upstream::start(Arc::new(script)).await
}

fn granted(token: &str) -> Say {
    let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 });
    say(200).with("content-type", "application/json").body(body.to_string())
}

async fn always(answer: Say) -> Upstream {
    Upstream::start(Arc::new(move |_: &Seen| answer.clone())).await
}

/// An upstream whose tokens come from `url`.
fn facing(url: &str) -> Setup {
    facing_from(ROUTE, url)
}

fn facing_from(routes: &str, url: &str) -> Setup {
    let recipe = format!("{{ oauth2: {{ token_url: '{url}', client_id: me, client_secret: key }} }}");
    Setup::routes(routes).upstream(&format!("credential: {recipe}, retries: 0, timeout: 2s"))
}

fn at(server: &Upstream) -> String {
    format!("http://{}/token", server.address)
}

/// A field of the form that a token endpoint saw.
fn field(seen: &Seen, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(&seen.body).into_owned();
    fields.find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The claims of a token; its signature is judged elsewhere.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).expect("a token has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// The one answer that is given where a token could not be had: a problem,
/// and a record, with nothing of a secret, and nothing sent.
fn check_refused(world: &World, answer: &crate::world::Answer, expected: &str) {
    assert_eq!(answer.verdict(), expected);
    assert!(world.upstream.seen().is_empty(), "nothing is sent without its credential");
    let text = format!("{} {}", answer.text(), world.record());
    for hidden in [CANARY, "issued", "127.0.0.1", "/token"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}

#[tokio::test]
async fn a_token_is_fetched_for_the_first_call_and_serves_the_next_ones() {
    let issuer = issuer().await;
    let world = facing(&at(&issuer)).start().await;
    for _ in 0..3 {
        assert_eq!(world.get("/a").send().await.verdict(), "200");
    }
    let sent: Vec<_> = world.upstream.seen().iter().flat_map(|seen| seen.all("authorization")).collect();
    assert_eq!(sent, ["Bearer issued-canary-1"; 3]);
    let [asked] = &issuer.seen()[..] else { panic!("{:?}", issuer.seen()) };
    let secret = utf8_percent_encode(CANARY, NON_ALPHANUMERIC).to_string();
    assert_eq!(asked.all("authorization"), [format!("Basic {}", STANDARD.encode(format!("me:{secret}")))]);
    assert_eq!(field(asked, "grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(world.record()["secrets"], json!([{ "name": "key" }]));
}

#[tokio::test]
async fn those_who_call_at_once_cost_one_token() {
    let issuer = issuer().await;
    let world = facing(&at(&issuer)).start().await;
    let ask = || world.get("/a").send();
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    assert!([answers.0, answers.1, answers.2, answers.3].iter().all(|answer| answer.verdict() == "200"));
    assert_eq!(issuer.seen().len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ages() {
    let issuer = issuer().await;
    let world = facing(&at(&issuer)).start().await;
    for (after, count) in [(0, 1), (3530, 1), (3541, 2)] {
        assert_eq!(world.get("/a").after(after).send().await.verdict(), "200");
        assert_eq!(issuer.seen().len(), count, "{after}");
    }
    assert_eq!(world.upstream.seen()[2].all("authorization"), ["Bearer issued-canary-2"]);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_fetched_once_more() {
    let issuer = issuer().await;
    let revoked =
        |seen: &Seen| say(if seen.all("authorization") == ["Bearer issued-canary-1"] { 401 } else { 200 });
    let world = facing(&at(&issuer)).answer(revoked).start().await;
    assert_eq!(world.get("/a").send().await.verdict(), "200");
    assert_eq!((issuer.seen().len(), world.upstream.seen().len()), (2, 2));
    // An upstream that refuses everything costs one token, and not one for each call.
    let issuer = self::issuer().await;
    let world = facing(&at(&issuer)).answer(|_| say(401)).start().await;
    for _ in 0..3 {
        assert_eq!(world.get("/a").send().await.verdict(), "401");
    }
    assert_eq!((issuer.seen().len(), world.upstream.seen().len()), (2, 4));
}

/// A 401 about a token that is no longer there would mislead.
#[tokio::test]
async fn a_token_that_was_revoked_and_is_not_given_out_again_ends_the_call() {
    let check = async |refusal: Say, expected: &str, cause: &str| {
        let count = AtomicUsize::new(0);
        let script = move |_: &Seen| match count.fetch_add(1, Ordering::SeqCst) {
            0 => granted("issued-canary-1"),
            _ => refusal.clone(),
        };
        let issuer = Upstream::start(Arc::new(script)).await;
        let world = facing(&at(&issuer)).answer(|_| say(401).body("who?")).start().await;
        assert_eq!(world.get("/a").send().await.verdict(), expected);
        let record = world.record();
        assert_eq!((&record["upstream_status"], &record["code"]), (&401.into(), &expected[4..].into()));
        assert!(record["cause"].as_str().unwrap().ends_with(cause), "{record}");
        assert_eq!(world.upstream.seen().len(), 1);
    };
    let gone = say(400).body(r#"{"error":"unauthorized_client"}"#);
    check(gone, "503 secret_unavailable", "the token endpoint said 400 unauthorized_client").await;
    check(say(401).body("{}"), "503 secret_unavailable", "the token endpoint said 401").await;
}

/// `timeout` is that of the whole call.
#[tokio::test]
async fn fetching_a_token_is_a_part_of_the_routes_time() {
    let issuer = Misbehaving::start(vec![Deed::Hang(Vec::new())]).await;
    let recipe = format!(
        "{{ oauth2: {{ token_url: 'http://{}/token', client_id: me, client_secret: key }} }}",
        issuer.address
    );
    let setup = Setup::routes("GET /a: { {open}, timeout: 300ms }");
    let world = setup.upstream(&format!("credential: {recipe}")).start().await;
    let started = tokio::time::Instant::now();
    check_refused(&world, &world.get("/a").send().await, "504 upstream_timeout");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_token_and_what_it_was_had_for_are_cut_out_of_answers() {
    let issuer = issuer().await;
    let echo = |seen: &Seen| say(200).body(format!("{} {CANARY}", seen.all("authorization").concat()));
    let world = facing(&at(&issuer)).answer(echo).start().await;
    let answer = world.get("/a").send().await;
    assert_eq!(answer.text(), "Bearer [redacted] [redacted]");
    assert_eq!(world.record()["leak"], true);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_problem_says_so() {
    let check = async |answer: Say, expected: &str| {
        let issuer = always(answer).await;
        let world = facing(&at(&issuer)).start().await;
        check_refused(&world, &world.get("/a").send().await, expected);
        assert_eq!(issuer.seen().len(), 1);
        world.record()["cause"].as_str().unwrap().to_owned()
    };
    let error = json!({ "error": "invalid_client", "error_description": format!("no {CANARY}") }).to_string();
    assert!(check(say(401).body(error), "503 secret_unavailable").await.ends_with("401 invalid_client"));
    let echo = json!({ "error": CANARY }).to_string();
    assert!(check(say(400).body(echo), "503 secret_unavailable").await.ends_with("said 400"));
    check(say(500).body(CANARY), "503 secret_unavailable").await;
    check(say(200).body(CANARY), "502 upstream_invalid").await;
    check(say(200).body(json!({ "access_token": "issued\r\nx: y" }).to_string()), "502 upstream_invalid")
        .await;
    check(say(200).body("x".repeat((1 << 20) + 1)), "502 upstream_invalid").await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, br#"{"access_token":"issued"}"#).unwrap();
    let packed = say(200).with("content-encoding", "gzip").body(packed.finish().unwrap());
    check(packed, "502 upstream_invalid").await;
}

#[tokio::test]
async fn a_token_endpoint_that_misbehaves_ends_the_call_in_time() {
    let check = async |deed: Deed, expected: &str| {
        let issuer = Misbehaving::start(vec![deed]).await;
        let world = facing(&format!("http://{}/token", issuer.address)).start().await;
        let asking = world.get("/a").within(Duration::from_millis(500)).send();
        let answer = tokio::time::timeout(Duration::from_secs(5), asking).await.expect("it ends");
        check_refused(&world, &answer, expected);
    };
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{{").into_bytes();
    check(Deed::Hang(Vec::new()), "504 upstream_timeout").await;
    check(Deed::Hang(head(100)), "504 upstream_timeout").await;
    check(Deed::Hang(head(1 << 40)), "502 upstream_invalid").await;
    check(Deed::Close(head(100)), "502 upstream_unreachable").await;
    check(Deed::Reset(Vec::new()), "502 upstream_unreachable").await;
    check(Deed::Close(b"issued\r\n\r\n".to_vec()), "502 upstream_invalid").await;
    let endless =
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(), b"4000\r\n".to_vec()].concat();
    let chunk = [vec![b' '; 0x4000], b"\r\n4000\r\n".to_vec()].concat();
    check(Deed::Hang([endless, chunk.repeat(80)].concat()), "502 upstream_invalid").await;
}

/// A redirect could lead the client's secret anywhere.
#[tokio::test]
async fn a_token_endpoint_that_leads_elsewhere_is_not_followed() {
    let elsewhere = issuer().await;
    for status in [301, 302, 303, 307, 308] {
        let issuer = always(say(status).with("location", &at(&elsewhere))).await;
        let world = facing(&at(&issuer)).start().await;
        check_refused(&world, &world.get("/a").send().await, "503 secret_unavailable");
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

/// It resolves to a machine of ours: the secret does not go there.
#[tokio::test]
async fn a_token_endpoint_in_a_private_network_is_not_reached() {
    let issuer = issuer().await;
    let world = facing(&at(&issuer).replace("127.0.0.1", "localhost")).public_only().start().await;
    assert_eq!(world.get("/a").send().await.verdict(), "502 upstream_unreachable");
    assert_eq!((issuer.connections(), world.upstream.connections()), (0, 0));
}

#[tokio::test]
async fn a_service_account_trades_what_it_signed_for_a_token() {
    let issuer = issuer().await;
    let recipe = format!(
        "{{ jwt: {{ key: pair.rsa, key_id: k1, issuer: {{ secret: pair.user }}, claims: {{ scope: read }}, \
         exchange: {{ token_url: '{}' }} }} }}",
        at(&issuer)
    );
    let world = Setup::routes(ROUTE).upstream(&format!("credential: {recipe}")).start().await;
    assert_eq!(world.get("/a").after(1_000_000).send().await.verdict(), "200");
    assert_eq!(world.upstream.seen()[0].all("authorization"), ["Bearer issued-canary-1"]);
    let asked = &issuer.seen()[0];
    assert_eq!(field(asked, "grant_type").as_deref(), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    let said = claims(&field(asked, "assertion").unwrap());
    assert_eq!((&said["iss"], &said["scope"]), (&crate::world::USER.into(), &"read".into()));
    assert_eq!((&said["aud"], &said["exp"]), (&at(&issuer).into(), &1_000_300.into()));
}

#[tokio::test]
async fn what_was_signed_here_may_be_sent_itself() {
    let recipe = "{ jwt: { key: pair.ec, alg: ES256, issuer: me, audience: them } }";
    let world = Setup::routes(ROUTE).upstream(&format!("credential: {recipe}")).start().await;
    assert_eq!(world.get("/a").send().await.verdict(), "200");
    let sent = world.upstream.seen()[0].all("authorization").concat();
    assert_eq!(claims(sent.strip_prefix("Bearer ").unwrap())["aud"], "them");
}

#[tokio::test]
async fn an_installation_of_an_app_asks_at_the_upstreams_own_url() {
    let ends = humantime::format_rfc3339(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(3600));
    let given = json!({ "token": "issued-canary-9", "expires_at": ends.to_string() }).to_string();
    let script = move |seen: &Seen| {
        if seen.path().starts_with("/v3/app/") { say(201).body(given.clone()) } else { say(200) }
    };
    let recipe =
        "{ github_app: { app_id: 12, installation_id: 34, private_key: pair.rsa, repositories: [hello] } }";
    let setup = Setup::routes(ROUTE).upstream(&format!("credential: {recipe}")).base("/v3");
    let world = setup.answer(script).start().await;
    for _ in 0..2 {
        assert_eq!(world.get("/a").send().await.verdict(), "200");
    }
    let seen = world.upstream.seen();
    let paths: Vec<&str> = seen.iter().map(Seen::path).collect();
    assert_eq!(paths, ["/v3/app/installations/34/access_tokens", "/v3/a", "/v3/a"]);
    assert_eq!(seen[0].body, json!({ "repositories": ["hello"] }).to_string());
    assert_eq!(claims(seen[0].all("authorization")[0].strip_prefix("Bearer ").unwrap())["iss"], "12");
    assert_eq!(seen[2].all("authorization"), ["Bearer issued-canary-9"]);
}

#[test]
fn the_guides_files_have_no_flaw() {
    let guide = include_str!("../../docs/guides/credentials-tokens.md");
    let files: Vec<&str> =
        guide.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(files.len(), 6);
    for file in files {
        let read = countersign::config::examine(file, &|_| Err("no file".to_owned()));
        assert!(read.is_ok(), "{:#?}\n{file}", read.err());
    }
}

/// One 401 that is not about the token, and an endpoint that gives no other one.
#[tokio::test]
async fn a_doubted_token_serves_where_no_other_one_is_given_out() {
    let (count, limit) = (AtomicUsize::new(0), say(429).body(CANARY));
    let script = move |_: &Seen| match count.fetch_add(1, Ordering::SeqCst) {
        0 => granted("issued-canary-1"),
        _ => limit.clone(),
    };
    let issuer = Upstream::start(Arc::new(script)).await;
    let picky = |seen: &Seen| say(if seen.path() == "/bad" { 401 } else { 200 });
    let setup = facing_from("GET /a: { {open} }\nGET /bad: { {open} }", &at(&issuer)).answer(picky);
    let world = setup.start().await;
    for (path, verdict) in [("/a", "200"), ("/bad", "401"), ("/a", "200"), ("/bad", "401"), ("/a", "200")] {
        assert_eq!(world.get(path).send().await.verdict(), verdict, "{path}");
    }
    assert_eq!(issuer.seen().len(), 2, "it is not asked for each call");
}

/// A token beside a key that stays: both are made new, and the call goes on.
#[tokio::test]
async fn a_rotated_key_beside_a_token_heals_too() {
    let (issuer, manager) = (issuer().await, Manager::start().await);
    manager.put("test/key", CANARY);
    manager.put("test/other", "other-canary-1");
    let recipe = format!(
        "[{{ header: {{ name: X-Key, value: {{ secret: other }} }} }}, \
          {{ oauth2: {{ token_url: '{}', client_id: me, client_secret: key }} }}]",
        at(&issuer)
    );
    let setup = Setup::routes(ROUTE).upstream(&format!("credential: {recipe}, retries: 0, timeout: 2s"));
    let wants = |seen: &Seen| say(if seen.all("x-key") == ["other-canary-2"] { 200 } else { 401 });
    let setup = setup.secrets("{ key: test/key, other: test/other }").kept_by(&manager).answer(wants);
    let world = setup.start().await;
    manager.put("test/other", "other-canary-2");
    manager.delay(Duration::from_millis(50));
    let asked = tokio::task::LocalSet::new();
    assert_eq!(asked.run_until(world.get("/a").send()).await.verdict(), "200");
}

/// The secret that it is had for is still good, and nobody has to read it first.
#[tokio::test]
async fn a_token_that_was_revoked_does_not_wait_for_secrets_manager() {
    let issuer = issuer().await;
    let manager = Manager::start().await;
    manager.put("test/key", CANARY);
    let revoked =
        |seen: &Seen| say(if seen.all("authorization") == ["Bearer issued-canary-1"] { 401 } else { 200 });
    let setup = facing(&at(&issuer)).secrets("{ key: test/key }").kept_by(&manager);
    let world = setup.answer(revoked).start().await;
    manager.delay(Duration::from_secs(60));
    let asked = tokio::task::LocalSet::new();
    assert_eq!(asked.run_until(world.get("/a").send()).await.verdict(), "200");
    assert_eq!(issuer.seen().len(), 2);
}

/// The token endpoint took the secret before, and takes another one now.
#[tokio::test]
async fn a_client_secret_that_was_rotated_is_read_again_and_the_call_goes_on() {
    const OLD: &str = "clientcanaryold1";
    const NEW: &str = "clientcanarynew2";
    let taken = |secret: &str| {
        let pair = format!("me:{secret}");
        format!("Basic {}", STANDARD.encode(pair))
    };
    let wanted = taken(NEW);
    let issuer = Upstream::start(Arc::new(move |seen: &Seen| match seen.all("authorization") {
        sent if sent == [wanted.as_str()] => granted("issued-canary-1"),
        _ => say(401).with("content-type", "application/json").body(r#"{"error":"invalid_client"}"#),
    }));
    let issuer = issuer.await;
    let manager = Manager::start().await;
    manager.put("test/key", OLD);
    let world = facing(&at(&issuer)).secrets("{ key: test/key }").kept_by(&manager).start().await;
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            // Refused with both: the secret was read again, and is the same.
            check_refused(&world, &world.get("/a").send().await, "503 secret_unavailable");
            manager.put("test/key", NEW);
            // Once in 30 seconds, however often it is refused.
            check_refused(&world, &world.get("/a").after(1).send().await, "503 secret_unavailable");
            assert_eq!(manager.reads().len(), 2);
            let answer = world.get("/a").after(40).send().await;
            assert_eq!(answer.verdict(), "200", "{}", world.record());
        })
        .await;
    assert_eq!(manager.reads().len(), 1);
    let sent: Vec<_> = world
        .upstream
        .seen()
        .iter()
        .flat_map(|seen| seen.all("authorization").join(",").into_bytes())
        .collect();
    assert_eq!(sent, b"Bearer issued-canary-1");
    let tries: Vec<bool> =
        issuer.seen().iter().map(|seen| seen.all("authorization") == [taken(NEW).as_str()]).collect();
    assert_eq!(tries.last(), Some(&true));
}
