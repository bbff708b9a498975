//! A body that is there, or that still arrives.
//!
//! One that arrives comes out of a channel with room for one chunk: who fills
//! it waits until the one before was taken, so memory stays flat however slow
//! the caller reads. It never carries an error: a body that breaks just ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// Chunks, as they arrive.
    Arriving(Chunks),
}

/// A body's chunks on their way out. Dropping them tells who makes them that
/// nobody is listening.
#[derive(Debug)]
pub struct Chunks(Receiver<Bytes>);

impl Body {
    /// No body.
    pub(crate) const NONE: Self = Self::Whole(Bytes::new());

    /// A body that arrives, and the end at which it is filled.
    pub(crate) fn arriving() -> (Sender<Bytes>, Self) {
        let (sender, receiver) = channel(1);
        (sender, Self::Arriving(Chunks(receiver)))
    }

    /// The bytes of a whole body; none of one that still arrives.
    pub(super) fn whole(&self) -> &Bytes {
        static NOTHING: Bytes = Bytes::new();
        match self {
            Self::Whole(bytes) => bytes,
            Self::Arriving(_) => &NOTHING,
        }
    }

    /// The next chunk; `None` at the end. A whole body is one chunk.
    pub async fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Whole(bytes) => take(bytes),
            Self::Arriving(Chunks(receiver)) => receiver.recv().await,
        }
    }
}

/// As the Lambda runtime reads it.
impl Stream for Body {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(take(bytes).map(Ok)),
            Self::Arriving(Chunks(receiver)) => receiver.poll_recv(context).map(|chunk| chunk.map(Ok)),
        }
    }
}

/// An empty chunk would be the end of some.
fn take(bytes: &mut Bytes) -> Option<Bytes> {
    Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())
}
