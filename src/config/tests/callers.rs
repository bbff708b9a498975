//! Callers: what is said of which mistake, and where.

use super::issuers::{ACME, file};
use super::{flaws, places, read, told};
use crate::identity::rule::Human;

const GITPOD: &str = "gitpod: { preset: gitpod, audience: 'https://api.acme.dev' }";

fn of_caller(issuers: &str, caller: &str) -> Vec<String> {
    told(&file(issuers, &[("dev", caller)]))
}

#[test]
fn each_caller_is_known_in_one_way() {
    let check = |caller: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|flaw| format!("callers.dev{flaw}")).collect();
        assert_eq!(of_caller(ACME, caller), expected, "{caller}");
    };
    check("issuer: acme, human: sub, match: { k: v }", &[]);
    check("issuer: acme, human: sub, match: { k: v }, observe: true, plan: public, max_age: 5m", &[]);
    check("issuer: acme, human: none, reason: a nightly job, match: { k: v }", &[]);
    check("", &[".anonymous: it is not said how these callers are known"]);
    check("plan: public", &[".anonymous: it is not said how these callers are known"]);
    check("match: { a: b }", &[".anonymous: it is not said how these callers are known"]);
    check(
        "anonymous: true, issuer: acme, human: sub, match: { k: v }",
        &[".anonymous: who shows a token is not anonymous"],
    );
    let token = "this is about tokens, and these callers show none";
    check(
        "anonymous: true, match: { a: b }, human: sub, max_age: 5m",
        &[&format!(".match: {token}"), &format!(".human: {token}"), &format!(".max_age: {token}")],
    );
    check("issuer: acmee, human: sub", &[".issuer: this is none of the `issuers` of the file"]);
    check("issuer: acme, match: { k: v }", &[".human: it is not said which human is accountable"]);
    check("issuer: acme, human: '', match: { k: v }", &[".human: this names no claim"]);
    check("issuer: acme, human: none, match: { k: v }", &[".reason: `human: none` needs a reason"]);
    check("issuer: acme, human: none, reason: '', match: { k: v }", &[".reason: this gives no reason"]);
    check(
        "issuer: acme, human: sub, match: { k: v }, reason: why not",
        &[".reason: a human is accountable here, so there is nothing to excuse"],
    );
    check(
        "issuer: acme, human: sub, match: { k: v }, max_age: 500ms",
        &[".max_age: tokens count in whole seconds"],
    );
    for later in ["session", "token", "agents", "limit", "limit_by", "epoch", "iam"] {
        let caller = format!("issuer: acme, human: sub, match: {{ k: v }}, {later}: a");
        check(&caller, &[&format!(".{later}: `{later}` is not known here")]);
    }
}

#[test]
fn a_flawed_issuer_makes_no_flaws_of_its_callers() {
    let text = file("acme: { preset: gitpodd, audience: b }", &[("dev", "issuer: acme")]);
    assert_eq!(told(&text), ["issuers.acme.preset: this is none of the presets of issuers"]);
    let text =
        file(ACME, &[("dev", "issuer: acme, human: sub, match: { k: v }")]).replace("issuers:", "isuers:");
    assert_eq!(told(&text), ["isuers: `isuers` is not known here"]);
}

#[test]
fn what_must_hold_of_a_claim_is_written_in_five_ways() {
    let check = |test: &str, expected: &[&str]| {
        let expected: Vec<String> =
            expected.iter().map(|flaw| format!("callers.dev.match.a{flaw}")).collect();
        let caller = format!("issuer: acme, human: sub, match: {{ a: {test} }}");
        assert_eq!(of_caller(ACME, &caller), expected, "{test}");
    };
    for test in [
        "b",
        "12",
        "true",
        "[b, 12]",
        "{ glob: 'b*' }",
        "{ regex: '^b$' }",
        "{ contains: b }",
        "{ contains: 7 }",
    ] {
        check(test, &[]);
    }
    let empty = "an empty text tells nobody from others";
    check("''", &[&format!(": {empty}")]);
    check("[b, '']", &[&format!("[1]: {empty}")]);
    check("{ contains: '' }", &[&format!(".contains: {empty}")]);
    check("[]", &[": no value is let through here"]);
    check(
        "",
        &[": nothing stands here, where text, a list of texts, or one such as `{ glob: … }` is wanted"],
    );
    check("[[b]]", &["[0]: a list stands here, where text is wanted"]);
    check("{}", &[": one thing must hold of a claim"]);
    check("{ glob: 'b*', contains: b }", &[": one thing must hold of a claim"]);
    check("{ glb: 'b*' }", &[".glb: `glb` is not known here"]);
    check("{ glob: 'b**' }", &[".glob: `**` is not known here"]);
    check("{ glob: b }", &[".glob: there is no `*` in this"]);
    check("{ regex: 'b' }", &[".regex: this fits a part of a claim too"]);
    check("{ regex: '^b' }", &[".regex: this fits a part of a claim too"]);
    check("{ regex: '^a)|(?:b$' }", &[".regex: this is no regular expression"]);
    check("{ regex: '^[$' }", &[".regex: this is no regular expression"]);
}

#[test]
fn a_star_in_a_subject_is_a_whole_stretch() {
    let check = |glob: &str, expected: &[&str]| {
        let caller = format!("issuer: acme, human: sub, match: {{ sub: {{ glob: '{glob}' }} }}");
        assert_eq!(of_caller(ACME, &caller), expected, "{glob}");
    };
    let flaw = "callers.dev.match.sub.glob: a `*` in `sub` would fit what others can make up";
    for glob in ["repo:acme/*:ref:refs/heads/main", "*", "org:1/prj:*/env:*", "*:*"] {
        check(glob, &[]);
    }
    for glob in ["repo:acme*", "repo:*acme/api", "repo:acme/a*i:ref", "repo:acme@*/api", "*@acme.dev"] {
        check(glob, &[flaw]);
    }
}

#[test]
fn what_a_caller_can_choose_is_no_proof() {
    let chosen = "whoever asks for a token chooses what this claim says";
    let check = |issuers: &str, pinned: &str, claim: &str, refused: bool| {
        let caller = format!(
            "issuer: {}, human: x, match: {{ {pinned} '{claim}': b }}",
            issuers.split(':').next().unwrap()
        );
        let expected = if refused { vec![format!("callers.dev.match.{claim}: {chosen}")] } else { vec![] };
        assert_eq!(of_caller(issuers, &caller), expected, "{claim}");
    };
    for claim in ["aud", "scope", "request_tags", "request_tags.a", "x.request_tags.a", "aud.0"] {
        check(ACME, "", claim, true);
    }
    for claim in ["audience", "scopes", "scp", "sub", "workflow", "repository", "my_request_tags"] {
        check(ACME, "", claim, false);
    }
    let github = "g: { preset: github, audience: b }";
    check(github, "repository_id: 1,", "head_ref", true);
    check(github, "repository_id: 1,", "workflow", true);
    check(github, "repository_id: 1,", "job_workflow_ref", false);
    check("o: { preset: okta, url: 'https://acme.okta.com', audience: b }", "", "scp", true);
    check("o: { preset: ona, audience: b }", "organization_id: a,", "environment_initializers.git", true);
    let aws = "w: { preset: aws, url: 'https://a.tokens.sts.global.api.aws', audience: b }";
    let account = "'https://sts.amazonaws.com/.aws_account': 1,";
    check(aws, account, "https://sts.amazonaws.com/.request_tags.job-id", true);
    check(aws, account, "https://sts.amazonaws.com/.principal_tags.team", false);
    check(GITPOD, "org_id: a,", "repository", false);
    let human = |claim: &str| of_caller(ACME, &format!("issuer: acme, match: {{ k: v }}, human: {claim}"));
    assert_eq!(human("scope"), [format!("callers.dev.human: {chosen}")]);
    assert_eq!(human("uid"), [""; 0]);
}

#[test]
fn of_a_shared_issuer_the_tenant_is_pinned() {
    let whole =
        "callers.dev.match: everybody gets tokens of this issuer, and it is not said which of them are yours";
    let check = |issuer: &str, matches: &str, expected: &[&str]| {
        let caller = format!("issuer: i, human: none, reason: a test, match: {{ {matches} }}");
        assert_eq!(
            of_caller(&format!("i: {{ {issuer}, audience: b }}"), &caller),
            expected,
            "{issuer} {matches}"
        );
    };
    let tenants = [
        ("preset: gitpod", "org_id"),
        ("preset: ona", "organization_id"),
        ("preset: ona", "org"),
        ("preset: github", "repository_owner_id"),
        ("preset: github", "repository_id"),
        ("preset: gitlab", "namespace_id"),
        ("preset: gitlab", "project_id"),
        ("preset: google", "sub"),
        (
            "preset: aws, url: 'https://x-1.tokens.sts.global.api.aws'",
            "https://sts.amazonaws.com/.aws_account",
        ),
        // The host gives it away, whatever the file calls it.
        ("url: 'https://api.gitpod.io/idp'", "org_id"),
        ("url: 'https://app.gitpod.io'", "organization_id"),
        ("url: 'https://token.actions.githubusercontent.com'", "repository_id"),
        ("url: 'https://token.actions.githubusercontent.com/acme'", "repository_id"),
        ("url: 'https://gitlab.com'", "project_id"),
        ("url: 'https://accounts.google.com'", "sub"),
        ("url: 'https://x-1.tokens.sts.global.api.aws'", "https://sts.amazonaws.com/.aws_account"),
    ];
    for (issuer, tenant) in tenants {
        check(issuer, &format!("'{tenant}': '12'"), &[]);
        check(issuer, &format!("'{tenant}': [12, 13]"), &[]);
        check(issuer, "", &[whole]);
        check(issuer, "other: '12'", &[whole]);
        let (what, form) = (whole.split_once(": ").unwrap().1, format!("'{tenant}': {{ glob: '*' }}"));
        check(issuer, &form, &[&format!("callers.dev.match.{tenant}: {what}")]);
        let form = format!("'{tenant}': {{ regex: '^12$' }}");
        check(issuer, &form, &[&format!("callers.dev.match.{tenant}: {what}")]);
    }
    check("preset: github", "repository_owner: acme, repository: acme/api", &[whole]);
    // An installation of one's own is the tenant, but for what anybody in it can open.
    let own = "preset: gitpod, url: 'https://services.acme.gitpod.cloud/idp'";
    check(own, "", &[]);
    check(own, "workspace_id: a", &[]);
    check(own, "org_id: a, repository: b", &[]);
    for claim in ["repository", "context", "sub"] {
        let what = "anybody at this issuer can have a token that says this, as long as no tenant is pinned";
        check(own, &format!("{claim}: a"), &[&format!("callers.dev.match.{claim}: {what}")]);
    }
    check("preset: gitlab, url: 'https://gitlab.acme.dev'", "", &[]);
    check("preset: okta, url: 'https://gitlab.com'", "", &[whole]);
    check("preset: okta, url: 'https://gitlab.com'", "cid: a", &[whole]);
    // Of those that nobody knows something must be said, whatever it is.
    let everybody =
        "callers.dev.match: everybody who has a token of this issuer for this audience would be let in";
    for url in ["https://accounts.google.com.evil.example", "https://a.b.tokens.sts.global.api.aws"] {
        check(&format!("url: '{url}'"), "", &[everybody]);
        check(&format!("url: '{url}'"), "k: v", &[]);
    }
}

#[test]
fn a_preset_knows_the_human_and_the_file_goes_first() {
    let human = |caller: &str| {
        let text = file(GITPOD, &[("dev", &format!("issuer: gitpod, match: {{ org_id: a }}, {caller}"))]);
        read(text).map(|declared| declared.callers["dev"].rule().unwrap().human)
    };
    assert_eq!(human("").unwrap(), Human::Claim("user_id".to_owned()));
    assert_eq!(human("human: email").unwrap(), Human::Claim("email".to_owned()));
    assert_eq!(human("human: none, reason: a robot").unwrap(), Human::None);
    assert_eq!(human("human: ~").unwrap(), Human::Claim("user_id".to_owned()));
    // Of a machine no preset knows one.
    let google = "g: { preset: google, audience: b }";
    let expected = ["callers.dev.human: it is not said which human is accountable"];
    assert_eq!(of_caller(google, "issuer: g, match: { sub: 1 }"), expected);
}

#[test]
fn no_token_is_of_two_callers_of_a_route() {
    let check = |first: &str, second: &str, clear: bool| {
        let callers = [
            ("dev", format!("issuer: acme, human: sub, match: {{ {first} }}")),
            ("ops", format!("issuer: acme, human: sub, match: {{ {second} }}")),
        ];
        let callers: Vec<(&str, &str)> =
            callers.iter().map(|(name, caller)| (*name, caller.as_str())).collect();
        let text = file(ACME, &callers)
            .replace("[website], upstream: github", "[dev, website, ops], upstream: github");
        let guess = "routes.GET /a.allow[2]: one token could be of `dev` and of `ops`, and which it is would be a guess";
        let expected: &[&str] = if clear { &[] } else { &[guess] };
        assert_eq!(told(&text), expected, "{first} | {second}");
    };
    check("team: a", "team: b", true);
    check("team: a", "team: [b, c]", true);
    check("team: a, x: 1", "x: 1, team: b", true);
    check("team: a", "team: { glob: 'b*' }", true);
    check("team: a", "team: a", false);
    check("team: a", "team: [a, b]", false);
    check("team: a", "role: b", false);
    check("team: ab", "team: { glob: 'a*' }", false);
    check("groups: { contains: a }", "groups: { contains: b }", false);
    check("team: { glob: 'a*' }", "team: { glob: 'b*' }", false);
}

#[test]
fn ambiguity_is_said_once_for_two_callers() {
    let callers = [
        ("dev", "issuer: acme, human: sub, match: { k: v }"),
        ("ops", "issuer: acme, human: sub, match: { k: v }"),
    ];
    let both = file(ACME, &callers).replace("allow: [website]", "allow: [dev, ops]");
    assert_eq!(flaws(&both).len(), 1, "{:?}", told(&both));
    // On routes of their own they never meet, and of two issuers no token is.
    assert_eq!(told(&file(ACME, &callers)), [""; 0]);
    let two = format!("{ACME}, b: {{ url: 'https://id.b.dev', audience: b }}");
    let callers = [
        ("dev", "issuer: acme, human: sub, match: { k: v }"),
        ("ops", "issuer: b, human: sub, match: { k: v }"),
    ];
    assert_eq!(told(&file(&two, &callers).replace("allow: [website]", "allow: [dev, ops]")), [""; 0]);
    // What is left out of a flawed one could be what tells them apart.
    let callers = [
        ("dev", "issuer: acme, human: sub, match: { a: { regex: b } }"),
        ("ops", "issuer: acme, human: sub, match: { k: v }"),
    ];
    let flawed = file(ACME, &callers).replace("allow: [website]", "allow: [dev, ops]");
    assert_eq!(told(&flawed), ["callers.dev.match.a.regex: this fits a part of a claim too"]);
}

#[test]
fn each_flaw_of_who_calls_stands_at_its_place() {
    let text = "\
version: 1
upstreams: { open: { url: 'https://api.example.com' } }
issuers:
  gitpod: { preset: gitpod }
  acme:
    url: https://id.acme.dev/?tenant=7
    audience: https://api.acme.dev
callers:
  dev:
    issuer: gitpod
    match:
      aud: https://api.acme.dev
      repository: { glob: https://github.com/** }
  staff:
    issuer: acme
    match: { sub: { glob: 'user:*@acme.dev' } }
  tool:
routes:
  GET /a: { allow: [dev, tool], upstream: open }
";
    assert_eq!(
        places(text),
        [
            "4:3 issuers.gitpod.audience",
            "6:10 issuers.acme.url",
            "11:5 callers.dev.match",
            "12:7 callers.dev.match.aud",
            "13:27 callers.dev.match.repository.glob",
            "14:3 callers.staff.human",
            "16:27 callers.staff.match.sub.glob",
            "17:3 callers.tool.anonymous",
        ]
    );
    assert!(flaws(text).iter().all(|flaw| flaw.help.is_some()));
}
