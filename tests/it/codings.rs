//! An upstream that compresses although asked not to: the guard reads a copy, and
//! the caller gets what it can read.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::json;
use tokio::time::Instant;

use crate::upstream::{Say, say};
use crate::world::{APP, Answer, CANARY, Setup, World};

const ROUTES: &str = "\
GET /a: { {open}, dangerous_range: true, response: { headers: any, max_bytes: 64KiB } }
GET /big: { {open}, response: { max_bytes: 6MB } }";

/// `content-encoding`, and the text in it.
fn packings(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
    for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut raw] {
        encoder.write_all(text).unwrap();
    }
    let mut br = Vec::new();
    brotli::CompressorWriter::new(&mut br, 4096, 5, 22).write_all(text).unwrap();
    let gzip = gzip.finish().unwrap();
    let twice = compress_to_vec(&gzip[..], CompressionLevel::Fastest);
    vec![
        ("x-gzip", gzip.clone()),
        ("gzip", gzip),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("br", br),
        ("zstd", compress_to_vec(text, CompressionLevel::Fastest)),
        ("gzip, zstd", twice),
    ]
}

fn gzip(text: &[u8]) -> Vec<u8> {
    packings(text).swap_remove(0).1
}

/// A body of JSON, with all that an upstream says of its bytes.
fn packed(coding: &str, body: &[u8]) -> Say {
    let said = say(200).with("content-encoding", coding).with("content-type", "application/json");
    let said = said.with("etag", "\"1\"").with("accept-ranges", "bytes").with("digest", "md5=x");
    said.with("content-digest", "sha-256=:x:").body(body.to_vec())
}

async fn saying(said: Say) -> World {
    Setup::routes(ROUTES).answer(move |_| said.clone()).start().await
}

fn described(answer: &Answer) -> [Option<String>; 5] {
    ["content-encoding", "etag", "vary", "accept-ranges", "content-digest"].map(|name| answer.header(name))
}

#[tokio::test]
async fn a_clean_answer_leaves_as_it_came() {
    let text = br#"{"name":"hello, hello, hello, hello"}"#;
    for (coding, body) in packings(text) {
        let world = saying(packed(coding, &body)).await;
        let ask = world.get("/a").from(APP).header("accept-encoding", "gzip, deflate, br, zstd");
        let answer = ask.send().await;
        assert_eq!(answer.0.body(), &body, "{coding}");
        let said = Some(coding.replace("x-gzip", "gzip"));
        let [vary, etag, ranges] =
            ["Origin, accept-encoding", "\"1\"", "bytes"].map(|text| Some(text.into()));
        assert_eq!(described(&answer), [said, etag, vary, ranges, Some("sha-256=:x:".into())], "{coding}");
        assert_eq!(world.upstream.seen()[0].all("accept-encoding"), ["identity"]);
        assert_eq!(world.record()["bytes_out"], body.len());
    }
}

#[tokio::test]
async fn a_caller_that_does_not_take_the_coding_gets_the_text() {
    let text = br#"{"name":"hello, hello, hello, hello"}"#;
    for (coding, body) in packings(text) {
        let world = saying(packed(coding, &body)).await;
        for accept in
            [None, Some("identity"), Some("*;q=0"), Some("gzip;q=0, deflate;q=0, br;q=0, zstd;q=0, *")]
        {
            let ask = world.get("/a");
            let ask = if let Some(accept) = accept { ask.header("accept-encoding", accept) } else { ask };
            let answer = ask.send().await;
            assert_eq!(answer.0.body(), &text[..], "{coding} {accept:?}");
            let expected = [None, Some("W/\"1\"".into()), Some("Origin".into()), None, None];
            assert_eq!(described(&answer), expected, "{coding} {accept:?}");
            assert_eq!(answer.header("digest"), None);
        }
    }
}

#[tokio::test]
async fn an_echoed_secret_is_cut_out_of_every_coding() {
    for text in [format!("you, you, you sent «{CANARY}»"), CANARY.to_owned()] {
        for (coding, body) in packings(text.as_bytes()) {
            let world = saying(packed(coding, &body)).await;
            let answer = world.get("/a").header("accept-encoding", "*").send().await;
            assert_eq!(answer.text(), text.replace(CANARY, "[redacted]"), "{coding}");
            assert_eq!(described(&answer), [None, None, Some("Origin".into()), None, None], "{coding}");
            let leaked = json!([{ "name": "key", "place": "body", "spelling": "plain" }]);
            assert_eq!(world.record()["leaked"], leaked, "{coding}");
        }
    }
}

/// A text with `[redacted]` in it must not be written back by `if-match`.
#[tokio::test]
async fn what_was_cut_has_no_etag_in_the_clear_either() {
    let world = saying(say(200).with("etag", "\"1\"").body(CANARY)).await;
    let answer = world.get("/a").send().await;
    assert_eq!((answer.text().as_str(), answer.header("etag")), ("[redacted]", None));
}

#[tokio::test]
async fn a_broken_or_foreign_coding_is_a_problem() {
    let check = async |coding: &str, body: &[u8], expected: &str| {
        let world = saying(packed(coding, body)).await;
        for accept in ["*", "identity"] {
            let answer = world.get("/a").header("accept-encoding", accept).send().await;
            assert_eq!(answer.verdict(), expected, "{coding}");
            assert_eq!(answer.header("content-encoding"), None, "{coding}");
        }
    };
    let invalid = "502 upstream_invalid";
    for (coding, body) in packings(b"hello, hello, hello") {
        check(coding, &body[..body.len() - 1], invalid).await;
        check(coding, &[&body[..], CANARY.as_bytes()].concat(), invalid).await;
        check(coding, b"hello, hello, hello", invalid).await;
        check(&format!("{coding}, made-up"), &body, "502 response_withheld").await;
    }
    check("gzip, gzip, gzip, gzip", &gzip(b"hello"), "502 response_withheld").await;
}

#[tokio::test]
async fn a_bomb_is_too_large_at_once_and_the_next_request_is_served() {
    for (coding, body) in packings(&vec![b' '; 8 << 20]) {
        assert!(body.len() < 64 << 10, "{coding}: {}", body.len());
        let world = saying(packed(coding, &body)).await;
        let begun = Instant::now();
        let answer = world.get("/a").header("accept-encoding", coding).send().await;
        assert_eq!(answer.verdict(), "502 response_too_large", "{coding}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{coding}: {:?}", begun.elapsed());
        assert!(answer.text().contains("64 KiB") || answer.text().contains("64.0 KiB"), "{}", answer.text());
    }
}

#[tokio::test]
async fn lambdas_limit_is_for_what_goes_out() {
    let text = vec![1; 2 << 20];
    let world = saying(packed("gzip", &gzip(&text))).await;
    let packed = world.get("/big").header("accept-encoding", "gzip").send().await;
    assert_eq!(packed.verdict(), "200");
    let plain = world.get("/big").send().await;
    assert_eq!(plain.verdict(), "502 response_too_large");
}

/// A cache takes what 304 and HEAD say for the body that it keeps, and that may be a decoded one.
#[tokio::test]
async fn without_a_body_no_coding_is_named() {
    let world = saying(packed("gzip", &gzip(b"hello"))).await;
    let answer = world.ask("HEAD", "/a").header("accept-encoding", "gzip").send().await;
    assert_eq!((answer.status().as_u16(), answer.header("content-encoding")), (200, None));
    for (status, coding) in [(304, "gzip"), (204, "made-up"), (200, "gzip")] {
        let said = say(status).with("content-encoding", coding).with("vary", "accept-encoding, accept");
        let world = saying(said).await;
        let answer = world.get("/a").header("accept-encoding", "gzip").send().await;
        assert_eq!((answer.status().as_u16(), answer.header("content-encoding")), (status, None));
        assert_eq!(answer.header("vary").as_deref(), Some("Origin, accept-encoding, accept"));
    }
}

#[tokio::test]
async fn a_part_of_a_packed_answer_is_withheld() {
    let said = say(206).with("content-encoding", "gzip").body(gzip(b"hello"));
    let world = saying(said).await;
    let answer = world.get("/a").header("range", "bytes=0-9").header("accept-encoding", "gzip").send().await;
    assert_eq!(answer.verdict(), "502 response_withheld");
}
