//! The command line. Wires and runs; decides nothing.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use countersign::cli::{self, Cli, End, Terminal};

fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    // https://no-color.org: set, and not empty.
    let colours = out.is_terminal() && var("NO_COLOR").is_none_or(|value| value.is_empty());
    let watched = err.is_terminal();
    let mut terminal = Terminal { out: &mut out, err: &mut err, colours, watched };
    let end = cli::run(&Cli::parse(), var, now(), &mut terminal);
    match end.and_then(|end| out.flush().map(|()| end)) {
        Ok(end) => ExitCode::from(end as u8),
        // Whoever reads us has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(End::Unable as u8),
        Err(error) => {
            let _ = writeln!(err, "countersign: {error}");
            ExitCode::from(End::Unable as u8)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program's own environment is read in its `main`, and only there"
)]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]
fn now() -> SystemTime {
    SystemTime::now()
}
