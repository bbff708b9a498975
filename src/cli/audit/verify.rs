//! `countersign audit verify`: walks the chains of a trail.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;

use super::anchor::{self, Anchors};
use super::chain::{self, Entry};
use super::line::{Line, Link};
use super::moment::Since;
use super::report::Report;
use super::source::{Around, Place, Source, Sources, Span};
use super::table::clean;
use crate::cli::{End, Terminal};
use crate::trail::ocsf::millis;

/// After so long a trail that seems to lack records of the last minute is read again.
const AGAIN: Duration = Duration::from_secs(5);

/// How to verify.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    sources: Sources,
    /// Only chains with a record since then, `1h` ago or at `2026-11-22T10:00:00Z`; each one whole.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// A file of anchors, one a line: `{"anchor": {"chain_uid", "sequence", "fingerprint"}}`.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// A chain whose end is missing is a break too.
    #[arg(long)]
    strict_tails: bool,
    /// One JSON object, for tools.
    #[arg(long)]
    json: bool,
}

/// What was read.
#[derive(Default)]
struct Trail {
    entries: Vec<Entry>,
    /// Where records were that cannot be read any more.
    mangled: Vec<String>,
}

pub(super) async fn run(
    verify: &Verify,
    around: &Around<'_>,
    terminal: &mut Terminal<'_>,
) -> io::Result<End> {
    let since = verify.since.map_or(0, |since| since.millis(around.now));
    let sources = verify.sources.open(around)?;
    let anchors = verify.anchors.as_deref().map(anchor::read).transpose()?.unwrap_or_default();
    let mut trail = Trail::read(&sources, since, terminal).await?;
    // That nothing was recorded since is no fault. That nothing was ever recorded is none to be sure of.
    if trail.is_empty() && anchors.is_empty() && verify.since.is_none() {
        let names: Vec<String> = sources.iter().map(Source::name).collect();
        return Err(io::Error::other(format!("{}: there is no record in it", names.join(", "))));
    }
    let mut report = trail.judge(&anchors, since, around.now);
    if report.unsettled && sources.iter().any(|source| matches!(source, Source::Group(_))) {
        terminal.progress("what is missing may not be visible yet; it is read again in five seconds")?;
        tokio::time::sleep(AGAIN).await;
        trail = Trail::read(&sources, since, terminal).await?;
        report = trail.judge(&anchors, since, around.now);
    }
    let report = report.close(verify.strict_tails);
    if verify.json {
        serde_json::to_writer_pretty(&mut terminal.out, &report)?;
        writeln!(terminal.out)?;
    } else {
        report.tell(terminal)?;
    }
    Ok(if report.intact { End::Good } else { End::Flawed })
}

impl Trail {
    async fn read(sources: &[Source], since: u64, terminal: &mut Terminal<'_>) -> io::Result<Self> {
        let mut trail = Self::default();
        for source in sources {
            let mut take = |text: &str, place, _: &mut Terminal<'_>| {
                trail.take(text, place);
                Ok(())
            };
            source.read(Span { since, whole: true }, terminal, &mut take).await?;
        }
        Ok(trail)
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.mangled.is_empty()
    }

    fn take(&mut self, text: &str, mut place: Place) {
        match Line::read(text) {
            Line::Record { value, undelivered } => {
                place.undelivered = undelivered;
                match Link::of(value) {
                    Some(link) => self.entries.push(Entry { link, place }),
                    None => self.mangled.push(clean(&place.to_string())),
                }
            }
            Line::Mangled => self.mangled.push(clean(&place.to_string())),
            Line::Other => {}
        }
    }

    /// Judges the chains with a record since then, or with an anchor.
    fn judge(mut self, anchors: &Anchors, since: u64, now: SystemTime) -> Report {
        let mut chains = self.chains();
        chains.retain(|chain, entries| {
            entries.iter().any(|entry| since <= entry.link.time) || anchors.contains_key(chain)
        });
        // Of those that nothing was recorded of since, nothing may have been read.
        let all = since == 0;
        let missing = anchors.keys().filter(|name| all && !chains.contains_key(*name)).cloned().collect();
        let mut report = Report::new(self.mangled, missing);
        for (name, entries) in chains {
            let known = anchors.get(&name).map(Vec::as_slice).unwrap_or_default();
            report.add(&name, chain::judge(entries, known), millis(now));
        }
        report
    }

    /// The records of each chain. One that was altered stands where the record after it says
    /// it stood, for its name and its number may be what was altered.
    fn chains(&mut self) -> BTreeMap<String, Vec<Entry>> {
        let sound = self.entries.iter().filter(|entry| entry.link.is_sound() && 0 < entry.link.sequence);
        let known: HashMap<String, (String, u64)> = sound
            .map(|entry| &entry.link)
            .map(|link| (link.before.clone(), (link.chain.clone(), link.sequence - 1)))
            .collect();
        let mut chains: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for mut entry in self.entries.drain(..) {
            let stated = entry.link.stated.as_ref().filter(|_| !entry.link.is_sound());
            if let Some((chain, sequence)) = stated.and_then(|stated| known.get(stated)) {
                entry.link.chain.clone_from(chain);
                entry.link.sequence = *sequence;
            }
            chains.entry(entry.link.chain.clone()).or_default().push(entry);
        }
        chains
    }
}
