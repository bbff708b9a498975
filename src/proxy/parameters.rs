//! Query parameters with schemas: each value is read as the type that its
//! schema names, and judged. What goes upstream stays as it was sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::validate::{place, unplaced};
use crate::body::schema::{Files, Schema, escaped};
use crate::body::{Doc, Val, json};
use crate::wire::Problem;
use crate::wire::problem::{Kind, Place};

/// Said where a parameter is repeated that is no list: which one the upstream
/// would take, nobody knows.
const ONCE: &str = "must be sent once";

/// The parameters that may be sent, and what their values must look like.
pub struct Parameters {
    declared: BTreeMap<String, Type>,
    /// All of them, as the properties of one object.
    schema: Schema,
}

/// How the text of a parameter is read before it is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Type {
    /// Whether it may be sent more than once.
    list: bool,
    number: bool,
    /// Whether only whole ones.
    whole: bool,
    boolean: bool,
}

impl Parameters {
    /// Takes names and schemas. `required: true` in one is our own word, and
    /// says that the parameter must be sent.
    pub fn new(schemas: BTreeMap<String, Value>, files: Arc<Files>) -> Self {
        let (mut properties, mut required, mut declared) = (Map::new(), Vec::new(), BTreeMap::new());
        for (name, mut schema) in schemas {
            if schema.get("required").is_some_and(Value::is_boolean) {
                let must = schema.as_object_mut().and_then(|map| map.remove("required"));
                required.extend((must == Some(Value::Bool(true))).then(|| Value::String(name.clone())));
            }
            declared.insert(name.clone(), Type::of(&schema));
            properties.insert(name, schema);
        }
        let document = serde_json::json!({ "properties": properties, "required": required });
        Self { declared, schema: Schema::new("", document, files) }
    }

    /// The names of all.
    pub fn names(&self) -> Vec<String> {
        self.declared.keys().cloned().collect()
    }

    /// The schema that judges them all.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Judges what was sent; every parameter is known to be declared.
    pub(super) async fn check(&self, sent: &[(String, String)]) -> Result<(), Problem> {
        let mut values = Vec::new();
        let mut errors = Vec::new();
        for (name, kind) in &self.declared {
            let texts = sent.iter().filter(|(key, _)| key == name);
            let mut read: Vec<Val> = texts.map(|(_, text)| kind.read(text)).collect();
            let value = match read.len() {
                0 => continue,
                _ if kind.list => read.into_iter().collect(),
                1 => read.swap_remove(0),
                _ => {
                    errors.push(Place { pointer: format!("/{}", escaped(name)), detail: ONCE.to_owned() });
                    continue;
                }
            };
            values.push((Val::utf8_str(name.clone()), value));
        }
        let unplaced = "a query parameter is not as this route takes it, and it takes too long to say which";
        let all = Doc::of(&Val::obj(values.into_iter().collect()));
        let all =
            all.map_err(|why| Problem::new(Kind::QueryNotAllowed, format!("the query is not read: {why}")))?;
        let violations = self.schema.validate(all.root()).await;
        let violations = violations.map_err(|why| self::unplaced(&why, Kind::QueryNotAllowed, unplaced))?;
        // One that was sent twice is not judged, and not missing either.
        let twice = errors.len();
        for place in violations.into_iter().map(place) {
            if !errors.iter().take(twice).any(|known| known.pointer == place.pointer) {
                errors.push(place);
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        let detail =
            "a query parameter is not as this route takes it; `errors` says which, and what it must be";
        Err(Problem::new(Kind::QueryNotAllowed, detail).errors(errors))
    }
}

impl Type {
    fn of(schema: &Value) -> Self {
        let list = names(schema, "array");
        let one = if list { schema.get("items").unwrap_or(&Value::Null) } else { schema };
        let (integer, number) = (names(one, "integer"), names(one, "number"));
        Self { list, number: integer || number, whole: integer && !number, boolean: names(one, "boolean") }
    }

    /// Text that is no such number, or no truth value, stays text, and the
    /// schema says what is wrong with it.
    fn read(self, text: &str) -> Val {
        match text {
            "true" if self.boolean => return Val::Bool(true),
            "false" if self.boolean => return Val::Bool(false),
            _ => {}
        }
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        // `1e3` is 1000 to JSON, and 1 to others.
        let odd = |c: char| c.is_ascii_whitespace() || (self.whole && !c.is_ascii_digit() && c != '-');
        let is_bare = !text.contains(odd);
        if self.number
            && is_bare
            && let Ok(Val::Num(number)) = json::read(&bytes).map(|doc| doc.value())
        {
            return Val::Num(number);
        }
        Val::utf8_str(bytes)
    }
}

/// Whether a schema's `type` names a type.
fn names(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(many)) => many.iter().any(|one| one == name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn told(query: &str) -> Vec<String> {
        let schemas = json!({
            "page": { "type": "integer", "minimum": 1, "maximum": 100 },
            "q": { "type": "string", "minLength": 1, "required": true },
            "price": { "type": ["number", "null"] },
            "open": { "type": "boolean" },
            "id": { "type": "array", "items": { "type": "integer" }, "maxItems": 2 },
            "any": {},
        });
        let schemas = schemas.as_object().unwrap().clone().into_iter().collect();
        let parameters = Parameters::new(schemas, Arc::default());
        assert_eq!(parameters.schema().faults(), []);
        let sent: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let Err(problem) = parameters.check(&sent).await else { return Vec::new() };
        assert_eq!(problem.kind(), Kind::QueryNotAllowed);
        let body: Value = serde_json::from_slice(problem.answer("r-1").body()).unwrap();
        let errors = body["errors"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        errors.map(|error| format!("{} {}", text(&error["pointer"]), text(&error["detail"]))).collect()
    }

    #[tokio::test]
    async fn a_parameter_is_read_as_its_type_says() {
        let check = async |query: &str, expected: &[&str]| assert_eq!(told(query).await, expected, "{query}");
        check("q=x", &[]).await;
        check("q=5&page=100&price=1.5&open=true&id=1&id=2&any=%7B", &[]).await;
        check("", &["/q is missing"]).await;
        check("q=", &["/q must not be empty"]).await;
        for page in ["", "x", "1.5", "%205", "0x5", "+5", "05", "true"] {
            check(&format!("q=x&page={page}"), &["/page must be a whole number"]).await;
        }
        check("q=x&page=101", &["/page must be at most 100"]).await;
        check("q=x&page=99999999999999999999999", &["/page must be at most 100"]).await;
        check("q=x&page=1e400", &["/page must be a whole number"]).await;
        check("q=x&price=free", &["/price must be null or a number"]).await;
        check("q=x&open=1", &["/open must be true or false"]).await;
        check("q=x&id=1&id=b", &["/id/1 must be a whole number"]).await;
        check("q=x&id=1&id=2&id=3", &["/id must hold at most 2 items"]).await;
        check("q=x&q=y&page=0", &["/q must be sent once", "/page must be at least 1"]).await;
    }
}
