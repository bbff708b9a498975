//! Finds secrets in one pass, however they are written, and cuts them out.
//!
//! Clean bytes cost a scan: for the first characters of every spelling, and
//! for what could stand between them, an escape or a zero of UTF-16. Only
//! where one of these is, and what stands before it begins a spelling, is the
//! text read on, [in every way](super::reading).

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use bstr::ByteSlice;

use super::leak::{Leaks, Place, note};
use super::reading::{LEADS, Reader, Unit};
use super::spelling::Spelling;
use super::target::{Found, Target};

/// The longest way in which one character is written that anybody means, in bytes.
const LONGEST_UNIT: usize = 64;

/// All spellings of all secrets, ready to be looked for.
pub(in crate::proxy) struct Search {
    /// The first characters of every spelling.
    pieces: AhoCorasick,
    targets: Vec<Target>,
    /// For each byte: which heads have it, and behind how many others.
    joints: Vec<Vec<(usize, usize)>>,
    /// Whether a spelling can be made of it, for each byte.
    alphabet: Vec<bool>,
    /// How long the longest spelling may be, in bytes.
    longest: usize,
}

impl Search {
    /// Looks for these, each with the secret's name. `None` where there are none.
    pub(super) fn new(spellings: Vec<(String, Spelling)>) -> Option<Self> {
        let targets: Vec<Target> = spellings.into_iter().map(|(name, it)| Target::new(name, it)).collect();
        let longest = targets.iter().map(|target| target.text().len()).max()? * LONGEST_UNIT;
        let cased = |target: &Target| -> Vec<_> {
            target.pieces().flat_map(|(_, piece)| target.cased(piece)).collect()
        };
        let mut pieces: Vec<Vec<u8>> = targets.iter().flat_map(cased).collect();
        pieces.sort_unstable();
        pieces.dedup();
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let pieces =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).kind(kind).build(pieces).ok()?;
        let (joints, alphabet) = (joints(&targets), alphabet(&targets));
        Some(Self { pieces, targets, joints, alphabet, longest })
    }

    /// The bytes without the secrets, if there are any in them.
    pub(in crate::proxy) fn clean(
        &self,
        text: &[u8],
        place: Place<'_>,
        leaks: &mut Leaks,
    ) -> Option<Vec<u8>> {
        let found = self.find(text);
        if found.is_empty() {
            return None;
        }
        found.iter().for_each(|found| note(leaks, found.leak(place)));
        Some(cut(text, &found, 0).0)
    }

    /// The secrets in a text, from the left. They may overlap.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Found<'_>> {
        let reader = Reader::new(text);
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(piece) = self.pieces.find(Input::new(text).range(from..)) {
            for (target, behind) in
                self.targets.iter().flat_map(|it| it.pieces().map(move |(at, _)| (it, at)))
            {
                found.extend(target.start(text, piece.start(), behind).and_then(|at| target.at(at, &reader)));
            }
            from = piece.start() + 1;
        }
        let turns = leads(text).chain(zeros(text));
        for at in turns.filter(|at| self.is_promising(text, *at)) {
            reader.units(at, &mut |unit| self.turn(&reader, at, unit, &mut found));
        }
        found.sort_unstable_by_key(|found| (found.start, found.end));
        found
    }

    /// The first place from which on a text may be the beginning of a secret
    /// that goes on behind it; its end if there is none.
    pub(super) fn open(&self, text: &[u8]) -> usize {
        let possible = |byte: &&u8| self.alphabet.get(usize::from(**byte)) == Some(&true);
        let tail = text.iter().rev().take(self.longest).take_while(possible).count();
        let reader = Reader::new(text);
        let mut tail = text.len() - tail..text.len();
        tail.find(|at| self.begins(*at, &reader)).unwrap_or(text.len())
    }

    /// Whether a secret may begin at a place, and go on behind the text.
    fn begins(&self, at: usize, reader: &Reader<'_>) -> bool {
        let Some(byte) = reader.text.get(at) else { return false };
        if LEADS.contains(byte) {
            return self.targets.iter().any(|target| target.is_open(at, reader));
        }
        let mut targets = self.joined(*byte).filter(|(_, behind)| *behind == 0).map(|(target, _)| target);
        targets.any(|target| target.is_open(at, reader))
    }

    /// The heads that have this byte, each with how many others stand before it.
    pub(super) fn joined(&self, byte: u8) -> impl Iterator<Item = (&Target, usize)> {
        let joints = self.joints.get(usize::from(byte)).into_iter().flatten();
        joints.filter_map(|(target, behind)| Some((self.targets.get(*target)?, *behind)))
    }

    /// Looks whether a spelling that was plain up to `at` goes on there with this.
    fn turn<'s>(&'s self, reader: &Reader<'_>, at: usize, unit: Unit, found: &mut Vec<Found<'s>>) {
        if matches!(unit.byte(), b'\r' | b'\n') {
            reader.units(unit.end, &mut |next| match (unit.byte(), next.byte()) {
                (b'\r', b'\n') => reader.units(next.end, &mut |next| self.join(reader, at, next, found)),
                _ => self.join(reader, at, next, found),
            });
        }
        if !unit.is_plain() {
            self.join(reader, at, unit, found);
        }
    }

    fn join<'s>(&'s self, reader: &Reader<'_>, at: usize, unit: Unit, found: &mut Vec<Found<'s>>) {
        let first = unit.bytes().first().copied().unwrap_or_default();
        for (target, behind) in self.joined(first) {
            // What only stands between two characters begins nothing.
            let begins = 0 < behind || reader.text.get(at).is_some_and(|byte| LEADS.contains(byte));
            let start = target.start(reader.text, at, behind).filter(|_| begins);
            found.extend(start.and_then(|start| target.at(start, reader)));
        }
    }
}

/// A text without what was found in it. Its first bytes up to `done` are gone
/// already; also says how many of its last ones no longer count.
pub(super) fn cut(text: &[u8], found: &[Found<'_>], mut done: usize) -> (Vec<u8>, usize) {
    let mut left = Vec::with_capacity(text.len());
    for found in found {
        if done <= found.start {
            left.extend_from_slice(text.get(done..found.start).unwrap_or_default());
            left.extend(found.mark(text));
        }
        done = done.max(found.end);
    }
    left.extend_from_slice(text.get(done..).unwrap_or_default());
    (left, done.saturating_sub(text.len()))
}

/// Where escapes may begin.
fn leads(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..)?.find_byteset(LEADS)?;
        from = at + 1;
        Some(at)
    })
}

/// Where zeros begin: before the others of a run stands nothing to go on with.
fn zeros(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..)?.find_byte(0)?;
        from = at + text.get(at..)?.find_not_byteset(b"\0").unwrap_or(text.len());
        Some(at)
    })
}

fn joints(targets: &[Target]) -> Vec<Vec<(usize, usize)>> {
    let mut joints = vec![Vec::new(); 256];
    for (index, target) in targets.iter().enumerate() {
        for (behind, byte) in target.head().iter().enumerate() {
            for byte in target.cases(*byte) {
                joints
                    .get_mut(usize::from(byte))
                    .into_iter()
                    .for_each(|all: &mut Vec<_>| all.push((index, behind)));
            }
        }
    }
    joints
}

/// Escapes hold letters, digits and a few signs of their own.
fn alphabet(targets: &[Target]) -> Vec<bool> {
    let escapes = |byte: u8| byte.is_ascii_alphanumeric() || b"\\%&#;{}\0\r\n".contains(&byte);
    let mut alphabet: Vec<bool> = (0..=u8::MAX).map(escapes).collect();
    for byte in targets.iter().flat_map(|target| target.text()) {
        alphabet.get_mut(usize::from(*byte)).into_iter().for_each(|own| *own = true);
    }
    alphabet
}
