//! One call, in a crate of its own so that it is built for size: what it
//! instantiates of `jsonschema` is then shared with what that crate has
//! instantiated for itself, and not a megabyte of code that is there twice.

use std::sync::Arc;

use jsonschema::{Retrieve, ValidationError, ValidationOptions, Validator};
use serde_json::Value;

/// [`ValidationOptions::build`].
///
/// # Errors
/// What is wrong with the schema.
pub fn build(
    options: &ValidationOptions<'_, Arc<dyn Retrieve>>,
    schema: &Value,
) -> Result<Validator, ValidationError<'static>> {
    options.build(schema)
}
