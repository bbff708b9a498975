//! Anchors: what somebody else wrote down of the heads of chains. Whoever rewrites
//! a trail cannot rewrite them. Whether they are signed is for others to check.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Deserialize;

/// A record as it was.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Anchor {
    chain_uid: String,
    /// Its place in the chain.
    pub sequence: u64,
    /// Its hash.
    pub fingerprint: String,
}

/// The anchors of each chain.
pub(super) type Anchors = BTreeMap<String, Vec<Anchor>>;

/// A line. What else is in it, a time or a signature, is not looked at.
#[derive(Deserialize)]
struct Signed {
    anchor: Anchor,
}

/// Reads a file of anchors, one a line.
pub(super) fn read(path: &Path) -> io::Result<Anchors> {
    let unread = |why: String| io::Error::other(format!("{} cannot be read: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| unread(error.to_string()))?;
    let mut anchors = Anchors::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let json = line.find('{').and_then(|at| line.get(at..)).unwrap_or_default();
        let Signed { anchor } = serde_json::from_str(json)
            .map_err(|error| unread(format!("line {number} is no anchor: {error}")))?;
        anchors.entry(anchor.chain_uid.clone()).or_default().push(anchor);
    }
    Ok(anchors)
}
