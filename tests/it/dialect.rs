//! Other people's tests of JSON and of jq, through a route of ours.
//!
//! They lie outside this repository; where they are not, the tables of our own
//! in `transforms` have to do.

use bytes::Bytes;
use countersign::body::jq::{About, Message, Program};
use countersign::body::json::{self, Val, Writer};
use serde_json::Value;

use crate::tables::place;
use crate::world::{APP, World};

/// A file of JSONTestSuite as its own name says: `y_` must be read, `n_` must not.
/// One program is the engine's work; the other is written straight.
#[tokio::test]
async fn json_is_refused_or_arrives_as_it_was() {
    let Ok(folder) = std::fs::read_dir(place("json/JSONTestSuite")) else { return };
    let routes = "POST /same: { {open}, request: { transform: '[.] | .[0]' } }
                  POST /list: { {open}, request: { transform: '[.]' } }";
    let world = World::new(routes).await;
    let mut counts = [0; 2];
    for entry in folder {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read(&path).unwrap();
        if body.is_empty() {
            continue;
        }
        for route in ["/same", "/list"] {
            let before = world.upstream.seen().len();
            let asked = world.post(route).from(APP).header("content-type", "application/json");
            let answer = asked.body(body.clone()).send().await;
            let verdict = answer.verdict();
            let arrived = world.upstream.seen().len() > before;
            match (name.as_bytes()[0], verdict.as_str()) {
                (b'y' | b'i', "200") => {
                    let got = world.upstream.seen().pop().unwrap().body;
                    let list = |value: Val| [value].into_iter().collect();
                    let expected = value_of(&body).map(if route == "/list" { list } else { |value| value });
                    assert_eq!(value_of(&got), expected, "{name}");
                    counts[0] += 1;
                }
                // A key that stands twice is read in two ways.
                (b'y', "400 malformed_body") if name.contains("duplicated_key") => {}
                (b'n' | b'i', "400 malformed_body") => counts[1] += 1,
                other => panic!("{name}: {other:?}"),
            }
            assert_eq!(arrived, verdict == "200", "{name}");
        }
    }
    assert!(180 < counts[0] && 360 < counts[1], "{counts:?}");
}

/// What a text says, its byte order mark heeded as the Encoding standard does (§6).
fn value_of(text: &[u8]) -> Option<Val> {
    let text = match text {
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> = rest.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).unwrap().into()
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => Bytes::copy_from_slice(rest),
        text => Bytes::copy_from_slice(text),
    };
    json::read(&text).ok().map(|doc| doc.value())
}

/// jq's own cases that the engine passes alone, run by the engine as it comes,
/// must pass through ours too, less those that look outside.
#[tokio::test]
async fn what_the_engine_passes_alone_passes_here() {
    let Ok(text) = std::fs::read_to_string(place("jq/jq.test")) else { return };
    let (mut alone, mut lost) = (0, Vec::new());
    for case in cases(&text) {
        // It makes 24,455 dates, which takes a debug build longer than a program has.
        if case.program.contains("365 * 67") {
            continue;
        }
        if passes_alone(&case) {
            alone += 1;
            if !passes_here(&case).await {
                lost.push(case.program.to_owned());
            }
        }
    }
    assert!(300 < alone, "{alone}");
    assert_eq!(lost, OUTSIDE, "of {alone}");
}

/// Those that look outside, and one that nests deeper than any body may.
const OUTSIDE: [&str; 3] = [
    "debug",
    "strflocaltime(\"\" | ., @uri)",
    "reduce range(9999) as $_ ([];[.]) | tojson | fromjson | flatten",
];

struct Case<'t> {
    program: &'t str,
    input: &'t str,
    outputs: Vec<&'t str>,
}

/// Groups of a program, an input and its outputs; those that must fail are left out.
fn cases(text: &str) -> Vec<Case<'_>> {
    let groups = text.split("\n\n").map(|group| {
        let lines: Vec<&str> =
            group.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        lines
    });
    let full = groups.filter(|lines| 2 <= lines.len() && !lines[0].starts_with("%%FAIL"));
    full.map(|lines| Case { program: lines[0], input: lines[1], outputs: lines[2..].to_vec() }).collect()
}

fn expected(case: &Case<'_>) -> Option<Vec<Val>> {
    let read = |text: &&str| jaq_json::read::parse_single(text.as_bytes()).ok();
    case.outputs.iter().map(read).collect()
}

fn passes_alone(case: &Case<'_>) -> bool {
    let run = || {
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = jaq_core::load::Arena::default();
        let file = jaq_core::load::File { code: case.program, path: () };
        let modules = jaq_core::load::Loader::new(defs).load(&arena, file).ok()?;
        let filter = jaq_core::Compiler::default().with_funs(funs).compile(modules).ok()?;
        let input = jaq_json::read::parse_single(case.input.as_bytes()).ok()?;
        let context =
            jaq_core::Ctx::<jaq_core::data::JustLut<Val>>::new(&filter.lut, jaq_core::Vars::new([]));
        let outcomes = filter.id.run((context, input)).map(jaq_core::unwrap_valr);
        outcomes.collect::<Result<Vec<Val>, _>>().ok()
    };
    // Left to itself the engine may use more stack than a test has.
    let outcome = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        thread.spawn_scoped(scope, || run() == expected(case) && expected(case).is_some()).unwrap().join()
    });
    outcome.unwrap_or(false)
}

async fn passes_here(case: &Case<'_>) -> bool {
    let program = Program::new(case.program, Message::Answer);
    let Ok(input) = jaq_json::read::parse_single(case.input.as_bytes()) else { return false };
    let about = About { request: Val::Null, status: Some(200), now: 0.0 };
    if let Ok(body) = json::read(&Bytes::copy_from_slice(case.input.as_bytes())) {
        let mut out = Writer::new(1 << 20);
        // What JSON has no word for is not written.
        if program.write(&body, about.clone(), &mut out).await.is_ok() {
            let written = json::read_all(&out.into_text().into()).unwrap();
            let written: Vec<Val> = written.values().map(|value| value.value()).collect();
            assert_eq!(Some(written), expected(case), "{}", case.program);
        }
    }
    program.run(input, about).await.ok() == expected(case)
}

#[test]
fn numbers_are_what_they_were() {
    for text in ["12345678901234567890", "1e400", "-0.0", "1.10", "100000000000000000000000000000001"] {
        let value = json::read(&Bytes::from(text)).unwrap().value();
        assert_eq!(json::write(&value, 100).unwrap(), text.as_bytes());
        assert!(serde_json::from_str::<Value>(text).is_ok() || text == "1e400");
    }
}
