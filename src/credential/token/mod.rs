//! Tokens that are fetched: from an OAuth server, from GitHub, or signed here.
//!
//! A [`Source`] keeps the token that it got last, gets the next one before that
//! one ages, and lets only one request at a time go for it. Whoever cannot be
//! given a token is told why: no request ever goes on without one.

pub mod endpoint;
pub mod errand;
pub mod sign;
pub mod oauth2;
pub mod jwt;
pub mod github;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};

use super::{Means, Used};
use crate::secret::vault::Slot;
use crate::secret::{Secret, SecretRef};
use crate::wire::Problem;

pub use endpoint::Refused;
pub use errand::Errand;

use errand::Line;

/// A token is renewed this long before it ends, or when a quarter of its life
/// is left, whichever is later: so much may clocks differ, and calls take.
const EARLY: Duration = Duration::from_secs(60);
/// No token is kept longer, whatever is promised.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a renewal may hold up a request that the old token would do for.
const RENEWAL: Duration = Duration::from_secs(2);
/// After a renewal that failed, the old token serves this long before the next try.
const PAUSE: Duration = Duration::from_secs(10);
/// An upstream that refuses each token is not cured by fetching more of them.
const FORGETTING: Duration = Duration::from_secs(30);

/// How a token is had. A closed set, so an enum and not a trait.
#[derive(Debug, Clone)]
pub enum Recipe {
    /// From an OAuth 2.0 token endpoint (RFC 6749 §4.4 and §6).
    OAuth2(oauth2::OAuth2),
    /// Signed here, and maybe traded for another (RFC 7523 §2.1).
    Jwt(jwt::Jwt),
    /// From GitHub, for an installation of an app.
    GitHubApp(github::GitHubApp),
}

impl Recipe {
    /// The secrets that the recipe needs, what each is put into, and whether
    /// it is always a secret.
    pub fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        match self {
            Self::OAuth2(recipe) => recipe.wants(),
            Self::Jwt(recipe) => recipe.wants(),
            Self::GitHubApp(recipe) => recipe.wants(),
        }
    }

    async fn fetch(&self, errand: &Errand<'_>, memory: &mut Memory) -> Result<Fresh, Refused> {
        match self {
            Self::OAuth2(recipe) => recipe.fetch(errand, memory).await,
            Self::Jwt(recipe) => recipe.fetch(errand).await,
            Self::GitHubApp(recipe) => recipe.fetch(errand).await,
        }
    }

    /// The names of the secrets that it needs.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.wants().into_iter().map(|(secret, ..)| secret.to_string())
    }

    /// What the record says a token was made of.
    fn used(&self, errand: &Errand<'_>) -> Vec<Used> {
        let mut used: Vec<Used> = Vec::new();
        for (reference, ..) in self.wants() {
            let version = (errand.find)(reference).and_then(|found| found.version);
            let one = Used { name: reference.to_string(), version };
            if !used.contains(&one) {
                used.push(one);
            }
        }
        used
    }
}

/// What was fetched just now.
struct Fresh {
    secret: Secret,
    /// How long it is good for, counted from when we asked.
    lifetime: Duration,
}

/// What an endpoint gave beside the token, for the next time.
#[derive(Default)]
struct Memory {
    /// The vault's refresh token, and what has taken its place since.
    refresh: Option<(Secret, Secret)>,
}

/// A token that proves us to an upstream. It is a secret like any other, and
/// cannot be printed either:
///
/// ```compile_fail
/// fn log(token: countersign::credential::token::Token) {
///     println!("{token:?}");
/// }
/// ```
pub struct Token {
    secret: Secret,
    version: u64,
    used: Vec<Used>,
}

impl Token {
    /// The token itself.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Which of the tokens of its source it is; no two have the same number.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The secrets that it was had for, in their versions of then.
    pub fn used(&self) -> &[Used] {
        &self.used
    }
}

/// Where the tokens of one credential come from, and the last of them. Lives
/// as long as the environment does.
pub struct Source {
    recipe: Recipe,
    shelf: Mutex<Shelf>,
    /// Whoever holds it is out for a token.
    flight: tokio::sync::Mutex<Memory>,
}

#[derive(Default)]
struct Shelf {
    kept: Option<Kept>,
    /// How often somebody came back, with a token or without.
    fetches: u64,
    /// What the last one was told, who came back without.
    refused: Option<Refused>,
    /// When a token was forgotten last.
    forgotten: Option<SystemTime>,
}

/// Times are the wall clock's: a frozen environment's own clock may stand still.
struct Kept {
    token: Arc<Token>,
    renew: SystemTime,
    ends: SystemTime,
    /// Whether an upstream has answered it with 401.
    doubted: bool,
}

impl Source {
    /// Nothing is fetched before the first request asks.
    pub fn new(recipe: Recipe) -> Self {
        Self { recipe, shelf: Mutex::default(), flight: tokio::sync::Mutex::default() }
    }

    /// How its tokens are had.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// A token for a call. Where it is not given because of what we proved
    /// ourselves with, `means.blamed` says what that was.
    pub async fn obtain(&self, means: &Means<'_>) -> Result<Arc<Token>, Problem> {
        let find = |reference: &SecretRef| means.vault.get(reference);
        let (line, now, deadline, id) = (Line::Client(means.client), means.now, means.deadline, means.id);
        let errand = Errand { find: &find, line, now, deadline, id };
        if let Ok(token) = self.shelf().look(now) {
            return Ok(token);
        }
        // A newer version may be read while we wait.
        let wants = self.recipe.wants().into_iter();
        let tried = wants.filter_map(|(secret, ..)| Some((secret.clone(), find(secret)?))).collect();
        self.token(&errand).await.map_err(|refused| {
            if refused.blames_us() {
                means.blamed.get_or_init(|| tried);
            }
            refused.into()
        })
    }

    /// A token that is good now: the kept one, or a new one. Of several who
    /// ask at once one goes, and the others wait for what it brings.
    pub async fn token(&self, errand: &Errand<'_>) -> Result<Arc<Token>, Refused> {
        let before = match self.shelf().look(errand.now) {
            Ok(token) => return Ok(token),
            Err(fetches) => fetches,
        };
        let waiting = timeout_at(errand.deadline, self.flight.lock()).await;
        let mut memory = waiting.map_err(|_| Refused::TooLate)?;
        if let Some(outcome) = self.shelf().brought_since(before, errand.now) {
            return outcome;
        }
        let errand = Errand { deadline: self.patience(errand), ..*errand };
        let used = self.recipe.used(&errand);
        let outcome = self.recipe.fetch(&errand, &mut memory).await;
        self.shelf().land(outcome, used, errand.now)
    }

    /// Notes that an upstream has answered the token of this version with 401:
    /// the next call asks for another one. Says whether that may bring one.
    pub fn forget(&self, version: u64, now: SystemTime) -> bool {
        let mut shelf = self.shelf();
        if shelf.kept.as_ref().is_none_or(|kept| kept.token.version != version) {
            return true;
        }
        if shelf.forgotten.is_some_and(|last| now < last + FORGETTING) {
            return false;
        }
        shelf.forgotten = Some(now);
        // It may be good all the same: it serves where no other one can be had.
        if let Some(kept) = &mut shelf.kept {
            (kept.renew, kept.doubted) = (now, true);
        }
        true
    }

    /// Until when a token may be waited for.
    fn patience(&self, errand: &Errand<'_>) -> Instant {
        let spare = self.shelf().good(errand.now).is_some();
        if spare { errand.deadline.min(Instant::now() + RENEWAL) } else { errand.deadline }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// The token that is good now.
    fn good(&self, now: SystemTime) -> Option<&Kept> {
        self.kept.as_ref().filter(|kept| now < kept.ends)
    }

    /// The token that need not be renewed yet, or how often one was fetched so far.
    fn look(&self, now: SystemTime) -> Result<Arc<Token>, u64> {
        let kept = self.good(now).filter(|kept| now < kept.renew);
        kept.map(|kept| Arc::clone(&kept.token)).ok_or(self.fetches)
    }

    /// What somebody brought while others waited.
    fn brought_since(&self, before: u64, now: SystemTime) -> Option<Result<Arc<Token>, Refused>> {
        match self.look(now) {
            Ok(token) => Some(Ok(token)),
            Err(fetches) => self.refused.clone().filter(|_| before < fetches).map(Err),
        }
    }

    fn land(
        &mut self,
        outcome: Result<Fresh, Refused>,
        used: Vec<Used>,
        now: SystemTime,
    ) -> Result<Arc<Token>, Refused> {
        self.fetches += 1;
        let refused = match outcome {
            Ok(Fresh { secret, lifetime }) => {
                let token = Arc::new(Token { secret, version: self.fetches, used });
                self.kept = Some(Kept::new(Arc::clone(&token), lifetime, now));
                self.refused = None;
                return Ok(token);
            }
            Err(refused) => refused,
        };
        // Who ran out of its own time has learnt nothing about the next one's.
        self.refused = Some(refused.clone()).filter(|refused| *refused != Refused::TooLate);
        let Some(kept) = self.kept.as_mut().filter(|kept| now < kept.ends) else { return Err(refused) };
        kept.renew = now + PAUSE;
        if kept.doubted && refused.is_no() { Err(refused) } else { Ok(Arc::clone(&kept.token)) }
    }
}

impl Kept {
    fn new(token: Arc<Token>, lifetime: Duration, now: SystemTime) -> Self {
        let lifetime = lifetime.min(LONGEST);
        let ends = now + lifetime;
        Self { token, renew: ends - EARLY.min(lifetime / 4), ends, doubted: false }
    }
}

#[cfg(test)]
mod tests;
