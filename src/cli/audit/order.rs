//! Whether records were read in the order of their chain.
//!
//! What was read at two places, or on standard output because it could not be
//! delivered, has no order between them.

use std::collections::BTreeMap;

use super::chain::Entry;
use super::finding::{Finding, Kind};

/// Says which of these, last first, were read in another order.
pub(super) fn check(truth: &[&Entry]) -> Vec<Finding> {
    let mut apart: BTreeMap<_, Vec<&Entry>> = BTreeMap::new();
    for entry in truth.iter().rev() {
        let place = &entry.place;
        apart.entry((&place.source, &place.stream, place.undelivered)).or_default().push(entry);
    }
    apart.values().flat_map(|entries| blocks(entries)).collect()
}

/// The shortest runs in which an order is broken, each one a finding.
fn blocks(entries: &[&Entry]) -> Vec<Finding> {
    let mut read: Vec<usize> = (0..entries.len()).collect();
    // Stable: what CloudWatch has at the same millisecond has no other order than ours.
    read.sort_by_key(|at| entries.get(*at).map(|entry| entry.place.order()));
    let (mut findings, mut begin, mut highest) = (Vec::new(), 0, 0);
    for (at, from) in read.iter().enumerate() {
        highest = highest.max(*from);
        if highest == at {
            let wrong = read.iter().enumerate().take(at + 1).skip(begin).filter(|(at, from)| *at != **from);
            let wrong: Vec<&Entry> = wrong.filter_map(|(at, _)| entries.get(at).copied()).collect();
            match wrong.as_slice() {
                [] => {}
                [one, other] => findings.push(Finding::moved(Kind::Swapped, one, other)),
                [first, .., last] => findings.push(Finding::moved(Kind::Disordered, first, last)),
                [_] => {}
            }
            begin = at + 1;
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::line::{Link, Role};
    use super::super::source::Place;
    use super::*;

    fn entry(sequence: u64, place: Place) -> Entry {
        let (chain, own, before) = (String::new(), String::new(), String::new());
        let link = Link { chain, sequence, own, stated: None, before, role: Role::Middle, time: 0 };
        Entry { link, place }
    }

    fn place(stream: Option<&str>, time: u64, line: u64) -> Place {
        let stream = stream.map(Into::into);
        Place { source: "".into(), stream, line, time, undelivered: false }
    }

    /// What is found in places, by sequence.
    fn found(places: Vec<Place>) -> Vec<(Kind, u64, u64)> {
        let entries: Vec<Entry> = (0..).zip(places).map(|(n, place)| entry(n, place)).collect();
        let truth: Vec<&Entry> = entries.iter().rev().collect();
        check(&truth).iter().map(|finding| (finding.kind, finding.first, finding.last)).collect()
    }

    #[test]
    fn the_shortest_runs_are_found() {
        let check = |lines: &[u64], expected: &[(Kind, u64, u64)]| {
            let places = lines.iter().map(|line| place(None, 0, *line)).collect();
            assert_eq!(found(places), expected, "{lines:?}");
        };
        check(&[], &[]);
        check(&[1, 2, 3, 9], &[]);
        check(&[2, 1, 3, 4], &[(Kind::Swapped, 0, 1)]);
        check(&[1, 4, 3, 2, 5], &[(Kind::Swapped, 1, 3)]);
        check(&[2, 1, 4, 3], &[(Kind::Swapped, 0, 1), (Kind::Swapped, 2, 3)]);
        check(&[2, 3, 1, 4], &[(Kind::Disordered, 0, 2)]);
        check(&[4, 1, 2, 3], &[(Kind::Disordered, 0, 3)]);
    }

    #[test]
    fn what_has_no_order_is_not_out_of_it() {
        let same = vec![place(Some("a"), 5, 0), place(Some("a"), 5, 0)];
        assert_eq!(found(same), []);
        let apart = vec![place(Some("a"), 7, 0), place(Some("b"), 5, 0)];
        assert_eq!(found(apart), []);
        let told = vec![Place { undelivered: true, ..place(None, 0, 9) }, place(None, 0, 5)];
        assert_eq!(found(told), []);
        let wrong = vec![place(Some("a"), 7, 0), place(Some("a"), 5, 0)];
        assert_eq!(found(wrong), [(Kind::Swapped, 0, 1)]);
    }
}
