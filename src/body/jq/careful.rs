//! Puts guards into a program before it is compiled. They keep it from ending
//! the process, by recursing through the whole stack or by asking for more
//! memory in one step than there is; and they end it where nobody waits for it
//! any more. A loop without a guard in it is possible, and rare.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::native::{Fun, bome, v};
use jaq_core::ops::Math;
use jaq_core::{Error, Exn, Native, ValX};
use jaq_json::Num;

use super::library::Jq;
use super::terms::{calls, map};
use crate::body::apart::STACK;
use crate::body::json::Val;

/// How much of it recursion may use: what unwinds needs the rest.
const DEEPEST: usize = STACK / 2;

/// The longest text that one multiplication may make, in bytes.
const LONGEST: usize = 16 << 20;

/// What the guards know of a program that runs apart.
struct Run {
    /// Where its stack begins.
    base: usize,
    /// Whether nobody waits for it any more.
    stop: Arc<AtomicBool>,
}

thread_local! {
    /// The program that this thread was made for.
    static RUN: OnceCell<Run> = const { OnceCell::new() };
}

/// Says that this thread was made for a program, which ends once `stop` is set.
pub fn begin(stop: Arc<AtomicBool>) {
    // A thread is made for one program.
    RUN.with(|run| drop(run.set(Run { base: here(), stop })));
}

/// Whether nobody waits any more for the program that this thread was made for.
pub fn is_over() -> bool {
    RUN.with(|run| run.get().is_some_and(|run| run.stop.load(Ordering::Relaxed)))
}

/// About where the stack is now.
fn here() -> usize {
    let mark = 0_u8;
    std::ptr::from_ref(&mark).addr()
}

/// What the guards call.
pub fn functions() -> [Fun<Jq>; 3] {
    let guard = Native::new(|cv| bome(wrong().map_or(Ok(cv.1), Err)))
        .with_paths(|cv| box_once(wrong().map_or(Ok(cv.1), |error| Err(Exn::from(error)))))
        .with_update(|cv, update| match wrong() {
            None => update(cv.1),
            Some(error) => box_once(Err(Exn::from(error))),
        });
    let range = Native::new(|mut cv| {
        let by = cv.0.pop_var();
        let to = cv.0.pop_var();
        let from = cv.0.pop_var();
        Box::new(range(from, to, by))
    });
    let times = Native::new(|mut cv| {
        let right = cv.0.pop_var();
        let left = cv.0.pop_var();
        bome(times(left, right))
    });
    [(GUARD, v(0), guard), ("range", v(3), range), ("__times", v(2), times)]
}

/// Passes its input on, as long as the program may go on.
const GUARD: &str = "__guard";

/// Why a program may not go on.
fn wrong() -> Option<Error<Val>> {
    let judge = |run: &Run| {
        if run.stop.load(Ordering::Relaxed) {
            return Some("nobody waits for this");
        }
        (DEEPEST < run.base.abs_diff(here())).then_some("recursion goes too deep")
    };
    RUN.with(|run| run.get().and_then(judge)).map(Error::str)
}

/// jq's `range`, which asks at each step whether it may go on.
fn range<'a>(from: Val, to: Val, by: Val) -> impl Iterator<Item = ValX<'a, Val>> {
    let ahead = by.partial_cmp(&Val::from(0_isize));
    let mut next = Some(Ok(from));
    std::iter::from_fn(move || {
        let value = match next.take()? {
            Ok(value) => value,
            Err(error) => return Some(Err(Exn::from(error))),
        };
        let within = match ahead {
            Some(std::cmp::Ordering::Greater) => value < to,
            Some(std::cmp::Ordering::Less) => value > to,
            _ => value != to,
        };
        if !within {
            return None;
        }
        next = Some(wrong().map_or_else(|| value.clone() + by.clone(), Err));
        Some(Ok(value))
    })
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

/// A definition with guards in it: one that calls itself asks each time whether it may.
pub fn definition(def: Def<&str>) -> Def<&str> {
    let recursive = calls(&def.body, def.name, def.args.len());
    let body = term(def.body);
    let body = if recursive { pipe(Term::Call(GUARD, Vec::new()), None, body) } else { body };
    Def { body, ..def }
}

/// A program with guards in it.
pub fn term(program: Term<&str>) -> Term<&str> {
    match map(program, &mut term) {
        Term::Def(defs, body) => Term::Def(defs.into_iter().map(recursive).collect(), body),
        Term::BinOp(left, BinaryOp::Math(Math::Mul), right) => product(*left, *right),
        Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), right) => {
            let guarded = pipe(Term::Call(GUARD, Vec::new()), None, *right);
            Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), Box::new(guarded))
        }
        Term::Fold(name, source, pattern, mut rest) => {
            if let Some(update) = rest.get_mut(1) {
                *update = pipe(Term::Call(GUARD, Vec::new()), None, std::mem::take(update));
            }
            Term::Fold(name, source, pattern, rest)
        }
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
    Def { body: pipe(Term::Call(GUARD, Vec::new()), None, def.body), ..def }
}

/// `left * right`, in the engine's order: the left one is the outer loop.
fn product<'s>(left: Term<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    let times = Term::Call("__times", vec![Term::Var("$__l"), Term::Var("$__r")]);
    pipe(left, Some("$__l"), pipe(right, Some("$__r"), times))
}

fn pipe<'s>(left: Term<&'s str>, name: Option<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(left), BinaryOp::Pipe(name.map(Pattern::Var)), Box::new(right))
}
