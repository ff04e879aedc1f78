//! Halves of surrogate pairs in JSON texts: JSON can spell them, and no reader of texts can take them.

/// The first half of a surrogate pair without its other half, as the JSON text spells it.
pub fn find(json: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(found) = json[from..].find('\\') {
        let at = from + found;
        from = match unit(json, at) {
            Some(0xd800..=0xdbff) if matches!(unit(json, at + 6), Some(0xdc00..=0xdfff)) => at + 12,
            Some(0xd800..=0xdfff) => return json.get(at..at + 6),
            Some(_) => at + 6,
            // What is escaped may be of several bytes where this is no JSON.
            None => at + 1 + json[at + 1..].chars().next()?.len_utf8(),
        };
    }
    None
}

/// The UTF-16 unit that is spelled by its number at a byte.
fn unit(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_found_and_pairs_are_not() {
        let check = |json: &str, expected: Option<&str>| assert_eq!(find(json), expected, "{json}");
        check(r#""\ud800""#, Some(r"\ud800"));
        check(r#""\uDFFF\ud83d\ude00""#, Some(r"\uDFFF"));
        check(r#""\ud83d\ude00""#, None);
        check(r#"["\ud83d\u0041"]"#, Some(r"\ud83d"));
        check(r#""\ud83d\ud83d\ude00""#, Some(r"\ud83d"));
        check(r#""\\ud800""#, None);
        check(r#""\\\ud800""#, Some(r"\ud800"));
        check(r#""\"\n\u00e9 ü""#, None);
        check("", None);
        check("\\ü\\", None);
    }
}
