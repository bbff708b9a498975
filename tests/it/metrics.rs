//! Metrics: what happened is counted, once, by names that the file fixes; and
//! each line is one that CloudWatch takes.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use countersign::config::Declared;
use countersign::config::declared::{Audit, AuditMode};
use countersign::secret::aws::Account;
use countersign::trail::delivery::Delivery;
use countersign::trail::logs::Logs;
use countersign::trail::ocsf::{Lifecycle, Phase};
use countersign::trail::{Output, Trail};
use countersign::wire::Problem;
use countersign::wire::client::{Client, Reach, Roots};
use countersign::wire::problem::Kind;
use serde_json::{Map, Value, json};

use crate::manager::Manager;
use crate::upstream::{Seen, say};
use crate::world::{APP, Ask, CANARY, FOREIGN, SERVICE, Setup, World, file};

/// The units that CloudWatch knows, and we use.
const UNITS: [&str; 2] = ["Count", "Milliseconds"];

/// Whether a line is what the specification of the Embedded Metric Format asks for:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn check(line: &Value) {
    let root = line.as_object().unwrap();
    let members = |value: &Value| {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(members(&root["_aws"]), ["CloudWatchMetrics", "Timestamp"]);
    assert!(root["_aws"]["Timestamp"].is_u64() && line.to_string().len() < 256 << 10, "{line}");
    let directives = root["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let (mut dimensions, mut metrics) = (Vec::new(), Vec::new());
    for directive in directives {
        assert_eq!(members(directive), ["Dimensions", "Metrics", "Namespace"]);
        assert_eq!(directive["Namespace"], "Countersign");
        let sets = directive["Dimensions"].as_array().unwrap();
        assert_eq!(sets[0], json!(["Service"]), "each metric is counted as a whole too: {line}");
        for set in sets.iter().map(|set| set.as_array().unwrap()) {
            assert!(set.len() <= 30, "{line}");
            dimensions.extend(set.iter().map(|name| name.as_str().unwrap().to_owned()));
        }
        let defined = directive["Metrics"].as_array().unwrap();
        assert!(!defined.is_empty() && defined.len() <= 100, "{line}");
        for metric in defined {
            assert_eq!(members(metric), ["Name", "Unit"]);
            assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()), "{line}");
            metrics.push(metric["Name"].as_str().unwrap().to_owned());
        }
    }
    for name in &dimensions {
        let value = root[name].as_str().unwrap();
        assert!(!value.trim().is_empty() && value.len() <= 1024, "{name}: {line}");
        assert!(value.chars().all(|c| (' '..='~').contains(&c)), "{name}: {line}");
    }
    for name in &metrics {
        assert!(name.len() <= 1024 && root[name].is_number(), "{name}: {line}");
        assert_eq!(metrics.iter().filter(|other| *other == name).count(), 1, "{name}: {line}");
    }
    let named = |name: &&String| *name == "_aws" || dimensions.contains(name) || metrics.contains(name);
    assert_eq!(root.keys().find(|name| !named(name)), None, "{line}");
}

/// The dimensions that a metric is counted by, beside that of the function as a whole.
fn by(line: &Value, metric: &str) -> Value {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let has = |directive: &&Value| {
        directive["Metrics"].as_array().unwrap().iter().any(|defined| defined["Name"] == metric)
    };
    directives.iter().find(has).unwrap()["Dimensions"].clone()
}

/// The members of all lines so far, without those that all have. Checked on the way.
pub fn said(world: &World) -> Vec<Value> {
    let lines = world.metrics();
    let said = lines.iter().map(|line| {
        check(line);
        assert_eq!(line["Service"], SERVICE);
        let members = line.as_object().unwrap().clone();
        let mut members: Map<_, _> =
            members.into_iter().filter(|(name, _)| name != "_aws" && name != "Service").collect();
        if let Some(took) = members.remove("UpstreamMs") {
            assert!(took.as_f64().is_some_and(|took| 0.0 < took), "{line}");
        }
        Value::from(members)
    });
    said.collect()
}

const ROUTES: &str = "\
GET /a/{id}: { {open}, timeout: 10s, request: { query: [q] } }
GET /kept: { {open}, response: { cache: 60s } }
GET /tried: { {open}, when: { program: 'false', observe: true } }
GET /straße: { {open}, path: /a/1, response: { meter: { size: .size } } }";

async fn world_of(mend: fn(&mut Declared)) -> World {
    let script = |seen: &Seen| match seen.path() {
        "/a/leak" => say(200).body(CANARY),
        "/a/gone" => say(404),
        "/a/moved" => say(302),
        "/a/down" => say(503),
        _ => say(200).with("content-type", "application/json").body(r#"{"size":3}"#),
    };
    Setup::routes(ROUTES).answer(script).mend(mend).start().await
}

async fn world() -> World {
    world_of(|_| ()).await
}

#[tokio::test]
async fn each_request_says_what_happened_and_nothing_else() {
    let world = world().await;
    let check = async |ask: Ask<'_>, expected: Value| {
        let before = world.metrics().len();
        let target = format!("{} {}", ask.request.method, ask.request.path);
        ask.send().await;
        assert_eq!(said(&world).split_off(before), [expected], "{target}");
    };
    let answered =
        |class: &str| json!({ "Requests": 1, "UpstreamAnswers": 1, "Upstream": "api", "Class": class });
    let and = |mut said: Value, more: Value| {
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said
    };
    check(world.get("/a/1?q=1").from(APP), answered("2xx")).await;
    check(world.get("/a/moved"), answered("3xx")).await;
    check(world.get("/a/gone"), answered("4xx")).await;
    check(world.get("/a/down"), and(answered("5xx"), json!({ "Retries": 1 }))).await;
    check(world.get("/a/leak"), and(answered("2xx"), json!({ "Leaks": 1 }))).await;
    check(world.get("/tried"), and(answered("2xx"), json!({ "WouldDeny": 1 }))).await;
    check(world.get("/kept"), answered("2xx")).await;
    check(world.get("/kept"), json!({ "Requests": 1, "CacheHits": 1 })).await;
    check(world.preflight("GET", "/a/1").from(APP), json!({ "Requests": 1 })).await;
    let refused = |code: &str| json!({ "Requests": 1, "Problems": 1, "Code": code });
    check(world.get("/nowhere"), refused("route_not_found")).await;
    check(world.get("/a/1").from(FOREIGN), refused("origin_not_allowed")).await;
    check(world.get("/a/1?token=x"), refused("query_not_allowed")).await;
    let spent = json!({ "Meter.size": 3, "Caller": "website", "Route": "GET /stra%C3%9Fe" });
    check(world.get("/stra%C3%9Fe"), and(answered("2xx"), spent)).await;
}

#[tokio::test]
async fn what_never_answered_has_no_class() {
    let setup = Setup::routes(ROUTES).upstream("credential: { bearer: key }, retries: 0");
    let world = setup.at("http://127.0.0.1:1").start().await;
    world.get("/a/1").send().await;
    let expected = json!({ "Requests": 1, "Problems": 1, "Code": "upstream_unreachable",
                           "UpstreamAnswers": 1, "Upstream": "api", "Class": "none" });
    assert_eq!(said(&world), [expected]);
}

#[tokio::test]
async fn each_metric_is_counted_by_its_own_dimensions() {
    let world = world().await;
    for target in ["/stra%C3%9Fe", "/nowhere"] {
        world.get(target).send().await;
    }
    let [answered, refused] = world.metrics().try_into().unwrap();
    assert_eq!(by(&answered, "Requests"), json!([["Service"]]));
    assert_eq!(by(&answered, "UpstreamMs"), json!([["Service"], ["Service", "Upstream"]]));
    assert_eq!(by(&answered, "UpstreamAnswers"), json!([["Service"], ["Service", "Upstream", "Class"]]));
    assert_eq!(
        by(&answered, "Meter.size"),
        json!([["Service"], ["Service", "Caller"], ["Service", "Route"]])
    );
    assert_eq!(by(&refused, "Problems"), json!([["Service"], ["Service", "Code"]]));
}

#[tokio::test]
async fn a_line_is_of_the_time_when_its_request_ended() {
    let world = world().await;
    world.get("/a/1").after(90).send().await;
    let time = world.metrics()[0]["_aws"]["Timestamp"].as_u64().unwrap();
    assert!((90_000..100_000).contains(&time), "{time}");
}

#[tokio::test]
async fn what_is_no_request_is_counted_too() {
    let world = world().await;
    let problem = Problem::new(Kind::MalformedEvent, "this is no event");
    world.proxy.refuse(&problem, "lambda-1", SystemTime::UNIX_EPOCH);
    assert_eq!(said(&world), [json!({ "Requests": 1, "Problems": 1, "Code": "malformed_event" })]);
}

#[tokio::test]
async fn an_intent_is_no_request() {
    let world = world_of(|declared| {
        declared.audit = Some(Audit { mode: Some(AuditMode::Strict), metrics: None });
    });
    let world = world.await;
    world.get("/a/1").send().await;
    assert_eq!((world.records().len(), said(&world).len()), (2, 1));
}

#[tokio::test]
async fn where_nobody_wants_metrics_there_are_none() {
    let check = async |mend: fn(&mut Declared), expected: usize| {
        let world = world_of(mend).await;
        world.get("/a/1").send().await;
        assert_eq!((world.records().len(), world.metrics().len()), (1, expected));
    };
    check(|declared| declared.audit = Some(Audit { mode: None, metrics: Some(false) }), 0).await;
    check(|declared| declared.audit = Some(Audit { mode: None, metrics: Some(true) }), 1).await;
    check(|declared| declared.audit = Some(Audit::default()), 1).await;
}

/// What is in records is for few; what is in metrics, for many.
#[tokio::test]
async fn nothing_of_a_caller_and_no_secret_is_in_a_metric() {
    let world = world().await;
    for target in ["/a/leak?q=value-of-the-query", "/a/gone", "/path-of-nobody", "/a/1?name-of-a-query=1"] {
        let mut ask = world.get(target).from(FOREIGN).header("user-agent", "agent-of-somebody");
        ask.request.api_key_id = Some("key-of-somebody".to_owned());
        ask.send().await;
        let mut ask = world.get(target).from(APP);
        ask.request.id = "request-of-somebody".to_owned();
        ask.send().await;
    }
    assert_eq!(said(&world).len(), 8);
    let said = world.metrics().iter().map(Value::to_string).collect::<String>();
    for hidden in [
        CANARY,
        "canary",
        "192.0.2.1",
        "request-1",
        "-of-",
        "app.example.com",
        "evil.example",
        "127.0.0.1",
        "/a/",
    ] {
        assert!(!said.contains(hidden), "{hidden}: {said}");
    }
}

#[tokio::test]
async fn a_streamed_body_is_counted_when_it_has_ended() {
    let script = |_: &Seen| say(200).with("content-type", "text/event-stream").body("data: 1\n\n");
    let setup = Setup::routes("GET /a: { {open}, response: { stream: true } }").streaming().answer(script);
    let world = setup.start().await;
    let (_, _, mut body) = world.get("/a").send().await.0.into_parts();
    assert_eq!(world.metrics().len(), 0);
    while body.next().await.is_some() {}
    world.proxy.passages.settle().await;
    let expected = json!({ "Requests": 1, "UpstreamAnswers": 1, "Upstream": "api", "Class": "2xx" });
    assert_eq!(said(&world), [expected]);
}

const OLD: &str = "canary-key-old-1";
const NEW: &str = "canary-key-new-2";

/// An upstream that takes the new key only.
async fn rotating(key: &str) -> (World, Manager) {
    let manager = Manager::start().await;
    manager.put("test/key", OLD);
    let script =
        |seen: &Seen| say(if seen.all("authorization") == [format!("Bearer {NEW}")] { 200 } else { 401 });
    let setup = Setup::routes(ROUTES).secrets(key).kept_by(&manager).answer(script);
    (setup.start().await, manager)
}

#[tokio::test]
async fn a_key_that_heals_is_counted_and_so_is_one_that_does_not() {
    let (world, manager) = rotating("{ key: test/key }").await;
    manager.out(Some(400));
    world.get("/a/1").send().await;
    let refused = json!({ "Requests": 1, "UpstreamAnswers": 1, "Upstream": "api", "Class": "4xx" });
    assert_eq!(said(&world), [json!({ "SecretSetbacks": 1 }), refused]);
    manager.out(None);
    manager.put("test/key", NEW);
    world.get("/a/1").after(60).send().await;
    let healed =
        json!({ "Requests": 1, "SecretHeals": 1, "UpstreamAnswers": 1, "Upstream": "api", "Class": "2xx" });
    assert_eq!(said(&world)[2..], [json!({ "SecretRefreshes": 1 }), healed]);
}

#[tokio::test]
async fn a_key_that_is_read_for_its_age_is_counted() {
    let (world, manager) = rotating("{ key: { id: test/key, refresh: 1h } }").await;
    manager.put("test/key", NEW);
    world.preflight("GET", "/a/1").from(APP).after(4000).send().await;
    world.proxy.readings.settle().await;
    assert_eq!(said(&world), [json!({ "Requests": 1 }), json!({ "SecretRefreshes": 1 })]);
}

/// The function itself, at a runtime that is not there: it is ready, and ends.
#[test]
fn a_cold_start_says_what_it_took() {
    let secrets = json!({ "countersign/github": { "token": "ghp_0123456789abcdef0123456789abcdef0123" } });
    let check = |name: &str, expected: &str| {
        let mut proxy = std::process::Command::new(env!("CARGO_BIN_EXE_proxy"));
        proxy.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("COUNTERSIGN_CONFIG");
        proxy.env("COUNTERSIGN_LOCAL", "true").env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
        proxy.env("COUNTERSIGN_SECRETS_FILE", file("secrets.json", &secrets.to_string()));
        for lambdas in ["MEMORY_SIZE", "VERSION"] {
            proxy.env(format!("AWS_LAMBDA_FUNCTION_{lambdas}"), "128");
        }
        proxy.env("AWS_LAMBDA_LOG_STREAM_NAME", "s").env("AWS_LAMBDA_LOG_GROUP_NAME", "g");
        let output = proxy.env("AWS_LAMBDA_FUNCTION_NAME", name).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [start, line] = lines.as_slice() else { panic!("{text}") };
        check(line);
        assert_eq!(
            (&start["class_uid"], &line["ColdStarts"], &line["Service"]),
            (&json!(6002), &json!(1), &json!(expected))
        );
        let took = ["InitMs", "InitConfigMs", "InitSecretsMs"].map(|name| line[name].as_f64().unwrap());
        assert!(0.0 < took[1] && 0.0 < took[2] && took[1] + took[2] <= took[0], "{line}");
    };
    check("gate-prod", "gate-prod");
    check("", "countersign");
}

#[tokio::test]
async fn what_cannot_be_delivered_is_counted_once() {
    let upstream = crate::upstream::Upstream::start(std::sync::Arc::new(|_| {
        say(400)
            .with("content-type", "application/x-amz-json-1.1")
            .body(r#"{"__type":"AccessDeniedException"}"#)
    }));
    let account = Account {
        region: "eu-west-1".to_owned(),
        access_key_id: "nobody".to_owned(),
        secret_access_key: "nothing".to_owned(),
        session_token: None,
        endpoint: Some(format!("http://{}", upstream.await.address)),
    };
    let http = Client::new(&Roots::new(None).unwrap(), Reach::Anywhere).unwrap();
    let logs = Logs::new(account, http, "group".to_owned(), "stream".to_owned());
    let output = Output::Memory(Mutex::default());
    let trail = Trail::new("t".to_owned(), Some(Delivery::new(logs)), output).measured("gate".to_owned());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
    for phase in [Phase::Start, Phase::Stop] {
        trail.leave(&Lifecycle { phase, configuration: "0", now });
    }
    assert!(!trail.flush(soon()).await && !trail.flush(soon()).await);
    let lines: Vec<Value> = trail.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metrics: Vec<&Value> = lines.iter().filter(|line| !line["_aws"].is_null()).collect();
    metrics.iter().for_each(|line| check(line));
    assert_eq!((lines.len(), metrics.len()), (3, 1));
    let told = (&metrics[0]["AuditUndelivered"], &metrics[0]["_aws"]["Timestamp"]);
    assert_eq!(told, (&json!(2), &json!(7000)));
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(5)
}
