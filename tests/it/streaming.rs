//! Bodies that pass as they arrive, from an upstream that sends what the test
//! says, when it says so.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use countersign::wire::Body;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::{advance, pause, sleep, timeout};

use crate::world::{APP, Answer, CANARY, Setup, World};

const ROUTES: &str = "\
GET /a: { {open}, timeout: 400ms, response: { stream: true, headers: any, max_bytes: 64B } }
GET /slow: { {open}, timeout: 20s, response: { stream: true } }
GET /each: { {open}, timeout: 400ms, response: { stream: true, transform: 'if .error then error(\"no\") else .c // empty end' } }
GET /kept: { {open}, timeout: 400ms, response: { max_bytes: 64B } }";
const EVENTS: &str = "content-type: text/event-stream";
const TEXT: &str = "content-type: text/plain";

/// An upstream with one answer, whose body the test sends.
struct Live {
    say: UnboundedSender<Vec<u8>>,
    /// How many bytes somebody took off it.
    sent: Arc<AtomicUsize>,
}

impl Live {
    /// The status line and the headers are sent at once.
    async fn start(head: &str) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (say, said)) = (listener.local_addr().unwrap(), unbounded_channel());
        let sent = Arc::new(AtomicUsize::new(0));
        let head = format!("HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\n\r\n");
        tokio::spawn(serve(listener, head, said, Arc::clone(&sent)));
        (Self { say, sent }, address)
    }

    fn say(&self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        self.raw([format!("{:x}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat());
    }

    fn end(&self) {
        self.raw(b"0\r\n\r\n".to_vec());
    }

    fn raw(&self, bytes: Vec<u8>) {
        self.say.send(bytes).unwrap();
    }

    /// Hangs up, whether the body has ended or not.
    fn hang_up(self) {
        drop(self.say);
    }
}

async fn serve(
    listener: TcpListener,
    head: String,
    mut said: UnboundedReceiver<Vec<u8>>,
    sent: Arc<AtomicUsize>,
) {
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let talk = async {
        while let Some(bytes) = said.recv().await {
            writing.write_all(&bytes).await.unwrap();
            sent.fetch_add(bytes.len(), Ordering::SeqCst);
        }
    };
    // Who asks no more has hung up.
    let mut more = [0];
    tokio::select! {
        () = talk => {}
        _ = reading.read(&mut more) => {}
    }
}

async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await.unwrap();
    }
}

async fn world(head: &str) -> (World, Live) {
    let (live, address) = Live::start(head).await;
    let upstream = "credential: { bearer: key }, retries: 0";
    let setup = Setup::routes(ROUTES).upstream(upstream).streaming().at(format!("http://{address}"));
    (setup.start().await, live)
}

/// A streamed answer: its headers, and its body to read from.
async fn open(world: &World, target: &str) -> (HeaderMap, Body) {
    let (status, headers, body) = world.get(target).from(APP).send().await.0.into_parts();
    assert_eq!(status, 200);
    assert!(matches!(body, Body::Arriving(_)), "{body:?}");
    (headers, body)
}

/// The next chunk, soon.
async fn next(body: &mut Body) -> Option<String> {
    let chunk = timeout(Duration::from_secs(10), body.next()).await.expect("a chunk");
    chunk.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// All that is left.
async fn rest(body: &mut Body) -> String {
    let mut all = String::new();
    while let Some(chunk) = next(body).await {
        all.push_str(&chunk);
    }
    all
}

/// The record, as soon as there is one.
async fn record(world: &World) -> Value {
    for _ in 0..500 {
        if !world.records().is_empty() {
            return world.record();
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("no record");
}

#[tokio::test]
async fn each_chunk_arrives_before_the_next_is_sent() {
    for (kind, chunks) in [
        (EVENTS, ["data: one\n\n", ": ping\n\n", "data: two\n\n"]),
        ("content-type: application/x-ndjson", ["{\"a\":1}\n", "{\"a\"", ":2}"]),
        (TEXT, ["to", "ken", "s \u{e9}"]),
    ] {
        let (world, live) = world(&format!("200 OK\r\n{kind}")).await;
        let (_, mut body) = open(&world, "/a").await;
        for chunk in chunks {
            live.say(chunk);
            assert_eq!(next(&mut body).await.as_deref(), Some(chunk), "{kind}");
            assert!(world.records().is_empty(), "the record waits for the end");
        }
        live.end();
        assert_eq!(next(&mut body).await, None);
        let record = world.record();
        assert_eq!(
            (&record["stream"], &record["status"], &record["code"]),
            (&json!("complete"), &json!(200), &Value::Null)
        );
        assert_eq!(record["bytes_out"], chunks.concat().len(), "{kind}");
        assert!(record["upstream_ms"].as_f64() < record["duration_ms"].as_f64(), "{record}");
        assert_eq!((&record["route"], &record["caller"]), (&json!("GET /a"), &json!("website")));
        assert_eq!(world.records().len(), 1);
    }
}

#[tokio::test]
async fn the_head_is_that_of_any_answer() {
    let head = "200 OK\r\netag: \"1\"\r\naccept-ranges: bytes\r\nset-cookie: a=b\r\nx-many: 1\r\nx-many: 2\r\nlocation: /kept";
    let (world, live) = world(head).await;
    let (headers, mut body) = open(&world, "/a").await;
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("access-control-allow-origin"), Some(APP));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("location"), Some("https://gate.example/prod/kept"));
    assert_eq!(header("etag"), Some("W/\"1\""));
    for absent in ["accept-ranges", "set-cookie", "content-length", "transfer-encoding"] {
        assert_eq!(header(absent), None, "{absent}");
    }
    assert_eq!(headers.get_all("x-many").iter().count(), 2);
    live.end();
    assert_eq!(rest(&mut body).await, "");
}

#[tokio::test]
async fn a_secret_in_two_chunks_is_cut_out_and_the_record_says_so() {
    for kind in [EVENTS, TEXT] {
        for at in 1..CANARY.len() {
            let (world, live) = world(&format!("200 OK\r\n{kind}")).await;
            let (_, mut body) = open(&world, "/a").await;
            live.say(format!("data: before {}", &CANARY[..at]));
            sleep(Duration::from_millis(2)).await;
            live.say(format!("{} behind\n\n", &CANARY[at..]));
            live.end();
            assert_eq!(rest(&mut body).await, "data: before [redacted] behind\n\n", "{kind} {at}");
            let record = world.record();
            let leaked = json!([{ "name": "key", "place": "stream", "spelling": "plain" }]);
            assert_eq!((&record["leak"], &record["leaked"]), (&json!(true), &leaked), "{kind} {at}");
        }
    }
}

#[tokio::test]
async fn no_size_bounds_a_stream() {
    let (world, live) = world("200 OK").await;
    let (_, mut body) = open(&world, "/a").await;
    let megabyte = vec![b'x'; 1 << 20];
    for _ in 0..8 {
        live.say(&megabyte);
    }
    live.end();
    assert_eq!(rest(&mut body).await.len(), 8 << 20);
    assert_eq!(world.record()["bytes_out"], 8 << 20);
}

/// The kernel's buffers take some megabytes; we take no more than a chunk or two.
#[tokio::test]
async fn an_upstream_sends_no_faster_than_the_caller_reads() {
    let (world, live) = world("200 OK").await;
    let (_, mut body) = open(&world, "/slow").await;
    let megabyte = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        live.say(&megabyte);
    }
    live.end();
    let (mut before, mut now) = (0, 1);
    while before < now {
        sleep(Duration::from_millis(200)).await;
        (before, now) = (now, live.sent.load(Ordering::SeqCst));
    }
    assert!(now < 30 << 20, "{now} bytes left the upstream, and nobody read one");
    assert_eq!(rest(&mut body).await.len(), 100 << 20);
}

/// What a browser's parser makes of the last event.
#[tokio::test]
async fn a_program_sees_each_event_as_it_arrives() {
    let (world, live) = world(&format!("200 OK\r\n{EVENTS}")).await;
    let (_, mut body) = open(&world, "/each").await;
    live.say("data: {\"c\":\"We\"}\n\n: ping\n\ndata: {\"d\":1}\n\n");
    assert_eq!(next(&mut body).await.as_deref(), Some("data: \"We\"\n\n"));
    let escaped: String = CANARY.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    live.say(format!("data: {{\"c\":\"{escaped}\"}}\n\ndata: {{\"error\":1}}\n\n"));
    let text = rest(&mut body).await;
    assert!(text.contains("data: \"[redacted]\"\n\n") && !text.contains("\\u"), "{text}");
    assert!(text.contains("event: error\ndata: {") && text.contains("upstream_invalid"), "{text}");
    let record = record(&world).await;
    assert_eq!((&record["leak"], &record["stream"]), (&json!(true), &json!("upstream_broke")));
}

#[tokio::test]
async fn what_is_no_event_is_kept_for_a_program() {
    let (world, live) = world("200 OK\r\ncontent-type: application/json").await;
    live.say("{\"c\":");
    live.say("1}");
    live.end();
    let answer = world.get("/each").from(APP).send().await;
    assert_eq!(answer.text(), "1");
}

fn last_event(text: &str) -> (String, Value) {
    let event = text.trim_end().rsplit("\n\n").next().unwrap();
    let field =
        |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    (field("event: "), serde_json::from_str(&field("data: ")).unwrap_or_default())
}

#[tokio::test]
async fn an_upstream_that_breaks_off_ends_the_body() {
    for (kind, sent, kept) in [
        (EVENTS, "data: one\n\ndata: tw", "data: one\n\n"),
        (EVENTS, "data: one\n\n", "data: one\n\n"),
        (EVENTS, "data: one\n\ndata: two\n", "data: one\n\ndata: two\n\n"),
        ("content-type: application/x-ndjson", "1\n2", "1\n2"),
        (TEXT, "half of", "half of"),
    ] {
        let (world, live) = world(&format!("200 OK\r\n{kind}")).await;
        let (_, mut body) = open(&world, "/a").await;
        live.say(sent);
        live.hang_up();
        let text = rest(&mut body).await;
        let word = text.strip_prefix(kept).unwrap_or_else(|| panic!("{kind}: {text}"));
        let record = world.record();
        assert_eq!(
            (&record["stream"], &record["code"], &record["status"]),
            (&json!("upstream_broke"), &json!("upstream_unreachable"), &json!(200)),
            "{kind}: {record}"
        );
        if kind != EVENTS {
            assert_eq!(word, "");
            continue;
        }
        let (name, problem) = last_event(word);
        assert_eq!((name.as_str(), &problem["code"]), ("error", &json!("upstream_unreachable")));
        assert_eq!((&problem["request_id"], &problem["status"]), (&json!("request-1"), &json!(502)));
        assert!(word.ends_with("}\n\n") && record["cause"].is_string());
        assert!(!text.contains(record["cause"].as_str().unwrap()), "{text}");
    }
}

/// Chunks that are none are no body either.
#[tokio::test]
async fn an_upstream_that_talks_nonsense_ends_the_body() {
    let (world, live) = world(&format!("200 OK\r\n{EVENTS}")).await;
    let (_, mut body) = open(&world, "/a").await;
    live.raw(b"no chunk\r\n".to_vec());
    assert_eq!(last_event(&rest(&mut body).await).1["code"], "upstream_invalid");
    assert_eq!(world.record()["stream"], "upstream_broke");
}

#[tokio::test]
async fn a_pause_that_is_too_long_ends_the_body() {
    for kind in [EVENTS, TEXT] {
        let (world, live) = world(&format!("200 OK\r\n{kind}")).await;
        let (_, mut body) = open(&world, "/a").await;
        // Longer than the route's time all in all; no pause of them is.
        for _ in 0..4 {
            live.say("data: 1\n\n");
            assert_eq!(next(&mut body).await.as_deref(), Some("data: 1\n\n"));
            sleep(Duration::from_millis(150)).await;
        }
        let word = rest(&mut body).await;
        let record = world.record();
        assert_eq!((&record["stream"], &record["code"]), (&json!("timeout"), &json!("upstream_timeout")));
        if kind == TEXT {
            assert_eq!(word, "");
            continue;
        }
        let (name, problem) = last_event(&word);
        assert_eq!((name.as_str(), &problem["code"]), ("error", &json!("upstream_timeout")));
        assert_eq!(problem["detail"], "the upstream paused for longer than 400ms");
    }
}

#[tokio::test]
async fn the_invocations_own_time_ends_the_body() {
    let (world, live) = world(&format!("200 OK\r\n{EVENTS}")).await;
    let answer = world.get("/slow").within(Duration::from_millis(500)).send().await;
    let mut body = answer.0.into_parts().2;
    live.say("data: 1\n\n");
    let text = rest(&mut body).await;
    let (name, problem) = last_event(&text);
    assert!(text.starts_with("data: 1\n\n\n\nevent: error\n"), "{text}");
    assert_eq!((name.as_str(), &problem["code"]), ("error", &json!("upstream_timeout")));
    assert_eq!(world.record()["stream"], "timeout");
}

#[tokio::test]
async fn a_caller_that_does_not_read_loses_the_body_in_time() {
    let (world, live) = world(&format!("200 OK\r\n{EVENTS}")).await;
    let answer = world.get("/slow").within(Duration::from_millis(300)).send().await;
    for _ in 0..9 {
        live.say("data: 1\n\n");
    }
    assert_eq!(record(&world).await["stream"], "timeout");
    drop(answer);
}

#[tokio::test]
async fn a_caller_that_leaves_is_noticed_and_the_upstream_let_go() {
    let (world, live) = world("200 OK").await;
    let (_, mut body) = open(&world, "/slow").await;
    live.say("12345");
    assert_eq!(next(&mut body).await.as_deref(), Some("12345"));
    drop(body);
    let record = record(&world).await;
    assert_eq!(
        (&record["stream"], &record["code"], &record["bytes_out"]),
        (&json!("caller_left"), &Value::Null, &json!(5))
    );
    timeout(Duration::from_secs(10), live.say.closed()).await.expect("the connection is closed");
    assert_eq!(world.records().len(), 1);
}

/// As between two invocations of one environment: the next one's log begins
/// behind the record of this one.
#[tokio::test]
async fn a_body_that_nobody_takes_any_more_is_ended_with_a_record() {
    let (world, live) = world("200 OK").await;
    let (_, mut body) = open(&world, "/slow").await;
    live.say(format!("it is {CANARY}!"));
    assert_eq!(next(&mut body).await.as_deref(), Some("it is [redacted]!"));
    assert!(world.proxy.passages.end().await);
    let record = world.record();
    assert_eq!(
        (&record["stream"], &record["code"], &record["bytes_out"]),
        (&json!("caller_left"), &Value::Null, &json!(17))
    );
    assert_eq!(record["leaked"][0]["name"], "key", "what was found until then is told");
    timeout(Duration::from_secs(10), live.say.closed()).await.expect("the connection is closed");
    assert!(!world.proxy.passages.end().await, "there is none any more");
}

#[tokio::test]
async fn a_caller_that_does_not_read_has_left() {
    let (world, live) = world(&format!("200 OK\r\n{EVENTS}")).await;
    let (_, body) = open(&world, "/a").await;
    let told = world.proxy.passages.left();
    for _ in 0..9 {
        live.say("data: 1\n\n");
        sleep(Duration::from_millis(10)).await;
    }
    timeout(Duration::from_secs(10), told).await.expect("the invocation learns it");
    let record = record(&world).await;
    assert_eq!((&record["stream"], &record["code"]), (&json!("caller_left"), &Value::Null));
    assert!(record["duration_ms"].as_f64() >= Some(400.0), "{record}");
    drop(body);
}

/// A word of ours is an event of its own, also where the end of what came
/// before it did not get out any more.
#[tokio::test]
async fn what_was_lost_on_the_way_out_does_not_run_into_the_last_word() {
    let (world, live) = world(&format!("200 OK\r\n{EVENTS}")).await;
    let answer = world.get("/slow").within(Duration::from_secs(10)).send().await;
    let mut body = answer.0.into_parts().2;
    for text in ["data: 1\n", "\ndata: lost\n\n"] {
        live.say(text);
        sleep(Duration::from_millis(200)).await;
    }
    // The first is in the channel, the second waits at its door, and time is up.
    pause();
    advance(Duration::from_secs(11)).await;
    for _ in 0..16 {
        yield_now().await;
    }
    let text = rest(&mut body).await;
    let (before, word) = text.split_once("event: error").unwrap();
    assert_eq!(before, "data: 1\n\n\n");
    assert_eq!(last_event(&format!("event: error{word}")).1["code"], "upstream_timeout");
}

/// The answer to a GET, or another method, of which nothing is streamed.
async fn kept(head: &str, method: &str, target: &str, text: &str) -> (Answer, Value) {
    let (world, live) = world(head).await;
    if !text.is_empty() {
        live.say(text);
    }
    live.end();
    let answer = world.ask(method, target).send().await;
    let record = world.record();
    assert!(record.get("stream").is_none(), "{record}");
    (answer, record)
}

#[tokio::test]
async fn what_must_be_read_first_is_kept_until_it_is_whole() {
    let (answer, _) = kept("500 Down", "GET", "/a", &format!("bad key {CANARY}")).await;
    assert_eq!((answer.status().as_u16(), answer.text().as_str()), (500, "bad key [redacted]"));
    let (answer, _) = kept("404 Nowhere", "GET", "/a", &"x".repeat(65)).await;
    assert_eq!(answer.verdict(), "502 response_too_large");
    let (answer, _) = kept("200 OK\r\ncontent-encoding: made-up", "GET", "/a", "x").await;
    assert_eq!(answer.verdict(), "502 response_withheld");
    let (answer, _) = kept("200 OK\r\ncontent-encoding: gzip", "GET", "/a", "x").await;
    assert_eq!(answer.verdict(), "502 upstream_invalid");
    let (answer, _) = kept("200 OK", "GET", "/kept", "whole").await;
    assert_eq!(answer.text(), "whole");
    let (answer, _) = kept("200 OK", "GET", "/kept", &"x".repeat(65)).await;
    assert_eq!(answer.verdict(), "502 response_too_large");
}

#[tokio::test]
async fn what_has_no_body_is_no_stream() {
    let (answer, record) = kept("200 OK", "HEAD", "/a", "").await;
    assert_eq!((answer.text().as_str(), &record["bytes_out"]), ("", &json!(0)));
    for status in ["204 No Content", "304 Not Modified", "205 Reset Content"] {
        let (answer, _) = kept(status, "GET", "/a", "").await;
        assert_eq!(answer.verdict(), status[..3], "{status}");
    }
}

#[tokio::test]
async fn without_the_switch_a_body_is_kept_until_it_is_whole() {
    let (live, address) = Live::start("200 OK").await;
    let world = Setup::routes(ROUTES).at(format!("http://{address}")).start().await;
    live.say("wh");
    live.say("ole");
    live.end();
    assert_eq!(world.get("/a").send().await.text(), "whole");
    assert_eq!((world.record().get("stream"), &world.record()["bytes_out"]), (None, &json!(5)));
}

#[tokio::test]
async fn the_head_has_the_routes_own_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let world = Setup::routes(ROUTES).upstream("retries: 0").streaming().at(url).start().await;
    let answer = world.get("/a").send().await;
    assert_eq!(answer.verdict(), "504 upstream_timeout");
    assert!(world.record().get("stream").is_none());
}

/// As the Lambda runtime reads a body.
#[tokio::test]
async fn a_body_is_a_stream_that_never_fails() {
    fn fits<S: futures_core::Stream<Item = Result<Bytes, Infallible>> + Unpin + Send + 'static>(_: &S) {}
    let (world, live) = world("200 OK").await;
    let (_, body) = open(&world, "/a").await;
    fits(&body);
    live.end();
}
