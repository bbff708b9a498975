//! How programs write a secret down again: the texts that an answer is
//! searched for.
//!
//! Escapings are not listed here: `reading` undoes them, in any mixture. What
//! is listed is written in other characters, or in another order of bits.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::secret::vault::SHORTEST;

/// In which characters a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Its own.
    Plain,
    /// Its own, over several lines, as keys in PEM are: wherever a line ends.
    Lines,
    /// As in a form: a plus for a space.
    Plus,
    /// As PHP names parameters: an underscore for a space, a dot and a bracket.
    Underscores,
    /// A byte a character (ISO 8859-1).
    Latin1,
    /// Two bytes a character, the smaller one first.
    Utf16Le,
    /// Two bytes a character, the larger one first.
    Utf16Be,
    /// Two digits a byte, in either case.
    Hex,
    /// RFC 4648 §4, wherever a line ends (RFC 2045 §6.8).
    Base64,
    /// RFC 4648 §5.
    Base64Url,
}

/// A text to look for.
pub(super) struct Spelling {
    pub(super) form: Form,
    pub(super) text: Zeroizing<Vec<u8>>,
}

impl Spelling {
    /// The same without upper case.
    pub(super) fn lower(mut self) -> Self {
        self.text.make_ascii_lowercase();
        self
    }
}

impl Form {
    /// Whether the text may be broken into lines anywhere.
    pub(super) fn folds(self) -> bool {
        matches!(self, Self::Lines | Self::Base64 | Self::Base64Url)
    }

    /// Whether its letters mean the same in either case.
    pub(super) fn is_caseless(self) -> bool {
        self == Self::Hex
    }

    /// What the record calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain | Self::Lines => "plain",
            Self::Plus => "form-encoded",
            Self::Underscores => "underscored",
            Self::Latin1 => "iso-8859-1",
            Self::Utf16Le | Self::Utf16Be => "utf-16",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
        }
    }
}

/// The texts to look for, each once. None is shorter than a secret may be.
pub(super) fn spellings(value: &str) -> Vec<Spelling> {
    let mut texts = vec![match value.contains(['\r', '\n']) {
        true => (Form::Lines, value.replace(['\r', '\n'], "").into_bytes()),
        false => (Form::Plain, value.as_bytes().to_vec()),
    }];
    texts.push((Form::Plus, value.replace(' ', "+").into_bytes()));
    texts.push((Form::Underscores, value.replace([' ', '.', '['], "_").into_bytes()));
    texts.push((Form::Hex, value.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()));
    for shift in 0..3 {
        texts.push((Form::Base64, base64_inside(&STANDARD_NO_PAD, value, shift)));
        texts.push((Form::Base64Url, base64_inside(&URL_SAFE_NO_PAD, value, shift)));
    }
    // `reading` knows UTF-16 where each second byte is zero.
    let latin1: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    match latin1 {
        Some(_) if value.is_ascii() => {}
        Some(text) => texts.push((Form::Latin1, text)),
        None => {
            texts.push((Form::Utf16Le, value.encode_utf16().flat_map(u16::to_le_bytes).collect()));
            texts.push((Form::Utf16Be, value.encode_utf16().flat_map(u16::to_be_bytes).collect()));
        }
    }
    let mut spellings: Vec<Spelling> = Vec::new();
    for (form, text) in texts {
        let text = Zeroizing::new(text);
        if SHORTEST <= text.len() && spellings.iter().all(|known| known.text != text) {
            spellings.push(Spelling { form, text });
        }
    }
    spellings
}

/// The characters that `value` alone decides, wherever base64 has put it:
/// `shift` bytes of something else stand before it in its group of three.
fn base64_inside(engine: &impl Engine, value: &str, shift: usize) -> Vec<u8> {
    let mut bytes = Zeroizing::new(vec![0_u8; shift]);
    bytes.extend_from_slice(value.as_bytes());
    let text = Zeroizing::new(engine.encode(bytes.as_slice()));
    // A character holds six bits: those that share bits with a neighbour go.
    let first = (shift * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    text.as_bytes().get(first..last).unwrap_or_default().to_vec()
}
