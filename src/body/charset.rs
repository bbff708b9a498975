//! Every body that is read is UTF-8: here it becomes so.
//!
//! Read are UTF-8, UTF-16 and windows-1252, which the web calls `iso-8859-1`
//! too. Any other charset is refused, and so is what is not written as it
//! says: nothing is ever replaced by `�`.

use bytes::Bytes;

use super::json::Unreadable;
use super::media::MediaType;

/// How a text may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Utf16(Order),
    Windows1252,
}

/// Which byte of two comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// The body in UTF-8, by the label that the type names (WHATWG Encoding §4.2),
/// and without a byte order mark. Without a label it is UTF-8 already, which
/// is judged and not copied.
///
/// A mark says more than a label (WHATWG Encoding §6). JSON has none, and
/// RFC 8259 §8.1 lets us ignore one: some editors and tools write it unasked.
///
/// # Errors
/// The label is unknown, or the bytes are not what it says.
pub fn to_utf8(media: &MediaType, body: &Bytes) -> Result<Bytes, Unreadable> {
    let labelled = labelled(media.charset().unwrap_or("utf-8"))?;
    let (charset, mark) = marked(body).unwrap_or((labelled, 0));
    let text = body.slice(mark.min(body.len())..);
    let wrong = |name: &str| Unreadable::new(format!("it is no {name}: send UTF-8"));
    match charset {
        Charset::Utf8 => match std::str::from_utf8(&text) {
            Ok(_) => Ok(text),
            Err(error) => {
                let place = mark + error.valid_up_to();
                Err(Unreadable::new(format!("it is no UTF-8 from byte {place} on")))
            }
        },
        Charset::Utf16(order) => utf16(&text, order).map(Bytes::from).ok_or_else(|| wrong("UTF-16")),
        Charset::Windows1252 => Ok(text.iter().copied().map(windows_1252).collect::<String>().into()),
    }
}

/// ASCII is a part of UTF-8. The standard takes it for windows-1252, which
/// would make something of every byte that is no ASCII.
fn labelled(label: &str) -> Result<Charset, Unreadable> {
    const LABELS: [(&str, Charset); 14] = [
        ("ascii", Charset::Utf8),
        ("cp1252", Charset::Windows1252),
        ("iso-8859-1", Charset::Windows1252),
        ("iso8859-1", Charset::Windows1252),
        ("iso_8859-1", Charset::Windows1252),
        ("l1", Charset::Windows1252),
        ("latin1", Charset::Windows1252),
        ("us-ascii", Charset::Utf8),
        ("utf-16", Charset::Utf16(Order::Little)),
        ("utf-16be", Charset::Utf16(Order::Big)),
        ("utf-16le", Charset::Utf16(Order::Little)),
        ("utf-8", Charset::Utf8),
        ("utf8", Charset::Utf8),
        ("windows-1252", Charset::Windows1252),
    ];
    let known = LABELS.iter().find(|(known, _)| label.eq_ignore_ascii_case(known));
    let unknown = || Unreadable::new("its charset is not one that is read here: send UTF-8");
    known.map(|(_, charset)| *charset).ok_or_else(unknown)
}

/// What a byte order mark says, and its length.
fn marked(body: &[u8]) -> Option<(Charset, usize)> {
    match body {
        [0xef, 0xbb, 0xbf, ..] => Some((Charset::Utf8, 3)),
        [0xff, 0xfe, ..] => Some((Charset::Utf16(Order::Little), 2)),
        [0xfe, 0xff, ..] => Some((Charset::Utf16(Order::Big), 2)),
        _ => None,
    }
}

fn utf16(text: &[u8], order: Order) -> Option<String> {
    let (pairs, rest) = text.as_chunks::<2>();
    let units = pairs.iter().map(|pair| match order {
        Order::Little => u16::from_le_bytes(*pair),
        Order::Big => u16::from_be_bytes(*pair),
    });
    let text = char::decode_utf16(units).collect::<Result<String, _>>().ok()?;
    rest.is_empty().then_some(text)
}

/// A character of windows-1252 (WHATWG Encoding, index windows-1252).
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let high = usize::from(byte).checked_sub(0x80).and_then(|at| HIGH.get(at));
    high.copied().unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn converted(charset: &str, body: &'static [u8]) -> Result<Bytes, Unreadable> {
        let media = format!("text/plain; charset=\"{charset}\"");
        to_utf8(&MediaType::parse(&media).unwrap(), &Bytes::from_static(body))
    }

    #[test]
    fn what_is_written_otherwise_is_converted() {
        let check = |charset: &str, body: &'static [u8], expected: &str| {
            assert_eq!(converted(charset, body).unwrap(), expected, "{charset}");
        };
        check("iso-8859-1", b"caf\xe9", "café");
        check("Windows-1252", b"5 \x80", "5 €");
        check("utf-16", b"h\0i\0", "hi");
        check("utf-16", b"\xfe\xff\0h\0i", "hi");
        check("utf-16be", b"\0h\0i", "hi");
        check("latin1", b"\x91\xff\x9f", "‘ÿŸ");
        check("us-ascii", "café".as_bytes(), "café");
    }

    #[test]
    fn utf8_passes_without_a_copy_and_without_its_mark() {
        let media = MediaType::parse("application/json").unwrap();
        let body = Bytes::from_static("{\"é\":1}".as_bytes());
        assert_eq!(to_utf8(&media, &body).unwrap().as_ptr(), body.as_ptr());
        let marked = Bytes::from_static("\u{feff}{}".as_bytes());
        assert_eq!(to_utf8(&media, &marked).unwrap(), "{}");
        assert_eq!(converted("UTF8", b"").unwrap(), "");
    }

    #[test]
    fn what_is_not_as_it_says_is_refused_and_not_replaced() {
        let check = |charset: &str, body: &'static [u8], expected: &str| {
            let said = converted(charset, body).expect_err(charset).to_string();
            assert!(said.contains(expected), "{charset}: {said}");
        };
        check("utf-8", b"ab\xff", "no UTF-8 from byte 2 on");
        check("utf-8", b"\xef\xbb\xbfab\xff", "no UTF-8 from byte 5 on");
        check("us-ascii", b"\xe9", "no UTF-8");
        check("utf-16", b"h\0i", "send UTF-8");
        check("utf-16le", b"\x00\xd8", "send UTF-8");
        check("shift_jis", b"\x83", "send UTF-8");
        for label in ["utf-7", "utf-32", "klingon", "", "hz-gb-2312", "replacement"] {
            check(label, b"x", "send UTF-8");
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_is_utf8(
            label in prop_oneof![
                Just("utf-8"), Just("utf-16"), Just("iso-2022-jp"), Just("big5"), Just("x-user-defined")
            ],
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let media = MediaType::parse(&format!("text/plain; charset={label}")).unwrap();
            if let Ok(text) = to_utf8(&media, &body.into()) {
                prop_assert!(std::str::from_utf8(&text).is_ok());
            }
        }

        #[test]
        fn no_type_makes_it_panic(text in "(?s)([a-z/;=\"\\\\ ]|.){0,40}") {
            let _ = MediaType::parse(&text);
            let _ = MediaType::parse(&format!("a/b;{text}"));
        }
    }
}
