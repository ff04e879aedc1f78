//! Line ends that the interpreter takes for such and [`Lines`](super::Lines) does not: behind one, places would be others than
//! the file's, and a function would be taken for another, by whose types callers were held to it.

use std::collections::BTreeMap;

use oxc_ast::ast::Program;
use oxc_semantic::Semantic;

use super::Problem;
use super::begins::literals;

const ALONE: &str =
    "the line ends in a carriage return alone: save the file with the line ends LF or CRLF";

/// The first of them.
pub fn find(program: &Program, semantic: &Semantic) -> Option<Problem> {
    let text = program.source_text;
    let mut returns = text.match_indices('\r');
    let alone = returns.find(|(at, _)| !text[at + 1..].starts_with('\n'));
    let alone = alone.map(|(at, _)| Problem::new(at as u32, ALONE));
    alone.into_iter().chain(separator(program, semantic)).min()
}

/// A character that separates lines and is in no literal and no comment: it counts there alone.
fn separator(program: &Program, semantic: &Semantic) -> Option<Problem> {
    let separators = ['\u{2028}', '\u{2029}'];
    let text = program.source_text;
    if !text.contains(separators) {
        return None;
    }
    let literals = literals(semantic.nodes()).map(|it| (it.start, it.end));
    let comments = program
        .comments
        .iter()
        .map(|it| (it.span.start, it.span.end));
    let held: BTreeMap<u32, u32> = literals.chain(comments).collect();
    let is_held = |at: u32| {
        held.range(..=at)
            .next_back()
            .is_some_and(|(_, end)| at < *end)
    };
    let mut found = text.match_indices(separators);
    let (at, found) = found.find(|(at, _)| !is_held(*at as u32))?;
    let code = found.chars().map(u32::from).next()?;
    let message = format!(
        "the character U+{code:04X} ends a line here, which editors do not show: write a line break, or a space"
    );
    Some(Problem::new(at as u32, message))
}
