//! What is only observed: that there is something to observe, and that
//! nobody forgets it. Only who calls and a route's `when` can be: all else
//! that denies stands in the file without the word, and the reader refuses it.

use super::Flaws;
use crate::config::declared::{Caller, Condition, Declared, Route, When};
use crate::config::fields::Parsed;
use crate::config::tree::At;

/// `at` is where a caller stands.
pub(super) fn caller(caller: &Caller, at: &At<'_>, flaws: &mut Flaws) {
    if caller.anonymous && caller.observe {
        let what = "anybody is let in here already, so there is no denial to observe";
        flaws.note(&at.key("observe"), what, "remove it; a route's `when` can be observed");
    }
}

/// `at` is where a route stands.
pub(super) fn condition(route: &Route, at: &At<'_>, flaws: &mut Flaws) {
    if let Some(When::Condition(Condition { program: None, .. })) = &route.when {
        let help = "write `program:` and a jq program";
        flaws.missing(&at.key("when").key("program"), "it is not said what must hold", help);
    }
}

/// Says of each rule that is only observed that it protects nothing.
pub(super) fn warn(declared: &Declared, root: &At<'_>, warnings: &mut Flaws) {
    let (what, help) =
        ("this denies nothing, and is only recorded", "remove it once the records are as they should be");
    let (callers, routes) = (root.key("callers"), root.key("routes"));
    for (name, _) in declared.callers.iter().filter(|(_, caller)| caller.observe) {
        warnings.note(&callers.key(name).key("observe"), what, help);
    }
    for (Parsed(key), route) in &declared.routes {
        if route.when.as_ref().is_some_and(|when| when.parts().1) {
            warnings.note(&routes.key(key.text()).key("when").key("observe"), what, help);
        }
    }
}
