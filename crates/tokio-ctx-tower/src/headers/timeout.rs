//! Durations as headers carry them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderName;

/// The deadline of a gRPC call, as the time that is left.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What gRPC allows.
const GRPC_DIGITS: usize = 8;

/// Thirty thousand years of milliseconds; a longer one is a mistake.
const MAX_DIGITS: usize = 15;

/// Reads a `grpc-timeout`: one to eight digits and a unit, more than nothing.
pub(crate) fn parse_grpc(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount = amount(digits, GRPC_DIGITS)?;
    match unit {
        "n" => Some(Duration::from_nanos(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "S" => seconds(amount, 1),
        "M" => seconds(amount, 60),
        "H" => seconds(amount, 60 * 60),
        _ => None,
    }
}

/// Reads a header of the user's choice: digits and a unit, milliseconds if there is none.
pub(crate) fn parse_chosen(text: &str) -> Option<Duration> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(end);
    let amount = amount(digits, MAX_DIGITS)?;
    match unit {
        "ns" => Some(Duration::from_nanos(amount)),
        "us" => Some(Duration::from_micros(amount)),
        "" | "ms" => Some(Duration::from_millis(amount)),
        "s" => seconds(amount, 1),
        "m" => seconds(amount, 60),
        "h" => seconds(amount, 60 * 60),
        _ => None,
    }
}

/// Digits only: `parse` alone would take a sign.
fn amount(digits: &str, max_digits: usize) -> Option<u64> {
    let fits = (1..=max_digits).contains(&digits.len());
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let amount = (fits && plain).then(|| digits.parse().ok())??;
    // Some proxies mean "no limit" by nothing, and gRPC forbids it.
    (amount > 0).then_some(amount)
}

fn seconds(amount: u64, unit: u64) -> Option<Duration> {
    amount.checked_mul(unit).map(Duration::from_secs)
}

/// Writes a `grpc-timeout`, in the finest unit that fits, rounded down. `None` when nothing is
/// left.
pub(crate) fn grpc_value(left: Duration) -> Option<String> {
    let units = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (u128::from(left.as_secs()), 'S'),
        (u128::from(left.as_secs() / 60), 'M'),
    ];
    let fitting = units.into_iter().find(|(amount, _)| *amount < 100_000_000);
    let hours = u128::from(left.as_secs() / (60 * 60)).min(99_999_999);
    let (amount, unit) = fitting.unwrap_or((hours, 'H'));
    (amount > 0).then(|| format!("{amount}{unit}"))
}

/// Writes whole milliseconds, rounded down. `None` when none is left.
pub(crate) fn millis_value(left: Duration) -> Option<String> {
    let most = 10_u128.pow(MAX_DIGITS as u32) - 1;
    let millis = left.as_millis().min(most);
    (millis > 0).then(|| millis.to_string())
}

/// Reads a deadline as a time of RFC 3339 in UTC: what is left until then, which may be
/// nothing.
pub(crate) fn parse_deadline(text: &str) -> Option<Duration> {
    // Python, for one, writes UTC as an offset.
    let utc = text.strip_suffix("+00:00").map(|time| format!("{time}Z"));
    let at = humantime::parse_rfc3339(utc.as_deref().unwrap_or(text)).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Writes a deadline as a time of RFC 3339 in UTC, rounded down to milliseconds. `None` for one
/// beyond the year 9999.
pub(crate) fn deadline_value(left: Duration) -> Option<String> {
    // The last second that `humantime` writes.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let at = since_epoch.checked_add(left).filter(|at| *at <= LAST)?;
    Some(humantime::format_rfc3339_millis(UNIX_EPOCH + at).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_written_and_read_as_a_time() {
        let left = Duration::from_secs(3600);
        let text = deadline_value(left).unwrap();
        assert!(text.ends_with('Z') && text.contains('T'), "{text}");
        for text in [text.clone(), text.replace('Z', "+00:00")] {
            let read = parse_deadline(&text).unwrap();
            assert!(
                read <= left && read > left - Duration::from_secs(60),
                "{read:?}"
            );
        }
        assert_eq!(parse_deadline("2001-09-09T01:46:40Z"), Some(Duration::ZERO));
        assert_eq!(deadline_value(Duration::MAX), None);
        for text in [
            "",
            "soon",
            "2001-09-09",
            "2001-13-09T01:46:40Z",
            "1000000000",
        ] {
            assert_eq!(parse_deadline(text), None, "{text:?}");
        }
    }

    #[test]
    fn each_grpc_unit_is_read() {
        let read = |text| parse_grpc(text).map(|read| read.as_nanos());
        assert_eq!(read("7n"), Some(7));
        assert_eq!(read("7u"), Some(7_000));
        assert_eq!(read("7m"), Some(7_000_000));
        assert_eq!(read("7S"), Some(7_000_000_000));
        assert_eq!(read("7M"), Some(420_000_000_000));
        assert_eq!(read("99999999H"), Some(99_999_999 * 3_600_000_000_000));
    }

    #[test]
    fn what_grpc_forbids_is_refused() {
        for text in [
            "",
            "m",
            "0m",
            "-1m",
            "+1m",
            "1",
            "1s",
            "1 m",
            " 1m",
            "1m ",
            "1.5S",
            "123456789m",
            "1é",
            "é",
            "1mm",
            "١m",
        ] {
            assert_eq!(parse_grpc(text), None, "{text:?}");
        }
    }

    #[test]
    fn each_chosen_unit_is_read() {
        let read = |text| parse_chosen(text).map(|read| read.as_nanos());
        assert_eq!(read("250"), Some(250_000_000));
        assert_eq!(read("250ns"), Some(250));
        assert_eq!(read("250us"), Some(250_000));
        assert_eq!(read("250ms"), Some(250_000_000));
        assert_eq!(read("2s"), Some(2_000_000_000));
        assert_eq!(read("2m"), Some(120_000_000_000));
        assert_eq!(read("2h"), Some(7_200_000_000_000));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "ms", "0", "0s", "-5", "+5", "5 s", "5S", "5d", "1e3", "0x10", "1.5s",
        ] {
            assert_eq!(parse_chosen(text), None, "{text:?}");
        }
        assert_eq!(parse_chosen(&"9".repeat(16)), None);
        assert_eq!(parse_chosen("18446744073709551616"), None);
        assert!(parse_chosen(&format!("{}h", "9".repeat(15))).is_some());
    }

    #[test]
    fn what_is_written_is_read_back_and_never_longer() {
        for nanos in [
            1,
            999,
            99_999_999,
            100_000_000,
            1_234_567_890,
            360_000_000_000_000_000,
        ] {
            let left = Duration::from_nanos(nanos);
            let value = grpc_value(left).unwrap();
            let read = parse_grpc(&value).unwrap();
            assert!(read <= left, "{left:?} became {value:?}");
            assert!(
                read.as_secs_f64() >= left.as_secs_f64() * 0.99,
                "{left:?}: {value:?}"
            );
        }
        assert_eq!(grpc_value(Duration::MAX).unwrap(), "99999999H");
        assert_eq!(grpc_value(Duration::ZERO), None);
        assert_eq!(millis_value(Duration::from_micros(1_999)).unwrap(), "1");
        assert_eq!(millis_value(Duration::from_micros(999)), None);
        let longest = millis_value(Duration::MAX).unwrap();
        assert!(parse_chosen(&longest).is_some(), "{longest}");
    }
}
