//! Our reading of a body against the crate's own, on any body.

use proptest::prelude::*;

use super::*;

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..12).prop_map(Value::from),
        prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(2.5)].prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[abé]{0,4}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn schemas() -> Vec<Value> {
    let leaf = json!({ "type": ["string", "integer"], "maxLength": 2, "maximum": 5, "multipleOf": 2 });
    vec![
        json!({ "type": "object", "properties": { "a": leaf, "b": { "$ref": "#" } }, "additionalProperties": { "type": "number" } }),
        json!({ "items": leaf, "uniqueItems": true, "minItems": 1 }),
        json!({ "uniqueItems": true, "contains": { "type": "integer" }, "maxContains": 2 }),
        json!({ "enum": [null, 1, "a", [1, 2.5], { "a": 1 }, []] }),
        json!({ "anyOf": [{ "const": { "a": null } }, { "required": ["b"] }, { "type": "array", "items": { "$ref": "#" } }] }),
        json!({ "oneOf": [{ "type": "number" }, { "type": "integer" }, { "minLength": 1 }] }),
        json!({ "patternProperties": { "^[ab]$": { "type": "array" } }, "minProperties": 1, "propertyNames": { "pattern": "[ab]" } }),
        json!({ "properties": { "a": true }, "unevaluatedProperties": false, "anyOf": [{ "properties": { "b": true } }, true] }),
        json!({ "prefixItems": [{ "type": "null" }], "unevaluatedItems": { "type": "integer" } }),
        json!({ "if": { "type": "object" }, "then": { "dependentRequired": { "a": ["b"] } }, "else": { "not": { "type": "string" } } }),
        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "type": ["integer", "array", "object"], "items": { "type": "integer" } }),
        json!({ "exclusiveMinimum": 0, "minimum": 1, "exclusiveMaximum": 10, "maxProperties": 2, "minLength": 1, "type": ["number", "object", "string"] }),
    ]
}

proptest! {
    #[test]
    fn both_judge_alike(body in any_value()) {
        // Compiled once: that takes longer than all judgements.
        thread_local! {
            static BOTH: Vec<(Schema, Validator)> = schemas().into_iter().map(|document| {
                let theirs = jsonschema::options().should_validate_formats(true).build(&document).unwrap();
                (schema(document), theirs)
            }).collect();
        }
        let ours = value(&body.to_string());
        BOTH.with(|both| -> Result<(), TestCaseError> {
            for (schema, theirs) in both {
                let said = schema.validate(&ours).unwrap();
                prop_assert_eq!(said.is_empty(), theirs.is_valid(&body), "{} {:?}", schema.document, said);
                let kept = schema.project(ours.clone()).unwrap();
                prop_assert_eq!(text(&schema.project(kept.clone()).unwrap()), text(&kept));
            }
            Ok(())
        })?;
    }
}
