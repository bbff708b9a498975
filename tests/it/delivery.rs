//! Records on their way to a log group: all of them, once, in order, whatever
//! CloudWatch Logs does meanwhile.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use countersign::secret::aws::Account;
use countersign::trail::delivery::Delivery;
use countersign::trail::logs::Logs;
use countersign::wire::client::{Client, Reach, Roots};
use serde_json::{Value, json};

use crate::record;
use crate::upstream::{Say, Seen, Upstream, say};
use crate::world::{CANARY, Setup, World};

const ROUTES: &str = "GET /a: { {open} }";

/// CloudWatch Logs with one group. `plan`: what it does with the next calls; then it works.
struct Group {
    server: Upstream,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    stream: Option<String>,
    lines: Vec<String>,
    calls: Vec<String>,
    times: Vec<u64>,
    plan: Vec<Deed>,
}

#[derive(Clone, Copy)]
enum Deed {
    /// Says no with this status and error.
    Fail(u16, &'static str),
    /// Forgets its stream.
    Forget,
    /// Finds the first so many too old.
    TooOld(usize),
    /// Takes all, and says nothing of it.
    Lose,
    /// Has them already.
    Again,
}

impl Group {
    async fn start() -> Self {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let own = Arc::clone(&shelf);
        let server = Upstream::start(Arc::new(move |seen: &Seen| own.lock().unwrap().answer(seen))).await;
        Self { server, shelf }
    }

    fn delivery(&self) -> Delivery {
        let account = Account {
            region: "eu-west-1".to_owned(),
            access_key_id: "nobody".to_owned(),
            secret_access_key: "nothing".to_owned(),
            session_token: None,
            endpoint: Some(format!("http://{}", self.server.address)),
        };
        let http = Client::new(&Roots::new(None).unwrap(), Reach::Anywhere).unwrap();
        Delivery::new(Logs::new(account, http, "audit".to_owned(), "2026/[$LATEST]x/1".to_owned()))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    fn next(&self, deeds: &[Deed]) {
        self.shelf().plan = deeds.iter().rev().copied().collect();
    }

    async fn world(&self) -> World {
        Setup::routes(ROUTES).delivered(self.delivery()).start().await
    }
}

impl Shelf {
    fn answer(&mut self, seen: &Seen) -> Say {
        let asked: Value = serde_json::from_slice(&seen.body).unwrap();
        let call = seen.all("x-amz-target").concat().replace("Logs_20140328.", "");
        self.calls.push(call.clone());
        assert_eq!(asked["logGroupName"], "audit");
        let stream = asked["logStreamName"].as_str().unwrap().to_owned();
        if call == "CreateLogStream" {
            self.stream = Some(stream);
            return good(&json!({}));
        }
        match self.plan.pop() {
            Some(Deed::Fail(status, code)) => return bad(status, code),
            Some(Deed::Forget) => self.stream = None,
            Some(Deed::TooOld(count)) => {
                self.take(&asked, count);
                return good(&json!({ "rejectedLogEventsInfo": { "tooOldLogEventEndIndex": count } }));
            }
            Some(Deed::Lose) => {
                self.take(&asked, 0);
                return bad(500, "InternalFailure");
            }
            Some(Deed::Again) => {
                self.take(&asked, 0);
                return bad(400, "DataAlreadyAcceptedException");
            }
            None => {}
        }
        if self.stream.as_ref() != Some(&stream) {
            return bad(400, "ResourceNotFoundException");
        }
        self.take(&asked, 0);
        good(&json!({}))
    }

    fn take(&mut self, asked: &Value, from: usize) {
        for event in &asked["logEvents"].as_array().unwrap()[from..] {
            self.lines.push(event["message"].as_str().unwrap().to_owned());
            self.times.push(event["timestamp"].as_u64().unwrap());
        }
    }
}

fn good(body: &Value) -> Say {
    say(200).with("content-type", "application/x-amz-json-1.1").body(body.to_string())
}

fn bad(status: u16, code: &str) -> Say {
    let body = json!({ "__type": code, "message": "no" });
    say(status).with("content-type", "application/x-amz-json-1.1").body(body.to_string())
}

/// The records that were told of on standard output.
fn told(world: &World) -> Vec<String> {
    let lines = world.proxy.trail.lines();
    let of = |line: &String| -> Value { serde_json::from_str(line).unwrap() };
    let marked = lines.iter().map(of).filter(|line| line["type"] == "undelivered");
    marked.map(|line| line["record"].to_string()).collect()
}

async fn ask(world: &World, times: usize) {
    for _ in 0..times {
        assert_eq!(world.get("/a").send().await.verdict(), "200");
    }
}

#[tokio::test]
async fn records_are_delivered_once_the_answer_is_out() {
    let group = Group::start().await;
    let world = group.world().await;
    for round in 0..3 {
        ask(&world, 2).await;
        assert_eq!(group.shelf().lines.len(), 2 * round, "nobody waits for it");
        assert!(world.proxy.trail.flush(soon()).await);
        assert_eq!(group.shelf().lines.len(), 2 * round + 2);
    }
    let shelf = group.shelf();
    record::check_chain(&shelf.lines);
    assert_eq!(shelf.calls, ["CreateLogStream", "PutLogEvents", "PutLogEvents", "PutLogEvents"]);
    assert!(shelf.times.is_sorted());
    assert_eq!(told(&world), Vec::<String>::new(), "nothing stands on standard output");
    assert_eq!(world.lines().len(), world.metrics().len(), "but metrics");
}

#[tokio::test]
async fn what_passes_quickly_is_not_noticed() {
    let check = async |deeds: &[Deed]| {
        let group = Group::start().await;
        let world = group.world().await;
        ask(&world, 2).await;
        assert!(world.proxy.trail.flush(soon()).await);
        group.next(deeds);
        ask(&world, 2).await;
        assert!(world.proxy.trail.flush(soon()).await);
        assert_eq!(told(&world), Vec::<String>::new());
        record::check_chain(&group.shelf().lines);
        assert_eq!(group.shelf().lines.len(), 4);
    };
    check(&[Deed::Fail(400, "ThrottlingException")]).await;
    check(&[Deed::Fail(503, "ServiceUnavailableException"), Deed::Fail(500, "InternalFailure")]).await;
    check(&[Deed::Forget]).await;
    check(&[Deed::Again]).await;
}

#[tokio::test]
async fn what_cannot_be_delivered_is_told_at_once_and_delivered_later() {
    let group = Group::start().await;
    let world = group.world().await;
    ask(&world, 1).await;
    assert!(world.proxy.trail.flush(soon()).await);
    group.next(&[Deed::Fail(400, "AccessDeniedException")]);
    ask(&world, 2).await;
    assert!(!world.proxy.trail.flush(soon()).await);
    assert_eq!((told(&world).len(), group.shelf().lines.len()), (2, 1));
    // It is not asked again for a while, and nobody is told twice.
    ask(&world, 1).await;
    assert!(!world.proxy.trail.flush(soon()).await);
    assert_eq!((told(&world).len(), group.shelf().calls.len()), (3, 3));
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(1001)).await;
    tokio::time::resume();
    ask(&world, 1).await;
    assert!(world.proxy.trail.flush(soon()).await);
    let shelf = group.shelf();
    record::check_chain(&shelf.lines);
    assert_eq!(shelf.lines.len(), 5);
    assert_eq!(told(&world), shelf.lines[1..4]);
}

#[tokio::test]
async fn what_cloudwatch_does_not_take_is_told() {
    let group = Group::start().await;
    let world = group.world().await;
    group.next(&[Deed::TooOld(2)]);
    ask(&world, 3).await;
    world.proxy.trail.flush(soon()).await;
    assert_eq!((told(&world).len(), group.shelf().lines.len()), (2, 1));
    let all = [told(&world), group.shelf().lines.clone()].concat();
    record::check_chain(&all);
}

/// Nobody can know whether they were written. Twice is better than not at all,
/// and a reader knows a copy by its fingerprint.
#[tokio::test]
async fn an_answer_that_is_lost_loses_no_record() {
    let group = Group::start().await;
    let world = group.world().await;
    group.next(&[Deed::Lose]);
    ask(&world, 2).await;
    assert!(world.proxy.trail.flush(soon()).await);
    let lines = group.shelf().lines.clone();
    assert_eq!(lines[..2], lines[2..]);
    record::check_chain(&lines[..2]);
}

#[tokio::test]
async fn where_it_is_strict_the_intent_is_written_before_anything_is_sent() {
    let group = Group::start().await;
    let setup = Setup::routes(ROUTES).audit("{ mode: strict }").delivered(group.delivery());
    let shelf = Arc::clone(&group.shelf);
    let written = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&written);
    let script = move |_: &Seen| {
        seen.lock().unwrap().push(shelf.lock().unwrap().lines.len());
        say(200).body("{}")
    };
    let world = setup.answer(script).start().await;
    ask(&world, 1).await;
    assert_eq!(*written.lock().unwrap(), [1], "when the upstream was called");
    let intent: Value = serde_json::from_str(&group.shelf().lines[0]).unwrap();
    let facts = record::facts(&intent);
    assert_eq!(
        (&facts["route"], &facts["upstream"], &facts["status"]),
        (&json!("GET /a"), &json!("api"), &json!(0))
    );
    assert_eq!(intent["status_id"], 0);
    // What is refused before needs no intent.
    assert_eq!(world.get("/b").send().await.verdict(), "404 route_not_found");
    group.next(&[Deed::Fail(400, "AccessDeniedException")]);
    let refused = world.get("/a").send().await;
    assert_eq!(refused.verdict(), "503 audit_unavailable");
    assert!(!refused.text().contains("audit log") && !refused.text().contains(CANARY));
    assert_eq!(written.lock().unwrap().len(), 1, "nothing was sent");
    assert!(!world.proxy.trail.flush(soon()).await);
    assert_eq!(told(&world).len(), 4, "the first answer, the 404, the intent and its refusal");
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(5)
}
