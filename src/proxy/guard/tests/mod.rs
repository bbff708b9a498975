//! Nothing that went up comes back, and nothing else is touched: whatever the
//! secrets, however they are written, and wherever the chunks end.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use http::Response as HttpResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

mod hostile;
mod properties;

use super::*;
use crate::proxy::unpack::tests::packed;
use crate::secret::Secret;

const CANARY: &str = "gh/p_\"Zp9<&>+x é%7";

fn guard(secrets: &[&str]) -> Guard {
    let needle =
        |(at, secret): (usize, &&str)| Needle { name: format!("secret-{at}"), secret: Secret::new(*secret) };
    Guard::new(&secrets.iter().enumerate().map(needle).collect::<Vec<_>>())
}

/// What is left of a text, and the leaks.
fn cleaned(guard: &Guard, text: &[u8]) -> (Vec<u8>, Leaks) {
    let mut leaks = Leaks::new();
    let left = guard.clean(text, Place::Body, &mut leaks).unwrap_or_else(|| text.to_vec());
    (left, leaks)
}

/// What leaves of these chunks, chunk by chunk, the end last; and the leaks.
fn swept(guard: &Guard, chunks: &[&[u8]]) -> (Vec<Bytes>, Leaks) {
    let mut sweep = guard.sweep();
    let mut left: Vec<Bytes> = chunks.iter().map(|chunk| sweep.pass(Bytes::copy_from_slice(chunk))).collect();
    left.push(sweep.end());
    (left, sweep.leaks())
}

fn le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// In lines, as MIME has it (RFC 2045 §6.8), of `width` characters.
fn folded(text: &str, width: usize, end: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(end)
}

fn json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// All of a text as `\u0067`.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn a_secret_is_cut_out_in_each_spelling_and_named() {
    let secret = "gh/p_\"Zp9'<&>+x y.z%7";
    let check = |written: &str, spelling: &str| {
        let (left, leaks) = cleaned(&guard(&[secret]), format!("«{written}», «{written}»").as_bytes());
        assert_eq!(String::from_utf8_lossy(&left), "«[redacted]», «[redacted]»", "{written}");
        let leak =
            Leak { name: "secret-0".to_owned(), place: "body".to_owned(), spelling: spelling.to_owned() };
        assert_eq!(leaks, Leaks::from([leak]), "{written}");
    };
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let all = |start: &str, end: &str| -> String {
        secret.chars().map(|c| format!("{start}{:02x}{end}", c as u32)).collect()
    };
    check(secret, "plain");
    check(&percent, "percent-encoded");
    check(&percent.replace("%2F", "%2f").replace("%22", "\"").replace("%5F", "_"), "percent-encoded");
    check(&percent.replace('%', "%25"), "percent-encoded");
    check(&percent.replace('%', "%2525"), "percent-encoded");
    check(&all("%", ""), "percent-encoded");
    check(&all("%u00", ""), "percent-encoded");
    check(&secret.replace(' ', "+"), "form-encoded");
    check(&percent.replace("%20", "+"), "form-encoded, percent-encoded");
    check(&secret.replace([' ', '.'], "_"), "underscored");
    check(&json(secret), "backslash-escaped");
    check(&json(secret).replace('/', "\\/"), "backslash-escaped");
    check(&json(&json(secret)), "backslash-escaped");
    check(&json(&json(&json(secret))), "backslash-escaped");
    check(&escaped(secret), "backslash-escaped");
    check(&json(&json(&escaped(secret))), "backslash-escaped");
    check(&all("\\x", ""), "backslash-escaped");
    check(&all("\\u{", "}"), "backslash-escaped");
    check(&escaped(&escaped(secret)), "backslash-escaped");
    // A backslash that is a number begins another escape.
    check(&escaped(&json(secret)), "backslash-escaped");
    check(&escaped(&json(&json(secret))), "backslash-escaped");
    check(&json(&escaped(&json(secret))), "backslash-escaped");
    check(&json(secret).replace('\\', "\\x5c"), "backslash-escaped");
    check(&json(secret).replace('\\', "\\u{5c}").replace('"', "\\x22"), "backslash-escaped");
    check(&html(secret).replace("&quot;", "\\u005C&quot;"), "backslash-escaped, html-escaped");
    check(&html(secret), "html-escaped");
    check(&html(&html(secret)), "html-escaped");
    check(&html(secret).replace('\'', "&#39;").replace('/', "&#x2F;"), "html-escaped");
    check(&all("&#x", ";"), "html-escaped");
    check(&all("&#x000", ";"), "html-escaped");
    check(&secret.replace('_', "&lowbar;").replace('+', "&plus;"), "html-escaped");
    check(&json(&html(secret)).replace('&', "\\u0026"), "backslash-escaped, html-escaped");
    check(&utf8_percent_encode(&html(secret), NON_ALPHANUMERIC).to_string(), "percent-encoded, html-escaped");
    check(
        &utf8_percent_encode(&escaped(secret), NON_ALPHANUMERIC).to_string(),
        "percent-encoded, backslash-escaped",
    );
    let in_hex = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    check(&in_hex(&escaped(secret)), "percent-encoded, backslash-escaped");
    check(&in_hex(&json(secret)), "percent-encoded, backslash-escaped");
    check(&hex(secret), "hex");
    check(&hex(secret).to_uppercase(), "hex");
    check(&hex(secret).replace('f', "F"), "hex");
    // Ten bytes more would be five characters more that nobody else decides.
    let whole = "0123456789ab";
    for (engine, form) in [(&STANDARD, "base64"), (&URL_SAFE, "base64url")] {
        let secret = format!("{whole}\u{3ff}\u{3ff}~?>");
        let text = engine.encode(&secret);
        assert!(text.contains(['+', '/', '-', '_']), "{text}");
        let (left, leaks) = cleaned(&guard(&[&secret]), format!("«{text}»").as_bytes());
        assert!(!String::from_utf8_lossy(&left).contains(&text[4..]) && leaks.len() == 1, "{text}");
        assert_eq!(leaks.first().unwrap().spelling, form);
    }
}

#[test]
fn base64_is_recognised_at_every_alignment_padded_or_not_and_over_lines() {
    let guard = guard(&[CANARY]);
    for before in ["", "x", "xy", "user:", "some more words, so that a line ends within: "] {
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            let text = engine.encode(format!("{before}{CANARY}!"));
            let core = &text[before.len().div_ceil(3) * 4..(before.len() + CANARY.len()) / 3 * 4];
            for end in ["\r\n", "\n", "\\r\\n", "\\n", "%0D%0A", "%0a", "&#10;"] {
                for width in [16, 19, 64, 76] {
                    let written = folded(&text, width, end);
                    let (left, leaks) = cleaned(&guard, written.as_bytes());
                    let left = String::from_utf8(left).unwrap();
                    assert!(left.contains(REDACTED) && leaks.len() == 1, "{written}: {left}");
                    assert!(!left.replace(end, "").contains(&core[4..]), "{written}: {left}");
                }
            }
        }
    }
}

#[test]
fn utf16_stays_utf16() {
    for secret in [CANARY, "plain-ascii-secret"] {
        let guard = guard(&[secret]);
        for (before, written) in
            [("é ", secret), ("", &escaped(secret)), ("a", &html(secret)), ("\u{feff}{\"", &json(secret))]
        {
            let text = format!("{before}{written} and after");
            let expected = format!("{before}{REDACTED} and after");
            for encode in [le, be] {
                assert_eq!(cleaned(&guard, &encode(&text)).0, encode(&expected), "{text}");
            }
            // A fragment in something else begins anywhere.
            let odd = [b"x", le(&text).as_slice()].concat();
            assert_eq!(cleaned(&guard, &odd).0, [b"x", le(&expected).as_slice()].concat(), "{text}");
        }
    }
    let guard = guard(&["plain-ascii-secret"]);
    let base64 = STANDARD.encode("!plain-ascii-secret!");
    for text in [hex("plain-ascii-secret"), folded(&base64, 16, "\r\n"), base64] {
        for encode in [le, be] {
            assert_eq!(cleaned(&guard, &encode(&text)).1.len(), 1, "{text}");
        }
    }
    let utf32: Vec<u8> = "plain-ascii-secret!".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let expected: Vec<u8> = "[redacted]!".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    assert_eq!(cleaned(&guard, &utf32).0, expected);
}

#[test]
fn other_characters_than_ascii_are_recognised_too() {
    let guard = guard(&["schlüssel→🔑"]);
    let latin = "schlüssel-für-uns";
    let check = |text: &[u8]| assert_eq!(cleaned(&guard, text).0, REDACTED.as_bytes(), "{text:?}");
    check("schlüssel→🔑".as_bytes());
    check(b"schl\\u00fcssel\\u2192\\ud83d\\udd11");
    check(b"schl\\\\u00FCssel\\\\u2192\\\\uD83D\\\\uDD11");
    check(b"schl\\u{fc}ssel\\u{2192}\\u{1f511}");
    check(b"schl%C3%BCssel%E2%86%92%F0%9F%94%91");
    check(b"schl%u00fcssel%u2192%uD83D%uDD11");
    check(b"schl&#252;ssel&#8594;&#128273;");
    let latin1: Vec<u8> = latin.chars().map(|c| c as u8).collect();
    let guard = self::guard(&[latin]);
    for text in [latin1.clone(), b"schl%FCssel-f%fcr-uns".to_vec(), b"schl\\xfcssel-f\\xfcr-uns".to_vec()] {
        assert_eq!(cleaned(&guard, &text).0, REDACTED.as_bytes(), "{text:?}");
    }
}

#[test]
fn a_key_over_several_lines_is_recognised_whatever_ends_them() {
    let key = "-----BEGIN KEY-----\nAAECAwQFBgcICQoL\nDA0ODxAREhMUFRYX\n-----END KEY-----\n";
    let guard = guard(&[key]);
    for text in [key.to_owned(), key.replace('\n', "\r\n"), json(key), key.replace('\n', "")] {
        let (left, leaks) = cleaned(&guard, text.as_bytes());
        let left = String::from_utf8(left).unwrap();
        assert_eq!(
            (left.trim_end_matches(['\r', '\n', '\\']).trim_end_matches("\\n"), leaks.len()),
            (REDACTED, 1),
            "{text}"
        );
    }
}

#[test]
fn a_secret_that_ends_as_an_escape_begins_is_cut_out_with_all_of_it() {
    let guard = guard(&["secret-7%"]);
    for text in ["x secret-7% y", "x secret-7%25 y", "x secret-7%", "x secret-7%25"] {
        let expected = if text.ends_with('y') { "x [redacted] y" } else { "x [redacted]" };
        assert_eq!(cleaned(&guard, text.as_bytes()).0, expected.as_bytes(), "{text}");
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(swept(&guard, &chunks).0.concat(), expected.as_bytes(), "{text}");
    }
}

/// What looks like the beginning or the end of an escape beside a secret hides nothing.
#[test]
fn what_stands_beside_a_secret_hides_nothing() {
    let secret = "ca7u0064;x\"9%41";
    let guard = guard(&[secret]);
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    for written in
        [secret.to_owned(), percent.clone(), percent.to_lowercase(), json(secret), html(secret), hex(secret)]
    {
        for before in
            ["%", "%2", "\\", "\\\\", "\\u", "\\u00", "&", "&#", "&#x", "&am", "%25", "=\r\n", "ca7u", "\\n"]
        {
            for after in ["", "%", "41", "25", ";", "\\", "\"", "amp;", "\n0"] {
                let (left, leaks) = cleaned(&guard, format!("{before}{written}{after}").as_bytes());
                let left = String::from_utf8(left).unwrap();
                assert!(!left.contains(&written) && !leaks.is_empty(), "{before} {written} {after}: {left}");
                assert!(
                    left.starts_with(before) || before.contains('&') || before.contains('%'),
                    "{before} {written} {after}: {left}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_secret_stays() {
    let guard = guard(&[CANARY, "0123456789abcdef", "password"]);
    for text in [
        "{\"text\":\"a \\\"quoted\\\" word\\n\\u00e9\\ud83d\\udd11\",\"url\":\"/a?b=%20&c=%2f&amp;d\"}",
        "0123456789abcde\n\nf",
        "0123456789 abcdef",
        "passw0rd pass-word Password",
        "\u{feff}passwor\0",
        "100% & \\",
        "MDEyMzQ1Njc4OWFiY2RlZg",
        "&passwor;",
        "%70assw%6frd",
    ] {
        let hit = text.contains("MDEy") || text.contains("%70");
        assert_eq!(cleaned(&guard, text.as_bytes()).1.len(), usize::from(hit), "{text}");
    }
}

/// Values that anybody could guess would take half the words with them.
#[test]
fn what_is_too_short_is_left_alone() {
    assert_eq!(
        cleaned(&guard(&["admin", "1234567"]), b"admin 1234567"),
        (b"admin 1234567".to_vec(), Leaks::new())
    );
    assert_eq!(cleaned(&guard(&["12345678"]), b"admin 12345678").0, b"admin [redacted]");
}

#[test]
fn secrets_that_overlap_leave_nothing_of_either() {
    let guard = guard(&["secret-0", "secret-0-and-more", "0-and-more-of", "abababab"]);
    for (chunks, expected) in [
        (["x secret-0", "-and-more y"], "x [redacted] y"),
        (["x secret-0", " and-more y"], "x [redacted] and-more y"),
        (["x secret-0-and-m", "uch y"], "x [redacted]-and-much y"),
        (["x secret-0-and-more", "-of y"], "x [redacted] y"),
        (["x secret-0secret-", "0y"], "x [redacted][redacted]y"),
        (["x abababababab", "abac y"], "x [redacted]ac y"),
    ] {
        assert_eq!(swept(&guard, &chunks.map(str::as_bytes)).0.concat(), expected.as_bytes(), "{chunks:?}");
        assert_eq!(cleaned(&guard, chunks.concat().as_bytes()).0, expected.as_bytes(), "{chunks:?}");
    }
}

#[test]
fn only_what_may_be_the_beginning_of_a_secret_waits() {
    let guard = guard(&["hello-secret"]);
    let check = |chunks: &[&str], expected: &[&str]| {
        let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
        assert_eq!(swept(&guard, &chunks).0, expected, "{expected:?}");
    };
    check(&["data: token\n\n", "data: two\n\n"], &["data: token\n\n", "data: two\n\n", ""]);
    check(&["{\"a\":1}\n", "{\"b\":\"hex\"}\n"], &["{\"a\":1}\n", "{\"b\":\"hex\"}\n", ""]);
    check(&["say hel", "p!"], &["say ", "help!", ""]);
    check(&["say hello-", "secret!"], &["say ", "[redacted]!", ""]);
    check(&["say hello-", "s", "e", "t", " !"], &["say ", "", "", "hello-set", " !", ""]);
    check(&["\\u006", "8ello-", "\\n", "hello", " hell"], &["", "", "\\u0068ello-\\n", "", "hello ", "hell"]);
    check(&["hello-secre"], &["", "hello-secre"]);
    check(&["100%", " of"], &["100", "% of", ""]);
    check(&["%68ello-", "%73ecret%", "2"], &["", "[redacted]", "", "%2"]);
    check(&["%6", "8ello-secret"], &["", "[redacted]", ""]);
    check(&["h\\", "u006", "5llo-secret;"], &["", "", "[redacted];", ""]);
    check(&["he&", "#108;lo-secret"], &["", "[redacted]", ""]);
    check(&["he&", "lt;"], &["", "he&lt;", ""]);
    check(&["aGVsbG8t\r\n", "c2VjcmV0!"], &["", "[redacted]!", ""]);
    check(&["aGVsbG8t\n\n", "c2VjcmV0"], &["aGVsbG8t\n\n", "c2VjcmV0", ""]);
    check(&["", ""], &["", "", ""]);
}

/// What `GET` with this `accept-encoding` gets of this body.
fn release(body: Bytes, encoding: &str, accept: &'static str) -> (Clean, Leaks) {
    let accepts = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
    let arrived = Arrived { bytes: body, rest: None };
    let response = HttpResponse::builder().header("content-encoding", encoding).body(arrived).unwrap();
    let reply = Reply::new(Method::GET, Accepts::of(&accepts), response, guard(&[CANARY]));
    reply.release(&Allowed::Any, Open { limit: 1000, read: false }).unwrap()
}

#[test]
fn clean_bytes_are_untouched() {
    let body = Bytes::from_static(b"{\"name\":\"hello\",\"n\":[1,2,3],\"u\":\"\\u0067\",\"%67\":\"&#67;\"}");
    let (response, leaks) = release(body.clone(), "identity", "gzip");
    assert!(std::ptr::eq(response.body.as_ptr(), body.as_ptr()) && leaks.is_empty());
    for (name, coding, packed) in packed(&body) {
        let packed = Bytes::from(packed);
        let (response, leaks) = release(packed.clone(), coding.name(), "*");
        assert!(std::ptr::eq(response.body.as_ptr(), packed.as_ptr()) && leaks.is_empty(), "{name}");
        assert_eq!(release(packed, coding.name(), "identity").0.body, body, "{name}");
    }
}

/// Gzip may carry a name and a comment, zstd frames that are skipped: no decoder shows them.
#[test]
fn a_secret_beside_the_packed_text_does_not_leave_either() {
    let mut gzip = flate2::GzBuilder::new().comment(CANARY).write(Vec::new(), Default::default());
    std::io::Write::write_all(&mut gzip, b"clean").unwrap();
    let (response, leaks) = release(gzip.finish().unwrap().into(), "gzip", "gzip");
    assert_eq!((response.body.as_ref(), leaks.len()), (&b"clean"[..], 1));
    assert!(!response.headers.contains_key("content-encoding"));
}
