//! jq programs: the one expression language of the file.
//!
//! A program sees its input and what it is told of the request; it reads no
//! file, no environment, no clock and no further input. It always ends: one
//! that only picks and places is written straight; on a small input, one whose
//! work is a matter of its length runs in place; any other runs apart, where it
//! can be left behind.

mod library;
mod terms;
mod cost;
mod careful;
mod compile;
mod straight;

use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use jaq_core::{Ctx, Vars, unwrap_valr};

use super::apart::{self, Lost};
use super::doc::{At, Doc};
use super::json::{Unwritable, Val, Writer};
use super::size;
use compile::Compiled;
use cost::Cost;
use straight::Straight;

/// What a program is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// What a caller sends: it may see `$request`.
    Request,
    /// What an upstream answers: it may see `$request` and `$status`.
    Answer,
}

impl Message {
    /// The variables that a program may use, in the order of [`About`].
    const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Request => &["$ENV", "$request"],
            Self::Answer => &["$ENV", "$request", "$status"],
        }
    }
}

/// What a program is told beside its input.
#[derive(Debug, Clone)]
pub struct About {
    /// `$request`: `{method, path, params, query, headers, caller}`.
    pub request: Val,
    /// `$status`: the upstream's, where there is an answer.
    pub status: Option<u16>,
    /// `now`: when the request came in, in seconds since 1970.
    pub now: f64,
}

/// A program, compiled when it is first needed.
pub struct Program {
    text: String,
    message: Message,
    /// Whether `$request` is worth making for it.
    asks: bool,
    compiled: OnceLock<Result<Arc<Compiled>, Mistake>>,
}

/// A mistake in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where in its text, in bytes.
    pub at: Range<usize>,
    /// What is wrong.
    pub what: String,
}

/// Why a program gave nothing. Its words repeat nothing of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// It does not compile.
    Mistaken(Mistake),
    /// It ended with an error; its words, where they stand in the program
    /// itself as `error("…")`.
    Erred(Option<String>),
    /// It took more time or memory than it has.
    Excessive,
    /// It took more time or memory than it has, and was left behind: it
    /// still runs, and only the end of the process ends it.
    Endless,
    /// What it made cannot be written.
    Unwritable(Unwritable),
}

impl Program {
    /// A program for a kind of message. It is not looked at before it is needed.
    pub fn new(text: impl Into<String>, message: Message) -> Self {
        let text = text.into();
        let asks = text.contains("$request");
        Self { text, message, asks, compiled: OnceLock::new() }
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it changes nothing, whatever it is given.
    pub fn is_identity(&self) -> bool {
        self.text.trim() == "."
    }

    /// Whether it may look at `$request`.
    pub fn asks_for_request(&self) -> bool {
        self.asks
    }

    /// Whether it may look at the request's headers: at `$request` as a whole,
    /// or at another part than those that its address and its caller fix.
    pub fn asks_for_headers(&self) -> bool {
        const FIXED: [&str; 5] = [".caller", ".method", ".params", ".path", ".query"];
        let mut after = self.text.split("$request").skip(1);
        after.any(|rest| !FIXED.iter().any(|part| rest.starts_with(part)))
    }

    /// Compiles it, as its first run would.
    ///
    /// # Errors
    /// Its first mistake.
    pub fn check(&self) -> Result<(), Mistake> {
        self.compiled().map(|_| ())
    }

    /// Where a program that compiles may go on for ever, as far as one can see.
    pub fn unbounded(&self) -> Option<Range<usize>> {
        self.compiled().ok()?.unbounded.clone()
    }

    fn compiled(&self) -> Result<&Arc<Compiled>, Mistake> {
        let compiled = self.compiled.get_or_init(|| Compiled::new(&self.text, self.message).map(Arc::new));
        compiled.as_ref().map_err(Clone::clone)
    }

    /// What it makes of an input: any number of values.
    ///
    /// # Errors
    /// Why it made nothing; then the values before the error are lost too.
    pub async fn run(&self, input: Val, about: About) -> Result<Vec<Val>, Failed> {
        let made = self.run_all(vec![input], about).await?;
        Ok(made.into_iter().flatten().collect())
    }

    /// What it makes of each of several inputs, all within the time and the
    /// memory of one.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    async fn run_all(&self, inputs: Vec<Val>, about: About) -> Result<Vec<Vec<Val>>, Failed> {
        let compiled = self.compiled().map_err(Failed::Mistaken)?;
        // A judgement of a program can be wrong; of a small input it does no harm.
        let mut room = SMALL;
        let small = inputs.iter().chain([&about.request]).all(|value| size::takes(value, &mut room));
        if small && compiled.cost == Cost::Linear {
            return compiled.run_all(inputs, &about);
        }
        let compiled = Arc::clone(compiled);
        let work = move |stop| {
            careful::begin(stop);
            shallow(compiled.run_all(inputs, &about))
        };
        apart::run(work).await.unwrap_or_else(|lost| Err(lost.into()))
    }

    /// Writes what it makes of each value of a document, one a line, and says how
    /// many these are. All are made within the time and the memory of one.
    ///
    /// # Errors
    /// As [`run`](Self::run); and what has no place in JSON, or in `out`.
    pub async fn write(&self, input: &Doc, about: About, out: &mut Writer<'_>) -> Result<usize, Failed> {
        let compiled = self.compiled().map_err(Failed::Mistaken)?;
        if let Some(program) = &compiled.straight {
            let before = out.length();
            match written(program, input, out) {
                Err(Unwritable::NoWord) => out.back_to(before),
                outcome => return outcome.map_err(Failed::Unwritable),
            }
        }
        let made = self.run_all(input.values().map(At::value).collect(), about).await?;
        let mut count = 0;
        for value in made.iter().flatten() {
            out.value(value).map_err(Failed::Unwritable)?;
            out.end_line();
            count += 1;
        }
        Ok(count)
    }
}

/// Writes what a program that goes straight makes of each value.
fn written(program: &Straight, input: &Doc, out: &mut Writer<'_>) -> Result<usize, Unwritable> {
    let mut count = 0;
    for value in input.values() {
        program.write(value, out)?;
        out.end_line();
        count += 1;
    }
    Ok(count)
}

/// A value that is nested deeper than the stack of others reaches could not
/// even be dropped there. It is never dropped, and the process ends soon.
fn shallow(outcome: Result<Vec<Vec<Val>>, Failed>) -> Result<Vec<Vec<Val>>, Failed> {
    let Ok(made) = &outcome else { return outcome };
    if made.iter().flatten().all(size::is_shallow) {
        return outcome;
    }
    std::mem::forget(outcome);
    Err(Failed::Endless)
}

/// How large inputs may be that a program looks at in place: about their
/// length in bytes, and some for each value.
const SMALL: usize = 32 << 10;

impl Compiled {
    fn run_all(&self, inputs: Vec<Val>, about: &About) -> Result<Vec<Vec<Val>>, Failed> {
        let run = |input| if careful::is_over() { Err(Failed::Excessive) } else { self.run(input, about) };
        inputs.into_iter().map(run).collect()
    }

    fn run(&self, input: Val, about: &About) -> Result<Vec<Val>, Failed> {
        let given = library::Given { lut: &self.filter.lut, now: about.now };
        let status = about.status.map(|status| Val::from(isize::from(status.cast_signed())));
        let variables = [Val::obj(Default::default()), about.request.clone()].into_iter().chain(status);
        let context = Ctx::<library::Jq>::new(given, Vars::new(variables));
        // A bug of the engine's is an error of the program.
        let values = catch_unwind(AssertUnwindSafe(|| {
            let outcomes = self.filter.id.run((context, input)).map(unwrap_valr);
            outcomes.collect::<Result<Vec<Val>, _>>()
        }));
        values
            .unwrap_or_else(|_| Err(jaq_core::Error::str("bug")))
            .map_err(|error| self.said(error.into_val()))
    }

    /// Only the program's own words are repeated: those of the engine quote the input.
    fn said(&self, error: Val) -> Failed {
        let words = match error {
            Val::TStr(words) => String::from_utf8(words.to_vec()).ok(),
            _ => None,
        };
        Failed::Erred(words.filter(|words| self.words.contains(words)))
    }
}

impl From<Lost> for Failed {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Broken => Self::Erred(None),
            Lost::Excessive => Self::Excessive,
            Lost::Endless => Self::Endless,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mistaken(mistake) => write!(f, "the program does not compile: {}", mistake.what),
            Self::Erred(Some(words)) => write!(f, "the program said: {words}"),
            Self::Erred(None) => f.write_str("the program ended with an error"),
            Self::Excessive => f.write_str("the program took too much time or memory"),
            Self::Endless => f.write_str("the program came to no end"),
            Self::Unwritable(why) => write!(f, "what the program made {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
