//! One chain, judged: what was altered, removed, inserted or swapped.
//!
//! Whoever alters a record can make its hash anew, so a record's word about
//! itself proves little. The record after it knows the true one. So a chain is
//! walked from its end to its beginning: what fits the record after it is true.

use std::collections::{BTreeMap, HashSet};

use super::anchor::Anchor;
use super::finding::{Finding, Why};
use super::line::{Link, Role};
use super::order;
use super::source::Place;

/// A record, and where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// What binds it.
    pub link: Link,
    /// Where it was read.
    pub place: Place,
}

/// What was found out about a chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    /// What is wrong, in the order of the chain.
    pub findings: Vec<Finding>,
    /// How many records it has, each once.
    pub records: usize,
    /// How many were there once more.
    pub copies: usize,
    /// Its last record.
    pub last: Option<Entry>,
}

/// What the record after a place says of it.
enum Expected<'e> {
    /// Nothing: it is the last, or the next is missing.
    Nothing,
    /// Something that may be as false as itself.
    Perhaps(&'e str),
    /// Nobody vouches for who says it, yet.
    Likely(&'e Entry),
    /// The truth.
    Surely(&'e str),
}

/// What the first record says of the one before it.
fn zeros() -> String {
    "0".repeat(64)
}

/// Judges a chain, by its records in the order in which they were read.
pub(super) fn judge(entries: Vec<Entry>, anchors: &[Anchor]) -> Judgement {
    let all = entries.len();
    let mut places = each_once(entries);
    let records = places.values().map(Vec::len).sum();
    let mut findings = behind_the_end(&mut places);
    let mut walk = Walk { findings: Vec::new(), truth: Vec::new(), anchors, places: &places };
    walk.down();
    let Walk { findings: found, truth, .. } = walk;
    findings.extend(found);
    findings.extend(order::check(&truth));
    findings.extend(cut(&places, anchors));
    let last = truth.first().map(|last| (*last).clone());
    Judgement { findings: Finding::merge(findings), records, copies: all - records, last }
}

type Places = BTreeMap<u64, Vec<Entry>>;

/// The records by their places. The same one twice is no fault: a delivery was tried again.
fn each_once(mut entries: Vec<Entry>) -> Places {
    entries.sort_by_key(|entry| entry.place.undelivered);
    let (mut seen, mut places) = (HashSet::new(), Places::new());
    for entry in entries {
        if seen.insert((entry.link.own.clone(), entry.link.stated.clone(), entry.link.sequence)) {
            places.entry(entry.link.sequence).or_default().push(entry);
        }
    }
    places
}

/// Takes away what stands behind the closing record. Where two records in a row agree on
/// what is before them, it is rather the closing record that is false.
fn behind_the_end(places: &mut Places) -> Vec<Finding> {
    let closes = |(_, entries): &(&u64, &Vec<Entry>)| match entries.as_slice() {
        [only] => only.link.is_sound() && only.link.role == Role::Closing,
        _ => false,
    };
    let vouched = |at: u64| {
        let next = at.checked_add(1).and_then(|next| places.get(&next)).into_iter().flatten();
        next.into_iter()
            .any(|next| places.get(&at).into_iter().flatten().any(|entry| entry.link.own == next.link.before))
    };
    let end =
        places.iter().filter(closes).map(|(at, _)| *at).find(|at| !at.checked_add(1).is_some_and(vouched));
    let behind = end.and_then(|end| end.checked_add(1)).map(|from| places.split_off(&from));
    let behind = behind.unwrap_or_default().into_values().flatten();
    behind.map(|entry| Finding::inserted(&entry, Why::BehindTheEnd)).collect()
}

/// An anchor that knows of more than there is.
fn cut(places: &Places, anchors: &[Anchor]) -> Option<Finding> {
    let (last, entries) = places.last_key_value()?;
    let anchored = anchors.iter().map(|anchor| anchor.sequence).max().filter(|anchored| last < anchored)?;
    let after = entries.first().map(|entry| entry.link.time);
    Some(Finding::removed((last + 1, anchored), after, None, Why::Anchor))
}

/// A walk from the end of a chain to its beginning.
struct Walk<'w> {
    places: &'w Places,
    anchors: &'w [Anchor],
    findings: Vec<Finding>,
    /// The records that are believed, last first.
    truth: Vec<&'w Entry>,
}

impl<'w> Walk<'w> {
    fn down(&mut self) {
        let places: &'w Places = self.places;
        let mut expected = Expected::Nothing;
        let mut above: Option<u64> = None;
        for (&at, candidates) in places.iter().rev() {
            if let Some(above) = above
                && at + 1 < above
            {
                self.gap(candidates.first(), (at + 1, above - 1));
                expected = Expected::Nothing;
            }
            expected = match self.anchors.iter().find(|anchor| anchor.sequence == at) {
                Some(anchor) => self.anchored(candidates, &anchor.fingerprint, &expected),
                None => self.place(candidates, expected),
            };
            above = Some(at);
        }
        match above {
            Some(lowest) if 0 < lowest => self.gap(None, (0, lowest - 1)),
            _ => self.beginning(),
        }
        self.ends_in_the_middle();
    }

    fn gap(&mut self, before: Option<&Entry>, range: (u64, u64)) {
        let before = before.map(|entry| entry.link.time);
        let after = self.truth.last().map(|entry| entry.link.time);
        self.findings.push(Finding::removed(range, before, after, Why::Gap));
    }

    /// Judges those who claim one place, and says what is to be expected of the place before.
    fn place(&mut self, candidates: &'w [Entry], expected: Expected<'w>) -> Expected<'w> {
        match expected {
            Expected::Nothing => self.unvouched(candidates),
            Expected::Perhaps(hash) => match fit(candidates, hash) {
                Some(found) => self.vouched(candidates, found),
                None => self.unvouched(candidates),
            },
            Expected::Surely(hash) => match fit(candidates, hash) {
                Some(found) => self.vouched(candidates, found),
                None => self.denied(candidates, Why::Remade),
            },
            Expected::Likely(after) => match fit(candidates, &after.link.before) {
                Some(found) => self.vouched(candidates, found),
                None => self.disputed(candidates, after),
            },
        }
    }

    /// An anchor knows this one, whatever the record after it says.
    fn anchored(&mut self, candidates: &'w [Entry], hash: &str, expected: &Expected<'w>) -> Expected<'w> {
        let Some(found) = fit(candidates, hash) else { return self.denied(candidates, Why::Anchor) };
        let astray = match expected {
            Expected::Nothing | Expected::Perhaps(_) => false,
            Expected::Likely(after) => after.link.before != hash,
            Expected::Surely(before) => *before != hash,
        };
        if astray && let Some(after) = self.truth.last() {
            self.findings.push(Finding::altered(after, Why::Astray));
        }
        self.vouched(candidates, found)
    }

    /// The record after it knows this one; the others claim a place that is not theirs.
    fn vouched(&mut self, candidates: &'w [Entry], found: &'w Entry) -> Expected<'w> {
        self.reject_others(candidates, found);
        self.truth.push(found);
        if found.link.is_sound() {
            return Expected::Surely(&found.link.before);
        }
        self.findings.push(Finding::altered(found, Why::Unsound));
        Expected::Perhaps(&found.link.before)
    }

    /// Nobody says what stands here.
    fn unvouched(&mut self, candidates: &'w [Entry]) -> Expected<'w> {
        let mut sound: Vec<&Entry> = candidates.iter().filter(|entry| entry.link.is_sound()).collect();
        if 1 < sound.len() {
            let linked: Vec<&Entry> = sound.iter().copied().filter(|entry| self.continues(entry)).collect();
            sound = if linked.is_empty() { sound } else { linked };
        }
        let Some((&first, more)) = sound.split_first() else {
            return self.denied(candidates, Why::Unsound);
        };
        for other in candidates.iter().filter(|other| !sound.contains(other)) {
            self.findings.push(Finding::inserted(other, Why::Taken));
        }
        self.findings.extend(more.iter().map(|other| Finding::unclear(first, other)));
        self.truth.push(first);
        Expected::Likely(first)
    }

    /// All who claim the place are false.
    fn denied(&mut self, candidates: &'w [Entry], why: Why) -> Expected<'w> {
        for entry in candidates {
            let why = if entry.link.is_sound() { why } else { Why::Unsound };
            self.findings.push(Finding::altered(entry, why));
        }
        self.truth.extend(candidates.first());
        candidates.first().map_or(Expected::Nothing, |first| Expected::Perhaps(&first.link.before))
    }

    /// The last record and the one before it do not fit. One of them is false.
    fn disputed(&mut self, candidates: &'w [Entry], after: &'w Entry) -> Expected<'w> {
        let all_unsound = candidates.iter().all(|entry| !entry.link.is_sound());
        if all_unsound {
            return self.denied(candidates, Why::Unsound);
        }
        let known = self.findings.iter().any(|finding| finding.is_about(after.link.sequence));
        let next = self.unvouched(candidates);
        if !known && let Some(here) = self.truth.last() {
            self.findings.push(Finding::unclear(here, after));
        }
        next
    }

    fn reject_others(&mut self, candidates: &[Entry], found: &Entry) {
        let others = candidates.iter().filter(|other| *other != found);
        self.findings.extend(others.map(|other| Finding::inserted(other, Why::Taken)));
    }

    /// Whether a record before it is the one that it refers to.
    fn continues(&self, entry: &Entry) -> bool {
        let before = entry.link.sequence.checked_sub(1).and_then(|before| self.places.get(&before));
        before.is_some_and(|before| fit(before, &entry.link.before).is_some())
    }

    /// The first record opens the chain, and has nothing before it.
    fn beginning(&mut self) {
        let Some(first) = self.truth.last() else { return };
        let opens = first.link.role == Role::Opening && first.link.before == zeros();
        let known = self.findings.iter().any(|finding| finding.is_about(0));
        if !opens && !known {
            self.findings.push(Finding::altered(first, Why::NoOpening));
        }
    }

    /// A chain goes on behind a closing record only where somebody made it go on.
    fn ends_in_the_middle(&mut self) {
        let innocent = |entry: &&&Entry| !self.findings.iter().any(|it| it.is_about(entry.link.sequence));
        let mut upward = self.truth.iter().rev().filter(innocent);
        if upward.by_ref().any(|entry| entry.link.role == Role::Closing) {
            let more: Vec<Finding> =
                upward.map(|entry| Finding::inserted(entry, Why::BehindTheEnd)).collect();
            self.findings.extend(more);
        }
    }
}

/// The record with that hash; or else the one that says it has it.
fn fit<'e>(candidates: &'e [Entry], hash: &str) -> Option<&'e Entry> {
    let own = candidates.iter().find(|entry| entry.link.own == hash);
    own.or_else(|| candidates.iter().find(|entry| entry.link.stated.as_deref() == Some(hash)))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Kind;
    use super::*;

    /// `3 c<b`: the record 3, whose hash is `c`, behind the one whose hash is `b`. It says that
    /// its hash is another one: `3 c!x<b`. It opens or closes the chain: `3 c<b.`
    fn entry((line, text): (u64, &str)) -> Entry {
        let (sequence, rest) = text.split_once(' ').unwrap();
        let (own, before) = rest.split_once('<').unwrap();
        let (before, ends) = before.strip_suffix('.').map_or((before, false), |before| (before, true));
        let (own, stated) = own.split_once('!').unwrap_or((own, own));
        let sequence = sequence.parse().unwrap();
        let role = match (ends, sequence) {
            (false, _) => Role::Middle,
            (true, 0) => Role::Opening,
            (true, _) => Role::Closing,
        };
        let before = if before == "0" { zeros() } else { before.to_owned() };
        let (chain, own, stated) = ("t".to_owned(), own.to_owned(), Some(stated.to_owned()));
        let place = Place { source: "f".into(), stream: None, line, time: 0, undelivered: false };
        Entry { link: Link { chain, sequence, own, stated, before, role, time: 0 }, place }
    }

    fn check(records: &[&str], expected: &[(Kind, u64, u64)]) {
        let entries = (1..).zip(records.iter().copied()).map(entry).collect();
        let found = judge(entries, &[]).findings;
        let found: Vec<_> = found.iter().map(|it| (it.kind, it.first, it.last)).collect();
        assert_eq!(found, expected, "{records:?}");
    }

    #[test]
    fn the_next_true_record_says_which_one_is_false() {
        check(&["0 a<0.", "1 b<a", "2 c<b", "3 d<c."], &[]);
        check(&["0 a<0.", "1 x<a", "2 c<b", "3 d<c."], &[(Kind::Altered, 1, 1)]);
        check(&["0 a<0.", "1 b<x", "2 c<b", "3 d<c."], &[(Kind::Altered, 0, 0)]);
        check(&["0 a<0.", "1 x!b<a", "2 c<b", "3 d<c."], &[(Kind::Altered, 1, 1)]);
        check(&["0 a<0.", "1 x<y", "2 c<b", "3 d<c."], &[(Kind::Altered, 1, 1)]);
        check(&["0 a<0.", "1 w!b<a", "2 x!c<b", "3 d<c."], &[(Kind::Altered, 1, 2)]);
        check(&["0 a<0.", "1 b<a", "2 c<x."], &[(Kind::Unclear, 1, 2)]);
        check(&["0 a<0.", "1 b<a", "2 c!x<b."], &[(Kind::Altered, 2, 2)]);
        check(&["0 x!a<0.", "1 b<a."], &[(Kind::Altered, 0, 0)]);
    }

    #[test]
    fn of_two_with_the_same_number_one_is_true() {
        let inserted = (Kind::Inserted, 1, 1);
        check(&["0 a<0.", "1 b<a", "1 x<a", "2 c<b", "3 d<c."], &[inserted]);
        check(&["0 a<0.", "1 b<a", "1 x!b<a", "2 c<b", "3 d<c."], &[inserted]);
        check(&["0 a<0.", "1 b<a", "1 x<y"], &[inserted]);
        check(&["0 a<0.", "1 x!y<a", "1 b<a"], &[inserted]);
        check(&["0 a<0.", "1 b<a", "1 x<a"], &[(Kind::Unclear, 1, 1)]);
        check(&["0 a<0.", "1 b<a", "1 b<a", "2 c<b."], &[]);
    }

    #[test]
    fn nothing_follows_a_closing_record() {
        check(&["0 a<0.", "1 b<a.", "2 c<b"], &[(Kind::Inserted, 2, 2)]);
        check(&["0 a<0.", "1 b<a.", "2 c<x", "7 d<y"], &[(Kind::Inserted, 2, 2), (Kind::Inserted, 7, 7)]);
        check(&["0 a<0.", "1 b<a.", "2 c<b", "3 d<c"], &[(Kind::Inserted, 2, 3)]);
        check(&["0 a<0.", "1 b<a", "1 x<a.", "2 c<b", "3 d<c"], &[(Kind::Inserted, 1, 1)]);
        check(&["0 a<0.", "1 x<a.", "2 c<b", "3 d<c"], &[(Kind::Altered, 1, 1)]);
    }

    #[test]
    fn a_chain_has_a_beginning_and_no_gap() {
        check(&["0 a<0", "1 b<a."], &[(Kind::Altered, 0, 0)]);
        check(&["0 a<x.", "1 b<a."], &[(Kind::Altered, 0, 0)]);
        check(&["2 c<b", "3 d<c."], &[(Kind::Removed, 0, 1)]);
        check(&["0 a<0.", "3 d<c."], &[(Kind::Removed, 1, 2)]);
        let last = u64::MAX;
        check(&["0 a<0.", &format!("{last} d<c.")], &[(Kind::Removed, 1, last - 1)]);
    }
}
