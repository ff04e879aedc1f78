//! What a module may do with private methods. Their functions are in no object, so the host cannot freeze them: where a
//! class outlives the start, what was put on one would stay from call to call. So they are called, and nothing else.

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::{AstNodes, NodeId};
use oxc_span::GetSpan;

const CALLED_ONLY: &str = "a private method can be called and nothing else, for what is put on it would be kept unseen: \
                           write `(…) => this.#method(…)`, or make it a function of the file";
const NO_GENERATOR: &str = "a private generator has an object that nothing shows and that would be kept from call to call: \
                            make it a function of the file, or a method without `#`";

/// What is wrong with a node, if it is of a private method.
pub fn refused(nodes: &AstNodes, node: NodeId) -> Option<&'static str> {
    match nodes.kind(node) {
        AstKind::MethodDefinition(it) if it.value.generator && name(&it.key).is_some() => {
            Some(NO_GENERATOR)
        }
        AstKind::PrivateFieldExpression(it)
            if is_method(nodes, node, &it.field.name) && !is_called(nodes, node) =>
        {
            Some(CALLED_ONLY)
        }
        _ => None,
    }
}

fn name<'k>(key: &'k PropertyKey) -> Option<&'k str> {
    match key {
        PropertyKey::PrivateIdentifier(it) => Some(it.name.as_str()),
        _ => None,
    }
}

/// Whether a class around a node, be it not the innermost that has the name, has a private method of this name.
fn is_method(nodes: &AstNodes, node: NodeId, named: &str) -> bool {
    let has = |element: &ClassElement| match element {
        ClassElement::MethodDefinition(it) => {
            it.kind == MethodDefinitionKind::Method && name(&it.key) == Some(named)
        }
        _ => false,
    };
    let mut around = nodes.ancestor_kinds(node);
    around.any(|kind| matches!(kind, AstKind::Class(it) if it.body.body.iter().any(has)))
}

/// Whether a node is what a call calls.
fn is_called(nodes: &AstNodes, node: NodeId) -> bool {
    let mut span = nodes.kind(node).span();
    for kind in nodes.ancestor_kinds(node) {
        match kind {
            AstKind::CallExpression(it) => return it.callee.span() == span,
            AstKind::TaggedTemplateExpression(it) => return it.tag.span() == span,
            AstKind::ParenthesizedExpression(_)
            | AstKind::ChainExpression(_)
            | AstKind::TSNonNullExpression(_) => span = kind.span(),
            _ => return false,
        }
    }
    false
}
