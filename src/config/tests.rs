//! What is said of which file: all of it, and at its place.

use super::{Flaw, read};

/// A file without a flaw, to which a test adds its own.
const GOOD: &str = "\
version: 1
secrets: { github: countersign/github, bot: countersign/bot }
upstreams:
  github: { url: 'https://api.github.com', credential: { bearer: github.token } }
  bot: { url: 'https://api.telegram.org', credential: { path: { param: token, value: { secret: bot } } } }
callers: { website: { anonymous: true } }
";

fn flaws(text: &str) -> Vec<Flaw> {
    read(text).err().unwrap_or_default()
}

/// Each flaw as `line:column at`.
fn places(text: &str) -> Vec<String> {
    flaws(text).iter().map(|flaw| format!("{}:{} {}", flaw.line, flaw.column, flaw.at)).collect()
}

#[test]
fn the_files_that_we_ship_have_no_flaw() {
    let check = |text: &str| assert_eq!(flaws(text), []);
    check(include_str!("../../countersign.yaml"));
    check(include_str!("../../examples/github.yaml"));
}

#[test]
fn ten_mistakes_are_ten_flaws_each_at_its_place() {
    let text = "\
version: 2
secrets:
  github: countersign/github
upstreams:
  github:
    url: http://api.github.com
    credential: { bearer: githbu.token }
    timeout: soon
callers:
  website: { anonymous: yes }
cors:
  origins: [https://app.example.com/]
routes:
  GET /my-repos:
    allow: [websit]
    upstream: github
    path: /users/{name}
    request: { qeury: [page] }
  GET /other:
    upstream: gitlab
";
    assert_eq!(
        places(text),
        [
            "1:10 version",
            "6:10 upstreams.github.url",
            "7:27 upstreams.github.credential.bearer",
            "8:14 upstreams.github.timeout",
            "10:25 callers.website.anonymous",
            "12:13 cors.origins[0]",
            "15:13 routes.GET /my-repos.allow[0]",
            "17:11 routes.GET /my-repos.path",
            "18:16 routes.GET /my-repos.request.qeury",
            "19:3 routes.GET /other.allow",
            "20:15 routes.GET /other.upstream",
        ]
    );
}
