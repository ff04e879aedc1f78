//! What lies between words: white space and comments.

/// The first byte at or behind a place that is neither white space nor a comment.
pub fn after(text: &str, mut at: u32) -> u32 {
    loop {
        let rest = &text[at as usize..];
        let blank = rest.len() - rest.trim_start().len();
        let rest = &rest[blank..];
        let comment = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            return at + blank as u32;
        };
        at += (blank + comment) as u32;
    }
}

/// The words between two places, with where they begin: what is in comments and brackets is none.
pub fn words(text: &str, from: u32, to: u32) -> Vec<(u32, &str)> {
    let mut words = Vec::new();
    let mut at = after(text, from);
    while at < to {
        let rest = &text[at as usize..to as usize];
        let len = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let next = rest[len..].chars().next().map_or(0, char::len_utf8);
        match len {
            0 => at += next as u32,
            _ => {
                words.push((at, &rest[..len]));
                at += len as u32;
            }
        }
        at = after(text, at);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_no_words() {
        let text = "static /* private é */ readonly // public\n [x";
        assert_eq!(
            words(text, 0, text.len() as u32 - 1),
            [(0, "static"), (24, "readonly")]
        );
        assert_eq!(after("  /* a */ // b\n  c", 0), 17);
        assert_eq!(after("/* no end", 0), 9);
    }
}
