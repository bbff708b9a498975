//! An issuer that was nearly right: the mistake that is made most often, and
//! the hardest to see.
//!
//! One is compared byte by byte all the same. What is said here is a help to
//! whoever mends it, and takes no part in the decision.

/// Ona's tokens name the old host, whichever of the two one logs in at.
const MOVED: (&str, &str) = ("app.ona.com", "app.gitpod.io");

/// What one trusted issuer differs by, if by that alone.
pub(super) fn difference<'t>(said: &str, trusted: impl IntoIterator<Item = &'t str>) -> Option<&'static str> {
    trusted.into_iter().find_map(|url| between(said, url))
}

fn between(said: &str, trusted: &str) -> Option<&'static str> {
    if said.trim_end_matches('/') == trusted.trim_end_matches('/') {
        Some("the trailing slash")
    } else if schemeless(said) == schemeless(trusted) {
        Some("the scheme")
    } else if said.eq_ignore_ascii_case(trusted) {
        Some("the case of letters")
    } else if portless(said) == portless(trusted) {
        Some("the port")
    } else if said.replacen(MOVED.0, MOVED.1, 1) == trusted {
        Some("the host: Ona's tokens name app.gitpod.io")
    } else {
        None
    }
}

/// Google's tokens had none for years.
fn schemeless(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// A URL with a host, as scheme, host and path without the port between.
fn portless(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let bare = authority.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((scheme, bare.strip_suffix(':').unwrap_or(authority), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_called_by_its_name() {
        let trusted = ["https://api.gitpod.io/idp", "https://app.gitpod.io", "https://acme.auth0.com/"];
        let check = |said: &str, expected: Option<&str>| {
            assert_eq!(difference(said, trusted), expected, "{said}");
        };
        check("https://api.gitpod.io/idp/", Some("the trailing slash"));
        check("https://app.gitpod.io/", Some("the trailing slash"));
        check("https://acme.auth0.com", Some("the trailing slash"));
        check("http://app.gitpod.io", Some("the scheme"));
        check("app.gitpod.io", Some("the scheme"));
        check("https://API.gitpod.io/idp", Some("the case of letters"));
        check("https://app.gitpod.io:443", Some("the port"));
        check("https://api.gitpod.io:8443/idp", Some("the port"));
        check("https://app.ona.com", Some("the host: Ona's tokens name app.gitpod.io"));
        for said in [
            "",
            "/",
            "https://evil.example",
            "https://api.gitpod.io",
            "https://api.gitpod.io/idp2",
            "http://app.gitpod.io/",
            "https://app.gitpod.io.evil.example",
            "https://app.gitpod.io:443x",
            "https://app.ona.com/x",
            "https://acme.example:80",
        ] {
            check(said, None);
        }
        assert_eq!(difference("x", []), None);
    }
}
