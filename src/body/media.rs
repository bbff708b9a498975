//! What a body says it is: `content-type`, read as RFC 9110 §8.3.1 has it.
//!
//! A type that is malformed, or says two things, is no type: nobody guesses.

/// A media type, such as `application/json; charset=utf-8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    charset: Option<String>,
    boundary: Option<String>,
}

/// What may stand around the parts of a header (RFC 9110 §5.6.3).
const OWS: [char; 2] = [' ', '\t'];

/// One value on each line (NDJSON, JSON Lines). JSON text sequences
/// (RFC 7464) are something else: each value there begins with a mark.
const LINES_OF_JSON: [&str; 4] =
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

/// Types other than `text/…` whose bytes people read: each stands for itself
/// and as a suffix, `application/json` and `application/problem+json`.
const TEXTUAL: [&str; 13] = [
    "json",
    "xml",
    "javascript",
    "x-javascript",
    "x-www-form-urlencoded",
    "yaml",
    "x-yaml",
    "graphql",
    "event-stream",
    "ndjson",
    "x-ndjson",
    "jsonl",
    "x-jsonlines",
];

impl MediaType {
    /// Reads the value of a `content-type`. `None`: it is malformed, or names
    /// two charsets or boundaries that differ.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = token(text.trim_matches(OWS))?;
        let (subtype, rest) = token(rest.strip_prefix('/')?)?;
        let essence = format!("{kind}/{subtype}").to_ascii_lowercase();
        let (mut charset, mut boundary) = (None, None);
        for (name, value) in parameters(rest, quoted_string)? {
            match name.to_ascii_lowercase().as_str() {
                "charset" => only(&mut charset, value)?,
                "boundary" => only(&mut boundary, value)?,
                _ => {}
            }
        }
        Some(Self { essence, charset, boundary })
    }

    /// Type and subtype in lower case, without parameters.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// How its characters are written, as the sender spells it.
    pub fn charset(&self) -> Option<&str> {
        self.charset.as_deref()
    }

    /// What parts the fields of a `multipart/form-data`.
    pub fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }

    /// One JSON value (RFC 8259; `+json`: RFC 6839 §3.1).
    pub fn is_json(&self) -> bool {
        ["application/json", "text/json"].contains(&self.essence()) || self.essence.ends_with("+json")
    }

    /// A form, as pages send it unless told otherwise.
    pub fn is_form(&self) -> bool {
        self.essence == "application/x-www-form-urlencoded"
    }

    /// A form that may hold files (RFC 7578).
    pub fn is_multipart(&self) -> bool {
        self.essence == "multipart/form-data"
    }

    /// Server-sent events.
    pub fn is_event_stream(&self) -> bool {
        self.essence == "text/event-stream"
    }

    /// One JSON value on each line.
    pub fn is_ndjson(&self) -> bool {
        LINES_OF_JSON.contains(&self.essence())
    }

    /// Whether people can read its bytes.
    pub fn is_text(&self) -> bool {
        let (kind, subtype) = self.essence.split_once('/').unwrap_or_default();
        kind == "text" || subtype.rsplit('+').next().is_some_and(|name| TEXTUAL.contains(&name))
    }
}

/// Keeps what is said once, or twice the same. `None`: two things were said.
pub(super) fn only(kept: &mut Option<String>, value: String) -> Option<()> {
    match kept {
        Some(other) => (*other == value).then_some(()),
        None => {
            *kept = Some(value);
            Some(())
        }
    }
}

/// Reads what follows an opening quote: the value, and what is behind its end.
pub(super) type Quoted = fn(&str) -> Option<(String, &str)>;

/// The parameters behind a value, `; a=b; c="d"` (RFC 9110 §5.6.6). What
/// stands in quotes is read by `quoted`. `None`: they are malformed.
pub(super) fn parameters(mut rest: &str, quoted: Quoted) -> Option<Vec<(&str, String)>> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(OWS);
        if rest.is_empty() {
            return Some(found);
        }
        rest = rest.strip_prefix(';')?.trim_start_matches(OWS);
        if rest.is_empty() || rest.starts_with(';') {
            continue;
        }
        let (name, value) = token(rest)?;
        let value = value.strip_prefix('=')?;
        let (value, behind) = match value.strip_prefix('"') {
            Some(value) => quoted(value)?,
            None => token(value).map(|(value, behind)| (value.to_owned(), behind))?,
        };
        found.push((name, value));
        rest = behind;
    }
}

/// A word, and what is behind it (RFC 9110 §5.6.2).
pub(super) fn token(text: &str) -> Option<(&str, &str)> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let length = text.find(|c| !legal(c)).unwrap_or(text.len());
    text.split_at_checked(length).filter(|(word, _)| !word.is_empty())
}

/// A text in quotes, a backslash before what stands for itself (RFC 9110 §5.6.4).
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.chars());
    loop {
        let next = match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => chars.next()?,
            other => other,
        };
        if next.is_control() && next != '\t' {
            return None;
        }
        value.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_space_and_quotes_make_no_difference() {
        let check = |text: &str, essence: &str, charset: Option<&str>, boundary: Option<&str>| {
            let media = MediaType::parse(text).expect(text);
            assert_eq!((media.essence(), media.charset(), media.boundary()), (essence, charset, boundary));
        };
        check("application/json", "application/json", None, None);
        // The four of RFC 9110 §8.3.1.
        check("text/html;charset=utf-8", "text/html", Some("utf-8"), None);
        check("Text/HTML;Charset=\"utf-8\"", "text/html", Some("utf-8"), None);
        check("text/html; charset=\"utf-8\"", "text/html", Some("utf-8"), None);
        check("text/html;charset=UTF-8", "text/html", Some("UTF-8"), None);
        check(" a/b\t;\t; CHARSET=x ;;y=z; ", "a/b", Some("x"), None);
        check(
            "multipart/form-data; boundary=\"a b\\\"\\\\c\"",
            "multipart/form-data",
            None,
            Some("a b\"\\c"),
        );
        check("multipart/form-data; Boundary=AbC", "multipart/form-data", None, Some("AbC"));
        check("a/b; charset=x; charset=\"x\"", "a/b", Some("x"), None);
        check("a/b; x=\";charset=y\"; charset=\"\"", "a/b", Some(""), None);
        check("a/b; x=\"é\"", "a/b", None, None);
    }

    #[test]
    fn a_malformed_type_is_none() {
        for text in [
            "",
            "json",
            "a/",
            "/b",
            "a/b/c",
            "a b/c",
            "a/b, c/d",
            "a/b c",
            "a/b; charset",
            "a/b; charset=",
            "a/b; charset =x",
            "a/b; charset= x",
            "a/b; =x",
            "a/b; charset=\"x",
            "a/b; charset=\"x\\",
            "a/b; charset=\"x\"y",
            "a/b; charset=\"x\u{1}\"",
            "a/b; charset=x; charset=y",
            "a/b; boundary=x; Boundary=X",
            "é/b",
        ] {
            assert_eq!(MediaType::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_type_is_of_its_family_and_no_other() {
        let check = |text: &str, families: &str| {
            let media = MediaType::parse(text).expect(text);
            let found = [
                ("json", media.is_json()),
                ("form", media.is_form()),
                ("multipart", media.is_multipart()),
                ("events", media.is_event_stream()),
                ("lines", media.is_ndjson()),
                ("text", media.is_text()),
            ];
            let found: Vec<&str> = found.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
            assert_eq!(found.join(" "), families, "{text}");
        };
        check("application/json", "json text");
        check("text/json; charset=utf-8", "json text");
        check("application/problem+JSON", "json text");
        check("application/vnd.github.v3+json", "json text");
        check("application/jsonp", "");
        check("application/json-seq", "");
        check("application/x-www-form-urlencoded", "form text");
        check("multipart/form-data; boundary=x", "multipart");
        check("multipart/mixed; boundary=x", "");
        check("text/event-stream", "events text");
        for text in LINES_OF_JSON {
            check(text, "lines text");
        }
        check("text/plain", "text");
        check("image/svg+xml", "text");
        check("image/png", "");
        check("application/octet-stream", "");
    }
}
