//! What fits a rule, what does not, and what tries to look as if it did.

use serde_json::{Value, json};

use super::*;

fn claims(value: Value) -> Claims {
    let Value::Object(map) = value else { panic!("claims are a mapping") };
    Claims::unverified(map)
}

fn glob(text: &str) -> Test {
    Test::Glob(text.parse().unwrap())
}

fn regex(text: &str) -> Test {
    Test::Regex(text.parse().unwrap())
}

fn exact(text: &str) -> Test {
    Test::Exact(text.to_owned())
}

fn one_of(texts: &[&str]) -> Test {
    Test::OneOf(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn contains(text: &str) -> Test {
    Test::Contains(text.to_owned())
}

fn fits(test: &Test, value: Value) -> bool {
    test.holds("claim", &value)
}

#[test]
fn written_out_values_fit_text_whole_numbers_and_truth_values() {
    let check = |test: &Test, value: Value, expected: bool| {
        assert_eq!(fits(test, value.clone()), expected, "{test:?} {value}");
    };
    check(&exact("20"), json!("20"), true);
    check(&exact("20"), json!(20), true);
    check(&exact("-20"), json!(-20), true);
    check(&exact("true"), json!(true), true);
    check(&exact("true"), json!("true"), true);
    check(&exact("18446744073709551615"), json!(u64::MAX), true);
    check(&exact("20"), json!(20.0), false);
    check(&exact("20.0"), json!(20.0), false);
    check(&exact("1e30"), json!(1e30), false);
    check(&exact("20"), json!("20 "), false);
    check(&exact("20"), json!("20\n"), false);
    check(&exact("acme"), json!("Acme"), false);
    check(&exact("acme"), json!(["acme"]), false);
    check(&exact("acme"), json!({ "acme": true }), false);
    check(&exact("null"), json!(null), false);
    check(&exact(""), json!(null), false);
    check(&one_of(&["a", "2", "false"]), json!("a"), true);
    check(&one_of(&["a", "2", "false"]), json!(2), true);
    check(&one_of(&["a", "2", "false"]), json!(false), true);
    check(&one_of(&["a", "2", "false"]), json!("b"), false);
    check(&one_of(&["a", "2"]), json!(["a"]), false);
    check(&one_of(&[]), json!(""), false);
}

#[test]
fn a_globs_star_stays_between_slashes_and_colons() {
    let check = |text: &str, value: Value, expected: bool| {
        assert_eq!(fits(&glob(text), value.clone()), expected, "{text} {value}");
    };
    let acme = "https://github.com/acme/*";
    check(acme, json!("https://github.com/acme/api"), true);
    check(acme, json!("https://github.com/acme/api.git"), true);
    check(acme, json!("https://github.com/acme/"), false);
    check(acme, json!("https://github.com/acme/api/evil"), false);
    check(acme, json!("https://github.com/acme/a:b"), false);
    check(acme, json!("https://github.com/acme-evil/api"), false);
    check(acme, json!("https://github.com.evil.example/acme/api"), false);
    check(acme, json!("https://githubxcom/acme/api"), false);
    check(acme, json!("https://evil.example/https://github.com/acme/api"), false);
    check(acme, json!(["https://github.com/acme/api"]), false);
    let sub = "repo:acme/*:ref:refs/heads/*";
    check(sub, json!("repo:acme/api:ref:refs/heads/main"), true);
    check(sub, json!("repo:acme/api:ref:refs/heads/a/b"), false);
    check(sub, json!("repo:acme/api:environment:x:ref:refs/heads/main"), false);
    check(sub, json!("repo:acme/x/y:ref:refs/heads/main"), false);
    check("2*", json!(20), false);
    check("t*", json!(true), false);
    check("*.dev", json!("acme.dev"), true);
    check("*.dev", json!("acmexdev"), false);
    check("a(b|c)[d]?*", json!("a(b|c)[d]?e"), true);
    check("a(b|c)[d]?*", json!("abe"), false);
    check("*", json!("any"), true);
    check("*", json!(""), false);
    check("*\\", json!("a\\"), true);
}

#[test]
fn a_regular_expression_fits_the_whole_or_nothing() {
    let check = |text: &str, value: Value, expected: bool| {
        assert_eq!(fits(&regex(text), value.clone()), expected, "{text} {value}");
    };
    check("^acme/(api|web)$", json!("acme/api"), true);
    check("^acme/(api|web)$", json!("acme/apis"), false);
    check("^acme/(api|web)$", json!("acme/api\n"), false);
    check("^acme/(api|web)$", json!("evil\nacme/api"), false);
    // octo-sts' trap: each anchor holds one half.
    check("^a|b$", json!("a"), true);
    check("^a|b$", json!("b"), true);
    check("^a|b$", json!("aevil"), false);
    check("^a|b$", json!("evilb"), false);
    check("^a||b$", json!("evil"), false);
    check("^(?m)acme$", json!("evil\nacme"), false);
    check("^(?i)ACME$", json!("acme"), true);
    check("^(?s).*$", json!("a\nb"), true);
    check("^.*$", json!("a\nb"), false);
    check(r"^a\\$", json!(r"a\"), true);
    check("^[0-9]+$", json!(20), false);
    check("^true$", json!(true), false);
    check("^a$", json!(["a"]), false);
}

#[test]
fn what_is_no_whole_pattern_is_refused() {
    let check = |text: &str, expected: &str| {
        let found = text.parse::<Pattern>().map(|_| ()).unwrap_err();
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    let (part, none) = ("this fits a part of a claim too", "this is no regular expression");
    for text in ["", "acme", "^acme", "acme$", r"^acme\$", r"^a\\\$", " ^a$", "(^a$)"] {
        check(text, part);
    }
    // Each of these would leave the group that is put around it, or is none at all.
    for text in ["^a)|(?:b$", "^(a$", "^[$", "^(?x)a #$", r"^(a)\1$", "^(?=a)$", "^(a{1000}){9999}$"] {
        check(text, none);
    }
    let check = |text: &str, expected: &str| {
        let found = text.parse::<Glob>().map(|_| ()).unwrap_err();
        assert!(found.starts_with(expected), "{text}: {found}");
    };
    check("acme/**", "`**` is not known here");
    check("***", "`**` is not known here");
    check("acme", "there is no `*` in this");
    check("", "there is no `*` in this");
}

#[test]
fn a_hostile_claim_is_judged_in_linear_time() {
    let long = "a".repeat(8 << 10);
    let begun = tokio::time::Instant::now();
    assert!(!fits(&regex("^(a+)+b$"), json!(long)));
    assert!(!fits(&glob("*a*a*a*a*a*b"), json!(long)));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_list_contains_a_text_and_text_is_a_list_of_one() {
    let check = |claim: &str, value: Value, expected: bool| {
        assert_eq!(contains("staff").holds(claim, &value), expected, "{claim} {value}");
    };
    check("groups", json!(["eng", "staff"]), true);
    check("groups", json!("staff"), true);
    check("groups", json!(["staffing", "Staff", "not staff"]), false);
    check("groups", json!([["staff"]]), false);
    check("groups", json!([{ "name": "staff" }]), false);
    check("groups", json!({ "staff": true }), false);
    check("groups", json!([]), false);
    // Whoever chooses their own name or group would be in all of them.
    check("groups", json!("not staff"), false);
    check("name", json!("Jane staff"), false);
    check("scope", json!("read staff"), true);
    check("scp", json!("staff write"), true);
    check("scp", json!(["staff"]), true);
    check("scope", json!("staff.read"), false);
    check("scope", json!("read\tstaff"), false);
    assert!(contains("7").holds("ids", &json!([1, 7])));
    assert!(!contains("7").holds("ids", &json!([7.0])));
}

fn rule(matches: &[(&str, Test)], human: Human) -> Rule {
    let wanted = |(claim, test): &(&str, Test)| Match { claim: (*claim).to_owned(), test: test.clone() };
    Rule { issuer: "acme".to_owned(), matches: matches.iter().map(wanted).collect(), human, max_age: None }
}

#[test]
fn a_miss_tells_the_callers_own_claim_and_nothing_else() {
    let rule =
        rule(&[("org", exact("expected-1")), ("repo", glob("expected-2/*"))], Human::Claim("uid".into()));
    let check = |value: Value, expected: Option<(&str, Option<&str>, &str)>| {
        let found = rule.judge(&claims(value.clone())).err();
        let found_told =
            found.as_ref().map(|miss| (miss.claim.as_str(), miss.value.as_deref(), miss.reason.code()));
        assert_eq!(found_told, expected, "{value}");
        assert!(!format!("{found:?}").contains("expected"), "{found:?}");
    };
    let (missing, mismatch) = ("claim_missing", "claim_mismatch");
    check(json!({ "org": "expected-1", "repo": "expected-2/x", "uid": "jane" }), None);
    check(json!({ "org": "expected-1", "repo": "expected-2/x", "uid": 7 }), None);
    check(json!({}), Some(("org", None, missing)));
    check(json!({ "org": "other" }), Some(("org", Some("other"), mismatch)));
    check(json!({ "org": ["a"] }), Some(("org", Some("[\"a\"]"), mismatch)));
    check(json!({ "org": null }), Some(("org", Some("null"), mismatch)));
    check(json!({ "org": "expected-1", "repo": "evil/x" }), Some(("repo", Some("evil/x"), mismatch)));
    let with = |uid: Value| json!({ "org": "expected-1", "repo": "expected-2/x", "uid": uid });
    check(json!({ "org": "expected-1", "repo": "expected-2/x" }), Some(("uid", None, missing)));
    check(with(json!("")), Some(("uid", Some(""), mismatch)));
    check(with(json!("  ")), Some(("uid", Some("  "), mismatch)));
    check(with(json!("a\nb")), Some(("uid", Some("a\nb"), mismatch)));
    check(with(json!(true)), Some(("uid", Some("true"), mismatch)));
    check(with(json!(["jane"])), Some(("uid", Some("[\"jane\"]"), mismatch)));
    check(with(json!("ä".repeat(255))), None);
    let shown = format!("{}…", "ä".repeat(200));
    check(with(json!("ä".repeat(256))), Some(("uid", Some(&shown), mismatch)));
}

#[test]
fn an_address_that_its_issuer_does_not_believe_is_nobodys() {
    let check = |verified: Option<Value>, expected: bool| {
        let mut token = json!({ "email": "jane@acme.dev" });
        if let Some(verified) = &verified {
            token["email_verified"] = verified.clone();
        }
        let token = claims(token);
        let by_human = rule(&[], Human::Claim("email".into())).judge(&token).is_ok();
        let by_match = rule(&[("email", glob("*@acme.dev"))], Human::None).judge(&token).is_ok();
        assert_eq!((by_human, by_match), (expected, expected), "{verified:?}");
    };
    check(None, false);
    check(Some(json!(true)), true);
    check(Some(json!("true")), true);
    check(Some(json!(false)), false);
    check(Some(json!("false")), false);
    check(Some(json!(null)), false);
    check(Some(json!(1)), false);
}

#[test]
fn a_rule_without_a_human_names_none() {
    let token = claims(json!({ "sub": "1134" }));
    assert_eq!(rule(&[("sub", exact("1134"))], Human::None).human(&token), Ok(None));
    assert_eq!(rule(&[], Human::Claim("sub".into())).human(&token), Ok(Some("1134".to_owned())));
}

#[test]
fn two_matches_exclude_each_other_where_that_can_be_told() {
    let check = |a: Test, b: Test, expected: bool| {
        let of = |test: &Test| Match { claim: "claim".to_owned(), test: test.clone() };
        assert_eq!(of(&a).excludes(&of(&b)), expected, "{a:?} {b:?}");
        assert_eq!(of(&b).excludes(&of(&a)), expected, "{b:?} {a:?}");
    };
    check(exact("a"), exact("b"), true);
    check(exact("a"), exact("a"), false);
    check(exact("a"), one_of(&["b", "c"]), true);
    check(one_of(&["a", "b"]), one_of(&["b", "c"]), false);
    check(exact("acme/api"), glob("acme/*"), false);
    check(exact("evil/api"), glob("acme/*"), true);
    check(exact("b"), regex("^a$"), true);
    check(exact("a"), contains("a"), false);
    check(exact("b"), contains("a"), true);
    check(glob("a*"), glob("b*"), false);
    check(contains("a"), contains("b"), false);
    let other = Match { claim: "other".to_owned(), test: exact("b") };
    assert!(!other.excludes(&Match { claim: "claim".to_owned(), test: exact("a") }));
}
