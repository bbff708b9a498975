//! Where a request stands in a trace: in the record, and upstream where the route lets it.

use countersign::wire::Trace;
use http::HeaderMap;
use serde_json::Value;

use crate::world::{APP, Setup, World};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const XRAY: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";

const ROUTES: &str = "\
GET /told: { {open}, request: { headers: [traceparent, tracestate] } }
GET /any: { {open}, request: { headers: any } }
GET /untold: { {open} }
GET /state: { {open}, request: { headers: [tracestate] } }
GET /kept: { {open}, request: { headers: [traceparent, tracestate] }, response: { cache: 1m } }";

async fn world() -> World {
    Setup::routes(ROUTES).start().await
}

/// What the upstream heard, and the trace of the record.
async fn heard(world: &World, path: &str, sent: &[(&str, &str)]) -> ([Option<String>; 3], Value) {
    let ask = sent.iter().fold(world.get(path).from(APP), |ask, (name, value)| ask.header(name, value));
    assert_eq!(ask.send().await.verdict(), "200");
    let seen = world.upstream.seen().pop().unwrap();
    let header = |name| seen.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let record = world.lines().into_iter().rfind(|line| line["class_uid"] == 6003).unwrap();
    (["traceparent", "tracestate", "x-amzn-trace-id"].map(header), record["trace"].clone())
}

#[tokio::test]
async fn a_trace_goes_on_where_the_route_lets_it_with_our_call_as_its_parent() {
    let world = world().await;
    let w3c = format!("00-{ID}-{PARENT}-01");
    let sent = [("traceparent", w3c.as_str()), ("tracestate", "a=1"), ("x-amzn-trace-id", XRAY)];
    for path in ["/told", "/any"] {
        let ([parent, state, xray], trace) = heard(&world, path, &sent).await;
        let parent = parent.unwrap();
        let [version, id, call, flags] = parent.split('-').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((version, id, flags), ("00", ID, "01"), "{path}");
        assert!(call != PARENT && call != trace["span"]["uid"], "{path}: {call}");
        assert_eq!((state.as_deref(), xray), (Some("a=1"), None), "{path}");
        assert_eq!((&trace["uid"], &trace["span"]["parent_uid"]), (&ID.into(), &PARENT.into()), "{path}");
    }
    for path in ["/untold", "/state"] {
        let (upstream, trace) = heard(&world, path, &sent).await;
        assert_eq!((upstream, &trace["uid"]), ([None, None, None], &ID.into()), "{path}");
    }
}

#[tokio::test]
async fn calls_of_two_traces_share_an_answer_of_the_cache() {
    let world = world().await;
    for (parent, asked) in [("00f067aa0ba902b7", 1), ("53995c3f42cd8ad8", 1)] {
        let w3c = format!("00-{ID}-{parent}-01");
        heard(&world, "/kept", &[("traceparent", &w3c), ("tracestate", parent)]).await;
        assert_eq!(world.upstream.seen().len(), asked, "{parent}");
    }
}

#[tokio::test]
async fn the_gateways_trace_goes_on_in_w3cs_words_and_takes_no_foreign_state_along() {
    let world = world().await;
    let sent = [("traceparent", "made-up"), ("tracestate", "a=1"), ("x-amzn-trace-id", XRAY)];
    let ([parent, state, _], trace) = heard(&world, "/told", &sent).await;
    assert!(parent.unwrap().starts_with("00-67891233abcdef012345678912345678-"));
    assert_eq!((state, &trace["span"]["parent_uid"]), (None, &"53995c3f42cd8ad8".into()));
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one() {
    let world = world().await;
    let ([parent, ..], trace) = heard(&world, "/told", &[]).await;
    let begun = Trace::of(&HeaderMap::new(), None, "request-1");
    assert_eq!(parent.unwrap(), format!("00-{}-{}-01", begun.id, begun.call));
    assert_eq!((&trace["uid"], &trace["span"]["parent_uid"]), (&begun.id.to_string().into(), &Value::Null));
}
