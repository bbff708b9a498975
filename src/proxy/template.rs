//! The path of an upstream, with places for parameters: `/bot{token}/sendMessage`.

use std::borrow::Cow;
use std::str::FromStr;

use super::path;
use super::pattern::{Pattern, is_param};

/// The path of an upstream with places for parameters: `/bot{token}/sendMessage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Param(String),
}

impl Template {
    /// Where a route leads that names no path: to its own, at the upstream.
    pub fn own(pattern: &Pattern) -> Result<Self, String> {
        pattern.to_string().replace("+}", "}").parse()
    }

    /// The names that it wants values for.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Param(name) => Some(name.as_str()),
        })
    }

    /// The path, with each value percent-encoded as one segment (those of
    /// `{name+}` as theirs). `None`: a value is missing.
    pub fn fill<'v>(&self, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> Option<String> {
        let mut path = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Param(name) => path.push_str(&value(name)?),
            }
        }
        Some(path)
    }

    /// The values, still encoded, that a path has where parameters stand: the
    /// way back of [`fill`](Self::fill). A path that can be read in several
    /// ways is read in one of them: each fills in to that same path.
    pub fn recover<'p>(&'p self, path: &'p str, is_rest: impl Fn(&str) -> bool) -> Option<Recovered<'p>> {
        let [Piece::Text(first), pieces @ ..] = self.0.as_slice() else { return None };
        let mut path = path.strip_prefix(first.as_str())?;
        let mut values = Vec::new();
        let [pieces @ .., Piece::Text(last)] = pieces else { return path.is_empty().then_some(values) };
        path = path.strip_suffix(last.as_str())?;
        let mut pieces = pieces;
        while let Some((name, value, left, others)) = cut(pieces, path, &is_rest) {
            let whole = !value.is_empty() && (is_rest(name) || !value.contains('/'));
            let same = values.iter().all(|(known, other)| *known != name || *other == value);
            if !whole || !same {
                return None;
            }
            values.push((name, value));
            (path, pieces) = (left, others);
        }
        pieces.is_empty().then_some(values)
    }
}

/// Parameters' names, each with its value.
pub type Recovered<'p> = Vec<(&'p str, &'p str)>;

/// Takes one parameter's value off a path, and what stands beside it: from
/// the left, and where that one takes the rest of the path, from the right.
fn cut<'p>(
    pieces: &'p [Piece],
    path: &'p str,
    is_rest: &impl Fn(&str) -> bool,
) -> Option<(&'p str, &'p str, &'p str, &'p [Piece])> {
    match pieces {
        [Piece::Param(name)] => Some((name, path, "", &[])),
        [Piece::Param(name), Piece::Text(next), others @ ..] if !is_rest(name) => {
            path.split_once(next.as_str()).map(|(value, left)| (name.as_str(), value, left, others))
        }
        [others @ .., Piece::Text(before), Piece::Param(name)] => {
            path.rsplit_once(before.as_str()).map(|(left, value)| (name.as_str(), value, left, others))
        }
        _ => None,
    }
}

/// The segments of a parameter, encoded and joined for [`Template::fill`].
pub fn encode(segments: &[Cow<'_, str>]) -> String {
    let encoded: Vec<String> = segments.iter().map(|segment| path::encode_segment(segment)).collect();
    encoded.join("/")
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("an upstream's path begins with a slash; write `/its-path`".to_owned());
        }
        if text.contains(['?', '#']) {
            return Err("an upstream's path has no query; declare parameters in `request.query`".to_owned());
        }
        let odd = |c: char| !c.is_ascii() || c.is_ascii_control() || c == ' ' || "\"<>\\^`|".contains(c);
        if text.contains(odd) {
            return Err(
                "an upstream's path is sent as written; percent-encode what is no URL character".to_owned()
            );
        }
        let inner = text.get(1..text.len().max(1)).unwrap_or_default();
        if inner.split('/').any(|s| s == "." || s == "..") || text.contains("//") {
            return Err(
                "an upstream's path has no dot or empty segments; write the path it leads to".to_owned()
            );
        }
        pieces(text).map(Self)
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}').filter(|(name, _)| is_param(name)) else {
            return Err(
                "`{` opens a parameter here; write `{name}`, also for what the route calls `{name+}`"
                    .to_owned(),
            );
        };
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Param(name.to_owned()));
        rest = after;
    }
    if rest.contains('}') {
        return Err("`}` closes nothing here; write `{name}`".to_owned());
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_filled_template_are_found_again() {
        let check = |template: &str, path: &str, expected: Option<&[(&str, &str)]>| {
            let template: Template = template.parse().unwrap();
            let found = template.recover(path, |name| name == "rest");
            assert_eq!(found.as_deref(), expected, "{template:?} {path}");
        };
        check("/user/repos", "/user/repos", Some(&[]));
        check("/user/repos", "/user/repos/", None);
        check("/user/repos", "/user", None);
        check("/", "/", Some(&[]));
        check("/a/{x}/b/{y}", "/a/1/b/2%2F3", Some(&[("x", "1"), ("y", "2%2F3")]));
        check("/a/{x}/b/{y}", "/a/1/2/b/3", None);
        check("/a/{x}", "/a/", None);
        check("/a/{x}/b", "/a/b", None);
        check("/bot{token}/send", "/bot7:x/send", Some(&[("token", "7:x")]));
        check("/bot{token}/send", "/bot/send", None);
        check("/{x}.{y}", "/a.b.c", Some(&[("x", "a"), ("y", "b.c")]));
        check("/{x}{y}", "/ab", None);
        check("/{x}/to/{x}", "/a/to/a", Some(&[("x", "a"), ("x", "a")]));
        check("/{x}/to/{x}", "/a/to/b", None);
        check("/v3/{rest}", "/v3/a/b/", Some(&[("rest", "a/b/")]));
        check("/{x}/{rest}/end", "/a/b/c/end", Some(&[("x", "a"), ("rest", "b/c")]));
        check("/{rest}/at/{x}/{y}", "/a/at/b/at/c/d", Some(&[("y", "d"), ("x", "c"), ("rest", "a/at/b")]));
    }
}
