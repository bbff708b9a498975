//! How a text may be read: each place of it as it stands, and as the escapes
//! that begin there are undone.
//!
//! There is often more than one way: `%67` is three characters, or a `g`. All
//! are tried, so that no stray `%` or `\` before a secret hides it, and none
//! behind it. An escape may be written in escapes itself, as in `%2567` or
//! `&amp;#103;`: up to [`LAYERS`] of them, one over the other.

use std::cell::Cell;

/// How many escapings, one over the other, are undone.
pub(super) const LAYERS: u8 = 3;

/// Each escaping in JSON doubles the backslashes before.
pub(super) const MOST_BACKSLASHES: usize = 8;

/// The digits of a numeric entity, leading zeros among them.
pub(super) const MOST_DIGITS: usize = 8;

/// As many zeros stand before a character of UTF-32.
const MOST_ZEROS: usize = 3;

/// What an escape begins with.
pub(super) const LEADS: &[u8; 3] = b"\\%&";

/// Of the names of entities.
const LONGEST_NAME: usize = 7;

/// The escapings that a reading undid: a set.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ways(u8);

/// A character as it may be read at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    /// Where the next one begins.
    pub(super) end: usize,
    /// The escapings that were undone for it.
    pub(super) ways: Ways,
    bytes: [u8; 4],
    length: usize,
}

/// A text, and whether somebody tried to read on behind its end.
pub(super) struct Reader<'t> {
    pub(super) text: &'t [u8],
    short: Cell<bool>,
}

/// What takes the units of a place, one by one.
type Take<'a> = &'a mut dyn FnMut(Unit);

impl Ways {
    pub(super) const NONE: Self = Self(0);
    const PERCENT: Self = Self(1);
    const BACKSLASH: Self = Self(2);
    const ENTITY: Self = Self(4);
    /// Zeros between the characters.
    pub(super) const WIDE: Self = Self(8);
    /// The ends of lines between them.
    pub(super) const FOLDED: Self = Self(16);

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What the record calls them.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(Ways, &str); 5] = [
            (Ways::PERCENT, "percent-encoded"),
            (Ways::BACKSLASH, "backslash-escaped"),
            (Ways::ENTITY, "html-escaped"),
            (Ways::WIDE, "utf-16"),
            (Ways::FOLDED, "folded"),
        ];
        NAMES.into_iter().filter(move |(way, _)| self.has(*way)).map(|(_, name)| name)
    }
}

impl Unit {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The one byte that it is; 0 where it is several.
    pub(super) fn byte(&self) -> u8 {
        let [first, ..] = self.bytes;
        if self.length == 1 { first } else { 0 }
    }

    /// Whether nothing had to be undone for it.
    pub(super) fn is_plain(&self) -> bool {
        self.ways == Ways::NONE
    }

    /// The next one, read because this one was.
    fn then(self, next: Self) -> Self {
        Self { ways: self.ways.and(next.ways), ..next }
    }

    /// Another character, that an escape up to `end` means.
    fn means(end: usize, ways: Ways, c: char) -> Self {
        let mut bytes = [0; 4];
        let length = c.encode_utf8(&mut bytes).len();
        Self { end, ways, bytes, length }
    }

    fn means_byte(end: usize, ways: Ways, byte: u8) -> Self {
        Self { end, ways, bytes: [byte, 0, 0, 0], length: 1 }
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self { text, short: Cell::new(false) }
    }

    /// Whether somebody read on to the text's end since this was last forgotten:
    /// more text could be read otherwise.
    pub(super) fn was_short(&self) -> bool {
        self.short.get()
    }

    pub(super) fn forget(&self) {
        self.short.set(false);
    }

    /// Gives every character that may be read at a place; the plain one first.
    pub(super) fn units(&self, at: usize, take: Take<'_>) {
        self.layered(at, LAYERS, take);
    }

    fn layered(&self, at: usize, layers: u8, take: Take<'_>) {
        let Some(plain) = self.plain(at) else { return };
        take(plain);
        if LEADS.contains(&plain.byte()) {
            self.escapes(plain, layers, take);
        }
    }

    /// The character as it stands. Zeros before it are those of UTF-16.
    fn plain(&self, at: usize) -> Option<Unit> {
        worked(1);
        let zeros = (0..MOST_ZEROS).take_while(|zeros| self.text.get(at + zeros) == Some(&0)).count();
        let ways = if zeros == 0 { Ways::NONE } else { Ways::WIDE };
        let byte = self.text.get(at + zeros);
        self.short.set(self.short.get() || byte.is_none());
        byte.map(|byte| Unit::means_byte(at + zeros + 1, ways, *byte))
    }

    /// What an escape that begins with `lead` means; and where that begins
    /// another, what that one means.
    fn escapes(&self, lead: Unit, layers: u8, take: Take<'_>) {
        let Some(inner) = layers.checked_sub(1) else { return };
        let run = lead.byte() == b'\\';
        let mut meant = |unit: Unit| {
            take(unit);
            // A run of backslashes was read to its end already.
            if LEADS.contains(&unit.byte()) && !(run && unit.byte() == b'\\') {
                self.escapes(unit, inner, take);
            }
        };
        match lead.byte() {
            b'%' => self.percent(lead, inner, &mut meant),
            b'\\' => self.backslash(lead, inner, &mut meant),
            _ => self.entity(lead, inner, &mut meant),
        }
    }

    /// The first reading of a place that fits.
    fn find(&self, at: usize, layers: u8, fits: impl Fn(u8) -> bool) -> Option<Unit> {
        let plain = self.plain(at)?;
        let mut first = Some(plain).filter(|plain| fits(plain.byte()));
        // To read on where nobody asks would cost a run of leads dearly.
        if first.is_none() && LEADS.contains(&plain.byte()) {
            self.escapes(plain, layers, &mut |unit| {
                first = first.or(Some(unit).filter(|it| fits(it.byte())))
            });
        }
        first
    }

    /// A number of up to `most` digits, and how many there were.
    fn number(&self, at: usize, layers: u8, most: usize, radix: u32) -> (Number, usize) {
        let mut number = Number { value: 0, end: at, ways: Ways::NONE };
        for count in 0..most {
            let digit = self.find(number.end, layers, |byte| char::from(byte).is_digit(radix));
            let Some(unit) = digit else { return (number, count) };
            let value = char::from(unit.byte()).to_digit(radix).unwrap_or_default();
            let value = number.value.wrapping_mul(radix).wrapping_add(value);
            number = Number { value, end: unit.end, ways: number.ways.and(unit.ways) };
        }
        (number, most)
    }

    fn digits(&self, at: usize, layers: u8, exactly: usize) -> Option<Number> {
        let (number, count) = self.number(at, layers, exactly, 16);
        (count == exactly).then_some(number)
    }

    /// `%67` (RFC 3986 §2.1), and JavaScript's `%u0067`.
    fn percent(&self, lead: Unit, layers: u8, take: Take<'_>) {
        let ways = lead.ways.and(Ways::PERCENT);
        if let Some(code) = self.digits(lead.end, layers, 2) {
            take(Unit::means_byte(code.end, ways.and(code.ways), code.value as u8));
        } else if let Some(u) = self.find(lead.end, layers, |byte| byte == b'u')
            && let Some((c, code)) = self.utf16(u.end, layers, b'%')
        {
            take(Unit::means(code.end, ways.and(code.ways), c));
        }
    }

    /// A run of backslashes, and the escape behind it. A backslash that is
    /// itself written as a number, as in `\u005C\u0022`, is one of the run.
    fn backslash(&self, lead: Unit, layers: u8, take: Take<'_>) {
        let mut last = Unit { ways: lead.ways.and(Ways::BACKSLASH), ..lead };
        let mut coded = false;
        for _ in 0..=MOST_BACKSLASHES {
            let mut next = self.find(last.end, layers, |byte| byte == b'\\').map(|next| last.then(next));
            if coded || next.is_none() {
                // To read on more deeply would cost a run of such numbers dearly.
                let depth = if coded { layers.min(1) } else { layers };
                coded = next.is_none();
                // A letter may stand where a sign begins another escape.
                for fits in [|byte: u8| byte.is_ascii_punctuation(), |byte: u8| b"uUxnrt".contains(&byte)] {
                    let behind = self.find(last.end, depth, fits);
                    match behind.and_then(|behind| self.escape(last, behind, layers)) {
                        Some(unit) if unit.byte() == b'\\' => next = next.or(Some(unit)),
                        Some(unit) => take(unit),
                        None => {}
                    }
                }
            }
            let Some(unit) = next else { return };
            take(unit);
            last = unit;
        }
    }

    /// `\u0067`, `\"` and the like (RFC 8259 §7), and what other languages have:
    /// the last backslash of a run, and what stands behind it.
    fn escape(&self, last: Unit, next: Unit, layers: u8) -> Option<Unit> {
        let ways = last.ways.and(next.ways);
        match next.byte() {
            b'u' | b'U' => {
                let unit = self.utf16(next.end, layers, b'\\').or_else(|| self.braced(next.end, layers));
                unit.map(|(c, code)| Unit::means(code.end, ways.and(code.ways), c))
            }
            b'x' => {
                let code = self.digits(next.end, layers, 2)?;
                Some(Unit::means_byte(code.end, ways.and(code.ways), code.value as u8))
            }
            b'n' => Some(Unit::means_byte(next.end, ways, b'\n')),
            b'r' => Some(Unit::means_byte(next.end, ways, b'\r')),
            b't' => Some(Unit::means_byte(next.end, ways, b'\t')),
            byte => byte.is_ascii_punctuation().then(|| Unit::means_byte(next.end, ways, byte)),
        }
    }

    /// Four digits; and where they are but half of a character, the other half
    /// in a second escape.
    fn utf16(&self, at: usize, layers: u8, lead: u8) -> Option<(char, Number)> {
        let first = self.digits(at, layers, 4)?;
        if let Some(c) = char::from_u32(first.value) {
            return Some((c, first));
        }
        let mut at = self.find(first.end, layers, |byte| byte == lead)?.end;
        while let Some(again) = self.find(at, layers, |byte| byte == lead && lead == b'\\') {
            at = again.end;
        }
        let u = self.find(at, layers, |byte| byte.eq_ignore_ascii_case(&b'u'))?;
        let second = self.digits(u.end, layers, 4)?;
        let units = [first.value as u16, second.value as u16];
        char::decode_utf16(units).next()?.ok().map(|c| (c, second))
    }

    /// JavaScript's `\u{67}`.
    fn braced(&self, at: usize, layers: u8) -> Option<(char, Number)> {
        let open = self.find(at, layers, |byte| byte == b'{')?;
        let (code, count) = self.number(open.end, layers, 6, 16);
        let close = self.find(code.end, layers, |byte| byte == b'}').filter(|_| 0 < count)?;
        Some((char::from_u32(code.value)?, Number { end: close.end, ..code }))
    }

    /// `&#103;`, `&#x67;` and `&amp;` (WHATWG HTML §13.5). Numbers do without a semicolon.
    fn entity(&self, lead: Unit, layers: u8, take: Take<'_>) {
        let ways = lead.ways.and(Ways::ENTITY);
        let Some(hash) = self.find(lead.end, layers, |byte| byte == b'#') else {
            let named = self.named(lead.end, layers);
            return named.map(|(byte, end)| take(Unit::means_byte(end, ways, byte))).unwrap_or_default();
        };
        let x = self.find(hash.end, layers, |byte| byte.eq_ignore_ascii_case(&b'x'));
        let (from, radix) = x.map_or((hash.end, 10), |x| (x.end, 16));
        let (code, count) = self.number(from, layers, MOST_DIGITS, radix);
        let end =
            self.find(code.end, layers, |byte| byte == b';').map_or(code.end, |semicolon| semicolon.end);
        if let Some(c) = char::from_u32(code.value).filter(|_| 0 < count) {
            take(Unit::means(end, ways.and(code.ways), c));
        }
    }

    fn named(&self, mut at: usize, layers: u8) -> Option<(u8, usize)> {
        let mut name = Vec::new();
        while let Some(letter) = self.find(at, layers, |byte| byte.is_ascii_alphabetic())
            && name.len() < LONGEST_NAME
        {
            name.push(letter.byte());
            at = letter.end;
        }
        let end = self.find(at, layers, |byte| byte == b';')?.end;
        Some((entity(&name)?, end))
    }
}

/// The names of entities that stand for a character of ASCII (WHATWG HTML §13.5).
pub(super) const ENTITIES: [(&str, u8); 41] = [
    ("amp", b'&'),
    ("AMP", b'&'),
    ("apos", b'\''),
    ("ast", b'*'),
    ("bsol", b'\\'),
    ("colon", b':'),
    ("comma", b','),
    ("commat", b'@'),
    ("dollar", b'$'),
    ("equals", b'='),
    ("excl", b'!'),
    ("grave", b'`'),
    ("gt", b'>'),
    ("GT", b'>'),
    ("Hat", b'^'),
    ("lbrace", b'{'),
    ("lbrack", b'['),
    ("lcub", b'{'),
    ("lowbar", b'_'),
    ("lpar", b'('),
    ("lsqb", b'['),
    ("lt", b'<'),
    ("LT", b'<'),
    ("NewLine", b'\n'),
    ("num", b'#'),
    ("percnt", b'%'),
    ("period", b'.'),
    ("plus", b'+'),
    ("quest", b'?'),
    ("quot", b'"'),
    ("QUOT", b'"'),
    ("rbrace", b'}'),
    ("rbrack", b']'),
    ("rcub", b'}'),
    ("rpar", b')'),
    ("rsqb", b']'),
    ("semi", b';'),
    ("sol", b'/'),
    ("Tab", b'\t'),
    ("verbar", b'|'),
    ("vert", b'|'),
];

fn entity(name: &[u8]) -> Option<u8> {
    ENTITIES.iter().find(|(own, _)| own.as_bytes() == name).map(|(_, byte)| *byte)
}

/// Counts the bytes that were looked at: a test asks how many a text costs.
pub(super) fn worked(bytes: usize) {
    #[cfg(test)]
    WORK.set(WORK.get() + bytes);
    #[cfg(not(test))]
    let _ = bytes;
}

#[cfg(test)]
thread_local! {
    pub(super) static WORK: Cell<usize> = const { Cell::new(0) };
}

/// A number that stands in an escape.
#[derive(Clone, Copy)]
struct Number {
    value: u32,
    end: usize,
    ways: Ways,
}
