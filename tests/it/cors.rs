//! Our own rules of CORS, as a browser meets them.

use countersign::wire::Problem;
use countersign::wire::problem::Kind;

use crate::browser::{Page, Seen, Verdict};
use crate::upstream::say;
use crate::world::{APP, Answer, FOREIGN, Setup, World};

const ROUTES: &str = "\
GET /a: { {open}, request: { headers: [x-mine] }, response: { headers: [x-rate] } }
PUT /a: { {open}, request: { headers: [x-put] } }
POST /b/{id}: { {open}, request: { content_types: [application/json], max_bytes: 8B } }
ANY /any: { {open}, request: { headers: any }, response: { headers: any } }";

async fn world() -> World {
    let permissive = |_: &_| {
        let said = say(200)
            .with("access-control-allow-origin", "*")
            .with("access-control-allow-credentials", "true");
        said.with("access-control-expose-headers", "*")
            .with("vary", "accept")
            .with("x-rate", "1")
            .with("x-more", "2")
    };
    let cors = format!(
        "{{ origins: ['{APP}', 'https://*.preview.example.com', 'http://localhost:8000'], max_age: 10m }}"
    );
    Setup::routes(ROUTES).cors(&cors).answer(permissive).start().await
}

fn seen(answer: &Answer) -> Seen {
    let headers = answer.0.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    Seen { status: answer.status().as_u16(), headers }
}

/// Whether a page of this origin may read the answer.
fn readable(answer: &Answer, origin: &str) -> bool {
    Page { origin, include: false }.read(&seen(answer), &[]) != Verdict::Blocked
}

#[tokio::test]
async fn a_page_reads_what_the_route_lets_through_and_nothing_else() {
    let world = world().await;
    let check = async |path: &str, expected: &[&str]| {
        let answer = world.get(path).from(APP).send().await;
        let names = ["x-rate", "x-more", "etag", "retry-after", "content-type"];
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        let found = Page { origin: APP, include: false }.read(&seen(&answer), &names);
        assert_eq!(found, Verdict::Readable(expected), "{path} {answer:?}");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(APP));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    };
    check("/a", &["content-type", "etag", "retry-after", "x-rate"]).await;
    check("/any", &["content-type", "etag", "retry-after", "x-more", "x-rate"]).await;
}

#[tokio::test]
async fn origins_are_matched_to_the_letter() {
    let world = world().await;
    let check = async |origin: &str, fine: bool| {
        let answer = world.get("/a").from(origin).send().await;
        assert_eq!(answer.status(), if fine { 200 } else { 403 }, "{origin}");
        assert_eq!(readable(&answer, origin), fine, "{origin}");
        let leave = world.preflight("GET", "/a").from(origin).send().await;
        assert_eq!(leave.status(), if fine { 204 } else { 403 }, "{origin}");
    };
    for origin in [APP, "http://localhost:8000", "https://pr-7.preview.example.com"] {
        check(origin, true).await;
    }
    for origin in [
        FOREIGN,
        "null",
        "",
        "*",
        "https://app.example.com/",
        "http://app.example.com",
        "https://app.example.com:443",
        "https://app.example.com.evil.example",
        "https://APP.example.com",
        "https://preview.example.com",
        "https://a.b.preview.example.com",
        "https://pr-7.preview.example.com:8443",
        "http://localhost",
        "http://localhost:80",
        "https://evilapp.example.com",
        "https://app.example.com, https://evil.example",
        "https://.preview.example.com",
        "https://pr-7.preview.example.com.evil.example",
        "app.example.com",
    ] {
        check(origin, false).await;
    }
    assert_eq!(world.upstream.seen().len(), 3);
}

#[tokio::test]
async fn two_origins_are_nobodys() {
    let world = world().await;
    for second in [APP, FOREIGN] {
        let answer = world.get("/a").from(APP).from(second).send().await;
        assert_eq!(answer.verdict(), "403 origin_not_allowed", "{second}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_with_the_routes_methods_and_headers() {
    let world = world().await;
    let check = async |method: &str, path: &str, names: &str, expected: Option<u64>| {
        let answer = world
            .preflight(method, path)
            .from(APP)
            .header("access-control-request-headers", names)
            .send()
            .await;
        let names: Vec<String> =
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let found = Page { origin: APP, include: false }.preflight(&seen(&answer), method, &names);
        let expected = expected.map_or(Verdict::Blocked, |max_age| Verdict::Leave { max_age });
        assert_eq!(found, expected, "{method} {path} {names:?} {answer:?}");
    };
    check("GET", "/a", "", Some(600)).await;
    check("GET", "/a", "x-mine", Some(600)).await;
    check("GET", "/a", "x-put", None).await;
    check("PUT", "/a", "content-type,x-put", Some(600)).await;
    check("PUT", "/a", "x-mine", None).await;
    check("DELETE", "/a", "", None).await;
    check("POST", "/b/1", "content-type", Some(600)).await;
    check("POST", "/b/1", "authorization", None).await;
    check("POST", "/b/1", "x-api-key", None).await;
    check("PATCH", "/any", "x-1,x-2", Some(600)).await;
    check("PATCH", "/any", "authorization", None).await;
    check("PATCH", "/any", "cookie", None).await;
    check("GET", "/nowhere", "", None).await;
    assert_eq!(world.upstream.connections(), 0);
}

/// A page whose request is refused must be able to read why; a stranger must not.
#[tokio::test]
async fn problems_are_readable_by_our_pages_only() {
    let world = world().await;
    let check = async |method: &str, target: &str, content_type: &str, body: &str, expected: u16| {
        let ask = |origin: &str| {
            world.ask(method, target).header("content-type", content_type).body(body.to_owned()).from(origin)
        };
        let ours = ask(APP).send().await;
        assert_eq!(ours.status().as_u16(), expected, "{method} {target}");
        assert!(readable(&ours, APP), "{method} {target} {ours:?}");
        let theirs = ask(FOREIGN).send().await;
        assert!(!readable(&theirs, FOREIGN), "{method} {target} {theirs:?}");
    };
    let json = "application/json";
    check("GET", "/a/../b", json, "", 400).await;
    check("GET", "/nowhere", json, "", 404).await;
    check("DELETE", "/a", json, "", 405).await;
    check("OPTIONS", "/a", json, "", 405).await;
    check("POST", "/b/1?x=1", json, "{}", 400).await;
    check("POST", "/b/1", json, "longer than eight", 413).await;
    check("POST", "/b/1", "text/plain", "x", 415).await;
    let down = Setup::routes("GET /a: { {open}, timeout: 2s }").at("http://127.0.0.1:9").start().await;
    assert!(readable(&down.get("/a").from(APP).send().await, APP));
    let mut fault = world.get("/a").from(APP);
    fault.request.fault = Some(Problem::new(Kind::MalformedEvent, "the body is no base64"));
    assert!(readable(&fault.send().await, APP));
}

#[tokio::test]
async fn a_foreign_page_ends_before_the_credential() {
    let world = world().await;
    for (method, path) in
        [("GET", "/a"), ("POST", "/b/1"), ("GET", "/nowhere"), ("OPTIONS", "/a"), ("HEAD", "/any")]
    {
        let answer = world.ask(method, path).from(FOREIGN).send().await;
        assert_eq!(answer.status(), 403, "{method} {path}");
        let named: Vec<_> =
            answer.0.headers().keys().filter(|n| n.as_str().starts_with("access-control-")).collect();
        assert!(named.is_empty(), "{method} {path} {named:?}");
        assert_eq!(world.record()["secrets"], serde_json::json!([]));
    }
    assert_eq!(world.upstream.connections(), 0);
}

#[tokio::test]
async fn every_answer_says_what_it_varies_by() {
    // What the upstream varies by stands too, as far as it ever sees it.
    let world = world().await;
    let check = async |method: &str, path: &str, origin: Option<&str>, asked: bool| {
        let ask = world.ask(method, path);
        let ask = if let Some(origin) = origin { ask.from(origin) } else { ask };
        let ask = if asked { ask.header("access-control-request-method", "GET") } else { ask };
        let preflight = method == "OPTIONS" && asked && origin.is_some();
        let expected = if preflight {
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        } else if method == "GET" && path == "/a" && origin != Some(FOREIGN) {
            "Origin, accept"
        } else {
            "Origin"
        };
        let answer = ask.send().await;
        assert_eq!(answer.header("vary").as_deref(), Some(expected), "{method} {path} {origin:?} {asked}");
    };
    for origin in [None, Some(APP), Some(FOREIGN)] {
        for path in ["/a", "/nowhere", "/../a"] {
            check("GET", path, origin, false).await;
            check("DELETE", path, origin, false).await;
            check("OPTIONS", path, origin, false).await;
            check("OPTIONS", path, origin, true).await;
        }
    }
}

/// The fallback where the tables of others are not there: every kind of policy, both credentials modes.
#[tokio::test]
async fn policies_end_as_in_a_browser() {
    let check = async |cors: &str, origin: &str, include: bool, expected: bool| {
        let world = Setup::routes("ANY /a: { {open} }").cors(cors).start().await;
        let page = Page { origin, include };
        let answer = world.get("/a").from(origin).send().await;
        assert_eq!(page.read(&seen(&answer), &[]) != Verdict::Blocked, expected, "{cors} {origin} {include}");
        let leave = world.preflight("PUT", "/a").from(origin).send().await;
        let leave = page.preflight(&seen(&leave), "PUT", &["content-type".to_owned()]);
        assert_eq!(leave != Verdict::Blocked, expected, "{cors} {origin} {include}");
    };
    let (exact, vouched) =
        ("{ origins: ['https://a.example'] }", "{ origins: ['https://a.example'], credentials: true }");
    let star = "{ origins: ['https://*.a.example'], credentials: true }";
    check(exact, "https://a.example", false, true).await;
    check(exact, "https://a.example", true, false).await;
    check(exact, "https://b.example", false, false).await;
    check(vouched, "https://a.example", true, true).await;
    check(vouched, "https://b.example", true, false).await;
    check(star, "https://x.a.example", true, true).await;
    check(star, "https://x.y.a.example", true, false).await;
    check("{ origins: ['*'] }", "https://b.example", false, true).await;
    check("{ origins: ['*'] }", "https://b.example", true, false).await;
    check("{ origins: ['*'] }", "null", false, false).await;
    check("", "https://a.example", false, false).await;
}
