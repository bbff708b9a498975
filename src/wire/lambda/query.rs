//! Query strings, decoded once, in order, repeats kept.
//!
//! Read as a form (WHATWG URL §5.1), because that is how REST APIs read them
//! before we see them: `+` is a space, and a stray `%` stands for itself.

use percent_encoding::percent_decode_str;

use crate::wire::problem::{Kind, Problem};

type Pairs = Vec<(String, String)>;

/// Decodes a query as it was sent: `a=1&b=2`.
pub(super) fn decode(query: &str) -> Result<Pairs, Problem> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    decode_pairs(parts.map(|part| part.split_once('=').unwrap_or((part, ""))))
}

/// Decodes pairs that somebody split before decoding, as load balancers do.
pub(super) fn decode_pairs<'q>(
    pairs: impl IntoIterator<Item = (&'q str, &'q str)>,
) -> Result<Pairs, Problem> {
    pairs.into_iter().map(|(name, value)| Ok((decode_one(name)?, decode_one(value)?))).collect()
}

fn decode_one(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => {
            Err(Problem::new(Kind::QueryNotAllowed, "a query parameter is not UTF-8 once percent-decoded"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_once_and_in_order() {
        let check = |query: &str, expected: &[(&str, &str)]| {
            let pairs = decode(query).unwrap();
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(pairs, expected, "{query}");
        };
        check("", &[]);
        check("&&", &[]);
        check("b=2&a=1&b=1", &[("b", "2"), ("a", "1"), ("b", "1")]);
        check("a=x+y&b=x%2By&c=x%20y", &[("a", "x y"), ("b", "x+y"), ("c", "x y")]);
        check("a=%2526&%26=%3D", &[("a", "%26"), ("&", "=")]);
        check("flag&empty=&=odd&x=1=2", &[("flag", ""), ("empty", ""), ("", "odd"), ("x", "1=2")]);
        check("a=100%&b=%zz", &[("a", "100%"), ("b", "%zz")]);
        check("q=%E2%98%95&q=☕", &[("q", "☕"), ("q", "☕")]);
        check("a=1;b=2", &[("a", "1;b=2")]);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused_and_not_repeated() {
        for query in ["a=%FF", "%C3=1", "a=%ED%A0%80", "a=1&b=%E2%98"] {
            let problem = decode(query).unwrap_err();
            assert_eq!(problem.kind(), Kind::QueryNotAllowed, "{query}");
            assert!(!problem.detail().contains('%'), "{query}");
        }
    }
}
