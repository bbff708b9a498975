//! Route keys: a method and a path of ours, as API Gateway writes them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use http::Method;

use super::path::{self, Path};

/// What API Gateway forwards, less OPTIONS, which is answered here.
pub const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// A method and a path pattern, as written in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    text: String,
    method: Option<Verb>,
    pattern: Pattern,
}

impl RouteKey {
    /// The key as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its method; `None` is `ANY`.
    pub fn method(&self) -> Option<Method> {
        self.method.as_ref().map(|verb| verb.0.clone())
    }

    /// Its path.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

impl FromStr for RouteKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((method, path)) = text.split_once(' ') else {
            return Err("a route is a method and a path; write `GET /my-path`".to_owned());
        };
        let method = if method == "ANY" { None } else { Some(method.parse()?) };
        Ok(Self { text: text.to_owned(), method, pattern: path.trim_start().parse()? })
    }
}

/// A method that a route may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verb(pub Method);

impl FromStr for Verb {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = METHODS.into_iter().find(|method| method.as_str() == text);
        known.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no method a route can have; write GET, HEAD, POST, PUT, PATCH, DELETE or ANY"
            )
        })
    }
}

impl PartialOrd for Verb {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Verb {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_str().cmp(other.0.as_str())
    }
}

/// The path of a route: what a request's path must look like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(Vec<Segment>);

/// In order of precedence: the exact word wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Exact(String),
    One(String),
    Rest(String),
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::Exact(_) => 0,
            Self::One(_) => 1,
            Self::Rest(_) => 2,
        }
    }
}

impl Pattern {
    /// The parameters' names, each with whether it takes the rest of the path.
    pub fn params(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Exact(_) => None,
            Segment::One(name) => Some((name.as_str(), false)),
            Segment::Rest(name) => Some((name.as_str(), true)),
        })
    }

    /// Whether two patterns match the same paths with the same precedence.
    pub fn is_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(a, b)| match (a, b) {
                (Segment::Exact(a), Segment::Exact(b)) => a == b,
                (a, b) => a.rank() == b.rank(),
            })
    }

    /// Sorts the most exact pattern first.
    pub(super) fn rank(&self) -> Vec<u8> {
        self.0.iter().map(Segment::rank).collect()
    }

    /// A path that fits, of encoded values: the way back of [`fit`](Self::fit).
    /// `None`: a value is missing.
    pub(super) fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let text = |segment: &Segment| match segment {
            Segment::Exact(word) => Some(path::encode_segment(word)),
            Segment::One(name) | Segment::Rest(name) => value(name),
        };
        let segments: Vec<String> = self.0.iter().map(text).collect::<Option<_>>()?;
        Some(format!("/{}", segments.join("/")))
    }

    /// Whether a parameter takes the rest of the path.
    pub(super) fn is_rest(&self, name: &str) -> bool {
        self.params().any(|param| param == (name, true))
    }

    /// The parameters' values, if the path fits. No value is ever empty.
    pub(super) fn fit<'p>(&'p self, path: &'p Path<'_>) -> Option<Params<'p>> {
        let mut segments = path.segments();
        let mut params = Vec::new();
        for wanted in &self.0 {
            let (first, others) = segments.split_first()?;
            match wanted {
                _ if first.is_empty() => return None,
                Segment::Exact(word) if word != first => return None,
                Segment::Exact(_) => {}
                Segment::One(name) => params.push((name.as_str(), std::slice::from_ref(first))),
                Segment::Rest(name) => {
                    params.push((name.as_str(), segments));
                    return Some(Params(params));
                }
            }
            segments = others;
        }
        segments.is_empty().then_some(Params(params))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("a path begins with a slash; write `/my-path`".to_owned());
        };
        if rest.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let segments: Vec<Segment> = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        if segments.iter().rev().skip(1).any(|segment| matches!(segment, Segment::Rest(_))) {
            return Err("`{name+}` takes the rest of the path; put it last".to_owned());
        }
        let pattern = Self(segments);
        let names: Vec<&str> = pattern.params().map(|(name, _)| name).collect();
        match names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|other| other == *name)) {
            Some((_, name)) => Err(format!("`{{{name}}}` stands here twice; give each its own name")),
            None => Ok(pattern),
        }
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    if let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        let (name, rest) = inner.strip_suffix('+').map_or((inner, false), |name| (name, true));
        if !is_param(name) {
            return Err(format!("`{text}` names no parameter; write `{{name}}` or `{{name+}}`"));
        }
        return Ok(if rest { Segment::Rest(name.to_owned()) } else { Segment::One(name.to_owned()) });
    }
    let odd = |c: char| c.is_control() || c.is_whitespace() || "{}%?#\\".contains(c);
    match text {
        "" => Err("the path has an empty segment; remove the doubled or the last slash".to_owned()),
        "." | ".." => Err("the path has a dot segment; write the path it leads to".to_owned()),
        _ if text.contains(odd) => {
            Err(format!("`{text}` is no plain segment; write it decoded, and a parameter as `{{name}}`"))
        }
        _ => Ok(Segment::Exact(text.to_owned())),
    }
}

/// Parameters are named as API Gateway allows: letters, digits, `-`, `_`, `.`.
pub(super) fn is_param(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The values that a path has for a pattern's parameters.
#[derive(Debug, PartialEq)]
pub struct Params<'p>(Vec<(&'p str, &'p [Cow<'p, str>])>);

impl Params<'_> {
    /// Every parameter with its segments, decoded.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[Cow<'_, str>])> {
        self.0.iter().map(|(name, segments)| (*name, *segments))
    }

    /// The segments of one parameter, decoded.
    pub fn get(&self, name: &str) -> Option<&[Cow<'_, str>]> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, segments)| *segments)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|segment| match segment {
            Segment::Exact(word) => write!(f, "/{word}"),
            Segment::One(name) => write!(f, "/{{{name}}}"),
            Segment::Rest(name) => write!(f, "/{{{name}+}}"),
        })
    }
}
