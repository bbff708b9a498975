//! The events in `events/`: each is read as what it is meant to be, and has a
//! golden answer of the right form.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

/// Name, form, method, path, how many query pairs.
const SAMPLES: [(&str, Form, &str, &str, usize); 13] = [
    ("rest-get", Form::Rest, "GET", "/robots", 0),
    ("rest-get-repeats", Form::Rest, "GET", "/tags", 4),
    ("rest-conditional", Form::Rest, "GET", "/versions/first", 0),
    ("rest-get-binary", Form::Rest, "GET", "/noise", 1),
    ("rest-post-binary", Form::Rest, "POST", "/upload", 0),
    ("rest-preflight", Form::Rest, "OPTIONS", "/upload", 0),
    ("rest-encoded-path", Form::Rest, "GET", "/say/4piVIQ%3D%3D", 0),
    ("rest-null-maps", Form::Rest, "GET", "/robots", 0),
    ("rest-foreign-origin", Form::Rest, "GET", "/robots", 0),
    ("http-api-get", Form::Http, "GET", "/robots", 0),
    ("function-url-get", Form::Http, "GET", "/tags", 4),
    ("alb-get", Form::Alb { multi: false }, "GET", "/tags", 2),
    ("alb-multi-value", Form::Alb { multi: true }, "GET", "/tags", 4),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}

fn sample(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

#[test]
fn each_sample_is_read_as_what_it_is() {
    for (name, form, method, path, pairs) in SAMPLES {
        let (request, found) = request(&sample(&format!("{name}.json")), "lambda-1", None).unwrap();
        assert_eq!(found, form, "{name}");
        assert_eq!((request.method.as_str(), request.path.as_str()), (method, path), "{name}");
        assert_eq!(request.query.len(), pairs, "{name}");
        assert_eq!(request.source, "203.0.113.7", "{name}");
    }
}

#[test]
fn the_sample_that_is_no_request_is_named() {
    let problem = request(&sample("not-http.json"), "lambda-1", None).map(drop).unwrap_err();
    assert!(problem.detail().ends_with("this is an SQS event"), "{}", problem.detail());
}

#[test]
fn the_binary_sample_is_as_long_as_its_route_allows() {
    let (request, _) = request(&sample("rest-post-binary.json"), "", None).unwrap();
    assert_eq!((request.body.len(), request.api_key_id.as_deref()), (12, Some("k7d9example")));
}

#[test]
fn each_golden_answer_has_the_form_of_its_event() {
    let refused = ("not-http", Form::Rest);
    for (name, form) in SAMPLES.map(|(name, form, ..)| (name, form)).into_iter().chain([refused]) {
        let golden: Value = serde_json::from_str(&sample(&format!("{name}.answer.json"))).unwrap();
        let empty = Response::new(http::StatusCode::OK, http::HeaderMap::new(), bytes::Bytes::new());
        let expected = serde_json::to_value(answer(&empty, form)).unwrap();
        let members = |value: &Value| BTreeSet::from_iter(value.as_object().unwrap().keys().cloned());
        assert_eq!(members(&golden), members(&expected), "{name}");
    }
}

#[test]
fn no_sample_is_left_out_of_the_table() {
    let known = SAMPLES.iter().map(|(name, ..)| *name).chain(["not-http"]);
    let expected: BTreeSet<String> =
        known.flat_map(|name| [format!("{name}.json"), format!("{name}.answer.json")]).collect();
    let found =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = found.filter(|name| name.ends_with(".json")).collect();
    assert_eq!(found, expected);
}
