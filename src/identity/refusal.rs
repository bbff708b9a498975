//! Why a token is not taken: a code, a sentence for the caller, and a cause
//! for the record.
//!
//! The ladder of disclosure: before the signature holds, a sentence tells of
//! the token's structure and of an issuer that was nearly right; after it, of
//! the caller's own claims. What was expected stands in the cause and nowhere
//! else. Neither ever holds a token or a signature.

use std::fmt;

/// As much of a caller's own text is repeated to them, in characters.
const LONGEST_ECHO: usize = 200;

/// Why a token is not taken. Each has one stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is no token that we read: its structure is wrong, or it is of another kind.
    Malformed,
    /// Its `iss` is none of ours.
    UntrustedIssuer,
    /// The signature does not hold, or is made in a way that is not taken.
    BadSignature,
    /// The issuer has no such key. Not said where its keys could not be had.
    UnknownKey,
    /// The issuer's keys cannot be had. Another try may do better.
    KeysUnavailable,
    /// It is not meant for us, or not for us alone.
    WrongAudience,
    /// Its time is over.
    Expired,
    /// It was issued too long ago for what it is shown for.
    TooOld,
    /// Its time has not come.
    NotYetValid,
    /// A claim that is needed is not there.
    ClaimMissing,
    /// A claim is not as it must be.
    ClaimMismatch,
    /// Several rules would take it: grants must not depend on an order.
    AmbiguousRule,
}

impl Reason {
    /// Every reason, in the order in which they are looked for.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::UntrustedIssuer,
        Self::BadSignature,
        Self::UnknownKey,
        Self::KeysUnavailable,
        Self::WrongAudience,
        Self::Expired,
        Self::TooOld,
        Self::NotYetValid,
        Self::ClaimMissing,
        Self::ClaimMismatch,
        Self::AmbiguousRule,
    ];

    /// The code, for callers and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UntrustedIssuer => "untrusted_issuer",
            Self::BadSignature => "bad_signature",
            Self::UnknownKey => "unknown_key",
            Self::KeysUnavailable => "keys_unavailable",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::TooOld => "too_old",
            Self::NotYetValid => "not_yet_valid",
            Self::ClaimMissing => "claim_missing",
            Self::ClaimMismatch => "claim_mismatch",
            Self::AmbiguousRule => "ambiguous_rule",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, in one word.
    pub code: Reason,
    /// For the caller: as much as they may know.
    pub detail: String,
    /// For the record: what was expected, and what came.
    pub cause: Option<String>,
}

impl Refusal {
    /// One with a sentence for the caller.
    pub fn new(code: Reason, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), cause: None }
    }

    /// The same, with what the record is to know.
    #[must_use]
    pub fn because(self, cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

/// A caller's own text as it may be repeated: in quotes, short, on one line.
pub(super) fn echo(text: &str) -> String {
    let mut fit = text.chars().filter(|c| !c.is_control());
    let mut said: String = fit.by_ref().take(LONGEST_ECHO).collect();
    if fit.next().is_some() {
        said.push('…');
    }
    format!("\"{said}\"")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_reasons_have_one_code() {
        let codes: HashSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(codes.iter().all(|code| code.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())));
    }

    #[test]
    fn the_cause_is_not_told() {
        let refusal = Refusal::new(Reason::WrongAudience, "`aud` is \"them\"").because("expected \"us\"");
        assert_eq!(refusal.to_string(), "wrong_audience: `aud` is \"them\"");
        assert_eq!(refusal.cause.as_deref(), Some("expected \"us\""));
    }

    #[test]
    fn an_echo_is_short_and_on_one_line() {
        let check = |text: &str, expected: &str| assert_eq!(echo(text), expected, "{text:?}");
        check("https://a.example", "\"https://a.example\"");
        check("a\r\nb\0\u{1b}[31m\u{85}c", "\"ab[31mc\"");
        check(&"é".repeat(200), &format!("\"{}\"", "é".repeat(200)));
        check(&"é".repeat(201), &format!("\"{}…\"", "é".repeat(200)));
    }
}
