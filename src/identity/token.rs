//! The strict front: what has the form of a JSON Web Token (RFC 7519) in the
//! compact form of RFC 7515 §3.1, and of the kinds that we take.
//!
//! Nothing is believed here. What comes out says what it claims to be, and
//! [`Issuer::verify`](super::Issuer::verify) is the only way on from there.
//! A header never leads anywhere: no URL and no key of it is looked at.

use std::fmt;

use serde_json::{Map, Value};

use super::refusal::{Reason, Refusal, echo};
use super::strict::{base64url, object};

/// Longer tokens are nobody's: API Gateway takes 10,240 bytes of headers in all.
const LONGEST: usize = 8 * 1024;
/// A header is an algorithm, a key's name, and little else.
const LONGEST_HEADER: usize = 1024;
/// A key's name, in characters.
const LONGEST_KID: usize = 200;

/// What a token says it is (RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `typ` is `JWT`, or there is none: an ID token, or an access token of
    /// an issuer that does not tell them apart.
    Plain,
    /// `typ` is `at+jwt`: an access token (RFC 9068 §2.1). Ours are such.
    Access,
}

/// A token that has the right form, and that nobody has verified.
pub struct Unverified {
    pub(super) kind: Kind,
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) iss: String,
    /// Header and payload as they were signed, and the dot between.
    pub(super) signed: String,
    /// In base64url, as it came.
    pub(super) signature: String,
    pub(super) claims: Map<String, Value>,
}

impl Unverified {
    /// Reads a token's form, and refuses what could be read in two ways.
    ///
    /// # Errors
    /// [`Reason::Malformed`], and which part is wrong.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if LONGEST < text.len() {
            return Err(malformed(format!("it is longer than {LONGEST} bytes")));
        }
        let (signed, parts) = split(text)?;
        let [header, payload, signature] = parts;
        let read = |name: &str, part: &str| {
            base64url(part).ok_or_else(|| malformed(format!("its {name} is not base64url without padding")))
        };
        let (header, payload) = (read("header", header)?, read("payload", payload)?);
        read("signature", signature)?;
        let header = Header::read(header)?;
        let claims = object(payload).map_err(|why| malformed(format!("its payload: {why}")))?;
        let Some(Value::String(iss)) = claims.get("iss") else {
            return Err(malformed("its `iss` is not there, or is no string"));
        };
        let Header { kind, alg, kid } = header;
        let (iss, signed, signature) = (iss.clone(), signed.to_owned(), signature.to_owned());
        Ok(Self { kind, alg, kid, iss, signed, signature, claims })
    }

    /// What it says it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who it says has issued it.
    pub fn issuer(&self) -> &str {
        &self.iss
    }
}

/// Says nothing of the token but what it calls itself.
impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("kind", &self.kind).field("iss", &self.iss).finish_non_exhaustive()
    }
}

/// What is signed, and the three parts, none of them empty.
fn split(text: &str) -> Result<(&str, [&str; 3]), Refusal> {
    let three = || malformed("it is not three parts with a dot between");
    let (signed, signature) = text.rsplit_once('.').ok_or_else(three)?;
    let (header, payload) = signed.split_once('.').ok_or_else(three)?;
    let parts = [header, payload, signature];
    let fit = parts.iter().all(|part| !part.is_empty()) && !payload.contains('.');
    if fit { Ok((signed, parts)) } else { Err(three()) }
}

/// What we look at in a header.
struct Header {
    kind: Kind,
    alg: String,
    kid: Option<String>,
}

impl Header {
    fn read(text: Vec<u8>) -> Result<Self, Refusal> {
        if LONGEST_HEADER < text.len() {
            return Err(malformed(format!("its header is longer than {LONGEST_HEADER} bytes")));
        }
        let header = object(text).map_err(|why| malformed(format!("its header: {why}")))?;
        // Extensions that must be understood (RFC 7515 §4.1.11), a payload that is not
        // encoded (RFC 7797 §3), and a token within a token (RFC 7519 §5.2).
        for name in ["crit", "b64", "cty"] {
            if header.contains_key(name) {
                return Err(malformed(format!("its header has `{name}`, which is not taken")));
            }
        }
        let Some(Value::String(alg)) = header.get("alg") else {
            return Err(malformed("its `alg` is not there, or is no string"));
        };
        Ok(Self { kind: kind(header.get("typ"))?, alg: alg.clone(), kid: kid(header.get("kid"))? })
    }
}

/// A media type, of which `application/` may be left out (RFC 7515 §4.1.9).
///
/// Other kinds than ours are refused: proofs (`dpop+jwt`), notices
/// (`logout+jwt`, `secevent+jwt`), and what Okta's own authorization server gives
/// out for Okta's own API (`okta-internal-at+jwt`), which only Okta may judge.
fn kind(typ: Option<&Value>) -> Result<Kind, Refusal> {
    let typ = match typ {
        None => return Ok(Kind::Plain),
        Some(Value::String(typ)) => typ.to_ascii_lowercase(),
        Some(_) => return Err(malformed("its `typ` is no string")),
    };
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "jwt" => Ok(Kind::Plain),
        "at+jwt" => Ok(Kind::Access),
        _ => Err(malformed(format!("its `typ` is {}, a kind that is not taken", echo(&typ)))),
    }
}

fn kid(kid: Option<&Value>) -> Result<Option<String>, Refusal> {
    match kid {
        None => Ok(None),
        Some(Value::String(kid)) if kid.chars().count() <= LONGEST_KID => Ok(Some(kid.clone())),
        Some(Value::String(_)) => {
            Err(malformed(format!("its `kid` is longer than {LONGEST_KID} characters")))
        }
        Some(_) => Err(malformed("its `kid` is no string")),
    }
}

fn malformed(why: impl fmt::Display) -> Refusal {
    Refusal::new(Reason::Malformed, format!("the token is malformed: {why}"))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const HEADER: &str = r#"{"alg":"RS256","kid":"k1"}"#;
    const PAYLOAD: &str = r#"{"iss":"https://idp.example","sub":"me"}"#;

    fn encoded(header: &str, payload: &str) -> String {
        let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{payload}.c2lnbmF0dXJl")
    }

    fn refused(text: &str, expected: &str) {
        let refusal = Unverified::parse(text).expect_err(text);
        assert_eq!(refusal.code, Reason::Malformed, "{text}");
        assert!(refusal.detail.contains(expected), "{text}: {refusal}");
    }

    #[test]
    fn a_token_says_what_it_is() {
        let token = Unverified::parse(&encoded(HEADER, PAYLOAD)).unwrap();
        assert_eq!((token.alg.as_str(), token.kid.as_deref()), ("RS256", Some("k1")));
        assert_eq!((token.issuer(), token.kind()), ("https://idp.example", Kind::Plain));
        assert_eq!(token.claims["sub"], "me");
        assert_eq!(format!("{}.{}", token.signed, token.signature), encoded(HEADER, PAYLOAD));
        let printed = format!("{token:?}");
        assert!(!printed.contains("c2ln") && !printed.contains("me\""), "{printed}");
    }

    #[test]
    fn what_is_not_three_strict_parts_is_refused() {
        let good = encoded(HEADER, PAYLOAD);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        for text in ["", ".", "..", "...", "a", "a.b", "a..c", ".b.c", "a.b.", "a.b.c.d", "a.b.c.d.e"] {
            refused(text, "three parts");
        }
        refused(&format!("{good}."), "three parts");
        refused(&format!("{signed}."), "three parts");
        for (part, expected) in
            [(header, "its header"), (payload, "its payload"), (signature, "its signature")]
        {
            for spoilt in [
                format!("{part}="),
                format!(" {part}"),
                format!("{part}\n"),
                format!("{part}+"),
                format!("é{part}"),
            ] {
                refused(&good.replace(part, &spoilt), expected);
            }
        }
        // The same bytes in other letters: stray bits at the end.
        refused(&format!("{signed}.AB"), "its signature");
        refused(&format!("Bearer {good}"), "its header");
    }

    #[test]
    fn a_token_has_its_length_and_a_header_too() {
        let long = |length: usize| {
            let rest = length - encoded(HEADER, PAYLOAD).len();
            let spaces = " ".repeat(rest / 4 * 3);
            encoded(HEADER, &format!("{spaces}{PAYLOAD}"))
        };
        assert!((LONGEST - 4..=LONGEST).contains(&long(LONGEST).len()));
        assert!(Unverified::parse(&long(LONGEST)).is_ok());
        refused(&long(LONGEST + 8), "longer than 8192 bytes");
        let header = |length: usize| format!("{}{HEADER}", " ".repeat(length - HEADER.len()));
        assert!(Unverified::parse(&encoded(&header(1024), PAYLOAD)).is_ok());
        refused(&encoded(&header(1025), PAYLOAD), "its header is longer than 1024 bytes");
    }

    #[test]
    fn a_header_says_one_thing_and_nothing_that_must_be_obeyed() {
        let check = |header: &str, expected: &str| refused(&encoded(header, PAYLOAD), expected);
        check("[]", "its header: it is no JSON object");
        check("null", "its header: it is no JSON object");
        check(r#"{"alg":"RS256""#, "its header: line 1");
        check(r#"{"alg":"RS256","alg":"none"}"#, "a key stands twice");
        check(r#"{"alg":"RS256","x":{"y":1,"y":1}}"#, "a key stands twice");
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":7}"#, r#"{"alg":["RS256"]}"#] {
            check(header, "its `alg`");
        }
        for (name, value) in
            [("crit", r#"["x"]"#), ("crit", "[]"), ("b64", "false"), ("b64", "true"), ("cty", "\"JWT\"")]
        {
            let header = format!(r#"{{"alg":"RS256","{name}":{value}}}"#);
            check(&header, &format!("its header has `{name}`"));
        }
        check(r#"{"alg":"RS256","kid":7}"#, "its `kid` is no string");
        check(r#"{"alg":"RS256","kid":null}"#, "its `kid` is no string");
        check(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "é".repeat(201)), "longer than 200 characters");
        let long = encoded(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "é".repeat(200)), PAYLOAD);
        assert!(Unverified::parse(&long).is_ok());
        assert_eq!(Unverified::parse(&encoded(r#"{"alg":"none"}"#, PAYLOAD)).unwrap().kid, None);
    }

    #[test]
    fn what_a_header_would_lead_us_to_is_passed_over() {
        let header = r#"{"alg":"RS256","x5u":"https://evil.example","jku":1,"jwk":{"kty":"oct"},"x5c":[]}"#;
        let token = Unverified::parse(&encoded(header, PAYLOAD)).unwrap();
        assert_eq!((token.alg.as_str(), token.kid), ("RS256", None));
    }

    #[test]
    fn a_token_of_a_foreign_kind_is_refused() {
        let typed = |typ: &str| encoded(&format!(r#"{{"alg":"RS256","typ":{typ}}}"#), PAYLOAD);
        let check = |typ: &str, expected: Kind| {
            assert_eq!(Unverified::parse(&typed(typ)).unwrap().kind(), expected, "{typ}");
        };
        check("\"JWT\"", Kind::Plain);
        check("\"jwt\"", Kind::Plain);
        check("\"application/jwt\"", Kind::Plain);
        check("\"at+jwt\"", Kind::Access);
        check("\"application/at+JWT\"", Kind::Access);
        for typ in [
            "dpop+jwt",
            "logout+jwt",
            "secevent+jwt",
            "token-introspection+jwt",
            "application/okta-internal-at+jwt",
            "vc+sd-jwt",
            "JOSE",
            "JWE",
            "",
        ] {
            refused(&typed(&format!("\"{typ}\"")), "a kind that is not taken");
        }
        refused(&typed("7"), "its `typ` is no string");
        refused(&typed("null"), "its `typ` is no string");
    }

    #[test]
    fn a_payload_is_an_object_with_an_issuer_in_it() {
        let check = |payload: &str, expected: &str| refused(&encoded(HEADER, payload), expected);
        check("[]", "its payload: it is no JSON object");
        check("\"a.b.c\"", "its payload: it is no JSON object");
        check("{", "its payload: line 1");
        check(r#"{"iss":"a","sub":"x","sub":"y"}"#, "a key stands twice");
        check(r#"{"iss":"a","org":{"id":[{"n":1,"n":2}]}}"#, "a key stands twice");
        for payload in
            ["{}", r#"{"iss":7}"#, r#"{"iss":{}}"#, r#"{"iss":["evil","good"]}"#, r#"{"iss":null}"#]
        {
            check(payload, "its `iss`");
        }
        // JSON that is not UTF-8.
        let good = encoded(HEADER, PAYLOAD);
        let payload = URL_SAFE_NO_PAD.encode(b"{\"iss\":\"\xff\"}");
        refused(&good.replace(good.split('.').nth(1).unwrap(), &payload), "no UTF-8");
    }
}
