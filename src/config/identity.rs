//! Who calls, and whose word we take for it, as the file has it. The comments
//! here are the manual, as those of [`declared`](super::declared) are.
//!
//! Nothing is required by these types: what must be there is said in `check`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::{Host, Url};
use validator::Validate;

use super::fields::{Duration, Parsed, Quota};
use crate::identity::Alg;
use crate::identity::rule::{Glob, Human, Match, Pattern, Rule, Test};

/// Somebody whose tokens we trust: an OpenID Connect issuer.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(extend("anyOf" = [{ "required": ["url"] }, { "required": ["preset"] }])))]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// A widespread issuer, such as `gitpod`: `url` where all of its users have the same, `algs` and `jwks_hosts` are
    /// then known, and which claim names the `human`. What stands in the file goes first.
    #[cfg_attr(feature = "cli", schemars(with = "Option<super::schema::Provider>"))]
    pub preset: Option<String>,
    /// Its URL, exactly as its tokens say it in `iss`: to the letter, also a slash at the end (OpenID Connect Discovery
    /// §3). Required, unless a `preset` knows it.
    pub url: Option<Parsed<IssuerUrl>>,
    /// Whom its tokens must be meant for: their `aud`. Let it be the URL of this API, and nobody else's: a token that
    /// is meant for others as well is refused.
    #[validate(length(min = 1, message = "this names no audience; write the URL of this API"))]
    #[cfg_attr(feature = "cli", schemars(extend("required" = true)))]
    pub audience: Option<String>,
    /// How it signs; a token that is signed in any other way is refused. Default: what the `preset` knows, or `[RS256]`.
    pub algs: Option<Vec<Alg>>,
    /// Its keys, pinned: the path of a JWKS (RFC 7517 §5) in JSON or YAML, from this file on. They are then not fetched,
    /// and nobody but you renews them. Default: they are fetched by its discovery document.
    pub keys: Option<String>,
    /// The hosts that its keys may be fetched from, next to its own.
    #[serde(default)]
    pub jwks_hosts: Vec<String>,
    /// Accepts an `http://` URL. Whoever sits on the way then decides who calls: for tests and closed networks only.
    #[serde(default)]
    pub dangerous_plain_http: bool,
    /// Lets its keys be fetched from a private, loopback, link-local or metadata address. Whoever controls that name's
    /// DNS then decides who calls.
    #[serde(default)]
    pub dangerous_private_network: bool,
}

impl Issuer {
    /// How it signs.
    pub fn algs(&self) -> &[Alg] {
        self.algs.as_deref().unwrap_or(&[Alg::RS256])
    }
}

/// Somebody who calls.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// Anybody, without proof of who they are.
    #[serde(default)]
    pub anonymous: bool,
    /// Those who show a token of this issuer as `Authorization: Bearer …`, of which `match` is true.
    pub issuer: Option<String>,
    /// What must hold of the token's claims, all of it: for each claim its text, a list of texts of which it is one,
    /// or a `glob`, a `regex` or what it `contains`. A claim within another is written as a path, with a `.` between:
    /// `google.compute_engine.project_id`. Whole numbers and truth values are written as JSON has them. Of an issuer
    /// that others use too, the claim that says which of them is yours must be here, written out.
    #[serde(default, rename = "match")]
    pub matches: BTreeMap<String, Test>,
    /// The claim that names the human whom records hold accountable; a token without it is refused. `none` only with
    /// a `reason`. Default: what the issuer's `preset` knows.
    pub human: Option<Parsed<Human>>,
    /// Why no human is accountable, where `human` is `none`.
    #[validate(length(min = 1, message = "this gives no reason; say why no human is accountable"))]
    pub reason: Option<String>,
    /// How long ago the token may have been issued, in whole seconds. Default: as long as it is good.
    pub max_age: Option<Duration>,
    /// Lets in, as these callers, also those who do not prove that they are, where nobody else of the route's `allow`
    /// fits them; the record says `would_deny`. To try a proof out before it is demanded: meanwhile everybody gets in.
    /// Not for `anonymous` ones, who are never denied.
    #[serde(default)]
    pub observe: bool,
    /// The usage plan that these callers are put in.
    pub plan: Option<String>,
}

impl Caller {
    /// What makes a token that of this caller. `None` where it shows none, or where
    /// it is not said who is accountable, which `check` refuses.
    pub fn rule(&self) -> Option<Rule> {
        let matches = self.matches.iter();
        let matches = matches.map(|(claim, test)| Match { claim: claim.clone(), test: test.clone() });
        Some(Rule {
            issuer: self.issuer.clone()?,
            matches: matches.collect(),
            human: self.human.as_ref()?.0.clone(),
            max_age: self.max_age.map(|age| age.0),
        })
    }
}

/// How much callers of a plan may call.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Requests per second, in the long run.
    #[validate(range(min = 1, message = "nobody could call; write a rate of at least 1"))]
    pub rate: Option<u32>,
    /// Requests at once.
    #[validate(range(min = 1, message = "nobody could call; write a burst of at least 1"))]
    pub burst: Option<u32>,
    /// Requests per day, week or month: `10000/day`.
    pub quota: Option<Quota>,
}

/// What a claim must be, where it is not written out. One of these.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(rename = "ClaimForm"))]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    /// Text of this form, the whole of it: each `*` stands for one character or more, none of which is `/` or `:`. So
    /// `https://github.com/acme/*` is each repository of `acme`, and nothing below one. In `sub`, a `*` stands for all
    /// that is between two `/` or `:`.
    glob: Option<Parsed<Glob>>,
    /// Text that this regular expression fits, the whole of it; it begins with `^` and ends with `$`.
    regex: Option<Parsed<Pattern>>,
    /// A list with this text in it, such as `groups`. Text alone is a list of one; `scope` and `scp` may also be lists
    /// with spaces between.
    #[cfg_attr(feature = "cli", schemars(with = "Option<super::schema::Text>"))]
    contains: Option<String>,
}

impl TryFrom<Form> for Test {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        match form {
            Form { glob: Some(Parsed(glob)), regex: None, contains: None } => Ok(Self::Glob(glob)),
            Form { glob: None, regex: Some(Parsed(regex)), contains: None } => Ok(Self::Regex(regex)),
            Form { glob: None, regex: None, contains: Some(text) } => Ok(Self::Contains(text)),
            _ => Err("one thing must hold of a claim; write one of `glob`, `regex` and `contains`"),
        }
    }
}

impl<'de> Deserialize<'de> for Test {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TestVisitor)
    }
}

struct TestVisitor;

impl<'de> Visitor<'de> for TestVisitor {
    type Value = Test;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a list of texts, or one such as `{ glob: … }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Test, E> {
        Ok(Test::Exact(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Test, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(Test::OneOf)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Test, A::Error> {
        Form::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(A::Error::custom)
    }
}

impl FromStr for Human {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("this names no claim; write one such as `user_id`".to_owned()),
            "none" => Ok(Self::None),
            claim => Ok(Self::Claim(claim.to_owned())),
        }
    }
}

/// Who an issuer is: a URL, which is compared letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUrl {
    text: String,
    https: bool,
    host: String,
    address: Option<IpAddr>,
}

impl IssuerUrl {
    /// As it is written, and as tokens must say it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is reached by HTTPS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Its host, in small letters.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address that its host is, where it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

impl FromStr for IssuerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |text: &str| Err(text.to_owned());
        let Ok(url) = Url::parse(text) else { return wrong("this is no URL; write `https://host`") };
        let Some(host) = url.host().filter(|_| matches!(url.scheme(), "https" | "http")) else {
            return wrong("an issuer is reached by HTTPS; write `https://host`");
        };
        if text.contains(['?', '#']) {
            return wrong("an issuer's URL has no query and no fragment; remove what begins with `?` or `#`");
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return wrong("an issuer's URL has no user name and no password; write `https://host`");
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return wrong("an issuer's URL has no such characters; write it as its tokens do");
        }
        let address = match host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        };
        let (text, https) = (text.to_owned(), url.scheme() == "https");
        Ok(Self { text, https, host: host.to_string(), address })
    }
}
