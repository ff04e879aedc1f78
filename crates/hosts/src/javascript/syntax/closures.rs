//! State that hides in closures: a function that runs when its module starts, and makes a function that
//! goes on changing the first one's variables.
//!
//! ```js
//! const next = (() => { let n = 0; return () => ++n; })();   // refused: the count would outlive a call
//! ```
//!
//! What runs at the start is found from the calls at the top level, with whatever they name, over all
//! files, and rather too much of it than too little. A captured variable counts as changed where it is
//! assigned, where a member of it is, or where one of the methods is called on it by which the library's
//! own objects change. What stays unseen is a captured object that is handed to another function, which
//! changes it: no rule about text can see all of that.

use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::{NodeId, Semantic};
use oxc_span::GetSpan;
use oxc_syntax::symbol::SymbolId;

use super::rules::{is_owner, owner};
use super::{Problem, Problems};

/// Methods of the library by which its objects change.
const CHANGING: &[&str] = &[
    "set",
    "add",
    "delete",
    "clear",
    "push",
    "pop",
    "shift",
    "unshift",
    "splice",
    "sort",
    "reverse",
    "fill",
    "copyWithin",
    "next",
    "return",
    "throw",
    "exec",
    "test",
    "setTime",
    "setFullYear",
    "setMonth",
    "setDate",
    "setHours",
    "setMinutes",
    "setSeconds",
    "setMilliseconds",
    "getOrInsert",
    "getOrInsertComputed",
];

/// What of a file runs when its module starts, and which hidden state that would make.
#[derive(Debug, Default)]
pub struct Start {
    /// What each imported name stands for: the module as imported, and the name there (`*`: all).
    imports: BTreeMap<String, (String, String)>,
    /// What each exported name stands for here.
    exports: BTreeMap<String, String>,
    /// The modules whose exports are passed on.
    passed_on: Vec<String>,
    /// The top-level names that calls at the top level use.
    used: BTreeSet<String>,
    /// What using each top-level name uses further.
    uses: BTreeMap<String, BTreeSet<String>>,
    /// The hidden state that using a top-level name makes.
    hidden: BTreeMap<String, Problem>,
}

impl Start {
    /// The names this file uses of other modules when `names` of its own are used, and the first problem
    /// among what they run.
    pub fn follow(
        &self,
        names: impl IntoIterator<Item = String>,
    ) -> (BTreeSet<(String, String)>, Option<&Problem>) {
        let mut waiting: Vec<String> = names.into_iter().collect();
        waiting.extend(self.used.iter().cloned());
        let (mut seen, mut outside) = (BTreeSet::new(), BTreeSet::new());
        let mut problem: Option<&Problem> = None;
        while let Some(name) = waiting.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            outside.extend(self.imports.get(&name).cloned());
            waiting.extend(self.uses.get(&name).into_iter().flatten().cloned());
            problem = problem.into_iter().chain(self.hidden.get(&name)).min();
        }
        (outside, problem)
    }

    /// What an exported name stands for; `*` for all of them.
    pub fn exported(&self, name: &str) -> Vec<String> {
        match name {
            "*" => self.exports.values().cloned().collect(),
            name => self.exports.get(name).cloned().into_iter().collect(),
        }
    }

    /// The modules whose exports this one passes on.
    pub fn passed_on(&self) -> &[String] {
        &self.passed_on
    }
}

/// Finds what runs at the start. Hidden state that is made at the top level itself is a problem at once.
pub fn start(semantic: &Semantic, problems: &mut Problems) -> Start {
    let mut walk = Walk {
        semantic,
        roots: BTreeMap::new(),
        start: Start::default(),
    };
    walk.names();
    walk.references();
    walk.hidden(problems);
    walk.start
}

struct Walk<'s, 'a> {
    semantic: &'s Semantic<'a>,
    /// The top-level names by the node that declares them.
    roots: BTreeMap<NodeId, Vec<String>>,
    start: Start,
}

impl Walk<'_, '_> {
    /// What the file binds, imports and exports.
    fn names(&mut self) {
        let scoping = self.semantic.scoping();
        for symbol in scoping.get_bindings(scoping.root_scope_id()).values() {
            let node = scoping.symbol_declaration(*symbol);
            let node = self.declaring(node);
            self.roots
                .entry(node)
                .or_default()
                .push(scoping.symbol_name(*symbol).to_owned());
        }
        for statement in &self.semantic.nodes().program().body {
            self.statement(statement);
        }
    }

    /// The declarator, function or class around a binding.
    fn declaring(&self, node: NodeId) -> NodeId {
        let nodes = self.semantic.nodes();
        let declares = |kind: AstKind| {
            matches!(
                kind,
                AstKind::VariableDeclarator(_) | AstKind::Function(_) | AstKind::Class(_)
            )
        };
        let mut around = std::iter::once(node).chain(nodes.ancestor_ids(node));
        around.find(|id| declares(nodes.kind(*id))).unwrap_or(node)
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::ImportDeclaration(it) => {
                for specifier in it.specifiers.iter().flatten() {
                    let (local, name) = match specifier {
                        ImportDeclarationSpecifier::ImportSpecifier(it) => {
                            (&it.local, it.imported.name().to_string())
                        }
                        ImportDeclarationSpecifier::ImportDefaultSpecifier(it) => {
                            (&it.local, "default".to_owned())
                        }
                        ImportDeclarationSpecifier::ImportNamespaceSpecifier(it) => {
                            (&it.local, "*".to_owned())
                        }
                    };
                    let from = (it.source.value.to_string(), name);
                    self.start.imports.insert(local.name.to_string(), from);
                }
            }
            Statement::ExportNamedDeclaration(it) => {
                for specifier in &it.specifiers {
                    self.export(&specifier.exported.name(), &specifier.local.name());
                }
            }
            Statement::ExportFromDeclaration(it) => {
                for specifier in &it.specifiers {
                    let (name, local) = (
                        specifier.exported.name(),
                        format!("{} from", specifier.local.name()),
                    );
                    let from = (
                        it.source.value.to_string(),
                        specifier.local.name().to_string(),
                    );
                    self.start.imports.insert(local.clone(), from);
                    self.export(&name, &local);
                }
            }
            Statement::ExportAllDeclaration(it) => {
                self.start.passed_on.push(it.source.value.to_string());
            }
            Statement::ExportDeclaration(it) => {
                let start = it.span;
                let scoping = self.semantic.scoping();
                let within =
                    |symbol: &&SymbolId| start.contains_inclusive(scoping.symbol_span(**symbol));
                let symbols = scoping.get_bindings(scoping.root_scope_id()).values();
                let names: Vec<_> = symbols
                    .filter(within)
                    .map(|s| scoping.symbol_name(*s).to_owned())
                    .collect();
                names.iter().for_each(|name| self.export(name, name));
            }
            _ => {}
        }
    }

    fn export(&mut self, name: &str, local: &str) {
        self.start.exports.insert(name.to_owned(), local.to_owned());
    }

    /// Which top-level names the code of the top level, and of each top-level name, uses.
    fn references(&mut self) {
        let (nodes, scoping) = (self.semantic.nodes(), self.semantic.scoping());
        for symbol in scoping.get_bindings(scoping.root_scope_id()).values() {
            let name = scoping.symbol_name(*symbol);
            for reference in scoping.get_resolved_references(*symbol) {
                let node = reference.node_id();
                if !reference.flags().is_value()
                    || matches!(nodes.parent_kind(node), AstKind::ExportSpecifier(_))
                {
                    continue;
                }
                for holder in self.holders(node) {
                    self.start
                        .uses
                        .entry(holder)
                        .or_default()
                        .insert(name.to_owned());
                }
                if self.runs_at_start(node) {
                    self.start.used.insert(name.to_owned());
                }
            }
        }
    }

    /// The top-level names whose declaration a node is in.
    fn holders(&self, node: NodeId) -> Vec<String> {
        let mut around = self.semantic.nodes().ancestor_ids(node);
        around
            .find_map(|id| self.roots.get(&id))
            .cloned()
            .unwrap_or_default()
    }

    /// Whether a node takes part in a call that the top level makes itself: as what is called, as an
    /// argument, or within a function that is either. Definitions of entities call nothing.
    fn runs_at_start(&self, node: NodeId) -> bool {
        let nodes = self.semantic.nodes();
        for id in nodes.ancestor_ids(node) {
            match nodes.kind(id) {
                AstKind::CallExpression(it) => match self.defines(&it.callee) {
                    true => return false,
                    false => return owner_is_run(self, id),
                },
                AstKind::NewExpression(_) | AstKind::TaggedTemplateExpression(_) => {
                    return owner_is_run(self, id);
                }
                _ => {}
            }
        }
        false
    }

    /// Whether a callee is `entity` or `query` of "ordain".
    fn defines(&self, callee: &Expression) -> bool {
        let Expression::Identifier(it) = callee else {
            return false;
        };
        let from = self.start.imports.get(it.name.as_str());
        from.is_some_and(|(module, name)| {
            module == "ordain" && matches!(&**name, "entity" | "query")
        })
    }

    /// State that a function hides from its caller: variables of its own that functions in it change.
    fn hidden(&mut self, problems: &mut Problems) {
        let (nodes, scoping) = (self.semantic.nodes(), self.semantic.scoping());
        for symbol in scoping.symbol_ids() {
            if scoping.symbol_scope_id(symbol) == scoping.root_scope_id() {
                continue;
            }
            let keeper = owner(nodes, scoping.symbol_declaration(symbol));
            let keeper = keeper.or_else(|| self.own(symbol));
            let Some(at) = self.changed_below(symbol, keeper) else {
                continue;
            };
            let problem = Problem::new(
                at,
                format!(
                    "`{}` would keep its changes from one call to the next: the function that holds it runs when the \
                 module starts, and a function in it changes it; entity state lives in `cx.state`, and a loop (`for`) \
                 needs no function",
                    scoping.symbol_name(symbol)
                ),
            );
            match keeper {
                None => problems.push(problem),
                Some(keeper) if self.runs_at_start(keeper) => problems.push(problem),
                Some(keeper) => {
                    let mut names = self.holders(keeper);
                    names.extend(self.roots.get(&keeper).cloned().into_iter().flatten());
                    for name in names {
                        self.start
                            .hidden
                            .entry(name)
                            .or_insert_with(|| problem.clone());
                    }
                }
            }
        }
    }

    /// The function a symbol is declared by, if it is a parameter or the name of one.
    fn own(&self, symbol: SymbolId) -> Option<NodeId> {
        let node = self.semantic.scoping().symbol_declaration(symbol);
        is_owner(self.semantic.nodes().kind(node)).then_some(node)
    }

    /// Where a function below `keeper` changes a variable of it.
    fn changed_below(&self, symbol: SymbolId, keeper: Option<NodeId>) -> Option<u32> {
        let (nodes, scoping) = (self.semantic.nodes(), self.semantic.scoping());
        let below = |node: NodeId| owner(nodes, node) != keeper;
        let changes = scoping.get_resolved_references(symbol).filter(|reference| {
            below(reference.node_id())
                && (reference.flags().is_write() || self.changes(reference.node_id()))
        });
        changes
            .map(|reference| nodes.kind(reference.node_id()).span().start)
            .min()
    }

    /// Whether the value of a name, or something in it, is changed where it is named.
    fn changes(&self, node: NodeId) -> bool {
        let nodes = self.semantic.nodes();
        let (mut inner, mut last) = (nodes.kind(node).span(), None);
        for id in nodes.ancestor_ids(node) {
            let kind = nodes.kind(id);
            let (object, name) = match kind {
                AstKind::StaticMemberExpression(it) => {
                    (it.object.span(), Some(it.property.name.as_str()))
                }
                AstKind::ComputedMemberExpression(it) => (it.object.span(), None),
                AstKind::PrivateFieldExpression(it) => (it.object.span(), None),
                AstKind::TSNonNullExpression(_)
                | AstKind::TSAsExpression(_)
                | AstKind::ParenthesizedExpression(_)
                | AstKind::ChainExpression(_) => {
                    inner = kind.span();
                    continue;
                }
                AstKind::CallExpression(it) => {
                    return it.callee.span() == inner
                        && last.is_some_and(|name| CHANGING.contains(&name));
                }
                AstKind::UpdateExpression(_) => {
                    return last.is_some() || inner != nodes.kind(node).span();
                }
                AstKind::AssignmentExpression(it) => {
                    return it.left.span() == inner && inner != nodes.kind(node).span();
                }
                AstKind::UnaryExpression(it) => {
                    return it.operator == oxc_syntax::operator::UnaryOperator::Delete;
                }
                _ => return false,
            };
            if object != inner {
                return false; // named in the brackets
            }
            (inner, last) = (kind.span(), name);
        }
        false
    }
}

/// Whether a call happens at the start: it is at the top level, or in a function that is called there.
fn owner_is_run(walk: &Walk, call: NodeId) -> bool {
    match owner(walk.semantic.nodes(), call) {
        None => true,
        Some(function) => walk.runs_at_start(function),
    }
}
