//! Whole numbers in JSON that no JavaScript number is: those past 2^53 that lie between two doubles. They
//! would change silently.

/// The first whole number in a JSON text that a double does not hold exactly.
pub fn inexact(json: &[u8]) -> Option<&str> {
    if json.len() < DIGITS_EXACT + 1 {
        return None;
    }
    let (mut at, mut in_text) = (0, false);
    while at < json.len() {
        match json[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'0'..=b'9' if !in_text => {
                let rest = &json[at..];
                let end = rest.iter().position(|b| !number(*b)).unwrap_or(rest.len());
                let text = std::str::from_utf8(&rest[..end]).ok()?;
                if !exact(text) {
                    return Some(text);
                }
                at += end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whole numbers of so many digits are all exact.
const DIGITS_EXACT: usize = 15;

fn number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
}

fn exact(text: &str) -> bool {
    if text.len() <= DIGITS_EXACT || !text.bytes().all(|b| b.is_ascii_digit()) {
        return true; // a fraction is a double already
    }
    text.parse::<u128>()
        .is_ok_and(|whole| whole as f64 as u128 == whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_between_two_doubles_are_found() {
        let check = |json: &str, expected: Option<&str>| {
            assert_eq!(inexact(json.as_bytes()), expected, "{json}")
        };
        check("9007199254740992", None);
        check("9007199254740993", Some("9007199254740993"));
        check(r#"{"a":-9007199254740993}"#, Some("9007199254740993"));
        check(r#"{"9007199254740993":"\"9007199254740993"}"#, None);
        check("[18446744073709551616,0.12345678901234567890]", None);
        check("18446744073709551615", Some("18446744073709551615"));
    }
}
