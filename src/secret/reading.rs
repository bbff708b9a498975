//! Reads a secret again while requests run: when it is older than its
//! `refresh`, or when an upstream refused it.
//!
//! One reads, the others wait for it. What it reads must be as good as what
//! was read at the start, or the value before it stays: a rotation that broke,
//! or an outage of Secrets Manager, takes no known key away. Only the version
//! labelled AWSCURRENT is ever read, never one that is still being made.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, timeout_at};

use super::SecretRef;
use super::vault::{Found, Kept, Refusal, Source};
use super::wanted::{self, Wanted};

/// A key that is refused for another reason than a rotation must not become
/// a storm on Secrets Manager, nor must an outage of it.
const PAUSE: Duration = Duration::from_secs(30);

/// One secret where it is kept, and all that is used of it.
pub(super) struct Place {
    id: String,
    wanted: Vec<Wanted>,
    /// Held by the one who reads it.
    turn: Turn<()>,
    state: Mutex<State>,
}

/// What is known of a secret. Its values change together, never one by one.
struct State {
    values: HashMap<SecretRef, Found>,
    version: Option<String>,
    /// When these values were read.
    read: SystemTime,
    /// When it was last read because it was refused, or in vain.
    tried: Option<SystemTime>,
    /// Whether the last reading brought nothing to use.
    stale: bool,
}

/// Why a secret is read again.
pub(super) enum Why {
    /// It is older than its `refresh`.
    Aged,
    /// An upstream refused this version of it.
    Refused(Option<String>),
}

/// One secret that is to be read again.
pub struct Reading {
    source: Arc<Source>,
    place: Arc<Place>,
    why: Why,
}

/// A reading that brought nothing to use. The value before it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// Our name for the secret.
    pub secret: String,
    /// What was the matter.
    pub fault: Fault,
    /// The version that cannot be used, where one was read.
    pub version: Option<String>,
    /// Why not, in words that hold no value.
    pub why: String,
}

/// What was the matter with a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No value came: an outage, a permission that was taken away.
    Unread,
    /// A value came that cannot work: a rotation that broke.
    Unfit,
}

impl Place {
    /// What was read of a secret at the start, as far as it is wanted.
    pub(super) fn new(
        id: String,
        wanted: Vec<Wanted>,
        kept: &BTreeMap<String, Kept>,
        now: SystemTime,
    ) -> Result<Self, Vec<Refusal>> {
        let values = wanted::find(&wanted, kept)?;
        let version = version_of(&id, kept);
        let state = Mutex::new(State { values, version, read: now, tried: None, stale: false });
        Ok(Self { id, wanted, turn: Turn::default(), state })
    }

    pub(super) fn references(&self) -> impl Iterator<Item = &SecretRef> {
        self.wanted.iter().map(|wanted| &wanted.reference)
    }

    pub(super) fn get(&self, reference: &SecretRef) -> Option<Found> {
        self.state().values.get(reference).cloned()
    }

    pub(super) fn is_stale(&self) -> bool {
        self.state().stale
    }

    /// Whether it is worth reading at `now`. What was refused may have been
    /// read again since by somebody else.
    pub(super) fn wants(&self, why: &Why, now: SystemTime) -> bool {
        let refresh = self.wanted.iter().filter_map(|wanted| wanted.refresh).min();
        let state = self.state();
        let rested = state.tried.is_none_or(|tried| PAUSE <= apart(tried, now));
        rested
            && match why {
                Why::Aged => refresh.is_some_and(|refresh| refresh <= apart(state.read, now)),
                Why::Refused(version) => state.version == *version,
            }
    }

    /// Takes in what was read, if all of it can be used.
    fn take(
        &self,
        kept: Result<BTreeMap<String, Kept>, Vec<Refusal>>,
        now: SystemTime,
    ) -> Result<(), Setback> {
        let (fault, version, refusals) = match kept {
            Err(refusals) => (Fault::Unread, None, refusals),
            Ok(kept) => match (wanted::find(&self.wanted, &kept), version_of(&self.id, &kept)) {
                (Ok(values), version) => {
                    let mut state = self.state();
                    *state = State { values, version, read: now, tried: state.tried, stale: false };
                    return Ok(());
                }
                (Err(refusals), version) => (Fault::Unfit, version, refusals),
            },
        };
        let mut state = self.state();
        (state.tried, state.stale) = (Some(now), true);
        let secret = self.references().next().map(|reference| reference.name().to_owned());
        let why: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        Err(Setback { secret: secret.unwrap_or_default(), fault, version, why: why.join("; ") })
    }

    /// What a panic may have left behind is whole: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    pub(super) fn new(source: Arc<Source>, place: Arc<Place>, why: Why) -> Self {
        Self { source, place, why }
    }

    pub(super) fn is_of(&self, place: &Arc<Place>) -> bool {
        Arc::ptr_eq(&self.place, place)
    }

    /// Reads the secret, unless somebody has done so meanwhile, and says whether it
    /// did; gives up at `deadline`. Dropped on its way, it changes nothing.
    ///
    /// # Errors
    /// What it read cannot be used.
    pub async fn run(self, now: SystemTime, deadline: Instant) -> Result<bool, Setback> {
        let Self { source, place, why } = self;
        let _turn = place.turn.lock().await;
        if !place.wants(&why, now) {
            return Ok(false);
        }
        let kept = timeout_at(deadline, source.read(&[&place.id])).await;
        let kept = kept.unwrap_or_else(|_| {
            Err(vec![Refusal::new(&place.id, "there was no time left to wait for Secrets Manager")])
        });
        if let Why::Refused(_) = why {
            place.state().tried = Some(now);
        }
        place.take(kept, now).map(|()| true)
    }
}

fn version_of(id: &str, kept: &BTreeMap<String, Kept>) -> Option<String> {
    kept.get(id).and_then(|kept| kept.version.clone())
}

/// The time between two moments. A clock that was set back is no reason to
/// wait until it has caught up.
fn apart(before: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(before).unwrap_or_else(|error| error.duration())
}
