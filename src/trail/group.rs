//! A log group of Amazon CloudWatch Logs as a reader sees it. Only the command
//! line reads; the function writes, and needs no permission for this.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Builder;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;

use crate::secret::aws::{Account, configure, explain};
use crate::wire::client::Client as Http;

const SERVICE: &str = "CloudWatch Logs";

/// A page of a large group may take long to find.
const PATIENCE: Duration = Duration::from_secs(120);
const ATTEMPT: Duration = Duration::from_secs(30);

/// FilterLogEvents takes no more streams at once.
pub const STREAMS: usize = 100;

/// A log group.
pub struct Group {
    client: Client,
    name: String,
    /// Whether to ask for what a data protection policy masks.
    unmask: bool,
}

/// A line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What tells it apart from all others.
    pub id: String,
    /// The log stream it is in.
    pub stream: String,
    /// Milliseconds since 1970.
    pub time: u64,
    /// The line.
    pub text: String,
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Not before: milliseconds since 1970.
    pub since: u64,
    /// Not then or later; `None`: up to now.
    pub until: Option<u64>,
    /// In these streams, [`STREAMS`] at most; in all, where there is none.
    pub streams: Vec<String>,
}

impl Group {
    /// A group of that name.
    pub fn new(account: Account, http: Http, name: String, unmask: bool) -> Self {
        let patience =
            TimeoutConfig::builder().operation_timeout(PATIENCE).operation_attempt_timeout(ATTEMPT).build();
        let config = Builder::from(&configure(account, http)).timeout_config(patience).build();
        Self { client: Client::from_conf(config), name, unmask }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One page of lines, each stream's in order, and what leads to the next page.
    ///
    /// # Errors
    /// What CloudWatch Logs says.
    pub async fn page(
        &self,
        scope: &Scope,
        token: Option<String>,
    ) -> Result<(Vec<Event>, Option<String>), String> {
        let streams = (!scope.streams.is_empty()).then(|| scope.streams.clone());
        let asked = self.client.filter_log_events().log_group_name(&self.name).unmask(self.unmask);
        // Of AWS's two ends both are included.
        let end = scope.until.map(|until| until.saturating_sub(1) as i64);
        let asked = asked.start_time(scope.since as i64).set_end_time(end).set_log_stream_names(streams);
        match asked.set_next_token(token).send().await {
            Ok(page) => {
                Ok((page.events.unwrap_or_default().into_iter().map(event).collect(), page.next_token))
            }
            Err(error) => Err(explain(SERVICE, &error)),
        }
    }
}

fn event(event: FilteredLogEvent) -> Event {
    Event {
        id: event.event_id.unwrap_or_default(),
        stream: event.log_stream_name.unwrap_or_default(),
        time: event.timestamp.unwrap_or_default().max(0) as u64,
        text: event.message.unwrap_or_default(),
    }
}
