//! One record for each request, whatever became of it, and nothing in it that is not for the record.

use std::time::{Duration, SystemTime};

use countersign::wire::Problem;
use countersign::wire::problem::Kind;
use serde_json::{Value, json};

use crate::record;
use crate::upstream::say;
use crate::world::{APP, CANARY, FOREIGN, Setup, World};

const ROUTES: &str = "\
GET /a/{id}: { {open}, timeout: 10s, request: { query: [q], headers: any, content_types: [text/plain], max_bytes: 64B }, response: { headers: any, max_bytes: 64B } }
POST /a/{id}: { {open}, timeout: 10s, request: { query: [q], content_types: [text/plain], max_bytes: 64B } }";

/// An upstream that does what the path's parameter says.
async fn world() -> World {
    let script = |seen: &crate::upstream::Seen| match seen.path() {
        "/a/leak" => say(200).body(CANARY),
        "/a/packed" => say(200).with("content-encoding", "made-up").body("x"),
        "/a/gzip" => say(200).with("content-encoding", "gzip").body("x"),
        "/a/part" => say(206).body("x"),
        "/a/long" => say(200).body(vec![b'x'; 65]),
        "/a/down" => say(500).body("body-of-the-answer"),
        _ => say(200).with("x-answer", "header-of-the-answer").body("body-of-the-answer"),
    };
    Setup::routes(ROUTES).upstream("credential: { bearer: key }, retries: 0").answer(script).start().await
}

#[tokio::test]
async fn every_end_leaves_one_record_that_agrees_with_the_answer() {
    let world = world().await;
    let check = async |method: &str, target: &str, origin: &str, body: &str, code: Value| {
        let before = world.records().len();
        let ask =
            world.ask(method, target).from(origin).header("content-type", "text/plain").body(body.to_owned());
        let ask = if method == "OPTIONS" { ask.header("access-control-request-method", "GET") } else { ask };
        let answer = ask.send().await;
        let records = world.records();
        assert_eq!(records.len(), before + 1, "{method} {target}");
        let record = &records[before];
        assert_eq!(record["code"], code, "{method} {target}: {record}");
        assert_eq!(record["status"], answer.status().as_u16(), "{method} {target}");
        assert_eq!(record["bytes_out"], answer.0.body().len(), "{method} {target}");
        assert_eq!(record["bytes_in"], body.len(), "{method} {target}");
        for hidden in [CANARY, "value-of-the-query", "body-of-the", "header-of-the"] {
            assert!(!record.to_string().contains(hidden), "{method} {target}: {record}");
        }
    };
    check("GET", "/a/1?q=value-of-the-query", APP, "", Value::Null).await;
    check("HEAD", "/a/1?q=value-of-the-query", APP, "", Value::Null).await;
    check("OPTIONS", "/a/1?q=value-of-the-query", APP, "", Value::Null).await;
    check("GET", "/a/down", APP, "", Value::Null).await;
    check("GET", "/a/leak", APP, "", Value::Null).await;
    check("GET", "/a/../value-of-the-query", APP, "", json!("malformed_path")).await;
    check("GET", "/a/1", FOREIGN, "", json!("origin_not_allowed")).await;
    check("OPTIONS", "/a/1", FOREIGN, "", json!("origin_not_allowed")).await;
    check("OPTIONS", "/nowhere", APP, "", json!("route_not_found")).await;
    check("GET", "/nowhere", APP, "", json!("route_not_found")).await;
    check("PUT", "/a/1", APP, "body-of-the-request", json!("method_not_allowed")).await;
    check("GET", "/a/1?x=value-of-the-query", APP, "", json!("query_not_allowed")).await;
    check("POST", "/a/1", APP, &"body-of-the-request".repeat(9), json!("body_too_large")).await;
    check("GET", "/a/packed", APP, "", json!("response_withheld")).await;
    check("GET", "/a/gzip", APP, "", json!("upstream_invalid")).await;
    check("GET", "/a/part", APP, "", json!("upstream_invalid")).await;
    check("GET", "/a/long", APP, "", json!("response_too_large")).await;
    let short = world.get("/a/1").within(Duration::ZERO).send().await;
    assert_eq!((short.status().as_u16(), &world.record()["code"]), (504, &json!("upstream_timeout")));
    let typed = world.post("/a/1").header("content-type", "a/b").body("x").send().await;
    assert_eq!((typed.status().as_u16(), &world.record()["code"]), (415, &json!("content_type_not_allowed")));
}

#[tokio::test]
async fn a_record_says_who_what_where_and_with_which_secret() {
    let world = world().await;
    let mut ask = world.post("/a/1?q=1").from(APP).header("content-type", "text/plain").body("12345");
    ask.request.api_key_id = Some("key-id".to_owned());
    ask.send().await;
    let mut record = world.record();
    for millis in ["duration_ms", "upstream_ms"] {
        assert!(record[millis].as_f64().is_some_and(|millis| 0.0 < millis), "{record}");
        record[millis] = Value::Null;
    }
    let expected = json!({
        "time": 0, "request_id": "request-1", "api_key_id": "key-id",
        "method": "POST", "route": "POST /a/{id}", "caller": "website", "human": null, "origin": APP, "source": "192.0.2.1",
        "status": 200, "code": null, "duration_ms": null, "upstream": "api", "upstream_status": 200,
        "upstream_ms": null, "retries": 0, "secrets": [{ "name": "key" }], "bytes_in": 5, "bytes_out": 18,
    });
    assert_eq!(record, expected);
}

#[tokio::test]
async fn a_record_says_how_far_a_refused_request_came() {
    let world = world().await;
    world.get("/a/1").from(FOREIGN).send().await;
    let record = world.record();
    assert_eq!(
        (&record["route"], &record["caller"], &record["secrets"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    assert_eq!(record["origin"], FOREIGN);
    world.get("/a/1?x=1").send().await;
    let record = world.record();
    assert_eq!((&record["route"], &record["caller"]), (&json!("GET /a/{id}"), &json!("website")));
    assert_eq!((&record["upstream"], &record["upstream_ms"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn an_origin_that_no_browser_sends_does_not_fill_the_records() {
    let world = world().await;
    world.get("/a/1").from(&"x".repeat(9000)).send().await;
    assert!(world.record().to_string().len() < 1000);
}

#[tokio::test]
async fn what_is_no_request_leaves_a_record_too() {
    let world = world().await;
    let problem = Problem::new(Kind::MalformedEvent, "this is no event");
    let answer = world.proxy.refuse(&problem, "lambda-1", SystemTime::UNIX_EPOCH);
    let record = world.record();
    assert_eq!((answer.status().as_u16(), &record["status"]), (400, &json!(400)));
    assert_eq!((&record["request_id"], &record["code"]), (&json!("lambda-1"), &json!("malformed_event")));
}

#[tokio::test]
async fn the_cause_is_for_the_record_and_not_for_the_caller() {
    let world = world().await;
    let answer = world.get("/a/part").send().await;
    assert_eq!(world.record()["cause"], "206 without a range request");
    assert!(!answer.shows("206 without"));
}

#[tokio::test]
async fn each_record_is_bound_to_the_one_before_it() {
    let world = world().await;
    for target in ["/a/1", "/nowhere", "/a/leak", "/a/\u{e4}", "/a/packed"] {
        let mut ask = world.get(target).from(FOREIGN);
        ask.request.source = "\u{1f600} \"\u{7f}\u{1}\n\\".to_owned();
        ask.send().await;
    }
    let mut lines = world.proxy.trail.lines();
    lines.retain(|line| line.contains("class_uid"));
    assert_eq!(lines.len(), 5);
    record::check_chain(&lines);
}
