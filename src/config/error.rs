//! What serde says when a value does not fit, kept apart until it is known
//! where that was, and then said in the words of the file.

use std::fmt;

use serde::de;

use super::flaw::{self, Flaw, Flaws};
use super::tree::{At, Node};

/// Why a value could not be read; and, once it is known, where that was.
#[derive(Debug)]
pub(super) struct Error(Box<State>);

#[derive(Debug)]
enum State {
    /// Not yet seen by whoever knows the place.
    Loose(Reason),
    /// With its place.
    Found(Flaw),
    /// Its place was marked before, and all was said.
    Known,
}

#[derive(Debug)]
enum Reason {
    /// Something else is wanted: a noun with its article.
    Wanted(String),
    /// What is wrong, and how to mend it.
    Said(String, Option<String>),
    /// A key that is not known, and those that are.
    Unknown(String, &'static [&'static str]),
    /// A word that is not known, and those that are.
    OneOf(&'static str, &'static [&'static str]),
    /// A field that must be there.
    Missing(&'static str),
}

impl Error {
    fn new(reason: Reason) -> Self {
        Self(Box::new(State::Loose(reason)))
    }

    pub fn wanted(noun: impl Into<String>) -> Self {
        Self::new(Reason::Wanted(noun.into()))
    }

    pub fn said(what: &str, help: impl Into<String>) -> Self {
        Self::new(Reason::Said(what.to_owned(), Some(help.into())))
    }

    pub fn one_of(what: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(Reason::OneOf(what, words))
    }

    /// The same about a word that stands as a value, which is not repeated:
    /// it could be a secret that somebody pasted.
    pub fn of_a_value(self) -> Self {
        match *self.0 {
            State::Loose(Reason::Unknown(_, known)) => Self::one_of("this word is not known here", known),
            State::Loose(Reason::Wanted(_)) => Self::said(
                "this word says too little here",
                "write it with a colon, and what it takes behind it",
            ),
            state => Self(Box::new(state)),
        }
    }

    /// Found in the value at a place, unless it was found further within.
    pub fn at(self, at: &At<'_>) -> Self {
        self.found(at, false)
    }

    /// Found in the key of a place.
    pub fn at_key(self, at: &At<'_>) -> Self {
        self.found(at, true)
    }

    fn found(self, at: &At<'_>, in_key: bool) -> Self {
        let State::Loose(reason) = *self.0 else { return self };
        // What was left out within is why this does not fit.
        let follows = !in_key && at.is_flawed_within();
        if let Some(node) = at.node() {
            node.flawed.set(true);
        }
        if follows {
            return Self(Box::new(State::Known));
        }
        let place = if in_key { at.key_place() } else { at.place() };
        let path = match &reason {
            Reason::Missing(field) => format!("{}.{field}", at.path()),
            _ => at.path(),
        };
        let (what, help) = reason.tell(at);
        Self(Box::new(State::Found(Flaw::new(path, place, what, help))))
    }

    /// Adds what was found to the others.
    pub fn note(self, flaws: &mut Flaws) {
        if let State::Found(flaw) = *self.0 {
            flaws.push(flaw);
        }
    }
}

impl Reason {
    /// What is wrong and how to mend it.
    fn tell(self, at: &At<'_>) -> (String, String) {
        let quoted =
            |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Wanted(noun) => {
                let found = at.node().map_or("nothing", Node::kind);
                let help = match noun.as_str() {
                    "a mapping" => "write its fields below it as `field: value`, indented".to_owned(),
                    "text" => "write text, in quotes where YAML reads something else".to_owned(),
                    _ => format!("write {noun}"),
                };
                (format!("{found} stands here, where {noun} is wanted"), help)
            }
            Self::Said(what, help) => (what, help.unwrap_or_else(|| "see the reference".to_owned())),
            Self::Unknown(key, _) if key == "observe" => {
                let what = "this cannot be observed: what it denies stays denied".to_owned();
                (
                    what,
                    "`observe: true` stands at a caller, or in `when: { program: …, observe: true }`"
                        .to_owned(),
                )
            }
            Self::Unknown(key, known) if is_word(&key) => {
                (format!("`{key}` is not known here"), flaw::suggest(&key, known.iter().copied()))
            }
            Self::Unknown(_, known) => {
                ("this key is not known here".to_owned(), format!("write one of {}", quoted(known)))
            }
            Self::OneOf(what, words) => (what.to_owned(), format!("write one of {}", quoted(words))),
            Self::Missing(field) => (format!("`{field}` is missing"), format!("write `{field}: …`")),
        }
    }
}

/// Whether a key is short enough to be a word, and no secret that was pasted.
fn is_word(key: &str) -> bool {
    key.chars().count() <= 32 && !super::pasted::is_pasted(key)
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        let text = text.to_string();
        let (what, help) = flaw::split(&text);
        Self::new(Reason::Said(what.to_owned(), help.map(str::to_owned)))
    }

    fn invalid_type(_: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::wanted(wanted.to_string().replace("a string", "text"))
    }

    fn invalid_value(_: de::Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::wanted(wanted.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Reason::Unknown(field.to_owned(), expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Reason::Unknown(variant.to_owned(), expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Reason::Missing(field))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Error {}
