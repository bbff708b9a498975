//! One sentence per keyword, at the field that it is about.

use super::*;

#[test]
fn each_keyword_has_a_sentence_at_its_field() {
    let check = |document: Value, body: &str, expected: &[&str]| {
        assert_eq!(told(&schema(document.clone()), body), expected, "{document} {body}");
    };
    check(json!({ "type": "string" }), "1", &[" must be text"]);
    check(json!({ "type": ["integer", "null"] }), "\"x\"", &[" must be null or a whole number"]);
    check(json!({ "type": "integer" }), "1.5", &[" must be a whole number"]);
    check(json!({ "const": "eu" }), "\"us\"", &[" must be eu"]);
    check(json!({ "const": { "a": 1 } }), "1", &[" must be exactly what the schema says"]);
    check(json!({ "enum": ["a", 2, null] }), "\"b\"", &[" must be one of a, 2, null"]);
    check(json!({ "enum": [[1], [2]] }), "1", &[" must be one of 2 values"]);
    check(json!({ "minLength": 1 }), "\"\"", &[" must not be empty"]);
    check(json!({ "minLength": 3 }), "\"é\"", &[" must be at least 3 characters long"]);
    check(json!({ "maxLength": 1 }), "\"ab\"", &[" must be at most 1 character long"]);
    check(json!({ "minimum": 3 }), "2", &[" must be at least 3"]);
    check(json!({ "maximum": 3 }), "4", &[" must be at most 3"]);
    check(json!({ "exclusiveMinimum": 3 }), "3", &[" must be more than 3"]);
    check(json!({ "exclusiveMaximum": 3 }), "3", &[" must be less than 3"]);
    check(json!({ "multipleOf": 5 }), "7", &[" must be a multiple of 5"]);
    check(json!({ "minItems": 2 }), "[]", &[" must hold at least 2 items"]);
    check(json!({ "maxItems": 1 }), "[1,2]", &[" must hold at most 1 item"]);
    check(json!({ "prefixItems": [true], "items": false }), "[1,2]", &["/1 is not allowed"]);
    check(
        json!({ "$schema": "http://json-schema.org/draft-07/schema", "items": [true], "additionalItems": false }),
        "[1,2]",
        &[" must hold at most 1 item"],
    );
    check(json!({ "minProperties": 1 }), "{}", &[" must not be empty"]);
    check(json!({ "maxProperties": 1 }), r#"{"a":1,"b":2}"#, &[" must hold at most 1 field"]);
    check(json!({ "format": "email" }), "\"x\"", &[" must be an email address"]);
    check(json!({ "format": "date" }), "\"2030-02-30\"", &[" must be a date such as 2030-12-31"]);
    check(json!({ "format": "int32" }), "\"x\"", &[]);
    check(json!({ "pattern": "^a+$" }), "\"b\"", &[" is not written as it must be"]);
    check(json!({ "uniqueItems": true }), "[1,2,1.0]", &[" must not hold the same item twice"]);
    check(
        json!({ "contains": { "type": "null" } }),
        "[1]",
        &[" does not hold as many of the wanted items as it must"],
    );
    check(json!({ "unevaluatedItems": false }), "[1]", &[" holds items that are not known"]);
    check(
        json!({ "propertyNames": { "maxLength": 1 } }),
        r#"{"ab":1}"#,
        &[" holds a field whose name is not allowed"],
    );
    check(json!({ "not": {} }), "1", &[" has a form that is not allowed"]);
    check(json!({ "properties": { "a": false } }), r#"{"a":1}"#, &["/a is not allowed"]);
    check(json!({ "required": ["a/b"] }), "{}", &["/a~1b is missing"]);
    check(json!({ "dependentRequired": { "a": ["b"] } }), r#"{"a":1}"#, &["/b is missing"]);
    check(
        json!({ "properties": { "a": {} }, "additionalProperties": false }),
        r#"{"a":1,"b":2,"c~":3}"#,
        &["/b is not known", "/c~0 is not known"],
    );
    check(json!({ "unevaluatedProperties": false }), r#"{"b":2}"#, &["/b is not known"]);
    check(
        json!({ "oneOf": [{ "minimum": 1 }, { "maximum": 9 }] }),
        "5",
        &[" fits more than one of the forms that exclude each other"],
    );
}

#[test]
fn of_a_choice_the_form_that_was_meant_is_explained() {
    let check = |document: Value, body: &str, expected: &[&str]| {
        assert_eq!(told(&schema(document.clone()), body), expected, "{document} {body}");
    };
    check(json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }), "1", &[" must be text or null"]);
    check(
        json!({ "anyOf": [{ "required": ["email"] }, { "required": ["phone"] }] }),
        "{}",
        &[" fits none of the 2 allowed forms: `email` is missing, or `phone` is missing"],
    );
    let pet = json!({ "oneOf": [
        { "properties": { "kind": { "const": "cat" }, "lives": { "type": "integer" } }, "required": ["kind", "lives"] },
        { "properties": { "kind": { "const": "dog" }, "tail": { "type": "boolean" } }, "required": ["kind"] },
    ] });
    check(pet.clone(), r#"{"kind":"dog","tail":1}"#, &["/tail must be true or false"]);
    check(pet, r#"{"kind":"cat"}"#, &["/lives is missing"]);
    check(
        json!({ "properties": { "a": { "anyOf": [{ "type": "string", "minLength": 2 }, { "type": "null" }] } } }),
        r#"{"a":"x"}"#,
        &["/a must be at least 2 characters long"],
    );
}

#[test]
fn every_violation_is_said_and_many_are_counted() {
    let form = schema(json!({
        "type": "object",
        "properties": { "name": { "type": "string", "minLength": 3 }, "age": { "type": "integer", "minimum": 18 } },
        "required": ["name", "email"],
    }));
    let mut found = told(&form, r#"{"name":"x","age":3}"#);
    found.sort();
    assert_eq!(
        found,
        ["/age must be at least 18", "/email is missing", "/name must be at least 3 characters long"]
    );
    let list = schema(json!({ "items": { "type": "string" } }));
    let found = told(&list, &format!("[{}]", vec!["1"; 80].join(",")));
    assert_eq!((found.len(), found[0].as_str()), (51, "/0 must be text"));
    assert_eq!(found[50], " does not fit in 30 more places");
    // Of a body with very many values, the first one is.
    assert_eq!(told(&list, &format!("[{}]", vec!["1"; 10_000].join(","))), ["/0 must be text"]);
}

#[test]
fn no_sentence_repeats_the_body() {
    let secret = "s3cr3t-value";
    let check = |document: Value, body: &str| {
        let said = told(&schema(document.clone()), body).join("\n");
        assert!(!said.is_empty() && !said.contains(secret), "{document}: {said}");
    };
    for keyword in [
        json!({ "type": "integer" }),
        json!({ "const": 1 }),
        json!({ "enum": [1] }),
        json!({ "maxLength": 1 }),
        json!({ "pattern": "^x$" }),
        json!({ "format": "uuid" }),
        json!({ "not": { "type": "string" } }),
        json!({ "anyOf": [{ "type": "null" }, { "maxLength": 1 }] }),
    ] {
        check(keyword, &format!("\"{secret}\""));
    }
    check(json!({ "unevaluatedItems": false }), &format!("[\"{secret}\"]"));
    check(json!({ "contains": { "type": "null" } }), &format!("[\"{secret}\"]"));
}
