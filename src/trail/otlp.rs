//! Spans, by the OpenTelemetry protocol (OTLP 1.x over HTTP, in protobuf):
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.
//!
//! They leave after the answer, as records do; unlike records, those that nobody
//! takes are dropped, with a word on standard output. The exporter reads further
//! variables of OpenTelemetry by itself: headers, and attributes of the resource.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::wire::client::Client;

/// How long the next request of this environment may have to wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a failure nothing is sent for so long, or each request would wait for it.
const PAUSE: Duration = Duration::from_secs(30);

/// The way of spans to a collector.
pub struct Spans {
    exporter: SpanExporter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<SpanData>,
    /// Until when nothing is sent.
    paused: Option<Instant>,
}

/// Spans that nobody took: their line on standard output.
#[derive(Serialize)]
pub struct Lost {
    /// How many; 0: none will be.
    spans: usize,
    /// What kind of line this is: `spans_lost`.
    #[serde(rename = "type")]
    kind: &'static str,
    why: String,
}

impl Spans {
    /// To this endpoint, by OTLP over HTTP; `service`: what we are called there.
    ///
    /// # Errors
    /// There is no sending anything there.
    pub fn new(http: Client, endpoint: &str, service: String) -> Result<Self, Lost> {
        let lost = |why: &str| Lost::of(0, format!("no spans are sent: {why}"));
        let url = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| lost("the endpoint for OTLP is no URL of `http` or `https`"))?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .with_http_client(Sender(http))
            .build()
            .map_err(|error| lost(&error.to_string()))?;
        exporter.set_resource(&Resource::builder().with_service_name(service).build());
        Ok(Self { exporter, state: Mutex::default() })
    }

    /// Takes the spans of a request.
    pub fn push(&self, spans: Vec<SpanData>) {
        let mut state = self.state();
        if state.paused.is_none_or(|until| until <= Instant::now()) {
            state.waiting.extend(spans);
        }
    }

    /// Sends all that is there by `until`, and says what nobody took.
    pub async fn flush(&self, until: Instant) -> Option<Lost> {
        let spans = std::mem::take(&mut self.state().waiting);
        if spans.is_empty() {
            return None;
        }
        let (count, now) = (spans.len(), Instant::now());
        if until <= now {
            return Some(Lost::of(count, "there was no time left to send them".to_owned()));
        }
        let why = match timeout_at(until.min(now + PATIENCE), self.exporter.export(spans)).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the collector does not answer".to_owned(),
        };
        self.state().paused = Some(Instant::now() + PAUSE);
        Some(Lost::of(count, format!("{why}; none are sent for {} s", PAUSE.as_secs())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lost {
    fn of(spans: usize, why: String) -> Self {
        Self { spans, kind: "spans_lost", why }
    }
}

/// Our client, as OpenTelemetry wants one.
struct Sender(Client);

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

#[async_trait::async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        Ok(self.0.exchange(request).await.map_err(|failure| failure.to_string())?)
    }
}
