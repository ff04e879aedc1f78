//! Which of many things are meant, by name.

/// Whether a name is among those wanted. None wanted: all are.
pub fn picked(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|pattern| matches(pattern, name))
}

/// Whether a name is of this pattern, in which `*` is any part.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(begin) else {
        return false;
    };
    (0..=name.len())
        .filter_map(|at| name.get(at..))
        .any(|name| matches(rest, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_part() {
        for (pattern, name) in [
            ("a", "a"),
            ("*", ""),
            ("a*", "a"),
            ("a*c*e", "abcde"),
            ("*b", "bb"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "ab"),
            ("a*c", "ab"),
            ("", "a"),
            ("*a", "ab"),
            ("a*a", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(picked(&[], "a") && picked(&["b".to_owned(), "a*".to_owned()], "ab"));
        assert!(!picked(&["b".to_owned()], "a"));
    }
}
