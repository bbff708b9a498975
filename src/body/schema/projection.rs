//! What a schema declares, and a value with nothing else in it: so a field
//! that a provider adds tomorrow does not leave by itself.
//!
//! Declared is what is named, also in one of several forms: `properties`,
//! `patternProperties`, and other fields only where a schema says what they
//! are. `true`, `{}` and silence declare nothing.

use std::collections::{BTreeSet, HashMap};

use jsonschema::{Draft, ReferencingError, Registry, Validator, uri};
use serde_json::{Map, Value};

use crate::body::doc::{At, What};
use crate::body::json::{Unwritable, Writer};

/// A schema's declarations, its references followed.
pub struct Projection(Vec<Shape>);

/// The declarations of one schema within it; others are named by their index.
#[derive(Default)]
struct Shape {
    fields: HashMap<String, usize>,
    patterns: Vec<(Validator, usize)>,
    /// What is said of fields that are not named.
    others: Vec<usize>,
    /// What is said of the first items, one by one, and of all.
    first: Vec<usize>,
    items: Vec<usize>,
    /// The schemas that speak of the same value: `allOf`, `$ref` and their like.
    same: Vec<usize>,
}

impl Projection {
    /// Reads the document at `base`, and all that it refers to.
    pub fn new(registry: &Registry<'_>, base: &str) -> Result<Self, ReferencingError> {
        let mut reading = Reading { registry, known: HashMap::new(), shapes: Vec::new() };
        reading.refer("#", base)?;
        Ok(Self(reading.shapes))
    }

    /// What is declared of a value is written. Scalars and lists stay; of
    /// objects, the declared fields do.
    pub fn write(&self, value: At<'_>, out: &mut Writer<'_>) -> Result<(), Unwritable> {
        self.keep(value, &self.together([0]), out)
    }

    /// Each call goes one level down the value, so it ends with the value,
    /// whatever circles the schema goes in.
    fn keep(&self, value: At<'_>, shapes: &BTreeSet<usize>, out: &mut Writer<'_>) -> Result<(), Unwritable> {
        match value.what() {
            What::Map(entries) => {
                let declared = entries.filter_map(|(key, value)| {
                    let inner = self.field(key, shapes);
                    (!inner.is_empty()).then_some((key, value, inner))
                });
                out.all(*b"{}", declared, |(key, value, inner), out| {
                    key.write_key(out)?;
                    self.keep(value, &inner, out)
                })
            }
            What::List(items) => out.all(*b"[]", items.enumerate(), |(index, item), out| {
                self.keep(item, &self.item(index, shapes), out)
            }),
            _ => value.write(out),
        }
    }

    /// What is declared of a field; nothing: it is not.
    fn field(&self, key: At<'_>, shapes: &BTreeSet<usize>) -> BTreeSet<usize> {
        let What::Text(name) = key.what() else { return BTreeSet::new() };
        let Ok(name) = std::str::from_utf8(name) else { return BTreeSet::new() };
        self.together(self.shapes(shapes).flat_map(|shape| shape.field(name)))
    }

    fn item(&self, index: usize, shapes: &BTreeSet<usize>) -> BTreeSet<usize> {
        let each = self.shapes(shapes).flat_map(|shape| match shape.first.get(index) {
            Some(first) => std::slice::from_ref(first),
            None => shape.items.as_slice(),
        });
        self.together(each.copied())
    }

    fn shapes<'p>(&'p self, shapes: &'p BTreeSet<usize>) -> impl Iterator<Item = &'p Shape> {
        shapes.iter().filter_map(|index| self.0.get(*index))
    }

    /// These, and all that speak of the same value.
    fn together(&self, shapes: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut next: Vec<usize> = shapes.into_iter().collect();
        while let Some(index) = next.pop() {
            if all.insert(index) {
                next.extend(self.0.get(index).map(|shape| shape.same.as_slice()).unwrap_or_default());
            }
        }
        all
    }
}

impl Shape {
    fn field(&self, name: &str) -> Vec<usize> {
        let named = self.fields.get(name).copied();
        let text = Value::from(name);
        let like = self.patterns.iter().filter(|(pattern, _)| pattern.is_valid(&text));
        let like = like.map(|(_, index)| *index);
        let known: Vec<usize> = named.into_iter().chain(like).collect();
        if known.is_empty() { self.others.clone() } else { known }
    }
}

/// What has been read so far.
struct Reading<'r> {
    registry: &'r Registry<'r>,
    /// Schemas by where they lie in memory: one that refers to itself is read once.
    known: HashMap<*const Value, usize>,
    shapes: Vec<Shape>,
}

/// Where a schema stands: its draft, and the address that its references lead from.
#[derive(Clone)]
struct Standing {
    draft: Draft,
    base: String,
}

impl<'r> Reading<'r> {
    fn refer(&mut self, target: &str, base: &str) -> Result<usize, ReferencingError> {
        let resolved = self.registry.resolver(uri::from_str(base)?).lookup(target)?;
        let (schema, resolver, draft) = resolved.into_inner();
        self.read(schema, Standing { draft, base: resolver.base_uri().as_str().to_owned() })
    }

    fn read(&mut self, schema: &'r Value, mut standing: Standing) -> Result<usize, ReferencingError> {
        if let Some(index) = self.known.get(&std::ptr::from_ref(schema)) {
            return Ok(*index);
        }
        let index = self.shapes.len();
        self.known.insert(schema, index);
        self.shapes.push(Shape::default());
        if let Value::Object(map) = schema {
            let id = map.get(standing.draft.id_keyword()).and_then(Value::as_str);
            if let Some(id) = id.filter(|id| !id.starts_with('#')) {
                let base = uri::from_str(&standing.base)?;
                standing.base = uri::resolve_against(&base.borrow(), id)?.as_str().to_owned();
            }
            let shape = self.shape(map, &standing)?;
            if let Some(place) = self.shapes.get_mut(index) {
                *place = shape;
            }
        }
        Ok(index)
    }

    fn shape(&mut self, map: &'r Map<String, Value>, at: &Standing) -> Result<Shape, ReferencingError> {
        let mut shape = Shape::default();
        let get = |keyword: &str| map.get(keyword).filter(|_| at.draft.is_known_keyword(keyword));
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(Value::String(target)) = get(keyword) {
                shape.same.push(self.refer(target, &at.base)?);
            }
        }
        // Up to draft 7, what stands beside a reference is not read.
        if at.draft <= Draft::Draft7 && !shape.same.is_empty() {
            return Ok(shape);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for schema in get(keyword).and_then(Value::as_array).into_iter().flatten() {
                shape.same.push(self.read(schema, at.clone())?);
            }
        }
        for schema in ["if", "then", "else"].into_iter().filter_map(get) {
            shape.same.push(self.read(schema, at.clone())?);
        }
        for keyword in ["dependentSchemas", "dependencies"] {
            for (_, schema) in get(keyword).and_then(Value::as_object).into_iter().flatten() {
                shape.same.push(self.read(schema, at.clone())?);
            }
        }
        self.object(&mut shape, &get, at)?;
        self.array(&mut shape, &get, at)?;
        Ok(shape)
    }

    fn object(
        &mut self,
        shape: &mut Shape,
        get: &impl Fn(&str) -> Option<&'r Value>,
        at: &Standing,
    ) -> Result<(), ReferencingError> {
        let entries = |keyword| get(keyword).and_then(Value::as_object).into_iter().flatten();
        for (name, schema) in entries("properties").filter(|(_, schema)| **schema != Value::Bool(false)) {
            shape.fields.insert(name.clone(), self.read(schema, at.clone())?);
        }
        for (text, schema) in
            entries("patternProperties").filter(|(_, schema)| **schema != Value::Bool(false))
        {
            // One that does not compile declares nothing.
            if let Some(pattern) = pattern(text) {
                shape.patterns.push((pattern, self.read(schema, at.clone())?));
            }
        }
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            if let Some(schema) = get(keyword).filter(|schema| says_something(schema)) {
                shape.others.push(self.read(schema, at.clone())?);
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        shape: &mut Shape,
        get: &impl Fn(&str) -> Option<&'r Value>,
        at: &Standing,
    ) -> Result<(), ReferencingError> {
        for keyword in ["prefixItems", "items"] {
            for schema in get(keyword).and_then(Value::as_array).into_iter().flatten() {
                shape.first.push(self.read(schema, at.clone())?);
            }
        }
        for keyword in ["items", "additionalItems", "unevaluatedItems"] {
            if let Some(schema) = get(keyword).filter(|schema| schema.is_object()) {
                shape.items.push(self.read(schema, at.clone())?);
            }
        }
        Ok(())
    }
}

/// Whether a schema is one, and not `true`, `false` or `{}`.
fn says_something(schema: &Value) -> bool {
    schema.as_object().is_some_and(|map| !map.is_empty())
}

/// A pattern as the validator itself reads it.
fn pattern(text: &str) -> Option<Validator> {
    super::build(&super::options().with_draft(Draft::Draft7), &serde_json::json!({ "pattern": text })).ok()
}
