//! What is known of widespread APIs, written into the file where it names a
//! `preset` and says nothing itself.
//!
//! It is put into the tree, in the file's own grammar. So whatever stands
//! beside `preset` wins, and `check` judges the whole as if a user had
//! written it. A preset that no upstream names is not even parsed.

use serde_json::Value;

use super::de;
use super::flaw::{Flaw, Flaws, nearest};
use super::grow;
use super::schemas::Json;
use super::tree::{Content, Entry, Node, Place, Step, extend};

/// One block for each, with an empty line between.
const DATA: &str = include_str!("presets.yaml");

/// What stands for the secret that the user names.
const SECRET: char = '$';

/// The names of all presets, in the order of the alphabet.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    blocks().map(|(name, _)| name)
}

/// A preset as it is written, with `$` for the secret: `docs`, `url`, `credential`, and where
/// they are known `headers`, `expect` and `bad_key`.
pub fn json(name: &str) -> Option<Value> {
    let Json(fields) = de::read(&find(name)?, &mut Flaws::default());
    Some(fields)
}

fn find(name: &str) -> Option<Node> {
    let (_, fields) = blocks().find(|(known, _)| *known == name)?;
    grow::grow(fields, &mut Flaws::default())
}

/// The base URL of a preset, with `{…}` for the parts that are the user's own.
pub(super) fn url(name: &str) -> Option<String> {
    field(&find(name)?, "url")?.scalar().map(str::to_owned)
}

fn blocks() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    DATA.split("\n\n").skip(1).filter_map(|block| block.split_once(":\n"))
}

/// Completes each upstream that names a preset.
pub(super) fn apply(root: &mut Node, flaws: &mut Flaws) {
    let Some(Content::Map(upstreams)) = field_mut(root, "upstreams").map(|node| &mut node.content) else {
        return;
    };
    for Entry { key, value: upstream, .. } in upstreams {
        if let Err(Wrong { field, place, what, help }) = complete(upstream) {
            let mut path = "upstreams".to_owned();
            [key.as_str(), field].into_iter().for_each(|step| extend(&mut path, Step::Key(step)));
            flaws.push(Flaw::new(path, place, what, help));
            // What it lacks now is no other mistake.
            upstream.flawed.set(true);
        }
    }
}

/// Why a preset cannot be used as it is written.
struct Wrong {
    field: &'static str,
    place: Place,
    what: &'static str,
    help: String,
}

fn complete(upstream: &mut Node) -> Result<(), Wrong> {
    // What is no text is said to be none where it is read.
    let Some(Node { place, content: Content::Scalar { text: name, .. }, .. }) = field(upstream, "preset")
    else {
        return Ok(());
    };
    let place = *place;
    let preset = find(name).ok_or_else(|| {
        let near = nearest(name, names()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}`countersign presets` lists all");
        Wrong { field: "preset", place, what: "this is none of the presets", help }
    })?;
    credential(upstream, &preset, place)?;
    if let Some(url) = field(&preset, "url").filter(|url| !is_form(url)) {
        add(upstream, "url", url, place);
    }
    field(&preset, "bad_key").into_iter().for_each(|statuses| add(upstream, "bad_key", statuses, place));
    if let Some(headers) = field(&preset, "headers") {
        add(upstream, "headers", &Node::new(place, Content::Map(Vec::new())), place);
        let own = field_mut(upstream, "headers");
        own.into_iter().for_each(|own| headers.entries().iter().for_each(|header| merge(own, header, place)));
    }
    Ok(())
}

/// Makes the preset's recipe of a secret's name. A recipe stays as it is, and
/// what its secrets look like is not the preset's to say.
fn credential(upstream: &mut Node, preset: &Node, place: Place) -> Result<(), Wrong> {
    let Some(recipe) = field(preset, "credential") else { return Ok(()) };
    let wrong = |place, what, help: String| Err(Wrong { field: "credential", place, what, help });
    let Some(own) = field_mut(upstream, "credential").filter(|own| !own.is_null()) else {
        let help = "write `credential: NAME`, a name from `secrets`, or `NAME.field`".to_owned();
        return wrong(place, "it is not said which secret proves us to it", help);
    };
    let Content::Scalar { text, .. } = &own.content else { return Ok(()) };
    let fields = fields(recipe);
    if !fields.is_empty() && text.contains('.') {
        let help = format!("write its name alone; these fields of it are read: `{}`", fields.join("`, `"));
        return wrong(own.place, "this preset needs several fields of one JSON secret", help);
    }
    // Flaws in it are shown where the name stands.
    *own = placed(recipe, own.place, Some(text));
    field(preset, "expect").into_iter().for_each(|expect| add(upstream, "expect", expect, place));
    Ok(())
}

/// The fields of a secret that a recipe reads, where it reads no whole one.
fn fields(recipe: &Node) -> Vec<&str> {
    match &recipe.content {
        Content::Scalar { text, .. } => {
            text.strip_prefix(SECRET).and_then(|rest| rest.strip_prefix('.')).into_iter().collect()
        }
        Content::List(items) => items.iter().flat_map(fields).collect(),
        Content::Map(entries) => entries.iter().flat_map(|entry| fields(&entry.value)).collect(),
    }
}

/// Whether a URL has a part that is the user's own.
pub(super) fn is_form(url: &Node) -> bool {
    url.scalar().is_some_and(|text| text.contains('{'))
}

pub(super) fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.entries().iter().find(|entry| entry.key == name).map(|entry| &entry.value)
}

pub(super) fn field_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Content::Map(entries) = &mut node.content else { return None };
    entries.iter_mut().find(|entry| entry.key == name).map(|entry| &mut entry.value)
}

/// Adds a field, unless the user says it.
pub(super) fn add(node: &mut Node, name: &str, value: &Node, place: Place) {
    if field(node, name).is_some_and(Node::is_null)
        && let Content::Map(entries) = &mut node.content
    {
        entries.retain(|entry| entry.key != name);
    }
    merge(node, &Entry { key: name.to_owned(), key_place: place, value: value.clone() }, place);
}

/// Adds an entry, unless there is one of its name in any letters.
fn merge(node: &mut Node, entry: &Entry, place: Place) {
    let Content::Map(entries) = &mut node.content else { return };
    if !entries.iter().any(|own| own.key.eq_ignore_ascii_case(&entry.key)) {
        let value = placed(&entry.value, place, None);
        entries.push(Entry { key: entry.key.clone(), key_place: place, value });
    }
}

/// The same at a place of the user's file, with a secret's name for its sign.
fn placed(node: &Node, place: Place, secret: Option<&str>) -> Node {
    let content = match &node.content {
        Content::Scalar { text, plain, .. } => {
            let named = secret.zip(text.strip_prefix(SECRET)).map(|(secret, rest)| format!("{secret}{rest}"));
            Content::Scalar { text: named.unwrap_or_else(|| text.clone()), plain: *plain, begin: None }
        }
        Content::List(items) => Content::List(items.iter().map(|item| placed(item, place, secret)).collect()),
        Content::Map(entries) => {
            let moved = |entry: &Entry| {
                let value = placed(&entry.value, place, secret);
                Entry { key: entry.key.clone(), key_place: place, value }
            };
            Content::Map(entries.iter().map(moved).collect())
        }
    };
    Node::new(place, content)
}
