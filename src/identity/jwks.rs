//! Keeps an issuer's keys: fetched when they are old or when a token names
//! one that we do not know, by one request at a time, and not at each whim of
//! whoever makes up names of keys.
//!
//! An issuer that is down locks nobody out for a day: the keys of before do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::alg::Alg;
use super::discovery::Discovery;
use super::keys::Keys;

/// An issuer is asked no more often, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(30);
/// The same while there is no key at all, and every caller is locked out.
const PAUSE_EMPTY: Duration = Duration::from_secs(5);
/// So long after they have aged, keys serve where no others can be had.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys of one issuer. Lives as long as the environment does.
pub struct Jwks {
    discovery: Discovery,
    shelf: Mutex<Shelf>,
    /// Whoever holds it is out for the keys.
    flight: tokio::sync::Mutex<()>,
}

/// The key that a token wants.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub kid: Option<&'a str>,
    pub alg: Alg,
}

#[derive(Default)]
struct Shelf {
    kept: Option<Kept>,
    /// When the issuer was asked again last, whatever came of it.
    asked: Option<SystemTime>,
    /// What came of it, if no keys did.
    failure: Option<String>,
}

/// Times are the wall clock's: a frozen environment's own clock may stand still.
struct Kept {
    keys: Arc<Keys>,
    ages: SystemTime,
}

/// What is to be done.
enum Look {
    Serve(Arc<Keys>),
    Fetch,
    Wait(String),
}

impl Jwks {
    /// Nothing is fetched before the first token comes.
    pub(super) fn new(discovery: Discovery) -> Self {
        Self { discovery, shelf: Mutex::default(), flight: tokio::sync::Mutex::default() }
    }

    /// The issuer's keys, among them the wanted one if it can be had now.
    ///
    /// # Errors
    /// Why there are none at all, for the record.
    pub(super) async fn keys(&self, wanted: Wanted<'_>, now: SystemTime) -> Result<Arc<Keys>, String> {
        if let Some(outcome) = self.shelf().look(wanted, now).settled() {
            return outcome;
        }
        let _flight = self.flight.lock().await;
        // Somebody else may have been out while we waited.
        if let Some(outcome) = self.shelf().look(wanted, now).settled() {
            return outcome;
        }
        let outcome = self.discovery.fetch().await;
        let mut shelf = self.shelf();
        shelf.land(outcome, now);
        shelf
            .kept(now)
            .map_or_else(|| Err(shelf.failure.clone().unwrap_or_default()), |kept| Ok(Arc::clone(&kept.keys)))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look {
    fn settled(self) -> Option<Result<Arc<Keys>, String>> {
        match self {
            Self::Serve(keys) => Some(Ok(keys)),
            Self::Wait(why) => Some(Err(why)),
            Self::Fetch => None,
        }
    }
}

impl Shelf {
    /// What there is, also if it has aged.
    fn kept(&self, now: SystemTime) -> Option<&Kept> {
        self.kept.as_ref().filter(|kept| now < kept.ages + STALE)
    }

    fn look(&self, wanted: Wanted<'_>, now: SystemTime) -> Look {
        let kept = self.kept(now);
        let pause = if kept.is_some() { PAUSE } else { PAUSE_EMPTY };
        let lately = self.asked.is_some_and(|asked| now < asked + pause);
        match kept {
            None if lately => Look::Wait(self.failure.clone().unwrap_or_default()),
            None => Look::Fetch,
            Some(kept) if lately => Look::Serve(Arc::clone(&kept.keys)),
            Some(kept) if kept.ages <= now => Look::Fetch,
            Some(kept) if kept.keys.find(wanted.kid, wanted.alg).is_none() => Look::Fetch,
            Some(kept) => Look::Serve(Arc::clone(&kept.keys)),
        }
    }

    fn land(&mut self, outcome: Result<(Keys, Duration), String>, now: SystemTime) {
        let first = self.kept.is_none();
        self.asked = Some(now);
        let (keys, kept_for) = match outcome {
            Ok((keys, _)) if keys.is_empty() => {
                return self.failure = Some("the issuer shows no key that can be used".to_owned());
            }
            Ok(brought) => brought,
            Err(why) => return self.failure = Some(why),
        };
        // The pause is between two questions for a key that is new. The first keys are none of those.
        self.asked = self.asked.filter(|_| !first);
        self.kept = Some(Kept { keys: Arc::new(keys), ages: now + kept_for });
        self.failure = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::join;

    use super::super::discovery::Door;
    use super::super::tests::{ISSUER, Played, at, merge, signers};
    use super::*;

    struct World {
        played: Arc<Played>,
        jwks: Jwks,
    }

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;

    impl World {
        /// An issuer with one key, called `rsa`, for an hour.
        fn new() -> Self {
            let played = Played::new();
            played.serve(&signers()[0].jwk);
            let (issuer, door) = (ISSUER.to_owned(), Door::Played(Arc::clone(&played)));
            let discovery = Discovery { issuer, jwks_hosts: Vec::new(), dangerous_plain_http: false, door };
            Self { played, jwks: Jwks::new(discovery) }
        }

        fn rotate(&self, kid: &str) {
            self.played.serve(&merge(&signers()[0].jwk, &Value::from_iter([("kid", kid)])));
        }

        /// Whether the key is found at the time, and how often the issuer was asked by then.
        async fn find(&self, kid: &str, seconds: u64) -> Result<(bool, usize), String> {
            let wanted = Wanted { kid: Some(kid), alg: Alg::RS256 };
            let keys = self.jwks.keys(wanted, at(seconds)).await?;
            Ok((keys.find(wanted.kid, wanted.alg).is_some(), self.played.fetches()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_kept_until_they_age() {
        let world = World::new();
        for (seconds, fetches) in [(0, 1), (1, 1), (HOUR - 1, 1), (HOUR, 2), (2 * HOUR - 1, 2), (2 * HOUR, 3)]
        {
            assert_eq!(world.find("rsa", seconds).await, Ok((true, fetches)), "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_is_found_and_a_made_up_one_costs_little() {
        let world = World::new();
        assert_eq!(world.find("rsa", 0).await, Ok((true, 1)));
        world.rotate("new");
        assert_eq!(world.find("new", 1).await, Ok((true, 2)));
        world.rotate("newer");
        assert_eq!(world.find("newer", 30).await, Ok((false, 2)));
        world.rotate("new");
        assert_eq!(world.find("rsa", 30).await, Ok((false, 2)), "it was withdrawn");
        // Names that nobody has: one question in 30 s, however many they are.
        for seconds in 60..120 {
            for name in 0..5 {
                world.find(&format!("{seconds}-{name}"), seconds).await.unwrap();
            }
        }
        assert_eq!(world.played.fetches(), 4);
        assert_eq!(world.find("new", 121).await, Ok((true, 4)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_nobody_has_is_asked_for_once_in_thirty_seconds() {
        let world = World::new();
        for (seconds, fetches) in [(0, 1), (1, 2), (30, 2), (31, 3), (60, 3), (61, 4)] {
            assert_eq!(world.find("nobody", seconds).await, Ok((false, fetches)), "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_who_ask_at_once_one_goes() {
        let world = World::new();
        let (a, b, c) = join!(world.find("rsa", 0), world.find("rsa", 0), world.find("other", 0));
        assert_eq!((a, b, c), (Ok((true, 1)), Ok((true, 1)), Ok((false, 2))));
        world.rotate("new");
        let (a, b, c) = join!(world.find("new", 60), world.find("new", 60), world.find("made-up", 60));
        assert_eq!((a, b, c), (Ok((true, 3)), Ok((true, 3)), Ok((false, 3))));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_leaves_the_way_open() {
        let world = World::new();
        let patience = Duration::from_millis(1);
        assert!(tokio::time::timeout(patience, world.find("rsa", 0)).await.is_err());
        assert_eq!(world.find("rsa", 0).await, Ok((true, 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_is_down_locks_nobody_out_for_a_day() {
        let world = World::new();
        world.find("rsa", 0).await.unwrap();
        world.played.fall_silent();
        assert_eq!(world.find("rsa", HOUR).await, Ok((true, 2)));
        assert_eq!(world.find("rsa", HOUR + 29).await, Ok((true, 2)), "it is not asked at each call");
        assert_eq!(world.find("rsa", HOUR + 30).await, Ok((true, 3)));
        assert_eq!(world.find("new", HOUR + 60).await, Ok((false, 4)));
        assert_eq!(world.find("rsa", 25 * HOUR - 1).await, Ok((true, 5)));
        let why = world.find("rsa", 25 * HOUR).await.unwrap_err();
        assert_eq!(why, "the discovery document: nobody is there");
        world.rotate("rsa");
        assert_eq!(world.find("rsa", 25 * HOUR + 30).await, Ok((true, 6)));
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_key_the_issuer_is_asked_again_soon() {
        let world = World::new();
        world.played.fall_silent();
        for (seconds, fetches) in [(0, 1), (4, 1), (5, 2)] {
            assert!(world.find("rsa", seconds).await.is_err());
            assert_eq!(world.played.fetches(), fetches, "{seconds}");
        }
        world.rotate("rsa");
        assert_eq!(world.find("rsa", 10).await, Ok((true, 3)));
    }
}
