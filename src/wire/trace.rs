//! Where a request stands in the trace of a larger work: W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>), or the header that the gateways of
//! AWS add (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).
//!
//! A trace is a caller's own claim. It can be nothing but hexadecimal digits,
//! and decides nothing.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header of W3C, in and out.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What some keep beside it. Without it, it means nothing.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// That of AWS, in.
const XRAY: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Those that are known: *sampled* and *random-trace-id*.
const FLAGS: u8 = 0b11;

/// Somebody keeps what is said of this trace.
const SAMPLED: u8 = 0b01;

/// One request's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The whole work.
    pub id: TraceId,
    /// The step of it that called us.
    pub parent: Option<SpanId>,
    /// This request.
    pub span: SpanId,
    /// Its call to the upstream.
    pub call: SpanId,
    flags: u8,
    /// Whether the caller said so in W3C's words, which its `tracestate` goes with.
    w3c: bool,
}

/// 16 bytes, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub u128);

/// 8 bytes, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub u64);

impl Trace {
    /// As the caller says; else as Lambda says, where it keeps this trace and so
    /// has a step of its own in it; else as the gateway says; else one that
    /// begins here. What is ours is named after the request's id, which is random.
    pub fn of(headers: &HeaderMap, lambda: Option<&str>, request: &str) -> Self {
        let gateway = || headers.get(XRAY).and_then(|value| xray(value.to_str().ok()?));
        let kept = |trace: &Heard| trace.flags & SAMPLED != 0 && trace.parent.is_some();
        let begun = || TraceId(u128::from(hash((request, 0))) << 64 | u128::from(hash((request, 1))));
        let heard = w3c(headers).or_else(|| lambda.and_then(xray).filter(kept)).or_else(gateway);
        let Heard { id, parent, flags, w3c } =
            heard.unwrap_or_else(|| Heard { id: begun(), parent: None, flags: SAMPLED, w3c: false });
        Self { id, parent, span: SpanId::of((request, 2)), call: SpanId::of((request, 3)), flags, w3c }
    }

    /// Whether somebody keeps what is said of it.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Says it to the upstream (§3.2), for which our call is the step that calls.
    /// A `tracestate` goes with the `traceparent` that it came with, and no other (§3.3).
    pub fn pass_on(self, headers: &mut HeaderMap) {
        let said = format!("00-{}-{}-{:02x}", self.id, self.call, self.flags);
        if let Ok(said) = HeaderValue::try_from(said) {
            headers.insert(TRACEPARENT, said);
        }
        if !self.w3c {
            headers.remove(TRACESTATE);
        }
    }
}

/// What somebody says of a trace.
struct Heard {
    id: TraceId,
    parent: Option<SpanId>,
    flags: u8,
    w3c: bool,
}

/// Reads `traceparent`: of a later version what is known of it (§4.3).
fn w3c(headers: &HeaderMap) -> Option<Heard> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let mut parts = value.splitn(5, '-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let version = hex(version, 2)?;
    let whole = parts.next().is_none() || version != 0;
    let heard = Heard {
        id: TraceId::some(hex(id, 32)?)?,
        parent: Some(SpanId::some(hex(parent, 16)? as u64)?),
        flags: hex(flags, 2)? as u8 & FLAGS,
        w3c: true,
    };
    (version != 0xff && whole).then_some(heard)
}

/// Reads `Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1`.
/// Where nobody has said whether it is kept, it is.
fn xray(text: &str) -> Option<Heard> {
    let field = |name: &str| {
        let mut fields = text.split(';').filter_map(|field| field.trim().split_once('='));
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let (time, rest) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
    let id = hex(time, 8)? << 96 | hex(rest, 24)?;
    let parent = field("Parent").and_then(|parent| SpanId::some(hex(parent, 16)? as u64));
    let flags = if field("Sampled") == Some("0") { 0 } else { SAMPLED };
    Some(Heard { id: TraceId::some(id)?, parent, flags, w3c: false })
}

/// So many lowercase digits, and no others.
fn hex(text: &str, length: usize) -> Option<u128> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == length && digits).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl TraceId {
    fn some(id: u128) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }
}

impl SpanId {
    /// Named after what no other step has.
    pub fn of(seed: impl Hash) -> Self {
        Self(hash(seed))
    }

    fn some(id: u64) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }
}

/// Spread over all numbers but zero.
fn hash(seed: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(seed).max(1)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    /// What is heard of these headers: trace, parent, flags.
    fn heard(pairs: &[(&'static str, &str)], lambda: Option<&str>) -> (String, Option<String>, u8) {
        let trace = Trace::of(&headers(pairs), lambda, "r-1");
        (trace.id.to_string(), trace.parent.map(|parent| parent.to_string()), trace.flags)
    }

    /// The cases of W3C's own test suite, `test/test.py` of w3c/trace-context.
    #[test]
    fn a_traceparent_is_read_as_w3c_says() {
        let check = |value: &str, expected: Option<u8>| {
            let (id, parent, flags) = heard(&[("traceparent", value)], None);
            let known = (id == ID && parent.as_deref() == Some(PARENT)).then_some(flags);
            assert_eq!(known, expected, "{value}");
        };
        for (flags, expected) in [("00", 0), ("01", 1), ("02", 2), ("03", 3), ("09", 1), ("ff", 3)] {
            check(&format!("00-{ID}-{PARENT}-{flags}"), Some(expected));
        }
        for version in ["01", "cc", "fe"] {
            check(&format!("{version}-{ID}-{PARENT}-01"), Some(1));
            check(&format!("{version}-{ID}-{PARENT}-01-what-the-future-will-be-like"), Some(1));
            check(&format!("{version}-{ID}-{PARENT}-01.what-the-future-will-be-like"), None);
        }
        for wrong in [
            format!("ff-{ID}-{PARENT}-01"),
            format!("00-{ID}-{PARENT}-01-what-the-future-will-not-be-like"),
            format!("00-{ID}-{PARENT}-01-"),
            format!(".0-{ID}-{PARENT}-01"),
            format!("0-{ID}-{PARENT}-01"),
            format!("000-{ID}-{PARENT}-01"),
            format!("00-{}-{PARENT}-01", ID.to_uppercase()),
            format!("00-{}-{PARENT}-01", "0".repeat(32)),
            format!("00-.{}-{PARENT}-01", &ID[1..]),
            format!("00-{}-{PARENT}-01", &ID[1..]),
            format!("00-{ID}0-{PARENT}-01"),
            format!("00-{ID}-{}-01", PARENT.to_uppercase()),
            format!("00-{ID}-{}-01", "0".repeat(16)),
            format!("00-{ID}-.{}-01", &PARENT[1..]),
            format!("00-{ID}-{}-01", &PARENT[1..]),
            format!("00-{ID}-{PARENT}0-01"),
            format!("00-{ID}-{PARENT}-.0"),
            format!("00-{ID}-{PARENT}-0"),
            format!("00-{ID}-{PARENT}-001"),
            format!("00-+{}-{PARENT}-01", &ID[1..]),
            format!("00-{ID}-{PARENT}"),
            format!("00-{ID}"),
            "00".to_owned(),
            String::new(),
            "-".repeat(55),
        ] {
            check(&wrong, None);
        }
    }

    #[test]
    fn two_traceparents_are_none() {
        let two = format!("00-{ID}-{PARENT}-01");
        let (id, parent, _) = heard(&[("traceparent", &two), ("traceparent", &two)], None);
        assert!(id != ID && parent.is_none());
    }

    #[test]
    fn the_header_of_aws_says_the_same_in_other_words() {
        const ROOT: &str = "67891233abcdef012345678912345678";
        let check = |value: &str, expected: Option<(Option<&str>, u8)>| {
            let (id, parent, flags) = heard(&[("x-amzn-trace-id", value)], None);
            let known = (id == ROOT).then_some((parent.as_deref(), flags));
            assert_eq!(known, expected, "{value}");
        };
        let root = "Root=1-67891233-abcdef012345678912345678";
        check(root, Some((None, 1)));
        check(&format!("{root};Parent=53995c3f42cd8ad8;Sampled=1"), Some((Some("53995c3f42cd8ad8"), 1)));
        check(
            &format!("{root};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a:b"),
            Some((Some("53995c3f42cd8ad8"), 0)),
        );
        check(&format!("Self=1-67891234-12456789abcdef012345678;{root}; Sampled=?"), Some((None, 1)));
        check("Root=2-67891233-abcdef012345678912345678", None);
        check("Root=1-67891233", None);
        check("Root=1-67891233-abcdef01234567891234567", None);
        check("Root=1-00000000-000000000000000000000000", None);
        check("", None);
    }

    #[test]
    fn callers_go_before_lambda_where_it_keeps_the_trace_and_lambda_before_the_gateway() {
        let w3c = format!("00-{ID}-{PARENT}-01");
        let aws = |digit: &str, end: &str| format!("Root=1-{}-{}{end}", digit.repeat(8), digit.repeat(24));
        let (gateway, kept) = (aws("a", ""), aws("b", ";Parent=53995c3f42cd8ad8;Sampled=1"));
        let not_kept = aws("c", ";Parent=53995c3f42cd8ad8;Sampled=0");
        let (caller, gateway) = (("traceparent", w3c.as_str()), ("x-amzn-trace-id", gateway.as_str()));
        let check = |pairs: &[_], lambda: Option<&str>, expected: &str| {
            let id = heard(pairs, lambda).0;
            assert!(id.starts_with(expected), "{id}, not {expected}");
        };
        check(&[caller, gateway], Some(&kept), "4bf92f");
        check(&[gateway], Some(&kept), "bbbbbb");
        check(&[gateway], Some(&not_kept), "aaaaaa");
        check(&[gateway], None, "aaaaaa");
    }

    #[test]
    fn steps_have_names_of_their_own() {
        let headers = headers(&[("traceparent", &format!("00-{ID}-{PARENT}-03"))]);
        let (one, other) = (Trace::of(&headers, None, "r-1"), Trace::of(&headers, None, "r-2"));
        let mut spans = [one.span, one.call, other.span, other.call].map(|span| span.0);
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0] != pair[1]), "{spans:?}");
        let begun = |request| Trace::of(&HeaderMap::new(), None, request);
        let (begun, another) = (begun("r-1"), begun("r-2"));
        assert!(begun.id != another.id && begun.parent.is_none() && begun.is_sampled());
    }

    #[test]
    fn the_upstream_is_told_of_our_call_and_of_what_goes_with_it() {
        let given = format!("00-{ID}-{PARENT}-03");
        let mut sent = headers(&[("traceparent", &given), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        let trace = Trace::of(&sent, None, "r-1");
        trace.pass_on(&mut sent);
        let said = format!("00-{ID}-{}-03", trace.call);
        assert_eq!(sent, headers(&[("traceparent", &said), ("tracestate", "a=1"), ("tracestate", "b=2")]));
        let mut sent = headers(&[("traceparent", "no"), ("traceparent", "none"), ("tracestate", "a=1")]);
        let trace = Trace::of(&sent, None, "r-1");
        trace.pass_on(&mut sent);
        assert_eq!(sent, headers(&[("traceparent", &format!("00-{}-{}-01", trace.id, trace.call))]));
    }
}
