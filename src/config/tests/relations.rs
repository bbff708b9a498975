//! How the parts of the file fit together: one mistake, one flaw.

use super::{GOOD, told};

/// What is said when lines are added to the good file.
fn added(lines: &str) -> Vec<String> {
    told(&format!("{GOOD}{lines}"))
}

#[test]
fn each_relation_is_checked() {
    let check =
        |old: &str, new: &str, expected: &str| assert_eq!(told(&GOOD.replace(old, new)), [expected], "{new}");
    check("github: countersign/github", "git hub: x, github: y", "secrets.git hub: this is no name");
    check(
        "countersign/github",
        "'a b'",
        "secrets.github: this is no name of a secret in AWS Secrets Manager",
    );
    check("'^[0-9]+:'", "'^1', refresh: 0s", "secrets.bot.refresh: nothing happens in no time");
    check("'^[0-9]+:'", "'('", "secrets.bot.expect: this is no regular expression");
    check("id: countersign/bot, ", "", "secrets.bot.id: it is not said where this secret is kept");
    check(
        "https://api.github.com",
        "http://api.github.com",
        "upstreams.github.url: the credential would cross the network in the clear",
    );
    for host in [
        "10.1.2.3",
        "localhost",
        "a.internal",
        "LOCALHOST.",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "0x7f.1",
        "2130706433",
        "printer.local",
    ] {
        check("api.github.com", host, "upstreams.github.url: this host is in a private network");
    }
    check(
        "{ bearer: github.token }",
        "{ bearer: githubb.token }",
        "upstreams.github.credential.bearer: this is none of the `secrets` of the file",
    );
    check(
        "{ bearer: github.token }",
        "[{ bearer: github.token }, { basic: { username: a, password: { secret: bot } } }]",
        "upstreams.github.credential[1]: another recipe of this list writes the same place",
    );
    check(
        "{ bearer: github.token }",
        "{ basic: { username: a, password: b } }",
        "upstreams.github.credential.basic: a user name and a password without a secret prove nothing",
    );
    check(
        "{ bearer: github.token }",
        "{ basic: { username: 'a:b', password: { secret: bot } } }",
        "upstreams.github.credential.basic.username: a user name cannot hold a colon",
    );
    check(
        "{ bearer: github.token }",
        "{ header: { name: Host, value: { secret: bot } } }",
        "upstreams.github.credential.header.name: the connection says this for itself",
    );
    check(
        "{ bearer: github.token }",
        "{ header: { name: X-K, value: { secret: bot, format: '{}{}' } } }",
        "upstreams.github.credential.header.value.format: it is not said where the secret goes",
    );
    check(
        "{ bearer: github.token }",
        "{ header: { name: X-K, value: { secret: bot } } }, headers: { x-k: '1' }",
        "upstreams.github.credential: `headers` of this upstream sets the same header",
    );
    check(
        "{ bearer: github.token }",
        "{ bearer: github.token }, headers: { Authorization: x }",
        "upstreams.github.headers.Authorization: this header proves who we are",
    );
    check("plan: public", "plan: pubic", "callers.website.plan: this is none of the `plans` of the file");
    check(
        "anonymous: true",
        "anonymous: false",
        "callers.website.anonymous: it is not said how these callers are known",
    );
    check("burst: 10, ", "", "plans.public.burst: API Gateway throttles by rate and burst together");
    check("10000/day", "10000/hour", "plans.public.quota: this is no quota");
    check(
        "upstream: github }",
        "upstream: gihtub }",
        "routes.GET /a.upstream: this is none of the `upstreams` of the file",
    );
    check(
        "/bot{token}/",
        "/bot/",
        "routes.POST /send.path: the upstream's credential has no place in this path",
    );
    check(
        "GET /a:",
        "GET /a/{x}: { allow: [website], upstream: open, path: '/{y}' }\n  GET /a:",
        "routes.GET /a/{x}.path: `{y}` has no value here",
    );
    check(
        "GET /a:",
        "GET /café: { allow: [website], upstream: open }\n  GET /a:",
        "routes.GET /café.path: an upstream's path is sent as written",
    );
}

#[test]
fn each_rule_of_a_route_is_checked() {
    let check = |route: &str, expected: &[&str]| {
        let found: Vec<String> = added(&format!("  {route}\n"));
        assert_eq!(found, expected, "{route}");
    };
    let open = "allow: [website], upstream: open";
    check(&format!("GET /b: {{ {open} }}"), &[]);
    check(&format!("ANY /a: {{ {open} }}"), &[]);
    check(&format!("HEAD /a: {{ {open} }}"), &[]);
    check(
        &format!("GET  /a: {{ {open} }}"),
        &["routes.GET  /a: this route matches the same requests as `GET /a` in line 10"],
    );
    check(&format!("PST /b: {{ {open} }}"), &["routes.PST /b: `PST` is no method a route can have"]);
    check(
        &format!("GET /b: {{ {open}, methods: [GET] }}"),
        &["routes.GET /b.methods: `methods` narrows `ANY`, and this route has its one method"],
    );
    check(&format!("ANY /b: {{ {open}, methods: [] }}"), &["routes.ANY /b.methods: the route has no method"]);
    check(
        &format!("GET /b: {{ {open}, timeout: 16m }}"),
        &["routes.GET /b.timeout: a function on Lambda ends after 15 minutes"],
    );
    check(
        &format!("GET /b: {{ {open}, encoded_slash: drop }}"),
        &["routes.GET /b.encoded_slash: this word is not known here"],
    );
    check(
        &format!("GET /b: {{ {open}, request: {{ max_bytes: 7MiB }} }}"),
        &["routes.GET /b.request.max_bytes: a function on Lambda neither gets nor answers more than 6 MiB"],
    );
    check(
        &format!("GET /b: {{ {open}, request: {{ content_types: [json, a/*, '*/*'] }} }}"),
        &[
            "routes.GET /b.request.content_types[0]: this is no media type",
            "routes.GET /b.request.content_types[2]: this is no media type",
        ],
    );
    check(
        &format!("GET /b: {{ {open}, request: {{ headers: [range, cookie, te, x-real-ip] }} }}"),
        &[
            "routes.GET /b.request.headers[0]: two halves of an echoed secret would pass the guard",
            "routes.GET /b.request.headers[1]: what callers prove themselves with to us never goes upstream",
            "routes.GET /b.request.headers[2]: this header belongs to one connection, and never goes upstream",
            "routes.GET /b.request.headers[3]: this header could make the upstream read another request than was checked, and never goes there",
        ],
    );
    check(&format!("GET /b: {{ {open}, dangerous_range: true, request: {{ headers: [range] }} }}"), &[]);
    check(
        &format!("GET /b: {{ {open}, response: {{ headers: [set-cookie] }} }}"),
        &[
            "routes.GET /b.response.headers[0]: what the upstream says about cookies, connections and origins never comes back",
        ],
    );
    check(&format!("GET /b: {{ {open}, response: {{ cache: 60s }} }}"), &[]);
    check(&format!("ANY /b: {{ {open}, methods: [GET, PUT], response: {{ cache: 1d }} }}"), &[]);
    for route in ["POST /b", "HEAD /b"] {
        check(
            &format!("{route}: {{ {open}, response: {{ cache: 60s }} }}"),
            &[&format!(
                "routes.{route}.response.cache: only answers to GET are kept, and this route serves none"
            )],
        );
    }
    check(
        &format!(
            "ANY /b: {{ {open}, methods: [PUT], dangerous_range: true, response: {{ cache: 1500ms }} }}"
        ),
        &[
            "routes.ANY /b.response.cache: a part of an answer cannot be had from what is kept",
            "routes.ANY /b.response.cache: only answers to GET are kept, and this route serves none",
            "routes.ANY /b.response.cache: this is counted in whole seconds",
        ],
    );
    check(
        &format!("GET /b: {{ {open}, response: {{ cache: 25h }} }}"),
        &["routes.GET /b.response.cache: no environment of a function lives that long"],
    );
    check("GET /b: { allow: [], upstream: open }", &["routes.GET /b.allow: nobody may call this route"]);
    check(
        "GET /b:",
        &[
            "routes.GET /b.allow: nobody may call this route",
            "routes.GET /b.upstream: it is not said where this route leads",
        ],
    );
}

#[test]
fn a_path_that_no_request_could_reach_is_a_flaw() {
    let check = |path: &str, expected: &[&str]| {
        let route = format!("  GET /b/{{x}}: {{ allow: [website], upstream: open, path: '{path}' }}\n");
        assert_eq!(added(&route), expected, "{path}");
    };
    let moved =
        ["routes.GET /b/{x}.path: no call could be sent: a URL parser reads another path out of this one"];
    check("/a/%2e%2e/b", &moved);
    check("/a/.%2E/{x}", &moved);
    check("/%2e", &moved);
    check("/a%2eb/{x}", &[]);
    check("/a/%2e%2e%2e/{x}/", &[]);
}

#[test]
fn a_preflight_is_remembered_for_whole_seconds() {
    let check = |age: &str, expected: &[&str]| {
        let cors = format!("cors: {{ origins: ['https://a.example'], max_age: {age} }}\nroutes:\n");
        assert_eq!(told(&GOOD.replace("routes:\n", &cors)), expected, "{age}");
    };
    let fraction = ["cors.max_age: browsers count this in whole seconds"];
    check("500ms", &fraction);
    check("1500ms", &fraction);
    check("1s", &[]);
    check("2000ms", &[]);
    check("30d", &[]);
}

#[test]
fn paths_that_match_alike_name_their_parameters_alike() {
    let two = |first: &str, second: &str| {
        let open = "{ allow: [website], upstream: open, path: /x }";
        added(&format!("  {first}: {open}\n  {second}: {open}\n"))
    };
    assert_eq!(two("GET /r/{a}", "POST /r/{a}"), [""; 0]);
    assert_eq!(
        two("GET /r/{a}", "POST /r/{b}"),
        ["routes.POST /r/{b}: this path is that of `GET /r/{a}` in line 12, with other names"]
    );
    assert_eq!(
        two("GET /r/{a}", "GET /r/{b}"),
        ["routes.GET /r/{b}: this route matches the same requests as `GET /r/{a}` in line 12"]
    );
    assert_eq!(two("GET /r/{a}", "GET /r/{a+}"), [""; 0]);
}

#[test]
fn what_reshapes_an_answer_fits_together() {
    let route = "  GET /b: { allow: [website], upstream: github";
    let check = |more: &str, expected: &[&str]| {
        let found = added(&format!("{route}, {more} }}\n"));
        let wanted: Vec<String> = expected.iter().map(|flaw| format!("routes.GET /b.{flaw}")).collect();
        assert_eq!(found, wanted, "{more}");
    };
    check("response: { errors: transform, transform: . }", &[]);
    check(
        "response: { errors: transform }",
        &["response.errors: there is no `transform` for them to go through"],
    );
    check(
        "dangerous_range: true, response: { transform: '{a}' }",
        &["dangerous_range: a part of an answer cannot be read"],
    );
    check(
        "request: { transform: ., content_types: [application/json, image/png, application/*] }",
        &["request.content_types[1]: the route must read its bodies, and cannot read this type"],
    );
    check("request: { content_types: [image/png] }", &[]);
    check("response: { cache: 5s, transform: '{p: $request.query.p}' }", &[]);
    check(
        "request: { headers: any }, response: { cache: 5s }",
        &["response.cache: any header may shape the answers that are kept"],
    );
    check("response: { stream: true, transform: .a }", &[]);
    for (more, name) in
        [("schema: {}", "schema"), ("rewrite_urls: true", "rewrite_urls"), ("cache: 5s", "cache")]
    {
        let what = "a body that passes as it arrives is never there as a whole, as";
        check(
            &format!("response: {{ stream: true, {more} }}"),
            &[&format!("response.stream: {what} `{name}` needs it")],
        );
    }
    check(
        "response: { cache: 5s, transform: '{p: $request.headers.p}' }",
        &["response.cache: the program sees the request's headers, which kept answers are not told apart by"],
    );
    check(
        "dangerous_range: true, response: { rewrite_urls: true }",
        &["dangerous_range: a part of an answer cannot be read"],
    );
}

#[test]
fn a_meter_has_a_name_that_a_metric_can_have_and_a_program() {
    let route = "  GET /b: { allow: [website], upstream: github, response: { meter:";
    let check = |meters: &str, expected: &[&str]| {
        let text = format!("{GOOD}{route} {meters} }} }}\n");
        let flaws = crate::config::examine(&text, &|_| Err(String::new())).err().unwrap_or_default();
        let told = flaws.iter().map(|flaw| format!("{}: {}", flaw.at, flaw.what));
        let wanted: Vec<String> =
            expected.iter().map(|flaw| format!("routes.GET /b.response.meter{flaw}")).collect();
        assert_eq!(told.collect::<Vec<_>>(), wanted, "{meters}");
    };
    check("{}", &[]);
    check("{ tokens: .usage.total_tokens, a_1: '$status + ($request.query.n | tonumber)' }", &[]);
    check(&format!("{{ {}: . }}", "a".repeat(31)), &[]);
    let long = "a".repeat(32);
    for name in ["Tokens", "1a", "_a", "a-b", "a.b", "ä", long.as_str()] {
        check(&format!("{{ '{name}': . }}"), &[&format!(".{name}: this is no name of a meter")]);
    }
    check("{ a: '.a |' }", &[".a: the program ends where term is wanted"]);
    check("{ a: $env }", &[".a: no variable `$env` is known here"]);
    check("{ a: [1] }", &[".a: a list stands here, where text is wanted"]);
    let nine: Vec<String> = (0..9).map(|at| format!("a{at}: .")).collect();
    check(&format!("{{ {} }}", nine[1..].join(", ")), &[]);
    check(&format!("{{ {} }}", nine.join(", ")), &[": each meter is metrics that cost money"]);
    let route = "  GET /b: { allow: [website], upstream: github, dangerous_range: true, response:";
    let found = added(&format!("{route} {{ meter: {{ a: . }} }} }}\n"));
    assert_eq!(found, ["routes.GET /b.dangerous_range: a part of an answer cannot be read"]);
    assert_eq!(added("audit: { metrics: false }\n"), [""; 0]);
}

#[test]
fn only_who_calls_and_a_routes_condition_can_be_observed() {
    let check = |old: &str, new: &str, expected: &[&str]| {
        assert_eq!(told(&GOOD.replace(old, new)), expected, "{new}");
    };
    let route = "GET /a: { allow: [website]";
    let with = |more: &str| format!("{route}, {more}");
    check(route, &with("when: { program: 'true', observe: true }"), &[]);
    check(route, &with("when: { program: 'true' }"), &[]);
    check(route, &with("when: 'true'"), &[]);
    let nothing = "routes.GET /a.when.program: it is not said what must hold";
    check(route, &with("when: { observe: true }"), &[nothing]);
    check(route, &with("when: {}"), &[nothing]);
    check(
        "anonymous: true",
        "anonymous: true, observe: true",
        &["callers.website.observe: anybody is let in here already, so there is no denial to observe"],
    );
    check(
        "anonymous: true",
        "observe: true",
        &["callers.website.anonymous: it is not said how these callers are known"],
    );
    let stays = |at: &str| format!("{at}.observe: this cannot be observed: what it denies stays denied");
    check(route, &with("observe: true"), &[&stays("routes.GET /a")]);
    check(route, &with("request: { observe: true }"), &[&stays("routes.GET /a.request")]);
    check("version: 1", "version: 1\ncors: { origins: ['*'], observe: true }", &[&stays("cors")]);
    check("{ rate: 5,", "{ observe: true, rate: 5,", &[&stays("plans.public")]);
    check(
        "{ bearer: github.token }",
        "[{ when: 'true', bearer: github.token, observe: true }]",
        &[&stays("upstreams.github.credential[0]")],
    );
}
