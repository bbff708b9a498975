//! Recipes, lists of them, and whom they are for: one mistake, one flaw.

use super::{GOOD, told};
use crate::config::examine;

/// What is said of a credential of the upstream `github`, whose route is this one.
fn said_of(credential: &str, route: &str) -> Vec<String> {
    let route = format!("{route}: {{ allow: [website], upstream: github");
    told(
        &GOOD
            .replace("{ bearer: github.token }", credential)
            .replace("GET /a: { allow: [website], upstream: github", &route),
    )
}

fn check(credential: &str, expected: &[&str]) {
    let expected: Vec<String> =
        expected.iter().map(|flaw| format!("upstreams.github.credential{flaw}")).collect();
    assert_eq!(said_of(credential, "POST /a"), expected, "{credential}");
}

const UNKNOWN: &str = "this is none of the `secrets` of the file";
const SAME: &str = "another recipe of this list writes the same place";

#[test]
fn a_body_has_a_place_for_it() {
    check("{ body: { pointer: /key, value: { secret: github } } }", &[]);
    check("{ body: { value: { secret: github } } }", &[".body.pointer: `body` has no `pointer`"]);
    check("{ body: { pointer: /key } }", &[".body.value: `body` has no `value`"]);
    check("{ body: { pointer: key, value: x } }", &[".body.pointer: this is no JSON Pointer"]);
    check(
        "{ body: { pointer: '/a[b]', value: x } }",
        &[".body.pointer: a field has a name without brackets"],
    );
    check(
        "{ body: { pointer: /a, value: { secret: nobody } } }",
        &[&format!(".body.value.secret: {UNKNOWN}")],
    );
    let two = |second: &str| {
        format!("[{{ body: {{ pointer: /a, value: x }} }}, {{ body: {{ pointer: {second}, value: y }} }}]")
    };
    check(&two("/b"), &[]);
    check(&two("/a/b"), &[&format!("[1]: {SAME}")]);
    let body = "{ body: { pointer: /key, value: { secret: github } } }";
    let bodiless = "the upstream's credential goes into the body, and GET and HEAD have none";
    for route in ["GET /a", "HEAD /a", "ANY /a"] {
        assert_eq!(said_of(body, route), [format!("routes.{route}.upstream: {bodiless}")]);
    }
    let sometimes =
        format!("[{{ when: '.method == \"POST\"', {} }}, {{ bearer: github }}]", &body[2..body.len() - 2]);
    assert_eq!(said_of(&sometimes, "ANY /a"), [""; 0]);
    let always = format!("[{{ when: '.method == \"POST\"', {} }}, {body}]", &body[2..body.len() - 2]);
    assert_eq!(said_of(&always, "GET /a"), [format!("routes.GET /a.upstream: {bodiless}")]);
    let types = "POST /b: { allow: [website], upstream: github, request: { content_types: [application/json, text/csv] } }\n  POST /a";
    let found = said_of(body, types);
    assert_eq!(
        found,
        [
            "routes.POST /b.request.content_types[1]: the upstream's credential goes into the body, and cannot go into this type"
        ]
    );
}

#[test]
fn an_hmac_says_what_it_signs_and_shows() {
    let hmac = |fields: &str| format!("{{ hmac: {{ {fields} }} }}");
    let good = "key: github, over: '{method}{path}{query}{body}', header: X-S";
    check(&hmac(good), &[]);
    check(&hmac(&good.replace("key: github, ", "")), &[".hmac.key: there is no `key` here"]);
    check(&hmac(&good.replace("github", "nobody")), &[&format!(".hmac.key: {UNKNOWN}")]);
    check(&hmac("key: github, header: X-S"), &[".hmac.over: it is not said what is signed"]);
    check(&hmac("key: github, over: '{body}'"), &[".hmac.header: there is no `header` here"]);
    check(&hmac(&good.replace("{body}", "{bdy}")), &[".hmac.over: this has a brace that stands for nothing"]);
    check(
        &hmac("key: github, over: v0, header: X-S"),
        &[".hmac.over: this signature would be the same for every request"],
    );
    check(
        &hmac(&format!("{good}, format: 'v0='")),
        &[".hmac.format: it is not said where the signature goes"],
    );
    check(&hmac(&format!("{good}, algorithm: md5")), &[".hmac.algorithm: this word is not known here"]);
    check(&hmac(&format!("{good}, timestamp: iso")), &[".hmac.timestamp: this word is not known here"]);
    check(&hmac(&good.replace("X-S", "Host")), &[".hmac.header: the connection says this for itself"]);
    check(&hmac(&format!("{good}, timestamp_header: x-s")), &[&format!(": {SAME}")]);
    let timed = good.replace("{method}", "{timestamp}.{id}");
    check(
        &hmac(&timed),
        &[
            ".hmac.over: `{id}` is signed, and the upstream is not told it",
            ".hmac.over: `{timestamp}` is signed, and the upstream is not told it",
        ],
    );
    check(&hmac(&format!("{timed}, timestamp_header: X-T, format: '{{id}},{{signature}}'")), &[]);
    check(&hmac(&format!("{timed}, id_header: X-I, format: 't={{timestamp}},{{signature}}'")), &[]);
    let named = "POST /b: { allow: [website], upstream: github, request: { headers: [x_t] } }\n  POST /a";
    let found = said_of(&hmac(&format!("{good}, timestamp_header: X-T")), named);
    assert_eq!(
        found,
        ["routes.POST /b.request.headers[0]: the upstream's credential is sent in this header"]
    );
}

#[test]
fn aws_is_told_whose_keys_sign() {
    let sigv4 = |fields: &str| format!("{{ sigv4: {{ {fields} }} }}");
    let here = "service: s3, region: eu-west-1";
    check(&sigv4(here), &[]);
    check(&sigv4("service: s3"), &[".sigv4.region: there is no `region` here"]);
    check(&sigv4("service: S3, region: eu-west-1"), &[".sigv4.service: this is no name of a service"]);
    let keys = format!("{here}, access_key_id: github.id, secret_access_key: github.key");
    check(&sigv4(&format!("{keys}, session_token: github.token")), &[]);
    check(
        &sigv4(&format!("{here}, access_key_id: github.id")),
        &[".sigv4.secret_access_key: there is no `secret_access_key` here"],
    );
    check(
        &sigv4(&keys.replace("github.key", "nobody.key")),
        &[&format!(".sigv4.secret_access_key: {UNKNOWN}")],
    );
    check(&sigv4(&format!("{here}, role: 'arn:aws:iam::123456789012:role/a'")), &[]);
    check(&sigv4(&format!("{here}, role: admin")), &[".sigv4.role: this is no ARN of a role"]);
    check(
        &sigv4(&format!("{keys}, role: 'arn:aws:iam::123456789012:role/a'")),
        &[".sigv4.role: the function takes on a role with its own, and not with other keys"],
    );
    check(&sigv4(&format!("{here}, form: query, expires: 7d")), &[]);
    check(
        &sigv4(&format!("{here}, expires: 5m")),
        &[".sigv4.expires: only a signature in the query says how long it is good"],
    );
    for expires in ["8d", "1500ms"] {
        check(
            &sigv4(&format!("{here}, form: query, expires: {expires}")),
            &[".sigv4.expires: AWS takes whole seconds here, and no more than 7 days"],
        );
    }
    check(&format!("[{{ bearer: github }}, {}]", sigv4(here)), &[&format!("[1]: {SAME}")]);
    check(&format!("[{{ bearer: github }}, {}]", sigv4(&format!("{here}, form: query"))), &[]);
    let named =
        "POST /b: { allow: [website], upstream: github, request: { query: [X-Amz-Date] } }\n  POST /a";
    let found = said_of(&sigv4(here), named);
    assert_eq!(
        found,
        ["routes.POST /b.request.query[0]: the upstream's credential is sent in this parameter"]
    );
}

/// AWS's signature is made last, and in the query it is a part of what was signed before.
#[test]
fn nothing_is_signed_that_changes_afterwards() {
    let aws = |form: &str| format!("{{ sigv4: {{ service: s3, region: eu-west-1, form: {form} }} }}");
    let hmac = |over: &str| format!("{{ hmac: {{ key: github, over: '{over}', header: X-S }} }}");
    let flaw = "sigv4.form: this changes the query, which an `hmac` has signed by then";
    for over in ["{query}", "{method}{target}"] {
        check(&format!("[{}, {}]", hmac(over), aws("query")), &[&format!("[1].{flaw}")]);
        check(&format!("[{}, {}]", aws("query"), hmac(over)), &[&format!("[0].{flaw}")]);
        check(&format!("[{}, {}]", hmac(over), aws("header")), &[]);
        let all = format!("{{ when: 'true', all: [{}, {}] }}", hmac(over), aws("query"));
        check(&all, &[&format!(".all[1].{flaw}")]);
    }
    check(&format!("[{}, {}]", hmac("{method}{path}{body}"), aws("query")), &[]);
    // Never together.
    let either = format!("[{{ when: 'true', {}, {}]", &hmac("{query}")[1..], aws("query"));
    check(&either, &[]);
}

#[test]
fn a_client_certificate_has_a_key_and_needs_tls() {
    check("{ mtls: { certificate: github.chain, key: github.key } }", &[]);
    check("{ mtls: { certificate: github.chain } }", &[".mtls.key: there is no `key` here"]);
    check("{ mtls: { certificate: nobody, key: github } }", &[&format!(".mtls.certificate: {UNKNOWN}")]);
    check(
        "[{ mtls: { certificate: github.a, key: github.b } }, { mtls: { certificate: github.c, key: github.d } }]",
        &[&format!("[1]: {SAME}")],
    );
    let plain = GOOD
        .replace("'https://api.github.com', ", "'http://api.github.com', dangerous_plain_http: true, ")
        .replace("{ bearer: github.token }", "{ mtls: { certificate: github.chain, key: github.key } }");
    assert_eq!(told(&plain), ["upstreams.github.credential: without TLS nobody sees a client certificate"]);
}

#[test]
fn each_entry_of_a_list_has_its_turn() {
    check("[{ for: [website], bearer: github }, { bearer: github }]", &[]);
    check("{ for: [website], when: '.method == \"POST\"', bearer: github }", &[]);
    check("{ for: [websit], bearer: github }", &[".for[0]: this is none of the `callers` of the file"]);
    check("{ for: [], bearer: github }", &[".for: this entry is for nobody"]);
    check("{ for: website, bearer: github }", &[".for: text stands here, where a list is wanted"]);
    check("{ for: [website] }", &[": nothing is named here"]);
    check("{ for: [website], all: [] }", &[".all: no credential is named here"]);
    check(
        "{ bearer: github, header: { name: X, value: { secret: bot } } }",
        &[": two stand in one mapping here"],
    );
    check("{ for: [website], all: [{ bearer: github }], bearer: bot }", &[": two stand in one mapping here"]);
    check("{ for: [website], barer: github }", &[".barer: `barer` is not known here"]);
    check("bearer", &[": this word says too little here"]);
    check(
        "[{ bearer: github }, { for: [website], bearer: bot }]",
        &["[0]: every call takes this entry, and none comes to those behind it"],
    );
    let both =
        "{ when: 'true', all: [{ bearer: github }, { basic: { username: a, password: { secret: bot } } }] }";
    check(both, &[&format!(".all[1]: {SAME}")]);
    check(
        "{ when: 'true', all: [{ bearer: github }, { header: { name: X, value: { secret: nobody } } }] }",
        &[&format!(".all[1].header.value.secret: {UNKNOWN}")],
    );
    let found = said_of(
        "[{ when: 'true', path: { param: t, value: { secret: bot } } }, { bearer: github }]",
        "POST /a",
    );
    assert!(
        found.contains(
            &"upstreams.github.credential[1]: another entry puts `{t}` into the path, and this one does not"
                .to_owned()
        ),
        "{found:?}"
    );
}

#[test]
fn kept_answers_are_told_apart_by_what_chose_the_credential() {
    let found = |when: &str| {
        let cached = "GET /b: { allow: [website], upstream: github, response: { cache: 5s } }\n  POST /a";
        said_of(&format!("[{{ when: '{when}', bearer: github }}, {{ bearer: bot }}]"), cached)
    };
    let flaw = "routes.GET /b.response.cache: the upstream's credential depends on headers, which kept answers are not told apart by";
    assert_eq!(found(".query.a == \"1\""), [""; 0]);
    assert_eq!(found("$request.query.a == \"1\""), [""; 0]);
    for when in [".headers.a == \"1\"", "$request.headers.a == \"1\"", "$request | tojson == \"\""] {
        assert_eq!(found(when), [flaw], "{when}");
    }
}

#[test]
fn a_condition_that_does_not_compile_is_shown_at_its_place() {
    let file = GOOD.replace("{ bearer: github.token }", "[{ when: '.a | nope', bearer: github }]");
    let flaws = examine(&file, &|_| Err(String::new())).unwrap_err();
    assert_eq!(flaws[0].at, "upstreams.github.credential[0].when");
    assert!(flaws[0].what.contains("nope"), "{flaws:?}");
}
