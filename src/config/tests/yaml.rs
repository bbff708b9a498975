//! What YAML allows and we do not.

use super::{GOOD, places, read};

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
