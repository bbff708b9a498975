//! A JSON text that was read: where each value stands in it, in the order of
//! the text, in one piece of memory.
//!
//! Only texts that have escapes in them are copied, without these. No number is
//! ever worked out: it is written as it was read.

use bytes::Bytes;
use jaq_json::Num;

use super::json::{self, Unreadable, Unwritable, Val, Writer};

/// A text of one value, or of several one behind the other, known to be strict
/// JSON (see [`json::read`]).
#[derive(Debug, Clone)]
pub struct Doc {
    pub(super) text: Bytes,
    /// Texts that have escapes in them, without these.
    pub(super) unescaped: Bytes,
    pub(super) nodes: Vec<Node>,
}

/// One value, or the key in front of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub kind: Kind,
    /// Where its characters begin; a text's, behind the quote.
    pub at: u32,
    /// How many bytes these are.
    pub len: u32,
    /// Which node comes behind it and all that it holds.
    pub past: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number,
    /// As it stands in the text.
    Text,
    /// As it stands among the unescaped.
    Unescaped,
    List,
    /// Key, value, key, value …
    Map,
}

/// A value of a document.
#[derive(Clone, Copy)]
pub struct At<'d> {
    doc: &'d Doc,
    node: Node,
    index: u32,
}

/// What a value is.
pub enum What<'d> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Its digits, as they were written.
    Number(&'d [u8]),
    /// UTF-8, without escapes.
    Text(&'d [u8]),
    /// Items.
    List(Values<'d>),
    /// Keys, and what stands behind each.
    Map(Entries<'d>),
}

impl Doc {
    /// `null`.
    pub fn null() -> Self {
        let node = Node { kind: Kind::Null, at: 0, len: 0, past: 1 };
        Self { text: Bytes::from_static(b"null"), unescaped: Bytes::new(), nodes: vec![node] }
    }

    /// The same as a document.
    ///
    /// # Errors
    /// What JSON has no word for, or what is larger than any body may be.
    pub fn of(value: &Val) -> Result<Self, Unreadable> {
        let text = json::write(value, usize::MAX).map_err(|_| Unreadable::new("it is no JSON"))?;
        json::read(&text.into())
    }

    /// The one value; the first, where there are several.
    pub fn root(&self) -> At<'_> {
        self.at(0)
    }

    /// All values that stand behind each other.
    pub fn values(&self) -> Values<'_> {
        Values { doc: self, next: 0, past: self.nodes.len() as u32 }
    }

    /// The same as [`root`](Self::root) as a value.
    pub fn value(&self) -> Val {
        self.root().value()
    }

    fn at(&self, index: u32) -> At<'_> {
        let nothing = Node { kind: Kind::Null, at: 0, len: 0, past: index + 1 };
        At { doc: self, node: self.nodes.get(index as usize).copied().unwrap_or(nothing), index }
    }
}

impl Node {
    pub(super) fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let at = self.at as usize;
        text.get(at..at + self.len as usize).unwrap_or_default()
    }

    fn shared(&self, text: &Bytes) -> Val {
        Val::utf8_str(text.slice_ref(self.of(text)))
    }
}

impl<'d> At<'d> {
    /// What it is.
    pub fn what(self) -> What<'d> {
        match self.node.kind {
            Kind::Null => What::Null,
            Kind::Bool(truth) => What::Bool(truth),
            Kind::Number => What::Number(self.node.of(&self.doc.text)),
            Kind::Text => What::Text(self.node.of(&self.doc.text)),
            Kind::Unescaped => What::Text(self.node.of(&self.doc.unescaped)),
            Kind::List => What::List(self.inside()),
            Kind::Map => What::Map(Entries(self.inside())),
        }
    }

    fn inside(self) -> Values<'d> {
        Values { doc: self.doc, next: self.index + 1, past: self.node.past }
    }

    /// The same as a value. A text that has no escapes in it is shared, and not copied.
    pub fn value(self) -> Val {
        match self.what() {
            What::Null => Val::Null,
            What::Bool(truth) => Val::Bool(truth),
            What::Number(digits) => Val::Num(number(digits)),
            What::Text(_) if self.node.kind == Kind::Text => self.node.shared(&self.doc.text),
            What::Text(_) => self.node.shared(&self.doc.unescaped),
            What::List(items) => items.map(Self::value).collect(),
            What::Map(entries) => {
                Val::obj(entries.map(|(key, value)| (key.value(), value.value())).collect())
            }
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// It is too long.
    pub fn write(self, out: &mut Writer<'_>) -> Result<(), Unwritable> {
        match self.what() {
            What::Null => out.put(b"null"),
            What::Bool(true) => out.put(b"true"),
            What::Bool(false) => out.put(b"false"),
            What::Number(digits) => out.put(digits),
            What::Text(text) if self.node.kind == Kind::Text => out.plain(text),
            What::Text(text) => out.text(text),
            What::List(items) => out.all(*b"[]", items, Self::write),
            What::Map(entries) => out.all(*b"{}", entries, |(key, value), out| {
                key.write_key(out)?;
                value.write(out)
            }),
        }
    }

    /// Writes a key, and the colon behind it.
    pub(super) fn write_key(self, out: &mut Writer<'_>) -> Result<(), Unwritable> {
        if let What::Text(text) = self.what() {
            out.key(text)?;
        }
        out.put(b":")
    }
}

/// There is no whole number for `-0`, and none of a fraction is worked out.
fn number(digits: &[u8]) -> Num {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let is_whole = text != "-0" && !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    let whole = if is_whole { Num::from_str_radix(text, 10) } else { None };
    whole.unwrap_or_else(|| Num::Dec(text.to_owned().into()))
}

/// The values of a list.
#[derive(Clone)]
pub struct Values<'d> {
    doc: &'d Doc,
    next: u32,
    past: u32,
}

impl<'d> Iterator for Values<'d> {
    type Item = At<'d>;

    fn next(&mut self) -> Option<At<'d>> {
        if self.past <= self.next {
            return None;
        }
        let at = self.doc.at(self.next);
        self.next = at.node.past;
        Some(at)
    }
}

/// The keys and values of a map.
#[derive(Clone)]
pub struct Entries<'d>(Values<'d>);

impl<'d> Iterator for Entries<'d> {
    type Item = (At<'d>, At<'d>);

    fn next(&mut self) -> Option<(At<'d>, At<'d>)> {
        Some((self.0.next()?, self.0.next()?))
    }
}

impl<'d> Entries<'d> {
    /// What stands behind a key.
    pub fn get(mut self, name: &[u8]) -> Option<At<'d>> {
        self.find(|(key, _)| matches!(key.what(), What::Text(text) if text == name)).map(|(_, value)| value)
    }
}
