//! From the tree to the declared structs, by serde.
//!
//! serde stops at the first error. So the value where it arose is marked as
//! flawed, and all is read again without it, until nothing is left to say.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess};
use serde::de::{SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::Error;
use super::flaw::Flaws;
use super::scalar;
use super::tree::{At, Content, Entry, Node};

/// Nobody mends more at a time.
const MOST_FLAWS: usize = 100;

/// Reads a value. What is flawed in it is noted, and left out.
pub(super) fn read<T: DeserializeOwned + Default>(root: &Node, flaws: &mut Flaws) -> T {
    let at = At::root(root);
    for _ in 0..MOST_FLAWS {
        match T::deserialize(Reader::new(at, How::Declared)) {
            Ok(value) => return value,
            Err(error) => error.at(&at).note(flaws),
        }
        if root.flawed.get() {
            break;
        }
    }
    root.flawed.set(true);
    T::default()
}

/// How a value is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// As the declared structs ask for it.
    Declared,
    /// The same, and a lone value may stand for a list of one.
    Lone,
    /// As JSON: a scalar has the type that YAML gives it.
    Json,
}

impl How {
    /// How what stands within is read.
    fn within(self) -> Self {
        if self == Self::Json { Self::Json } else { Self::Declared }
    }
}

/// Reads what stands at a place.
struct Reader<'a> {
    at: At<'a>,
    how: How,
}

impl<'a> Reader<'a> {
    fn new(at: At<'a>, how: How) -> Self {
        Self { at, how }
    }

    fn content(&self) -> Option<&'a Content> {
        self.at.node().filter(|node| !node.is_null()).map(|node| &node.content)
    }

    fn plain(&self) -> Option<&'a str> {
        match self.content() {
            Some(Content::Scalar { text, plain: true, .. }) => Some(text),
            _ => None,
        }
    }

    fn items(&self, items: &'a [Node]) -> Items<'_> {
        Items { at: &self.at, items, next: 0, how: self.how.within() }
    }

    fn fields<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content() {
            Some(Content::Map(entries)) => {
                visitor.visit_map(Fields { at: &self.at, rest: entries, value: None, how: self.how.within() })
            }
            None => visitor.visit_map(Fields { at: &self.at, rest: &[], value: None, how: How::Declared }),
            Some(Content::Scalar { .. } | Content::List(_)) => Err(Error::wanted("a mapping")),
        }
    }
}

/// Reads a number as it is written, or says which would fit.
macro_rules! whole_number {
    ($($deserialize:ident $visit:ident $number:ty),*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.plain().and_then(|text| text.parse::<$number>().ok());
            let help = || format!("write one from {} to {}", <$number>::MIN, <$number>::MAX);
            visitor.$visit(number.ok_or_else(|| Error::said("this is no whole number", help()))?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Error;

    /// Shows what is there; text is shown as it is written, but for JSON.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content() {
            Some(Content::Scalar { text, plain: true, .. }) if self.how == How::Json => {
                scalar::show(text, visitor)
            }
            Some(Content::Scalar { text, .. }) => visitor.visit_str(text),
            Some(Content::List(items)) => visitor.visit_seq(self.items(items)),
            Some(Content::Map(_)) => self.fields(visitor),
            None => visitor.visit_unit(),
        }
    }

    whole_number!(deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i64 visit_i64 i64);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.plain() {
            Some("true" | "True" | "TRUE") => visitor.visit_bool(true),
            Some("false" | "False" | "FALSE") => visitor.visit_bool(false),
            Some(text) if ["yes", "y", "on"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                Err(Error::said("in YAML 1.2 this is a word and not a truth value", "write `true`"))
            }
            Some(text) if ["no", "n", "off"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                Err(Error::said("in YAML 1.2 this is a word and not a truth value", "write `false`"))
            }
            _ => {
                Err(Error::said("this is neither true nor false", "write `true` or `false`, without quotes"))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.content().is_none() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self.content(), self.at.node()) {
            (Some(Content::List(items)), _) => visitor.visit_seq(self.items(items)),
            (None, _) => visitor.visit_seq(self.items(&[])),
            (Some(_), Some(node)) if self.how == How::Lone => {
                visitor.visit_seq(self.items(std::slice::from_ref(node)))
            }
            (Some(Content::Scalar { .. }), _) => {
                Err(Error::said("text stands here, where a list is wanted", "put it in brackets: `[…]`"))
            }
            (Some(Content::Map(_)), _) => Err(Error::wanted("a list")),
        }
    }

    /// [`OneOrMany`](super::fields::OneOrMany) and [`Json`](super::schemas::Json) are the
    /// structs of ours where the name matters; the others are what they hold.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let how = match name {
            "OneOrMany" => How::Lone,
            "Json" => How::Json,
            _ => self.how.within(),
        };
        visitor.visit_newtype_struct(Self { how, ..self })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.fields(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.fields(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.content() {
            Some(Content::Scalar { text, .. }) => {
                visitor.visit_enum(StrDeserializer::new(text)).map_err(Error::of_a_value)
            }
            Some(Content::Map(entries)) => {
                let mut sound = entries.iter().filter(|entry| !entry.value.flawed.get());
                match (sound.next(), sound.next()) {
                    (Some(entry), None) => {
                        visitor.visit_enum(Variant { at: self.at.entry(entry), name: &entry.key })
                    }
                    (None, _) => Err(Error::one_of("nothing is named here", variants)),
                    (Some(_), Some(_)) => {
                        Err(Error::said("two stand in one mapping here", "make a list of them: `[{…}, {…}]`"))
                    }
                }
            }
            Some(Content::List(_)) | None => Err(Error::one_of("no single one is named here", variants)),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct identifier ignored_any
    }
}

/// The entries of a mapping, one by one.
struct Fields<'a> {
    at: &'a At<'a>,
    rest: &'a [Entry],
    value: Option<At<'a>>,
    how: How,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some((entry, rest)) = self.rest.split_first() {
            self.rest = rest;
            if entry.value.flawed.get() {
                continue;
            }
            let at = self.at.entry(entry);
            self.value = Some(at);
            let key = StrDeserializer::new(&entry.key);
            return seed.deserialize(key).map(Some).map_err(|error: Error| error.at_key(&at));
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(at) = self.value.take() else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(Reader::new(at, self.how)).map_err(|error| error.at(&at))
    }
}

/// The elements of a list, one by one.
struct Items<'a> {
    at: &'a At<'a>,
    items: &'a [Node],
    next: usize,
    how: How,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        while let Some(node) = self.items.get(self.next) {
            let at = self.at.item(self.next);
            self.next += 1;
            if !node.flawed.get() {
                let reader = Reader::new(at, self.how);
                return seed.deserialize(reader).map(Some).map_err(|error| error.at(&at));
            }
        }
        Ok(None)
    }
}

/// A mapping of one key, which says which variant it is.
struct Variant<'a> {
    at: At<'a>,
    name: &'a str,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        let variant = seed.deserialize(name).map_err(|error| error.at_key(&self.at))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::said("this takes nothing behind a colon", "write the word alone"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Reader::new(self.at, How::Declared)).map_err(|error| error.at(&self.at))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_seq(Reader::new(self.at, How::Declared), visitor)
            .map_err(|error| error.at(&self.at))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Reader::new(self.at, How::Declared).fields(visitor).map_err(|error| error.at(&self.at))
    }
}
