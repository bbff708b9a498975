//! Only what a schema declares stays.

use super::*;

fn left(schema: &Schema, body: &str) -> String {
    let text = schema.project(&doc(body)).unwrap_or_else(|fault| panic!("{fault}"));
    String::from_utf8(text).unwrap().trim_end().to_owned()
}

#[test]
fn only_declared_fields_stay() {
    let check = |document: Value, body: &str, expected: &str| {
        assert_eq!(left(&schema(document.clone()), body), expected, "{document} {body}");
    };
    let all = r#"{"a":1,"b":{"c":2},"x-y":[3]}"#;
    check(json!({}), all, "{}");
    check(json!(true), all, "{}");
    check(json!({ "type": "object" }), all, "{}");
    check(json!({ "type": "object", "additionalProperties": true }), all, "{}");
    check(json!({}), r#"[1,"x",{"a":1},null]"#, r#"[1,"x",{},null]"#);
    check(json!({ "properties": { "a": {} } }), all, r#"{"a":1}"#);
    check(json!({ "properties": { "a": true, "b": {} } }), all, r#"{"a":1,"b":{}}"#);
    check(json!({ "properties": { "a": false } }), all, "{}");
    check(json!({ "properties": { "b": { "properties": { "c": {}, "d": {} } } } }), all, r#"{"b":{"c":2}}"#);
    check(json!({ "required": ["a"] }), all, "{}");
    check(json!({ "patternProperties": { "^x-": {} } }), all, r#"{"x-y":[3]}"#);
    check(
        json!({ "properties": { "a": {} }, "additionalProperties": { "type": "array" } }),
        all,
        r#"{"a":1,"b":{},"x-y":[3]}"#,
    );
    check(json!({ "properties": { "a": {} }, "unevaluatedProperties": false }), all, r#"{"a":1}"#);
    let items = r#"[{"a":1,"b":2},{"a":3,"b":4}]"#;
    check(json!({ "items": { "properties": { "a": {} } } }), items, r#"[{"a":1},{"a":3}]"#);
    check(
        json!({ "prefixItems": [{ "properties": { "a": {} } }], "items": { "properties": { "b": {} } } }),
        items,
        r#"[{"a":1},{"b":4}]"#,
    );
    check(
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": [{ "properties": { "a": {} } }],
            "additionalItems": { "properties": { "b": {} } } }),
        items,
        r#"[{"a":1},{"b":4}]"#,
    );
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let parts =
            json!([{ "properties": { "a": {} } }, { "properties": { "b": { "properties": { "c": {} } } } }]);
        check(json!({ keyword: parts }), all, r#"{"a":1,"b":{"c":2}}"#);
    }
    check(
        json!({ "if": { "properties": { "a": {} } }, "then": { "properties": { "b": {} } }, "else": false }),
        all,
        r#"{"a":1,"b":{}}"#,
    );
    check(json!({ "not": { "properties": { "a": {} } } }), all, "{}");
    check(
        json!({ "properties": { "n": {} } }),
        r#"{"n":12345678901234567890123,"m":1}"#,
        r#"{"n":12345678901234567890123}"#,
    );
    check(json!({ "properties": { "n": {} } }), r#"{"n":1e400}"#, r#"{"n":1e400}"#);
}

#[test]
fn declarations_are_followed_wherever_they_stand() {
    let check = |document: Value, body: &str, expected: &str| {
        let files = json!({ "s/a.json": { "$defs": { "a": { "properties": { "b": { "$ref": "b.json" } } } } },
            "s/b.json": { "properties": { "c": {} } } });
        assert_eq!(left(&with_files(document.clone(), files), body), expected, "{document}");
    };
    let all = r#"{"b":{"c":1,"d":2},"x":3}"#;
    check(json!({ "$ref": "s/a.json#/$defs/a" }), all, r#"{"b":{"c":1}}"#);
    check(json!({ "$ref": "s/a.json#/$defs/a", "properties": { "x": {} } }), all, r#"{"b":{"c":1},"x":3}"#);
    check(
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "definitions": { "b": { "properties": { "b": {} } } },
            "$ref": "#/definitions/b", "properties": { "x": {} } }),
        all,
        r#"{"b":{}}"#,
    );
    check(
        json!({ "$ref": "#b", "$defs": { "b": { "$anchor": "b", "properties": { "x": {} } } } }),
        all,
        r#"{"x":3}"#,
    );
    check(
        json!({ "$ref": "urn:x:b", "$defs": { "b": { "$id": "urn:x:b", "$ref": "#/$defs/c", "$defs": { "c": { "properties": { "x": {} } } } } } }),
        all,
        r#"{"x":3}"#,
    );
    check(
        json!({ "$dynamicRef": "#b", "$defs": { "b": { "$dynamicAnchor": "b", "properties": { "x": {} } } } }),
        all,
        r#"{"x":3}"#,
    );
    check(
        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "definitions": { "b": { "id": "#b", "properties": { "x": {} } } }, "$ref": "#b" }),
        all,
        r#"{"x":3}"#,
    );
}

#[test]
fn circles_end_with_the_value() {
    let tree = schema(json!({ "properties": { "v": {}, "next": { "$ref": "#" } } }));
    assert_eq!(
        left(&tree, r#"{"v":1,"w":2,"next":{"w":3,"next":{"v":4}}}"#),
        r#"{"v":1,"next":{"next":{"v":4}}}"#
    );
    let deep = format!("{}1{}", r#"{"next":"#.repeat(99), "}".repeat(99));
    assert_eq!(left(&tree, &deep), deep);
    let standing = schema(json!({ "$ref": "#/$defs/a", "$defs": {
        "a": { "$ref": "#/$defs/b", "properties": { "v": {} } }, "b": { "allOf": [{ "$ref": "#/$defs/a" }] },
    } }));
    assert_eq!(left(&standing, r#"{"v":1,"w":2}"#), r#"{"v":1}"#);
}
