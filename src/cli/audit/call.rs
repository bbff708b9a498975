//! One record as a reader asks for it: who, what, with which secret, and what became of it.

use std::str::FromStr;

use clap::Args;
use serde_json::Value;

use super::line::at;

/// Which records to show. All that is asked for has to fit.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Of this caller.
    #[arg(long, value_name = "NAME")]
    caller: Option<String>,
    /// Of a route with these words in it, such as `GET /my-repos` or `/my-repos`.
    #[arg(long, value_name = "TEXT")]
    route: Option<String>,
    /// That used this secret, such as `github` or `github.token`.
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// That ended so: `403`, or `5xx`.
    #[arg(long, value_name = "STATUS")]
    status: Option<Status>,
    /// That ended with this problem, such as `origin_not_allowed`.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only where a secret came back, and was cut out.
    #[arg(long)]
    leaks: bool,
}

/// A status, or all of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    One(u64),
    /// 5: 500 to 599.
    Class(u64),
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = match text.strip_suffix("xx") {
            Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class),
            None => text.parse().ok().filter(|status| (100..=599).contains(status)).map(Self::One),
        };
        found.ok_or_else(|| "write a status, such as `403`, or a class, such as `5xx`".to_owned())
    }
}

impl Filter {
    /// Whether a record is asked for.
    pub fn fits(&self, record: &Value) -> bool {
        let call = Call(record);
        let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|name| name == found);
        same(&self.caller, call.caller())
            && self.route.as_ref().is_none_or(|words| call.route().contains(words.as_str()))
            && self.secret.as_ref().is_none_or(|name| call.secrets().any(|(used, _)| is_of(used, name)))
            && self.status.is_none_or(|status| call.status().is_some_and(|found| status.fits(found)))
            && same(&self.code, call.code())
            && (!self.leaks || call.has("leak"))
    }
}

impl Status {
    fn fits(self, status: u64) -> bool {
        match self {
            Self::One(one) => status == one,
            Self::Class(class) => status / 100 == class,
        }
    }
}

/// `github.token` is a part of `github`; `github2` is not.
fn is_of(used: &str, name: &str) -> bool {
    used.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A record, by the nouns of this house.
pub(super) struct Call<'v>(pub &'v Value);

impl<'v> Call<'v> {
    /// Milliseconds since 1970.
    pub fn time(&self) -> u64 {
        at(self.0, "/time").as_u64().unwrap_or_default()
    }

    pub fn caller(&self) -> &'v str {
        text(at(self.0, "/actor/app_name"))
    }

    /// The entry of `routes`; of a record that is no call: what it is.
    pub fn route(&self) -> &'v str {
        match (at(self.0, "/class_uid").as_u64(), at(self.0, "/activity_id").as_u64()) {
            (Some(6002), Some(3)) => "(an environment began)",
            (Some(6002), Some(4)) => "(an environment ended)",
            _ => text(at(self.0, "/api/operation")),
        }
    }

    pub fn upstream(&self) -> &'v str {
        text(at(self.0, "/api/service/name"))
    }

    /// The status that the caller got; none where it is only about to be sent.
    pub fn status(&self) -> Option<u64> {
        at(self.0, "/http_response/code").as_u64()
    }

    /// The code of the problem.
    pub fn code(&self) -> &'v str {
        text(at(self.0, "/api/response/error"))
    }

    /// The secrets, each with its version's id, where it has one.
    pub fn secrets(&self) -> impl Iterator<Item = (&'v str, &'v str)> + use<'v> {
        let resources = at(self.0, "/resources").as_array();
        resources.into_iter().flatten().map(|used| (text(at(used, "/name")), text(at(used, "/version"))))
    }

    /// Milliseconds, to the end of the body.
    pub fn took(&self) -> Option<u64> {
        at(self.0, "/duration").as_u64()
    }

    /// Whether it is only about to be sent (`audit.mode: strict`).
    pub fn is_intent(&self) -> bool {
        at(self.0, "/class_uid") == 6003 && at(self.0, "/status_id") == 0
    }

    /// What is said of it that OCSF has no word for; null where nothing is.
    pub fn says(&self, mark: &str) -> &'v Value {
        self.0.get("unmapped").and_then(|more| more.get(mark)).unwrap_or(&Value::Null)
    }

    /// Whether this is said of it.
    pub fn has(&self, mark: &str) -> bool {
        at(self.0, "/unmapped")[mark] == true
    }

    /// What is worth a look.
    pub fn marks(&self) -> Vec<String> {
        let mut marks = Vec::new();
        marks.extend(self.has("leak").then(|| "leak".to_owned()));
        marks.extend(self.says("would_deny").as_str().map(|code| format!("would deny: {code}")));
        marks.extend(self.has("renewed").then(|| "renewed".to_owned()));
        marks.extend(self.says("retries").as_u64().map(|times| format!("retries: {times}")));
        marks.extend(self.says("stale").as_array().map(|_| "stale".to_owned()));
        let broke = self.says("stream").as_str().filter(|end| *end != "complete");
        marks.extend(broke.map(|end| end.replace('_', " ")));
        marks.extend(self.says("cache").as_str().map(|outcome| format!("cache {outcome}")));
        marks
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
