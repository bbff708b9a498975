//! What YAML allows and we do not.

use super::{GOOD, places, read};
use crate::config::flaw::Flaws;
use crate::config::grow::grow;
use crate::config::tree::{At, Node};

#[test]
fn yaml_that_surprises_is_refused() {
    let check = |text: &str, expected: &[&str]| assert_eq!(places(text), expected, "{text}");
    check("", &["1:1 "]);
    check("# nothing\n", &["1:1 "]);
    check("---\n", &["1:1 "]);
    check("a: [b\n", &["1:4 a"]);
    check("version: 1\n---\nversion: 1\n", &["2:1 "]);
    check("- version: 1\n", &["1:1 "]);
    check("a: *nobody\n", &["1:4 a"]);
    check("a: &a [*a]\n", &["1:8 a[0]"]);
    check(&GOOD.replace("version: 1", "version: 1\nversion: 1"), &["2:1 version"]);
    check(&GOOD.replace("version: 1", "version: !!int 1"), &["1:10 version"]);
    check(&GOOD.replace("version: 1", "version: '1'"), &["1:10 version"]);
    check(
        &GOOD.replace("plan: public", "<<: *x").replace("secrets: {", "secrets: &x {"),
        &["7:40 callers.website.<<"],
    );
    check(&GOOD.replace("plan: public", "[plan]: public"), &["7:40 callers.website.?"]);
    check(
        &GOOD.replace("website: {", "ü: { anonymous: 1 }, website: {"),
        &["7:12 callers.ü", "7:28 callers.ü.anonymous"],
    );
    check(&format!("\u{feff}{GOOD}"), &[]);
    check(&GOOD.replace('\n', "\r\n"), &[]);
    check(&GOOD.replace("[website]", "&w [website]").replacen("&w [website]", "&w [ website ]", 1), &[]);
    let latin = read(b"version: 1\n# caf\xe9\n").unwrap_err();
    assert_eq!((latin.len(), latin[0].line, latin[0].column), (1, 2, 6));
}

/// Where the word `here` is said to stand, in a text that begins with `before`.
fn place_of_here(before: &str) -> (usize, usize) {
    let mut flaws = Flaws::default();
    let root = grow(before, &mut flaws).unwrap();
    let at = At::root(&root);
    let at = at.key("a");
    let text = at.node().and_then(Node::scalar).unwrap();
    let begin = text.find("here").unwrap();
    let place = at.place_within(begin..begin + 4);
    (place.line, place.column)
}

#[test]
fn a_part_of_a_text_has_its_own_place() {
    let check = |text: &str, expected: (usize, usize)| assert_eq!(place_of_here(text), expected, "{text}");
    check("a: it is here", (1, 10));
    check("a: 'it is here'", (1, 11));
    check("a: \"it is here\"", (1, 11));
    check("a: |\n  it is\n    here\n", (3, 5));
    check("b: 1\na: |-\n\n    it is\n    so here\nc: 2\n", (5, 8));
    check("a: |+\n  here\n", (2, 3));
    // Lines of the text are not lines of the file: the whole is shown.
    check("a: >\n  it is\n  here\n", (2, 3));
    check("a: \"it \\\"is\\\" here\"", (1, 4));
}
