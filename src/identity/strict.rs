//! JSON objects and base64url, read so that no two readers could differ.
//!
//! Values are made out of the document that [`json::read`] judged, not by
//! parsing its text again: serde_json gives some keys a meaning of its own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::body::doc::{At, Entries, What};
use crate::body::json;

/// Undoes base64url without padding (RFC 7515 §2): one text for each run of
/// bytes, so no whitespace and no stray bits at the end.
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Reads a JSON object in which no key stands twice, at any depth.
///
/// # Errors
/// What is wrong, without a word of the text.
pub(super) fn object(text: impl Into<Bytes>) -> Result<Map<String, Value>, String> {
    let doc = json::read(&text.into()).map_err(|why| why.to_string())?;
    match doc.root().what() {
        What::Map(entries) => map(entries).ok_or_else(|| "a number is out of range".to_owned()),
        _ => Err("it is no JSON object".to_owned()),
    }
}

fn map(entries: Entries<'_>) -> Option<Map<String, Value>> {
    let entry = |(key, value): (At<'_>, At<'_>)| match key.what() {
        What::Text(name) => Some((text(name), self::value(value)?)),
        _ => None,
    };
    entries.map(entry).collect()
}

fn value(at: At<'_>) -> Option<Value> {
    Some(match at.what() {
        What::Null => Value::Null,
        What::Bool(truth) => Value::Bool(truth),
        What::Number(digits) => Value::Number(serde_json::from_slice(digits).ok()?),
        What::Text(content) => Value::String(text(content)),
        What::List(items) => Value::Array(items.map(value).collect::<Option<_>>()?),
        What::Map(entries) => Value::Object(map(entries)?),
    })
}

/// It was judged to be UTF-8: nothing is lost.
fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_as_it_is_written() {
        let check = |text: &'static str, expected: Value| {
            assert_eq!(object(text).map(Value::Object), Ok(expected), "{text}");
        };
        check("{}", json!({}));
        check(r#"{"a":[1,-2,1.5,null,true,"\u00e9\n"],"b":{"c":{}}}"#, {
            json!({"a": [1, -2, 1.5, null, true, "é\n"], "b": {"c": {}}})
        });
        // serde_json itself would take this for the object inside the text.
        let key = "$serde_json::private::RawValue";
        check(r#"{"a":{"$serde_json::private::RawValue":"{\"b\":1}"}}"#, {
            json!({ "a": Value::Object(Map::from_iter([(key.to_owned(), json!("{\"b\":1}"))])) })
        });
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let check = |text: &'static str, expected: &str| {
            let why = object(text).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        };
        check(r#"{"a":1,"a":1}"#, "a key stands twice");
        check(r#"{"a":1,"\u0061":1}"#, "a key stands twice");
        check(r#"{"a":[{"b":{"c":1,"c":2}}]}"#, "a key stands twice");
        check(r#"{"a":1e400}"#, "out of range");
        check("[]", "no JSON object");
        check("\"{}\"", "no JSON object");
        check("null", "no JSON object");
        for text in ["", "{", "{} {}", "{'a':1}", "{\"a\":1,}", "\u{feff}{}", "{\"a\":NaN}"] {
            check(text, "column");
        }
        assert!(object(&b"{\"a\":\"\xff\"}"[..]).is_err());
    }

    #[test]
    fn bytes_have_one_text() {
        let check = |text: &str, expected: Option<&[u8]>| {
            assert_eq!(base64url(text).as_deref(), expected, "{text}");
        };
        check("", Some(b""));
        check("-_8", Some(b"\xfb\xff"));
        for text in ["+/8", "-_8=", "-_8 ", "-_\n8", " -_8", "-_9", "-", "-_8.", "é"] {
            check(text, None);
        }
    }
}
