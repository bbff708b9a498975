//! Stage 4: may this caller use this route?

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
    when: Option<Program>,
}

/// A kind of caller that the file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its name in the file.
    pub name: String,
    /// Whether nothing has to be proven.
    pub anonymous: bool,
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
}

impl Policy {
    /// Open to these classes of caller, for requests of which `when` is true.
    pub fn new(classes: Vec<Class>, when: Option<Program>) -> Self {
        Self { classes, when }
    }

    /// Whether more than the caller's class decides.
    pub fn has_condition(&self) -> bool {
        self.when.is_some()
    }

    /// The class that lets a caller in.
    fn admit(&self, caller: &Caller) -> Result<&str, Problem> {
        let fits = |class: &&Class| match caller.proof() {
            Proof::None => class.anonymous,
        };
        match self.classes.iter().find(fits) {
            Some(class) => Ok(&class.name),
            None => Err(Problem::new(Kind::TokenMissing, "this route is open to callers who show a token")),
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
        let class = policy.admit(caller)?;
        let about = about(&self, request, class, now);
        if let Some(when) = &policy.when {
            is_exactly(when, about.request.clone(), about.clone(), true).await?;
        }
        Ok(Grant { found: self, about, class })
    }
}

impl<'r> Grant<'r, '_> {
    /// The class of caller that it was granted to.
    pub fn class(&self) -> &'r str {
        self.class
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
        let class = |name: &str, anonymous| Class { name: name.to_owned(), anonymous };
        let open = Policy::new(vec![class("workspace", false), class("website", true)], None);
        assert_eq!(open.admit(&nobody).unwrap(), "website");
        let closed = Policy::new(vec![class("workspace", false)], None);
        assert_eq!(closed.admit(&nobody).unwrap_err().kind(), Kind::TokenMissing);
    }
}
