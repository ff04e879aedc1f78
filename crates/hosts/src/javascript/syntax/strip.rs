//! Takes the types out of TypeScript by blanking them out, so that lines and columns stay the user's
//! own. What has a meaning at run time (enums, namespaces, parameter properties) is refused with what
//! to write instead.
//!
//! White space does not always stand for a type. Where one ended a statement or a field, the end of the line may no
//! longer end it, so a semicolon is put in the type's place. Where one began what `return` gives, or stood before
//! `=>`, its line breaks would end the line too early, so the parenthesis that follows or precedes moves to its other side.

use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_semantic::{Scoping, SymbolId};
use oxc_span::{GetSpan, Span};
use oxc_syntax::scope::ScopeFlags;

use super::blank::Blanks;
use super::{Lines, Problem, Problems, trivia};

/// The text without its types, with what catches asking whether there is something to catch, with tags getting
/// strings of their own, and with `inserts` before their bytes. Notes in `lines` what is inserted.
pub fn strip(
    program: &Program,
    scoping: &Scoping,
    inserts: Vec<(u32, String)>,
    lines: &mut Lines,
    problems: &mut Problems,
) -> String {
    let mut strip = Strip {
        text: program.source_text,
        scoping,
        blanks: Blanks::default(),
        ended: Vec::new(),
        problems,
    };
    strip.visit_program(program);
    for (at, text) in inserts {
        strip.blanks.insert(at, text);
    }
    for span in std::mem::take(&mut strip.ended) {
        strip.blanks.end(program.source_text, span, ';');
    }
    for (at, len) in strip.blanks.inserts() {
        lines.note_insert(program.source_text, at, len as u32);
    }
    strip.blanks.apply(program.source_text)
}

/// The function of the host that throws again what is none of a `catch`'s business: the interpreter lets it
/// catch that the stack is used up, which here is a fault. Where there is no stack left to call it,
/// [`crate::javascript::meter`] has noticed.
pub(super) const CAUGHT: &str = "__ordain_caught";

/// The function of the host that gives what a tag is called with, the strings as a copy: the interpreter makes them
/// once, for all calls, and lets their length be changed.
const TAGGED: &str = "__ordain_tagged";

struct Strip<'s> {
    text: &'s str,
    scoping: &'s Scoping,
    blanks: Blanks,
    /// Statements and fields that need an end in the place of the type that was their last part.
    ended: Vec<Span>,
    problems: &'s mut Problems,
}

const ENUM: &str = "an enum has code of its own, which stripping types cannot keep; write `const \
                    Color = { Red: \"red\", … } as const` and `type Color = (typeof Color)[keyof typeof \
                    Color]`";
const NAMESPACE: &str = "a namespace has code of its own, which stripping types cannot keep; put its \
                         content into a file and import that";
const PARAMETER_PROPERTY: &str = "a parameter property has code of its own, which stripping types cannot \
                                  keep; declare the field in the class and assign it in the constructor";
const CATCH_PATTERN: &str = "catch the error by a name, and take it apart then: `catch (error) { const { message } = \
                             error; … }`";
const ABSTRACT: &str = "abstract";
const IMPORT_EQUALS: &str =
    "`import … = …` is not of ES modules; write `import { … } from \"./file.ts\"`";
const EXPORT_EQUALS: &str = "`export = …` is not of ES modules; write `export const …`";

impl Strip<'_> {
    fn refuse(&mut self, span: Span, message: &str) {
        self.problems.push(Problem::new(span.start, message));
    }

    fn erase(&mut self, span: Span) {
        self.blanks.erase(span.start..span.end);
    }

    /// Blanks a mark that follows a name, if it is there: `?` or `!`.
    fn blank_mark(&mut self, mark: char, name_end: u32) {
        let mut at = trivia::after(self.text, name_end);
        if self.text[at as usize..].starts_with(']') {
            at = trivia::after(self.text, at + 1); // the name was computed
        }
        if self.text[at as usize..].starts_with(mark) {
            self.blanks.blank(at..at + 1);
        }
    }

    /// Blanks a list's item with the comma after it.
    fn blank_item(&mut self, span: Span) {
        let next = trivia::after(self.text, span.end);
        let comma = self.text[next as usize..].starts_with(',');
        let end = if comma { next + 1 } else { span.end };
        self.blanks.blank(span.start..end);
    }

    /// Blanks TypeScript's own words among a member's modifiers.
    fn modifiers(&mut self, start: u32, key: u32) {
        const WORDS: [&str; 7] = [
            "public",
            "private",
            "protected",
            "readonly",
            "override",
            "abstract",
            "declare",
        ];
        for (from, word) in trivia::words(self.text, start, key) {
            if WORDS.contains(&word) {
                self.blanks.blank(from..from + word.len() as u32);
                if from == start {
                    self.blanks.put(from, ';');
                }
            }
        }
    }

    /// Ends a statement or a field whose last part was a type.
    fn end(&mut self, span: Span) {
        if self.blanks.ends(span.end) {
            self.ended.push(span);
        }
    }

    /// Moves the opening parenthesis to where the arrow function begins.
    fn arrow_type_parameters(&mut self, it: &ArrowFunctionExpression) {
        let (begins, params) = (arrow_begins(self.text, it), it.params.span.start);
        if begins != params {
            self.blanks.blank(params..params + 1);
            self.blanks.put(begins, '(');
        }
    }

    /// A type behind parameters that goes over several lines would leave `=>` on a line of its own,
    /// which JavaScript refuses: the closing parenthesis moves to the type's end.
    fn return_type(&mut self, params: Span, annotation: Option<&TSTypeAnnotation>) {
        let Some(annotation) = annotation else { return };
        if has_line_break(self.text, params.end, annotation.span.end) {
            self.blanks.blank(params.end - 1..params.end);
            self.blanks.put_last(self.text, annotation.span, ')');
        }
    }

    /// Where a class says `implements`.
    fn implements(&self, it: &Class) -> u32 {
        let heritage = it.heritage.as_ref().map(|it| {
            let types = it.type_arguments.as_ref().map(|it| it.span.end);
            types.unwrap_or(it.expression.span().end)
        });
        let types = it.type_parameters.as_ref().map(|it| it.span.end);
        let name = it.id.as_ref().map(|it| it.span.end);
        let behind = heritage.or(types).or(name).unwrap_or(it.span.start);
        let words = trivia::words(self.text, behind, it.body.span.start);
        let mut found = words.iter().filter(|(_, word)| *word == "implements");
        found.next().map_or(behind, |(at, _)| *at)
    }

    fn imports(&mut self, it: &ImportDeclaration) {
        if !stays(it, self.scoping) {
            return self.erase(it.span);
        }
        let mut behind = None;
        for specifier in it.specifiers.iter().flatten() {
            let span = specifier.span();
            if !is_value_import(specifier, self.scoping) {
                match (specifier, behind) {
                    // No braces are around it that would take a comma before nothing.
                    (ImportDeclarationSpecifier::ImportNamespaceSpecifier(_), Some(default)) => {
                        self.blanks.blank(default..span.end);
                    }
                    _ => self.blank_item(span),
                }
            }
            behind = Some(span.end);
        }
    }
}

fn has_line_break(text: &str, from: u32, to: u32) -> bool {
    text[from as usize..to as usize].contains(['\n', '\r', '\u{2028}', '\u{2029}'])
}

/// Where an arrow function begins in the text without types: with its parameters. Type parameters that go over several lines
/// would leave what they are of, which may be what `return` gives, on a line of its own: there the opening parenthesis
/// stands at their beginning.
pub fn arrow_begins(text: &str, it: &ArrowFunctionExpression) -> u32 {
    let params = it.params.span.start;
    let types = it.type_parameters.as_ref().map(|it| it.span.start);
    types
        .filter(|types| has_line_break(text, *types, params))
        .unwrap_or(params)
}

/// Whether what is exported under a name of the file is there at run time.
pub fn is_value_export(name: &ModuleExportName, scoping: &Scoping) -> bool {
    exported(name, scoping).is_none_or(|symbol| {
        let flags = scoping.symbol_flags(symbol);
        flags.can_be_referenced_by_value() && !flags.is_type_import()
    })
}

/// What a name of the file stands for that is exported.
pub fn exported(name: &ModuleExportName, scoping: &Scoping) -> Option<SymbolId> {
    let ModuleExportName::IdentifierReference(reference) = name else {
        return None;
    };
    symbol(reference, scoping)
}

/// What a name stands for where it is used.
pub fn symbol(name: &IdentifierReference, scoping: &Scoping) -> Option<SymbolId> {
    let id = name.reference_id.get()?;
    scoping.get_reference(id).symbol_id()
}

/// Whether an import is there at run time: one that only brings names of types, or names that nothing
/// uses, is not.
pub fn stays(it: &ImportDeclaration, scoping: &Scoping) -> bool {
    let Some(specifiers) = &it.specifiers else {
        return true;
    };
    let mut values = specifiers
        .iter()
        .filter(|specifier| is_value_import(specifier, scoping));
    !it.import_kind.is_type() && (specifiers.is_empty() || values.next().is_some())
}

/// The same of one of its names.
pub fn is_value_import(specifier: &ImportDeclarationSpecifier, scoping: &Scoping) -> bool {
    let (symbol, is_type) = match specifier {
        ImportDeclarationSpecifier::ImportSpecifier(it) => {
            (it.local.symbol_id.get(), it.import_kind.is_type())
        }
        ImportDeclarationSpecifier::ImportDefaultSpecifier(it) => (it.local.symbol_id.get(), false),
        ImportDeclarationSpecifier::ImportNamespaceSpecifier(it) => {
            (it.local.symbol_id.get(), false)
        }
    };
    let used = |symbol| {
        scoping
            .get_resolved_references(symbol)
            .any(|it| it.flags().is_value())
    };
    !is_type && symbol.is_none_or(used)
}

/// The tagged template that a callee is, or is a member of.
fn tagged_within(callee: &Expression) -> Option<Span> {
    match callee {
        Expression::TaggedTemplateExpression(it) => Some(it.span),
        Expression::TSNonNullExpression(it) => tagged_within(&it.expression),
        callee => tagged_within(callee.as_member_expression()?.object()),
    }
}

impl<'a> Visit<'a> for Strip<'_> {
    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.blanks.blank(it.span.start..it.span.end);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.blanks.blank(it.span.start..it.span.end);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blanks.blank(it.span.start..it.span.end);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.blanks.blank(it.expression.span().end..it.span.end);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.blanks.blank(it.expression.span().end..it.span.end);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.blanks.blank(it.expression.span().end..it.span.end);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        self.blanks.blank(it.span.start..it.expression.span().start);
        // An object that is left at the beginning of a statement or of an arrow's body would be a block.
        self.blanks.put(it.span.start, '(');
        self.blanks.insert(it.span.end, ")");
        self.visit_expression(&it.expression);
    }

    fn visit_ts_this_parameter(&mut self, it: &TSThisParameter<'a>) {
        self.blank_item(it.span);
    }

    /// What leaves a `finally` early makes whatever ended the `try` forgotten: it is looked at before.
    fn visit_try_statement(&mut self, it: &TryStatement<'a>) {
        if it.finalizer.is_some() {
            let look = format!("catch({CAUGHT}_it){{{CAUGHT}({CAUGHT}_it);throw {CAUGHT}_it}}");
            match &it.handler {
                None => self.blanks.insert(it.block.span.end, look),
                Some(handler) => {
                    self.blanks.insert(it.block.span.start, "{try");
                    self.blanks.insert(handler.span.end, format!("}}{look}"));
                }
            }
        }
        walk::walk_try_statement(self, it);
    }

    fn visit_catch_clause(&mut self, it: &CatchClause<'a>) {
        let body = it.body.span.start;
        match it.param.as_ref().map(|param| &param.pattern) {
            None => {
                self.blanks.insert(body, format!("({CAUGHT}_it) "));
                self.blanks
                    .insert(body + 1, format!("{CAUGHT}({CAUGHT}_it);"));
            }
            Some(BindingPattern::BindingIdentifier(name)) => {
                self.blanks
                    .insert(body + 1, format!("{CAUGHT}({});", name.name));
            }
            Some(pattern) => self.refuse(pattern.span(), CATCH_PATTERN),
        }
        walk::walk_catch_clause(self, it);
    }

    /// A call of the tag, with whatever calling the host's own with the same template gives.
    fn visit_tagged_template_expression(&mut self, it: &TaggedTemplateExpression<'a>) {
        let quasi = it.quasi.span;
        self.visit_expression(&it.tag); // may be such a call itself, and end where this begins
        if let Some(types) = &it.type_arguments {
            self.visit_ts_type_parameter_instantiation(types);
        }
        self.blanks.insert(quasi.start, format!("(...{TAGGED}"));
        self.visit_template_literal(&it.quasi);
        self.blanks.insert(quasi.end, ")");
    }

    /// `new` takes a call's arguments for its own.
    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        let tagged = tagged_within(&it.callee);
        if let Some(span) = tagged {
            self.blanks.insert(span.start, "(");
        }
        walk::walk_new_expression(self, it);
        if let Some(span) = tagged {
            self.blanks.insert(span.end, ")");
        }
    }

    fn visit_variable_declaration(&mut self, it: &VariableDeclaration<'a>) {
        match it.declare {
            true => self.erase(it.span),
            false => walk::walk_variable_declaration(self, it),
        }
    }

    fn visit_statement(&mut self, it: &Statement<'a>) {
        walk::walk_statement(self, it);
        self.end(it.span());
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if it.definite {
            self.blank_mark('!', it.id.span().end);
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        if it.accessibility.is_some() || it.readonly || it.r#override {
            self.refuse(it.span, PARAMETER_PROPERTY);
        }
        if it.optional {
            self.blank_mark('?', it.pattern.span().end);
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        match it.declare || it.body.is_none() {
            true => self.erase(it.span),
            false => walk::walk_function(self, it, flags),
        }
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        walk::walk_arrow_function_expression(self, it);
        self.arrow_type_parameters(it);
        self.return_type(it.params.span, it.return_type.as_deref());
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.declare {
            return self.erase(it.span);
        }
        if it.r#abstract && self.text[it.span.start as usize..].starts_with(ABSTRACT) {
            let start = it.span.start;
            self.blanks.blank(start..start + ABSTRACT.len() as u32);
        }
        if let Some(last) = it.implements.last() {
            self.blanks.blank(self.implements(it)..last.span.end);
        }
        if let Some(types) = &it.type_parameters {
            self.visit_ts_type_parameter_declaration(types);
        }
        if let Some(heritage) = &it.heritage {
            self.visit_class_heritage(heritage);
        }
        self.visit_class_body(&it.body);
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.value.body.is_none() {
            return self.erase(it.span);
        }
        self.modifiers(it.span.start, it.key.span().start);
        if it.optional {
            self.blank_mark('?', it.key.span().end);
        }
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition {
            return self.erase(it.span);
        }
        self.modifiers(it.span.start, it.key.span().start);
        if it.optional {
            self.blank_mark('?', it.key.span().end);
        }
        if it.definite {
            self.blank_mark('!', it.key.span().end);
        }
        walk::walk_property_definition(self, it);
        self.end(it.span);
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.erase(it.span);
    }

    fn visit_ts_type_alias_declaration(&mut self, it: &TSTypeAliasDeclaration<'a>) {
        self.erase(it.span);
    }

    fn visit_ts_interface_declaration(&mut self, it: &TSInterfaceDeclaration<'a>) {
        self.erase(it.span);
    }

    fn visit_ts_external_module_declaration(&mut self, it: &TSExternalModuleDeclaration<'a>) {
        self.erase(it.span);
    }

    fn visit_ts_global_declaration(&mut self, it: &TSGlobalDeclaration<'a>) {
        self.erase(it.span);
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        match it.declare {
            true => self.erase(it.span),
            false => self.refuse(it.span, ENUM),
        }
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        match it.declare {
            true => self.erase(it.span),
            false => self.refuse(it.span, NAMESPACE),
        }
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        self.refuse(it.span, IMPORT_EQUALS);
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.refuse(it.span, EXPORT_EQUALS);
    }

    fn visit_ts_namespace_export_declaration(&mut self, it: &TSNamespaceExportDeclaration<'a>) {
        self.erase(it.span);
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        self.imports(it);
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        let types_only = match &it.declaration {
            Declaration::TSTypeAliasDeclaration(_) | Declaration::TSInterfaceDeclaration(_) => true,
            Declaration::VariableDeclaration(it) => it.declare,
            Declaration::FunctionDeclaration(it) => it.declare || it.body.is_none(),
            Declaration::ClassDeclaration(it) => it.declare,
            Declaration::TSEnumDeclaration(it) => it.declare,
            Declaration::TSNamespaceDeclaration(it) => it.declare,
            _ => false,
        };
        match types_only {
            true => self.erase(it.span),
            false => walk::walk_export_declaration(self, it),
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        let types_only = match &it.declaration {
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => true,
            ExportDefaultDeclarationKind::FunctionDeclaration(it) => it.body.is_none(),
            _ => false,
        };
        match types_only {
            true => self.erase(it.span),
            false => walk::walk_export_default_declaration(self, it),
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind.is_type() {
            return self.erase(it.span);
        }
        for specifier in &it.specifiers {
            let local = &specifier.local;
            if specifier.export_kind.is_type() || !is_value_export(local, self.scoping) {
                self.blank_item(specifier.span);
            } else if exported(local, self.scoping).is_none() {
                let name = local.name();
                let message = format!("`{name}` is exported, and nothing in this file is named so");
                self.problems
                    .push(Problem::new(local.span().start, message));
            }
        }
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind.is_type() {
            return self.erase(it.span);
        }
        for specifier in it.specifiers.iter().filter(|it| it.export_kind.is_type()) {
            self.blank_item(specifier.span);
        }
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind.is_type() {
            self.erase(it.span);
        }
    }
}
