//! Which route a request finds, and which paths find none.

use crate::upstream::say;
use crate::world::{Setup, World};

/// Routes whose upstream paths say which of them was found.
const ROUTES: &str = "\
GET /users/me: { {open}, path: /exact }
GET /users/{id}: { {open}, path: '/one/{id}' }
GET /users/{id}/repos: { {open}, path: '/two/{id}' }
ANY /users/{rest+}: { {open}, path: '/rest/{rest}' }
ANY /things: { {open}, path: /any, methods: [GET, PUT] }
POST /things: { {open}, path: /own }
ANY /all: { {open}, path: /all }
PUT /all: { {open}, path: /put }
GET /: { {open}, path: /root }
GET /a.b_c-d: { {open}, path: /odd }
GET /plain: { {open} }
GET /both: { {open}, path: /get }
ANY /both: { {open}, path: /any }
GET /mid/{p+}: { {open}, path: '/mid/{p}/end' }";

#[tokio::test]
async fn the_most_exact_path_wins_and_then_the_method_decides() {
    let world = World::new(ROUTES).await;
    let check = async |method: &str, path: &str, expected: &str| {
        let before = world.upstream.seen().len();
        let answer = world.ask(method, path).send().await;
        let found = match world.upstream.seen().get(before) {
            Some(seen) => format!("{} {}", seen.method, seen.target),
            None => format!("{} {}", answer.verdict(), answer.header("allow").unwrap_or_default()),
        };
        assert_eq!(found.trim(), expected, "{method} {path}");
    };
    check("GET", "/users/me", "GET /exact").await;
    check("GET", "/users/%6De", "GET /exact").await;
    check("GET", "/users/ME", "GET /one/ME").await;
    check("GET", "/users/7", "GET /one/7").await;
    check("GET", "/users/a%20b", "GET /one/a%20b").await;
    check("GET", "/users/7/repos", "GET /two/7").await;
    check("GET", "/users/7/teams", "GET /rest/7/teams").await;
    check("PATCH", "/users/7/8/9", "PATCH /rest/7/8/9").await;
    check("PATCH", "/users/7", "405 method_not_allowed GET, HEAD").await;
    check("GET", "/users", "404 route_not_found").await;
    check("GET", "/users/", "404 route_not_found").await;
    check("GET", "/users/me/", "GET /rest/me/").await;
    check("GET", "/things", "GET /any").await;
    check("PUT", "/things", "PUT /any").await;
    check("POST", "/things", "POST /own").await;
    check("DELETE", "/things", "405 method_not_allowed GET, HEAD, POST, PUT").await;
    check("OPTIONS", "/things", "405 method_not_allowed GET, HEAD, POST, PUT").await;
    check("PUT", "/all", "PUT /put").await;
    for method in ["GET", "HEAD", "POST", "PATCH", "DELETE"] {
        check(method, "/all", &format!("{method} /all")).await;
    }
    // What HEAD describes is what GET would get.
    check("HEAD", "/both", "HEAD /get").await;
    check("POST", "/both", "POST /any").await;
    check("GET", "/mid/a/b", "GET /mid/a/b/end").await;
    check("GET", "/mid/a/", "400 malformed_path").await;
    check("PURGE", "/all", "405 method_not_allowed GET, HEAD, POST, PUT, PATCH, DELETE").await;
    check("get", "/all", "405 method_not_allowed GET, HEAD, POST, PUT, PATCH, DELETE").await;
    check("GET", "/", "GET /root").await;
    check("GET", "/a.b_c-d", "GET /odd").await;
    check("GET", "/aXb_c-d", "404 route_not_found").await;
    check("GET", "/plain", "GET /plain").await;
    check("GET", "/plain/", "404 route_not_found").await;
    check("GET", "/nowhere", "404 route_not_found").await;
}

#[tokio::test]
async fn a_get_route_serves_head_without_a_body() {
    let setup = Setup::routes("GET /a: { {open}, response: { max_bytes: 16B } }\nPOST /p: { {open} }");
    // Longer than the limit, if it had a body.
    let world = setup.answer(|_| say(200).with("etag", "\"1\"").body(vec![b'x'; 64])).start().await;
    let answer = world.ask("HEAD", "/a").send().await;
    assert_eq!((answer.verdict().as_str(), answer.text().as_str()), ("200", ""));
    assert_eq!(answer.header("etag").as_deref(), Some("\"1\""));
    assert_eq!(world.upstream.seen()[0].method, "HEAD");
    let refused = world.ask("HEAD", "/p").send().await;
    assert_eq!((refused.status().as_u16(), refused.text().as_str()), (405, ""));
}

/// Whatever two programs could read differently.
const TRICKS: &[&str] = &[
    "",
    "rest",
    "*",
    "http://evil.example/rest/a",
    "//rest/a",
    "///",
    "/rest//a",
    "/rest/a//",
    "/rest/./a",
    "/rest/../admin",
    "/rest/..",
    "/rest/.",
    "/../rest/a",
    "/./rest/a",
    "/rest/a/../../../admin",
    "/rest/%2e%2e/admin",
    "/rest/%2E%2E/admin",
    "/rest/.%2e/admin",
    "/rest/%2e./admin",
    "/rest/%2e",
    "/rest/%2e/a",
    "/rest/..%2fadmin",
    "/rest/..%2Fadmin",
    "/rest/%2e%2e%2fadmin",
    "/rest/a%2Fb",
    "/rest/%2F",
    "/rest/%2Fetc",
    "/%2Frest/a",
    "/rest%2Fa",
    "/rest/..;/admin",
    "/rest/..;a=b/admin",
    "/rest/.;/a",
    "/rest/%2e%2e;/admin",
    "/rest/..%3B/admin",
    "/rest/a\\b",
    "/rest/..\\admin",
    "/rest/a%5Cb",
    "/rest/..%5cadmin",
    "/rest\\..\\admin",
    "/\\evil.example/a",
    "/rest/%252e%252e/admin",
    "/rest/%252E%252e%252fadmin",
    "/rest/%252f",
    "/rest/a%255cb",
    "/rest/a%2500",
    "/rest/%25252e",
    "/rest/%25%32%65",
    "/rest/%2%65",
    "/rest/a%00",
    "/rest/a%00.json",
    "/rest/a%0d%0aHost:%20evil",
    "/rest/a%0A",
    "/rest/a%09b",
    "/rest/a%7F",
    "/rest/a%1b",
    "/rest/a%c2%80",
    "/rest/a%c2%9f",
    "/rest/%",
    "/rest/%4",
    "/rest/%zz",
    "/rest/%u002e",
    "/rest/a%",
    "/rest/%c0%ae%c0%ae/admin",
    "/rest/%c0%af",
    "/rest/%e0%80%ae",
    "/rest/%f0%80%80%af",
    "/rest/%ff%fe",
    "/rest/%ed%a0%80",
    "/rest/a\tb",
    "/rest/a\nb",
    "/rest/a\u{0}b",
    "/rest/\u{80}",
];

#[tokio::test]
async fn no_trick_with_the_path_reaches_the_upstream() {
    let world =
        World::new("ANY /rest/{rest+}: { {open}, path: '/base/{rest}' }\nANY /one/{id}: { {open} }").await;
    for trick in TRICKS {
        for path in [(*trick).to_owned(), trick.replace("/rest/", "/one/")] {
            let mut ask = world.get("/");
            ask.request.path.clone_from(&path);
            assert_eq!(ask.send().await.verdict(), "400 malformed_path", "{path:?}");
        }
    }
    assert_eq!(world.upstream.connections(), 0);
}

#[tokio::test]
async fn an_encoded_slash_stays_within_its_segment_where_it_is_kept() {
    let world = World::new(
        "GET /npm/{name}: { {open}, path: '/registry/{name}', encoded_slash: keep }
         GET /npm/{name}/{version}: { {open}, path: '/registry/{name}/{version}', encoded_slash: keep }
         GET /files/{path+}: { {open}, path: '/files/{path}', encoded_slash: keep }
         GET /plain/{name}: { {open} }",
    )
    .await;
    let check = async |path: &str, expected: &str| {
        let before = world.upstream.seen().len();
        let answer = world.get(path).send().await;
        let found =
            world.upstream.seen().get(before).map_or_else(|| answer.verdict(), |seen| seen.target.clone());
        assert_eq!(found, expected, "{path}");
    };
    check("/npm/@scope%2Fname", "/registry/@scope%2Fname").await;
    check("/npm/@scope%2fname", "/registry/@scope%2Fname").await;
    check("/npm/@scope%2Fname/1.0.0", "/registry/@scope%2Fname/1.0.0").await;
    check("/files/a%2Fb/c", "/files/a%2Fb/c").await;
    check("/plain/a%2Fb", "400 malformed_path").await;
    check("/nowhere/a%2Fb", "400 malformed_path").await;
    for climber in [
        "..%2Fadmin",
        "a%2F..%2F..%2Fadmin",
        "a%2f%2e%2e%2fadmin",
        ".%2Fa",
        "a%2F.",
        "a%2F..",
        "..%2F..",
        "a%2F..;x%2Fb",
        "..%5C..%2Fa",
        "a%252Fb",
        "a%2F%00",
    ] {
        check(&format!("/npm/{climber}"), "400 malformed_path").await;
        check(&format!("/files/a/{climber}"), "400 malformed_path").await;
    }
}
