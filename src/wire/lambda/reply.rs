//! What the runtime is handed: an answer that is whole, or the head of one
//! with the body behind it as it arrives.
//!
//! A function answers in one of two modes, and the gateway in front must know
//! which. In streaming mode the head is JSON, the body is plain bytes for every
//! kind of event, and what was whole before comes as one chunk.

use http::{HeaderMap, HeaderValue, header};
use lambda_runtime::{MetadataPrelude, StreamResponse};
use serde::{Serialize, Serializer};

use super::Form;
use super::answer::{self, joined};
use crate::wire::{Body, Response};

/// A whole answer, and the form in which it is written down.
#[derive(Debug)]
pub struct Whole {
    response: Response,
    form: Form,
}

impl Whole {
    pub(super) fn new(response: Response, form: Form) -> Self {
        Self { response, form }
    }
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        super::answer(&self.response, self.form).serialize(serializer)
    }
}

/// The runtime writes the head, eight NULs, then the body. What it calls a
/// default type is no type for text.
pub(super) fn stream(response: Response) -> StreamResponse<Body> {
    let untyped = answer::untyped(&response);
    let (status_code, headers, stream) = response.into_parts();
    let mut headers = folded(&headers);
    if let Some(content_type) = untyped {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    StreamResponse { metadata_prelude: MetadataPrelude { status_code, headers, cookies: Vec::new() }, stream }
}

/// One line for each header: the runtime would write a list of values where a
/// header is repeated, and leaves out those that are not ASCII, which therefore
/// lose the characters that are not.
fn folded(headers: &HeaderMap) -> HeaderMap {
    let mut folded = HeaderMap::with_capacity(headers.len());
    for name in headers.keys() {
        let text = joined(&headers.get_all(name)).replace(|c: char| !c.is_ascii(), "?");
        folded.extend(HeaderValue::try_from(text).ok().map(|value| (name.clone(), value)));
    }
    folded
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderName, StatusCode};
    use serde_json::{Value, json};

    use super::*;

    /// The head of this answer, and its body.
    async fn streamed(status: u16, headers: &[(&str, &[u8])], body: &'static [u8]) -> (Value, Option<Bytes>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        let response = Response::new(StatusCode::from_u16(status).unwrap(), map, Bytes::from_static(body));
        let mut streamed = stream(response);
        (serde_json::to_value(&streamed.metadata_prelude).unwrap(), streamed.stream.next().await)
    }

    #[tokio::test]
    async fn each_header_is_one_line_of_ascii() {
        let headers: [(&str, &[u8]); 5] = [
            ("vary", b"origin"),
            ("vary", b"accept"),
            ("content-type", b"text/plain"),
            ("x-utf-8", "caf\u{e9}".as_bytes()),
            ("x-latin-1", b"caf\xe9"),
        ];
        let (head, body) = streamed(200, &headers, b"\0\xff").await;
        let expected = json!({ "vary": "origin, accept", "content-type": "text/plain", "x-utf-8": "caf?", "x-latin-1": "caf?" });
        assert_eq!(head, json!({ "statusCode": 200, "headers": expected, "cookies": [] }));
        assert_eq!(body.unwrap(), &b"\0\xff"[..]);
    }

    #[tokio::test]
    async fn what_is_whole_comes_in_one_piece_and_says_what_it_is() {
        let (head, body) = streamed(200, &[], b"hi").await;
        assert_eq!(head["headers"], json!({ "content-type": "text/plain; charset=utf-8" }));
        assert_eq!(body.unwrap(), "hi");
        assert_eq!(
            streamed(204, &[], b"").await,
            (json!({ "statusCode": 204, "headers": {}, "cookies": [] }), None)
        );
    }
}
