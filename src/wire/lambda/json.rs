//! JSON as it comes: a tree that borrows its text and keeps the order.
//!
//! A tree and not a declared struct, because a struct refuses an event at the
//! first field of another type, and then nobody can say what the event was.
//! It is read in one pass; text without escapes is not copied.

use std::borrow::Cow;
use std::fmt;
use std::slice;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Any JSON value. Of numbers we only need to know that they are no text.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Json<'a> {
    #[default]
    Null,
    Bool(bool),
    Number,
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Map(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// What is found where nothing is: missing and `null` are the same to us.
static NOTHING: Json<'static> = Json::Null;

impl<'a> Json<'a> {
    pub(super) fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The member called `name`, `Null` where there is none.
    pub(super) fn get(&self, name: &str) -> &Json<'a> {
        let member = self.entries().iter().find(|(key, _)| key == name);
        member.map_or(&NOTHING, |(_, value)| value)
    }

    /// As [`get`](Self::get), for keeps: a long body is not copied.
    pub(super) fn take(&mut self, name: &str) -> Json<'a> {
        let Self::Map(entries) = self else { return Self::Null };
        let member = entries.iter_mut().find(|(key, _)| key == name);
        member.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
    }

    /// The members, in order. Nothing but a map has any.
    pub(super) fn entries(&self) -> &[(Cow<'a, str>, Json<'a>)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a list; another value is a list of itself.
    pub(super) fn items(&self) -> &[Json<'a>] {
        match self {
            Self::List(items) => items,
            _ => slice::from_ref(self),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text, where it is more than `""`: gateways write that for "none".
    pub(super) fn words(&self) -> Option<&str> {
        self.text().filter(|text| !text.is_empty())
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        // Most lists are the one value of a header, and a value is a list of itself.
        let Some(first) = list.next_element()? else { return Ok(Json::List(Vec::new())) };
        let Some(second) = list.next_element()? else { return Ok(first) };
        let mut items = vec![first, second];
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut entries = Vec::new();
        // A key is always text in JSON: only the end of the map ends the loop.
        while let Some((Json::Text(name), value)) = map.next_entry()? {
            entries.push((name, value));
        }
        Ok(Json::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_order_and_repeats() {
        let tree = Json::parse(r#"{"b":[1,"x",null],"a":true,"b":"again"}"#).unwrap();
        let names: Vec<&str> = tree.entries().iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["b", "a", "b"]);
        assert_eq!(tree.get("b").items().len(), 3);
        assert_eq!(tree.get("c"), &Json::Null);
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let tree = Json::parse(r#"["plain","esc\taped"]"#).unwrap();
        assert!(matches!(tree.items(), [Json::Text(Cow::Borrowed(_)), Json::Text(Cow::Owned(_))]));
    }

    #[test]
    fn an_abyss_of_brackets_is_an_error_and_no_overflow() {
        assert!(Json::parse(&"[".repeat(1_000_000)).is_err());
        assert!(Json::parse(&r#"{"a":"#.repeat(1_000_000)).is_err());
    }
}
