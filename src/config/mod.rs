//! From the user's file to something that runs, or to a list of every flaw.
//!
//! `grow` makes a tree of YAML that knows its places, `presets` and `issuers` complete it,
//! `de` fills the `declared` structs from it, `check` looks at how they fit together. Each notes what it
//! finds and goes on. Nothing here reads a file, an environment or a clock; files
//! beside it come in through a closure.

// In the order in which a file goes through them.
mod grow;
mod tree;
pub mod presets;
pub mod issuers;

mod de;
mod error;
mod scalar;

pub mod declared;
pub mod credentials;
mod entry;
pub mod identity;
pub mod fields;
pub mod schemas;
pub mod tokens;

mod audit;
mod beside;
mod keys;

mod check;
mod pasted;

pub mod flaw;

pub mod build;
mod recipes;
pub mod trust;
pub mod env;
mod start;

#[cfg(feature = "cli")]
mod schema;

pub use declared::Declared;
pub use flaw::Flaw;
pub use pasted::veil;
pub use start::{beside, start};

use beside::Read;
use flaw::Flaws;
use tree::{At, Place};

/// Reads `countersign.yaml`: what it declares, or every flaw in it, in the order of the file.
///
/// Takes the bytes of the file: that they are UTF-8 is checked here. Never
/// panics, and never takes long, whatever they are.
///
/// ```
/// let flaws = countersign::config::read("version: 2\nroutes: { GET /my-repos: { allow: [website] } }").unwrap_err();
/// let at: Vec<&str> = flaws.iter().map(|flaw| flaw.at.as_str()).collect();
/// assert_eq!(at, ["version", "routes.GET /my-repos.upstream", "routes.GET /my-repos.allow[0]"]);
/// ```
pub fn read(file: impl AsRef<[u8]>) -> Result<Declared, Vec<Flaw>> {
    read_beside(file, &|_| Err("no file is read here".to_owned()))
}

/// [`read`], together with the files beside it that its schemas are in, which
/// `files` reads. What a function does at its start: nothing is compiled.
pub fn read_beside(file: impl AsRef<[u8]>, files: &Read<'_>) -> Result<Declared, Vec<Flaw>> {
    through(file.as_ref(), files, Depth::Start)
}

/// [`read_beside`], and whether all that is written in languages of its own
/// compiles. What `countersign check` does.
pub fn examine(file: impl AsRef<[u8]>, files: &Read<'_>) -> Result<Declared, Vec<Flaw>> {
    through(file.as_ref(), files, Depth::Check)
}

/// How thoroughly a file is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// As far as a cold start has time for.
    Start,
    /// As far as we can.
    Check,
}

fn through(file: &[u8], files: &Read<'_>, depth: Depth) -> Result<Declared, Vec<Flaw>> {
    let mut flaws = Flaws::default();
    let declared = text(file, &mut flaws).and_then(|text| {
        let mut root = grow::grow(text, &mut flaws)?;
        presets::apply(&mut root, &mut flaws);
        issuers::apply(&mut root, &mut flaws);
        let mut declared: Declared = de::read(&root, &mut flaws);
        let root = At::root(&root);
        check::check(&declared, &root, &mut flaws);
        declared.files = beside::gather(&declared, &root, files, &mut flaws);
        declared.keys = keys::gather(&declared, &root, files, &mut flaws);
        if depth == Depth::Check {
            check::deep(&declared, &root, &mut flaws);
            declared.warnings = check::warnings(&declared, &root);
        }
        Some(declared)
    });
    match declared {
        Some(declared) if flaws.is_empty() => Ok(declared),
        _ => Err(flaws.sorted()),
    }
}

/// The text of a file, without its byte order mark.
fn text<'f>(file: &'f [u8], flaws: &mut Flaws) -> Option<&'f str> {
    let error = match std::str::from_utf8(file) {
        Ok(text) => return Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => error,
    };
    let before = file.get(..error.valid_up_to()).unwrap_or_default();
    let before = String::from_utf8_lossy(before);
    let last = before.rsplit('\n').next().unwrap_or_default();
    let place = Place { line: before.matches('\n').count() + 1, column: last.chars().count() + 1, width: 1 };
    flaws.push(Flaw::new(String::new(), place, "the file is no UTF-8 from here on", "save it as UTF-8"));
    None
}

#[cfg(test)]
mod tests;
