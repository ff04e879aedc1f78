//! Which types files declare, and where those that they name are: in the file itself, or in another that it takes
//! them from.

use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::{Scoping, Semantic, SymbolId};

/// A type under a name. Those with parameters are not looked at.
pub enum Named<'p, 'a> {
    Alias(&'p TSType<'a>),
    /// All declarations of one name: together they are one type.
    Interface(Vec<&'p TSInterfaceDeclaration<'a>>),
}

/// The types that a file declares, takes from others and gives them.
pub struct Declared<'p, 'a> {
    scoping: &'p Scoping,
    named: BTreeMap<SymbolId, Named<'p, 'a>>,
    taken: BTreeMap<SymbolId, Taken<'a>>,
    given: BTreeMap<&'a str, Given<'a>>,
    /// The files all of whose names it gives too.
    passed_on: Vec<usize>,
}

/// What is taken from another file.
enum Taken<'a> {
    Name(usize, &'a str),
    /// All that it gives.
    All(usize),
}

/// What is given under a name.
enum Given<'a> {
    Own(SymbolId),
    Taken(usize, &'a str),
}

const DEFAULT: &str = "default";

/// What a file imports and exports from elsewhere, be it at run time or only as types.
pub fn sources<'a>(program: &'a Program<'a>) -> impl Iterator<Item = &'a str> {
    program.body.iter().filter_map(|statement| match statement {
        Statement::ImportDeclaration(it) => Some(it.source.value.as_str()),
        Statement::ExportFromDeclaration(it) => Some(it.source.value.as_str()),
        Statement::ExportAllDeclaration(it) => Some(it.source.value.as_str()),
        _ => None,
    })
}

impl<'p, 'a> Declared<'p, 'a> {
    /// Those of one file; `file` knows the places of those that it names.
    pub fn of(
        program: &Program<'a>,
        semantic: &'p Semantic<'a>,
        file: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let mut declared = Self {
            scoping: semantic.scoping(),
            named: BTreeMap::new(),
            taken: BTreeMap::new(),
            given: BTreeMap::new(),
            passed_on: Vec::new(),
        };
        for node in semantic.nodes().iter() {
            declared.note(node.kind());
        }
        for statement in &program.body {
            declared.link(statement, &file);
        }
        declared
    }

    fn note(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::TSTypeAliasDeclaration(it) if it.type_parameters.is_none() => {
                let alias = Named::Alias(&it.type_annotation);
                self.named.insert(it.id.symbol_id(), alias);
            }
            // What a class declares with it is not looked at.
            AstKind::TSInterfaceDeclaration(it)
                if !self.scoping.symbol_flags(it.id.symbol_id()).is_class() =>
            {
                let one = self.named.entry(it.id.symbol_id());
                match one.or_insert_with(|| Named::Interface(Vec::new())) {
                    Named::Interface(all) => all.push(it),
                    Named::Alias(_) => {}
                }
            }
            _ => {}
        }
    }

    fn link(&mut self, statement: &Statement<'a>, file: &impl Fn(&str) -> Option<usize>) {
        match statement {
            Statement::ImportDeclaration(it) => {
                let Some(from) = file(&it.source.value) else {
                    return;
                };
                for specifier in it.specifiers.iter().flatten() {
                    let (local, taken) = match specifier {
                        ImportDeclarationSpecifier::ImportSpecifier(it) => {
                            (&it.local, Taken::Name(from, name_of(&it.imported)))
                        }
                        ImportDeclarationSpecifier::ImportDefaultSpecifier(it) => {
                            (&it.local, Taken::Name(from, DEFAULT))
                        }
                        ImportDeclarationSpecifier::ImportNamespaceSpecifier(it) => {
                            (&it.local, Taken::All(from))
                        }
                    };
                    self.taken.insert(local.symbol_id(), taken);
                }
            }
            Statement::ExportFromDeclaration(it) => {
                let Some(from) = file(&it.source.value) else {
                    return;
                };
                for one in &it.specifiers {
                    let taken = Given::Taken(from, name_of(&one.local));
                    self.given.insert(name_of(&one.exported), taken);
                }
            }
            Statement::ExportAllDeclaration(it) if it.exported.is_none() => {
                self.passed_on.extend(file(&it.source.value));
            }
            Statement::ExportNamedDeclaration(it) => {
                for one in &it.specifiers {
                    if let ModuleExportName::IdentifierReference(local) = &one.local
                        && let Some(symbol) = self.symbol(local)
                    {
                        self.given
                            .insert(name_of(&one.exported), Given::Own(symbol));
                    }
                }
            }
            Statement::ExportDeclaration(it) => match &it.declaration {
                Declaration::TSTypeAliasDeclaration(it) => self.give(&it.id, it.id.name.as_str()),
                Declaration::TSInterfaceDeclaration(it) => self.give(&it.id, it.id.name.as_str()),
                _ => {}
            },
            Statement::ExportDefaultDeclaration(it) => match &it.declaration {
                ExportDefaultDeclarationKind::TSInterfaceDeclaration(it) => {
                    self.give(&it.id, DEFAULT);
                }
                ExportDefaultDeclarationKind::Identifier(it) => {
                    if let Some(symbol) = self.symbol(it) {
                        self.given.insert(DEFAULT, Given::Own(symbol));
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn give(&mut self, id: &BindingIdentifier<'a>, name: &'a str) {
        self.given.insert(name, Given::Own(id.symbol_id()));
    }

    /// The symbol that a name stands for, where it is used; none: the library's, or nothing.
    pub fn symbol(&self, name: &IdentifierReference) -> Option<SymbolId> {
        let reference = self.scoping.get_reference(name.reference_id.get()?);
        reference.symbol_id()
    }
}

fn name_of<'a>(name: &ModuleExportName<'a>) -> &'a str {
    match name {
        ModuleExportName::IdentifierName(it) => it.name.as_str(),
        ModuleExportName::IdentifierReference(it) => it.name.as_str(),
        ModuleExportName::StringLiteral(it) => it.value.as_str(),
    }
}

/// The search for a type among files.
struct Search<'d, 'p, 'a, F> {
    files: &'d [Declared<'p, 'a>],
    /// Says at each step whether another may be taken.
    follows: F,
    /// Where it was already: files may pass on each other.
    seen: BTreeSet<(usize, &'d str)>,
}

type Found<'d, 'p, 'a> = Option<(usize, &'d Named<'p, 'a>)>;

/// The type that a name stands for in a file, and the file that declares it; `follows` says at each step whether
/// another may be taken.
pub fn find<'d, 'p, 'a>(
    files: &'d [Declared<'p, 'a>],
    at: usize,
    name: &'d TSTypeName<'a>,
    follows: impl Fn() -> bool,
) -> Found<'d, 'p, 'a> {
    let mut search = Search {
        files,
        follows,
        seen: BTreeSet::new(),
    };
    match name {
        TSTypeName::IdentifierReference(it) => search.own(at, files[at].symbol(it)?),
        TSTypeName::QualifiedName(it) => {
            let TSTypeName::IdentifierReference(left) = &it.left else {
                return None;
            };
            match files[at].taken.get(&files[at].symbol(left)?)? {
                Taken::All(from) => search.given(*from, it.right.name.as_str()),
                Taken::Name(..) => None,
            }
        }
        TSTypeName::ThisExpression(_) => None,
    }
}

impl<'d, 'p, 'a, F: Fn() -> bool> Search<'d, 'p, 'a, F> {
    fn own(&mut self, at: usize, symbol: SymbolId) -> Found<'d, 'p, 'a> {
        let file = &self.files[at];
        if let Some(named) = file.named.get(&symbol) {
            return Some((at, named));
        }
        match file.taken.get(&symbol)? {
            Taken::Name(from, name) => self.given(*from, name),
            Taken::All(_) => None,
        }
    }

    /// What a file gives under a name: itself, or passed on.
    fn given(&mut self, at: usize, name: &'d str) -> Found<'d, 'p, 'a> {
        if !self.seen.insert((at, name)) || !(self.follows)() {
            return None;
        }
        let file = &self.files[at];
        match file.given.get(name) {
            Some(Given::Own(symbol)) => self.own(at, *symbol),
            Some(Given::Taken(from, name)) => self.given(*from, name),
            None if name == DEFAULT => None,
            None => {
                let mut others = file.passed_on.iter();
                others.find_map(|from| self.given(*from, name))
            }
        }
    }
}
