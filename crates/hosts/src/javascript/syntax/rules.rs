//! What a module may not say: whatever has no meaning inside a transaction (waiting, timers, the
//! outside world, code made from text) and whatever keeps state outside entities.

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::{AstNodes, NodeId, Semantic};
use oxc_span::GetSpan;
use oxc_syntax::operator::UnaryOperator;

use super::around::{Home, home, owner};
use super::{Lines, Named, Position, Problem, Problems, private};

const SYNCHRONOUS: &str = "methods are synchronous: leave out `async` and `await`; `cx.call(…)` gives its value \
                           at once, and what shall happen later is a `cx.send(…)`";
const NO_TEXT_CODE: &str = "code made from text is not there: write the code itself";
const NO_TIMERS: &str = "there are no timers: `cx.send(entity, key, { delay: \"1h\" }).method(args)` calls a \
                         method later, exactly once";
const NO_OUTSIDE: &str = "there is no network and there are no files inside a transaction: pass in as an argument \
                          what a method needs";
const NO_NODE: &str =
    "this is not Node.js: a module has the ECMAScript library and what it imports from \"ordain\"";
const NO_GARBAGE: &str = "when something is collected as garbage may not show; use Map or Set";
const NO_THREADS: &str = "nothing is shared between threads; use ArrayBuffer";
const NO_CONSOLE: &str = "there is no console; write `cx.log(…)`";
const NO_CLOCK: &str = "there is no clock; write `cx.now()`";
const NO_CRYPTO: &str = "there is no crypto; write `cx.uuid()` or `cx.random()`";
const NO_SUPER: &str =
    "`super` in an object names what nothing else shows: write the other object's name";
const SUPER_LATER: &str =
    "`super(…)` makes `this`: call it in the constructor itself, not in a function within it";
const NO_INTL: &str = "texts and numbers are shown without a locale: write the form itself, as with `toFixed` and `padStart`";
const NO_PROXY: &str =
    "what code stands behind a property may not be hidden: write methods, getters and setters";
const NO_WEB: &str =
    "this is no browser: a module has the ECMAScript library and what it imports from \"ordain\"";
const IS_FUNCTION: &str = "write `typeof value === \"function\"`";
const COPY: &str = "write `JSON.parse(JSON.stringify(value))`";

/// Globals of other places that are not here, and what to write instead.
fn absent(name: &str) -> Option<&'static str> {
    Some(match name {
        "eval" | "Function" => NO_TEXT_CODE,
        "setTimeout"
        | "setInterval"
        | "setImmediate"
        | "queueMicrotask"
        | "clearTimeout"
        | "clearInterval"
        | "requestAnimationFrame" => NO_TIMERS,
        "Promise" => SYNCHRONOUS,
        "WeakRef" | "FinalizationRegistry" => NO_GARBAGE,
        "SharedArrayBuffer" | "Atomics" => NO_THREADS,
        "console" => NO_CONSOLE,
        "performance" => NO_CLOCK,
        "crypto" => NO_CRYPTO,
        "structuredClone" => COPY,
        "Intl" => NO_INTL,
        "Proxy" => NO_PROXY,
        "URL" | "URLSearchParams" | "TextEncoder" | "TextDecoder" | "atob" | "btoa"
        | "AbortController" | "Blob" | "localStorage" => NO_WEB,
        "fetch" | "XMLHttpRequest" | "WebSocket" | "EventSource" => NO_OUTSIDE,
        "process" | "require" | "module" | "exports" | "Buffer" | "__dirname" | "__filename"
        | "global" | "window" | "document" | "self" => NO_NODE,
        _ => return None,
    })
}

/// Adds what is wrong with the file.
pub fn check(program: &Program, semantic: &Semantic, problems: &mut Problems) {
    let nodes = semantic.nodes();
    for node in nodes.iter() {
        let message = refused(node.kind())
            .or_else(|| bad_super(nodes, node.id()))
            .or_else(|| private::refused(nodes, node.id()));
        if let Some(message) = message {
            problems.push(Problem::new(node.kind().span().start, message));
        }
    }
    absent_globals(semantic, problems);
    names_of_the_host(semantic, problems);
    Targets(problems).visit_program(program);
    module_state(semantic, problems);
}

fn refused(kind: AstKind) -> Option<&'static str> {
    match kind {
        AstKind::Function(it) if it.r#async => Some(SYNCHRONOUS),
        AstKind::ArrowFunctionExpression(it) if it.r#async => Some(SYNCHRONOUS),
        AstKind::AwaitExpression(_) => Some(SYNCHRONOUS),
        AstKind::ForOfStatement(it) if it.r#await => Some(SYNCHRONOUS),
        AstKind::ImportExpression(_) => Some(
            "a module is whole when it starts: write `import { … } from \"./file.ts\"` at its top",
        ),
        AstKind::ImportMeta(_) => {
            Some("`import.meta` is not there: a module does not know where it lies")
        }
        AstKind::VariableDeclaration(it) if it.kind.is_using() => {
            Some("`using` is not there: write `try { … } finally { … }`")
        }
        AstKind::Decorator(_) => Some("decorators are not there: call the function on the value"),
        AstKind::AccessorProperty(_) => {
            Some("`accessor` is not there: write a getter and a setter")
        }
        AstKind::PropertyDefinition(it)
            if it.r#static && matches!(it.key, PropertyKey::PrivateIdentifier(_)) =>
        {
            Some(
                "a static private field is state that no one can see: entity state lives in `cx.state`",
            )
        }
        _ => None,
    }
}

/// What is wrong with a `super`.
fn bad_super(nodes: &AstNodes, node: NodeId) -> Option<&'static str> {
    if !matches!(nodes.kind(node), AstKind::Super(_)) {
        return None;
    }
    let called = matches!(nodes.parent_kind(node), AstKind::CallExpression(_));
    let later = owner(nodes, node)
        .is_some_and(|id| matches!(nodes.kind(id), AstKind::ArrowFunctionExpression(_)));
    match home(nodes, node) {
        Some(Home::Object) => Some(NO_SUPER),
        _ if called && later => Some(SUPER_LATER),
        _ => None,
    }
}

/// How what is inserted into a module begins to name what is the host's.
const OF_THE_HOST: &str = "__ordain_";
/// What is said of a module that uses such a name.
pub const NOT_THEIRS: &str = "names that begin with `__ordain_` are the host's; take another";

/// What a module must not name itself.
fn names_of_the_host(semantic: &Semantic, problems: &mut Problems) {
    let scoping = semantic.scoping();
    let declared = scoping.symbol_ids().map(|symbol| {
        let at = scoping.symbol_span(symbol).start;
        (scoping.symbol_name(symbol), at)
    });
    let unresolved = scoping.root_unresolved_references().iter();
    let used = unresolved.filter_map(|(name, references)| {
        let reference = scoping.get_reference(*references.first()?);
        let at = semantic.nodes().kind(reference.node_id()).span().start;
        Some((name.as_str(), at))
    });
    for (name, at) in declared.chain(used) {
        if name.starts_with(OF_THE_HOST) {
            let message =
                format!("names that begin with `{OF_THE_HOST}` are the host's; take another");
            problems.push(Problem::new(at, message));
        }
    }
}

fn absent_globals(semantic: &Semantic, problems: &mut Problems) {
    let scoping = semantic.scoping();
    for (name, references) in scoping.root_unresolved_references().iter() {
        let Some(message) = absent(name.as_str()) else {
            continue;
        };
        for id in references.iter() {
            let reference = scoping.get_reference(*id);
            let node = reference.node_id();
            let message = match semantic.nodes().parent_kind(node) {
                AstKind::BinaryExpression(it)
                    if name == "Function" && it.operator.is_instance_of() =>
                {
                    IS_FUNCTION
                }
                _ => message,
            };
            if reference.flags().is_value() && !is_asked_for(semantic.nodes(), node) {
                let at = semantic.nodes().kind(node).span().start;
                problems.push(Problem::new(at, format!("`{}`: {message}", name.as_str())));
            }
        }
    }
}

/// Whether a name is only asked whether it is there: `typeof name`.
fn is_asked_for(nodes: &AstNodes, node: NodeId) -> bool {
    matches!(nodes.parent_kind(node), AstKind::UnaryExpression(it) if it.operator == UnaryOperator::Typeof)
}

/// Assignments to names of the top level that do not happen while the module starts.
fn module_state(semantic: &Semantic, problems: &mut Problems) {
    let scoping = semantic.scoping();
    for symbol in scoping.get_bindings(scoping.root_scope_id()).values() {
        for reference in scoping.get_resolved_references(*symbol) {
            let node = reference.node_id();
            if !reference.flags().is_write() || owner(semantic.nodes(), node).is_none() {
                continue;
            }
            let name = scoping.symbol_name(*symbol);
            let at = semantic.nodes().kind(node).span().start;
            problems.push(Problem::new(at, format!(
                "`{name}` is a module-level variable, and a function assigns to it; entity state lives in `cx.state`"
            )));
        }
    }
}

/// Refuses types before names that are assigned to (`(<T>n)++`): what is known of who assigns a name does not see through
/// them.
struct Targets<'p>(&'p mut Problems);

impl<'a> Visit<'a> for Targets<'_> {
    fn visit_simple_assignment_target(&mut self, it: &SimpleAssignmentTarget<'a>) {
        let inner = it.get_expression().map(Expression::get_inner_expression);
        if let Some(Expression::Identifier(name)) = inner
            && has_type_before(it)
        {
            let name = name.name.as_str();
            let message = format!(
                "`{name}` is assigned to with a type before it: write `{name} = value as T`, or `({name} as T)` for it"
            );
            self.0.push(Problem::new(it.span().start, message));
        }
        walk::walk_simple_assignment_target(self, it);
    }
}

fn has_type_before(target: &SimpleAssignmentTarget) -> bool {
    let mut found = matches!(target, SimpleAssignmentTarget::TSTypeAssertion(_));
    let mut within = target.get_expression();
    while let Some(expression) = within {
        within = match expression {
            Expression::TSTypeAssertion(it) => {
                found = true;
                Some(&it.expression)
            }
            Expression::TSAsExpression(it) => Some(&it.expression),
            Expression::TSSatisfiesExpression(it) => Some(&it.expression),
            Expression::TSNonNullExpression(it) => Some(&it.expression),
            Expression::ParenthesizedExpression(it) => Some(&it.expression),
            _ => None,
        };
    }
    found
}

/// The regular expressions of a file, as they are written.
pub fn patterns(program: &Program, semantic: &Semantic, lines: &Lines) -> Vec<(Position, String)> {
    let text = program.source_text;
    let pattern = |kind: AstKind| match kind {
        AstKind::RegExpLiteral(it) => {
            let written = it.span.source_text(text).to_owned();
            Some((lines.position(text, it.span.start), written))
        }
        _ => None,
    };
    let nodes = semantic.nodes().iter();
    nodes.filter_map(|node| pattern(node.kind())).collect()
}

/// What a file imports and exports from elsewhere at run time.
pub fn imports(program: &Program, semantic: &Semantic) -> Vec<Named> {
    let named = |source: &StringLiteral| Named {
        name: source.value.to_string(),
        at: source.span.start,
    };
    let import = |statement: &Statement| match statement {
        Statement::ImportDeclaration(it) if super::strip::stays(it, semantic.scoping()) => {
            Some(named(&it.source))
        }
        Statement::ExportFromDeclaration(it) if !it.export_kind.is_type() => {
            Some(named(&it.source))
        }
        Statement::ExportAllDeclaration(it) if !it.export_kind.is_type() => Some(named(&it.source)),
        _ => None,
    };
    program.body.iter().filter_map(import).collect()
}

/// Where a file exports a default.
pub fn default(program: &Program) -> Option<u32> {
    program.body.iter().find_map(|statement| match statement {
        Statement::ExportDefaultDeclaration(it) => Some(it.span.start),
        _ => None,
    })
}

/// The values bound at the top level, imports left out.
pub fn bindings(semantic: &Semantic) -> Vec<Named> {
    let scoping = semantic.scoping();
    let symbols = scoping.get_bindings(scoping.root_scope_id()).values();
    let mut bindings: Vec<Named> = symbols
        .filter(|symbol| {
            let flags = scoping.symbol_flags(**symbol);
            flags.is_value() && !flags.is_import() && !flags.is_ambient()
        })
        .map(|symbol| Named {
            name: scoping.symbol_name(*symbol).to_owned(),
            at: scoping.symbol_span(*symbol).start,
        })
        .collect();
    bindings.sort_by_key(|binding| binding.at);
    bindings
}
