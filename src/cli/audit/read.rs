//! `countersign audit`: shows the records that were asked for.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::call::{Call, Filter};
use super::line::{Line, at};
use super::moment::Since;
use super::source::{Around, Source, Sources, Span};
use super::table::{Row, Table};
use crate::cli::{End, Terminal};
use crate::trail::group::{Group, Scope};

/// A log group is read from so long ago on, where nothing else is said.
const DEFAULT: Duration = Duration::from_hours(1);

/// How often to look for new records.
const POLL: Duration = Duration::from_secs(2);

/// A record may come in so much later than another one that ended after it.
const LATENESS: u64 = Duration::from_mins(2).as_millis() as u64;

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Read {
    #[command(flatten)]
    sources: Sources,
    /// From then on: `1h` ago, or at `2026-11-22T10:00:00Z`. Default: `1h` of log groups, all of files.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    #[command(flatten)]
    filter: Filter,
    /// Goes on with new records of a log group until it is stopped.
    #[arg(long, conflicts_with = "file")]
    follow: bool,
    /// The records as they are, one a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(read: &Read, around: &Around<'_>, terminal: &mut Terminal<'_>) -> io::Result<End> {
    let sources = read.sources.open(around)?;
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    for source in &sources {
        let default = match source {
            Source::File(_) => 0,
            Source::Group(_) => Since::Ago(DEFAULT).millis(around.now),
        };
        let since = read.since.map_or(default, |since| since.millis(around.now));
        if read.follow
            && let ([_], Source::Group(group)) = (sources.as_slice(), source)
        {
            return follow(group, since, read, terminal).await;
        }
        let mut take = |text: &str, _, terminal: &mut Terminal<'_>| match read.wanted(text, since) {
            Some(record) if !seen.insert(hash(&record)) => Ok(()),
            Some(record) if read.json => writeln!(terminal.out, "{record}"),
            Some(record) => {
                rows.push((Call(&record).time(), Row::of(&Call(&record))));
                Ok(())
            }
            None => Ok(()),
        };
        source.read(Span { since, whole: false }, terminal, &mut take).await?;
    }
    if read.follow {
        return Err(io::Error::other("`--follow` goes with one log group"));
    }
    if !read.json {
        show(rows, terminal)?;
    }
    Ok(End::Good)
}

impl Read {
    /// The record of a line, where it is asked for.
    fn wanted(&self, text: &str, since: u64) -> Option<Value> {
        let Line::Record { value, .. } = Line::read(text) else { return None };
        (since <= Call(&value).time() && self.filter.fits(&value)).then_some(value)
    }
}

/// What tells a record apart: a delivery that was tried again brings some twice.
fn hash(record: &Value) -> String {
    at(record, "/attestation_list/0/fingerprint/value").to_string()
}

fn show(mut rows: Vec<(u64, Row)>, terminal: &mut Terminal<'_>) -> io::Result<()> {
    rows.sort_by_key(|(time, _)| *time);
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    if rows.is_empty() {
        return writeln!(terminal.err, "countersign: no record fits");
    }
    let table = Table::fit(&rows);
    table.head(terminal)?;
    rows.iter().try_for_each(|row| table.row(row, terminal))
}

/// Looks again and again, and shows what is new.
async fn follow(group: &Group, since: u64, read: &Read, terminal: &mut Terminal<'_>) -> io::Result<End> {
    let (mut seen, mut latest): (HashMap<String, u64>, u64) = (HashMap::new(), since);
    let mut table = None;
    loop {
        let mut rows = Vec::new();
        let scope = Scope { since: latest.saturating_sub(LATENESS).max(since), ..Scope::default() };
        let mut token = None;
        loop {
            let (events, next) = group.page(&scope, token).await.map_err(io::Error::other)?;
            for event in events {
                latest = latest.max(event.time);
                if seen.insert(event.id, event.time).is_none() {
                    rows.extend(read.wanted(&event.text, since));
                }
            }
            token = next;
            if token.is_none() {
                break;
            }
        }
        seen.retain(|_, time| latest.saturating_sub(LATENESS) <= *time);
        tell(&rows, read.json, &mut table, terminal)?;
        terminal.out.flush()?;
        tokio::time::sleep(POLL).await;
    }
}

/// Shows new records. The columns stay as wide as the first of them needed it.
fn tell(
    records: &[Value],
    json: bool,
    table: &mut Option<Table>,
    terminal: &mut Terminal<'_>,
) -> io::Result<()> {
    if json {
        return records.iter().try_for_each(|record| writeln!(terminal.out, "{record}"));
    }
    let rows: Vec<Row> = records.iter().map(|record| Row::of(&Call(record))).collect();
    if table.is_none() && !rows.is_empty() {
        let fitted = Table::fit(&rows);
        fitted.head(terminal)?;
        *table = Some(fitted);
    }
    rows.iter().try_for_each(|row| table.as_ref().map_or(Ok(()), |table| table.row(row, terminal)))
}
