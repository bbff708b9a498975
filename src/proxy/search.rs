//! Finds secrets in all their spellings in one pass, and cuts them out.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
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
}

impl Search {
    /// Looks for `spellings`, each with the name at its place. `None` where
    /// there is nothing to look for.
    pub(super) fn new(spellings: &[Zeroizing<Vec<u8>>], names: Vec<String>) -> Option<Self> {
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(spellings.iter().map(|spelling| &**spelling));
        let spellings = search.ok().filter(|_| !names.is_empty())?;
        Some(Self { spellings, names })
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
            leaks.extend(self.names.get(found.pattern().as_usize()).cloned());
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
        for found in self.spellings.find_iter(&decoded.bytes) {
            leaks.extend(self.names.get(found.pattern().as_usize()).cloned());
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
