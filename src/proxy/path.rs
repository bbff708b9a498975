//! Paths: judged before anything is matched, and put together again for the
//! upstream so that no value can climb out of its place.
//!
//! A caller's path is decoded once, segment by segment (RFC 3986 §3.3). What
//! two programs could read differently (dot segments, encoded slashes,
//! doubled encoding) is refused, not repaired.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::wire::Problem;
use crate::wire::problem::Kind;

/// All but `pchar` (RFC 3986 §3.3) is encoded in a segment.
const SEGMENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// A path that says one thing to every reader.
#[derive(Debug, PartialEq)]
pub struct Path<'a> {
    segments: Vec<Cow<'a, str>>,
    encoded_slash: bool,
}

impl<'a> Path<'a> {
    /// Judges a path as it was sent: `/a/b%20c` has the segments `a` and `b c`.
    pub fn parse(raw: &'a str) -> Result<Self, Problem> {
        let Some(rest) = raw.strip_prefix('/') else {
            return Err(malformed("the path must begin with a slash"));
        };
        let mut path = Self { segments: Vec::new(), encoded_slash: false };
        if rest.is_empty() {
            return Ok(path);
        }
        let mut parts = rest.split('/').peekable();
        while let Some(part) = parts.next() {
            if part.is_empty() && parts.peek().is_some() {
                return Err(malformed("the path has an empty segment (`//`)"));
            }
            path.push(part)?;
        }
        Ok(path)
    }

    fn push(&mut self, part: &'a str) -> Result<(), Problem> {
        let segment = decode(part)?;
        if segment.chars().any(char::is_control) {
            return Err(malformed("the path has a control character"));
        }
        if segment.contains('\\') {
            return Err(malformed("the path has a backslash"));
        }
        // Also between slashes that were sent encoded: an upstream may decode first and climb then.
        if segment.split('/').any(is_dots) {
            return Err(malformed("the path has a dot segment"));
        }
        if segment.contains('/') && segment.split('/').any(str::is_empty) {
            return Err(malformed("the path has an empty segment (`//`)"));
        }
        if hides_structure(&segment) {
            return Err(malformed("the path is percent-encoded twice"));
        }
        self.encoded_slash |= segment.contains('/');
        self.segments.push(segment);
        Ok(())
    }

    /// The segments, decoded. A trailing slash is an empty last one.
    pub fn segments(&self) -> &[Cow<'a, str>] {
        &self.segments
    }

    /// Whether some segment holds a slash that was sent as `%2F`.
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }
}

/// Said of a path with `%2F` where no route keeps it.
pub fn encoded_slash() -> Problem {
    malformed("the path has an encoded slash (`%2F`)")
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(Kind::MalformedPath, detail)
}

fn decode(part: &str) -> Result<Cow<'_, str>, Problem> {
    let bytes = part.as_bytes();
    let stray =
        |at: usize| !bytes.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
    if bytes.iter().enumerate().any(|(at, byte)| *byte == b'%' && stray(at)) {
        return Err(malformed("the path has a `%` that encodes nothing"));
    }
    percent_decode_str(part).decode_utf8().map_err(|_| malformed("the path is not UTF-8"))
}

/// `.` and `..`, also with parameters behind (`..;a=b`), which some servers drop first.
fn is_dots(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    name == "." || name == ".."
}

/// `%252e` decodes to `%2e`: an upstream that decodes twice would see a dot,
/// a slash, a backslash or a NUL that we did not.
fn hides_structure(segment: &str) -> bool {
    let codes = ["%2e", "%2f", "%5c", "%00", "%25"];
    segment.contains('%') && {
        let lower = segment.to_ascii_lowercase();
        codes.iter().any(|code| lower.contains(code))
    }
}

/// One value as one segment of an upstream's path.
pub fn encode_segment(value: &str) -> String {
    utf8_percent_encode(value, &SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_or_refused() {
        let check = |raw: &str, expected: Option<&[&str]>| {
            let found = Path::parse(raw);
            let found = found.as_ref().ok().map(|path| path.segments().to_vec());
            let expected = expected.map(|segments| segments.iter().map(|s| Cow::Borrowed(*s)).collect());
            assert_eq!(found, expected, "{raw}");
        };
        check("/", Some(&[]));
        check("/a", Some(&["a"]));
        check("/a/", Some(&["a", ""]));
        check("/a%20b/%E2%98%95", Some(&["a b", "☕"]));
        check("/a+b", Some(&["a+b"]));
        check("/%61", Some(&["a"]));
        check("/a%2Eb", Some(&["a.b"]));
        check("/...", Some(&["..."]));
        check("/@a%2Fb", Some(&["@a/b"]));
        check("/100%25", Some(&["100%"]));
        check("/q%3Fx%23y", Some(&["q?x#y"]));
        for refused in [
            "",
            "a",
            "//",
            "/a//b",
            "//a",
            "/.",
            "/..",
            "/a/../b",
            "/a/%2e%2E/b",
            "/%2e",
            "/a/..;x=1/b",
            "/a\\b",
            "/a%5Cb",
            "/a%00",
            "/a%0a",
            "/a\u{7f}",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/%252e%252e/a",
            "/a%252Fb",
            "/a%255cb",
            "/%c2%85",
            "/%2Fa",
            "/a%2F%2Fb",
            "/a%2F",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn a_value_stays_within_its_segment() {
        let check = |value: &str, expected: &str| assert_eq!(encode_segment(value), expected, "{value}");
        check("a b", "a%20b");
        check("a/b?c#d", "a%2Fb%3Fc%23d");
        check("100%", "100%25");
        check("☕", "%E2%98%95");
        check("v1:x@y,z;w=1", "v1:x@y,z;w=1");
    }
}
