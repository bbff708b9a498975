//! Grows the tree from YAML text. Bounded in size and depth, whatever the
//! text: an alias may stand for a value, but not for a billion of them.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, StrInput};

use super::flaw::{Flaw, Flaws};
use super::tree::{Content, Entry, Node, Place, Step, extend};

/// Far more than a file needs that people can read: some 1,000 routes.
const MOST_NODES: usize = 20_000;
/// How deep values may be nested. The grammar needs 8.
const MOST_DEPTH: usize = 32;
const TOO_DEEP: (&str, &str) = ("values are nested too deep here", "nothing in this file is nested so deep");

/// The tree of a text, and the flaws found while growing it. No tree: the
/// text is no YAML, or there is nothing in it.
pub(in crate::config) fn grow(text: &str, flaws: &mut Flaws) -> Option<Node> {
    let options = granit_parser::options! {
        flow_nesting_limit: MOST_DEPTH,
        block_nesting_limit: MOST_DEPTH,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut grower = Grower { parser, flaws, path: String::new(), anchors: HashMap::new(), nodes: 0 };
    match grower.document() {
        Ok(node) => Some(node),
        Err(end) => {
            flaws.push(*end);
            None
        }
    }
}

/// A flaw after which nothing can be read. Boxed: it is rare and large.
type End = Box<Flaw>;

struct Grower<'t, 'f> {
    parser: Parser<'t, StrInput<'t>>,
    flaws: &'f mut Flaws,
    path: String,
    anchors: HashMap<usize, Anchor>,
    nodes: usize,
}

/// What an alias stands for.
struct Anchor {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// What the parser says next, less what does not matter to us.
enum Next<'t> {
    Node(Event<'t>, Span),
    EndOfCollection(Span),
    DocumentStart(Span),
    EndOfStream(Span),
}

impl<'t> Grower<'t, '_> {
    fn document(&mut self) -> Result<Node, End> {
        let empty =
            |grower: &Self| grower.end(Span::default(), "the file is empty", "begin with `version: 1`");
        let (Next::DocumentStart(_), Next::Node(event, span)) = (self.next()?, self.next()?) else {
            return Err(empty(self));
        };
        let node = self.node(event, span, 0)?;
        match self.next()? {
            Next::EndOfStream(_) if node.is_null() => Err(empty(self)),
            Next::EndOfStream(_) => Ok(node),
            Next::Node(_, span) | Next::EndOfCollection(span) | Next::DocumentStart(span) => Err(self.end(
                span,
                "a second document begins here",
                "keep one document, without `---` between",
            )),
        }
    }

    fn next(&mut self) -> Result<Next<'t>, End> {
        loop {
            let (event, span) = match self.parser.next_event() {
                Some(Ok(next)) => next,
                Some(Err(error)) => return Err(self.unreadable(&error)),
                None => return Ok(Next::EndOfStream(Span::default())),
            };
            return Ok(match event {
                Event::SequenceEnd | Event::MappingEnd => Next::EndOfCollection(span),
                Event::DocumentStart(..) => Next::DocumentStart(span),
                Event::StreamEnd => Next::EndOfStream(span),
                event if event.is_node() => Next::Node(event, span),
                _ => continue,
            });
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, End> {
        self.count(1, depth, span)?;
        self.refuse_tag(&event, &span);
        let (anchor, before) = (event.anchor_id(), self.nodes);
        let node = match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                // The parser writes `~` where nothing is written.
                let text = if span.is_empty() { String::new() } else { text.into_owned() };
                let begin = begin(span, style, &text);
                Node::new(place(span), Content::Scalar { text, plain, begin })
            }
            Event::SequenceStart(..) => self.list(span, depth)?,
            Event::MappingStart(..) => self.map(span, depth)?,
            Event::Alias(id) => return self.alias(id, span, depth),
            _ => return Err(self.end(span, "nothing is read here", "write a value")),
        };
        if let Some(id) = anchor {
            let (nodes, depth) = (self.nodes - before + 1, height(&node));
            self.anchors.insert(id, Anchor { node: node.clone(), nodes, depth });
        }
        Ok(node)
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, End> {
        let mut items = Vec::new();
        let length = self.path.len();
        loop {
            match self.next()? {
                Next::Node(event, span) => {
                    extend(&mut self.path, Step::Index(items.len()));
                    items.push(self.node(event, span, depth + 1)?);
                    self.path.truncate(length);
                }
                Next::EndOfCollection(end) => return Ok(Node::new(reach(start, end), Content::List(items))),
                Next::DocumentStart(span) | Next::EndOfStream(span) => {
                    return Err(self.end(span, "the list does not end", "close it with `]`"));
                }
            }
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, End> {
        let mut entries = Vec::new();
        let mut incomplete = false;
        loop {
            let (event, span) = match self.next()? {
                Next::Node(event, span) => (event, span),
                Next::EndOfCollection(end) => {
                    let node = Node::new(reach(start, end), Content::Map(entries));
                    node.flawed.set(incomplete);
                    return Ok(node);
                }
                Next::DocumentStart(span) | Next::EndOfStream(span) => {
                    return Err(self.end(span, "the mapping does not end", "close it with `}`"));
                }
            };
            let key = self.node(event, span, depth + 1)?;
            let merges = key.scalar() == Some("<<");
            incomplete |= merges;
            if let Some(entry) = self.entry(key, &entries, depth)? {
                entries.push(entry);
            }
        }
    }

    /// Reads a key's value. `None`: the entry is flawed.
    fn entry(&mut self, key: Node, before: &[Entry], depth: usize) -> Result<Option<Entry>, End> {
        let length = self.path.len();
        let name = key.scalar().filter(|_| !key.is_null()).map(str::to_owned);
        extend(&mut self.path, Step::Key(name.as_deref().unwrap_or("?")));
        let sound = self.judge_key(&key, name.as_deref(), before);
        let value = match self.next()? {
            Next::Node(event, span) => self.node(event, span, depth + 1)?,
            Next::EndOfCollection(span) | Next::DocumentStart(span) | Next::EndOfStream(span) => {
                return Err(self.end(span, "the key has no value", "write one behind the colon"));
            }
        };
        self.path.truncate(length);
        Ok(name.filter(|_| sound).map(|name| Entry { key: name, key_place: key.place, value }))
    }

    fn judge_key(&mut self, key: &Node, name: Option<&str>, before: &[Entry]) -> bool {
        let mut refuse = |what: String, help: &str| {
            self.flaws.push(Flaw::new(self.path.clone(), key.place, what, help));
            false
        };
        let Some(name) = name else {
            return refuse("a key must be plain text".to_owned(), "write a name before the colon");
        };
        if name == "<<" {
            return refuse(
                "merge keys are no part of YAML 1.2".to_owned(),
                "write out the fields that it would merge",
            );
        }
        match before.iter().find(|entry| entry.key == name) {
            Some(first) => {
                let what = format!("this key stands already in line {}", first.key_place.line);
                refuse(what, "remove one of the two")
            }
            None => true,
        }
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Node, End> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(self.end(
                span,
                "this alias stands for a value that it is part of",
                "write the value out",
            ));
        };
        let (node, nodes, height) = (anchor.node.clone(), anchor.nodes, anchor.depth);
        self.count(nodes, depth + height, span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, depth: usize, span: Span) -> Result<(), End> {
        self.nodes = self.nodes.saturating_add(nodes);
        if MOST_NODES < self.nodes {
            return Err(self.end(
                span,
                "the file holds too many values, aliases counted in",
                "write it shorter",
            ));
        }
        if MOST_DEPTH < depth {
            return Err(self.end(
                span,
                "values are nested too deep here",
                "nothing in this file is nested so deep",
            ));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, event: &Event<'_>, span: &Span) {
        if event.tag().is_some() {
            let tag = span.tag_span().unwrap_or(*span);
            let help = "remove it; text that looks like something else goes in quotes";
            self.flaws.push(Flaw::new(self.path.clone(), place(tag), "tags mean nothing here", help));
        }
    }

    fn end(&self, span: Span, what: &str, help: &str) -> End {
        Box::new(Flaw::new(self.path.clone(), place(span), what, help))
    }

    fn unreadable(&self, error: &granit_parser::ScanError) -> End {
        let mark = error.marker();
        let place = Place { line: mark.line().max(1), column: mark.col() + 1, width: 1 };
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return Box::new(Flaw::new(self.path.clone(), place, TOO_DEEP.0, TOO_DEEP.1));
        }
        let what = format!("this is no YAML: {}", error.info());
        let help = "look at the indentation, quotes, brackets and colons here and in the line before";
        Box::new(Flaw::new(self.path.clone(), place, what, help))
    }
}

/// Where a token stands; one of several lines is shown by its first character.
fn place(span: Span) -> Place {
    let (start, end) = (span.start, span.end);
    let one_line = start.line() == end.line();
    let width = if one_line { end.col().saturating_sub(start.col()).max(1) } else { 1 };
    Place { line: start.line().max(1), column: start.col() + 1, width }
}

/// Where the text of a scalar begins, if its lines are lines of the file:
/// written in one line without escapes, or in a literal block (`|`).
fn begin(span: Span, style: ScalarStyle, text: &str) -> Option<Place> {
    let Place { line, column, width } = place(span);
    let written = text.chars().count();
    match style {
        // The parser begins it at its first line that is not empty.
        ScalarStyle::Literal => {
            let empty = text.chars().take_while(|c| *c == '\n').count();
            Some(Place { line: line.saturating_sub(empty), column, width })
        }
        ScalarStyle::Folded => None,
        ScalarStyle::Plain => (width == written).then_some(Place { line, column, width }),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            (width == written + 2).then_some(Place { line, column: column + 1, width })
        }
    }
}

/// Where a collection stands, from its first token to its last.
fn reach(start: Span, end: Span) -> Place {
    let mut whole = start;
    if end.end.line() == start.start.line() {
        whole.end = end.end;
    }
    place(whole)
}

/// How deep a value is nested.
fn height(node: &Node) -> usize {
    let entries = node.entries().iter().map(|entry| &entry.value);
    entries.chain(node.items()).map(|child| height(child) + 1).max().unwrap_or(0)
}
