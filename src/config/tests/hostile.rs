//! Files that nobody should write: secrets in them, floods, noise.

use proptest::prelude::*;

use super::{GOOD, flaws, read};
use crate::config::Declared;

#[test]
fn a_pasted_secret_is_found_and_never_repeated() {
    let pasted = format!("{}_{}", "ghp", "a1B2".repeat(9));
    let check = |text: String, at: &str| {
        let flaws = flaws(&text);
        let told: Vec<String> = flaws.iter().map(|flaw| flaw.in_file("f").to_string()).collect();
        assert_eq!(flaws.len(), 1, "{told:?}");
        assert_eq!(flaws[0].at, at);
        assert!(!told[0].contains(&pasted), "{told:?}");
    };
    check(GOOD.replace("countersign/github", &pasted), "secrets.github");
    check(
        GOOD.replace("bearer: github.token", &format!("bearer: {pasted}")),
        "upstreams.github.credential.bearer",
    );
    check(
        GOOD.replace("secret: bot", &format!("secret: {pasted}!")),
        "upstreams.bot.credential.path.value.secret",
    );
    check(
        GOOD.replace("value: { secret: bot }", &format!("value: {pasted}")),
        "upstreams.bot.credential.path.value",
    );
    check(GOOD.replace("{ bearer: github.token }", &pasted), "upstreams.github.credential");
    let header = format!("url: 'https://api.example.com', headers: {{ x-token: 'Token {pasted}' }}");
    check(GOOD.replace("url: 'https://api.example.com'", &header), "upstreams.open.headers.x-token");
    check(format!("{GOOD}{pasted}: 1\n"), "…");
}

#[test]
fn a_text_that_would_never_end_is_a_flaw_soon() {
    let laugh = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        let before = vec![format!("*a{}", n - 1); 9].join(", ");
        format!("{text}a{n}: &a{n} [{before}]\n")
    });
    let chain =
        (1..5000).fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{}]\n", n - 1));
    let ladder: String = (0..5000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let mistakes: String = (0..9000).map(|n| format!("k{n}: 1\n")).collect();
    let strangers: String = (0..4000).map(|n| format!("  caller{n}: {{ plan: plan{n} }}\n")).collect();
    let strangers = format!("version: 1\ncallers:\n{strangers}");
    for text in [
        laugh,
        chain,
        ladder,
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        mistakes,
        strangers,
    ] {
        assert!(read(&text).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(bytes).map(|_: Declared| ());
    }

    #[test]
    fn no_text_makes_it_panic(text in "(?s)[-\\[\\]{}:,&*!|>'\"%@`#?a-c0-2 \n\t\r~<=é\u{feff}]{0,200}") {
        let _ = read(text).map(|_: Declared| ());
    }

    /// A good file with some of it cut out, doubled, or written over.
    #[test]
    fn no_damage_makes_it_panic(edits in proptest::collection::vec((0..GOOD.len(), 0usize..30, ".{0,6}"), 1..8)) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, length, new) in edits {
            let start = at.min(text.len());
            let end = (at + length).min(text.len());
            text.splice(start..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        // YAML ends lines at lone carriage returns too.
        let lines = text.matches(['\r', '\n']).count() + 1;
        for flaw in flaws(&text) {
            prop_assert!(1 <= flaw.line && flaw.line <= lines && 1 <= flaw.column && 1 <= flaw.width);
            prop_assert!(flaw.help.is_some());
        }
    }
}
