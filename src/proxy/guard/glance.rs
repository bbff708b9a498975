//! A cheap look at a place where an escape or a zero stands: most of them in
//! clean texts cannot be within a secret.
//!
//! It errs to one side only. What it turns down, no reading could make a
//! secret of; what it lets through is read. It asks tables, so that it costs
//! the same however many secrets there are.

use super::reading::{ENTITIES, LAYERS, LEADS, MOST_BACKSLASHES, MOST_DIGITS};
use super::target::Target;

/// The end of a line in UTF-32, less its first byte.
const MOST_BETWEEN: usize = 12;

/// Begins more to read: an escape, a zero or the end of a line.
const MORE: u8 = 1;

/// Is in a head.
const IN: u8 = 2;

/// Is the first of a head.
const FIRST: u8 = 4;

/// May stand behind the end of a line.
const FOLDED: u8 = 8;

/// Behind a backslash: may be the first of an escape for one of those above.
const IN_BACKSLASH: u8 = 16;

/// The same behind a `%`.
const IN_PERCENT: u8 = 32;

/// The same behind a `&`.
const IN_ENTITY: u8 = 64;

/// What stands beside what in the heads of the spellings.
pub(super) struct Glance {
    /// What each byte is: a set.
    kinds: Vec<u8>,
    /// For each byte, those that stand right before it in a head: a set.
    before: Vec<[u64; 4]>,
    /// The entities that are worth while.
    entities: Vec<(&'static str, u8)>,
}

impl Glance {
    pub(super) fn new(targets: &[Target]) -> Self {
        let mut glance = Self { kinds: vec![0; 256], before: vec![[0; 4]; 256], entities: Vec::new() };
        LEADS.iter().chain(b"\0\r\n").for_each(|byte| glance.add(*byte, MORE));
        for target in targets {
            let head = target.head();
            head.first().into_iter().for_each(|own| target.cases(*own).for_each(|it| glance.add(it, FIRST)));
            for own in head {
                let kind = if target.folds() { IN | FOLDED } else { IN };
                target.cases(*own).for_each(|byte| glance.add(byte, kind));
            }
            for (own, next) in head.iter().zip(head.iter().skip(1)) {
                target.cases(*next).for_each(|byte| target.cases(*own).for_each(|it| glance.pair(it, byte)));
            }
        }
        glance.entities = ENTITIES.into_iter().filter(|(_, byte)| glance.is(*byte, MORE | IN)).collect();
        for first in 0..=u8::MAX {
            glance.add(first, glance.escapes(first));
        }
        glance
    }

    fn add(&mut self, byte: u8, kind: u8) {
        self.kinds.get_mut(usize::from(byte)).into_iter().for_each(|kinds| *kinds |= kind);
    }

    fn pair(&mut self, before: u8, byte: u8) {
        let set = self.before.get_mut(usize::from(byte));
        let word = set.and_then(|set| set.get_mut(usize::from(before >> 6)));
        word.into_iter().for_each(|word| *word |= 1 << (before & 63));
    }

    /// Of which escapes that are worth while a byte may be the first.
    fn escapes(&self, first: u8) -> u8 {
        let digit = char::from(first).to_digit(16).map(|digit| digit as u8);
        let high = digit.is_some_and(|high| (0..16).any(|low| self.is(high << 4 | low, MORE | IN)));
        let sign = first.is_ascii_punctuation() && self.is(first, IN);
        let named = self.entities.iter().any(|(name, _)| name.as_bytes().first() == Some(&first));
        let kinds = [
            (IN_BACKSLASH, sign || b"uUxnrt".contains(&first)),
            (IN_PERCENT, high || first == b'u'),
            (IN_ENTITY, named || first == b'#'),
        ];
        let more = self.is(first, MORE);
        kinds.into_iter().filter(|(_, is)| *is || more).fold(0, |all, (kind, _)| all | kind)
    }

    fn is(&self, byte: u8, kinds: u8) -> bool {
        self.kinds.get(usize::from(byte)).is_some_and(|own| own & kinds != 0)
    }

    /// Whether some head has these two, one behind the other.
    fn is_pair(&self, before: Option<u8>, byte: u8) -> bool {
        let word = |before: u8| self.before.get(usize::from(byte))?.get(usize::from(before >> 6));
        before.is_some_and(|before| word(before).is_some_and(|word| word >> (before & 63) & 1 == 1))
    }

    /// Whether it may be worth while to read on at a place.
    pub(super) fn is_promising(&self, text: &[u8], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| text.get(before)).copied();
        let Some((lead, rest)) = text.get(at..).and_then(<[u8]>::split_first) else { return false };
        match lead {
            b'\\' => self.may_begin(rest, IN_BACKSLASH) && self.is_backslash(before, rest),
            b'%' => self.may_begin(rest, IN_PERCENT) && self.is_percent(before, rest),
            b'&' => self.is_entity(before, rest, LAYERS),
            _ => self.is_zero(before, rest),
        }
    }

    fn may_begin(&self, rest: &[u8], kind: u8) -> bool {
        rest.first().is_some_and(|first| self.is(*first, kind))
    }

    /// Whether a spelling may go on with this, or more is to be read there.
    fn follows(&self, before: Option<u8>, byte: u8) -> bool {
        self.is(byte, MORE) || self.fits(before, byte)
    }

    /// Whether this stands in a head: first, behind that, or behind a line's end.
    fn fits(&self, before: Option<u8>, byte: u8) -> bool {
        let breaks = || self.is(byte, FOLDED) && matches!(before, Some(b'\r' | b'\n'));
        self.is(byte, IN) && (self.is(byte, FIRST) || self.is_pair(before, byte) || breaks())
    }

    /// `\n` and `\r` may be the end of a line.
    fn is_backslash(&self, before: Option<u8>, rest: &[u8]) -> bool {
        match rest {
            [b'n' | b'r', after, ..] => self.follows(before, *after),
            [b't', ..] => self.follows(before, b'\t'),
            [b'u' | b'U', digits @ ..] => match number(digits.get(..4)) {
                Some(code) => self.follows_char(before, code),
                None => digits.iter().take(4).any(|byte| self.is(*byte, MORE) || *byte == b'{'),
            },
            [b'x', ..] => true,
            // Of a run, each; and what stands behind it.
            [b'\\', ..] => {
                let run = rest.iter().take(MOST_BACKSLASHES).take_while(|byte| **byte == b'\\').count();
                let behind = rest.get(run..).unwrap_or_default();
                self.fits(before, b'\\') || behind.starts_with(b"\\") || self.is_backslash(before, behind)
            }
            [byte, ..] => {
                (byte.is_ascii_punctuation() || self.is(*byte, MORE)) && self.follows(before, *byte)
            }
            [] => false,
        }
    }

    /// Of what is not ASCII, only the first byte is looked at.
    fn follows_char(&self, before: Option<u8>, code: u32) -> bool {
        let mut utf8 = [0; 4];
        match char::from_u32(code) {
            Some(c) => c.encode_utf8(&mut utf8).bytes().take(1).any(|byte| self.follows(before, byte)),
            // Half of a character that takes four bytes.
            None => (0xf0..0xf5).any(|byte| self.follows(before, byte)),
        }
    }

    fn is_percent(&self, before: Option<u8>, rest: &[u8]) -> bool {
        match number(rest.get(..2)) {
            Some(code) => self.follows(before, code as u8),
            None => rest.iter().take(2).any(|byte| self.is(*byte, MORE)) || rest.starts_with(b"u"),
        }
    }

    /// `&amp;` may begin another one, and that one another.
    fn is_entity(&self, before: Option<u8>, rest: &[u8], layers: u8) -> bool {
        if !self.may_begin(rest, IN_ENTITY) {
            return false;
        }
        // Most of those that are left.
        if let [b'a', b'm', b'p', b';', rest @ ..] = rest {
            return self.fits(before, b'&') || (0 < layers && self.is_entity(before, rest, layers - 1));
        }
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (name, rest) = rest.split_at(letters);
        match rest {
            [b'#', rest @ ..] => letters == 0 && self.is_number(before, rest),
            [b';', ..] => {
                let own = self.entities.iter().find(|(own, _)| own.as_bytes() == name);
                own.is_some_and(|(_, byte)| self.follows(before, *byte))
            }
            _ => self.may_begin(rest, MORE),
        }
    }

    /// Of a numeric entity: what stands behind the `#`.
    fn is_number(&self, before: Option<u8>, rest: &[u8]) -> bool {
        let (radix, rest) = match rest {
            [b'x' | b'X', rest @ ..] => (16, rest),
            _ => (10, rest),
        };
        let digits = rest.iter().take(MOST_DIGITS).map_while(|byte| char::from(*byte).to_digit(radix));
        let (code, count) = digits.fold((0_u32, 0), |(code, count), digit| {
            (code.wrapping_mul(radix).wrapping_add(digit), count + 1)
        });
        let is_more = count < MOST_DIGITS && rest.get(count).is_some_and(|byte| self.is(*byte, MORE));
        is_more || (0 < count && char::from_u32(code).is_some() && self.follows_char(before, code))
    }

    /// Between two characters stand a few of them, or the end of one line with its own.
    fn is_zero(&self, before: Option<u8>, rest: &[u8]) -> bool {
        let after = rest.iter().take(MOST_BETWEEN).find(|byte| !b"\0\r\n".contains(byte));
        after.is_some_and(|after| LEADS.contains(after) || self.is_pair(before, *after))
    }
}

/// Of these hexadecimal digits.
fn number(digits: Option<&[u8]>) -> Option<u32> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    digits?.iter().try_fold(0, |number, byte| Some(number * 16 + digit(byte)?))
}
