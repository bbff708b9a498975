//! One spelling of one secret, and how it is recognised at a place of a text.

use super::leak::{Leak, Place, REDACTED};
use super::reading::{LEADS, Reader, Unit, Ways, worked};
use super::spelling::{Form, Spelling};
use crate::secret::vault::SHORTEST;

/// So many ways to write a piece of a hex text, by case, are looked for.
const MOST_CASES: usize = 16;

/// One spelling of one secret.
pub(super) struct Target {
    name: String,
    spelling: Spelling,
}

/// A secret in a text.
pub(super) struct Found<'s> {
    pub(super) start: usize,
    pub(super) end: usize,
    target: &'s Target,
    ways: Ways,
}

/// How far a spelling was read.
#[derive(Clone, Copy)]
pub(super) struct Step {
    at: usize,
    /// How much of the spelling is behind.
    done: usize,
    /// The last character of a line's end that stands right before; else 0.
    broke: u8,
    ways: Ways,
}

impl Step {
    const FIRST: Self = Self { at: 0, done: 0, broke: 0, ways: Ways::NONE };
}

impl Target {
    pub(super) fn new(name: String, spelling: Spelling) -> Self {
        Self { name, spelling }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.spelling.text
    }

    /// What is looked for: where it stands plain, the rest is read. Of a text
    /// that may be broken into lines two pieces, so that one of them is whole;
    /// each with how many characters stand before it.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let count = if self.folds() { 2 } else { 1 };
        let length = SHORTEST.min(self.text().len() / count);
        self.text().chunks(length.max(1)).take(count).scan(0, |behind, piece| {
            *behind += piece.len();
            Some((*behind - piece.len(), piece))
        })
    }

    /// Whether a piece begins behind so many characters.
    pub(super) fn has_piece(&self, behind: usize) -> bool {
        self.pieces().any(|(at, _)| at == behind)
    }

    /// The characters that those consist of.
    pub(super) fn head(&self) -> &[u8] {
        let length = self.pieces().map(|(_, piece)| piece.len()).sum();
        self.text().get(..length).unwrap_or_default()
    }

    /// The ways to write a piece; where there are many, of a shorter one.
    pub(super) fn cased(&self, piece: &[u8]) -> Vec<Vec<u8>> {
        let mut texts = vec![Vec::new()];
        for byte in piece {
            let cases: Vec<u8> = self.cases(*byte).collect();
            if MOST_CASES < texts.len() * cases.len() {
                break;
            }
            let with = |text: &Vec<u8>, case: &u8| [text.as_slice(), &[*case]].concat();
            let longer = texts.iter().flat_map(|text| cases.iter().map(move |case| with(text, case)));
            let longer: Vec<Vec<u8>> = longer.collect();
            texts = longer;
        }
        texts
    }

    /// The bytes that stand for one of this spelling.
    pub(super) fn cases(&self, own: u8) -> impl Iterator<Item = u8> {
        let other = Some(own.to_ascii_uppercase());
        let other = other.filter(|other| *other != own && self.spelling.form.is_caseless());
        std::iter::once(own).chain(other)
    }

    fn same(&self, byte: u8, own: u8) -> bool {
        byte == own || (self.spelling.form.is_caseless() && byte.eq_ignore_ascii_case(&own))
    }

    /// Where it begins, if so many of its characters stand right before a
    /// place. One line may end among them.
    pub(super) fn start(&self, text: &[u8], at: usize, behind: usize) -> Option<usize> {
        let (text, own) = (text.get(..at)?, self.text().get(..behind)?);
        let pairs = text.iter().rev().zip(own.iter().rev());
        let shared = pairs.take_while(|(byte, own)| self.same(**byte, **own)).count();
        worked(shared + 1);
        let (text, own) = (text.get(..at - shared)?, own.get(..behind - shared)?);
        if own.is_empty() {
            return Some(text.len());
        }
        let line = text.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let line = line.or_else(|| text.strip_suffix(b"\r")).filter(|_| self.folds())?;
        line.strip_suffix(own).map(<[u8]>::len)
    }

    pub(super) fn folds(&self) -> bool {
        self.spelling.form.folds()
    }

    /// Whether there may be a longer way to write it where it stands plain: a
    /// `%` at its end may be the first of `%25`.
    fn has_lead(&self) -> bool {
        self.text().iter().any(|byte| LEADS.contains(byte))
    }

    /// How many bytes a text has in common with this.
    fn shared(&self, text: &[u8]) -> usize {
        let shared = text.iter().zip(self.text()).take_while(|(byte, own)| self.same(**byte, **own)).count();
        worked(shared + 1);
        shared
    }

    /// This spelling, if it begins at a place.
    pub(super) fn at<'s>(&'s self, start: usize, reader: &Reader<'_>) -> Option<Found<'s>> {
        let first = Step { at: start, ..Step::FIRST };
        let rest = reader.text.get(start..).unwrap_or_default();
        let end = if self.shared(rest) == self.text().len() && !self.has_lead() {
            Step { at: start + self.text().len(), ..first }
        } else {
            self.walk(vec![first], reader).0?
        };
        Some(Found { start, end: end.at, target: self, ways: end.ways })
    }

    /// The readings of a text that come to its end and are of this: it may
    /// begin with the text, and go on behind it.
    pub(super) fn open(&self, reader: &Reader<'_>) -> Vec<Step> {
        let shared = self.shared(reader.text);
        let (is_over, is_whole) = (shared == reader.text.len(), shared == self.text().len());
        // It goes on in another way there, or it is not this spelling.
        let between = |byte: &u8| LEADS.contains(byte) || b"\0\r\n".contains(byte);
        match reader.text.iter().take(shared + 1).any(between) {
            _ if is_over && is_whole && !self.has_lead() => Vec::new(),
            true => self.walk(vec![Step::FIRST], reader).1,
            false if is_over => vec![Step { at: shared, done: shared, ..Step::FIRST }],
            false => Vec::new(),
        }
    }

    /// The same, now that more of the text is there.
    pub(super) fn still_open(&self, steps: Vec<Step>, reader: &Reader<'_>) -> Vec<Step> {
        self.walk(steps, reader).1
    }

    /// Where a spelling ends, the farthest if it may in several places; and
    /// the steps from which more of the text could be read on.
    fn walk(&self, mut pending: Vec<Step>, reader: &Reader<'_>) -> (Option<Step>, Vec<Step>) {
        let (mut end, mut open) = (None::<Step>, Vec::new());
        while let Some(step) = next(&mut pending) {
            if step.done == self.text().len() {
                end = Some(step).filter(|step| end.is_none_or(|end| end.at < step.at)).or(end);
                continue;
            }
            // Only UTF-16 has zeros of its own. Before others they are skipped.
            if self.text().get(step.done) == Some(&0) && reader.text.get(step.at) == Some(&0) {
                pending.push(Step { at: step.at + 1, done: step.done + 1, broke: 0, ..step });
            }
            reader.forget();
            reader.units(step.at, &mut |unit| pending.extend(self.step(step, unit)));
            open.extend(Some(step).filter(|_| reader.was_short()));
        }
        (end, open)
    }

    /// One character further, or over the end of a line.
    fn step(&self, step: Step, unit: Unit) -> Option<Step> {
        let rest = self.text().get(step.done..).unwrap_or_default();
        let ways = step.ways.and(unit.ways);
        let bytes = unit.bytes();
        let goes_on = bytes.len() <= rest.len() && bytes.iter().zip(rest).all(|(a, b)| self.same(*a, *b));
        if goes_on {
            return Some(Step { at: unit.end, done: step.done + bytes.len(), broke: 0, ways });
        }
        // An empty line ends every text that is folded.
        let breaks = match unit.byte() {
            b'\r' => step.broke == 0,
            b'\n' => step.broke != b'\n',
            _ => false,
        };
        let folds = breaks && self.folds() && 0 < step.done;
        folds.then(|| Step { at: unit.end, broke: unit.byte(), ways: ways.and(Ways::FOLDED), ..step })
    }
}

/// The step that is least far, and only once.
fn next(pending: &mut Vec<Step>) -> Option<Step> {
    let (least, _) = pending.iter().enumerate().min_by_key(|(_, step)| step.at)?;
    let step = pending.swap_remove(least);
    pending.retain(|other| (other.at, other.done, other.broke) != (step.at, step.done, step.broke));
    Some(step)
}

impl Found<'_> {
    /// What the record says of it.
    pub(super) fn leak(&self, place: Place<'_>) -> Leak {
        let form =
            Some(self.target.spelling.form).filter(|form| *form != Form::Plain || self.ways == Ways::NONE);
        let words: Vec<&str> = form.map(Form::name).into_iter().chain(self.ways.names()).collect();
        Leak { name: self.target.name.clone(), place: place.to_string(), spelling: words.join(", ") }
    }

    /// What takes its place: as wide as the text around it.
    pub(super) fn mark(&self, text: &[u8]) -> Vec<u8> {
        match self.target.spelling.form {
            Form::Utf16Le => [spaced(1), vec![0]].concat(),
            Form::Utf16Be => [vec![0], spaced(1)].concat(),
            _ if self.ways.has(Ways::WIDE) => {
                // The zeros before the first and behind the last character stay.
                let behind = text.get(self.start + 1..).unwrap_or_default();
                spaced(behind.iter().take(3).take_while(|byte| **byte == 0).count().max(1))
            }
            _ => spaced(0),
        }
    }
}

/// The mark, with so many zeros between its characters.
fn spaced(zeros: usize) -> Vec<u8> {
    let mut mark = Vec::with_capacity(REDACTED.len() * (zeros + 1));
    for byte in REDACTED.bytes() {
        mark.resize(mark.len() + if mark.is_empty() { 0 } else { zeros }, 0);
        mark.push(byte);
    }
    mark
}
