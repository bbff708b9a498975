//! Metrics in CloudWatch's Embedded Metric Format (EMF): one line of JSON on standard
//! output, out of which CloudWatch Logs makes metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! Only what happened is in a line. Each value of a dimension is a metric of its
//! own, and paid for: so it is a name of the configuration, or of a closed set,
//! and never anything of a caller's.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::ocsf::millis;

const NAMESPACE: &str = "Countersign";

/// The dimension of all metrics: the function's name.
const SERVICE: &str = "Service";

/// The longest value of a dimension, in characters.
const LONGEST: usize = 1024;

/// The sets of dimensions that a metric is counted by.
pub type By = &'static [&'static [&'static str]];

/// Only for the function as a whole.
pub const ALONE: By = &[&[SERVICE]];

/// What happened at a time, in numbers.
pub struct Metrics<'m> {
    time: u64,
    dimensions: Vec<(&'static str, Cow<'m, str>)>,
    all: Vec<Metric<'m>>,
}

struct Metric<'m> {
    name: Cow<'m, str>,
    value: Value,
    by: By,
}

/// A number with its unit.
#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Count(u64),
    Milliseconds(f64),
}

impl<'m> Metrics<'m> {
    /// Nothing yet.
    pub fn at(time: SystemTime) -> Self {
        Self { time: millis(time), dimensions: Vec::new(), all: Vec::new() }
    }

    /// How often something happened, or how much of it there was. Those that are counted by the
    /// same dimensions make the shortest line beside each other.
    pub fn count(&mut self, name: impl Into<Cow<'m, str>>, count: u64, by: By) {
        self.all.push(Metric { name: name.into(), value: Value::Count(count), by });
    }

    /// How long something took.
    pub fn took(&mut self, name: &'static str, took: Duration, by: By) {
        let value = Value::Milliseconds(took.as_micros() as f64 / 1000.0);
        self.all.push(Metric { name: name.into(), value, by });
    }

    /// What a dimension is here. CloudWatch takes printable ASCII: anything else is percent-encoded.
    pub fn dimension(&mut self, name: &'static str, value: &'m str) {
        self.dimensions.push((name, dimension(value)));
    }

    /// The line of a function.
    pub(super) fn line<'l>(&'l self, service: &'l str) -> impl Serialize + 'l {
        Line { service, metrics: self }
    }
}

fn dimension(text: &str) -> Cow<'_, str> {
    match Cow::from(utf8_percent_encode(text, CONTROLS)) {
        long if LONGEST < long.len() => long.chars().take(LONGEST).collect(),
        value => value,
    }
}

/// The root of EMF: what to make of the members, and these.
struct Line<'l> {
    service: &'l str,
    metrics: &'l Metrics<'l>,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Metrics { time, dimensions, all } = self.metrics;
        let directives = all.chunk_by(|one, next| one.by == next.by).map(Directive::of);
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("_aws", &Head { timestamp: *time, directives: directives.collect() })?;
        line.serialize_entry(SERVICE, &dimension(self.service))?;
        for (name, value) in dimensions {
            line.serialize_entry(name, value)?;
        }
        for metric in all {
            line.serialize_entry(&metric.name, &metric.value)?;
        }
        line.end()
    }
}

/// The metadata object.
#[derive(Serialize)]
struct Head<'l> {
    #[serde(rename = "Timestamp")]
    timestamp: u64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Vec<Directive<'l>>,
}

/// The metrics that are counted by the same dimensions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'l> {
    namespace: &'static str,
    dimensions: By,
    metrics: Vec<Definition<'l>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition<'l> {
    name: &'l str,
    unit: &'static str,
}

impl<'l> Directive<'l> {
    fn of(metrics: &'l [Metric<'l>]) -> Self {
        let dimensions = metrics.first().map_or(ALONE, |metric| metric.by);
        let metrics =
            metrics.iter().map(|metric| Definition { name: &metric.name, unit: metric.value.unit() });
        Self { namespace: NAMESPACE, dimensions, metrics: metrics.collect() }
    }
}

impl Value {
    fn unit(&self) -> &'static str {
        match self {
            Self::Count(_) => "Count",
            Self::Milliseconds(_) => "Milliseconds",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_KIND: By = &[&[SERVICE], &[SERVICE, "Kind"]];

    fn line(metrics: &Metrics<'_>) -> String {
        serde_json::to_string(&metrics.line("gate")).unwrap()
    }

    #[test]
    fn a_line_says_what_to_make_of_its_members() {
        let mut metrics = Metrics::at(SystemTime::UNIX_EPOCH + Duration::from_millis(1500));
        metrics.count("Requests", 1, ALONE);
        metrics.took("InitMs", Duration::from_micros(2500), ALONE);
        metrics.count("Things", 7, BY_KIND);
        metrics.dimension("Kind", "good");
        let expected = concat!(
            r#"{"_aws":{"Timestamp":1500,"CloudWatchMetrics":["#,
            r#"{"Namespace":"Countersign","Dimensions":[["Service"]],"#,
            r#""Metrics":[{"Name":"Requests","Unit":"Count"},{"Name":"InitMs","Unit":"Milliseconds"}]},"#,
            r#"{"Namespace":"Countersign","Dimensions":[["Service"],["Service","Kind"]],"#,
            r#""Metrics":[{"Name":"Things","Unit":"Count"}]}]},"#,
            r#""Service":"gate","Kind":"good","Requests":1,"InitMs":2.5,"Things":7}"#
        );
        assert_eq!(line(&metrics), expected);
    }

    #[test]
    fn a_dimension_is_short_and_printable_ascii() {
        let check = |value: &str, expected: &str| assert_eq!(dimension(value), expected, "{value}");
        check("GET /my-repos", "GET /my-repos");
        check("GET /straße/{id}", "GET /stra%C3%9Fe/{id}");
        check("a\nb\u{7f}", "a%0Ab%7F");
        assert_eq!(dimension(&"é".repeat(2000)).len(), LONGEST);
    }
}
