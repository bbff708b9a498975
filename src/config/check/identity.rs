//! Callers: how each is known, and that no token can be of two of them, nor
//! one that strangers have, nor one that says what its bearer likes.

use super::{Flaws, field_rules, observed, refer};
use crate::config::declared::{Caller, Declared};
use crate::config::fields::Parsed;
use crate::config::issuers::{Provider, providers};
use crate::config::tree::At;
use crate::identity::rule::{Human, Rule, Test};

/// What a token says because whoever asked for it wished so, whoever issued it.
const WISHES: [&str; 3] = ["aud", "scope", "request_tags"];

/// What is wrong with relying on one of them.
const CHOSEN: &str = "whoever asks for a token chooses what this claim says";

pub(super) fn check(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    let (callers, plans, issuers) = (root.key("callers"), root.key("plans"), root.key("issuers"));
    let known = if declared.issuers.is_empty() { Default::default() } else { providers() };
    for (name, caller) in &declared.callers {
        let at = callers.key(name);
        field_rules(caller, &at, flaws);
        way(caller, &at, flaws);
        observed::caller(caller, &at, flaws);
        if let Some(plan) = &caller.plan {
            refer(&at.key("plan"), plan, &plans, flaws);
        }
        let Some(name) = &caller.issuer else { continue };
        refer(&at.key("issuer"), name, &issuers, flaws);
        age(caller, &at, flaws);
        // Of a flawed issuer it is not known who it is, nor what its preset would say.
        if issuers.key(name).is_flawed() {
            continue;
        }
        human(caller, &at, flaws);
        let issuer = declared.issuers.get(name);
        let provider = issuer.and_then(|issuer| Provider::of(issuer, &known));
        let shared = issuer.zip(provider).is_some_and(|(issuer, provider)| provider.is_shared(issuer));
        claims(caller, provider, shared, &at.key("match"), flaws);
        if issuer.is_some() && provider.is_none() && caller.matches.is_empty() {
            everybody(&at.key("match"), flaws);
        }
        let hearsay = |claim: &String| provider.is_some_and(|provider| provider.hearsay.contains(claim));
        if let Some(Parsed(Human::Claim(claim))) = &caller.human
            && (chosen(claim, provider) || hearsay(claim))
        {
            flaws.note(&at.key("human"), CHOSEN, "name a claim that the issuer vouches for");
        }
    }
    ambiguous(declared, root, flaws);
}

/// That there is one way to know these callers.
fn way(caller: &Caller, at: &At<'_>, flaws: &mut Flaws) {
    match (&caller.issuer, caller.anonymous) {
        (Some(_), true) => {
            let help = "remove one of the two; a route can allow both kinds of caller";
            flaws.note(&at.key("anonymous"), "who shows a token is not anonymous", help);
        }
        (None, false) => {
            let help =
                "write `anonymous: true`: anybody, without proof; or `issuer:` and a name from `issuers`";
            flaws.missing(&at.key("anonymous"), "it is not said how these callers are known", help);
        }
        (None, true) => {
            for field in ["match", "human", "reason", "max_age"] {
                let what = "this is about tokens, and these callers show none";
                flaws.note(
                    &at.key(field),
                    what,
                    "remove it, or write `issuer:` instead of `anonymous: true`",
                );
            }
        }
        (Some(_), false) => {}
    }
}

fn age(caller: &Caller, at: &At<'_>, flaws: &mut Flaws) {
    if caller.max_age.is_some_and(|age| age.0.subsec_nanos() != 0) {
        flaws.note(&at.key("max_age"), "tokens count in whole seconds", "write such as `5m` or `30s`");
    }
}

/// That somebody is accountable, or that it is said why nobody is.
fn human(caller: &Caller, at: &At<'_>, flaws: &mut Flaws) {
    match (&caller.human, &caller.reason) {
        (None, _) => {
            let help = "write `human:` and the claim that names them; or `human: none`, and why in `reason:`";
            flaws.missing(&at.key("human"), "it is not said which human is accountable", help);
        }
        (Some(Parsed(Human::None)), None) => {
            let help = "write `reason:` and why no human is accountable";
            flaws.missing(&at.key("reason"), "`human: none` needs a reason", help);
        }
        (Some(Parsed(Human::Claim(_))), Some(_)) => {
            let help = "remove it, or write `human: none`";
            flaws.note(&at.key("reason"), "a human is accountable here, so there is nothing to excuse", help);
        }
        (Some(_), _) => {}
    }
}

/// That what is matched tells these callers from others. `shared`: strangers have tokens of the issuer too.
fn claims(caller: &Caller, provider: Option<&Provider>, shared: bool, at: &At<'_>, flaws: &mut Flaws) {
    for (claim, test) in &caller.matches {
        let at = at.key(claim);
        if chosen(claim, provider) {
            let help = "match a claim that the issuer vouches for; `audience` is said at the issuer";
            flaws.note_key(&at, CHOSEN, help);
        }
        values(test, &at, flaws);
        if claim == "sub" {
            stretches(test, &at, flaws);
        }
    }
    let Some(provider) = provider else { return };
    let pins = |claim: &String| caller.matches.get(claim).is_some_and(|test| !test.values().is_empty());
    if provider.tenant.iter().any(pins) {
        return;
    }
    let tenant: Vec<String> = provider.tenant.iter().map(|claim| format!("`{claim}`")).collect();
    let help = format!("write {} in `match`: its text, or a list of texts", tenant.join(" or "));
    if shared {
        return untold(provider, at, &help, flaws);
    }
    for claim in caller.matches.keys().filter(|claim| provider.hearsay.contains(claim)) {
        let what = "anybody at this issuer can have a token that says this, as long as no tenant is pinned";
        flaws.note_key(&at.key(claim), what, help.as_str());
    }
}

/// Of an issuer that no preset knows, nobody here can say who gets its tokens.
fn everybody(at: &At<'_>, flaws: &mut Flaws) {
    let what = "everybody who has a token of this issuer for this audience would be let in";
    let help = "write in `match` what their tokens say and others' do not; for everybody of an issuer \
                that is yours alone: `match: { sub: { regex: \"^.+$\" } }`";
    flaws.missing(at, what, help);
}

/// No tenant is pinned: said where one is matched by a form, or else of the whole.
fn untold(provider: &Provider, at: &At<'_>, help: &str, flaws: &mut Flaws) {
    let what = "everybody gets tokens of this issuer, and it is not said which of them are yours";
    match provider.tenant.iter().find(|claim| at.key(claim).is_written()) {
        Some(claim) => flaws.note(&at.key(claim), what, help),
        None if at.is_written() => flaws.note_key(at, what, help),
        None => flaws.missing(at, what, help),
    }
}

/// Whether a claim says what its bearer wished: it, what is within it, and `request_tags` within any.
fn chosen(claim: &str, provider: Option<&Provider>) -> bool {
    let listed = provider.map(|provider| provider.controlled.as_slice()).unwrap_or_default();
    let under =
        |name: &str| claim.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    WISHES.into_iter().any(under)
        || listed.iter().any(|name| under(name))
        || claim.split(['.', '/']).any(|step| step == "request_tags")
}

/// That the values which are written out can be there at all.
fn values(test: &Test, at: &At<'_>, flaws: &mut Flaws) {
    let help = "write the text that the claim must have";
    match test {
        // What is flawed in a list was left out of it.
        Test::OneOf(values) if values.is_empty() && !at.is_flawed_within() => {
            flaws.note(at, "no value is let through here", help);
        }
        Test::OneOf(values) => {
            for (item, _) in at.sound_items().iter().zip(values).filter(|(_, value)| value.is_empty()) {
                flaws.note(item, "an empty text tells nobody from others", help);
            }
        }
        Test::Exact(text) if text.is_empty() => {
            flaws.note(at, "an empty text tells nobody from others", help);
        }
        Test::Contains(text) if text.is_empty() => {
            flaws.note(&at.key("contains"), "an empty text tells nobody from others", help);
        }
        Test::Exact(_) | Test::Contains(_) | Test::Glob(_) | Test::Regex(_) => {}
    }
}

/// `repo:acme*` would also be the `sub` of `repo:acme-evil`, which anybody can
/// found. So a star there is all that stands between two `/` or `:`.
fn stretches(test: &Test, at: &At<'_>, flaws: &mut Flaws) {
    let Test::Glob(glob) = test else { return };
    let whole = |stretch: &str| stretch == "*" || !stretch.contains('*');
    if !glob.text().split(['/', ':']).all(whole) {
        let help = "let it be all that stands between two `/` or `:`, or match another claim than `sub`";
        flaws.note(&at.key("glob"), "a `*` in `sub` would fit what others can make up", help);
    }
}

/// Two callers of one route that one token could be: which of them it is would be a guess.
fn ambiguous(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    let (routes, callers) = (root.key("routes"), root.key("callers"));
    let mut said: Vec<(&str, &str)> = Vec::new();
    for (Parsed(key), route) in &declared.routes {
        let allow = routes.key(key.text());
        let allow = allow.key("allow");
        let items = allow.sound_items();
        // What was left out of a flawed caller could be what tells it apart.
        let sound = |name: &str| !callers.key(name).is_flawed() && !callers.key(name).is_flawed_within();
        let named = items.iter().zip(&route.allow).filter(|(_, name)| sound(name));
        let ruled: Vec<_> = named
            .filter_map(|(at, name)| Some((at, name.as_str(), declared.callers.get(name)?.rule()?)))
            .collect();
        for (index, (at, later, rule)) in ruled.iter().enumerate() {
            let both = |(_, name, first): &&(&At<'_>, &str, Rule)| name != later && overlap(first, rule);
            let Some((_, first, _)) = ruled.iter().take(index).find(both) else { continue };
            if said.contains(&(first, later)) || said.contains(&(later, first)) {
                continue;
            }
            said.push((first, later));
            let what =
                format!("one token could be of `{first}` and of `{later}`, and which it is would be a guess");
            let help = "let a claim that both match by its text differ between them, or allow one of them";
            flaws.note(at, what, help);
        }
    }
}

/// Whether one token could fit both, as far as can be told.
fn overlap(a: &Rule, b: &Rule) -> bool {
    let apart = |other| a.matches.iter().any(|own| own.excludes(other));
    a.issuer == b.issuer && !b.matches.iter().any(apart)
}
