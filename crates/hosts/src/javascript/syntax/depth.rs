//! How large and how deep a file may be: it is read by recursion, whose stack must have an end.

use ordain_types::limits;
use oxc_semantic::Semantic;
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

/// What nests too deep.
pub fn check(semantic: &Semantic) -> Option<Problem> {
    let nodes = semantic.nodes();
    let mut depths: Vec<usize> = Vec::with_capacity(nodes.len());
    for node in nodes.iter() {
        // Nodes come after those they are in.
        let depth = match nodes.parent_id(node.id()) {
            parent if parent < node.id() => depths[parent.index()] + 1,
            _ => 0,
        };
        depths.push(depth);
        if depth > limits::SCRIPT_DEPTH_MAX {
            let limit = limits::SCRIPT_DEPTH_MAX;
            let message = format!("this nests more than {limit} levels deep; divide it");
            return Some(Problem::new(node.kind().span().start, message));
        }
    }
    None
}
