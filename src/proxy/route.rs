//! Stage 2: finds the route that a request means, or says that there is none.
//!
//! A route key is API Gateway's own notation: `GET /repos/{owner}` (one
//! segment), `ANY /gh/{path+}` (the rest). An exact segment wins over
//! `{name}`, that over `{name+}`; then the path decides before the method,
//! so that a path with another method is 405 and never a wider route.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use http::{HeaderValue, Method, header};

use super::Route;
use super::path::{self, Path};
use crate::wire::Problem;
use crate::wire::problem::Kind;

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
    fn rank(&self) -> Vec<u8> {
        self.0.iter().map(Segment::rank).collect()
    }

    /// The parameters' values, if the path fits. No value is ever empty.
    fn fit<'p>(&'p self, path: &'p Path<'_>) -> Option<Params<'p>> {
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
fn is_param(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The values that a path has for a pattern's parameters.
#[derive(Debug, PartialEq)]
pub struct Params<'p>(Vec<(&'p str, &'p [Cow<'p, str>])>);

impl Params<'_> {
    /// The segments of one parameter, decoded.
    pub fn get(&self, name: &str) -> Option<&[Cow<'_, str>]> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, segments)| *segments)
    }
}

/// The path of an upstream with places for parameters: `/bot{token}/sendMessage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Param(String),
}

impl Template {
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

/// All routes, the most exact path first.
pub struct Routes(Vec<Place>);

/// One path of ours, with what may be done there.
pub struct Place {
    pattern: Pattern,
    routes: Vec<Route>,
}

/// A route that fits, with the values of its parameters.
pub struct Found<'r, 'p> {
    /// The route.
    pub route: &'r Route,
    /// The values that the path had for the route's parameters.
    pub params: Params<'p>,
}

impl Routes {
    /// Collects routes; those that share a path share a place.
    pub fn new(routes: impl IntoIterator<Item = (Pattern, Route)>) -> Self {
        let mut places: Vec<Place> = Vec::new();
        for (pattern, route) in routes {
            match places.iter_mut().find(|place| place.pattern == pattern) {
                Some(place) => place.routes.push(route),
                None => places.push(Place { pattern, routes: vec![route] }),
            }
        }
        places.sort_by_key(|place| place.pattern.rank());
        Self(places)
    }

    /// Every route.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().flat_map(|place| &place.routes)
    }

    /// The place with this path, whatever the method.
    pub fn place<'r: 'p, 'p>(&'r self, path: &'p Path<'_>) -> Option<(&'r Place, Params<'p>)> {
        self.0.iter().find_map(|place| Some((place, place.pattern.fit(path)?)))
    }

    /// The route that a method and a path mean: 404 and 405 are said here.
    pub fn find<'r: 'p, 'p>(&'r self, method: &Method, path: &'p Path<'_>) -> Result<Found<'r, 'p>, Problem> {
        let found = self.place(path);
        let keeps = |place: &Place| place.routes.iter().all(|route| route.keeps_encoded_slash);
        if path.has_encoded_slash() && !found.as_ref().is_some_and(|(place, _)| keeps(place)) {
            return Err(path::encoded_slash());
        }
        let Some((place, params)) = found else {
            return Err(Problem::new(Kind::RouteNotFound, "no route has this path"));
        };
        let route = place.route(method).ok_or_else(|| place.method_not_allowed())?;
        Ok(Found { route, params })
    }
}

impl Place {
    /// The route for a method. Its own route wins over `ANY`, and a route
    /// that serves GET serves HEAD too (RFC 9110 §9.3.2).
    pub fn route(&self, method: &Method) -> Option<&Route> {
        let named = |route: &&Route| !route.any && route.methods.contains(method);
        let any = |route: &&Route| route.any && route.methods.contains(method);
        let own = self.routes.iter().find(named).or_else(|| self.routes.iter().find(any));
        own.or_else(|| if *method == Method::HEAD { self.route(&Method::GET) } else { None })
    }

    /// The methods that may be used here, in the usual order.
    pub fn methods(&self) -> String {
        let served: Vec<&str> =
            METHODS.iter().filter(|method| self.route(method).is_some()).map(Method::as_str).collect();
        served.join(", ")
    }

    fn method_not_allowed(&self) -> Problem {
        let methods = self.methods();
        let allow = HeaderValue::try_from(&methods).unwrap_or(HeaderValue::from_static(""));
        Problem::new(Kind::MethodNotAllowed, format!("this path takes {methods}")).with(header::ALLOW, allow)
    }
}

impl Place {
    /// Any of its routes.
    pub fn first(&self) -> Option<&Route> {
        self.routes.first()
    }
}
