//! `countersign check`: every flaw of a file, shown where it is.

use std::io;
use std::path::Path;

use annotate_snippets::Level;
use serde::Serialize;

use super::{End, Terminal, count, snippet};
use crate::config::{self, Flaw};

pub(super) fn run(path: &Path, json: bool, terminal: &mut Terminal<'_>) -> io::Result<End> {
    let name = path.display().to_string();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            writeln!(terminal.err, "countersign: {name} cannot be read: {error}")?;
            return Ok(End::Unable);
        }
    };
    let declared = config::examine(&bytes, &config::beside(path));
    let (level, said) = match &declared {
        Ok(declared) => (Level::WARNING, &declared.warnings),
        Err(flaws) => (Level::ERROR, flaws),
    };
    if json {
        tell_tools(&name, said, declared.is_ok(), terminal)?;
    } else {
        for flaw in said {
            snippet::show((level.clone(), flaw), &name, &bytes, terminal)?;
        }
        let summary = match &declared {
            Ok(declared) if said.is_empty() => format!("no flaws, {}", count(declared.routes.len(), "route")),
            Ok(declared) => {
                let routes = count(declared.routes.len(), "route");
                format!("no flaws, {}, {routes}", count(said.len(), "warning"))
            }
            Err(flaws) => count(flaws.len(), "flaw"),
        };
        writeln!(terminal.out, "{name}: {summary}")?;
    }
    Ok(if declared.is_ok() { End::Good } else { End::Flawed })
}

/// A flaw as tools read it.
#[derive(Serialize)]
struct Told<'f> {
    /// `error`, or `warning`: what alone fails no check.
    level: &'f str,
    file: &'f str,
    line: usize,
    column: usize,
    at: &'f str,
    what: &'f str,
    help: Option<&'f str>,
}

fn tell_tools(file: &str, flaws: &[Flaw], good: bool, terminal: &mut Terminal<'_>) -> io::Result<()> {
    let level = if good { "warning" } else { "error" };
    let told = |flaw| {
        let Flaw { at, line, column, what, help, .. }: &Flaw = flaw;
        Told { level, file, line: *line, column: *column, at, what, help: help.as_deref() }
    };
    let told: Vec<Told<'_>> = flaws.iter().map(told).collect();
    serde_json::to_writer_pretty(&mut terminal.out, &told)?;
    writeln!(terminal.out)
}
