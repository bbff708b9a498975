//! From a program's text to something that runs, or to its first mistake.

use std::ops::Range;

use jaq_core::Compiler;
use jaq_core::compile::Undefined;
use jaq_core::load::lex::{Lexer, StrPart, Token};
use jaq_core::load::parse::{Def, Parser, Term};
use jaq_core::load::{Arena, File, Loader};

use super::cost::{self, Cost};
use super::library::{self, Jq};
use super::straight::Straight;
use super::terms::each;
use super::{Message, Mistake, careful};

/// What the program is called as a definition, behind those of the library.
const MAIN: &str = "__main";

/// A program that can be run.
pub struct Compiled {
    pub filter: jaq_core::Filter<Jq>,
    pub cost: Cost,
    /// The same, where it only picks and places.
    pub straight: Option<Straight>,
    /// Where it may go on for ever, as far as one can see.
    pub unbounded: Option<Range<usize>>,
    /// The texts that it ends with by `error("…")`.
    pub words: Vec<String>,
}

impl Compiled {
    pub fn new(text: &str, message: Message) -> Result<Self, Mistake> {
        let program = parse(text)?;
        let cost = cost::of(&program);
        let straight = Straight::of(&program);
        let unbounded = cost::unbounded(&program).map(|part| span(text, part));
        let words = words(&program);
        let library = library::definitions();
        let defs: Vec<Def<&str>> = match cost {
            Cost::Linear => library.chain([main(program)]).collect(),
            Cost::Unknown => library.map(careful::definition).chain([main(careful::term(program))]).collect(),
        };
        let arena = Arena::default();
        let modules = Loader::new(defs).load(&arena, File { code: MAIN, path: () });
        let modules =
            modules.map_err(|_| Mistake { at: 0..text.len(), what: "this is no program".to_owned() })?;
        let compiler = Compiler::default().with_funs(library::functions());
        let compiled = compiler.with_global_vars(message.variables().iter().copied()).compile(modules);
        let filter = compiled.map_err(|errors| {
            let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
            first.map_or_else(
                || Mistake { at: 0..text.len(), what: String::new() },
                |error| undefined(text, error),
            )
        })?;
        Ok(Self { filter, cost, straight, unbounded, words })
    }
}

fn main(body: Term<&str>) -> Def<&str> {
    Def { name: MAIN, args: Vec::new(), body }
}

fn parse(text: &str) -> Result<Term<&str>, Mistake> {
    let tokens = Lexer::new(text).lex().map_err(|errors| {
        let first = errors.into_iter().next();
        let (expected, rest) = first.map_or(("a program", ""), |(expect, rest)| (expect.as_str(), rest));
        wanted(text, expected, rest)
    })?;
    Parser::new(&tokens).parse(|parser| parser.term()).map_err(|errors| {
        let first = errors.into_iter().next();
        let (expected, rest) = first
            .map_or(("a program", ""), |(expect, found)| (expect.as_str(), Token::opt_as_str(found, text)));
        wanted(text, expected, rest)
    })
}

fn wanted(text: &str, expected: &str, found: &str) -> Mistake {
    let at = span(text, found);
    let at = at.start..at.end.min(at.start + 1).max(at.start);
    let what = if text.len() <= at.start {
        format!("the program ends where {expected} is wanted")
    } else {
        format!("this is no jq: {expected} is wanted here")
    };
    Mistake { at, what }
}

fn undefined(text: &str, (name, kind): (&str, Undefined)) -> Mistake {
    let what = match kind {
        Undefined::Var if name == "$status" => "`$status` is known of answers only".to_owned(),
        Undefined::Filter(_) if library::is_outward(name) => {
            format!("`{name}` looks outside, which no program here can")
        }
        Undefined::Filter(arguments) => format!("no function `{name}` takes {arguments} arguments"),
        other => format!("no {} `{name}` is known here", other.as_str()),
    };
    Mistake { at: span(text, name), what }
}

/// Where a part of a text stands in it; its end, where it is no part of it.
fn span(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    match start.checked_add(part.len()) {
        Some(end) if end <= text.len() => start..end,
        _ => text.len()..text.len(),
    }
}

/// The texts that stand in calls of `error`.
fn words(program: &Term<&str>) -> Vec<String> {
    let mut found = Vec::new();
    if let Term::Call("error", given) = program
        && let [Term::Str(None, parts)] = given.as_slice()
    {
        let literal = parts.iter().map(|part| match part {
            StrPart::Str(text) => Some((*text).to_owned()),
            StrPart::Char(character) => Some(character.to_string()),
            StrPart::Term(_) => None,
        });
        found.extend(literal.collect::<Option<String>>());
    }
    each(program, &mut |part| found.extend(words(part)));
    found
}
