//! Rotation that heals: secrets are read again while requests run.
//!
//! A reading is a task of its own: a caller that gives up does not end it, and
//! what it finds is for everybody. No request fails because of it. Until there
//! is a better value the known one is used, and an alarm says that there is none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::StatusCode;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::Proxy;
use super::cache::Call;
use super::inject::Outbound;
use super::transform::Ready;
use crate::credential::Carried;
use crate::secret::SecretRef;
use crate::secret::reading::{Fault, Reading, Setback};
use crate::secret::vault::Found;
use crate::trail::Trail;
use crate::trail::metrics::{ALONE, Metrics};
use crate::wire::Problem;

/// The secrets that are being read again.
#[derive(Default)]
pub struct Readings(Mutex<JoinSet<()>>);

/// Ends when a reading does, whatever it brought.
type Ended = oneshot::Receiver<()>;

/// A line of the trail that somebody should look at.
#[derive(Serialize)]
struct Alarm {
    /// What kind of line this is: `alarm`.
    #[serde(rename = "type")]
    kind: &'static str,
    time: String,
    /// `secret_unread` or `secret_unfit`.
    code: &'static str,
    secret: String,
    /// The version that cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    cause: String,
}

impl Readings {
    /// Waits for those that are on their way: a frozen environment would break them off.
    pub async fn settle(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        while tasks.join_next().await.is_some() {}
    }

    /// Starts one, and gives what ends when it does.
    fn start(&self, reading: Reading, (now, deadline): (SystemTime, Instant), trail: Arc<Trail>) -> Ended {
        let (done, ended) = oneshot::channel();
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            match reading.run(now, deadline).await {
                Ok(true) => trail.measure(|| once("SecretRefreshes", now)),
                Ok(false) => {}
                Err(setback) => {
                    trail.say(&Alarm::new(setback, now));
                    trail.measure(|| once("SecretSetbacks", now));
                }
            }
            drop(done);
        });
        ended
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn once(name: &'static str, now: SystemTime) -> Metrics<'static> {
    let mut metrics = Metrics::at(now);
    metrics.count(name, 1, ALONE);
    metrics
}

impl Alarm {
    fn new(setback: Setback, now: SystemTime) -> Self {
        let Setback { secret, fault, version, why } = setback;
        let code = match fault {
            Fault::Unread => "secret_unread",
            Fault::Unfit => "secret_unfit",
        };
        let time = humantime::format_rfc3339_millis(now).to_string();
        Self { kind: "alarm", time, code, secret, version, cause: why }
    }
}

impl Proxy {
    /// Begins to read what is older than its `refresh`, beside the request.
    pub(super) fn refresh(&self, now: SystemTime, deadline: Instant) {
        for reading in self.vault.aged(now) {
            drop(self.readings.start(reading, (now, deadline), Arc::clone(&self.trail)));
        }
    }

    /// Begins to read again the secrets that an upstream refused, and gives the
    /// readings to wait for. Another token can be asked for without those of its own.
    pub(super) fn refused(&self, carried: &Carried, status: StatusCode, call: &Call<'_>) -> Vec<Ended> {
        let tokens = carried.tokens.iter().filter(|_| status == StatusCode::UNAUTHORIZED);
        let forgotten = tokens.filter(|(source, version)| source.forget(*version, call.moment()));
        let for_tokens: Vec<String> = forgotten.flat_map(|(source, _)| source.recipe().names()).collect();
        let used = carried.used.iter().map(|used| (used.name.as_str(), used.version.as_deref()));
        let (beside, awaited): (Vec<_>, Vec<_>) =
            used.partition(|(name, _)| for_tokens.iter().any(|own| own == name));
        drop(self.reread(beside.into_iter(), call));
        self.reread(awaited.into_iter(), call)
    }

    fn reread<'n>(
        &self,
        refused: impl Iterator<Item = (&'n str, Option<&'n str>)>,
        call: &Call<'_>,
    ) -> Vec<Ended> {
        let times = (call.moment(), call.deadline);
        let readings = self.vault.refused(refused, times.0).into_iter();
        readings.map(|reading| self.readings.start(reading, times, Arc::clone(&self.trail))).collect()
    }

    /// Arms a request, within `until`; once more with what is read then, where
    /// somebody who hands out tokens does not take what we prove ourselves with.
    pub(super) async fn armed(
        &self,
        ready: &Ready<'_, '_>,
        call: &Call<'_>,
        until: Instant,
    ) -> Result<Outbound, Problem> {
        let means = self.means(ready, call, until);
        let refused = match ready.inject(&means).await {
            Ok(outbound) => return Ok(outbound),
            Err(refused) => refused,
        };
        let Some(blamed) = means.blamed.get() else { return Err(refused) };
        let named: Vec<_> = blamed.iter().map(|(secret, tried)| (secret.to_string(), tried)).collect();
        let named = named.iter().map(|(name, tried)| (name.as_str(), tried.version.as_deref()));
        for ended in self.reread(named, call) {
            if timeout_at(until, ended).await.is_err() {
                return Err(refused);
            }
        }
        // Somebody else may have read it just before us.
        let is_same = |(secret, tried): &(SecretRef, Found)| {
            self.vault.get(secret).is_some_and(|found| found.secret == tried.secret)
        };
        if blamed.iter().all(is_same) {
            return Err(refused);
        }
        ready.inject(&self.means(ready, call, until)).await
    }

    /// The request once more, if it carries something else now than what was
    /// refused, and the readings have ended by `until`.
    ///
    /// # Errors
    /// It cannot be armed again: whoever gives out its token gives no other one.
    pub(super) async fn renewed(
        &self,
        ready: &Ready<'_, '_>,
        refused: &Carried,
        (readings, until): (Vec<Ended>, Instant),
        call: &Call<'_>,
    ) -> Result<Option<Outbound>, Problem> {
        for ended in readings {
            if timeout_at(until, ended).await.is_err() {
                return Ok(None);
            }
        }
        let again = self.armed(ready, call, until).await?;
        let is_new = !again.carried.is_same(refused);
        Ok((is_new && Instant::now() < until).then_some(again))
    }
}
