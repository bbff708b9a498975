//! The headers of an event, repeats kept in order.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::json::Json;
use super::read::sound;
use crate::wire::problem::{Kind, Problem};

/// The headers: all that the map of lists has, and of the map of single
/// values the names that the other lacks. A gateway that fills both writes
/// the last value of a repeated header into the second.
///
/// What HTTP does not allow is left out, and the fault noted: the others are
/// needed to say so in a way that a browser passes on.
pub(super) fn read(multi: &Json<'_>, single: &Json<'_>, fault: &mut Option<Problem>) -> HeaderMap {
    let lists = sound(pairs(multi), fault);
    let singles = sound(pairs(single), fault);
    let capacity = HeaderMap::try_with_capacity(lists.len().max(singles.len()));
    let mut headers = sound(capacity.map_err(|_| crowd()), fault);
    for (name, value) in &lists {
        sound(parse_name(name).and_then(|name| append(&mut headers, name, value)), fault);
    }
    for (place, (name, value)) in singles.into_iter().enumerate() {
        if !is_twin(multi.entries().get(place), name) {
            sound(add_single(&mut headers, name, value, lists.is_empty()), fault);
        }
    }
    headers
}

fn add_single(headers: &mut HeaderMap, name: &str, value: &str, alone: bool) -> Result<(), Problem> {
    let name = parse_name(name)?;
    if alone || !headers.contains_key(&name) { append(headers, name, value) } else { Ok(()) }
}

/// Whether the list at the same place has this very name: gateways write both
/// maps in one order, and so no name of theirs need be parsed twice.
fn is_twin(list: Option<&(Cow<'_, str>, Json<'_>)>, name: &str) -> bool {
    list.is_some_and(|(twin, values)| {
        twin == name && values.items().iter().any(|value| value.text().is_some())
    })
}

/// Makes one `cookie` header of the list that payload 2.0 has for it. Function
/// URLs send the header as well; both would double every cookie.
pub(super) fn add_cookies(headers: &mut HeaderMap, cookies: &Json<'_>) -> Result<(), Problem> {
    let cookies: Vec<&str> = cookies.items().iter().filter_map(Json::text).collect();
    if cookies.is_empty() {
        return Ok(());
    }
    headers.remove(header::COOKIE);
    append(headers, header::COOKIE, &cookies.join("; "))
}

/// Names and values of a map, one pair for each value, in order. `null`
/// stands for nothing, as a map and as a value.
pub(super) fn pairs<'j>(map: &'j Json<'_>) -> Result<Vec<(&'j str, &'j str)>, Problem> {
    if !map.is_map() && *map != Json::Null {
        return Err(malformed("headers and query parameters must come as maps"));
    }
    let mut pairs = Vec::with_capacity(map.entries().len());
    for (name, values) in map.entries() {
        for value in values.items() {
            match value {
                Json::Text(value) => pairs.push((name.as_ref(), value.as_ref())),
                Json::Null => {}
                _ => return Err(malformed("a header or a query parameter has a value that is not text")),
            }
        }
    }
    Ok(pairs)
}

fn parse_name(name: &str) -> Result<HeaderName, Problem> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| malformed("a header has a name that HTTP does not allow"))
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| malformed("a header has a value that HTTP does not allow"))?;
    headers.try_append(name, value).map(drop).map_err(|_| crowd())
}

/// A `HeaderMap` holds 32,768 headers and panics at the next.
fn crowd() -> Problem {
    malformed("there are too many headers")
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(Kind::MalformedEvent, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(multi: &str, single: &str) -> Result<Vec<(String, String)>, Problem> {
        let (multi, single) = (Json::parse(multi).unwrap(), Json::parse(single).unwrap());
        let mut fault = None;
        let headers = read(&multi, &single, &mut fault);
        if let Some(fault) = fault {
            return Err(fault);
        }
        let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        Ok(headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    #[test]
    fn lists_come_first_and_singles_fill_the_gaps() {
        let check = |multi: &str, single: &str, expected: &[(&str, &str)]| {
            let found = headers(multi, single).unwrap();
            let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(found, expected, "{multi} {single}");
        };
        check("null", "{}", &[]);
        check(r#"{"A":["1","2"]}"#, r#"{"a":"2"}"#, &[("a", "1"), ("a", "2")]);
        check(r#"{"A":["1"],"a":["2"]}"#, "null", &[("a", "1"), ("a", "2")]);
        check("null", r#"{"A":"1","a":"2"}"#, &[("a", "1"), ("a", "2")]);
        check(r#"{"a":["1"]}"#, r#"{"A":"1","B":"2"}"#, &[("a", "1"), ("b", "2")]);
        check(r#"{"a":null,"b":[null,"2"],"c":[]}"#, r#"{"a":null,"c":""}"#, &[("b", "2"), ("c", "")]);
        check(r#"{"a":[],"b":[null]}"#, r#"{"a":"1","b":"2"}"#, &[("a", "1"), ("b", "2")]);
        check("{}", r#"{"a":"x,y","t":"a\tb","u":"☕"}"#, &[("a", "x,y"), ("t", "a\tb"), ("u", "☕")]);
    }

    #[test]
    fn what_http_does_not_allow_is_refused_and_not_repeated() {
        let check = |multi: &str, single: &str| {
            let problem = headers(multi, single).unwrap_err();
            assert_eq!(problem.kind(), Kind::MalformedEvent, "{multi} {single}");
            assert!(!problem.detail().contains("evil"), "{multi} {single}");
        };
        check("null", r#"{"evil name":"1"}"#);
        check("null", r#"{"":"evil"}"#);
        check(r#"{"evil\r\nx":["1"]}"#, "null");
        check(r#"{"a":["evil\r\nx: y"]}"#, "null");
        check(r#"{"a":["evil\u0000"]}"#, "null");
        check(r#"{"a":[{"evil":1}]}"#, "null");
        check("null", r#"{"a":7}"#);
        check("null", r#""evil""#);
        check("[]", "null");
    }

    #[test]
    fn a_crowd_of_headers_is_refused_and_no_panic() {
        let repeated = format!(r#"{{"a":[{}"1"]}}"#, r#""1","#.repeat(40_000));
        assert_eq!(headers(&repeated, "null").unwrap_err().kind(), Kind::MalformedEvent);
        let names: Vec<String> = (0..40_000).map(|n| format!(r#""a{n}":"1""#)).collect();
        let distinct = format!("{{{}}}", names.join(","));
        assert_eq!(headers("null", &distinct).unwrap_err().kind(), Kind::MalformedEvent);
    }

    #[test]
    fn cookies_are_one_header_and_never_doubled() {
        let check = |cookies: &str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static("a=1; b=2"));
            add_cookies(&mut headers, &Json::parse(cookies).unwrap()).unwrap();
            assert_eq!(headers.get_all(header::COOKIE).iter().count(), 1, "{cookies}");
            assert_eq!(
                headers.get(header::COOKIE).map(|value| value.to_str().unwrap()),
                expected,
                "{cookies}"
            );
        };
        check(r#"["c=3","d=4"]"#, Some("c=3; d=4"));
        check("[]", Some("a=1; b=2"));
        check("null", Some("a=1; b=2"));
    }
}
