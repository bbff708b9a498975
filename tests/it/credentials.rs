//! How each recipe proves us to the upstream, and that a caller's own proof goes nowhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::upstream::Seen;
use crate::world::{CANARY, PASSWORD, Setup, USER, World};

async fn armed(recipe: &str, routes: &str) -> World {
    Setup::routes(routes).upstream(&format!("credential: {recipe}")).start().await
}

/// What the upstream saw of a call through a route with this credential.
async fn seen(recipe: &str) -> Seen {
    let world = armed(recipe, "GET /a: { {open}, request: { query: any, headers: any } }").await;
    let ask =
        world.get("/a?q=1&key=mine").header("authorization", "Bearer mine").header("cookie", "sid=mine");
    let answer = ask.header("x-api-key", "mine").header("x-token", "mine").send().await;
    assert_eq!(answer.verdict(), "200", "{recipe}");
    world.upstream.seen().pop().unwrap()
}

#[tokio::test]
async fn each_recipe_puts_the_secret_in_its_place() {
    let check = async |recipe: &str, header: &str, expected: &str| {
        assert_eq!(seen(recipe).await.all(header), [expected], "{recipe}");
    };
    let basic =
        |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    check("{ bearer: key }", "authorization", &format!("Bearer {CANARY}")).await;
    let pair = "{ basic: { username: { secret: pair.user }, password: { secret: pair.password } } }";
    check(pair, "authorization", &basic(USER, PASSWORD)).await;
    check("{ basic: { username: api, password: { secret: key } } }", "authorization", &basic("api", CANARY))
        .await;
    check("{ basic: { username: { secret: key }, password: '' } }", "authorization", &basic(CANARY, ""))
        .await;
    check("{ header: { name: X-Token, value: { secret: key } } }", "x-token", CANARY).await;
    check("{ header: { name: X-Api-Key, value: { secret: key } } }", "x-api-key", CANARY).await;
    let words = "{ header: { name: Authorization, value: { secret: key, format: 'Token token={}' } } }";
    check(words, "authorization", &format!("Token token={CANARY}")).await;
    check("{ cookie: { name: sid, value: { secret: key } } }", "cookie", &format!("sid={CANARY}")).await;
}

#[tokio::test]
async fn a_query_credential_takes_the_place_of_the_callers_parameter() {
    let seen = seen("{ query: { name: key, value: { secret: key } } }").await;
    assert_eq!(seen.query(), [("q".to_owned(), "1".to_owned()), ("key".to_owned(), CANARY.to_owned())]);
}

/// Some frameworks read names without case, or `key[]` as one of several.
#[tokio::test]
async fn no_other_spelling_of_its_name_stands_beside_the_credential() {
    let recipe = "[{ query: { name: key, value: { secret: key } } }, { header: { name: X-Token, value: { secret: key } } }, \
                  { header: { name: X_Sign, value: { secret: key } } }]";
    let world = armed(recipe, "GET /a: { {open}, request: { query: any, headers: any } }").await;
    let ask = world.get("/a?KEY=mine&q=1&key[]=mine&Key%5B%5D=mine&key[0]=mine&key%5Ba%5D=mine");
    let ask = ask.header("x_token", "mine").header("x-sign", "mine");
    assert_eq!(ask.header("X_HTTP_Method_Override", "DELETE").send().await.verdict(), "200");
    let seen = world.upstream.seen().pop().unwrap();
    assert_eq!(seen.query(), [("q".to_owned(), "1".to_owned()), ("key".to_owned(), CANARY.to_owned())]);
    assert_eq!((seen.all("x-sign").len(), seen.all("x_sign").len()), (0, 1));
    assert_eq!((seen.all("x_token").len(), seen.all("x_http_method_override").len()), (0, 0));
}

#[tokio::test]
async fn a_path_credential_is_one_segment_of_the_upstreams_path() {
    let routes = "POST /send/{name}: { {open}, path: '/bot{token}/{name}' }";
    let world = armed("{ path: { param: token, value: { secret: key } } }", routes).await;
    assert_eq!(world.post("/send/message").send().await.verdict(), "200");
    let seen = world.upstream.seen().pop().unwrap();
    let segments: Vec<_> =
        seen.path().split('/').map(|s| percent_decode_str(s).decode_utf8().unwrap()).collect();
    assert_eq!(segments, ["", format!("bot{CANARY}").as_str(), "message"]);
}

#[tokio::test]
async fn several_recipes_all_apply() {
    let seen = seen(
        "[{ bearer: key }, { header: { name: X-Token, value: plain } }, { cookie: { name: a, value: { secret: key } } }, \
         { cookie: { name: b, value: two } }, { query: { name: key, value: { secret: pair.user } } }]",
    )
    .await;
    assert_eq!(seen.all("authorization"), [format!("Bearer {CANARY}")]);
    assert_eq!(seen.all("x-token"), ["plain"]);
    assert_eq!(seen.all("cookie"), [format!("a={CANARY}; b=two")]);
    assert_eq!(seen.query().pop().unwrap().1, USER);
}

#[tokio::test]
async fn what_a_caller_proves_itself_with_never_goes_upstream() {
    for recipe in [
        "{ query: { name: key, value: { secret: key } } }",
        "{ header: { name: X-Token, value: { secret: key } } }",
    ] {
        let seen = seen(recipe).await;
        for name in ["authorization", "cookie", "x-api-key"] {
            assert_eq!(seen.all(name), Vec::<String>::new(), "{recipe} {name}");
        }
        assert!(!seen.all("x-token").contains(&"mine".to_owned()) || recipe.contains("query"), "{recipe}");
    }
}

/// A credential is the upstream's, so routes to another one do not carry it.
#[tokio::test]
async fn an_upstream_without_a_credential_gets_none() {
    let world = Setup::routes("GET /a: { {open} }").upstream("").start().await;
    assert_eq!(world.get("/a").header("authorization", "Bearer mine").send().await.verdict(), "200");
    assert_eq!(world.upstream.seen()[0].all("authorization"), Vec::<String>::new());
    assert_eq!(world.record()["secrets"], serde_json::json!([]));
}
