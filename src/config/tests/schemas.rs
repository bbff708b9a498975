//! Schemas in the file and beside it: what is said of them, and where.

use super::{GOOD, read};
use crate::config::{Declared, Flaw, examine, read_beside, schemas::SchemaText};

const FILES: [(&str, &str); 11] = [
    (
        "s/contact.json",
        r##"{ "$ref": "parts/address.yaml#/$defs/a", "properties": { "x": { "$ref": "#/properties/y" }, "y": {} } }"##,
    ),
    ("s/parts/address.yaml", "$defs: { a: { required: [city], maxProperties: 3 } }\n"),
    ("s/up.json", r#"{ "$ref": "../../etc/passwd.json" }"#),
    ("s/lost.json", r#"{ "items": { "$ref": "nowhere.json" } }"#),
    ("s/two.json", r#"{ "items": { "$ref": "one.json" }, "not": { "$ref": "https://a.example/x.json" } }"#),
    ("s/net.json", r#"{ "$ref": "https://a.example/x.json" }"#),
    ("s/twice.json", "{ \"a\": 1,\n  \"a\": 2 }"),
    ("s/broken.yaml", "a: [1\nb: 2\n"),
    ("s/empty.yaml", "# nothing\n"),
    ("s/wrong.yaml", "properties:\n  a: { minimum: '3' }\n"),
    ("s/circle.json", r#"{ "properties": { "next": { "$ref": "circle.json" } } }"#),
];

fn files(path: &str) -> Result<Vec<u8>, String> {
    let file = FILES.iter().find(|(known, _)| *known == path);
    file.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "it is not there".to_owned())
}

fn file(route: &str) -> String {
    format!("{GOOD}  POST /b: {{ allow: [website], upstream: open, {route} }}\n")
}

fn shown(found: Result<Declared, Vec<Flaw>>) -> Vec<String> {
    let flaws = found.err().unwrap_or_default();
    flaws.iter().map(|flaw| format!("{}:{} {}: {}", flaw.line, flaw.column, flaw.at, flaw.what)).collect()
}

#[test]
fn a_schema_stands_in_the_file_or_beside_it() {
    let check = |route: &str| assert_eq!(shown(examine(file(route), &files)), [""; 0], "{route}");
    check("request: { schema: s/contact.json }");
    check("request: { schema: s/parts/../contact.json }");
    check("request: { schema: ./s/circle.json }");
    check("request: { schema: { type: object, properties: { a: { maxLength: 3, pattern: '^a+$' } } } }");
    check("request: { schema: { $ref: s/contact.json } }");
    check(
        "request: { schema: { $schema: 'http://json-schema.org/draft-04/schema#', maximum: 3, exclusiveMaximum: true } }",
    );
    check("response: { schema: s/contact.json, project: true }");
    check("request: { query: { page: { type: integer, required: true }, q: , tag: { type: array } } }");
    check("request: { query: { page: { $ref: 's/parts/address.yaml#/$defs/a' } } }");
}

#[test]
fn an_inline_schema_has_the_types_of_yaml() {
    let text = file("request: { schema: { const: [1, 1.5, '1', true, null, yes, 0x1F], maximum: 1.0 } }");
    let declared = read(text).unwrap();
    let route = declared.routes.values().find(|route| route.request.schema.is_some()).unwrap();
    let expected = serde_json::json!({ "const": [1, 1.5, "1", true, null, "yes", 31], "maximum": 1.0 });
    assert_eq!(route.request.schema, Some(SchemaText::Inline(expected)));
}

#[test]
fn what_a_cold_start_can_see_is_said_by_it() {
    let check = |route: &str, expected: &[&str]| {
        for found in [read_beside(file(route), &files), examine(file(route), &files)] {
            assert_eq!(shown(found), expected, "{route}");
        }
    };
    let no_path = "12:67 routes.POST /b.request.schema: this is no path of a file beside the configuration";
    check("request: { schema: /etc/a.json }", &[no_path]);
    check("request: { schema: 's/a b.json' }", &[no_path]);
    check("request: { schema: 's//b.json' }", &[no_path]);
    check(
        "request: { schema: ../a.json }",
        &["12:67 routes.POST /b.request.schema: this path leads above the configuration"],
    );
    check(
        "request: { schema: s/a.txt }",
        &["12:67 routes.POST /b.request.schema: a file here is JSON or YAML"],
    );
    let network = "a schema is not fetched from the network";
    check(
        "request: { schema: 'https://a.example/b.json' }",
        &[&format!("12:67 routes.POST /b.request.schema: {network}")],
    );
    check(
        "request: { schema: { items: { $ref: 'https://a.example/b.json' } } }",
        &[&format!("12:84 routes.POST /b.request.schema.items.$ref: {network}")],
    );
    check(
        "request: { schema: s/net.json }",
        &[&format!("12:67 routes.POST /b.request.schema: `s/net.json` at `/$ref`: {network}")],
    );
    check(
        "request: { schema: s/no.json }",
        &["12:67 routes.POST /b.request.schema: `s/no.json` cannot be read: it is not there"],
    );
    check(
        "request: { schema: s/lost.json }",
        &[
            "12:67 routes.POST /b.request.schema: `s/lost.json` at `/items/$ref`: `s/nowhere.json` cannot be read: it is not there",
        ],
    );
    check(
        "request: { schema: s/up.json }",
        &[
            "12:67 routes.POST /b.request.schema: `s/up.json` at `/$ref`: this path leads above the configuration",
        ],
    );
    check(
        "request: { schema: s/twice.json }",
        &[
            "12:67 routes.POST /b.request.schema: `s/twice.json`: this is no JSON: line 2, column 3: a key stands twice in one object",
        ],
    );
    check(
        "response: { schema: s/empty.yaml }",
        &["12:68 routes.POST /b.response.schema: `s/empty.yaml`: line 1, column 1: the file is empty"],
    );
    let two = shown(examine(file("request: { schema: s/two.json }"), &files));
    assert_eq!(two.len(), 2, "{two:?}");
    // Two routes, one file, one flaw.
    check(
        "request: { schema: s/no.json }, response: { schema: { items: { $ref: s/no.json } } }",
        &["12:67 routes.POST /b.request.schema: `s/no.json` cannot be read: it is not there"],
    );
    let broken = shown(read_beside(file("request: { schema: s/broken.yaml }"), &files));
    assert!(broken[0].contains("`s/broken.yaml`: line "), "{broken:?}");
    check("request: { schema: 3 }", &["12:67 routes.POST /b.request.schema: this is no schema"]);
    check(
        "request: { schema: { maximum: .inf } }",
        &["12:78 routes.POST /b.request.schema.maximum: JSON has no such number"],
    );
    check(
        "response: { project: true }",
        &["12:69 routes.POST /b.response.project: it is not said which fields are declared"],
    );
    check("request: { query: { page: 3 } }", &["12:74 routes.POST /b.request.query.page: this is no schema"]);
    check("request: { query: page }", &["12:66 routes.POST /b.request.query: a list is wanted here"]);
}

#[test]
fn what_only_a_compiler_sees_is_said_by_check() {
    let check = |route: &str, expected: &[&str]| {
        assert_eq!(shown(read_beside(file(route), &files)), [""; 0], "{route}");
        assert_eq!(shown(examine(file(route), &files)), expected, "{route}");
    };
    check(
        "request: { schema: { properties: { a: { pattern: '(?=x)' } } } }",
        &[
            "12:97 routes.POST /b.request.schema.properties.a.pattern: this is no regular expression that is matched in linear time and bounded memory",
        ],
    );
    check(
        "request: { schema: { items: { minimum: '3' } } }",
        &["12:87 routes.POST /b.request.schema.items.minimum: this is no JSON Schema: it must be a number"],
    );
    check(
        "response: { schema: s/wrong.yaml }",
        &[
            "12:68 routes.POST /b.response.schema: `s/wrong.yaml` at `/properties/a/minimum`: this is no JSON Schema: it must be a number",
        ],
    );
    check(
        "response: { schema: { $ref: s/wrong.yaml } }",
        &[
            "12:68 routes.POST /b.response.schema: `s/wrong.yaml` at `/properties/a/minimum`: this is no JSON Schema: it must be a number",
        ],
    );
    check(
        "request: { schema: { $ref: '#/$defs/a' } }",
        &["12:75 routes.POST /b.request.schema.$ref: what is referred to here is not there"],
    );
    check(
        "request: { query: { q: , page: { maximum: many } } }",
        &["12:90 routes.POST /b.request.query.page.maximum: this is no JSON Schema: it must be a number"],
    );
}

#[test]
fn the_credentials_parameter_is_not_the_callers_to_send() {
    let keyed =
        GOOD.replace("{ bearer: github.token }", "{ query: { name: api_key, value: { secret: bot } } }");
    let text = keyed.replace("upstream: github }", "upstream: github, request: { query: { api_key: {} } } }");
    let expected =
        ["10:69 routes.GET /a.request.query.api_key: the upstream's credential is sent in this parameter"];
    assert_eq!(shown(read(text)), expected);
}
