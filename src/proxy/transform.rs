//! Stage 6: a body becomes what the upstream wants.
//!
//! What nothing changes goes up byte for byte as it came, once it is known
//! that every parser reads the same in it.

use http::{HeaderValue, header};

use super::read::{Content, Written};
use super::route::Found;
use super::validate::Valid;
use crate::body::form;
use crate::body::jq::{About, Failed, Program};
use crate::body::json::{self, Unwritable, Val};
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
        let Self { found, about, mut request, content } = self;
        let shape = &found.route.of_request;
        if let Some(Content { value, written }) = content {
            let program = shape.program.as_ref().filter(|program| !program.is_identity());
            let changed = program.is_some();
            let value = match program {
                Some(program) => only(program.run(value, about).await.map_err(refused)?)?,
                None => value,
            };
            let wanted = shape.encode.or(changed.then_some(Encode::Json));
            let wanted = wanted.filter(|_| changed || written != Written::Nothing);
            if let Some(encode) = wanted.filter(|wanted| changed || written != Written::As(*wanted)) {
                encode.put(&value, &mut request)?;
            }
        }
        Ok(Ready { found, request })
    }
}

impl Encode {
    fn put(self, value: &Val, request: &mut Request) -> Result<(), Problem> {
        let (written, content_type) = match self {
            Self::Json => (json::write(value, LONGEST_REQUEST), "application/json"),
            Self::Form => (form::write(value, LONGEST_REQUEST), "application/x-www-form-urlencoded"),
        };
        request.body = written.map_err(unwritten)?.into();
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Ok(())
    }
}

fn unwritten(why: Unwritable) -> Problem {
    let why = match why {
        Unwritable::TooLong => "what the program made is too long",
        Unwritable::NoWord => "what the program made cannot be written in the upstream's encoding",
    };
    Problem::new(Kind::TransformFailed, UNUSABLE).because(why)
}

/// The one value that there must be.
fn only(values: Vec<Val>) -> Result<Val, Problem> {
    let count = values.len();
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => {
            Err(Problem::new(Kind::TransformFailed, UNUSABLE)
                .because(format!("the program gave {count} values")))
        }
    }
}

const TOO_MUCH: &str = "this body takes too long to reshape";
const UNUSABLE: &str = "this route cannot make anything of the body";

/// A program that failed on a request: the caller may have sent the wrong thing.
fn refused(failed: Failed) -> Problem {
    let problem = match &failed {
        Failed::Mistaken(_) => Problem::new(Kind::Internal, "this route is not set up right"),
        Failed::Erred(Some(words)) => Problem::new(Kind::TransformFailed, words.clone()),
        Failed::Erred(None) => Problem::new(Kind::TransformFailed, UNUSABLE),
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
