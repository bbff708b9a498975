//! Answers that are kept, as callers and the upstream see it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Page, Verdict};
use crate::upstream::{Deed, Misbehaving, Say, Seen, say};
use crate::world::{APP, Answer, CANARY, Setup, World};

const OTHER: &str = "https://other.example.com";

const ROUTES: &str = "\
GET /a: { {open}, request: { query: any, headers: [x-mine] }, response: { cache: 60s, headers: [x-rate] } }
GET /b: { {open}, path: /a, response: { cache: 60s } }
PUT /a: { {open} }
GET /plain: { {open}, path: /a }
ANY /any: { {open}, methods: [GET, POST], path: /a, response: { cache: 60s } }";

fn cors() -> String {
    format!("{{ origins: ['{APP}', '{OTHER}'], max_age: 10m }}")
}

async fn world(script: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> World {
    Setup::routes(ROUTES).cors(&cors()).answer(script).start().await
}

/// An upstream that numbers its answers, each with these headers.
async fn counting(headers: &'static [(&'static str, &'static str)]) -> World {
    let count = AtomicUsize::new(0);
    let script = move |_: &Seen| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let said = say(200).with("content-type", "text/plain").body(number.to_string());
        headers.iter().fold(said, |said, (name, value)| said.with(name, value))
    };
    world(script).await
}

/// What the answer was, and how the record says it came about.
fn told(world: &World, answer: &Answer) -> (String, Value) {
    (answer.text(), world.record()["cache"].clone())
}

#[tokio::test]
async fn the_second_who_asks_gets_what_the_first_got() {
    let world = counting(&[("x-rate", "9"), ("etag", "\"1\"")]).await;
    let first = world.get("/a?q=1").send().await;
    assert_eq!(told(&world, &first), ("1".to_owned(), json!("miss")));
    let record = world.record();
    assert_eq!((&record["upstream"], &record["secrets"]), (&json!("api"), &json!([{ "name": "key" }])));
    let second = world.get("/a?q=1").after(7).send().await;
    assert_eq!(told(&world, &second), ("1".to_owned(), json!("hit")));
    for name in ["content-type", "etag", "x-rate", "cache-control", "vary"] {
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    let told_age = (first.header("age"), second.header("age"), second.header("cache-control"));
    assert_eq!(told_age, (None, Some("7".to_owned()), Some("private, max-age=60".to_owned())));
    let record = world.record();
    for absent in ["upstream", "upstream_status", "upstream_ms"] {
        assert_eq!(record[absent], Value::Null, "{absent}");
    }
    assert_eq!((&record["secrets"], &record["retries"]), (&json!([]), &json!(0)));
    assert_eq!((&record["bytes_out"], &record["status"]), (&json!(1), &json!(200)));
    assert_eq!(world.upstream.seen().len(), 1);
    let third = world.get("/a?q=1").after(60).send().await;
    assert_eq!(told(&world, &third), ("2".to_owned(), json!("miss")));
}

#[tokio::test]
async fn an_answer_is_only_for_what_it_was_made_for() {
    let world = counting(&[("vary", "x-mine, accept")]).await;
    world.get("/a?q=1").header("x-mine", "1").send().await;
    let mut calls = 1;
    let mut check = async |ask: crate::world::Ask<'_>, hit: bool, why: &str| {
        calls += usize::from(!hit);
        ask.send().await;
        assert_eq!(world.upstream.seen().len(), calls, "{why}");
    };
    check(world.get("/a?q=1").header("x-mine", "1"), true, "the same").await;
    check(world.get("/a?q=1").header("x-mine", "1").from(APP), true, "a page").await;
    check(world.get("/a?q=1").header("x-mine", "1").header("accept-language", "de"), true, "no variant")
        .await;
    check(world.get("/a?q=1").header("x-mine", "1").header("x-other", "2"), true, "not sent on").await;
    check(world.get("/a?q=1").header("x-mine", "1").header("accept-encoding", "gzip"), true, "coding").await;
    check(world.get("/a?q=2").header("x-mine", "1"), false, "another query").await;
    check(world.get("/a?q=1&q=1").header("x-mine", "1"), false, "the query twice").await;
    check(world.get("/a").header("x-mine", "1"), false, "no query").await;
    check(world.get("/a?q=1").header("x-mine", "2"), false, "another variant").await;
    check(world.get("/a?q=1").header("x-mine", "2"), true, "the other variant again").await;
    check(world.get("/a?q=1").header("x-mine", "1"), true, "the first variant still").await;
    check(world.get("/a?q=1").header("x-mine", "1").header("x-mine", "2"), false, "a repeat").await;
    check(world.get("/a?q=1").header("x-mine", "1").header("x-mine", "3"), false, "another repeat").await;
    check(world.get("/a?q=1"), false, "without the header").await;
    check(
        world.get("/a?q=1").header("x-mine", "1").reached_at(Some("https://b.example")),
        false,
        "at another address",
    )
    .await;
    check(world.get("/b"), false, "another route, the same upstream's path").await;
    check(world.get("/plain"), false, "a route without a cache").await;
    check(world.get("/plain"), false, "a route without a cache").await;
    check(world.get("/a?q=1").header("x-mine", "1").body("x"), false, "with a body").await;
    check(world.get("/a?q=1").header("x-mine", "1").header("if-match", "\"1\""), false, "for the origin")
        .await;
}

/// Nothing proves who callers are yet, so one cache serves two files that call them differently.
#[tokio::test]
async fn classes_of_callers_share_nothing() {
    let routes = "GET /a: { allow: [members], upstream: api, response: { cache: 60s } }";
    let count = AtomicUsize::new(0);
    let script = move |_: &Seen| say(200).body(count.fetch_add(1, Ordering::SeqCst).to_string());
    let mut world = Setup::routes(routes).answer(script).start().await;
    let mut other = Setup::routes(&routes.replace("members", "website")).start().await;
    world.get("/a").send().await;
    std::mem::swap(&mut world.proxy.cache, &mut other.proxy.cache);
    other.get("/a").send().await;
    assert_eq!((&other.record()["caller"], &other.record()["cache"]), (&json!("website"), &json!("miss")));
    other.get("/a").send().await;
    assert_eq!(other.record()["cache"], "hit");
}

#[tokio::test]
async fn what_must_not_be_kept_is_not() {
    let check = async |headers: &'static [(&'static str, &'static str)], kept: bool| {
        let world = counting(headers).await;
        world.get("/a").send().await;
        let second = world.get("/a").send().await;
        let expected = if kept { ("1", json!("hit")) } else { ("2", json!("miss")) };
        assert_eq!(told(&world, &second), (expected.0.to_owned(), expected.1), "{headers:?}");
    };
    check(&[], true).await;
    check(&[("cache-control", "public, max-age=5")], true).await;
    check(&[("cache-control", "private")], false).await;
    check(&[("cache-control", "no-store")], false).await;
    check(&[("cache-control", "NO-STORE")], false).await;
    check(&[("set-cookie", "a=b")], false).await;
    check(&[("set-cookie", "a=b"), ("cache-control", "public, max-age=5")], false).await;
    check(&[("cache-control", "max-age=0")], false).await;
    check(&[("vary", "*")], false).await;
    check(&[("etag", CANARY)], false).await;
}

#[tokio::test]
async fn answers_that_say_no_are_kept_only_where_they_last() {
    let check = async |status: u16, expected: &str| {
        let world = world(move |_: &Seen| say(status).with("location", "/x")).await;
        world.get("/a").send().await;
        world.get("/a").send().await;
        assert_eq!(world.record()["cache"], expected, "{status}");
    };
    for status in [200, 203, 301, 308, 404, 410] {
        check(status, "hit").await;
    }
    for status in [204, 206, 302, 400, 401, 403, 429, 500, 503] {
        check(status, "miss").await;
    }
    let leaking = world(|_: &Seen| say(200).body(format!("you sent {CANARY}"))).await;
    for _ in 0..2 {
        let answer = leaking.get("/a").send().await;
        assert!(!answer.shows(CANARY) && leaking.record()["leak"] == true);
    }
}

#[tokio::test]
async fn a_caller_may_keep_an_answer_from_being_kept() {
    let world = counting(&[]).await;
    for expected in ["1", "2"] {
        assert_eq!(world.get("/a").header("cache-control", "no-store").send().await.text(), expected);
    }
    assert_eq!(world.get("/a").send().await.text(), "3");
    assert_eq!(world.get("/a").header("cache-control", "no-store").send().await.text(), "3");
}

#[tokio::test]
async fn a_reload_asks_again_but_not_all_the_time() {
    for header in [("cache-control", "no-cache"), ("cache-control", "max-age=0"), ("pragma", "no-cache")] {
        let world = counting(&[]).await;
        let ask = async |after| world.get("/a").header(header.0, header.1).after(after).send().await.text();
        let found = [ask(0).await, ask(4).await, ask(5).await, ask(9).await, ask(10).await];
        assert_eq!(found, ["1", "1", "2", "2", "3"], "{header:?}");
    }
}

/// An upstream with one document, which says 304 to who has it.
fn document(seen: &Seen) -> Say {
    let known = seen.all("if-none-match").concat() == "\"v1\"";
    let said = say(if known { 304 } else { 200 })
        .with("etag", "\"v1\"")
        .with("x-rate", if known { "2" } else { "1" });
    if known { said } else { said.with("content-type", "text/plain").body("the document") }
}

#[tokio::test]
async fn a_stale_answer_is_asked_about_and_goes_out_whole() {
    let world = world(document).await;
    world.get("/a").send().await;
    let later = world.get("/a").after(61).send().await;
    assert_eq!(told(&world, &later), ("the document".to_owned(), json!("revalidated")));
    let record = world.record();
    assert_eq!((&record["status"], &record["upstream_status"]), (&json!(200), &json!(304)));
    assert_eq!(later.header("content-type").as_deref(), Some("text/plain"));
    assert_eq!((later.header("age"), later.header("x-rate").as_deref()), (None, Some("2")));
    let again = world.get("/a").after(120).send().await;
    assert_eq!(told(&world, &again), ("the document".to_owned(), json!("hit")));
    assert_eq!((again.header("age").as_deref(), world.upstream.seen().len()), (Some("59"), 2));
}

/// What leaves has a weaker etag than the upstream's, which is the one it is asked with.
#[tokio::test]
async fn the_upstream_is_asked_with_its_own_etag() {
    let packed = |seen: &Seen| {
        if !seen.all("if-none-match").is_empty() {
            return document(seen);
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, b"the document").unwrap();
        say(200).with("etag", "\"v1\"").with("content-encoding", "gzip").body(gzip.finish().unwrap())
    };
    let world = world(packed).await;
    let first = world.get("/a").header("accept-encoding", "gzip").send().await;
    assert_eq!((first.text().as_str(), first.header("etag").as_deref()), ("the document", Some("W/\"v1\"")));
    let later = world.get("/a").after(61).send().await;
    assert_eq!(told(&world, &later), ("the document".to_owned(), json!("revalidated")));
    assert_eq!(later.header("etag").as_deref(), Some("W/\"v1\""));
    assert_eq!(world.upstream.seen()[1].all("if-none-match"), ["\"v1\""]);
    assert!(world.upstream.seen().iter().all(|seen| seen.all("authorization").len() == 1));
}

#[tokio::test]
async fn a_caller_who_has_the_answer_gets_304() {
    let world = world(document).await;
    let check = async |etag: &str, after: u64, status: u16, cache: &str| {
        let answer = world.get("/a").from(APP).header("if-none-match", etag).after(after).send().await;
        let found = (answer.status().as_u16(), world.record()["cache"].clone());
        assert_eq!(found, (status, json!(cache)), "{etag} after {after} s");
        assert_eq!(answer.text().is_empty(), status == 304);
        assert_eq!(answer.header("etag").as_deref(), Some("\"v1\""));
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(APP));
    };
    check("\"v1\"", 0, 304, "miss").await;
    assert_eq!(world.upstream.seen()[0].all("if-none-match"), [""; 0]);
    check("\"v1\"", 1, 304, "hit").await;
    check("W/\"v1\"", 1, 304, "hit").await;
    check("\"v0\"", 1, 200, "hit").await;
    check("\"v1\"", 61, 304, "revalidated").await;
    check("\"v0\"", 122, 200, "revalidated").await;
}

#[tokio::test]
async fn a_304_about_another_answer_is_no_answer() {
    let script = |seen: &Seen| match seen.all("if-none-match").is_empty() {
        true => say(200).with("etag", "\"v1\"").body("x"),
        false => say(304).with("etag", "\"v2\""),
    };
    let world = world(script).await;
    world.get("/a").send().await;
    assert_eq!(world.get("/a").after(61).send().await.verdict(), "502 upstream_invalid");
    assert_eq!(world.get("/a").after(61).send().await.text(), "x");
}

#[tokio::test]
async fn head_is_answered_from_a_kept_get_and_keeps_nothing() {
    let world = counting(&[("etag", "\"1\"")]).await;
    let before = world.ask("HEAD", "/a").send().await;
    assert_eq!((before.status().as_u16(), world.record()["cache"].clone()), (200, json!("miss")));
    assert_eq!(world.upstream.seen()[0].method, "HEAD");
    let get = world.get("/a").send().await;
    assert_eq!(told(&world, &get), ("2".to_owned(), json!("miss")));
    let after = world.ask("HEAD", "/a").after(3).send().await;
    assert_eq!(told(&world, &after), (String::new(), json!("hit")));
    assert_eq!((after.header("etag"), after.header("age").as_deref()), (get.header("etag"), Some("3")));
    assert_eq!(world.upstream.seen().len(), 2);
}

#[tokio::test]
async fn preflights_and_other_methods_pass_by_the_cache() {
    let world = counting(&[]).await;
    world.get("/a").send().await;
    let preflight = world.preflight("GET", "/a").from(APP).send().await;
    assert_eq!((preflight.status().as_u16(), world.record().get("cache")), (204, None));
    assert_eq!(preflight.header("age"), None);
    for _ in 0..2 {
        world.post("/any").send().await;
        assert_eq!(world.record().get("cache"), None);
    }
    world.get("/plain").send().await;
    assert_eq!(world.record().get("cache"), None);
    assert_eq!(world.upstream.seen().len(), 4);
}

#[tokio::test]
async fn what_was_changed_through_us_is_asked_for_again() {
    let script = |seen: &Seen| if seen.body == "bad" { say(400) } else { say(200) };
    let world = world(script).await;
    let check = async |body: &'static str, expected: &str| {
        world.ask("PUT", "/a").body(body).send().await;
        world.get("/a").send().await;
        assert_eq!(world.record()["cache"], expected, "{body}");
    };
    world.get("/a").send().await;
    check("bad", "hit").await;
    check("good", "miss").await;
}

#[tokio::test]
async fn each_page_gets_its_own_cors_headers_on_the_same_answer() {
    let world = counting(&[("x-rate", "9")]).await;
    let check = async |origin: &str, cache: &str| {
        let answer = world.get("/a").from(origin).send().await;
        assert_eq!(world.record()["cache"], cache, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin));
        assert!(answer.header("vary").unwrap().to_lowercase().starts_with("origin"));
        let headers = answer.0.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let seen = crate::browser::Seen { status: 200, headers: headers.collect() };
        let page = Page { origin, include: false }.read(&seen, &["x-rate"]);
        assert_eq!(page, Verdict::Readable(["x-rate".to_owned()].into()), "{origin}");
    };
    check(APP, "miss").await;
    check(OTHER, "hit").await;
    check(APP, "hit").await;
    let bare = world.get("/a").send().await;
    assert_eq!(
        (bare.header("access-control-allow-origin"), world.record()["cache"].clone()),
        (None, json!("hit"))
    );
    let foreign = world.get("/a").from("https://evil.example").send().await;
    assert_eq!(foreign.verdict(), "403 origin_not_allowed");
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_call() {
    let script = |_: &Seen| {
        std::thread::sleep(Duration::from_millis(50));
        say(200).body("x")
    };
    let world = world(script).await;
    let ask = || async { world.get("/a").send().await.text() };
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    assert_eq!([a, b, c, d], ["x"; 4]);
    assert_eq!(world.upstream.seen().len(), 1);
    let with = |outcome: &str| world.records().iter().filter(|record| record["cache"] == outcome).count();
    assert_eq!((with("miss"), with("hit")), (1, 3));
}

#[tokio::test]
async fn the_problem_of_the_first_is_that_of_all_and_is_not_kept() {
    let server = Misbehaving::start(vec![Deed::Close(b"nonsense\r\n\r\n".to_vec())]).await;
    let setup = Setup::routes(ROUTES).upstream("credential: { bearer: key }, retries: 0");
    let world = setup.at(format!("http://{}", server.address)).start().await;
    let ask = || async { world.get("/a").send().await.verdict() };
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    assert_eq!([a, b, c], ["502 upstream_invalid"; 3]);
    let armed = |record: &Value| record["secrets"] != json!([]);
    assert_eq!(world.records().into_iter().filter(armed).count(), 1);
    ask().await;
    assert!(armed(&world.record()));
}

#[tokio::test]
async fn a_first_who_goes_away_leaves_no_lock_behind() {
    let server = Misbehaving::start(vec![Deed::Hang(Vec::new())]).await;
    let world = Setup::routes(ROUTES).at(format!("http://{}", server.address)).start().await;
    let gone = tokio::time::timeout(Duration::from_millis(100), world.get("/a").send()).await;
    assert!(gone.is_err());
    let next = world.get("/a").within(Duration::from_millis(200)).send().await;
    assert_eq!(next.verdict(), "504 upstream_timeout");
    assert_ne!(world.record()["secrets"], json!([]));
}

/// Few upstreams name such a header in `vary`.
#[tokio::test]
async fn a_declared_header_tells_answers_apart() {
    let routes = "GET /a: { {open}, request: { headers: [x-tenant] }, response: { cache: 60s } }";
    let script = |seen: &Seen| say(200).body(seen.all("x-tenant").concat());
    let world = Setup::routes(routes).answer(script).start().await;
    for tenant in ["one", "two", "one"] {
        let answer = world.get("/a").from(APP).header("x-tenant", tenant).send().await;
        assert_eq!(answer.text(), tenant);
    }
    assert_eq!(world.upstream.seen().len(), 2);
}
