//! Those who ask the same at the same time: one flies, the others wait.
//!
//! Whoever flies and does not come back, by a panic or because nobody waits
//! for its own answer any more, leaves its seat to the next.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::question::FlightKey;
use crate::proxy::forward::too_late;
use crate::wire::Problem;

/// All flights that are out.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<FlightKey, watch::Receiver<Option<Landed>>>>);

/// What became of a flight.
#[derive(Clone)]
pub enum Landed {
    /// An answer was kept, and does for the others too.
    Kept,
    /// An answer came that was for the one only.
    NotKept,
    /// None came.
    Failed(Problem),
}

/// What a newcomer gets.
pub enum Seat<'f> {
    /// Nobody is out yet: fly.
    First(Flight<'f>),
    /// Somebody is: wait.
    Next(Waiting),
}

/// The duty to come back, also without anything.
pub struct Flight<'f> {
    flights: &'f Flights,
    key: FlightKey,
    sender: watch::Sender<Option<Landed>>,
}

/// A place among those who wait.
pub struct Waiting(watch::Receiver<Option<Landed>>);

impl Flights {
    /// The first one flies.
    pub fn join(&self, key: FlightKey) -> Seat<'_> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = flights.get(&key) {
            return Seat::Next(Waiting(receiver.clone()));
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(key.clone(), receiver);
        Seat::First(Flight { flights: self, key, sender })
    }
}

impl Flight<'_> {
    /// Tells those who wait.
    pub fn land(self, landed: Landed) {
        self.sender.send_replace(Some(landed));
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Waiting {
    /// What became of the flight; `None` where it never came back. Nobody
    /// waits past their own time.
    pub async fn landed(mut self, deadline: Instant, patience: Duration) -> Result<Option<Landed>, Problem> {
        let landed = timeout_at(deadline, self.0.wait_for(Option::is_some)).await;
        let landed = landed.map_err(|_| too_late(patience))?;
        Ok(landed.ok().and_then(|landed| landed.clone()))
    }
}
