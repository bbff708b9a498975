//! Where drafts differ, where references lead, and which schemas are none.

use super::*;

fn of(draft: &str, mut document: Value) -> Value {
    document["$schema"] = json!(draft);
    document
}

const DRAFT_4: &str = "http://json-schema.org/draft-04/schema#";
const DRAFT_6: &str = "http://json-schema.org/draft-06/schema#";
const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";
const DRAFT_2019: &str = "https://json-schema.org/draft/2019-09/schema";
const DRAFT_2020: &str = "https://json-schema.org/draft/2020-12/schema";

#[test]
fn each_draft_is_read_by_its_own_rules() {
    let check = |draft: &str, document: Value, good: &str, bad: &str| {
        let document = of(draft, document);
        assert_eq!(fault(&schema(document.clone())), None, "{document}");
        assert!(fits(&document, good), "{document} {good}");
        assert!(!fits(&document, bad), "{document} {bad}");
    };
    check(DRAFT_4, json!({ "maximum": 3, "exclusiveMaximum": true }), "2", "3");
    for draft in [DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020] {
        check(draft, json!({ "exclusiveMaximum": 3 }), "2", "3");
    }
    for draft in [DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019] {
        check(
            draft,
            json!({ "items": [{ "type": "null" }], "additionalItems": false }),
            "[null]",
            "[null,1]",
        );
    }
    check(DRAFT_2020, json!({ "prefixItems": [{ "type": "null" }], "items": false }), "[null]", "[null,1]");
    check(DRAFT_4, json!({ "type": "integer" }), "1", "1.0");
    check(DRAFT_6, json!({ "type": "integer" }), "1.0", "1.5");
    check(DRAFT_6, json!({ "const": 1 }), "1", "2");
    check(DRAFT_7, json!({ "if": { "minimum": 5 }, "then": { "multipleOf": 5 } }), "10", "7");
    for draft in [DRAFT_4, DRAFT_6, DRAFT_7] {
        check(
            draft,
            json!({ "definitions": { "n": { "type": "null" } }, "$ref": "#/definitions/n" }),
            "null",
            "1",
        );
        check(draft, json!({ "dependencies": { "a": ["b"] } }), "{}", r#"{"a":1}"#);
    }
    check(
        DRAFT_2019,
        json!({ "$defs": { "n": { "$anchor": "no", "type": "null" } }, "$ref": "#no" }),
        "null",
        "1",
    );
    check(
        DRAFT_2019,
        json!({ "properties": { "a": { "$recursiveRef": "#" } }, "maxProperties": 1 }),
        r#"{"a":{}}"#,
        r#"{"a":{"a":1,"b":2}}"#,
    );
    check(
        DRAFT_2020,
        json!({ "$dynamicAnchor": "x", "properties": { "a": { "$dynamicRef": "#x" } }, "maxProperties": 1 }),
        r#"{"a":{}}"#,
        r#"{"a":{"a":1,"b":2}}"#,
    );
    check(DRAFT_7, json!({ "format": "email" }), "\"a@b.example\"", "\"a\"");
    check(DRAFT_2020, json!({ "format": "uuid" }), "\"123e4567-e89b-12d3-a456-426614174000\"", "\"a\"");
}

#[test]
fn references_lead_into_files_from_where_they_stand() {
    let files = json!({
        "schemas/contact.json": {
            "$id": "https://schemas.example/contact.json",
            "properties": { "address": { "$ref": "parts/address.yaml#/definitions/address" } },
        },
        "schemas/parts/address.yaml": { "definitions": { "address": { "required": ["city"] } }, "$ref": "../x.json" },
        "schemas/x.json": {},
    });
    let inline = with_files(json!({ "$ref": "schemas/contact.json" }), files.clone());
    let parts: Files = files.as_object().unwrap().clone().into_iter().collect();
    let contact = parts["schemas/contact.json"].clone();
    let by_path = Schema::new("schemas/contact.json", contact, Arc::new(parts));
    for schema in [&inline, &by_path] {
        assert_eq!(fault(schema), None);
        assert_eq!(told(schema, r#"{"address":{}}"#), ["/address/city is missing"]);
    }
}

#[test]
fn a_file_that_names_no_draft_is_of_its_readers() {
    let files = json!({ "a.json": { "maximum": 3, "exclusiveMaximum": true } });
    let old = with_files(of(DRAFT_4, json!({ "items": { "$ref": "a.json" } })), files.clone());
    assert_eq!(fault(&old), None);
    assert_eq!(told(&old, "[3]"), ["/0 must be less than 3"]);
    assert!(fault(&with_files(json!({ "items": { "$ref": "a.json" } }), files)).is_some());
    let own = json!({ "a.json": of(DRAFT_7, json!({ "items": [{ "type": "null" }] })) });
    assert_eq!(told(&with_files(json!({ "$ref": "a.json" }), own), "[1]"), ["/0 must be null"]);
}

#[test]
fn what_is_no_schema_is_said_where_it_stands() {
    let check = |document: Value, expected: &str| {
        assert_eq!(fault(&schema(document.clone())).unwrap_or_default(), expected, "{document}");
    };
    let regex = "this is no regular expression that is matched in linear time and bounded memory";
    let nothing = "what is referred to here is not there";
    check(
        json!({ "properties": { "a": { "pattern": "(?=a)b" } } }),
        &format!(" /properties/a/pattern: {regex}"),
    );
    check(json!({ "pattern": "(a)\\1" }), &format!(" /pattern: {regex}"));
    check(json!({ "pattern": "(" }), &format!(" /pattern: {regex}"));
    check(json!({ "patternProperties": { "(?!a)": {} } }), &format!(" /patternProperties/(?!a): {regex}"));
    check(
        json!({ "properties": { "a": { "minimum": "3" } } }),
        " /properties/a/minimum: this is no JSON Schema: it must be a number",
    );
    check(
        json!({ "properties": { "a": { "$ref": "#/$defs/b" } } }),
        &format!(" /properties/a/$ref: {nothing}"),
    );
    check(json!({ "items": { "$ref": "#b" } }), &format!(" /items/$ref: {nothing}"));
    check(json!({ "items": { "$ref": "b.json" } }), &format!(" /items/$ref: {nothing}"));
    check(json!({ "items": { "$ref": "https://a.example/b" } }), &format!(" /items/$ref: {nothing}"));
    check(
        json!({ "$schema": "https://a.example/mine" }),
        " /$schema: this is no draft of JSON Schema that is known here",
    );
    let broken = json!({ "a.json": { "items": { "type": "nil" } } });
    let broken = fault(&with_files(json!({ "$ref": "a.json" }), broken)).unwrap();
    assert!(broken.starts_with("a.json /items/type: this is no JSON Schema: it "), "{broken}");
    let lost = json!({ "a.json": { "items": { "$ref": "#/x" } } });
    let lost = fault(&with_files(json!({ "$ref": "a.json" }), lost));
    assert_eq!(lost, Some(format!("a.json /items/$ref: {nothing}")));
}

/// A faulty schema that was never checked: the first body meets it.
#[test]
fn a_faulty_schema_judges_nothing() {
    let schema = schema(json!({ "pattern": "(" }));
    for _ in 0..2 {
        let Err(Unplaced::Faulty(fault)) = validate(&schema, &Doc::null()) else { panic!("judged") };
        assert!(fault.to_string().starts_with("/pattern: this is no regular expression"), "{fault}");
    }
}

#[test]
fn every_fault_that_the_meta_schema_sees_is_said() {
    let schema =
        schema(json!({ "type": "text", "properties": { "a": { "minLength": -1 } }, "required": "a" }));
    let mut at: Vec<String> = schema.faults().into_iter().map(|fault| fault.pointer).collect();
    at.sort();
    assert_eq!(at, ["/properties/a/minLength", "/required", "/type"]);
}
