//! The words that all records share: those of the Open Cybersecurity Schema
//! Framework (OCSF) 1.8, <https://schema.ocsf.io/1.8.0>. Fields stand in the
//! order of RFC 8785, by name.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Event;
use super::chain::{Attestation, Place};

/// The version of OCSF.
const VERSION: &str = "1.8.0";

/// The profiles of OCSF that are added to a class: that of the hashes, which 1.9 is going to have.
const PROFILES: &[&str] = &["record_integrity"];

/// Those of a request.
const PROFILES_OF_REQUEST: &[&str] = &["record_integrity", "trace"];

/// What a record says of itself.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Metadata<'r> {
    /// What the gateway calls the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_uid: Option<&'r str>,
    product: Product,
    profiles: &'static [&'static str],
    /// Its place in the chain of its environment; 0 for the first.
    sequence: u64,
    /// What tells it apart from all others.
    uid: String,
    /// The version of OCSF.
    version: &'static str,
}

/// What wrote the record.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Product {
    name: &'static str,
    vendor_name: &'static str,
    /// The version of Countersign.
    version: &'static str,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing to do.
    Informational = 1,
    /// Somebody was refused.
    Low = 2,
    /// Something of ours or of an upstream's does not work.
    Medium = 3,
    /// A secret came back.
    High = 4,
}

/// How an environment begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The first record of a chain.
    Start,
    /// The last one. An environment that is killed leaves none.
    Stop,
}

/// A record about the function itself: its environment began, or ends.
pub struct Lifecycle<'r> {
    /// Which of the two.
    pub phase: Phase,
    /// The hash of `countersign.yaml` and the files that it names.
    pub configuration: &'r str,
    /// When.
    pub now: SystemTime,
}

/// Application Lifecycle (6002).
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct ApplicationLifecycle<'r> {
    /// 3: start, 4: stop.
    activity_id: u8,
    activity_name: &'static str,
    app: Product,
    attestation_list: [Attestation<'r>; 1],
    category_uid: u8,
    class_uid: u16,
    metadata: Metadata<'r>,
    severity_id: u8,
    status_id: u8,
    /// Milliseconds since 1970.
    time: u64,
    type_uid: u32,
    unmapped: Setup<'r>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct Setup<'r> {
    /// SHA-256 over the configuration and the files that it names.
    configuration_sha256: &'r str,
}

impl<'r> Metadata<'r> {
    /// At a place in the chain.
    pub fn at(place: &Place<'r>, correlation_uid: Option<&'r str>) -> Self {
        let uid = format!("{}:{}", place.chain, place.sequence);
        let sequence = place.sequence;
        let profiles = if correlation_uid.is_some() { PROFILES_OF_REQUEST } else { PROFILES };
        Self { correlation_uid, product: PRODUCT, profiles, sequence, uid, version: VERSION }
    }
}

const PRODUCT: Product =
    Product { name: "Countersign", vendor_name: "Countersign", version: env!("CARGO_PKG_VERSION") };

impl Event for Lifecycle<'_> {
    fn words<'e>(&'e self, place: &'e Place<'e>) -> impl Serialize + 'e {
        let (activity_id, activity_name) = match self.phase {
            Phase::Start => (3, "Start"),
            Phase::Stop => (4, "Stop"),
        };
        ApplicationLifecycle {
            activity_id,
            activity_name,
            app: PRODUCT,
            attestation_list: place.attestation(),
            category_uid: 6,
            class_uid: 6002,
            metadata: Metadata::at(place, None),
            severity_id: Severity::Informational as u8,
            status_id: 1,
            time: millis(self.now),
            type_uid: 600_200 + u32::from(activity_id),
            unmapped: Setup { configuration_sha256: self.configuration },
        }
    }

    fn ended(&self) -> SystemTime {
        self.now
    }
}

/// OCSF's time: milliseconds since 1970.
pub fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}
