//! A mistake in the configuration: where it is, what it is, how to mend it.

use std::fmt;
use std::ops::Range;

use super::pasted::is_pasted;
use super::tree::{At, Place};

/// One mistake in the file. Its words never repeat a value that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The way to it: `routes.GET /my-repos.allow`. Empty for the file as a whole.
    pub at: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted in characters from 1.
    pub column: usize,
    /// How many characters it covers, at least 1.
    pub width: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Flaw {
    pub(super) fn new(at: String, place: Place, what: impl Into<String>, help: impl Into<String>) -> Self {
        let Place { line, column, width } = place;
        let visible = |text: String| text.replace(char::is_control, "\u{fffd}");
        let at = if is_pasted(&at) { "…".to_owned() } else { visible(at) };
        Self { at, line, column, width, what: visible(what.into()), help: Some(help.into()) }
    }

    /// The flaw in one line, for a log: `countersign.yaml:31:7: routes.GET /a.allow: what (help)`.
    pub fn in_file(&self, file: &str) -> impl fmt::Display {
        let Self { at, line, column, what, .. } = self;
        let colon = if at.is_empty() { "" } else { ": " };
        let help = self.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{file}:{line}:{column}: {at}{colon}{what}{help}")
    }
}

/// The flaws found so far.
#[derive(Debug, Default)]
pub(super) struct Flaws(Vec<Flaw>);

impl Flaws {
    /// Takes one in as it is.
    pub fn push(&mut self, flaw: Flaw) {
        self.0.push(flaw);
    }

    /// Notes what is wrong with what stands at a place. Says nothing where
    /// nothing stands, or where a flaw was already found at or above it: one
    /// mistake is one flaw.
    pub fn note(&mut self, at: &At<'_>, what: impl Into<String>, help: impl Into<String>) {
        if at.is_written() && !at.is_flawed() {
            self.push(Flaw::new(at.path(), at.place(), what, help));
        }
    }

    /// Notes what is wrong with a part of the text that stands at a place.
    pub fn note_within(&mut self, at: &At<'_>, part: Range<usize>, what: impl Into<String>, help: &str) {
        if at.is_written() && !at.is_flawed() {
            self.push(Flaw::new(at.path(), at.place_within(part), what, help));
        }
    }

    /// Notes what is wrong with a key.
    pub fn note_key(&mut self, at: &At<'_>, what: impl Into<String>, help: impl Into<String>) {
        if at.is_written() && !at.is_flawed() {
            self.push(Flaw::new(at.path(), at.key_place(), what, help));
        }
    }

    /// Notes that something is not written that must be. It is not missing
    /// where it is written and flawed, or misspelt.
    pub fn missing(&mut self, at: &At<'_>, what: impl Into<String>, help: impl Into<String>) {
        if !at.is_flawed() && !at.is_flawed_within() && !at.is_misspelt() {
            self.push(Flaw::new(at.path(), at.place(), what, help));
        }
    }

    /// All of them, in the order of the file.
    pub fn sorted(mut self) -> Vec<Flaw> {
        self.0.sort_by(|a, b| (a.line, a.column, &a.at, &a.what).cmp(&(b.line, b.column, &b.at, &b.what)));
        self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `what; how to mend it`, as nouns say it that parse themselves.
pub(super) fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once("; ") {
        Some((what, help)) => (what, Some(help)),
        None => (text, None),
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'n>(text: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let length = text.chars().count();
    let near = |name: &&str| name.chars().count().abs_diff(length) <= (length / 3).max(1);
    let rated = names.into_iter().filter(near).map(|name| (strsim::damerau_levenshtein(text, name), name));
    let close = |distance: usize| distance <= (length / 3).max(1);
    rated.filter(|(distance, _)| close(*distance)).min().map(|(_, name)| name)
}

/// `did you mean …`, or else what there is.
pub(super) fn suggest<'n>(text: &str, names: impl IntoIterator<Item = &'n str> + Clone) -> String {
    if let Some(name) = nearest(text, names.clone()) {
        return format!("did you mean `{name}`?");
    }
    let known: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    format!("known here: {}", known.join(", "))
}
