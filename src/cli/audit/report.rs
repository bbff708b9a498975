//! What `countersign audit verify` says of a trail.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::chain::Judgement;
use super::finding::Told;
use super::line::Role;
use super::moment::moment;
use super::table::clean;
use crate::cli::{Terminal, count};

/// No environment lives idle for so long: one that said nothing since has ended.
const IDLE: u64 = Duration::from_hours(2).as_millis() as u64;

/// What was found out, as tools read it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Whether nothing is wrong.
    pub intact: bool,
    chains: usize,
    records: usize,
    /// Records that were there once more.
    copies: usize,
    /// Chains that may still go on.
    open: usize,
    breaks: Vec<Told>,
    /// Where a record was that cannot be read any more.
    mangled: Vec<String>,
    /// Chains of which an anchor knows, and nothing else.
    missing: Vec<String>,
    /// Chains whose end is missing.
    endless: Vec<Endless>,
    /// Whether some of what is missing may not be visible yet.
    #[serde(skip)]
    pub unsettled: bool,
}

/// A chain whose end is missing.
#[derive(Debug, Serialize)]
struct Endless {
    chain: String,
    sequence: u64,
    time: String,
    what: String,
}

impl Report {
    /// Begins with what belongs to no chain that is there.
    pub fn new(mangled: Vec<String>, missing: Vec<String>) -> Self {
        Self { mangled, missing, ..Self::default() }
    }

    /// Adds a chain.
    pub fn add(&mut self, chain: &str, judgement: Judgement, now: u64) {
        self.chains += 1;
        self.records += judgement.records;
        self.copies += judgement.copies;
        self.unsettled |= judgement.findings.iter().any(|finding| finding.may_still_come(now));
        self.breaks.extend(judgement.findings.iter().map(|finding| finding.told(chain)));
        let Some(last) = judgement.last.filter(|last| last.link.role != Role::Closing) else { return };
        let idle = now.saturating_sub(last.link.time);
        if idle < IDLE {
            self.open += 1;
            return;
        }
        let (sequence, time) = (last.link.sequence, moment(last.link.time));
        let minutes = humantime::format_duration(Duration::from_secs(idle / 60_000 * 60));
        let what = format!(
            "its end is missing: in the {minutes} after record {sequence}, {time}, nothing more was recorded; \
             an environment that was killed looks the same"
        );
        self.endless.push(Endless { chain: chain.to_owned(), sequence, time, what });
    }

    /// Says whether all is well. `strict`: a chain whose end is missing is not.
    pub fn close(mut self, strict: bool) -> Self {
        self.intact = self.faults() == 0 && (!strict || self.endless.is_empty());
        self
    }

    fn faults(&self) -> usize {
        self.breaks.len() + self.mangled.len() + self.missing.len()
    }

    /// Says it to people. Of an intact trail that is one line.
    pub fn tell(&self, terminal: &mut Terminal<'_>) -> io::Result<()> {
        let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for told in &self.breaks {
            lines.entry(&told.chain).or_default().push(&told.what);
        }
        for endless in &self.endless {
            lines.entry(&endless.chain).or_default().push(&endless.what);
        }
        for missing in &self.missing {
            lines
                .entry(missing)
                .or_default()
                .push("all of it was removed: an anchor knows of it, and nothing is there");
        }
        for (chain, lines) in lines {
            writeln!(terminal.out, "chain {}", clean(chain))?;
            lines.iter().try_for_each(|line| writeln!(terminal.out, "  {line}"))?;
        }
        for place in &self.mangled {
            writeln!(terminal.out, "{place}: a record that cannot be read any more")?;
        }
        writeln!(terminal.out, "{}", self.summary())
    }

    /// `3 chains, 120 records, 2 copies: intact`.
    fn summary(&self) -> String {
        if self.chains == 0 && self.faults() == 0 {
            return "nothing was recorded since then".to_owned();
        }
        let mut parts = vec![count(self.chains, "chain"), count(self.records, "record")];
        if 0 < self.copies {
            let word = if self.copies == 1 { "copy" } else { "copies" };
            parts.push(format!("{} {word}", self.copies));
        }
        if 0 < self.open {
            parts.push(format!("{} still open", self.open));
        }
        if !self.endless.is_empty() {
            parts.push(format!("{} without an end", self.endless.len()));
        }
        let verdict = match self.faults() {
            0 if self.intact => "intact".to_owned(),
            0 => "not intact".to_owned(),
            faults => count(faults, "break"),
        };
        format!("{}: {verdict}", parts.join(", "))
    }
}
