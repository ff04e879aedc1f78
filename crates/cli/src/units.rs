//! Sizes and durations as people write them: `64MiB`, `1.5h`. One number and one unit, both ways.

use std::time::Duration;

use ordain_types::Timestamp;

const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
    ("", 1),
];

/// In milliseconds.
const TIMES: &[(&str, u64)] = &[
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("m", 60_000), // as in modules
    ("s", 1_000),
    ("ms", 1),
];

/// What a time looks like.
pub const TIME_LIKE: &str = "a time like 500ms, 5s, 2min, 1.5h or 7d";

/// Reads a number of bytes.
///
/// # Errors
/// What is expected instead.
pub fn parse_size(text: &str) -> Result<u64, &'static str> {
    scaled(text, SIZES).ok_or("a size like 64MiB, 1GB or 4096")
}

/// Reads a time. A part of a millisecond counts as a whole one, as it does in modules.
///
/// # Errors
/// What is expected instead.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    let ms = time(text).ok_or(TIME_LIKE)?;
    Ok(Duration::from_millis(ms))
}

/// A number of bytes in the largest unit that shows it within a tenth, for people.
pub fn show_size(bytes: u64) -> String {
    let binary = SIZES.iter().take(4);
    let unit = binary.clone().find(|(_, scale)| bytes >= *scale);
    match unit {
        None => format!("{bytes} B"),
        Some((unit, scale)) if bytes.is_multiple_of(*scale) => format!("{} {unit}", bytes / scale),
        Some((unit, scale)) => format!("{:.1} {unit}", bytes as f64 / *scale as f64),
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, scale) = parts(text, units)?;
    number.parse::<u64>().ok()?.checked_mul(scale)
}

fn time(text: &str) -> Option<u64> {
    let (number, scale) = parts(text, TIMES)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let of = 10_u64.checked_pow(part.len().try_into().ok()?)?;
    let part = u128::from(part.parse::<u64>().ok()?) * u128::from(scale);
    let part = u64::try_from(part.div_ceil(of.into())).ok()?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    whole.checked_add(part)
}

/// The number before a unit, and what the unit stands for.
fn parts<'t>(text: &'t str, units: &[(&str, u64)]) -> Option<(&'t str, u64)> {
    let of_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !of_number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    Some((number, *scale))
}

/// A time as people in any country read it, UTC: `2026-11-28 00:13:05`.
pub fn show_time(at: Timestamp) -> String {
    const DAY_SECS: u64 = 24 * 3_600;
    let secs = at.0 / 1_000;
    let (year, month, day) = date(secs / DAY_SECS);
    let (hour, min, sec) = (secs / 3_600 % 24, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{min:02}:{sec:02}")
}

/// The date of a day counted from 1970-01-01. Counted in eras of 400 years, which all have the same days,
/// and in years that begin in March, so that the leap day is the last.
fn date(day: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let day = day + 719_468; // from 0000-03-01
    let (era, of_era) = (day / ERA, day % ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = (march + 2) % 12 + 1;
    let year = era * 400 + year + u64::from(month <= 2);
    (year, month, of_year - (153 * march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_dates() {
        for (secs, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(show_time(Timestamp(secs * 1_000 + 999)), expected);
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("1GB", 1_000_000_000),
            ("3B", 3),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "MiB",
            "1.5GiB",
            "64M",
            "64mib",
            "-1",
            "1  MiB",
            "99999999TiB",
            "1s",
        ] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("2min", 120_000),
            ("5m", 300_000),
            ("1.5h", 5_400_000),
            ("0.25 s", 250),
            ("0.1ms", 1),
            ("1.0000s", 1_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for bad in [
            "",
            "5",
            "s",
            "5 sec",
            "-1s",
            "1h30min",
            "1.s",
            ".5s",
            "1.5.2s",
            "1,5s",
            "1.00000000000000000000s",
            "99999999999999d",
            "18446744073709551615.5ms",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_shown_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1 << 20, "1 MiB"),
            (1536, "1.5 KiB"),
        ] {
            assert_eq!(show_size(bytes), text);
        }
    }
}
