//! Forms as pages send them and as many APIs want them:
//! `application/x-www-form-urlencoded` (WHATWG URL §5).
//!
//! Read flat, because pages mean nothing by brackets; written nested,
//! because Stripe, Twilio and Mailgun do.

use bytes::Bytes;
use jaq_json::{Map, Num};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::fields::Fields;
use super::json::{DEEPEST, Unreadable, Unwritable};
use super::{Doc, Val};

/// What stands for itself in every decoder's eyes (RFC 3986 §2.3). A space is
/// `%20` and not `+`, which some take for a plus.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Brackets stay as they are in names. Decoders take them either way; Stripe's
/// own libraries send them so, and logs are easier to read.
const NAME: &AsciiSet = &VALUE.remove(b'[').remove(b']');

/// Values that share their parts can go on for ever and still write nothing:
/// `[null, null]`, doubled forty times.
const MOST_VALUES: usize = 1_000_000;

/// Reads a form to an object of texts, in order; a name that is repeated
/// holds a list (WHATWG URL §5.1). Names stay as written: `tags[]` is a name.
///
/// # Errors
/// A name or value is no UTF-8, or there are too many fields.
pub fn read(text: &Bytes) -> Result<Doc, Unreadable> {
    let mut fields = Fields::default();
    for field in text.split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
        let mut halves = field.splitn(2, |byte| *byte == b'=').map(decode);
        let name = halves.next().unwrap_or_else(|| Ok(String::new()))?;
        let value = halves.next().unwrap_or_else(|| Ok(String::new()))?;
        fields.add(name, Val::utf8_str(value))?;
    }
    fields.into_doc()
}

fn decode(text: &[u8]) -> Result<String, Unreadable> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    match percent_decode(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(Unreadable::new("a name or value is no UTF-8 once percent-decoded")),
    }
}

/// Writes an object as a form, in no more than `limit` bytes.
///
/// What is nested is named by its path: `{a: {b: 1}}` is `a[b]=1`. A list
/// repeats its name, `to=x&to=y`, unless it holds objects or lists: then it
/// counts, `items[0][price]=x`. An API that wants `expand[]=x` is sent the key
/// `expand[]`; other brackets in keys are refused. Null is left out, and so is what holds nothing.
///
/// # Errors
/// What has no place in a form, or in `limit`.
pub fn write(value: &Val, limit: usize) -> Result<Vec<u8>, Unwritable> {
    let Val::Obj(_) = value else { return Err(Unwritable::NoWord) };
    let mut writer = Writer { out: String::new(), limit, path: Vec::new(), left: MOST_VALUES };
    writer.put(value)?;
    Ok(writer.out.into_bytes())
}

struct Writer<'v> {
    out: String,
    limit: usize,
    /// Where the value stands that is put next.
    path: Vec<Step<'v>>,
    /// How many values may still be put.
    left: usize,
}

enum Step<'v> {
    Key(&'v Val),
    Index(usize),
}

impl<'v> Writer<'v> {
    fn put(&mut self, value: &'v Val) -> Result<(), Unwritable> {
        self.left = self.left.checked_sub(1).ok_or(Unwritable::TooLong)?;
        if DEEPEST * 2 < self.path.len() {
            return Err(Unwritable::TooLong);
        }
        match value {
            Val::Null => Ok(()),
            Val::Bool(yes) => self.pair(if *yes { "true" } else { "false" }),
            Val::Num(Num::Float(float)) if !float.is_finite() => Err(Unwritable::NoWord),
            Val::Num(number) => self.pair(&number.to_string()),
            Val::TStr(text) => self.pair(utf8(text)?),
            Val::BStr(_) => Err(Unwritable::NoWord),
            Val::Arr(items) => self.list(items),
            Val::Obj(entries) => entries.iter().try_for_each(|(key, value)| {
                self.check_key(key, entries)?;
                self.put_at(Step::Key(key), value)
            }),
        }
    }

    fn put_at(&mut self, step: Step<'v>, value: &'v Val) -> Result<(), Unwritable> {
        self.path.push(step);
        self.put(value)?;
        self.path.pop();
        Ok(())
    }

    /// Brackets in a key would name what another key holds. Only `expand[]`
    /// may be written, at the top, where there is no `expand`.
    fn check_key(&mut self, key: &Val, beside: &Map) -> Result<(), Unwritable> {
        let Val::TStr(name) = key else { return Err(Unwritable::NoWord) };
        // Looking through a long one is work too.
        self.left = self.left.checked_sub(name.len() / 64).ok_or(Unwritable::TooLong)?;
        let base = name.strip_suffix(b"[]").filter(|_| self.path.is_empty());
        let plain = !base.unwrap_or(name).iter().any(|byte| matches!(byte, b'[' | b']'));
        let alone = base.is_none_or(|base| !beside.contains_key(&Val::utf8_str(name.slice_ref(base))));
        if plain && alone { Ok(()) } else { Err(Unwritable::NoWord) }
    }

    fn list(&mut self, items: &'v [Val]) -> Result<(), Unwritable> {
        if items.iter().any(|item| matches!(item, Val::Arr(_) | Val::Obj(_))) {
            let mut counted = items.iter().enumerate();
            return counted.try_for_each(|(index, item)| self.put_at(Step::Index(index), item));
        }
        items.iter().try_for_each(|item| self.put(item))
    }

    /// The name of a value is not made before there is one: most of a name's
    /// length would be in vain where nulls are.
    fn pair(&mut self, value: &str) -> Result<(), Unwritable> {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        for (depth, step) in self.path.iter().enumerate() {
            let (open, close) = if depth == 0 { ("", "") } else { ("[", "]") };
            self.out.push_str(open);
            match step {
                Step::Key(Val::TStr(key)) => self.out.extend(utf8_percent_encode(utf8(key)?, NAME)),
                Step::Key(_) => return Err(Unwritable::NoWord),
                Step::Index(index) => self.out.push_str(&index.to_string()),
            }
            self.out.push_str(close);
        }
        self.out.push('=');
        self.out.extend(utf8_percent_encode(value, VALUE));
        if self.limit < self.out.len() { Err(Unwritable::TooLong) } else { Ok(()) }
    }
}

fn utf8(text: &[u8]) -> Result<&str, Unwritable> {
    std::str::from_utf8(text).map_err(|_| Unwritable::NoWord)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::body::json;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn read_as_json(text: &str) -> String {
        let value = read(&bytes(text)).expect(text).value();
        String::from_utf8(json::write(&value, usize::MAX).unwrap()).unwrap()
    }

    fn written(text: &str) -> String {
        let value = json::read(&bytes(text)).unwrap().value();
        String::from_utf8(write(&value, usize::MAX).expect(text)).unwrap()
    }

    /// The cases that browsers are tested with: web-platform-tests,
    /// `url/resources/urlencoded-parser-data.json`.
    #[test]
    fn a_form_is_read_as_browsers_read_it() {
        let check = |text: &str, expected: &str| assert_eq!(read_as_json(text), expected, "{text}");
        check("test", r#"{"test":""}"#);
        check("\u{feff}test=\u{feff}", "{\"\u{feff}test\":\"\u{feff}\"}");
        check("%EF%BB%BFtest=%EF%BB%BF", "{\"\u{feff}test\":\"\u{feff}\"}");
        check("%EF%BF%BF=%EF%BF%BF", "{\"\u{ffff}\":\"\u{ffff}\"}");
        check("†&†=x", r#"{"†":["","x"]}"#);
        check("", "{}");
        check("a", r#"{"a":""}"#);
        check("a=b", r#"{"a":"b"}"#);
        check("a=", r#"{"a":""}"#);
        check("=b", r#"{"":"b"}"#);
        check("&", "{}");
        check("&a", r#"{"a":""}"#);
        check("a&", r#"{"a":""}"#);
        check("a&a", r#"{"a":["",""]}"#);
        check("a&b&c", r#"{"a":"","b":"","c":""}"#);
        check("a=b&c=d", r#"{"a":"b","c":"d"}"#);
        check("a=b&c=d&", r#"{"a":"b","c":"d"}"#);
        check("&&&a=b&&&&c=d&", r#"{"a":"b","c":"d"}"#);
        check("a=a&a=b&a=c", r#"{"a":["a","b","c"]}"#);
        check("a==a", r#"{"a":"=a"}"#);
        check("a=a+b+c+d", r#"{"a":"a b c d"}"#);
        check("%=a", r#"{"%":"a"}"#);
        check("%a=a", r#"{"%a":"a"}"#);
        check("%a_=a", r#"{"%a_":"a"}"#);
        check("%61=a", r#"{"a":"a"}"#);
        check("%61+%4d%4D=", r#"{"a MM":""}"#);
        check("id=0&value=%", r#"{"id":"0","value":"%"}"#);
        check("b=%2sf%2a", r#"{"b":"%2sf*"}"#);
        check("b=%2%2af%2a", r#"{"b":"%2*f*"}"#);
        check("b=%%2a", r#"{"b":"%*"}"#);
        // Ours: names are names, and a list stands where its name first stood.
        check("x=1&tags[]=a&a[b]=c&x=2&tags[]=b", r#"{"x":["1","2"],"tags[]":["a","b"],"a[b]":"c"}"#);
        check("a=1;b=2", r#"{"a":"1;b=2"}"#);
        check("a=%zz&b=%2B", r#"{"a":"%zz","b":"+"}"#);
    }

    #[test]
    fn what_is_no_utf8_is_refused() {
        // Those of the same file that a browser would mend with `�`, and two more.
        for text in ["%FE%FF", "%FF%FE", "%C2", "%C2x", "_charset_=windows-1252&test=%C2x", "a=%ED%A0%80"] {
            assert!(read(&bytes(text)).unwrap_err().to_string().contains("UTF-8"), "{text}");
        }
        assert!(read(&Bytes::from_static(b"a=\xff")).is_err());
    }

    #[test]
    fn a_form_has_an_end() {
        let begun = Instant::now();
        assert!(read(&bytes(&"a=1&".repeat(500_000))).unwrap_err().to_string().contains("1000 fields"));
        assert_eq!(read_as_json(&"&".repeat(2_000_000)), "{}");
        assert!(read(&bytes(&"%41".repeat(700_000))).is_err());
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_value_is_written_as_apis_want_it() {
        let check = |value: &str, expected: &str| assert_eq!(written(value), expected, "{value}");
        check("{}", "");
        check(r#"{"a":1,"b":"x y","c":true,"d":false,"e":null}"#, "a=1&b=x%20y&c=true&d=false");
        check(r#"{"a":{"b":1}}"#, "a[b]=1");
        check(r#"{"a":{"b":{"c":[1,{"d":2}]}}}"#, "a[b][c][0]=1&a[b][c][1][d]=2");
        check(r#"{"to":["x","y"],"cc":[]}"#, "to=x&to=y");
        check(r#"{"to":["x",null,"y"]}"#, "to=x&to=y");
        check(r#"{"expand[]":["customer","charge"]}"#, "expand[]=customer&expand[]=charge");
        check(
            r#"{"items":[{"price":"p1","quantity":2},null,{"price":"p2"}]}"#,
            "items[0][price]=p1&items[0][quantity]=2&items[2][price]=p2",
        );
        check(r#"{"a":[[1,2],[3]]}"#, "a[0]=1&a[0]=2&a[1]=3");
        check(r#"{"a":{"b":["x","y"]}}"#, "a[b]=x&a[b]=y");
        check(
            r#"{"n":12345678901234567890123,"m":1.10,"e":1e400}"#,
            "n=12345678901234567890123&m=1.10&e=1e400",
        );
        check(r#"{"é&=":"+%[]~*-._\n"}"#, "%C3%A9%26%3D=%2B%25%5B%5D%7E%2A-._%0A");
        check(r#"{"":""}"#, "=");
        check(r#"{"a":{},"b":[],"c":[{}],"d":{"e":null}}"#, "");
    }

    #[test]
    fn what_a_form_cannot_say_is_not_written() {
        let check = |value: &Val, expected| assert_eq!(write(value, 20), Err(expected), "{value}");
        let object = |key: Val, value: Val| Val::obj([(key, value)].into_iter().collect());
        let a = |value| object(Val::utf8_str("a"), value);
        check(&Val::Null, Unwritable::NoWord);
        check(&[a(Val::Null)].into_iter().collect(), Unwritable::NoWord);
        check(&a(Val::Num(Num::Float(f64::NAN))), Unwritable::NoWord);
        check(&a(Val::byte_str("x")), Unwritable::NoWord);
        check(&a(Val::utf8_str(&b"\xff"[..])), Unwritable::NoWord);
        check(&object(Val::from(1usize), Val::from(true)), Unwritable::NoWord);
        assert!(write(&a(Val::utf8_str("x".repeat(18))), 20).is_ok());
        check(&a(Val::utf8_str("x".repeat(19))), Unwritable::TooLong);
        check(&a(Val::utf8_str("+".repeat(7))), Unwritable::TooLong);
    }

    #[test]
    fn what_shares_its_parts_has_an_end() {
        let begun = Instant::now();
        let doubled =
            |value: Val| (0..40).fold(value, |value, _| [value.clone(), value].into_iter().collect());
        let long = Val::utf8_str("x".repeat(1_000_000));
        for value in [Val::Null, Val::from(true), Val::obj([(long, Val::Null)].into_iter().collect())] {
            let value = Val::obj([(Val::utf8_str("a"), doubled(value))].into_iter().collect());
            assert_eq!(write(&value, 1 << 20), Err(Unwritable::TooLong));
        }
        let deep = (0..1000)
            .fold(Val::from(true), |value, _| Val::obj([(Val::utf8_str("a"), value)].into_iter().collect()));
        assert_eq!(write(&deep, 1 << 20), Err(Unwritable::TooLong));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(fields in proptest::collection::vec((r"[^\[\]]{0,8}", "(?s).{0,20}"), 0..20)) {
            let text = |text: String| Val::utf8_str(text);
            let fields = fields.into_iter().map(|(name, value)| (text(name), text(value)));
            let value = Val::obj(fields.collect());
            let form = Bytes::from(write(&value, usize::MAX).unwrap());
            prop_assert!(form.is_ascii());
            prop_assert_eq!(read(&form).unwrap().value(), value);
        }

        #[test]
        fn no_bytes_make_it_panic(form in proptest::collection::vec(any::<u8>(), 0..200), text in "[a%&=+0-9F\u{ff}]{0,60}") {
            let _ = read(&form.into());
            let _ = read(&text.into());
        }
    }
}
