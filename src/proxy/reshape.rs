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
use super::guard::{Clean, Leaks, too_large};
use super::links::Links;
use crate::body::charset;
use crate::body::jq::{About, Failed, Program};
use crate::body::json::{self, Unwritable, Val};
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
    /// Whether bodies must be read.
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
        let before = self.body.as_ptr();
        let mut shaped = self.shaped(shape, about, links).await?;
        let mut leaks = Leaks::new();
        // What was escaped or written in another charset may show only now.
        if shaped.0.body.as_ptr() != before
            && let Some(cut) = shaped.0.guard.clean(&shaped.0.body, &mut leaks)
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
        let mut values = Vec::new();
        for value in json::read_all(text).map_err(invalid)? {
            values.push(self.judged(value).await?);
        }
        if !self.writes() {
            return Ok(None);
        }
        let lines = lines || values.len() != 1;
        let made = match self.program {
            Some(program) => program.run_all(values, self.about.clone()).await.map_err(failed)?,
            None => values.into_iter().map(|value| vec![value]).collect(),
        };
        if let ([only], false) = (made.as_slice(), lines)
            && only.len() != 1
        {
            return Err(invalid(format_args!("the program gave {} values", only.len())));
        }
        let mut out = Vec::new();
        for value in made.into_iter().flatten() {
            let value = if self.shape.rewrite_urls { self.led(value) } else { value };
            let room = self.shape.max_bytes.saturating_sub(out.len());
            out.extend(json::write(&value, room).map_err(|why| self.unwritten(why))?);
            out.extend(lines.then_some(b'\n'));
        }
        Ok(Some(out))
    }

    /// A value that fits the schema; or what the schema declares of it.
    async fn judged(&self, value: Val) -> Result<Val, Problem> {
        match self.schema {
            None => Ok(value),
            Some(schema) if self.shape.project => answer::project(schema, value),
            Some(schema) => answer::check(schema, &value).await.map(|()| value),
        }
    }

    /// The same value, its URLs led to us where a route of ours serves them.
    fn led(&self, value: Val) -> Val {
        match value {
            Val::TStr(text) => {
                let ours = std::str::from_utf8(&text).ok().and_then(|url| self.links.lead(url));
                ours.map_or(Val::TStr(text), Val::utf8_str)
            }
            Val::Arr(items) => items.iter().map(|item| self.led(item.clone())).collect(),
            Val::Obj(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), self.led(value.clone())));
                Val::obj(entries.collect())
            }
            other => other,
        }
    }

    fn unwritten(&self, why: Unwritable) -> Problem {
        match why {
            Unwritable::TooLong => too_large(self.shape.max_bytes).because("once reshaped"),
            Unwritable::NoWord => invalid("what the program made is no JSON"),
        }
    }
}

/// What a program makes of the data of one event: any number of texts. What is
/// no JSON is text to it.
fn each_event(program: Arc<Program>, about: About) -> Reshape {
    Box::new(move |data| {
        let (program, about) = (Arc::clone(&program), about.clone());
        Box::pin(async move {
            let value = json::read(&data).unwrap_or_else(|_| Val::utf8_str(data));
            let made = program.run(value, about).await.map_err(failed)?;
            let written = made.iter().map(|value| json::write(value, LONGEST_EVENT));
            let written = written
                .map(|text| text.map(Bytes::from).map_err(|_| invalid("what the program made is no JSON")));
            written.collect()
        })
    })
}

const TOO_MUCH: &str = "the upstream's answer takes too long to reshape";

fn invalid(why: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not valid").because(why)
}

/// A program that failed on an answer: the upstream sent what it was not made for.
fn failed(failed: Failed) -> Problem {
    let problem = match &failed {
        Failed::Mistaken(_) => Problem::new(Kind::Internal, "this route is not set up right"),
        Failed::Erred(_) => {
            Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not what was expected")
        }
        Failed::Excessive => Problem::new(Kind::UpstreamInvalid, TOO_MUCH),
        Failed::Endless => Problem::new(Kind::UpstreamInvalid, TOO_MUCH).last(),
    };
    problem.because(failed)
}
