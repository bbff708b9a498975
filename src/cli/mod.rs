//! The command line: for a person at a terminal, and for CI. Nothing of it
//! is in the function.

mod check;
mod presets;
mod reference;
mod schema;
mod snippet;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Lets browser pages call third-party APIs without ever holding a key.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says what is wrong with a file, and how to mend it.
    ///
    /// Ends with 0 where there is no flaw, with 1 where there is one, and with 2 where there is no file.
    Check {
        /// The file. Default: `$COUNTERSIGN_CONFIG`, or `countersign.yaml`.
        file: Option<PathBuf>,
        /// For people, or for tools.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Lists the APIs that an upstream's `preset` can name.
    Presets {
        /// For people, or for tools: a JSON array of `{name, url, credential, headers, expect, bad_key, docs}`.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Prints the JSON Schema of the file, for editors.
    Schema,
    /// Prints the reference of the file, in Markdown.
    Reference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As a compiler would: the line, a caret, and how to mend it.
    Text,
    /// A JSON array; of flaws: `{level, file, line, column, at, what, help}`.
    Json,
}

/// How a command ended: what the process says to whoever started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All is well.
    Good = 0,
    /// The file has flaws.
    Flawed = 1,
    /// The command could not do what it was asked.
    Unable = 2,
}

/// Where a command writes to.
pub struct Terminal<'w> {
    /// What was asked for.
    pub out: &'w mut dyn Write,
    /// What went wrong.
    pub err: &'w mut dyn Write,
    /// Whether `out` shows colours.
    pub colours: bool,
}

/// Runs a command. `var` reads the environment.
pub fn run(cli: &Cli, var: impl Fn(&str) -> Option<String>, terminal: &mut Terminal<'_>) -> io::Result<End> {
    match &cli.command {
        Command::Check { file, format } => {
            let named = || var("COUNTERSIGN_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
            let file = file.clone().or_else(named).unwrap_or_else(|| PathBuf::from("countersign.yaml"));
            check::run(&file, *format == Format::Json, terminal)
        }
        Command::Presets { format } => presets::run(*format == Format::Json, terminal),
        Command::Schema => terminal.out.write_all(schema::text().as_bytes()).map(|()| End::Good),
        Command::Reference => terminal.out.write_all(reference::text().as_bytes()).map(|()| End::Good),
    }
}
