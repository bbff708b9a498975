//! JSON that is being written, in no more than so many bytes.

use std::io::Write;

use jaq_json::Num;

use super::json::{DEEPEST, Unwritable, Val};

/// Another text for a text, where there is one.
pub type Swap<'s> = &'s (dyn Fn(&[u8]) -> Option<String> + Sync);

/// What has been written so far.
pub struct Writer<'s> {
    text: Vec<u8>,
    limit: usize,
    swap: Option<Swap<'s>>,
}

impl<'s> Writer<'s> {
    /// May write so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { text: Vec::new(), limit, swap: None }
    }

    /// The same, with others for some texts. Keys stay.
    pub fn swapping(self, swap: Swap<'s>) -> Self {
        Self { swap: Some(swap), ..self }
    }

    /// All of it.
    pub fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// The one line that there is, without its end.
    pub fn into_line(mut self) -> Vec<u8> {
        self.text.pop_if(|last| *last == b'\n');
        self.text
    }

    /// How much there is, in bytes.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// Takes back what was written behind the first so many bytes.
    pub fn back_to(&mut self, length: usize) {
        self.text.truncate(length);
    }

    /// Ends a line. It counts only once something stands behind it.
    pub fn end_line(&mut self) {
        self.text.push(b'\n');
    }

    /// Writes what is JSON already.
    ///
    /// # Errors
    /// It is too long; so for all that follow.
    pub fn put(&mut self, json: &[u8]) -> Result<(), Unwritable> {
        self.text.extend_from_slice(json);
        self.bound()
    }

    /// Writes a text, or the other one that there is for it.
    ///
    /// # Errors
    /// It is too long, or no UTF-8.
    pub fn text(&mut self, text: &[u8]) -> Result<(), Unwritable> {
        match self.other(text) {
            Some(other) => self.key(other.as_bytes()),
            None => self.key(text),
        }
    }

    /// Writes a text that has no escapes in it, or the other one.
    pub(super) fn plain(&mut self, text: &[u8]) -> Result<(), Unwritable> {
        if let Some(other) = self.other(text) {
            return self.key(other.as_bytes());
        }
        self.text.push(b'"');
        self.text.extend_from_slice(text);
        self.put(b"\"")
    }

    /// Writes a text as it is.
    ///
    /// # Errors
    /// It is too long, or no UTF-8.
    pub fn key(&mut self, text: &[u8]) -> Result<(), Unwritable> {
        let text = std::str::from_utf8(text).map_err(|_| Unwritable::NoWord)?;
        serde_json::to_writer(&mut self.text, text).map_err(|_| Unwritable::NoWord)?;
        self.bound()
    }

    /// Writes what stands between two brackets, with commas.
    ///
    /// # Errors
    /// Those of `put`, and too long.
    pub fn all<T>(
        &mut self,
        [open, close]: [u8; 2],
        items: impl Iterator<Item = T>,
        mut put: impl FnMut(T, &mut Self) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        self.text.push(open);
        for (index, item) in items.enumerate() {
            if index != 0 {
                self.text.push(b',');
            }
            put(item, self)?;
        }
        self.put(&[close])
    }

    /// Writes a value. Numbers are written as they were read.
    ///
    /// # Errors
    /// It is too long, or JSON has no word for something in it.
    pub fn value(&mut self, value: &Val) -> Result<(), Unwritable> {
        self.nested(value, DEEPEST * 2)
    }

    fn nested(&mut self, value: &Val, depth: usize) -> Result<(), Unwritable> {
        let depth = depth.checked_sub(1).ok_or(Unwritable::TooLong)?;
        match value {
            Val::Null => self.put(b"null"),
            Val::Bool(true) => self.put(b"true"),
            Val::Bool(false) => self.put(b"false"),
            Val::Num(Num::Float(float)) if !float.is_finite() => Err(Unwritable::NoWord),
            Val::Num(number) => {
                // Writing into a vector cannot fail.
                drop(write!(self.text, "{number}"));
                self.bound()
            }
            Val::TStr(text) => self.text(text),
            Val::BStr(_) => Err(Unwritable::NoWord),
            Val::Arr(items) => self.all(*b"[]", items.iter(), |item, out| out.nested(item, depth)),
            Val::Obj(entries) => self.all(*b"{}", entries.iter(), |(key, value), out| {
                let Val::TStr(key) = key else { return Err(Unwritable::NoWord) };
                out.key(key)?;
                out.put(b":")?;
                out.nested(value, depth)
            }),
        }
    }

    fn other(&self, text: &[u8]) -> Option<String> {
        self.swap.and_then(|swap| swap(text))
    }

    fn bound(&self) -> Result<(), Unwritable> {
        if self.limit < self.text.len() { Err(Unwritable::TooLong) } else { Ok(()) }
    }
}
