//! What a caller sends is encoded for the upstream's URL, and decoded there
//! to the same list in the same order. Nothing it sends moves the URL's frame.

use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::world::{CANARY, Setup, World};

const ROUTES: &str = "\
GET /one/{id}: { {open}, path: '/items/{id}/end', request: { query: any } }
GET /rest/{rest+}: { {open}, path: '/files/{rest}', request: { query: any } }";

async fn world() -> World {
    let credential = "credential: { query: { name: access_token, value: { secret: key } } }";
    Setup::routes(ROUTES).base("/base/v3").upstream(credential).start().await
}

/// One segment of a path as a caller would encode it: everything, so that
/// the proxy has all of it to decode.
fn encode(segment: &str) -> String {
    segment.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Segments that are no trick: those have a table of their own.
fn segment() -> impl Strategy<Value = String> {
    let tricky = |text: &String| {
        let lower = text.to_lowercase();
        let name = text.split(';').next().unwrap();
        let hidden = ["%2e", "%2f", "%5c", "%00", "%25"].iter().any(|code| lower.contains(code));
        text.is_empty() || name == "." || name == ".." || hidden || text.contains(['/', '\\'])
    };
    let text = prop_oneof![any::<String>(), "[ -~]{1,12}", "[.%?#&=+;:@é☕ ]{1,6}"];
    text.prop_map(|text| text.replace(char::is_control, "")).prop_filter("a trick", move |text| !tricky(text))
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let text = || prop_oneof![any::<String>(), "[ -~]{0,8}", "[&=+%#;a]{0,4}"];
    prop::collection::vec((text(), text()), 0..6)
}

/// Runs a property in one world; what it sends is awaited on the runtime it is given.
fn run<S: Strategy>(strategy: &S, check: impl Fn(&Runtime, &World, S::Value)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(world());
    let config = Config { cases: 192, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(strategy, |value| {
            check(&runtime, &world, value);
            Ok(())
        })
        .unwrap();
}

/// Sends one request and gives back what the upstream saw.
fn through(
    runtime: &Runtime,
    world: &World,
    path: &str,
    query: &[(String, String)],
) -> crate::upstream::Seen {
    let mut ask = world.get(path);
    ask.request.query = query.to_vec();
    let answer = runtime.block_on(ask.send());
    assert_eq!(answer.status(), 200, "{path} {query:?} {}", answer.text());
    world.upstream.seen().pop().unwrap()
}

#[test]
fn a_query_is_decoded_by_the_upstream_to_the_same_list() {
    run(&pairs(), |runtime, world, query| {
        let query: Vec<_> = query.into_iter().filter(|(name, _)| name != "access_token").collect();
        let seen = through(runtime, world, "/one/1", &query);
        let mut expected = query;
        expected.push(("access_token".to_owned(), CANARY.to_owned()));
        assert_eq!(seen.query(), expected, "{}", seen.target);
        assert_eq!(seen.path(), "/base/v3/items/1/end");
    });
}

#[test]
fn segments_are_decoded_by_the_upstream_to_the_same_list() {
    run(&prop::collection::vec(segment(), 1..5), |runtime, world, segments| {
        let sent: Vec<String> = segments.iter().map(|segment| encode(segment)).collect();
        let seen = through(runtime, world, &format!("/rest/{}", sent.join("/")), &[]);
        let rest = seen.path().strip_prefix("/base/v3/files/").expect("the base path stays");
        let found: Vec<String> = rest
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8().unwrap().into_owned())
            .collect();
        assert_eq!(found, segments, "{}", seen.target);
        assert_eq!(seen.query().len(), 1, "{}", seen.target);
    });
}

#[test]
fn whatever_is_sent_the_frame_of_the_url_stays() {
    let raw = prop_oneof![any::<String>(), "[a/.%2e5cf;\\\\?#@: ]{0,16}", "(%[0-9a-f]{2}|[./;]){0,12}"];
    run(&raw, |runtime, world, raw| {
        for (ours, before, after) in [("/one/", "/base/v3/items/", "/end"), ("/rest/", "/base/v3/files/", "")]
        {
            let count = world.upstream.seen().len();
            let mut ask = world.get("/");
            ask.request.path = format!("{ours}{raw}");
            let answer = runtime.block_on(ask.send());
            let Some(seen) = world.upstream.seen().get(count).cloned() else {
                assert!(
                    ["400 malformed_path", "404 route_not_found"].contains(&answer.verdict().as_str()),
                    "{raw:?}"
                );
                continue;
            };
            let path = seen.path();
            assert!(path.starts_with(before) && path.ends_with(after), "{raw:?} {path}");
            let climbs = |segment: &str| {
                let segment = percent_decode_str(segment).decode_utf8_lossy().into_owned();
                segment.split(['/', '\\']).any(|part| part == "." || part == "..")
            };
            assert!(!path.split('/').any(climbs), "{raw:?} {path}");
            assert_eq!(seen.query(), [("access_token".to_owned(), CANARY.to_owned())], "{raw:?}");
            assert_eq!(seen.all("host"), [world.upstream.address.to_string()], "{raw:?}");
        }
    });
}

/// The credential's parameter is its own, whatever the caller calls it.
#[tokio::test]
async fn the_credential_takes_the_place_of_the_callers_parameter() {
    let world = world().await;
    let check = async |query: &str, expected: &[(&str, &str)]| {
        world.get(&format!("/one/1?{query}")).send().await;
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(world.upstream.seen().pop().unwrap().query(), expected, "{query}");
    };
    check("", &[("access_token", CANARY)]).await;
    check("access_token=mine", &[("access_token", CANARY)]).await;
    check("a=1&access_token=mine&b=2&access_token=", &[("a", "1"), ("b", "2"), ("access_token", CANARY)])
        .await;
    check("%61ccess_token=mine&a=1", &[("a", "1"), ("access_token", CANARY)]).await;
    check("a=1&a=2&b=&c", &[("a", "1"), ("a", "2"), ("b", ""), ("c", ""), ("access_token", CANARY)]).await;
    check("a%26access_token=1", &[("a&access_token", "1"), ("access_token", CANARY)]).await;
}
