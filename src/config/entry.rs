//! Reads an entry of `credential`: the name of a recipe, and beside it whom it is for.
//!
//! An entry is a recipe with a few words more, which serde's derived code
//! cannot say without losing the places of flaws.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{EnumAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::credentials::{Credential, Entry};

/// What can stand in an entry.
const WORDS: &[&str] = &[
    "for",
    "when",
    "all",
    "bearer",
    "basic",
    "header",
    "query",
    "cookie",
    "path",
    "body",
    "oauth2",
    "jwt",
    "github_app",
    "hmac",
    "sigv4",
    "mtls",
];

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a recipe such as `bearer: github.token`")
    }

    /// The word is not repeated: it could be a secret that somebody pasted.
    fn visit_str<E: Error>(self, _: &str) -> Result<Entry, E> {
        Err(E::custom("this word says too little here; write it with a colon, and what it takes behind it"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut entry = Entry::default();
        while let Some(word) = map.next_key_seed(Word)? {
            match word {
                "for" => entry.callers = Some(map.next_value()?),
                "when" => entry.when = Some(map.next_value()?),
                _ if !entry.recipes.is_empty() || entry.several => {
                    return Err(A::Error::custom(
                        "two stand in one mapping here; make a list of them: `[{…}, {…}]`, behind `all:` where it says \
                         `for` or `when`",
                    ));
                }
                "all" => {
                    entry.several = true;
                    entry.recipes = map.next_value()?;
                }
                name => {
                    let recipe =
                        EnumAccessDeserializer::new(Recipe { name, map: &mut map, life: PhantomData });
                    entry.recipes.push(Credential::deserialize(recipe)?);
                }
            }
        }
        if entry.recipes.is_empty() && !entry.several {
            let words: Vec<String> = WORDS.iter().skip(2).map(|word| format!("`{word}`")).collect();
            return Err(A::Error::custom(format!(
                "nothing is named here; write one of {}",
                words.join(", ")
            )));
        }
        Ok(entry)
    }
}

/// A key of an entry.
struct Word;

impl<'de> DeserializeSeed<'de> for Word {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Word {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a recipe")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<&'static str, E> {
        let known = WORDS.iter().find(|word| **word == text);
        known.copied().ok_or_else(|| E::unknown_field(text, WORDS))
    }
}

/// A key that is the name of a recipe, and what stands behind it.
struct Recipe<'m, 'de, A> {
    name: &'static str,
    map: &'m mut A,
    life: PhantomData<&'de ()>,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Recipe<'_, 'de, A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), A::Error> {
        let name: StrDeserializer<'_, A::Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Recipe<'_, 'de, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(A::Error::custom("this takes nothing behind a colon; write the word alone"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(Fields(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(Fields(visitor))
    }
}

/// The fields of a recipe.
struct Fields<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Fields<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_map(self.0)
    }
}
