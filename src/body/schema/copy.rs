//! A body as the judge takes it: a copy that is judged and then dropped. What
//! goes on is always the body itself.

use jaq_json::Num;
use serde_json::Value;

use crate::body::Val;

/// Copies a body. A number that is no whole one of 64 bits becomes the nearest
/// double, and never an infinite one: `1e400` is large, and not an error.
pub fn copy(value: &Val) -> Value {
    match value {
        Val::Null => Value::Null,
        Val::Bool(truth) => Value::Bool(*truth),
        Val::Num(number) => self::number(number),
        Val::TStr(_) | Val::BStr(_) => Value::String(text(value)),
        Val::Arr(items) => items.iter().map(copy).collect(),
        Val::Obj(entries) => entries.iter().map(|(key, value)| (text(key), copy(value))).collect(),
    }
}

/// The largest copy that is made, in bytes of memory: that of a body of small
/// objects takes a hundred times its length.
const HEAVIEST: usize = 48 << 20;

/// What a small object takes at least: its entries stand in nodes of eleven.
const NODE: usize = 640;

/// Whether the copy of a value would take more memory than there is for it.
pub fn is_too_heavy(value: &Val) -> bool {
    fn add(value: &Val, left: &mut usize) -> Option<()> {
        let own = size_of::<Value>()
            + match value {
                Val::TStr(text) | Val::BStr(text) => text.len(),
                Val::Obj(entries) if !entries.is_empty() => NODE * (1 + entries.len() / 6),
                _ => 0,
            };
        *left = left.checked_sub(own)?;
        match value {
            Val::Arr(items) => items.iter().try_for_each(|item| add(item, left)),
            Val::Obj(entries) => {
                entries.iter().try_for_each(|(key, value)| add(key, left).and(add(value, left)))
            }
            _ => Some(()),
        }
    }
    add(value, &mut { HEAVIEST }).is_none()
}

/// How many values a value holds, itself included.
pub fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn number(number: &Num) -> Value {
    let double = match number {
        Num::Int(int) if let Ok(int) = i64::try_from(*int) => return int.into(),
        Num::BigInt(_) if let Ok(int) = number.to_string().parse::<u64>() => return int.into(),
        Num::Float(float) => *float,
        Num::Int(_) | Num::BigInt(_) | Num::Dec(_) => number.to_string().parse().unwrap_or(f64::MAX),
    };
    double.clamp(f64::MIN, f64::MAX).into()
}

/// Bodies are UTF-8, and their keys are texts.
fn text(value: &Val) -> String {
    match value {
        Val::TStr(text) | Val::BStr(text) => String::from_utf8_lossy(text.as_ref().as_ref()).into_owned(),
        _ => String::new(),
    }
}
