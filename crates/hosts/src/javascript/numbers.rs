//! Numbers in JSON that no JavaScript number is: whole ones past 2^53 that lie between two doubles, and those
//! that are larger than any. They would change silently.
//!
//! A number with a point or an exponent is how programs write doubles. It is one if the double next to it is
//! written with the same digits: `1e23`, which is between two doubles too, is what each program writes for one
//! of them.

/// The first number in a JSON text that would become another one.
pub fn inexact(json: &[u8]) -> Option<&str> {
    first(json, exact)
}

/// The first whole number in a JSON text that would be another if it were read and written again. Of those that a double
/// does not hold exactly, JavaScript writes some itself: it fills up with zeros.
pub fn changing(json: &[u8]) -> Option<&str> {
    first(json, |text| {
        exact(text) || (text.parse::<f64>()).is_ok_and(|it| it < EXPONENT && it.to_string() == text)
    })
}

/// From here on, JavaScript writes numbers with an exponent.
const EXPONENT: f64 = 1e21;

/// The first number in a JSON text that is not `fine`.
fn first(json: &[u8], fine: impl Fn(&str) -> bool) -> Option<&str> {
    let (mut at, mut in_text) = (0, false);
    while at < json.len() {
        match json[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'0'..=b'9' if !in_text => {
                let rest = &json[at..];
                let end = rest.iter().position(|b| !number(*b)).unwrap_or(rest.len());
                let text = std::str::from_utf8(&rest[..end]).ok()?;
                if !fine(text) {
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
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.len() <= DIGITS_EXACT || is_exact_whole(text);
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    if exponent == "0" && text.len() <= DIGITS_EXACT {
        return true;
    }
    let double: f64 = text.parse().unwrap_or(f64::INFINITY);
    if !double.is_finite() {
        return false;
    }
    let (digits, places) = significant(mantissa);
    if digits.len() <= DIGITS_EXACT {
        return true; // so many survive being a double
    }
    let Ok(exponent) = exponent.parse::<i64>() else {
        return true; // nothing but zeros makes such a number finite
    };
    if exponent < places {
        return true; // a fraction is rounded wherever it is read
    }
    let spelled = format!("{double:e}");
    let (spelled, _) = spelled.split_once('e').unwrap_or((&spelled, ""));
    let zeros = usize::try_from(exponent - places).unwrap_or(usize::MAX);
    significant(spelled).0 == digits
        || zeros < WHOLE_DIGITS_MAX && is_exact_whole(&(digits + &"0".repeat(zeros)))
}

/// Digits of the largest whole number that is a double.
const WHOLE_DIGITS_MAX: usize = 309;

/// Whether the double next to a whole number is that number: written out it has the same digits.
fn is_exact_whole(digits: &str) -> bool {
    digits.len() <= WHOLE_DIGITS_MAX
        && (digits.parse::<f64>()).is_ok_and(|double| format!("{double:.0}") == digits)
}

/// The digits of a number with a point in it or none, without zeros around them, and how many places those that are
/// left have behind the point: less than none, if they end before it.
fn significant(mantissa: &str) -> (String, i64) {
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_end_matches('0');
    let places = fraction.len() as i64 - (all.len() - kept.len()) as i64;
    (kept.trim_start_matches('0').to_owned(), places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<&str>) {
        assert_eq!(inexact(json.as_bytes()), expected, "{json}");
    }

    #[test]
    fn whole_numbers_between_two_doubles_are_found() {
        check("9007199254740992", None);
        check("9007199254740993", Some("9007199254740993"));
        check(r#"{"a":-9007199254740993}"#, Some("9007199254740993"));
        check(r#"{"9007199254740993":"\"9007199254740993"}"#, None);
        check("[18446744073709551616,0.12345678901234567890]", None);
        check("18446744073709551615", Some("18446744073709551615"));
        // 2^130, and beside it.
        check("1361129467683753853853498429727072845824", None);
        let beside = "1361129467683753853853498429727072845825";
        check(beside, Some(beside));
        check("1361129467683753853853498429727072845824e0", None);
        check(&format!("{:.0}", f64::MAX), None);
        let beside = format!("{}9", &format!("{:.0}", f64::MAX)[..308]);
        check(&beside, Some(&beside));
    }

    #[test]
    fn so_are_they_with_a_point_or_an_exponent() {
        for bad in [
            "9007199254740993.0",
            "9007199254740993e0",
            "9007199254740993E+0",
            "9.007199254740993e15",
            "90071992547409930e-1",
            "900719925474099300.0e-2",
            "18446744073709551615.000",
            "123456789012345678901234567890e10",
        ] {
            check(&format!("[1,{bad}]"), Some(bad));
        }
        for good in [
            "9007199254740992.0",
            "9007199254740994e0",
            "9.007199254740992e15",
            "18446744073709551616.0",
            "1.152921504606847e18",
            "1e23",
            "1.7976931348623157e308",
            "5e-324",
            "0.12345678901234567890",
            "9007199254740993.5",
            "9007199254740993e-1",
            "0e99999999999999999999",
            "0.0000000000000000000000",
        ] {
            check(&format!("[1,{good}]"), None);
        }
    }

    #[test]
    fn so_are_those_larger_than_any() {
        for bad in [
            "1e400",
            "1e309",
            "2E+308",
            "17976931348623159e292",
            "1e99999999999999999999",
        ] {
            check(&format!(r#"{{"a":-{bad}}}"#), Some(bad));
        }
        let long = format!("{}.5", "9".repeat(400));
        check(&long, Some(&long));
    }

    #[test]
    fn what_programs_write_for_doubles_is_taken() {
        let mut double = 1.0_f64;
        while double.is_finite() {
            let text = format!("{double:e}");
            check(&text, None);
            double = (double * 1.37).next_up();
        }
    }

    #[test]
    fn whole_numbers_that_javascript_writes_itself_stay_as_they_are() {
        assert_eq!(changing(b"[12345678901234567000]"), None);
        assert_eq!(
            inexact(b"[12345678901234567000]"),
            Some("12345678901234567000")
        );
        for changes in [
            "12345678901234567890",
            "9007199254740993",
            "1234567890123456700000",
        ] {
            assert_eq!(changing(changes.as_bytes()), Some(changes));
        }
    }
}
