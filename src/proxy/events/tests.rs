//! Tables of streams, each cut at every byte.

use serde_json::Value;

use super::*;

/// A hook that wraps the data: `{"is": …}`; of a list, each item by itself.
fn wrapping() -> Reshape {
    Box::new(|data| {
        Box::pin(async move {
            match serde_json::from_slice(&data) {
                Ok(Value::Array(items)) => {
                    Ok(items.iter().map(|item| Bytes::from(item.to_string())).collect())
                }
                Ok(Value::String(why)) => Err(Problem::new(Kind::Internal, why)),
                Ok(value) => Ok(vec![Bytes::from(format!("{{\"is\":{value}}}"))]),
                Err(_) => Ok(vec![Bytes::from(format!("no JSON: {}", String::from_utf8_lossy(&data)))]),
            }
        })
    })
}

/// What comes of these chunks: after each one, and at the end.
async fn passed(form: Form, reshaped: bool, chunks: &[&[u8]]) -> Result<Vec<Bytes>, Problem> {
    let mut events = Events::new(form);
    if reshaped {
        events.reshape(wrapping());
    }
    let mut all = Vec::new();
    for chunk in chunks {
        all.push(events.pass(Bytes::copy_from_slice(chunk)).await?);
    }
    all.push(events.end().await?);
    Ok(all)
}

/// The same whole, in two parts at every place, and byte by byte.
async fn check(form: Form, reshaped: bool, text: &str, expected: &str) {
    let bytes = text.as_bytes();
    let mut ways: Vec<Vec<&[u8]>> =
        (0..=bytes.len()).map(|at| bytes.split_at(at)).map(|(a, b)| vec![a, b]).collect();
    ways.push(bytes.chunks(1).collect());
    for chunks in ways {
        let found = passed(form, reshaped, &chunks).await.unwrap().concat();
        let (found, first) = (String::from_utf8_lossy(&found), chunks.first().map_or(0, |chunk| chunk.len()));
        assert_eq!(found, expected, "{text:?} as {} chunks, {first} bytes in the first", chunks.len());
    }
}

#[tokio::test]
async fn what_nobody_reshapes_passes_as_it_came() {
    for text in [
        "data: 1\n\ndata: 2\n\n",
        "data: 1\r\n\r\ndata: 2\r\n\r\n",
        "data: 1\r\rdata: 2\r\r",
        "\u{feff}data: 1\n\n: ping\n\n\n\nid: 3\ndata\n\nretry: 10\n\nunknown: x\n\ndata: not ended",
        ": comment\rdata: a\n: inside\r\ndata: b\r\n\n\r",
        "",
        "\n",
        "no field",
    ] {
        check(Form::EventStream, false, text, text).await;
        check(Form::Lines, false, text, text).await;
    }
}

#[tokio::test]
async fn only_whole_lines_go_on_and_those_at_once() {
    let check = async |chunks: &[&str], expected: &[&str]| {
        let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
        assert_eq!(passed(Form::EventStream, false, &chunks).await.unwrap(), expected, "{expected:?}");
    };
    check(&["data: 1\n", "\ndata: 2\n\nda"], &["data: 1\n", "\ndata: 2\n\n", "da"]).await;
    check(&["data: 1\r\n\r", "\n", "data: 2"], &["data: 1\r\n\r", "\n", "", "data: 2"]).await;
    check(&["data: 1\r\n\r\n"], &["data: 1\r\n\r\n", ""]).await;
    check(&["data", ": 1", "\n\n"], &["", "", "data: 1\n\n", ""]).await;
    check(&[": ping\n", ": pong\r", "\ndata: 1"], &[": ping\n", ": pong\r", "\n", "data: 1"]).await;
    check(&["data: 1\n: ping\n", "\n"], &["data: 1\n: ping\n", "\n", ""]).await;
}

#[tokio::test]
async fn a_line_like_an_image_does_not_wait() {
    let long = vec![b'x'; LONGEST_LINE];
    let found =
        passed(Form::EventStream, false, &[&long, b"y", &long, b"\n\n", b"data: 1\nda"]).await.unwrap();
    let lengths: Vec<usize> = found.iter().map(Bytes::len).collect();
    assert_eq!(lengths, [0, LONGEST_LINE + 1, 0, LONGEST_LINE + 2, 8, 2]);
}

/// Whatever a page's parser has read so far ends before the last word.
#[test]
fn the_last_word_is_an_event_of_its_own() {
    let word = Events::error(&Problem::new(Kind::UpstreamTimeout, "late"), "r-1");
    let (before, rest) = std::str::from_utf8(&word).unwrap().split_once("event: error\ndata: ").unwrap();
    let problem: Value = serde_json::from_str(rest).unwrap();
    assert_eq!((before, &problem["code"]), ("\n\n", &"upstream_timeout".into()));
    assert!(rest.ends_with("}\n\n"));
}

/// The examples of WHATWG HTML §9.2.6, and its corners.
#[tokio::test]
async fn the_data_of_each_event_is_reshaped() {
    let check = async |text: &str, expected: &str| check(Form::EventStream, true, text, expected).await;
    check("data: 7\n\n", "data: {\"is\":7}\n\n").await;
    check("data:7\n\ndata: 8\n\n", "data: {\"is\":7}\n\ndata: {\"is\":8}\n\n").await;
    check("data: YHOO\ndata: +2\ndata: 10\n\n", "data: no JSON: YHOO\ndata: +2\ndata: 10\n\n").await;
    check("data: {\"a\":\r\ndata: 1}\r\n\r\n", "data: {\"is\":{\"a\":1}}\n\n").await;
    check(
        ": test stream\n\ndata: 1\nid: 1\n\ndata:2\nid\n\ndata:  third event\n",
        ":\n\nid: 1\ndata: {\"is\":1}\n\nid: \ndata: {\"is\":2}\n\n",
    )
    .await;
    check("data\n\ndata\ndata\n\ndata:", "data: no JSON: \n\ndata: no JSON: \ndata: \n\n").await;
    check("\u{feff}data: 1\n\n", "data: {\"is\":1}\n\n").await;
    check("data: 1\r\rdata: 2\r\r", "data: {\"is\":1}\n\ndata: {\"is\":2}\n\n").await;
    check(
        "event: a\nevent: b\nretry: 5\nid: 9\nother: x\ndata: 1\n\n",
        "event: b\nid: 9\nretry: 5\ndata: {\"is\":1}\n\n",
    )
    .await;
}

#[tokio::test]
async fn an_event_may_become_none_or_many() {
    let check = async |text: &str, expected: &str| check(Form::EventStream, true, text, expected).await;
    check("data: []\n\ndata: 1\n\n", "data: {\"is\":1}\n\n").await;
    check(
        "event: e\nid: 4\nretry: 9\ndata: [1, 2]\n\n",
        "event: e\nid: 4\nretry: 9\ndata: 1\n\nevent: e\nid: 4\ndata: 2\n\n",
    )
    .await;
    check("event: e\nretry: 9\n: inside\ndata: []\n\n", "").await;
}

#[tokio::test]
async fn no_words_pass_around_a_hook() {
    let check = async |text: &str, expected: &str| check(Form::EventStream, true, text, expected).await;
    check(": ping\n\n", ":\n\n").await;
    check(": ping\r\n: pong\r\n\r\n", ":\n:\n\n").await;
    check("\n\n", "\n\n").await;
    check("event: words\nid: words\nother: words\n: words\n\n", "\n").await;
    check("other: words\n: words\ndata: 1\n\n", "data: {\"is\":1}\n\n").await;
    check("retry: 10\n\n", "retry: 10\n\n").await;
    check("retry: words\n\n", "\n").await;
    check("retry: words\ndata: 1\n\n", "data: {\"is\":1}\n\n").await;
    check("data: [DONE]\n\n", "data: [DONE]\n\n").await;
    check("other: words\ndata:[DONE]\r\n\r\n", "data: [DONE]\n\n").await;
}

/// What a hook refuses takes nothing away that was good before.
#[tokio::test]
async fn each_event_is_handed_out_as_soon_as_it_is_made() {
    let mut events = Events::new(Form::EventStream);
    events.reshape(wrapping());
    assert_eq!(events.take("data: 1\n\ndata: \"no more\"\n\n".into()), "");
    assert_eq!(events.next().await.unwrap().unwrap(), "data: {\"is\":1}\n\n");
    assert_eq!(events.next().await.unwrap_err().detail(), "no more");
}

#[tokio::test]
async fn lines_are_reshaped_one_by_one() {
    let check = async |text: &str, expected: &str| check(Form::Lines, true, text, expected).await;
    check("1\n2\r\n\n[3,4]\n[]\n5", "{\"is\":1}\n{\"is\":2}\n\n3\n4\n{\"is\":5}\n").await;
    check("", "").await;
    check("1\r2\n", "no JSON: 1\r2\n").await;
}

#[tokio::test]
async fn an_event_without_an_end_ends_the_body() {
    let long = vec![b'x'; LONGEST];
    for form in [Form::EventStream, Form::Lines] {
        let fits = passed(form, true, &[b"data: 1", b"\n\n", &long[9..], b"\n\n"]).await;
        assert!(fits.is_ok(), "{form:?}");
        let problem = passed(form, true, &[&long, b"y", b"\n\n"]).await.unwrap_err();
        assert_eq!(problem.kind(), Kind::UpstreamInvalid, "{form:?}");
        assert!(passed(form, false, &[&long, b"y", b"\n\n"]).await.is_ok(), "{form:?}");
    }
}

#[tokio::test]
async fn the_error_of_a_hook_ends_the_body() {
    let problem = passed(Form::Lines, true, &[b"1\n\"no more\"\n"]).await.unwrap_err();
    assert_eq!(problem.detail(), "no more");
}

#[test]
fn the_type_says_whether_there_are_events() {
    let check = |declared: &str, expected: Option<Form>| {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, declared.parse().unwrap())]);
        assert_eq!(Form::of(&headers), expected, "{declared}");
    };
    check("text/event-stream", Some(Form::EventStream));
    check("Text/Event-Stream; charset=utf-8", Some(Form::EventStream));
    check("application/x-ndjson", Some(Form::Lines));
    check("application/jsonl;charset=utf-8", Some(Form::Lines));
    check("application/json", None);
    check("text/plain", None);
    assert_eq!(Form::of(&HeaderMap::new()), None);
}
