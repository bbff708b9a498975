//! What a request's body says, where somebody must know: the schema, a
//! program, or the upstream's encoding.
//!
//! A body is read as its content-type says, and by nothing else. What cannot
//! be read is refused, never guessed.

use http::{HeaderMap, HeaderValue, Method, header};

use super::coding::codings;
use super::transform::Encode;
use super::unpack::{Fault, unpack};
use super::validate::too_long;
use crate::body::json::{self, Doc, Unreadable};
use crate::body::media::MediaType;
use crate::body::{charset, form, multipart};
use crate::wire::problem::Kind;
use crate::wire::{Problem, Request};

/// A body that was read.
pub(super) struct Content {
    /// What it says.
    pub doc: Doc,
    /// How it is written.
    pub written: Written,
}

/// How a body came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// As an encoding that we write too.
    As(Encode),
    /// In parts.
    Multipart,
    /// There is none.
    Nothing,
}

/// The types that can be read.
const READABLE: &str = "application/json, application/x-www-form-urlencoded or multipart/form-data";

/// Undoes what a body was packed with, within `limit` bytes.
pub(super) fn unpack_body(request: &mut Request, limit: usize) -> Result<(), Problem> {
    if !request.headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(());
    }
    let Some(codings) = codings(&request.headers) else {
        let detail = "send the body without a content-encoding, or packed with gzip, deflate, br or zstd";
        let accepted = HeaderValue::from_static("gzip, deflate, br, zstd");
        return Err(Problem::new(Kind::ContentTypeNotAllowed, detail).with(header::ACCEPT_ENCODING, accepted));
    };
    if !codings.is_empty() && !request.body.is_empty() {
        let unpacked = unpack(&codings, &request.body, limit).map_err(|fault| match fault {
            Fault::TooLarge => too_long(limit),
            Fault::Broken => {
                Problem::new(Kind::MalformedBody, "the body is not packed as its content-encoding says")
            }
        });
        request.body = unpacked?.into();
    }
    request.headers.remove(header::CONTENT_ENCODING);
    Ok(())
}

/// Reads the body. `None` where GET or HEAD have none, as they should.
///
/// What was written in another charset is UTF-8 from here on.
pub(super) fn read(request: &mut Request) -> Result<Option<Content>, Problem> {
    if request.body.is_empty() {
        let bodiless = [Method::GET, Method::HEAD].contains(&request.method);
        return Ok((!bodiless).then_some(Content { doc: Doc::null(), written: Written::Nothing }));
    }
    let Some(media) = media_type(&request.headers) else { return Err(unreadable_type()) };
    if media.is_multipart() {
        let boundary = media.boundary().unwrap_or_default();
        let doc = multipart::read(boundary, &request.body).map_err(malformed)?;
        // Written anew: another parser must find the same boundary in it.
        relabel(request, &format!("multipart/form-data; boundary=\"{boundary}\""));
        return Ok(Some(Content { doc, written: Written::Multipart }));
    }
    let encode = match &media {
        media if media.is_json() => Encode::Json,
        media if media.is_form() => Encode::Form,
        _ => return Err(unreadable_type()),
    };
    let text = charset::to_utf8(&media, &request.body).map_err(malformed)?;
    let doc = match encode {
        Encode::Json => json::read(&text),
        Encode::Form => form::read(&text),
    };
    // What is UTF-8 now must not say otherwise.
    if text != request.body || (encode == Encode::Form && media.charset().is_some()) {
        request.body = text;
        relabel(request, media.essence());
    }
    Ok(Some(Content { doc: doc.map_err(malformed)?, written: Written::As(encode) }))
}

fn relabel(request: &mut Request, content_type: &str) {
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        request.headers.insert(header::CONTENT_TYPE, content_type);
    }
}

fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok().and_then(MediaType::parse)
}

fn unreadable_type() -> Problem {
    Problem::new(Kind::ContentTypeNotAllowed, format!("send the body with a content-type of {READABLE}"))
}

fn malformed(why: Unreadable) -> Problem {
    Problem::new(Kind::MalformedBody, format!("the body cannot be read: {why}"))
}
