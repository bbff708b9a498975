//! The files beside the configuration: those that its schemas are in, and issuers' keys. Their bytes
//! come in through a closure; no path leads above the configuration's own folder.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use super::declared::Declared;
use super::flaw::{Flaw, Flaws};
use super::schemas::{Json, Query, SchemaText};
use super::tree::At;
use super::{de, grow};
use crate::body::json;
use crate::body::schema::{Files, Target, references};

/// Reads a file beside the configuration: its path there, its bytes, or why not.
pub type Read<'r> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'r;

/// What is wrong and how to mend it.
pub(super) type Wrong = (String, String);

/// All files that the schemas of the routes are in, and refer to. What cannot
/// be read is a flaw where it is first named.
pub(super) fn gather(declared: &Declared, root: &At<'_>, read: &Read<'_>, flaws: &mut Flaws) -> Files {
    let mut gathering =
        Gathering { read, files: Files::new(), tried: BTreeSet::new(), failed: BTreeSet::new(), flaws };
    let routes = root.key("routes");
    for (key, route) in &declared.routes {
        let at = routes.key(key.0.text());
        let (request, response) = (at.key("request"), at.key("response"));
        for (at, schema) in [(&request, &route.request.schema), (&response, &route.response.schema)] {
            match schema {
                Some(SchemaText::Inline(schema)) => gathering.follow("", schema, &at.key("schema")),
                Some(SchemaText::File(path)) => gathering.name(path, &at.key("schema")),
                None => {}
            }
        }
        if let Query::Judged(parameters) = &route.request.query {
            let at = request.key("query");
            parameters.iter().for_each(|(name, schema)| gathering.follow("", schema, &at.key(name)));
        }
    }
    gathering.files
}

struct Gathering<'g> {
    read: &'g Read<'g>,
    files: Files,
    tried: BTreeSet<String>,
    failed: BTreeSet<String>,
    flaws: &'g mut Flaws,
}

impl Gathering<'_> {
    /// Follows the references of a schema that stands in `file`; empty: in the
    /// configuration, at `at`.
    fn follow(&mut self, file: &str, schema: &Value, at: &At<'_>) {
        for reference in references(schema) {
            let led = match reference.target {
                Target::Within => Ok(()),
                Target::Elsewhere => Err(Some(elsewhere())),
                Target::File(path) => self.load(file, path, at),
            };
            let Err(wrong) = led else { continue };
            if file.is_empty() {
                descend(at, &reference.pointer, &mut |at| self.note(at, wrong.clone()));
            } else {
                let told = |(what, help)| (format!("`{file}` at `{}`: {what}", reference.pointer), help);
                self.note(at, wrong.map(told));
            }
        }
    }

    /// Takes in a file that is named in the configuration.
    fn name(&mut self, path: &str, at: &At<'_>) {
        if let Err(wrong) = self.load("", path, at) {
            self.note(at, wrong);
        }
    }

    /// The place is then passed over: its schema is not compiled to find more.
    fn note(&mut self, at: &At<'_>, wrong: Option<Wrong>) {
        if let Some((what, help)) = wrong {
            self.flaws.push(Flaw::new(at.path(), at.place(), what, help));
        }
        at.node().into_iter().for_each(|node| node.flawed.set(true));
    }

    /// Reads a file once, and what it refers to. `None`: it was said before
    /// what is wrong with it.
    fn load(&mut self, from: &str, path: &str, at: &At<'_>) -> Result<(), Option<Wrong>> {
        let name = join(from, path)?;
        if !self.tried.insert(name.clone()) {
            return if self.failed.contains(&name) { Err(None) } else { Ok(()) };
        }
        let schema = parse(&name, (self.read)(&name)).inspect_err(|_| {
            self.failed.insert(name.clone());
        })?;
        self.follow(&name, &schema, at);
        self.files.insert(name, schema);
        Ok(())
    }
}

/// What a file holds that the configuration names by its path.
pub(super) fn document(path: &str, read: &Read<'_>) -> Result<Value, Wrong> {
    let name = join("", path)?;
    parse(&name, read(&name))
}

fn parse(name: &str, bytes: Result<Vec<u8>, String>) -> Result<Value, Wrong> {
    let bytes = bytes.map_err(|why| {
        (format!("`{name}` cannot be read: {why}"), "put the file there, beside the configuration".to_owned())
    })?;
    let schema = if name.ends_with(".json") { parse_json(bytes) } else { parse_yaml(&bytes) };
    schema.map_err(|why| (format!("`{name}`: {why}"), "mend it in that file".to_owned()))
}

fn elsewhere() -> Wrong {
    let help = "put it into a file beside the configuration, and write its path";
    ("a schema is not fetched from the network".to_owned(), help.to_owned())
}

/// The path of a file, from the file that names it: `../a.json` in `s/b.json` is `a.json`.
pub(super) fn join(from: &str, path: &str) -> Result<String, Wrong> {
    let wrong = |what: &str, help: &str| Err((what.to_owned(), help.to_owned()));
    if path.contains("://") {
        return Err(elsewhere());
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !path.chars().all(legal) || path.starts_with('/') || path.contains("//") {
        let help = "write a path such as `schemas/contact.json`: letters, digits, `-`, `_`, `.` and `/`";
        return wrong("this is no path of a file beside the configuration", help);
    }
    if ![".json", ".yaml", ".yml"].iter().any(|end| path.ends_with(end)) {
        return wrong("a file here is JSON or YAML", "write a name that ends in `.json`, `.yaml` or `.yml`");
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.pop().is_none() => {
                let help = "put the file into the configuration's folder, or below it";
                return wrong("this path leads above the configuration", help);
            }
            ".." => {}
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Strictly: a key that stands twice is a mistake.
fn parse_json(bytes: Vec<u8>) -> Result<Value, String> {
    let bytes = Bytes::from(bytes);
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").map_or(bytes.clone(), |bare| bytes.slice_ref(bare));
    json::read(&bare).map_err(|why| format!("this is no JSON: {why}"))?;
    serde_json::from_slice(&bare).map_err(|_| "a number in it is too large".to_owned())
}

fn parse_yaml(bytes: &[u8]) -> Result<Value, String> {
    let mut flaws = Flaws::default();
    let value = super::text(bytes, &mut flaws).and_then(|text| {
        let node = grow::grow(text, &mut flaws)?;
        let Json(value) = de::read(&node, &mut flaws);
        Some(value)
    });
    match (flaws.sorted().into_iter().next(), value) {
        (None, Some(value)) => Ok(value),
        (Some(Flaw { line, column, what, .. }), _) => Err(format!("line {line}, column {column}: {what}")),
        (None, None) => Err("there is nothing in it".to_owned()),
    }
}

/// Goes to the place that a JSON Pointer means (RFC 6901), or as near as the tree leads.
pub(super) fn descend(at: &At<'_>, pointer: &str, found: &mut dyn FnMut(&At<'_>)) {
    let Some(rest) = pointer.strip_prefix('/') else { return found(at) };
    let (part, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let name = part.replace("~1", "/").replace("~0", "~");
    let inner = match part.parse() {
        Ok(index) if !at.node().is_some_and(|node| node.items().is_empty()) => at.item(index),
        _ => at.key(&name),
    };
    if inner.is_written() { descend(&inner, rest, found) } else { found(at) }
}
