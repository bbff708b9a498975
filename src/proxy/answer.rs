//! Holds an upstream's answer against the route's schema. What does not fit
//! is not shown; where it does not fit is kept for the record.

use super::validate::{faulty, unplaced};
use crate::body::Doc;
use crate::body::doc::At;
use crate::body::schema::{Schema, Violation};
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// More places than these are counted only.
const MOST_PLACES: usize = 5;
/// An upstream's field may have a name of a megabyte.
const LONGEST_PLACE: usize = 100;

/// Lets an answer pass that fits the route's `response.schema`.
///
/// # Errors
/// `upstream_invalid`; its cause names places and keywords, and no values.
pub async fn check(schema: &Schema, answer: At<'_>) -> Result<(), Problem> {
    let detail = "the upstream's answer is not what this route promises";
    let violations = schema.validate(answer).await;
    let violations = violations.map_err(|why| unplaced(&why, Kind::UpstreamInvalid, detail))?;
    if violations.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Kind::UpstreamInvalid, detail).because(places(&violations)))
}

/// Leaves of an answer what the route's `response.schema` declares: JSON, each
/// value on a line.
///
/// # Errors
/// `internal`, where the schema is no schema.
pub fn project(schema: &Schema, answer: &Doc) -> Result<Vec<u8>, Problem> {
    schema.project(answer).map_err(|fault| faulty(&fault))
}

fn places(violations: &[Violation]) -> String {
    let named = violations.iter().take(MOST_PLACES).map(|Violation { pointer, keyword, .. }| {
        let mut place: String = pointer.chars().take(LONGEST_PLACE).collect();
        if place.len() < pointer.len() {
            place.push('…');
        }
        format!("{} ({keyword})", if place.is_empty() { "the answer" } else { &place })
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = violations.len().saturating_sub(MOST_PLACES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("response.schema: {named}{more}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::body::json;

    fn doc(text: &str) -> Doc {
        json::read(&bytes::Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[tokio::test]
    async fn the_record_says_where_an_answer_does_not_fit_and_nobody_says_what_it_was() {
        let document = json!({ "required": ["id"], "properties": { "name": { "maxLength": 3 } } });
        let schema = Schema::new("", document, Arc::default());
        assert!(check(&schema, doc(r#"{"id":1,"name":"abc"}"#).root()).await.is_ok());
        let problem = check(&schema, doc(r#"{"name":"hidden"}"#).root()).await.unwrap_err();
        assert_eq!(problem.kind(), Kind::UpstreamInvalid);
        let cause = problem.cause().unwrap();
        assert!(cause.contains("/id (required)") && cause.contains("/name (maxLength)"), "{cause}");
        let shown = String::from_utf8_lossy(problem.answer("r-1").body()).into_owned();
        assert!(!cause.contains("hidden") && !shown.contains("name") && !shown.contains("hidden"), "{shown}");
    }

    #[tokio::test]
    async fn many_places_are_counted() {
        let schema = Schema::new("", json!({ "items": { "type": "null" } }), Arc::default());
        let problem = check(&schema, doc("[1,2,3,4,5,6,7]").root()).await.unwrap_err();
        assert!(problem.cause().unwrap().ends_with("/4 (type) and 2 more"), "{:?}", problem.cause());
        let schema = Schema::new("", json!({ "additionalProperties": false }), Arc::default());
        let answer = doc(&format!("{{\"{}\":null}}", "é".repeat(1000)));
        assert!(check(&schema, answer.root()).await.unwrap_err().cause().unwrap().chars().count() < 200);
    }

    #[tokio::test]
    async fn a_schema_that_is_none_is_our_own_fault() {
        let schema = Schema::new("", json!({ "$ref": "#/nowhere" }), Arc::default());
        for problem in [check(&schema, Doc::null().root()).await.err(), project(&schema, &Doc::null()).err()]
        {
            assert_eq!(problem.map(|problem| problem.kind()), Some(Kind::Internal));
        }
    }
}
