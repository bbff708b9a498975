//! The recipes whose token is fetched or signed: what is missing, what is
//! there in vain, and what would go over an open network.

use super::{GOOD, told};
use crate::config::build::Blueprint;
use crate::config::read;

const OAUTH2: &str =
    "oauth2: { token_url: 'https://auth.example.com/token', client_id: me, client_secret: github.secret }";
const JWT: &str = "jwt: { key: bot, issuer: { secret: github.mail }, claims: { scope: a, n: 3 }, \
     exchange: { token_url: 'https://auth.example.com/token' } }";
const APP: &str = "github_app: { app_id: 123, installation_id: 456, private_key: bot, \
     repositories: [hello], permissions: { contents: read } }";

fn with(recipe: &str) -> String {
    GOOD.replace("{ bearer: github.token }", &format!("{{ {recipe} }}"))
}

/// What is said of a recipe, without the way to it.
fn said(recipe: &str) -> Vec<String> {
    let way = "upstreams.github.credential.";
    told(&with(recipe))
        .into_iter()
        .map(|flaw| flaw.strip_prefix(way).map(str::to_owned).unwrap_or(flaw))
        .collect()
}

#[test]
fn good_recipes_can_be_built_and_want_their_secrets() {
    let check = |recipe: &str, expected: &[&str]| {
        assert_eq!(said(recipe), Vec::<String>::new(), "{recipe}");
        let plan = Blueprint::new(read(with(recipe)).unwrap()).unwrap();
        let wanted = plan.wanted.iter().map(|wanted| format!("{} {:?}", wanted.reference, wanted.slot));
        // The other upstream's stands in a path.
        let own: Vec<String> = wanted.filter(|wanted| wanted != "bot Url").collect();
        assert_eq!(own, expected, "{recipe}");
    };
    check(OAUTH2, &["github.secret Url"]);
    let post = OAUTH2.replace("client_id: me", "client_id: { secret: github.id }, style: post");
    check(&post, &["github.id Url", "github.secret Url"]);
    let refresh =
        OAUTH2.replace("client_id", "grant: refresh_token, refresh_token: github.refresh, client_id");
    check(&refresh, &["github.secret Url", "github.refresh Url"]);
    let keyed = OAUTH2
        .replace("client_secret: github.secret", "style: private_key_jwt, key: bot, alg: ES256, key_id: 7");
    check(&keyed, &["bot Signer(ECDSA_NISTP256_SHA256)"]);
    let purpose = "scope: [a, 'b:c'], audience: x, resource: 'https://api.example.com', client_id";
    check(&OAUTH2.replace("client_id", purpose), &["github.secret Url"]);
    check(JWT, &["bot Signer(RSA_PKCS1_SHA256)", "github.mail Url"]);
    check(
        "jwt: { key: bot, issuer: me, alg: ES256, audience: them, lifetime: 20m }",
        &["bot Signer(ECDSA_NISTP256_SHA256)"],
    );
    check(APP, &["bot Signer(RSA_PKCS1_SHA256)"]);
    let elsewhere = APP.replace("456", "{ secret: github.where }");
    check(&elsewhere, &["bot Signer(RSA_PKCS1_SHA256)", "github.where Url"]);
}

#[test]
fn one_mistake_is_one_flaw() {
    let check = |good: &str, old: &str, new: &str, expected: &str| {
        assert_eq!(said(&good.replace(old, new)), [expected], "{new}");
    };
    let place = "oauth2.token_url: it is not said where tokens are had";
    check(OAUTH2, "token_url: 'https://auth.example.com/token', ", "", place);
    let open = "oauth2.token_url: the credential would cross the network in the clear";
    check(OAUTH2, "https://auth", "http://auth", open);
    check(OAUTH2, "auth.example.com", "10.0.0.7", "oauth2.token_url: this host is in a private network");
    check(OAUTH2, "auth.example.com", "localhost", "oauth2.token_url: this host is in a private network");
    check(OAUTH2, "/token'", "/token#a'", "oauth2.token_url: a token endpoint has no fragment");
    check(OAUTH2, "client_id: me, ", "", "oauth2.client_id: a value is missing here");
    check(OAUTH2, ", client_secret: github.secret", "", "oauth2.client_secret: a secret is missing here");
    let unknown = "oauth2.client_secret: this is none of the `secrets` of the file";
    check(OAUTH2, "github.secret", "gitlab.secret", unknown);
    let vain = "oauth2.key: no assertion is signed here";
    check(OAUTH2, "client_secret: github.secret", "key: bot", vain);
    check(
        OAUTH2,
        "client_id",
        "assertion_audience: x, client_id",
        "oauth2.assertion_audience: no assertion is signed here",
    );
    check(
        OAUTH2,
        "client_id",
        "style: private_key_jwt, key: bot, client_id",
        "oauth2.client_secret: a client with a key sends no secret",
    );
    check(
        OAUTH2,
        "client_secret: github.secret",
        "style: private_key_jwt",
        "oauth2.key: a secret is missing here",
    );
    check(
        OAUTH2,
        "client_id",
        "refresh_token: bot, client_id",
        "oauth2.refresh_token: this grant needs no refresh token",
    );
    check(
        OAUTH2,
        "client_id",
        "grant: refresh_token, client_id",
        "oauth2.refresh_token: a secret is missing here",
    );
    check(OAUTH2, "client_id", "grant: password, client_id", "oauth2.grant: this word is not known here");
    check(OAUTH2, "client_id", "scope: 'a\"b', client_id", "oauth2.scope: this is no scope");
    check(OAUTH2, "client_id", "scope: [a, ''], client_id", "oauth2.scope[1]: this is no scope");
    check(
        OAUTH2,
        "client_id",
        "resource: api, client_id",
        "oauth2.resource: a resource is an absolute URI without a fragment",
    );
    check(OAUTH2, "client_id", "sope: a, client_id", "oauth2.sope: `sope` is not known here");
    check(JWT, "key: bot, ", "", "jwt.key: a secret is missing here");
    check(JWT, "issuer: { secret: github.mail }, ", "", "jwt.issuer: a value is missing here");
    check(
        JWT,
        "{ secret: github.mail }",
        "{ secret: bot, format: x }",
        "jwt.issuer.format: it is not said where the secret goes",
    );
    check(JWT, "key: bot", "key: bot, alg: HS256", "jwt.alg: this word is not known here");
    check(JWT, "key: bot", "key: bot, subject: ''", "jwt.subject: a value is missing here");
    check(JWT, "scope: a", "iss: me", "jwt.claims.iss: this claim is written here already");
    let long = "jwt.lifetime: no verifier takes an assertion that holds so long or so short";
    check(JWT, "key: bot", "key: bot, lifetime: 2d", long);
    check(JWT, "key: bot", "key: bot, lifetime: 500ms", long);
    check(
        JWT,
        "token_url: 'https://auth.example.com/token'",
        "",
        "jwt.exchange.token_url: it is not said where tokens are had",
    );
    check(APP, "app_id: 123, ", "", "github_app.app_id: a value is missing here");
    check(
        APP,
        "installation_id: 456",
        "installation_id: me/456",
        "github_app.installation_id: an installation's id is a number",
    );
    check(APP, ", private_key: bot", "", "github_app.private_key: a secret is missing here");
    check(APP, "[hello]", "[me/hello]", "github_app.repositories[0]: this is no name of a repository");
    check(APP, "[hello]", "[]", "github_app.repositories: the token would be for no repository");
    check(APP, "{ contents: read }", "{}", "github_app.permissions: the token would permit nothing");
    check(
        APP,
        "contents: read",
        "contents: all",
        "github_app.permissions.contents: GitHub knows no such permission",
    );
    check(
        APP,
        "app_id",
        "api_url: 'http://ghe.example.com', app_id",
        "github_app.api_url: the credential would cross the network in the clear",
    );
}

/// The key itself where its name belongs, in every field.
#[test]
fn a_pasted_secret_is_told_and_never_repeated() {
    let key = format!("{}_{}", "ghp", "x".repeat(36));
    let check = |good: &str, old: &str, new: &str| {
        let text = with(&good.replace(old, &new.replace("KEY", &key)));
        let flaws = crate::config::tests::flaws(&text);
        assert!(!flaws.is_empty() && !format!("{flaws:?}").contains(&key), "{new}: {flaws:?}");
    };
    check(OAUTH2, "client_id: me", "client_id: KEY");
    check(OAUTH2, "github.secret", "KEY");
    check(OAUTH2, "client_id", "grant: refresh_token, refresh_token: KEY, client_id");
    check(OAUTH2, "client_id", "style: KEY, client_id");
    check(JWT, "key: bot", "key: KEY");
    check(JWT, "scope: a", "token: KEY");
    check(JWT, "{ secret: github.mail }", "{ secret: KEY }");
    check(APP, "private_key: bot", "private_key: KEY");
    check(APP, "app_id: 123", "app_id: KEY");
}

#[test]
fn what_an_upstream_dares_its_token_endpoint_may_dare_too() {
    let dares = "dangerous_plain_http: true, dangerous_private_network: true, url: 'https://api.github.com'";
    let text = with(&OAUTH2.replace("https://auth.example.com", "http://127.0.0.1:8080"));
    let text = text.replace("url: 'https://api.github.com'", dares);
    assert_eq!(told(&text), Vec::<String>::new());
    let plan = Blueprint::new(read(&text).unwrap()).unwrap();
    assert!(plan.private_hosts.contains("127.0.0.1") && plan.private_hosts.contains("api.github.com"));
}
