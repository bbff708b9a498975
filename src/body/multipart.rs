//! Forms that may hold files: `multipart/form-data` (RFC 7578).
//!
//! Read as strictly as a form can be that browsers and libraries send:
//! what two parsers could take apart differently is refused.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bstr::ByteSlice;
use bytes::Bytes;
use httparse::{EMPTY_HEADER, Header, Status};

use super::charset;
use super::fields::Fields;
use super::json::Unreadable;
use super::media::{self, MediaType};
use super::{Doc, Val};

/// How long a boundary may be (RFC 2046 §5.1.1).
const BOUNDARY: RangeInclusive<usize> = 1..=70;

/// Browsers send two headers with a file.
const MOST_HEADERS: usize = 16;

/// All headers of one part, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// Each part, unless it says otherwise (RFC 7578 §4.4).
const PLAIN: &str = "text/plain";

/// Reads a form to an object of its fields, in order; a name that is repeated
/// holds a list. A field is a text; a part with a file name is a file:
/// `{filename, content_type, base64}`. A page sends the file that nobody
/// chose as one with no name and no content.
///
/// A part within a part (RFC 7578 §4.3) is text like any other.
///
/// # Errors
/// What is wrong, and in which part, counted from 1.
pub fn read(boundary: &str, body: &Bytes) -> Result<Doc, Unreadable> {
    if !is_boundary(boundary) {
        let why = "the boundary in its content-type is not 1 to 70 characters that a boundary may have";
        return Err(Unreadable::new(why));
    }
    let delimiter = format!("\r\n--{boundary}");
    let mut fields = Fields::default();
    let parts = within(&delimiter, body)?.into_iter().flat_map(|parts| parts.split_str(&delimiter));
    for (index, part) in parts.enumerate() {
        let named = Part::read(part).and_then(|part| {
            part.check_lines(boundary)?;
            part.value(body).map(|value| (part.name, value))
        });
        let (name, value) = named.map_err(|why| Unreadable::new(format!("part {}: {why}", index + 1)))?;
        fields.add(name, value)?;
    }
    fields.into_doc()
}

/// What RFC 2046 §5.1.1 lets a boundary be made of.
pub fn is_boundary(boundary: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c);
    BOUNDARY.contains(&boundary.len()) && boundary.chars().all(legal) && !boundary.ends_with(' ')
}

/// What stands between the first boundary and the last, if there are two. In
/// front and behind there is nothing: a part that is hidden there would be
/// read by some (RFC 2046 §5.1.1 has both ignored).
fn within<'b>(delimiter: &str, body: &'b [u8]) -> Result<Option<&'b [u8]>, Unreadable> {
    let body = body.strip_prefix(b"\r\n").unwrap_or(body);
    let Some(body) = body.strip_prefix(delimiter.trim_start().as_bytes()) else {
        return Err(Unreadable::new("it does not begin with the boundary that its content-type names"));
    };
    let (parts, end) = match body.rsplit_once_str(delimiter) {
        Some((parts, end)) => (Some(parts), end),
        None => (None, body),
    };
    match end.strip_prefix(b"--") {
        Some(rest) if rest.trim_ascii().is_empty() => Ok(parts),
        _ => Err(Unreadable::new("it does not end with its boundary and two dashes")),
    }
}

struct Part<'b> {
    name: String,
    filename: Option<String>,
    content_type: &'b str,
    content: &'b [u8],
}

impl<'b> Part<'b> {
    /// What follows a boundary: perhaps spaces, a line's end, headers, content.
    fn read(part: &'b [u8]) -> Result<Self, Unreadable> {
        let part = part.trim_start_with(|c| c == ' ' || c == '\t').strip_prefix(b"\r\n");
        let part = part.ok_or_else(|| Unreadable::new("its boundary is not a line"))?;
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let head = part.get(..LONGEST_HEAD).unwrap_or(part);
        let Ok(Status::Complete((length, headers))) = httparse::parse_headers(head, &mut headers) else {
            return Err(Unreadable::new(format!(
                "its headers are malformed, more than {MOST_HEADERS}, or longer than {LONGEST_HEAD} bytes"
            )));
        };
        let (head, content) = part.split_at_checked(length).unwrap_or_default();
        if head.lines_with_terminator().any(|line| !line.ends_with(b"\r\n")) {
            return Err(Unreadable::new("a line of its headers does not end in CR LF"));
        }
        Self::new(headers, content)
    }

    fn new(headers: &[Header<'b>], content: &'b [u8]) -> Result<Self, Unreadable> {
        let disposition = header(headers, "content-disposition")?.and_then(names);
        let Some((name, filename)) = disposition else {
            return Err(Unreadable::new("its content-disposition is not `form-data; name=\"…\"`"));
        };
        // Deprecated (RFC 7578 §4.7), and these say that nothing is encoded.
        let encoding = header(headers, "content-transfer-encoding")?.unwrap_or("binary");
        if !["7bit", "8bit", "binary"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain)) {
            return Err(Unreadable::new("its content-transfer-encoding is not read here: send it as it is"));
        }
        let content_type = header(headers, "content-type")?.unwrap_or(PLAIN);
        Ok(Self { name, filename, content_type, content })
    }

    /// Some parsers take a boundary behind a lone line feed for one, and would
    /// read another part in the middle of this.
    fn check_lines(&self, boundary: &str) -> Result<(), Unreadable> {
        let delimiter = format!("--{boundary}");
        let mut places = self.content.find_iter(&delimiter);
        let breaks = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let hidden = places.any(|at| at == 0 || self.content.get(at - 1).is_some_and(breaks));
        if hidden { Err(Unreadable::new("its boundary stands within it")) } else { Ok(()) }
    }

    fn value(&self, body: &Bytes) -> Result<Val, Unreadable> {
        if let Some(filename) = &self.filename {
            let fields = [
                ("filename", filename.clone()),
                ("content_type", self.content_type.to_owned()),
                ("base64", STANDARD.encode(self.content)),
            ];
            let fields = fields.into_iter().map(|(name, text)| (Val::utf8_str(name), Val::utf8_str(text)));
            return Ok(Val::obj(fields.collect()));
        }
        let media = MediaType::parse(self.content_type)
            .ok_or_else(|| Unreadable::new("its content-type is malformed"))?;
        // Hardly anybody heeds it, so the text would be another one there.
        let plain = ["utf-8", "utf8", "us-ascii"];
        if media
            .charset()
            .is_some_and(|charset| !plain.iter().any(|known| charset.eq_ignore_ascii_case(known)))
        {
            return Err(Unreadable::new("its charset is not read here: send UTF-8"));
        }
        charset::to_utf8(&media, &body.slice_ref(self.content)).map(Val::utf8_str)
    }
}

/// The value of a header that may stand once.
fn header<'b>(headers: &[Header<'b>], name: &str) -> Result<Option<&'b str>, Unreadable> {
    let mut values = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    let Some(header) = values.next() else { return Ok(None) };
    match (std::str::from_utf8(header.value), values.next()) {
        (Ok(value), None) => Ok(Some(value)),
        (Err(_), _) => Err(Unreadable::new(format!("its {name} is no UTF-8"))),
        (_, Some(_)) => Err(Unreadable::new(format!("it has two headers {name}"))),
    }
}

/// A field's name, and the name of its file (RFC 7578 §4.2, which forbids `filename*`).
fn names(disposition: &str) -> Option<(String, Option<String>)> {
    let (kind, rest) = media::token(disposition)?;
    if !kind.eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut filename) = (None, None);
    for (parameter, value) in media::parameters(rest, quoted_name)? {
        match parameter.to_ascii_lowercase().as_str() {
            "name" => media::only(&mut name, value)?,
            "filename" => media::only(&mut filename, value)?,
            // Continued, or in a charset of its own (RFC 2231): one parser's name, and not another's.
            extended if extended.contains('*') => return None,
            _ => {}
        }
    }
    name.map(|name| (name, filename))
}

/// A name as browsers write it (HTML, *Multipart form data*): three
/// characters are escaped with a percent sign. A backslash escapes for some
/// parsers and not for others: refused.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let (name, rest) = text.split_once('"').filter(|(name, _)| !name.contains('\\'))?;
    Some((name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"), rest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::body::json;

    fn read_as_json(boundary: &str, body: impl Into<Bytes>) -> Result<String, Unreadable> {
        let value = read(boundary, &body.into())?.value();
        Ok(String::from_utf8(json::write(&value, usize::MAX).unwrap()).unwrap())
    }

    /// Written with plain line ends here, and sent with those of the wire.
    fn wire(body: &str) -> String {
        body.replace('\n', "\r\n")
    }

    #[test]
    fn a_form_is_read_as_it_was_meant() {
        let check = |body: &str, expected: &str| {
            assert_eq!(read_as_json("AaB03x", wire(body)).as_deref(), Ok(expected), "{body}");
        };
        // RFC 7578 §4.2, and RFC 2388 §3 before it.
        check(
            "--AaB03x\nContent-Disposition: form-data; name=\"user\"\n\nAda\n--AaB03x--\n",
            r#"{"user":"Ada"}"#,
        );
        check(
            "--AaB03x\ncontent-disposition: form-data; name=\"field1\"\n\
             content-type: text/plain;charset=UTF-8\n\nJoe owes €100.\n--AaB03x--",
            r#"{"field1":"Joe owes €100."}"#,
        );
        // HTML 4.01 §17.13.4.
        check(
            "--AaB03x\nContent-Disposition: form-data; name=\"submit-name\"\n\nLarry\n\
             --AaB03x\nContent-Disposition: form-data; name=\"files\"; filename=\"file1.txt\"\n\
             Content-Type: text/plain\n\nhi\n--AaB03x--\n",
            r#"{"submit-name":"Larry","files":{"filename":"file1.txt","content_type":"text/plain","base64":"aGk="}}"#,
        );
        // A page's empty file field, a list, lines within a field, and an empty form.
        check(
            "--AaB03x\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\n\
             Content-Type: application/octet-stream\n\n\n--AaB03x--",
            r#"{"f":{"filename":"","content_type":"application/octet-stream","base64":""}}"#,
        );
        check(
            "--AaB03x\nContent-Disposition: form-data; name=\"a[]\"\n\n1\n\
             --AaB03x\nContent-Disposition: form-data; name=b\n\n\n--AaB03\n--\n\
             --AaB03x \t\nContent-Disposition: form-data; name=\"a[]\"\n\n2\n--AaB03x--",
            r#"{"a[]":["1","2"],"b":"\r\n--AaB03\r\n--"}"#,
        );
        check("--AaB03x--\n", "{}");
        check("\n--AaB03x--", "{}");
    }

    /// What Go, PHP or a servlet container would read otherwise than we do.
    #[test]
    fn what_others_would_read_otherwise_is_refused() {
        let part = |head: &str, content: &str| {
            wire(&format!("--B\nContent-Disposition: form-data; {head}\n\n{content}\n--B--"))
        };
        for body in [
            part("name=\"comment\"; name*=utf-8''role", "x"),
            part("name=\"comment\"; name*0=ro", "x"),
            part("name=a; filename=a; filename*=UTF-8''b", "x"),
            part("name=\"ro\\le\"", "x"),
            part("name=a", "hi\u{0}")
                .replace('\0', "\n--B\nContent-Disposition: form-data; name=\"role\"\n\nadmin"),
            part("name=a\nContent-Type: text/plain; charset=utf-16be", "x"),
            part("name=a\nContent-Type: text/plain; charset=iso-8859-1", "x"),
            part("name=a", "x")
                .replace("--B--", "--B\r\nContent-Disposition: form-data; name=\"a[]\"\r\n\r\ny\r\n--B--"),
        ] {
            assert!(read_as_json("B", body.clone()).is_err(), "{body}");
        }
        for boundary in ["a\"b", "a b ", "a;b", "é"] {
            assert!(!is_boundary(boundary), "{boundary}");
        }
    }

    #[test]
    fn a_part_is_what_its_headers_say() {
        let check = |head: &str, content: &[u8], expected: &str| {
            let body = [b"--B\r\n", wire(head).as_bytes(), b"\r\n\r\n", content, b"\r\n--B--"].concat();
            assert_eq!(read_as_json("B", body).as_deref(), Ok(expected), "{head}");
        };
        let named = "Content-Disposition: form-data; name=a\n";
        check("CONTENT-DISPOSITION:Form-Data;NAME=a", b"x", r#"{"a":"x"}"#);
        check("Content-Disposition: form-data; name=\"%22%0D%0A%20%0d\"", b"x", r#"{"\"\r\n%20%0d":"x"}"#);
        check("Content-Disposition: form-data; name=\"\"", b"x", r#"{"":"x"}"#);
        check("Content-Disposition: form-data; name=\"é\"; x=y", b"x", r#"{"é":"x"}"#);
        check("Content-Disposition: form-data; x=\"; name=b\"; name=a", b"x", r#"{"a":"x"}"#);
        check(
            "Content-Disposition: form-data; filename=\"; name=b\"; name=a",
            b"\xff\0",
            r#"{"a":{"filename":"; name=b","content_type":"text/plain","base64":"/wA="}}"#,
        );
        check(&format!("{named}Content-Type: text/plain; charset=UTF-8"), "é".as_bytes(), r#"{"a":"é"}"#);
        check(&format!("{named}Content-Type: application/json"), b"{\"b\":1}", r#"{"a":"{\"b\":1}"}"#);
        check(&format!("{named}Content-Transfer-Encoding: 8BIT"), b"x", r#"{"a":"x"}"#);
        check(&format!("{named}Content-Type: multipart/mixed; boundary=C"), b"--C--", r#"{"a":"--C--"}"#);
    }

    #[test]
    fn what_two_parsers_could_take_apart_differently_is_refused() {
        let check = |body: &str, expected: &str| {
            let said = read_as_json("B", body.to_owned()).expect_err(body).to_string();
            assert!(said.contains(expected), "{body}: {said}");
        };
        let good = "Content-Disposition: form-data; name=\"a\"";
        let part = |head: &str| wire(&format!("--B\n{good}\n\n1\n--B\n{head}\n\nx\n--B--"));
        check("", "does not begin");
        check("junk\r\n--B--", "does not begin");
        check("--C--", "does not begin");
        check("--B", "does not end");
        check("--B\r\n", "does not end");
        check(&wire(&format!("--B\n{good}\n\nx")), "does not end");
        check(&wire(&format!("--B\n{good}\n\nx\n--B\n")), "does not end");
        check(&wire(&format!("--B\n{good}\n\nx\n--B--\njunk")), "does not end");
        check(&wire(&format!("--B--\n--B\n{good}\n\nx\n--B--")), "part 1: its boundary is not a line");
        check(&wire(&format!("--B\n{good}\n\nx\n--Bits\n--B--")), "part 2: its boundary is not a line");
        check(&format!("--B\n{good}\n\nx\n--B--"), "does not end");
        check(&format!("--B\r\n{good}\n\r\nx\r\n--B--"), "CR LF");
        check(&format!("--B\r\n{good}\r\n\nx\r\n\r\nx\r\n--B--"), "CR LF");
        check("--B\r\n\r\nx\r\n--B--", "part 1: its content-disposition");
        check("--B\r\n\r\n--B--", "part 1: its headers");
        check("--B\r\n--B--", "part 1: its boundary is not a line");
        check(&wire(&format!("--B\n{good}\n--B--")), "part 1: its headers");
        for head in [
            "Content-Type: text/plain",
            "Content-Disposition: attachment; name=\"b\"",
            "Content-Disposition: form-data",
            "Content-Disposition: form-data; filename=\"b\"",
            "Content-Disposition: form-data; name=\"b",
            "Content-Disposition: form-data; name=\"b\\\"c\"",
            "Content-Disposition: form-data; name = b",
            "Content-Disposition: form-data; name=b; name=c",
            "Content-Disposition: form-data; name=b; filename*=UTF-8''c",
        ] {
            check(&part(head), "part 2: its content-disposition");
        }
        check(&part(&format!("{good}\n{good}")), "part 2: it has two headers content-disposition");
        check(&part(&format!("{good}\n folded")), "part 2: its headers");
        check(&part("Content-Disposition : form-data; name=b"), "part 2: its headers");
        check(&part(&format!("{good}\nContent-Type: x")), "part 2: its content-type");
        check(&part(&format!("{good}\nContent-Type: a/b; charset=klingon")), "part 2: its charset");
        // RFC 7578 §4.5 has this example, and §4.7 tells senders not to.
        check(&part(&format!("{good}\nContent-Transfer-Encoding: quoted-printable")), "as it is");
        let latin: &[u8] = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xe9\r\n--B--";
        assert!(read_as_json("B", latin).unwrap_err().to_string().contains("part 1: it is no UTF-8"));
        for boundary in ["", &"B".repeat(71)] {
            assert!(read(boundary, &format!("--{boundary}--").into()).is_err(), "{boundary}");
        }
    }

    #[test]
    fn a_bomb_is_put_out() {
        let check = |body: String, expected: &str| {
            let begun = Instant::now();
            let said = read("B", &body.into()).expect_err(expected).to_string();
            assert!(said.contains(expected), "{said}");
            assert!(begun.elapsed() < Duration::from_secs(1), "{expected}: {:?}", begun.elapsed());
        };
        let part = wire("--B\nContent-Disposition: form-data; name=a\n\n\n");
        check(format!("{}--B--", part.repeat(200_000)), "1000 fields");
        check(format!("{}--B--", "--B\r\n".repeat(1_000_000)), "part 1: its boundary is not a line");
        check(format!("{part}--B\r\nA: {}\r\n--B--", "x".repeat(5_000_000)), "part 2: its headers");
        check(format!("--B\r\n{}\r\n\r\n--B--", "A: x\r\n".repeat(1_000_000)), "part 1: its headers");
        check(format!("--B\r\n{}", "\r\n--\r\n-".repeat(600_000)), "does not end");
        let named = |length| {
            wire(&format!("--B\nContent-Disposition: form-data; name={}\n\n\n--B--", "x".repeat(length)))
        };
        check(named(1001), "name is longer");
        assert!(read("B", &named(1000).into()).is_ok());
        // Nested as deep as it likes: nobody looks.
        let nested = "Content-Type: multipart/mixed; boundary=B\r\n\r\n".repeat(100_000);
        let body = format!("--B\r\nContent-Disposition: form-data; name=a\r\n{nested}\r\n--B--");
        assert!(read("B", &body.into()).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "\r\n", "--B", "--B--", "--", "Content-Disposition: form-data; name=\"a\"", "; filename=\"%22\"",
                "Content-Type: text/plain; charset=utf-16", "\n", " ", "x", "é", "\"",
            ]), 0..30),
        ) {
            let _ = read("B", &bytes.into());
            let _ = read("B", &format!("--B\r\n{}\r\n--B--", pieces.concat()).into());
        }

        #[test]
        fn what_a_field_holds_arrives(text in "(?s)[\r\n\\-Bxé]{0,40}") {
            let body = format!("--BxB\r\nContent-Disposition: form-data; name=a\r\n\r\n{text}\r\n--BxB--");
            prop_assume!(!text.contains("--BxB"));
            let expected = Val::obj([(Val::utf8_str("a"), Val::utf8_str(text))].into_iter().collect());
            prop_assert_eq!(read("BxB", &body.into()).unwrap().value(), expected);
        }
    }
}
