//! What waits to be delivered, and how much of it CloudWatch Logs takes at once.

use std::collections::VecDeque;
use std::time::Duration;

/// Of a batch (PutLogEvents): its bytes, with so many more for each event.
const BATCH_BYTES: usize = 1_048_576;
const EVENT_BYTES: usize = 26;

/// Of a batch: its events.
const BATCH_EVENTS: usize = 10_000;

/// Of a batch: from its first event to its last.
const BATCH_SPAN: u64 = Duration::from_hours(24).as_millis() as u64;

/// What was said on standard output is kept as long as there is room for it.
const KEPT_BYTES: usize = 16 << 20;

/// A record on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its line.
    pub line: String,
    /// When it ended: milliseconds since 1970.
    pub time: u64,
}

/// The records that are not delivered yet, oldest first.
#[derive(Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    /// So many of the oldest were said on standard output already.
    told: usize,
    bytes: usize,
    last: u64,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.line.len() + EVENT_BYTES
    }
}

impl Queue {
    /// Adds one. CloudWatch Logs wants times in order; a clock may step back.
    pub fn push(&mut self, line: String, time: u64) {
        self.last = self.last.max(time);
        let waiting = Waiting { line, time: self.last };
        self.bytes += waiting.bytes();
        self.waiting.push_back(waiting);
    }

    /// The oldest, as many as one call takes; nothing where there are none. They stay
    /// until they are [`done`](Self::done): whoever is out with them may be broken off.
    pub fn batch(&self) -> Vec<Waiting> {
        let first = self.waiting.front().map_or(0, |first| first.time);
        let mut bytes = 0;
        let fits = |next: &&Waiting| {
            bytes += next.bytes();
            bytes <= BATCH_BYTES && next.time - first < BATCH_SPAN
        };
        let count = self.waiting.iter().take(BATCH_EVENTS).take_while(fits).count();
        // One that is too long by itself is refused by CloudWatch, and then said here.
        self.waiting.iter().take(count.max(1)).cloned().collect()
    }

    /// So many of the oldest are where they belong.
    pub fn done(&mut self, count: usize) {
        let gone: usize = self.waiting.drain(..count.min(self.waiting.len())).map(|one| one.bytes()).sum();
        self.bytes -= gone;
        self.told = self.told.saturating_sub(count);
    }

    /// When the last one ended: milliseconds since 1970.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Gives those that nobody was told of yet, and counts them as told. The oldest of
    /// all go where there is no room: they are on standard output.
    pub fn tell(&mut self) -> Vec<String> {
        let fresh = self.waiting.iter().skip(self.told).map(|waiting| waiting.line.clone()).collect();
        self.told = self.waiting.len();
        while KEPT_BYTES < self.bytes
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.bytes -= oldest.bytes();
            self.told -= 1;
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(lines: impl IntoIterator<Item = (usize, u64)>) -> Queue {
        let mut queue = Queue::default();
        lines.into_iter().for_each(|(length, time)| queue.push("x".repeat(length), time));
        queue
    }

    #[test]
    fn a_batch_is_what_one_call_takes() {
        let check = |lines: Vec<(usize, u64)>, expected: &[usize]| {
            let mut queue = filled(lines);
            let mut sizes = Vec::new();
            loop {
                let batch = queue.batch();
                if batch.is_empty() {
                    break;
                }
                queue.done(batch.len());
                sizes.push(batch.len());
            }
            assert_eq!(sizes, expected);
        };
        let day = BATCH_SPAN;
        check(vec![], &[]);
        check(vec![(10, 5); 3], &[3]);
        check(vec![(0, 5); 10_001], &[10_000, 1]);
        check(vec![(BATCH_BYTES / 2 - 26, 5); 3], &[2, 1]);
        check(vec![(BATCH_BYTES / 2 - 25, 5), (BATCH_BYTES / 2 - 26, 5)], &[1, 1]);
        check(vec![(1, 0), (1, day - 1), (1, day)], &[2, 1]);
        check(vec![(BATCH_BYTES, 5), (1, 5)], &[1, 1]);
    }

    #[test]
    fn times_never_go_back() {
        let times: Vec<u64> = filled([(1, 5), (1, 3), (1, 7)]).batch().iter().map(|it| it.time).collect();
        assert_eq!(times, [5, 5, 7]);
    }

    #[test]
    fn each_is_told_of_once_and_still_delivered_in_order() {
        let mut queue = Queue::default();
        let line = |n: usize| format!("{n}");
        (0..3).for_each(|n| queue.push(line(n), 0));
        assert_eq!(queue.batch().len(), 3);
        assert_eq!(queue.tell(), ["0", "1", "2"]);
        queue.push(line(3), 0);
        assert_eq!(queue.tell(), ["3"]);
        let lines: Vec<String> = queue.batch().into_iter().map(|waiting| waiting.line).collect();
        assert_eq!(lines, ["0", "1", "2", "3"]);
        queue.done(4);
        queue.push(line(4), 0);
        assert_eq!(queue.tell(), ["4"]);
        assert!(queue.tell().is_empty());
    }

    #[test]
    fn an_outage_takes_no_more_than_so_much_memory() {
        let mut queue = Queue::default();
        let mut told = 0;
        for n in 0..30 {
            queue.push(n.to_string().repeat(500_000), 0);
            told += queue.tell().len();
        }
        assert_eq!(told, 30);
        assert!(queue.bytes <= KEPT_BYTES && 4 < queue.waiting.len(), "{}", queue.waiting.len());
        assert!(queue.waiting.back().unwrap().line.starts_with("29"));
    }
}
