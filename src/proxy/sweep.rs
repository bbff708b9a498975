//! The guard on a body that still arrives.
//!
//! What is cut out is what the guard would cut out of the whole body, however
//! the upstream cuts its chunks. What is held back is only an end that could
//! be the beginning of a secret: a token of a chat that looks like none goes
//! out at once, and memory stays within the longest spelling.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::search::{Leaks, REDACTED, Search};
use super::spelling::{Decoded, begun_escape};

/// Searches one body, chunk by chunk: as it is, and what passed that once
/// more percent-decoded.
pub struct Sweep {
    /// `None` where there is nothing to look for.
    search: Option<Arc<Search>>,
    plain: Reading,
    decoded: Reading,
    leaks: Leaks,
}

impl Sweep {
    pub(super) fn new(search: Option<Arc<Search>>) -> Self {
        Self { search, plain: Reading::default(), decoded: Reading::decoding(), leaks: Leaks::new() }
    }

    /// What may leave now that `chunk` is here. May be empty.
    pub fn pass(&mut self, chunk: Bytes) -> Bytes {
        self.read(chunk, false)
    }

    /// What was held back, now that nothing follows.
    pub fn end(&mut self) -> Bytes {
        self.read(Bytes::new(), true)
    }

    /// What may leave of bytes that were made anew: what was escaped may show now.
    pub fn again(&mut self, made: Bytes) -> Bytes {
        let cut = self.search.as_ref().and_then(|search| search.clean(&made, &mut self.leaks));
        cut.map_or(made, Bytes::from)
    }

    /// The names of the secrets that were cut out since this was last asked.
    pub fn leaks(&mut self) -> Leaks {
        std::mem::take(&mut self.leaks)
    }

    fn read(&mut self, chunk: Bytes, last: bool) -> Bytes {
        let Some(search) = &self.search else { return chunk };
        let plain = self.plain.read(chunk, last, search, &mut self.leaks);
        self.decoded.read(plain, last, search, &mut self.leaks)
    }
}

/// One way to read a body.
#[derive(Default)]
struct Reading {
    decodes: bool,
    /// The end of what came, which may be the beginning of a secret.
    held: Bytes,
}

impl Reading {
    fn decoding() -> Self {
        Self { decodes: true, held: Bytes::new() }
    }

    fn read(&mut self, chunk: Bytes, last: bool, search: &Search, leaks: &mut Leaks) -> Bytes {
        let bytes = joined(std::mem::take(&mut self.held), chunk);
        let text = Text::of(&bytes, self.decodes, last);
        let begun = |from| if last { text.bytes().len() } else { search.begun(text.bytes(), from) };
        let (mut cut, mut done, mut open) = (BytesMut::new(), 0, begun(0));
        for found in search.found(text.bytes()) {
            // It may yet turn out to be longer, or to begin further left.
            if open <= found.start() {
                break;
            }
            leaks.extend(search.name(&found));
            cut.extend_from_slice(bytes.get(text.place(done)..text.place(found.start())).unwrap_or_default());
            cut.extend_from_slice(REDACTED.as_bytes());
            done = found.end();
            open = if open < done { begun(done) } else { open };
        }
        let (done, open) = (text.place(done), text.place(open));
        // A copy: a slice would keep the whole chunk.
        self.held = Bytes::copy_from_slice(bytes.get(open..).unwrap_or_default());
        let clean = bytes.slice(done..open);
        if cut.is_empty() { clean } else { joined(cut.freeze(), clean) }
    }
}

/// Bytes as a search reads them, with the way back to where each one stands.
enum Text<'b> {
    Plain(&'b [u8]),
    Decoded(Decoded<'b>),
}

impl<'b> Text<'b> {
    /// An escape that has only begun is no text yet, unless nothing follows.
    fn of(bytes: &'b [u8], decodes: bool, last: bool) -> Self {
        let begun = if decodes && !last { begun_escape(bytes) } else { 0 };
        let bytes = bytes.get(..bytes.len() - begun).unwrap_or_default();
        let decoded = if decodes { Decoded::of(bytes) } else { None };
        decoded.map_or(Self::Plain(bytes), Self::Decoded)
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Decoded(decoded) => &decoded.bytes,
        }
    }

    fn place(&self, at: usize) -> usize {
        match self {
            Self::Plain(_) => at,
            Self::Decoded(decoded) => decoded.place(at),
        }
    }
}

fn joined(first: Bytes, second: Bytes) -> Bytes {
    match (first.is_empty(), second.is_empty()) {
        (true, _) => second,
        (_, true) => first,
        (false, false) => [first, second].concat().into(),
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;
    use crate::credential::Needle;
    use crate::proxy::guard::Guard;
    use crate::proxy::spelling::spellings;
    use crate::secret::Secret;

    fn guard(secrets: &[&str]) -> Guard {
        let needle = |(at, secret): (usize, &&str)| Needle {
            name: format!("secret-{at}"),
            secret: Secret::new(*secret),
        };
        Guard::new(&secrets.iter().enumerate().map(needle).collect::<Vec<_>>())
    }

    /// What leaves of these chunks, chunk by chunk, the end last; and the leaks.
    fn swept(guard: &Guard, chunks: &[&[u8]]) -> (Vec<Bytes>, Leaks) {
        let mut sweep = guard.sweep();
        let mut left: Vec<Bytes> =
            chunks.iter().map(|chunk| sweep.pass(Bytes::copy_from_slice(chunk))).collect();
        left.push(sweep.end());
        (left, sweep.leaks())
    }

    #[test]
    fn only_what_may_be_the_beginning_of_a_secret_waits() {
        let guard = guard(&["hello-secret"]);
        let check = |chunks: &[&str], expected: &[&str]| {
            let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
            assert_eq!(swept(&guard, &chunks).0, expected, "{expected:?}");
        };
        check(&["data: token\n\n", "data: two\n\n"], &["data: token\n\n", "data: two\n\n", ""]);
        check(&["say hel", "p!"], &["say ", "help!", ""]);
        check(&["say hello-", "secret!"], &["say ", "[redacted]!", ""]);
        check(&["hello-secre"], &["", "hello-secre"]);
        check(&["100%", " of"], &["100", "% of", ""]);
        check(&["%68ello-", "%73ecret%", "2"], &["", "[redacted]", "", "%2"]);
        check(&["%6", "8ello-secret"], &["", "[redacted]", ""]);
        check(&["", ""], &["", "", ""]);
    }

    /// A secret that begins as it ends, and one that is the beginning of another.
    #[test]
    fn the_longest_secret_wins_also_when_it_comes_in_two_parts() {
        let guard = guard(&["secret-0", "secret-0-and-more", "0-and-more-of"]);
        for (chunks, expected) in [
            (["x secret-0", "-and-more y"], "x [redacted] y"),
            (["x secret-0", " and-more y"], "x [redacted] and-more y"),
            (["x secret-0-and-m", "uch y"], "x [redacted]-and-much y"),
            (["x secret-0-and-more", "-of y"], "x [redacted]-of y"),
        ] {
            assert_eq!(
                swept(&guard, &chunks.map(str::as_bytes)).0.concat(),
                expected.as_bytes(),
                "{chunks:?}"
            );
        }
    }

    /// One of the ways in which a secret may be written down, or noise that resembles it.
    fn written(secret: &str, pick: usize, from: usize) -> Vec<u8> {
        let forms = spellings(secret);
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        match pick % (forms.len() + 5) {
            0 => encoded.to_lowercase().into_bytes(),
            1 => secret.bytes().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect(),
            2 => secret.as_bytes().get(..from % secret.len()).unwrap().to_vec(),
            3 => secret.as_bytes().get(from % secret.len()..).unwrap().to_vec(),
            4 => format!("%{}%4", "%25").into_bytes(),
            other => forms[other - 5].to_vec(),
        }
    }

    /// A few secrets of few letters, so that they overlap, and a body full of them.
    fn bodies() -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
        let secret = prop_oneof!["[ab%é]{8,12}", "[ -~]{8,24}", "(ab){4,6}", "[a-z]{8,40}"];
        let parts = prop::collection::vec((any::<usize>(), any::<usize>(), "[ab%4-7\n ]{0,6}"), 0..8);
        (prop::collection::vec(secret, 1..4), parts).prop_map(|(secrets, parts)| {
            let mut body = Vec::new();
            for (pick, from, noise) in parts {
                body.extend(written(&secrets[pick % secrets.len()], pick / 7, from));
                body.extend(noise.into_bytes());
            }
            (secrets, body)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

        /// Whatever the secrets and wherever the cuts: what leaves is what
        /// would leave of the whole body.
        #[test]
        fn cuts_hide_nothing(
            (secrets, body) in bodies(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let guard = guard(&secrets);
            let mut leaks = Leaks::new();
            let whole = guard.clean(&body, &mut leaks).unwrap_or_else(|| body.clone());
            let check = |chunks: &[&[u8]]| {
                let found = swept(&guard, chunks);
                prop_assert_eq!((found.0.concat(), found.1), (whole.clone(), leaks.clone()));
                Ok(())
            };
            let single: Vec<&[u8]> = body.chunks(1).collect();
            check(&single)?;
            for at in 0..=body.len() {
                check(&[&body[..at], &body[at..]])?;
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let random: Vec<&[u8]> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
            check(&random)?;
        }
    }
}
