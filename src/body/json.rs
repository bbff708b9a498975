//! JSON (RFC 8259), read strictly and written back without losing a digit.
//!
//! What is judged here is what goes on: a text that two parsers could read
//! differently (a key twice, bytes that are no UTF-8) is refused, and so is
//! one that would take more memory as a value than anybody means.

use std::fmt;

pub use jaq_json::{Map, Val};

pub use super::doc::Doc;
pub use super::reader::{read, read_all};
pub use super::writer::Writer;

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
    let mut out = Writer::new(limit);
    out.value(value).map(|()| out.into_text())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn back(text: &str) -> Result<String, Unreadable> {
        let doc = read(&Bytes::copy_from_slice(text.as_bytes()))?;
        let mut out = Writer::new(usize::MAX);
        doc.root().write(&mut out).unwrap();
        let out = out.into_text();
        assert_eq!(write(&doc.value(), usize::MAX).as_ref(), Ok(&out), "{text}");
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
        check(Val::Num(jaq_json::Num::Float(f64::NAN)), Unwritable::NoWord);
        check(Val::Num(jaq_json::Num::Float(f64::INFINITY)), Unwritable::NoWord);
        check(Val::byte_str("x"), Unwritable::NoWord);
        check(Val::obj([(Val::Null, Val::Null)].into_iter().collect()), Unwritable::NoWord);
        check(Val::utf8_str("x".repeat(100)), Unwritable::TooLong);
        let doubled = (0..40).fold(Val::Null, |value, _| [value.clone(), value].into_iter().collect());
        check(doubled, Unwritable::TooLong);
    }

    #[test]
    fn many_values_stand_behind_each_other() {
        let values = read_all(&Bytes::from_static(b"1\n{\"a\":2} [3]\n")).unwrap();
        let written = values.values().map(|value| write(&value.value(), 9).unwrap());
        assert_eq!(written.collect::<Vec<_>>().concat(), b"1{\"a\":2}[3]");
        // So many values of two bytes each would take a hundred times that.
        assert!(read_all(&"0\n".repeat(2_000_000).into()).is_err());
        assert!(read_all(&Bytes::from_static(b"1\n}")).is_err());
    }
}
