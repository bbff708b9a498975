//! Records in the words of OCSF: each fits the published schema, and is bound to
//! the one before it. The other tests read its facts by plainer names.

use std::sync::OnceLock;

use countersign::trail::chain::Fingerprint;
use serde_json::{Map, Value, json};

/// What a record says, by plainer names. Checked on the way: nobody sees one that does not fit.
pub fn facts(record: &Value) -> Value {
    check(record);
    let (more, metadata) = (&record["unmapped"], &record["metadata"]);
    let named = |value: &Value| if value == "-" { Value::Null } else { value.clone() };
    let millis = |micros: &Value| micros.as_f64().map(|micros| json!(micros / 1000.0)).unwrap_or_default();
    let origin = &record["http_request"]["http_headers"][0]["value"];
    let secrets = record["resources"].as_array().into_iter().flatten();
    let mut secrets: Vec<Value> = secrets.cloned().collect();
    secrets.iter_mut().for_each(|secret| drop(secret.as_object_mut().unwrap().remove("type")));
    let facts = json!({
        "time": record["time"],
        "request_id": metadata["correlation_uid"],
        "method": record["http_request"]["http_method"].as_str().unwrap_or_default(),
        "route": named(&record["api"]["operation"]),
        "caller": named(&record["actor"]["app_name"]),
        "human": record["actor"]["user"]["uid"],
        "origin": origin,
        "source": record["src_endpoint"]["ip"].as_str().unwrap_or_default(),
        "status": record["http_response"]["code"].as_u64().unwrap_or_default(),
        "code": record["api"]["response"]["error"],
        "duration_ms": millis(&more["duration_us"]),
        "upstream": record["api"]["service"]["name"],
        "upstream_status": more["upstream_status"],
        "upstream_ms": millis(&more["upstream_us"]),
        "retries": more["retries"].as_u64().unwrap_or_default(),
        "secrets": secrets,
        "bytes_in": record["http_request"]["body_length"],
        "bytes_out": record["http_response"]["body_length"].as_u64().unwrap_or_default(),
    });
    let Value::Object(mut facts) = facts else { unreachable!() };
    let rest =
        ["api_key_id", "cache", "leak", "leaked", "meters", "renewed", "stale", "stream", "would_deny"];
    let rest = rest.into_iter().map(|name| (name, &more[name])).chain([("cause", &record["status_detail"])]);
    facts.extend(
        rest.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value.clone())),
    );
    facts.into()
}

/// The schema that is published, and the form that hashes are made of.
fn check(record: &Value) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let text = include_str!("../../docs/record.schema.json");
        jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
    });
    let faults: Vec<String> =
        schema.iter_errors(record).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:?} in {record}");
}

/// The JSON of RFC 8785 for what is in records: text, whole numbers, ASCII names.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            let fields = names.iter().map(|name| format!("{}:{}", json!(name), canonical(&fields[*name])));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        Value::Number(number) => {
            assert!(!number.is_f64(), "{number} is not whole");
            number.to_string()
        }
        other => other.to_string(),
    }
}

/// The links of a chain: what each says of itself, and of the one before it.
pub fn check_chain(lines: &[String]) {
    let mut before = "0".repeat(64);
    for (sequence, line) in lines.iter().enumerate() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(canonical(&record), *line);
        assert_eq!(record["metadata"]["sequence"], sequence);
        let link = &mut record["attestation_list"][0];
        assert_eq!(link["prev_event"]["fingerprint"]["value"], before);
        let own = link.as_object_mut().and_then(|link: &mut Map<_, _>| link.remove("fingerprint")).unwrap();
        before = Fingerprint::of(canonical(&record).as_bytes()).to_string();
        assert_eq!(own["value"], before);
    }
}
