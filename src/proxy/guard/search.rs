//! Finds secrets in one pass, however they are written, and cuts them out.
//!
//! Clean bytes cost a scan: for the first characters of every spelling, and
//! for what could stand between them, an escape or a zero of UTF-16. Only
//! where one of these is, and what stands before it begins a spelling, is the
//! text read on, [in every way](super::reading).

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use bstr::ByteSlice;

use super::glance::Glance;
use super::leak::{Leaks, Place, note};
use super::reading::{LEADS, Reader, Unit, worked};
use super::spelling::Spelling;
use super::target::{Found, Step, Target};

/// The longest way in which one character is written that anybody means, in bytes.
const LONGEST_UNIT: usize = 64;

/// All spellings of all secrets, ready to be looked for.
pub(in crate::proxy) struct Search {
    /// The first characters of every spelling.
    pieces: AhoCorasick,
    targets: Vec<Target>,
    /// For each byte: which heads have it, and behind how many others; the
    /// heads that begin with it first.
    joints: Vec<Vec<(usize, usize)>>,
    /// What turns most places down.
    glance: Glance,
    /// Whether a spelling can be made of it, for each byte.
    alphabet: Vec<bool>,
    /// How long the longest spelling may be, in bytes.
    longest: usize,
}

/// What may be the beginning of a secret, and how far it was read.
#[derive(Default)]
pub(super) struct Hope {
    target: usize,
    steps: Vec<Step>,
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
        let (joints, glance, alphabet) = (joints(&targets), Glance::new(&targets), alphabet(&targets));
        Some(Self { pieces, targets, joints, glance, alphabet, longest })
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
        worked(text.len());
        while let Some(piece) = self.pieces.find(Input::new(text).range(from..)) {
            let first = text.get(piece.start()).copied().unwrap_or_default();
            for (target, behind) in self.joined(first).filter(|(it, behind)| it.has_piece(*behind)) {
                found.extend(target.start(text, piece.start(), behind).and_then(|at| target.at(at, &reader)));
            }
            from = piece.start() + 1;
        }
        let mut look = |at: usize| {
            if self.glance.is_promising(text, at) {
                reader.units(at, &mut |unit| self.turn(&reader, at, unit, &mut found));
            }
        };
        leads(text).for_each(&mut look);
        zeros(text).for_each(&mut look);
        found.sort_unstable_by_key(|found| (found.start, found.end));
        found
    }

    /// The first place from which on a text may be the beginning of a secret
    /// that goes on behind it, and that secret; its end if there is none.
    pub(super) fn open(&self, text: &[u8]) -> (usize, Hope) {
        let possible = |byte: &&u8| self.alphabet.get(usize::from(**byte)) == Some(&true);
        let tail = text.iter().rev().take(self.longest).take_while(possible).count();
        worked(tail);
        let mut tail = text.len() - tail..text.len();
        let begins = |at: usize| Some((at, self.begins(text.get(at..)?)?));
        tail.find_map(begins).unwrap_or((text.len(), Hope::default()))
    }

    /// Whether what a text began to be may still be it, now that there is more
    /// of the text. Reads only what is new.
    pub(super) fn is_still_open(&self, text: &[u8], hope: &mut Hope) -> bool {
        let steps = std::mem::take(&mut hope.steps);
        if let Some(target) = self.targets.get(hope.target).filter(|_| text.len() <= self.longest) {
            hope.steps = target.still_open(steps, &Reader::new(text));
        }
        !hope.steps.is_empty()
    }

    /// The secret that a text may begin with, and that goes on behind it.
    fn begins(&self, text: &[u8]) -> Option<Hope> {
        let (first, reader) = (text.first()?, Reader::new(text));
        if !LEADS.contains(first) {
            return self.hope(*first, &reader);
        }
        let mut firsts = vec![*first];
        reader.units(0, &mut |unit| firsts.extend(unit.bytes().first()));
        // What nobody knows yet may be the first of any.
        let any = self.targets.iter().filter(|_| reader.was_short());
        firsts.extend(any.flat_map(|target| target.text().first()));
        firsts.into_iter().find_map(|byte| self.hope(byte, &reader))
    }

    /// The same, if its first byte is this.
    fn hope(&self, first: u8, reader: &Reader<'_>) -> Option<Hope> {
        let joints = self.joints.get(usize::from(first))?.iter();
        joints.take_while(|(_, behind)| *behind == 0).find_map(|(target, _)| {
            let steps = self.targets.get(*target)?.open(reader);
            (!steps.is_empty()).then_some(Hope { target: *target, steps })
        })
    }

    /// The heads that have this byte, each with how many others stand before it.
    fn joined(&self, byte: u8) -> impl Iterator<Item = (&Target, usize)> {
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
    let mut joints: Vec<Vec<(usize, usize)>> = vec![Vec::new(); 256];
    for (index, target) in targets.iter().enumerate() {
        for (behind, own) in target.head().iter().enumerate() {
            for byte in target.cases(*own) {
                joints.get_mut(usize::from(byte)).into_iter().for_each(|all| all.push((index, behind)));
            }
        }
    }
    joints.iter_mut().for_each(|all| all.sort_by_key(|(_, behind)| *behind));
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
