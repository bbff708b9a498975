//! `countersign check`: every flaw of a file, shown where it is.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::{End, Terminal, snippet};
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
    let declared = config::read(&bytes);
    let flaws = declared.as_ref().err().map(Vec::as_slice).unwrap_or_default();
    if json {
        tell_tools(&name, flaws, terminal)?;
    } else {
        for flaw in flaws {
            snippet::show(flaw, &name, &bytes, terminal)?;
        }
        let summary = match &declared {
            Ok(declared) => format!("no flaws, {}", count(declared.routes.len(), "route")),
            Err(flaws) => count(flaws.len(), "flaw"),
        };
        writeln!(terminal.out, "{name}: {summary}")?;
    }
    Ok(if declared.is_ok() { End::Good } else { End::Flawed })
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A flaw as tools read it.
#[derive(Serialize)]
struct Told<'f> {
    file: &'f str,
    line: usize,
    column: usize,
    at: &'f str,
    what: &'f str,
    help: Option<&'f str>,
}

fn tell_tools(file: &str, flaws: &[Flaw], terminal: &mut Terminal<'_>) -> io::Result<()> {
    let told = |flaw| {
        let Flaw { at, line, column, what, help, .. }: &Flaw = flaw;
        Told { file, line: *line, column: *column, at, what, help: help.as_deref() }
    };
    let told: Vec<Told<'_>> = flaws.iter().map(told).collect();
    serde_json::to_writer_pretty(&mut terminal.out, &told)?;
    writeln!(terminal.out)
}
