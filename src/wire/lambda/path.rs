//! The path without what the gateway put before it: stage or mapping.
//!
//! Only a prefix is ever removed. What is left is as it was sent: encoded,
//! with its dots, doubled slashes and trailing slash, for a later stage to
//! judge.

/// The path of a REST event without the base path that a custom domain maps
/// to the API. `resource` is the API's resource, `rest` what its greedy
/// parameter caught.
pub(super) fn without_mapping<'p>(path: &'p str, resource: &str, rest: Option<&str>) -> &'p str {
    if resource == "/" && rest.is_none() && !path.contains("//") {
        return "/";
    }
    or_root(rest.and_then(|rest| after_mapping(path, rest)).unwrap_or(path))
}

/// The path of an HTTP API's event without the named stage that stands before
/// it, except on a custom domain. What a greedy parameter caught tells the two
/// apart; without one, a stage at the front is taken for the stage.
pub(super) fn without_stage<'p>(path: &'p str, stage: &str, rest: Option<&str>) -> &'p str {
    let own = rest.and_then(|rest| after_mapping(path, rest)).or_else(|| after_stage(path, stage));
    or_root(own.unwrap_or(path))
}

/// The name of the parameter, where the route is one greedy parameter at the
/// root: `/{proxy+}`, or `ANY /{proxy+}` as HTTP APIs write it.
pub(super) fn greedy(route: &str) -> Option<&str> {
    let path = route.split_once(' ').map_or(route, |(_method, path)| path);
    path.strip_prefix("/{")?.strip_suffix("+}").filter(|name| !name.contains('/'))
}

/// `/a/b/` of `/v1/a/b/` and of itself, where `a/b` is the rest. `None` where
/// the path does not end so, or where slashes were doubled: to remove one of
/// those would be to normalise.
fn after_mapping<'p>(path: &'p str, rest: &str) -> Option<&'p str> {
    let prefix = path.trim_end_matches('/').strip_suffix(rest)?.strip_suffix('/')?;
    let mapping = prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains("//");
    if prefix.is_empty() || mapping { path.strip_prefix(prefix) } else { None }
}

/// `/a` of `/dev/a`, nothing of `/dev`; `/developers` is not under `dev`.
fn after_stage<'p>(path: &'p str, stage: &str) -> Option<&'p str> {
    if stage.is_empty() || stage == "$default" {
        return None;
    }
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// What stands before our path in the whole one: `/prod` of `/prod/a`, where
/// `/a` is ours. `None` where the two do not fit, or it is no plain path.
pub(super) fn before<'p>(whole: &'p str, own: &str) -> Option<&'p str> {
    let before = whole.trim_end_matches('/').strip_suffix(own.trim_end_matches('/'))?;
    let plain = before.starts_with('/') && !before.ends_with('/') && !before.contains("//");
    let legal = |c: char| c.is_ascii_alphanumeric() || "/-._~$".contains(c);
    (before.is_empty() || (plain && before.chars().all(legal))).then_some(before)
}

/// Whether this names a host on the internet: `localhost` does not.
pub(super) fn is_domain(text: &str) -> bool {
    text.contains('.') && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
}

pub(super) fn or_root(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_mapping_is_removed_and_nothing_else_is() {
        let check = |path: &str, rest: &str, expected: &str| {
            assert_eq!(without_mapping(path, "/{proxy+}", Some(rest)), expected, "{path} {rest}");
        };
        check("/my-repos", "my-repos", "/my-repos");
        check("/v1/my-repos", "my-repos", "/my-repos");
        check("/v1/nested/my-repos", "my-repos", "/my-repos");
        check("/v1/my-repos/", "my-repos", "/my-repos/");
        check("/v1/a/b//", "a/b", "/a/b//");
        check("/v1/a%2Fb", "a%2Fb", "/a%2Fb");
        check("/v1/v1", "v1", "/v1");
        check("/v1/a//b", "a//b", "/a//b");
        // Nothing that fits: as it came.
        check("/path/to", "/path/to", "/path/to");
        check("/other", "my-repos", "/other");
        check("/xmy-repos", "my-repos", "/xmy-repos");
        check("", "", "/");
        check("/", "", "/");
        // Doubled slashes are not ours to mend.
        check("//my-repos", "my-repos", "//my-repos");
        check("/v1//my-repos", "my-repos", "/v1//my-repos");
        check("/v1//my-repos", "/my-repos", "//my-repos");
        check("//v1/my-repos", "my-repos", "//v1/my-repos");
        check("/a/../b", "a/../b", "/a/../b");
        check("/%2e%2E/b", "%2e%2E/b", "/%2e%2E/b");
    }

    #[test]
    fn the_root_resource_is_the_root() {
        assert_eq!(without_mapping("/v1", "/", None), "/");
        assert_eq!(without_mapping("/v1/", "/", None), "/");
        assert_eq!(without_mapping("//", "/", None), "//");
        assert_eq!(without_mapping("/v1/fixed", "/fixed", None), "/v1/fixed");
    }

    #[test]
    fn a_stage_is_removed_where_there_is_one() {
        let check = |path: &str, stage: &str, rest: Option<&str>, expected: &str| {
            assert_eq!(without_stage(path, stage, rest), expected, "{path} {stage} {rest:?}");
        };
        check("/dev/a", "dev", None, "/a");
        check("/dev/a/", "dev", None, "/a/");
        check("/dev//a", "dev", None, "//a");
        check("/dev", "dev", None, "/");
        check("/dev/", "dev", None, "/");
        check("/developers", "dev", None, "/developers");
        check("/$default/a", "$default", None, "/$default/a");
        check("/a", "dev", None, "/a");
        check("/a", "", None, "/a");
        check("", "dev", None, "/");
        check("/dev/a", "dev", Some("a"), "/a");
        // On a custom domain there is no stage: this page's name is `dev/a`.
        check("/dev/a", "dev", Some("dev/a"), "/dev/a");
    }

    #[test]
    fn what_stands_before_our_path_is_plain_or_nothing() {
        let check = |whole: &str, own: &str, expected: Option<&str>| {
            assert_eq!(before(whole, own), expected, "{whole} {own}");
        };
        check("/prod/a", "/a", Some("/prod"));
        check("/v1/nested/a/", "/a/", Some("/v1/nested"));
        check("/prod/a/", "/a", Some("/prod"));
        check("/a", "/a", Some(""));
        check("/prod", "/", Some("/prod"));
        check("/prod/", "/", Some("/prod"));
        check("/", "/", Some(""));
        check("/prod/b", "/a", None);
        check("//evil.example/a", "/a", None);
        check("/x?y=/a", "/a", None);
    }

    #[test]
    fn a_greedy_route_names_its_parameter() {
        assert_eq!(greedy("/{proxy+}"), Some("proxy"));
        assert_eq!(greedy("ANY /{rest+}"), Some("rest"));
        for route in ["$default", "/", "/{id}", "GET /a/{proxy+}", "/{a}/{b+}", ""] {
            assert_eq!(greedy(route), None, "{route}");
        }
    }
}
