//! Query parameters are judged by their schemas, and go on as they were sent.

use serde_json::json;

use crate::world::{APP, Setup};

const ROUTES: &str = "\
GET /search: { {open}, request: { query: { page: { type: integer, minimum: 1, maximum: 100 }, q: { $ref: schemas/text.yaml, required: true } } } }
GET /tags: { {open}, request: { query: { tag: { type: array, items: { enum: [a, b] } } } } }
GET /broken: { {open}, request: { query: { q: { pattern: '(?=x)' } } } }";

fn setup() -> Setup {
    Setup::routes(ROUTES).file("schemas/text.yaml", "{ type: string, minLength: 2 }")
}

#[tokio::test]
async fn what_fits_goes_upstream_as_it_was_sent() {
    let world = setup().start().await;
    let check = async |target: &str| {
        let answer = world.get(target).from(APP).send().await;
        assert_eq!(answer.verdict(), "200", "{target}");
        let seen = world.upstream.seen();
        assert_eq!(seen.last().unwrap().target, target);
    };
    check("/search?q=ab&page=100").await;
    check("/search?page=1&q=12").await;
    check("/search?q=%7B%22").await;
    check("/tags").await;
    check("/tags?tag=a&tag=b").await;
}

#[tokio::test]
async fn what_does_not_fit_is_told_by_parameter() {
    let world = setup().start().await;
    let check = async |target: &str, expected: serde_json::Value| {
        let answer = world.get(target).from(APP).send().await;
        assert_eq!(answer.verdict(), "400 query_not_allowed", "{target}");
        assert_eq!(answer.json()["errors"], expected, "{target}");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(APP));
    };
    let place = |pointer: &str, detail: &str| json!({ "pointer": pointer, "detail": detail });
    check("/search", json!([place("/q", "is missing")])).await;
    check("/search?q=ab&page=0", json!([place("/page", "must be at least 1")])).await;
    check("/search?q=ab&page=two", json!([place("/page", "must be a whole number")])).await;
    check("/search?q=ab&q=cd", json!([place("/q", "must be sent once")])).await;
    check("/tags?tag=a&tag=c", json!([place("/tag/1", "must be one of a, b")])).await;
    let answer = world.get("/search?q=ab&other=1").send().await;
    assert_eq!(answer.json()["detail"], "this route takes the query parameters page, q");
    assert!(answer.json().get("errors").is_none());
    assert!(world.upstream.seen().is_empty());
}

/// `countersign check` would have said so before it was deployed.
#[tokio::test]
async fn a_schema_that_does_not_compile_is_a_fault_of_its_route_only() {
    let world = setup().start().await;
    let answer = world.get("/broken?q=x").send().await;
    assert_eq!(answer.verdict(), "500 internal");
    assert!(!answer.shows("pattern"));
    let cause = world.record()["cause"].as_str().unwrap().to_owned();
    assert!(cause.contains("/properties/q/pattern"), "{cause}");
    assert_eq!(world.get("/tags").send().await.verdict(), "200");
}
