//! The command line, from outside: what it prints, and how it ends.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A directory of its own for each test, gone with it.
struct Desk(PathBuf);

impl Desk {
    fn with(name: &str, file: &[u8]) -> Self {
        let desk = Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
        std::fs::create_dir_all(&desk.0).expect("the build's own directory is writable");
        std::fs::write(desk.0.join("countersign.yaml"), file).expect("the build's own directory is writable");
        desk
    }

    /// A file beside the configuration.
    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        let folder = path.parent().expect("it lies in the desk's directory");
        std::fs::create_dir_all(folder).expect("the build's own directory is writable");
        std::fs::write(path, text).expect("the build's own directory is writable");
    }

    fn run(&self, args: &[&str], vars: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.current_dir(&self.0).env_remove("COUNTERSIGN_CONFIG").args(args).envs(vars.iter().copied());
        command.output().expect("the command line was built for this test")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

const GOOD: &str = include_str!("../../countersign.yaml");

#[test]
fn a_good_file_ends_with_0_and_says_what_is_in_it() {
    let desk = Desk::with("good", GOOD.as_bytes());
    let expected = (Some(0), "countersign.yaml: no flaws, 1 route\n".to_owned());
    assert_eq!(told(&desk.run(&["check"], &[])), expected);
    let (code, json) = told(&desk.run(&["check", "--format", "json"], &[]));
    assert_eq!((code, json.trim()), (Some(0), "[]"));
}

#[test]
fn a_flaw_is_shown_as_a_compiler_shows_it() {
    let desk = Desk::with("flaw", GOOD.replace("allow: [website]", "allow: [websit]").as_bytes());
    let (code, text) = told(&desk.run(&["check"], &[]));
    let line = GOOD.lines().position(|line| line.contains("allow:")).expect("the good file has a route") + 1;
    assert_eq!(code, Some(1));
    let expected = format!(
        "\
error: this is none of the `callers` of the file
  --> countersign.yaml:{line}:13
   |
{line} |     allow: [websit]
   |             ^^^^^^ routes.GET /my-repos.allow[0]
   |
   = help: did you mean `website`?

countersign.yaml: 1 flaw
"
    );
    assert_eq!(text, expected);
}

#[test]
fn tools_read_the_same_flaws_as_json() {
    let desk = Desk::with("json", b"version: 2\nroutes: { GET /a: }\n");
    let (code, text) = told(&desk.run(&["check", "--format=json"], &[]));
    let flaws: serde_json::Value = serde_json::from_str(&text).expect("what is printed is JSON");
    let first = serde_json::json!({
        "level": "error", "file": "countersign.yaml", "line": 1, "column": 10, "at": "version",
        "what": "this version of the grammar is not known", "help": "write `version: 1`",
    });
    assert_eq!((code, &flaws[0]), (Some(1), &first));
    assert_eq!(flaws.as_array().map(Vec::len), Some(3));
}

#[test]
fn what_is_no_yaml_is_a_flaw_and_what_is_no_file_is_not() {
    let desk = Desk::with("ends", b"\xff");
    let code = |args: &[&str], vars: &[(&str, &str)]| desk.run(args, vars).status.code();
    assert_eq!(code(&["check"], &[]), Some(1));
    assert_eq!(code(&["check", "nowhere.yaml"], &[]), Some(2));
    assert_eq!(code(&["check", "."], &[]), Some(2));
    assert_eq!(code(&["check", "--nonsense"], &[]), Some(2));
    assert_eq!(code(&["nonsense"], &[]), Some(2));
    assert_eq!(code(&["check"], &[("COUNTERSIGN_CONFIG", "nowhere.yaml")]), Some(2));
    assert_eq!(code(&["check", "countersign.yaml"], &[("COUNTERSIGN_CONFIG", "nowhere.yaml")]), Some(1));
}

#[test]
fn a_pasted_secret_is_not_printed_in_any_format() {
    let secret = format!("{}_{}", "ghp", "a1B2".repeat(9));
    let file = GOOD.replace("github.token", &secret).replace("upstream: github", "upstream: githbu");
    let desk = Desk::with("pasted", file.as_bytes());
    for args in [["check", "--format=text"], ["check", "--format=json"]] {
        let output = desk.run(&args, &[]);
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains(&secret), "{args:?}");
    }
}

#[test]
fn what_could_not_work_is_said_before_it_is_deployed() {
    let file = GOOD
        .replace("path: /user/repos", "path: /user/%2e%2e/repos")
        .replace("[page, per_page, sort] }", "[page], headers: [x_forwarded_for] }")
        .replace("headers: { accept:", "headers: { range: bytes=0-1, accept:");
    let desk = Desk::with("works", file.as_bytes());
    let (code, text) = told(&desk.run(&["check", "--format=json"], &[]));
    let flaws: Vec<serde_json::Value> = serde_json::from_str(&text).expect("what is printed is JSON");
    let at: Vec<&str> = flaws.iter().filter_map(|flaw| flaw["at"].as_str()).collect();
    let expected = [
        "upstreams.github.headers.range",
        "routes.GET /my-repos.path",
        "routes.GET /my-repos.request.headers[0]",
    ];
    assert_eq!((code, at.as_slice()), (Some(1), expected.as_slice()));
}

/// Both from the file's own directory and from elsewhere: paths lead on from the file.
#[test]
fn schemas_are_compiled_and_their_files_found_beside_the_file() {
    let file = GOOD.replace("request: {", "request: { schema: schemas/a.json,");
    let desk = Desk::with("schemas", file.as_bytes());
    let at = |pattern: &str| {
        desk.put(
            "schemas/a.json",
            &format!(r#"{{ "properties": {{ "a": {{ "pattern": "{pattern}" }} }} }}"#),
        );
        let above = format!("../{}/countersign.yaml", desk.0.file_name().unwrap().to_string_lossy());
        [vec!["check", "--format=json"], vec!["check", "--format=json", &above]].map(|args| {
            let (code, text) = told(&desk.run(&args, &[]));
            let flaws: Vec<serde_json::Value> = serde_json::from_str(&text).expect("what is printed is JSON");
            (code, flaws.first().map(|flaw| format!("{} {}", flaw["at"], flaw["what"])))
        })
    };
    assert_eq!(at("^a$"), [(Some(0), None), (Some(0), None)]);
    for (code, flaw) in at("(?=a)") {
        let flaw = flaw.unwrap_or_default();
        assert!(
            flaw.contains("request.schema") && flaw.contains("`schemas/a.json` at `/properties/a/pattern`"),
            "{flaw}"
        );
        assert_eq!(code, Some(1));
    }
}

#[test]
fn the_schema_and_the_version_are_printed() {
    let desk = Desk::with("prints", b"");
    let (code, schema) = told(&desk.run(&["schema"], &[]));
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("the schema is JSON");
    assert_eq!((code, schema["additionalProperties"].as_bool()), (Some(0), Some(false)));
    let version = format!("countersign {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(told(&desk.run(&["--version"], &[])), (Some(0), version));
}

#[test]
fn presets_are_listed_for_people_and_for_tools() {
    let desk = Desk::with("presets", b"");
    let (code, text) = told(&desk.run(&["presets"], &[]));
    let first = "airtable\n  https://api.airtable.com\n  bearer\n  https://airtable.com/developers/web/api/authentication\n";
    assert!(code == Some(0) && text.starts_with(first), "{text}");
    assert!(text.contains("\n  query key and query token\n") && text.contains("\n  path token\n"), "{text}");
    let (code, json) = told(&desk.run(&["presets", "--format", "json"], &[]));
    let presets: Vec<serde_json::Value> = serde_json::from_str(&json).expect("what is printed is JSON");
    assert_eq!((code, presets.len()), (Some(0), text.lines().filter(|line| !line.starts_with(' ')).count()));
    let expected = serde_json::json!({
        "name": "openai", "docs": "https://platform.openai.com/docs/api-reference/authentication",
        "url": "https://api.openai.com", "credential": { "bearer": "$" }, "expect": "^sk-", "bad_key": [401],
    });
    assert!(presets.contains(&expected), "{json}");
}

#[test]
fn a_program_that_does_not_compile_is_shown_at_its_word() {
    let program = "    response:\n      transform: |\n        map({name})\n        | nme\n";
    let desk = Desk::with("program", format!("{GOOD}{program}").as_bytes());
    let (code, json) = told(&desk.run(&["check", "--format", "json"], &[]));
    let line = GOOD.lines().count() + 4;
    assert_eq!(code, Some(1), "{json}");
    assert!(json.contains(&format!("\"line\": {line},\n    \"column\": 11,")), "{json}");
    assert!(
        json.contains("no function `nme` takes 0 arguments") && json.contains("\"level\": \"error\""),
        "{json}"
    );
}

#[test]
fn a_loop_without_a_written_end_is_a_warning() {
    let program = "    response: { transform: '[.[] | until(. > 3; . + 1)]' }\n";
    let desk = Desk::with("warning", format!("{GOOD}{program}").as_bytes());
    let (code, text) = told(&desk.run(&["check"], &[]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("warning: ") && text.contains("^^^^^"), "{text}");
    assert!(text.ends_with("countersign.yaml: no flaws, 1 warning, 1 route\n"), "{text}");
    let (_, json) = told(&desk.run(&["check", "--format", "json"], &[]));
    assert!(json.contains("\"level\": \"warning\""), "{json}");
}

#[test]
fn a_rule_that_is_only_observed_is_a_warning() {
    let rule = "    when: { program: 'true', observe: true }\n";
    let desk = Desk::with("observed", format!("{GOOD}{rule}").as_bytes());
    let (code, text) = told(&desk.run(&["check"], &[]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("warning: ") && text.contains("this denies nothing"), "{text}");
    let rule = "    when: { program: '.a | nope' }\n";
    let desk = Desk::with("observed", format!("{GOOD}{rule}").as_bytes());
    let (code, text) = told(&desk.run(&["check"], &[]));
    assert!(code == Some(1) && text.contains("when.program"), "{text}");
}
