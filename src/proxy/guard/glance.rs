//! A cheap look at a place where an escape or a zero stands: most of them in
//! clean texts cannot be within a secret.
//!
//! It errs to one side only. What it turns down, no reading could make a
//! secret of; what it lets through is read.

use super::reading::{LAYERS, LEADS, entity};
use super::search::Search;
use super::target::Target;

/// The end of a line in UTF-32, less its first byte.
const MOST_BETWEEN: usize = 12;

impl Search {
    /// Whether it may be worth while to read on at a place.
    pub(super) fn is_promising(&self, text: &[u8], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| text.get(before)).copied();
        let Some((lead, rest)) = text.get(at..).and_then(<[u8]>::split_first) else { return false };
        match lead {
            b'\\' => self.is_backslash(before, rest),
            b'%' => self.is_percent(before, rest),
            b'&' => self.is_entity(before, rest, LAYERS),
            _ => self.is_zero(before, rest),
        }
    }

    /// Whether a spelling may go on with this, or more is to be read there.
    fn follows(&self, before: Option<u8>, byte: u8) -> bool {
        is_more(byte) || self.fits(before, byte)
    }

    /// Whether this stands in a head: first, behind that, or behind a line's end.
    fn fits(&self, before: Option<u8>, byte: u8) -> bool {
        let broke = matches!(before, Some(b'\r' | b'\n'));
        self.joined(byte).any(|(target, behind)| match behind.checked_sub(1) {
            None => true,
            Some(place) => target.is_at(place, before) || (broke && target.folds()),
        })
    }

    /// `\n` and `\r` may be the end of a line.
    fn is_backslash(&self, before: Option<u8>, rest: &[u8]) -> bool {
        match rest {
            [b'n' | b'r', after, ..] => self.follows(before, *after),
            [b't', ..] => self.follows(before, b'\t'),
            [b'u' | b'U', digits @ ..] => match number(digits.get(..4)) {
                Some(code) => self.follows_char(before, code),
                None => digits.iter().take(4).any(|byte| is_more(*byte) || *byte == b'{'),
            },
            [b'x', ..] => true,
            [byte, ..] => (is_more(*byte) || byte.is_ascii_punctuation()) && self.follows(before, *byte),
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
            None => rest.iter().take(2).any(|byte| is_more(*byte)) || rest.starts_with(b"u"),
        }
    }

    /// `&amp;` may begin another one, and that one another.
    fn is_entity(&self, before: Option<u8>, rest: &[u8], layers: u8) -> bool {
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (name, rest) = rest.split_at(letters);
        match (rest, entity(name)) {
            ([b';', rest @ ..], Some(b'&')) => {
                self.fits(before, b'&') || (0 < layers && self.is_entity(before, rest, layers - 1))
            }
            ([b';', ..], Some(byte)) => self.follows(before, byte),
            ([b'#', ..], _) => letters == 0,
            (rest, _) => rest.first().is_some_and(|byte| is_more(*byte)),
        }
    }

    /// Between two characters stand a few of them, or the end of one line with its own.
    fn is_zero(&self, before: Option<u8>, rest: &[u8]) -> bool {
        let after = rest.iter().take(MOST_BETWEEN).find(|byte| !b"\0\r\n".contains(byte));
        let stands = |(target, behind): (&Target, usize)| {
            behind.checked_sub(1).is_some_and(|place| target.is_at(place, before))
        };
        after.is_some_and(|after| LEADS.contains(after) || self.joined(*after).any(stands))
    }
}

/// Whether it is the beginning of more to read.
fn is_more(byte: u8) -> bool {
    LEADS.contains(&byte) || b"\0\r\n".contains(&byte)
}

/// Of these hexadecimal digits.
fn number(digits: Option<&[u8]>) -> Option<u32> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    digits?.iter().try_fold(0, |number, byte| Some(number * 16 + digit(byte)?))
}
