//! A rule that is new, and only observed: it lets through whom it would deny,
//! the record says so, and all other rules hold as before.

use countersign::config::Declared;
use serde_json::{Value, json};

use crate::world::{APP, FOREIGN, Setup, World};

const UNMET: &str = "condition_not_met";

#[tokio::test]
async fn a_condition_that_is_observed_lets_through_and_says_so() {
    let check = async |when: &str, verdict: &str, would_deny: Option<&str>| {
        let world = World::new(&format!("GET /a: {{ {{open}}, when: {when} }}")).await;
        assert_eq!(world.get("/a").from(APP).send().await.verdict(), verdict, "{when}");
        let record = world.record();
        assert_eq!(record.get("would_deny").and_then(Value::as_str), would_deny, "{when}");
        assert_eq!(world.upstream.seen().len(), usize::from(verdict == "200"), "{when}");
        assert_eq!(record["code"].as_str(), verdict.strip_prefix("403 "), "{when}");
    };
    check("{ program: 'false', observe: true }", "200", Some(UNMET)).await;
    check("{ program: '.nope.nope.a | error', observe: true }", "200", Some(UNMET)).await;
    check("{ program: 'empty', observe: true }", "200", Some(UNMET)).await;
    check("{ program: '.method == \"GET\"', observe: true }", "200", None).await;
    for when in ["{ program: 'false', observe: false }", "{ program: 'false' }", "'false'"] {
        check(when, "403 condition_not_met", None).await;
    }
    check("{ program: '.method == \"GET\"' }", "200", None).await;
}

/// It costs the environment, so it is not for everybody to start.
#[tokio::test]
async fn a_condition_that_comes_to_no_end_denies_although_it_is_observed() {
    let endless = "[range(2500)] | [{a: .[], b: .[]}] | length == 0";
    let routes = format!("GET /a: {{ {{open}}, when: {{ program: '{endless}', observe: true }} }}");
    let world = World::new(&routes).await;
    assert_eq!(world.get("/a").send().await.verdict(), "403 condition_not_met");
    assert!(world.proxy.is_spent());
    assert!(world.upstream.seen().is_empty());
}

/// As a caller with a token will be declared.
fn unproven(declared: &mut Declared) {
    let members = declared.callers.get_mut("members").unwrap();
    (members.anonymous, members.observe) = (false, true);
}

#[tokio::test]
async fn callers_who_are_observed_get_in_without_proof_and_the_record_says_so() {
    let check = async |more: &str, expected: [Value; 3]| {
        let routes = format!("GET /a: {{ {more}, upstream: api }}");
        let world = Setup::routes(&routes).mend(unproven).start().await;
        assert_eq!(world.get("/a").send().await.verdict(), "200", "{more}");
        let record = world.record();
        let told = ["caller", "would_deny", "code"].map(|name| record[name].clone());
        assert_eq!(told, expected, "{more}");
    };
    check("allow: [members]", [json!("members"), json!("token_missing"), Value::Null]).await;
    check("allow: [members, website]", [json!("website"), Value::Null, Value::Null]).await;
    // The one that would have come first.
    let both = "allow: [members], when: { program: 'false', observe: true }";
    check(both, [json!("members"), json!("token_missing"), Value::Null]).await;
}

#[tokio::test]
async fn all_other_denials_stay_what_they_are() {
    let routes = "GET /a/{id}: { allow: [members], upstream: api, when: { program: 'false', observe: true }, \
                  request: { query: [page], max_bytes: 4B } }";
    let world = Setup::routes(routes).mend(unproven).start().await;
    let check = async |ask: crate::world::Ask<'_>, verdict: &str, would_deny: Value| {
        assert_eq!(ask.send().await.verdict(), verdict);
        assert_eq!(world.record()["would_deny"], would_deny, "{verdict}");
    };
    check(world.get("/a/1").from(FOREIGN), "403 origin_not_allowed", Value::Null).await;
    check(world.get("/a/..%2f1"), "400 malformed_path", Value::Null).await;
    check(world.get("/b"), "404 route_not_found", Value::Null).await;
    check(world.post("/a/1"), "405 method_not_allowed", Value::Null).await;
    check(world.get("/a/1?token=1"), "400 query_not_allowed", json!("token_missing")).await;
    check(world.get("/a/1").body("12345"), "413 body_too_large", json!("token_missing")).await;
    assert!(world.upstream.seen().is_empty());
}
