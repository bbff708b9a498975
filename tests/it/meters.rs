//! Meters: numbers that answers say of themselves, in the record and in the metrics.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::metrics::said;
use crate::upstream::{Seen, say};
use crate::world::{APP, CANARY, Setup, World};

const USAGE: &str = r#"{"text":"hi","usage":{"total_tokens":123}}"#;

/// A route with these meters and this besides, and an upstream that answers so.
async fn world(meters: &str, more: &str, kind: &'static str, body: impl Into<Vec<u8>>) -> World {
    let body = body.into();
    let routes = format!("GET /a: {{ {{open}}, response: {{ meter: {meters}{more} }} }}");
    let script = move |_: &Seen| say(200).with("content-type", kind).body(body.clone());
    Setup::routes(&routes).answer(script).start().await
}

/// What a record says that these meters read of an answer.
async fn read(meters: &str, kind: &'static str, body: impl Into<Vec<u8>>) -> Value {
    let world = world(meters, "", kind, body).await;
    let answer = world.get("/a?").from(APP).send().await;
    assert_eq!(answer.status(), 200);
    world.record()["meters"].clone()
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

#[tokio::test]
async fn what_a_meter_reads_is_in_the_record_and_in_the_metrics() {
    let meters = "{ tokens: .usage.total_tokens, calls: '1', size: '.text | length' }";
    let world = world(meters, "", JSON, USAGE).await;
    let answer = world.get("/a").send().await;
    assert_eq!(answer.text(), USAGE);
    assert_eq!(world.record()["meters"], json!({ "calls": 1, "size": 2, "tokens": 123 }));
    let metrics = said(&world).remove(0);
    let spent =
        ["Meter.calls", "Meter.size", "Meter.tokens", "Caller", "Route"].map(|name| metrics[name].clone());
    assert_eq!(spent, [json!(1), json!(2), json!(123), json!("website"), json!("GET /a")]);
}

#[tokio::test]
async fn a_number_is_whole_and_not_negative_or_it_is_none() {
    let check = async |program: &str, expected: Value| {
        let expected = if expected.is_null() { expected } else { json!({ "n": expected }) };
        assert_eq!(read(&format!("{{ n: '{program}' }}"), JSON, USAGE).await, expected, "{program}");
    };
    check("0", json!(0)).await;
    check("1.99", json!(1)).await;
    check("1e3", json!(1000)).await;
    check("9007199254740991", json!(9_007_199_254_740_991_u64)).await;
    for program in [
        "9007199254740993",
        "1e400",
        "-1",
        "nan",
        "infinite",
        "null",
        "true",
        "\"12\"",
        "[1]",
        "empty",
        "1, 2",
        ".nope.nope",
        "error(\"no\")",
        ".usage.nope",
        "[range(99)]",
    ] {
        check(program, Value::Null).await;
    }
}

#[tokio::test]
async fn what_is_no_json_has_no_numbers_and_passes() {
    for (kind, body) in [
        (JSON, "{\"usage\":"),
        (JSON, ""),
        (JSON, "{\"n\":1,\"n\":2}"),
        ("text/plain", USAGE),
        ("image/png", "\u{0}"),
        ("", USAGE),
    ] {
        assert_eq!(read("{ tokens: .usage.total_tokens }", kind, body).await, Value::Null, "{kind} {body}");
    }
}

#[tokio::test]
async fn it_sees_the_answer_as_it_came_and_who_asked() {
    let meters = "{ tokens: .usage.total_tokens, asked: '$request.query.n | tonumber', status: $status }";
    let routes = format!(
        "GET /a: {{ {{open}}, request: {{ query: [n] }}, response: {{ meter: {meters}, transform: '{{text}}' }} }}"
    );
    let script = |_: &Seen| say(201).with("content-type", JSON).body(USAGE);
    let world = Setup::routes(&routes).answer(script).start().await;
    assert_eq!(world.get("/a?n=5").send().await.text(), r#"{"text":"hi"}"#);
    assert_eq!(world.record()["meters"], json!({ "asked": 5, "status": 201, "tokens": 123 }));
}

#[tokio::test]
async fn an_answer_that_is_refused_or_reshaped_in_vain_has_cost_all_the_same() {
    for (status, more) in [(429, ", errors: hide"), (500, ""), (200, ", transform: 'error(\"no\")'")] {
        let routes =
            format!("POST /a: {{ {{open}}, response: {{ meter: {{ n: .usage.total_tokens }}{more} }} }}");
        let script = move |_: &Seen| say(status).with("content-type", JSON).body(USAGE);
        let world = Setup::routes(&routes).answer(script).start().await;
        world.post("/a").send().await;
        assert_eq!(world.record()["meters"], json!({ "n": 123 }), "{status}");
    }
}

#[tokio::test]
async fn of_events_and_of_lines_the_last_number_counts() {
    let events = "\u{feff}: hi\n\nevent: message_start\ndata: {\"usage\":{\"in\":5,\"out\":1}}\n\n\
                  data: {\"delta\":\"x\"}\r\n\r\ndata: {\"usage\":{\ndata: \"out\":7}}\n\ndata: no json\n\n\
                  data: [DONE]\n\ndata: {\"usage\":{\"out\":9}}";
    let meters = "{ input: .usage.in, output: .usage.out }";
    let expected = json!({ "input": 5, "output": 7 });
    assert_eq!(read(meters, EVENTS, events).await, expected);
    let lines = "{\"usage\":{\"in\":5}}\n\nno json\n{\"usage\":{\"out\":1}}\n{\"usage\":{\"out\":7}}";
    assert_eq!(read(meters, LINES, lines).await, expected);
}

#[tokio::test]
async fn a_body_that_passes_as_it_arrives_is_read_along_and_not_touched() {
    let events = ": hi\nunknown: field\ndata: {\"n\": 1}\n\ndata: {\"n\": 2}\n\ndata: [DONE]\n\n";
    let lines = "{\"n\": 1}\n{\"n\": 2}";
    for (kind, body, more) in
        [(EVENTS, events, ""), (LINES, lines, ""), (EVENTS, events, ", transform: '{m: .n}'")]
    {
        let routes =
            format!("GET /a: {{ {{open}}, response: {{ stream: true, meter: {{ n: .n }}{more} }} }}");
        let script = move |_: &Seen| say(200).with("content-type", kind).body(body);
        let world = Setup::routes(&routes).streaming().answer(script).start().await;
        let (_, _, mut arriving) = world.get("/a").send().await.0.into_parts();
        let mut text = Vec::new();
        while let Some(chunk) = arriving.next().await {
            text.extend_from_slice(&chunk);
        }
        world.proxy.passages.settle().await;
        assert_eq!(text == body.as_bytes(), more.is_empty(), "{}", String::from_utf8_lossy(&text));
        let record = world.record();
        assert_eq!((&record["meters"], &record["stream"]), (&json!({ "n": 2 }), &json!("complete")));
        assert_eq!(said(&world)[0]["Meter.n"], 2);
    }
}

/// Else a caller could choose the form that is not metered.
#[tokio::test]
async fn what_is_no_event_is_metered_on_a_route_that_streams_too() {
    let routes = "GET /a: { {open}, response: { stream: true, meter: { n: .usage.total_tokens } } }";
    let script = |_: &Seen| say(200).with("content-type", JSON).body(USAGE);
    let world = Setup::routes(routes).streaming().answer(script).start().await;
    assert_eq!(world.get("/a").send().await.text(), USAGE);
    assert_eq!(world.record()["meters"], json!({ "n": 123 }));
}

#[tokio::test]
async fn a_packed_answer_is_metered() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(USAGE.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let script = move |_: &Seen| {
        say(200).with("content-type", JSON).with("content-encoding", "gzip").body(packed.clone())
    };
    let routes = "GET /a: { {open}, response: { meter: { n: .usage.total_tokens } } }";
    let world = Setup::routes(routes).answer(script).start().await;
    let answer = world.get("/a").header("accept-encoding", "gzip").send().await;
    assert_eq!((answer.text().as_str(), answer.header("content-encoding")), (USAGE, None));
    assert_eq!(world.record()["meters"], json!({ "n": 123 }));
}

#[tokio::test]
async fn no_secret_is_read_as_a_number() {
    const DIGITS: &str = "4711081547";
    let escaped: String = DIGITS.chars().map(|digit| format!("\\u{:04x}", u32::from(digit))).collect();
    let power = "4.711081547e9".to_owned();
    for text in [format!("\"{DIGITS}\""), format!("\"{escaped}\""), DIGITS.to_owned(), power] {
        let body = format!("{{\"echo\":{text},\"n\":1}}");
        let script = move |_: &Seen| say(200).with("content-type", JSON).body(body.clone());
        let routes =
            "GET /a: { {open}, response: { meter: { echo: '.echo | tonumber', same: .echo, n: .n } } }";
        let setup = Setup::routes(routes).secret("pin", DIGITS).upstream("credential: { bearer: pin }");
        let world = setup.answer(script).start().await;
        world.get("/a").send().await;
        let lines = world.proxy.trail.lines().concat();
        assert!(!lines.contains(DIGITS) && world.record()["meters"]["echo"].is_null(), "{text}: {lines}");
        assert!(DIGITS == text || world.record()["meters"]["n"] == 1, "{text}: {lines}");
    }
}

#[tokio::test]
async fn a_leak_is_cut_out_before_a_meter_sees_it() {
    let body = json!({ "key": CANARY, "n": 4 }).to_string();
    let world = world("{ length: '.key | length', n: .n }", "", JSON, body).await;
    world.get("/a").send().await;
    let record = world.record();
    let expected = json!({ "length": "[redacted]".len(), "n": 4 });
    assert_eq!((&record["meters"], &record["leak"]), (&expected, &json!(true)));
}

/// It cost nothing where it was paid for once.
#[tokio::test]
async fn what_is_kept_is_metered_when_it_is_fetched() {
    let world = world("{ n: .usage.total_tokens }", ", cache: 60s", JSON, USAGE).await;
    for (outcome, expected) in [("miss", json!({ "n": 123 })), ("hit", Value::Null)] {
        world.get("/a").send().await;
        let record = world.record();
        assert_eq!((&record["cache"], &record["meters"]), (&json!(outcome), &expected));
    }
}

#[tokio::test]
async fn a_meter_that_comes_to_no_end_fails_no_request() {
    let endless = "[range(2500)] | [{a: .[], b: .[]}] | length";
    let world = world(&format!("{{ b: '{endless}', c: '1', a: '2' }}"), "", JSON, USAGE).await;
    let answer = world.get("/a").send().await;
    assert_eq!(answer.text(), USAGE);
    // None is asked after it.
    assert_eq!(world.record()["meters"], json!({ "a": 2 }));
    assert!(world.proxy.is_spent());
}
