//! JSON (RFC 8259), read strictly and written back without losing a digit.
//!
//! What is judged here is what goes on: a text that two parsers could read
//! differently (a key twice, bytes that are no UTF-8) is refused, and so is
//! one that would take more memory as a value than anybody means.

use std::fmt;
use std::io::Write;

use bytes::Bytes;
use hifijson::num::LexWrite as _;
use hifijson::str::LexAlloc as _;
use hifijson::token::Lex as _;
use hifijson::{Expect, SliceLexer};
use jaq_json::Num;

pub use jaq_json::{Map, Val};

/// Deeper than anybody nests in earnest. Everything that reads a value recurses.
pub(super) const DEEPEST: usize = 100;

/// What one body may take in memory as a value, in bytes. A short text can be
/// a large value: `[{},{},…]` takes thirty times its length.
const HEAVIEST: usize = 48 << 20;

/// Nobody means more digits, and reading them costs time squared.
const LONGEST_NUMBER: usize = 1000;

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

/// Reads a text that is one value.
///
/// # Errors
/// What is wrong, and in which line and column.
pub fn read(text: &Bytes) -> Result<Val, Unreadable> {
    let mut reader = Reader::new(text)?;
    reader.one().and_then(|value| reader.end().map(|()| value)).map_err(|fault| reader.say(fault))
}

/// Reads a text that is any number of values, one behind the other
/// (NDJSON, JSON text sequences without separators).
///
/// # Errors
/// As [`read`]; none of the values is then given.
pub fn read_all(text: &Bytes) -> Result<Vec<Val>, Unreadable> {
    let mut reader = Reader::new(text)?;
    let mut values = Vec::new();
    while reader.lexer.ws_peek().is_some() {
        values.push(reader.one().map_err(|fault| reader.say(fault))?);
    }
    Ok(values)
}

struct Reader<'t> {
    text: &'t Bytes,
    lexer: SliceLexer<'t>,
    /// About how much the values take in memory.
    weight: usize,
}

/// What is wrong at the place that was reached.
enum Fault {
    Syntax(hifijson::Error),
    TwiceTheKey,
    TooDeep,
    TooHeavy,
    LongNumber,
}

impl<E: Into<hifijson::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Syntax(error.into())
    }
}

impl<'t> Reader<'t> {
    fn new(text: &'t Bytes) -> Result<Self, Unreadable> {
        match std::str::from_utf8(text) {
            Ok(_) => Ok(Self { text, lexer: SliceLexer::new(text), weight: 0 }),
            Err(error) => {
                Err(Unreadable::new(format!("it is no UTF-8 from byte {} on", error.valid_up_to())))
            }
        }
    }

    fn one(&mut self) -> Result<Val, Fault> {
        let next = self.lexer.ws_peek().ok_or(Expect::Value)?;
        value(
            next,
            &mut self.lexer,
            &mut Bounds { text: self.text, depth: DEEPEST, weight: &mut self.weight },
        )
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.lexer.ws_peek().map_or(Ok(()), |_| Err(Expect::Eof.into()))
    }

    fn say(&self, fault: Fault) -> Unreadable {
        let read = self.text.len() - self.lexer.as_slice().len();
        let before = self.text.get(..read).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let last = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(last).chars().count() + 1;
        let what = match fault {
            Fault::Syntax(error) => error.to_string(),
            Fault::TwiceTheKey => "a key stands twice in one object".to_owned(),
            Fault::TooDeep => format!("it is nested deeper than {DEEPEST} levels"),
            Fault::TooHeavy => "it holds too many values".to_owned(),
            Fault::LongNumber => format!("a number has more than {LONGEST_NUMBER} digits"),
        };
        Unreadable(format!("line {line}, column {column}: {what}"))
    }
}

/// How far a value may go.
struct Bounds<'t, 'w> {
    text: &'t Bytes,
    depth: usize,
    weight: &'w mut usize,
}

impl<'t> Bounds<'t, '_> {
    fn add(&mut self, bytes: usize) -> Result<(), Fault> {
        *self.weight += bytes;
        if HEAVIEST < *self.weight { Err(Fault::TooHeavy) } else { Ok(()) }
    }

    fn deeper(&mut self) -> Result<Bounds<'t, '_>, Fault> {
        let depth = self.depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        Ok(Bounds { text: self.text, depth, weight: self.weight })
    }
}

/// What the parts of a value take, allocator's share included.
mod weight {
    pub const VALUE: usize = 16;
    pub const TEXT: usize = 48;
    pub const LIST: usize = 64;
    pub const MAP: usize = 112;
    pub const ENTRY: usize = 96;
}

fn value<'t>(next: u8, lexer: &mut SliceLexer<'t>, bounds: &mut Bounds<'t, '_>) -> Result<Val, Fault> {
    bounds.add(weight::VALUE)?;
    Ok(match next {
        b'"' => text(lexer.discarded(), bounds)?,
        b'0'..=b'9' | b'-' => number(lexer, bounds)?,
        b'[' => list(lexer.discarded(), &mut bounds.deeper()?)?,
        b'{' => map(lexer.discarded(), &mut bounds.deeper()?)?,
        _ => lexer.null_or_bool().ok_or(Expect::Value)?.map_or(Val::Null, Val::Bool),
    })
}

/// A string that has no escapes in it is shared with the text and not copied.
fn text<'t>(lexer: &mut SliceLexer<'t>, bounds: &mut Bounds<'t, '_>) -> Result<Val, Fault> {
    let string = lexer.str_string().map_err(hifijson::Error::Str)?;
    bounds.add(weight::TEXT)?;
    Ok(Val::utf8_str(match string {
        std::borrow::Cow::Borrowed("") => Bytes::new(),
        std::borrow::Cow::Borrowed(same) => bounds.text.slice_ref(same.as_bytes()),
        std::borrow::Cow::Owned(other) => {
            bounds.add(other.len())?;
            other.into()
        }
    }))
}

fn number<'t>(lexer: &mut SliceLexer<'t>, bounds: &mut Bounds<'t, '_>) -> Result<Val, Fault> {
    let (digits, parts) = lexer.num_string().validated().map_err(hifijson::Error::Num)?;
    if LONGEST_NUMBER < digits.len() {
        return Err(Fault::LongNumber);
    }
    // There is no whole number for `-0`.
    let whole = if parts.is_int() && digits != "-0" { Num::from_str_radix(digits, 10) } else { None };
    Ok(Val::Num(match whole {
        Some(number) => number,
        None => {
            bounds.add(weight::TEXT + digits.len())?;
            Num::Dec(digits.to_owned().into())
        }
    }))
}

fn list<'t>(lexer: &mut SliceLexer<'t>, bounds: &mut Bounds<'t, '_>) -> Result<Val, Fault> {
    bounds.add(weight::LIST)?;
    let mut items = Vec::new();
    lexer.seq(b']', SliceLexer::ws_peek, |next, lexer| {
        items.push(value(next, lexer, bounds)?);
        Ok::<_, Fault>(())
    })?;
    Ok(items.into_iter().collect())
}

fn map<'t>(lexer: &mut SliceLexer<'t>, bounds: &mut Bounds<'t, '_>) -> Result<Val, Fault> {
    bounds.add(weight::MAP)?;
    let mut entries = Map::default();
    lexer.seq(b'}', SliceLexer::ws_peek, |next, lexer| {
        bounds.add(weight::ENTRY)?;
        lexer.expect(|_| Some(next), b'"').ok_or(Expect::String)?;
        let key = text(lexer, bounds)?;
        lexer.expect(SliceLexer::ws_peek, b':').ok_or(Expect::Colon)?;
        let next = lexer.ws_peek().ok_or(Expect::Value)?;
        let value = value(next, lexer, bounds)?;
        match entries.insert(key, value) {
            None => Ok(()),
            Some(_) => Err(Fault::TwiceTheKey),
        }
    })?;
    Ok(Val::obj(entries))
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
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index != 0 {
                    out.push(b',');
                }
                put(item, out, limit, depth - 1)?;
            }
            out.push(b']');
        }
        Val::Obj(entries) => {
            out.push(b'{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index != 0 {
                    out.push(b',');
                }
                let Val::TStr(key) = key else { return Err(Unwritable::NoWord) };
                put_text(key, out)?;
                out.push(b':');
                put(value, out, limit, depth - 1)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn put_text(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let text = std::str::from_utf8(text).map_err(|_| Unwritable::NoWord)?;
    serde_json::to_writer(out, text).map_err(|_| Unwritable::NoWord)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(text: &str) -> Result<String, Unreadable> {
        let value = read(&Bytes::copy_from_slice(text.as_bytes()))?;
        Ok(String::from_utf8(write(&value, usize::MAX).unwrap()).unwrap())
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
        check("{\"a\":1,\n\"a\":2}", "line 2, column 6: a key stands twice");
        check("{\"a\":1,\"\\u0061\":2}", "a key stands twice");
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
