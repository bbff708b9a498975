//! The chain: each record carries the hash of the one before it, so that nobody
//! can change, remove or slip in one without a break that shows.
//!
//! A hash is SHA-256 over the record's canonical JSON (RFC 8785), without the
//! hash itself. Records are written in that form to begin with.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Serialize, Serializer};

/// The records of one environment, in order.
pub struct Chain {
    name: String,
    next: u64,
    before: Fingerprint,
}

/// Where a record stands in its chain.
pub struct Place<'c> {
    /// The chain's name.
    pub chain: &'c str,
    /// 0 for the first.
    pub sequence: u64,
    /// The hash of the record before it; of the first: zeros.
    pub before: Fingerprint,
}

/// A SHA-256 hash, in hex where it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// The part of a record that binds it: `attestation_list`, as OCSF 1.9 is going to have it.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Attestation<'c> {
    /// The chain's name: one for each execution environment.
    chain_uid: &'c str,
    /// The record's own hash. Absent while it is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Hash>,
    /// The record before it.
    prev_event: Before,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Before {
    fingerprint: Hash,
}

/// An object *fingerprint* of OCSF.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Hash {
    /// `SHA-256`.
    algorithm: &'static str,
    /// 3: SHA-256.
    algorithm_id: u8,
    /// 64 digits of hex.
    #[cfg_attr(feature = "cli", schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$")))]
    value: Fingerprint,
}

/// What the record's own hash is put before: a key, since in a text its quotes would be escaped.
const BEHIND: &str = "\"prev_event\":";

impl Chain {
    /// A chain with no record yet.
    pub fn new(name: String) -> Self {
        Self { name, next: 0, before: Fingerprint([0; 32]) }
    }

    /// Words the next record, and binds it. What cannot be worded takes no place.
    pub fn seal(&mut self, words: impl FnOnce(&Place<'_>) -> serde_json::Result<String>) -> String {
        let place = Place { chain: &self.name, sequence: self.next, before: self.before };
        let Ok(mut line) = words(&place) else { return String::new() };
        let own = Fingerprint::of(line.as_bytes());
        if let Some(at) = line.find(BEHIND) {
            line.insert_str(at, &format!("\"fingerprint\":{},", Hash::of(own)));
        }
        (self.next, self.before) = (self.next + 1, own);
        line
    }
}

impl<'c> Place<'c> {
    /// How a record says it.
    pub fn attestation(&self) -> [Attestation<'c>; 1] {
        let prev_event = Before { fingerprint: Hash::sha256(self.before) };
        [Attestation { chain_uid: self.chain, fingerprint: None, prev_event }]
    }
}

impl Fingerprint {
    /// Of a record's canonical JSON, without its own fingerprint.
    pub fn of(canonical: &[u8]) -> Self {
        let hash = digest(&SHA256, canonical);
        Self(hash.as_ref().try_into().unwrap_or_default())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Hash {
    fn sha256(value: Fingerprint) -> Self {
        Self { algorithm: "SHA-256", algorithm_id: 3, value }
    }

    fn of(value: Fingerprint) -> String {
        serde_json::to_string(&Self::sha256(value)).unwrap_or_default()
    }
}
