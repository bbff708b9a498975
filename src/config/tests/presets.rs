//! What a preset adds, what it leaves alone, and what is said where it cannot be used.

use super::{places, read, told};
use crate::config::build::Blueprint;
use crate::config::presets;

fn file(upstream: &str, secret: &str) -> String {
    format!(
        "version: 1\nsecrets: {{ own: {secret} }}\nupstreams:\n  api: {{ {upstream} }}\n\
         callers: {{ website: {{ anonymous: true }} }}\nroutes: {{ GET /a: {{ allow: [website], upstream: api }} }}\n"
    )
}

fn plan(upstream: &str, secret: &str) -> Blueprint {
    Blueprint::new(read(file(upstream, secret)).unwrap_or_else(|flaws| panic!("{upstream}: {flaws:#?}")))
        .unwrap()
}

#[test]
fn whatever_stands_beside_a_preset_goes_first() {
    let check = |more: &str, expected: (&str, &[u16], &[(&str, &str)])| {
        let plan = plan(&format!("preset: github, credential: own.token{more}"), "countersign/own");
        let upstream = &plan.routes.iter().next().unwrap().upstream;
        let statuses: Vec<u16> = upstream.bad_key.iter().map(|status| status.as_u16()).collect();
        let headers = upstream.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let mut headers: Vec<(&str, &str)> = headers.collect();
        headers.sort_unstable();
        assert_eq!((upstream.base.host(), statuses.as_slice(), headers.as_slice()), expected, "{more}");
    };
    let (accept, version) =
        (("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28"));
    check("", ("api.github.com", &[401], &[accept, version]));
    check(", url: 'https://github.example.com/api/v3'", ("github.example.com", &[401], &[accept, version]));
    check(", url: ~, headers: , bad_key: ~", ("api.github.com", &[401], &[accept, version]));
    check(", bad_key: [401, 404]", ("api.github.com", &[401, 404], &[accept, version]));
    check(", bad_key: []", ("api.github.com", &[], &[accept, version]));
    check(
        ", headers: { Accept: text/plain, x-own: '1' }",
        ("api.github.com", &[401], &[("accept", "text/plain"), version, ("x-own", "1")]),
    );
}

#[test]
fn what_a_key_looks_like_is_the_presets_to_say_where_nobody_else_does() {
    let check = |upstream: &str, secret: &str, expected: &[Option<&str>]| {
        let plan = plan(upstream, secret);
        let expects: Vec<Option<&str>> =
            plan.wanted.iter().map(|wanted| wanted.expect.as_ref().map(|regex| regex.as_str())).collect();
        assert_eq!(expects, expected, "{upstream} {secret}");
    };
    check("preset: openai, credential: own", "a/b", &[Some("^sk-")]);
    check("preset: openai, credential: own", "{ id: a/b }", &[Some("^sk-")]);
    check("preset: openai, credential: own", "{ id: a/b, expect: ^x }", &[Some("^x")]);
    check("preset: openai, credential: own, expect: ^y", "a/b", &[Some("^y")]);
    check("preset: openai, credential: own, expect: ''", "a/b", &[Some("")]);
    check("preset: openai, credential: { bearer: own }", "a/b", &[None]);
    check("preset: twilio, credential: own", "a/b", &[None, None]);
    check("url: 'https://a.com', credential: { bearer: own }, expect: ^z", "a/b", &[Some("^z")]);
}

#[test]
fn a_preset_that_cannot_be_used_is_one_flaw_at_its_place() {
    let check = |upstream: &str, expected: &str| {
        assert_eq!(told(&file(upstream, "a/b")), [expected], "{upstream}");
    };
    check("preset: githbu, credential: own", "upstreams.api.preset: this is none of the presets");
    check("preset: github", "upstreams.api.credential: it is not said which secret proves us to it");
    check("preset: shopify, credential: own", "upstreams.api.url: a part of this preset's URL is yours");
    check(
        "preset: trello, credential: own.token",
        "upstreams.api.credential: this preset needs several fields of one JSON secret",
    );
    check(
        "preset: github, credential: onw",
        "upstreams.api.credential.bearer: this is none of the `secrets` of the file",
    );
    check(
        "preset: github, credential: own, bad_key: [500]",
        "upstreams.api.bad_key[0]: no upstream refuses a key so",
    );
    check(
        "preset: github, credential: own, expect: '('",
        "upstreams.api.expect: this is no regular expression",
    );
    check(
        "preset: [github], url: 'https://a.com'",
        "upstreams.api.preset: a list stands here, where text is wanted",
    );
    let place = |upstream: &str, expected: &str| {
        assert_eq!(places(&file(upstream, "a/b")), [expected], "{upstream}");
    };
    place("preset: githbu, credential: own", "4:18 upstreams.api.preset");
    place("preset: github, credential: onw", "4:38 upstreams.api.credential.bearer");
}

#[test]
fn help_says_what_to_write() {
    let help = |upstream: &str| {
        let mut flaws = read(file(upstream, "a/b")).err().unwrap();
        flaws.remove(0).help.unwrap()
    };
    assert_eq!(
        help("preset: githbu, credential: own"),
        "did you mean `github`? `countersign presets` lists all"
    );
    assert_eq!(help("preset: zzz, credential: own"), "`countersign presets` lists all");
    assert_eq!(help("preset: shopify, credential: own"), "write `url: https://{shop}.myshopify.com`");
    assert_eq!(
        help("preset: trello, credential: own.token"),
        "write its name alone; these fields of it are read: `key`, `token`"
    );
}

/// A block with a mistake would be no preset, or half of one.
#[test]
fn the_data_is_what_it_should_be() {
    let names: Vec<&str> = presets::names().collect();
    assert!(names.len() >= 25 && names.is_sorted(), "{names:?}");
    for name in names {
        let preset = presets::json(name).unwrap();
        for (field, value) in preset.as_object().unwrap() {
            let known = ["docs", "url", "credential", "headers", "expect", "bad_key"];
            assert!(known.contains(&field.as_str()) && !value.is_null(), "{name}: {field}");
        }
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name}");
        if let Some(expect) = preset["expect"].as_str() {
            let expect = regex_lite::Regex::new(expect).unwrap();
            assert!(!expect.is_match("another-providers-key"), "{name}");
        }
    }
}
