//! Stage 9: an answer gets the shape that the route gives it.
//!
//! This comes after the guard: no program ever sees a secret. And it lets
//! nothing pass around a program: what the program cannot read is refused.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::answer;
use super::coding::{ABOUT_BYTES, changed, weakened};
use super::events::{Events, Form, Reshape};
use super::guard::{Clean, Leaks, Place, too_large};
use super::links::Links;
use super::meter::Meter;
use crate::body::charset;
use crate::body::jq::{About, Failed, Program};
use crate::body::json::{self, Doc, Unwritable, Val, Writer};
use crate::body::media::MediaType;
use crate::body::schema::Schema;
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// The longest data that a program may make of one event, in bytes.
const LONGEST_EVENT: usize = 1 << 20;

/// What becomes of an answer's body before it goes down.
#[derive(Default)]
pub struct OfAnswer {
    /// What the body must look like.
    pub schema: Option<Schema>,
    /// Whether only what that schema declares comes down, instead.
    pub project: bool,
    /// Makes the body anew. Shared with the bodies that still arrive.
    pub program: Option<Arc<Program>>,
    /// What reads along. Shared too.
    pub meters: Arc<[Meter]>,
    /// What becomes of 4xx and 5xx.
    pub errors: Errors,
    /// Whether URLs in the body are led to us.
    pub rewrite_urls: bool,
    /// The longest body, in bytes.
    pub max_bytes: usize,
}

/// What becomes of an upstream's 4xx and 5xx.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// They pass as they are.
    #[default]
    Pass,
    /// Only the status passes.
    Hide,
    /// They go through the program too.
    Transform,
}

/// An answer in the route's shape, whose headers still lead to the upstream.
/// It is no [`Response`](crate::wire::Response) yet:
///
/// ```compile_fail
/// fn skip(shaped: countersign::proxy::reshape::Shaped) -> countersign::wire::Response {
///     shaped
/// }
/// ```
pub struct Shaped(pub(super) Clean);

impl OfAnswer {
    /// Whether somebody looks into bodies: they are unpacked, and kept until they are whole
    /// unless they come in events.
    pub fn opens(&self) -> bool {
        self.reads() || !self.meters.is_empty()
    }

    /// Whether bodies must be read to be let through.
    pub fn reads(&self) -> bool {
        self.rewrite_urls
            || self.schema.is_some()
            || self.program.as_ref().is_some_and(|program| !program.is_identity())
    }
}

impl Clean {
    /// Reshapes the body as the route says.
    ///
    /// # Errors
    /// `upstream_invalid` for a body that the route must read and cannot;
    /// `upstream_refused` where the route hides what upstreams say when they
    /// refuse; `response_too_large`.
    pub async fn reshape(
        self,
        shape: &OfAnswer,
        about: About,
        links: &Links<'_>,
    ) -> Result<(Shaped, Leaks), Problem> {
        // Held on to, so that no other body comes to lie in its place.
        let before = self.body.clone();
        let mut shaped = self.shaped(shape, about, links).await?;
        let mut leaks = Leaks::new();
        // What was escaped or written in another charset may show only now.
        if shaped.0.body.as_ptr() != before.as_ptr()
            && let Some(cut) = shaped.0.guard.clean(&shaped.0.body, Place::Body, &mut leaks)
        {
            shaped.0.body = changed(cut, &mut shaped.0.headers);
        }
        Ok((shaped, leaks))
    }

    async fn shaped(self, shape: &OfAnswer, about: About, links: &Links<'_>) -> Result<Shaped, Problem> {
        let refused = self.status.is_client_error() || self.status.is_server_error();
        match shape.errors {
            Errors::Pass if refused => Ok(Shaped(self)),
            Errors::Hide if refused => Err(self.hidden()),
            _ if !shape.reads() => Ok(Shaped(self)),
            _ if self.status == StatusCode::NOT_MODIFIED => Ok(Shaped(self.relabelled(None))),
            _ if self.status.is_redirection() => Ok(Shaped(self.without_words())),
            _ => {
                let about = About { status: Some(self.status.as_u16()), ..about };
                let program = shape.program.as_ref().filter(|program| !program.is_identity());
                if self.passage.is_some() {
                    return Ok(Shaped(self.reshaped_on_its_way(program, about)));
                }
                // What an upstream says when it refuses has another shape.
                let schema = shape.schema.as_ref().filter(|_| !refused);
                self.reshaped(&Shaper { schema, program, shape, about, links }).await.map(Shaped)
            }
        }
    }

    /// The status, and when to come back; none of the upstream's words.
    fn hidden(&self) -> Problem {
        let problem =
            Problem::new(Kind::UpstreamRefused, "the upstream refused the call").status(self.status);
        match self.headers.get(header::RETRY_AFTER) {
            Some(after) => problem.with(header::RETRY_AFTER, after.clone()),
            None => problem,
        }
    }

    /// What a redirection says beside `location` is for people, and leads to the upstream.
    fn without_words(mut self) -> Self {
        self.headers.remove(header::CONTENT_TYPE);
        self.body = Bytes::new();
        self.relabelled(None)
    }

    /// The data of each event goes through the program as it arrives.
    fn reshaped_on_its_way(mut self, program: Option<&Arc<Program>>, about: About) -> Self {
        if let (Some(passage), Some(program)) = (&mut self.passage, program) {
            passage.reshape(each_event(Arc::clone(program), about));
        }
        self
    }

    /// The events of a body that is here as a whole, one after the other.
    async fn reshaped_events(mut self, program: &Arc<Program>, about: About) -> Result<Self, Problem> {
        let mut events = Events::new(Form::EventStream);
        events.reshape(each_event(Arc::clone(program), about));
        let shaped = events.pass(std::mem::take(&mut self.body)).await?;
        self.body = [shaped, events.end().await?].concat().into();
        Ok(self.relabelled(None))
    }

    async fn reshaped(mut self, shaper: &Shaper<'_>) -> Result<Self, Problem> {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = content_type.and_then(MediaType::parse);
        if let (Some(program), None) = (shaper.program, shaper.schema)
            && media.as_ref().is_some_and(MediaType::is_event_stream)
        {
            return self.reshaped_events(program, shaper.about.clone()).await;
        }
        match media.filter(|media| media.is_json() || media.is_ndjson()) {
            _ if self.body.is_empty() => Ok(self.relabelled(None)),
            None if shaper.program.is_none() && shaper.schema.is_none() => Ok(self),
            None => Err(invalid("its type is no JSON, which the route must read")),
            Some(media) => {
                let lines = media.is_ndjson();
                let text = charset::to_utf8(&media, &self.body).map_err(invalid)?;
                match shaper.body(&text, lines).await? {
                    None => Ok(self),
                    Some(body) => {
                        self.body = body.into();
                        Ok(self.relabelled((!lines).then_some("application/json")))
                    }
                }
            }
        }
    }

    /// Takes away what the headers say of the upstream's own bytes. The same
    /// answer has the same shape: its `etag` still tells it from others.
    fn relabelled(mut self, content_type: Option<&'static str>) -> Self {
        for name in &ABOUT_BYTES {
            self.headers.remove(name);
        }
        if let Some(etag) = self.headers.get(header::ETAG).and_then(weakened) {
            self.headers.insert(header::ETAG, etag);
        }
        if let Some(content_type) = content_type {
            self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        self
    }
}

/// What makes one answer's values anew.
struct Shaper<'a> {
    schema: Option<&'a Schema>,
    program: Option<&'a Arc<Program>>,
    shape: &'a OfAnswer,
    about: About,
    links: &'a Links<'a>,
}

impl Shaper<'_> {
    /// Whether what is read is also written anew.
    fn writes(&self) -> bool {
        self.program.is_some() || self.shape.rewrite_urls || (self.shape.project && self.schema.is_some())
    }

    /// The body for a text of one value, or of many: then one a line. `None`:
    /// it fits, and stays as it is.
    async fn body(&self, text: &Bytes, lines: bool) -> Result<Option<Vec<u8>>, Problem> {
        let mut doc = json::read_all(text).map_err(invalid)?;
        if let Some(schema) = self.schema {
            doc = self.judged(schema, doc).await?;
        }
        if !self.writes() {
            return Ok(None);
        }
        let lead = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|url| self.links.lead(url));
        let out = Writer::new(self.shape.max_bytes);
        let mut out = if self.shape.rewrite_urls { out.swapping(&lead) } else { out };
        let values = doc.values().count();
        let made = match self.program {
            Some(program) => self.made(program, &doc, &mut out).await?,
            None => self.same(&doc, &mut out)?,
        };
        match made {
            _ if lines || values != 1 => Ok(Some(out.into_text())),
            1 => Ok(Some(out.into_line())),
            made => Err(invalid(format_args!("the program gave {made} values"))),
        }
    }

    /// An answer that fits the schema; or what the schema declares of it.
    async fn judged(&self, schema: &Schema, doc: Doc) -> Result<Doc, Problem> {
        if self.shape.project {
            return json::read_all(&answer::project(schema, &doc)?.into()).map_err(invalid);
        }
        for value in doc.values() {
            answer::check(schema, value).await?;
        }
        Ok(doc)
    }

    async fn made(&self, program: &Program, doc: &Doc, out: &mut Writer<'_>) -> Result<usize, Problem> {
        let made = program.write(doc, self.about.clone(), out).await;
        made.map_err(|why| match why {
            Failed::Unwritable(why) => self.unwritten(why),
            why => failed(&why),
        })
    }

    /// Writes each value as it is.
    fn same(&self, doc: &Doc, out: &mut Writer<'_>) -> Result<usize, Problem> {
        let mut count = 0;
        for value in doc.values() {
            value.write(out).map_err(|why| self.unwritten(why))?;
            out.end_line();
            count += 1;
        }
        Ok(count)
    }

    fn unwritten(&self, why: Unwritable) -> Problem {
        match why {
            Unwritable::TooLong => too_large(self.shape.max_bytes).because("once reshaped"),
            Unwritable::NoWord => failed(&Failed::Unwritable(why)),
        }
    }
}

/// What a program makes of the data of one event: any number of texts. What is
/// no JSON is text to it.
fn each_event(program: Arc<Program>, about: About) -> Reshape {
    Box::new(move |data| {
        let (program, about) = (Arc::clone(&program), about.clone());
        Box::pin(async move {
            let doc = json::read(&data).or_else(|_| Doc::of(&Val::utf8_str(data))).map_err(invalid)?;
            let mut out = Writer::new(LONGEST_EVENT);
            program.write(&doc, about, &mut out).await.map_err(|why| failed(&why))?;
            // JSON has no line breaks but those between its values.
            let lines = out.into_text();
            let lines = lines.split_inclusive(|byte| *byte == b'\n');
            Ok(lines.map(|line| Bytes::copy_from_slice(line.strip_suffix(b"\n").unwrap_or(line))).collect())
        })
    })
}

const TOO_MUCH: &str = "the upstream's answer takes too long to reshape";

fn invalid(why: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not valid").because(why)
}

/// A program that failed on an answer: the upstream sent what it was not made for.
fn failed(failed: &Failed) -> Problem {
    let problem = match failed {
        Failed::Mistaken(_) => Problem::new(Kind::Internal, "this route is not set up right"),
        Failed::Erred(_) | Failed::Unwritable(_) => {
            Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not what was expected")
        }
        Failed::Excessive => Problem::new(Kind::UpstreamInvalid, TOO_MUCH),
        Failed::Endless => Problem::new(Kind::UpstreamInvalid, TOO_MUCH).last(),
    };
    problem.because(failed)
}
