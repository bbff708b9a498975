//! What goes into the body, and the signatures that cover the request as it goes out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::json;

use crate::manager::Manager;
use crate::upstream::{Seen, say};
use crate::world::{CANARY, Setup, USER, World};

const ROUTES: &str = "\
GET /a/{id}: { {open}, request: { query: any, headers: any } }
POST /a/{id}: { {open}, request: { query: any } }
PUT /made/{id}: { {open}, request: { transform: '{n: .m}', encode: form } }";

const BODY: &str = "{ body: { pointer: /api_key, value: { secret: key } } }";
const HMAC: &str = "{ hmac: { key: key, over: '{timestamp}.{id}.{method}.{target}.{body}', header: X-Signature, \
                     encoding: base64, timestamp_header: X-Time, id_header: X-Id } }";
const AWS: &str = "{ sigv4: { service: execute-api, region: eu-west-1, access_key_id: pair.user, \
                    secret_access_key: pair.password } }";

async fn world(routes: &str, credential: &str) -> World {
    Setup::routes(routes).upstream(&format!("credential: {credential}")).answer(echo).start().await
}

/// An upstream that repeats all it hears, and hands out keys as AWS does.
fn echo(seen: &Seen) -> crate::upstream::Say {
    if seen.path().starts_with("/sts") {
        return say(200).with("content-type", "text/xml").body(LENT);
    }
    say(200).body(format!("{:?} {} {}", seen.headers, seen.target, String::from_utf8_lossy(&seen.body)))
}

const LENT: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
    <Credentials><AccessKeyId>ASIALENT-CANARY</AccessKeyId><SecretAccessKey>lent-secret-canary</SecretAccessKey>\
    <SessionToken>lent-token-canary</SessionToken><Expiration>1970-01-01T01:00:00Z</Expiration></Credentials>\
    </AssumeRoleResult></AssumeRoleResponse>";

fn last(world: &World) -> Seen {
    world.upstream.seen().pop().unwrap()
}

#[tokio::test]
async fn a_credential_in_the_body_takes_its_place_after_the_program() {
    let post = ROUTES.lines().skip(1).collect::<Vec<_>>().join("\n");
    let world = world(&post, BODY).await;
    let send = async |method: &str, target: &str, kind: &str, body: &'static str| {
        let answer = world.ask(method, target).header("content-type", kind).body(body).send().await;
        assert!(!answer.shows(CANARY), "{}", answer.text());
        answer.verdict()
    };
    let json = "application/json";
    assert_eq!(send("POST", "/a/1", json, r#"{"api_key": "mine", "n": 1.10}"#).await, "200");
    assert_eq!(last(&world).body, format!(r#"{{"n":1.10,"api_key":{}}}"#, json!(CANARY)));
    assert_eq!(send("PUT", "/made/1", json, r#"{"m": "x y"}"#).await, "200");
    let form: Vec<_> = url::form_urlencoded::parse(&last(&world).body).into_owned().collect();
    assert_eq!(form, [("n".to_owned(), "x y".to_owned()), ("api_key".to_owned(), CANARY.to_owned())]);
    let sent = world.upstream.seen().len();
    assert_eq!(send("POST", "/a/1", json, "[]").await, "400 malformed_body");
    assert_eq!(send("POST", "/a/1", "text/plain", "x").await, "415 content_type_not_allowed");
    assert_eq!(world.upstream.seen().len(), sent);
}

/// A caller who sends no body may still say what it would be.
#[tokio::test]
async fn an_empty_body_becomes_what_the_route_writes() {
    let routes = "POST /any: { {open} }\n\
                  POST /json: { {open}, request: { content_types: [application/json] } }\n\
                  POST /form: { {open}, request: { content_types: [application/x-www-form-urlencoded] } }\n\
                  POST /vendor: { {open}, request: { content_types: ['application/*', application/vnd.a+json] } }\n\
                  POST /made: { {open}, request: { encode: form } }";
    let world = world(routes, BODY).await;
    let check = async |path: &str, kind: &str, expected: &str| {
        let ask = world.post(path);
        let ask = if kind.is_empty() { ask } else { ask.header("content-type", kind) };
        let sent = world.upstream.seen().len();
        let answer = ask.send().await;
        if world.upstream.seen().len() == sent {
            return assert_eq!(answer.verdict(), expected, "{path} {kind}");
        }
        let seen = last(&world);
        assert_eq!(seen.all("content-type"), [expected], "{path} {kind}");
        let json = json!({ "api_key": CANARY }).to_string();
        let form = url::form_urlencoded::parse(&seen.body).into_owned().collect::<Vec<_>>();
        let fits = if expected.ends_with("json") { seen.body == json } else { form[0].1 == CANARY };
        assert!(fits, "{path} {kind} {:?}", seen.body);
    };
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    let refused = "415 content_type_not_allowed";
    for (path, bare, as_json, as_form) in [
        ("/any", json, json, form),
        ("/json", json, json, refused),
        ("/form", form, refused, form),
        ("/vendor", "application/vnd.a+json", json, form),
        ("/made", form, form, form),
    ] {
        check(path, "", bare).await;
        check(path, json, as_json).await;
        check(path, form, as_form).await;
    }
    check("/any", "text/plain", refused).await;
    check("/made", "text/plain", form).await;
}

#[tokio::test]
async fn a_signature_covers_what_goes_out_and_not_what_came_in() {
    let post = ROUTES.lines().skip(1).collect::<Vec<_>>().join("\n");
    let recipes = format!("[{HMAC}, {BODY}, {{ query: {{ name: k, value: {{ secret: key }} }} }}]");
    let world = world(&post, &recipes).await;
    let ask = world.post("/a/caf%C3%A9?q=1&k=mine").header("content-type", "application/json").after(1000);
    let answer = ask.body("{}").send().await;
    assert_eq!((answer.status(), answer.shows(CANARY)), (StatusCode::OK, false));
    let seen = last(&world);
    assert!(seen.target.starts_with("/a/caf%C3%A9?q=1&k=canary%2F9Zp"), "{}", seen.target);
    let body = std::str::from_utf8(&seen.body).unwrap();
    let over = format!("1000.request-1.POST.{}.{body}", seen.target);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, CANARY.as_bytes());
    let expected = STANDARD.encode(aws_lc_rs::hmac::sign(&key, over.as_bytes()));
    assert_eq!((seen.all("x-signature"), seen.all("x-time")), (vec![expected], vec!["1000".to_owned()]));
    assert_eq!(seen.all("x-id"), ["request-1"]);
}

/// A key that was stored in another encoding could never sign.
#[tokio::test]
async fn a_rotated_key_that_does_not_decode_is_kept_out() {
    let manager = Manager::start().await;
    manager.put("test/key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let recipe = "{ hmac: { key: key, key_encoding: base64, over: '{body}', header: X-Signature } }";
    let setup = Setup::routes("POST /a: { {open} }").upstream(&format!("credential: {recipe}"));
    let world = setup.secrets("{ key: { id: test/key, refresh: 1m } }").kept_by(&manager).start().await;
    let send = async |after: u64| {
        assert_eq!(world.post("/a").body("x").after(after).send().await.verdict(), "200");
        world.proxy.readings.settle().await;
        last(&world).all("x-signature")
    };
    let signed = send(0).await;
    manager.put("test/key", "no-base64-at-all");
    assert_eq!((send(61).await, send(62).await), (signed.clone(), signed));
    let [alarm] = &world.alarms()[..] else { panic!("{:?}", world.alarms()) };
    assert_eq!(alarm["code"], "secret_unfit");
    let cause = alarm["cause"].as_str().unwrap();
    assert!(cause.contains("`key`: its value is not written as `key_encoding` says"), "{cause}");
    assert!(!cause.contains("no-base64"), "{cause}");
}

/// The signature itself is compared with AWS's own in `credential::sigv4`.
#[tokio::test]
async fn aws_signs_last_over_all_that_we_send() {
    let world = world(
        ROUTES.lines().nth(1).unwrap(),
        &format!("[{AWS}, {BODY}, {{ header: {{ name: X-Tag, value: t }} }}]"),
    )
    .await;
    let ask =
        world.post("/a/1?X-Amz-Signature=mine&q=1").header("content-type", "application/json").after(86_400);
    assert_eq!(ask.body("{}").send().await.verdict(), "200");
    let seen = last(&world);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &seen.body);
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((seen.all("x-amz-content-sha256"), seen.target.as_str()), (vec![hash], "/a/1?q=1"));
    let authorization = seen.all("authorization").concat();
    let start = format!("AWS4-HMAC-SHA256 Credential={USER}/19700102/eu-west-1/execute-api/aws4_request, ");
    let signed = "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-tag, Signature=";
    assert!(authorization.starts_with(&format!("{start}{signed}")), "{authorization}");
}

#[tokio::test]
async fn a_presigned_url_stays_with_us() {
    let form = AWS.replace("service: execute-api", "service: s3, form: query, expires: 1m");
    let world = world(ROUTES, &form).await;
    let answer = world.get("/a/x%20y?q=1&x-amz-date=mine").send().await;
    let query = last(&world).query();
    let names: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["q", "X-Amz-Algorithm"]);
    assert!(query.contains(&("X-Amz-Expires".to_owned(), "60".to_owned())) && !names.contains(&"x-amz-date"));
    assert!(!answer.shows(USER) && answer.shows("[redacted]"));
}

/// S3 verifies the path with all but the unreserved characters encoded.
#[tokio::test]
async fn the_key_of_an_object_goes_up_as_it_is_signed() {
    let check = async |service: &str, expected: &str| {
        let world = world(ROUTES, &AWS.replace("service: execute-api", &format!("service: {service}"))).await;
        assert_eq!(world.get("/a/x(1)@b:c=d%20e%2Bf").send().await.verdict(), "200", "{service}");
        assert_eq!(last(&world).target, expected, "{service}");
    };
    check("s3", "/a/x%281%29%40b%3Ac%3Dd%20e%2Bf").await;
    check("s3tables", "/a/x(1)@b:c=d%20e+f").await;
}

#[tokio::test]
async fn the_functions_own_role_signs_where_no_keys_are_given() {
    let world = world(ROUTES, "{ sigv4: { service: s3, region: eu-west-1 } }").await;
    let answer = world.get("/a/1").header("x-amz-security-token", "mine").send().await;
    let seen = last(&world);
    assert_eq!(seen.all("x-amz-security-token"), ["own-token-canary"]);
    assert!(seen.all("authorization").concat().contains("Credential=AKIDOWN-CANARY/"));
    assert!(!answer.shows("own-token-canary") && !answer.shows("AKIDOWN-CANARY"), "{}", answer.text());
    assert_eq!(world.record()["secrets"], json!([{ "name": "aws:role" }]));
}

#[tokio::test]
async fn a_role_is_taken_on_once_and_again_before_it_ends() {
    let role = "{ sigv4: { service: s3, region: eu-west-1, role: 'arn:aws:iam::123456789012:role/reader' } }";
    let world = world(ROUTES, role).await;
    let check = async |after: u64, asked: usize| {
        let answer = world.get("/a/1").after(after).send().await;
        let seen = world.upstream.seen();
        assert_eq!(seen.iter().filter(|seen| seen.path().starts_with("/sts")).count(), asked, "{after}");
        assert_eq!(last(&world).all("x-amz-security-token"), ["lent-token-canary"]);
        assert!(!answer.shows("lent-token-canary") && !answer.shows("ASIALENT-CANARY"), "{}", answer.text());
    };
    check(0, 1).await;
    check(3200, 1).await;
    check(3301, 2).await;
    let asked = &world.upstream.seen()[0];
    let question: Vec<_> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
    assert!(question.contains(&("RoleArn".to_owned(), "arn:aws:iam::123456789012:role/reader".to_owned())));
    assert!(asked.all("authorization").concat().contains("Credential=AKIDOWN-CANARY/"));
}

#[tokio::test]
async fn a_role_that_is_out_of_reach_for_a_while_is_not_asked_for_by_each_call() {
    let role =
        "credential: { sigv4: { service: s3, region: eu-west-1, role: 'arn:aws:iam::1:role/reader' } }";
    let count = std::sync::atomic::AtomicUsize::new(0);
    let once = move |seen: &Seen| {
        let first = || count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        if !seen.path().starts_with("/sts") || first() { echo(seen) } else { say(403).body("<x/>") }
    };
    let world = Setup::routes(ROUTES).upstream(role).answer(once).start().await;
    let check = async |after: u64, asked: usize| {
        assert_eq!(world.get("/a/1").after(after).send().await.verdict(), "200");
        let seen = world.upstream.seen();
        assert_eq!(seen.iter().filter(|seen| seen.path().starts_with("/sts")).count(), asked, "{after}");
    };
    check(0, 1).await;
    check(3301, 2).await;
    check(3302, 2).await;
    check(3312, 3).await;
}

#[tokio::test]
async fn a_role_that_is_refused_sends_nothing() {
    let role =
        "credential: { sigv4: { service: s3, region: eu-west-1, role: 'arn:aws:iam::1:role/reader' } }";
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>not you</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    let no = move |_: &Seen| say(403).with("content-type", "text/xml").body(refusal);
    let world = Setup::routes(ROUTES).upstream(role).answer(no).start().await;
    assert_eq!(world.get("/a/1").send().await.verdict(), "503 secret_unavailable");
    assert_eq!(world.record()["cause"], "AWS Security Token Service says AccessDenied: not you");
    assert!(world.upstream.seen().iter().all(|seen| seen.path().starts_with("/sts")));
}

/// The upstream has the key too, and may show it as it keeps it.
#[tokio::test]
async fn a_key_of_bytes_is_cut_out_however_it_is_written() {
    let check = async |encoding: &str, stored: &str, shown: &str| {
        let recipe = format!(
            "credential: {{ hmac: {{ key: bytes, key_encoding: {encoding}, over: '{{body}}', header: X-S }} }}"
        );
        let body = format!("your key is {shown}.");
        let setup = Setup::routes(ROUTES).upstream(&recipe).secret("bytes", stored);
        let world = setup.answer(move |_| say(200).body(body.clone())).start().await;
        let text = world.get("/a/1").send().await.text();
        let rest = text.strip_prefix("your key is [redacted]").unwrap_or_else(|| panic!("{stored}: {text}"));
        assert!(["=.", "."].contains(&rest), "{stored}: {text}");
    };
    let bytes = b"key\xff\x00of-bytes-canary";
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = STANDARD.encode(bytes);
    let bare = base64.trim_end_matches('=');
    for shown in [&base64, bare, &hex, &hex.to_uppercase(), &format!("whsec_{base64}")] {
        check("base64", &format!("whsec_{base64}"), shown).await;
        check("base64", bare, shown.trim_start_matches("whsec_").trim_end_matches('=')).await;
    }
    for shown in [&hex, &hex.to_uppercase(), bare] {
        check("hex", &hex.to_uppercase(), shown).await;
    }
}
