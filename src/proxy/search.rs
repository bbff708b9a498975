//! Finds secrets in all their spellings in one pass, and cuts them out.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, Match, MatchKind};
use zeroize::Zeroizing;

use super::spelling::Decoded;

/// What stands where a secret stood.
pub(super) const REDACTED: &str = "[redacted]";

/// The names of the secrets that an answer repeated.
pub type Leaks = BTreeSet<String>;

/// All spellings of all secrets, ready to be looked for.
pub(super) struct Search {
    spellings: AhoCorasick,
    /// The secret's name for each spelling.
    names: Vec<String>,
    /// The same spellings in order, to find one that has only begun.
    sorted: Vec<Zeroizing<Vec<u8>>>,
    /// How long the longest spelling is, in bytes.
    longest: usize,
}

impl Search {
    /// Looks for `spellings`, each with the name at its place. `None` where
    /// there is nothing to look for.
    pub(super) fn new(mut sorted: Vec<Zeroizing<Vec<u8>>>, names: Vec<String>) -> Option<Self> {
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(sorted.iter().map(|spelling| &**spelling));
        let spellings = search.ok().filter(|_| !names.is_empty())?;
        sorted.sort_unstable_by(|a, b| a.as_slice().cmp(b));
        let longest = sorted.iter().map(|spelling| spelling.len()).max()?;
        Some(Self { spellings, names, sorted, longest })
    }

    /// The places of the spellings in `bytes`, from the left, none inside another.
    pub(super) fn found(&self, bytes: &[u8]) -> impl Iterator<Item = Match> {
        self.spellings.find_iter(bytes)
    }

    /// The name of the secret that was found.
    pub(super) fn name(&self, found: &Match) -> Option<String> {
        self.names.get(found.pattern().as_usize()).cloned()
    }

    /// The first place, not before `from`, from which on `bytes` could be the
    /// beginning of a spelling that goes on behind them; their end if there is none.
    pub(super) fn begun(&self, bytes: &[u8], from: usize) -> usize {
        let first = from.max((bytes.len() + 1).saturating_sub(self.longest));
        let begins = |at: &usize| bytes.get(*at..).is_some_and(|tail| self.begins(tail));
        (first..bytes.len()).find(begins).unwrap_or(bytes.len())
    }

    /// Whether a spelling goes on behind `tail`. In order, all that begin with
    /// it stand in one row, behind the one that is it.
    fn begins(&self, tail: &[u8]) -> bool {
        let row = self.sorted.partition_point(|spelling| spelling.as_slice() < tail);
        let mut row = self.sorted.iter().skip(row).take_while(|spelling| spelling.starts_with(tail));
        row.any(|spelling| tail.len() < spelling.len())
    }

    /// The bytes without the secrets, if there are any in them.
    pub(super) fn clean(&self, bytes: &[u8], leaks: &mut Leaks) -> Option<Vec<u8>> {
        let cleaned = self.cut(bytes, leaks);
        let decoded = Decoded::of(cleaned.as_deref().unwrap_or(bytes));
        decoded.and_then(|decoded| self.cut_decoded(&decoded, leaks)).or(cleaned)
    }

    fn cut(&self, bytes: &[u8], leaks: &mut Leaks) -> Option<Vec<u8>> {
        if !self.spellings.is_match(bytes) {
            return None;
        }
        let mut cleaned = Vec::with_capacity(bytes.len());
        self.spellings.replace_all_with_bytes(bytes, &mut cleaned, |found, _, out| {
            leaks.extend(self.name(found));
            out.extend_from_slice(REDACTED.as_bytes());
            true
        });
        Some(cleaned)
    }

    /// The same for what shows only once it is percent-decoded: encoders
    /// differ in which characters they leave alone.
    fn cut_decoded(&self, decoded: &Decoded<'_>, leaks: &mut Leaks) -> Option<Vec<u8>> {
        let mut cleaned = Vec::new();
        let mut done = 0;
        for found in self.found(&decoded.bytes) {
            leaks.extend(self.name(&found));
            cleaned.extend_from_slice(decoded.source(done, found.start()));
            cleaned.extend_from_slice(REDACTED.as_bytes());
            done = found.end();
        }
        if done == 0 {
            return None;
        }
        cleaned.extend_from_slice(decoded.source(done, decoded.bytes.len()));
        Some(cleaned)
    }
}
