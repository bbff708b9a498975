//! Answers as each sender reads them, member by member.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::*;

fn response(status: u16, headers: &[(&'static str, &[u8])], body: &[u8]) -> Response {
    let pairs = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()));
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    Response::new(StatusCode::from_u16(status).unwrap(), map, Bytes::copy_from_slice(body))
}

fn written(response: &Response, form: Form) -> Value {
    serde_json::from_str(&serde_json::to_string(&answer(response, form)).unwrap()).unwrap()
}

#[test]
fn each_form_has_its_members_and_no_other() {
    let answer = response(200, &[("vary", b"a"), ("vary", b"b"), ("content-type", b"text/plain")], b"hi");
    let check = |form: Form, expected: Value| assert_eq!(written(&answer, form), expected, "{form:?}");
    let lists = json!({"vary": ["a", "b"], "content-type": ["text/plain"]});
    let joined = json!({"vary": "a, b", "content-type": "text/plain"});
    check(
        Form::Rest,
        json!({"statusCode": 200, "multiValueHeaders": lists, "body": "hi", "isBase64Encoded": false}),
    );
    check(
        Form::Http,
        json!({"statusCode": 200, "headers": joined, "cookies": [], "body": "hi", "isBase64Encoded": false}),
    );
    check(
        Form::Alb { multi: true },
        json!({"statusCode": 200, "statusDescription": "200 OK", "multiValueHeaders": lists,
               "body": "hi", "isBase64Encoded": false}),
    );
    check(
        Form::Alb { multi: false },
        json!({"statusCode": 200, "statusDescription": "200 OK", "headers": joined,
               "body": "hi", "isBase64Encoded": false}),
    );
}

#[test]
fn a_status_without_a_name_is_still_described() {
    let answer = written(&response(299, &[], b""), Form::Alb { multi: false });
    assert_eq!(answer["statusDescription"], "299 Unassigned");
}

#[test]
fn base64_is_for_what_is_not_text() {
    let check = |content_type: Option<&'static [u8]>, body: &[u8], expected: (&str, bool)| {
        let headers = content_type.map(|value| ("content-type", value));
        let answer = written(&response(200, headers.as_slice(), body), Form::Rest);
        let found = (answer["body"].as_str().unwrap(), answer["isBase64Encoded"].as_bool().unwrap());
        assert_eq!(found, expected, "{content_type:?} {body:?}");
    };
    let textual: [&[u8]; 16] = [
        b"text/html; charset=utf-8",
        b"TEXT/CSV",
        b"application/json",
        b"application/vnd.github+json; charset=utf-8",
        b"application/problem+JSON",
        b"application/xml",
        b"image/svg+xml",
        b"application/javascript",
        b"application/x-www-form-urlencoded",
        b"application/yaml",
        b"application/x-yaml",
        b"application/openapi+yaml",
        b"application/graphql",
        b"text/event-stream",
        b"application/x-ndjson",
        b"application/ndjson ;q",
    ];
    for content_type in textual {
        check(Some(content_type), "a☕".as_bytes(), ("a☕", false));
        check(Some(content_type), b"\xff\xfe", ("//4=", true));
    }
    for content_type in
        [b"image/png".as_slice(), b"application/octet-stream", b"json", b"", b"multipart/form-data"]
    {
        check(Some(content_type), b"abc", ("YWJj", true));
        check(Some(content_type), b"", ("", false));
    }
    check(Some(b"text/\xe9"), b"abc", ("YWJj", true));
    check(None, b"abc", ("abc", false));
    check(None, b"\x00\x80", ("AIA=", true));
    check(None, b"", ("", false));
}

#[test]
fn a_body_always_has_a_type() {
    let check = |body: &[u8], expected: Value| {
        let answer = response(200, &[], body);
        assert_eq!(written(&answer, Form::Http)["headers"]["content-type"], expected, "{body:?}");
        let list = &written(&answer, Form::Rest)["multiValueHeaders"]["content-type"];
        assert_eq!(*list, if expected.is_null() { Value::Null } else { json!([expected]) }, "{body:?}");
    };
    check(b"hi", json!("text/plain; charset=utf-8"));
    check(b"\xff", json!("application/octet-stream"));
    check(b"", Value::Null);
}

#[test]
fn header_values_are_never_lost() {
    let check = |value: &'static [u8], expected: &str| {
        let answer = written(&response(200, &[("x", value)], b""), Form::Http);
        assert_eq!(answer["headers"]["x"], expected, "{value:?}");
    };
    check(b"plain", "plain");
    check(b"a\tb", "a\tb");
    check("☕".as_bytes(), "☕");
    check(b"caf\xe9", "café");
    check(b"\x80\xff", "\u{80}\u{ff}");
    check(b"", "");
    check(br#"W/"quoted""#, r#"W/"quoted""#);
}

#[test]
fn what_lambda_would_not_take_is_refused() {
    let check = |content_type: &'static [u8], byte: u8, mebibytes: usize, expected: bool| {
        let body = vec![byte; mebibytes << 20];
        let outcome = check_size(&response(200, &[("content-type", content_type)], &body));
        assert_eq!(outcome.is_ok(), expected, "{byte} {mebibytes}");
    };
    check(b"text/plain", b'x', 5, true);
    check(b"text/plain", b'x', 6, false);
    check(b"text/plain", b'"', 2, true);
    check(b"text/plain", b'\n', 4, false);
    check(b"text/plain", 1, 2, false);
    check(b"image/png", 0xff, 4, true);
    check(b"image/png", 0xff, 5, false);
}

/// The size that is judged is the size that is sent.
#[test]
fn a_judged_size_is_the_written_one() {
    let text: String = (0..=0x7f_u8).map(char::from).chain("é☕".chars()).collect();
    let whole = response(200, &[("content-type", b"text/plain")], text.as_bytes());
    let sent = serde_json::to_string(&text).unwrap().len() - 2;
    assert_eq!(text.bytes().map(super::super::answer::written).sum::<usize>(), sent);
    assert!(check_size(&whole).is_ok());
}
