//! `uniqueItems` in linear time. The crate's own hashes `[[1],2]` and `[1,[2]]`
//! alike, and a list of such takes it time squared.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

/// Holds where the schema says `true`.
struct UniqueItems(bool);

/// Makes the keyword, for `ValidationOptions::with_keyword`.
pub fn keyword<'s>(
    _: &'s Map<String, Value>,
    value: &'s Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'s>> {
    Ok(Box::new(UniqueItems(*value == Value::Bool(true))))
}

impl<'i> Keyword<'i> for UniqueItems {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        let fits = Keyword::is_valid(self, instance);
        if fits { Ok(()) } else { Err(ValidationError::custom("must not hold the same item twice")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        let Some(items) = instance.as_array().filter(|_| self.0) else { return true };
        let mut seen = HashSet::with_capacity(items.len());
        items.iter().all(|item| {
            seen.insert(if has_double(item) { Cow::Owned(plain(item)) } else { Cow::Borrowed(item) })
        })
    }
}

fn has_double(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_double),
        Value::Object(entries) => entries.values().any(has_double),
        _ => false,
    }
}

/// The same value, written alike where it is equal: `1.0` as `1`.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            match number.as_f64().filter(|double| number.is_f64() && is_whole(*double)) {
                Some(double) => Value::from(double as i64),
                None => value.clone(),
            }
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

/// Whether a double is a whole number of 64 bits.
fn is_whole(double: f64) -> bool {
    double.fract() == 0.0 && (i64::MIN as f64..i64::MAX as f64).contains(&double)
}
