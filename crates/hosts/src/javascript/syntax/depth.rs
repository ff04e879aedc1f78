//! How large and how deep a file may be: it is read by recursion, whose stack must have an end.

use ordain_types::limits;
use oxc_ast::AstKind;
use oxc_ast::ast::Program;
use oxc_ast_visit::Visit;
use oxc_span::GetSpan;

use super::Problem;

/// Brackets that may be open at once, those in texts and comments included: they take the most stack for a byte.
const BRACKETS_MAX: usize = 2 * limits::SCRIPT_DEPTH_MAX;

/// What keeps a text from being read at all.
pub fn check_text(text: &str) -> Option<Problem> {
    let (bytes, limit) = (text.len(), limits::SCRIPT_BYTES_MAX);
    if bytes > limit {
        let message = format!("it has {bytes} bytes, more than the limit of {limit}; divide it");
        return Some(Problem::new(0, message));
    }
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > BRACKETS_MAX {
            let message = format!("more than {BRACKETS_MAX} brackets are open here; divide it");
            return Some(Problem::new(at as u32, message));
        }
    }
    None
}

/// What nests too deep. To be asked first of a file that was parsed: what looks from each place at all that it
/// is in, as the checks of labels and of `yield` do, takes its time with a hundred thousand levels.
pub fn check(program: &Program) -> Option<Problem> {
    let mut depth = Depth::default();
    depth.visit_program(program);
    let limit = limits::SCRIPT_DEPTH_MAX;
    let message = format!("this nests more than {limit} levels deep; divide it");
    depth.beyond.map(|at| Problem::new(at, message))
}

#[derive(Default)]
struct Depth {
    /// Nodes that are open.
    open: usize,
    /// Where the first one begins that is too deep.
    beyond: Option<u32>,
}

impl<'a> Visit<'a> for Depth {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        if self.open > limits::SCRIPT_DEPTH_MAX && self.beyond.is_none() {
            self.beyond = Some(kind.span().start);
        }
        self.open += 1;
    }

    fn leave_node(&mut self, _: AstKind<'a>) {
        self.open -= 1;
    }
}
