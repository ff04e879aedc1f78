//! What closures hold: variables of functions and blocks that functions within them use. Where such code runs
//! while a module starts, its closures may live on, and nothing shows what they hold. So it says so itself:
//!
//! ```js
//! const rate = (() => { const seen = {}; return (k) => note(seen, k); })();
//! // becomes
//! const rate = (() => {__ordain_started||__ordain_holds(0,()=>seen); const seen = {}; return …
//! ```
//!
//! When the module has started, the host asks for the values, and freezes those that are alive when nothing else holds
//! them any more. A variable that a function within assigns cannot be frozen, so such code gives a function that
//! sets it: what the host sets it to is alive if a closure that could assign it is, and then the module is
//! refused ([`Held::assigned`]).
//!
//! Beside variables, functions hold `this` and `arguments` of those around them, and methods that say `super`
//! hold their class.
//!
//! Code says so at its beginning, but for what belongs to it and is used earlier: a default of a parameter, the
//! head of a loop, a case of a `switch` say it themselves ([`part`]).

use std::collections::BTreeMap;

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::{AstNodes, NodeId, Semantic};
use oxc_span::{GetSpan, Span};
use oxc_syntax::symbol::SymbolId;

use super::around::{Home, around, gives_this, home, is_owner, owner};

/// Whether the module has started.
pub const STARTED: &str = "__ordain_started";
/// Takes the number of a file's first variable, and functions that give it and those after it, or set them.
pub const HOLDS: &str = "__ordain_holds";

/// What a variable is set to.
const SET: &str = "__ordain_set";

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

/// What says that it holds something: the code of a node, or a part of it that may run when that code does not.
type Found = BTreeMap<(NodeId, Option<Span>), Vec<Held>>;

/// Finds what closures hold.
pub fn find(semantic: &Semantic) -> Closures {
    let nodes = semantic.nodes();
    let mut found = Found::new();
    variables(semantic, &mut found);
    for node in nodes.iter() {
        match node.kind() {
            AstKind::ThisExpression(_) => hold(nodes, node.id(), "this", &mut found),
            AstKind::NewTarget(_) => hold(nodes, node.id(), "new.target", &mut found),
            AstKind::Super(_) => {
                hold(nodes, node.id(), "this", &mut found);
                if let Some(Home::Class(class)) = home(nodes, node.id()) {
                    add(nodes, (class, None), "this", &mut found);
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
fn variables(semantic: &Semantic, found: &mut Found) {
    let (nodes, scoping) = (semantic.nodes(), semantic.scoping());
    for symbol in scoping.symbol_ids() {
        let flags = scoping.symbol_flags(symbol);
        if !flags.is_value() || flags.is_ambient() {
            continue;
        }
        let (scope, keeper) = (scoping.symbol_scope_id(symbol), keeper(semantic, symbol));
        let node = scoping.get_node_id(scope);
        let name = scoping.symbol_name(symbol);
        let below = scoping
            .get_resolved_references(symbol)
            .filter(|it| it.flags().is_value() && owner(nodes, it.node_id()) != keeper);
        let below: Vec<_> = below.collect();
        for reference in &below {
            // A class that is declared has a name within it that is its own.
            if let Some(class) = declared_around(nodes, reference.node_id(), name) {
                add(nodes, (class, None), name, found);
            }
        }
        if below.is_empty() || scope == scoping.root_scope_id() {
            continue;
        }
        let writes = below.iter().filter(|it| it.flags().is_write());
        let held = Held {
            name: name.to_owned(),
            at: scoping.symbol_span(symbol).start,
            assigned: writes.map(|it| nodes.kind(it.node_id()).span().start).min(),
        };
        for reference in &below {
            if let Some(part) = part(nodes, reference.node_id(), node) {
                note(part, held.clone(), found);
            }
        }
        note((node, None), held, found);
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

/// The declaration of a class around a node that has this name.
fn declared_around(nodes: &AstNodes, node: NodeId, name: &str) -> Option<NodeId> {
    nodes.ancestor_ids(node).find(|id| match nodes.kind(*id) {
        AstKind::Class(it) => {
            it.is_declaration() && it.id.as_ref().is_some_and(|id| id.name == name)
        }
        _ => false,
    })
}

/// The part of the code of `within` that a node is in and that may run when the code's beginning does not, or with
/// variables of its own. If parts lie within parts: the outermost.
fn part(nodes: &AstNodes, node: NodeId, within: NodeId) -> Option<(NodeId, Option<Span>)> {
    let at = nodes.kind(node).span();
    let mut found = None;
    for id in nodes.ancestor_ids(node) {
        let span = |it: &Expression| it.span();
        let spans: [Option<Span>; 2] = match nodes.kind(id) {
            AstKind::FormalParameter(it) => [it.initializer.as_deref().map(span), None],
            AstKind::AssignmentPattern(it) => [Some(it.right.span()), None],
            AstKind::BindingProperty(it) => [it.computed.then(|| it.key.span()), None],
            AstKind::ForStatement(it) => [it.test.as_ref().map(span), it.update.as_ref().map(span)],
            AstKind::VariableDeclarator(it) => match nodes.parent_kind(nodes.parent_id(id)) {
                AstKind::ForStatement(_) => [it.init.as_ref().map(span), None],
                _ => [None, None],
            },
            AstKind::SwitchCase(it) => [it.test.as_ref().map(span), None],
            _ => [None, None],
        };
        let spans = spans.into_iter().flatten();
        for span in spans.filter(|span| span.contains_inclusive(at)) {
            found = Some((id, Some(span)));
        }
        if id == within {
            break;
        }
    }
    found
}

/// Notes that arrow functions around a node, if it is in any, hold what belongs to the code around them.
fn hold(nodes: &AstNodes, node: NodeId, name: &str, found: &mut Found) {
    let Some(giver) = around(nodes, node, gives_this) else {
        return;
    };
    let mut between = nodes.ancestor_ids(node).take_while(|id| *id != giver);
    if between.any(|id| matches!(nodes.kind(id), AstKind::ArrowFunctionExpression(_))) {
        add(nodes, (giver, None), name, found);
        if let Some(part) = part(nodes, node, giver) {
            add(nodes, part, name, found);
        }
    }
}

fn add(nodes: &AstNodes, to: (NodeId, Option<Span>), name: &str, found: &mut Found) {
    let held = Held {
        name: name.to_owned(),
        at: to.1.unwrap_or(nodes.kind(to.0).span()).start,
        assigned: None,
    };
    note(to, held, found);
}

fn note(to: (NodeId, Option<Span>), held: Held, found: &mut Found) {
    let all = found.entry(to).or_default();
    if all.iter().all(|it| it.name != held.name) {
        all.push(held);
    }
}

/// Numbers what was found and writes what says so.
fn written(nodes: &AstNodes, found: Found) -> Closures {
    let mut closures = Closures::default();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for ((node, part), held) in found {
        let first = closures.held.len();
        let gives = held
            .iter()
            .map(|Held { name, assigned, .. }| match assigned {
                None => format!(",()=>{name}"),
                Some(_) => format!(",({SET})=>{name}={SET}"),
            });
        let says = format!("{STARTED}||{HOLDS}({first}{})", gives.collect::<String>());
        let kind = nodes.kind(node);
        let places = match part {
            Some(span) => vec![Place::Value(span, named(kind))],
            None => places(kind),
        };
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
                Place::Value(span, None) => {
                    before.push((span.start, format!("({says},")));
                    after.push((span.end, ")".to_owned()));
                }
                Place::Value(span, Some(name)) => {
                    before.push((span.start, format!("({says},{{{name}:")));
                    after.push((span.end, format!("}}.{name})")));
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
    /// An expression that gets another before it, and the name that it would give to a function.
    Value(Span, Option<String>),
}

fn places(kind: AstKind) -> Vec<Place> {
    let within = |span: Span| Place::Statement(span.start + 1);
    let place = match kind {
        AstKind::Function(it) => it.body.as_ref().map(|it| within(it.span)),
        AstKind::ArrowFunctionExpression(it) => Some(match &it.body {
            ArrowFunctionBody::FunctionBody(it) => within(it.span),
            value => Place::Value(value.span(), None),
        }),
        AstKind::BlockStatement(it) => Some(within(it.span)),
        AstKind::CatchClause(it) => Some(within(it.body.span)),
        AstKind::ForStatement(it) => Some(Place::Body(it.body.span())),
        AstKind::ForInStatement(it) => Some(Place::Body(it.body.span())),
        AstKind::ForOfStatement(it) => Some(Place::Body(it.body.span())),
        AstKind::Class(it) => Some(Place::Member(it.body.span.start + 1)),
        AstKind::StaticBlock(it) => it.body.first().map(|it| Place::Statement(it.span().start)),
        AstKind::PropertyDefinition(it) => {
            let value = it.value.as_ref().map(GetSpan::span);
            value.map(|value| Place::Value(value, named(kind)))
        }
        AstKind::SwitchStatement(it) => {
            let firsts = it.cases.iter().filter_map(|case| case.consequent.first());
            let firsts = firsts.map(|first| Place::Statement(first.span().start));
            // Functions are there before any case is.
            let test = it.cases.iter().find_map(|case| case.test.as_ref());
            let test = test.map(|test| Place::Value(test.span(), None));
            return test.into_iter().chain(firsts).collect();
        }
        _ => None,
    };
    place.into_iter().collect()
}

/// The name that a value gives to a function, if it is one without a name and stands where it gets one.
fn named(kind: AstKind) -> Option<String> {
    let of = |pattern: &BindingPattern| match pattern {
        BindingPattern::BindingIdentifier(it) => Some(it.name.to_string()),
        _ => None,
    };
    let (name, value) = match kind {
        AstKind::PropertyDefinition(it) => match &it.key {
            PropertyKey::StaticIdentifier(key) => (Some(key.name.to_string()), it.value.as_ref()),
            _ => (None, None),
        },
        AstKind::FormalParameter(it) => (of(&it.pattern), it.initializer.as_deref()),
        AstKind::AssignmentPattern(it) => (of(&it.left), Some(&it.right)),
        AstKind::VariableDeclarator(it) => (of(&it.id), it.init.as_ref()),
        _ => (None, None),
    };
    let unnamed = match value?.get_inner_expression() {
        Expression::ArrowFunctionExpression(_) => true,
        Expression::FunctionExpression(it) => it.id.is_none(),
        Expression::ClassExpression(it) => it.id.is_none(),
        _ => false,
    };
    name.filter(|name| unnamed && name != "__proto__")
}

#[cfg(test)]
mod tests {
    use oxc_allocator::Allocator;
    use oxc_parser::Parser;
    use oxc_span::SourceType;

    use crate::javascript::syntax::{Purpose, parse};

    /// A text with what is inserted, which is JavaScript.
    fn inserted(text: &str) -> String {
        let allocator = Allocator::default();
        let script = parse("a.ts", text, &allocator).and_then(|it| it.check(Purpose::Module));
        let script = script.unwrap_or_else(|no| panic!("{text}: {no:?}"));
        let parsed = Parser::new(&allocator, &script.javascript, SourceType::mjs()).parse();
        assert!(
            parsed.diagnostics.is_empty(),
            "{}: {:?}",
            script.javascript,
            parsed.diagnostics
        );
        script.javascript.replace("__ordain_", "")
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(inserted(text), expected);
    }

    #[test]
    fn code_says_what_its_closures_hold_wherever_that_can_be_said() {
        check(
            "(a) => { return () => a; }",
            "(a) => {started||holds(0,()=>a); return () => a; }",
        );
        check("(a) => () => a", "(a) => (started||holds(0,()=>a),() => a)");
        check(
            "(a) => (b) => () => a + b",
            "(a) => (started||holds(0,()=>a),(b) => (started||holds(1,()=>b),() => a + b))",
        );
        check(
            "(a: any) => ({ f: () => a }) as any\n",
            "(a     ) => (started||holds(0,()=>a),({ f: () => a })       );\n",
        );
        check(
            "for (const a of [1]) for (const b of [2]) (() => a + b)",
            "for (const a of [1]) {started||holds(0,()=>a);for (const b of [2]) {started||holds(1,()=>b);(() => a + b)}}",
        );
        check(
            "if (1) for (const a of []) f(() => a); else f()",
            "if (1) for (const a of []) {started||holds(0,()=>a);f(() => a);} else f()",
        );
        check(
            "if (1) for (const a of []) f(() => a) as any\nelse f()",
            "if (1) for (const a of []) {started||holds(0,()=>a);f(() => a)       ;}\nelse f()",
        );
        check(
            "do for (const a of []) for (const b of []) f(() => a + b) as any\nwhile (0)",
            "do for (const a of []) {started||holds(0,()=>a);for (const b of []) {started||holds(1,()=>b);f(() => a + b)       ;}}\nwhile (0)",
        );
        check(
            "for (let i = 0; i < 9; i++) { const a = i; f(() => a, () => i) }",
            "for (let i = 0; i < 9; i++) {started||holds(0,()=>i);{started||holds(1,()=>a); const a = i; f(() => a, () => i) }}",
        );
        check(
            "switch (1) { case 0: case 1: let a = 1; f(() => a); default: f() }",
            "switch (1) { case (started||holds(0,()=>a),0): case 1: started||holds(0,()=>a);let a = 1; f(() => a); default: started||holds(0,()=>a);f() }",
        );
        check(
            "f(class A { m() { return A } })",
            "f(class A {static{started||holds(0,()=>A)} m() { return A } })",
        );
        check(
            "() => { let n = 0; return () => n++; }",
            "() => {started||holds(0,(set)=>n=set); let n = 0; return () => n++; }",
        );
        check(
            "class B { x = () => this; static { f(() => this) } }",
            "class B { x = (started||holds(0,()=>this),{x:() => this}.x); static { started||holds(1,()=>this);f(() => this) } }",
        );
        check(
            "function f(a, g = () => a) { return g; }",
            "function f(a, g = (started||holds(1,()=>a),{g:() => a}.g)) {started||holds(0,()=>a); return g; }",
        );
        check(
            "for (let a = 1, f = () => a; f(() => a); g(() => a)) f = <any>h(() => a)\n",
            "for (let a = 1, f = (started||holds(3,()=>a),{f:() => a}.f); (started||holds(1,()=>a),f(() => a)); (started||holds(2,()=>a),g(() => a))) {started||holds(0,()=>a);f = (    h(() => a))}\n",
        );
        check(
            "function g() { return () => arguments }",
            "function g() {started||holds(0,()=>arguments); return () => arguments }",
        );
    }

    #[test]
    fn code_without_closures_stays_as_it_is() {
        for text in [
            "const a = 1; const f = () => a;",
            "function f(a) { for (const b of a) { g(b, this); } }",
            "const f = (g) => g((x) => x + 1);",
            "class A { m() { return this.x; } }",
            "type F = (a: number) => () => typeof b; declare const b: number;",
        ] {
            let inserted = inserted(text);
            assert!(!inserted.contains("holds"), "{inserted}");
        }
    }
}
