//! Stage 4: may this caller use this route?
//!
//! A rule that is new can be observed before it counts: whom it would deny is
//! let through, and the record says so. Nothing but the caller's class and
//! the route's condition can be observed.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;

use super::about::about;
use super::identify::{Caller, Proof};
use super::route::Found;
use super::transform::is_exactly;
use crate::body::jq::{About, Program};
use crate::identity::rule::{Miss, Rule};
use crate::identity::{Reason, Refusal, Verified};
use crate::wire::problem::Kind;
use crate::wire::{Problem, Request};

/// Who may use a route: classes of callers, of which a token must fit one, and no more.
pub struct Policy {
    classes: Vec<Class>,
    /// What must hold of the request.
    when: Option<Condition>,
}

/// What must hold of a request.
pub struct Condition {
    /// Must give exactly `true`.
    pub program: Program,
    /// Whether it only says whom it would deny.
    pub observe: bool,
}

/// A kind of caller that the file declares.
#[derive(Debug, Clone)]
pub struct Class {
    /// Its name in the file.
    pub name: String,
    /// Whether nothing has to be proven.
    pub anonymous: bool,
    /// What their token must say; `None`: they show none.
    pub rule: Option<Rule>,
    /// Whether those who do not prove it are let in all the same, and told of in the record.
    pub observe: bool,
}

/// As what a caller is let in.
#[derive(Debug, PartialEq, Eq)]
struct Admitted<'r> {
    class: &'r str,
    /// Who has issued their token, and whom the record holds accountable.
    issuer: Option<&'r str>,
    human: Option<String>,
    /// The denial, where it is only observed.
    would_deny: Option<Kind>,
}

/// Proof that a caller may use a route, once. Only [`Found::authorize`] makes
/// one, and no credential is injected without one.
///
/// A grant is used up by the request that it was given for:
///
/// ```compile_fail
/// use countersign::proxy::authorize::Grant;
/// fn twice<'r>(grant: Grant<'r, 'r>) -> [Grant<'r, 'r>; 2] {
///     [grant.clone(), grant]
/// }
/// ```
///
/// and no credential goes with a request that was not validated:
///
/// ```compile_fail
/// use countersign::{credential::Means, proxy::authorize::Grant};
/// async fn hasty(grant: Grant<'_, '_>, means: &Means<'_>) {
///     let _ = grant.inject(means).await;
/// }
/// ```
pub struct Grant<'r, 'p> {
    pub(super) found: Found<'r, 'p>,
    pub(super) about: About,
    pub(super) class: &'r str,
    pub(super) issuer: Option<&'r str>,
    pub(super) human: Option<String>,
    /// The first denial that was only observed.
    pub(super) would_deny: Option<Kind>,
}

impl Policy {
    /// Open to these classes of caller, for requests of which `when` is true.
    pub fn new(classes: Vec<Class>, when: Option<Condition>) -> Self {
        Self { classes, when }
    }

    /// Whether more than the caller's class decides.
    pub fn has_condition(&self) -> bool {
        self.when.is_some()
    }

    /// Whether somebody may get in by a token.
    pub fn wants_proof(&self) -> bool {
        self.classes.iter().any(|class| class.rule.is_some())
    }

    /// As what a caller is let in: a class that they have proven comes before one that
    /// wants no proof, and that before one that only observes.
    fn admit(&self, caller: &Caller<'_>, now: SystemTime) -> Result<Admitted<'_>, Problem> {
        let denied = match caller.proof() {
            Proof::None => unproven(),
            Proof::Refused(refusal) => refused(refusal),
            Proof::Token(token) => match self.prove(token, now) {
                Ok(admitted) => return Ok(admitted),
                Err(denied) => denied,
            },
        };
        // Who shows nothing, or a good token that no rule is for, is still anybody. Whoever
        // shows one that is not good is told so, also where anybody may call.
        let is_anybody = match denied.kind() {
            Kind::TokenMissing => true,
            Kind::CallerNotAllowed => denied.finer() != Some(Reason::AmbiguousRule.as_str()),
            _ => false,
        };
        let anybody = self.classes.iter().find(|class| class.anonymous);
        let observing = self.classes.iter().find(|class| class.observe);
        match (anybody, observing) {
            (Some(class), _) if is_anybody => Ok(Admitted::unproven(class, None)),
            // Never as more than anybody, where there is such a class.
            (Some(class), Some(_)) | (None, Some(class)) => {
                Ok(Admitted::unproven(class, Some(denied.kind())))
            }
            (_, None) => Err(denied),
        }
    }

    /// The one class whose rule a token fits.
    fn prove(&self, token: &Verified<'_>, now: SystemTime) -> Result<Admitted<'_>, Problem> {
        let rules = self.classes.iter().filter_map(|class| Some((class, class.rule.as_ref()?)));
        let (mut fitting, mut misses) = (Vec::new(), Vec::new());
        for (class, rule) in rules.filter(|(_, rule)| rule.issuer == token.issuer) {
            match rule.judge(&token.claims).and_then(|()| rule.human(&token.claims)) {
                Ok(human) => fitting.push((class, rule, human)),
                Err(miss) => misses.push((class, miss)),
            }
        }
        if let [_, _, ..] = fitting.as_slice() {
            let names: Vec<&str> = fitting.iter().map(|(class, ..)| class.name.as_str()).collect();
            return Err(ambiguous(&names));
        }
        let Some((class, rule, human)) = fitting.pop() else { return Err(stranger(misses.first(), token)) };
        let age = token.claims.age(now);
        if rule.max_age.is_some_and(|most| most < age) {
            return Err(too_old(age));
        }
        Ok(Admitted { class: &class.name, issuer: Some(&rule.issuer), human, would_deny: None })
    }
}

impl<'r> Admitted<'r> {
    fn unproven(class: &'r Class, would_deny: Option<Kind>) -> Self {
        Self { class: &class.name, issuer: None, human: None, would_deny }
    }
}

/// RFC 6750 §3: without a word where nothing was shown.
fn unproven() -> Problem {
    Problem::new(Kind::TokenMissing, "this route is open to callers who show a token")
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// The caller is told as much as the refusal says; the record also what was expected.
fn refused(refusal: &Refusal) -> Problem {
    let kind = match refusal.code {
        Reason::KeysUnavailable => Kind::IssuerUnavailable,
        _ => Kind::TokenInvalid,
    };
    let problem = invalid(kind, refusal.detail.clone(), refusal.code.as_str());
    match &refusal.cause {
        Some(cause) => problem.because(cause),
        None => problem,
    }
}

fn too_old(age: Duration) -> Problem {
    let detail = format!("the token was issued {} s ago, which is too long; show a fresh one", age.as_secs());
    invalid(Kind::TokenInvalid, detail, Reason::TooOld.as_str())
}

fn invalid(kind: Kind, detail: String, reason: &'static str) -> Problem {
    let problem = Problem::new(kind, detail).reason(reason);
    match kind {
        Kind::TokenInvalid => {
            problem.with(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer error="invalid_token""#))
        }
        _ => problem,
    }
}

/// Of the first rule that it does not fit, the caller's own claim.
fn stranger(miss: Option<&(&Class, Miss)>, token: &Verified<'_>) -> Problem {
    let Some((class, miss)) = miss else {
        return Problem::new(
            Kind::CallerNotAllowed,
            "this route is not open to callers of the token's issuer",
        )
        .because(format!("issuer `{}`", token.issuer));
    };
    let detail = match &miss.value {
        Some(value) => format!("the token's `{}` is {value}, and this route is for others", miss.claim),
        None => format!("the token has no claim `{}`", miss.claim),
    };
    let wanted = class.rule.iter().flat_map(|rule| &rule.matches).find(|wanted| wanted.claim == miss.claim);
    let wanted = wanted.map_or_else(|| "to name the human".to_owned(), |wanted| wanted.test.to_string());
    let got = miss.value.as_deref().unwrap_or("nothing");
    Problem::new(Kind::CallerNotAllowed, detail)
        .reason(miss.reason.code())
        .because(format!("caller `{}` wants `{}` {wanted}, and it is {got}", class.name, miss.claim))
}

/// Grants do not depend on an order.
fn ambiguous(names: &[&str]) -> Problem {
    Problem::new(Kind::CallerNotAllowed, "the token fits several callers, and must fit one")
        .reason(Reason::AmbiguousRule.as_str())
        .because(format!("it fits the rules of {}", names.join(", ")))
}

impl Condition {
    /// Whether it holds; the denial, where it only observes. A program that has
    /// to be abandoned costs the environment, so it denies either way.
    async fn judge(&self, about: &About) -> Result<Option<Kind>, Problem> {
        match is_exactly(&self.program, about.request.clone(), about.clone(), true).await {
            Ok(()) => Ok(None),
            Err(denied) if self.observe && !denied.is_last() => Ok(Some(denied.kind())),
            Err(denied) => Err(denied),
        }
    }
}

impl<'r, 'p> Found<'r, 'p> {
    /// Grants the route to a caller who fits one of its classes, where its
    /// condition holds.
    pub async fn authorize(
        self,
        caller: &Caller<'_>,
        request: &Request,
        now: SystemTime,
    ) -> Result<Grant<'r, 'p>, Problem> {
        let policy = &self.route.policy;
        let Admitted { class, issuer, human, would_deny } = policy.admit(caller, now)?;
        let about = about(&self, request, class, now);
        let unmet = match &policy.when {
            Some(when) => when.judge(&about).await?,
            None => None,
        };
        Ok(Grant { found: self, about, class, issuer, human, would_deny: would_deny.or(unmet) })
    }
}

impl<'r> Grant<'r, '_> {
    /// The class of caller that it was granted to.
    pub fn class(&self) -> &'r str {
        self.class
    }

    /// Our name for the issuer of the token that was shown, where one was wanted.
    pub fn issuer(&self) -> Option<&'r str> {
        self.issuer
    }

    /// Whom the record holds accountable.
    pub fn human(&self) -> Option<&str> {
        self.human.as_deref()
    }

    /// What it would have been refused with, were that not only observed.
    pub fn would_deny(&self) -> Option<Kind> {
        self.would_deny
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_open_to_the_classes_it_names() {
        let nobody = Caller::nobody();
        let check = |classes: &[(&str, bool, bool)], expected: Result<(&str, Option<Kind>), Kind>| {
            let class = |&(name, anonymous, observe): &(&str, bool, bool)| Class {
                name: name.to_owned(),
                anonymous,
                rule: None,
                observe,
            };
            let policy = Policy::new(classes.iter().map(class).collect(), None);
            let admitted = policy.admit(&nobody, SystemTime::UNIX_EPOCH);
            let told = admitted.map(|admitted| (admitted.class, admitted.would_deny));
            assert_eq!(told.map_err(|denied| denied.kind()), expected, "{classes:?}");
        };
        let (closed, open, observed) = (("tool", false, false), ("site", true, false), ("new", false, true));
        check(&[closed, open], Ok(("site", None)));
        check(&[closed], Err(Kind::TokenMissing));
        check(&[], Err(Kind::TokenMissing));
        check(&[closed, observed], Ok(("new", Some(Kind::TokenMissing))));
        // Whom a class fits is no case for one that is only observed.
        check(&[observed, open], Ok(("site", None)));
    }
}
