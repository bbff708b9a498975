//! What goes out under each preset: what the provider's documentation shows.

use std::collections::BTreeMap;

use countersign::config::{self, presets};
use http::header::{ACCEPT, ACCEPT_ENCODING, HOST, USER_AGENT};

use crate::world::Setup;

/// A preset, a key as the provider gives them out, and what is sent: the path
/// and query, and the headers, sorted, without those that every call has.
struct Row(&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

/// `{"a": …}`: a key of two parts.
const ROWS: &[Row] = &[
    Row("airtable", "patA1b2.c3d4", "/a", &[("authorization", "Bearer patA1b2.c3d4")]),
    Row(
        "algolia",
        r#"{"api_key":"a1b2c3d4","application_id":"YourAppID"}"#,
        "/a",
        &[("x-algolia-api-key", "a1b2c3d4"), ("x-algolia-application-id", "YourAppID")],
    ),
    Row(
        "anthropic",
        "sk-ant-a1b2",
        "/a",
        &[("anthropic-version", "2023-06-01"), ("x-api-key", "sk-ant-a1b2")],
    ),
    Row("asana", "1/12345:a1b2", "/a", &[("authorization", "Bearer 1/12345:a1b2")]),
    Row("brevo", "xkeysib-a1b2", "/a", &[("accept", "application/json"), ("api-key", "xkeysib-a1b2")]),
    Row("cloudflare", "a1b2c3d4", "/a", &[("authorization", "Bearer a1b2c3d4")]),
    Row("cohere", "a1b2c3d4", "/a", &[("authorization", "Bearer a1b2c3d4")]),
    Row(
        "datadog",
        r#"{"api_key":"a1b2c3d4","application_key":"e5f6a7b8"}"#,
        "/a",
        &[("dd-api-key", "a1b2c3d4"), ("dd-application-key", "e5f6a7b8")],
    ),
    Row("deepl", "a1b2-c3d4:fx", "/a", &[("authorization", "DeepL-Auth-Key a1b2-c3d4:fx")]),
    Row("deepseek", "sk-a1b2c3d4", "/a", &[("authorization", "Bearer sk-a1b2c3d4")]),
    Row(
        "discord",
        "MTA1.a1b2.c3d4",
        "/a",
        &[("authorization", "Bot MTA1.a1b2.c3d4"), ("user-agent", "DiscordBot (https://example.com, 1)")],
    ),
    Row("elevenlabs", "sk_a1b2c3d4", "/a", &[("xi-api-key", "sk_a1b2c3d4")]),
    Row("figma", "figd_a1b2c3d4", "/a", &[("x-figma-token", "figd_a1b2c3d4")]),
    Row("gemini", "AIzaSyA1b2", "/a", &[("x-goog-api-key", "AIzaSyA1b2")]),
    Row(
        "github",
        "ghp_a1b2c3d4",
        "/a",
        &[
            ("accept", "application/vnd.github+json"),
            ("authorization", "Bearer ghp_a1b2c3d4"),
            ("x-github-api-version", "2022-11-28"),
        ],
    ),
    Row("gitlab", "glpat-a1b2c3d4", "/a", &[("private-token", "glpat-a1b2c3d4")]),
    Row("google", "AIzaSyA1b2", "/a", &[("x-goog-api-key", "AIzaSyA1b2")]),
    Row("groq", "gsk_a1b2c3d4", "/a", &[("authorization", "Bearer gsk_a1b2c3d4")]),
    Row("hubspot", "pat-na1-a1b2", "/a", &[("authorization", "Bearer pat-na1-a1b2")]),
    Row("huggingface", "hf_a1b2c3d4", "/a", &[("authorization", "Bearer hf_a1b2c3d4")]),
    Row(
        "intercom",
        "dG9rOmExYjI=",
        "/a",
        &[
            ("accept", "application/json"),
            ("authorization", "Bearer dG9rOmExYjI="),
            ("intercom-version", "2.11"),
        ],
    ),
    Row("linear", "lin_api_a1b2", "/a", &[("authorization", "lin_api_a1b2")]),
    // anystring:a1b2c3d4-us6
    Row("mailchimp", "a1b2c3d4-us6", "/a", &[("authorization", "Basic YW55c3RyaW5nOmExYjJjM2Q0LXVzNg==")]),
    // api:a1b2c3d4
    Row("mailgun", "a1b2c3d4", "/a", &[("authorization", "Basic YXBpOmExYjJjM2Q0")]),
    Row("mapbox", "pk.a1b2c3d4", "/a?access_token=pk.a1b2c3d4", &[]),
    Row("mistral", "a1b2c3d4", "/a", &[("authorization", "Bearer a1b2c3d4")]),
    Row("netlify", "nfp_a1b2c3d4", "/a", &[("authorization", "Bearer nfp_a1b2c3d4")]),
    Row(
        "notion",
        "ntn_a1b2c3d4",
        "/a",
        &[("authorization", "Bearer ntn_a1b2c3d4"), ("notion-version", "2026-03-11")],
    ),
    Row("openai", "sk-proj-a1b2", "/a", &[("authorization", "Bearer sk-proj-a1b2")]),
    Row("openrouter", "sk-or-v1-a1b2", "/a", &[("authorization", "Bearer sk-or-v1-a1b2")]),
    Row("openweather", "a1b2c3d4", "/a?appid=a1b2c3d4", &[]),
    Row(
        "pagerduty",
        "u+a1b2c3d4",
        "/a",
        &[
            ("accept", "application/vnd.pagerduty+json;version=2"),
            ("authorization", "Token token=u+a1b2c3d4"),
        ],
    ),
    Row("perplexity", "pplx-a1b2", "/a", &[("authorization", "Bearer pplx-a1b2")]),
    Row(
        "postmark",
        "a1b2-c3d4",
        "/a",
        &[("accept", "application/json"), ("x-postmark-server-token", "a1b2-c3d4")],
    ),
    Row("replicate", "r8_a1b2c3d4", "/a", &[("authorization", "Bearer r8_a1b2c3d4")]),
    Row("resend", "re_a1b2c3d4", "/a", &[("authorization", "Bearer re_a1b2c3d4")]),
    Row("sendgrid", "SG.a1b2.c3d4", "/a", &[("authorization", "Bearer SG.a1b2.c3d4")]),
    Row("sentry", "sntryu_a1b2", "/a", &[("authorization", "Bearer sntryu_a1b2")]),
    Row("shopify", "shpat_a1b2c3", "/a", &[("x-shopify-access-token", "shpat_a1b2c3")]),
    Row("slack", "xoxb-1-a1b2", "/a", &[("authorization", "Bearer xoxb-1-a1b2")]),
    Row("square", "EAAAa1b2", "/a", &[("authorization", "Bearer EAAAa1b2")]),
    Row("stripe", "sk_test_a1b2", "/a", &[("authorization", "Bearer sk_test_a1b2")]),
    Row("supabase", "sb_secret_a1", "/a", &[("apikey", "sb_secret_a1")]),
    Row("telegram", "123456:A1-b2", "/bot123456:A1-b2/sendMessage", &[]),
    Row("trello", r#"{"key":"a1b2c3d4","token":"ATTAe5f6"}"#, "/a?key=a1b2c3d4&token=ATTAe5f6", &[]),
    // SKa1b2:c3d4e5f6
    Row(
        "twilio",
        r#"{"sid":"SKa1b2","token":"c3d4e5f6"}"#,
        "/a",
        &[("authorization", "Basic U0thMWIyOmMzZDRlNWY2")],
    ),
    Row("unsplash", "a1b2c3d4", "/a", &[("accept-version", "v1"), ("authorization", "Client-ID a1b2c3d4")]),
    Row("vercel", "a1b2c3d4", "/a", &[("authorization", "Bearer a1b2c3d4")]),
    Row("xai", "xai-a1b2c3d4", "/a", &[("authorization", "Bearer xai-a1b2c3d4")]),
];

#[tokio::test]
async fn each_preset_sends_what_the_providers_documentation_shows() {
    let tested: Vec<&str> = ROWS.iter().map(|Row(name, ..)| *name).collect();
    assert_eq!(tested, presets::names().collect::<Vec<_>>());
    for Row(name, key, target, headers) in ROWS {
        let path = if *name == "telegram" { "/bot{token}/sendMessage" } else { "/a" };
        let world = Setup::routes(&format!("GET /b: {{ {{open}}, path: '{path}' }}"))
            .upstream(&format!("preset: {name}, credential: own"))
            .secret("own", key)
            .start()
            .await;
        assert_eq!(world.get("/b").send().await.verdict(), "200", "{name}");
        let seen = world.upstream.seen().pop().unwrap();
        let ours = |name: &str, value: &str| match name {
            _ if [HOST, ACCEPT_ENCODING].iter().any(|known| known == name) => true,
            _ if ACCEPT == name => value == "*/*",
            _ => USER_AGENT == name && value.starts_with("countersign/"),
        };
        let sent = seen.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let sent: BTreeMap<&str, &str> = sent.filter(|(name, value)| !ours(name, value)).collect();
        assert_eq!((seen.target.as_str(), sent), (*target, headers.iter().copied().collect()), "{name}");
    }
}

#[test]
fn each_preset_passes_the_check_as_the_guide_writes_it() {
    for name in presets::names() {
        let preset = presets::json(name).unwrap();
        let (url, docs) = (preset["url"].as_str().unwrap(), preset["docs"].as_str().unwrap());
        let own = match (url.find('{'), url.find('}')) {
            (Some(open), Some(close)) => format!("url: '{}example{}', ", &url[..open], &url[close + 1..]),
            _ => String::new(),
        };
        let path = if name == "telegram" { "/bot{token}/getMe" } else { "/a" };
        let file = format!(
            "version: 1\nsecrets: {{ own: countersign/own }}\ncallers: {{ website: {{ anonymous: true }} }}\n\
             upstreams: {{ api: {{ {own}preset: {name}, credential: own }} }}\n\
             routes: {{ GET /a: {{ allow: [website], upstream: api, path: '{path}' }} }}\n"
        );
        let flaws = config::examine(&file, &|_| Err(String::new())).err().unwrap_or_default();
        assert!(flaws.is_empty() && docs.starts_with("https://"), "{flaws:#?}\n{file}");
    }
}

/// Each block of the guide, completed by the callers that it names.
#[test]
fn what_the_guide_shows_has_no_flaw() {
    const GUIDE: &str = include_str!("../../docs/guides/presets.md");
    let blocks: Vec<&str> =
        GUIDE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        let file = format!("version: 1\ncallers: {{ website: {{ anonymous: true }} }}\n{block}");
        let flaws = config::examine(&file, &|_| Err(String::new())).err().unwrap_or_default();
        assert!(flaws.is_empty(), "{flaws:#?}\n{file}");
    }
}
