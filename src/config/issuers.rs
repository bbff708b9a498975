//! What is known of widespread issuers, written into the file where it names
//! one as `preset` and says nothing itself; and what `check` asks about them.
//!
//! As with the presets of upstreams, it is put into the tree, in the file's
//! own grammar. What a preset knows of claims is never put into a `match`:
//! which tenant is yours, nobody else can know.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::declared::Issuer;
use super::flaw::{Flaw, Flaws, suggest};
use super::presets::{add, field, field_mut, is_form};
use super::tree::{Content, Entry, Node, Place, Step, extend};
use super::{de, grow};

const DATA: &str = include_str!("issuers.yaml");

/// What is known of an issuer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Provider {
    /// Its URL, with `{…}` for what is each user's own.
    pub url: String,
    /// Hosts at which strangers get tokens too.
    pub shared: Vec<String>,
    /// Hosts that are taken for it, and are in no token.
    pub mistaken: Vec<String>,
    /// Claims of which one must be pinned there.
    pub tenant: Vec<String>,
    /// What whoever asks for a token chooses.
    pub controlled: Vec<String>,
    /// What says nothing while no tenant is pinned.
    pub hearsay: Vec<String>,
}

/// The names of all presets, in the order of the alphabet.
pub fn names() -> Vec<String> {
    data().entries().iter().map(|entry| entry.key.clone()).collect()
}

/// All that are known.
pub(super) fn providers() -> BTreeMap<String, Provider> {
    de::read(&data(), &mut Flaws::default())
}

fn data() -> Node {
    let nothing = Node::new(Place::default(), Content::Map(Vec::new()));
    grow::grow(DATA, &mut Flaws::default()).unwrap_or(nothing)
}

impl Provider {
    /// Which of them an issuer is: by its host, whatever it is called; or else by its preset.
    pub fn of<'p>(issuer: &Issuer, all: &'p BTreeMap<String, Self>) -> Option<&'p Self> {
        let preset = issuer.preset.as_ref().and_then(|name| all.get(name));
        all.values().find(|provider| provider.is_shared(issuer)).or(preset)
    }

    /// Whether strangers get tokens of this issuer too. An installation of one's own is not shared.
    pub fn is_shared(&self, issuer: &Issuer) -> bool {
        let host = issuer.url.as_ref().map(|url| url.0.host()).unwrap_or_default();
        self.shared.iter().any(|shared| match shared.strip_prefix("*.") {
            Some(above) => host.split_once('.').is_some_and(|(_, rest)| rest == above),
            None => host == shared,
        })
    }
}

/// Completes each issuer that names a preset, and each caller of it that does not say who is accountable.
pub(super) fn apply(root: &mut Node, flaws: &mut Flaws) {
    if field(root, "issuers").is_none() {
        return;
    }
    let data = data();
    let mut humans = BTreeMap::new();
    for Entry { key, value: issuer, .. } in entries_mut(root, "issuers") {
        let Some(named) = field(issuer, "preset") else { continue };
        // What is no text is said to be none where it is read.
        let (place, Some(name)) = (named.place, named.scalar()) else { continue };
        match field(&data, name) {
            Some(known) => {
                humans.extend(field(known, "human").map(|human| (key.clone(), human.clone())));
                complete(issuer, known, place);
            }
            None => {
                flaws.push(unknown(key, name, place, &data));
                // What it lacks now is no other mistake.
                issuer.flawed.set(true);
            }
        }
    }
    for Entry { value: caller, .. } in entries_mut(root, "callers") {
        let Some(named) = field(caller, "issuer") else { continue };
        let (place, name) = (named.place, named.scalar().unwrap_or_default());
        humans.get(name).into_iter().for_each(|human| add(caller, "human", human, place));
    }
}

fn complete(issuer: &mut Node, known: &Node, place: Place) {
    let url = |node| field(node, "url").filter(|url| !url.is_null()).and_then(Node::scalar);
    let is_own = url(issuer).is_some() && url(issuer) != url(known);
    for name in ["url", "algs"] {
        let value = field(known, name).filter(|value| !is_form(value));
        value.into_iter().for_each(|value| add(issuer, name, value, place));
    }
    // The keys of an installation of one's own are not where everybody's are.
    if let Some(hosts) = field(known, "jwks_hosts").filter(|_| !is_own) {
        add(issuer, "jwks_hosts", hosts, place);
    }
}

fn unknown(issuer: &str, name: &str, place: Place, data: &Node) -> Flaw {
    let mut path = "issuers".to_owned();
    [issuer, "preset"].into_iter().for_each(|step| extend(&mut path, Step::Key(step)));
    let help = suggest(name, data.entries().iter().map(|entry| entry.key.as_str()));
    Flaw::new(path, place, "this is none of the presets of issuers", help)
}

fn entries_mut<'n>(root: &'n mut Node, name: &str) -> &'n mut [Entry] {
    match field_mut(root, name).map(|node| &mut node.content) {
        Some(Content::Map(entries)) => entries,
        _ => &mut [],
    }
}
