//! Programs: that each compiles, and what it may look at.

use super::{Flaws, credentials};
use crate::body::MediaType;
use crate::body::jq::{Message, Program};
use crate::config::declared::{Condition, Declared, Errors, Route, When};
use crate::config::fields::{Names, Parsed};
use crate::config::tree::At;

/// Notes the first mistake of each program.
pub(super) fn check(declared: &Declared, root: &At<'_>, flaws: &mut Flaws) {
    each(declared, root, |at, program| {
        if let Err(mistake) = program.check() {
            let help = "see docs/jq.md for what programs can do";
            flaws.note_within(at, mistake.at, mistake.what, help);
        }
    });
}

/// Notes where a program may never end, as far as one can see. No flaw: the
/// owner may know better.
pub(super) fn warn(declared: &Declared, root: &At<'_>, warnings: &mut Flaws) {
    each(declared, root, |at, program| {
        if let Some(part) = program.unbounded() {
            let what = "this may have no end that one can see";
            let help = "a program has 800 ms; one that comes to no end costs a cold start";
            warnings.note_within(at, part, what, help);
        }
    });
}

/// What a route's fields say of each other where there is a program, or none.
pub(super) fn relations(route: &Route, at: &At<'_>, flaws: &mut Flaws) {
    let response = at.key("response");
    if route.response.errors == Some(Errors::Transform) && route.response.transform.is_none() {
        let help = "write `transform`, or `errors: pass` or `hide`";
        flaws.note(&response.key("errors"), "there is no `transform` for them to go through", help);
    }
    let (asked, said) = (&route.request, &route.response);
    let reads =
        said.transform.is_some() || said.schema.is_some() || said.rewrite_urls || !said.meter.is_empty();
    if route.dangerous_range && reads {
        let what = "a part of an answer cannot be read";
        flaws.note(&at.key("dangerous_range"), what, "remove it, or what reads the answer");
    }
    let as_a_whole = [
        ("schema", said.schema.is_some()),
        ("rewrite_urls", said.rewrite_urls),
        ("cache", said.cache.is_some()),
    ];
    for (name, _) in as_a_whole.into_iter().filter(|(_, declared)| *declared && said.stream) {
        let what =
            format!("a body that passes as it arrives is never there as a whole, as `{name}` needs it");
        flaws.note(&response.key("stream"), what, "remove one of the two");
    }
    if said.cache.is_some() && asked.headers == Names::Any {
        let help = "name the headers, so that answers can be told apart by them";
        flaws.note(&response.key("cache"), "any header may shape the answers that are kept", help);
    }
    let program = said.transform.as_ref().map(|text| Program::new(text.as_str(), Message::Answer));
    if program.is_some_and(|program| program.asks_for_headers()) {
        let what = "the program sees the request's headers, which kept answers are not told apart by";
        let help =
            "remove it, or use only `.params`, `.query`, `.path`, `.method` and `.caller` of `$request`";
        flaws.note(&response.key("cache"), what, help);
    }
    let reads = asked.schema.is_some() || asked.transform.is_some() || asked.encode.is_some();
    if reads || asked.reject_if.is_some() {
        let request = at.key("request");
        let types = request.key("content_types");
        for (item, text) in types.sound_items().iter().zip(asked.content_types.iter().flatten()) {
            if !is_readable(text) {
                let help = "write JSON or forms here, or give such bodies a route of their own";
                flaws.note(item, "the route must read its bodies, and cannot read this type", help);
            }
        }
    }
}

/// Whether bodies of this type can be read; of a whole family, whether some can.
fn is_readable(range: &str) -> bool {
    let readable = |media: MediaType| media.is_json() || media.is_form() || media.is_multipart();
    ["application/*", "multipart/*", "text/*"].contains(&range)
        || MediaType::parse(range).is_some_and(readable)
}

fn each(declared: &Declared, root: &At<'_>, mut see: impl FnMut(&At<'_>, &Program)) {
    credentials::conditions(declared, root, |at, text| see(at, &Program::new(text, Message::Request)));
    let routes = root.key("routes");
    for (Parsed(key), route) in &declared.routes {
        let at = routes.key(key.text());
        let (request, response, when) = (at.key("request"), at.key("response"), at.key("when"));
        match &route.when {
            Some(When::Program(text)) => see(&when, &Program::new(text.as_str(), Message::Request)),
            Some(When::Condition(Condition { program: Some(text), .. })) => {
                see(&when.key("program"), &Program::new(text.as_str(), Message::Request));
            }
            Some(When::Condition(_)) | None => {}
        }
        for (at, text, message) in [
            (request.key("reject_if"), &route.request.reject_if, Message::Request),
            (request.key("transform"), &route.request.transform, Message::Request),
            (response.key("transform"), &route.response.transform, Message::Answer),
        ] {
            if let Some(text) = text {
                see(&at, &Program::new(text.as_str(), message));
            }
        }
        for (name, text) in &route.response.meter {
            see(&response.key("meter").key(name), &Program::new(text.as_str(), Message::Answer));
        }
    }
}
