//! The file as a tree that knows its places, so that each flaw can be shown
//! where it is, and all of them at once.
//!
//! Scalars keep the text that was written: `1.10` stays `1.10`. What makes YAML
//! surprising (tags, merge keys, doubled keys, several documents) is refused.

use std::cell::Cell;
use std::fmt::Write as _;
use std::ops::Range;

use super::flaw::nearest;

/// Where something stands: line and column counted from 1, and its width, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    pub width: usize,
}

/// A value of the file.
#[derive(Debug, Clone)]
pub struct Node {
    pub place: Place,
    pub content: Content,
    /// Whether a flaw was found here. It is then passed over, and nothing
    /// more is said about it.
    pub flawed: Cell<bool>,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Content {
    /// Text as written, quotes and escapes undone. `plain`: without quotes.
    /// `begin`: where it begins, where each of its lines is a line of the file.
    Scalar { text: String, plain: bool, begin: Option<Place> },
    /// `[a, b]` or lines with dashes.
    List(Vec<Node>),
    /// `{a: b}` or lines with colons, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a mapping, and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub value: Node,
}

impl Node {
    pub fn new(place: Place, content: Content) -> Self {
        Self { place, content, flawed: Cell::new(false) }
    }

    /// The text, where it is one.
    pub fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Whether nothing is written here (YAML 1.2.2 §10.3.2: the core schema's nulls).
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true, .. }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What stands here, in words.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            _ if self.is_null() => "nothing",
            Content::Scalar { .. } => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// The keys and values, where it is a mapping.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            Content::Scalar { .. } | Content::List(_) => &[],
        }
    }

    /// The values, where it is a list.
    pub fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            Content::Scalar { .. } | Content::Map(_) => &[],
        }
    }

    fn children(&self) -> impl Iterator<Item = &Node> {
        self.entries().iter().map(|entry| &entry.value).chain(self.items())
    }

    fn is_flawed_within(&self) -> bool {
        self.flawed.get() || self.children().any(Node::is_flawed_within)
    }
}

/// A place in the tree and the way to it, whether or not something is written there.
#[derive(Clone, Copy)]
pub struct At<'a> {
    above: Option<(&'a At<'a>, Step<'a>)>,
    key_place: Place,
    node: Option<&'a Node>,
}

/// One step on the way.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub fn root(node: &'a Node) -> Self {
        Self { above: None, key_place: Place { line: 1, column: 1, width: 1 }, node: Some(node) }
    }

    /// The place of a key's value.
    pub fn key(&'a self, name: &'a str) -> At<'a> {
        let entries = self.node.map(Node::entries).unwrap_or_default();
        match entries.iter().find(|entry| entry.key == name) {
            Some(entry) => self.entry(entry),
            None => Self { above: Some((self, Step::Key(name))), key_place: self.key_place, node: None },
        }
    }

    /// The place of an entry's value.
    pub fn entry(&'a self, entry: &'a Entry) -> At<'a> {
        let above = Some((self, Step::Key(entry.key.as_str())));
        Self { above, key_place: entry.key_place, node: Some(&entry.value) }
    }

    /// The place of a list's element; what is no list is its own only element.
    pub fn item(&'a self, index: usize) -> At<'a> {
        let Some(Node { content: Content::List(items), .. }) = self.node else { return *self };
        let node = items.get(index);
        let key_place = node.map_or(self.key_place, |node| node.place);
        Self { above: Some((self, Step::Index(index))), key_place, node }
    }

    /// The elements of a list that are not flawed: those that a list in the
    /// declared structs has, in the same order.
    pub fn sound_items(&'a self) -> Vec<At<'a>> {
        let items = self.node.map(Node::items).unwrap_or_default();
        let sound = items.iter().enumerate().filter(|(_, node)| !node.flawed.get());
        match self.node.map(|node| &node.content) {
            Some(Content::List(_)) => sound.map(|(index, _)| self.item(index)).collect(),
            _ => vec![*self],
        }
    }

    pub fn node(&self) -> Option<&'a Node> {
        self.node
    }

    /// The keys of the mapping here, also those of flawed values.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.node.map(Node::entries).unwrap_or_default().iter().map(|entry| entry.key.as_str())
    }

    pub fn is_written(&self) -> bool {
        self.node.is_some_and(|node| !node.is_null())
    }

    /// Whether a flaw was found here or on the way here.
    pub fn is_flawed(&self) -> bool {
        self.node.is_some_and(|node| node.flawed.get())
            || self.above.as_ref().is_some_and(|(above, _)| above.is_flawed())
    }

    /// Whether what ought to be written here is, in a key with a mistake in it.
    pub fn is_misspelt(&self) -> bool {
        let Some((above, Step::Key(name))) = &self.above else { return false };
        let beside = above.node.map(Node::entries).unwrap_or_default();
        beside.iter().any(|entry| entry.value.flawed.get() && nearest(&entry.key, [*name]).is_some())
    }

    /// Whether a flaw was found somewhere within.
    pub fn is_flawed_within(&self) -> bool {
        self.node.is_some_and(Node::is_flawed_within)
    }

    /// Where it stands; where nothing is written, where it ought to.
    pub fn place(&self) -> Place {
        self.node.filter(|node| !node.is_null()).map_or(self.key_place, |node| node.place)
    }

    /// Where a part of the text here stands, given in bytes of it; the whole,
    /// where that cannot be told.
    pub fn place_within(&self, part: Range<usize>) -> Place {
        let Some(Node { content: Content::Scalar { text, begin: Some(begin), .. }, .. }) = self.node else {
            return self.place();
        };
        let before = text.get(..part.start).unwrap_or_default();
        let width = text.get(part).unwrap_or_default().chars().take_while(|c| *c != '\n').count().max(1);
        let last = before.rsplit('\n').next().unwrap_or_default();
        let line = begin.line + before.matches('\n').count();
        Place { line, column: begin.column + last.chars().count(), width }
    }

    pub fn key_place(&self) -> Place {
        self.key_place
    }

    /// `routes.GET /my-repos.allow[0]`.
    pub fn path(&self) -> String {
        let Some((above, step)) = &self.above else { return String::new() };
        let mut path = above.path();
        extend(&mut path, *step);
        path
    }
}

/// Goes one step on.
pub(super) fn extend(path: &mut String, step: Step<'_>) {
    // Writing to a string cannot fail.
    let _ = match step {
        Step::Key(name) if path.is_empty() => write!(path, "{name}"),
        Step::Key(name) => write!(path, ".{name}"),
        Step::Index(index) => write!(path, "[{index}]"),
    };
}
