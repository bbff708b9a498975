//! Whatever fails, with whatever recipe: no secret shows, in no spelling, not
//! to the caller and not to the record. What the process writes besides is
//! searched by `tests/system/test_secrecy.py`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::upstream::{Deed, Misbehaving, Say, Seen, Upstream, say};
use crate::world::{CANARY, PASSWORD, Setup, USER, World};

/// Each recipe, the path that its route has at the upstream, and what it sends.
const RECIPES: [(&str, &str, &[&str]); 11] = [
    ("{ bearer: key }", "/a", &[CANARY]),
    (
        "{ basic: { username: { secret: pair.user }, password: { secret: pair.password } } }",
        "/a",
        &[USER, PASSWORD, "user-canary-1:pass-canary:2"],
    ),
    ("{ basic: { username: api, password: { secret: key } } }", "/a", &[CANARY]),
    ("{ header: { name: X-Key, value: { secret: key, format: 'Token {}' } } }", "/a", &[CANARY]),
    ("{ query: { name: key, value: { secret: key } } }", "/a", &[CANARY]),
    ("{ cookie: { name: sid, value: { secret: key } } }", "/a", &[CANARY]),
    ("{ path: { param: token, value: { secret: key } } }", "/bot{token}/a", &[CANARY]),
    (
        "[{ bearer: key }, { query: { name: p, value: { secret: pair.password } } }]",
        "/a",
        &[CANARY, PASSWORD],
    ),
    ("{ hmac: { key: key, over: '{target}', header: X-Signature } }", "/a", &[CANARY]),
    (
        "{ sigv4: { service: s3, region: eu-west-1, form: query, access_key_id: pair.user, \
         secret_access_key: pair.password } }",
        "/a",
        &[USER, PASSWORD],
    ),
    (
        "{ oauth2: { token_url: '{issuer}', client_id: pair.user, client_secret: key } }",
        "/a",
        &[CANARY, TOKEN],
    ),
];

/// What `{issuer}` hands out.
const TOKEN: &str = "issued-canary/+=<>&'";

/// A server that hands out tokens. What it may do wrong is in `tokens.rs`.
async fn issuer() -> Upstream {
    let body = serde_json::json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600 });
    let answer = say(200).with("content-type", "application/json").body(body.to_string());
    Upstream::start(Arc::new(move |_: &Seen| answer.clone())).await
}

/// What an answer may meet on its way down.
const SHAPES: [&str; 6] = [
    "response: { headers: any }",
    "response: { headers: any, transform: '{a: .a, b: (.b | error)}' }",
    "response: { headers: any, schema: { type: object, properties: { a: { enum: [1] } } } }",
    "response: { headers: any, rewrite_urls: true }",
    "response: { errors: hide, cache: 60s }",
    "response: { headers: any, max_bytes: 600B }",
];

/// The codes of a percent-encoded secret that have letters.
const CODES: [&str; 6] = ["%2F", "%2B", "%3D", "%3C", "%3E", "%3A"];

/// The ways in which a program may write a secret, and of each what must not show.
fn spellings(secret: &str) -> Vec<(String, String)> {
    let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let json = serde_json::to_string(secret).unwrap();
    let base64 = STANDARD.encode(secret);
    let inside = |before: &str| STANDARD.encode(format!("{before}{secret}"));
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let whole = [
        secret.to_owned(),
        CODES.iter().fold(percent.clone(), |text, code| text.replace(code, &code.to_lowercase())),
        percent.replace('%', "%25"),
        percent,
        json[1..json.len() - 1].to_owned(),
        secret.chars().map(|c| format!("\\u{:04x}", c as u32)).collect(),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;"),
        hex.to_uppercase(),
        hex,
    ];
    let pieces = [base64, inside("x"), inside("xy")].map(|text| (text.clone(), text[4..16].to_owned()));
    // As `{:?}` prints bytes: nobody's spelling, and nothing of ours.
    let printed = (secret.to_owned(), bytes.join(", "));
    whole.map(|text| (text.clone(), text)).into_iter().chain(pieces).chain([printed]).collect()
}

/// An upstream that says back all that it saw, in the spelling that `pick` says.
fn echo(status: u16, pick: usize, seen: &Seen, secrets: &[&str]) -> Say {
    let text = |secret: &str| spellings(secret).swap_remove(pick).0;
    let words: Vec<String> = secrets.iter().map(|secret| text(secret)).collect();
    let words = words.join(" and ");
    let body = format!(
        "{{\"a\": \"{words}\", \"b\": {{\"{words}\": \"{}\"}}, \"url\": \"http://{}{}\", \"all\": {:?}}}",
        words,
        seen.all("host").concat(),
        seen.target,
        format!("{:?}", seen.headers),
    );
    let link = format!("<{}>; rel=next, <https://other.example/?q={words}>; rel=\"{words}\"", seen.target);
    say(status)
        .with("content-type", if words.len().is_multiple_of(2) { "application/json" } else { "text/html" })
        .with("x-echo", &words)
        .with("location", &seen.target)
        .with("link", &link)
        .with("etag", &format!("\"{words}\""))
        .with("retry-after", &words)
        .with("cache-control", &format!("max-age=60, x=\"{words}\""))
        .body(body)
}

/// Asks, and searches all that comes of it.
async fn search(world: &World, secrets: &[&str], case: &str) {
    for patience in [Duration::from_secs(20), Duration::ZERO] {
        let answer = world.get("/a").within(patience).send().await.0;
        let mut text = format!("{answer:?}").into_bytes();
        let (_, headers, mut body) = answer.into_parts();
        for (name, value) in &headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(value.as_bytes());
        }
        while let Some(chunk) = body.next().await {
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8_lossy(&text);
        let records = format!("{:?} {}", world.records(), serde_json::Value::from(world.records()));
        for secret in secrets {
            for (_, spelling) in spellings(secret) {
                assert!(!text.contains(&spelling), "{case}: {spelling} in {text}");
                assert!(!records.contains(&spelling), "{case}: {spelling} in {records}");
            }
        }
    }
}

fn setup(recipe: &str, path: &str, shape: &str, issuer: &Upstream) -> Setup {
    let recipe = recipe.replace("{issuer}", &format!("http://{}/token", issuer.address));
    Setup::routes(&format!("GET /a: {{ {{open}}, path: '{path}', timeout: 300ms, {shape} }}"))
        .upstream(&format!("credential: {recipe}, retries: 0"))
}

#[tokio::test]
async fn no_secret_shows_whatever_the_upstream_says_back() {
    let issuer = issuer().await;
    for (recipe, path, secrets) in RECIPES {
        for (at, shape) in SHAPES.into_iter().enumerate() {
            for pick in 0..spellings(CANARY).len() {
                let status = [200, 302, 401, 403, 422, 500][(pick + at) % 6];
                let script = move |seen: &Seen| echo(status, pick, seen, secrets);
                let world = setup(recipe, path, shape, &issuer).answer(script).start().await;
                search(&world, secrets, &format!("{recipe} {shape} {status} {pick}")).await;
                assert!(!world.upstream.seen().is_empty(), "{recipe}");
            }
        }
    }
}

/// Words of the upstream's that some library could quote in its error.
#[tokio::test]
async fn no_secret_shows_whatever_breaks() {
    let issuer = issuer().await;
    let whole = |head: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{head}\r\n\r\nok");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let deeds: Vec<Deed> = [
        format!("{CANARY}\r\n\r\n"),
        format!("HTTP/1.1 {CANARY}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ncontent-length: {CANARY}\r\n\r\n"),
        format!("{chunked}{CANARY}\r\n"),
        format!("{chunked}5;x={CANARY}\r\n{CANARY}"),
        format!("HTTP/1.1 101 {CANARY}\r\nupgrade: {CANARY}\r\n\r\n"),
        format!("HTTP/1.1 206 {CANARY}\r\ncontent-length: 2\r\n\r\nok"),
        format!("HTTP/1.1 999 {CANARY}\r\ncontent-length: 2\r\n\r\nok"),
        whole(&format!("content-encoding: {CANARY}")),
        whole(&format!("content-encoding: gzip\r\nx: {CANARY}")),
        whole(&format!("transfer-encoding: {CANARY}")),
        whole(&format!("content-type: application/json; charset={CANARY}")),
        whole(&format!("content-type: {CANARY}")),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{CANARY}"),
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[{CANARY}"),
    ]
    .into_iter()
    .flat_map(|text| [Deed::Close(text.clone().into()), Deed::Reset(text.into())])
    .chain([
        Deed::Hang(format!("HTTP/1.1 200 OK\r\nx: {CANARY}\r\n\r\n{CANARY}").into()),
        Deed::Hang(Vec::new()),
    ])
    .collect();
    let issuer = &issuer;
    let worlds = deeds.into_iter().enumerate().map(|(at, deed)| async move {
        let (recipe, path, _) =
            RECIPES.into_iter().filter(|(_, _, sent)| sent.contains(&CANARY)).cycle().nth(at).unwrap();
        for (shape, streaming) in
            [(SHAPES[0], false), (SHAPES[1], false), (SHAPES[2], false), ("response: { stream: true }", true)]
        {
            let server = Misbehaving::start(vec![deed.clone()]).await;
            let setup = setup(recipe, path, shape, issuer).at(format!("http://{}", server.address));
            let world = if streaming { setup.streaming() } else { setup }.start().await;
            search(&world, &[CANARY], &format!("{recipe} {shape} {deed:?}")).await;
        }
    });
    for world in worlds {
        world.await;
    }
}

#[tokio::test]
async fn no_secret_shows_where_nobody_is_reached() {
    let issuer = issuer().await;
    for (recipe, path, secrets) in RECIPES {
        for url in ["http://127.0.0.1:1", "http://no-such-host.invalid", "https://127.0.0.1:1"] {
            let world = setup(recipe, path, SHAPES[0], &issuer).at(url).start().await;
            search(&world, secrets, &format!("{recipe} {url}")).await;
        }
        let world = setup(recipe, path, SHAPES[0], &issuer).public_only().start().await;
        search(&world, secrets, recipe).await;
    }
}
