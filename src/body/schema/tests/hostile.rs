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
        let (schema, body) = (schema(document.clone()), doc(body));
        assert_eq!(schema.faults(), []);
        let started = Instant::now();
        let said = ask(&schema, &body);
        let took = started.elapsed();
        assert!(took < PATIENCE, "{document} took {took:?}");
        let heavy = |list: &Vec<Violation>| list.iter().any(|one| one.detail == "holds too many values");
        let told = said.as_ref().is_ok_and(heavy) || (said == Ok(Vec::new())) == fits;
        assert!(told, "{document}: {said:?}");
        // A slow machine may not know all places in time.
        assert!(said.unwrap_or_default().len() <= 51, "{document}");
    };
    let long = format!("\"{}\"", "a".repeat(1 << 20));
    let numbers = list(|index| index.to_string());
    check(json!({ "uniqueItems": true }), &numbers, true);
    check(json!({ "uniqueItems": true }), &list(|index| format!(r#"{{"a":{index}}}"#)), true);
    let nested = brackets(10);
    check(json!({ "uniqueItems": true }), &format!("[{}]", nested.join(",")), false);
    check(json!({ "uniqueItems": true }), &format!("[[{}]]", nested.join("],[")), true);
    check(json!({ "contains": { "const": "x" } }), &numbers, false);
    let often = vec![json!({ "items": { "type": "integer" } }); 80];
    check(json!({ "allOf": often }), &numbers.replace(",null", ""), true);
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
            let (schema, body) = (schema(json!({ "format": format })), doc(body));
            let started = Instant::now();
            assert!(!matches!(ask(&schema, &body), Err(Unplaced::Faulty(_))), "{format}");
            assert!(started.elapsed() < PATIENCE, "{format} took {:?}", started.elapsed());
        }
    }
}

fn nested(levels: usize) -> Doc {
    doc(&format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels)))
}

/// Each level asks each of its forms, which ask each of theirs: whether a body
/// fits is known soon, and all that is wrong with it fills any memory.
#[test]
fn a_schema_that_branches_at_every_level_ends() {
    let branch = |field: &str| json!({ "properties": { "a": { "$ref": "#" } }, "required": [field] });
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let schema = schema(json!({ keyword: [branch("b"), branch("c"), branch("d")] }));
        let started = Instant::now();
        assert!(
            !schema
                .validator()
                .unwrap()
                .is_valid(&copy::copy(nested(99).root(), &Sight::All, &mut { copy::HEAVIEST }).unwrap())
        );
        assert!(started.elapsed() < PATIENCE, "{keyword} took {:?}", started.elapsed());
        assert!(validate(&schema, &nested(4)).is_ok_and(|violations| !violations.is_empty()), "{keyword}");
    }
    // What is left behind here still ends: other tests run beside it.
    let schema = schema(json!({ "anyOf": [branch("b"), branch("c"), branch("d")] }));
    assert_eq!(ask(&schema, &nested(12)), Err(Unplaced::Endless));
}

#[test]
fn a_schema_with_thousands_of_forms_is_gone_through() {
    let inline = (0..10).fold(json!({ "type": "null" }), |inner, _| {
        json!({ "anyOf": [{ "properties": { "a": inner.clone() }, "minProperties": 2 }, { "properties": { "a": inner }, "minProperties": 3 }] })
    });
    let schema = schema(inline);
    assert_eq!(schema.faults(), []);
    let started = Instant::now();
    assert!(validate(&schema, &nested(11)).is_ok_and(|violations| !violations.is_empty()));
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn a_pattern_that_would_be_a_large_program_is_a_fault() {
    let started = Instant::now();
    assert!(fault(&schema(json!({ "pattern": "((a{100}){100}){100}" }))).is_some());
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn numbers_of_any_length_are_judged() {
    let check = |document: Value, body: &str, expected: bool| {
        assert_eq!(fits(&document, body), expected, "{document} {body}");
    };
    for number in ["1e400", "-1e400", "12345678901234567890123"] {
        check(json!({ "type": "number" }), number, true);
        check(json!({ "enum": [1, 2] }), number, false);
        check(json!({ "multipleOf": 7.5 }), number, false);
    }
    check(json!({ "maximum": 5 }), "1e400", false);
    check(json!({ "minimum": 5 }), "-1e400", false);
    check(json!({ "minimum": 5 }), "12345678901234567890123", true);
    check(json!({ "type": "number" }), "1e-400", true);
    check(json!({ "type": "integer" }), "12345678901234567890123", true);
    check(json!({ "type": "integer" }), "1.0", true);
    check(json!({ "const": 1 }), "1.0", true);
    check(json!({ "const": 9_007_199_254_740_993_u64 }), "9007199254740992", false);
    check(json!({ "const": u64::MAX }), "18446744073709551614", false);
    check(json!({ "const": u64::MAX }), "18446744073709551615", true);
    check(json!({ "const": i64::MIN }), "-9223372036854775808", true);
    check(json!({ "uniqueItems": true }), "[9007199254740992,9007199254740993]", true);
    check(json!({ "uniqueItems": true }), "[1,1.0]", false);
    check(json!({ "uniqueItems": true }), "[0,-0.0]", false);
    check(json!({ "uniqueItems": true }), r#"[{"a":1,"b":2},{"b":2,"a":1}]"#, false);
    check(json!({ "uniqueItems": true }), r#"[[1],[[1]],["1"],{"1":1}]"#, true);
}

/// A copy of it would take a hundred times its length.
#[tokio::test]
async fn a_body_of_more_values_than_there_is_memory_for_does_not_fit() {
    let looks = json!({ "items": { "properties": { "a": { "const": 1 } } } });
    let looks = Schema::new("", looks, Arc::default());
    let objects = |count: usize| format!("[{}0]", r#"{"a":1},"#.repeat(count));
    let told = async |schema: &Schema, count| {
        let body = json::read(&Bytes::from(objects(count))).unwrap();
        let violations = schema.validate(body.root()).await.unwrap();
        violations.iter().map(|violation| violation.detail.clone()).collect::<Vec<_>>().concat()
    };
    assert_eq!(told(&looks, 10_000).await, "");
    assert_eq!(told(&looks, 100_000).await, "holds too many values");
    // An empty object takes no node.
    let nothing = Schema::new("", json!({ "items": { "type": "object" } }), Arc::default());
    let empty = json::read(&Bytes::from(format!("[{}{{}}]", "{},".repeat(150_000)))).unwrap();
    assert_eq!(nothing.validate(empty.root()).await, Ok(Vec::new()));
    // Of what no schema looks at no copy is made.
    let looks_away = Schema::new("", json!({ "type": "array", "minItems": 100_001 }), Arc::default());
    assert_eq!(told(&looks_away, 100_000).await, "");
}
