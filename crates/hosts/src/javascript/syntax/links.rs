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
    let position = |at: u32| lines.position(program.source_text, at);
    let passed_on = program.body.iter().filter_map(|statement| match statement {
        Statement::ExportAllDeclaration(it) if !it.export_kind.is_type() => {
            let unnamed = it.exported.is_none();
            unnamed.then(|| it.source.value.to_string())
        }
        _ => None,
    });
    Links {
        takes: takes(program, scoping, &position),
        gives: gives(program, scoping, &position),
        passes_on: passed_on.collect(),
    }
}

fn takes(program: &Program, scoping: &Scoping, position: &dyn Fn(u32) -> Position) -> Vec<Taken> {
    let mut takes = Vec::new();
    let taken = |name: String, from: &StringLiteral, at: u32, passed_on| Taken {
        name,
        from: from.value.to_string(),
        at: position(at),
        passed_on,
    };
    for statement in &program.body {
        match statement {
            Statement::ImportDeclaration(it) if !it.import_kind.is_type() => {
                let values = it.specifiers.iter().flatten();
                for specifier in values.filter(|it| is_value_import(it, scoping)) {
                    if let Some(name) = name_there(specifier) {
                        let at = specifier.span().start;
                        takes.push(taken(name, &it.source, at, false));
                    }
                }
            }
            Statement::ExportFromDeclaration(it) if !it.export_kind.is_type() => {
                for one in values_of(&it.specifiers) {
                    let name = one.local.name().to_string();
                    takes.push(taken(name, &it.source, one.span.start, true));
                }
            }
            _ => {}
        }
    }
    takes
}

fn gives(
    program: &Program,
    scoping: &Scoping,
    position: &dyn Fn(u32) -> Position,
) -> BTreeMap<String, Given> {
    let mut gives = BTreeMap::new();
    let imported = imported(program);
    let given = |symbol: Option<SymbolId>, at: u32| {
        let from = symbol.and_then(|it| imported.get(&it)).cloned();
        let bound = symbol.filter(|it| !scoping.symbol_flags(*it).is_import());
        let at = position(bound.map_or(at, |it| scoping.symbol_span(it).start));
        Given { at, from }
    };
    for statement in &program.body {
        match statement {
            Statement::ExportFromDeclaration(it) if !it.export_kind.is_type() => {
                gives.extend(values_of(&it.specifiers).map(|one| {
                    let given = Given {
                        at: position(one.span.start),
                        from: Some((it.source.value.to_string(), one.local.name().to_string())),
                    };
                    (one.exported.name().to_string(), given)
                }));
            }
            Statement::ExportAllDeclaration(it) if !it.export_kind.is_type() => {
                let name = it.exported.iter();
                gives.extend(
                    name.map(|name| (name.name().to_string(), given(None, name.span().start))),
                );
            }
            Statement::ExportNamedDeclaration(it) if !it.export_kind.is_type() => {
                let values =
                    values_of(&it.specifiers).filter(|it| is_value_export(&it.local, scoping));
                gives.extend(values.map(|one| {
                    let given = given(exported(&one.local, scoping), one.span.start);
                    (one.exported.name().to_string(), given)
                }));
            }
            Statement::ExportDeclaration(it) => {
                let names = declared(&it.declaration).into_iter();
                gives.extend(names.map(|(name, at)| (name, given(None, at))));
            }
            Statement::ExportDefaultDeclaration(it) => {
                let symbol = match &it.declaration {
                    ExportDefaultDeclarationKind::Identifier(it) => symbol(it, scoping),
                    _ => None,
                };
                gives.insert("default".to_owned(), given(symbol, it.span.start));
            }
            _ => {}
        }
    }
    gives
}

/// What is exported there of what there is at run time, by all that the file says itself.
fn values_of<'a, 'b>(
    specifiers: &'b [ExportSpecifier<'a>],
) -> impl Iterator<Item = &'b ExportSpecifier<'a>> {
    specifiers.iter().filter(|it| !it.export_kind.is_type())
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
