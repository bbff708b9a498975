//! Whose event it is: told by its shape, because no event says so.
//!
//! The order of the questions matters. An authorizer event has everything
//! that a request has, and a WebSocket message too: to answer those as
//! requests would be to forward what nobody asked us to.

use super::json::Json;
use crate::wire::problem::{Kind, Problem};

/// Who sends HTTP requests our way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// A REST API (payload 1.0, which does not say so).
    Rest,
    /// An HTTP API set to payload 1.0: as REST, but the stage is in the path.
    HttpOne,
    /// An HTTP API with payload 2.0, or a function URL.
    HttpTwo,
    /// An Application Load Balancer.
    Alb,
}

/// An event that is a request.
pub(super) struct Event<'a> {
    pub(super) sender: Sender,
    pub(super) tree: Json<'a>,
}

impl<'a> Event<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Problem> {
        let tree = Json::parse(text).map_err(|error| {
            // The parser's own words could repeat what the event holds.
            let place = format!("not JSON at line {}, column {}", error.line(), error.column());
            Problem::new(Kind::MalformedEvent, "the event is not JSON").because(place)
        })?;
        match sender(&tree) {
            Some(sender) => Ok(Self { sender, tree }),
            None => Err(refusal(&tree)),
        }
    }
}

fn sender(event: &Json<'_>) -> Option<Sender> {
    let context = event.get("requestContext");
    if !context.is_map() || is_authorizer(event) || is_websocket(context) {
        return None;
    }
    let version = event.get("version").text();
    if version == Some("2.0") && context.get("http").get("method").text().is_some() {
        return event.get("rawPath").text().map(|_| Sender::HttpTwo);
    }
    let classic = event.get("httpMethod").text().is_some() && event.get("path").text().is_some();
    match (classic, context.get("elb").is_map(), version) {
        (false, _, _) => None,
        (true, true, _) => Some(Sender::Alb),
        (true, false, Some("1.0")) => Some(Sender::HttpOne),
        (true, false, _) => Some(Sender::Rest),
    }
}

/// Lambda authorizers are asked with a `methodArn`, or a `routeArn` where the
/// asking HTTP API uses payload 2.0.
fn is_authorizer(event: &Json<'_>) -> bool {
    let asked = event.get("methodArn").text().or_else(|| event.get("routeArn").text());
    event.get("type").text().is_some() && asked.is_some()
}

fn is_websocket(context: &Json<'_>) -> bool {
    context.get("connectionId").words().or_else(|| context.get("eventType").words()).is_some()
}

fn refusal(event: &Json<'_>) -> Problem {
    let detail = format!(
        "this function serves HTTP requests from API Gateway (REST APIs, and HTTP APIs with payload 1.0 or \
         2.0), function URLs and Application Load Balancers; this is {}",
        name(event)
    );
    Problem::new(Kind::MalformedEvent, detail)
}

/// What the event is, in words of ours: nothing of the event is repeated.
fn name(event: &Json<'_>) -> &'static str {
    let context = event.get("requestContext");
    let records = event.get("Records");
    if !event.is_map() {
        "no event at all, but a bare value"
    } else if event.entries().is_empty() {
        "an empty event"
    } else if is_authorizer(event) {
        "a Lambda authorizer's event"
    } else if is_websocket(context) {
        "a WebSocket event"
    } else if *records != Json::Null {
        records.items().first().map_or("an event of records", record)
    } else if *event.get("detail-type") != Json::Null {
        "an EventBridge event"
    } else if *context.get("serviceNetworkArn") != Json::Null {
        "a VPC Lattice event"
    } else {
        "something else"
    }
}

/// What a record is part of. SNS writes its key with a capital letter.
fn record(record: &Json<'_>) -> &'static str {
    let source = record.get("eventSource").text().or_else(|| record.get("EventSource").text());
    match source {
        Some("aws:sqs") => "an SQS event",
        Some("aws:sns") => "an SNS event",
        Some("aws:s3") => "an S3 event",
        Some("aws:ses") => "an SES event",
        Some("aws:kinesis") => "a Kinesis event",
        Some("aws:dynamodb") => "a DynamoDB stream event",
        _ => "an event of records",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_told_by_the_shape() {
        let check = |event: &str, expected: Sender| {
            let found = Event::parse(event).map(|event| event.sender);
            assert_eq!(found.ok(), Some(expected), "{event}");
        };
        check(r#"{"httpMethod":"GET","path":"/","requestContext":{}}"#, Sender::Rest);
        check(r#"{"version":null,"httpMethod":"GET","path":"","requestContext":{}}"#, Sender::Rest);
        check(r#"{"type":"REQUEST","httpMethod":"GET","path":"/","requestContext":{}}"#, Sender::Rest);
        let one = r#"{"version":"1.0","httpMethod":"GET","path":"/","requestContext":{"stage":"dev"}}"#;
        check(one, Sender::HttpOne);
        let two = r#"{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}"#;
        check(two, Sender::HttpTwo);
        check(r#"{"httpMethod":"GET","path":"/","requestContext":{"elb":{}}}"#, Sender::Alb);
        // The sender's own form never depends on what a caller may write.
        let named =
            r#"{"httpMethod":"GET","path":"/","headers":{"version":"2.0","elb":"{}"},"requestContext":{}}"#;
        check(named, Sender::Rest);
    }

    #[test]
    fn what_is_no_request_is_refused_and_named() {
        let check = |event: &str, expected: &str| {
            let problem = Event::parse(event).map(|event| event.sender).unwrap_err();
            assert_eq!(problem.kind(), Kind::MalformedEvent, "{event}");
            assert!(problem.detail().contains(expected), "{event}: {}", problem.detail());
        };
        check("{}", "an empty event");
        for bare in ["null", "true", "7", "-1.5", r#""GET / HTTP/1.1""#, "[]", r#"["2.0"]"#] {
            check(bare, "a bare value");
        }
        for broken in ["", "{", "{]", "\u{0}", r#"{"a":"\ud800"}"#, "{} {}"] {
            check(broken, "not JSON");
        }
        let rest =
            r#"{"type":"REQUEST","methodArn":"arn:x","httpMethod":"GET","path":"/","requestContext":{}}"#;
        check(rest, "authorizer");
        check(r#"{"type":"TOKEN","methodArn":"arn:x","authorizationToken":"t"}"#, "authorizer");
        let two = r#"{"version":"2.0","type":"REQUEST","routeArn":"arn:x","rawPath":"/",
                      "requestContext":{"http":{"method":"GET"}}}"#;
        check(two, "authorizer");
        let socket = r#"{"httpMethod":"GET","path":"/","requestContext":{"connectionId":"c="}}"#;
        check(socket, "WebSocket");
        check(r#"{"requestContext":{"eventType":"MESSAGE"},"body":"hi"}"#, "WebSocket");
        check(r#"{"Records":[{"eventSource":"aws:sqs"}]}"#, "SQS");
        check(r#"{"Records":[{"EventSource":"aws:sns"}]}"#, "SNS");
        check(r#"{"Records":[{"eventSource":"aws:s3"}]}"#, "S3");
        check(r#"{"Records":[]}"#, "an event of records");
        check(r#"{"Records":{"eventSource":{}}}"#, "an event of records");
        check(r#"{"version":"0","detail-type":"Scheduled Event","source":"aws.events"}"#, "EventBridge");
        let lattice =
            r#"{"version":"2.0","method":"GET","path":"/","requestContext":{"serviceNetworkArn":"arn:x"}}"#;
        check(lattice, "VPC Lattice");
        check(r#"{"httpMethod":"GET","path":"/"}"#, "something else");
        check(r#"{"httpMethod":7,"path":{},"requestContext":[]}"#, "something else");
        check(r#"{"version":"2.0","requestContext":{"http":{"method":"GET"}}}"#, "something else");
    }
}
