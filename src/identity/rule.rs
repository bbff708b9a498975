//! Rules: which claims make a token that of a caller.
//!
//! A rule is judged over claims that were verified before. It asks nobody,
//! knows no time, and never tells what it expects: only the caller's own claim.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use regex_lite::Regex;
use serde_json::Value;

use super::Claims;

/// How long a claim may be that names a human (OpenID Connect Core §2 says it of `sub`).
const LONGEST_HUMAN: usize = 255;
/// How much of a claim is repeated to whoever sent it.
const LONGEST_SHOWN: usize = 200;

/// What makes a token that of a caller.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The name in the file of the issuer that must have signed it.
    pub issuer: String,
    /// What must hold of its claims: all of it.
    pub matches: Vec<Match>,
    /// Whom the audit holds accountable.
    pub human: Human,
    /// How long ago it may have been issued. `None`: as long as it is good.
    pub max_age: Option<Duration>,
}

/// Whom the audit holds accountable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Human {
    /// Whoever this claim names.
    Claim(String),
    /// Nobody: a machine calls, and the file says why that is right.
    None,
}

/// What must hold of one claim.
#[derive(Debug, Clone)]
pub struct Match {
    /// The claim's name, or a path to it: see [`Claims::get`].
    pub claim: String,
    /// What its value must be.
    pub test: Test,
}

/// What a claim's value must be. Whole, from its first character to its last, and in linear time.
///
/// Whole numbers and truth values are compared by their JSON text, and only
/// with text that is written out: no pattern is ever laid over them.
#[derive(Debug, Clone)]
pub enum Test {
    /// This text.
    Exact(String),
    /// One of these texts.
    OneOf(Vec<String>),
    /// Text of this form.
    Glob(Glob),
    /// Text that this regular expression fits.
    Regex(Pattern),
    /// A list with this text in it. Text alone counts as a list of one, and
    /// `scope` and `scp` are lists with spaces between (RFC 8693 §4.2).
    Contains(String),
}

/// `https://github.com/acme/*`: each `*` stands for one character or more, none of which is `/` or `:`.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    regex: Regex,
}

/// A regular expression that fits a text as a whole, or not at all.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

/// Why a token is not that of a caller: the first claim that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Which claim.
    pub claim: String,
    /// What it says, cut short where it is long. The caller's own: what was expected is told to nobody.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The token does not have it.
    Missing,
    /// Its value is another.
    Mismatch,
}

impl Reason {
    /// Its word in answers and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "claim_missing",
            Self::Mismatch => "claim_mismatch",
        }
    }
}

impl Rule {
    /// Whether all holds that must, or the first claim of which it does not.
    /// A token that names no human, where one must be accountable, does not fit either.
    pub fn judge(&self, claims: &Claims) -> Result<(), Miss> {
        for wanted in &self.matches {
            wanted.judge(claims)?;
        }
        self.human(claims).map(|_| ())
    }

    /// Whom the audit holds accountable: `None` where the file says that nobody is.
    pub fn human(&self, claims: &Claims) -> Result<Option<String>, Miss> {
        let Human::Claim(claim) = &self.human else { return Ok(None) };
        let value = claims.get(claim).ok_or_else(|| Miss::missing(claim))?;
        let name = plain(value).filter(|name| !value.is_boolean() && is_name(name));
        let name = name.ok_or_else(|| Miss::mismatch(claim, value))?;
        verified(claim, claims)?;
        Ok(Some(name.into_owned()))
    }
}

impl Match {
    fn judge(&self, claims: &Claims) -> Result<(), Miss> {
        let value = claims.get(&self.claim).ok_or_else(|| Miss::missing(&self.claim))?;
        if !self.test.holds(&self.claim, value) {
            return Err(Miss::mismatch(&self.claim, value));
        }
        verified(&self.claim, claims)
    }

    /// Whether no claim can fit both, as far as can be told. `false` proves nothing.
    pub fn excludes(&self, other: &Self) -> bool {
        let none_fits = |values: &[String], test: &Test| {
            !values.is_empty()
                && !values.iter().any(|value| test.holds(&self.claim, &Value::String(value.clone())))
        };
        self.claim == other.claim
            && (none_fits(self.test.values(), &other.test) || none_fits(other.test.values(), &self.test))
    }
}

impl Test {
    fn holds(&self, claim: &str, value: &Value) -> bool {
        let is = |wanted: &str, value: &Value| plain(value).is_some_and(|text| text == wanted);
        match self {
            Self::Exact(wanted) => is(wanted, value),
            Self::OneOf(wanted) => wanted.iter().any(|wanted| is(wanted, value)),
            Self::Glob(glob) => value.as_str().is_some_and(|text| glob.regex.is_match(text)),
            Self::Regex(pattern) => value.as_str().is_some_and(|text| pattern.0.is_match(text)),
            Self::Contains(wanted) => match value {
                Value::Array(items) => items.iter().any(|item| is(wanted, item)),
                Value::String(text) if matches!(claim, "scope" | "scp") => {
                    text.split(' ').any(|word| word == wanted)
                }
                value => is(wanted, value),
            },
        }
    }

    /// The only values that it lets through, where it names them. Empty: it names none.
    pub fn values(&self) -> &[String] {
        match self {
            Self::Exact(value) => std::slice::from_ref(value),
            Self::OneOf(values) => values,
            Self::Glob(_) | Self::Regex(_) | Self::Contains(_) => &[],
        }
    }
}

/// What is wanted, for the record and for nobody else.
impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => write!(f, "to be {text}"),
            Self::OneOf(texts) => write!(f, "to be one of {}", texts.join(", ")),
            Self::Glob(glob) => write!(f, "of the form {}", glob.text),
            Self::Regex(pattern) => write!(f, "to fit {}", pattern.0.as_str()),
            Self::Contains(text) => write!(f, "to contain {text}"),
        }
    }
}

impl Glob {
    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("**") {
            return Err(
                "`**` is not known here; write one `*` for each stretch between `/` or `:`".to_owned()
            );
        }
        if !text.contains('*') {
            return Err("there is no `*` in this; write the text alone, without `glob`".to_owned());
        }
        let parts: Vec<String> = text.split('*').map(regex_lite::escape).collect();
        let regex = Regex::new(&format!("^(?:{})$", parts.join("[^/:]+")));
        let regex = regex.map_err(|_| "this is too long for a glob; write a shorter one".to_owned())?;
        Ok(Self { text: text.to_owned(), regex })
    }
}

impl FromStr for Pattern {
    type Err = String;

    /// It must have anchors of its own, so that a reader sees what it fits.
    /// They are not relied upon: `^a|b$` has two, and each holds one half only.
    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('^') || !ends_anchored(text) {
            return Err("this fits a part of a claim too; begin it with `^` and end it with `$`".to_owned());
        }
        let unknown = |_| "this is no regular expression; write one such as `^acme/(api|web)$`".to_owned();
        // First alone: `^a)|(?:b$` would close the group that is put around it.
        Regex::new(text).map_err(unknown)?;
        Regex::new(&format!("^(?:{text})$")).map(Self).map_err(unknown)
    }
}

/// Whether the last character is the anchor `$`, and not an escaped `\$`.
fn ends_anchored(text: &str) -> bool {
    let Some(before) = text.strip_suffix('$') else { return false };
    let escapes = before.len() - before.trim_end_matches('\\').len();
    escapes % 2 == 0
}

impl Miss {
    fn missing(claim: &str) -> Self {
        Self { claim: claim.to_owned(), value: None, reason: Reason::Missing }
    }

    fn mismatch(claim: &str, value: &Value) -> Self {
        let text = plain(value).map_or_else(|| value.to_string(), Cow::into_owned);
        let shown = match text.char_indices().nth(LONGEST_SHOWN) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        };
        Self { claim: claim.to_owned(), value: Some(shown), reason: Reason::Mismatch }
    }
}

/// What is compared: text as it is, whole numbers and truth values as JSON
/// writes them. Other numbers have many spellings, and so are nobody's name.
fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(Cow::Owned(number.to_string())),
        Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An address that its issuer does not vouch for is nobody's: many let their users write one.
fn verified(claim: &str, claims: &Claims) -> Result<(), Miss> {
    if claim != "email" {
        return Ok(());
    }
    match claims.get("email_verified") {
        Some(value) if plain(value).as_deref() == Some("true") => Ok(()),
        Some(value) => Err(Miss::mismatch("email_verified", value)),
        None => Err(Miss::missing("email_verified")),
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST_HUMAN && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
