//! `countersign schema`: the JSON Schema of the file, made from the declared structs,
//! and that of records, made from theirs.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::config::Declared;
use crate::proxy::audit::words::ApiActivity;
use crate::trail::ocsf::ApplicationLifecycle;

/// The schema. Draft 7: what YAML's editors know best.
pub(super) fn value() -> Value {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Declared>();
    let mut schema = schema.to_value();
    require(&mut schema);
    schema
}

/// The declared structs require nothing, so that `check` finds every flaw.
/// What it would miss is marked there by `required: true`; the mark becomes
/// JSON Schema's own list here.
fn require(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.values_mut().for_each(require);
            let Some(Value::Object(properties)) = map.get_mut("properties") else { return };
            let mut names: Vec<Value> = Vec::new();
            for (name, property) in properties.iter_mut().filter(|(_, property)| property["required"] == true)
            {
                names.push(name.as_str().into());
                unmark(property);
            }
            if !names.is_empty() {
                map.insert("required".to_owned(), names.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(require),
        _ => {}
    }
}

fn unmark(property: &mut Value) {
    let Value::Object(property) = property else { return };
    property.remove("required");
    property.remove("default");
    if let Some(Value::Array(kinds)) = property.get_mut("type") {
        kinds.retain(|kind| kind != "null");
    }
}

/// A record: one line of the trail. Classes of OCSF 1.8, and what it leaves open.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it is for its schema, and never made")]
enum Record<'r> {
    /// API Activity (6003): one request, and what became of it.
    Call(Box<ApiActivity<'r>>),
    /// Application Lifecycle (6002): an execution environment began, or ended.
    Lifecycle(Box<ApplicationLifecycle<'r>>),
}

/// The schema of records.
pub(super) fn of_records() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    format!("{:#}\n", settings.into_generator().into_root_schema_for::<Record<'_>>().to_value())
}

/// The schema as it is committed.
pub(super) fn text() -> String {
    format!("{:#}\n", value())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_schema_is_that_of_the_code() {
        let committed = include_str!("../../docs/countersign.schema.json");
        let update = "cargo run --features cli --bin countersign schema > docs/countersign.schema.json";
        assert!(committed == super::text(), "the declared structs have changed; run `{update}`");
        let committed = include_str!("../../docs/record.schema.json");
        let update = "cargo run --features cli --bin countersign schema --record > docs/record.schema.json";
        assert!(committed == super::of_records(), "the records have changed; run `{update}`");
    }
}
