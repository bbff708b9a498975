//! The guide *Reshape a body*, carried out: each file is read, each message
//! is sent, and what comes is compared with what is written there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use countersign::config;
use serde_json::Value;

use crate::upstream::{Seen, say};
use crate::world::{Answer, OURS, Setup, World};

const GUIDE: &str = include_str!("../../docs/guides/reshape.md");

/// A message of the guide: what its first line says, its headers and its body.
#[derive(Debug, Clone)]
struct Message {
    first: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn parse(block: &str) -> Self {
        let (head, body) = block.split_once("\n\n").unwrap_or((block, ""));
        let mut lines = head.lines();
        let first = lines.next().unwrap().to_owned();
        let headers =
            lines.map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.to_lowercase(), v.to_owned()));
        Self { first, headers: headers.collect(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as it crosses the wire: lines of parts end in CR LF (RFC 2046 §4.1.1).
    fn wire_body(&self) -> String {
        match self.header("content-type") {
            Some(kind) if kind.starts_with("multipart/") => format!("{}\n", self.body).replace('\n', "\r\n"),
            Some(kind) if kind.starts_with("text/event-stream") => format!("{}\n\n", self.body.trim_end()),
            _ => self.body.clone(),
        }
    }
}

/// One section: its file, and its messages with who says them.
struct Section {
    file: String,
    routes: String,
    messages: Vec<(String, Message)>,
}

fn sections() -> Vec<Section> {
    GUIDE.split("\n## ").skip(1).map(section).collect()
}

fn section(text: &str) -> Section {
    let file = text.split("](../../").nth(1).unwrap().split(')').next().unwrap().to_owned();
    let mut parts = text.split("```");
    let (mut before, mut routes, mut messages) = (parts.next().unwrap(), String::new(), Vec::new());
    while let (Some(block), after) = (parts.next(), parts.next()) {
        let (language, content) = block.split_once('\n').unwrap();
        match language {
            "yaml" => content.clone_into(&mut routes),
            _ => {
                let who = before.trim_end().lines().last().unwrap().to_owned();
                messages.push((who, Message::parse(content.trim_end_matches('\n'))));
            }
        }
        before = after.unwrap_or_default();
    }
    Section { file, routes, messages }
}

#[tokio::test]
async fn the_guide_is_true() {
    let sections = sections();
    assert_eq!(sections.len(), 10);
    for section in sections {
        let text =
            std::fs::read_to_string(format!("{}/{}", env!("CARGO_MANIFEST_DIR"), section.file)).unwrap();
        assert!(text.ends_with(&section.routes), "{}: the guide shows other routes", section.file);
        tell(&section).await;
    }
}

async fn tell(section: &Section) {
    let answers: Arc<Mutex<Option<Message>>> = Arc::default();
    let script = {
        let answers = Arc::clone(&answers);
        move |seen: &Seen| {
            let message = answers.lock().unwrap().clone().expect("the guide says what the upstream answers");
            let mut said = say(message.first.parse().unwrap());
            let up = format!("http://{}", seen.all("host").concat());
            for (name, value) in &message.headers {
                said = said.with(name, &value.replace("https://api.github.com", &up));
            }
            said.body(message.wire_body())
        }
    };
    let world = Setup::routes("").answer(script).start_file(&section.file).await;
    let mut messages = section.messages.iter().peekable();
    while let Some((who, sent)) = messages.next() {
        assert_eq!(who, "The page sends:", "{}", section.file);
        let wanted = messages.next_if(|(who, _)| who == "The upstream gets:").map(|(_, message)| message);
        *answers.lock().unwrap() =
            messages.next_if(|(who, _)| who == "The upstream answers:").map(|(_, m)| m.clone());
        let (_, expected) =
            messages.next_if(|(who, _)| who == "The page gets:").expect("each story has an end");
        let before = world.upstream.seen().len();
        let answer = send(&world, sent).await;
        let seen = world.upstream.seen().get(before).cloned();
        assert_eq!(seen.is_some(), wanted.is_some(), "{}: {answer:?}", section.file);
        if let (Some(seen), Some(wanted)) = (seen, wanted) {
            compare_request(&seen, wanted, &section.file);
        }
        compare_answer(&answer, expected, &section.file);
    }
}

async fn send(world: &World, message: &Message) -> Answer {
    let (method, target) = message.first.split_once(' ').unwrap();
    let mut ask = world.ask(method, target);
    for (name, value) in &message.headers {
        ask = ask.header(name, value);
    }
    ask.body(message.wire_body()).send().await
}

fn compare_request(seen: &Seen, wanted: &Message, file: &str) {
    assert_eq!(format!("{} {}", seen.method, seen.target), wanted.first, "{file}");
    for (name, value) in &wanted.headers {
        let got = seen.all(name).concat();
        let (shown, hidden) =
            value.split_once('…').map_or((value.as_str(), false), |(shown, _)| (shown, true));
        assert!(
            if hidden { got.starts_with(shown) && shown.len() < got.len() } else { got == shown },
            "{file}: {name}: {got}"
        );
    }
    compare_body(&String::from_utf8_lossy(&seen.body), &wanted.body, file);
}

fn compare_answer(answer: &Answer, expected: &Message, file: &str) {
    assert_eq!(answer.status().as_str(), expected.first, "{file}: {}", answer.text());
    for (name, value) in &expected.headers {
        assert_eq!(answer.header(name).as_ref(), Some(value), "{file}: {name}");
    }
    match (serde_json::from_str::<Value>(&expected.body), answer.header("content-type").as_deref()) {
        // Of a problem the guide shows what matters there.
        (Ok(Value::Object(shown)), Some("application/problem+json")) => {
            let got = answer.json();
            for (name, value) in shown {
                assert_eq!(got[&name], value, "{file}: {name}");
            }
        }
        _ => compare_body(&answer.text(), expected.wire_body().trim_end(), file),
    }
}

/// JSON by what it says, with each number as it is written; other text as it is.
fn compare_body(got: &str, expected: &str, file: &str) {
    let plain = |text: &str| {
        serde_json::from_str::<BTreeMap<String, Box<serde_json::value::RawValue>>>(text)
            .ok()
            .map(|_| squeezed(text))
    };
    match (plain(got), plain(expected)) {
        (Some(got), Some(expected)) => assert_eq!(got, expected, "{file}"),
        _ if got.starts_with('[') => assert_eq!(squeezed(got), squeezed(expected), "{file}"),
        _ => assert_eq!(got.trim_end(), expected.trim_end(), "{file}"),
    }
}

/// Without the spaces between its words.
fn squeezed(text: &str) -> String {
    let (mut out, mut within, mut escaped) = (String::new(), false, false);
    for character in text.chars() {
        if within || !character.is_whitespace() {
            out.push(character);
        }
        within ^= character == '"' && !escaped;
        escaped = within && character == '\\' && !escaped;
    }
    out
}

#[test]
fn our_address_is_that_of_the_tests() {
    assert!(GUIDE.contains(OURS));
}

/// What the guide *Credentials* shows passes `countersign check`, and each recipe is shown.
#[test]
fn every_recipe_of_the_guide_has_no_flaw() {
    const CREDENTIALS: &str = include_str!("../../docs/guides/credentials.md");
    let blocks = CREDENTIALS.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let callers = "version: 1\ncallers: { website: { anonymous: true }, agents: { anonymous: true } }\n";
    let mut shown = String::new();
    for block in blocks {
        let file = format!("{callers}{block}");
        let flaws = config::examine(&file, &|_| Err(String::new())).err().unwrap_or_default();
        assert!(flaws.is_empty(), "{flaws:#?}\n{file}");
        shown.push_str(block);
    }
    for recipe in ["bearer", "basic", "header", "query", "cookie", "path", "body", "hmac", "sigv4", "mtls"] {
        assert!(
            shown.contains(&format!("{recipe}:")) && CREDENTIALS.contains(&format!("\n## {recipe}\n")),
            "{recipe}"
        );
    }
}
