//! Where the interpreter says that a function begins: where it begins with a word, there; where with a sign, at the last word
//! before that, or behind the last space or comment. All of it in the text that the interpreter reads, on one line.

use super::{Lines, Position};

/// A file as it is written and as the interpreter reads it.
pub struct Texts<'t> {
    lines: &'t Lines,
    /// The lines that the interpreter reads.
    javascript: Vec<&'t str>,
}

impl<'t> Texts<'t> {
    pub fn new(lines: &'t Lines, javascript: &'t str) -> Self {
        Self {
            lines,
            javascript: javascript.split('\n').collect(),
        }
    }

    /// Where what is written at a byte begins for the interpreter, as people count.
    pub fn begins(&self, at: u32) -> Position {
        let (line, at) = self.lines.in_javascript(at);
        let text = self.javascript.get(line as usize - 1);
        let column = mark(text.copied().unwrap_or_default(), at as usize) as u32 + 1;
        self.lines.in_characters(Position { line, column })
    }
}

fn is_first(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '$')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

/// The byte of a line that the interpreter takes for the beginning of what is at `at`.
fn mark(line: &str, at: usize) -> usize {
    let Some((mut before, from)) = line.split_at_checked(at) else {
        return at;
    };
    if from.starts_with(is_first) {
        return at;
    }
    while let Some(last) = before.chars().next_back() {
        if last.is_whitespace() || before.ends_with("*/") {
            break;
        }
        let (rest, word) = before.split_at(before.trim_end_matches(is_word).len());
        before = match last {
            // Words of a text are none.
            '"' | '\'' | '`' => {
                let text = &before[..before.len() - 1];
                text.rfind(last).map_or("", |begins| &text[..begins])
            }
            _ if word.starts_with(is_first) => return rest.len(),
            _ if !word.is_empty() => rest, // a number, say
            sign => &before[..before.len() - sign.len_utf8()],
        };
    }
    before.len()
}

#[cfg(test)]
mod tests {
    use super::mark;

    #[test]
    fn a_function_begins_at_the_last_word_or_behind_the_last_space() {
        for line in [
            "a: ^function () {}",
            "  ^(cx) => 1",
            "^query((cx) => 1)",
            "query( ^((cx) => 1))",
            "/* c */^(cx) => 1",
            "^guard('not for you',(cx) => 1)",
            "(0, ^(cx) => 1)",
            "^f(0,(cx) => 1)",
            "\u{a0}^(cx) => 1",
        ] {
            let (text, expected) = (line.replace('^', ""), line.find('^').unwrap());
            let at = text.find("(cx").or_else(|| text.find("function")).unwrap();
            assert_eq!(mark(&text, at), expected, "{line}");
        }
    }
}
