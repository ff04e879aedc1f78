//! What is around a piece of code: the function that it belongs to, whose `this` it says, where its method was made.

use oxc_ast::AstKind;
use oxc_semantic::{AstNodes, NodeId};
use oxc_span::GetSpan;

/// The function that a node's code belongs to; none: it runs when the module starts.
pub fn owner(nodes: &AstNodes, node: NodeId) -> Option<NodeId> {
    around(nodes, node, is_owner)
}

/// The nearest code around a node that `is` such. The computed name of a field belongs to what is around the class.
pub fn around(nodes: &AstNodes, node: NodeId, is: fn(AstKind) -> bool) -> Option<NodeId> {
    let at = nodes.kind(node).span();
    let in_key = |kind: AstKind| matches!(kind, AstKind::PropertyDefinition(it) if it.key.span().contains_inclusive(at));
    nodes
        .ancestor_ids(node)
        .find(|id| is(nodes.kind(*id)) && !in_key(nodes.kind(*id)))
}

/// Whether code in a node runs later than the code around it, if at all.
pub fn is_owner(kind: AstKind) -> bool {
    match kind {
        AstKind::Function(_) | AstKind::ArrowFunctionExpression(_) => true,
        AstKind::PropertyDefinition(it) => !it.r#static,
        _ => false,
    }
}

/// Whether code has a `this` of its own.
pub fn gives_this(kind: AstKind) -> bool {
    matches!(
        kind,
        AstKind::Function(_) | AstKind::StaticBlock(_) | AstKind::PropertyDefinition(_)
    )
}

/// Where the method that says `super.name` was made.
pub enum Home {
    Class(NodeId),
    Object,
}

/// Where the method around a `super` was made; none for `super(…)`, which names what the class itself shows.
pub fn home(nodes: &AstNodes, node: NodeId) -> Option<Home> {
    if matches!(nodes.parent_kind(node), AstKind::CallExpression(_)) {
        return None;
    }
    let method = around(nodes, node, gives_this)?;
    match nodes.parent_kind(method) {
        AstKind::ObjectProperty(_) => Some(Home::Object),
        _ => around(nodes, method, |kind| matches!(kind, AstKind::Class(_))).map(Home::Class),
    }
}
