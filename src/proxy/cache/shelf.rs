//! Where kept answers stand: bounded in bytes, and what was not asked for the
//! longest goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::entry::Entry;
use super::question::{Key, Question};

/// All that an environment keeps, in bytes: a small part of the smallest
/// function's 128 MB.
pub(super) const ROOM: usize = 16 << 20;

/// The longest answer that is kept, in bytes: one must not drive out all others.
pub(super) const LONGEST: usize = 1 << 20;

/// How many answers of one URL are kept, for requests with other headers.
pub(super) const VARIANTS: usize = 8;

/// The kept answers.
#[derive(Default)]
pub struct Shelf {
    places: HashMap<Arc<Key>, Place>,
    /// Keys by when they were last asked for.
    order: BTreeMap<u64, Arc<Key>>,
    clock: u64,
    pub(super) bytes: usize,
}

/// The answers of one URL, the newest last.
struct Place {
    entries: Vec<Arc<Entry>>,
    used: u64,
}

impl Shelf {
    /// The newest answer that fits a request, fresh or not.
    pub fn find(&mut self, question: &Question) -> Option<Arc<Entry>> {
        let place = self.places.get(&question.key)?;
        let entry = place.entries.iter().rev().find(|entry| entry.fits(question)).cloned()?;
        self.touch(&question.key);
        Some(entry)
    }

    /// Keeps an answer in the place of the one that fits the same request.
    pub fn put(&mut self, question: &Question, entry: Entry) {
        let key = &question.key;
        let mut entries = self.others(question);
        if entry.is_kept() && entry.weight(key) <= LONGEST {
            entries.push(Arc::new(entry));
        }
        let excess = entries.len().saturating_sub(VARIANTS);
        entries.drain(..excess);
        self.place(Arc::clone(key), entries);
        while ROOM < self.bytes {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.take(&oldest);
        }
    }

    /// Forgets the answers that fit a request.
    pub fn remove(&mut self, question: &Question) {
        let others = self.others(question);
        self.place(Arc::clone(&question.key), others);
    }

    /// Forgets what is kept of a path of ours, whatever the query and route.
    pub fn forget(&mut self, path: &str) {
        let keys: Vec<Arc<Key>> = self.places.keys().filter(|key| key.path == path).cloned().collect();
        for key in keys {
            self.take(&key);
        }
    }

    /// Takes a URL's answers out, and leaves only those that do not fit the request.
    fn others(&mut self, question: &Question) -> Vec<Arc<Entry>> {
        let mut entries = self.take(&question.key).map(|place| place.entries).unwrap_or_default();
        entries.retain(|old| !old.fits(question));
        entries
    }

    fn place(&mut self, key: Arc<Key>, entries: Vec<Arc<Entry>>) {
        if entries.is_empty() {
            return;
        }
        self.bytes += weight(&entries, &key);
        self.clock += 1;
        self.order.insert(self.clock, Arc::clone(&key));
        self.places.insert(key, Place { entries, used: self.clock });
    }

    fn take(&mut self, key: &Arc<Key>) -> Option<Place> {
        let place = self.places.remove(key)?;
        self.order.remove(&place.used);
        self.bytes -= weight(&place.entries, key);
        Some(place)
    }

    fn touch(&mut self, key: &Arc<Key>) {
        self.clock += 1;
        let Some(place) = self.places.get_mut(key) else { return };
        if let Some(key) = self.order.remove(&place.used) {
            self.order.insert(self.clock, key);
        }
        place.used = self.clock;
    }
}

fn weight(entries: &[Arc<Entry>], key: &Key) -> usize {
    entries.iter().map(|entry| entry.weight(key)).sum()
}
