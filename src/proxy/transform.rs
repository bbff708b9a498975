//! Stage 6: a body becomes what the upstream wants.
//!
//! What nothing changes goes up byte for byte as it came, once it is known
//! that every parser reads the same in it.

use http::{HeaderValue, header};

use super::read::Written;
use super::route::Found;
use super::validate::Valid;
use crate::body::form;
use crate::body::jq::{About, Failed, Program};
use crate::body::json::Writer;
use crate::body::{Doc, Val};
use crate::wire::problem::Kind;
use crate::wire::{Problem, Request};

/// What becomes of a request's body before it goes upstream.
#[derive(Default)]
pub struct OfRequest {
    /// Makes the body anew.
    pub program: Option<Program>,
    /// How it is written; `None`: as it came, and a new one as JSON.
    pub encode: Option<Encode>,
}

/// How a body is written for the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encode {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// The longest body that a program may make for an upstream, in bytes.
const LONGEST_REQUEST: usize = 6 << 20;

/// A request whose body is as the upstream wants it.
pub struct Ready<'r, 'p> {
    pub(super) found: Found<'r, 'p>,
    pub(super) about: About,
    /// The class of the caller that it was granted to.
    pub(super) class: &'r str,
    pub(super) request: Request,
}

impl OfRequest {
    /// Whether the body must be read.
    pub fn reads(&self) -> bool {
        self.program.is_some() || self.encode.is_some()
    }
}

impl<'r, 'p> Valid<'r, 'p> {
    /// Reshapes the body as the route says. One that nothing changes goes up
    /// byte for byte as it came.
    pub async fn transform(self) -> Result<Ready<'r, 'p>, Problem> {
        let Self { found, about, class, mut request, content } = self;
        let shape = &found.route.of_request;
        let program = shape.program.as_ref().filter(|program| !program.is_identity());
        match (program, content) {
            (Some(program), Some(content)) => {
                let encode = shape.encode.unwrap_or(Encode::Json);
                encode.put(encode.made(program, &content.doc, about.clone()).await?, &mut request);
            }
            (None, Some(content)) if content.written != Written::Nothing => {
                let wanted = shape.encode.filter(|wanted| content.written != Written::As(*wanted));
                if let Some(encode) = wanted {
                    encode.put(encode.same(&content.doc)?, &mut request);
                }
            }
            _ => {}
        }
        Ok(Ready { found, about, class, request })
    }
}

impl Encode {
    /// The body that a program makes.
    async fn made(self, program: &Program, body: &Doc, about: About) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Json => {
                let mut out = Writer::new(LONGEST_REQUEST);
                match program.write(body, about, &mut out).await.map_err(|why| refused(&why))? {
                    1 => Ok(out.into_line()),
                    count => Err(not_one(count)),
                }
            }
            Self::Form => {
                let values = program.run(body.value(), about).await.map_err(|why| refused(&why))?;
                let [value] = values.as_slice() else { return Err(not_one(values.len())) };
                form::write(value, LONGEST_REQUEST).map_err(|why| refused(&Failed::Unwritable(why)))
            }
        }
    }

    /// The same body in this encoding.
    fn same(self, body: &Doc) -> Result<Vec<u8>, Problem> {
        let written = match self {
            Self::Json => {
                let mut out = Writer::new(LONGEST_REQUEST);
                body.root().write(&mut out).map(|()| out.into_text())
            }
            Self::Form => form::write(&body.value(), LONGEST_REQUEST),
        };
        written.map_err(|why| {
            Problem::new(Kind::TransformFailed, UNUSABLE).because(format_args!("the body {why}"))
        })
    }

    fn put(self, body: Vec<u8>, request: &mut Request) {
        request.body = body.into();
        request.headers.insert(header::CONTENT_TYPE, self.content_type());
    }

    /// What such a body is called.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        })
    }
}

/// There must be one value.
fn not_one(count: usize) -> Problem {
    Problem::new(Kind::TransformFailed, UNUSABLE).because(format_args!("the program gave {count} values"))
}

const TOO_MUCH: &str = "this body takes too long to reshape";
const UNUSABLE: &str = "this route cannot make anything of the body";

/// A program that failed on a request: the caller may have sent the wrong thing.
fn refused(failed: &Failed) -> Problem {
    let problem = match failed {
        Failed::Mistaken(_) => Problem::new(Kind::Internal, "this route is not set up right"),
        Failed::Erred(Some(words)) => Problem::new(Kind::TransformFailed, words.clone()),
        Failed::Erred(None) | Failed::Unwritable(_) => Problem::new(Kind::TransformFailed, UNUSABLE),
        Failed::Excessive => Problem::new(Kind::TransformFailed, TOO_MUCH),
        Failed::Endless => Problem::new(Kind::TransformFailed, TOO_MUCH).last(),
    };
    problem.because(failed)
}

/// Whether a program gives exactly this one truth value. `Err`: it cannot be
/// judged, and denies.
pub(super) async fn is_exactly(
    program: &Program,
    input: Val,
    about: About,
    wanted: bool,
) -> Result<(), Problem> {
    let denied = |why: &str| {
        Problem::new(Kind::ConditionNotMet, "the condition of this route is not met").because(why)
    };
    match program.run(input, about).await {
        Ok(values) if matches!(values.as_slice(), [Val::Bool(given)] if *given == wanted) => Ok(()),
        Ok(values) if matches!(values.as_slice(), [Val::Bool(_)]) => Err(denied("it does not hold")),
        Ok(values) => Err(denied(&format!("it gave {} values, or no truth value", values.len()))),
        Err(failed @ Failed::Endless) => Err(denied(&failed.to_string()).last()),
        Err(failed) => Err(denied(&failed.to_string())),
    }
}
