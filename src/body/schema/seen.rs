//! A body as the judge sees it: jaq's value, read where it lies, with a limit
//! on how much looking one judgement may take.
//!
//! No copy is made, so no number is rounded that is compared as a whole one.
//! Where the effort is spent, lists and objects look empty and what is said
//! from then on is marked, so that any schema ends soon on any body.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;

use bytes::Bytes;
use jaq_json::{Map, Num};
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object, cmp};
use jsonschema::types::JsonType;
use serde_json::{Number, Value};

use crate::body::Val;

/// How many values one judgement may look at, repeats counted. A large body
/// has a million, and a schema looks at each a few times.
const MOST_LOOKS: u32 = 10_000_000;
/// How much of that each violation costs, those of forms that were not meant
/// counted in: so many fit into a few megabytes.
const VIOLATION: u32 = MOST_LOOKS / 10_000;
/// This many bytes of text are worth a look.
const BYTES_A_LOOK: usize = 64;

/// What is left of the looks of a judgement.
pub struct Effort(Cell<u32>);

impl Default for Effort {
    fn default() -> Self {
        Self(Cell::new(MOST_LOOKS))
    }
}

impl Effort {
    /// Whether nothing is left: what was said then is not to be relied on.
    pub fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    fn spend(&self, looks: u32) {
        self.0.set(self.0.get().saturating_sub(looks));
    }
}

/// The representation, for `jsonschema`: see [`Seen`].
pub struct Body;

/// One value, and the effort that is left for it.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    value: &'a Val,
    effort: &'a Effort,
}

impl<'a> Seen<'a> {
    /// A value at the beginning of a judgement.
    pub fn new(value: &'a Val, effort: &'a Effort) -> Self {
        Self { value, effort }
    }
}

/// Whether a violation was found while there was effort left. It stands where
/// the crate would have kept the value, which nobody shall repeat.
pub fn is_sound(instance: &Value) -> bool {
    instance.is_null()
}

impl Json for Body {
    type Node<'a> = Seen<'a>;
    type PreparedKey = Bytes;
    type StringBuffer = (Val, Effort);

    fn prepare_key(key: &str) -> Bytes {
        Bytes::copy_from_slice(key.as_bytes())
    }

    fn with_string_node<T>(buffer: &mut (Val, Effort), string: &str, judge: impl FnOnce(Seen<'_>) -> T) -> T {
        *buffer = (Val::utf8_str(string.to_owned()), Effort::default());
        judge(Seen::new(&buffer.0, &buffer.1))
    }
}

impl<'a> Node<'a, Body> for Seen<'a> {
    type Object = Members<'a>;
    type Array = Items<'a>;
    type Number = Digits<'a>;

    fn as_object(&self) -> Option<Members<'a>> {
        let Val::Obj(entries) = self.value else { return None };
        Some(Members { entries, effort: self.effort })
    }

    fn as_array(&self) -> Option<Items<'a>> {
        let Val::Arr(items) = self.value else { return None };
        Some(Items { items, effort: self.effort })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let (Val::TStr(text) | Val::BStr(text)) = self.value else { return None };
        self.effort.spend(u32::try_from(text.len() / BYTES_A_LOOK).unwrap_or(u32::MAX));
        // Also a schema that reads one long text a million times must end.
        let text = if self.effort.is_spent() { &[] } else { text.as_ref().as_ref() };
        Some(String::from_utf8_lossy(text))
    }

    fn as_number(&self) -> Option<Digits<'a>> {
        if let Val::Num(number) = self.value { Some(Digits(number)) } else { None }
    }

    fn as_boolean(&self) -> Option<bool> {
        if let Val::Bool(truth) = self.value { Some(*truth) } else { None }
    }

    fn is_null(&self) -> bool {
        matches!(self.value, Val::Null)
    }

    fn json_type(&self) -> JsonType {
        match self.value {
            Val::Null => JsonType::Null,
            Val::Bool(_) => JsonType::Boolean,
            Val::Num(_) => JsonType::Number,
            Val::TStr(_) | Val::BStr(_) => JsonType::String,
            Val::Arr(_) => JsonType::Array,
            Val::Obj(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        equals(self.value, expected)
    }

    /// Called where a violation is noted.
    fn to_value(&self) -> Cow<'a, Value> {
        self.effort.spend(VIOLATION);
        Cow::Owned(if self.effort.is_spent() { Value::Bool(false) } else { Value::Null })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.value) as usize))
    }
}

/// The entries of an object.
pub struct Members<'a> {
    entries: &'a Map,
    effort: &'a Effort,
}

impl<'a> Object<'a, Body> for Members<'a> {
    type Node = Seen<'a>;
    type MemberName = Cow<'a, str>;
    type MembersIter = MembersIter<'a>;

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn get(&self, key: &Bytes) -> Option<Seen<'a>> {
        self.effort.spend(1);
        let value = self.entries.get(&Val::utf8_str(key.clone()))?;
        Some(Seen { value, effort: self.effort })
    }

    fn members(&self) -> MembersIter<'a> {
        MembersIter { entries: self.entries, next: 0, effort: self.effort }
    }
}

/// Goes through an object as long as there is effort left.
pub struct MembersIter<'a> {
    entries: &'a Map,
    next: usize,
    effort: &'a Effort,
}

impl<'a> Iterator for MembersIter<'a> {
    type Item = (Cow<'a, str>, Seen<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.entries.get_index(self.next)?;
        self.next += 1;
        let (key, effort) = (Seen { value: key, effort: self.effort }, self.effort);
        effort.spend(1);
        // What is no text is no key in JSON, and will not be written as one.
        let name = key.as_string().unwrap_or_default();
        (!effort.is_spent()).then_some((name, Seen { value, effort }))
    }
}

/// The items of a list.
pub struct Items<'a> {
    items: &'a [Val],
    effort: &'a Effort,
}

impl<'a> Array<'a, Body> for Items<'a> {
    type Node = Seen<'a>;
    type ElementsIter = ItemsIter<'a>;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn elements(&self) -> ItemsIter<'a> {
        ItemsIter { items: self.items.iter(), effort: self.effort }
    }

    /// The crate's own way hashes `[[1],2]` and `[1,[2]]` alike, and a list of
    /// such takes time squared.
    fn is_unique(&self) -> bool {
        let mut seen = HashSet::with_capacity(self.items.len());
        self.elements().all(|item| {
            let mut spelt = Vec::new();
            spell(item.value, item.effort, &mut spelt);
            seen.insert(spelt)
        })
    }
}

/// Goes through a list as long as there is effort left.
pub struct ItemsIter<'a> {
    items: std::slice::Iter<'a, Val>,
    effort: &'a Effort,
}

impl<'a> Iterator for ItemsIter<'a> {
    type Item = Seen<'a>;

    fn next(&mut self) -> Option<Seen<'a>> {
        let (value, effort) = (self.items.next()?, self.effort);
        effort.spend(1);
        (!effort.is_spent()).then_some(Seen { value, effort })
    }
}

/// A number, compared by its digits where it is whole and by its nearest
/// double where it is not.
pub struct Digits<'a>(&'a Num);

impl Digits<'_> {
    /// The nearest double that is finite, and 0 for nothing but 0: a number
    /// beyond all doubles is large, or small, and not none.
    fn double(&self) -> f64 {
        let double = match self.0 {
            Num::Int(int) => *int as f64,
            Num::Float(float) => *float,
            Num::BigInt(_) | Num::Dec(_) => self.0.to_string().parse().unwrap_or(f64::MAX),
        };
        if double == 0.0 && self.as_str().split(['e', 'E']).next().is_some_and(has_digit) {
            return f64::MIN_POSITIVE;
        }
        if double.is_nan() { f64::MAX } else { double.clamp(f64::MIN, f64::MAX) }
    }

    /// Its digits, the same for equal numbers: `1` for `1.0` and for `1e0`.
    fn spelt(&self) -> Cow<'_, str> {
        // Adding 0 makes -0 the same as 0.
        let double = self.double() + 0.0;
        match () {
            () if self.is_written_as_integer() => self.as_str(),
            () if double.fract() == 0.0 => format!("{double:.0}").into(),
            () => format!("{double:e}").into(),
        }
    }
}

fn has_digit(text: &str) -> bool {
    text.contains(|c: char| ('1'..='9').contains(&c))
}

impl JsonNumber for Digits<'_> {
    fn as_u64(&self) -> Option<u64> {
        match self.0 {
            Num::Int(int) => u64::try_from(*int).ok(),
            Num::BigInt(_) => self.0.to_string().parse().ok(),
            Num::Float(_) | Num::Dec(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        if let Num::Int(int) = self.0 { i64::try_from(*int).ok() } else { None }
    }

    fn as_f64(&self) -> Option<f64> {
        Some(self.double())
    }

    fn as_str(&self) -> Cow<'_, str> {
        match self.0 {
            Num::Dec(text) => Cow::Borrowed(text.as_str()),
            number => Cow::Owned(number.to_string()),
        }
    }

    fn to_number(&self) -> Cow<'_, Number> {
        let whole = self.as_i64().map(Number::from).or_else(|| self.as_u64().map(Number::from));
        let number = whole.or_else(|| Number::from_f64(self.double()));
        Cow::Owned(number.unwrap_or_else(|| Number::from(0)))
    }

    fn is_integer(&self) -> bool {
        self.is_written_as_integer() || self.double().fract() == 0.0
    }

    fn is_written_as_integer(&self) -> bool {
        matches!(self.0, Num::Int(_) | Num::BigInt(_))
    }
}

fn equals(value: &Val, expected: &Value) -> bool {
    match (value, expected) {
        (Val::Null, Value::Null) => true,
        (Val::Bool(value), Value::Bool(expected)) => value == expected,
        (Val::Num(value), Value::Number(_)) => {
            cmp::equal(&Value::Number(Digits(value).to_number().into_owned()), expected)
        }
        (Val::TStr(value), Value::String(expected)) => value.as_ref() == expected.as_bytes(),
        (Val::Arr(items), Value::Array(expected)) => {
            items.len() == expected.len()
                && items.iter().zip(expected).all(|(item, expected)| equals(item, expected))
        }
        (Val::Obj(entries), Value::Object(expected)) => {
            let same = |(key, expected): (&String, &Value)| {
                entries.get(&Val::utf8_str(key.clone())).is_some_and(|value| equals(value, expected))
            };
            entries.len() == expected.len() && expected.iter().all(same)
        }
        _ => false,
    }
}

/// Writes a value so that two are written alike exactly where they are equal.
fn spell(value: &Val, effort: &Effort, out: &mut Vec<u8>) {
    let spell_text = |text: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(&text.len().to_ne_bytes());
        out.extend_from_slice(text);
    };
    match value {
        Val::Null => out.push(0),
        Val::Bool(truth) => out.push(1 + u8::from(*truth)),
        Val::Num(number) => {
            out.push(3);
            spell_text(Digits(number).spelt().as_bytes(), out);
        }
        Val::TStr(text) | Val::BStr(text) => {
            out.push(4);
            spell_text(text, out);
        }
        Val::Arr(items) => {
            out.push(5);
            (Items { items, effort }).elements().for_each(|item| spell(item.value, effort, out));
            out.push(6);
        }
        Val::Obj(entries) => {
            out.push(7);
            let mut spelt: Vec<Vec<u8>> = Vec::with_capacity(entries.len());
            for (key, value) in entries.iter() {
                let mut entry = Vec::new();
                spell(key, effort, &mut entry);
                spell(value, effort, &mut entry);
                spelt.push(entry);
            }
            spelt.sort_unstable();
            spelt.iter().for_each(|entry| out.extend_from_slice(entry));
            out.push(8);
        }
    }
}
