//! The door to Lambda: raw events in, answers out, each in its sender's form.
//!
//! Events are read here and not by `lambda_http`, which keeps one value of a
//! repeated header of a REST event, normalises paths and panics on an odd
//! `Host`. Nothing here is normalised: what was sent is what is judged. And
//! nothing here panics, whatever the event.

mod answer;
mod event;
mod headers;
mod json;
mod path;
mod query;
mod read;
mod reply;
mod shutdown;

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

pub use answer::Answer;
pub use reply::Whole;
pub use shutdown::register;

use lambda_runtime::FunctionResponse;

use super::{Body, Problem, Request, Response};

/// How an answer must look, decided by how the event looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// REST APIs, and HTTP APIs with payload 1.0: headers as lists.
    Rest,
    /// HTTP APIs with payload 2.0, and function URLs: repeats comma-joined.
    Http,
    /// Application Load Balancers, which also want the status in words.
    Alb {
        /// Whether the target group has multi-value headers switched on. It
        /// then reads headers as lists only, and otherwise as text only.
        multi: bool,
    },
}

/// Reads a raw event. `lambda_request_id` names the request where the event
/// has no name for it, and `trace` is Lambda's own header of X-Ray.
///
/// # Errors
/// What it is instead of a request, to be answered in [`Form::Rest`].
pub fn request(
    event: &str,
    lambda_request_id: &str,
    trace: Option<&str>,
) -> Result<(Request, Form), Problem> {
    Ok(read::request(event::Event::parse(event)?, lambda_request_id, trace))
}

/// The answer in the event's own form. It borrows: a text body is written
/// straight from the response's bytes.
pub fn answer(response: &Response, form: Form) -> Answer<'_> {
    Answer::new(response, form)
}

/// What the runtime sends back: as it arrives, or whole and in the event's own form.
pub fn reply(response: Response, form: Form, streaming: bool) -> FunctionResponse<Whole, Body> {
    match streaming {
        true => FunctionResponse::StreamingResponse(reply::stream(response)),
        false => FunctionResponse::BufferedResponse(Whole::new(response, form)),
    }
}

/// Refuses an answer that Lambda would not take whole. In streaming mode it
/// takes 200 MB, and just ends there.
///
/// # Errors
/// `response_too_large`, instead of the gateway's own words for a function
/// that gave no answer.
pub fn check_size(response: &Response) -> Result<(), Problem> {
    answer::check_size(response)
}

/// API Gateway hangs up after 29 s, unless its quota was raised.
const GATEWAY: Duration = Duration::from_secs(29);

/// No invocation lasts longer than Lambda's own limit of 15 minutes.
const LONGEST: Duration = Duration::from_mins(15);

/// What it takes to word an answer and hand it over, on a small slow function.
const MARGIN: Duration = Duration::from_millis(300);

/// How long a stage may wait: what is left of the invocation, less a margin
/// to answer in. `cargo lambda watch` sends a deadline of 1970; one that
/// cannot be right counts as API Gateway's own limit, which for streams is
/// Lambda's.
pub fn patience(deadline: SystemTime, now: SystemTime, streaming: bool) -> Duration {
    let left = match deadline.duration_since(now) {
        Ok(left) if !left.is_zero() && left <= LONGEST => left,
        _ if streaming => LONGEST,
        _ => GATEWAY,
    };
    left.saturating_sub(MARGIN)
}
