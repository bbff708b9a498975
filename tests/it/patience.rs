//! Retries, and the end of patience. The pauses are real and short.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::{Deed, Misbehaving, Say, Seen, say};
use crate::world::{Setup, World};

const ROUTES: &str =
    "ANY /a: { {open} }\nANY /short: { {open}, timeout: 1250ms }\nANY /soon: { {open}, timeout: 900ms }";

/// An upstream that gives these answers in turn, the last one again and again.
fn in_turn(answers: Vec<Say>) -> impl Fn(&Seen) -> Say + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move |_| answers[count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)].clone()
}

async fn world(retries: u8, answers: Vec<Say>) -> World {
    let upstream = format!("credential: {{ bearer: key }}, retries: {retries}, timeout: 10s");
    Setup::routes(ROUTES).upstream(&upstream).answer(in_turn(answers)).start().await
}

#[tokio::test]
async fn a_hiccup_is_tried_again_where_that_is_safe() {
    let check = async |method: &str, status: u16, retries: u8, expected: (u16, usize)| {
        let world = world(retries, vec![say(status), say(200)]).await;
        let answer = world.ask(method, "/a").body("{}").send().await;
        let found = (answer.status().as_u16(), world.upstream.seen().len());
        assert_eq!(found, expected, "{method} {status} {retries}");
        assert_eq!(world.record()["retries"], expected.1 - 1, "{method} {status}");
        let bodies: Vec<_> = world.upstream.seen().into_iter().map(|seen| seen.body).collect();
        assert!(bodies.iter().all(|body| body == "{}"), "{method} {bodies:?}");
    };
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        check(method, 503, 1, (200, 2)).await;
    }
    for method in ["POST", "PATCH"] {
        check(method, 503, 5, (503, 1)).await;
    }
    for status in [502, 504] {
        check("GET", status, 1, (200, 2)).await;
    }
    for status in [200, 301, 400, 401, 403, 404, 408, 409, 425, 429, 500, 501] {
        check("GET", status, 1, (status, 1)).await;
    }
    check("GET", 503, 0, (503, 1)).await;
}

#[tokio::test]
async fn retries_end() {
    let world = world(3, vec![say(503).body("down")]).await;
    let answer = world.get("/a").send().await;
    assert_eq!(
        (answer.status().as_u16(), answer.text().as_str(), world.upstream.seen().len()),
        (503, "down", 4)
    );
    let record = world.record();
    assert_eq!((&record["upstream_status"], &record["retries"]), (&503.into(), &3.into()));
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_where_that_is_safe() {
    let check = async |method: &str, deeds: Vec<Deed>, expected: (&str, usize)| {
        let server = Misbehaving::start(deeds.clone()).await;
        let setup = Setup::routes(ROUTES).at(format!("http://{}", server.address));
        let answer = setup.start().await.ask(method, "/a").send().await;
        assert_eq!((answer.verdict().as_str(), server.requests()), expected, "{method} {deeds:?}");
    };
    let good = || Deed::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec());
    let half = || Deed::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok".to_vec());
    let reset = || Deed::Reset(Vec::new());
    check("GET", vec![reset(), good()], ("200", 2)).await;
    check("GET", vec![half(), good()], ("200", 2)).await;
    check("GET", vec![reset()], ("502 upstream_unreachable", 2)).await;
    check("POST", vec![reset(), good()], ("502 upstream_unreachable", 1)).await;
    check("POST", vec![half(), good()], ("502 upstream_unreachable", 1)).await;
    check("GET", vec![Deed::Close(b"nonsense\r\n\r\n".to_vec()), good()], ("502 upstream_invalid", 1)).await;
}

#[tokio::test]
async fn retry_after_is_respected_within_the_deadline() {
    let world = world(1, vec![say(503).with("retry-after", "1"), say(200)]).await;
    let started = Instant::now();
    assert_eq!(world.get("/a").send().await.verdict(), "200");
    let took = started.elapsed();
    assert!(Duration::from_secs(1) <= took && took < Duration::from_secs(5), "{took:?}");
}

/// Waiting is billed, and the caller can wait cheaper.
#[tokio::test]
async fn a_long_retry_after_is_the_callers_to_wait_for() {
    let world = world(1, vec![say(503).with("retry-after", "3"), say(200)]).await;
    let started = Instant::now();
    let answer = world.get("/a").send().await;
    assert_eq!((answer.status().as_u16(), answer.header("retry-after").as_deref()), (503, Some("3")));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn retry_after_past_the_deadline_is_handed_on_at_once() {
    for after in ["1", "60", "99999999999", "18446744073709551615"] {
        let world = world(1, vec![say(503).with("retry-after", after), say(200)]).await;
        let started = Instant::now();
        let answer = world.get("/soon").send().await;
        assert_eq!((answer.status().as_u16(), world.upstream.seen().len()), (503, 1), "{after}");
        assert_eq!(answer.header("retry-after").as_deref(), Some(after));
        assert!(started.elapsed() < Duration::from_millis(890), "{after} {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_timeout_says_after_how_long_and_is_not_tried_again() {
    let server = Misbehaving::start(vec![Deed::Hang(Vec::new())]).await;
    let upstream = "credential: { bearer: key }, retries: 5, timeout: 1350ms";
    let setup = Setup::routes(ROUTES).upstream(upstream).at(format!("http://{}", server.address));
    let world = setup.start().await;
    let check = async |path: &str, patience: u64, expected: &str| {
        let answer = world.get(path).within(Duration::from_millis(patience)).send().await;
        assert_eq!(answer.verdict(), "504 upstream_timeout", "{path} {patience}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.ends_with(expected), "{path} {patience}: {detail}");
    };
    check("/a", 29_000, "within 1s 350ms").await; // the upstream's
    check("/short", 29_000, "within 1s 250ms").await; // the route's
    assert_eq!(server.requests(), 2);
    // the invocation's: a moment of it has passed already
    let answer = world.get("/a").within(Duration::from_millis(900)).send().await;
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    let millis: u64 = detail.rsplit(' ').next().unwrap().trim_end_matches("ms").parse().unwrap();
    assert!((1..=900).contains(&millis), "{detail}");
    assert_eq!(world.record()["upstream_status"], serde_json::Value::Null);
}

#[tokio::test]
async fn an_invocation_without_time_sends_nothing() {
    let world = world(1, vec![say(200)]).await;
    assert_eq!(world.get("/a").send().await.verdict(), "200"); // the way is known and quick
    for method in ["GET", "POST"] {
        let answer = world.ask(method, "/a").within(Duration::ZERO).send().await;
        assert_eq!(
            (answer.verdict().as_str(), world.upstream.seen().len()),
            ("504 upstream_timeout", 1),
            "{method}"
        );
    }
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let world = world(1, vec![say(200).body("x")]).await;
    for _ in 0..50 {
        assert_eq!(world.get("/a").send().await.verdict(), "200");
    }
    assert_eq!((world.upstream.seen().len(), world.upstream.connections()), (50, 1));
}
