//! What a program costs, as far as its text shows it.
//!
//! Most programs pick, rename and filter: their work is a matter of their
//! input's length, and on a small input they run in place. Whatever is not
//! surely so runs apart. This errs on the side of caution, and never on the other.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Math;
use jaq_core::path::Part;

use super::terms::{calls, each};

/// How the work of a program grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// With the length of its input, give or take a logarithm.
    Linear,
    /// Perhaps faster; perhaps it never ends.
    Unknown,
}

/// Functions whose work is linear, where that of their arguments is.
const LINEAR: [&str; 67] = [
    "@base64",
    "@base64d",
    "@csv",
    "@html",
    "@json",
    "@sh",
    "@text",
    "@tsv",
    "@uri",
    "abs",
    "all",
    "any",
    "arrays",
    "ascii",
    "ascii_downcase",
    "ascii_upcase",
    "booleans",
    "ceil",
    "del",
    "empty",
    "endswith",
    "error",
    "explode",
    "false",
    "first",
    "floor",
    "fromdate",
    "fromdateiso8601",
    "gmtime",
    "group_by",
    "has",
    "isempty",
    "iterables",
    "keys",
    "keys_unsorted",
    "last",
    "length",
    "ltrim",
    "ltrimstr",
    "map",
    "map_values",
    "max",
    "max_by",
    "min",
    "min_by",
    "mktime",
    "not",
    "now",
    "null",
    "nulls",
    "numbers",
    "objects",
    "reverse",
    "round",
    "rtrim",
    "rtrimstr",
    "scalars",
    "select",
    "sort",
    "sort_by",
    "startswith",
    "strings",
    "to_entries",
    "todate",
    "tojson",
    "tonumber",
    "tostring",
];

const LINEAR_TOO: [&str; 7] = ["toboolean", "trim", "true", "type", "unique", "unique_by", "values"];

/// Of those, the ones that give no more values than their input is: each of
/// their arguments may give several.
const COLLECTING: [&str; 3] = ["map", "map_values", "del"];

pub fn of(program: &Term<&str>) -> Cost {
    if is_linear(program) { Cost::Linear } else { Cost::Unknown }
}

fn is_linear(term: &Term<&str>) -> bool {
    let own = match term {
        Term::Id | Term::Num(_) | Term::Arr(_) | Term::IfThenElse(..) => true,
        Term::Var(name) => *name == "$status",
        Term::Neg(inner) => !is_many(inner),
        Term::TryCatch(..) => true,
        // Parts that each give several values give all their combinations.
        Term::Str(_, parts) => {
            let terms = parts.iter().filter(|part| matches!(part, StrPart::Term(term) if is_many(term)));
            terms.count() == 0
        }
        // Beside one that gives several, each other is evaluated again for each.
        Term::Obj(entries) => {
            let parts = || entries.iter().flat_map(|(key, value)| std::iter::once(key).chain(value));
            match parts().filter(|part| is_many(part)).count() {
                0 => true,
                1 => parts().all(|part| is_many(part) || is_constant(part)),
                _ => false,
            }
        }
        Term::BinOp(left, op, right) => is_linear_op(left, op, right),
        Term::Call(name, given) => {
            let known = LINEAR.contains(name) || LINEAR_TOO.contains(name);
            let single = COLLECTING.contains(name) || !given.iter().any(is_many);
            known && single && given.len() <= 1
        }
        // What is looked at again for each value must be short: `$request` is,
        // and a step into it is shorter.
        Term::Path(root, path) => {
            let steps_in = path_parts(term).into_iter().all(is_constant);
            let iterates = path.0.iter().any(|(part, _)| matches!(part, Part::Range(None, None)));
            let of_request = matches!(**root, Term::Var("$request" | "$ENV"));
            return steps_in && if of_request { !iterates } else { is_linear(root) };
        }
        Term::Recurse | Term::Label(..) | Term::Break(_) | Term::Fold(..) | Term::Def(..) => false,
    };
    let mut linear = own && conditions(term).into_iter().all(|condition| !is_many(condition));
    each(term, &mut |part| linear = linear && is_linear(part));
    linear
}

fn is_linear_op(left: &Term<&str>, op: &BinaryOp<&str>, right: &Term<&str>) -> bool {
    let single = || !is_many(left) && !is_many(right);
    let small = |term: &Term<&str>| matches!(term, Term::Num(digits) if digits.len() <= 3);
    match op {
        BinaryOp::Pipe(None) | BinaryOp::Comma => true,
        BinaryOp::Pipe(Some(_)) => false,
        BinaryOp::Alt => !is_many(right),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Cmp(_) => single(),
        BinaryOp::Math(Math::Add | Math::Div | Math::Rem) => single(),
        // Lists are subtracted pair by pair, and texts are multiplied.
        BinaryOp::Math(Math::Sub | Math::Mul) => single() && (small(left) || small(right)),
        BinaryOp::Update => !is_many(right),
        // What is on the right goes into each place on the left.
        BinaryOp::Assign | BinaryOp::UpdateAlt | BinaryOp::UpdateMath(Math::Add) => is_constant(right),
        BinaryOp::UpdateMath(_) => small(right),
    }
}

/// Whether a term is written out, and so costs the same whatever comes in.
fn is_constant(term: &Term<&str>) -> bool {
    match term {
        Term::Num(_) => true,
        Term::Var(name) => *name == "$status",
        Term::Str(None, parts) => !parts.iter().any(|part| matches!(part, StrPart::Term(_))),
        Term::Call("true" | "false" | "null", given) => given.is_empty(),
        Term::Neg(inner) => is_constant(inner),
        _ => false,
    }
}

fn conditions<'t, 's>(term: &'t Term<&'s str>) -> Vec<&'t Term<&'s str>> {
    match term {
        Term::IfThenElse(branches, _) => branches.iter().map(|(condition, _)| condition).collect(),
        _ => Vec::new(),
    }
}

fn path_parts<'t, 's>(term: &'t Term<&'s str>) -> Vec<&'t Term<&'s str>> {
    let Term::Path(_, path) = term else { return Vec::new() };
    let parts = path.0.iter().flat_map(|(part, _)| match part {
        Part::Index(index) => vec![index],
        Part::Range(from, to) => from.iter().chain(to).collect(),
    });
    parts.collect()
}

/// Whether a term may give more than one value for one input.
fn is_many(term: &Term<&str>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(_) => false,
        Term::Path(root, path) => {
            is_many(root)
                || path.0.iter().any(|(part, _)| matches!(part, Part::Range(None, None)))
                || path_parts(term).into_iter().any(is_many)
        }
        Term::BinOp(_, BinaryOp::Comma, _) => true,
        Term::Call("map" | "map_values" | "any" | "all" | "isempty" | "del" | "first" | "last", _) => false,
        Term::Recurse | Term::Fold(..) | Term::Def(..) | Term::Label(..) | Term::Break(_) => true,
        _ => {
            let mut many = false;
            each(term, &mut |part| many |= is_many(part));
            many
        }
    }
}

/// Functions that go on until something stops them.
const ENDLESS: [(&str, usize); 6] =
    [("range", 1), ("range", 2), ("range", 3), ("repeat", 1), ("until", 2), ("while", 2)];

/// The word of a program that may make it go on for ever: a loop whose end
/// is not written in it, or a function that calls itself.
pub fn unbounded<'s>(program: &Term<&'s str>) -> Option<&'s str> {
    let written = |term: &Term<&str>| matches!(term, Term::Num(digits) if digits.len() <= 5);
    let own = match program {
        Term::Call("range", given) if given.iter().all(written) => None,
        Term::Call("recurse", given) if !given.is_empty() => Some("recurse"),
        Term::Call(name, given) if ENDLESS.contains(&(name, given.len())) => Some(*name),
        Term::Def(defs, _) => {
            defs.iter().find(|def| calls(&def.body, def.name, def.args.len())).map(|def| def.name)
        }
        _ => None,
    };
    // The name as it stands in the text.
    let mut found = match (own, program) {
        (Some(_), Term::Call(name, _)) => Some(*name),
        (own, _) => own,
    };
    each(program, &mut |part| found = found.or_else(|| unbounded(part)));
    found
}
