//! Other people's tables of CORS cases, judged as a browser would.
//!
//! The tables are jub0bs/cors's and rs/cors's own tests as JSON. They lie
//! outside this repository; where they are not, the table of our own in
//! `cors` has to do. A case is left out only where our grammar has no words
//! for its configuration, and then a flaw of our own proves it.

use std::collections::BTreeMap;

use countersign::config;
use countersign::proxy::cors::OriginPattern;
use countersign::proxy::pattern::Verb;
use serde_json::Value;

use crate::browser::{Page, Seen, Verdict};
use crate::tables::{Case, Config, corpus, jub0bs, rs};
use crate::upstream::say;
use crate::world::{Setup, World};

/// Why a case cannot be run. Each reason is proven by a flaw of ours.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// A function decides, or private networks, or OPTIONS goes through: options that we do not have.
    NoSuchOption,
    /// `http://*.example.com:*`, or `*` together with credentials.
    Origin,
    /// `PURGE` and the like are no methods of a route.
    Method,
    /// The caller's `authorization` is no header that a route may declare.
    Authorization,
    /// `max_age` below a second is no time.
    MaxAge,
    /// Under `*` those libraries answer what no browser sends as an origin.
    NoOrigin,
    /// The table is at odds with itself: see [`AT_ODDS`].
    AtOdds,
}

/// Of an origin that the same policy lets read, a preflight for GET is said to fail its CORS check.
const AT_ODDS: &str =
    "\"outer Vary middleware\": \"fake preflight with CORS-safelisted method from allowed\"";

impl Case {
    fn left_out(&self) -> Option<Why> {
        let config = &self.config;
        let star = config.origins.iter().any(|origin| origin == "*");
        let method = |asked: &str| config.methods.iter().any(|known| known == asked || known == "*");
        let sent = |origin: &str| {
            OriginPattern::Exact(origin.to_owned()) == origin.parse().unwrap_or(OriginPattern::Any)
        };
        if !config.foreign.is_empty() {
            return Some(Why::NoSuchOption);
        }
        if config.origins.iter().any(|origin| origin.parse::<OriginPattern>().is_err())
            || (star && config.credentials)
        {
            return Some(Why::Origin);
        }
        if config.max_age.is_some_and(|age| age < 1) {
            return Some(Why::MaxAge);
        }
        if star && self.header("origin").is_some_and(|origin| !sent(origin)) {
            return Some(Why::NoOrigin);
        }
        if self.name == AT_ODDS {
            return Some(Why::AtOdds);
        }
        let asked = self.asked()?;
        if asked.parse::<Verb>().is_err() && method(asked) {
            return Some(Why::Method);
        }
        let named = config.request_headers.iter().any(|name| name.eq_ignore_ascii_case("authorization"));
        (named && self.names().iter().any(|name| name == "authorization")).then_some(Why::Authorization)
    }

    /// What the browser makes of an answer, in one credentials mode.
    fn judge(&self, seen: &Seen, include: bool) -> Verdict {
        let Some(origin) = self.header("origin") else { return Verdict::SameOrigin };
        let page = Page { origin, include };
        match self.asked() {
            Some(method) => page.preflight(seen, method, &self.names()),
            // No route of ours serves OPTIONS: the page reads that, and no header of the upstream's.
            None if self.method == "OPTIONS" => page.read(seen, &[]),
            None => page.read(seen, HEADERS),
        }
    }
}

/// What the upstream sends, and a page may want to read.
const HEADERS: &[&str] = &["x-foo", "x-bar", "x-header-1", "x-header-2", "x-undeclared", "content-type"];

impl Config {
    fn setup(&self) -> Setup {
        let list = |names: &[String]| {
            if names.iter().any(|name| name == "*") {
                return "any".to_owned();
            }
            let names = names.iter().filter(|name| !name.eq_ignore_ascii_case("authorization"));
            format!("[{}]", names.map(String::as_str).collect::<Vec<_>>().join(", "))
        };
        let methods: Vec<&str> =
            self.methods.iter().map(String::as_str).filter(|m| m.parse::<Verb>().is_ok()).collect();
        let narrowed =
            if methods.is_empty() { String::new() } else { format!("methods: [{}], ", methods.join(", ")) };
        let (up, down) = (list(&self.request_headers), list(&self.response_headers));
        let route = format!(
            "ANY /a: {{ {{open}}, {narrowed}request: {{ headers: {up} }}, response: {{ headers: {down} }} }}"
        );
        let origins: Vec<String> = self.origins.iter().map(|origin| format!("'{origin}'")).collect();
        let age = self.max_age.map_or_else(String::new, |age| format!(", max_age: {age}s"));
        let cors = format!("{{ origins: [{}], credentials: {}{age} }}", origins.join(", "), self.credentials);
        let setup = Setup::routes(&route).cors(if origins.is_empty() { "" } else { &cors });
        setup.answer(|_| {
            HEADERS
                .iter()
                .fold(say(200).with("access-control-allow-origin", "*"), |said, name| said.with(name, "1"))
        })
    }
}

/// Runs what can be run, and counts what cannot, by reason.
async fn run(cases: &[Case]) -> (usize, BTreeMap<Why, usize>) {
    let (mut count, mut left) = (0, BTreeMap::new());
    for case in cases {
        match case.left_out() {
            Some(why) => *left.entry(why).or_default() += 1,
            None => {
                check(case, &case.config.setup().start().await).await;
                count += 1;
            }
        }
    }
    (count, left)
}

async fn check(case: &Case, world: &World) {
    let mut ask = world.ask(&case.method, "/a");
    for (name, value) in &case.headers {
        ask = ask.header(name, value);
    }
    let answer = ask.send().await;
    let headers = answer.0.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let (ours, theirs) = (
        Seen { status: answer.status().as_u16(), headers },
        Seen { status: 204, headers: case.want.clone() },
    );
    for include in [false, true] {
        assert_eq!(
            case.judge(&ours, include),
            case.judge(&theirs, include),
            "{} include={include} {answer:?}",
            case.name
        );
    }
    assert!(
        answer.header("vary").is_some_and(|vary| vary.split(", ").any(|name| name == "Origin")),
        "{}",
        case.name
    );
}

async fn table(name: &str, read: fn(&Value) -> Vec<Case>, all: usize, expected: &[(Why, usize)]) {
    let Some(table) = corpus(name) else {
        println!("skipped: {name} is not there; set COUNTERSIGN_CORPORA to its folder");
        return;
    };
    let cases = read(&table);
    let (count, left) = run(&cases).await;
    println!("{name}: {count} run, {} left out: {left:?}", cases.len() - count);
    assert_eq!(count + left.values().sum::<usize>(), all);
    assert!(
        left.iter().map(|(why, count)| (why, *count)).eq(expected.iter().map(|(why, count)| (why, *count))),
        "{left:?}"
    );
}

#[tokio::test]
async fn jub0bs_cases_end_as_in_a_browser() {
    let left = [(Why::Origin, 6), (Why::Method, 10), (Why::NoOrigin, 2), (Why::AtOdds, 1)];
    table("jub0bs-middleware-cases.json", jub0bs, 142, &left).await;
}

#[tokio::test]
async fn rs_cases_end_as_in_a_browser() {
    let left = [(Why::NoSuchOption, 7), (Why::Origin, 1), (Why::Authorization, 2), (Why::MaxAge, 1)];
    table("rs-cors-spec-cases.json", rs, 28, &left).await;
}

/// Nothing is left out that could be said: for each reason our own check refuses the words.
#[test]
fn what_is_left_out_cannot_be_said() {
    let route = |more: &str| format!("GET /a: {{ {{open}}{more} }}");
    let cors = |more: &str| format!("{{ origins: ['https://a.example']{more} }}");
    let check = |why: Why, route: &str, cors: &str, fine: bool| {
        let text = Setup::routes(route).cors(cors).text("http://127.0.0.1:1");
        assert_eq!(config::read(&text).is_ok(), fine, "{why:?} {text}");
    };
    check(Why::NoSuchOption, &route(""), &cors(""), true);
    for option in [", allow_origin_func: x", ", private_network: true", ", options_passthrough: true"] {
        check(Why::NoSuchOption, &route(""), &cors(option), false);
    }
    check(Why::Origin, &route(""), "{ origins: ['http://*.example.com:*'] }", false);
    check(Why::Origin, &route(""), "{ origins: ['*'], credentials: true }", false);
    check(Why::Origin, &route(""), "{ origins: ['null'] }", false);
    for method in ["PURGE", "HELP", "OPTIONS"] {
        check(Why::Method, &route("").replace("GET", method), &cors(""), false);
    }
    check(Why::Authorization, &route(", request: { headers: [authorization] }"), &cors(""), false);
    check(Why::MaxAge, &route(""), &cors(", max_age: 0s"), false);
    check(Why::MaxAge, &route(""), &cors(", max_age: -1s"), false);
    assert!("invalid_origin".parse::<OriginPattern>().is_err());
}
