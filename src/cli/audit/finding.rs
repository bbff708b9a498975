//! What `audit verify` finds wrong, in words for people and for tools.

use std::time::Duration;

use serde::Serialize;

use super::chain::Entry;
use super::moment::moment;
use super::source::Place;
use super::table::clean;

/// CloudWatch Logs shows what came in one after the other and in no order; after so long, all of it.
const SETTLED: u64 = Duration::from_mins(1).as_millis() as u64;

/// One break of a chain, at one place or at several in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What somebody did.
    pub kind: Kind,
    /// The first record that it is about.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// When the first came in, or, of what is missing, the one before it: milliseconds since 1970.
    pub time: Option<u64>,
    /// Of what is missing: when the one after it came in.
    pub until: Option<u64>,
    /// Where the first was read.
    pub place: Option<Place>,
    /// How we know.
    pub why: Why,
}

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A record does not say any more what it said.
    Altered,
    /// Records are missing.
    Removed,
    /// A record is there that the chain does not know.
    Inserted,
    /// Two records stand in each other's place.
    Swapped,
    /// Several records are out of order.
    Disordered,
    /// One of two records is false, and nothing says which.
    Unclear,
}

/// How we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its hash is not that of what it says.
    Unsound,
    /// Its hash fits, and is not the one that the record after it knows.
    Remade,
    /// An anchor knows another one.
    Anchor,
    /// It refers to another record than the one before it, which an anchor knows.
    Astray,
    /// The chain's true record has this place.
    Taken,
    /// The environment had ended.
    BehindTheEnd,
    /// It is where a chain begins, and is no beginning.
    NoOpening,
    /// Numbers are missing.
    Gap,
    /// It was read at another place than that of its number.
    Order,
    /// Two that do not fit together.
    Dispute,
    /// Two that have the same number.
    Twins,
}

impl Finding {
    /// A record that was changed.
    pub fn altered(entry: &Entry, why: Why) -> Self {
        Self::about(Kind::Altered, entry, entry, why)
    }

    /// A record that does not belong there.
    pub fn inserted(entry: &Entry, why: Why) -> Self {
        Self::about(Kind::Inserted, entry, entry, why)
    }

    /// One of the two is false.
    pub fn unclear(one: &Entry, other: &Entry) -> Self {
        let twins = one.link.sequence == other.link.sequence;
        Self::about(Kind::Unclear, one, other, if twins { Why::Twins } else { Why::Dispute })
    }

    /// Records that are out of order, from one to another.
    pub fn moved(kind: Kind, one: &Entry, other: &Entry) -> Self {
        Self::about(kind, one, other, Why::Order)
    }

    /// Records that are missing, between those of two times.
    pub fn removed((first, last): (u64, u64), time: Option<u64>, until: Option<u64>, why: Why) -> Self {
        Self { kind: Kind::Removed, first, last, time, until, place: None, why }
    }

    fn about(kind: Kind, one: &Entry, other: &Entry, why: Why) -> Self {
        let (first, last) = (one.link.sequence, other.link.sequence);
        let (time, place) = (Some(one.link.time), Some(one.place.clone()));
        Self { kind, first, last, time, until: None, place, why }
    }

    /// Whether what is missing was recorded so short a time ago that it may not be visible yet.
    pub fn may_still_come(&self, now: u64) -> bool {
        let newest = self.until.max(self.time).unwrap_or_default();
        self.kind == Kind::Removed && now.saturating_sub(newest) < SETTLED
    }

    /// Whether it blames the record of that number.
    pub fn is_about(&self, sequence: u64) -> bool {
        self.kind != Kind::Removed && (self.first..=self.last).contains(&sequence)
    }

    /// In the order of the chain; the same of several in a row is said once.
    pub fn merge(mut findings: Vec<Self>) -> Vec<Self> {
        findings.sort_by_key(|finding| finding.first);
        let mut merged: Vec<Self> = Vec::new();
        for finding in findings {
            match merged.last_mut() {
                Some(before) if before.goes_on_in(&finding) => before.last = finding.last,
                _ => merged.push(finding),
            }
        }
        merged
    }

    fn goes_on_in(&self, next: &Self) -> bool {
        let mergeable = matches!(self.kind, Kind::Altered | Kind::Inserted | Kind::Removed);
        mergeable
            && self.kind == next.kind
            && self.why == next.why
            && self.last.checked_add(1) == Some(next.first)
    }

    /// In words, in one line.
    pub fn words(&self) -> String {
        let subject = match (self.kind, self.last.saturating_sub(self.first)) {
            (Kind::Unclear, 0) => format!("one of two records {}", self.first),
            (_, 0) => format!("record {}", self.first),
            (Kind::Swapped, _) => format!("records {} and {}", self.first, self.last),
            (Kind::Unclear, _) => format!("record {} or record {}", self.first, self.last),
            _ => format!("records {} to {}", self.first, self.last),
        };
        let verb = if subject.starts_with("records") { "were" } else { "was" };
        let why = if (self.kind, self.why) == (Kind::Removed, Why::Gap) && self.first == self.last {
            "its number is missing"
        } else {
            self.why.words(self.kind)
        };
        format!("{subject} {verb} {}{}: {why}", self.deed(), self.location())
    }

    fn deed(&self) -> &'static str {
        match self.kind {
            Kind::Unclear if self.why == Why::Twins => "inserted",
            Kind::Altered | Kind::Unclear => "altered",
            Kind::Removed => "removed",
            Kind::Inserted => "inserted",
            Kind::Swapped => "swapped",
            Kind::Disordered => "put out of order",
        }
    }

    /// `, 2026-11-22T10:00:00Z, trail.jsonl line 7`.
    fn location(&self) -> String {
        let times = match (self.kind, self.time, self.until) {
            (Kind::Removed, Some(time), Some(until)) => {
                format!(", between {} and {}", moment(time), moment(until))
            }
            (Kind::Removed, Some(time), None) => format!(", after {}", moment(time)),
            (Kind::Removed, None, Some(until)) => format!(", before {}", moment(until)),
            (_, time, _) => time.map(|time| format!(", {}", moment(time))).unwrap_or_default(),
        };
        let place = self.place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
        times + &place
    }

    /// As tools read it.
    pub fn told(&self, chain: &str) -> Told {
        Told {
            chain: chain.to_owned(),
            kind: self.kind,
            first: self.first,
            last: self.last,
            time: self.time.map(moment),
            until: self.until.map(moment),
            stream: self.place.as_ref().and_then(|place| place.stream.as_deref().map(str::to_owned)),
            place: self.place.as_ref().map(Place::to_string),
            what: clean(&self.words()),
        }
    }
}

impl Why {
    fn words(self, kind: Kind) -> &'static str {
        match self {
            Self::Unsound => "its fingerprint is not that of what it says",
            Self::Remade => {
                "its fingerprint was made anew, and is not the one that the record after it knows"
            }
            Self::Anchor if kind == Kind::Removed => "the end is cut off; an anchor knows of more",
            Self::Anchor => "its fingerprint is not the one that an anchor knows",
            Self::Astray => "it does not refer to the record before it, which an anchor knows",
            Self::Taken => "another record is the true one of this number",
            Self::BehindTheEnd => "it stands behind the closing record of its environment",
            Self::NoOpening => "a chain begins with an opening record, and this is none",
            Self::Gap => "their numbers are missing",
            Self::Order => "they do not stand in the order of their numbers",
            Self::Dispute => "both have a fingerprint that fits, and they do not fit together",
            Self::Twins => "both have a fingerprint that fits, and no record behind them says which is true",
        }
    }
}

/// A finding as tools read it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub chain: String,
    kind: Kind,
    first: u64,
    last: u64,
    time: Option<String>,
    until: Option<String>,
    stream: Option<String>,
    place: Option<String>,
    pub what: String,
}
