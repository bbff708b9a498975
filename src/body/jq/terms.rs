//! Goes through the syntax tree of a program, which has no walker of its own.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Part, Path};

/// Whether a term calls a function, however deep within.
pub fn calls(within: &Term<&str>, name: &str, arguments: usize) -> bool {
    let mut found =
        matches!(within, Term::Call(called, given) if *called == name && given.len() == arguments);
    each(within, &mut |part| found |= calls(part, name, arguments));
    found
}

/// Goes through the parts of a term.
pub fn each<'t, 's>(term: &'t Term<&'s str>, see: &mut impl FnMut(&'t Term<&'s str>)) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) | Term::Arr(None) => {}
        Term::Str(_, parts) => parts.iter().for_each(|part| {
            if let StrPart::Term(term) = part {
                see(term);
            }
        }),
        Term::Arr(Some(inner)) | Term::Neg(inner) | Term::Label(_, inner) => see(inner),
        Term::Obj(entries) => entries.iter().for_each(|(key, value)| {
            see(key);
            value.iter().for_each(&mut *see);
        }),
        Term::BinOp(left, op, right) => {
            see(left);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                each_in(pattern, see);
            }
            see(right);
        }
        Term::Fold(_, source, pattern, rest) => {
            see(source);
            each_in(pattern, see);
            rest.iter().for_each(see);
        }
        Term::TryCatch(tried, caught) => {
            see(tried);
            caught.iter().for_each(|term| see(term));
        }
        Term::IfThenElse(branches, other) => {
            branches.iter().for_each(|(condition, then)| {
                see(condition);
                see(then);
            });
            other.iter().for_each(|term| see(term));
        }
        Term::Def(defs, body) => {
            defs.iter().for_each(|def| see(&def.body));
            see(body);
        }
        Term::Call(_, given) => given.iter().for_each(see),
        Term::Path(root, path) => {
            see(root);
            path.0.iter().for_each(|(part, _)| match part {
                Part::Index(index) => see(index),
                Part::Range(from, to) => from.iter().chain(to).for_each(&mut *see),
            });
        }
    }
}

fn each_in<'t, 's>(pattern: &'t Pattern<&'s str>, see: &mut impl FnMut(&'t Term<&'s str>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter().for_each(|item| each_in(item, see)),
        Pattern::Obj(entries) => entries.iter().for_each(|(key, value)| {
            see(key);
            each_in(value, see);
        }),
    }
}

type Map<'f, 's> = &'f mut dyn FnMut(Term<&'s str>) -> Term<&'s str>;

/// The same term with other parts.
pub fn map<'s>(term: Term<&'s str>, to: Map<'_, 's>) -> Term<&'s str> {
    let mut boxed = |term: Box<Term<&'s str>>| Box::new(to(*term));
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) | Term::Arr(None) => term,
        Term::Str(format, parts) => {
            let parts = parts.into_iter().map(|part| match part {
                StrPart::Term(term) => StrPart::Term(to(term)),
                other => other,
            });
            Term::Str(format, parts.collect())
        }
        Term::Arr(Some(inner)) => Term::Arr(Some(boxed(inner))),
        Term::Neg(inner) => Term::Neg(boxed(inner)),
        Term::Label(name, inner) => Term::Label(name, boxed(inner)),
        Term::Obj(entries) => {
            Term::Obj(entries.into_iter().map(|(key, value)| (to(key), value.map(&mut *to))).collect())
        }
        Term::BinOp(left, op, right) => {
            let left = boxed(left);
            let right = boxed(right);
            let op = match op {
                BinaryOp::Pipe(Some(pattern)) => BinaryOp::Pipe(Some(map_in(pattern, to))),
                other => other,
            };
            Term::BinOp(left, op, right)
        }
        Term::Fold(name, source, pattern, rest) => {
            let source = boxed(source);
            Term::Fold(name, source, map_in(pattern, to), rest.into_iter().map(to).collect())
        }
        Term::TryCatch(tried, caught) => Term::TryCatch(boxed(tried), caught.map(boxed)),
        Term::IfThenElse(branches, other) => {
            let other = other.map(&mut boxed);
            Term::IfThenElse(branches.into_iter().map(|(when, then)| (to(when), to(then))).collect(), other)
        }
        Term::Def(defs, body) => {
            let body = boxed(body);
            Term::Def(defs.into_iter().map(|def| Def { body: to(def.body), ..def }).collect(), body)
        }
        Term::Call(name, given) => Term::Call(name, given.into_iter().map(to).collect()),
        Term::Path(root, path) => {
            let root = boxed(root);
            let parts = path.0.into_iter().map(|(part, optional)| (map_part(part, to), optional));
            Term::Path(root, Path(parts.collect()))
        }
    }
}

fn map_part<'s>(part: Part<Term<&'s str>>, to: Map<'_, 's>) -> Part<Term<&'s str>> {
    match part {
        Part::Index(index) => Part::Index(to(index)),
        Part::Range(from, upto) => {
            let from = from.map(&mut *to);
            Part::Range(from, upto.map(to))
        }
    }
}

fn map_in<'s>(pattern: Pattern<&'s str>, to: Map<'_, 's>) -> Pattern<&'s str> {
    match pattern {
        Pattern::Var(name) => Pattern::Var(name),
        Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(|item| map_in(item, to)).collect()),
        Pattern::Obj(entries) => {
            Pattern::Obj(entries.into_iter().map(|(key, value)| (to(key), map_in(value, to))).collect())
        }
    }
}
