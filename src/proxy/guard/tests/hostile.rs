//! However an upstream tries, it fills no memory and takes no day. What is
//! counted is work, in bytes looked at: no clock is asked.

use super::*;
use crate::proxy::guard::reading::WORK;

/// What the worst texts are made of.
const PARTS: [&str; 34] = [
    "amp;",
    "&",
    "%25",
    "\\",
    "\\u",
    "&#",
    "\0",
    "a\0",
    "&amp;",
    "hello-se",
    "%",
    "%u",
    "\\u005C",
    "\\u005c\\",
    "\\\\u005c",
    "\\x5c",
    "\\u{5c}",
    "\\u005C\\u0075",
    "\\u005C%75",
    "%5c",
    "%5C%75",
    "&#92;",
    "&#92;u005c",
    "&bsol;",
    "\\u0026amp;",
    "\\&amp;",
    "\\%25",
    "%25amp;&",
    "\\ud83d",
    "\\ud83d\\\\",
    "a",
    "\\u0061",
    "a\r\n",
    "a\\n",
];

/// How many bytes are looked at for this.
fn work<T>(of: impl FnOnce() -> T) -> usize {
    WORK.set(0);
    of();
    WORK.get()
}

#[test]
fn what_waits_is_bounded() {
    let guard = guard(&["hello-secret", "aaaaaaaaaaaaaaaa", "////////////////"]);
    for begin in [
        "hello-%",
        "aaaa",
        "\\\\\\\\\\\\",
        "%25252525",
        "&amp;amp;",
        "&#000000",
        "h\0\0\0e\0\0\0",
        "\r\n",
        "aGVsbG8t\r\n",
        "////",
        "%2F",
        "\\u005C",
    ] {
        let (mut sweep, chunk) = (guard.sweep(), Bytes::from(begin.repeat(100)));
        let (mut came, mut left) = (0, 0);
        for _ in 0..12 {
            came += chunk.len();
            left += sweep.pass(chunk.clone()).len();
        }
        left += REDACTED.len();
        let cut = sweep.leaks().len() * came;
        assert!(came <= left + cut + 2 * 64 * 24, "{begin}: {came} came, {left} left");
    }
}

/// Twice the text is twice the work, and no byte of it is dear.
fn is_linear(what: &str, most: usize, cost: impl Fn(usize) -> usize) {
    let length = 1 << 11;
    let (once, twice) = (cost(length), cost(2 * length));
    assert!(once <= most * length && twice * 4 <= once * 9, "{what:?}: {once}, then {twice}");
}

#[test]
fn no_text_takes_the_stack_or_the_day() {
    let guard = guard(&["hello-secret", "aaaaaaaaaaaaaaaa", "&amp;&amp;"]);
    for part in PARTS {
        let text = |length: usize| ["&", part.repeat(length / part.len()).as_str()].concat();
        is_linear(part, 150, |length| work(|| cleaned(&guard, text(length).as_bytes())));
        let bytes = |text: &str| work(|| swept(&guard, &text.as_bytes().chunks(1).collect::<Vec<_>>()));
        is_linear(part, 800, |length| bytes(&text(length)));
    }
    cleaned(&guard, "&amp;".repeat(1 << 16).as_bytes());
}

#[test]
fn what_is_held_back_is_not_read_again_with_each_byte() {
    is_linear("a long secret", 100, |length| {
        let secret: String = (0..length / 24).map(|at| format!("{at:03}-")).collect();
        let (guard, text) = (guard(&[&secret]), escaped(&secret));
        let beginning: Vec<&[u8]> = text.as_bytes()[..text.len() - 1].chunks(1).collect();
        work(|| {
            let (left, _) = swept(&guard, &beginning);
            assert!(left.split_last().unwrap().1.concat().is_empty(), "it may still be the secret");
        })
    });
}

#[test]
fn a_text_full_of_escapes_costs_the_same_however_many_secrets_there_are() {
    let cost = |count: usize| {
        let secrets: Vec<String> = (0..count).map(|at| format!("{at:04}-a-secret-of-{at:04}")).collect();
        let guard = guard(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
        work(|| swept(&guard, &["%7E&gt;\\;".repeat(1000).as_bytes()]))
    };
    let (one, many) = (cost(1), cost(50));
    assert!(many <= 2 * one, "{one}, but {many}");
}
