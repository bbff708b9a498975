//! Bodies and schemas that would take long, or much memory, or a digit.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// With the slowness of a build for tests, on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });

/// About 1 MiB of a list.
fn list(item: impl Fn(usize) -> String) -> String {
    let (mut text, mut index) = ("[".to_owned(), 0);
    while text.len() < 1 << 20 {
        text.push_str(&item(index));
        text.push(',');
        index += 1;
    }
    text.push_str("null]");
    text
}

/// All lists of lists that take so many brackets: each hashes as any other.
fn brackets(pairs: usize) -> Vec<String> {
    if pairs == 0 {
        return vec![String::new()];
    }
    let mut all = Vec::new();
    for inner in 0..pairs {
        for first in brackets(inner) {
            for rest in brackets(pairs - 1 - inner) {
                let comma = if rest.is_empty() { "" } else { "," };
                all.push(format!("[{first}]{comma}{rest}"));
            }
        }
    }
    all
}

#[test]
fn no_body_takes_long() {
    let check = |document: Value, body: &str, fits: bool| {
        let (schema, body) = (schema(document.clone()), value(body));
        assert_eq!(schema.faults(), []);
        let started = Instant::now();
        let violations = schema.validate(&body).unwrap();
        let took = started.elapsed();
        assert!(took < PATIENCE, "{document} took {took:?}");
        assert_eq!(violations.is_empty(), fits, "{document}: {violations:?}");
        assert!(violations.len() <= 51);
    };
    let long = format!("\"{}\"", "a".repeat(1 << 20));
    let numbers = list(|index| index.to_string());
    check(json!({ "uniqueItems": true }), &numbers, true);
    check(json!({ "uniqueItems": true }), &list(|index| format!(r#"{{"a":{index}}}"#)), true);
    let nested = brackets(10);
    check(json!({ "uniqueItems": true }), &format!("[{}]", nested.join(",")), false);
    check(json!({ "uniqueItems": true }), &format!("[[{}]]", nested.join("],[")), true);
    check(json!({ "contains": { "const": "x" } }), &numbers, false);
    // More looks than anybody needs: it is not judged to the end, and does not fit.
    let often = vec![json!({ "items": { "type": "integer" } }); 80];
    check(json!({ "allOf": often }), &numbers.replace(",null", ""), false);
    check(json!({ "items": { "type": "string" } }), &numbers, false);
    check(json!({ "items": { "anyOf": [{ "type": "string" }, { "type": "object" }] } }), &numbers, false);
    check(json!({ "unevaluatedItems": false }), &numbers, false);
    let keys = format!(
        "{{{}}}",
        list(|index| format!("\"k{index}\":1")).trim_matches(['[', ']']).replace(",null", "")
    );
    check(json!({ "additionalProperties": false }), &keys, false);
    check(json!({ "unevaluatedProperties": false }), &keys, false);
    check(json!({ "patternProperties": { "^(k+)+$": {}, "(a|k)*z": {} } }), &keys, true);
    check(json!({ "propertyNames": { "pattern": "^(k+)+$" } }), &keys, false);
    check(json!({ "pattern": "^(a|aa)+$" }), &long, true);
    check(json!({ "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$" }), &long, false);
    check(json!({ "pattern": "(.*)(.*)(.*)(.*)(.*)[^a]$" }), &long, false);
    for format in [
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "iri",
        "json-pointer",
        "regex",
        "relative-json-pointer",
        "time",
        "uri",
        "uri-reference",
        "uri-template",
        "uuid",
        "idn-email",
        "idn-hostname",
    ] {
        for body in [&long, &format!("\"{}\"", "a.".repeat(1 << 19)), &format!("\"{}\"", "(".repeat(1 << 20))]
        {
            let (schema, body) = (schema(json!({ "format": format })), value(body));
            let started = Instant::now();
            schema.validate(&body).unwrap();
            assert!(started.elapsed() < PATIENCE, "{format} took {:?}", started.elapsed());
        }
    }
}

/// Each level asks each of its forms, which ask each of theirs.
#[test]
fn a_schema_that_branches_at_every_level_ends() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(99), "}".repeat(99));
    let branch = |field: &str| json!({ "properties": { "a": { "$ref": "#" } }, "required": [field] });
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let schema = schema(json!({ keyword: [branch("b"), branch("c"), branch("d")] }));
        let started = Instant::now();
        let violations = schema.validate(&value(&deep)).unwrap();
        assert!(started.elapsed() < PATIENCE, "{keyword} took {:?}", started.elapsed());
        assert!(!violations.is_empty() && violations.len() <= 51, "{keyword}");
    }
    let inline = (0..12).fold(json!({ "type": "null" }), |inner, _| {
        json!({ "anyOf": [{ "properties": { "a": inner.clone() }, "minProperties": 2 }, { "properties": { "a": inner }, "minProperties": 3 }] })
    });
    let started = Instant::now();
    assert!(!schema(inline).validate(&value(&deep)).unwrap().is_empty());
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn a_pattern_that_would_be_a_large_program_is_a_fault() {
    let started = Instant::now();
    assert!(fault(&schema(json!({ "pattern": "((a{100}){100}){100}" }))).is_some());
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn numbers_are_compared_by_their_digits() {
    let check = |document: Value, body: &str, expected: bool| {
        assert_eq!(fits(&document, body), expected, "{document} {body}");
    };
    for number in ["1e400", "-1e400", "12345678901234567890123", "1e-400"] {
        check(json!({ "type": "number" }), number, true);
        check(json!({ "enum": [1, 2] }), number, false);
        check(json!({ "multipleOf": 7.5 }), number, false);
    }
    check(json!({ "maximum": 5 }), "1e400", false);
    check(json!({ "minimum": 5 }), "-1e400", false);
    check(json!({ "minimum": 5 }), "12345678901234567890123", true);
    check(json!({ "exclusiveMinimum": 0 }), "1e-400", true);
    check(json!({ "type": "integer" }), "12345678901234567890123", true);
    check(json!({ "type": "integer" }), "1.0", true);
    check(json!({ "type": "integer" }), "1e-400", false);
    check(json!({ "const": 1 }), "1.0", true);
    check(json!({ "const": 9_007_199_254_740_993_u64 }), "9007199254740992", false);
    check(json!({ "uniqueItems": true }), "[9007199254740992,9007199254740993]", true);
    check(json!({ "uniqueItems": true }), "[1,1.0]", false);
    check(json!({ "uniqueItems": true }), "[0,-0.0]", false);
    check(json!({ "uniqueItems": true }), r#"[{"a":1,"b":2},{"b":2,"a":1}]"#, false);
    check(json!({ "uniqueItems": true }), r#"[[1],[[1]],["1"],{"1":1}]"#, true);
}
