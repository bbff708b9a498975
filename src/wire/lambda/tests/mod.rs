//! Whole events against whole requests.

mod answers;
mod differential;
mod facts;
mod samples;
mod weird;

use std::time::{Duration, SystemTime};

use super::*;

/// Pairs as a test writes them.
type Pairs<'a> = [(&'a str, &'a str)];

fn read(event: &serde_json::Value) -> Request {
    request(&event.to_string(), "lambda-1", None).unwrap().0
}

/// The values of a header, in order.
fn values<'r>(request: &'r Request, name: &str) -> Vec<&'r str> {
    request.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

fn query(request: &Request) -> Vec<(&str, &str)> {
    request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn patience_is_what_is_left_less_a_margin() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let check = |deadline: SystemTime, expected_ms: u64| {
        assert_eq!(patience(deadline, now, false), Duration::from_millis(expected_ms), "{deadline:?}");
    };
    check(now + Duration::from_secs(10), 9_700);
    check(now + Duration::from_secs(60), 59_700);
    check(now + Duration::from_mins(15), 899_700);
    check(now + Duration::from_millis(300), 0);
    check(now + Duration::from_millis(1), 0);
    // What cannot be right: the past, this very moment, and the far future.
    check(now, 28_700);
    check(now - Duration::from_secs(1), 28_700);
    check(SystemTime::UNIX_EPOCH + Duration::from_secs(600), 28_700);
    check(SystemTime::UNIX_EPOCH, 28_700);
    check(now + Duration::from_secs(901), 28_700);
    check(now + Duration::from_secs(u64::from(u32::MAX)), 28_700);
    assert_eq!(patience(SystemTime::UNIX_EPOCH, now, true), Duration::from_millis(899_700));
    assert_eq!(patience(now + Duration::from_secs(10), now, true), Duration::from_millis(9_700));
}
