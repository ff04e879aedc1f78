//! What a file takes from others by name, and what it gives them, at run time.

use std::collections::BTreeMap;

use oxc_ast::ast::*;
use oxc_semantic::{Scoping, SymbolId};
use oxc_span::GetSpan;

use super::strip::{exported, is_value_export, is_value_import, symbol};
use super::{Lines, Position};

/// What a file takes and gives.
#[derive(Debug, Default, Clone)]
pub struct Links {
    pub takes: Vec<Taken>,
    /// The names that it exports itself.
    pub gives: BTreeMap<String, Given>,
    /// The modules all of whose names it exports too, as it names them.
    pub passes_on: Vec<String>,
}

/// A name that is taken from another module.
#[derive(Debug, Clone)]
pub struct Taken {
    pub name: String,
    /// The module, as the file names it.
    pub from: String,
    pub at: Position,
    /// Whether it is passed on, and not used.
    pub passed_on: bool,
}

/// What is given under a name.
#[derive(Debug, Clone)]
pub struct Given {
    /// Where it is bound, or exported if the file does not bind it.
    pub at: Position,
    /// The module that it is from then, as the file names it, and its name there.
    pub from: Option<(String, String)>,
}

/// Looks at what a file imports and exports.
pub fn find(program: &Program, scoping: &Scoping, lines: &Lines) -> Links {
    let mut links = Links::default();
    let position = |at: u32| lines.position(program.source_text, at);
    let taken = |name: String, from: &StringLiteral, at: u32, passed_on| Taken {
        name,
        from: from.value.to_string(),
        at: position(at),
        passed_on,
    };
    let imported = imported(program);
    let given = |symbol: Option<SymbolId>, at: u32| {
        let from = symbol.and_then(|it| imported.get(&it)).cloned();
        let bound = symbol.filter(|it| !scoping.symbol_flags(*it).is_import());
        let at = position(bound.map_or(at, |it| scoping.symbol_span(it).start));
        Given { at, from }
    };
    for statement in &program.body {
        match statement {
            Statement::ImportDeclaration(it) if !it.import_kind.is_type() => {
                let values = it.specifiers.iter().flatten();
                for specifier in values.filter(|it| is_value_import(it, scoping)) {
                    if let Some(name) = name_there(specifier) {
                        let at = specifier.span().start;
                        links.takes.push(taken(name, &it.source, at, false));
                    }
                }
            }
            Statement::ExportFromDeclaration(it) if !it.export_kind.is_type() => {
                for one in it.specifiers.iter().filter(|it| !it.export_kind.is_type()) {
                    let (name, at) = (one.local.name().to_string(), one.span.start);
                    let from = Some((it.source.value.to_string(), name.clone()));
                    let given = Given {
                        from,
                        at: position(at),
                    };
                    links.gives.insert(one.exported.name().to_string(), given);
                    links.takes.push(taken(name, &it.source, at, true));
                }
            }
            Statement::ExportAllDeclaration(it) if !it.export_kind.is_type() => {
                match &it.exported {
                    Some(name) => {
                        let given = given(None, name.span().start);
                        links.gives.insert(name.name().to_string(), given);
                    }
                    None => links.passes_on.push(it.source.value.to_string()),
                }
            }
            Statement::ExportNamedDeclaration(it) if !it.export_kind.is_type() => {
                let values = it.specifiers.iter();
                let values = values
                    .filter(|it| !it.export_kind.is_type() && is_value_export(&it.local, scoping));
                for one in values {
                    let given = given(exported(&one.local, scoping), one.span.start);
                    links.gives.insert(one.exported.name().to_string(), given);
                }
            }
            Statement::ExportDeclaration(it) => {
                let names = declared(&it.declaration).into_iter();
                let names = names.map(|(name, at)| (name, given(None, at)));
                links.gives.extend(names);
            }
            Statement::ExportDefaultDeclaration(it) => {
                let symbol = match &it.declaration {
                    ExportDefaultDeclarationKind::Identifier(it) => symbol(it, scoping),
                    _ => None,
                };
                let given = given(symbol, it.span.start);
                links.gives.insert("default".to_owned(), given);
            }
            _ => {}
        }
    }
    links
}

/// The name that an import takes has where it is from; none: it takes all of them.
fn name_there(specifier: &ImportDeclarationSpecifier) -> Option<String> {
    match specifier {
        ImportDeclarationSpecifier::ImportSpecifier(it) => Some(it.imported.name().to_string()),
        ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => Some("default".to_owned()),
        ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => None,
    }
}

/// What is imported by name: the module, as the file names it, and the name there.
fn imported(program: &Program) -> BTreeMap<SymbolId, (String, String)> {
    let mut found = BTreeMap::new();
    for statement in &program.body {
        if let Statement::ImportDeclaration(it) = statement {
            let named = it.specifiers.iter().flatten().filter_map(|specifier| {
                let from = (it.source.value.to_string(), name_there(specifier)?);
                Some((specifier.local().symbol_id(), from))
            });
            found.extend(named);
        }
    }
    found
}

/// The names that a declaration binds at run time, and where. Those of types are among them or not: they are taken as types.
fn declared(declaration: &Declaration) -> Vec<(String, u32)> {
    let name = |it: &BindingIdentifier| (it.name.to_string(), it.span.start);
    match declaration {
        Declaration::VariableDeclaration(it) if !it.declare => {
            let names = it
                .declarations
                .iter()
                .flat_map(|it| it.id.get_binding_identifiers());
            names.map(name).collect()
        }
        Declaration::FunctionDeclaration(it) if !it.declare => it.id.iter().map(name).collect(),
        Declaration::ClassDeclaration(it) if !it.declare => it.id.iter().map(name).collect(),
        _ => Vec::new(),
    }
}
