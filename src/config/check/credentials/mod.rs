//! The recipes for proving ourselves: what they name must be there, no two
//! of them may write the same place, and each entry must have its turn.

mod parts;
mod signed;
mod targets;

use super::{Flaws, pasted, refer, tokens};
use crate::config::credentials::{Credential, Entry, Form};
use crate::config::declared::{Declared, Upstream};
use crate::config::tree::At;
use crate::credential::Value;
use crate::secret::SecretRef;

pub(super) use targets::{headers, owns_query, path_param};

pub(super) fn check(upstream: &Upstream, at: &At<'_>, root: &At<'_>, flaws: &mut Flaws) {
    let Some(entries) = &upstream.credential else { return };
    let (credential, secrets) = (at.key("credential"), root.key("secrets"));
    if entries.0.is_empty() {
        flaws.missing(&credential, "no credential is named here", "name one, or remove `credential`");
    }
    let items = credential.sound_items();
    let conditional = entries.0.iter().any(Entry::is_conditional);
    let mut targets = Vec::new();
    for (index, (at, entry)) in items.iter().zip(&entries.0).enumerate() {
        turn(entry, at, &root.key("callers"), flaws);
        if conditional {
            targets.clear();
            let later = items.len() - index - 1;
            reach(entry, at, later, flaws);
        }
        each(entry, at, |at, recipe| {
            let site = tokens::Site { secrets: &secrets, upstream };
            match recipe {
                Credential::Oauth2(recipe) => tokens::oauth2(recipe, &at.key("oauth2"), &site, flaws),
                Credential::Jwt(recipe) => tokens::jwt(recipe, &at.key("jwt"), &site, flaws),
                Credential::GithubApp(recipe) => {
                    tokens::github_app(recipe, &at.key("github_app"), &site, flaws);
                }
                recipe => parts::check(recipe, at, &secrets, flaws),
            }
            if matches!(recipe, Credential::Mtls { .. })
                && upstream.url.as_ref().is_some_and(|url| !url.0.is_https())
            {
                let help = "write an `https://` URL, or remove it";
                flaws.note(at, "without TLS nobody sees a client certificate", help);
            }
            for target in targets::of(recipe, at, flaws) {
                targets::collide(&target, &targets, (at, upstream), flaws);
                targets.push(target);
            }
        });
    }
    paths(&entries.0, &items, flaws);
    signatures(&entries.0, &items, flaws);
}

/// The recipes of an entry, each at its place.
fn each(entry: &Entry, at: &At<'_>, mut see: impl FnMut(&At<'_>, &Credential)) {
    if !entry.several {
        return entry.recipes.iter().for_each(|recipe| see(at, recipe));
    }
    let all = at.key("all");
    all.sound_items().iter().zip(&entry.recipes).for_each(|(at, recipe)| see(at, recipe));
}

/// Every recipe of an upstream, whomever it is for.
pub(super) fn recipes(upstream: &Upstream) -> impl Iterator<Item = &Credential> {
    upstream.credential.iter().flat_map(|entries| &entries.0).flat_map(|entry| &entry.recipes)
}

/// Whether every call to it carries something in its body: some recipe always
/// applies, or each entry that may apply has one.
pub(super) fn is_always_in_body(upstream: &Upstream) -> bool {
    let entries = || upstream.credential.iter().flat_map(|entries| &entries.0);
    let in_body =
        |entry: &Entry| entry.recipes.iter().any(|recipe| matches!(recipe, Credential::Body { .. }));
    if entries().any(Entry::is_conditional) { entries().all(in_body) } else { entries().any(in_body) }
}

/// The conditions of all upstreams' entries.
pub(super) fn conditions(declared: &Declared, root: &At<'_>, mut see: impl FnMut(&At<'_>, &str)) {
    let upstreams = root.key("upstreams");
    for (name, upstream) in &declared.upstreams {
        let at = upstreams.key(name);
        let at = at.key("credential");
        let entries = upstream.credential.iter().flat_map(|entries| &entries.0);
        for (at, entry) in at.sound_items().iter().zip(entries) {
            if let Some(when) = &entry.when {
                see(&at.key("when"), when);
            }
        }
    }
}

/// Whom an entry is for.
fn turn(entry: &Entry, at: &At<'_>, callers: &At<'_>, flaws: &mut Flaws) {
    let at_for = at.key("for");
    for (item, name) in at_for.sound_items().iter().zip(entry.callers.iter().flatten()) {
        refer(item, name, callers, flaws);
    }
    if entry.callers.as_ref().is_some_and(Vec::is_empty) {
        flaws.missing(&at_for, "this entry is for nobody", "name at least one caller, or remove `for`");
    }
    if entry.several && entry.recipes.is_empty() {
        flaws.missing(&at.key("all"), "no credential is named here", "name one, or remove `all`");
    }
}

/// The first entry that fits applies, so one for everybody is the last.
fn reach(entry: &Entry, at: &At<'_>, later: usize, flaws: &mut Flaws) {
    if !entry.is_conditional() && 0 < later {
        let help = "put it last, or say `for` whom or `when` it is";
        flaws.note(at, "every call takes this entry, and none comes to those behind it", help);
    }
}

/// A route's path is the same whichever entry applies.
fn paths(entries: &[Entry], items: &[At<'_>], flaws: &mut Flaws) {
    if !entries.iter().any(Entry::is_conditional) {
        return;
    }
    let params = |entry: &Entry| -> Vec<String> {
        entry.recipes.iter().filter_map(path_param).map(str::to_owned).collect()
    };
    let all: Vec<String> = entries.iter().flat_map(params).collect();
    for (at, entry) in items.iter().zip(entries) {
        let own = params(entry);
        if let Some(absent) = all.iter().find(|param| !own.contains(param)) {
            let what = format!("another entry puts `{{{absent}}}` into the path, and this one does not");
            flaws.note(at, what, format!("add `path: {{ param: {absent}, value: … }}` with `all:`"));
        }
    }
}

/// AWS's signature is made last: in the query it changes what an `hmac` has signed.
fn signatures(entries: &[Entry], items: &[At<'_>], flaws: &mut Flaws) {
    let conditional = entries.iter().any(Entry::is_conditional);
    for (at, entry) in items.iter().zip(entries) {
        let together = if conditional { std::slice::from_ref(entry) } else { entries };
        let signed = together.iter().flat_map(|entry| &entry.recipes).any(signed::covers_query);
        each(entry, at, |at, recipe| {
            if signed && matches!(recipe, Credential::Sigv4(sigv4) if sigv4.form == Some(Form::Query)) {
                let help =
                    "write `form: header`, or leave `{query}` and `{target}` out of the `over` of `hmac`";
                let at = at.key("sigv4");
                flaws.note(
                    &at.key("form"),
                    "this changes the query, which an `hmac` has signed by then",
                    help,
                );
            }
        });
    }
}

/// A reference to a secret. It is never repeated: somebody may have written the value itself.
fn secret(at: &At<'_>, reference: &SecretRef, secrets: &At<'_>, flaws: &mut Flaws) {
    if !pasted(at, reference.name(), flaws) && !pasted(at, reference.field().unwrap_or_default(), flaws) {
        refer(at, reference.name(), secrets, flaws);
    }
}

/// Whether a value is, or holds, a secret.
fn is_secret(value: &Value) -> bool {
    matches!(value, Value::Secret { .. })
}
