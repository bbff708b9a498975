//! Points in time, as they are asked for and as they are shown.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::trail::ocsf::millis;

/// A point in time: `1h` ago, or a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// So long before now.
    Ago(Duration),
    /// Then.
    At(SystemTime),
}

impl Since {
    /// Milliseconds since 1970.
    pub fn millis(self, now: SystemTime) -> u64 {
        match self {
            Self::Ago(long) => millis(now.checked_sub(long).unwrap_or(UNIX_EPOCH)),
            Self::At(then) => millis(then),
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago = humantime::parse_duration(text).map(Self::Ago);
        ago.or_else(|_| humantime::parse_rfc3339_weak(text).map(Self::At))
            .or_else(|_| humantime::parse_rfc3339_weak(&format!("{text} 00:00:00")).map(Self::At))
            .map_err(|_| {
                "write how long ago, such as `1h`, or a time in UTC, such as `2026-11-22T10:00:00Z`"
                    .to_owned()
            })
    }
}

/// A time of a record as people read it.
pub(super) fn moment(time: u64) -> String {
    // The last time that RFC 3339 has a word for.
    const LAST: u64 = 253_402_300_799_999;
    let time = UNIX_EPOCH + Duration::from_millis(time.min(LAST));
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_so_long_ago() {
        let now = UNIX_EPOCH + Duration::from_secs(100_000);
        let check = |text: &str, expected: Option<u64>| {
            let since = text.parse::<Since>().ok();
            assert_eq!(since.map(|since| since.millis(now)), expected, "{text}");
        };
        check("1h", Some(96_400_000));
        check("1d 1h", Some(10_000_000));
        check("9w", Some(0));
        check("1970-01-01T00:00:01Z", Some(1000));
        check("1970-01-01T00:00:01", Some(1000));
        check("1970-01-02", Some(86_400_000));
        check("yesterday", None);
        check("1970-13-01", None);
        check("", None);
    }

    #[test]
    fn any_time_can_be_said() {
        assert_eq!(moment(0), "1970-01-01T00:00:00Z");
        assert_eq!(moment(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
