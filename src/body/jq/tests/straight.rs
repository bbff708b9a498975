//! What is written straight is what the engine makes.

use proptest::strategy::Strategy;

use super::*;
use crate::body::json::Writer;

/// What the engine and what the straight way make of an input; the latter
/// only where there is one.
async fn both(text: &str, input: &str) -> (Option<Option<String>>, Option<String>) {
    let program = program(text);
    let input = json::read(&Bytes::copy_from_slice(input.as_bytes())).unwrap();
    let straight = program.compiled().unwrap_or_else(|mistake| panic!("{text}: {}", mistake.what));
    let straight = straight.straight.as_ref();
    let written = straight.map(|straight| {
        let mut out = Writer::new(1 << 20);
        let written = straight.write(input.root(), &mut out);
        written.ok().map(|()| String::from_utf8(out.into_text()).unwrap())
    });
    let values = program.run(input.value(), about()).await.ok();
    let only = values.filter(|values| values.len() == 1).and_then(|mut values| values.pop());
    let made = only.map(|value| String::from_utf8(json::write(&value, 1 << 20).unwrap()).unwrap());
    (written, made)
}

/// Inputs that are like what programs expect, and others.
const INPUTS: [&str; 12] = [
    r#"{"a":1,"b":{"c":[1.50,"x\u0041\n",null]},"d":[{"e":1},{"e":null},{}],"é":true}"#,
    r#"{"a":null,"b":null,"d":[]}"#,
    r#"{"a":false,"b":{"c":"x"},"d":{"x":{"e":1e400},"y":{"e":[]}}}"#,
    r#"{"a":{"a":{"a":-0}},"\u0062":{"c":[[1],[2,3]]},"d":[[1,2],[3]]}"#,
    r#"{"a b":"\"","d":[1,"2"]}"#,
    "[]",
    r#"[{"a":1},{"a":2,"d":[3]}]"#,
    "[[1],[[]]]",
    "null",
    "\"text\"",
    "17",
    "true",
];

#[tokio::test]
async fn what_is_written_straight_is_what_the_engine_makes() {
    for text in [
        ".",
        ".a",
        ".a.a.a",
        ".b.c[0]",
        ".b.c[-1]",
        ".[0]",
        ".[-3].a",
        ".[5]",
        r#".["a b"]"#,
        r#"."é""#,
        "null",
        r#""x\n\u0041\"é""#,
        "{}",
        "[]",
        "{a, d}",
        r#"{x: .a, "y z": .b.c, z: {w: "v", n: 12, t: true}}"#,
        r#"{"a": null}"#,
        "[.a, .b, [.d]]",
        "[., .]",
        "map(.e)",
        "map(.)",
        "{data: (.d | map(.e))}",
        "{data: (.d | map({e, f: .}))}",
        "[.d[].e]",
        "[.d[]]",
        "[.a, .d[], {a}]",
        "[.d[] | {e}]",
        "[.d[] | [.[]]]",
        "[.d[][] | .]",
        "[.d[] | .[0]?]",
        ".b | .c",
        ".b | {c}",
        ".a // \"other\"",
        ".a // .b // .d",
        "{a: (.a // {}), n: (.b.c // [])}",
        "[.[] | {a, d}]",
        "map(map(.))",
    ] {
        for input in INPUTS {
            let (written, made) = both(text, input).await;
            let optional = text.contains('?');
            assert_eq!(written.is_some(), !optional, "{text}");
            // What goes wrong, and a lot else, is the engine's.
            if let Some(Some(written)) = written {
                assert_eq!(Some(written), made, "{text} {input}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_more_than_pick_and_place_is_left_to_the_engine() {
    for text in [
        ".a, .b",
        ".[]",
        "{a: .[]}",
        "{(.a): 1}",
        "{a: 1, a: 2}",
        "{a: $status}",
        "\"\\(.a)\"",
        "map(select(.a))",
        ".a?",
        ".[1:]",
        ".. ",
        ".a + 1",
        "def map(f): 1; map(.)",
        "[.a | .b, .c]",
        "@base64 \"x\"",
        "1.0",
        "length",
    ] {
        assert_eq!(both(text, "[]").await.0, None, "{text}");
    }
    let nested = format!("{}.{}", "[".repeat(60), "]".repeat(60));
    assert_eq!(both(&nested, "1").await.0, None);
}

#[tokio::test]
async fn what_is_written_straight_is_no_longer_than_it_may_be() {
    let input = json::read_all(&Bytes::from_static(b"{\"a\":[1,2,3]}\n{}")).unwrap();
    let write = async |text: &str, limit: usize| {
        let mut out = Writer::new(limit);
        program(text).write(&input, about(), &mut out).await.map(|count| (count, out.length()))
    };
    for text in ["{x: .a, y: .a}", "[.a, .a]", "{a: \"123456789012345\"}", "{a: (.a + .a)}"] {
        let (count, length) = write(text, 1000).await.unwrap();
        assert_eq!(count, 2, "{text}");
        // The end of the last line is not counted.
        assert!(write(text, length - 1).await.is_ok(), "{text}");
        let failed = write(text, length - 2).await.unwrap_err();
        assert_eq!(failed, Failed::Unwritable(Unwritable::TooLong), "{text}");
    }
}

#[tokio::test]
async fn both_ways_give_the_same_texts_for_others() {
    let input = json::read(&Bytes::from_static(b"{\"a\":[\"u:1\",\"\\u0075:2\",{\"u:3\":\"v\"}]}")).unwrap();
    let swap = |text: &[u8]| text.strip_prefix(b"u:").map(|rest| format!("ours/{}", rest.escape_ascii()));
    for text in ["{b: .a, c: \"u:9\"}", "{b: .a, c: (\"u:\" + \"9\")}"] {
        let mut out = Writer::new(1000).swapping(&swap);
        program(text).write(&input, about(), &mut out).await.unwrap();
        let expected = "{\"b\":[\"ours/1\",\"ours/2\",{\"u:3\":\"v\"}],\"c\":\"ours/9\"}\n";
        assert_eq!(String::from_utf8(out.into_text()).unwrap(), expected, "{text}");
    }
}

proptest::proptest! {
    /// Any program of these parts, over any document of these names.
    #[test]
    fn the_straight_way_and_the_engine_agree(text in programs(), input in inputs()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (written, made) = runtime.block_on(both(&text, &input));
        if let Some(Some(written)) = written {
            proptest::prop_assert_eq!(Some(written), made);
        }
    }
}

fn programs() -> impl Strategy<Value = String> {
    let path = proptest::sample::select(vec![".", ".a", ".b", ".a.b", ".[0]", ".a[-1]", ".b[1].a"]);
    let leaf = proptest::prop_oneof![
        path.clone().prop_map(str::to_owned),
        proptest::sample::select(vec!["null", "false", "1", "\"x\\ty\"", "{}", "[]", "{a, b}"])
            .prop_map(str::to_owned)
    ];
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let path = path.clone();
        proptest::prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("{{x: ({one}), y: ({two})}}")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("[({one}), {two}]")),
            inner.clone().prop_map(|one| format!("map({one})")),
            (path.clone(), inner.clone()).prop_map(|(path, one)| format!("({path} | {one})")),
            (path.clone(), inner.clone()).prop_map(|(path, one)| format!("({path} // {one})")),
            (path, inner).prop_map(|(path, one)| format!("[{path}[] | {one}]")),
        ]
    })
}

fn inputs() -> impl Strategy<Value = String> {
    let leaf =
        proptest::sample::select(vec!["null", "false", "0", "1.50", "\"\"", "\"\\u00e9\"", "[]", "{}"]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        proptest::prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            inner.clone().prop_map(|value| format!("{{\"b\" : {value}}}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{{\"a\":{a},\"\\u0062\":{b}}}")),
        ]
    })
}
