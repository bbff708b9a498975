//! Reads JSON (RFC 8259) into documents, strictly: what two parsers could read
//! differently is refused, and so is what would take more memory as a value than
//! anybody means.

use std::collections::HashSet;

use bytes::Bytes;
use hifijson::escape::Lex as _;
use hifijson::num::LexWrite as _;
use hifijson::str::LexWrite as _;
use hifijson::token::Lex as _;
use hifijson::{Expect, Read as _, SliceLexer};

use super::doc::{Doc, Kind, Node};
use super::json::{DEEPEST, Unreadable};

/// What one body may take in memory as a value, in bytes. A short text can be
/// a large value: `[{},{},…]` takes thirty times its length.
const HEAVIEST: usize = 48 << 20;

/// Nobody means more digits, and reading them costs time squared.
const LONGEST_NUMBER: usize = 1000;

/// Reads a text that is one value.
///
/// # Errors
/// What is wrong, and in which line and column.
pub fn read(text: &Bytes) -> Result<Doc, Unreadable> {
    read_as(text, |taker, lexer| {
        taker.value(lexer.ws_peek().ok_or(Expect::Value)?, lexer)?;
        lexer.ws_peek().map_or(Ok(()), |_| Err(Expect::Eof.into()))
    })
}

/// Reads a text that is any number of values, one behind the other
/// (NDJSON, JSON text sequences without separators).
///
/// # Errors
/// As [`read`].
pub fn read_all(text: &Bytes) -> Result<Doc, Unreadable> {
    read_as(text, |taker, lexer| {
        while let Some(next) = lexer.ws_peek() {
            taker.add(weight::LINE)?;
            taker.value(next, lexer)?;
        }
        Ok(())
    })
}

fn read_as<'t>(
    text: &'t Bytes,
    read: impl FnOnce(&mut Taker<'t>, &mut SliceLexer<'t>) -> Result<(), Fault>,
) -> Result<Doc, Unreadable> {
    if u32::try_from(text.len()).is_err() {
        return Err(Unreadable::new("it is too long"));
    }
    std::str::from_utf8(text)
        .map_err(|error| Unreadable::new(format!("it is no UTF-8 from byte {} on", error.valid_up_to())))?;
    let mut taker = Taker::new(text);
    let mut lexer = SliceLexer::new(text);
    match read(&mut taker, &mut lexer) {
        Ok(()) => Ok(Doc { text: text.clone(), unescaped: taker.unescaped.into(), nodes: taker.nodes }),
        Err(fault) => Err(taker.say(fault, &lexer)),
    }
}

/// What is wrong.
enum Fault {
    /// At the place that was reached.
    Syntax(hifijson::Error),
    /// The key stands there.
    TwiceTheKey(usize),
    TooDeep,
    TooHeavy,
    LongNumber,
}

impl<E: Into<hifijson::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Syntax(error.into())
    }
}

/// What the parts of a value take, allocator's share and note included.
mod weight {
    pub const VALUE: usize = 32;
    pub const TEXT: usize = 48;
    pub const LIST: usize = 64;
    pub const MAP: usize = 112;
    pub const ENTRY: usize = 112;
    /// What programs make of each is kept until all of it is written.
    pub const LINE: usize = 96;
}

/// Takes down where the values of one text stand.
struct Taker<'t> {
    text: &'t [u8],
    depth: usize,
    /// About how much the values take in memory, once somebody makes such of them.
    weight: usize,
    nodes: Vec<Node>,
    unescaped: Vec<u8>,
    /// The keys of the maps that are not at their end, and where each stands.
    keys: Vec<(usize, Node)>,
}

impl<'t> Taker<'t> {
    fn new(text: &'t [u8]) -> Self {
        // Few texts have more values than one in eight bytes.
        let nodes = Vec::with_capacity(text.len() / 8 + 1);
        Self { text, depth: DEEPEST, weight: 0, nodes, unescaped: Vec::new(), keys: Vec::new() }
    }

    fn say(&self, fault: Fault, lexer: &SliceLexer<'t>) -> Unreadable {
        let at = match &fault {
            Fault::TwiceTheKey(at) => *at,
            _ => self.here(lexer),
        };
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let last = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(last).chars().count() + 1;
        let what = match fault {
            Fault::Syntax(error) => error.to_string(),
            Fault::TwiceTheKey(_) => "a key stands twice in one object".to_owned(),
            Fault::TooDeep => format!("it is nested deeper than {DEEPEST} levels"),
            Fault::TooHeavy => "it holds too many values".to_owned(),
            Fault::LongNumber => format!("a number has more than {LONGEST_NUMBER} digits"),
        };
        Unreadable::new(format!("line {line}, column {column}: {what}"))
    }

    fn add(&mut self, bytes: usize) -> Result<(), Fault> {
        self.weight += bytes;
        if HEAVIEST < self.weight { Err(Fault::TooHeavy) } else { Ok(()) }
    }

    /// Where in the text one is.
    fn here(&self, lexer: &SliceLexer<'t>) -> usize {
        self.text.len() - lexer.as_slice().len()
    }

    fn value(&mut self, next: u8, lexer: &mut SliceLexer<'t>) -> Result<(), Fault> {
        self.add(weight::VALUE)?;
        match next {
            b'"' => self.string(lexer).map(drop),
            b'0'..=b'9' | b'-' => self.number(lexer),
            b'[' => self.list(lexer),
            b'{' => self.map(lexer),
            _ => {
                let word = lexer.null_or_bool().ok_or(Expect::Value)?;
                self.push(word.map_or(Kind::Null, Kind::Bool), 0, 0);
                Ok(())
            }
        }
    }

    fn push(&mut self, kind: Kind, at: usize, len: usize) -> Node {
        let past = self.nodes.len() as u32 + 1;
        let node = Node { kind, at: at as u32, len: len as u32, past };
        self.nodes.push(node);
        node
    }

    fn string(&mut self, lexer: &mut SliceLexer<'t>) -> Result<Node, Fault> {
        self.add(weight::TEXT)?;
        let at = self.here(lexer) + 1;
        // `None` until the first escape: then, and not before, it must be copied.
        let unescaped = lexer.discarded().str_fold(
            None,
            |part, unescaped: &mut Option<Vec<u8>>| {
                unescaped.iter_mut().for_each(|copy| copy.extend_from_slice(part));
                Ok::<_, hifijson::str::Error>(())
            },
            |lexer, unescaped| {
                let before = self.text.get(at..self.here(lexer) - 1);
                let copy = unescaped.get_or_insert_with(|| before.unwrap_or_default().to_vec());
                let kind = lexer.take_next().ok_or(hifijson::escape::Error::Eof)?;
                let character = lexer.escape(kind)?;
                copy.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                Ok(())
            },
        );
        match unescaped.map_err(hifijson::Error::Str)? {
            None => Ok(self.push(Kind::Text, at, self.here(lexer) - 1 - at)),
            Some(copy) => {
                self.add(copy.len())?;
                self.unescaped.extend_from_slice(&copy);
                Ok(self.push(Kind::Unescaped, self.unescaped.len() - copy.len(), copy.len()))
            }
        }
    }

    fn number(&mut self, lexer: &mut SliceLexer<'t>) -> Result<(), Fault> {
        let at = self.here(lexer);
        let (digits, parts) = lexer.num_string().validated().map_err(hifijson::Error::Num)?;
        if LONGEST_NUMBER < digits.len() {
            return Err(Fault::LongNumber);
        }
        if !parts.is_int() {
            self.add(weight::TEXT + digits.len())?;
        }
        self.push(Kind::Number, at, digits.len());
        Ok(())
    }

    fn list(&mut self, lexer: &mut SliceLexer<'t>) -> Result<(), Fault> {
        self.add(weight::LIST)?;
        let index = self.begin(Kind::List)?;
        lexer.discarded().seq(b']', SliceLexer::ws_peek, |next, lexer| self.value(next, lexer))?;
        self.end(index);
        Ok(())
    }

    fn map(&mut self, lexer: &mut SliceLexer<'t>) -> Result<(), Fault> {
        self.add(weight::MAP)?;
        let index = self.begin(Kind::Map)?;
        let outer = self.keys.len();
        lexer.discarded().seq(b'}', SliceLexer::ws_peek, |next, lexer| {
            self.add(weight::ENTRY)?;
            if next != b'"' {
                return Err(Expect::String.into());
            }
            let at = self.here(lexer);
            let key = self.string(lexer)?;
            self.keys.push((at, key));
            lexer.expect(SliceLexer::ws_peek, b':').ok_or(Expect::Colon)?;
            self.value(lexer.ws_peek().ok_or(Expect::Value)?, lexer)
        })?;
        self.twice(outer).map_or(Ok(()), |at| Err(Fault::TwiceTheKey(at)))?;
        self.keys.truncate(outer);
        self.end(index);
        Ok(())
    }

    fn begin(&mut self, kind: Kind) -> Result<usize, Fault> {
        self.depth = self.depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        self.push(kind, 0, 0);
        Ok(self.nodes.len() - 1)
    }

    fn end(&mut self, index: usize) {
        let past = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(index) {
            node.past = past;
        }
        self.depth += 1;
    }

    /// Where a key stands that is not the first of its name.
    fn twice(&self, outer: usize) -> Option<usize> {
        let name = |key: &Node| match key.kind {
            Kind::Unescaped => key.of(&self.unescaped),
            _ => key.of(self.text),
        };
        let keys = self.keys.get(outer..).unwrap_or_default();
        if keys.len() <= FEW_KEYS {
            let mut pairs = keys.iter().enumerate();
            let twice = pairs.find(|(index, (_, key))| {
                keys.iter().take(*index).any(|(_, other)| other.len == key.len && name(other) == name(key))
            });
            return twice.map(|(_, (at, _))| *at);
        }
        let mut known = HashSet::with_capacity(keys.len());
        keys.iter().find(|(_, key)| !known.insert(name(key))).map(|(at, _)| *at)
    }
}

/// Of so few, comparing each with each is faster than a table.
const FEW_KEYS: usize = 16;
