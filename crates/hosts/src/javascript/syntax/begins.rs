//! Where the interpreter says that a function begins: where it begins with a word, there; where with a sign, at the last word
//! before that, or behind the last space or comment. All of it in the text that the interpreter reads, on one line.

use oxc_ast::AstKind;
use oxc_semantic::{AstNodes, Semantic};
use oxc_span::Span;

use super::{Lines, Position, Script};

/// What stands for each byte of a literal: a sign that is part of nothing else.
const SIGN: u8 = b'"';

/// A file as it is written and as the interpreter reads it.
pub struct Texts<'t> {
    lines: &'t Lines,
    /// The lines that the interpreter reads, with signs for what is in literals: it takes nothing there for a word or a space.
    javascript: Vec<String>,
}

impl<'t> Texts<'t> {
    pub fn new(text: &str, semantic: &Semantic, script: &'t Script) -> Self {
        let mut javascript = script.javascript.clone().into_bytes();
        let ends = script.javascript.match_indices('\n');
        let starts: Vec<usize> = std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 1))
            .collect();
        for span in literals(semantic.nodes()) {
            let (line, at) = script.lines.in_javascript(span.start);
            let from = starts[line as usize - 1] + at as usize;
            let literal = javascript.get_mut(from..from + span.size() as usize);
            // Those of types are gone.
            let literal = literal.filter(|it| **it == *span.source_text(text).as_bytes());
            for byte in literal.into_iter().flatten().filter(|it| **it != b'\n') {
                *byte = SIGN;
            }
        }
        let javascript = String::from_utf8_lossy(&javascript);
        Self {
            lines: &script.lines,
            javascript: javascript.split('\n').map(str::to_owned).collect(),
        }
    }

    /// Where what is written at a byte begins for the interpreter, as people count.
    pub fn begins(&self, at: u32) -> Position {
        let (line, at) = self.lines.in_javascript(at);
        let text = self.javascript.get(line as usize - 1);
        let column = mark(text.map_or("", String::as_str), at as usize) as u32 + 1;
        self.lines.in_characters(Position { line, column })
    }
}

/// The texts, the parts of templates and the regular expressions of a file, where they are.
pub fn literals(nodes: &AstNodes) -> impl Iterator<Item = Span> {
    nodes.iter().filter_map(|node| match node.kind() {
        AstKind::StringLiteral(it) => Some(it.span),
        AstKind::RegExpLiteral(it) => Some(it.span),
        // With the `${` behind it.
        AstKind::TemplateElement(it) if !it.tail => Some(it.span.expand_right(2)),
        AstKind::TemplateElement(it) => Some(it.span),
        _ => None,
    })
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
            // The name of a private member is none.
            _ if word.starts_with(is_first) && !rest.ends_with('#') => return rest.len(),
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
            "^guard(\"\"\"\"\"\"\"\",(cx) => 1)",
            "f(^o.#own,(cx) => 1)",
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
