//! Whether a route's requests can carry the credential of its upstream.

use http::Method;

use super::routes::{Placed, methods};
use super::{Flaws, credentials};
use crate::body::MediaType;
use crate::body::jq::{Message, Program};
use crate::config::credentials::Credential;
use crate::config::declared::Upstream;

pub(super) fn check(placed: &Placed<'_>, upstream: &Upstream, flaws: &mut Flaws) {
    if credentials::recipes(upstream).any(|recipe| matches!(recipe, Credential::Body { .. })) {
        in_body(placed, upstream, flaws);
    }
    told_apart(placed, upstream, flaws);
}

/// The credential goes into the body, so there must be one that we can write.
fn in_body(placed: &Placed<'_>, upstream: &Upstream, flaws: &mut Flaws) {
    let bodiless = methods(placed).iter().any(|method| [Method::GET, Method::HEAD].contains(method));
    if bodiless && credentials::is_always_in_body(upstream) {
        let help = "give the route another method, or the upstream another credential";
        let what = "the upstream's credential goes into the body, and GET and HEAD have none";
        flaws.note(&placed.at.key("upstream"), what, help);
    }
    let request = placed.at.key("request");
    let types = request.key("content_types");
    for (item, text) in types.sound_items().iter().zip(placed.route.request.content_types.iter().flatten()) {
        let writable = |media: MediaType| media.is_json() || media.is_form();
        let fits = ["application/*", "text/*"].contains(&text.as_str())
            || MediaType::parse(text).is_some_and(writable);
        if !fits {
            let help = "write JSON or forms here";
            flaws.note(
                item,
                "the upstream's credential goes into the body, and cannot go into this type",
                help,
            );
        }
    }
}

/// Answers are kept by what a request's address and caller fix.
fn told_apart(placed: &Placed<'_>, upstream: &Upstream, flaws: &mut Flaws) {
    let entries = upstream.credential.iter().flat_map(|entries| &entries.0);
    let mut conditions = entries.filter_map(|entry| entry.when.as_deref());
    let asks = |text: &str| {
        let bare = text.replace("$request", "");
        Program::new(text, Message::Request).asks_for_headers() || bare.contains("headers")
    };
    if placed.route.response.cache.is_some() && conditions.any(asks) {
        let what = "the upstream's credential depends on headers, which kept answers are not told apart by";
        let response = placed.at.key("response");
        flaws.note(
            &response.key("cache"),
            what,
            "remove it, or ask for no headers in the credential's `when`",
        );
    }
}
