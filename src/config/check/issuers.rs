//! Those whose tokens we trust: that each can only be the one that was meant.

use super::upstreams::is_private_host;
use super::{Flaws, field_rules};
use crate::config::declared::{Declared, Issuer};
use crate::config::identity::IssuerUrl;
use crate::config::issuers::{Provider, providers};
use crate::config::tree::At;

pub(super) fn check(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    if declared.issuers.is_empty() {
        return;
    }
    let (issuers, known) = (root.key("issuers"), providers());
    for (name, issuer) in &declared.issuers {
        let at = issuers.key(name);
        field_rules(issuer, &at, flaws);
        if issuer.audience.is_none() {
            let help = "write `audience:` and the URL of this API, which its tokens are then asked for";
            flaws.missing(&at.key("audience"), "it is not said whom its tokens must be meant for", help);
        }
        if issuer.algs.as_ref().is_some_and(Vec::is_empty) && !at.key("algs").is_flawed_within() {
            let help = "name at least one, or remove `algs`";
            flaws.note(&at.key("algs"), "no signature could be checked", help);
        }
        hosts(issuer, &at, flaws);
        match &issuer.url {
            Some(url) => {
                reach(issuer, &url.0, &at, flaws);
                known.values().for_each(|known| near_miss(known, &url.0, &at.key("url"), flaws));
            }
            None if at.key("preset").is_flawed() => {}
            None => no_url(issuer.preset.as_ref().and_then(|name| known.get(name)), &at, flaws),
        }
    }
    twice(declared, &issuers, flaws);
}

fn no_url(known: Option<&Provider>, at: &At<'_>, flaws: &mut Flaws) {
    let (what, form) = match known {
        Some(known) => ("a part of this preset's URL is yours", known.url.as_str()),
        None => ("the issuer has no URL", "https://host"),
    };
    let help = format!("write `url: {form}`, as `iss` of its tokens says it");
    flaws.missing(&at.key("url"), what, help);
}

fn reach(issuer: &Issuer, url: &IssuerUrl, at: &At<'_>, flaws: &mut Flaws) {
    let at = at.key("url");
    if !url.is_https() && !issuer.dangerous_plain_http {
        let help =
            "write `https://`, or for a test or a closed network `dangerous_plain_http: true` beside it";
        flaws.note(&at, "whoever sits on the way to this issuer would decide who calls", help);
    }
    let fetched = issuer.keys.is_none();
    if fetched && is_private_host(url.host(), url.address()) && !issuer.dangerous_private_network {
        let help = "name a public host, pin its `keys`, or write `dangerous_private_network: true` beside it";
        flaws.note(&at, "this host is in a private network", help);
    }
}

/// A URL that no token says: it differs from a known one in what readers overlook.
fn near_miss(known: &Provider, url: &IssuerUrl, at: &At<'_>, flaws: &mut Flaws) {
    let overlooked = |text: &str| {
        let bare = text.trim_end_matches('/').to_ascii_lowercase();
        bare.split_once("://").map_or(bare.clone(), |(_, rest)| rest.replace(":443", ""))
    };
    let meant = known.mistaken.iter().any(|host| host == url.host())
        || overlooked(&known.url) == overlooked(url.text());
    if meant && known.url != url.text() {
        let help = format!("write `{}`", known.url);
        flaws.note(at, "tokens say this URL otherwise, and it is compared letter by letter", help);
    }
}

fn hosts(issuer: &Issuer, at: &At<'_>, flaws: &mut Flaws) {
    let at = at.key("jwks_hosts");
    for (item, host) in at.sound_items().iter().zip(&issuer.jwks_hosts) {
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        if host.is_empty() || !host.chars().all(legal) {
            flaws.note(item, "this is no host", "write its name alone, such as `www.googleapis.com`");
        }
    }
}

/// A token says only its issuer's URL: of two with the same, it would not say which.
fn twice(declared: &Declared, issuers: &At<'_>, flaws: &mut Flaws) {
    let mut placed: Vec<(At<'_>, &str)> = Vec::new();
    for (name, issuer) in &declared.issuers {
        placed.extend(issuer.url.as_ref().map(|url| (issuers.key(name), url.0.text())));
    }
    placed.sort_by_key(|(at, _)| (at.key_place().line, at.key_place().column));
    for (index, (at, url)) in placed.iter().enumerate() {
        if let Some((first, _)) = placed.iter().take(index).find(|(_, known)| known == url) {
            let what = format!("this issuer has the URL of the one in line {}", first.key_place().line);
            flaws.note_key(at, what, "declare it once, and as many callers of it as you need");
        }
    }
}

/// Says of each issuer that nobody comes from.
pub(super) fn warn(declared: &Declared, root: &At<'_>, warnings: &mut Flaws) {
    let issuers = root.key("issuers");
    for name in declared.issuers.keys() {
        if !declared.callers.values().any(|caller| caller.issuer.as_ref() == Some(name)) {
            let help = "write `issuer:` and this name at a caller, or remove it";
            warnings.note_key(&issuers.key(name), "no caller is known by tokens of this issuer", help);
        }
    }
}
