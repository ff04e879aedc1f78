//! Text that a terminal shows and does not obey. What a server, a module or a log says holds data of others, and a
//! terminal takes some characters for orders: to change its title, to colour, to erase what was printed before.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with each character that is no more than an order to a terminal written as `\u001b`: control characters but
/// newline and tab, and those that change the direction in which text is read. That is how JSON writes them, too:
/// JSON stays JSON and says the same, as it holds such characters within strings alone.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_order) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match is_order(char) {
            true => write!(shown, "\\u{:04x}", char as u32).expect("a text takes all"),
            false => shown.push(char),
        }
    }
    Cow::Owned(shown)
}

fn is_order(char: char) -> bool {
    match char {
        '\n' | '\t' => false,
        // Marks, embeddings, overrides and isolates of direction.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        char => char.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_that_is_an_order_is_left() {
        let all: String = ('\0'..='\u{2fff}').collect();
        let shown = printable(&all);
        let left = shown.chars().filter(|it| it.is_control());
        assert_eq!(left.collect::<String>(), "\t\n");
        assert!(!shown.contains(['\u{202e}', '\u{2066}', '\u{200f}']));
        assert_eq!(
            printable("a\u{1b}]0;pwn\u{7}\u{9b}31m\u{7f}\r\u{202e}b"),
            "a\\u001b]0;pwn\\u0007\\u009b31m\\u007f\\u000d\\u202eb"
        );
    }

    #[test]
    fn what_is_no_order_stays() {
        for text in ["", "a\tb\nc", "grüße, 日本語, 👩\u{200d}👧", "شكرا"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn json_says_the_same() {
        let all: String = ('\0'..='\u{2fff}').collect();
        let json = serde_json::to_string(&[&all]).unwrap();
        let shown = printable(&json);
        assert_ne!(shown, json);
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [all]);
    }
}
