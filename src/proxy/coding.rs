//! How bodies are packed (RFC 9110 §8.4): which codings an answer is in, which
//! its caller takes, and what may be said of bytes that are no longer the
//! upstream's. Unpacking is `unpack`'s.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A way to pack a body that the guard can undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Br,
    Zstd,
}

/// What an upstream says about bytes that are no longer what leaves: parts of
/// them, and their digests (RFC 9110 §14.3, RFC 9530, RFC 3230, RFC 1864).
pub(super) const ABOUT_BYTES: [HeaderName; 5] = [
    header::ACCEPT_RANGES,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Nobody packs a body more often in earnest, and each time costs memory.
const MOST: usize = 3;

impl Coding {
    pub(super) const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Br, Self::Zstd];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }

    /// In either case; `x-gzip` is an old name of `gzip` (RFC 9110 §8.4.1.3).
    fn parse(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()))
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The codings of an answer, in the order in which they were applied. `None`
/// where one of them is unknown, or where there are more than anyone means.
pub(super) fn codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    // Of a plain answer this allocates nothing.
    let mut codings = Vec::new();
    for word in words(headers, &header::CONTENT_ENCODING) {
        if !word.eq_ignore_ascii_case(b"identity") {
            codings.push(Coding::parse(word)?);
        }
    }
    (codings.len() <= MOST).then_some(codings)
}

/// Whether the connection packed the body too. `chunked` was undone by the
/// client (RFC 9112 §7.1), other transfer codings were not.
pub(super) fn is_transfer_coded(headers: &HeaderMap) -> bool {
    words(headers, &header::TRANSFER_ENCODING).any(|word| !word.eq_ignore_ascii_case(b"chunked"))
}

/// `content-encoding` for these codings.
pub(super) fn list(codings: &[Coding]) -> HeaderValue {
    if let [coding] = codings {
        return HeaderValue::from_static(coding.name());
    }
    let names: Vec<&str> = codings.iter().map(|coding| coding.name()).collect();
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

/// The codings that a caller takes (RFC 9110 §12.5.3). One who says nothing
/// takes none: a program that asked for nothing often cannot unpack anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepts(u8);

impl Accepts {
    /// As `accept-encoding` says, `*` and `;q=0` heeded. A coding that is both
    /// taken and refused is refused.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (mut taken, mut refused, mut others) = (0, 0, false);
        for word in words(headers, &header::ACCEPT_ENCODING) {
            let mut parts = word.split(|byte| *byte == b';');
            let name = parts.next().unwrap_or_default().trim_ascii();
            let wanted = parts.all(is_positive);
            match Coding::parse(name) {
                Some(coding) if wanted => taken |= coding.bit(),
                Some(coding) => refused |= coding.bit(),
                None => others |= wanted && name == b"*",
            }
        }
        Self((if others { u8::MAX } else { taken }) & !refused)
    }

    /// Whether the caller can undo all of these.
    pub(super) fn all(self, codings: &[Coding]) -> bool {
        codings.iter().all(|coding| self.0 & coding.bit() != 0)
    }
}

/// `q=0.5`; not `q=0`, and nothing that is no weight.
fn is_positive(weight: &[u8]) -> bool {
    let text = std::str::from_utf8(weight.trim_ascii()).unwrap_or_default();
    let value = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="));
    value.and_then(|value| value.parse::<f32>().ok()).is_some_and(|value| 0.0 < value)
}

/// A body that is not the upstream's, byte for byte. What names the upstream's
/// goes; also the `etag`, or a page could take a text with `[redacted]` in it
/// for the original, and write it back over it by `if-match`.
pub(super) fn changed(body: Vec<u8>, headers: &mut HeaderMap) -> Bytes {
    for name in ABOUT_BYTES.iter().chain([&header::ETAG]) {
        headers.remove(name);
    }
    body.into()
}

/// A body that may yet turn out to be changed: nothing is said of its bytes,
/// and no `if-match` can be made of its `etag` (RFC 9110 §13.1.1).
pub(super) fn may_change(headers: &mut HeaderMap) {
    for name in &ABOUT_BYTES {
        headers.remove(name);
    }
    let etag = headers.remove(header::ETAG);
    headers.extend(etag.as_ref().and_then(weakened).map(|etag| (header::ETAG, etag)));
}

/// The same content in another coding has another strong `etag`, and may
/// have the same weak one (RFC 9110 §8.8.1).
pub(super) fn weakened(etag: &HeaderValue) -> Option<HeaderValue> {
    if etag.as_bytes().starts_with(b"W/") {
        return Some(etag.clone());
    }
    HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()).ok()
}

/// The words of a comma-separated header, in all its lines: one that is
/// overlooked would be a way past the guard.
fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    let values = headers.get_all(name).iter();
    let words = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| (name.clone(), value.parse().unwrap()));
        values.collect()
    }

    #[test]
    fn each_coding_counts_in_any_line() {
        use Coding::*;
        let check = |values: &[&str], expected: Option<Vec<Coding>>| {
            let headers = headers(header::CONTENT_ENCODING, values);
            assert_eq!(codings(&headers), expected, "{values:?}");
        };
        check(&[], Some(vec![]));
        check(&["", "identity, ,IDENTITY"], Some(vec![]));
        check(&["gzip"], Some(vec![Gzip]));
        check(&["X-GZip"], Some(vec![Gzip]));
        check(&["identity, Br", "zstd,deflate"], Some(vec![Br, Zstd, Deflate]));
        for unknown in ["compress", "dcb", "gzip, made-up", "gzip;q=1", "gzip gzip", "*", "aws-chunked"] {
            check(&[unknown], None);
        }
        check(&["gzip, gzip, gzip"], Some(vec![Gzip; 3]));
        check(&["gzip, gzip", "gzip, gzip"], None);
    }

    #[test]
    fn a_caller_gets_only_codings_that_it_takes() {
        let check = |values: &[&str], expected: &str| {
            let accepts = Accepts::of(&headers(header::ACCEPT_ENCODING, values));
            let taken = Coding::ALL.into_iter().filter(|coding| accepts.all(&[*coding]));
            assert_eq!(taken.map(Coding::name).collect::<Vec<_>>().join(" "), expected, "{values:?}");
        };
        check(&[], "");
        check(&[""], "");
        check(&["identity"], "");
        check(&["gzip, deflate, br, zstd"], "gzip deflate br zstd");
        check(&["GZIP;q=0.5", "x-thing, br ; Q=1"], "gzip br");
        check(&["x-gzip"], "gzip");
        check(&["*"], "gzip deflate br zstd");
        check(&["*;q=0.1, br;q=0"], "gzip deflate zstd");
        check(&["*;q=0, gzip"], "gzip");
        check(&["gzip;q=0"], "");
        check(&["gzip;q=0.000, gzip"], "");
        check(&["gzip;q=, br;level=3, zstd;q=-1, deflate;q=NaN"], "");
    }

    #[test]
    fn codings_are_said_in_their_order() {
        assert_eq!(list(&[Coding::Br]), "br");
        assert_eq!(list(&[Coding::Deflate, Coding::Gzip]), "deflate, gzip");
        let accepts = Accepts::of(&headers(header::ACCEPT_ENCODING, &["gzip"]));
        assert!(!accepts.all(&[Coding::Deflate, Coding::Gzip]));
    }
}
