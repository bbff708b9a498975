//! Programs that only pick and place. What they make is written straight from
//! the document that they are given, with no values in between.
//!
//! This knows a small part of jq, and of that only what succeeds: whatever else
//! a program does, and whatever an input does to it, is left to the engine.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part};

use crate::body::doc::{At, What};
use crate::body::json::{self, Unwritable, Val, Writer};

/// A program deeper than that is left to the engine, which says what is too deep.
const DEEPEST: usize = 50;

/// A program that gives exactly one value of every input that it succeeds on.
pub struct Straight(One);

/// What gives one value.
enum One {
    /// `.`, `.a.b`, `.[0]`
    Picked(Vec<Step>),
    /// `1`, `null`; as JSON.
    Literal(Vec<u8>),
    /// `"a"`
    Text(String),
    /// `{a, b: .c}`; each key as JSON.
    Map(Vec<(Vec<u8>, One)>),
    /// `[.a, .b]`, `map(.a)`
    List(Vec<Many>),
    /// `.a | {b}`
    Within(Vec<Step>, Box<One>),
    /// `.a // "b"`
    Else(Vec<Step>, Box<One>),
}

/// What gives any number of values.
enum Many {
    One(One),
    /// `.a[]`, `.a[] | {b}`
    Each(Vec<Step>, Box<Many>),
}

/// One step down a path.
#[derive(Clone)]
enum Step {
    Field(Vec<u8>),
    /// From the end, where it is negative.
    Item(isize),
}

/// A place in the input; nothing: `null`, of which there was nothing to see.
type Place<'d> = Option<At<'d>>;

impl Straight {
    /// Takes a program that is no more than that.
    pub fn of(program: &Term<&str>) -> Option<Self> {
        one(program, DEEPEST).map(Self)
    }

    /// Writes what it makes of an input.
    ///
    /// # Errors
    /// It is too long; or `NoWord`: ask the engine.
    pub fn write(&self, input: At<'_>, out: &mut Writer<'_>) -> Result<(), Unwritable> {
        self.0.write(Some(input), out)
    }
}

impl One {
    fn write(&self, at: Place<'_>, out: &mut Writer<'_>) -> Result<(), Unwritable> {
        match self {
            Self::Picked(steps) => copy(walk(at, steps)?, out),
            Self::Literal(json) => out.put(json),
            Self::Text(text) => out.text(text.as_bytes()),
            Self::Map(entries) => out.all(*b"{}", entries.iter(), |(key, value), out| {
                out.put(key)?;
                out.put(b":")?;
                value.write(at, out)
            }),
            Self::List(parts) => {
                out.put(b"[")?;
                let first = out.length();
                parts.iter().try_for_each(|part| part.write(at, out, first))?;
                out.put(b"]")
            }
            Self::Within(steps, inner) => inner.write(walk(at, steps)?, out),
            Self::Else(steps, other) => match walk(at, steps)? {
                Some(at) if !matches!(at.what(), What::Null | What::Bool(false)) => at.write(out),
                _ => other.write(at, out),
            },
        }
    }
}

impl Many {
    /// `first`: where the list begins.
    fn write(&self, at: Place<'_>, out: &mut Writer<'_>, first: usize) -> Result<(), Unwritable> {
        match self {
            Self::One(one) => {
                if out.length() != first {
                    out.put(b",")?;
                }
                one.write(at, out)
            }
            Self::Each(steps, inner) => match walk(at, steps)?.map(At::what) {
                Some(What::List(mut items)) => items.try_for_each(|item| inner.write(Some(item), out, first)),
                Some(What::Map(mut entries)) => {
                    entries.try_for_each(|(_, value)| inner.write(Some(value), out, first))
                }
                _ => Err(STRAY),
            },
        }
    }
}

/// The engine knows what is wrong, or what comes of it.
const STRAY: Unwritable = Unwritable::NoWord;

fn copy(place: Place<'_>, out: &mut Writer<'_>) -> Result<(), Unwritable> {
    match place {
        None => out.put(b"null"),
        Some(at) => at.write(out),
    }
}

/// Where a path leads, if not to an error.
fn walk<'d>(at: Place<'d>, steps: &[Step]) -> Result<Place<'d>, Unwritable> {
    steps.iter().try_fold(at, |at, step| match (at.map(At::what), step) {
        (None | Some(What::Null), _) => Ok(None),
        (Some(What::Map(entries)), Step::Field(name)) => Ok(entries.get(name)),
        (Some(What::List(mut items)), Step::Item(index)) => {
            let index = match usize::try_from(*index) {
                Ok(index) => Some(index),
                Err(_) => items.clone().count().checked_sub(index.unsigned_abs()),
            };
            Ok(index.and_then(|index| items.nth(index)))
        }
        _ => Err(STRAY),
    })
}

fn one(term: &Term<&str>, depth: usize) -> Option<One> {
    let depth = depth.checked_sub(1)?;
    match term {
        Term::Id => Some(One::Picked(Vec::new())),
        Term::Path(..) => steps(term).map(One::Picked),
        Term::Call("null" | "true" | "false", given) if given.is_empty() => {
            let Term::Call(word, _) = term else { return None };
            Some(One::Literal(word.as_bytes().to_vec()))
        }
        Term::Num(digits) => whole(digits).map(|_| One::Literal(digits.as_bytes().to_vec())),
        Term::Str(None, _) => literal(term).map(One::Text),
        Term::Obj(entries) => map(entries, depth),
        Term::Arr(None) => Some(One::List(Vec::new())),
        Term::Arr(Some(inner)) => list(inner, depth),
        Term::Call("map", given) => match given.as_slice() {
            [inner] => Some(One::List(vec![Many::Each(Vec::new(), Box::new(many(inner, depth)?))])),
            _ => None,
        },
        Term::BinOp(left, BinaryOp::Pipe(None), right) => {
            Some(One::Within(steps(left)?, Box::new(one(right, depth)?)))
        }
        Term::BinOp(left, BinaryOp::Alt, right) => or(one(left, depth)?, one(right, depth)?),
        _ => None,
    }
}

/// `.a // .b // f`, however it is grouped.
fn or(left: One, other: One) -> Option<One> {
    match left {
        One::Picked(steps) => Some(One::Else(steps, Box::new(other))),
        One::Else(steps, second) => Some(One::Else(steps, Box::new(or(*second, other)?))),
        _ => None,
    }
}

fn many(term: &Term<&str>, depth: usize) -> Option<Many> {
    let depth = depth.checked_sub(1)?;
    match term {
        Term::BinOp(left, BinaryOp::Pipe(None), right) if steps(left).is_none() => {
            each(left, many(right, depth)?)
        }
        Term::Path(..) if steps(term).is_none() => each(term, Many::One(One::Picked(Vec::new()))),
        _ => one(term, depth).map(Many::One),
    }
}

/// The parts of a list, which commas divide.
fn list(inner: &Term<&str>, depth: usize) -> Option<One> {
    let mut parts = Vec::new();
    let mut left = vec![inner];
    while let Some(term) = left.pop() {
        match term {
            Term::BinOp(first, BinaryOp::Comma, second) => left.extend([&**second, &**first]),
            other => parts.push(many(other, depth)?),
        }
    }
    Some(One::List(parts))
}

/// The keys of a map are texts, each another.
fn map(entries: &[(Term<&str>, Option<Term<&str>>)], depth: usize) -> Option<One> {
    let mut made: Vec<(Vec<u8>, One)> = Vec::new();
    for (key, value) in entries {
        let name = literal(key)?;
        let key = json::write(&Val::utf8_str(name.clone()), usize::MAX).ok()?;
        if made.iter().any(|(known, _)| *known == key) {
            return None;
        }
        let value = match value {
            Some(value) => one(value, depth)?,
            None => One::Picked(vec![Step::Field(name.into_bytes())]),
        };
        made.push((key, value));
    }
    Some(One::Map(made))
}

/// `.a[].b`, and what becomes of each: the part behind the last `[]` is
/// what `inner` begins at.
fn each(path: &Term<&str>, inner: Many) -> Option<Many> {
    let Term::Path(root, path) = path else { return None };
    let Term::Id = **root else { return None };
    let is_all =
        |(part, opt): &(Part<_>, Opt)| matches!((part, opt), (Part::Range(None, None), Opt::Essential));
    let mut runs: Vec<Vec<Step>> =
        path.0.split(is_all).map(|run| run.iter().map(step).collect()).collect::<Option<_>>()?;
    let last = runs.pop().filter(|run| !run.is_empty());
    let inner = match (last, inner) {
        (None, inner) => inner,
        (Some(last), Many::One(one)) => Many::One(One::Within(last, Box::new(one))),
        (Some(last), Many::Each(steps, inner)) => Many::Each([last, steps].concat(), inner),
    };
    Some(runs.into_iter().rfold(inner, |inner, run| Many::Each(run, Box::new(inner))))
}

/// A path that leads to one place.
fn steps(term: &Term<&str>) -> Option<Vec<Step>> {
    match term {
        Term::Id => Some(Vec::new()),
        Term::Path(root, path) if matches!(**root, Term::Id) => path.0.iter().map(step).collect(),
        _ => None,
    }
}

fn step((part, opt): &(Part<Term<&str>>, Opt)) -> Option<Step> {
    match (part, opt) {
        (Part::Index(term @ Term::Str(..)), Opt::Essential) => {
            literal(term).map(|name| Step::Field(name.into_bytes()))
        }
        (Part::Index(Term::Num(digits)), Opt::Essential) => whole(digits).map(Step::Item),
        (Part::Index(Term::Neg(inner)), Opt::Essential) => match &**inner {
            Term::Num(digits) => whole(digits).map(|index| Step::Item(-index)),
            _ => None,
        },
        _ => None,
    }
}

/// A whole number as JSON writes it too.
fn whole(digits: &str) -> Option<isize> {
    let plain = digits == "0" || !digits.starts_with('0');
    let plain = plain && digits.len() < 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// A text that is written out.
fn literal(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(part) => text.push_str(part),
            StrPart::Char(character) => text.push(*character),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}
