//! The guard on a body that still arrives.
//!
//! What is cut out is what the guard would cut out of the whole body, however
//! the upstream cuts its chunks. What is held back is only an end that could
//! be the beginning of a secret: a token of a chat that looks like none goes
//! out at once, and memory stays within the longest spelling.

use std::sync::Arc;

use bytes::Bytes;

use super::leak::{Leaks, Place, note};
use super::search::{Hope, Search, cut};

/// Searches one body, chunk by chunk.
pub struct Sweep {
    /// `None` where there is nothing to look for.
    search: Option<Arc<Search>>,
    /// The end of what came, which may be the beginning of a secret.
    held: Vec<u8>,
    /// Of which secret that is the beginning.
    hope: Hope,
    /// How much of that belongs to a secret which was cut out already.
    gone: usize,
    leaks: Leaks,
}

impl Sweep {
    pub(in crate::proxy) fn new(search: Option<Arc<Search>>) -> Self {
        Self { search, held: Vec::new(), hope: Hope::default(), gone: 0, leaks: Leaks::new() }
    }

    /// What may leave now that `chunk` is here. May be empty.
    pub fn pass(&mut self, chunk: Bytes) -> Bytes {
        self.read(chunk, false)
    }

    /// What was held back, now that nothing follows.
    pub fn end(&mut self) -> Bytes {
        self.read(Bytes::new(), true)
    }

    /// What may leave of bytes that were made anew: what was escaped may show now.
    pub fn again(&mut self, made: Bytes) -> Bytes {
        let cut = self.search.as_ref().and_then(|search| search.clean(&made, Place::Stream, &mut self.leaks));
        cut.map_or(made, Bytes::from)
    }

    /// The secrets that were cut out since this was last asked.
    pub fn leaks(&mut self) -> Leaks {
        std::mem::take(&mut self.leaks)
    }

    fn read(&mut self, chunk: Bytes, last: bool) -> Bytes {
        let Some(search) = &self.search else { return chunk };
        let mut bytes = chunk;
        if !self.held.is_empty() {
            self.held.extend_from_slice(&bytes);
            // Only what is new is read, so that it costs no more however it is cut.
            // It leaves with the byte that makes it no secret, as it would have
            // if all were read again.
            if !last && search.is_still_open(&self.held, &mut self.hope) {
                return Bytes::new();
            }
            bytes = std::mem::take(&mut self.held).into();
        }
        let (open, hope) = if last { (bytes.len(), Hope::default()) } else { search.open(&bytes) };
        let ready = bytes.slice(..open);
        let mut found = search.find(&bytes);
        found.retain(|found| found.start < open);
        // A copy: a slice would keep the whole chunk.
        (self.held, self.hope) = (bytes.get(open..).unwrap_or_default().to_vec(), hope);
        if found.is_empty() && self.gone == 0 {
            return ready;
        }
        found.iter().for_each(|found| note(&mut self.leaks, found.leak(Place::Stream)));
        let (left, gone) = cut(&ready, &found, self.gone);
        self.gone = gone;
        left.into()
    }
}
