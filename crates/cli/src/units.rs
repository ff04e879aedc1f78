//! Sizes and durations as people write them: `64MiB`, `5s`. One number and one unit, both ways.

use std::time::Duration;

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
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a number of bytes.
///
/// # Errors
/// What is expected instead.
pub fn parse_size(text: &str) -> Result<u64, &'static str> {
    scaled(text, SIZES).ok_or("a size like 64MiB, 1GB or 4096")
}

/// Reads a time.
///
/// # Errors
/// What is expected instead.
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    let ms = scaled(text, TIMES).ok_or("a time like 500ms, 5s, 2min, 24h or 7d")?;
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
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().ok()?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("7d", 604_800_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for bad in ["", "5", "s", "1.5s", "5 sec", "-1s", "1h30min"] {
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
