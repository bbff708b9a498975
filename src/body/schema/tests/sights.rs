//! What a schema does not look at need not be there.

use proptest::strategy::Strategy;

use super::*;

fn seen(document: &Value, body: &str) -> Value {
    copy::copy(doc(body).root(), &Sight::of(document), &mut { copy::HEAVIEST }).unwrap()
}

#[test]
fn only_what_a_schema_can_look_at_is_copied() {
    let check = |document: Value, body: &str, expected: Value| {
        assert_eq!(seen(&document, body), expected, "{document} {body}");
    };
    let body = r#"{"a":{"x":[1]},"b":[{"c":1,"d":2},"t"],"e":7}"#;
    let whole: Value = serde_json::from_str(body).unwrap();
    check(json!(true), body, json!(null));
    check(json!({ "type": "object" }), body, json!({ "a": null, "b": null, "e": null }));
    let one = json!({ "properties": { "e": { "minimum": 1 } }, "additionalProperties": false });
    check(one, body, json!({ "a": null, "b": null, "e": 7 }));
    let each =
        json!({ "properties": { "b": { "items": { "properties": { "c": { "type": "integer" } } } } } });
    check(each, body, json!({ "a": null, "b": [{ "c": 1, "d": null }, "t"], "e": null }));
    let shallow = json!({ "properties": { "a": { "enum": [1, "x"] }, "b": { "const": null } } });
    check(shallow, body, json!({ "a": { "x": null }, "b": [null, null], "e": null }));
    // What may look further, sees everything.
    for keyword in [
        json!({ "$ref": "#/$defs/a" }),
        json!({ "additionalProperties": { "type": "string" } }),
        json!({ "allOf": [] }),
        json!({ "anyOf": [{ "type": "object" }] }),
        json!({ "const": { "a": 1 } }),
        json!({ "contains": {} }),
        json!({ "dependentSchemas": {} }),
        json!({ "enum": [[1]] }),
        json!({ "if": true }),
        json!({ "items": [{}] }),
        json!({ "not": {} }),
        json!({ "oneOf": [true] }),
        json!({ "patternProperties": { "a": {} } }),
        json!({ "prefixItems": [] }),
        json!({ "propertyNames": {} }),
        json!({ "unevaluatedProperties": false }),
        json!({ "uniqueItems": true }),
        json!({ "newest": 1 }),
    ] {
        check(keyword, body, whole.clone());
    }
}

fn schemas() -> impl Strategy<Value = Value> {
    let leaf = proptest::sample::select(vec![
        json!(true),
        json!(false),
        json!({}),
        json!({ "type": ["object", "null"] }),
        json!({ "type": "array", "minItems": 2 }),
        json!({ "type": "integer", "maximum": 3 }),
        json!({ "enum": [null, 1, "a"] }),
        json!({ "enum": [[], { "a": 1 }] }),
        json!({ "const": "a" }),
        json!({ "required": ["b"], "minLength": 2 }),
        json!({ "maxProperties": 1, "additionalProperties": false }),
        json!({ "uniqueItems": true }),
        json!({ "dependentRequired": { "a": ["b"] } }),
        json!({ "propertyNames": { "const": "a" } }),
    ]);
    leaf.prop_recursive(3, 16, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        proptest::prop_oneof![
            pair.clone().prop_map(|(a, b)| json!({ "properties": { "a": a, "b": b } })),
            pair.clone().prop_map(|(a, b)| json!({ "type": "object", "properties": { "a": a }, "items": b })),
            inner.clone().prop_map(|items| json!({ "items": items })),
            inner.clone().prop_map(|a| json!({ "properties": { "a": a }, "additionalProperties": false })),
            inner.clone().prop_map(|not| json!({ "not": not })),
            pair.prop_map(|(one, two)| json!({ "oneOf": [one, two] })),
            inner
                .prop_map(|a| json!({ "$defs": { "x": a }, "properties": { "b": { "$ref": "#/$defs/x" } } })),
        ]
    })
}

fn bodies() -> impl Strategy<Value = Value> {
    let leaf = proptest::sample::select(vec![json!(null), json!(1), json!(5), json!("a"), json!("ab")]);
    leaf.prop_recursive(3, 12, 3, |inner| {
        proptest::prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            inner.clone().prop_map(|a| json!({ "a": a })),
            (inner.clone(), inner).prop_map(|(a, b)| json!({ "a": a, "b": b })),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn a_copy_of_what_is_seen_is_judged_as_the_whole(document in schemas(), body in bodies()) {
        let schema = schema(document.clone());
        // A reference within a part leads nowhere, and then nothing is judged.
        let Ok(validator) = schema.validator() else { return Ok(()) };
        let whole = places(validator, &body);
        proptest::prop_assert_eq!(validator.is_valid(&body), validator.is_valid(&seen(&document, &body.to_string())));
        proptest::prop_assert_eq!(whole, places(validator, &seen(&document, &body.to_string())));
    }
}
