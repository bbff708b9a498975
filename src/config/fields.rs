//! The small things that fields hold: how people write durations, sizes,
//! quotas, names and values.

use std::fmt;
use std::str::FromStr;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::declared::{Condition, Secret, SecretPlace, When};
use crate::credential::Value;
use crate::secret::SecretRef;

/// A noun that is written as text and parses itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parsed<T>(pub T);

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// `validator` wants to repeat the values it refuses. It need not see these.
impl<T> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

/// Reads a field that is written as text.
macro_rules! written_as_text {
    ($($noun:ty),*) => {$(
        impl<'de> Deserialize<'de> for $noun {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Parsed::deserialize(deserializer).map(|Parsed(noun)| noun)
            }
        }
    )*};
}

written_as_text!(Duration, Size, Quota);

/// How long: `5s`, `10m`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(pub std::time::Duration);

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(duration) if duration.is_zero() => {
                Err("nothing happens in no time; write a longer one, such as `5s`".to_owned())
            }
            Ok(duration) => Ok(Self(duration)),
            Err(_) => {
                Err("this is no duration; write a number and a unit, such as `500ms`, `5s` or `1h30m`"
                    .to_owned())
            }
        }
    }
}

/// How many bytes: `16KiB`, `1MB`, or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes =
            text.parse::<bytesize::ByteSize>().ok().and_then(|size| usize::try_from(size.as_u64()).ok());
        match bytes {
            Some(0) => Err("nothing fits in here; write a larger size, such as `16KiB`".to_owned()),
            Some(bytes) => Ok(Self(bytes)),
            None => Err("this is no size; write a number and a unit, such as `16KiB` or `1MB`".to_owned()),
        }
    }
}

/// How many requests in a period: `10000/day`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub count: u64,
    /// In which period.
    pub period: Period,
}

/// What a quota is counted over: those that API Gateway knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Midnight to midnight, UTC.
    Day,
    /// Sunday to Saturday.
    Week,
    /// The first to the last of the month.
    Month,
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown =
            || "this is no quota; write a number and a period: `10000/day`, `…/week` or `…/month`".to_owned();
        let (count, period) = text.split_once('/').ok_or_else(unknown)?;
        let period = match period.trim() {
            "day" => Period::Day,
            "week" => Period::Week,
            "month" => Period::Month,
            _ => return Err(unknown()),
        };
        match count.trim().parse() {
            Ok(0) => Err("nobody could call; write a quota of at least 1".to_owned()),
            Ok(count) => Ok(Self { count, period }),
            Err(_) => Err(unknown()),
        }
    }
}

/// One of a kind, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OneOrMany<T>(pub Vec<T>);

/// Names that are declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// `any`.
    Any,
    /// A list of them.
    These(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names or `any`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Names, E> {
        if text == "any" {
            Ok(Names::Any)
        } else {
            Err(E::custom("a list is wanted here; write `[name, …]` or `any`"))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Names, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(Names::These)
    }
}

/// As an absent field has it: `check` says that it is missing.
impl Default for Value {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// A secret, in a field that may hold text or a secret.
#[derive(Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SecretValue {
    /// Which secret: a name from `secrets`, or `name.field` for a field of a JSON secret.
    secret: Option<Parsed<SecretRef>>,
    /// What stands around the secret; `{}` is its place, such as in `Token {}`.
    format: Option<String>,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or `{ secret: name }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let SecretValue { secret, format } = SecretValue::deserialize(MapAccessDeserializer::new(map))?;
        let Some(Parsed(secret)) = secret else {
            return Err(A::Error::custom("no secret is named here; write `{ secret: name }`"));
        };
        Ok(Value::Secret { secret, format })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret's name or ARN in AWS Secrets Manager or `{ id: name }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::Id(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
        SecretPlace::deserialize(MapAccessDeserializer::new(map)).map(Secret::Place)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WhenVisitor)
    }
}

struct WhenVisitor;

impl<'de> Visitor<'de> for WhenVisitor {
    type Value = When;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a jq program or `{ program: … }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<When, E> {
        Ok(When::Program(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<When, A::Error> {
        Condition::deserialize(MapAccessDeserializer::new(map)).map(When::Condition)
    }
}
