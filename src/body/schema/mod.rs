//! What a body must look like: JSON Schema, drafts 4 to 2020-12.
//!
//! A schema is compiled when it is first needed, and knows no files but those
//! it was given: nothing here reads a disk or asks the network. Patterns are
//! matched in linear time, and a judgement ends whatever the schema and the body:
//! what may take long is done apart, where it can be left behind.

mod projection;
mod refs;
mod sight;
mod copy;
mod unique;
mod words;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use countersign_judge::build;
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{
    Draft, PatternOptions, ReferencingError, Registry, Retrieve, Uri, ValidationError, Validator,
};
use serde_json::Value;

use super::apart::{self, Lost};
use crate::body::Doc;
use crate::body::doc::At;
use crate::body::json::Writer;

pub use refs::{Reference, Target, escaped, references};
pub use words::Violation;

use projection::Projection;
use sight::Sight;

/// More violations than these are counted only.
const MOST_VIOLATIONS: usize = 50;
/// Of a body with more values than these, the first violation is said only:
/// half a million wrong items are as many errors in memory.
const MOST_VALUES: usize = 10_000;
/// The largest program that one pattern may compile to, in bytes.
const LARGEST_PATTERN: usize = 10 << 20;
/// What files are called among themselves. Nothing answers to it.
const BASE: &str = "config:///";

/// The files that schemas refer to, by their paths beside the configuration.
pub type Files = BTreeMap<String, Value>;

/// What a body must look like.
pub struct Schema {
    name: String,
    document: Value,
    files: Arc<Files>,
    sight: OnceLock<Sight>,
    validator: OnceLock<Result<Arc<Validator>, Fault>>,
    projection: OnceLock<Result<Projection, Fault>>,
}

/// What is wrong with a schema itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file that it is in; empty for the document itself.
    pub file: String,
    /// The way to it there: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub help: String,
}

/// Why it is not said where a body does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unplaced {
    /// The schema itself is faulty: nobody knows whether the body fits.
    Faulty(Fault),
    /// The places came to no end within their time and memory. Somebody still
    /// looks for them, and only the end of the process ends that.
    Endless,
}

impl Fault {
    /// What the crate says of a schema that stands in `file`.
    fn new(file: &str, error: &ValidationError<'_>) -> Self {
        // A schema is itself the instance here.
        let mut pointer = error.instance_path().as_str();
        let (what, help) = match error.kind() {
            Kind::Format { format } if format == "regex" => (
                "this is no regular expression that is matched in linear time and bounded memory".to_owned(),
                "write it without look-around (`(?=`, `(?!`, `(?<`) and back-references (`\\1`), and without long repeats of large classes",
            ),
            _ => {
                let first = words::violations(error).into_iter().next();
                let detail = first.map(|violation| violation.detail).unwrap_or_default();
                (
                    format!("this is no JSON Schema: it {detail}"),
                    "see https://json-schema.org/understanding-json-schema",
                )
            }
        };
        // Patterns are compiled later, and there the schema is the schema.
        if pointer.is_empty() && matches!(error.kind(), Kind::Format { .. }) {
            pointer = error.schema_path().as_str();
        }
        Self { file: file.to_owned(), pointer: pointer.to_owned(), what, help: help.to_owned() }
    }
}

impl Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if self.file.is_empty() { "" } else { " in " };
        write!(f, "{}{file}{}: {}", self.pointer, self.file, self.what)
    }
}

impl Schema {
    /// A document, and all files that it refers to. `name` is the path of the
    /// document beside the configuration, from which its own references lead
    /// on; empty where it stands in the configuration itself.
    pub fn new(name: &str, document: Value, files: Arc<Files>) -> Self {
        let document = refs::without_id(document);
        Self {
            name: name.to_owned(),
            document,
            files,
            sight: OnceLock::new(),
            validator: OnceLock::new(),
            projection: OnceLock::new(),
        }
    }

    /// Compiles the schema. No faults: it may be used.
    pub fn faults(&self) -> Vec<Fault> {
        let errors = jsonschema::meta::validator_for(&self.document).map(|meta| {
            meta.iter_errors(&self.document).map(|error| Fault::new("", &error)).collect::<Vec<_>>()
        });
        match errors {
            Ok(faults) if !faults.is_empty() => faults,
            // What is left, the compiler says one by one.
            _ => self.validator().err().or_else(|| self.projection().err()).into_iter().collect(),
        }
    }

    /// The places where a body does not fit; none: it fits. After the first 50
    /// comes one that counts the others.
    ///
    /// # Errors
    /// It does not fit, or nobody can know, and there are no places.
    pub async fn validate(&self, body: At<'_>) -> Result<Vec<Violation>, Unplaced> {
        let validator = Arc::clone(self.validator().map_err(Unplaced::Faulty)?);
        let sight = self.sight.get_or_init(|| Sight::of(&self.document));
        let Some(copy) = copy::copy(body, sight, &mut { copy::HEAVIEST }) else {
            let (pointer, keyword) = (String::new(), String::new());
            return Ok(vec![Violation { pointer, keyword, detail: "holds too many values".to_owned() }]);
        };
        if validator.is_valid(&copy) {
            return Ok(Vec::new());
        }
        // The crate remembers verdicts and not errors: those of a schema that
        // branches at every level are too many for any memory.
        match apart::run(move |_| places(&validator, &copy)).await {
            Ok(violations) => Ok(violations),
            Err(Lost::Broken | Lost::Excessive) => Ok(bounded(std::iter::empty())),
            Err(Lost::Endless) => Err(Unplaced::Endless),
        }
    }

    /// What the schema declares of each value, one a line: all other fields are
    /// left out. Where it declares nothing of an object, nothing of that is left.
    ///
    /// # Errors
    /// The schema itself is faulty.
    pub fn project(&self, body: &Doc) -> Result<Vec<u8>, Fault> {
        let projection = self.projection()?;
        let mut out = Writer::new(usize::MAX);
        for value in body.values() {
            // What was read as JSON can be written as such.
            projection.write(value, &mut out).ok();
            out.end_line();
        }
        Ok(out.into_text())
    }

    fn validator(&self) -> Result<&Arc<Validator>, Fault> {
        let compile =
            || build(&options().with_base_uri(self.uri()).with_retriever(self.beside()), &self.document);
        let compiled =
            self.validator.get_or_init(|| compile().map(Arc::new).map_err(|error| self.fault(&error)));
        compiled.as_ref().map_err(Clone::clone)
    }

    fn projection(&self) -> Result<&Projection, Fault> {
        let compile = || {
            let registry = Registry::new()
                .draft(Draft::default().detect(&self.document))
                .retriever(self.beside())
                .add(self.uri(), self.document.clone())
                .and_then(jsonschema::RegistryBuilder::prepare);
            let registry = registry.map_err(|error| self.unresolved(&error))?;
            Projection::new(&registry, &self.uri()).map_err(|error| self.unresolved(&error))
        };
        self.projection.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    fn uri(&self) -> String {
        let name = if self.name.is_empty() { "inline" } else { &self.name };
        format!("{BASE}{name}")
    }

    fn beside(&self) -> Beside {
        Beside { files: Arc::clone(&self.files), dialect: self.document.get("$schema").cloned() }
    }

    fn fault(&self, error: &ValidationError<'_>) -> Fault {
        if let Kind::Referencing(error) = error.kind() {
            return self.unresolved(error);
        }
        let place = error.absolute_keyword_location().map(Uri::as_str).unwrap_or_default();
        let file = place.strip_prefix(BASE).and_then(|place| place.split('#').next()).unwrap_or_default();
        let file = if file != self.name && self.files.contains_key(file) { file } else { "" };
        Fault::new(file, error)
    }

    /// A reference that leads nowhere, found again by what the crate says of it.
    fn unresolved(&self, error: &ReferencingError) -> Fault {
        let sought = match error {
            ReferencingError::UnknownSpecification { .. } => return unknown_draft(),
            ReferencingError::Unretrievable { source, .. }
                if let Some(fault) = source.downcast_ref::<Fault>() =>
            {
                return fault.clone();
            }
            ReferencingError::PointerToNowhere { pointer } => pointer,
            ReferencingError::NoSuchAnchor { anchor } | ReferencingError::InvalidAnchor { anchor } => anchor,
            ReferencingError::Unretrievable { uri, .. } => uri,
            _ => "",
        };
        let is_guilty = |reference: &Reference<'_>| {
            let path = reference.text.split('#').next().unwrap_or_default().trim_start_matches(['.', '/']);
            reference.text.ends_with(sought) || (!path.is_empty() && sought.ends_with(path))
        };
        let documents = std::iter::once(("", &self.document));
        let documents = documents.chain(self.files.iter().map(|(name, file)| (name.as_str(), file)));
        let (file, pointer) = documents
            .filter_map(|(file, document)| {
                let guilty = references(document).into_iter().find(is_guilty)?;
                Some((file.to_owned(), guilty.pointer))
            })
            .next()
            .unwrap_or_default();
        let what = "what is referred to here is not there".to_owned();
        let help = "write `#/…` for a place in the same file, or the path of a file beside it".to_owned();
        Fault { file, pointer, what, help }
    }
}

fn unknown_draft() -> Fault {
    Fault {
        file: String::new(),
        pointer: "/$schema".to_owned(),
        what: "this is no draft of JSON Schema that is known here".to_owned(),
        help: "write `https://json-schema.org/draft/2020-12/schema`, or that of draft 4, 6, 7 or 2019-09"
            .to_owned(),
    }
}

/// As every schema of ours is compiled.
fn options<'o>() -> jsonschema::ValidationOptions<'o, Arc<dyn Retrieve>> {
    jsonschema::options()
        .with_keyword("uniqueItems", unique::keyword)
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex().size_limit(LARGEST_PATTERN))
        .offline()
}

fn places(validator: &Validator, value: &Value) -> Vec<Violation> {
    if MOST_VALUES < copy::count(value) {
        let first = validator.validate(value).err();
        return bounded(first.iter().flat_map(words::violations));
    }
    bounded(validator.iter_errors(value).flat_map(|error| words::violations(&error)))
}

/// The list of a value that does not fit: never empty.
fn bounded(mut violations: impl Iterator<Item = Violation>) -> Vec<Violation> {
    let mut list: Vec<Violation> = Vec::new();
    for violation in violations.by_ref() {
        if !list.contains(&violation) {
            list.push(violation);
        }
        if list.len() == MOST_VIOLATIONS {
            break;
        }
    }
    let (more, nothing) = (violations.count(), list.is_empty());
    let say = |detail: String| Violation { pointer: String::new(), keyword: String::new(), detail };
    if nothing {
        list.push(say("does not fit".to_owned()));
    } else if more != 0 {
        list.push(say(format!("does not fit in {more} more places")));
    }
    list
}

/// Knows the files that were given, and asks nobody for others.
struct Beside {
    files: Arc<Files>,
    /// The `$schema` of the document: that of a file that names no other.
    dialect: Option<Value>,
}

impl Retrieve for Beside {
    /// The crate holds only the document itself against the meta-schema.
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let name = uri.as_str().strip_prefix(BASE).ok_or("only files beside the configuration are read")?;
        let mut file = self.files.get(name).cloned().ok_or("there is no such file")?;
        if let (Value::Object(file), Some(dialect)) = (&mut file, &self.dialect) {
            file.entry("$schema").or_insert_with(|| dialect.clone());
        }
        jsonschema::meta::validate(&file).map_err(|error| Fault::new(name, &error))?;
        Ok(refs::without_id(file))
    }
}

#[cfg(test)]
mod tests;
