//! Parameters and types as JSON schemas, as far as a file says: names taken apart in a parameter,
//! type literals, and the types that the same file declares. What is not understood is `{}`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use ordain_engine::Param;
use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::{Scoping, Semantic, SymbolId};
use oxc_span::{GetSpan, Span};
use oxc_syntax::operator::UnaryOperator;
use serde_json::{Map, Value, json};

use super::{Lines, Position};

/// How deep types are followed: they may name each other in a circle.
const DEPTH_MAX: u32 = 8;
/// How many types are looked at for the parameters or the value of one function, and for all of a file: what names itself often is large long before it
/// is deep. The rest is not understood.
const TYPES_MAX: u32 = 2_000;
const TYPES_OF_FILE_MAX: u32 = 100_000;

/// What a function says of itself, if it were a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Its arguments; none: not described, any object goes.
    pub params: Option<Vec<Param>>,
    /// Whether it is called without arguments where none are given: they are optional as a whole, or have a default.
    pub optional: bool,
    /// The JSON schema of its value.
    pub result: String,
}

impl Signature {
    /// What is said of one of several functions, of which it is not known which it is.
    fn unknown() -> Self {
        Self {
            params: None,
            optional: false,
            result: json!({}).to_string(),
        }
    }
}

/// What the functions of a file say, by each place that may be called their beginning.
pub fn signatures(
    program: &Program,
    semantic: &Semantic,
    lines: &Lines,
) -> BTreeMap<Position, Signature> {
    let types = Types::of(semantic);
    let mut found = BTreeMap::new();
    for node in semantic.nodes().iter() {
        let (signature, params) = match node.kind() {
            AstKind::Function(it) => (
                types.signature(&it.params, it.return_type.as_deref()),
                it.params.span,
            ),
            AstKind::ArrowFunctionExpression(it) => (
                types.signature(&it.params, it.return_type.as_deref()),
                it.params.span,
            ),
            _ => continue,
        };
        let mut starts = BTreeSet::from([params.start, node.kind().span().start]);
        match semantic.nodes().parent_kind(node.id()) {
            AstKind::ObjectProperty(it) => drop(starts.insert(it.span.start)),
            // The interpreter says where what it is an argument of is named.
            AstKind::CallExpression(it) => drop(starts.insert(callee(&it.callee).start)),
            AstKind::VariableDeclarator(it) => drop(starts.insert(it.span.start)),
            _ => {}
        }
        for start in starts {
            let at = lines.position(program.source_text, start);
            let one = found.entry(at).or_insert_with(|| signature.clone());
            // The arguments of one call are all there.
            if *one != signature {
                *one = Signature::unknown();
            }
        }
    }
    found
}

/// The types that a file declares.
struct Types<'p, 'a> {
    scoping: &'p Scoping,
    named: BTreeMap<SymbolId, Named<'p, 'a>>,
    /// How many more types are looked at for what is at hand, and for all of the file.
    left: Cell<u32>,
    left_of_file: Cell<u32>,
}

enum Named<'p, 'a> {
    Alias(&'p TSType<'a>),
    /// All declarations of one name: together they are one type.
    Interface(Vec<&'p TSInterfaceDeclaration<'a>>),
}

/// A member of an object type.
struct Member {
    name: String,
    schema: Value,
    required: bool,
}

impl<'p, 'a> Types<'p, 'a> {
    fn of(semantic: &'p Semantic<'a>) -> Self {
        let scoping = semantic.scoping();
        let mut named = BTreeMap::new();
        for node in semantic.nodes().iter() {
            match node.kind() {
                AstKind::TSTypeAliasDeclaration(it) if it.type_parameters.is_none() => {
                    named.insert(it.id.symbol_id(), Named::Alias(&it.type_annotation));
                }
                // What a class declares with it is not looked at.
                AstKind::TSInterfaceDeclaration(it)
                    if !scoping.symbol_flags(it.id.symbol_id()).is_class() =>
                {
                    let one = named.entry(it.id.symbol_id());
                    match one.or_insert_with(|| Named::Interface(Vec::new())) {
                        Named::Interface(all) => all.push(it),
                        Named::Alias(_) => {}
                    }
                }
                _ => {}
            }
        }
        Self {
            scoping,
            named,
            left: Cell::new(0),
            left_of_file: Cell::new(TYPES_OF_FILE_MAX),
        }
    }

    /// Whether a type is looked at.
    fn follows(&self, depth: u32) -> bool {
        let (left, left_of_file) = (self.left.get(), self.left_of_file.get());
        if depth > DEPTH_MAX || left == 0 || left_of_file == 0 {
            return false;
        }
        self.left.set(left - 1);
        self.left_of_file.set(left_of_file - 1);
        true
    }

    fn signature(
        &self,
        params: &FormalParameters<'a>,
        result: Option<&TSTypeAnnotation<'a>>,
    ) -> Signature {
        self.left.set(TYPES_MAX);
        let described = self.params(params);
        self.left.set(TYPES_MAX);
        let result = result.map_or(json!({}), |it| self.schema(&it.type_annotation, 0));
        let args = params.items.get(1);
        Signature {
            params: described,
            optional: args.is_some_and(may_be_left_out),
            result: result.to_string(),
        }
    }

    /// The arguments of a method: the second parameter, an object.
    fn params(&self, params: &FormalParameters<'a>) -> Option<Vec<Param>> {
        let Some(args) = params.items.get(1) else {
            return params.rest.is_none().then(Vec::new);
        };
        let typed = args.type_annotation.as_ref();
        let members = typed.and_then(|it| self.members(&it.type_annotation, 0));
        let pattern = match &args.pattern {
            BindingPattern::ObjectPattern(pattern) => Some(pattern),
            _ => None,
        };
        let all = !may_be_left_out(args);
        if let Some(members) = members {
            let defaults = |name: &str| pattern.is_some_and(|it| defaults(it, name));
            return Some(
                members
                    .into_iter()
                    .map(|it| Param {
                        required: all && it.required && !defaults(&it.name),
                        schema: it.schema.to_string(),
                        name: it.name,
                    })
                    .collect(),
            );
        }
        let pattern = pattern.filter(|it| typed.is_none() && it.rest.is_none())?;
        let mut found: Vec<Param> = Vec::new();
        for property in &pattern.properties {
            let name = property.key.static_name()?.into_owned();
            let required = all && !matches!(property.value, BindingPattern::AssignmentPattern(_));
            match found.iter_mut().find(|it| it.name == name) {
                Some(it) => it.required |= required,
                None => found.push(Param {
                    name,
                    schema: "{}".to_owned(),
                    required,
                }),
            }
        }
        Some(found)
    }

    /// The members of an object type; none if it is not one, or not a closed one.
    fn members(&self, ty: &TSType<'a>, depth: u32) -> Option<Vec<Member>> {
        if !self.follows(depth) {
            return None;
        }
        match ty {
            TSType::TSTypeLiteral(it) => self.listed(&it.members, depth),
            TSType::TSParenthesizedType(it) => self.members(&it.type_annotation, depth + 1),
            TSType::TSIntersectionType(it) => {
                let parts = it.types.iter().map(|part| self.members(part, depth + 1));
                Some(merged(parts.collect::<Option<Vec<_>>>()?))
            }
            TSType::TSTypeReference(it) if it.type_arguments.is_none() => {
                match self.find(&it.type_name)? {
                    Named::Alias(ty) => self.members(ty, depth + 1),
                    Named::Interface(all) => {
                        let plain = |it: &&TSInterfaceDeclaration| {
                            it.extends.is_empty() && it.type_parameters.is_none()
                        };
                        all.iter().all(plain).then_some(())?;
                        let parts = all.iter().map(|it| self.listed(&it.body.body, depth));
                        Some(merged(parts.collect::<Option<Vec<_>>>()?))
                    }
                }
            }
            _ => None,
        }
    }

    fn listed(&self, signatures: &[TSSignature<'a>], depth: u32) -> Option<Vec<Member>> {
        let member = |signature: &TSSignature<'a>| {
            let TSSignature::TSPropertySignature(it) = signature else {
                return None;
            };
            let ty = it.type_annotation.as_ref().map(|it| &it.type_annotation);
            Some(Member {
                name: it.key.static_name()?.into_owned(),
                schema: ty.map_or(json!({}), |ty| self.schema(ty, depth + 1)),
                required: !it.optional && !ty.is_some_and(|ty| self.may_be_undefined(ty, depth)),
            })
        };
        let members: Vec<_> = signatures.iter().map(member).collect::<Option<_>>()?;
        Some(merged(vec![members]))
    }

    /// What a name stands for, where it is used.
    fn find(&self, name: &TSTypeName) -> Option<&Named<'p, 'a>> {
        match name {
            TSTypeName::IdentifierReference(it) => self.named.get(&self.symbol(it)?),
            _ => None,
        }
    }

    fn symbol(&self, name: &IdentifierReference) -> Option<SymbolId> {
        let reference = self.scoping.get_reference(name.reference_id.get()?);
        reference.symbol_id()
    }

    fn may_be_undefined(&self, ty: &TSType<'a>, depth: u32) -> bool {
        match ty {
            TSType::TSUndefinedKeyword(_) | TSType::TSVoidKeyword(_) => true,
            _ if !self.follows(depth) => true, // then it is not said that it must be there
            TSType::TSParenthesizedType(it) => {
                self.may_be_undefined(&it.type_annotation, depth + 1)
            }
            TSType::TSUnionType(it) => {
                let mut types = it.types.iter();
                types.any(|ty| self.may_be_undefined(ty, depth + 1))
            }
            TSType::TSTypeReference(it) => match self.find(&it.type_name) {
                Some(Named::Alias(ty)) => self.may_be_undefined(ty, depth + 1),
                _ => false,
            },
            _ => false,
        }
    }

    fn schema(&self, ty: &TSType<'a>, depth: u32) -> Value {
        if !self.follows(depth) {
            return json!({});
        }
        match ty {
            TSType::TSStringKeyword(_) | TSType::TSTemplateLiteralType(_) => {
                json!({ "type": "string" })
            }
            TSType::TSNumberKeyword(_) => json!({ "type": "number" }),
            TSType::TSBooleanKeyword(_) => json!({ "type": "boolean" }),
            // What a method without a value gives arrives as null.
            TSType::TSNullKeyword(_) | TSType::TSVoidKeyword(_) | TSType::TSUndefinedKeyword(_) => {
                json!({ "type": "null" })
            }
            TSType::TSLiteralType(it) => {
                literal(&it.literal).map_or(json!({}), |it| json!({ "const": it }))
            }
            TSType::TSParenthesizedType(it) => self.schema(&it.type_annotation, depth + 1),
            TSType::TSArrayType(it) => {
                json!({ "type": "array", "items": self.item(&it.element_type, depth + 1) })
            }
            TSType::TSTypeOperatorType(it) if it.operator == TSTypeOperatorOperator::Readonly => {
                self.schema(&it.type_annotation, depth + 1)
            }
            TSType::TSTupleType(it) => self.tuple(&it.element_types, depth),
            TSType::TSUnionType(it) => self.union(&it.types, depth),
            TSType::TSTypeReference(it) => self.reference(it, ty, depth),
            _ => self.members(ty, depth).map_or(json!({}), object),
        }
    }

    /// What an item of an array is. Undefined is none in JSON: there it is null.
    fn item(&self, ty: &TSType<'a>, depth: u32) -> Value {
        match (self.schema(ty, depth), self.may_be_undefined(ty, depth)) {
            (schema, true) if schema != json!({}) => {
                json!({ "anyOf": [schema, { "type": "null" }] })
            }
            (schema, _) => schema,
        }
    }

    fn tuple(&self, elements: &[TSTupleElement<'a>], depth: u32) -> Value {
        let (mut first, mut required) = (Vec::new(), 0);
        for element in elements {
            let (ty, optional) = match element {
                TSTupleElement::TSRestType(_) => {
                    return json!({ "type": "array", "prefixItems": first, "minItems": required });
                }
                TSTupleElement::TSOptionalType(it) => (Some(&it.type_annotation), true),
                TSTupleElement::TSNamedTupleMember(it) => match &it.element_type {
                    TSTupleElement::TSRestType(_) => {
                        return json!({ "type": "array", "prefixItems": first, "minItems": required });
                    }
                    ty => (ty.as_ts_type(), it.optional),
                },
                element => (element.as_ts_type(), false),
            };
            first.push(ty.map_or(json!({}), |ty| self.item(ty, depth + 1)));
            if !optional {
                required = first.len();
            }
        }
        let max = first.len();
        json!({ "type": "array", "prefixItems": first, "minItems": required, "maxItems": max })
    }

    fn union(&self, types: &[TSType<'a>], depth: u32) -> Value {
        let kept: Vec<_> = types
            .iter()
            .filter(|ty| !matches!(ty, TSType::TSUndefinedKeyword(_)))
            .collect();
        let literals = kept.iter().map(|ty| match ty {
            TSType::TSLiteralType(it) => literal(&it.literal),
            TSType::TSNullKeyword(_) => Some(Value::Null),
            _ => None,
        });
        match (literals.collect::<Option<Vec<_>>>(), &kept[..]) {
            (_, []) => json!({ "type": "null" }),
            (_, [one]) => self.schema(one, depth + 1),
            (Some(values), _) => json!({ "enum": values }),
            (None, _) => {
                json!({ "anyOf": kept.iter().map(|ty| self.schema(ty, depth + 1)).collect::<Vec<_>>() })
            }
        }
    }

    fn reference(&self, it: &TSTypeReference<'a>, ty: &TSType<'a>, depth: u32) -> Value {
        if let Some(Named::Alias(alias)) = self.find(&it.type_name) {
            return self.schema(alias, depth + 1);
        }
        let TSTypeName::IdentifierReference(name) = &it.type_name else {
            return json!({});
        };
        if self.symbol(name).is_some() {
            // One of the file's own, which may be called as one of the library is.
            return self.members(ty, depth).map_or(json!({}), object);
        }
        let arguments = it
            .type_arguments
            .as_ref()
            .map_or(&[][..], |it| &it.params[..]);
        match (name.name.as_str(), arguments) {
            ("Array" | "ReadonlyArray", [item]) => {
                json!({ "type": "array", "items": self.item(item, depth + 1) })
            }
            ("Record", [_, value]) => {
                json!({ "type": "object", "additionalProperties": self.schema(value, depth + 1) })
            }
            _ => json!({}),
        }
    }
}

/// Where a callee is named.
fn callee(callee: &Expression) -> Span {
    match callee {
        Expression::StaticMemberExpression(it) => it.property.span,
        callee => callee.span(),
    }
}

fn object(members: Vec<Member>) -> Value {
    let required: Vec<_> = members
        .iter()
        .filter(|it| it.required)
        .map(|it| it.name.clone())
        .collect();
    let properties: Map<String, Value> =
        members.into_iter().map(|it| (it.name, it.schema)).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn literal(literal: &TSLiteral) -> Option<Value> {
    match literal {
        TSLiteral::StringLiteral(it) => Some(json!(it.value.as_str())),
        TSLiteral::BooleanLiteral(it) => Some(json!(it.value)),
        TSLiteral::NumericLiteral(it) => Some(number(it.value)),
        TSLiteral::UnaryExpression(it) => match (it.operator, &it.argument) {
            (UnaryOperator::UnaryNegation, Expression::NumericLiteral(it)) => {
                Some(number(-it.value))
            }
            _ => None,
        },
        _ => None,
    }
}

fn number(value: f64) -> Value {
    match value.fract() == 0.0 && value.abs() < 1e15 {
        true => json!(value as i64),
        false => json!(value),
    }
}

/// The members of types that are one together. Of one that several have it is not known what it must be.
fn merged(parts: Vec<Vec<Member>>) -> Vec<Member> {
    let mut all: Vec<Member> = Vec::new();
    for member in parts.into_iter().flatten() {
        match all.iter_mut().find(|it| it.name == member.name) {
            None => all.push(member),
            Some(it) => {
                it.required |= member.required;
                if it.schema != member.schema {
                    it.schema = json!({});
                }
            }
        }
    }
    all
}

/// Whether a method says that it can be called without arguments at all.
fn may_be_left_out(args: &FormalParameter) -> bool {
    args.optional || args.initializer.is_some()
}

/// Whether a pattern gives a name a default.
fn defaults(pattern: &ObjectPattern, name: &str) -> bool {
    let mut properties = pattern.properties.iter();
    properties.any(|it| {
        it.key.static_name().as_deref() == Some(name)
            && matches!(it.value, BindingPattern::AssignmentPattern(_))
    })
}
