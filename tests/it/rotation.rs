//! Keys that are rotated while requests run: they heal, and nothing storms Secrets Manager.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::manager::{Manager, version};
use crate::upstream::{Say, Seen, say};
use crate::world::{Setup, World};

const OLD: &str = "canary-key-old-1";
const NEW: &str = "canary-key-new-2";
const ROUTE: &str = "ANY /a: { {open} }";

/// An upstream that takes some keys, and refuses others with a status.
#[derive(Clone)]
struct Provider(Arc<Mutex<(Vec<String>, u16)>>);

impl Provider {
    fn taking(keys: &[&str]) -> Self {
        let provider = Self(Arc::new(Mutex::new((Vec::new(), 401))));
        provider.takes(keys);
        provider
    }

    fn takes(&self, keys: &[&str]) {
        self.0.lock().unwrap().0 = keys.iter().map(|key| format!("Bearer {key}")).collect();
    }

    fn refuses_with(&self, status: u16) {
        self.0.lock().unwrap().1 = status;
    }

    fn answer(&self, seen: &Seen) -> Say {
        let (keys, refusal) = &*self.0.lock().unwrap();
        say(if seen.all("authorization").iter().all(|key| keys.contains(key)) { 200 } else { *refusal })
    }
}

/// A world whose key is `OLD`, in Secrets Manager; and what the file says of it.
async fn world_with(provider: &Provider, key: &str, routes: &str) -> (World, Manager) {
    let manager = Manager::start().await;
    manager.put("test/key", OLD);
    let provider = provider.clone();
    let setup = Setup::routes(routes).secrets(&format!("{{ key: {key} }}")).kept_by(&manager);
    let world = setup.answer(move |seen| provider.answer(seen)).start().await;
    assert_eq!(manager.reads(), ["test/key"], "once per cold start");
    (world, manager)
}

async fn world(provider: &Provider) -> (World, Manager) {
    world_with(provider, "test/key", ROUTE).await
}

fn used(value: &str) -> Value {
    json!([{ "name": "key", "version": version(value) }])
}

/// `count` requests at once, by GET and POST in turn, and what became of them.
async fn storm(world: World, count: usize) -> (&'static World, Vec<String>) {
    let world: &'static World = Box::leak(Box::new(world));
    let verdicts = LocalSet::new();
    let verdicts = verdicts.run_until(async {
        let ask = |at: usize| async move {
            let ask = world.ask(["GET", "POST"][at % 2], "/a").body("");
            ask.send().await.verdict()
        };
        let asked: Vec<_> = (0..count).map(|at| tokio::task::spawn_local(ask(at))).collect();
        let mut verdicts = Vec::new();
        for asked in asked {
            verdicts.push(asked.await.unwrap());
        }
        verdicts
    });
    let verdicts = verdicts.await;
    (world, verdicts)
}

#[tokio::test]
async fn a_rotation_while_requests_run_fails_none_and_reads_once() {
    for delay in [0, 100] {
        let provider = Provider::taking(&[OLD]);
        let (world, manager) = world(&provider).await;
        assert_eq!(world.get("/a").send().await.verdict(), "200");
        assert_eq!((world.record()["secrets"].clone(), manager.reads().len()), (used(OLD), 0));
        provider.takes(&[NEW]);
        manager.put("test/key", NEW);
        manager.delay(Duration::from_millis(delay));
        let (world, verdicts) = storm(world, 20).await;
        assert_eq!(verdicts, ["200"; 20], "{delay}");
        assert_eq!(manager.reads(), ["test/key"], "{delay}");
        let records = world.records().split_off(1);
        let renewed = records.iter().filter(|record| record["renewed"] == true);
        assert!(0 < renewed.count() && records.iter().all(|record| record["secrets"] == used(NEW)));
        assert_eq!(world.get("/a").send().await.verdict(), "200");
        let record = world.record();
        assert_eq!(
            (&record["renewed"], &record["secrets"], manager.reads().len()),
            (&Value::Null, &used(NEW), 0)
        );
        assert_eq!(world.alarms(), Vec::<Value>::new());
    }
}

/// A 401 says that nothing was done; after a 403 only what may be done twice is sent again.
#[tokio::test]
async fn a_request_is_sent_again_only_where_that_does_no_harm() {
    let check = async |method: &str, status: u16, again: bool, reads: usize| {
        let provider = Provider::taking(&[NEW]);
        provider.refuses_with(status);
        let (world, manager) = world(&provider).await;
        manager.put("test/key", NEW);
        let answer = world.ask(method, "/a").body("{}").send().await;
        let expected = if again { 200 } else { status };
        let seen = world.upstream.seen();
        assert_eq!(
            (answer.status().as_u16(), seen.len()),
            (expected, 1 + usize::from(again)),
            "{method} {status}"
        );
        assert!(seen.iter().all(|seen| seen.body == "{}" && seen.method == method), "{method} {status}");
        world.proxy.readings.settle().await;
        assert_eq!(manager.reads().len(), reads, "{method} {status}");
        // What was read is there for the next one, whatever became of the first.
        assert_eq!(world.get("/a").send().await.status() == 200, 0 < reads, "{method} {status}");
    };
    for method in ["GET", "PUT", "DELETE"] {
        check(method, 401, true, 1).await;
        check(method, 403, true, 1).await;
        check(method, 400, false, 0).await;
    }
    for method in ["POST", "PATCH"] {
        check(method, 401, true, 1).await;
        check(method, 403, false, 1).await;
        check(method, 404, false, 0).await;
    }
}

#[tokio::test]
async fn a_key_that_is_just_bad_is_read_once_in_thirty_seconds_and_sent_once() {
    let (world, manager) = world(&Provider::taking(&[])).await;
    let at = async |seconds: u64, reads: usize| {
        assert_eq!(world.get("/a").after(seconds).send().await.verdict(), "401", "{seconds}");
        assert_eq!(manager.reads().len(), reads, "{seconds}");
    };
    at(5, 1).await;
    for seconds in [5, 6, 20, 34] {
        at(seconds, 0).await;
    }
    at(36, 1).await;
    at(37, 0).await;
    at(66 + 3600, 1).await;
    // A clock that was set back does not stop it for an hour.
    at(10, 1).await;
    assert_eq!(world.upstream.seen().len(), 9, "a key that did not change is not sent again");
    assert!(world.records().iter().all(|record| record.get("renewed").is_none()));
    let (world, verdicts) = storm(world, 20).await;
    assert_eq!((verdicts, manager.reads().len()), (vec!["401".to_owned(); 20], 0));
    assert_eq!(world.upstream.seen().len(), 29);
}

#[tokio::test]
async fn a_new_version_of_the_same_value_is_not_sent_again() {
    let (world, manager) = world(&Provider::taking(&[])).await;
    manager.rename("another-version");
    assert_eq!(world.get("/a").send().await.verdict(), "401");
    assert_eq!((manager.reads().len(), world.upstream.seen().len()), (1, 1));
    assert_eq!(world.get("/a").send().await.verdict(), "401");
    assert_eq!(world.record()["secrets"], json!([{ "name": "key", "version": "another-version" }]));
}

#[tokio::test]
async fn a_value_that_is_still_being_made_is_never_used() {
    let provider = Provider::taking(&[NEW]);
    let (world, manager) = world(&provider).await;
    manager.label("test/key", "AWSPENDING", NEW);
    assert_eq!(world.get("/a").send().await.verdict(), "401");
    assert_eq!((manager.reads().len(), world.upstream.seen().len()), (1, 1));
    manager.put("test/key", NEW);
    assert_eq!(world.get("/a").after(31).send().await.verdict(), "200");
}

#[tokio::test]
async fn an_old_value_is_read_again_beside_the_next_request() {
    let provider = Provider::taking(&[OLD, NEW]);
    let (world, manager) = world_with(&provider, "{ id: test/key, refresh: 1h }", ROUTE).await;
    manager.put("test/key", NEW);
    manager.delay(Duration::from_millis(300));
    let at = async |seconds: u64, reads: usize, value: &str| {
        let started = tokio::time::Instant::now();
        assert_eq!(world.get("/a").after(seconds).send().await.verdict(), "200", "{seconds}");
        assert!(started.elapsed() < Duration::from_millis(250), "nobody waits for it");
        assert_eq!(world.record()["secrets"], used(value), "{seconds}");
        world.proxy.readings.settle().await;
        assert_eq!(manager.reads().len(), reads, "{seconds}");
    };
    at(3599, 0, OLD).await;
    at(3601, 1, OLD).await;
    at(3602, 0, NEW).await;
    at(7200, 0, NEW).await;
    at(7202, 1, NEW).await;
}

#[tokio::test]
async fn many_requests_at_once_read_an_old_value_once() {
    let provider = Provider::taking(&[OLD]);
    let (world, manager) = world_with(&provider, "{ id: test/key, refresh: 1s }", ROUTE).await;
    manager.delay(Duration::from_millis(50));
    let (a, b, c) = tokio::join!(
        world.get("/a").after(2).send(),
        world.get("/a").after(2).send(),
        world.get("/a").after(2).send()
    );
    assert_eq!([a.verdict(), b.verdict(), c.verdict()], ["200"; 3]);
    world.proxy.readings.settle().await;
    assert_eq!(manager.reads(), ["test/key"]);
}

/// What is being read because of its age heals a refusal too, without another reading.
#[tokio::test]
async fn a_refusal_waits_for_the_reading_that_is_on_its_way() {
    let provider = Provider::taking(&[NEW]);
    let (world, manager) = world_with(&provider, "{ id: test/key, refresh: 1h }", ROUTE).await;
    manager.put("test/key", NEW);
    manager.delay(Duration::from_millis(150));
    assert_eq!(world.get("/a").after(3601).send().await.verdict(), "200");
    assert_eq!((manager.reads().len(), &world.record()["renewed"]), (1, &json!(true)));
}

#[tokio::test]
async fn an_outage_of_secrets_manager_takes_no_known_key_away() {
    for status in [400, 500] {
        let provider = Provider::taking(&[OLD]);
        let (world, manager) = world_with(&provider, "{ id: test/key, refresh: 1h }", ROUTE).await;
        manager.out(Some(status));
        let at = async |seconds: u64, expected: &str| {
            assert_eq!(world.get("/a").after(seconds).send().await.verdict(), expected, "{seconds}");
            world.proxy.readings.settle().await;
            (!manager.reads().is_empty(), world.record()["stale"].clone())
        };
        assert!(at(3601, "200").await.0);
        let alarms = world.alarms();
        let cause = alarms[0]["cause"].as_str().unwrap();
        assert!(alarms.len() == 1 && cause.contains("`test/key`: Secrets Manager says"), "{alarms:?}");
        assert_eq!(
            (&alarms[0]["code"], &alarms[0]["secret"], &alarms[0]["time"]),
            (&json!("secret_unread"), &json!("key"), &json!("1970-01-01T01:00:01.000Z"))
        );
        assert_eq!(at(3602, "200").await, (false, json!(["key"])), "an outage is not made worse");
        assert_eq!(at(3632, "200").await, (true, json!(["key"])));
        assert_eq!(world.alarms().len(), 2);
        // It is out, and the key was rotated: nothing heals, and nothing gets worse.
        provider.takes(&[NEW]);
        assert_eq!(at(3663, "401").await, (true, json!(["key"])));
        manager.out(None);
        manager.put("test/key", NEW);
        assert_eq!(at(3694, "200").await, (true, Value::Null));
        assert_eq!(world.record()["secrets"], used(NEW));
    }
}

#[tokio::test]
async fn a_broken_rotation_keeps_the_old_value() {
    let provider = Provider::taking(&[OLD, NEW]);
    let key = "{ id: test/key, expect: ^canary-key, refresh: 1m }";
    let (world, manager) = world_with(&provider, key, ROUTE).await;
    let mut now = 0;
    for broken in ["another-key-by-mistake", "canary-key\u{7}bell", " canary-key-in-space"] {
        now += 61;
        manager.put("test/key", broken);
        for later in [now, now + 1] {
            assert_eq!(world.get("/a").after(later).send().await.verdict(), "200", "{broken}");
            world.proxy.readings.settle().await;
            assert_eq!(world.record()["secrets"], used(OLD), "{broken}");
        }
        assert_eq!(world.record()["stale"], json!(["key"]), "{broken}");
        let alarm = world.alarms().pop().unwrap();
        let expected = (json!("secret_unfit"), json!("key"), json!(version(broken)));
        assert_eq!((alarm["code"].clone(), alarm["secret"].clone(), alarm["version"].clone()), expected);
        assert!(!alarm.to_string().contains(broken.trim()), "{alarm}");
    }
    assert_eq!(world.alarms().len(), 3);
    manager.put("test/key", NEW);
    assert_eq!(world.get("/a").after(now + 61).send().await.verdict(), "200");
    world.proxy.readings.settle().await;
    assert_eq!(world.get("/a").after(now + 62).send().await.verdict(), "200");
    let record = world.record();
    assert_eq!((&record["secrets"], record.get("stale")), (&used(NEW), None));
}

#[tokio::test]
async fn a_refused_key_is_not_exchanged_for_a_broken_one() {
    let provider = Provider::taking(&[]);
    let (world, manager) = world_with(&provider, "{ id: test/key, expect: ^canary }", ROUTE).await;
    manager.put("test/key", "another-key-by-mistake");
    assert_eq!(world.get("/a").send().await.verdict(), "401");
    assert_eq!((world.upstream.seen().len(), world.alarms().len()), (1, 1));
    assert_eq!((&world.record()["stale"], &world.record()["secrets"]), (&json!(["key"]), &used(OLD)));
}

/// Its fields belong together: a user's name never goes with the other's password.
#[tokio::test]
async fn all_fields_of_a_secret_change_together_or_none() {
    let manager = Manager::start().await;
    let pair = |user: &str, password: Option<&str>| match password {
        Some(password) => json!({ "user": user, "password": password }).to_string(),
        None => json!({ "user": user }).to_string(),
    };
    manager.put("test/pair", &pair("user-one", Some("password-one")));
    let basic = "{ basic: { username: { secret: pair.user }, password: { secret: pair.password } } }";
    let setup = Setup::routes(ROUTE).upstream(&format!("credential: {basic}")).kept_by(&manager);
    let one = format!("Basic {}", base64("user-one:password-one"));
    let two = format!("Basic {}", base64("user-two:password-two"));
    let taken = two.clone();
    let answer = move |seen: &Seen| say(if seen.all("authorization") == [taken.clone()] { 200 } else { 401 });
    let world = setup.answer(answer).start().await;
    manager.reads();
    manager.put("test/pair", &pair("user-two", None));
    assert_eq!(world.get("/a").send().await.verdict(), "401");
    assert!(world.alarms()[0]["cause"].as_str().unwrap().contains("no field `password`"));
    manager.put("test/pair", &pair("user-two", Some("password-two")));
    assert_eq!(world.get("/a").after(31).send().await.verdict(), "200");
    assert_eq!(manager.reads(), ["test/pair", "test/pair"]);
    let sent: Vec<String> = world.upstream.seen().iter().flat_map(|seen| seen.all("authorization")).collect();
    assert_eq!(sent, [one.clone(), one, two]);
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn only_what_was_refused_is_read_again() {
    let manager = Manager::start().await;
    for id in ["test/key", "test/other", "test/far"] {
        manager.put(id, OLD);
    }
    let recipes = "[{ bearer: key }, { header: { name: X-Other, value: { secret: other } } }]";
    let setup = Setup::routes(ROUTE)
        .upstream(&format!("credential: {recipes}"))
        .secrets("{ key: test/key, other: test/other, unused: test/far }")
        .kept_by(&manager);
    let world = setup.answer(|_| say(401)).start().await;
    assert_eq!(manager.reads(), ["test/key", "test/other"]);
    world.get("/a").send().await;
    let mut reads = manager.reads();
    reads.sort();
    assert_eq!(reads, ["test/key", "test/other"]);
}

#[tokio::test]
async fn a_caller_who_cannot_wait_gets_the_first_answer_and_the_next_one_the_new_key() {
    let provider = Provider::taking(&[NEW]);
    let (world, manager) = world_with(&provider, "test/key", "GET /a: { {open}, timeout: 150ms }").await;
    manager.put("test/key", NEW);
    manager.delay(Duration::from_millis(400));
    assert_eq!(world.get("/a").send().await.verdict(), "401");
    world.proxy.readings.settle().await;
    assert_eq!(world.get("/a").send().await.verdict(), "200");
    assert_eq!((manager.reads().len(), world.upstream.seen().len()), (1, 2));
}

/// A reading ends with the invocation, so that it does not hold up the next one.
#[tokio::test]
async fn a_reading_does_not_outlive_its_invocation() {
    let provider = Provider::taking(&[OLD]);
    let (world, manager) = world_with(&provider, "{ id: test/key, refresh: 1s }", ROUTE).await;
    manager.delay(Duration::from_secs(60));
    let started = tokio::time::Instant::now();
    let ask = world.get("/a").after(2).within(Duration::from_millis(300));
    assert_eq!(ask.send().await.verdict(), "200");
    world.proxy.readings.settle().await;
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(world.alarms()[0]["cause"].as_str().unwrap().contains("no time left"));
}

#[tokio::test]
async fn the_guard_knows_the_old_value_and_the_new_one() {
    let manager = Manager::start().await;
    manager.put("test/key", OLD);
    let answer = |seen: &Seen| match seen.all("authorization") == [format!("Bearer {NEW}")] {
        true => say(200).body(format!("you had {OLD}, now you have {NEW}")),
        false => say(401).body(format!("{OLD} is no good any more")),
    };
    let setup = Setup::routes(ROUTE).secrets("{ key: test/key }").kept_by(&manager);
    let world = setup.answer(answer).start().await;
    assert_eq!(world.get("/a").send().await.text(), "[redacted] is no good any more");
    manager.put("test/key", NEW);
    for seconds in [31, 32] {
        let answer = world.get("/a").after(seconds).send().await;
        assert_eq!(answer.text(), "you had [redacted], now you have [redacted]");
        assert_eq!(world.record()["leak"], true);
    }
}
