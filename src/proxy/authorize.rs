//! Stage 4: may this caller use this route?
//!
//! A rule that is new can be observed before it counts: whom it would deny is
//! let through, and the record says so. Nothing but the caller's class and
//! the route's condition can be observed.

use std::time::SystemTime;

use super::about::about;
use super::identify::{Caller, Proof};
use super::route::Found;
use super::transform::is_exactly;
use crate::body::jq::{About, Program};
use crate::wire::problem::Kind;
use crate::wire::{Problem, Request};

/// Who may use a route: a list of caller classes, first fit first.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its name in the file.
    pub name: String,
    /// Whether nothing has to be proven.
    pub anonymous: bool,
    /// Whether those who do not prove it are let in all the same, and told of in the record.
    pub observe: bool,
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

    /// The class that lets a caller in; and the denial, where it only observes.
    fn admit(&self, caller: &Caller) -> Result<(&str, Option<Kind>), Problem> {
        let fits = |class: &&Class| match caller.proof() {
            Proof::None => class.anonymous,
        };
        if let Some(class) = self.classes.iter().find(fits) {
            return Ok((&class.name, None));
        }
        let denied = Problem::new(Kind::TokenMissing, "this route is open to callers who show a token");
        match self.classes.iter().find(|class| class.observe) {
            Some(class) => Ok((&class.name, Some(denied.kind()))),
            None => Err(denied),
        }
    }
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
        caller: &Caller,
        request: &Request,
        now: SystemTime,
    ) -> Result<Grant<'r, 'p>, Problem> {
        let policy = &self.route.policy;
        let (class, unproven) = policy.admit(caller)?;
        let about = about(&self, request, class, now);
        let unmet = match &policy.when {
            Some(when) => when.judge(&about).await?,
            None => None,
        };
        Ok(Grant { found: self, about, class, would_deny: unproven.or(unmet) })
    }
}

impl<'r> Grant<'r, '_> {
    /// The class of caller that it was granted to.
    pub fn class(&self) -> &'r str {
        self.class
    }

    /// What it would have been refused with, were that not only observed.
    pub fn would_deny(&self) -> Option<Kind> {
        self.would_deny
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::identify::identify;
    use crate::proxy::tests::request;

    #[test]
    fn a_route_is_open_to_the_classes_it_names() {
        let nobody = identify(&request("GET", "/"));
        let check = |classes: &[(&str, bool, bool)], expected: Result<(&str, Option<Kind>), Kind>| {
            let class = |&(name, anonymous, observe): &(&str, bool, bool)| Class {
                name: name.to_owned(),
                anonymous,
                observe,
            };
            let policy = Policy::new(classes.iter().map(class).collect(), None);
            assert_eq!(policy.admit(&nobody).map_err(|denied| denied.kind()), expected, "{classes:?}");
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
