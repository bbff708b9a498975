//! The command line: for a person at a terminal, and for CI. Nothing of it
//! is in the function.

mod audit;
mod check;
mod presets;
mod reference;
mod schema;
mod snippet;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

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
    /// Reads the trail: who called what, when, with which secret, and what became of it.
    ///
    /// Ends with 0, also where no record fits, and with 2 where the trail cannot be read.
    Audit(Box<audit::Audit>),
    /// Prints the JSON Schema of the file, for editors.
    Schema {
        /// That of the records instead.
        #[arg(long)]
        record: bool,
    },
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
    /// The file has flaws, or the trail is broken.
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
    /// Whether somebody looks at `err`, and may see how far we are.
    pub watched: bool,
}

impl Terminal<'_> {
    /// Says how far we are, in place of what it said before.
    fn progress(&mut self, text: &str) -> io::Result<()> {
        if self.watched {
            write!(self.err, "\r\x1b[K{text}")?;
            self.err.flush()?;
        }
        Ok(())
    }
}

/// `1 record`, `2 records`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Runs a command, as of `now`. `var` reads the environment.
pub fn run(
    cli: &Cli,
    var: impl Fn(&str) -> Option<String>,
    now: SystemTime,
    terminal: &mut Terminal<'_>,
) -> io::Result<End> {
    match &cli.command {
        Command::Check { file, format } => {
            let named = || var("COUNTERSIGN_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
            let file = file.clone().or_else(named).unwrap_or_else(|| PathBuf::from("countersign.yaml"));
            check::run(&file, *format == Format::Json, terminal)
        }
        Command::Audit(audit) => audit::run(audit, &var, now, terminal),
        Command::Presets { format } => presets::run(*format == Format::Json, terminal),
        Command::Schema { record } => {
            let text = if *record { schema::of_records() } else { schema::text() };
            terminal.out.write_all(text.as_bytes()).map(|()| End::Good)
        }
        Command::Reference => terminal.out.write_all(reference::text().as_bytes()).map(|()| End::Good),
    }
}
