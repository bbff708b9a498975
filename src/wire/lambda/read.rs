//! From an event that is a request to our [`Request`], field by field.

use std::borrow::Cow;
use std::string::ToString;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method};

use super::event::{Event, Sender};
use super::json::Json;
use super::{Form, headers, path, query};
use crate::wire::problem::{Kind, Problem};
use crate::wire::{Request, Trace};

/// Whoever sent a request that cannot be read is told so in the form they
/// read, and with the headers that a browser wants: the fault travels in it.
pub(super) fn request(event: Event<'_>, lambda_request_id: &str, trace: Option<&str>) -> (Request, Form) {
    let Event { sender, tree: mut event } = event;
    let mut fault = None;
    let form = form(sender, &event);
    let body = sound(body(event.take("body"), event.get("isBase64Encoded")), &mut fault);
    let headers = read_headers(sender, &event, &mut fault);
    let context = event.get("requestContext");
    let id = context.get("requestId").words().unwrap_or(lambda_request_id);
    let request = Request {
        method: sound(method(sender, &event), &mut fault),
        path: own_path(sender, &event).to_owned(),
        public_url: public_url(sender, &event),
        query: sound(read_query(sender, &event), &mut fault),
        source: source(sender, context, &headers).to_owned(),
        id: id.to_owned(),
        // Beside it stands `apiKey`, the key itself: never to be read.
        api_key_id: context.get("identity").get("apiKeyId").words().map(ToString::to_string),
        trace: Trace::of(&headers, trace, id),
        headers,
        body,
        fault,
    };
    (request, form)
}

/// What was read, or nothing and the fault.
pub(super) fn sound<T: Default>(read: Result<T, Problem>, fault: &mut Option<Problem>) -> T {
    read.unwrap_or_else(|problem| {
        fault.get_or_insert(problem);
        T::default()
    })
}

/// A load balancer fills one pair of maps, and reads the same one of the answer.
fn form(sender: Sender, event: &Json<'_>) -> Form {
    match sender {
        Sender::Rest | Sender::HttpOne => Form::Rest,
        Sender::HttpTwo => Form::Http,
        Sender::Alb => Form::Alb { multi: !event.get("multiValueHeaders").entries().is_empty() },
    }
}

fn method(sender: Sender, event: &Json<'_>) -> Result<Method, Problem> {
    let method = match sender {
        Sender::Rest | Sender::HttpOne | Sender::Alb => event.get("httpMethod"),
        Sender::HttpTwo => event.get("requestContext").get("http").get("method"),
    };
    Method::from_bytes(method.text().unwrap_or_default().as_bytes())
        .map_err(|_| Problem::new(Kind::MalformedEvent, "the method is none that HTTP allows"))
}

fn own_path<'e>(sender: Sender, event: &'e Json<'_>) -> &'e str {
    let text = |name: &str| event.get(name).text().unwrap_or_default();
    let caught = |route: &str| event.get("pathParameters").get(path::greedy(route)?).text();
    let stage = event.get("requestContext").get("stage").text().unwrap_or_default();
    let (resource, route_key) = (text("resource"), text("routeKey"));
    match sender {
        Sender::Rest => path::without_mapping(text("path"), resource, caught(resource)),
        Sender::HttpOne => path::without_stage(text("path"), stage, caught(resource)),
        Sender::HttpTwo => path::without_stage(text("rawPath"), stage, caught(route_key)),
        Sender::Alb => path::or_root(text("path")),
    }
}

/// Where the gateway says it was called, with the stage or the mapping that
/// stands before our path. A load balancer does not say, and what
/// `cargo lambda watch` says (`localhost`) lacks the port.
fn public_url(sender: Sender, event: &Json<'_>) -> Option<String> {
    let context = event.get("requestContext");
    let whole = match sender {
        Sender::Rest => context.get("path").text(),
        Sender::HttpOne => event.get("path").text(),
        Sender::HttpTwo => event.get("rawPath").text(),
        Sender::Alb => None,
    };
    let domain = context.get("domainName").text().filter(|domain| path::is_domain(domain))?;
    let before = path::before(whole?, own_path(sender, event))?;
    Some(format!("https://{domain}{before}"))
}

fn read_headers(sender: Sender, event: &Json<'_>, fault: &mut Option<Problem>) -> HeaderMap {
    let mut headers = headers::read(event.get("multiValueHeaders"), event.get("headers"), fault);
    if sender == Sender::HttpTwo {
        sound(headers::add_cookies(&mut headers, event.get("cookies")), fault);
    }
    headers
}

/// REST APIs and payload 1.0 decode the query before we see it; a load
/// balancer splits it and leaves the decoding to us; payload 2.0 does neither.
fn read_query(sender: Sender, event: &Json<'_>) -> Result<Vec<(String, String)>, Problem> {
    if sender == Sender::HttpTwo {
        return query::decode(event.get("rawQueryString").text().unwrap_or_default());
    }
    let multi = headers::pairs(event.get("multiValueQueryStringParameters"))?;
    let single = headers::pairs(event.get("queryStringParameters"))?;
    let pairs = if multi.is_empty() { single } else { multi };
    match sender {
        Sender::Alb => query::decode_pairs(pairs),
        _ => Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
    }
}

/// A load balancer appends the address it saw to what the caller claimed.
fn source<'e>(sender: Sender, context: &'e Json<'_>, headers: &'e HeaderMap) -> &'e str {
    let source = match sender {
        Sender::Rest | Sender::HttpOne => context.get("identity").get("sourceIp").text(),
        Sender::HttpTwo => context.get("http").get("sourceIp").text(),
        Sender::Alb => {
            let claimed = headers.get_all("x-forwarded-for").iter().next_back();
            claimed.and_then(|list| list.to_str().ok()?.rsplit(',').next()).map(str::trim)
        }
    };
    source.unwrap_or_default()
}

/// The body's bytes. Base64 must be padded: every gateway pads it, so what is
/// not has been cut short, and must not pass for a whole body.
fn body(body: Json<'_>, encoded: &Json<'_>) -> Result<Bytes, Problem> {
    let text = match body {
        Json::Null => return Ok(Bytes::new()),
        Json::Text(text) => text,
        _ => return Err(Problem::new(Kind::MalformedEvent, "the body is not text")),
    };
    if *encoded == Json::Bool(true) {
        let decoded = STANDARD.decode(text.as_bytes());
        return decoded
            .map(Bytes::from)
            .map_err(|_| Problem::new(Kind::MalformedEvent, "the body is not base64"));
    }
    Ok(match text {
        Cow::Borrowed(text) => Bytes::copy_from_slice(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    })
}
