//! A body as the judge takes it: a copy of what the schema looks at, which is
//! judged and then dropped. What goes on is always the body itself.

use serde_json::Value;

use super::sight::Sight;
use crate::body::doc::{At, What};

/// The largest copy that is made, in bytes of memory: that of a body of small
/// objects takes a hundred times its length.
pub const HEAVIEST: usize = 48 << 20;

/// What a small object takes at least: its entries stand in nodes of eleven.
const NODE: usize = 640;

/// Copies what a schema looks at; all else becomes `null`. A number that is no
/// whole one of 64 bits becomes the nearest double, and never an infinite one:
/// `1e400` is large, and not an error. `None`: it would take more than `left`
/// bytes of memory.
pub fn copy(value: At<'_>, sight: &Sight, left: &mut usize) -> Option<Value> {
    let mut take = |bytes: usize| {
        *left = left.checked_sub(bytes)?;
        Some(())
    };
    take(size_of::<Value>())?;
    if matches!(sight, Sight::Nothing) {
        return Some(Value::Null);
    }
    Some(match value.what() {
        What::Null => Value::Null,
        What::Bool(truth) => Value::Bool(truth),
        What::Number(digits) => number(std::str::from_utf8(digits).unwrap_or_default()),
        What::Text(bytes) => {
            take(bytes.len())?;
            Value::String(text(bytes))
        }
        What::List(items) => items.map(|item| copy(item, sight.items(), left)).collect::<Option<_>>()?,
        What::Map(entries) => {
            let count = entries.clone().count();
            take(if count == 0 { 0 } else { NODE * (1 + count / 6) })?;
            let entries = entries.map(|(key, value)| {
                let name = name(key);
                *left = left.checked_sub(name.len())?;
                let value = copy(value, sight.field(&name), left)?;
                Some((name, value))
            });
            Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}

/// How many values a value holds, itself included.
pub fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn number(digits: &str) -> Value {
    let whole = digits.parse::<i64>().map(Value::from).or_else(|_| digits.parse::<u64>().map(Value::from));
    // There is no whole number for `-0`.
    whole.ok().filter(|_| digits != "-0").unwrap_or_else(|| {
        let double = digits.parse().unwrap_or(f64::MAX);
        double.clamp(f64::MIN, f64::MAX).into()
    })
}

fn name(key: At<'_>) -> String {
    match key.what() {
        What::Text(bytes) => text(bytes),
        _ => String::new(),
    }
}

/// Bodies are UTF-8.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_default()
}
