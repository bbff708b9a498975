//! What a scalar without quotes is in JSON: the core schema of YAML 1.2.2 (§10.3.2).

use serde::de::Visitor;

use super::error::Error;

/// Shows a scalar to a visitor. Nulls are known before.
pub(super) fn show<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Error> {
    match text {
        "true" | "True" | "TRUE" => return visitor.visit_bool(true),
        "false" | "False" | "FALSE" => return visitor.visit_bool(false),
        _ => {}
    }
    if let Some(number) = whole(text) {
        return match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => visitor.visit_i64(number),
            (_, Ok(number)) => visitor.visit_u64(number),
            _ => visitor.visit_f64(number as f64),
        };
    }
    match decimal(text) {
        Some(number) if number.is_finite() => visitor.visit_f64(number),
        Some(_) => Err(Error::said("JSON has no such number", "put it in quotes, where text is meant")),
        None => visitor.visit_str(text),
    }
}

/// `12`, `-3`, `0o17`, `0x1F`.
fn whole(text: &str) -> Option<i128> {
    let radix = |digits: &str, radix| {
        let fits = digits.chars().all(|c| c.is_digit(radix));
        i128::from_str_radix(digits, radix).ok().filter(|_| fits)
    };
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `1.5`, `.5`, `1e3`, `.inf`, `.nan`.
fn decimal(text: &str) -> Option<f64> {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(bare, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::INFINITY);
    }
    let begins = bare.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let legal = bare.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    if begins && legal { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn scalars_have_the_types_of_yaml() {
        let check = |text: &str, expected: Option<Value>| {
            let found = show(text, serde::de::IgnoredAny).map(|_| shown(text));
            assert_eq!(found.ok(), expected, "{text}");
        };
        check("true", Some(json!(true)));
        check("FALSE", Some(json!(false)));
        check("yes", Some(json!("yes")));
        check("12", Some(json!(12)));
        check("-12", Some(json!(-12)));
        check("+012", Some(json!(12)));
        check("0x1F", Some(json!(31)));
        check("0o17", Some(json!(15)));
        check("0x+1", Some(json!("0x+1")));
        check("18446744073709551615", Some(json!(u64::MAX)));
        check("1e3", Some(json!(1000.0)));
        check("-.5", Some(json!(-0.5)));
        check("5.", Some(json!(5.0)));
        check("1.2.3", Some(json!("1.2.3")));
        check("2030-12-31", Some(json!("2030-12-31")));
        check("-", Some(json!("-")));
        check("e3", Some(json!("e3")));
        check("infinity", Some(json!("infinity")));
        check(".inf", None);
        check("-.INF", None);
        check(".nan", None);
        check("1e400", None);
    }

    fn shown(text: &str) -> Value {
        struct Shown;
        impl Visitor<'_> for Shown {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a scalar")
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
                Ok(json!(truth))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(json!(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(json!(number))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(json!(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(json!(text))
            }
        }
        show(text, Shown).unwrap()
    }
}
