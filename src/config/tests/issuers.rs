//! Issuers: what is said of which mistake, and where.

use super::{GOOD, read, told};
use crate::config::{Declared, Flaw, examine, read_beside};
use crate::identity::Alg;

/// The good file, with issuers and callers of its own, and a route for each caller.
pub(super) fn file(issuers: &str, callers: &[(&str, &str)]) -> String {
    let mut text = GOOD.replace(
        "callers: { website: { anonymous: true, plan: public }",
        "callers: { website: { anonymous: true }",
    );
    let declared: String = callers.iter().map(|(name, caller)| format!(", {name}: {{ {caller} }}")).collect();
    text = text.replace("website: { anonymous: true }", &format!("website: {{ anonymous: true }}{declared}"));
    text.push_str(&format!("issuers: {{ {issuers} }}\n"));
    text
}

pub(super) const ACME: &str = "acme: { url: 'https://id.acme.dev', audience: 'https://api.acme.dev' }";

fn of_issuer(issuer: &str) -> Vec<String> {
    told(&file(&format!("acme: {{ {issuer} }}"), &[]))
}

fn shown(found: Result<Declared, Vec<Flaw>>) -> Vec<String> {
    found.err().unwrap_or_default().iter().map(|flaw| format!("{}: {}", flaw.at, flaw.what)).collect()
}

#[test]
fn an_issuer_is_who_was_meant_or_a_flaw() {
    let check = |issuer: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|flaw| format!("issuers.acme{flaw}")).collect();
        assert_eq!(of_issuer(issuer), expected, "{issuer}");
    };
    let audience = "audience: 'https://api.acme.dev'";
    let url = |url: &str| format!("url: '{url}', {audience}");
    check(&url("https://id.acme.dev"), &[]);
    check(&url("https://id.acme.dev/a/b/"), &[]);
    check(&url("https://id.acme.dev:8443"), &[]);
    check("url: 'https://id.acme.dev'", &[".audience: it is not said whom its tokens must be meant for"]);
    check("url: 'https://id.acme.dev', audience: ''", &[".audience: this names no audience"]);
    check(audience, &[".url: the issuer has no URL"]);
    check(&url("id.acme.dev"), &[".url: this is no URL"]);
    check(&url("ftp://id.acme.dev"), &[".url: an issuer is reached by HTTPS"]);
    for more in ["?a=b", "#a", "/?", "/#"] {
        check(
            &url(&format!("https://id.acme.dev{more}")),
            &[".url: an issuer's URL has no query and no fragment"],
        );
    }
    for host in ["jane@id.acme.dev", "jane:secret@id.acme.dev", "@id.acme.dev"] {
        check(&url(&format!("https://{host}")), &[".url: an issuer's URL has no user name and no password"]);
    }
    check(&url(r"https://id.acme.dev\a"), &[".url: an issuer's URL has no such characters"]);
    let way = ".url: whoever sits on the way to this issuer would decide who calls";
    check(&url("http://id.acme.dev"), &[way]);
    check(&format!("{}, dangerous_plain_http: true", url("http://id.acme.dev")), &[]);
    let private = ".url: this host is in a private network";
    for host in ["10.0.0.7", "localhost", "id.internal", "[::1]", "169.254.169.254"] {
        check(&url(&format!("https://{host}")), &[private]);
        check(&format!("{}, dangerous_private_network: true", url(&format!("https://{host}"))), &[]);
    }
    check(&format!("{}, algs: [ES256, EdDSA, PS384]", url("https://id.acme.dev")), &[]);
    check(&format!("{}, algs: []", url("https://id.acme.dev")), &[".algs: no signature could be checked"]);
    for alg in ["none", "HS256", "rs256"] {
        let issuer = format!("{}, algs: [{alg}]", url("https://id.acme.dev"));
        check(&issuer, &[".algs[0]: this word is not known here"]);
    }
    let hosts = |host: &str| format!("{}, jwks_hosts: ['{host}']", url("https://id.acme.dev"));
    check(&hosts("keys.acme.dev"), &[]);
    for host in ["", "https://keys.acme.dev", "keys.acme.dev/x", "keys.acme.dev:1", "*.acme.dev"] {
        check(&hosts(host), &[".jwks_hosts[0]: this is no host"]);
    }
    check(&format!("{}, session: a", url("https://id.acme.dev")), &[".session: `session` is not known here"]);
}

#[test]
fn a_preset_says_what_all_users_of_an_issuer_share() {
    let check = |issuer: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|flaw| format!("issuers.acme{flaw}")).collect();
        assert_eq!(of_issuer(&format!("{issuer}, audience: a")), expected, "{issuer}");
    };
    for preset in ["github", "gitlab", "gitpod", "google", "ona"] {
        check(&format!("preset: {preset}"), &[]);
    }
    check("preset: okta", &[".url: a part of this preset's URL is yours"]);
    check("preset: aws", &[".url: a part of this preset's URL is yours"]);
    check("preset: okta, url: 'https://acme.okta.com/oauth2/aus1'", &[]);
    check("preset: gitpodd", &[".preset: this is none of the presets of issuers"]);
    check("preset: [gitpod]", &[".preset: a list stands here, where text is wanted"]);
    let said = ".url: tokens say this URL otherwise, and it is compared letter by letter";
    for url in ["https://api.gitpod.io/idp/", "https://API.gitpod.io/idp", "https://api.gitpod.io:443/idp"] {
        check(&format!("url: '{url}'"), &[said]);
    }
    check("url: 'https://gitlab.com/'", &[said]);
    check("url: 'https://app.ona.com'", &[said]);
    check("url: 'https://gitlab.acme.dev', preset: gitlab", &[]);
    let text = file(
        "a: { preset: google, audience: b }, c: { preset: google, url: 'https://id.acme.dev', algs: [ES256], audience: b }",
        &[],
    );
    let declared = read(text).unwrap();
    let shown = |name: &str| {
        let issuer = &declared.issuers[name];
        (
            issuer.url.as_ref().unwrap().0.text().to_owned(),
            format!("{:?}", issuer.algs()),
            issuer.jwks_hosts.clone(),
        )
    };
    let keys = vec!["www.googleapis.com".to_owned()];
    assert_eq!(shown("a"), ("https://accounts.google.com".to_owned(), "[RS256]".to_owned(), keys));
    // The keys of an installation of one's own are not where everybody's are.
    assert_eq!(shown("c"), ("https://id.acme.dev".to_owned(), "[ES256]".to_owned(), vec![]));
}

#[test]
fn two_issuers_of_one_url_are_one() {
    let twice = format!("{ACME}, twin: {{ url: 'https://id.acme.dev', audience: b }}");
    let line = "issuers.twin: this issuer has the URL of the one in line 12";
    assert_eq!(told(&file(&twice, &[])), [line]);
}

#[test]
fn an_issuer_that_nobody_comes_from_is_no_flaw_and_is_told() {
    let warned = |callers: &[(&str, &str)]| {
        let declared = examine(file(ACME, callers), &|_| Err(String::new())).unwrap();
        declared.warnings.iter().map(|flaw| format!("{}: {}", flaw.at, flaw.what)).collect::<Vec<_>>()
    };
    assert_eq!(warned(&[]), ["issuers.acme: no caller is known by tokens of this issuer"]);
    assert_eq!(warned(&[("dev", "issuer: acme, human: sub, match: { k: v }")]), [""; 0]);
}

/// A point of P-256 that everybody knows: where it begins (SEC 2 §2.4.2).
const X: &str = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY";
const Y: &str = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";

#[test]
fn keys_are_pinned_by_a_file_that_holds_only_public_ones() {
    let public =
        format!(r#"{{ "keys": [{{ "kty": "EC", "crv": "P-256", "kid": "a", "x": "{X}", "y": "{Y}" }}] }}"#);
    let files = |path: &str| match path {
        "keys/acme.json" => Ok(public.as_bytes().to_vec()),
        "acme.yaml" => Ok(format!("keys: [{{ kty: EC, crv: P-256, x: {X}, y: {Y} }}]").into_bytes()),
        "weak.json" => Ok(br#"{ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB" }] }"#.to_vec()),
        "none.json" => Ok(br#"{ "keys": [] }"#.to_vec()),
        "list.json" => Ok(br#"[{ "kty": "EC" }]"#.to_vec()),
        "odd.json" => Ok(br#"{ "keys": ["a"] }"#.to_vec()),
        "private.json" => Ok(br#"{ "keys": [{ "kty": "EC", "d": "d" }] }"#.to_vec()),
        "shared.json" => Ok(br#"{ "keys": [{ "kty": "oct", "k": "k" }] }"#.to_vec()),
        "broken.json" => Ok(b"{ keys".to_vec()),
        _ => Err("it is not there".to_owned()),
    };
    let with = |path: &str| file(&ACME.replace(" }", &format!(", algs: [ES256], keys: '{path}' }}")), &[]);
    let check = |path: &str, expected: &str| {
        let expected = [format!("issuers.acme.keys: {expected}")];
        for found in [read_beside(with(path), &files), examine(with(path), &files)] {
            assert_eq!(shown(found), expected, "{path}");
        }
    };
    let declared = read_beside(with("./keys/acme.json"), &files).unwrap();
    assert!(declared.keys["acme"].find(Some("a"), Alg::ES256).is_some());
    assert!(read_beside(with("acme.yaml"), &files).is_ok());
    for path in ["none.json", "list.json", "odd.json"] {
        check(path, "this file holds no JWKS");
    }
    for path in ["private.json", "shared.json"] {
        check(path, "a key in this file is secret, and nobody but the issuer may have it");
    }
    let unfit = "none of the keys in this file can be used for what the issuer's `algs` name";
    check("weak.json", unfit);
    let other = with("acme.yaml").replace("algs: [ES256]", "algs: [RS256]");
    assert_eq!(shown(read_beside(other, &files)), [format!("issuers.acme.keys: {unfit}")]);
    check("lost.json", "`lost.json` cannot be read: it is not there");
    check("../up.json", "this path leads above the configuration");
    check("https://id.acme.dev/keys.json", "only a file can be named here");
    let broken = shown(read_beside(with("broken.json"), &files));
    assert!(broken[0].starts_with("issuers.acme.keys: `broken.json`: this is no JSON"), "{broken:?}");
    // What is pinned is not fetched, so its host need not be out there.
    let private = with("acme.yaml").replace("https://id.acme.dev", "https://id.internal");
    assert_eq!(shown(read_beside(private, &files)), [""; 0]);
}
