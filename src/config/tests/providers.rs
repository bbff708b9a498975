//! The tokens of each widespread issuer against the rule that its guide shows:
//! those of the right tenant fit, and none that differs in a claim that matters.

use serde_json::{Map, Value, json};

use super::{GOOD, read};
use crate::config::issuers;
use crate::identity::Claims;
use crate::identity::rule::Rule;

/// What an issuer's tokens look like, and the rule for them.
struct Sample {
    issuer: &'static str,
    caller: &'static str,
    /// What a token says; ids are invented.
    token: Value,
    /// Whom it names, if anybody.
    human: Option<&'static str>,
}

fn rule(sample: &Sample) -> Rule {
    let text = GOOD.replace(
        "callers: { website",
        &format!("callers: {{ dev: {{ issuer: i, {} }}, website", sample.caller),
    );
    let text =
        format!("{text}issuers: {{ i: {{ {}, audience: 'https://proxy.acme.dev' }} }}\n", sample.issuer);
    let declared = read(text).unwrap_or_else(|flaws| panic!("{}: {flaws:?}", sample.issuer));
    declared.callers["dev"].rule().unwrap()
}

fn claims(token: &Value) -> Claims {
    Claims::unverified(token.as_object().cloned().unwrap_or_else(Map::new))
}

fn samples() -> Vec<Sample> {
    vec![gitpod(), ona(), ona_v2(), github(), gitlab(), google(), okta(), aws()]
}

fn gitpod() -> Sample {
    Sample {
        issuer: "preset: gitpod",
        caller: "match: { org_id: 7c2b-1, repository: { glob: 'https://github.com/acme/*' } }",
        token: json!({
            "iss": "https://api.gitpod.io/idp", "aud": ["https://proxy.acme.dev"], "azp": "https://proxy.acme.dev",
            "sub": "https://github.com/acme/api", "iat": 1795276800, "exp": 1795280400, "auth_time": 1795276800,
            "name": "Jane Doe", "user_id": "0f9c1d5e-1", "org_id": "7c2b-1", "context": "https://github.com/acme/api",
            "workspace_id": "acme-api-te23l4bjejv", "repository": "https://github.com/acme/api.git",
            "email": "jane@acme.dev", "email_verified": true,
        }),
        human: Some("0f9c1d5e-1"),
    }
}

fn ona() -> Sample {
    Sample {
        issuer: "preset: ona",
        caller: "match: { organization_id: a1b2-1, project_id: [c9d0-1, c9d0-2], creator_principal: user }",
        token: json!({
            "iss": "https://app.gitpod.io", "sub": "organization_id:a1b2-1:project_id:c9d0-1",
            "aud": ["https://proxy.acme.dev"], "iat": 1795276800, "exp": 1795280400, "environment_id": "e5f6-1",
            "organization_id": "a1b2-1", "project_id": "c9d0-1", "runner_id": "f3a4-1", "creator_principal": "user",
            "creator_id": "b3c4-1", "creator_email": "jane@acme.dev", "creator_name": "Jane Doe",
            "creator_idp": "https://accounts.google.com", "creator_idp_claims": { "groups": ["engineering"] },
            "environment_initializers": [{ "git": { "remote_uri": "https://github.com/acme/api.git" } }],
        }),
        human: Some("b3c4-1"),
    }
}

/// Its tokens say nothing of whoever made the environment.
fn ona_v2() -> Sample {
    Sample {
        issuer: "preset: ona",
        caller: "match: { org: 0191e223-1, sub: { glob: 'org:0191e223-1/prj:019527e4-1/env:*' } }, human: none, \
                 reason: tokens of V2 name no human",
        token: json!({
            "iss": "https://app.gitpod.io", "aud": "https://proxy.acme.dev", "org": "0191e223-1",
            "sub": "org:0191e223-1/prj:019527e4-1/env:7", "iat": 1795276800, "exp": 1795280400,
        }),
        human: None,
    }
}

fn github() -> Sample {
    Sample {
        issuer: "preset: github",
        caller: "match: { repository_owner_id: 123456, repository_id: [456789], ref: { regex: '^refs/heads/(main|dev)$' }, \
                 environment: dev }",
        token: json!({
            "iss": "https://token.actions.githubusercontent.com", "aud": "https://proxy.acme.dev",
            "sub": "repo:acme@123456/api@456789:ref:refs/heads/main", "jti": "j", "iat": 1795276800, "nbf": 1795276500,
            "exp": 1795277700, "repository": "acme/api", "repository_id": "456789", "repository_owner": "acme",
            "repository_owner_id": "123456", "repository_visibility": "private", "ref": "refs/heads/main",
            "ref_type": "branch", "sha": "s", "workflow_ref": "acme/api/.github/workflows/ci.yml@refs/heads/main",
            "job_workflow_ref": "acme/api/.github/workflows/ci.yml@refs/heads/main", "event_name": "push",
            "actor": "jane", "actor_id": "998877", "run_id": "120034", "run_number": "88", "run_attempt": "1",
            "runner_environment": "github-hosted", "environment": "dev",
        }),
        human: Some("998877"),
    }
}

/// Its truth values and ids are text.
fn gitlab() -> Sample {
    Sample {
        issuer: "preset: gitlab",
        caller: "match: { namespace_id: 72, project_path: { glob: 'acme/*' }, ref_protected: true }",
        token: json!({
            "iss": "https://gitlab.com", "sub": "project_path:acme/api:ref_type:branch:ref:main",
            "aud": "https://proxy.acme.dev", "jti": "235b", "namespace_id": "72", "project_id": "20",
            "project_path": "acme/api", "user_id": "1", "user_login": "jane", "user_email": "jane@acme.dev",
            "pipeline_id": "574", "job_id": "302", "ref": "main", "ref_type": "branch", "ref_protected": "true",
            "runner_id": 12, "runner_environment": "gitlab-hosted", "sha": "s", "iat": 1795276800, "nbf": 1795276795,
            "exp": 1795280400,
        }),
        human: Some("1"),
    }
}

fn google() -> Sample {
    Sample {
        issuer: "preset: google",
        caller: "match: { sub: '1134', google.compute_engine.project_number: 12, google.compute_engine.project_id: p }, \
                 human: none, reason: all workstations of a configuration share a service account",
        token: json!({
            "iss": "https://accounts.google.com", "aud": "https://proxy.acme.dev", "azp": "1134", "sub": "1134",
            "email": "ws-sa@p.iam.gserviceaccount.com", "email_verified": true, "iat": 1795276800, "exp": 1795280400,
            "google": { "compute_engine": {
                "project_id": "p", "project_number": 12, "zone": "europe-west1-b", "instance_id": "77",
                "instance_name": "workstations-1",
            } },
        }),
        human: None,
    }
}

fn okta() -> Sample {
    Sample {
        issuer: "preset: okta, url: 'https://acme.okta.com/oauth2/aus1'",
        caller: "match: { cid: 0oa1, groups: { contains: eng } }",
        token: json!({
            "ver": 1, "jti": "AT.1", "iss": "https://acme.okta.com/oauth2/aus1", "aud": "https://proxy.acme.dev",
            "iat": 1795276800, "exp": 1795277100, "cid": "0oa1", "uid": "00u1", "scp": ["proxy.use"],
            "auth_time": 1795276800, "sub": "jane@acme.dev", "groups": ["eng"],
        }),
        human: Some("00u1"),
    }
}

fn aws() -> Sample {
    Sample {
        issuer: "preset: aws, url: 'https://abc123-1.tokens.sts.global.api.aws'",
        caller: "match: { 'https://sts.amazonaws.com/.aws_account': '123456789012', \
                 'https://sts.amazonaws.com/.principal_tags.team': x, \
                 sub: { glob: 'arn:aws:iam::123456789012:role/*' } }, human: none, reason: a role of a machine",
        token: json!({
            "iss": "https://abc123-1.tokens.sts.global.api.aws", "aud": "https://proxy.acme.dev",
            "sub": "arn:aws:iam::123456789012:role/DevBox", "iat": 1795276800, "exp": 1795277100, "jti": "j",
            "https://sts.amazonaws.com/": {
                "aws_account": "123456789012", "source_region": "us-east-1", "org_id": "o-abc1234567",
                "principal_tags": { "team": "x" }, "request_tags": { "job-id": "7" },
            },
        }),
        human: None,
    }
}

/// The claim at a path, to be changed.
fn claim<'t>(token: &'t mut Value, path: &str) -> (&'t mut Map<String, Value>, String) {
    let map = token.as_object_mut().unwrap();
    let parent =
        map.keys().find(|key| path.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('.')));
    let Some(parent) = parent.cloned() else { return (map, path.to_owned()) };
    let rest = path[parent.len() + 1..].to_owned();
    claim(&mut map[&parent], &rest)
}

#[test]
fn the_tokens_of_every_provider_fit_their_documented_rule() {
    for sample in samples() {
        let (rule, claims) = (rule(&sample), claims(&sample.token));
        assert_eq!(rule.judge(&claims), Ok(()), "{}", sample.issuer);
        assert_eq!(rule.human(&claims), Ok(sample.human.map(str::to_owned)), "{}", sample.issuer);
    }
}

#[test]
fn a_token_without_a_claim_that_matters_is_refused() {
    for sample in samples() {
        let rule = rule(&sample);
        for path in mattering(&rule) {
            let mut token = sample.token.clone();
            let (map, name) = claim(&mut token, &path);
            map.remove(&name).unwrap_or_else(|| panic!("{path} is there"));
            let miss = rule.judge(&claims(&token)).unwrap_err();
            assert_eq!(
                (miss.claim.as_str(), miss.reason.code()),
                (path.as_str(), "claim_missing"),
                "{}",
                sample.issuer
            );
        }
    }
}

#[test]
fn a_token_with_another_value_where_it_matters_is_refused() {
    for sample in samples() {
        let rule = rule(&sample);
        for path in mattering(&rule) {
            let is_human = sample.human.is_some() && mattering(&rule).last() == Some(&path);
            // Any name is a human's; what is no name is nobody's.
            let wrong = if is_human { json!("") } else { json!("of/somebody:else") };
            for wrong in [wrong, json!(["a"]), json!({}), json!(null), json!(1.5)] {
                let mut token = sample.token.clone();
                let (map, name) = claim(&mut token, &path);
                map.insert(name, wrong.clone()).unwrap();
                let miss = rule.judge(&claims(&token)).unwrap_err();
                let found = (miss.claim.as_str(), miss.reason.code());
                assert_eq!(found, (path.as_str(), "claim_mismatch"), "{} {wrong}", sample.issuer);
            }
        }
    }
}

/// The claims that a rule looks at, the human's last.
fn mattering(rule: &Rule) -> Vec<String> {
    let matched = rule.matches.iter().map(|wanted| wanted.claim.clone());
    let human = match &rule.human {
        crate::identity::rule::Human::Claim(claim) => Some(claim.clone()),
        crate::identity::rule::Human::None => None,
    };
    matched.chain(human).collect()
}

#[test]
fn a_stranger_at_the_same_provider_is_refused() {
    let check = |sample: Sample, changes: Value, expected: &str| {
        let mut token = sample.token.clone();
        for (path, value) in changes.as_object().unwrap() {
            let (map, name) = claim(&mut token, path);
            map.insert(name, value.clone());
        }
        let miss = rule(&sample).judge(&claims(&token)).unwrap_err();
        assert_eq!(miss.claim, expected, "{changes}");
    };
    // Their own organization, our public repository.
    check(gitpod(), json!({ "org_id": "9999-1" }), "org_id");
    check(gitpod(), json!({ "repository": "https://github.com/acme-evil/api.git" }), "repository");
    check(ona(), json!({ "organization_id": "ffff-1" }), "organization_id");
    check(ona(), json!({ "project_id": "c9d0-3" }), "project_id");
    check(ona_v2(), json!({ "sub": "org:0191e223-1/prj:other/env:7" }), "sub");
    check(ona_v2(), json!({ "sub": "org:0191e223-1/usr:019527e4-1" }), "sub");
    // An account of our old name.
    check(github(), json!({ "repository_owner_id": "654321" }), "repository_owner_id");
    check(github(), json!({ "repository_id": "987654" }), "repository_id");
    check(github(), json!({ "ref": "refs/heads/main-evil" }), "ref");
    check(github(), json!({ "ref": "refs/pull/7/merge" }), "ref");
    check(gitlab(), json!({ "namespace_id": "73" }), "namespace_id");
    check(gitlab(), json!({ "ref_protected": "false" }), "ref_protected");
    check(gitlab(), json!({ "project_path": "acme/group/api" }), "project_path");
    check(google(), json!({ "sub": "1135" }), "sub");
    check(google(), json!({ "google.compute_engine.project_id": "q" }), "google.compute_engine.project_id");
    check(okta(), json!({ "cid": "0oa2" }), "cid");
    check(okta(), json!({ "groups": ["not eng"] }), "groups");
    let account = "https://sts.amazonaws.com/.aws_account";
    check(aws(), json!({ account: "210987654321" }), account);
    check(aws(), json!({ "sub": "arn:aws:iam::210987654321:role/DevBox" }), "sub");
}

#[test]
fn each_preset_is_whole() {
    assert_eq!(issuers::names(), ["aws", "github", "gitlab", "gitpod", "google", "okta", "ona"]);
    let known = issuers::providers();
    assert_eq!(known.len(), issuers::names().len());
    for (name, provider) in known {
        assert!(provider.url.starts_with("https://"), "{name}");
        assert_eq!(provider.shared.is_empty(), provider.tenant.is_empty(), "{name}");
    }
}
