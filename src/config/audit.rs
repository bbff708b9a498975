//! `audit` as it is written. Its comments are the manual, like those of `declared`.

use serde::Deserialize;
use validator::Validate;

/// How records are kept. Where they go says the environment: `COUNTERSIGN_AUDIT_LOG_GROUP`.
#[derive(Debug, Default, Deserialize, Validate)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// When a record must be written down. Default: `after`.
    pub mode: Option<AuditMode>,
    /// Whether metrics are written to standard output, in CloudWatch's Embedded Metric Format: one line for each
    /// request, of which `docs/guides/metrics.md` has all. Default: `true`.
    pub metrics: Option<bool>,
}

/// When a record must be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditMode {
    /// Once the answer is out. Nobody waits for it.
    #[default]
    After,
    /// Also before a credential is used: a record that says what is about to be called. Where it
    /// cannot be written, nothing is sent, and the caller gets 503 `audit_unavailable`.
    Strict,
}
