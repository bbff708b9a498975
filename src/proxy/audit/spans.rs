//! A record as spans of OpenTelemetry: the request, and the stages that it passed,
//! in the words of the semantic conventions for HTTP
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
//!
//! They say what a record says and no more: no query, and no path as it was sent.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::super::cache::Outcome;
use super::Record;
use super::steps::Stage;
use crate::wire::Trace;
use crate::wire::trace::SpanId;

/// From when until when.
type Interval = (SystemTime, SystemTime);

impl Record<'_> {
    /// The request first, then its stages. None where nobody keeps its trace.
    pub(super) fn spans(&self) -> Vec<SpanData> {
        let Some(trace) = self.trace.filter(|trace| trace.is_sampled()) else { return Vec::new() };
        let mut spans = vec![self.of_request(trace)];
        let stages = self.steps.times(self.time, self.time + self.took);
        spans.extend(stages.into_iter().map(|(stage, during)| self.of_stage(trace, stage, during)));
        spans
    }

    fn of_request(&self, trace: Trace) -> SpanData {
        // A method that nobody knows is whatever a caller made up.
        let name = self.route.as_deref().unwrap_or("HTTP").to_owned();
        let failed = 500 <= self.status || (self.stream.is_some() && self.code.is_some());
        let status = if failed { Status::error(self.code.unwrap_or_default()) } else { Status::Unset };
        let attributes = said([
            ("http.request.method", text(self.known_method())),
            ("http.route", self.path_of_route().and_then(text)),
            ("http.response.status_code", number(self.status)),
            ("http.request.body.size", number(self.bytes_in as u64)),
            ("http.response.body.size", number(self.bytes_out as u64)),
            ("error.type", self.code.and_then(text)),
            ("aws.request_id", text(&self.request_id)),
            ("countersign.caller", self.caller.as_deref().and_then(text)),
            ("countersign.upstream", self.upstream.as_deref().and_then(text)),
            ("countersign.cache", self.cache.map(Outcome::name).and_then(text)),
            ("countersign.leak", self.leak.then_some(Value::Bool(true))),
        ]);
        let during = (self.time, self.time + self.took);
        let data = span(trace, (trace.span, trace.parent), during, name.into());
        SpanData { span_kind: SpanKind::Server, parent_span_is_remote: true, attributes, status, ..data }
    }

    fn of_stage(&self, trace: Trace, stage: Stage, during: Interval) -> SpanData {
        if stage != Stage::Forward {
            return span(
                trace,
                (SpanId::of((trace.span.0, stage.name())), Some(trace.span)),
                during,
                stage.name().into(),
            );
        }
        let failed = self.upstream_status.is_none_or(|status| 400 <= status);
        let status = if failed { Status::error("") } else { Status::Unset };
        let attributes = said([
            ("http.request.method", text(self.known_method())),
            ("http.response.status_code", self.upstream_status.and_then(number)),
            ("error.type", failed.then(|| self.failure()).as_deref().and_then(text)),
            ("http.request.resend_count", number(self.retries).filter(|_| 0 < self.retries)),
            ("service.peer.name", self.upstream.as_deref().and_then(text)),
        ]);
        let data = span(trace, (trace.call, Some(trace.span)), during, stage.name().into());
        SpanData { span_kind: SpanKind::Client, attributes, status, ..data }
    }

    /// What is wrong with a call: the upstream's status, or our problem where it gave none.
    fn failure(&self) -> String {
        self.upstream_status
            .map_or_else(|| self.code.unwrap_or_default().to_owned(), |status| status.to_string())
    }

    fn known_method(&self) -> &str {
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        if known.contains(&self.method.as_str()) { &self.method } else { "_OTHER" }
    }

    /// The path of the route, as the file writes it.
    fn path_of_route(&self) -> Option<&str> {
        self.route.as_deref().and_then(|route| route.split_once(' ')).map(|(_, path)| path)
    }
}

fn span(
    trace: Trace,
    (own, parent): (SpanId, Option<SpanId>),
    (start_time, end_time): Interval,
    name: Cow<'static, str>,
) -> SpanData {
    let (id, own) = (trace.id.0.into(), own.0.into());
    SpanData {
        span_context: SpanContext::new(id, own, TraceFlags::SAMPLED, false, TraceState::NONE),
        parent_span_id: parent.map_or(0, |parent| parent.0).into(),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name,
        start_time,
        end_time,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("countersign")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

/// The attributes that there are.
fn said<const N: usize>(attributes: [(&'static str, Option<Value>); N]) -> Vec<KeyValue> {
    let known = attributes.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?)));
    known.collect()
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.to_owned().into())
}

fn number(number: impl TryInto<i64>) -> Option<Value> {
    number.try_into().ok().map(Value::I64)
}
