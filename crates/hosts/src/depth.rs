//! How deep a JSON text nests, counted before anything reads it. It is known to be JSON: what closes was
//! open.

/// Whether objects and arrays are in each other more than `than` deep.
pub fn nests_deeper(json: &[u8], than: usize) -> bool {
    // Each level has two brackets.
    if json.len() <= 2 * than {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth -= 1,
            _ => {}
        }
        if depth > than {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::nests_deeper;

    #[test]
    fn levels_are_counted_and_text_is_not() {
        for (json, depth) in [
            ("5", 0),
            ("[]", 1),
            (r#"{"a":[{}],"b":[]}"#, 3),
            (r#"["[[[["]"#, 1),
            (r#"["\"[[[[\\",[]]"#, 2),
            ("[[],[],[],[],[]]", 2),
        ] {
            assert!(!nests_deeper(json.as_bytes(), depth), "{json}");
            let deeper = depth > 0 && nests_deeper(json.as_bytes(), depth - 1);
            assert_eq!(deeper, depth > 0, "{json}");
        }
    }
}
