//! A stream of Amazon CloudWatch Logs: the one door of the trail to AWS.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::Builder;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, RejectedLogEventsInfo};

use super::queue::Waiting;
use crate::secret::aws::{Account, configure, explain};
use crate::wire::client::Client as Http;

const SERVICE: &str = "CloudWatch Logs";

const BACKOFF: Duration = Duration::from_millis(100);
const ATTEMPTS: u32 = 4;

/// One log stream: that of this environment.
pub struct Logs {
    client: Client,
    group: String,
    stream: String,
    exists: AtomicBool,
}

impl Logs {
    /// A stream that is made when there is something to say. How long that may take is said by
    /// whoever calls: to give up on one attempt for another would bring records twice.
    pub fn new(account: Account, http: Http, group: String, stream: String) -> Self {
        let config = Builder::from(&configure(account, http))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF))
            .timeout_config(TimeoutConfig::disabled());
        Self { client: Client::from_conf(config.build()), group, stream, exists: AtomicBool::new(false) }
    }

    /// Writes a batch, and gives those of it that were not taken.
    ///
    /// # Errors
    /// Why none of it was written, or that nobody knows.
    pub async fn put<'b>(&self, batch: &'b [Waiting]) -> Result<Vec<&'b Waiting>, String> {
        // Once more where the stream was there before, and is not any more.
        for again in [true, false] {
            self.create().await?;
            let events = batch.iter().map(event).collect::<Result<_, _>>().map_err(|why| why.to_string())?;
            let put = self.client.put_log_events().log_group_name(&self.group).log_stream_name(&self.stream);
            match put.set_log_events(Some(events)).send().await {
                Ok(output) => return Ok(refused(batch, output.rejected_log_events_info())),
                Err(error) if again && error.code() == Some("ResourceNotFoundException") => {
                    self.exists.store(false, Ordering::Relaxed);
                }
                // It would never be taken, and all behind it would wait.
                Err(error) if error.code() == Some("InvalidParameterException") => {
                    return Ok(batch.iter().collect());
                }
                // A try before this one, whose answer was lost, has brought them.
                Err(error) if error.code() == Some("DataAlreadyAcceptedException") => return Ok(Vec::new()),
                Err(error) => return Err(explain(SERVICE, &error)),
            }
        }
        Err("the log stream was made, and is not there".to_owned())
    }

    async fn create(&self) -> Result<(), String> {
        if self.exists.load(Ordering::Relaxed) {
            return Ok(());
        }
        let create =
            self.client.create_log_stream().log_group_name(&self.group).log_stream_name(&self.stream);
        match create.send().await {
            Err(error) if error.code() != Some("ResourceAlreadyExistsException") => {
                Err(explain(SERVICE, &error))
            }
            _ => {
                self.exists.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

fn event(waiting: &Waiting) -> Result<InputLogEvent, aws_smithy_types::error::operation::BuildError> {
    InputLogEvent::builder().timestamp(waiting.time as i64).message(&waiting.line).build()
}

/// Those that were too old or too new, by the indices in which CloudWatch says it.
fn refused<'b>(batch: &'b [Waiting], info: Option<&RejectedLogEventsInfo>) -> Vec<&'b Waiting> {
    let Some(info) = info else { return Vec::new() };
    let index = |index: Option<i32>| index.and_then(|index| usize::try_from(index).ok());
    let old = index(info.too_old_log_event_end_index()).max(index(info.expired_log_event_end_index()));
    let new = index(info.too_new_log_event_start_index());
    let is_refused = |at: usize| old.is_some_and(|end| at < end) || new.is_some_and(|start| start <= at);
    batch.iter().enumerate().filter(|(at, _)| is_refused(*at)).map(|(_, waiting)| waiting).collect()
}
