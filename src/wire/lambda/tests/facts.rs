//! What gateways really send, by recordings of the services and by their
//! documentation: one test a fact.

use serde_json::{Value, json};

use super::*;
use crate::wire::problem::Kind;

/// A REST event with some members changed.
fn rest(changes: Value) -> Value {
    let mut event = json!({
        "resource": "/{proxy+}", "path": "/a", "httpMethod": "GET",
        "headers": null, "multiValueHeaders": null,
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": {"proxy": "a"}, "stageVariables": null,
        "requestContext": {
            "stage": "prod", "path": "/prod/a", "requestId": "r-1",
            "identity": {"sourceIp": "203.0.113.7", "apiKey": null, "apiKeyId": null},
        },
        "body": null, "isBase64Encoded": false,
    });
    merge(&mut event, changes);
    event
}

/// An HTTP API's event (payload 2.0) with some members changed.
fn http(changes: Value) -> Value {
    let mut event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/a", "rawQueryString": "", "headers": {},
        "requestContext": {
            "stage": "$default", "requestId": "h-1", "http": {"method": "GET", "sourceIp": "203.0.113.8"},
        },
        "isBase64Encoded": false,
    });
    merge(&mut event, changes);
    event
}

fn alb(changes: Value) -> Value {
    let mut event = json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}},
        "httpMethod": "GET", "path": "/a", "body": "", "isBase64Encoded": false,
    });
    merge(&mut event, changes);
    event
}

/// Reads an event with `"QUERY"` in it replaced: `json!` sorts its members,
/// and gateways do not.
fn read_with(event: &Value, query: &str) -> Request {
    request(&event.to_string().replace("\"QUERY\"", query), "lambda-1", None).unwrap().0
}

fn merge(event: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else { panic!("changes are a map") };
    changes.into_iter().for_each(|(name, value)| event[name] = value);
}

#[test]
fn a_rest_path_stays_as_it_was_sent() {
    let check = |path: &str, rest_of_it: &str| {
        let event = rest(json!({"path": path, "pathParameters": {"proxy": rest_of_it}}));
        assert_eq!(read(&event).path, path);
    };
    check("/capture/space%20value", "capture/space%20value");
    check("/a%2Bb/%E2%98%95", "a%2Bb/%E2%98%95");
    check("/a/%2e%2E/b", "a/%2e%2E/b");
    check("/a/../b/./c", "a/../b/./c");
    check("/a//b", "a//b");
    check("/a/", "a");
    check("/a#b\\c", "a#b\\c");
    check("/prod/a", "prod/a");
}

#[test]
fn a_base_path_mapping_is_not_part_of_the_path() {
    let check = |path: &str, resource: &str, parameters: Value, expected: &str| {
        let event = rest(json!({"path": path, "resource": resource, "pathParameters": parameters}));
        assert_eq!(read(&event).path, expected, "{path} {resource}");
    };
    check("/v1/a/b/", "/{proxy+}", json!({"proxy": "a/b"}), "/a/b/");
    check("/v1", "/", Value::Null, "/");
    check("/v1/fixed", "/fixed", Value::Null, "/v1/fixed");
    check("/v1/a/7", "/a/{id}", json!({"id": "7"}), "/v1/a/7");
    check("", "/{proxy+}", json!({"proxy": null}), "/");
}

#[test]
fn a_rest_query_is_taken_as_decoded_with_repeats_in_order() {
    let event = rest(json!({
        "queryStringParameters": {"repeat": "two", "plus": "a+b", "odd": "%2B"},
        "multiValueQueryStringParameters": "QUERY",
    }));
    let request = read_with(&event, r#"{"repeat":["one","two"],"plus":["a+b"],"odd":["%2B"],"e":[""]}"#);
    let expected: &Pairs =
        &[("repeat", "one"), ("repeat", "two"), ("plus", "a+b"), ("odd", "%2B"), ("e", "")];
    assert_eq!(query(&request), expected);
}

#[test]
fn the_single_maps_serve_where_the_lists_are_missing() {
    let request = read(&rest(json!({
        "queryStringParameters": {"a": "1", "b": null},
        "headers": {"Accept": "x", "X-Null": null},
    })));
    assert_eq!(query(&request), [("a", "1")]);
    assert_eq!(values(&request, "accept"), ["x"]);
}

#[test]
fn repeated_headers_arrive_complete_and_in_order() {
    let request = read(&rest(json!({
        "headers": {"x-probe": "second", "Only-Here": "yes"},
        "multiValueHeaders": {"X-Probe": ["first", "second"]},
    })));
    assert_eq!(values(&request, "x-probe"), ["first", "second"]);
    assert_eq!(values(&request, "only-here"), ["yes"]);
}

#[test]
fn null_missing_and_empty_are_the_same() {
    let names = ["headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters"];
    for nothing in [Some(Value::Null), Some(json!({})), None] {
        let mut event = rest(json!({}));
        for name in names.into_iter().chain(["pathParameters", "stageVariables"]) {
            event.as_object_mut().unwrap().remove(name);
            nothing.iter().for_each(|nothing| event[name] = nothing.clone());
        }
        let request = read(&event);
        assert!(request.headers.is_empty() && request.query.is_empty() && request.body.is_empty());
        assert_eq!(request.path, "/a");
    }
}

#[test]
fn a_key_is_known_by_its_id_and_its_value_is_never_read() {
    let keyed =
        json!({"requestId": "r", "identity": {"sourceIp": "::1", "apiKey": "the-key", "apiKeyId": "id-7"}});
    let request = read(&rest(json!({"requestContext": keyed})));
    assert_eq!((request.api_key_id.as_deref(), request.source.as_str()), (Some("id-7"), "::1"));
    let recorded = json!({"identity": {"apiKey": "", "apiKeyId": ""}});
    assert_eq!(read(&rest(json!({"requestContext": recorded}))).api_key_id, None);
}

#[test]
fn a_request_has_the_gateways_id_or_lambdas() {
    assert_eq!(read(&rest(json!({}))).id, "r-1");
    assert_eq!(read(&http(json!({}))).id, "h-1");
    assert_eq!(read(&alb(json!({}))).id, "lambda-1");
    assert_eq!(read(&rest(json!({"requestContext": {"requestId": ""}}))).id, "lambda-1");
}

#[test]
fn a_form_follows_the_event() {
    let check = |event: Value, expected: Form| {
        assert_eq!(request(&event.to_string(), "", None).unwrap().1, expected, "{event}");
    };
    check(rest(json!({})), Form::Rest);
    check(rest(json!({"version": "1.0"})), Form::Rest);
    check(http(json!({})), Form::Http);
    check(alb(json!({"headers": {"a": "1"}})), Form::Alb { multi: false });
    check(alb(json!({"headers": {"a": "1"}, "multiValueHeaders": {}})), Form::Alb { multi: false });
    check(alb(json!({"headers": null, "multiValueHeaders": {"a": ["1"]}})), Form::Alb { multi: true });
}

#[test]
fn an_http_apis_stage_is_not_part_of_the_path() {
    let check = |changes: Value, expected: &str| {
        let mut event = http(json!({}));
        event["requestContext"]["stage"] = json!("dev");
        merge(&mut event, changes);
        assert_eq!(read(&event).path, expected, "{event}");
    };
    check(json!({"rawPath": "/dev/my-repos"}), "/my-repos");
    check(json!({"rawPath": "/dev"}), "/");
    check(json!({"rawPath": "/developers"}), "/developers");
    check(json!({"rawPath": "/dev/space value"}), "/space value");
    let greedy =
        json!({"rawPath": "/dev/a", "routeKey": "ANY /{proxy+}", "pathParameters": {"proxy": "dev/a"}});
    check(greedy, "/dev/a");
    assert_eq!(read(&http(json!({"rawPath": "/$default/a"}))).path, "/$default/a");
    assert_eq!(read(&http(json!({"rawPath": ""}))).path, "/");
}

#[test]
fn our_address_is_the_gateways_and_never_the_callers() {
    let context = |domain: &str, path: &str| json!({"domainName": domain, "path": path, "stage": "prod", "identity": {}});
    let check = |event: Value, expected: Option<&str>| {
        assert_eq!(read(&event).public_url.as_deref(), expected, "{event}");
    };
    let api = "x1.execute-api.eu-west-1.amazonaws.com";
    let host = json!({"Host": "evil.example", "X-Forwarded-Host": "evil.example"});
    let stage = json!({"requestContext": context(api, "/prod/a"), "headers": host});
    check(rest(stage), Some("https://x1.execute-api.eu-west-1.amazonaws.com/prod"));
    check(rest(json!({"requestContext": context("api.example.com", "/a")})), Some("https://api.example.com"));
    let mapped = json!({"path": "/v1/a", "requestContext": context("api.example.com", "/v1/a")});
    check(rest(mapped), Some("https://api.example.com/v1"));
    // `cargo lambda watch` does not tell its port.
    check(rest(json!({"requestContext": context("localhost", "/a")})), None);
    check(rest(json!({"requestContext": context("", "/a")})), None);
    check(rest(json!({"requestContext": context("a.example", "/elsewhere")})), None);
    check(alb(json!({"headers": {"host": "evil.example"}})), None);
    let url = json!({"domainName": "u1.lambda-url.eu-west-1.on.aws", "stage": "$default", "http": {"method": "GET"}});
    check(http(json!({"requestContext": url})), Some("https://u1.lambda-url.eu-west-1.on.aws"));
    let dev = json!({"domainName": "h1.example", "stage": "dev", "http": {"method": "GET"}});
    check(http(json!({"rawPath": "/dev/a", "requestContext": dev})), Some("https://h1.example/dev"));
    let one = json!({"version": "1.0", "path": "/prod/a", "requestContext": context(api, "/prod/a")});
    check(rest(one), Some("https://x1.execute-api.eu-west-1.amazonaws.com/prod"));
}

#[test]
fn payload_one_of_an_http_api_has_the_stage_in_its_path() {
    let one = |changes: Value| {
        let mut event = rest(json!({"version": "1.0"}));
        merge(&mut event, changes);
        read(&event).path
    };
    assert_eq!(one(json!({"path": "/prod/a"})), "/a");
    assert_eq!(one(json!({"path": "/prod/a", "resource": "$default", "pathParameters": null})), "/a");
    assert_eq!(one(json!({"path": "/mapped/a"})), "/a");
    assert_eq!(one(json!({"path": "/prod/a", "pathParameters": {"proxy": "prod/a"}})), "/prod/a");
}

#[test]
fn payload_two_joins_headers_and_lists_cookies() {
    let request = read(&http(json!({
        "headers": {"x-probe": "first,second", "cookie": "a=1; b=2"},
        "cookies": ["a=1", "b=2"],
        "rawQueryString": "z=1&a=x+y&z=%2B",
        "queryStringParameters": {"z": "1,+", "a": "x y"},
    })));
    assert_eq!(values(&request, "x-probe"), ["first,second"]);
    assert_eq!(values(&request, "cookie"), ["a=1; b=2"]);
    assert_eq!(query(&request), [("z", "1"), ("a", "x y"), ("z", "+")]);
    assert_eq!(request.source, "203.0.113.8");
}

#[test]
fn a_load_balancer_decodes_neither_path_nor_query() {
    let event = alb(json!({
        "path": "/capture/space%20value//",
        "multiValueQueryStringParameters": "QUERY",
        "multiValueHeaders": {"x-forwarded-for": ["10.0.0.1", "198.51.100.9, 203.0.113.9"], "x-probe": ["1", "2"]},
    }));
    let query_map = r#"{"r":["one","two"],"to%5B%5D":["https%3A%2F%2Fx"],"p":["a+b","a%2Bb"]}"#;
    let request = read_with(&event, query_map);
    assert_eq!(request.path, "/capture/space%20value//");
    let expected: &Pairs = &[("r", "one"), ("r", "two"), ("to[]", "https://x"), ("p", "a b"), ("p", "a+b")];
    assert_eq!(query(&request), expected);
    assert_eq!(values(&request, "x-probe"), ["1", "2"]);
    assert_eq!(request.source, "203.0.113.9");
}

#[test]
fn a_health_check_has_hardly_anything() {
    let request =
        read(&alb(json!({"headers": {"user-agent": "ELB-HealthChecker/2.0"}, "queryStringParameters": {}})));
    assert_eq!((request.source.as_str(), request.path.as_str()), ("", "/a"));
    assert!(request.query.is_empty() && request.body.is_empty());
}

#[test]
fn a_body_is_its_bytes() {
    let check = |body: Value, encoded: Value, expected: &[u8]| {
        let event = rest(json!({"body": body, "isBase64Encoded": encoded}));
        assert_eq!(read(&event).body, expected, "{event}");
    };
    check(Value::Null, json!(false), b"");
    check(Value::Null, json!(true), b"");
    check(json!(""), json!(true), b"");
    check(json!("{\"a\":\"λ\"}\n"), json!(false), "{\"a\":\"λ\"}\n".as_bytes());
    check(json!("AP/+"), json!(true), b"\x00\xff\xfe");
    check(json!("YQ=="), json!(true), b"a");
    check(json!("YQ=="), json!(null), b"YQ==");
}

#[test]
fn what_cannot_be_a_request_is_a_problem_and_repeats_nothing() {
    let check = |event: Value, expected: Kind| {
        let problem = request(&event.to_string(), "", None).unwrap().0.fault.unwrap();
        assert_eq!(problem.kind(), expected, "{event}");
        let shown = format!("{} {}", problem.detail(), problem.cause().unwrap_or_default());
        assert!(!shown.contains("evil"), "{event}: {shown}");
    };
    check(rest(json!({"httpMethod": "evil method"})), Kind::MalformedEvent);
    check(rest(json!({"httpMethod": ""})), Kind::MalformedEvent);
    check(rest(json!({"headers": {"evil:": "1"}})), Kind::MalformedEvent);
    check(rest(json!({"multiValueHeaders": {"a": ["evil\n"]}})), Kind::MalformedEvent);
    check(rest(json!({"multiValueQueryStringParameters": {"evil": [{}]}})), Kind::MalformedEvent);
    check(rest(json!({"body": {"evil": 1}})), Kind::MalformedEvent);
    for body in ["evil!", "YQ", "YQ=", "YR==", "Y Q==", "YQ==\n", "-_-_"] {
        check(rest(json!({"body": body, "isBase64Encoded": true})), Kind::MalformedEvent);
    }
    check(http(json!({"rawQueryString": "evil=%FF"})), Kind::QueryNotAllowed);
    check(http(json!({"cookies": ["evil\u{7}"]})), Kind::MalformedEvent);
    check(alb(json!({"queryStringParameters": {"evil%FF": "1"}})), Kind::QueryNotAllowed);
}

/// Whoever sent a header that HTTP does not allow is told so where a browser passes it on.
#[test]
fn a_bad_header_leaves_the_others_alone() {
    let request = read(&rest(json!({"multiValueHeaders": {"origin": ["https://a.example"], "x": ["a\nb"]}})));
    assert_eq!(request.headers["origin"], "https://a.example");
    assert_eq!(request.fault.unwrap().kind(), Kind::MalformedEvent);
}
