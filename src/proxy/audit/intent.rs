//! Where the trail is strict, what is about to be called is written down first.

use tokio::time::Instant;

use super::Record;
use super::steps::Stage;
use crate::proxy::Proxy;
use crate::wire::Problem;
use crate::wire::problem::Kind;

impl Proxy {
    /// Writes down that a credential is about to be used.
    pub(in crate::proxy) async fn intend<'p>(
        &self,
        upstream: &'p str,
        until: Instant,
        record: &mut Record<'p>,
    ) -> Result<(), Problem> {
        if !self.strict {
            return Ok(());
        }
        record.enter(Stage::Record);
        record.intend(upstream);
        self.trail.leave(record);
        if self.trail.flush(until).await { Ok(()) } else { Err(unwritten()) }
    }
}

fn unwritten() -> Problem {
    Problem::new(Kind::AuditUnavailable, "this call cannot be recorded now, and so was not sent")
        .because("the intent could not be written to the audit log group")
}
