//! What is said of which file: all of it, and at its place.

mod callers;
mod credentials;
mod hostile;
mod issuers;
mod names;
mod presets;
mod providers;
mod relations;
mod schemas;
mod tokens;
mod yaml;

use super::{Flaw, fields, read};

fn flaws(text: &str) -> Vec<Flaw> {
    read(text).err().unwrap_or_default()
}

/// Each flaw as `line:column at`.
fn places(text: &str) -> Vec<String> {
    flaws(text).iter().map(|flaw| format!("{}:{} {}", flaw.line, flaw.column, flaw.at)).collect()
}

/// Each flaw as `at: what`.
fn told(text: &str) -> Vec<String> {
    flaws(text).into_iter().map(|flaw| format!("{}: {}", flaw.at, flaw.what)).collect()
}

/// A file without a flaw, to which a test adds its own.
const GOOD: &str = "\
version: 1
secrets: { github: countersign/github, bot: { id: countersign/bot, expect: '^[0-9]+:' } }
upstreams:
  github: { url: 'https://api.github.com', credential: { bearer: github.token } }
  bot: { url: 'https://api.telegram.org', credential: { path: { param: token, value: { secret: bot } } } }
  open: { url: 'https://api.example.com' }
callers: { website: { anonymous: true, plan: public } }
plans: { public: { rate: 5, burst: 10, quota: 10000/day } }
routes:
  GET /a: { allow: [website], upstream: github }
  POST /send: { allow: [website], upstream: bot, path: '/bot{token}/sendMessage' }
";

#[test]
fn the_good_file_has_no_flaw() {
    assert_eq!(flaws(GOOD), []);
}

#[test]
fn the_files_that_we_ship_have_no_flaw() {
    let check = |text: &str| assert_eq!(flaws(text), []);
    check(include_str!("../../../countersign.yaml"));
    check(include_str!("../../../examples/github.yaml"));
}

#[test]
fn a_large_file_reads_as_it_was_meant() {
    let text = r#"
version: 1
secrets:
  github: countersign/github
  crm: &crm { id: arn:aws:secretsmanager:eu-west-1:123456789012:secret:crm-AbCdEf }
upstreams:
  github:
    url: https://api.github.com
    credential: { bearer: github.token }
    headers: { accept: application/vnd.github+json, user-agent: countersign, x-version: 1.10, x-yes: yes }
    timeout: 5s
    retries: 2
  crm:
    url: https://crm.example.com/v2/
    credential:
      - header: { name: X-Api-Key, value: { secret: crm, format: "Token {}" } }
      - basic: { username: { secret: github.user }, password: "" }
  registry:
    url: http://10.0.0.7
    dangerous_plain_http: true
    dangerous_private_network: true
cors:
  origins: [https://app.example.com, "https://*.preview.example.com", http://localhost:8000]
  max_age: 10m
callers:
  website: { anonymous: true }
plans: { public: { rate: 5, burst: 10, quota: 10000/day } }
routes:
  GET /my-repos:
    allow: [website]
    upstream: github
    path: /user/repos
    request: { query: [page, per_page, sort] }
    response: { headers: [etag, link] }
  POST /contact:
    allow: [website]
    upstream: crm
    path: /v3/contacts
    request:
      content_types: [application/json, image/*]
      max_bytes: 16KiB
  HEAD /contact: { allow: [website], upstream: crm, timeout: 500ms }
  ANY /gh/{path+}:
    methods: [GET]
    allow: [website]
    upstream: github
    path: /{path}
    request: { query: any, headers: any }
    encoded_slash: keep
    dangerous_range: true
"#;
    assert_eq!(flaws(text), []);
    let declared = read(text).unwrap();
    assert_eq!(declared.upstreams["github"].headers["x-version"], "1.10");
    assert_eq!(declared.upstreams["github"].headers["x-yes"], "yes");
    assert_eq!(declared.upstreams["crm"].credential.as_ref().unwrap().0.len(), 2);
    assert_eq!(declared.routes.len(), 4);
    let contact = &declared.routes[&fields::Parsed("POST /contact".parse().unwrap())];
    assert_eq!(contact.request.max_bytes.unwrap().0, 16 * 1024);
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
    upstream: github
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
        ]
    );
    assert!(flaws(text).iter().all(|flaw| flaw.help.is_some()));
}

#[test]
fn a_mistake_is_named_once_and_makes_no_others() {
    let check = |old: &str, new: &str, expected: &[&str]| {
        assert_eq!(told(&GOOD.replace(old, new)), expected, "{new}")
    };
    let unknown = |key: &str| format!("{key}: `{}` is not known here", key.rsplit('.').next().unwrap());
    check("secrets:", "secretes:", &[&unknown("secretes")]);
    check("callers:", "caller:", &[&unknown("caller")]);
    check(
        "allow: [website], upstream: github",
        "alow: [website], upstream: github",
        &[&unknown("routes.GET /a.alow")],
    );
    check(
        "{ bearer: github.token }",
        "{ barer: github.token }",
        &[&unknown("upstreams.github.credential.barer")],
    );
    check(
        "github: { url: 'https://api.github.com', credential: { bearer: github.token } }",
        "github: github.com",
        &["upstreams.github: text stands here, where a mapping is wanted"],
    );
    check(
        "param: token, value",
        "parm: token, value",
        &["upstreams.bot.credential.path.parm: `parm` is not known here"],
    );
    check(
        "value: { secret: bot }",
        "value: { secret: bot! }",
        &["upstreams.bot.credential.path.value.secret: this is no reference to a secret"],
    );
    check("version: 1", "version: one", &["version: this is no whole number"]);
    check("version: 1\n", "", &["version: the version of the grammar is missing"]);
    check("'https://api.github.com'", "''", &["upstreams.github.url: this is no URL"]);
    check(
        "allow: [website], upstream: github",
        "allow: [[website]], upstream: github",
        &["routes.GET /a.allow[0]: a list stands here, where text is wanted"],
    );
    check("plans:", "plnas:", &[&unknown("plnas")]);
}
