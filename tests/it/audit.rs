//! `countersign audit`: what it finds where somebody touched the trail, and what it shows of it.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use clap::Parser;
use countersign::cli::{self, Cli, Terminal};
use countersign::trail::chain::Fingerprint;
use countersign::trail::ocsf::{Lifecycle, Phase};
use countersign::trail::{Output, Trail};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::upstream::say;
use crate::world::{APP, CANARY, FOREIGN, Setup, file};

const ROUTES: &str = "GET /a/{id}: { {open}, request: { query: [q] } }";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A real chain: an opening record, eight calls, a closing record; ten seconds apart.
fn chain() -> Vec<String> {
    static LINES: OnceLock<Vec<String>> = OnceLock::new();
    let made = || std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(make()));
    LINES.get_or_init(|| made().join().unwrap()).clone()
}

async fn make() -> Vec<String> {
    let script = |seen: &crate::upstream::Seen| match seen.path() {
        "/a/leak" => say(200).body(CANARY),
        "/a/down" => say(503),
        _ => say(200).body("{}"),
    };
    let setup = Setup::routes(ROUTES).upstream("credential: { bearer: key }, retries: 1");
    let world = setup.audit("{ metrics: false }").answer(script).start().await;
    let trail = &world.proxy.trail;
    let configuration = &"0".repeat(64);
    trail.leave(&Lifecycle { phase: Phase::Start, configuration, now: at(0) });
    let calls = ["/a/1", "/a/2", "/nowhere", "/a/leak", "/a/3", "/a/down", "/a/4", "/a/5"];
    for (n, target) in (1..).zip(calls) {
        let origin = if target == "/a/3" { FOREIGN } else { APP };
        world.get(target).from(origin).after(10 * n).send().await;
    }
    trail.leave(&Lifecycle { phase: Phase::Stop, configuration, now: at(90) });
    trail.lines()
}

/// A chain of nothing but so many beginnings.
fn other(name: &str, records: u64) -> Vec<String> {
    let trail = Trail::new(name.to_owned(), None, Output::Memory(Mutex::default()));
    let configuration = &"0".repeat(64);
    for n in 0..records {
        trail.leave(&Lifecycle { phase: Phase::Start, configuration, now: at(n) });
    }
    trail.lines()
}

fn run_at(now: SystemTime, args: &[&str]) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal { out: &mut out, err: &mut err, colours: false, watched: false };
    let cli = Cli::try_parse_from([&["countersign", "audit"], args].concat()).unwrap();
    match cli::run(&cli, |_| None, now, &mut terminal) {
        Ok(end) => (end as u8, String::from_utf8([out, err].concat()).unwrap()),
        Err(error) => (2, error.to_string()),
    }
}

/// What `verify` says, a minute after the end, without the path of the file.
fn verify(lines: &[String], args: &[&str]) -> (u8, String) {
    let path = file("trail.jsonl", &lines.join("\n"));
    let path = path.to_str().unwrap();
    let (code, text) = run_at(at(150), &[&["verify", "--file", path], args].concat());
    std::fs::remove_file(path).unwrap();
    (code, text.replace(path, "trail"))
}

/// What it says of the chain, without the heading and the summary.
fn breaks(lines: &[String], args: &[&str]) -> Vec<String> {
    let (code, text) = verify(lines, args);
    let said: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect();
    assert_eq!(code == 0, said.is_empty(), "{text}");
    said
}

/// A record that says something else, with its hash as it was.
fn altered(line: &str, alter: impl FnOnce(&mut Value)) -> String {
    let mut record: Value = serde_json::from_str(line).unwrap();
    alter(&mut record);
    record.to_string()
}

/// The same, with a hash that fits.
fn remade(line: &str, alter: impl FnOnce(&mut Value)) -> String {
    altered(line, |record| {
        alter(record);
        let link = record["attestation_list"][0].as_object_mut().unwrap();
        let mut fingerprint = link.remove("fingerprint").unwrap();
        let own = Fingerprint::of(&serde_json_canonicalizer::to_vec(record).unwrap());
        fingerprint["value"] = own.to_string().into();
        record["attestation_list"][0]["fingerprint"] = fingerprint;
    })
}

fn hash(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    record["attestation_list"][0]["fingerprint"]["value"].as_str().unwrap().to_owned()
}

fn anchor(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    let (chain, sequence) = (&record["attestation_list"][0]["chain_uid"], &record["metadata"]["sequence"]);
    let anchor = json!({ "chain_uid": chain, "sequence": sequence, "fingerprint": hash(line), "time": "1970-01-01T00:02:00Z" });
    json!({ "anchor": anchor, "signature": "of somebody" }).to_string()
}

fn caller(record: &mut Value) {
    record["actor"]["app_name"] = "nobody".into();
}

#[test]
fn an_intact_trail_is_one_line() {
    let check = |lines: &[String], expected: &str| {
        assert_eq!(verify(lines, &[]), (0, format!("{expected}\n")));
    };
    let lines = chain();
    check(&lines, "1 chain, 10 records: intact");
    check(&lines[..9], "1 chain, 9 records, 1 still open: intact");
    check(&[other("u", 2), lines.clone()].concat(), "2 chains, 12 records, 1 still open: intact");
    let exported: Vec<String> = lines.iter().map(|line| format!("1970-01-01T00:00:10.000Z {line}")).collect();
    check(&exported, "1 chain, 10 records: intact");
    let spaced: Vec<String> = lines.iter().map(|line| line.replace(":{", " : {")).collect();
    check(&spaced, "1 chain, 10 records: intact");
}

#[test]
fn other_lines_of_a_functions_log_do_not_matter() {
    let mut lines = chain();
    lines.insert(0, "INIT_START Runtime Version: provided:al2023.v1".to_owned());
    lines.insert(4, r#"{"type":"alarm","code":"secret_unread"}"#.to_owned());
    lines.push("REPORT RequestId: 1 \u{1b}[31m {".to_owned());
    assert_eq!(verify(&lines, &[]), (0, "1 chain, 10 records: intact\n".to_owned()));
}

#[test]
fn a_delivery_that_was_tried_again_is_no_fault() {
    let lines = chain();
    let mut twice = lines.clone();
    twice.splice(5..5, lines[3..5].to_vec());
    assert_eq!(verify(&twice, &[]), (0, "1 chain, 10 records, 2 copies: intact\n".to_owned()));
    let told = lines[5..7].iter().map(|line| format!(r#"{{"record":{line},"type":"undelivered"}}"#));
    let beside: Vec<String> = told.clone().chain(lines.clone()).collect();
    assert_eq!(verify(&beside, &[]), (0, "1 chain, 10 records, 2 copies: intact\n".to_owned()));
    let never: Vec<String> = told.chain(lines[..5].to_vec()).chain(lines[7..].to_vec()).collect();
    assert_eq!(verify(&never, &[]), (0, "1 chain, 10 records: intact\n".to_owned()));
}

#[test]
fn a_record_that_was_altered_is_named() {
    let check = |at: usize, alter: fn(&mut Value), expected: &str| {
        let mut lines = chain();
        lines[at] = altered(&lines[at], alter);
        assert_eq!(breaks(&lines, &[]), [expected], "{at}");
    };
    let four = "record 4 was altered, 1970-01-01T00:00:40Z, trail line 5: its fingerprint is not that of what it says";
    check(4, caller, four);
    check(4, |record| record["attestation_list"][0]["fingerprint"]["value"] = "0".repeat(64).into(), four);
    check(4, |record| record["attestation_list"][0]["fingerprint"]["algorithm_id"] = 4.into(), four);
    check(4, |record| record["attestation_list"][0]["fingerprint"]["more"] = 4.into(), four);
    check(
        4,
        |record| record["attestation_list"][0]["prev_event"]["fingerprint"]["value"] = "0".repeat(64).into(),
        four,
    );
    check(4, |record| record["metadata"]["sequence"] = 7.into(), four);
    check(4, |record| record["metadata"]["sequence"] = 700.into(), four);
    check(4, |record| record["attestation_list"][0]["chain_uid"] = "u".into(), four);
    let zero = "record 0 was altered, 1970-01-01T00:00:00Z, trail line 1: its fingerprint is not that of what it says";
    check(0, |record| record["app"]["version"] = "9".into(), zero);
    let nine = "record 9 was altered, 1970-01-01T00:01:30Z, trail line 10: its fingerprint is not that of what it says";
    check(9, |record| record["app"]["version"] = "9".into(), nine);
}

#[test]
fn a_hash_that_was_made_anew_does_not_help() {
    let check = |at: usize, alter: fn(&mut Value), expected: &[&str]| {
        let mut lines = chain();
        lines[at] = remade(&lines[at], alter);
        assert_eq!(breaks(&lines, &[]), expected, "{at}");
    };
    let why = "its fingerprint was made anew, and is not the one that the record after it knows";
    check(4, caller, &[&format!("record 4 was altered, 1970-01-01T00:00:40Z, trail line 5: {why}")]);
    check(1, caller, &[&format!("record 1 was altered, 1970-01-01T00:00:10Z, trail line 2: {why}")]);
    check(
        0,
        |it| it["app"]["version"] = "9".into(),
        &[&format!("record 0 was altered, 1970-01-01T00:00:00Z, trail line 1: {why}")],
    );
    let before = |it: &mut Value| {
        it["attestation_list"][0]["prev_event"]["fingerprint"]["value"] = "1".repeat(64).into()
    };
    check(4, before, &[&format!("record 4 was altered, 1970-01-01T00:00:40Z, trail line 5: {why}")]);
    // Only the last record speaks for this one.
    let unclear = "record 8 or record 9 was altered, 1970-01-01T00:01:20Z, trail line 9: both have a fingerprint that fits, and they do not fit together";
    check(8, caller, &[unclear]);
    check(9, before, &[unclear]);
}

#[test]
fn records_that_were_removed_are_counted() {
    let check = |from: usize, to: usize, expected: &str| {
        let mut lines = chain();
        lines.drain(from..=to);
        assert_eq!(breaks(&lines, &[]), [expected]);
    };
    check(
        4,
        4,
        "record 4 was removed, between 1970-01-01T00:00:30Z and 1970-01-01T00:00:50Z: its number is missing",
    );
    check(
        4,
        6,
        "records 4 to 6 were removed, between 1970-01-01T00:00:30Z and 1970-01-01T00:01:10Z: their numbers are missing",
    );
    check(
        6,
        8,
        "records 6 to 8 were removed, between 1970-01-01T00:00:50Z and 1970-01-01T00:01:30Z: their numbers are missing",
    );
    check(0, 1, "records 0 to 1 were removed, before 1970-01-01T00:00:20Z: their numbers are missing");
}

#[test]
fn a_record_that_was_inserted_is_told_from_the_true_one() {
    let check = |at: usize, line: String, expected: &str| {
        let mut lines = chain();
        lines.insert(at, line);
        assert_eq!(breaks(&lines, &[]), [expected]);
    };
    let lines = chain();
    let four = |record: &mut Value| record["metadata"]["sequence"] = 4.into();
    let taken = "another record is the true one of this number";
    // A copy with another number, a forgery, and one that fits what is before it.
    check(
        4,
        altered(&lines[2], four),
        &format!("record 2 was inserted, 1970-01-01T00:00:20Z, trail line 5: {taken}"),
    );
    check(
        4,
        remade(&lines[2], four),
        &format!("record 4 was inserted, 1970-01-01T00:00:20Z, trail line 5: {taken}"),
    );
    check(
        4,
        remade(&lines[4], caller),
        &format!("record 4 was inserted, 1970-01-01T00:00:40Z, trail line 5: {taken}"),
    );
    check(
        5,
        altered(&lines[4], caller),
        &format!("record 4 was inserted, 1970-01-01T00:00:40Z, trail line 6: {taken}"),
    );
    let behind = |record: &mut Value| {
        record["metadata"]["sequence"] = 10.into();
        record["attestation_list"][0]["prev_event"]["fingerprint"]["value"] = hash(&chain()[9]).into();
    };
    let expected = "record 10 was inserted, 1970-01-01T00:01:10Z, trail line 11: it stands behind the closing record of its environment";
    check(10, remade(&lines[7], behind), expected);
}

#[test]
fn records_that_were_moved_are_named() {
    let check = |order: &[usize], expected: &[&str]| {
        let lines = chain();
        let moved: Vec<String> = order.iter().map(|at| lines[*at].clone()).collect();
        assert_eq!(breaks(&moved, &[]), expected, "{order:?}");
    };
    let why = "they do not stand in the order of their numbers";
    let pair =
        |line: u64| format!("records 3 and 6 were swapped, 1970-01-01T00:00:30Z, trail line {line}: {why}");
    check(&[0, 1, 2, 6, 4, 5, 3, 7, 8, 9], &[&pair(7)]);
    check(
        &[0, 2, 1, 3, 4, 5, 6, 8, 7, 9],
        &[
            &format!("records 1 and 2 were swapped, 1970-01-01T00:00:10Z, trail line 3: {why}"),
            &format!("records 7 and 8 were swapped, 1970-01-01T00:01:10Z, trail line 9: {why}"),
        ],
    );
    check(
        &[0, 1, 3, 4, 2, 5, 6, 7, 8, 9],
        &[&format!("records 2 to 4 were put out of order, 1970-01-01T00:00:20Z, trail line 5: {why}")],
    );
}

#[test]
fn a_tail_that_was_cut_off_is_missed() {
    let lines = chain();
    let path = file("cut.jsonl", &lines[..5].join("\n"));
    let (file, late) = (path.to_str().unwrap(), at(40 + 3 * 3600));
    let expected = "\
chain t
  its end is missing: in the 3h after record 4, 1970-01-01T00:00:40Z, nothing more was recorded; an environment that was killed looks the same
1 chain, 5 records, 1 without an end: ";
    assert_eq!(run_at(late, &["verify", "--file", file]), (0, format!("{expected}intact\n")));
    let strict = run_at(late, &["verify", "--file", file, "--strict-tails"]);
    assert_eq!(strict, (1, format!("{expected}not intact\n")));
    assert_eq!(run_at(at(50), &["verify", "--file", file, "--strict-tails"]).0, 0);
}

#[test]
fn an_anchor_proves_what_was_there() {
    let lines = chain();
    let path = file("anchors.jsonl", &format!("{}\n{}\n", anchor(&lines[3]), anchor(&lines[8])));
    let args = ["--anchors", path.to_str().unwrap()];
    assert_eq!(breaks(&lines, &args), [""; 0]);
    let cut = "records 5 to 8 were removed, after 1970-01-01T00:00:40Z: the end is cut off; an anchor knows of more";
    assert_eq!(breaks(&lines[..5], &args), [cut]);
    let mut remade_before = lines[..9].to_vec();
    remade_before[8] = remade(&lines[8], caller);
    let known = "record 8 was altered, 1970-01-01T00:01:20Z, trail line 9: its fingerprint is not the one that an anchor knows";
    assert_eq!(breaks(&remade_before, &args), [known]);
    let mut astray = lines.clone();
    astray[9] = remade(&lines[9], |it| {
        it["attestation_list"][0]["prev_event"]["fingerprint"]["value"] = "1".repeat(64).into()
    });
    let known = "record 9 was altered, 1970-01-01T00:01:30Z, trail line 10: it does not refer to the record before it, which an anchor knows";
    assert_eq!(breaks(&astray, &args), [known]);
    let (code, text) = verify(&other("u", 1), &args);
    assert!(code == 1 && text.contains("chain t\n  all of it was removed"), "{text}");
    let (code, text) = verify(&other("u", 1), &[args[0], args[1], "--since", "1970-01-01T00:02:01Z"]);
    assert_eq!((code, text.as_str()), (0, "nothing was recorded since then\n"));
}

/// All of a chain that is rewritten from one record on is only betrayed by an anchor.
#[test]
fn an_anchor_betrays_a_tail_that_was_written_anew() {
    let mut lines = chain();
    let anchored = file("anchors.jsonl", &anchor(&lines[8]));
    let mut before = hash(&lines[2]);
    for line in &mut lines[3..] {
        *line = remade(line, |record| {
            caller(record);
            record["attestation_list"][0]["prev_event"]["fingerprint"]["value"] = before.clone().into();
        });
        before = hash(line);
    }
    assert_eq!(breaks(&lines, &[]), [""; 0]);
    let found = breaks(&lines, &["--anchors", anchored.to_str().unwrap()]);
    assert!(found.len() == 1 && found[0].starts_with("record 8 was altered"), "{found:?}");
}

#[test]
fn what_was_a_record_is_missed_and_shown() {
    let mut lines = chain();
    lines[4].truncate(700);
    let (code, text) = verify(&lines, &[]);
    let expected = "\
chain t
  record 4 was removed, between 1970-01-01T00:00:30Z and 1970-01-01T00:00:50Z: its number is missing
trail line 5: a record that cannot be read any more
1 chain, 9 records: 2 breaks
";
    assert_eq!((code, text.as_str()), (1, expected));
    let mut lines = chain();
    lines[4] = lines[4].replacen('{', "{\"time\":0,", 1);
    assert_eq!(verify(&lines, &[]).0, 1);
}

#[test]
fn tools_read_the_same_as_json() {
    let mut lines = chain();
    lines[4] = altered(&lines[4], caller);
    let (code, text) = verify(&lines, &["--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["intact"], &report["records"]), (1, &json!(false), &json!(10)));
    let found = json!([{
        "chain": "t", "kind": "altered", "first": 4, "last": 4, "time": "1970-01-01T00:00:40Z", "until": null,
        "stream": null, "place": "trail line 5",
        "what": "record 4 was altered, 1970-01-01T00:00:40Z, trail line 5: its fingerprint is not that of what it says",
    }]);
    assert_eq!(report["breaks"], found);
}

#[test]
fn what_cannot_be_read_is_not_called_intact() {
    let check = |args: &[&str], expected: &str| {
        let (code, text) = run_at(at(0), args);
        assert!(code == 2 && text.contains(expected), "{args:?}: {code} {text}");
    };
    check(&["verify", "--file", "nowhere.jsonl"], "nowhere.jsonl cannot be read");
    check(&["verify", "--file", "/"], "cannot be read");
    check(&["verify"], "COUNTERSIGN_AUDIT_LOG_GROUP");
    check(&["verify", "--group", "g"], "AWS_REGION is not set");
    let empty = file("empty.jsonl", "START\n");
    let empty = empty.to_str().unwrap();
    check(&["verify", "--file", empty], "there is no record in it");
    check(&["verify", "--file", empty, "--anchors", empty], "line 1 is no anchor");
    check(&["--file", "nowhere.jsonl"], "nowhere.jsonl cannot be read");
}

/// One thing that somebody could do to a trail of ten records.
#[derive(Debug, Clone)]
enum Mutation {
    /// One byte of a record becomes another one.
    Byte(usize, usize, u8),
    /// A record says something else, and has a hash that fits.
    Remade(usize),
    Removed(usize),
    Swapped(usize, usize),
    /// A record stands there again, with another number.
    Copied(usize, u64, bool),
    CutOff(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (0..10_usize, any::<usize>(), 0x20..0x7f_u8).prop_map(|(at, byte, to)| Mutation::Byte(at, byte, to)),
        1 => (0..10_usize).prop_map(Mutation::Remade),
        1 => (0..10_usize).prop_map(Mutation::Removed),
        1 => (0..10_usize, 1..10_usize).prop_map(|(one, by)| Mutation::Swapped(one, (one + by) % 10)),
        1 => (0..10_usize, prop_oneof![0..20_u64, Just(u64::MAX)], any::<bool>()).prop_map(|(at, to, remade)| Mutation::Copied(at, to, remade)),
        1 => (1..10_usize).prop_map(Mutation::CutOff),
    ]
}

/// `None`: nothing was changed that is said.
fn mutate(mut lines: Vec<String>, mutation: Mutation) -> Option<Vec<String>> {
    let says = |line: &str| serde_json::from_str::<Value>(line).ok();
    match mutation {
        Mutation::Byte(at, byte, to) => {
            let mut bytes = lines[at].clone().into_bytes();
            let byte = byte % bytes.len();
            bytes[byte] = to;
            let line = String::from_utf8(bytes).unwrap();
            if says(&line) == says(&lines[at]) {
                return None;
            }
            lines[at] = line;
        }
        Mutation::Remade(at) => lines[at] = remade(&lines[at], |record| record["severity_id"] = 99.into()),
        Mutation::Removed(at) => drop(lines.remove(at)),
        Mutation::Swapped(one, other) => lines.swap(one, other),
        Mutation::Copied(at, to, _) if at as u64 == to => return None,
        Mutation::Copied(at, to, remake) => {
            let number = |record: &mut Value| record["metadata"]["sequence"] = to.into();
            let line = if remake { remade(&lines[at], number) } else { altered(&lines[at], number) };
            lines.insert((to as usize).min(10), line);
        }
        Mutation::CutOff(from) => lines.truncate(from),
    }
    Some(lines)
}

proptest! {
    /// With an anchor of the last record, as nothing else speaks for that one.
    #[test]
    fn any_one_thing_that_somebody_does_is_found(mutation in mutation()) {
        static ANCHOR: OnceLock<String> = OnceLock::new();
        let anchors = ANCHOR.get_or_init(|| {
            file("anchors.jsonl", &anchor(&chain()[9])).to_str().unwrap().to_owned()
        });
        if let Some(lines) = mutate(chain(), mutation) {
            let (code, text) = verify(&lines, &["--anchors", anchors]);
            prop_assert!(code == 1, "{text}");
        }
    }

    /// The same without one, where a record behind it still speaks for it.
    #[test]
    fn what_has_a_record_behind_it_needs_no_anchor(mutation in mutation()) {
        let last = matches!(mutation, Mutation::Remade(9) | Mutation::Removed(9) | Mutation::CutOff(_));
        if let (false, Some(lines)) = (last, mutate(chain(), mutation)) {
            let (code, text) = verify(&lines, &["--strict-tails"]);
            prop_assert!(code == 1, "{text}");
        }
    }
}

/// What `audit` shows of the chain.
fn read(args: &[&str]) -> String {
    let path = file("trail.jsonl", &chain().join("\n"));
    let (code, text) = run_at(at(150), &[&["--file", path.to_str().unwrap()], args].concat());
    assert_eq!(code, 0, "{text}");
    text
}

#[test]
fn the_trail_is_a_table() {
    let mut lines = chain();
    for (n, line) in (1_u64..).zip(&mut lines) {
        *line = altered(line, |record| {
            if record["class_uid"] == 6003 {
                record["duration"] = (n * n * n).into();
            }
            if n == 3 {
                record["resources"][0]["version"] = "6f0c1a22-1111-4222-8333-444455556666".into();
                record["unmapped"]["would_deny"] = "denied_by_rule".into();
                record["unmapped"]["renewed"] = true.into();
                record["api"]["operation"] = format!("GET /{}", "wide/".repeat(20)).into();
            }
        });
    }
    lines.swap(1, 2);
    let path = file("table.jsonl", &lines.join("\n"));
    let (code, table) = run_at(at(150), &["--file", path.to_str().unwrap()]);
    let expected = "\
TIME (UTC)           CALLER   ROUTE                                     UPSTREAM  STATUS                  SECRETS      MS
1970-01-01 00:00:00           (an environment began)
1970-01-01 00:00:10  website  GET /a/{id}                               api       200                     key           8
1970-01-01 00:00:20  website  GET /wide/wide/wide/wide/wide/wide/wide…  api       200                     key@6f0c1a   27  would deny: denied_by_rule, renewed
1970-01-01 00:00:30  -        -                                                   404 route_not_found                  64
1970-01-01 00:00:40  website  GET /a/{id}                               api       200                     key         125  leak
1970-01-01 00:00:50  -        -                                                   403 origin_not_allowed              216
1970-01-01 00:01:00  website  GET /a/{id}                               api       503                     key         343  retries: 1
1970-01-01 00:01:10  website  GET /a/{id}                               api       200                     key         512
1970-01-01 00:01:20  website  GET /a/{id}                               api       200                     key         729
1970-01-01 00:01:30           (an environment ended)
";
    assert_eq!((code, table.as_str()), (0, expected), "{table}");
}

#[test]
fn what_is_bad_is_red_on_a_terminal() {
    let path = file("colours.jsonl", &chain().join("\n"));
    let cli = Cli::try_parse_from(["countersign", "audit", "--file", path.to_str().unwrap()]).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal { out: &mut out, err: &mut err, colours: true, watched: true };
    cli::run(&cli, |_| None, at(150), &mut terminal).unwrap();
    let text = String::from_utf8(out).unwrap();
    let red: Vec<bool> = text.lines().map(|line| line.starts_with("\u{1b}[31m")).collect();
    let bad: Vec<bool> = text.lines().map(|line| line.contains("leak") || line.contains("503")).collect();
    assert_eq!(red, bad);
    assert_eq!(red.iter().filter(|red| **red).count(), 2, "{text}");
    let yellow = text.lines().filter(|line| line.starts_with("\u{1b}[33m") && line.ends_with("\u{1b}[0m"));
    assert_eq!(yellow.count(), 2, "{text}");
}

#[test]
fn a_reader_gets_what_was_asked_for() {
    let check = |args: &[&str], expected: &[u64]| {
        let text = read(&[args, &["--json"]].concat());
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found: Vec<u64> =
            records.map(|record| record["metadata"]["sequence"].as_u64().unwrap()).collect();
        assert_eq!(found, expected, "{args:?}");
    };
    check(&[], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check(&["--since", "1m"], &[9]);
    check(&["--since", "1970-01-01T00:01:20Z"], &[8, 9]);
    check(&["--caller", "website"], &[1, 2, 4, 6, 7, 8]);
    check(&["--caller", "web"], &[]);
    check(&["--route", "/a/{id}"], &[1, 2, 4, 6, 7, 8]);
    check(&["--route", "POST"], &[]);
    check(&["--secret", "key"], &[1, 2, 4, 6, 7, 8]);
    check(&["--secret", "ke"], &[]);
    check(&["--status", "403"], &[5]);
    check(&["--status", "4xx"], &[3, 5]);
    check(&["--status", "2xx", "--route", "/a"], &[1, 2, 4, 7, 8]);
    check(&["--status", "503"], &[6]);
    check(&["--code", "origin_not_allowed"], &[5]);
    check(&["--leaks"], &[4]);
    check(&["--leaks", "--status", "5xx"], &[]);
}

#[test]
fn the_lines_are_the_records_themselves() {
    let expected: Vec<String> = chain();
    let text = read(&["--json"]);
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn nothing_that_fits_is_said_and_no_error() {
    assert_eq!(read(&["--caller", "x"]), "countersign: no record fits\n");
    assert_eq!(read(&["--caller", "x", "--json"]), "");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |args: &[&str]| {
        assert!(Cli::try_parse_from([&["countersign", "audit"], args].concat()).is_err(), "{args:?}");
    };
    check(&["--status", "9xx"]);
    check(&["--status", "ok"]);
    check(&["--since", "yesterday"]);
    check(&["--follow", "--file", "a"]);
    check(&["--json", "verify"]);
}

/// Whoever forges a record does not get to the terminal of its reader.
#[test]
fn a_record_commands_no_terminal() {
    let lines = [altered(&chain()[1], |record| record["actor"]["app_name"] = "\u{1b}[2J\u{9b}2J".into())];
    let path = file("escape.jsonl", &lines.join("\n"));
    let (_, text) = run_at(at(150), &["--file", path.to_str().unwrap()]);
    assert!(text.contains("\u{fffd}[2J\u{fffd}2J") && !text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
    let name = altered(&chain()[1], |record| record["attestation_list"][0]["chain_uid"] = "\u{1b}[2J".into());
    assert!(!verify(&[name], &[]).1.contains('\u{1b}'));
}
