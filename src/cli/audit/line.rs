//! A line of a log: a record, or what else stands there.
//!
//! A function's log holds other lines too, an export puts a time before each,
//! and a record that could not be delivered is wrapped in another object.

use bytes::Bytes;
use serde_json::Value;

use crate::body::json;
use crate::trail::chain::Fingerprint;

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// A record.
    Record {
        /// All of it.
        value: Value,
        /// Whether it says that it could not be delivered.
        undelivered: bool,
    },
    /// It was a record once.
    Mangled,
    /// Not ours to judge.
    Other,
}

/// A record's place in its chain, and what binds it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The chain's name.
    pub chain: String,
    /// 0 for the first.
    pub sequence: u64,
    /// The hash of what it says.
    pub own: String,
    /// The hash that it says it has. Whoever changed it may have made this anew.
    pub stated: Option<String>,
    /// The hash that it says the record before it has.
    pub before: String,
    /// What the chain begins or ends with, or one in between.
    pub role: Role,
    /// When it came in: milliseconds since 1970.
    pub time: u64,
}

/// What a record is to its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its environment began.
    Opening,
    /// Anything else.
    Middle,
    /// Its environment ended.
    Closing,
}

/// Keys that nothing but a record has. Inside a text their quotes would be escaped.
const MARKS: [&str; 3] = ["\"attestation_list\":", "\"chain_uid\":", "\"prev_event\":"];

impl Line {
    /// Reads a line.
    pub fn read(text: &str) -> Self {
        let text = text.trim_end().find('{').and_then(|at| text.get(at..)).unwrap_or_default();
        let Some(value) = parse(text) else {
            let was_one = MARKS.iter().any(|mark| text.contains(mark));
            return if was_one { Self::Mangled } else { Self::Other };
        };
        match value {
            Value::Object(mut map) if map.get("type").is_some_and(|kind| kind == "undelivered") => {
                let value = map.remove("record").unwrap_or_default();
                Self::Record { value, undelivered: true }
            }
            value if is_record(&value) => Self::Record { value, undelivered: false },
            _ => Self::Other,
        }
    }
}

/// Strictly: of a key that stands twice, one reader sees the first and another one the last.
fn parse(text: &str) -> Option<Value> {
    json::read(&Bytes::copy_from_slice(text.as_bytes())).ok()?;
    serde_json::from_str(text).ok()
}

/// What stands there (RFC 6901); null where nothing does.
pub(super) fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn is_record(value: &Value) -> bool {
    value.get("attestation_list").is_some() || at(value, "/metadata/product/name") == "Countersign"
}

impl Link {
    /// What binds a record. `None`: it lost that.
    pub fn of(mut record: Value) -> Option<Self> {
        let role = match (at(&record, "/class_uid").as_u64(), at(&record, "/activity_id").as_u64()) {
            (Some(6002), Some(3)) => Role::Opening,
            (Some(6002), Some(4)) => Role::Closing,
            _ => Role::Middle,
        };
        let (sequence, time) = (at(&record, "/metadata/sequence").as_u64()?, at(&record, "/time").as_u64()?);
        let link = record.get_mut("attestation_list")?.get_mut(0)?.as_object_mut()?;
        let stated = link.remove("fingerprint").and_then(hash);
        let chain = link.get("chain_uid")?.as_str()?.to_owned();
        let before = hash(link.get("prev_event")?.get("fingerprint")?.clone())?;
        let canonical = serde_json_canonicalizer::to_vec(&record).ok()?;
        let own = Fingerprint::of(&canonical).to_string();
        Some(Self { chain, sequence, own, stated, before, role, time })
    }

    /// Whether it says of itself what is true.
    pub fn is_sound(&self) -> bool {
        self.stated.as_ref() == Some(&self.own)
    }
}

/// The value of an object *fingerprint*, where nothing else than that is in it.
fn hash(fingerprint: Value) -> Option<String> {
    let Value::Object(mut map) = fingerprint else { return None };
    let sha256 = map.remove("algorithm")? == "SHA-256" && map.remove("algorithm_id")? == 3;
    let Value::String(value) = map.remove("value")? else { return None };
    (sha256 && map.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_found_in_each_kind_of_line() {
        let check = |line: &str, expected: Option<bool>| {
            let found = match Line::read(line) {
                Line::Record { value, undelivered } if value["attestation_list"] == json!([]) => {
                    Some(undelivered)
                }
                Line::Other => None,
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(found, expected, "{line}");
        };
        check(r#"{"attestation_list":[]}"#, Some(false));
        check("{\"attestation_list\":[]}\r\n", Some(false));
        check(r#"2026-11-22T10:00:00.000Z {"attestation_list":[]}"#, Some(false));
        check("2026-11-22T10:00:00.000Z\tname/[$LATEST]0 { \"attestation_list\" : [] }", Some(false));
        check(r#"{"record":{"attestation_list":[]},"type":"undelivered"}"#, Some(true));
        check("START RequestId: 1 Version: $LATEST", None);
        check(r#"{"type":"alarm","cause":"{\"chain_uid\": 1"}"#, None);
        check(r#"{"anchor":{"chain_uid":"a"}}"#, None);
        check("", None);
    }

    #[test]
    fn what_was_a_record_is_not_passed_over() {
        let check = |line: &str| assert_eq!(Line::read(line), Line::Mangled, "{line}");
        check(r#"{"attestation_list":[]"#);
        check(r#"{"attestation_list":[],"a":1,"a":1}"#);
        check(r#"{"a":"b"x,"chain_uid":""}"#);
        check(r#"{"attestation_list":[]} more"#);
    }

    #[test]
    fn a_hash_is_sha_256_and_nothing_beside_it() {
        let check = |fingerprint: Value, expected: Option<&str>| {
            assert_eq!(hash(fingerprint.clone()).as_deref(), expected, "{fingerprint}");
        };
        check(json!({ "algorithm": "SHA-256", "algorithm_id": 3, "value": "ab" }), Some("ab"));
        check(json!({ "algorithm": "SHA-257", "algorithm_id": 3, "value": "ab" }), None);
        check(json!({ "algorithm": "SHA-256", "algorithm_id": 4, "value": "ab" }), None);
        check(json!({ "algorithm": "SHA-256", "algorithm_id": 3, "value": "ab", "more": 1 }), None);
        check(json!({ "algorithm": "SHA-256", "algorithm_id": 3 }), None);
        check(json!("ab"), None);
    }
}
