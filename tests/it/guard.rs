//! Nothing that went up comes back, however the upstream writes it down.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::upstream::{Deed, Misbehaving, Say, say};
use crate::world::{CANARY, PASSWORD, Setup, USER, World};

const ROUTE: &str = "GET /a: { {open}, response: { headers: any } }";

async fn saying(said: Say) -> World {
    Setup::routes(ROUTE).answer(move |_| said.clone()).start().await
}

/// As `{:02x}` has it.
fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// With `%2f` for `%2F`.
fn lower(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        format!("{text}%{}{rest}", code.to_lowercase())
    })
}

/// As a JSON writer does that escapes these characters.
fn json_escaped(text: &str, escaped: &str, upper: bool) -> String {
    let unit = |c: char| if upper { format!("\\u{:04X}", c as u32) } else { format!("\\u{:04x}", c as u32) };
    text.chars().map(|c| if escaped.contains(c) { unit(c) } else { c.to_string() }).collect()
}

/// The spellings, each with what the record calls it, and the program that writes so.
fn spellings() -> Vec<(&'static str, &'static str, String)> {
    let percent = utf8_percent_encode(CANARY, NON_ALPHANUMERIC).to_string();
    let html = CANARY.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (json, escaped) = ("backslash-escaped", "html-escaped");
    vec![
        ("as it is", "plain", CANARY.to_owned()),
        ("percent-encoded", "percent-encoded", percent.clone()),
        ("percent-encoded, lower case", "percent-encoded", lower(&percent)),
        ("percent-encoded twice", "percent-encoded", percent.replace('%', "%25")),
        ("a form", "percent-encoded", url::form_urlencoded::byte_serialize(CANARY.as_bytes()).collect()),
        ("base64", "base64", STANDARD.encode(CANARY)),
        ("base64url", "base64", URL_SAFE_NO_PAD.encode(CANARY)),
        ("base64 of Bearer …", "base64", STANDARD.encode(format!("Bearer {CANARY}"))),
        ("base64 of x…", "base64", STANDARD.encode(format!("x{CANARY}!"))),
        ("base64 of xy…", "base64", STANDARD.encode(format!("xy{CANARY}!"))),
        ("hex", "hex", hex(CANARY)),
        ("HEX", "hex", hex(CANARY).to_uppercase()),
        ("html", escaped, html.replace('\'', "&#39;")),
        ("html, Python", escaped, html.replace('\'', "&#x27;")),
        ("JSON, PHP", json, CANARY.replace('/', "\\/")),
        ("JSON, Go", json, json_escaped(CANARY, "<>&", false)),
        ("JSON, .NET", json, json_escaped(CANARY, "<>&'+", true)),
        ("JSON, Gson", json, json_escaped(CANARY, "<>&'=", false)),
        ("JSON, all of it", json, json_escaped(CANARY, CANARY, false)),
        ("JSON in JSON", json, json_escaped(CANARY, CANARY, true).replace('\\', "\\\\")),
    ]
}

/// What the record says of a secret that was cut out.
fn leaked(place: &str, spelling: &str) -> Value {
    json!({ "name": "key", "place": place, "spelling": spelling })
}

#[tokio::test]
async fn an_echoed_secret_is_cut_out_of_the_body_in_each_spelling() {
    for (name, kind, spelling) in spellings() {
        let world = saying(say(200).body(format!("before «{spelling}», and {spelling} behind"))).await;
        let answer = world.get("/a").send().await;
        let text = answer.text();
        assert!(!text.contains(&spelling) && text.contains("[redacted]"), "{name}: {text}");
        assert!(text.starts_with("before «") && text.ends_with(" behind"), "{name}: {text}");
        assert_eq!(
            (&world.record()["leak"], &world.record()["leaked"]),
            (&json!(true), &json!([leaked("body", kind)])),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_echoed_secret_is_cut_out_of_every_header() {
    for (name, kind, spelling) in spellings() {
        let said =
            say(200).with("x-echo", &spelling).with("etag", &format!("\"{spelling}\"")).with("x-clean", "1");
        let world = saying(said).await;
        let answer = world.get("/a").send().await;
        assert!(
            !answer.shows(&spelling) && answer.header("x-echo").unwrap().contains("[redacted]"),
            "{name}: {answer:?}"
        );
        assert_eq!(answer.header("x-clean").as_deref(), Some("1"));
        assert_eq!(
            (&world.record()["leak"], &world.record()["leaked"]),
            (&json!(true), &json!([leaked("header:etag", kind), leaked("header:x-echo", kind)])),
            "{name}"
        );
    }
}

/// `%ca` reads as a code: what stands behind a stray percent sign is still a secret.
#[tokio::test]
async fn a_percent_sign_before_a_secret_hides_nothing() {
    for encoded in [utf8_percent_encode(CANARY, NON_ALPHANUMERIC).to_string(), CANARY.to_owned()] {
        let spellings = [encoded.clone(), lower(&encoded)];
        for spelling in spellings {
            let world = saying(say(200).body(format!("100%{spelling}"))).await;
            assert_eq!(world.get("/a").send().await.text(), "100%[redacted]", "{spelling}");
        }
    }
}

#[tokio::test]
async fn a_header_that_is_named_like_the_secret_is_dropped() {
    // Names of headers have no upper case.
    let world = saying(say(200).with(&hex(CANARY).to_uppercase(), "1")).await;
    let answer = world.get("/a").send().await;
    assert!(!answer.shows(&hex(CANARY)), "{answer:?}");
    assert_eq!(world.record()["leaked"], json!([leaked("header", "hex")]));
    let world = Setup::routes(ROUTE)
        .upstream("credential: { header: { name: X-Token, value: { secret: pair.user } } }")
        .answer(|_| say(200).with(USER, "1"))
        .start()
        .await;
    let answer = world.get("/a").send().await;
    assert!(!answer.shows(USER), "{answer:?}");
}

#[tokio::test]
async fn errors_of_the_upstream_are_searched_too() {
    for status in [400, 401, 403, 404, 422, 500] {
        let world = saying(say(status).body(format!("bad key {CANARY}"))).await;
        let answer = world.get("/a").send().await;
        assert_eq!((answer.status().as_u16(), answer.text().as_str()), (status, "bad key [redacted]"));
    }
}

#[tokio::test]
async fn the_parts_of_a_pair_and_the_pair_are_secrets() {
    let credential =
        "credential: { basic: { username: { secret: pair.user }, password: { secret: pair.password } } }";
    let pair = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    for echo in [USER, PASSWORD, pair.as_str(), pair.trim_end_matches('=')] {
        let body = echo.to_owned();
        let setup = Setup::routes(ROUTE).upstream(credential).answer(move |_| say(200).body(body.clone()));
        let world = setup.start().await;
        let answer = world.get("/a").send().await;
        assert!(!answer.shows(echo), "{echo}: {}", answer.text());
        assert_eq!(world.record()["leak"], json!(true), "{echo}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_withheld() {
    let check = async |name: &str, values: &[&str], expected: &str| {
        let said = values.iter().fold(say(200).body("x"), |said, value| said.with(name, value));
        let world = saying(said).await;
        assert_eq!(world.get("/a").send().await.verdict(), expected, "{name} {values:?}");
    };
    for coding in ["made-up", "gzip, made-up", "compress", "dcb", "gzip;q=1"] {
        check("content-encoding", &[coding], "502 response_withheld").await;
    }
    check("content-encoding", &["identity", "made-up"], "502 response_withheld").await;
    check("content-encoding", &["identity"], "200").await;
    check("content-encoding", &["Identity"], "200").await;
    check("content-encoding", &["", "identity, , Identity"], "200").await;
}

#[tokio::test]
async fn a_clean_answer_is_untouched() {
    let bytes: Vec<u8> = (0..=255).cycle().take(4096).collect();
    let world = saying(say(200).body(bytes.clone()).with("content-type", "application/octet-stream")).await;
    let answer = world.get("/a").send().await;
    assert_eq!(answer.0.body(), &bytes);
    assert!(world.record().get("leak").is_none());
}

/// Neither crosses: the phrase beside a status, and what comes behind a body.
#[tokio::test]
async fn what_surrounds_headers_and_body_is_dropped() {
    let route = "GET /a: { {open}, response: { headers: any } }\n\
                 GET /b: { {open}, response: { headers: any, stream: true } }";
    let head = format!("HTTP/1.1 200 {CANARY}\r\ntrailer: x-echo\r\ntransfer-encoding: chunked\r\n\r\n");
    let text = format!("{head}2;echo=\"key\"\r\nok\r\n0\r\nx-echo: {CANARY}\r\nx-trailer: 1\r\n\r\n");
    let server = Misbehaving::start(vec![Deed::Close(text.into_bytes())]).await;
    for (streaming, path) in [(false, "/a"), (true, "/b")] {
        let setup = Setup::routes(route).at(format!("http://{}", server.address));
        let world = if streaming { setup.streaming() } else { setup }.start().await;
        let (status, headers, mut body) = world.get(path).send().await.0.into_parts();
        let (mut text, head) = (Vec::new(), format!("{status} {headers:?}"));
        while let Some(chunk) = body.next().await {
            text.extend_from_slice(&chunk);
        }
        assert_eq!(text, b"ok", "{path}");
        assert!(
            !head.contains("canary") && !head.contains("x-echo: ") && !head.contains("x-trailer"),
            "{head}"
        );
        assert!(!world.record().to_string().contains("canary"));
    }
}

#[tokio::test]
async fn utf16_is_searched_with_a_label_and_without() {
    let text = format!("{{\"you sent\":\"{}\"}}", json_escaped(CANARY, "<", false));
    let expected = "{\"you sent\":\"[redacted]\"}";
    for encode in [u16::to_le_bytes, u16::to_be_bytes] {
        let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(encode).collect() };
        for label in ["application/json; charset=utf-16", "text/plain", "application/octet-stream"] {
            let world = saying(say(200).with("content-type", label).body(wide(&text))).await;
            assert_eq!(world.get("/a").send().await.0.body().to_vec(), wide(expected), "{label}");
            assert_eq!(
                world.record()["leaked"],
                json!([leaked("body", "backslash-escaped, utf-16")]),
                "{label}"
            );
        }
    }
}
