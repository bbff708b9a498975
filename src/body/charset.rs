//! Every body that is read is UTF-8: here it becomes so.
//!
//! Nothing is ever replaced by `�`: what is not written as it says is refused.

use std::borrow::Cow;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};

use super::json::Unreadable;
use super::media::MediaType;

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
    let labelled = encoding(media.charset().unwrap_or("utf-8"))?;
    let (encoding, mark) = Encoding::for_bom(body).unwrap_or((labelled, 0));
    let text = body.slice(mark.min(body.len())..);
    match encoding.decode_without_bom_handling_and_without_replacement(&text) {
        Some(Cow::Borrowed(_)) => Ok(text),
        Some(Cow::Owned(text)) => Ok(text.into()),
        None if encoding == UTF_8 => {
            let place = mark + Encoding::utf8_valid_up_to(&text);
            Err(Unreadable::new(format!("it is no UTF-8 from byte {place} on")))
        }
        None => Err(Unreadable::new(format!("it is no {}: send UTF-8", encoding.name()))),
    }
}

/// ASCII is a part of UTF-8. The standard takes it for windows-1252, which
/// would make something of every byte that is no ASCII.
fn encoding(label: &str) -> Result<&'static Encoding, Unreadable> {
    if ["ascii", "us-ascii"].iter().any(|ascii| label.eq_ignore_ascii_case(ascii)) {
        return Ok(UTF_8);
    }
    let known = Encoding::for_label_no_replacement(label.as_bytes());
    known.ok_or_else(|| Unreadable::new("its charset is not one that is read here: send UTF-8"))
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
        check("shift_jis", b"\x83\x65\x83\x58\x83\x67", "テスト");
        check("gb18030", b"\xc4\xe3\xba\xc3", "你好");
        check("koi8-r", b"\xd4\xc5\xd3\xd4", "тест");
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
