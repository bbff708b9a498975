//! Which headers cross, seen from both ends.

use crate::upstream::say;
use crate::world::{APP, CANARY, Setup, World};

/// Sent by a caller who tries everything, under `headers: any`.
const NEVER_UP: &[(&str, &str)] = &[
    ("authorization", "Bearer mine"),
    ("cookie", "session=mine"),
    ("x-api-key", "mine"),
    ("proxy-authorization", "Basic mine"),
    ("x-forwarded-for", "mine"),
    ("x-forwarded-host", "mine"),
    ("x-forwarded-proto", "mine"),
    ("forwarded", "for=mine"),
    ("via", "1.1 mine"),
    ("x-real-ip", "mine"),
    ("client-ip", "mine"),
    ("true-client-ip", "mine"),
    ("x-amzn-trace-id", "mine"),
    ("x-amz-security-token", "mine"),
    ("x-amz-date", "mine"),
    ("lambda-runtime-aws-request-id", "mine"),
    ("lambda-runtime-deadline-ms", "mine"),
    ("x-http-method", "mine"),
    ("x-http-method-override", "mine"),
    ("x-method-override", "mine"),
    ("x-original-url", "mine"),
    ("x-rewrite-url", "mine"),
    ("host", "mine.example"),
    ("expect", "100-continue"),
    ("te", "trailers"),
    ("trailer", "mine"),
    ("upgrade", "mine"),
    ("keep-alive", "mine"),
    ("proxy-connection", "mine"),
    ("connection", "close, x-own"),
    ("x-own", "mine"),
    ("range", "bytes=0-1"),
    ("if-range", "mine"),
    ("content-length", "1"),
    ("transfer-encoding", "chunked"),
    ("accept-encoding", "gzip"),
    ("access-control-request-method", "mine"),
    ("max-forwards", "1"),
    ("cdn-loop", "mine"),
    ("proxy", "mine"),
];

#[tokio::test]
async fn some_headers_never_go_upstream_also_where_any_may() {
    let world = World::new("GET /a: { {open}, request: { headers: any } }").await;
    let mut ask = world.get("/a").header("x-mine", "1");
    for (name, value) in NEVER_UP {
        ask = ask.header(name, value);
    }
    assert_eq!(ask.send().await.verdict(), "200");
    let seen = world.upstream.seen().pop().unwrap();
    assert_eq!(seen.all("x-mine"), ["1"]);
    assert_eq!(seen.all("authorization"), [format!("Bearer {CANARY}")]);
    assert_eq!(seen.all("host"), [world.upstream.address.to_string()]);
    assert_eq!(seen.all("accept-encoding"), ["identity"]);
    for (name, _) in
        NEVER_UP.iter().filter(|(name, _)| !["authorization", "host", "accept-encoding"].contains(name))
    {
        assert_eq!(seen.all(name), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn declared_headers_go_upstream_with_their_repeats_in_order() {
    let world = World::new("GET /a: { {open}, request: { headers: [x-mine, x-own] } }").await;
    let ask = world
        .get("/a")
        .header("x-mine", "1")
        .header("accept", "a/b")
        .header("x-mine", "2")
        .header("x-other", "3");
    let ask =
        ask.header("if-none-match", "\"e\"").header("accept-language", "de").header("content-type", "a/b");
    let ask =
        ask.header("connection", "x-own").header("x-own", "hop").header("origin", APP).header("referer", "r");
    assert_eq!(ask.send().await.verdict(), "200");
    let seen = world.upstream.seen().pop().unwrap();
    assert_eq!(seen.all("x-mine"), ["1", "2"]);
    assert_eq!(seen.all("accept"), ["a/b"]);
    assert_eq!(seen.all("if-none-match"), ["\"e\""]);
    let mut names: Vec<&str> = seen.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "content-type",
        "host",
        "if-none-match",
        "user-agent",
        "x-mine",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn the_upstreams_own_headers_are_set_over_the_callers() {
    let setup = Setup::routes("GET /a: { {open}, request: { headers: any } }");
    let upstream =
        "credential: { bearer: key }, headers: { Accept: application/ours, X-Version: '3', user-agent: us }";
    let world = setup.upstream(upstream).start().await;
    let ask = world.get("/a").header("accept", "mine").header("x-version", "1").header("x-version", "2");
    ask.header("user-agent", "mine").send().await;
    let seen = world.upstream.seen().pop().unwrap();
    for (name, expected) in [("accept", "application/ours"), ("x-version", "3"), ("user-agent", "us")] {
        assert_eq!(seen.all(name), [expected], "{name}");
    }
}

const NEVER_DOWN: &[(&str, &str)] = &[
    ("set-cookie", "a=b"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "x-secret"),
    ("access-control-allow-private-network", "true"),
    ("vary", "accept"),
    ("alt-svc", "h3=\":443\""),
    ("strict-transport-security", "max-age=1"),
    ("proxy-authenticate", "Basic"),
    ("keep-alive", "timeout=5"),
    ("connection", "x-hop"),
    ("x-hop", "1"),
    ("trailer", "x"),
];

#[tokio::test]
async fn some_headers_never_come_back_also_where_any_may() {
    let all = |_: &_| {
        let said =
            say(200).with("x-rate", "1").with("x-rate", "2").with("content-type", "text/plain").body("hi");
        NEVER_DOWN.iter().fold(said, |said, (name, value)| said.with(name, value))
    };
    let routes = "GET /any: { {open}, response: { headers: any } }\nGET /some: { {open}, response: { headers: [x-rate] } }\nGET /none: { {open} }";
    let world = Setup::routes(routes).answer(all).start().await;
    let names = async |path: &str| {
        let answer = world.get(path).send().await;
        let mut names: Vec<String> = answer.0.headers().keys().map(ToString::to_string).collect();
        names.sort_unstable();
        (names.join(" "), answer.header("x-rate").unwrap_or_default())
    };
    let (any, rates) = names("/any").await;
    assert_eq!((any.as_str(), rates.as_str()), ("cache-control content-type date vary x-rate", "1, 2"));
    assert_eq!(
        names("/some").await,
        ("cache-control content-type vary x-rate".to_owned(), "1, 2".to_owned())
    );
    assert_eq!(names("/none").await.0, "cache-control content-type vary");
    let answer = world.get("/any").send().await;
    assert_eq!(
        (answer.header("vary"), answer.header("cache-control")),
        (Some("Origin, accept".into()), Some("no-store".into()))
    );
}

#[tokio::test]
async fn what_the_upstream_says_about_caching_stands() {
    let script = |_: &_| {
        let said =
            say(200).with("cache-control", "max-age=60").with("etag", "\"1\"").with("retry-after", "3");
        said.with("last-modified", "Sat, 21 Nov 2026 10:00:00 GMT").with("content-language", "de")
    };
    let world = Setup::routes("GET /a: { {open} }").answer(script).start().await;
    let answer = world.get("/a").send().await;
    for (name, expected) in [("cache-control", "max-age=60"), ("etag", "\"1\""), ("retry-after", "3")] {
        assert_eq!(answer.header(name).as_deref(), Some(expected));
    }
    assert!(answer.header("last-modified").is_some() && answer.header("content-language").is_some());
}

#[tokio::test]
async fn a_range_goes_upstream_only_where_it_is_declared() {
    let routes = "GET /a: { {open}, request: { headers: any } }\nGET /r: { {open}, dangerous_range: true }";
    let script =
        |seen: &crate::upstream::Seen| if seen.all("range").is_empty() { say(200) } else { say(206) };
    let world = Setup::routes(routes).answer(script).start().await;
    let check = async |path: &str, expected: &str| {
        let answer = world.get(path).header("range", "bytes=0-1").send().await;
        assert_eq!(answer.verdict(), expected, "{path}");
    };
    check("/a", "200").await;
    check("/r", "206").await;
}
