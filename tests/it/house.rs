//! The house rules that can be read off the source: who may know whom, and
//! what is deliberately absent.

use std::path::{Path, PathBuf};

/// A source file: its path under `src/`, and its text.
struct File {
    name: String,
    text: String,
}

/// The library's rooms, from the ground up: each may use those before it.
const ROOMS: [&str; 9] =
    ["body", "wire", "secret", "trail", "credential", "identity", "proxy", "config", "cli"];

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                files.push(File { name, text: std::fs::read_to_string(&path).unwrap() });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(30 < files.len(), "the source is here");
    files
}

impl File {
    fn room(&self) -> &str {
        self.name.split('/').next().unwrap()
    }

    fn is_bin(&self) -> bool {
        self.room() == "bin"
    }

    /// A file of tests, or a part of one that is.
    fn is_test(&self) -> bool {
        self.name.contains("/tests/") || self.name.ends_with("tests.rs")
    }

    /// What runs: no comments, and nothing from the tests at the end on.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let text = text.split("#[cfg(test)]\npub(crate) mod tests {").next().unwrap();
        let lines = text.lines().map(|line| line.split("//").next().unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether a word stands in what runs, and nothing longer around it.
    fn says(&self, word: &str) -> bool {
        let code = self.code();
        let part = |c: char| c.is_alphanumeric() || c == '_';
        code.match_indices(word).any(|(at, _)| {
            let before = code[..at].chars().next_back().is_some_and(part);
            let after = code[at + word.len()..].chars().next().is_some_and(part);
            let longer = (word.starts_with(part) && before) || (word.ends_with(part) && after);
            !longer
        })
    }
}

/// The library's files in which a word stands, outside tests.
fn who_says(word: &str) -> Vec<String> {
    let files = files().into_iter().filter(|file| !file.is_bin() && !file.is_test() && file.says(word));
    files.map(|file| file.name).collect()
}

#[test]
fn rooms_know_only_the_rooms_below() {
    for file in files().iter().filter(|file| !file.is_bin() && file.name != "lib.rs" && !file.is_test()) {
        let own = ROOMS.iter().position(|room| *room == file.room()).expect("every room has its floor");
        for room in ROOMS.iter().skip(own + 1) {
            assert!(!file.says(&format!("crate::{room}")), "{} reaches up to `{room}`", file.name);
        }
        assert!(!file.says("crate::{"), "{}: one room an import, so that this test can read it", file.name);
    }
}

#[test]
fn only_the_doors_know_aws() {
    const AWS: [&str; 4] = ["secret/aws.rs", "secret/role.rs", "trail/group.rs", "trail/logs.rs"];
    for word in [
        "aws_config",
        "aws_sdk_cloudwatchlogs",
        "aws_sdk_secretsmanager",
        "aws_sdk_sts",
        "aws_smithy_runtime_api",
        "aws_smithy_types",
        "lambda_runtime",
        "lambda_http",
    ] {
        let knows = who_says(word);
        let doors = |name: &String| name.starts_with("wire/lambda") || AWS.contains(&name.as_str());
        assert!(knows.iter().all(doors), "{word}: {knows:?}");
    }
    assert_eq!(who_says("aws_sdk_secretsmanager"), ["secret/aws.rs"]);
    assert_eq!(who_says("aws_sdk_sts"), ["secret/role.rs"]);
    assert_eq!(who_says("aws_sdk_cloudwatchlogs"), ["trail/group.rs", "trail/logs.rs"]);
    assert_eq!(who_says("aws_sigv4"), ["credential/sigv4/mod.rs"]);
}

#[test]
fn a_secret_is_exposed_where_it_is_written_and_where_it_is_searched_for() {
    let rooms = |name: &String| {
        name.starts_with("secret/") || name.starts_with("credential/") || name == "proxy/guard.rs"
    };
    let exposing = who_says(".expose()");
    assert!(exposing.iter().all(rooms) && exposing.len() >= 3, "{exposing:?}");
}

#[test]
fn the_library_asks_nobody_for_time_chance_or_environment() {
    for word in [
        "env::var",
        "env::var_os",
        "env::vars",
        "SystemTime::now",
        "getrandom",
        "rand",
        "fastrand",
        "RandomState",
    ] {
        assert_eq!(who_says(word), Vec::<String>::new(), "{word}");
    }
    // tokio's clock is one that a test can stop.
    for file in files().iter().filter(|file| file.says("Instant::now")) {
        assert!(file.says("tokio::time") && !file.says("std::time::Instant"), "{}", file.name);
        let std: Vec<&str> = file.text.lines().filter(|line| line.starts_with("use std::time::")).collect();
        assert!(!std.concat().contains("Instant"), "{}: {std:?}", file.name);
    }
}

#[test]
fn nothing_is_left_half_done_or_printed() {
    for word in ["todo!", "unimplemented!", "dbg!", "println!", "eprintln!", "print!", "unsafe"] {
        let says: Vec<String> = who_says(word).into_iter().filter(|name| !name.starts_with("cli/")).collect();
        assert_eq!(says, Vec::<String>::new(), "{word}");
    }
}

#[test]
fn every_file_says_what_it_is_for_and_ends_in_time() {
    for file in files() {
        assert!(file.text.starts_with("//! "), "{} has no header", file.name);
        let lines = file.text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines", file.name);
    }
}

/// A secret or an armed request that could be printed would be, one day.
#[test]
fn what_carries_a_secret_has_no_words_for_it() {
    let check = |name: &str, noun: &str| {
        let file = files().into_iter().find(|file| file.name == name).unwrap();
        let before = file.text.split(&format!("struct {noun}")).next().unwrap();
        let own = before.rsplit("\n\n").next().unwrap();
        assert!(
            before.len() < file.text.len() && !own.contains("Debug") && !own.contains("Serialize"),
            "{noun}: {own}"
        );
        for word in ["Debug", "Display", "Serialize"] {
            assert!(!file.code().contains(&format!("{word} for {noun} ")), "{noun}: {word}");
        }
    };
    check("secret/mod.rs", "Secret");
    check("secret/vault.rs", "Found");
    check("secret/vault.rs", "Vault");
    check("secret/reading.rs", "Place");
    check("secret/reading.rs", "State");
    check("secret/reading.rs", "Reading");
    check("secret/role.rs", "Keys");
    check("secret/role.rs", "Role");
    check("credential/armed.rs", "Armed");
    check("credential/armed.rs", "Needle");
    check("credential/token/mod.rs", "Token");
    check("credential/token/mod.rs", "Source");
    check("wire/client.rs", "Identity");
    check("proxy/inject.rs", "Outbound");
    check("proxy/known.rs", "Known");
    check("proxy/guard.rs", "Reply");
}

/// What can be printed holds no value of a secret: a [`Secret`] cannot be
/// printed, and so neither can what holds one. This is about the types that
/// could hold one as a text, armed into a header or a URL.
#[test]
fn what_can_be_printed_holds_nothing_that_was_armed() {
    // A configuration's own addresses; what a caller asked, before a credential
    // is there; what an upstream answered, behind the guard.
    const HARMLESS: [&str; 12] = [
        "Answer", "BaseUrl", "Body", "Chunks", "Doc", "Endpoint", "Inner", "Key", "Open", "Question",
        "Response", "Said",
    ];
    let derived = regex_lite::Regex::new(
        r"(?ms)^#\[derive\(([^)]*)\)\]\n(?:#[^\n]*\n|///[^\n]*\n)*[a-z()]* ?(?:struct|enum) (\w+)[^\n;{(]*(?:\{.*?^\}|\([^\n]*\);)",
    )
    .unwrap();
    let may_be_armed =
        regex_lite::Regex::new(r"\b(Zeroizing|HeaderMap|HeaderValue|Bytes|Vec<u8>|[^:]Url\b)").unwrap();
    let mut seen = 0;
    for file in files().iter().filter(|file| !file.is_test()) {
        for found in derived.captures_iter(&file.code()) {
            let (traits, name, whole) = (&found[1], &found[2], &found[0]);
            seen += usize::from(traits.contains("Debug"));
            assert!(
                !traits.contains("Debug") || !may_be_armed.is_match(whole) || HARMLESS.contains(&name),
                "{}: {name} can be printed",
                file.name
            );
        }
    }
    assert!(100 < seen, "{seen} types were looked at");
}
