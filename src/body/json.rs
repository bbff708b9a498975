//! JSON (RFC 8259), read strictly and written back without losing a digit.
//!
//! What is judged here is what goes on: a text that two parsers could read
//! differently (a key twice, bytes that are no UTF-8) is refused, and so is
//! one that would take more memory as a value than anybody means.

use std::fmt;
use std::io::Write;

use jaq_json::Num;
pub use jaq_json::{Map, Val};

pub use super::doc::Doc;
pub use super::reader::{read, read_all};

/// Deeper than anybody nests in earnest. Everything that reads a value recurses.
pub(super) const DEEPEST: usize = 100;

/// Why a body could not be read. Its words repeat nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(String);

/// Why a value could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// It is longer than the limit.
    TooLong,
    /// JSON has no word for it: not a number, infinite, bytes that are no
    /// text, or a key that is none.
    NoWord,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "is too long",
            Self::NoWord => "cannot be written in this encoding",
        })
    }
}

impl Unreadable {
    /// `why`: what is wrong with the body, in words for whoever sent it.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes a value, in no more than `limit` bytes. Numbers are written as they
/// were read.
///
/// # Errors
/// What has no place in JSON, or in `limit`.
pub fn write(value: &Val, limit: usize) -> Result<Vec<u8>, Unwritable> {
    let mut out = Vec::new();
    put(value, &mut out, limit, DEEPEST * 2)?;
    if limit < out.len() { Err(Unwritable::TooLong) } else { Ok(out) }
}

fn put(value: &Val, out: &mut Vec<u8>, limit: usize, depth: usize) -> Result<(), Unwritable> {
    // A value that shares its parts can be far longer written than it is large.
    if limit < out.len() || depth == 0 {
        return Err(Unwritable::TooLong);
    }
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(Num::Float(float)) if !float.is_finite() => return Err(Unwritable::NoWord),
        // Writing into a vector cannot fail.
        Val::Num(number) => drop(write!(out, "{number}")),
        Val::TStr(text) => put_text(text, out)?,
        Val::BStr(_) => return Err(Unwritable::NoWord),
        Val::Arr(items) => {
            put_all(out, *b"[]", items.iter(), |item, out| put(item, out, limit, depth - 1))?;
        }
        Val::Obj(entries) => put_all(out, *b"{}", entries.iter(), |(key, value), out| {
            let Val::TStr(key) = key else { return Err(Unwritable::NoWord) };
            put_text(key, out)?;
            out.push(b':');
            put(value, out, limit, depth - 1)
        })?,
    }
    Ok(())
}

/// Writes what stands between two brackets, with commas.
pub(super) fn put_all<T>(
    out: &mut Vec<u8>,
    [open, close]: [u8; 2],
    items: impl Iterator<Item = T>,
    mut put: impl FnMut(T, &mut Vec<u8>) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index != 0 {
            out.push(b',');
        }
        put(item, out)?;
    }
    out.push(close);
    Ok(())
}

pub(super) fn put_text(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let text = std::str::from_utf8(text).map_err(|_| Unwritable::NoWord)?;
    serde_json::to_writer(out, text).map_err(|_| Unwritable::NoWord)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn back(text: &str) -> Result<String, Unreadable> {
        let doc = read(&Bytes::copy_from_slice(text.as_bytes()))?;
        let (mut out, value) = (Vec::new(), doc.value());
        doc.root().write(&mut out, usize::MAX).unwrap();
        assert_eq!(write(&value, usize::MAX).as_ref(), Ok(&out), "{text}");
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_read_is_written_back() {
        for text in [
            "null",
            "[true,false]",
            "12345678901234567890123",
            "-9223372036854775809",
            "1e400",
            "1.10",
            "-0",
            "-0",
            "0.1e-7",
            "[[],{},\"\"]",
            r#"{"b":1,"a":{"é\"\n":"\u001f😀"}}"#,
        ] {
            assert_eq!(back(text).as_deref(), Ok(text));
        }
        assert_eq!(back(" { \"a\" :\t[ 1 ,2 ] }\r\n").as_deref(), Ok(r#"{"a":[1,2]}"#));
        assert_eq!(back(r#""\u0041\ud83d\ude00\/""#).as_deref(), Ok("\"A😀/\""));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        let check = |text: &str, expected: &str| {
            let said = back(text).expect_err(text).to_string();
            assert!(said.contains(expected), "{text}: {said}");
        };
        check("", "line 1, column 1");
        check("{\"a\":1,\n\"a\":2}", "line 2, column 1: a key stands twice");
        check("{\"a\":1,\"\\u0061\":2}", "a key stands twice");
        check(r#"{"a":{"a":{"a":1},"b":2,"a":3}}"#, "column 25: a key stands twice");
        let many: String = (0..20).map(|name| format!("\"{name}\":{{\"0\":1}},")).collect();
        check(&format!("{{{many}\"1\\u0039\":1}}"), "a key stands twice");
        assert!(back(&format!("{{{many}\"20\":1}}")).is_ok());
        for text in
            ["[1,]", "{,}", "01", "+1", "1.", ".5", "NaN", "[Infinity]", "#x\n1", "b\"x\"", "1 2", "{1:2}"]
        {
            check(text, "column");
        }
        check(r#""\ud800""#, "column");
        check("\u{feff}{}", "value expected");
        check("\"a\nb\"", "control");
        check(&"[".repeat(200_000), "nested");
        check(&"9".repeat(1001), "digits");
        check(&format!("[{}1]", "{},".repeat(600_000)), "too many values");
        assert!(read(&Bytes::from_static(b"\"\xff\"")).is_err());
    }

    #[test]
    fn a_value_that_json_cannot_say_is_not_written() {
        let check = |value: Val, expected| assert_eq!(write(&value, 100), Err(expected));
        check(Val::Num(Num::Float(f64::NAN)), Unwritable::NoWord);
        check(Val::Num(Num::Float(f64::INFINITY)), Unwritable::NoWord);
        check(Val::byte_str("x"), Unwritable::NoWord);
        check(Val::obj([(Val::Null, Val::Null)].into_iter().collect()), Unwritable::NoWord);
        check(Val::utf8_str("x".repeat(100)), Unwritable::TooLong);
        let doubled = (0..40).fold(Val::Null, |value, _| [value.clone(), value].into_iter().collect());
        check(doubled, Unwritable::TooLong);
    }

    #[test]
    fn many_values_stand_behind_each_other() {
        let values = read_all(&Bytes::from_static(b"1\n{\"a\":2} [3]\n")).unwrap();
        assert_eq!(values.len(), 3);
        assert!(read_all(&Bytes::from_static(b"1\n}")).is_err());
    }
}
