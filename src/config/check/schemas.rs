//! Schemas: what can be seen of them without compiling, which a cold start
//! has no time for, and what only compiling shows, for `countersign check`.

use std::sync::Arc;

use super::Flaws;
use crate::body::schema::{Fault, Files, Schema};
use crate::config::beside::{self, descend};
use crate::config::declared::{Declared, Route};
use crate::config::schemas::{Query, SchemaText};
use crate::config::tree::At;
use crate::proxy::parameters::Parameters;

/// That a route's schemas fit together with what else it says.
pub(super) fn shallow(route: &Route, at: &At<'_>, flaws: &mut Flaws) {
    let response = at.key("response");
    if route.response.project && route.response.schema.is_none() {
        let help = "write `schema:` and what the answer looks like, or remove `project`";
        flaws.note(&response.key("project"), "it is not said which fields are declared", help);
    }
}

/// Compiles every schema, and notes what is wrong with it.
pub(super) fn deep(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    let files = Arc::new(declared.files.clone());
    let routes = root.key("routes");
    for (key, route) in &declared.routes {
        let at = routes.key(key.0.text());
        let (request, response) = (at.key("request"), at.key("response"));
        for (at, text) in [(&request, &route.request.schema), (&response, &route.response.schema)] {
            let at = at.key("schema");
            let schema = text.as_ref().and_then(|text| build(text, &files));
            for fault in schema.iter().flat_map(Schema::faults) {
                note(fault, &at, matches!(text, Some(SchemaText::Inline(_))), flaws);
            }
        }
        if let Query::Judged(parameters) = &route.request.query {
            for fault in Parameters::new(parameters.clone(), Arc::clone(&files)).schema().faults() {
                // The parameters are judged together, as the properties of one object.
                let pointer = fault.pointer.strip_prefix("/properties").unwrap_or_default().to_owned();
                note(Fault { pointer, ..fault }, &request.key("query"), true, flaws);
            }
        }
    }
}

/// The schema that a text of the file means. `None`: its file is not there,
/// and that was said.
pub(in crate::config) fn build(text: &SchemaText, files: &Arc<Files>) -> Option<Schema> {
    match text {
        SchemaText::Inline(document) => Some(Schema::new("", document.clone(), Arc::clone(files))),
        SchemaText::File(path) => {
            let name = beside::join("", path).ok()?;
            let document = files.get(&name)?.clone();
            Some(Schema::new(&name, document, Arc::clone(files)))
        }
    }
}

fn note(fault: Fault, at: &At<'_>, is_inline: bool, flaws: &mut Flaws) {
    let Fault { file, pointer, what, help } = fault;
    if is_inline && file.is_empty() {
        descend(at, &pointer, &mut |at| flaws.note(at, what.clone(), help.clone()));
        return;
    }
    let file =
        if file.is_empty() { at.node().and_then(|node| node.scalar()).unwrap_or_default() } else { &file };
    flaws.note(at, format!("`{file}` at `{pointer}`: {what}"), help);
}
