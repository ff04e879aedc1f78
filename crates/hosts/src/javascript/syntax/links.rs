//! What a file takes from others by name, and what it gives them, at run time.

use std::collections::BTreeSet;

use oxc_ast::ast::*;
use oxc_semantic::Scoping;
use oxc_span::GetSpan;

use super::strip::{is_value_export, is_value_import};
use super::{Lines, Position};

/// What a file takes and gives.
#[derive(Debug, Default)]
pub struct Links {
    pub takes: Vec<Taken>,
    /// The names that it exports itself.
    pub gives: BTreeSet<String>,
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
}

/// Looks at what a file imports and exports.
pub fn find(program: &Program, scoping: &Scoping, lines: &Lines) -> Links {
    let mut links = Links::default();
    let position = |at: u32| lines.position(program.source_text, at);
    let taken = |name: &str, from: &StringLiteral, at: u32| Taken {
        name: name.to_owned(),
        from: from.value.to_string(),
        at: position(at),
    };
    for statement in &program.body {
        match statement {
            Statement::ImportDeclaration(it) if !it.import_kind.is_type() => {
                let values = it.specifiers.iter().flatten();
                for specifier in values.filter(|it| is_value_import(it, scoping)) {
                    let name = match specifier {
                        ImportDeclarationSpecifier::ImportSpecifier(it) => it.imported.name(),
                        ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => "default".into(),
                        ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => continue,
                    };
                    let at = specifier.span().start;
                    links.takes.push(taken(name.as_str(), &it.source, at));
                }
            }
            Statement::ExportFromDeclaration(it) if !it.export_kind.is_type() => {
                for one in it.specifiers.iter().filter(|it| !it.export_kind.is_type()) {
                    let (name, at) = (one.local.name(), one.span.start);
                    links.takes.push(taken(name.as_str(), &it.source, at));
                    links.gives.insert(one.exported.name().to_string());
                }
            }
            Statement::ExportAllDeclaration(it) if !it.export_kind.is_type() => {
                match &it.exported {
                    Some(name) => drop(links.gives.insert(name.name().to_string())),
                    None => links.passes_on.push(it.source.value.to_string()),
                }
            }
            Statement::ExportNamedDeclaration(it) if !it.export_kind.is_type() => {
                let values = it.specifiers.iter();
                let values = values
                    .filter(|it| !it.export_kind.is_type() && is_value_export(&it.local, scoping));
                let names = values.map(|it| it.exported.name().to_string());
                links.gives.extend(names);
            }
            Statement::ExportDeclaration(it) => links.gives.extend(declared(&it.declaration)),
            Statement::ExportDefaultDeclaration(_) => {
                links.gives.insert("default".to_owned());
            }
            _ => {}
        }
    }
    links
}

/// The names that a declaration binds at run time. Those of types are among them or not: they are taken as types.
fn declared(declaration: &Declaration) -> Vec<String> {
    let name = |id: &Option<BindingIdentifier>| id.iter().map(|it| it.name.to_string()).collect();
    match declaration {
        Declaration::VariableDeclaration(it) if !it.declare => {
            let names = it
                .declarations
                .iter()
                .flat_map(|it| it.id.get_binding_identifiers());
            names.map(|it| it.name.to_string()).collect()
        }
        Declaration::FunctionDeclaration(it) if !it.declare => name(&it.id),
        Declaration::ClassDeclaration(it) if !it.declare => name(&it.id),
        _ => Vec::new(),
    }
}
