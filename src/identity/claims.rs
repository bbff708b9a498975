//! What a verified token says, once its audience, its times and its subject
//! are right (RFC 7519 §4.1).
//!
//! The signature was verified before, so a refusal may name the caller's own
//! claim. What we expected stays in the record.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::refusal::{Reason, Refusal, echo};

/// So far may an issuer's clock be ahead of ours, in seconds. A token's end is
/// its end: a clock that is behind gets no second more.
const LEEWAY: u64 = 30;
/// No token that we take lives longer, in seconds.
const LONGEST_LIFE: u64 = 2 * 60 * 60;
/// OpenID Connect Core 1.0 §2, in characters.
const LONGEST_SUBJECT: usize = 255;

/// What a verified token says. Only verification makes one.
#[derive(Clone, PartialEq)]
pub struct Claims {
    all: Map<String, Value>,
    subject: String,
    issued: u64,
    expires: u64,
}

impl Claims {
    /// Judges claims whose signature holds, as of `now`.
    pub(super) fn judge(all: &Map<String, Value>, audience: &str, now: SystemTime) -> Result<Self, Refusal> {
        meant_for(all, audience)?;
        let (issued, expires) = times(all, seconds(now))?;
        Ok(Self { subject: subject(all)?, all: all.clone(), issued, expires })
    }

    /// The claim of a name, or what a path leads to: `google.compute_engine.zone`. A claim of
    /// exactly that name goes first; otherwise the longest name that a `.` follows in the path,
    /// and then the rest within it. So `https://sts.amazonaws.com/.aws_account` is `aws_account`
    /// within `https://sts.amazonaws.com/`. The choice is not taken back where the rest leads
    /// nowhere: a path means one thing in one token.
    pub fn get(&self, path: &str) -> Option<&Value> {
        descend(&self.all, path)
    }

    /// The `sub`: 1 to 255 characters, none of them a control.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The `iat`.
    pub fn issued(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.issued)
    }

    /// The `exp`.
    pub fn expires(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.expires)
    }

    /// How long ago it was issued; nothing where the issuer's clock is ahead.
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.issued()).unwrap_or_default()
    }

    /// Claims that nobody has verified.
    #[cfg(test)]
    pub(crate) fn unverified(all: Map<String, Value>) -> Self {
        Self { all, subject: String::new(), issued: 0, expires: 0 }
    }
}

/// The names, and no value: values are about people.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims")?;
        f.debug_set().entries(self.all.keys()).finish()
    }
}

fn descend<'c>(within: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(claim) = within.get(path) {
        return Some(claim);
    }
    let mut splits = path.rmatch_indices('.').filter_map(|(dot, _)| path.split_at_checked(dot));
    let (inner, rest) = splits.find_map(|(name, rest)| Some((within.get(name)?, rest.strip_prefix('.')?)))?;
    descend(inner.as_object()?, rest)
}

/// `aud` is a text or a list of them (RFC 7519 §4.1.3).
fn meant_for(all: &Map<String, Value>, audience: &str) -> Result<(), Refusal> {
    let said = needed(all, "aud")?;
    let one = std::slice::from_ref(said);
    let list = said.as_array().map_or(one, Vec::as_slice);
    let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    let names = names.ok_or_else(|| mismatch("aud", said, "is neither a text nor a list of texts"))?;
    let wrong = |why: &str| {
        let detail = format!("`aud` is {}: {why}", shown(said));
        Refusal::new(Reason::WrongAudience, detail).because(format!("expected {}", echo(audience)))
    };
    if !names.contains(&audience) {
        return Err(wrong("the token is not meant for us"));
    }
    if 1 < names.len() {
        return Err(wrong("the token is not meant for us alone"));
    }
    Ok(())
}

/// When it was issued and when it ends, in seconds since 1970.
fn times(all: &Map<String, Value>, now: u64) -> Result<(u64, u64), Refusal> {
    let at = |name: &str| {
        let said = needed(all, name)?;
        said.as_u64().ok_or_else(|| mismatch(name, said, "is no whole number of seconds"))
    };
    let (issued, expires) = (at("iat")?, at("exp")?);
    let begins = if all.contains_key("nbf") { at("nbf")? } else { issued };
    let refuse = |code, name: &str, time: u64, why: &str| {
        Err(Refusal::new(code, format!("`{name}` is {time}: {why}")).because(format!("it is {now} now")))
    };
    if expires <= issued {
        return refuse(Reason::ClaimMismatch, "exp", expires, "that is not after `iat`");
    }
    if LONGEST_LIFE < expires - issued {
        return refuse(Reason::ClaimMismatch, "exp", expires, "that is more than two hours after `iat`");
    }
    if expires <= now {
        return refuse(Reason::Expired, "exp", expires, "the token has ended");
    }
    for (name, time) in [("iat", issued), ("nbf", begins)] {
        if now + LEEWAY < time {
            return refuse(Reason::NotYetValid, name, time, "that is still to come");
        }
    }
    Ok((issued, expires))
}

fn subject(all: &Map<String, Value>) -> Result<String, Refusal> {
    let said = needed(all, "sub")?;
    let fit = |text: &&str| {
        (1..=LONGEST_SUBJECT).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    let subject = said.as_str().filter(fit).map(str::to_owned);
    subject.ok_or_else(|| mismatch("sub", said, "is not a text of 1 to 255 printable characters"))
}

fn needed<'c>(all: &'c Map<String, Value>, name: &str) -> Result<&'c Value, Refusal> {
    let missing = || Refusal::new(Reason::ClaimMissing, format!("the token has no `{name}`"));
    all.get(name).ok_or_else(missing)
}

fn mismatch(name: &str, said: &Value, why: &str) -> Refusal {
    Refusal::new(Reason::ClaimMismatch, format!("`{name}` is {}, which {why}", shown(said)))
}

/// A value of the caller's, in one pair of quotes.
fn shown(said: &Value) -> String {
    said.as_str().map_or_else(|| echo(&said.to_string()), echo)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{NOW, at, merge};
    use super::*;

    /// Right in every way, but for what is changed.
    fn judged(change: &Value, audience: &str) -> Result<Claims, Refusal> {
        let right = json!({ "iss": "x", "aud": "us", "sub": "me", "iat": NOW, "exp": NOW + 300 });
        Claims::judge(merge(&right, change).as_object().unwrap(), audience, at(NOW))
    }

    fn check(change: &Value, expected: Result<(), Reason>) {
        let outcome = judged(change, "us");
        assert_eq!(outcome.map(drop).map_err(|refusal| refusal.code), expected, "{change}");
    }

    #[test]
    fn a_token_is_meant_for_us_and_for_nobody_else() {
        check(&json!({ "aud": "us" }), Ok(()));
        check(&json!({ "aud": ["us"] }), Ok(()));
        for aud in [json!("US"), json!("us/"), json!(""), json!([]), json!(["them"]), json!("us them")] {
            check(&json!({ "aud": aud }), Err(Reason::WrongAudience));
        }
        check(&json!({ "aud": ["us", "sts.amazonaws.com"] }), Err(Reason::WrongAudience));
        check(&json!({ "aud": ["us", "us"] }), Err(Reason::WrongAudience));
        for aud in [json!(7), json!({ "us": 1 }), json!(["us", 7]), json!([["us"]]), json!(true)] {
            check(&json!({ "aud": aud }), Err(Reason::ClaimMismatch));
        }
        check(&json!({ "aud": null }), Err(Reason::ClaimMissing));
    }

    #[test]
    fn a_token_has_its_time() {
        let times = |iat: i64, exp: i64, expected| {
            let now = i64::try_from(NOW).unwrap();
            check(&json!({ "iat": now + iat, "exp": now + exp }), expected);
        };
        times(0, 1, Ok(()));
        times(-300, 1, Ok(()));
        times(-300, 0, Err(Reason::Expired));
        times(-300, -55, Err(Reason::Expired));
        times(0, 7200, Ok(()));
        times(0, 7201, Err(Reason::ClaimMismatch));
        times(-7199, 1, Ok(()));
        times(-7200, 1, Err(Reason::ClaimMismatch));
        times(60, 60, Err(Reason::ClaimMismatch));
        times(60, 59, Err(Reason::ClaimMismatch));
        times(30, 300, Ok(()));
        times(31, 300, Err(Reason::NotYetValid));
        times(365 * 86400, 365 * 86400 + 60, Err(Reason::NotYetValid));
        check(&json!({ "nbf": NOW }), Ok(()));
        check(&json!({ "nbf": NOW + 30 }), Ok(()));
        check(&json!({ "nbf": NOW + 31 }), Err(Reason::NotYetValid));
        check(&json!({ "exp": 9_000_000_000_000_000_u64 }), Err(Reason::ClaimMismatch));
        check(&json!({ "iat": 0, "exp": u64::MAX }), Err(Reason::ClaimMismatch));
        check(&json!({ "iat": u64::MAX - 1, "exp": u64::MAX }), Err(Reason::NotYetValid));
    }

    #[test]
    fn times_are_whole_numbers() {
        for name in ["iat", "exp", "nbf"] {
            let soon = NOW + 10;
            let text = Value::from(soon.to_string());
            for value in [text, json!(soon as f64), json!(9e15), json!(-1), json!([soon]), json!(true)] {
                check(&json!({ name: value }), Err(Reason::ClaimMismatch));
            }
        }
        check(&json!({ "iat": null }), Err(Reason::ClaimMissing));
        check(&json!({ "exp": null }), Err(Reason::ClaimMissing));
        let null = json!({ "iss": "x", "aud": "us", "sub": "me", "iat": NOW, "exp": NOW + 9, "nbf": null });
        let refusal = Claims::judge(null.as_object().unwrap(), "us", at(NOW)).unwrap_err();
        assert_eq!(refusal.code, Reason::ClaimMismatch);
    }

    #[test]
    fn a_subject_is_a_short_line() {
        check(&json!({ "sub": "https://github.com/acme/api" }), Ok(()));
        check(&json!({ "sub": "project_path:acme/ünï:ref:main" }), Ok(()));
        check(&json!({ "sub": "é".repeat(255) }), Ok(()));
        check(&json!({ "sub": null }), Err(Reason::ClaimMissing));
        for sub in
            [json!(""), json!("é".repeat(256)), json!("a\nb"), json!("a\u{0}"), json!("\u{85}"), json!(7)]
        {
            check(&json!({ "sub": sub }), Err(Reason::ClaimMismatch));
        }
    }

    #[test]
    fn a_refusal_tells_the_callers_own_and_keeps_what_was_expected() {
        let refusal = judged(&json!({ "aud": "th\nem" }), "api://secret-name");
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.detail, "`aud` is \"them\": the token is not meant for us");
        assert_eq!(refusal.cause.as_deref(), Some("expected \"api://secret-name\""));
        let refusal = judged(&json!({ "exp": NOW - 1, "iat": NOW - 9 }), "us").unwrap_err();
        assert_eq!(refusal.detail, format!("`exp` is {}: the token has ended", NOW - 1));
        assert_eq!(refusal.cause, Some(format!("it is {NOW} now")));
    }

    #[test]
    fn a_claim_is_found_by_its_name_and_by_its_path() {
        let claims = judged(
            &json!({
                "org_id": "7c2b", "a.b": 1, "a": { "b": 2, "c": { "d": 3 }, "c.d": 4, "list": [{ "x": 5 }] },
                "https://sts.amazonaws.com/": { "aws_account": "123", "principal_tags": { "team.x": "y" } },
            }),
            "us",
        );
        let claims = claims.unwrap();
        let check = |path: &str, expected: Option<Value>| {
            assert_eq!(claims.get(path), expected.as_ref(), "{path}");
        };
        check("org_id", Some(json!("7c2b")));
        check("a.b", Some(json!(1)));
        check("a.c.d", Some(json!(4)));
        check("https://sts.amazonaws.com/.aws_account", Some(json!("123")));
        check("https://sts.amazonaws.com/.principal_tags.team.x", Some(json!("y")));
        for path in ["", ".", "a.", ".a", "a.x", "a.b.c", "org_id.x", "a.list.x", "a.list.0", "ORG_ID", "a/b"]
        {
            check(path, None);
        }
        assert_eq!(claims.subject(), "me");
        assert_eq!((claims.issued(), claims.expires()), (at(NOW), at(NOW + 300)));
        assert_eq!(claims.age(at(NOW + 90)), Duration::from_secs(90));
        assert_eq!(claims.age(at(NOW - 9)), Duration::ZERO);
        assert!(!format!("{claims:?}").contains("7c2b"), "{claims:?}");
    }

    #[test]
    fn a_path_leads_to_one_claim_or_to_none() {
        let all = json!({
            "sub": "jane", "a.b": 1, "a": { "b": 2, "c": 3 }, "a.d": { "e": 4 },
            "https://sts.amazonaws.com/": { "aws_account": "123", "principal_tags": { "team.x": "y" } },
            "list": [{ "x": 1 }],
        });
        let claims = Claims::unverified(all.as_object().cloned().unwrap());
        let check =
            |path: &str, expected: Option<Value>| assert_eq!(claims.get(path), expected.as_ref(), "{path}");
        check("sub", Some(json!("jane")));
        check("a.b", Some(json!(1)));
        check("a.c", Some(json!(3)));
        check("a.d.e", Some(json!(4)));
        check("a.d", Some(json!({ "e": 4 })));
        for nowhere in ["a.b.c", "a.", ".a", "", "sub.x", "list.0.x"] {
            check(nowhere, None);
        }
        check("https://sts.amazonaws.com/.aws_account", Some(json!("123")));
        check("https://sts.amazonaws.com/.principal_tags.team.x", Some(json!("y")));
        check("https://sts.amazonaws.com/", Some(all["https://sts.amazonaws.com/"].clone()));
    }
}
