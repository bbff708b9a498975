//! Puts guards into a program before it is compiled, where it could otherwise
//! end the process: by recursing through the whole stack, or by asking for
//! more memory in one step than there is.

use std::cell::Cell;

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::native::{Fun, bome, v};
use jaq_core::ops::Math;
use jaq_core::{Error, Exn, Native};
use jaq_json::Num;

use super::library::Jq;
use super::terms::{calls, map};
use crate::body::json::Val;

/// The stack that a program has where it runs apart, in bytes.
pub const STACK: usize = 64 << 20;

/// How much of it recursion may use: what unwinds needs the rest.
const DEEPEST: usize = STACK / 2;

/// The longest text that one multiplication may make, in bytes.
const LONGEST: usize = 16 << 20;

thread_local! {
    /// Where the stack of a program that runs apart begins.
    static BASE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Notes where the stack of this thread begins.
pub fn begin() {
    BASE.set(Some(here()));
}

/// About where the stack is now.
fn here() -> usize {
    let mark = 0_u8;
    std::ptr::from_ref(&mark).addr()
}

/// What the guards call.
pub fn functions() -> [Fun<Jq>; 2] {
    let depth = Native::new(|cv| bome(deep().map_or(Ok(cv.1), Err)))
        .with_paths(|cv| box_once(deep().map_or(Ok(cv.1), |error| Err(Exn::from(error)))))
        .with_update(|cv, update| match deep() {
            None => update(cv.1),
            Some(error) => box_once(Err(Exn::from(error))),
        });
    let times = Native::new(|mut cv| {
        let right = cv.0.pop_var();
        let left = cv.0.pop_var();
        bome(times(left, right))
    });
    [("__depth", v(0), depth), ("__times", v(2), times)]
}

fn deep() -> Option<Error<Val>> {
    let used = BASE.get().map_or(0, |base| base.abs_diff(here()));
    (DEEPEST < used).then(|| Error::str("recursion goes too deep"))
}

fn times(left: Val, right: Val) -> Result<Val, Error<Val>> {
    if let (Val::TStr(text) | Val::BStr(text), Val::Num(count))
    | (Val::Num(count), Val::TStr(text) | Val::BStr(text)) = (&left, &right)
    {
        let count = match count {
            Num::BigInt(_) => usize::MAX,
            other => usize::try_from(other.as_isize().unwrap_or_default()).unwrap_or_default(),
        };
        if LONGEST < text.len().saturating_mul(count) {
            return Err(Error::str("the text is too long"));
        }
    }
    left * right
}

/// A definition with guards in it: one that calls itself says each time how deep it is.
pub fn definition(def: Def<&str>) -> Def<&str> {
    let recursive = calls(&def.body, def.name, def.args.len());
    let body = term(def.body);
    let body = if recursive { pipe(Term::Call("__depth", Vec::new()), None, body) } else { body };
    Def { body, ..def }
}

/// A program with guards in it.
pub fn term(program: Term<&str>) -> Term<&str> {
    match map(program, &mut term) {
        Term::Def(defs, body) => Term::Def(defs.into_iter().map(recursive).collect(), body),
        Term::BinOp(left, BinaryOp::Math(Math::Mul), right) => product(*left, *right),
        Term::BinOp(path, BinaryOp::UpdateMath(Math::Mul), right) => {
            let update = product(Term::Id, Term::Var("$__x"));
            pipe(*right, Some("$__x"), Term::BinOp(path, BinaryOp::Update, Box::new(update)))
        }
        other => other,
    }
}

/// The terms within were seen to already.
fn recursive(def: Def<&str>) -> Def<&str> {
    if !calls(&def.body, def.name, def.args.len()) {
        return def;
    }
    Def { body: pipe(Term::Call("__depth", Vec::new()), None, def.body), ..def }
}

/// `left * right`, in the engine's order: the left one is the outer loop.
fn product<'s>(left: Term<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    let times = Term::Call("__times", vec![Term::Var("$__l"), Term::Var("$__r")]);
    pipe(left, Some("$__l"), pipe(right, Some("$__r"), times))
}

fn pipe<'s>(left: Term<&'s str>, name: Option<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(left), BinaryOp::Pipe(name.map(Pattern::Var)), Box::new(right))
}
