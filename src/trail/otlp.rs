//! Spans, by the OpenTelemetry protocol (OTLP 1.x over HTTP, in protobuf):
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.
//!
//! Where they go is said by OpenTelemetry's own variables. They leave after the
//! answer, as records do; unlike records, those that nobody takes are dropped,
//! with a word on standard output.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use crate::wire::client::Client;

/// How long the next request of this environment may have to wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is over a collector's head is not kept for it.
const MOST: usize = 4096;

/// The way of spans to a collector.
pub struct Spans {
    exporter: SpanExporter,
    waiting: Mutex<Vec<SpanData>>,
}

/// Spans that nobody took: their line on standard output.
#[derive(Serialize)]
pub struct Lost {
    spans: usize,
    /// What kind of line this is: `spans_lost`.
    #[serde(rename = "type")]
    kind: &'static str,
    why: String,
}

impl Spans {
    /// To where `OTEL_EXPORTER_OTLP_ENDPOINT` and its like say; `service`: what we
    /// are called there.
    ///
    /// # Errors
    /// One of the variables cannot be right.
    pub fn new(http: Client, service: String) -> Result<Self, String> {
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Sender(http))
            .build()
            .map_err(|error| format!("  spans cannot be sent: {error}\n"))?;
        exporter.set_resource(&Resource::builder().with_service_name(service).build());
        Ok(Self { exporter, waiting: Mutex::default() })
    }

    /// Takes the spans of a request.
    pub fn push(&self, spans: Vec<SpanData>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST.saturating_sub(waiting.len());
        waiting.extend(spans.into_iter().take(room));
    }

    /// Sends all that is there by `until`, and says what nobody took.
    pub async fn flush(&self, until: Instant) -> Option<Lost> {
        let spans = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if spans.is_empty() {
            return None;
        }
        let count = spans.len();
        let sent = timeout_at(until.min(Instant::now() + PATIENCE), self.exporter.export(spans)).await;
        let why = match sent {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the collector does not answer".to_owned(),
        };
        Some(Lost { spans: count, kind: "spans_lost", why })
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
