//! What programs are told of a request: `$request`.
//!
//! Never what the caller proves itself with, nor what a gateway put in.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderMap;

use super::headers::never_up;
use super::route::Found;
use crate::body::jq::About;
use crate::body::json::{Map, Val};
use crate::wire::Request;

/// What the programs of the route that was found are told: `$request` is
/// `{method, path, params, query, headers, caller}`, or `null` where none of
/// them asks. `class`: the class of the caller.
pub(super) fn about(found: &Found<'_, '_>, request: &Request, class: &str, now: SystemTime) -> About {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let request = if found.route.asks { value(found, request, class) } else { Val::Null };
    About { request, status: None, now }
}

fn value(found: &Found<'_, '_>, request: &Request, class: &str) -> Val {
    let params = found.params.iter().map(|(name, segments)| (text(name), text(&segments.join("/"))));
    object([
        (text("method"), text(request.method.as_str())),
        (text("path"), text(&request.path)),
        (text("params"), object(params)),
        (text("query"), query(&request.query)),
        (text("headers"), headers(&request.headers)),
        (text("caller"), object([(text("class"), text(class))])),
    ])
}

/// A parameter that was sent several times is a list.
fn query(pairs: &[(String, String)]) -> Val {
    let mut values: Map<Val, Vec<Val>> = Map::default();
    for (name, value) in pairs {
        values.entry(text(name)).or_default().push(text(value));
    }
    object(values.into_iter().map(|(name, mut values)| {
        let only = if values.len() == 1 { values.pop() } else { None };
        (name, only.unwrap_or_else(|| values.into_iter().collect()))
    }))
}

/// One that was sent in several lines is one text (RFC 9110 §5.3). Those that
/// never go upstream are none of a program's business, but for the origin.
fn headers(headers: &HeaderMap) -> Val {
    let shown = headers.keys().filter(|name| **name == http::header::ORIGIN || !never_up(name));
    object(shown.map(|name| {
        let lines: Vec<_> =
            headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        (text(name.as_str()), text(&lines.join(", ")))
    }))
}

fn text(text: &str) -> Val {
    Val::utf8_str(Bytes::copy_from_slice(text.as_bytes()))
}

fn object(entries: impl IntoIterator<Item = (Val, Val)>) -> Val {
    Val::obj(entries.into_iter().collect())
}
