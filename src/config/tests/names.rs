//! Names of parameters and headers that are written differently, and that
//! upstreams read as one.

use super::{GOOD, told};

/// What is said of a route to an upstream with these fields beside its URL.
fn beside(upstream: &str, request: &str) -> Vec<String> {
    let url = "url: 'https://api.example.com'";
    let file = GOOD.replace(url, &format!("{url}, {upstream}"));
    let route = format!("GET /b: {{ allow: [website], upstream: open, request: {{ {request} }} }}");
    told(&format!("{file}  {route}\n"))
}

#[test]
fn a_parameter_that_upstreams_read_as_the_credentials_is_a_flaw() {
    let check = |name: &str, expected: &[&str]| {
        let credential = "credential: { query: { name: api_key, value: { secret: bot } } }";
        assert_eq!(beside(credential, &format!("query: ['{name}']")), expected, "{name}");
    };
    let taken = ["routes.GET /b.request.query[0]: the upstream's credential is sent in this parameter"];
    check("api_key", &taken);
    check("API_KEY", &taken);
    check("api_key[]", &taken);
    check("Api_Key[]", &taken);
    check("api_key2", &[]);
    check("api-key", &[]);
    let two = |first: &str, second: &str| {
        let recipe = |name: &str| format!("{{ query: {{ name: '{name}', value: {{ secret: bot }} }} }}");
        beside(&format!("credential: [{}, {}]", recipe(first), recipe(second)), "")
    };
    let same = ["upstreams.open.credential[1]: another recipe of this list writes the same place"];
    assert_eq!(two("api_key", "API_KEY"), same);
    assert_eq!(two("api_key[]", "api_key"), same);
    assert_eq!(two("api_key", "api_secret"), [""; 0]);
}

#[test]
fn headers_that_upstreams_read_as_one_are_compared_as_one() {
    let header = |name: &str| format!("{{ header: {{ name: {name}, value: {{ secret: bot }} }} }}");
    let token = format!("credential: {}", header("x-api-token"));
    let check = |upstream: &str, names: &str, expected: &[&str]| {
        assert_eq!(beside(upstream, &format!("headers: [{names}]")), expected, "{upstream}, {names}");
    };
    let taken = ["routes.GET /b.request.headers[0]: the upstream's credential is sent in this header"];
    check(&token, "x_api_token", &taken);
    check(&token, "X-Api-Token", &taken);
    check(&token, "x-api-tokens", &[]);
    check(&format!("credential: {}", header("x_api_token")), "x-api-token", &taken);
    check(
        "headers: { x-version: '2' }",
        "x_version",
        &["routes.GET /b.request.headers[0]: the upstream's `headers` set this one"],
    );
    check("headers: { x-version: '2' }", "x-version", &[]);
    check(
        &format!("{token}, headers: {{ x_api_token: '1' }}"),
        "",
        &["upstreams.open.credential: `headers` of this upstream sets the same header"],
    );
    check(
        &format!("credential: [{}, {}]", header("x-api-token"), header("x_api_token")),
        "",
        &["upstreams.open.credential[1]: another recipe of this list writes the same place"],
    );
    check(
        "headers: { x-a: '1', x_a: '2' }",
        "",
        &["upstreams.open.headers.x_a: this header stands here twice, in other letters"],
    );
    check(
        "headers: { x_api_key: '1' }",
        "",
        &["upstreams.open.headers.x_api_key: this header proves who we are"],
    );
}

#[test]
fn a_header_that_never_crosses_does_not_cross_with_underscores() {
    let names = "x_forwarded_for, x_http_method_override, x_api_key, transfer_encoding, if_range";
    assert_eq!(
        beside("retries: 0", &format!("headers: [{names}]")),
        [
            "routes.GET /b.request.headers[0]: this header could make the upstream read another request than was checked, and never goes there",
            "routes.GET /b.request.headers[1]: this header could make the upstream read another request than was checked, and never goes there",
            "routes.GET /b.request.headers[2]: what callers prove themselves with to us never goes upstream",
            "routes.GET /b.request.headers[3]: this header belongs to one connection, and never goes upstream",
            "routes.GET /b.request.headers[4]: two halves of an echoed secret would pass the guard",
        ]
    );
}

#[test]
fn an_upstream_is_not_asked_for_what_the_guard_cannot_judge() {
    let check = |name: &str, expected: &str| {
        let own = beside(&format!("headers: {{ {name}: x }}"), "");
        assert_eq!(own, [format!("upstreams.open.headers.{name}: {expected}")]);
        let recipe = format!(
            "credential: {{ header: {{ name: {name}, value: {{ secret: bot, format: 'a={{}}' }} }} }}"
        );
        assert_eq!(beside(&recipe, ""), [format!("upstreams.open.credential.header.name: {expected}")]);
    };
    check("accept-encoding", "the guard must read what comes back, so we ask for it unpacked");
    check("Accept_Encoding", "the guard must read what comes back, so we ask for it unpacked");
    check("range", "a part of an answer could pass the guard with half of an echoed secret");
    check("If-Range", "a part of an answer could pass the guard with half of an echoed secret");
}
