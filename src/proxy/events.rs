//! Events in a body that still arrives: server-sent ones (WHATWG HTML §9.2.6)
//! and lines of JSON.
//!
//! Without a hook the bytes pass as they came; only the beginning of a line of
//! a server-sent event waits for its end, so that one which breaks off there
//! never reaches a page as if it were complete. With a hook, each event is
//! written anew around what the hook made of its data, and nothing passes
//! around it: no comment's words, no unknown field. All bytes here were
//! guarded before.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};

use crate::body::MediaType;
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// The longest event that can be reshaped, in bytes: it is kept in memory until it is whole.
const LONGEST: usize = 1024 * 1024;

/// The longest line that waits for its end, in bytes. Images are longer.
const LONGEST_LINE: usize = 64 * 1024;

/// OpenAI's mark behind the last event. No JSON, and nobody's to reshape.
const DONE: &[u8] = b"[DONE]";

/// Reshapes the data of one event, one JSON text as a rule. Each result becomes
/// an event; none drops it. An error ends the body.
pub type Reshape = Box<dyn FnMut(Bytes) -> Reshaping + Send>;

/// What a [`Reshape`] gives.
pub type Reshaping = Pin<Box<dyn Future<Output = Result<Vec<Bytes>, Problem>> + Send>>;

/// How a body is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `text/event-stream`.
    EventStream,
    /// One JSON text a line: `application/x-ndjson`, and its other names.
    Lines,
}

impl Form {
    /// The form that the headers declare, if it is one of events.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let declared = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media = MediaType::parse(declared)?;
        match media.is_event_stream() {
            true => Some(Self::EventStream),
            false => media.is_ndjson().then_some(Self::Lines),
        }
    }
}

/// The events of one body.
pub struct Events {
    form: Form,
    cutter: Cutter,
    /// What is done with each; `None`: it passes as it came.
    reshape: Option<Reshape>,
    /// Whether nothing was looked at yet: a byte order mark may stand there.
    first: bool,
}

impl Events {
    /// Events that pass as they came.
    pub fn new(form: Form) -> Self {
        Self { form, cutter: Cutter::default(), reshape: None, first: true }
    }

    /// The same events, each of them reshaped.
    pub fn reshape(&mut self, reshape: Reshape) {
        self.reshape = Some(reshape);
    }

    /// What goes on at once now that `bytes` are here. With a hook that is
    /// nothing: each event is asked for with [`next`](Self::next).
    pub fn take(&mut self, bytes: Bytes) -> Bytes {
        match (&self.reshape, self.form) {
            (None, Form::Lines) => bytes,
            (None, Form::EventStream) => self.cutter.lines(&bytes),
            (Some(_), _) => {
                self.cutter.pending.extend_from_slice(&bytes);
                Bytes::new()
            }
        }
    }

    /// The next event that is whole, reshaped. May be empty; `None` until more
    /// is here.
    ///
    /// # Errors
    /// The hook's own, and `upstream_invalid` for an event without an end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.reshape.is_none() {
            return Ok(None);
        }
        if let Some(piece) = self.cutter.event(self.form) {
            return self.piece(piece).await.map(Some);
        }
        match LONGEST < self.cutter.pending.len() {
            true => Err(Problem::new(Kind::UpstreamInvalid, "the upstream's answer is not valid")
                .because(format_args!("an event is longer than {LONGEST} bytes"))),
            false => Ok(None),
        }
    }

    /// All the events that are whole now that `bytes` are here: for a body
    /// that is kept, and lost as a whole.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub async fn pass(&mut self, bytes: Bytes) -> Result<Bytes, Problem> {
        let mut all = BytesMut::from(self.take(bytes));
        while let Some(event) = self.next().await? {
            all.extend_from_slice(&event);
        }
        Ok(all.freeze())
    }

    /// Whether a body that breaks off gets a last word.
    pub(super) fn ends_in_words(&self) -> bool {
        self.form == Form::EventStream
    }

    /// The last word of server-sent events that broke off: the problem, as an
    /// event named `error`. What is held of the one before never leaves.
    pub(super) fn error(problem: &Problem, request_id: &str) -> Bytes {
        // The line that was torn ends, and then the event that it is in. Always:
        // what was about to leave is not known to have left, and to a page
        // these lines are nothing.
        [b"\n\nevent: error\ndata: ", &problem.body(request_id)[..], b"\n\n"].concat().into()
    }

    /// What is left when the body ends. A last line needs no line end; a
    /// server-sent event that no empty line ends is none, and only passes.
    pub async fn end(&mut self) -> Result<Bytes, Problem> {
        let rest = std::mem::take(&mut self.cutter.pending).freeze();
        match (self.form, &self.reshape) {
            (_, None) => Ok(rest),
            (Form::EventStream, Some(_)) => Ok(Bytes::new()),
            (Form::Lines, Some(_)) => self.piece(rest).await,
        }
    }

    async fn piece(&mut self, piece: Bytes) -> Result<Bytes, Problem> {
        let Some(reshape) = &mut self.reshape else { return Ok(piece) };
        // Behind a text of ours it would be an empty line.
        if self.cutter.late {
            return Ok(Bytes::new());
        }
        let marked = std::mem::take(&mut self.first);
        let text = piece.strip_prefix(b"\xef\xbb\xbf").filter(|_| marked).unwrap_or(&piece);
        let mut event = match self.form {
            Form::EventStream => Event::parse(text),
            Form::Lines => Event::line(text),
        };
        let results = match (event.data.take(), self.form) {
            (None, Form::EventStream) => return Ok(event.without_data(text)),
            (None, Form::Lines) => return Ok(piece),
            (Some(data), _) if data == DONE => vec![Bytes::from_static(DONE)],
            (Some(data), _) => reshape(data.into()).await?,
        };
        Ok(match self.form {
            Form::EventStream => event.write(&results),
            Form::Lines => results.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect(),
        })
    }
}

/// Finds where lines and events end. A line ends with CR, LF or both.
#[derive(Default)]
struct Cutter {
    pending: BytesMut,
    /// How far it was looked at.
    seen: usize,
    /// Where the line begins.
    line: usize,
    /// Whether the byte before was CR, whose LF is still to come.
    after_cr: bool,
    /// Whether a field stands in the event.
    fields: bool,
    /// Whether the last piece was but the LF of the CR that ended the one before.
    late: bool,
    /// Whether a part of the line has gone on already.
    torn: bool,
}

impl Cutter {
    /// The whole lines of server-sent events, and of a very long one what there is.
    fn lines(&mut self, bytes: &[u8]) -> Bytes {
        self.pending.extend_from_slice(bytes);
        let mut end = 0;
        while let Some(line) = self.line() {
            self.note(line);
            end = self.seen;
        }
        if LONGEST_LINE < self.pending.len() - end {
            end = self.pending.len();
            self.torn = true;
        }
        self.cut(end)
    }

    /// The next whole event, its end included; or a comment outside of one, or
    /// a line of JSON.
    fn event(&mut self, form: Form) -> Option<Bytes> {
        if form == Form::Lines {
            let end = self.pending.iter().skip(self.seen).position(|byte| *byte == b'\n');
            self.seen = end.map_or(self.pending.len(), |end| self.seen + end + 1);
            return end.map(|_| self.cut(self.seen));
        }
        while let Some(line) = self.line() {
            self.note(line);
            let comment = line == Line::Comment && !self.fields;
            self.late = line == Line::Rest;
            if line == Line::Blank || comment || (self.late && self.seen == 1) {
                return Some(self.cut(self.seen));
            }
        }
        None
    }

    /// What the next line is, once its end is there.
    fn line(&mut self) -> Option<Line> {
        while let Some(byte) = self.pending.get(self.seen).copied() {
            self.seen += 1;
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            if !matches!(byte, b'\r' | b'\n') {
                continue;
            }
            let line = self.pending.get(self.line..self.seen - 1).unwrap_or_default();
            let kind = match line.first() {
                None if after_cr && byte == b'\n' => Line::Rest,
                None if !self.torn => Line::Blank,
                Some(b':') if !self.torn => Line::Comment,
                _ => Line::Field,
            };
            if byte == b'\r' && self.pending.get(self.seen) == Some(&b'\n') {
                self.seen += 1;
                self.after_cr = false;
            }
            self.line = self.seen;
            return Some(kind);
        }
        None
    }

    fn note(&mut self, line: Line) {
        self.torn = false;
        match line {
            Line::Blank => self.fields = false,
            Line::Field => self.fields = true,
            Line::Comment | Line::Rest => {}
        }
    }

    fn cut(&mut self, end: usize) -> Bytes {
        let piece = self.pending.split_to(end).freeze();
        self.seen -= end;
        self.line = 0;
        piece
    }
}

/// What a line of server-sent events may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// The end of an event.
    Blank,
    Comment,
    Field,
    /// The LF of a CR that ended the line before.
    Rest,
}

/// What an event holds.
#[derive(Default)]
struct Event<'b> {
    name: Option<&'b [u8]>,
    id: Option<&'b [u8]>,
    /// Digits only: a page takes no other.
    retry: Option<&'b [u8]>,
    /// Its lines, joined with LF.
    data: Option<Vec<u8>>,
}

impl<'b> Event<'b> {
    fn parse(text: &'b [u8]) -> Self {
        let mut event = Self::default();
        for line in lines(text).filter(|line| !line.is_empty()) {
            let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(at);
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"event" => event.name = Some(value),
                b"id" => event.id = Some(value),
                b"retry" if value.iter().all(u8::is_ascii_digit) => event.retry = Some(value),
                b"data" => event.add(value),
                _ => {}
            }
        }
        event
    }

    /// A line of JSON. An empty one holds nothing.
    fn line(text: &[u8]) -> Self {
        let text = text.trim_ascii();
        Self { data: Some(text.to_vec()).filter(|text| !text.is_empty()), ..Self::default() }
    }

    fn add(&mut self, line: &[u8]) {
        match &mut self.data {
            None => self.data = Some(line.to_vec()),
            Some(data) => data.extend([b"\n", line].concat()),
        }
    }

    /// What no program sees says nothing but that the line is open, and how
    /// long to wait before the next try.
    fn without_data(&self, text: &[u8]) -> Bytes {
        match self.retry {
            // A comment stands by itself: no empty line ends it.
            None if text.starts_with(b":") => Bytes::from_static(b":\n"),
            None => Bytes::from_static(b"\n"),
            Some(retry) => [b"retry: ", retry, b"\n\n"].concat().into(),
        }
    }

    /// An event for each of `results`.
    fn write(&self, results: &[Bytes]) -> Bytes {
        let mut text = Vec::new();
        let mut retry = self.retry;
        for result in results {
            for (name, value) in [("event: ", self.name), ("id: ", self.id), ("retry: ", retry.take())] {
                text.extend(value.into_iter().flat_map(|value| [name.as_bytes(), value, b"\n"].concat()));
            }
            for line in lines(result) {
                text.extend([b"data: ", line, b"\n"].concat());
            }
            text.push(b'\n');
        }
        text.into()
    }
}

/// The lines of a text, ended by CR, LF or both; behind the last end there is none.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let Some((line, behind)) = end.and_then(|end| text.split_at_checked(end)) else {
            rest = None;
            return Some(text);
        };
        rest = behind.strip_prefix(b"\r\n").or_else(|| behind.get(1..));
        Some(line)
    })
}

#[cfg(test)]
mod tests;
