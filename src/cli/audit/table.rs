//! Calls as a table: one line each, its columns aligned, what is wide shortened.

use std::io;

use super::call::Call;
use super::moment::moment;
use crate::cli::Terminal;

/// The columns: their names, and how wide they may become. The last one has no end.
const COLUMNS: [(&str, usize); 8] = [
    ("TIME (UTC)", 19),
    ("CALLER", 20),
    ("ROUTE", 40),
    ("UPSTREAM", 20),
    ("STATUS", 30),
    ("SECRETS", 40),
    ("MS", 8),
    ("", usize::MAX),
];

/// The column that is a number, and stands to the right.
const NUMBER: usize = 6;

/// So much of a version tells it from another one.
const VERSION: usize = 6;

/// A call's line.
pub(super) struct Row {
    cells: [String; 8],
    tone: Tone,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    /// No call.
    Dim,
    /// Somebody was refused, or would have been.
    Yellow,
    /// Something does not work, or a secret came back.
    Red,
}

impl Row {
    /// Of a record.
    pub fn of(call: &Call<'_>) -> Self {
        let secrets: Vec<String> = call.secrets().map(secret).collect();
        let cells = [
            moment(call.time()).replace('T', " ").replace('Z', ""),
            call.caller().to_owned(),
            call.route().to_owned(),
            call.upstream().to_owned(),
            status(call),
            secrets.join(" "),
            call.took().map(|took| took.to_string()).unwrap_or_default(),
            call.marks().join(", "),
        ];
        Self { cells: cells.map(|cell| clean(&cell)), tone: Tone::of(call) }
    }
}

impl Tone {
    fn of(call: &Call<'_>) -> Self {
        match call.status() {
            _ if call.has("leak") => Self::Red,
            Some(500..) => Self::Red,
            Some(400..) => Self::Yellow,
            Some(_) if !call.says("would_deny").is_null() => Self::Yellow,
            Some(_) => Self::Plain,
            None => Self::Dim,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "\x1b[2m",
            Self::Yellow => "\x1b[33m",
            Self::Red => "\x1b[31m",
        }
    }
}

/// `200`, or `403 origin_not_allowed`.
fn status(call: &Call<'_>) -> String {
    let status = call.status().map(|status| format!("{status} {}", call.code()));
    let status = status.map(|status| status.trim_end().to_owned());
    status.unwrap_or_else(|| if call.is_intent() { "intended".to_owned() } else { String::new() })
}

/// `github.token@6f0c1a`.
fn secret((name, version): (&str, &str)) -> String {
    let short: String = version.chars().take(VERSION).collect();
    if short.is_empty() { name.to_owned() } else { format!("{name}@{short}") }
}

/// How wide the columns are.
pub(super) struct Table([usize; 8]);

impl Table {
    /// As wide as these need it.
    pub fn fit(rows: &[Row]) -> Self {
        let mut widths = COLUMNS.map(|(name, _)| name.len());
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(&row.cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths.iter_mut().zip(COLUMNS).for_each(|(width, (_, most))| *width = most.min(*width));
        Self(widths)
    }

    /// The names of the columns.
    pub fn head(&self, terminal: &mut Terminal<'_>) -> io::Result<()> {
        let cells = COLUMNS.map(|(name, _)| name.to_owned());
        self.row(&Row { cells, tone: Tone::Dim }, terminal)
    }

    /// A line.
    pub fn row(&self, row: &Row, terminal: &mut Terminal<'_>) -> io::Result<()> {
        let cells = row.cells.iter().zip(self.0).enumerate();
        let cells = cells.map(|(column, (cell, width))| pad(cell, width, column == NUMBER));
        let line = cells.collect::<Vec<_>>().join("  ");
        let code = if terminal.colours { row.tone.code() } else { "" };
        let end = if code.is_empty() { "" } else { "\x1b[0m" };
        writeln!(terminal.out, "{code}{}{end}", line.trim_end())
    }
}

fn pad(cell: &str, width: usize, right: bool) -> String {
    let short: String = if width < cell.chars().count() {
        cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
    } else {
        cell.to_owned()
    };
    if right { format!("{short:>width$}") } else { format!("{short:width$}") }
}

/// What a record says, for a terminal: whoever forged it may have put commands for that into it.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
