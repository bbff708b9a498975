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
