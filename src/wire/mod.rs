//! Messages and doors: what a request, an answer and a problem are, and how
//! they come in and go out. Knows no stage of the proxy, and no configuration.

pub mod lambda;
pub mod problem;
pub mod client;
pub mod address;
pub mod body;
pub mod trace;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

pub use body::Body;
pub use problem::Problem;
pub use trace::Trace;

/// One request, as it reached us: nothing normalised, nothing lost.
pub struct Request {
    /// The method, as sent.
    pub method: Method,
    /// The path without the stage, as sent: still percent-encoded (RFC 3986
    /// §2.1), dot segments and doubled slashes still in it.
    pub path: String,
    /// The query parameters, decoded once, in order, repeats kept.
    pub query: Vec<(String, String)>,
    /// The headers, repeats kept in order.
    pub headers: HeaderMap,
    /// The body's bytes, base64 of the event already undone.
    pub body: Bytes,
    /// The gateway's id of this request: what a caller quotes when they ask.
    pub id: String,
    /// Who the gateway saw connecting: an IP address.
    pub source: String,
    /// The id (not the value) of the API key the gateway accepted, if any.
    pub api_key_id: Option<String>,
    /// Our base URL as this caller sees it, without a slash at the end, where
    /// the gateway tells. Never what a caller says in `Host`.
    pub public_url: Option<String>,
    /// Its place in a trace.
    pub trace: Trace,
    /// What the door could not read of it. The part it is about is empty.
    pub fault: Option<Problem>,
}

/// An answer that is safe to show. Made by `Links::rewrite`, by a
/// [`Problem`], for preflights, and by the cache from one of the first; by
/// nothing else. A body that arrives later comes from a `Passage`, past the guard.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Response {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body: Body::Whole(body) }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers. `content-length` is never among them: who sends the
    /// bytes counts them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    /// The body. Empty where it still arrives.
    pub fn body(&self) -> &Bytes {
        self.body.whole()
    }

    /// Status, headers and body, for whoever sends them.
    pub fn into_parts(self) -> (StatusCode, HeaderMap, Body) {
        (self.status, self.headers, self.body)
    }

    /// The same answer with another body: none, as HEAD wants it (RFC 9110
    /// §9.3.2), or one that still arrives.
    pub(crate) fn with_body(self, body: Body) -> Self {
        Self { body, ..self }
    }
}
