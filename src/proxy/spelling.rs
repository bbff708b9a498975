//! How programs write a secret down again: what the guard looks for, and how
//! it reads what it looks at.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// The ways in which programs write a value down again.
pub(super) fn spellings(value: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let json = serde_json::Value::from(value).to_string();
    let json = json.trim_matches('"').to_owned();
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut texts = vec![
        value.to_owned(),
        // Percent-encoding is undone before the search; a form's plus is not.
        value.replace(' ', "+"),
        // And of a secret right behind a stray `%`, undoing it would take the first letters.
        percent(value, false),
        percent(value, true),
        json.replace('/', "\\/"),
        unicode_escapes(&json, "<>&", false),
        unicode_escapes(&json, "<>&'=", false),
        unicode_escapes(&json, "<>&'+`", true),
        json,
        html.replace('"', "&quot;").replace('\'', "&#39;"),
        html.replace('"', "&#34;").replace('\'', "&#x27;"),
        html,
        hex.to_uppercase(),
        hex,
    ];
    for shift in 0..3 {
        texts.push(base64_inside(&STANDARD_NO_PAD, value, shift));
        texts.push(base64_inside(&URL_SAFE_NO_PAD, value, shift));
    }
    texts.into_iter().map(|text| Zeroizing::new(text.into_bytes())).collect()
}

/// All but the unreserved characters (RFC 3986 §2.3), with `%2F` or `%2f`.
fn percent(value: &str, lower: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let code = |byte: u8| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte if lower => format!("%{byte:02x}"),
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(code).collect()
}

/// JSON that may stand in HTML: Go escapes `<>&` so, Gson `<>&'=`, .NET `<>&'+`
/// and the backtick in capitals. What is not ASCII is escaped too.
fn unicode_escapes(json: &str, escaped: &str, upper: bool) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !escaped.contains(c) {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let code = if upper { format!("{unit:04X}") } else { format!("{unit:04x}") };
            text.push_str("\\u");
            text.push_str(&code);
        }
    }
    text
}

/// The characters that `value` alone decides, wherever base64 has put it:
/// `shift` bytes of something else stand before it in its group of three.
fn base64_inside(engine: &impl Engine, value: &str, shift: usize) -> String {
    let mut bytes = Zeroizing::new(vec![0_u8; shift]);
    bytes.extend_from_slice(value.as_bytes());
    let text = engine.encode(bytes.as_slice());
    // A character holds six bits: those that share bits with a neighbour go.
    let first = (shift * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    text.get(first..last).unwrap_or_default().to_owned()
}

/// Bytes percent-decoded, with the way back to where each one came from.
pub(super) struct Decoded<'b> {
    from: &'b [u8],
    /// What they decode to.
    pub(super) bytes: Vec<u8>,
    /// Which of the decoded bytes came from three, in order.
    escapes: Vec<usize>,
}

impl<'b> Decoded<'b> {
    /// `None` where there is nothing to decode.
    pub(super) fn of(from: &'b [u8]) -> Option<Self> {
        let first = from.iter().position(|byte| *byte == b'%')?;
        let mut decoded = Self { from, bytes: Vec::with_capacity(from.len()), escapes: Vec::new() };
        decoded.bytes.extend_from_slice(from.get(..first).unwrap_or_default());
        let mut at = first;
        while let Some(byte) = from.get(at) {
            let code = from.get(at + 1..at + 3).filter(|_| *byte == b'%').and_then(hex);
            if code.is_some() {
                decoded.escapes.push(decoded.bytes.len());
            }
            decoded.bytes.push(code.unwrap_or(*byte));
            at += if code.is_some() { 3 } else { 1 };
        }
        (!decoded.escapes.is_empty()).then_some(decoded)
    }

    /// What a part of the decoded bytes was decoded from.
    pub(super) fn source(&self, start: usize, end: usize) -> &'b [u8] {
        self.from.get(self.place(start)..self.place(end)).unwrap_or_default()
    }

    /// Where a decoded byte came from.
    pub(super) fn place(&self, at: usize) -> usize {
        at + 2 * self.escapes.partition_point(|escape| *escape < at)
    }
}

/// How many bytes at the end may be an escape that has only begun: `%`, or `%4`.
pub(super) fn begun_escape(bytes: &[u8]) -> usize {
    match bytes {
        [.., b'%'] => 1,
        [.., b'%', digit] if digit.is_ascii_hexdigit() => 2,
        _ => 0,
    }
}

fn hex(code: &[u8]) -> Option<u8> {
    let digits =
        std::str::from_utf8(code).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}
