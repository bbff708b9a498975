//! `countersign audit`: reads the trail, and says whether anybody touched it.

mod anchor;
mod call;
mod chain;
mod finding;
mod line;
mod moment;
mod order;
mod read;
mod report;
mod source;
mod table;
mod verify;

use std::io;
use std::time::SystemTime;

use clap::{Args, Subcommand};

use super::{End, Terminal};
use source::Around;

/// What to do with a trail.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    read: read::Read,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says which record was altered, removed, inserted or swapped, and where an end is missing.
    ///
    /// Ends with 0 where the trail is intact, with 1 where it is broken, and with 2 where it cannot be read.
    Verify(verify::Verify),
}

pub(super) fn run(
    audit: &Audit,
    var: &dyn Fn(&str) -> Option<String>,
    now: SystemTime,
    terminal: &mut Terminal<'_>,
) -> io::Result<End> {
    let around = Around { var, now };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &audit.command {
            Some(Command::Verify(verify)) => verify::run(verify, &around, terminal).await,
            None => read::run(&audit.read, &around, terminal).await,
        }
    })
}
