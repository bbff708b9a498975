//! The order of checks. Each request breaks two rules, or more; the earlier one is named.

use countersign::wire::Problem;
use countersign::wire::problem::Kind;

use crate::world::{APP, FOREIGN, Setup};

const ROUTES: &str = "\
POST /a: { {open}, request: { query: [q], content_types: [application/json], max_bytes: 8B } }
POST /members: { allow: [members], upstream: api, request: { max_bytes: 8B } }";

const LONG: &str = "longer than eight bytes";

#[tokio::test]
async fn of_two_broken_rules_the_earlier_is_named() {
    let mend = |declared: &mut countersign::config::Declared| {
        declared.callers.get_mut("members").unwrap().anonymous = false;
    };
    let world = Setup::routes(ROUTES).mend(mend).start().await;
    let check = async |method: &str,
                       target: &str,
                       origin: &str,
                       content_type: &str,
                       body: &str,
                       expected: &str| {
        let ask = world.ask(method, target).header("content-type", content_type).body(body.to_owned());
        let ask = if origin.is_empty() { ask } else { ask.from(origin) };
        let ask = if method == "OPTIONS" { ask.header("access-control-request-method", "POST") } else { ask };
        assert_eq!(ask.send().await.verdict(), expected, "{method} {target} {origin} {content_type} {body}");
    };
    let (json, text) = ("application/json", "text/plain");
    // path syntax > preflight
    check("OPTIONS", "/a/../b", FOREIGN, json, "", "400 malformed_path").await;
    check("OPTIONS", "/a/../b", APP, json, "", "400 malformed_path").await;
    check("OPTIONS", "/a%2Fb", FOREIGN, json, "", "400 malformed_path").await;
    check("OPTIONS", "/a%2Fb", APP, json, "", "400 malformed_path").await;
    // within a preflight: origin > path
    check("OPTIONS", "/nowhere", FOREIGN, json, "", "403 origin_not_allowed").await;
    check("OPTIONS", "/nowhere", APP, json, "", "404 route_not_found").await;
    check("OPTIONS", "/a?x=1", APP, text, LONG, "204").await;
    // path syntax > origin
    check("POST", "/a/./b", FOREIGN, json, "{}", "400 malformed_path").await;
    check("POST", "/a%2Fb", FOREIGN, json, "{}", "400 malformed_path").await;
    // origin > route, method, caller, query, length, type
    check("POST", "/nowhere", FOREIGN, json, "{}", "403 origin_not_allowed").await;
    check("GET", "/a", FOREIGN, json, "{}", "403 origin_not_allowed").await;
    check("POST", "/members", FOREIGN, json, "{}", "403 origin_not_allowed").await;
    check("POST", "/a?x=1", FOREIGN, text, LONG, "403 origin_not_allowed").await;
    // route > method, query
    check("PATCH", "/nowhere?x=1", APP, text, LONG, "404 route_not_found").await;
    // method > caller, query
    check("GET", "/members?x=1", APP, text, LONG, "405 method_not_allowed").await;
    // caller > query, length
    check("POST", "/members?x=1", APP, text, LONG, "401 token_missing").await;
    check("POST", "/members", APP, text, LONG, "401 token_missing").await;
    // query > length > type
    check("POST", "/a?x=1", APP, text, LONG, "400 query_not_allowed").await;
    check("POST", "/a?q=1", APP, text, LONG, "413 body_too_large").await;
    check("POST", "/a?q=1", APP, text, "{}", "415 content_type_not_allowed").await;
    assert!(world.upstream.seen().is_empty());
    // and nothing is left to break
    check("POST", "/a?q=1", APP, json, "{}", "200").await;
    check("POST", "/a?q=1", "", json, "{}", "200").await;
    assert_eq!(world.upstream.seen().len(), 2);
}

/// What the door could not read is said where the rest of the request is judged.
#[tokio::test]
async fn a_fault_of_the_event_is_said_with_the_faults_of_the_request() {
    let world = Setup::routes(ROUTES).start().await;
    let check = async |target: &str, origin: &str, expected: &str| {
        let mut ask = world.post(target).from(origin);
        ask.request.fault = Some(Problem::new(Kind::MalformedEvent, "the body is no base64"));
        assert_eq!(ask.send().await.verdict(), expected, "{target} {origin}");
    };
    check("/a/../b", APP, "400 malformed_path").await;
    check("/nowhere", FOREIGN, "403 origin_not_allowed").await;
    check("/nowhere", APP, "404 route_not_found").await;
    check("/a?x=1", APP, "400 malformed_event").await;
    check("/a", APP, "400 malformed_event").await;
}
