//! What programs make of their input, and what they cannot do.

mod straight;

use bytes::Bytes;

use super::*;
use crate::body::json;

fn about() -> About {
    let request = json::read(&Bytes::from_static(b"{\"query\":{\"page\":\"2\"}}")).unwrap().value();
    About { request, status: Some(200), now: 1.5 }
}

fn program(text: &str) -> Program {
    Program::new(text, Message::Answer)
}

/// What a program makes of a text, one value a line.
async fn run(text: &str, input: &str) -> Result<String, Failed> {
    let input = json::read(&Bytes::copy_from_slice(input.as_bytes())).unwrap().value();
    let values = program(text).run(input, about()).await?;
    let lines = values.iter().map(|value| String::from_utf8(json::write(value, 1 << 20).unwrap()).unwrap());
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn a_program_reshapes_its_input() {
    for (text, input, expected) in [
        (
            ".",
            r#"{"b":12345678901234567890,"a":1e400,"c":1.10}"#,
            r#"{"b":12345678901234567890,"a":1e400,"c":1.10}"#,
        ),
        (
            "map({name, private})",
            r#"[{"name":"a","private":true,"x":1}]"#,
            r#"[{"name":"a","private":true}]"#,
        ),
        (
            "{properties: {email, firstname: .name}}",
            r#"{"email":"e","name":"n"}"#,
            r#"{"properties":{"email":"e","firstname":"n"}}"#,
        ),
        ("$request.query.page, $status, now", "null", "\"2\"\n200\n1.5"),
        ("env, $ENV", "null", "{}\n{}"),
        (".[] | select(. > 1)", "[1,2,3]", "2\n3"),
        ("fromjson", r#""[1,{\"a\":1e400}]""#, r#"[1,{"a":1e400}]"#),
        ("def f: if . < 3 then . + 1 | f else . end; f", "0", "3"),
        ("[(1,2) * (3,4)], (.a *= 3)", r#"{"a":2}"#, "[3,4,6,8]\n{\"a\":6}"),
        (
            "[path(..)], (recurse(.a; . != null) |= .)",
            r#"{"a":{"a":null}}"#,
            "[[],[\"a\"],[\"a\",\"a\"]]\n{\"a\":{\"a\":null}}",
        ),
        ("[limit(3; repeat(1))], add(.[])", "[1,2]", "[1,1,1]\n3"),
        ("@base64 \"x\\(.)\"", "\"y\"", "\"xeQ==\""),
    ] {
        assert_eq!(run(text, input).await.as_deref(), Ok(expected), "{text}");
    }
}

#[tokio::test]
async fn a_program_without_an_end_is_ended() {
    for text in ["[range(1e9)]", "last(repeat(1))", "def f: f; f", "reduce range(100) as $i (\"x\"; . + .)"] {
        let failed = run(text, "0").await.unwrap_err();
        // To drop what it has made may take longer than it has to end, in a debug build.
        let is_large = text.starts_with(['[', 'r']);
        assert!(failed == Failed::Excessive || (is_large && failed == Failed::Endless), "{text}: {failed}");
    }
}

/// No guard stands in a product of lists. It ends by itself, so that this test does not go on for ever.
#[tokio::test]
async fn a_program_that_does_not_end_when_told_is_left_behind() {
    let items = format!("[{}0]", "0,".repeat(2500));
    assert_eq!(run("[{a: .[], b: .[]}] | length", &items).await, Err(Failed::Endless));
}

/// A judgement that is wrong must not matter: a large input never runs in place.
#[tokio::test]
async fn a_large_input_is_looked_at_apart() {
    let items = format!("[{}0]", "0,".repeat(400_000));
    let failed = run("map({id: ., name: .}) | map({a: ., b: ., c: ., d: .})", &items).await.unwrap_err();
    assert!(matches!(failed, Failed::Excessive | Failed::Endless), "{failed}");
}

#[tokio::test]
async fn a_value_that_is_nested_too_deep_is_not_given_back() {
    let failed = run("reduce range(5000) as $i (0; [.])", "0").await.unwrap_err();
    assert_eq!(failed, Failed::Endless);
    assert_eq!(run("reduce range(150) as $i (0; [.]) | tojson | length", "0").await.as_deref(), Ok("301"));
}

#[tokio::test]
async fn a_program_that_would_end_the_process_ends_with_an_error() {
    for text in [
        "def f: 1 + f; f",
        "\"x\" * 1000000000000",
        "def f: [f]; f",
        "def f(g): f(g | g); f(.)",
        "\"x\" as $x | 99999999999 * $x",
        "first(recurse([.]) | select(false))",
        "(\"[\" * 1000000) | fromjson",
    ] {
        let failed = run(text, "0").await.unwrap_err();
        assert!(!matches!(failed, Failed::Mistaken(_)), "{text}: {failed}");
    }
}

#[test]
fn nothing_outside_can_be_had() {
    for text in [
        "input",
        "inputs",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        "localtime",
        "$__prog_args",
        "input_filename",
        "get_search_list",
        "import \"a\" as a; 1",
        "include \"a\"; 1",
        "strflocaltime(\"%H\")",
    ] {
        assert!(program(text).check().is_err(), "{text}");
    }
}

#[test]
fn a_mistake_has_its_place() {
    let check = |text: &str, at: &str, what: &str| {
        let mistake = program(text).check().expect_err(text);
        assert_eq!(
            (&text[mistake.at.clone()], mistake.what.contains(what)),
            (at, true),
            "{text}: {mistake:?}"
        );
    };
    check("map({name, })|nme", "nme", "no function `nme`");
    check(".a | input", "input", "looks outside");
    check("$reqest.query", "$reqest", "no variable");
    check("{a: ", "", "ends");
    check("map(.a", "", "ends");
    check(".a )", ")", "wanted");
    check("", "", "ends");
    check(".a | ", "", "ends");
    check("\"a", "", "closing quote");
    let request = Program::new("$status", Message::Request).check().unwrap_err();
    assert!(request.what.contains("answers only"), "{request:?}");
}

#[test]
fn picking_and_renaming_runs_in_place() {
    for text in [
        ".",
        "map({name, html_url, private})",
        "{properties: {email, firstname: .name}}",
        "{id}",
        ".choices[0].message.content",
        "map(select(.stars > 10 and $request.query.page == \"2\"))",
        "if .ok then {id: .id} else error(\"not ok\") end",
        "{total: length, items: [.[] | {name: .n | ascii_downcase, at: (.at | todate)}]}",
        "del(.secret, .[]?.token)",
        ".amount |= . * 100 | .currency //= \"eur\"",
        "\"Hello, \\(.name)!\"",
        "$status == 200",
        ".website != \"\"",
    ] {
        let compiled = program(text);
        compiled.check().unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
        assert_eq!(compiled.compiled().unwrap().cost, Cost::Linear, "{text}");
        assert_eq!(compiled.unbounded(), None, "{text}");
    }
    for text in [
        ". as $all | .[] | [$all[]]",
        "{a: .[], b: .[]}",
        "[.[] + .[]]",
        "[range(3)]",
        "reduce .[] as $x (0; . + $x)",
        ". - .",
        ".a * .b",
        "select(.[])",
        "..",
        "add",
        "test(.pattern)",
        "[{item: .items[], max: (.items | max)}]",
        "[{a: .items[], b: .items} | .b | max]",
        ".items[] = .extra",
        ".items[] += .extra",
        ".items[] //= .extra",
        "[(.items[])[.extra | max]?]",
        ".a[.b]",
    ] {
        assert_eq!(program(text).compiled().unwrap().cost, Cost::Unknown, "{text}");
    }
}

#[test]
fn a_loop_without_a_written_end_is_seen() {
    let check = |text: &str, expected: Option<&str>| {
        let program = program(text);
        assert_eq!(program.unbounded().map(|at| &text[at]), expected, "{text}");
    };
    check("[range(10)]", None);
    check("[range(1000000000)]", Some("range"));
    check("[range(.n)]", Some("range"));
    check("last(repeat(1))", Some("repeat"));
    check("def f: f; f", Some("f"));
    check("def f: .a; f", None);
    check("[.[] | until(. > 3; . + 1)]", Some("until"));
    check("[recurse(.a)]", Some("recurse"));
    check("[..]", None);
    check("flatten", None);
}

#[tokio::test]
async fn only_the_programs_own_words_are_repeated() {
    let check = async |text: &str, expected: Option<&str>| {
        let failed = run(text, "\"private\"").await.unwrap_err();
        assert_eq!(failed, Failed::Erred(expected.map(str::to_owned)), "{text}");
    };
    check("error(\"send an amount\")", Some("send an amount")).await;
    check("if . then error(\"no\") else . end", Some("no")).await;
    check("error(.)", None).await;
    check(".a", None).await;
    check("error(\"it is \\(.)\")", None).await;
}
