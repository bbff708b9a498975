//! Events that nobody sends, until somebody does: no answer may be a panic.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// The words that decide what an event is, so that chance finds the branches.
const WORDS: [&str; 26] = [
    "version",
    "2.0",
    "1.0",
    "httpMethod",
    "path",
    "rawPath",
    "rawQueryString",
    "requestContext",
    "http",
    "method",
    "elb",
    "headers",
    "multiValueHeaders",
    "queryStringParameters",
    "cookies",
    "body",
    "isBase64Encoded",
    "resource",
    "/{proxy+}",
    "pathParameters",
    "proxy",
    "stage",
    "identity",
    "Records",
    "x-forwarded-for",
    "/a//b/",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![3 => proptest::sample::select(WORDS.as_slice()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((word(), inner), 0..8)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// A good event of each kind.
fn good() -> [Value; 4] {
    let headers = json!({"a": ["1", "2"], "x-forwarded-for": ["::1"]});
    let query = json!({"q": ["%41", "+"]});
    let classic = json!({"httpMethod": "POST", "path": "/v1/a", "resource": "/{proxy+}", "multiValueHeaders": headers,
        "multiValueQueryStringParameters": query, "pathParameters": {"proxy": "a"}, "body": "YQ==",
        "isBase64Encoded": true, "requestContext": {"identity": {"sourceIp": "::1", "apiKeyId": "k"}, "stage": "v1"}});
    let mut one = classic.clone();
    one["version"] = json!("1.0");
    let mut alb = classic.clone();
    alb["requestContext"] = json!({"elb": {}});
    alb["path"] = json!("/a");
    let two = json!({"version": "2.0", "rawPath": "/v1/a", "routeKey": "ANY /{proxy+}", "rawQueryString": "q=%41&q=+",
        "cookies": ["a=1"], "headers": {"a": "1,2"}, "pathParameters": {"proxy": "a"}, "body": "YQ==",
        "isBase64Encoded": true,
        "requestContext": {"http": {"method": "GET", "sourceIp": "::1"}, "stage": "v1", "requestId": "r"}});
    [classic, one, alb, two]
}

/// Puts `new` at the `at`-th place of the tree.
fn mutate(tree: &mut Value, at: &mut usize, new: &Value) {
    if *at == 0 {
        *tree = new.clone();
    }
    *at = at.wrapping_sub(1);
    match tree {
        Value::Object(members) => members.values_mut().for_each(|member| mutate(member, at, new)),
        Value::Array(items) => items.iter_mut().for_each(|item| mutate(item, at, new)),
        _ => {}
    }
}

/// Reads, and answers what was read; the answer must be JSON again.
fn survive(event: &str) {
    let (response, form) = match request(event, "lambda-1", None) {
        Ok((request, form)) => {
            assert!(!request.path.is_empty() && !request.id.is_empty());
            (Response::new(http::StatusCode::OK, request.headers, request.body), form)
        }
        Err(problem) => (problem.answer("lambda-1"), Form::Rest),
    };
    let answer = serde_json::to_string(&answer(&response, form)).unwrap();
    assert!(serde_json::from_str::<Value>(&answer).unwrap()["statusCode"].is_number());
}

#[test]
fn the_good_events_are_good() {
    for event in good() {
        assert_eq!(read(&event).path, "/a", "{event}");
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(event in any::<String>()) {
        survive(&event);
    }

    #[test]
    fn any_json_is_survived(event in anything()) {
        survive(&event.to_string());
    }

    #[test]
    fn any_change_of_a_good_event_is_survived(kind in 0..4_usize, at in 0..40_usize, new in anything()) {
        let mut event = good()[kind].clone();
        mutate(&mut event, &mut at.clone(), &new);
        survive(&event.to_string());
    }

    #[test]
    fn any_cut_of_a_good_event_is_survived(kind in 0..4_usize, at in 0..800_usize) {
        let event = good()[kind].to_string();
        survive(event.get(..at).unwrap_or(&event));
    }

    #[test]
    fn a_path_is_only_ever_shortened_from_the_front(path in "[/a-c.%]{0,12}", rest in "[/a-c.%]{0,6}", kind in 0..4_usize) {
        let mut event = good()[kind].clone();
        event[if kind == 3 { "rawPath" } else { "path" }] = json!(path);
        event["pathParameters"]["proxy"] = json!(rest);
        let found = read(&event).path;
        // Nothing is mended: a slash that was doubled stays doubled.
        prop_assert!(path.ends_with(&found) || found == "/", "{path} {rest} -> {found}");
        prop_assert_eq!(found.matches("//").count(), path.matches("//").count());
    }
}
