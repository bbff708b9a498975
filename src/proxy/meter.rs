//! Reads the numbers that an answer says of itself, such as how many tokens it cost.
//!
//! Meters only read along: they see the answer as it came, past the guard and
//! before any transform, and nothing that becomes of them fails a request or
//! changes a byte of it. What is kept was metered when it was fetched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use http::{HeaderMap, header};
use tokio::time::{Instant, timeout_at};

use super::Proxy;
use super::audit::Record;
use super::events::{Events, Form};
use super::guard::{Clean, Guard, Leaks, Place};
use crate::body::charset;
use crate::body::jq::{About, Failed, Program};
use crate::body::json::{self, Doc, Writer};
use crate::body::media::MediaType;

/// The longest number, in digits.
const LONGEST: usize = 64;

/// The largest whole number that all who read JSON agree on (RFC 8259 §6): 2^53 - 1.
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// A number that answers say of themselves.
pub struct Meter {
    /// Its name in the file.
    pub name: String,
    /// Gives the number.
    pub program: Program,
}

/// What meters read.
#[derive(Default)]
pub struct Metered {
    /// By the meter's name; of several numbers the last.
    pub numbers: BTreeMap<String, u64>,
    /// Whether a program came to no end: the process must.
    pub endless: bool,
}

/// The meters of one answer.
struct Metering {
    meters: Arc<[Meter]>,
    about: About,
    guard: Guard,
    metered: Metered,
    /// Whether a program took too much, or an event had no end: nothing is asked any more.
    over: bool,
}

/// The meters of an answer that comes in events, of which the last number counts.
pub struct Listening {
    metering: Metering,
    /// Cut out of a copy. What they are written anew to is nobody's.
    events: Events,
    heard: Receiver<Bytes>,
}

impl Proxy {
    /// Reads the meters of an answer, or lets them read along where it still arrives.
    pub(super) async fn meter(
        &self,
        clean: &mut Clean,
        (meters, about): (&Arc<[Meter]>, &About),
        deadline: Instant,
        record: &mut Record<'_>,
    ) {
        if meters.is_empty() {
            return;
        }
        let about = About { status: Some(clean.status.as_u16()), ..about.clone() };
        let (meters, guard) = (Arc::clone(meters), clean.guard.clone());
        let metering = Metering { meters, about, guard, metered: Metered::default(), over: false };
        let form = Form::of(&clean.headers);
        if let (Some(passage), Some(form)) = (&mut clean.passage, form) {
            passage.meters = Some(Listening::new(metering, form));
            return;
        }
        let reading = metering.read(&clean.headers, &clean.body);
        let metered = timeout_at(deadline, reading).await.unwrap_or_default();
        self.spent.fetch_or(metered.endless, Ordering::Relaxed);
        record.metered(metered.numbers);
    }
}

impl Listening {
    fn new(metering: Metering, form: Form) -> Self {
        let (said, heard) = channel();
        let mut events = Events::new(form);
        events.reshape(Box::new(move |data| {
            drop(said.send(data));
            Box::pin(async { Ok(Vec::new()) })
        }));
        Self { metering, events, heard }
    }

    /// Reads along, and gives what is new.
    pub(super) async fn hear(&mut self, bytes: Bytes) -> Metered {
        if !self.metering.over {
            self.metering.over = self.events.pass(bytes).await.is_err();
        }
        self.ask().await
    }

    /// The body has ended: a last line needs no line end.
    pub(super) async fn end(&mut self) -> Metered {
        drop(self.events.end().await);
        self.ask().await
    }

    async fn ask(&mut self) -> Metered {
        while let Ok(data) = self.heard.try_recv() {
            self.metering.ask(&data).await;
        }
        std::mem::take(&mut self.metering.metered)
    }
}

impl Metering {
    /// Reads a body that is here as a whole. What is no JSON has no numbers.
    async fn read(mut self, headers: &HeaderMap, body: &Bytes) -> Metered {
        let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Some(media) = media.and_then(MediaType::parse) else { return Metered::default() };
        let Ok(text) = charset::to_utf8(&media, body) else { return Metered::default() };
        match Form::of(headers) {
            Some(form) => {
                let mut listening = Listening::new(self, form);
                let mut metered = listening.hear(text).await;
                metered.add(listening.end().await);
                metered
            }
            None if media.is_json() => {
                self.ask(&text).await;
                self.metered
            }
            None => Metered::default(),
        }
    }

    /// Asks each meter about one JSON text.
    async fn ask(&mut self, text: &Bytes) {
        let Ok(doc) = json::read(text) else { return };
        let meters = Arc::clone(&self.meters);
        for meter in meters.iter() {
            if self.over {
                return;
            }
            if let Some(number) = self.number(&meter.program, &doc).await {
                self.metered.numbers.insert(meter.name.clone(), number);
            }
        }
    }

    /// The one number that a program gives, rounded down.
    async fn number(&mut self, program: &Program, doc: &Doc) -> Option<u64> {
        let mut out = Writer::new(LONGEST);
        match program.write(doc, self.about.clone(), &mut out).await {
            Ok(1) => {}
            Ok(_) => return None,
            Err(failed) => {
                self.over = matches!(failed, Failed::Excessive | Failed::Endless);
                self.metered.endless |= failed == Failed::Endless;
                return None;
            }
        }
        let number: f64 = std::str::from_utf8(&out.into_line()).ok()?.parse().ok()?;
        let number = (0.0..=LARGEST).contains(&number).then_some(number as u64)?;
        // A secret of digits can be written so that only the number shows it: 1.2e1.
        let leaks = self.guard.clean(number.to_string().as_bytes(), Place::Body, &mut Leaks::new());
        leaks.is_none().then_some(number)
    }
}

impl Metered {
    fn add(&mut self, later: Self) {
        self.numbers.extend(later.numbers);
        self.endless |= later.endless;
    }
}
