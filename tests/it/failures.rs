//! An answer is whole, or it is a problem: whatever the upstream does to its connection.

use std::sync::Arc;
use std::time::Duration;

use crate::upstream::{Deed, Misbehaving, Upstream, say};
use crate::world::{Answer, Setup};

const ROUTE: &str = "\
GET /a: { {open}, timeout: 10s, response: { max_bytes: 32B } }
GET /hangs: { {open}, timeout: 500ms, response: { max_bytes: 32B } }";

/// What a caller gets from an upstream that does this, again and again.
async fn facing(deed: Deed) -> Answer {
    let path = if matches!(deed, Deed::Hang(_)) { "/hangs" } else { "/a" };
    let server = Misbehaving::start(vec![deed]).await;
    let setup = Setup::routes(ROUTE).upstream("credential: { bearer: key }, retries: 0");
    setup.at(format!("http://{}", server.address)).start().await.get(path).send().await
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

const OK: &str = "HTTP/1.1 200 OK\r\n";
const UNREACHABLE: &str = "502 upstream_unreachable";
const INVALID: &str = "502 upstream_invalid";
const TIMEOUT: &str = "504 upstream_timeout";

#[tokio::test]
async fn what_is_no_http_is_invalid() {
    for text in [
        "hello\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nx: \u{0}\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 600 Odd\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n",
    ] {
        assert_eq!(facing(Deed::Close(bytes(text))).await.verdict(), INVALID, "{text:?}");
    }
}

#[tokio::test]
async fn what_breaks_off_is_never_a_partial_answer() {
    let check = async |deed: Deed, expected: &str| {
        let answer = facing(deed.clone()).await;
        assert_eq!(answer.verdict(), expected, "{deed:?}");
        assert!(!answer.shows("part"), "{deed:?}");
    };
    let length = format!("{OK}content-length: 10\r\n\r\npart");
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n4\r\npart\r\n");
    let within_a_chunk = format!("{OK}transfer-encoding: chunked\r\n\r\n9\r\npart");
    for text in
        ["", "HTTP/1.1 20", OK, "HTTP/1.1 200 OK\r\ncontent-type: te", &length, &chunked, &within_a_chunk]
    {
        check(Deed::Close(bytes(text)), UNREACHABLE).await;
        check(Deed::Reset(bytes(text)), UNREACHABLE).await;
        check(Deed::Hang(bytes(text)), TIMEOUT).await;
    }
    check(Deed::Close(bytes(&format!("{OK}\r\nwhole"))), "200").await;
    check(Deed::Hang(bytes(&format!("{OK}content-length: 5\r\n\r\nwhole"))), "200").await;
    check(Deed::Hang(bytes("HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n")), TIMEOUT).await;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    assert_eq!(facing(Deed::Close(bytes(hints))).await.text(), "ok");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_however_it_is_framed() {
    let check = async |deed: Deed, expected: &str| {
        assert_eq!(facing(deed.clone()).await.verdict(), expected, "{deed:?}")
    };
    let (fits, long) = ("x".repeat(32), "x".repeat(33));
    let too_large = "502 response_too_large";
    let chunks =
        |count: usize| format!("{OK}transfer-encoding: chunked\r\n\r\n{}", "8\r\n12345678\r\n".repeat(count));
    check(Deed::Close(bytes(&format!("{OK}content-length: 32\r\n\r\n{fits}"))), "200").await;
    check(Deed::Close(bytes(&format!("{OK}content-length: 33\r\n\r\n{long}"))), too_large).await;
    check(Deed::Hang(bytes(&format!("{OK}content-length: 99999999999\r\n\r\n"))), too_large).await;
    check(Deed::Close(bytes(&format!("{OK}\r\n{fits}"))), "200").await;
    check(Deed::Close(bytes(&format!("{OK}\r\n{long}"))), too_large).await;
    check(Deed::Close(bytes(&format!("{}0\r\n\r\n", chunks(4)))), "200").await;
    check(Deed::Close(bytes(&format!("{}0\r\n\r\n", chunks(5)))), too_large).await;
    check(Deed::Hang(bytes(&chunks(500))), too_large).await;
}

#[tokio::test]
async fn a_body_compressed_on_the_way_is_withheld() {
    let text = format!("{OK}transfer-encoding: gzip, chunked\r\n\r\n4\r\npart\r\n0\r\n\r\n");
    let answer = facing(Deed::Close(bytes(&text))).await;
    assert!(answer.status() == 502 && !answer.shows("part"), "{answer:?}");
}

#[tokio::test]
async fn nobody_at_home_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for url in [format!("http://{address}"), "https://no-such-host.invalid".to_owned()] {
        let world = Setup::routes("GET /a: { {open}, timeout: 3s }").at(url).start().await;
        assert_eq!(world.get("/a").send().await.verdict(), UNREACHABLE);
    }
}

#[tokio::test]
async fn a_problem_tells_nothing_of_where_the_upstream_is() {
    let server = Misbehaving::start(vec![Deed::Close(bytes("nonsense\r\n\r\n"))]).await;
    let setup = Setup::routes(ROUTE).base("/hidden-base").at(format!("http://{}", server.address));
    let world = setup.start().await;
    let answer = world.get("/a").send().await;
    let record = world.record().to_string();
    for hidden in [server.address.to_string().as_str(), "127.0.0.1", "hidden-base", "nonsense"] {
        assert!(!answer.shows(hidden) && !record.contains(hidden), "{hidden}: {} {record}", answer.text());
    }
    assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(answer.json()["request_id"], "request-1");
}

#[tokio::test]
async fn no_redirect_carries_the_credential_to_another_host() {
    let elsewhere = Upstream::start(Arc::new(|_| say(200))).await;
    let location = format!("http://localhost:{}/a", elsewhere.address.port());
    for status in [300, 301, 302, 303, 307, 308] {
        for method in ["GET", "POST"] {
            let location = location.clone();
            let setup = Setup::routes("GET /a: { {open} }\nPOST /a: { {open} }");
            let world = setup.answer(move |_| say(status).with("location", &location)).start().await;
            let answer = world.ask(method, "/a").send().await;
            assert_eq!((answer.status().as_u16(), answer.header("location")), (status, None));
            assert_eq!(world.upstream.seen().len(), 1, "{status} {method}");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn redirects_are_passed_on_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let setup =
            Setup::routes("GET /a: { {open}, response: { headers: [location] } }\nGET /b: { {open} }");
        let world = setup.answer(move |_| say(status).with("location", "/elsewhere")).start().await;
        let answer = world.get("/a").send().await;
        assert_eq!((answer.status().as_u16(), world.upstream.seen().len()), (status, 1));
        assert_eq!(answer.header("location").as_deref(), Some("/elsewhere"));
        assert_eq!(world.get("/b").send().await.header("location"), None);
        assert_eq!(world.upstream.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_caller_who_will_not_wait_is_answered_in_time() {
    let server = Misbehaving::start(vec![Deed::Hang(Vec::new())]).await;
    let world = Setup::routes("GET /a: { {open}, timeout: 20s }")
        .at(format!("http://{}", server.address))
        .start()
        .await;
    let started = tokio::time::Instant::now();
    let answer = world.get("/a").within(Duration::from_millis(150)).send().await;
    assert_eq!(answer.verdict(), TIMEOUT);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}
