//! Finds the values behind the names, once per cold start, and keeps them.
//!
//! A value that could not work is refused here, before any request: the
//! refusal names the secret and the reason, never the value.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;

use regex_lite::Regex;

use super::aws::SecretsManager;
use super::{Secret, SecretRef};

/// A shorter value is no secret: it could be guessed, and cutting it out of
/// answers would cut out half the words.
pub const SHORTEST: usize = 8;

/// Where values are kept. A closed set, so an enum and not a trait.
pub enum Source {
    /// AWS Secrets Manager.
    Aws(SecretsManager),
    /// A JSON file of `{secret id: string or object}`: local runs only.
    File(PathBuf),
}

/// One value that the configuration uses.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Our name for it, and the field.
    pub reference: SecretRef,
    /// Its name or ARN where it is kept.
    pub id: String,
    /// What it must look like.
    pub expect: Option<Regex>,
    /// What it is put into.
    pub slot: Slot,
    /// Whether it is always a secret, and never just a user name.
    pub always_secret: bool,
}

/// What a value is put into, which decides which characters it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// A header: visible ASCII and spaces within (RFC 9110 §5.5).
    Header,
    /// A cookie's value (RFC 6265 §4.1.1).
    Cookie,
    /// A part of a Basic pair: no control characters (RFC 7617 §2).
    Basic,
    /// A part of a URL, where anything can be percent-encoded.
    Url,
}

/// A secret's text as it is kept, and which version of it that is.
pub struct Kept {
    /// The whole text, a JSON object where fields are used.
    pub text: Secret,
    /// Secrets Manager's id of the version.
    pub version: Option<String>,
}

/// A value that was found, and which version it is.
#[derive(Clone)]
pub struct Found {
    /// The value.
    pub secret: Secret,
    /// Secrets Manager's id of the version; `None` for a file's.
    pub version: Option<String>,
}

/// Every value that the configuration uses.
pub struct Vault(HashMap<SecretRef, Found>);

/// Why a secret cannot be used. Names it, and never shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    secret: String,
    why: String,
}

impl Refusal {
    /// Of the secret called `secret`.
    pub fn new(secret: impl fmt::Display, why: impl Into<String>) -> Self {
        Self { secret: secret.to_string(), why: why.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret `{}`: {}", self.secret, self.why)
    }
}

impl Vault {
    /// Reads all that is wanted, in one round trip where that is possible.
    /// Every refusal is reported, not only the first.
    pub async fn open(wanted: &[Wanted], source: &Source) -> Result<Self, Vec<Refusal>> {
        let ids: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let kept = match source {
            _ if ids.is_empty() => BTreeMap::new(),
            Source::Aws(aws) => aws.read(&ids).await?,
            Source::File(path) => super::file::read(path, &ids)?,
        };
        let mut found = HashMap::new();
        let mut refusals = Vec::new();
        for wanted in wanted {
            match wanted.find(&kept) {
                Ok(value) => drop(found.insert(wanted.reference.clone(), value)),
                Err(why) => refusals.push(Refusal::new(&wanted.reference, why)),
            }
        }
        refusals.dedup();
        if refusals.is_empty() { Ok(Self(found)) } else { Err(refusals) }
    }

    /// The value behind a reference.
    pub fn get(&self, reference: &SecretRef) -> Option<&Found> {
        self.0.get(reference)
    }
}

impl Wanted {
    fn find(&self, kept: &BTreeMap<String, Kept>) -> Result<Found, String> {
        let Some(kept) = kept.get(&self.id) else {
            return Err(format!("`{}` was not found", self.id));
        };
        let secret = match self.reference.field() {
            None => kept.text.clone(),
            Some(field) => field_of(&kept.text, field)?,
        };
        self.check(secret.expose())?;
        Ok(Found { secret, version: kept.version.clone() })
    }

    fn check(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err("its value is empty".to_owned());
        }
        if value.trim_matches(['\n', '\r', ' ', '\t']) != value {
            return Err("its value begins or ends with white space; store it without a line break".to_owned());
        }
        if self.always_secret && value.chars().count() < SHORTEST {
            return Err(format!("its value is shorter than {SHORTEST} characters, which is no secret"));
        }
        if !self.slot.takes(value) {
            return Err(format!("its value has characters that {} cannot have", self.slot));
        }
        if self.expect.as_ref().is_some_and(|pattern| !pattern.is_match(value)) {
            return Err(
                "its value does not look as `expect` says; a wrong key may have been stored".to_owned()
            );
        }
        Ok(())
    }
}

/// A field of a JSON object: a string, or a whole number that parsing cannot change.
fn field_of(text: &Secret, field: &str) -> Result<Secret, String> {
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(text.expose());
    // serde_json's own words could quote the value.
    let Ok(object) = parsed else {
        return Err("it is no JSON object, so it has no fields".to_owned());
    };
    match object.get(field) {
        Some(serde_json::Value::String(value)) => Ok(Secret::new(value.as_str())),
        Some(serde_json::Value::Number(value)) if !value.is_f64() => Ok(Secret::new(value.to_string())),
        Some(serde_json::Value::Number(_)) => {
            Err(format!("its field `{field}` is a number that would be changed; store it as a string"))
        }
        Some(_) => Err(format!("its field `{field}` is no string")),
        None => Err(format!("it has no field `{field}`")),
    }
}

impl Slot {
    fn takes(self, value: &str) -> bool {
        match self {
            Self::Header => value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()),
            Self::Cookie => value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)),
            Self::Basic | Self::Url => !value.chars().any(char::is_control),
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "a header",
            Self::Cookie => "a cookie",
            Self::Basic => "a user name or password",
            Self::Url => "a URL",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(reference: &str, text: &str, slot: Slot) -> Result<Secret, String> {
        let wanted = Wanted {
            reference: reference.parse().unwrap(),
            id: "prod/x".to_owned(),
            expect: Regex::new("^(ghp_|user|12)").ok(),
            slot,
            always_secret: slot == Slot::Header,
        };
        let kept = Kept { text: Secret::new(text), version: Some("v1".to_owned()) };
        wanted.find(&BTreeMap::from([("prod/x".to_owned(), kept)])).map(|found| found.secret)
    }

    #[test]
    fn a_value_that_could_not_work_is_refused_without_showing_it() {
        let check = |reference: &str, text: &str, slot: Slot, expected: Option<&str>| {
            let outcome = open(reference, text, slot);
            match (outcome, expected) {
                (Ok(_), None) => {}
                (Err(why), Some(part)) => {
                    assert!(why.contains(part), "{text}: {why}");
                    assert!(text.len() < 4 || !why.contains(text), "{why}");
                }
                (outcome, _) => panic!("{text}: {:?}", outcome.err()),
            }
        };
        check("x", "ghp_0123456789", Slot::Header, None);
        check("x.token", r#"{"token":"ghp_0123456789"}"#, Slot::Header, None);
        check("x.id", r#"{"id":12}"#, Slot::Url, None);
        check("x.id", r#"{"id":1.10}"#, Slot::Url, Some("store it as a string"));
        check("x.id", r#"{"id":1234567890123456789012345}"#, Slot::Url, Some("store it as a string"));
        check("x.user", r#"{"user":"user"}"#, Slot::Basic, None);
        check("x", "", Slot::Header, Some("empty"));
        check("x", "ghp_1", Slot::Header, Some("shorter than 8"));
        check("x", "ghp_0123456789\n", Slot::Header, Some("white space"));
        check("x", "ghp_01234\u{7}56789", Slot::Header, Some("a header"));
        check("x", "ghp_0123456é", Slot::Header, Some("a header"));
        check("x", "ghp_0123;456", Slot::Cookie, Some("a cookie"));
        check("x", "sk_live_0123456", Slot::Header, Some("`expect`"));
        check("x.token", "ghp_0123456789", Slot::Header, Some("no JSON object"));
        check("x.token", r#"{"key":"ghp_0123456789"}"#, Slot::Header, Some("no field `token`"));
        check("x.token", r#"{"token":["ghp_0123456789"]}"#, Slot::Header, Some("no string"));
    }

    #[tokio::test]
    async fn nothing_is_asked_where_nothing_is_wanted() {
        let nowhere = Source::File("/nonexistent".into());
        assert!(Vault::open(&[], &nowhere).await.is_ok());
    }
}
