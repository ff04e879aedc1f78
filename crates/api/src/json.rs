//! What is looked at before a JSON text is parsed: how deep it nests. One pass over the bytes,
//! nothing allocated. Whether the text is JSON at all is for the parser to say.

use ordain_types::limits::JSON_DEPTH_MAX;

/// Why a JSON text was refused unparsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More objects and arrays inside each other than allowed.
    #[error("the JSON nests deeper than {limit} at byte {at}")]
    TooDeep {
        /// The byte that opens one too many.
        at: usize,
        /// How many are allowed.
        limit: usize,
    },
}

/// Refuses a text that nests deeper than [`JSON_DEPTH_MAX`].
///
/// # Errors
/// Where it goes too deep.
pub fn check_depth(text: &[u8]) -> Result<(), JsonError> {
    check_depth_to(text, JSON_DEPTH_MAX)
}

/// Refuses a text that nests deeper than `limit`.
///
/// # Errors
/// Where it goes too deep.
pub fn check_depth_to(text: &[u8], limit: usize) -> Result<(), JsonError> {
    // Too few brackets, in strings or out: nearly every call. Counting is many times faster than following the
    // text, as long as no sum is checked for overflow, and there are no more than bytes.
    let count = |sum: usize, &byte: &u8| sum.wrapping_add(opens(byte).into());
    if text.len() <= limit || text.iter().fold(0, count) <= limit {
        return Ok(());
    }
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => at = string_end(text, at + 1),
            byte if opens(byte) => {
                depth += 1;
                if depth > limit {
                    return Err(JsonError::TooDeep { at, limit });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Whether the byte is `{` or `[`, which differ in one bit.
fn opens(byte: u8) -> bool {
    byte | (b'{' ^ b'[') == b'{'
}

/// The place of the quote that ends the string whose content begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        match text[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn the_limit_is_exact() {
        assert_eq!(check_depth(nested(JSON_DEPTH_MAX).as_bytes()), Ok(()));
        assert_eq!(
            check_depth(nested(JSON_DEPTH_MAX + 1).as_bytes()),
            Err(JsonError::TooDeep {
                at: JSON_DEPTH_MAX,
                limit: JSON_DEPTH_MAX
            })
        );
        let wide = format!("[{}]", vec!["{\"a\":[]}"; 100].join(","));
        assert_eq!(check_depth_to(wide.as_bytes(), 3), Ok(()));
        assert!(check_depth_to(wide.as_bytes(), 2).is_err());
    }

    #[test]
    fn only_brackets_open() {
        let opening: Vec<u8> = (0..=u8::MAX).filter(|&byte| opens(byte)).collect();
        assert_eq!(opening, b"[{");
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        for text in [r#"["[[[[[["]"#, r#"["\"[[[[[["]"#, r#"["\\","[[[[["]"#] {
            assert_eq!(check_depth_to(text.as_bytes(), 1), Ok(()), "{text}");
        }
        assert!(check_depth_to(br#"["\\",[[]]]"#, 2).is_err());
    }

    fn depth(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
            serde_json::Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let text = "[\\[\\]{}\"\\\\aé]{0,6}";
        let leaf = prop_oneof![Just(serde_json::Value::Null), text.prop_map(Into::into)];
        leaf.prop_recursive(6, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::vec((text, inner), 0..4)
                    .prop_map(|all| serde_json::Value::Object(all.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_parsed_value(value in value(), limit in 0usize..6) {
            let text = value.to_string();
            prop_assert_eq!(check_depth_to(text.as_bytes(), limit).is_ok(), depth(&value) <= limit);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = check_depth_to(&bytes, 2);
        }
    }
}
