//! Finds the values behind the names, and remembers them.
//!
//! All of them are read once per cold start. From then on each secret goes its
//! own way: `reading` says when it is read again, and what becomes of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::aws::SecretsManager;
use super::reading::{Place, Reading, Why};
use super::{Secret, SecretRef};

pub use super::wanted::{SHORTEST, Slot, Wanted};

/// Where values are kept. A closed set, so an enum and not a trait.
pub enum Source {
    /// AWS Secrets Manager.
    Aws(SecretsManager),
    /// A JSON file of `{secret id: string or object}`: local runs only.
    File(PathBuf),
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
pub struct Vault {
    source: Arc<Source>,
    /// The secrets, each once, whatever many names and fields of it are used.
    places: Vec<Arc<Place>>,
    of: HashMap<SecretRef, Arc<Place>>,
}

/// Why a secret cannot be used. Names it, and never shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(super) secret: String,
    pub(super) why: String,
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

impl Source {
    /// Reads the current values of `ids`, in one round trip where that is possible.
    pub(super) async fn read(&self, ids: &[&str]) -> Result<BTreeMap<String, Kept>, Vec<Refusal>> {
        match self {
            Self::Aws(aws) => aws.read(ids).await,
            Self::File(path) => super::file::read(path, ids),
        }
    }
}

impl Vault {
    /// Reads all that is wanted, as of `now`. Every refusal is reported, not
    /// only the first.
    pub async fn open(wanted: Vec<Wanted>, source: Source, now: SystemTime) -> Result<Self, Vec<Refusal>> {
        let mut by_id: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
        for wanted in wanted {
            by_id.entry(wanted.id.clone()).or_default().push(wanted);
        }
        let ids: Vec<&str> = by_id.keys().map(String::as_str).collect();
        let kept = if ids.is_empty() { BTreeMap::new() } else { source.read(&ids).await? };
        let mut vault = Self { source: Arc::new(source), places: Vec::new(), of: HashMap::new() };
        let mut refusals = Vec::new();
        for (id, wanted) in by_id {
            match Place::new(id, wanted, &kept, now) {
                Ok(place) => vault.keep(Arc::new(place)),
                Err(more) => refusals.extend(more),
            }
        }
        if refusals.is_empty() { Ok(vault) } else { Err(refusals) }
    }

    fn keep(&mut self, place: Arc<Place>) {
        for reference in place.references() {
            self.of.insert(reference.clone(), Arc::clone(&place));
        }
        self.places.push(place);
    }

    /// The value behind a reference, as it is known now.
    pub fn get(&self, reference: &SecretRef) -> Option<Found> {
        self.of.get(reference)?.get(reference)
    }

    /// Those of `names` (`github.token`) whose last reading brought nothing to
    /// use: what is known of them is the value before.
    pub fn stale<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<String> {
        let stale = self.places.iter().filter(|place| place.is_stale());
        let stale: Vec<String> =
            stale.flat_map(|place| place.references().map(ToString::to_string)).collect();
        names.filter(|name| stale.iter().any(|stale| stale == name)).map(str::to_owned).collect()
    }

    /// The secrets that are older than their `refresh`.
    pub fn aged(&self, now: SystemTime) -> Vec<Reading> {
        let aged = self.places.iter().filter(|place| place.wants(&Why::Aged, now));
        aged.map(|place| self.reading(place, Why::Aged)).collect()
    }

    /// The secrets that an upstream refused, each once: `used` are the names
    /// and versions of what it was sent.
    pub fn refused<'n>(
        &self,
        used: impl Iterator<Item = (&'n str, Option<&'n str>)>,
        now: SystemTime,
    ) -> Vec<Reading> {
        let mut readings: Vec<Reading> = Vec::new();
        for (name, version) in used {
            let place = name.parse().ok().and_then(|reference: SecretRef| self.of.get(&reference));
            let why = Why::Refused(version.map(str::to_owned));
            if let Some(place) = place.filter(|place| place.wants(&why, now))
                && !readings.iter().any(|reading| reading.is_of(place))
            {
                readings.push(self.reading(place, why));
            }
        }
        readings
    }

    fn reading(&self, place: &Arc<Place>, why: Why) -> Reading {
        Reading::new(Arc::clone(&self.source), Arc::clone(place), why)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn nothing_is_asked_where_nothing_is_wanted() {
        let nowhere = Source::File("/nonexistent".into());
        assert!(Vault::open(Vec::new(), nowhere, SystemTime::UNIX_EPOCH).await.is_ok());
    }

    fn wanted(reference: &str, refresh: Option<Duration>) -> Wanted {
        let (reference, id) = (reference.parse().unwrap(), "prod/x".to_owned());
        Wanted { reference, id, expect: None, refresh, slot: Slot::Url, always_secret: true }
    }

    /// Also what has no version: a file on a laptop.
    #[tokio::test]
    async fn what_was_refused_is_read_again_and_what_nobody_knows_is_not() {
        let path = std::env::temp_dir().join(format!("countersign-vault-{}.json", std::process::id()));
        let put = |value: &str| std::fs::write(&path, format!(r#"{{"prod/x":"{value}"}}"#)).unwrap();
        put("old-value");
        let wanted = vec![wanted("x", None)];
        let vault = Vault::open(wanted, Source::File(path.clone()), SystemTime::UNIX_EPOCH).await.unwrap();
        put("new-value");
        let mut readings = vault
            .refused([("x", None), ("x", None), ("y", None), ("", None)].into_iter(), SystemTime::UNIX_EPOCH);
        assert_eq!(readings.len(), 1);
        let until = Instant::now() + Duration::from_secs(5);
        let read = readings.pop().unwrap().run(SystemTime::UNIX_EPOCH, until).await;
        let value = vault.get(&"x".parse().unwrap()).unwrap().secret;
        assert_eq!((read, value.expose()), (Ok(true), "new-value"));
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn of_two_ages_for_one_secret_the_shorter_counts() {
        let path = std::env::temp_dir().join(format!("countersign-ages-{}.json", std::process::id()));
        std::fs::write(&path, r#"{"prod/x":"some-value"}"#).unwrap();
        let hours = |hours| Some(Duration::from_hours(hours));
        let wanted = vec![wanted("a", hours(2)), wanted("b", hours(1)), wanted("c", None)];
        let vault = Vault::open(wanted, Source::File(path.clone()), SystemTime::UNIX_EPOCH).await.unwrap();
        for (minutes, expected) in [(0, 0), (59, 0), (60, 1), (61, 1), (500, 1)] {
            let now = SystemTime::UNIX_EPOCH + Duration::from_mins(minutes);
            assert_eq!(vault.aged(now).len(), expected, "{minutes}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
