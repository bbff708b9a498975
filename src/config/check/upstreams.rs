//! Where calls go, and what is written into them there.

use std::net::IpAddr;

use super::{Flaws, credentials, expected, field_rules, headers, pasted};
use crate::config::declared::{Declared, Upstream};
use crate::config::presets;
use crate::config::tree::At;
use crate::wire::address::is_public;

/// Names that never lead out into the internet (RFC 6761 §6.3, RFC 6762 §3, and ICANN's reserved `internal`).
const PRIVATE_NAMES: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

pub(super) fn check(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    let upstreams = root.key("upstreams");
    for (name, upstream) in &declared.upstreams {
        let at = upstreams.key(name);
        field_rules(upstream, &at, flaws);
        url(upstream, &at, flaws);
        expected(upstream.expect.as_deref(), &at, flaws);
        bad_key(upstream, &at, flaws);
        patience(upstream.timeout, &at, flaws);
        own_headers(upstream, &at, flaws);
        credentials::check(upstream, &at, root, flaws);
    }
}

fn url(upstream: &Upstream, at: &At<'_>, flaws: &mut Flaws) {
    let at = at.key("url");
    let Some(url) = &upstream.url else {
        let form = upstream.preset.as_deref().and_then(presets::url);
        let (what, form) = match &form {
            Some(form) => ("a part of this preset's URL is yours", form.as_str()),
            None => ("the upstream has no URL", "https://host"),
        };
        return flaws.missing(&at, what, format!("write `url: {form}`"));
    };
    if !url.0.is_https() && !upstream.dangerous_plain_http {
        let help = "write `https://`, or for a private network `dangerous_plain_http: true` beside it";
        flaws.note(&at, "the credential would cross the network in the clear", help);
    }
    if is_private_host(url.0.host(), url.0.address()) && !upstream.dangerous_private_network {
        let help = "name a public host, or write `dangerous_private_network: true` beside it";
        flaws.note(&at, "this host is in a private network", help);
    }
}

fn bad_key(upstream: &Upstream, at: &At<'_>, flaws: &mut Flaws) {
    let at = at.key("bad_key");
    for (item, status) in at.sound_items().iter().zip(upstream.bad_key.iter().flatten()) {
        if !(400..500).contains(status) {
            flaws.note(item, "no upstream refuses a key so", "write statuses from 400 to 499");
        }
    }
}

/// Whether a host is none that is out on the internet, as far as its name or address tells.
pub(super) fn is_private_host(host: &str, address: Option<IpAddr>) -> bool {
    if let Some(address) = address {
        return !is_public(address);
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_under =
        |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    PRIVATE_NAMES.into_iter().any(is_under)
}

/// Lambda's own limit for an invocation.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(15 * 60);

pub(super) fn patience(timeout: Option<crate::config::fields::Duration>, at: &At<'_>, flaws: &mut Flaws) {
    if timeout.is_some_and(|timeout| LONGEST < timeout.0) {
        flaws.note(&at.key("timeout"), "a function on Lambda ends after 15 minutes", "write `15m` or less");
    }
}

fn own_headers(upstream: &Upstream, at: &At<'_>, flaws: &mut Flaws) {
    let at = at.key("headers");
    let mut seen = Vec::new();
    for (name, value) in &upstream.headers {
        let at = at.key(name);
        let Some(name) = headers::of_ours(&at, name, flaws) else { continue };
        if headers::proves(&name) {
            let help = "write it as a `credential`, with its secret in AWS Secrets Manager";
            flaws.note_key(&at, "this header proves who we are", help);
        } else if !pasted(&at, value, flaws) {
            headers::value(&at, value, flaws);
        }
        if seen.contains(&name) {
            flaws.note_key(&at, "this header stands here twice, in other letters", "remove one of the two");
        }
        seen.push(name);
    }
}
