//! The cache by itself: what is kept, for whom and for how long. `waiting`: who asks, and who waits.

mod waiting;

use bytes::Bytes;
use http::{HeaderName, header};
use tokio::time::Instant;

use super::question::Key;
use super::shelf::{LONGEST, ROOM, VARIANTS};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn map(lines: &str) -> HeaderMap {
    let pairs = lines.split('|').filter_map(|line| line.trim().split_once(": "));
    pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

/// A request for a path, with these headers, so many seconds after the beginning.
fn question(path: &str, headers: &str, seconds: u64) -> Question {
    let key = Key {
        route: "GET /{a}".to_owned(),
        class: "website".to_owned(),
        ours: String::new(),
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
    };
    Question {
        key: Arc::new(key),
        sent: map(headers),
        lifetime: MINUTE,
        now: at(seconds),
        deadline: Instant::now() + MINUTE,
        patience: MINUTE,
        alone: false,
        head: false,
        oldest: None,
        if_none_match: None,
        if_modified_since: None,
    }
}

/// An answer as the upstream gave it, `no-store` added as the guard does.
fn fetched(status: u16, headers: &str, body: impl Into<Bytes>) -> Fetched {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = map(headers);
    let mut leaving = answer.clone();
    if !leaving.contains_key(header::CACHE_CONTROL) {
        leaving.insert(header::CACHE_CONTROL, "no-store".parse().unwrap());
    }
    leaving.remove(header::AGE);
    leaving.remove(header::SET_COOKIE);
    Fetched {
        response: Response::new(status, leaving, body.into()),
        passage: None,
        said: Some(Said::new(status, &answer)),
    }
}

fn keep(asked: &Question, status: u16, headers: &str) -> Option<Entry> {
    let Fetched { response, said, .. } = fetched(status, headers, "body");
    Entry::new(&response, &said.unwrap(), asked)
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn an_answer_is_fresh_for_the_shorter_of_what_file_and_upstream_say() {
    // The seconds for which it is fresh; `None`: it is not kept.
    let check = |status: u16, headers: &str, expected: Option<u64>| {
        let entry = keep(&question("/a", "", 0), status, headers);
        let found =
            entry.map(|entry| (0..100).take_while(|second| entry.is_fresh(at(*second))).count() as u64);
        assert_eq!(found, expected, "{status} {headers}");
    };
    check(200, "", Some(60));
    check(200, "cache-control: max-age=10", Some(10));
    check(200, "cache-control: MAX-AGE = 10", Some(10));
    check(200, "cache-control: max-age=\"10\", public", Some(10));
    check(200, "cache-control: public | cache-control: max-age=10", Some(10));
    check(200, "cache-control: max-age=300", Some(60));
    check(200, "cache-control: max-age=300, s-maxage=10", Some(10));
    check(200, "cache-control: max-age=nonsense", Some(0));
    check(200, "cache-control: max-age=99999999999999999999999", Some(0));
    check(200, "cache-control: max-age=18446744073709551615", Some(60));
    check(200, "cache-control: max-age=30 | age: 10", Some(20));
    check(200, "age: 10", Some(50));
    check(200, "age: 18446744073709551615", Some(0));
    check(200, "age: old", Some(60));
    check(200, "cache-control: public", Some(60));
    check(200, "cache-control: immutable", Some(60));
    check(200, "date: Mon, 12 Jan 1970 13:46:40 GMT | expires: Mon, 12 Jan 1970 13:46:50 GMT", Some(10));
    check(200, "expires: Mon, 12 Jan 1970 13:46:50 GMT", Some(10));
    check(200, "expires: 0", Some(0));
    check(200, "last-modified: Thu, 01 Jan 1970 00:00:00 GMT", Some(60));
    check(200, "cache-control: no-cache | etag: \"1\"", Some(0));
    check(200, "pragma: no-cache | etag: \"1\"", Some(0));
    check(200, "cache-control: must-revalidate", Some(60));
    for status in [203, 301, 308, 404, 410] {
        check(status, "", Some(60));
    }
    for status in [201, 202, 204, 206, 302, 303, 304, 307, 400, 401, 403, 429, 500, 502, 503] {
        check(status, "cache-control: max-age=10, public", None);
    }
    for never in [
        "cache-control: no-store",
        "cache-control: No-Store, max-age=10",
        "cache-control: private",
        "cache-control: max-age=10, PRIVATE",
        "cache-control: private=\"x-mine\"",
        "cache-control: public | cache-control: no-store",
        "cache-control: max-age=10, public | set-cookie: a=b",
        "vary: *",
        "vary: accept, *",
        "vary: accept | vary: *",
        "vary: not a name",
    ] {
        check(200, never, None);
    }
}

#[test]
fn an_answer_is_for_requests_that_do_not_differ_in_what_it_varies_by() {
    let check = |vary: &str, kept: &str, asked: &str, expected: bool| {
        let entry = keep(&question("/a", kept, 0), 200, vary).unwrap();
        assert_eq!(entry.fits(&question("/a", asked, 1)), expected, "{vary}: {kept} and {asked}");
    };
    check("", "accept: a", "accept: b", true);
    check("vary: Accept", "accept: a", "accept: a", true);
    check("vary: Accept", "accept: a", "accept: b", false);
    check("vary: Accept", "accept: a", "", false);
    check("vary: Accept", "", "", true);
    check("vary: x, accept", "accept: a", "accept: b", false);
    check("vary: x | vary: accept", "accept: a", "accept: b", false);
}

#[test]
fn the_caller_is_told_what_is_true() {
    let check = |headers: &str, after: u64, control: &str, age: &str| {
        let entry = keep(&question("/a", "", 0), 200, headers).unwrap();
        let answer = entry.answer(at(after), Outcome::Hit);
        let told = (header(&answer, "cache-control"), header(&answer, "age"));
        assert_eq!(told, (Some(control.to_owned()), Some(age.to_owned())), "{headers}");
    };
    check("", 0, "private, max-age=60", "0");
    check("", 7, "private, max-age=60", "7");
    check("age: 20", 7, "private, max-age=60", "27");
    check("cache-control: Public, max-age=300", 7, "Public, max-age=300", "7");
    check("cache-control: max-age=300 | age: 20", 7, "max-age=300", "27");
    check("cache-control: public", 7, "public, max-age=60", "7");
    check("cache-control: no-cache", 7, "no-cache", "7");
    check("expires: Mon, 12 Jan 1970 13:46:50 GMT", 7, "private, max-age=10", "7");
    let first = keep(&question("/a", "", 0), 200, "").unwrap().answer(at(0), Outcome::Miss);
    assert_eq!(header(&first, "age"), None);
}

#[test]
fn a_reload_is_heeded_but_not_all_the_time() {
    let check = |oldest: Option<u64>, since: u64, expected: bool| {
        let oldest = oldest.map(Duration::from_secs);
        let asked = Question { oldest, ..question("/a", "", since) };
        assert_eq!(asked.takes(at(0)), expected, "{oldest:?} after {since} s");
    };
    check(None, 1000, true);
    check(Some(0), 4, true);
    check(Some(0), 5, false);
    check(Some(30), 30, true);
    check(Some(30), 31, false);
}

#[test]
fn what_the_caller_has_is_not_sent_again() {
    let check = |etags: &str, since: &str, status: u16, answer: &str, expected: u16| {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let asked = Question {
            if_none_match: some(etags),
            if_modified_since: some(since).map(|text| text.parse().unwrap()),
            ..question("/a", "", 0)
        };
        let Fetched { response, .. } = fetched(status, answer, "body");
        let judged = asked.judge(response);
        assert_eq!(judged.status(), expected, "{etags} {since} {answer}");
        assert_eq!(judged.body().is_empty(), expected == 304);
        assert!(judged.headers().contains_key("cache-control"));
        assert!(expected != 304 || !judged.headers().contains_key("content-type"));
    };
    let etag = "etag: \"1\" | content-type: a/b";
    check("\"1\"", "", 200, etag, 304);
    check("W/\"1\"", "", 200, etag, 304);
    check("\"1\"", "", 200, "etag: W/\"1\"", 304);
    check("\"0\", \"1\"", "", 200, etag, 304);
    check("*", "", 200, etag, 304);
    check("\"2\"", "", 200, etag, 200);
    check("\"1\"", "", 200, "", 200);
    check("\"1\"", "", 404, etag, 404);
    check("", "Thu, 01", 200, "last-modified: Thu, 01", 304);
    check("", "Fri, 02", 200, "last-modified: Thu, 01", 200);
    check("", "Thu, 01", 200, "", 200);
    // Where both are sent, the etag decides (RFC 9110 §13.2.2).
    check("\"2\"", "Thu, 01", 200, "last-modified: Thu, 01 | etag: \"1\"", 200);
    check("", "", 200, etag, 200);
}

#[test]
fn a_304_renews_what_it_is_about() {
    let check = |kept: &str, said: &str, expected: Option<u64>| {
        let entry = keep(&question("/a", "", 0), 200, kept).unwrap();
        let asked = question("/a", "", 100);
        let Fetched { response, said: words, .. } = fetched(304, said, "");
        let renewed = entry.renewed(response.headers(), &words.unwrap(), &asked);
        let found = renewed.map(|renewed| {
            assert_eq!(renewed.answer(at(100), Outcome::Revalidated).body().as_ref(), b"body");
            (100..200).take_while(|second| renewed.is_fresh(at(*second))).count() as u64
        });
        assert_eq!(found, expected, "{kept}, {said}");
    };
    check("etag: \"1\"", "etag: \"1\"", Some(60));
    check("etag: \"1\"", "etag: W/\"1\"", Some(60));
    check("etag: W/\"1\"", "etag: \"1\"", Some(60));
    check("etag: \"1\"", "etag: \"2\"", None);
    check("etag: \"1\"", "", Some(60));
    check("last-modified: Thu, 01", "", Some(60));
    check("last-modified: Thu, 01", "last-modified: Fri, 02", None);
    check("etag: \"1\" | cache-control: max-age=10", "etag: \"1\"", Some(10));
    check("etag: \"1\" | cache-control: max-age=10", "etag: \"1\" | cache-control: max-age=20", Some(20));
    check("etag: \"1\" | cache-control: max-age=10", "etag: \"1\" | cache-control: public", Some(60));
    check("etag: \"1\" | age: 30", "etag: \"1\"", Some(60));
    check("etag: \"1\"", "etag: \"1\" | cache-control: no-cache", Some(0));
}

#[test]
fn a_304_that_forbids_it_ends_the_keeping() {
    for said in ["cache-control: no-store", "cache-control: private", "set-cookie: a=b", "vary: *"] {
        let entry = keep(&question("/a", "", 0), 200, "etag: \"1\" | vary: x").unwrap();
        let Fetched { response, said: words, .. } = fetched(304, &format!("etag: \"1\" | {said}"), "");
        let renewed = entry.renewed(response.headers(), &words.unwrap(), &question("/a", "", 100)).unwrap();
        assert!(!renewed.is_kept(), "{said}");
        let mut shelf = Shelf::default();
        shelf.put(&question("/a", "", 0), entry);
        shelf.put(&question("/a", "", 100), renewed);
        assert!(shelf.find(&question("/a", "", 100)).is_none() && shelf.bytes == 0, "{said}");
    }
}

/// An entry with a body of so many bytes.
fn heavy(asked: &Question, bytes: usize) -> Entry {
    let Fetched { response, said, .. } = fetched(200, "vary: x", vec![0; bytes]);
    Entry::new(&response, &said.unwrap(), asked).unwrap()
}

#[test]
fn many_urls_take_no_more_room_than_there_is() {
    let mut shelf = Shelf::default();
    for number in 0..20_000 {
        let asked = question(&format!("/{number}"), "", 0);
        shelf.put(&asked, heavy(&asked, 2000));
        assert!(shelf.bytes <= ROOM, "{number}: {}", shelf.bytes);
        shelf.find(&question("/0", "", 0)).expect("what is asked for stays");
    }
    assert!(ROOM - 10_000 < shelf.bytes, "{}", shelf.bytes);
    assert!(shelf.find(&question("/1", "", 0)).is_none());
    assert!(shelf.find(&question("/19999", "", 0)).is_some());
    for number in 0..20_000 {
        shelf.forget(&format!("/{number}"));
    }
    assert_eq!(shelf.bytes, 0);
}

#[test]
fn one_answer_or_one_url_does_not_take_all_the_room() {
    let mut shelf = Shelf::default();
    let asked = question("/large", "", 0);
    shelf.put(&asked, heavy(&asked, LONGEST));
    assert!(shelf.find(&asked).is_none() && shelf.bytes == 0);
    for number in 0..100 {
        let asked = question("/a", &format!("x: {number}"), 0);
        shelf.put(&asked, heavy(&asked, 10));
        shelf.put(&asked, heavy(&asked, 10));
    }
    let found = (0..100).filter(|number| shelf.find(&question("/a", &format!("x: {number}"), 0)).is_some());
    assert_eq!(found.collect::<Vec<_>>(), (100 - VARIANTS..100).collect::<Vec<_>>());
}
