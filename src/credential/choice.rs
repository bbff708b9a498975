//! Which recipes a call is armed with: all of a list, or those of the first
//! entry that is for this caller and this request.

use super::Credential;
use crate::body::Val;
use crate::body::jq::{About, Failed, Program};
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// All that an upstream declares: nothing, or entries of which the first that fits applies.
#[derive(Default)]
pub struct Credentials(Vec<Choice>);

/// Recipes that apply together, and to whom.
pub struct Choice {
    /// The classes of caller that they are for; `None`: all.
    pub callers: Option<Vec<String>>,
    /// What must hold of the request.
    pub when: Option<Program>,
    /// The recipes.
    pub recipes: Vec<Credential>,
}

impl Credentials {
    /// Entries, in the order of the file.
    pub fn new(choices: Vec<Choice>) -> Self {
        Self(choices)
    }

    /// Every recipe, whomever it is for.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.0.iter().flat_map(|choice| &choice.recipes)
    }

    /// Whether `$request` is worth making for it.
    pub fn asks(&self) -> bool {
        self.0.iter().any(|choice| choice.when.is_some())
    }

    /// The recipes for a call: those of the first entry that fits, and none
    /// where nothing is declared. `class`: the class of the caller.
    ///
    /// # Errors
    /// `condition_not_met`: no entry fits, or a condition cannot be judged. To
    /// pass over that one could arm the call with more than it was meant to have.
    pub async fn choose(&self, class: &str, about: &About) -> Result<&[Credential], Problem> {
        for choice in &self.0 {
            if choice.is_for(class) && choice.holds(about).await? {
                return Ok(&choice.recipes);
            }
        }
        if self.0.is_empty() { Ok(&[]) } else { Err(denied("no entry of `credential` fits")) }
    }
}

impl Choice {
    fn is_for(&self, class: &str) -> bool {
        self.callers.as_ref().is_none_or(|callers| callers.iter().any(|caller| caller == class))
    }

    async fn holds(&self, about: &About) -> Result<bool, Problem> {
        let Some(when) = &self.when else { return Ok(true) };
        match when.run(about.request.clone(), about.clone()).await {
            Ok(values) => match values.as_slice() {
                [value] => Ok(matches!(value, Val::Bool(true))),
                _ => Err(denied(&format!("`when` of a credential gave {} values", values.len()))),
            },
            Err(failed @ Failed::Endless) => Err(denied(&failed.to_string()).last()),
            Err(failed) => Err(denied(&failed.to_string())),
        }
    }
}

fn denied(why: &str) -> Problem {
    Problem::new(Kind::ConditionNotMet, "there is no credential for such a call").because(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::jq::Message;
    use crate::body::json;

    fn entry(callers: &[&str], when: &str, name: &str) -> Choice {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Choice {
            callers: (!callers.is_empty()).then(|| named(callers)),
            when: (!when.is_empty()).then(|| Program::new(when, Message::Request)),
            recipes: vec![Credential::Bearer(name.parse().unwrap())],
        }
    }

    #[tokio::test]
    async fn the_first_entry_that_fits_applies() {
        let post = ".method == \"POST\"";
        let check = async |choices: Vec<Choice>, class: &str, expected: Result<&[&str], Kind>| {
            let request = json::read(&r#"{"method":"POST"}"#.into()).unwrap().value();
            let about = About { request, status: None, now: 0.0 };
            let credentials = Credentials::new(choices);
            let chosen = credentials.choose(class, &about).await;
            let chosen = chosen.as_ref().map(|recipes| recipes.iter().map(Credential::names).collect());
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            let chosen: Result<Vec<String>, Kind> = chosen.map_err(Problem::kind);
            assert_eq!(chosen, expected, "{class}");
        };
        let site = || entry(&["site"], "", "a");
        check(vec![], "site", Ok(&[])).await;
        check(vec![entry(&[], "", "a")], "site", Ok(&["a"])).await;
        check(vec![site(), entry(&["shop"], "", "b")], "shop", Ok(&["b"])).await;
        check(vec![site(), entry(&[], "", "b")], "site", Ok(&["a"])).await;
        check(vec![site(), entry(&[], "", "b")], "shop", Ok(&["b"])).await;
        check(vec![site()], "shop", Err(Kind::ConditionNotMet)).await;
        check(vec![entry(&["site"], post, "a"), entry(&[], "", "b")], "site", Ok(&["a"])).await;
        check(vec![entry(&["site"], post, "a"), entry(&[], "", "b")], "shop", Ok(&["b"])).await;
        check(vec![entry(&[], "$request.method == \"PUT\"", "a"), site()], "site", Ok(&["a"])).await;
        // What is not exactly true does not hold.
        for when in ["false", "null", "1", ".method"] {
            check(vec![entry(&[], when, "b"), entry(&[], "", "a")], "site", Ok(&["a"])).await;
            check(vec![entry(&[], when, "b")], "site", Err(Kind::ConditionNotMet)).await;
        }
        // And what cannot be judged ends the call.
        for when in ["error", ".method.x", "empty", "true, true", "nosuch"] {
            check(vec![entry(&[], when, "b"), entry(&[], "", "a")], "site", Err(Kind::ConditionNotMet)).await;
        }
    }
}
