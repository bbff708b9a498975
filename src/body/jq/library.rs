//! What programs may call: jq's own functions, less those that reach out.
//!
//! No file, no environment, no clock but the time of the request, no log and
//! no exit. `fromjson` reads as strictly as we read bodies.

use bytes::Bytes;
use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Cv, DataT, Error, Lut, data::HasLut};

use crate::body::json::{self, Val};

/// The data that our programs work on.
pub struct Jq;

/// What native functions can ask for.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub lut: &'a Lut<Jq>,
    /// Seconds since 1970.
    pub now: f64,
}

impl DataT for Jq {
    type V<'a> = Val;
    type Data<'a> = Given<'a>;
}

impl<'a> HasLut<'a, Jq> for Given<'a> {
    fn lut(&self) -> &'a Lut<Jq> {
        self.lut
    }
}

/// Functions that look outside, or end more than themselves. What jq has
/// under the same name is given below where it can be had without.
const OUTWARD: [&str; 12] = [
    "debug",
    "debug_empty",
    "env",
    "fromjson",
    "halt",
    "halt_error",
    "input_line_number",
    "localtime",
    "now",
    "stderr",
    "stderr_empty",
    "strflocaltime",
];

/// The functions that are written in jq.
pub fn definitions<'s>() -> impl Iterator<Item = Def<&'s str>> {
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    all.filter(|def| !OUTWARD.contains(&def.name)).map(shortened)
}

/// What lives for ever lives as long as a program's own.
fn shortened<'s>(def: Def<&'static str>) -> Def<&'s str> {
    def
}

/// The functions that are not.
pub fn functions() -> impl Iterator<Item = Fun<Jq>> {
    let all = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let kept = all.filter(|(name, ..)| !OUTWARD.contains(name) && *name != "range");
    kept.chain(ours())
}

/// Whether jq has a function of this name that looks outside.
pub fn is_outward(name: &str) -> bool {
    OUTWARD.contains(&name) || ["get_search_list", "input", "input_filename", "inputs"].contains(&name)
}

fn ours() -> impl Iterator<Item = Fun<Jq>> {
    let given = [
        run(("env", v(0), |_| bome(Ok(Val::obj(Default::default()))))),
        run(("now", v(0), |cv: Cv<'_, Jq>| bome(Ok(Val::from(cv.0.data().now))))),
        run(("fromjson", v(0), |cv| bome(from_json(&cv.1)))),
    ];
    given.into_iter().chain(super::careful::functions())
}

fn from_json(text: &Val) -> Result<Val, Error<Val>> {
    match text {
        Val::TStr(text) => json::read(&Bytes::clone(text)).map(|doc| doc.value()).map_err(Error::str),
        other => Err(Error::typ(other.clone(), "string")),
    }
}
