//! How the parts of the file fit together. What each part says of itself is
//! checked where it is read; here is what takes two of them to see.

mod credentials;
mod headers;
mod identity;
mod issuers;
mod observed;
mod programs;
mod proving;
mod routes;
pub(super) mod schemas;
mod tokens;
mod upstreams;

use validator::Validate;

use super::declared::{Cors, Declared, Secret, SecretPlace};
use super::flaw::{self, Flaw, Flaws};
use super::pasted::{PASTED, is_pasted};
use super::tree::At;
use crate::proxy::cors::OriginPattern;
use crate::secret::is_name;

/// Notes every flaw of what was read. `root` is where it was read from.
pub(super) fn check(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    if declared.version.is_none() {
        flaws.missing(
            &root.key("version"),
            "the version of the grammar is missing",
            "begin with `version: 1`",
        );
    }
    field_rules(declared, root, flaws);
    for noun in ["secrets", "upstreams", "issuers", "callers", "plans"] {
        names(&root.key(noun), flaws);
    }
    secrets(declared, &root.key("secrets"), flaws);
    issuers::check(declared, root, flaws);
    identity::check(declared, root, flaws);
    plans(declared, root, flaws);
    if let Some(declared) = &declared.cors {
        cors(declared, &root.key("cors"), flaws);
    }
    upstreams::check(declared, root, flaws);
    routes::check(declared, root, flaws);
}

/// Notes what only a compiler can see, of a file that has no other flaw. A
/// cold start has no time for it: it is what `countersign check` adds.
pub(super) fn deep(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    schemas::deep(declared, root, flaws);
    programs::check(declared, root, flaws);
}

/// What is no flaw, and what whoever runs this should know all the same.
pub(super) fn warnings(declared: &Declared, root: &At<'_>) -> Vec<Flaw> {
    let mut warnings = Flaws::default();
    programs::warn(declared, root, &mut warnings);
    observed::warn(declared, root, &mut warnings);
    issuers::warn(declared, root, &mut warnings);
    warnings.sorted()
}

/// The rules that stand at the fields themselves.
fn field_rules(declared: &impl Validate, at: &At<'_>, flaws: &mut Flaws) {
    let Err(errors) = declared.validate() else { return };
    for (field, errors) in errors.field_errors() {
        let at = at.key(&field);
        for error in errors {
            let text = error.message.as_deref().unwrap_or("this is out of range; see the reference");
            let (what, help) = flaw::split(text);
            let help = help.unwrap_or("see the reference");
            if at.is_written() && !at.is_flawed_within() {
                flaws.note(&at, what, help);
            } else {
                flaws.missing(&at, what, help);
            }
        }
    }
}

/// The names that people give to things.
fn names(at: &At<'_>, flaws: &mut Flaws) {
    for name in at.names().filter(|name| !is_name(name)) {
        let help = "write letters, digits, `-` and `_`";
        flaws.note_key(&at.key(name), "this is no name", help);
    }
}

/// Whether what is named at a place is declared.
fn refer(at: &At<'_>, name: &str, declared: &At<'_>, flaws: &mut Flaws) {
    let unknown = declared.is_flawed() || declared.is_misspelt();
    if unknown || declared.names().any(|known| known == name) {
        return;
    }
    let noun = declared.path();
    let help = match flaw::nearest(name, declared.names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("declare it under `{noun}`"),
    };
    flaws.note(at, format!("this is none of the `{noun}` of the file"), help);
}

/// Notes a secret's value that stands in the file, and says whether it did.
fn pasted(at: &At<'_>, text: &str, flaws: &mut Flaws) -> bool {
    let found = is_pasted(text);
    if found {
        flaws.note(at, PASTED.0, PASTED.1);
    }
    found
}

fn secrets(declared: &Declared, at: &At<'_>, flaws: &mut Flaws) {
    for (name, secret) in &declared.secrets {
        let at = at.key(name);
        match secret {
            Secret::Id(id) => secret_id(&at, id, flaws),
            Secret::Place(place) => secret_place(place, &at, flaws),
        }
    }
}

fn secret_place(place: &SecretPlace, at: &At<'_>, flaws: &mut Flaws) {
    field_rules(place, at, flaws);
    match &place.id {
        Some(id) if id.is_empty() => {}
        Some(id) => secret_id(&at.key("id"), id, flaws),
        None => {
            let help = "write `id:` and its name or ARN in AWS Secrets Manager";
            flaws.missing(&at.key("id"), "it is not said where this secret is kept", help);
        }
    }
    expected(place.expect.as_deref(), at, flaws);
}

/// What a secret looks like.
fn expected(expect: Option<&str>, at: &At<'_>, flaws: &mut Flaws) {
    if expect.is_some_and(|expect| regex_lite::Regex::new(expect).is_err()) {
        flaws.note(&at.key("expect"), "this is no regular expression", "write one such as `^ghp_`");
    }
}

/// Secrets Manager's own rule for names and ARNs.
fn secret_id(at: &At<'_>, id: &str, flaws: &mut Flaws) {
    if pasted(at, id, flaws) {
        return;
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-:".contains(c);
    if id.is_empty() || !id.chars().all(legal) {
        let help = "write letters, digits and `/_+=.@-`, or the whole ARN";
        flaws.note(at, "this is no name of a secret in AWS Secrets Manager", help);
    }
}

fn plans(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    let plans = root.key("plans");
    for (name, plan) in &declared.plans {
        let at = plans.key(name);
        field_rules(plan, &at, flaws);
        if plan.rate.is_none() && plan.burst.is_none() && plan.quota.is_none() {
            flaws.missing(&at, "this plan limits nothing", "write `rate`, `burst` or `quota`");
        }
        if plan.rate.is_some() != plan.burst.is_some() {
            let absent = if plan.rate.is_some() { "burst" } else { "rate" };
            let what = "API Gateway throttles by rate and burst together";
            flaws.missing(&at.key(absent), what, format!("write `{absent}` too"));
        }
    }
}

fn cors(cors: &Cors, at: &At<'_>, flaws: &mut Flaws) {
    field_rules(cors, at, flaws);
    if cors.max_age.is_some_and(|age| age.0.subsec_nanos() != 0) {
        let help = "write whole seconds, such as `10m` or `1s`";
        flaws.note(&at.key("max_age"), "browsers count this in whole seconds", help);
    }
    let origins = at.key("origins");
    for (item, origin) in origins.sound_items().iter().zip(&cors.origins) {
        if origin.0 == OriginPattern::Any && cors.credentials {
            let help = "name the origins, or remove `credentials`";
            flaws.note(item, "`*` cannot be had together with `credentials`", help);
        }
    }
}
