//! Bodies that are reshaped, both ways: what the upstream gets, what the
//! caller gets, and what happens where a program or a body is not as it should be.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::upstream::say;
use crate::world::{APP, CANARY, Setup, World};

const FORM: &str = "application/x-www-form-urlencoded";

/// What the upstream got of a body that was posted with this type.
async fn sent(request: &str, content_type: &str, body: &str) -> (String, Vec<String>, Bytes) {
    let world = World::new(&format!("POST /a: {{ {{open}}, request: {request} }}")).await;
    let mut ask = world.post("/a?page=2").from(APP).body(body.to_owned());
    if !content_type.is_empty() {
        ask = ask.header("content-type", content_type);
    }
    let verdict = ask.send().await.verdict();
    let seen = world.upstream.seen();
    let last = seen.last();
    (
        verdict,
        last.map(|seen| seen.all("content-type")).unwrap_or_default(),
        last.map(|s| s.body.clone()).unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_body_goes_up_as_its_program_makes_it() {
    let json = "application/json";
    for (request, content_type, body, expected) in [
        (
            "{ transform: '{properties: {email, firstname: .name}}' }",
            json,
            r#"{"email":"e","name":"n"}"#,
            r#"{"properties":{"email":"e","firstname":"n"}}"#,
        ),
        ("{ transform: '{email}' }", FORM, "email=a%40b&x=1", r#"{"email":"a@b"}"#),
        (
            "{ transform: '{who: $request.caller.class, page: $request.query.page, m: $request.method}', query: [page] }",
            json,
            "{}",
            r#"{"who":"website","page":"2","m":"POST"}"#,
        ),
        (
            "{ transform: '{n: .n}' , query: [page] }",
            "Application/Vnd.X+JSON; charset=utf-8",
            r#"{"n":12345678901234567890.10}"#,
            r#"{"n":12345678901234567890.10}"#,
        ),
        ("{ transform: '{n: now}' , query: [page] }", "", "", r#"{"n":0.0}"#),
        ("{ encode: form, query: [page] }", json, r#"{"a":{"b":1},"c":["x","y"]}"#, "a[b]=1&c=x&c=y"),
        ("{ encode: json, query: [page] }", FORM, "a=1&b=2&b=3", r#"{"a":"1","b":["2","3"]}"#),
        (
            "{ transform: ., query: [page] }",
            json,
            "{ \"b\": 1e400, \"a\": 1.0 }",
            "{ \"b\": 1e400, \"a\": 1.0 }",
        ),
        ("{ encode: json, query: [page] }", json, " {\"a\":1}", " {\"a\":1}"),
        ("{ transform: ., query: [page] }", "application/json; charset=iso-8859-1", "\"\u{e9}\"", "\"Ã©\""),
    ] {
        let request = if request.contains("query") {
            request.to_owned()
        } else {
            request.replace(" }", ", query: [page] }")
        };
        let (verdict, _, body) = sent(&request, content_type, body).await;
        assert_eq!((verdict.as_str(), std::str::from_utf8(&body).unwrap()), ("200", expected), "{request}");
    }
}

#[tokio::test]
async fn a_reshaped_body_says_what_it_is() {
    let check = async |request: &str, content_type: &str, body: &str, expected: &str| {
        let (verdict, types, _) = sent(request, content_type, body).await;
        assert_eq!((verdict.as_str(), types.concat().as_str()), ("200", expected), "{request}");
    };
    check("{ transform: '{a}', query: [page] }", FORM, "a=1", "application/json").await;
    check("{ transform: '{a}', encode: form, query: [page] }", "application/json", "{}", FORM).await;
    check("{ transform: ., query: [page] }", "application/x+json", "{}", "application/x+json").await;
    check("{ reject_if: 'false', query: [page] }", FORM, "a=1", FORM).await;
    check(
        "{ transform: ., query: [page] }",
        "application/json; charset=latin1",
        "\"\u{e9}\"",
        "application/json",
    )
    .await;
    check(
        "{ reject_if: 'false', query: [page] }",
        "application/x-www-form-urlencoded; charset=latin1",
        "a=%C3%A9",
        FORM,
    )
    .await;
    let parts = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--B--";
    let sent = "multipart/form-data; xboundary=X; boundary=B";
    check("{ reject_if: 'false', query: [page] }", sent, parts, "multipart/form-data; boundary=\"B\"").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_before_anybody_is_called() {
    for (request, content_type, body, expected) in [
        ("transform: '{a}'", "application/json", "{", "400 malformed_body"),
        ("transform: '{a}'", "application/json", r#"{"a":1,"a":2}"#, "400 malformed_body"),
        ("transform: '{a}'", "application/json", "{} {}", "400 malformed_body"),
        ("encode: json", FORM, "a=%ff", "400 malformed_body"),
        ("encode: json", "multipart/form-data; boundary=x", "--y", "400 malformed_body"),
        ("encode: json", "multipart/form-data", "--y", "400 malformed_body"),
        ("transform: '{a}'", "text/plain", "a", "415 content_type_not_allowed"),
        ("transform: '{a}'", "", "{}", "415 content_type_not_allowed"),
        ("transform: '{a}'", "application/json; charset=ebcdic", "{}", "400 malformed_body"),
        ("transform: '.a.b'", "application/json", r#"{"a":1}"#, "400 transform_failed"),
        ("transform: '.[]'", "application/json", "[1,2]", "400 transform_failed"),
        ("transform: 'empty'", "application/json", "{}", "400 transform_failed"),
        ("transform: 'error(\"send an amount\")'", "application/json", "{}", "400 transform_failed"),
        ("transform: '0/0'", "application/json", "{}", "400 transform_failed"),
        ("transform: '[range(1e9)]'", "application/json", "{}", "400 transform_failed"),
        ("encode: form", "application/json", "[1]", "400 transform_failed"),
        ("reject_if: .website != \"\"", FORM, "website=x", "403 condition_not_met"),
        ("reject_if: .website.x", FORM, "website=x", "403 condition_not_met"),
        ("reject_if: 'null'", FORM, "website=x", "403 condition_not_met"),
        ("encode: json", FORM, "role=user&role[]=admin", "400 malformed_body"),
        ("encode: form", "application/json", r#"{"a":{"b":"ok"},"a[b]":"evil"}"#, "400 transform_failed"),
        ("encode: form", "application/json", r#"{"a":"ok","a[]":"evil"}"#, "400 transform_failed"),
    ] {
        let request = format!("{{ {request}, query: [page] }}");
        let (verdict, types, _) = sent(&request, content_type, body).await;
        assert_eq!((verdict.as_str(), types.len()), (expected, 0), "{request} {content_type} {body}");
    }
}

#[tokio::test]
async fn a_program_says_to_the_caller_what_its_author_wrote() {
    let world =
        World::new("POST /a: { {open}, request: { transform: 'if .n then . else error(\"send n\") end' } }")
            .await;
    let answer =
        world.post("/a").from(APP).header("content-type", "application/json").body("{}").send().await;
    assert_eq!(answer.json()["detail"], "send n");
    let answer = world
        .post("/a")
        .from(APP)
        .header("content-type", "application/json")
        .body("[\"private\"]")
        .send()
        .await;
    assert_eq!(answer.verdict(), "400 transform_failed");
    let (record, problem) = (world.record().to_string(), answer.text());
    assert!(!record.contains("private") && !problem.contains("private"), "{record} {problem}");
}

#[tokio::test]
async fn a_packed_body_is_unpacked_within_the_limit() {
    let gzip = |text: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, text).unwrap();
        packer.finish().unwrap()
    };
    let world = World::new("POST /a: { {open}, request: { transform: '{a}' } }\nPOST /b: { {open} }").await;
    let post = |path: &str, coding: &str, body: Vec<u8>| {
        world
            .post(path)
            .from(APP)
            .header("content-type", "application/json")
            .header("content-encoding", coding)
            .body(body)
    };
    for path in ["/a", "/b"] {
        assert_eq!(post(path, "gzip", gzip(b"{\"a\":1}")).send().await.verdict(), "200");
        let seen = world.upstream.seen().pop().unwrap();
        assert_eq!(
            (seen.body.as_ref(), seen.all("content-encoding").len()),
            (&b"{\"a\":1}"[..], 0),
            "{path}"
        );
        assert_eq!(post(path, "gzip", gzip(&[b' '; 2 << 20])).send().await.verdict(), "413 body_too_large");
        assert_eq!(post(path, "gzip", b"no".to_vec()).send().await.verdict(), "400 malformed_body");
        let answer = post(path, "compress", b"x".to_vec()).send().await;
        assert_eq!(answer.verdict(), "415 content_type_not_allowed");
        assert_eq!(answer.header("accept-encoding").as_deref(), Some("gzip, deflate, br, zstd"));
    }
}

#[tokio::test]
async fn a_condition_that_does_not_hold_denies() {
    let check = async |when: &str, target: &str, expected: &str| {
        let world = World::new(&format!(
            "GET /a/{{id}}: {{ {{open}}, path: /x, when: '{when}', request: {{ query: [page] }} }}"
        ))
        .await;
        let answer = world.get(target).from(APP).header("authorization", "Bearer mine").send().await;
        assert_eq!(answer.verdict(), expected, "{when}");
        assert_eq!(world.upstream.seen().len(), usize::from(expected == "200"), "{when}");
    };
    check(".params.id == \"7\"", "/a/7", "200").await;
    check("$request.params.id == \"7\"", "/a/8", "403 condition_not_met").await;
    check(".query.page == \"1\"", "/a/7?page=1", "200").await;
    check(".query.page == \"1\"", "/a/7?page=1&page=1", "403 condition_not_met").await;
    check(".caller.class == \"website\"", "/a/7", "200").await;
    check(".headers.authorization == null", "/a/7", "200").await;
    check(".headers.origin | startswith(\"https://app.\")", "/a/7", "200").await;
    check("1", "/a/7", "403 condition_not_met").await;
    check("true, true", "/a/7", "403 condition_not_met").await;
    check(".params.id.x", "/a/7", "403 condition_not_met").await;
    check("last(repeat(true))", "/a/7", "403 condition_not_met").await;
}

/// What a caller gets of this answer to `GET /a`.
async fn got(
    response: &str,
    status: u16,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> (World, crate::world::Answer) {
    let body = body.into();
    let setup = Setup::routes(&format!("GET /a: {{ {{open}}, response: {response} }}"));
    let script =
        move |_: &_| say(status).with("content-type", content_type).with("etag", "\"1\"").body(body.clone());
    let world = setup.answer(script).start().await;
    let answer = world.get("/a").from(APP).send().await;
    (world, answer)
}

#[tokio::test]
async fn an_answer_comes_down_as_its_program_makes_it() {
    for (response, content_type, body, expected) in [
        (
            "{ transform: 'map({name})' }",
            "application/json; charset=utf-8",
            r#"[{"name":"a","x":1}]"#,
            r#"[{"name":"a"}]"#,
        ),
        (
            "{ transform: '{s: $status, n: .n}' }",
            "application/vnd.x+json",
            r#"{"n":1e400}"#,
            r#"{"s":200,"n":1e400}"#,
        ),
        ("{ transform: .id }", "application/json", "{\"id\":0}\n{\"id\":1}\n", "0\n1\n"),
        ("{ transform: '.id | select(. > 0)' }", "application/x-ndjson", "{\"id\":0}\n{\"id\":1}\n", "1\n"),
        ("{ transform: '{a}' }", "application/json", "", ""),
        ("{ transform: . }", "image/png", "PNG", "PNG"),
        ("{ transform: . }", "application/json", " [ 1.0 ] ", " [ 1.0 ] "),
    ] {
        let (_, answer) = got(response, 200, content_type, body).await;
        assert_eq!((answer.verdict().as_str(), answer.text().as_str()), ("200", expected), "{response}");
    }
}

#[tokio::test]
async fn a_reshaped_answer_says_what_it_is() {
    let (_, answer) = got("{ transform: '{a}' }", 200, "application/vnd.x+json", "{}").await;
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(answer.header("etag").as_deref(), Some("W/\"1\""));
    let (_, answer) = got("{ transform: . }", 200, "application/vnd.x+json", "{}").await;
    assert_eq!(answer.header("content-type").as_deref(), Some("application/vnd.x+json"));
    assert_eq!(answer.header("etag").as_deref(), Some("\"1\""));
    let (_, answer) = got("{ transform: '{a}' }", 304, "application/json", "").await;
    assert_eq!((answer.verdict().as_str(), answer.header("etag").as_deref()), ("304", Some("W/\"1\"")));
}

#[tokio::test]
async fn nothing_passes_around_a_program() {
    for (response, status, content_type, body, expected) in [
        ("{ transform: '{a}' }", 200, "text/html", "<b>", "502 upstream_invalid"),
        ("{ transform: '{a}' }", 200, "application/json", "{", "502 upstream_invalid"),
        ("{ transform: '{a}' }", 200, "application/json", "[1]", "502 upstream_invalid"),
        ("{ transform: '.a, .b' }", 200, "application/json", "{}", "502 upstream_invalid"),
        ("{ transform: '[range(1e9)]' }", 200, "application/json", "{}", "502 upstream_invalid"),
        (
            "{ transform: '[.,.,.]', max_bytes: 20B }",
            200,
            "application/json",
            "\"0123456789\"",
            "502 response_too_large",
        ),
        ("{ transform: '{a}', errors: hide }", 404, "application/json", "{\"b\":1}", "404 upstream_refused"),
        ("{ errors: hide }", 429, "text/html", "<b>", "429 upstream_refused"),
        ("{ transform: '{a}', errors: transform }", 404, "text/html", "<b>", "502 upstream_invalid"),
    ] {
        let (world, answer) = got(response, status, content_type, body).await;
        assert_eq!(answer.verdict(), expected, "{response}");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(APP), "{response}");
        assert_eq!(world.record()["upstream_status"], status, "{response}");
    }
    let (_, answer) =
        got("{ transform: '{a}', errors: transform }", 404, "application/json", "{\"a\":1,\"b\":1}").await;
    assert_eq!((answer.status().as_u16(), answer.text().as_str()), (404, "{\"a\":1}"));
    let (_, answer) = got("{ transform: '{a}' }", 404, "application/json", "{\"b\":1}").await;
    assert_eq!((answer.status().as_u16(), answer.text().as_str()), (404, "{\"b\":1}"));
    let (_, answer) = got("{ transform: '{a}' }", 302, "text/html", "<a href=up>").await;
    assert_eq!((answer.status().as_u16(), answer.text().as_str()), (302, ""));
}

#[tokio::test]
async fn no_program_sees_a_secret() {
    let routes = "GET /a: { {open}, response: { transform: '{l: (.key | length), a: .key}' } }";
    let script =
        |_: &_| say(200).with("content-type", "application/json").body(json!({ "key": CANARY }).to_string());
    let world = Setup::routes(routes).answer(script).start().await;
    let answer = world.get("/a").from(APP).send().await;
    assert_eq!(answer.json(), json!({ "l": 10, "a": "[redacted]" }));
    assert_eq!(world.record()["leak"], true);
}

#[tokio::test]
async fn a_secret_that_shows_only_once_it_was_reshaped_does_not_leave_either() {
    let escaped: String = CANARY.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let script = move |_: &_| {
        say(200).with("content-type", "application/json").body(format!("{{\"a\":\"{escaped}\"}}"))
    };
    let world =
        Setup::routes("GET /a: { {open}, response: { transform: '{a}' } }").answer(script).start().await;
    let answer = world.get("/a").from(APP).send().await;
    assert_eq!(answer.json(), json!({ "a": "[redacted]" }));
    assert_eq!(world.record()["leak"], true);
}

#[tokio::test]
async fn a_condition_of_bodies_is_asked_of_requests_without_one() {
    let world =
        World::new("ANY /a: { {open}, request: { query: [x], reject_if: '$request.query.x == \"bad\"' } }")
            .await;
    assert_eq!(world.get("/a?x=good").from(APP).send().await.verdict(), "200");
    assert_eq!(world.get("/a?x=bad").from(APP).send().await.verdict(), "403 condition_not_met");
    assert_eq!(world.ask("HEAD", "/a?x=bad").from(APP).send().await.status(), 403);
}

#[tokio::test]
async fn many_values_share_the_time_of_one() {
    let body = "0\n".repeat(20_000);
    let (_, answer) = got("{ transform: 'last(range(1; 3))' }", 200, "application/json", body).await;
    assert_eq!((answer.verdict().as_str(), answer.text().len()), ("200", 40_000));
}

#[tokio::test]
async fn urls_in_a_body_lead_to_us_where_a_route_serves_them() {
    let routes = "GET /repos/{name}: { {open}, path: '/repos/{name}', response: { rewrite_urls: true } }\n\
                  POST /hooks: { {open} }";
    let script = |seen: &crate::upstream::Seen| {
        let up = format!("http://{}", seen.all("host").concat());
        let body = json!({ "self": format!("{up}/repos/a%20b"), "all": [format!("{up}/other"), format!("{up}/hooks"), "/repos/x", "see http://x"], "n": 1 });
        say(200).with("content-type", "application/json").body(body.to_string())
    };
    let world = Setup::routes(routes).answer(script).start().await;
    let answer: Value = world.get("/repos/x").from(APP).send().await.json();
    let up = format!("http://{}", world.upstream.address);
    assert_eq!(answer["self"], "https://gate.example/prod/repos/a%20b");
    assert_eq!(
        answer["all"],
        json!([format!("{up}/other"), format!("{up}/hooks"), "/repos/x", "see http://x"])
    );
}

/// It has no guard in it; and it ends by itself, so that this test does not go on for ever.
const STUBBORN: &str = "[range(2500)] | [{a: .[], b: .[]}] | length";

#[tokio::test]
async fn what_does_not_end_when_told_spends_the_environment_once_it_was_answered() {
    let routes = "GET /a: { {open}, response: { transform: 'last(repeat(1))' } }\nGET /b: { {open} }\n\
                  GET /c: { {open}, response: { transform: 'STUBBORN' } }";
    let world = World::new(&routes.replace("STUBBORN", STUBBORN)).await;
    let check = async |path: &str, verdict: &str, spent: bool| {
        assert_eq!(world.get(path).from(APP).send().await.verdict(), verdict, "{path}");
        assert_eq!(world.proxy.is_spent(), spent, "{path}");
    };
    check("/b", "200", false).await;
    check("/a", "502 upstream_invalid", false).await;
    check("/c", "502 upstream_invalid", true).await;
    check("/b", "200", true).await;
}
