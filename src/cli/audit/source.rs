//! Where records are read from: files, and log groups of CloudWatch Logs.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use clap::Args;

use crate::cli::Terminal;
use crate::config::env;
use crate::trail::group::{Event, Group, STREAMS, Scope};
use crate::wire::client::{Client, Reach, Roots};

/// What the world outside says.
pub(super) struct Around<'a> {
    /// Reads the environment.
    pub var: &'a dyn Fn(&str) -> Option<String>,
    /// What time it is.
    pub now: SystemTime,
}

/// Where to read.
#[derive(Debug, Args)]
pub(super) struct Sources {
    /// A file of records, one a line, or a function's log; more than once: all of them.
    #[arg(long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// A log group, likewise. Default: `$COUNTERSIGN_AUDIT_LOG_GROUP`.
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<String>,
    /// Shows what a data protection policy of the group masks. Needs the permission `logs:Unmask`.
    #[arg(long)]
    pub unmask: bool,
}

/// One place to read from.
pub(super) enum Source {
    File(PathBuf),
    Group(Group),
}

/// Where a line was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, or the log group.
    pub source: Rc<str>,
    /// The log stream.
    pub stream: Option<Rc<str>>,
    /// In a file: 1 for the first line.
    pub line: u64,
    /// In a log group: when the line came in, milliseconds since 1970.
    pub time: u64,
    /// Whether it says that it could not be delivered.
    pub undelivered: bool,
}

/// Which lines to read, of the sources that can tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Milliseconds since 1970.
    pub since: u64,
    /// Whether to read those streams from their beginning that were written to since.
    pub whole: bool,
}

/// Takes a line.
pub(super) type Take<'t> = dyn FnMut(&str, Place, &mut Terminal<'_>) -> io::Result<()> + 't;

impl Sources {
    /// All places, or what is missing to read them.
    pub fn open(&self, around: &Around<'_>) -> io::Result<Vec<Source>> {
        let mut sources: Vec<Source> = self.file.iter().cloned().map(Source::File).collect();
        let mut groups = self.group.clone();
        if self.file.is_empty() && groups.is_empty() {
            let default = (around.var)("COUNTERSIGN_AUDIT_LOG_GROUP").filter(|name| !name.is_empty());
            groups.push(default.ok_or_else(|| {
                io::Error::other(
                    "say what to read: `--file FILE`, `--group GROUP`, or set COUNTERSIGN_AUDIT_LOG_GROUP",
                )
            })?);
        }
        for name in groups {
            sources.push(Source::Group(open_group(name, self.unmask, around).map_err(io::Error::other)?));
        }
        Ok(sources)
    }
}

fn open_group(name: String, unmask: bool, around: &Around<'_>) -> Result<Group, String> {
    let var = |name: &str| (around.var)(name).filter(|value| !value.is_empty());
    let account = env::account(&var, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS")?;
    let roots = Roots::new(var("COUNTERSIGN_EXTRA_CA").map(PathBuf::from).as_deref())?;
    Ok(Group::new(account, Client::new(&roots, Reach::Anywhere)?, name, unmask))
}

impl Source {
    /// Reads all lines.
    pub async fn read(&self, span: Span, terminal: &mut Terminal<'_>, take: &mut Take<'_>) -> io::Result<()> {
        match self {
            Self::File(path) => read_file(path, terminal, take),
            Self::Group(group) => read_group(group, span, terminal, take).await,
        }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Group(group) => group.name().to_owned(),
        }
    }
}

fn read_file(path: &Path, terminal: &mut Terminal<'_>, take: &mut Take<'_>) -> io::Result<()> {
    let name = path.display().to_string();
    let unread = |error: io::Error| io::Error::new(error.kind(), format!("{name} cannot be read: {error}"));
    let mut file = BufReader::new(File::open(path).map_err(unread)?);
    let source: Rc<str> = name.as_str().into();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if file.read_until(b'\n', &mut bytes).map_err(unread)? == 0 {
            break;
        }
        let place = Place { source: Rc::clone(&source), stream: None, line, time: 0, undelivered: false };
        take(&String::from_utf8_lossy(&bytes), place, terminal)?;
    }
    Ok(())
}

async fn read_group(
    group: &Group,
    span: Span,
    terminal: &mut Terminal<'_>,
    take: &mut Take<'_>,
) -> io::Result<()> {
    let mut streams = BTreeSet::new();
    let mut note = |event: &Event, terminal: &mut Terminal<'_>| {
        streams.insert(event.stream.clone());
        take(&event.text, Place::of(group, event), terminal)
    };
    read_scope(group, Scope { since: span.since, ..Scope::default() }, terminal, &mut note).await?;
    if span.whole && 0 < span.since {
        let streams: Vec<String> = streams.into_iter().collect();
        for streams in streams.chunks(STREAMS) {
            let scope = Scope { since: 0, until: Some(span.since), streams: streams.to_vec() };
            let mut note = |event: &Event, terminal: &mut Terminal<'_>| {
                take(&event.text, Place::of(group, event), terminal)
            };
            read_scope(group, scope, terminal, &mut note).await?;
        }
    }
    Ok(())
}

/// Reads all pages, and says how far it is.
async fn read_scope(
    group: &Group,
    scope: Scope,
    terminal: &mut Terminal<'_>,
    note: &mut (dyn FnMut(&Event, &mut Terminal<'_>) -> io::Result<()> + '_),
) -> io::Result<()> {
    let (mut token, mut lines) = (None, 0);
    loop {
        let page = group.page(&scope, token).await;
        terminal.progress("")?;
        let (events, next) = page.map_err(io::Error::other)?;
        events.iter().try_for_each(|event| note(event, terminal))?;
        lines += events.len();
        token = next;
        if token.is_none() {
            return Ok(());
        }
        terminal.progress(&format!("{lines} lines of {} read", group.name()))?;
    }
}

impl Place {
    /// Of a line in a group.
    pub fn of(group: &Group, event: &Event) -> Self {
        let (source, stream) = (group.name().into(), Some(event.stream.as_str().into()));
        Self { source, stream, line: 0, time: event.time, undelivered: false }
    }

    /// What comes first was read first.
    pub fn order(&self) -> (u64, u64) {
        (self.time, self.line)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stream {
            Some(stream) => write!(f, "log stream {stream}"),
            None => write!(f, "{} line {}", self.source, self.line),
        }
    }
}
