//! What the record says of a secret that an answer repeated: which, how it was
//! written, and where. Nothing of its value, and nothing of what stood around it.

use std::collections::BTreeSet;
use std::fmt;

use http::HeaderName;
use serde::Serialize;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Whoever writes the answer decides how many there are: a record stays short.
const MOST: usize = 16;

/// A secret that was cut out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Leak {
    /// Our name for it.
    pub name: String,
    /// Where it stood: `body`, `stream`, `header` for the name of one, or
    /// `header:NAME` for its value.
    pub place: String,
    /// How it was written: `plain`, `base64`, `hex, percent-encoded` and the like.
    pub spelling: String,
}

/// Where a secret stood.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) enum Place<'p> {
    Body,
    Stream,
    /// A header's name, which is dropped with its value.
    Name,
    /// A header's value.
    Header(&'p HeaderName),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("body"),
            Self::Stream => f.write_str("stream"),
            Self::Name => f.write_str("header"),
            Self::Header(name) => write!(f, "header:{:.64}", name.as_str()),
        }
    }
}

/// The secrets that an answer repeated, each spelling in each place once; the first
/// few of them.
pub type Leaks = BTreeSet<Leak>;

/// Adds one, unless there are many already.
pub(super) fn note(leaks: &mut Leaks, leak: Leak) {
    if leaks.len() < MOST {
        leaks.insert(leak);
    }
}
