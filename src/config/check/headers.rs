//! Header names and values, as they are written in the file.

use http::{HeaderName, HeaderValue, header};

use super::{Flaws, credentials};
use crate::config::declared::Upstream;
use crate::config::fields::Names;
use crate::config::tree::At;
use crate::proxy::headers::{is_range, never_down, never_up};

/// What the connection says for itself (RFC 9110 §7.6.1, §8.6, §7.2, §10.1.1).
const THE_CONNECTIONS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A name that parses; otherwise the flaw is noted.
fn parse(at: &At<'_>, name: &str, flaws: &mut Flaws) -> Option<HeaderName> {
    let parsed = name.parse().ok();
    if parsed.is_none() {
        flaws.note(at, "this is no header name", "write letters, digits and `-`, such as `x-request-id`");
    }
    parsed
}

/// A name as upstreams may read it: CGI, WSGI and Rack make one of `-` and `_`
/// (RFC 3875 §4.1.18). Names are compared in this form.
pub(super) fn fold(name: &str) -> Option<HeaderName> {
    name.replace('_', "-").parse().ok()
}

/// The name of a header that we set, folded; otherwise the flaw is noted.
pub(super) fn of_ours(at: &At<'_>, name: &str, flaws: &mut Flaws) -> Option<HeaderName> {
    let name = parse(at, name, flaws).and_then(|name| fold(name.as_str()))?;
    let (what, help) = if THE_CONNECTIONS.contains(&name.as_str()) {
        ("the connection says this for itself", "remove it")
    } else if name == header::ACCEPT_ENCODING {
        ("the guard must read what comes back, so we ask for it unpacked", "remove it")
    } else if is_range(&name) {
        let help = "remove it; callers may ask for parts with `dangerous_range: true` on a route";
        ("a part of an answer could pass the guard with half of an echoed secret", help)
    } else {
        return Some(name);
    };
    flaws.note(at, what, help);
    None
}

/// Whether a header is where secrets are sent.
pub(super) fn proves(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION || *name == header::COOKIE || name == "x-api-key"
}

/// A header's value (RFC 9110 §5.5), of which we write the visible part only.
pub(super) fn value(at: &At<'_>, text: &str, flaws: &mut Flaws) {
    if HeaderValue::from_str(text).is_err() || !text.is_ascii() || text.trim() != text {
        let help = "write visible ASCII in one line, with no space at the ends";
        flaws.note(at, "this cannot be the value of a header", help);
    }
}

/// The request headers that a route lets through.
pub(super) fn up(at: &At<'_>, names: &Names, dangerous_range: bool, flaws: &mut Flaws) {
    each(at, names, flaws, |at, name, flaws| {
        let Some(name) = &fold(name.as_str()) else { return };
        if is_range(name) {
            if !dangerous_range {
                let help = "write `dangerous_range: true` on the route; its comment gives the price";
                flaws.note(at, "two halves of an echoed secret would pass the guard", help);
            }
        } else if never_up(name) {
            flaws.note(at, why_not_up(name), "remove it");
        }
    });
}

/// What we set at the upstream is ours to say, in any spelling.
pub(super) fn not_ours(at: &At<'_>, names: &Names, upstream: &Upstream, flaws: &mut Flaws) {
    let Names::These(names) = names else { return };
    let proving: Vec<HeaderName> = credentials::recipes(upstream).flat_map(credentials::headers).collect();
    for (item, name) in at.sound_items().iter().zip(names) {
        let folded = fold(name);
        // The same spelling is written over, and so does no harm.
        let is_shadow = |own: &String| fold(own) == folded && !own.eq_ignore_ascii_case(name);
        if folded.as_ref().is_none_or(never_up) {
            continue;
        } else if proving.iter().any(|own| Some(own) == folded.as_ref()) {
            flaws.note(item, "the upstream's credential is sent in this header", "remove it here");
        } else if upstream.headers.keys().any(is_shadow) {
            let help = "remove it here: many servers take `-` and `_` for the same";
            flaws.note(item, "the upstream's `headers` set this one", help);
        }
    }
}

fn why_not_up(name: &HeaderName) -> &'static str {
    if THE_CONNECTIONS.contains(&name.as_str()) {
        "this header belongs to one connection, and never goes upstream"
    } else if proves(name) {
        "what callers prove themselves with to us never goes upstream"
    } else {
        "this header could make the upstream read another request than was checked, and never goes there"
    }
}

/// The response headers that a route lets through.
pub(super) fn down(at: &At<'_>, names: &Names, flaws: &mut Flaws) {
    each(at, names, flaws, |at, name, flaws| {
        if never_down(name) {
            let what = "what the upstream says about cookies, connections and origins never comes back";
            flaws.note(at, what, "remove it");
        }
    });
}

fn each(at: &At<'_>, names: &Names, flaws: &mut Flaws, judge: impl Fn(&At<'_>, &HeaderName, &mut Flaws)) {
    let Names::These(names) = names else { return };
    for (item, name) in at.sound_items().iter().zip(names) {
        if let Some(name) = parse(item, name, flaws) {
            judge(item, &name, flaws);
        }
    }
}
