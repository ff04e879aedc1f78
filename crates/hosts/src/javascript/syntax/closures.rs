//! What closures hold: variables of functions and blocks that functions within them use. Where such code runs
//! while a module starts, its closures may live on, and nothing shows what they hold. So it says so itself:
//!
//! ```js
//! const rate = (() => { const seen = {}; return (k) => note(seen, k); })();
//! // becomes
//! const rate = (() => {__ordain_started||__ordain_holds(0,()=>seen); const seen = {}; return …
//! ```
//!
//! When the module has started, the host asks for the values and freezes them. A variable that a function
//! within assigns cannot be frozen: then the module is refused ([`Held::assigned`]).
//!
//! Beside variables, functions hold `this` and `arguments` of those around them, and methods that say `super`
//! hold their class.
//!
//! Not seen is what was held by code that ended before it could say so: a default of a parameter that threw, the
//! head of a loop whose body never ran.

use std::collections::BTreeMap;

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::{AstNodes, NodeId, Semantic};
use oxc_span::{GetSpan, Span};
use oxc_syntax::symbol::SymbolId;

use super::rules::{is_owner, owner};

/// Whether the module has started.
pub const STARTED: &str = "__ordain_started";
/// Takes the number of a file's first variable, and functions that give it and those after it.
pub const HOLDS: &str = "__ordain_holds";

/// A variable that closures hold.
#[derive(Debug, Clone)]
pub struct Held {
    pub name: String,
    pub at: u32,
    /// Where a function within the code that has it assigns it.
    pub assigned: Option<u32>,
}

/// What the closures of a file hold, and what to insert into its text that it says so.
#[derive(Debug, Default)]
pub struct Closures {
    /// By the numbers that the text gives.
    pub held: Vec<Held>,
    /// What comes before which byte, in this order where that is the same.
    pub inserts: Vec<(u32, String)>,
}

/// Finds what closures hold.
pub fn find(semantic: &Semantic) -> Closures {
    let nodes = semantic.nodes();
    let mut found: BTreeMap<NodeId, Vec<Held>> = BTreeMap::new();
    variables(semantic, &mut found);
    for node in nodes.iter() {
        match node.kind() {
            AstKind::ThisExpression(_) => hold(nodes, node.id(), "this", &mut found),
            AstKind::Super(_) => {
                hold(nodes, node.id(), "this", &mut found);
                if let Some(class) = class_of_super(nodes, node.id()) {
                    add(nodes, class, "this", &mut found);
                }
            }
            _ => {}
        }
    }
    let unresolved = semantic.scoping().root_unresolved_references();
    for id in unresolved.get("arguments").into_iter().flatten() {
        let node = semantic.scoping().get_reference(*id).node_id();
        hold(nodes, node, "arguments", &mut found);
    }
    written(nodes, found)
}

/// The variables that functions use which are not those they belong to, by the code they belong to.
fn variables(semantic: &Semantic, found: &mut BTreeMap<NodeId, Vec<Held>>) {
    let (nodes, scoping) = (semantic.nodes(), semantic.scoping());
    for symbol in scoping.symbol_ids() {
        let (scope, flags) = (
            scoping.symbol_scope_id(symbol),
            scoping.symbol_flags(symbol),
        );
        if scope == scoping.root_scope_id() || !flags.is_value() || flags.is_ambient() {
            continue;
        }
        let keeper = keeper(semantic, symbol);
        let below = scoping
            .get_resolved_references(symbol)
            .filter(|it| it.flags().is_value() && owner(nodes, it.node_id()) != keeper);
        let below: Vec<_> = below.collect();
        if below.is_empty() {
            continue;
        }
        let writes = below.iter().filter(|it| it.flags().is_write());
        found
            .entry(scoping.get_node_id(scope))
            .or_default()
            .push(Held {
                name: scoping.symbol_name(symbol).to_owned(),
                at: scoping.symbol_span(symbol).start,
                assigned: writes.map(|it| nodes.kind(it.node_id()).span().start).min(),
            });
    }
}

/// The function that a variable belongs to; none: it belongs to code that runs when the module starts.
fn keeper(semantic: &Semantic, symbol: SymbolId) -> Option<NodeId> {
    let nodes = semantic.nodes();
    let scope = semantic.scoping().symbol_scope_id(symbol);
    let node = semantic.scoping().get_node_id(scope);
    match is_owner(nodes.kind(node)) {
        true => Some(node),
        false => owner(nodes, node),
    }
}

/// Notes that arrow functions around a node, if it is in any, hold what belongs to the code around them.
fn hold(nodes: &AstNodes, node: NodeId, name: &str, found: &mut BTreeMap<NodeId, Vec<Held>>) {
    let mut arrows = false;
    for id in nodes.ancestor_ids(node) {
        match nodes.kind(id) {
            AstKind::ArrowFunctionExpression(_) => arrows = true,
            AstKind::Function(_) | AstKind::StaticBlock(_) | AstKind::PropertyDefinition(_) => {
                if arrows {
                    add(nodes, id, name, found);
                }
                return;
            }
            _ => {}
        }
    }
}

fn add(nodes: &AstNodes, to: NodeId, name: &str, found: &mut BTreeMap<NodeId, Vec<Held>>) {
    let held = found.entry(to).or_default();
    if held.iter().all(|it| it.name != name) {
        held.push(Held {
            name: name.to_owned(),
            at: nodes.kind(to).span().start,
            assigned: None,
        });
    }
}

/// The class whose members say `super.name`.
fn class_of_super(nodes: &AstNodes, node: NodeId) -> Option<NodeId> {
    if matches!(nodes.parent_kind(node), AstKind::CallExpression(_)) {
        return None; // the class above, which the class itself shows
    }
    let mut around = nodes.ancestor_ids(node);
    around.find(|id| matches!(nodes.kind(*id), AstKind::Class(_)))
}

/// Numbers what was found and writes what says so.
fn written(nodes: &AstNodes, found: BTreeMap<NodeId, Vec<Held>>) -> Closures {
    let mut closures = Closures::default();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (node, held) in found {
        let first = closures.held.len();
        let gives = held.iter().map(|it| format!(",()=>{}", it.name));
        let says = format!("{STARTED}||{HOLDS}({first}{})", gives.collect::<String>());
        let places = places(nodes.kind(node));
        if places.is_empty() {
            continue; // of types
        }
        closures.held.extend(held);
        for place in places {
            match place {
                Place::Statement(at) => before.push((at, format!("{says};"))),
                Place::Member(at) => before.push((at, format!("static{{{says}}}"))),
                Place::Body(span) => {
                    before.push((span.start, format!("{{{says};")));
                    after.push((span.end, "}".to_owned()));
                }
                Place::Value(span) => {
                    before.push((span.start, format!("({says},")));
                    after.push((span.end, ")".to_owned()));
                }
            }
        }
    }
    // What is within ends first.
    closures.inserts.extend(after.into_iter().rev());
    closures.inserts.extend(before);
    closures
}

/// Where code can say what its closures hold.
enum Place {
    /// A statement can stand here.
    Statement(u32),
    /// A member of a class can.
    Member(u32),
    /// A statement that becomes a block.
    Body(Span),
    /// An expression that gets another before it.
    Value(Span),
}

fn places(kind: AstKind) -> Vec<Place> {
    let within = |span: Span| Place::Statement(span.start + 1);
    let body = |it: &Statement| match it {
        Statement::BlockStatement(it) => within(it.span),
        it => Place::Body(it.span()),
    };
    let place = match kind {
        AstKind::Function(it) => it.body.as_ref().map(|it| within(it.span)),
        AstKind::ArrowFunctionExpression(it) => Some(match &it.body {
            ArrowFunctionBody::FunctionBody(it) => within(it.span),
            value => Place::Value(value.span()),
        }),
        AstKind::BlockStatement(it) => Some(within(it.span)),
        AstKind::CatchClause(it) => Some(within(it.body.span)),
        AstKind::ForStatement(it) => Some(body(&it.body)),
        AstKind::ForInStatement(it) => Some(body(&it.body)),
        AstKind::ForOfStatement(it) => Some(body(&it.body)),
        AstKind::Class(it) => Some(Place::Member(it.body.span.start + 1)),
        AstKind::StaticBlock(it) => it.body.first().map(|it| Place::Statement(it.span().start)),
        AstKind::PropertyDefinition(it) => it.value.as_ref().map(|it| Place::Value(it.span())),
        AstKind::SwitchStatement(it) => {
            let firsts = it.cases.iter().filter_map(|case| case.consequent.first());
            return firsts
                .map(|first| Place::Statement(first.span().start))
                .collect();
        }
        _ => None,
    };
    place.into_iter().collect()
}
