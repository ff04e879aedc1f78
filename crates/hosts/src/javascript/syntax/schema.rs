//! Parameters and types as JSON schemas, as far as files say: names taken apart in a parameter,
//! type literals, and the types that the module's files declare. What is not understood is `{}`.

use std::cell::Cell;
use std::collections::BTreeMap;

use ordain_engine::Param;
use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::Semantic;
use oxc_span::GetSpan;
use oxc_syntax::operator::UnaryOperator;
use serde_json::{Map, Value, json};

use super::begins::Texts;
use super::strip::arrow_begins;
use super::types::{self, Declared, Named};
use super::{Position, Problem, Script};

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
    /// What keeps it from being a method, and where.
    pub unfit: Option<(Position, String)>,
}

impl Signature {
    /// What is said of one of several functions, of which it is not known which it is.
    fn unknown() -> Self {
        Self {
            params: None,
            optional: false,
            result: json!({}).to_string(),
            unfit: None,
        }
    }
}

/// What the functions of a file say, by where the interpreter says that they begin. The file is one of `files`.
pub fn signatures(
    program: &Program,
    semantic: &Semantic,
    script: &Script,
    files: &[Declared],
    at: usize,
) -> BTreeMap<Position, Signature> {
    let left = Left {
        here: Cell::new(0),
        of_file: Cell::new(TYPES_OF_FILE_MAX),
    };
    let types = Types {
        files,
        at,
        left: &left,
    };
    let texts = Texts::new(program.source_text, semantic, script);
    let mut found = BTreeMap::new();
    for node in semantic.nodes().iter() {
        let parent = semantic.nodes().parent_kind(node.id());
        let (params, result, start) = match (node.kind(), parent) {
            (AstKind::Function(it), _) if it.body.is_none() => continue,
            (AstKind::Function(it), AstKind::ObjectProperty(property)) if is_method(property) => {
                (&it.params, &it.return_type, property.span.start)
            }
            (AstKind::Function(it), AstKind::MethodDefinition(_)) => {
                (&it.params, &it.return_type, it.params.span.start)
            }
            (AstKind::Function(it), _) => (&it.params, &it.return_type, it.span.start),
            (AstKind::ArrowFunctionExpression(it), _) => {
                let start = arrow_begins(program.source_text, it);
                (&it.params, &it.return_type, start)
            }
            _ => continue,
        };
        let mut signature = types.signature(params, result.as_deref());
        let unfit = types.unfit(params, &signature, program.source_text);
        let position = |at| script.lines.position(program.source_text, at);
        signature.unfit = unfit.map(|it| (position(it.at), it.message));
        let one = found.entry(texts.begins(start));
        let one = one.or_insert_with(|| signature.clone());
        // Of several that begin where one word stands, as without spaces between them.
        if *one != signature {
            *one = Signature::unknown();
        }
    }
    found
}

/// Whether a property is written as a method, which begins where the property does.
fn is_method(property: &ObjectProperty) -> bool {
    property.method || property.kind != PropertyKind::Init
}

/// Types as they are named in one of a module's files.
#[derive(Clone, Copy)]
struct Types<'d, 'p, 'a> {
    files: &'d [Declared<'p, 'a>],
    at: usize,
    left: &'d Left,
}

/// How many more types are looked at.
struct Left {
    /// For what is at hand.
    here: Cell<u32>,
    of_file: Cell<u32>,
}

impl Left {
    fn take(&self) -> bool {
        let (here, of_file) = (self.here.get(), self.of_file.get());
        if here == 0 || of_file == 0 {
            return false;
        }
        self.here.set(here - 1);
        self.of_file.set(of_file - 1);
        true
    }
}

/// A member of an object type.
struct Member {
    name: String,
    schema: Value,
    required: bool,
}

impl<'d, 'p, 'a> Types<'d, 'p, 'a> {
    /// Whether a type is looked at.
    fn follows(&self, depth: u32) -> bool {
        depth <= DEPTH_MAX && self.left.take()
    }

    fn signature(
        &self,
        params: &'d FormalParameters<'a>,
        result: Option<&'d TSTypeAnnotation<'a>>,
    ) -> Signature {
        self.left.here.set(TYPES_MAX);
        let described = self.params(params);
        self.left.here.set(TYPES_MAX);
        let result = result.map_or(json!({}), |it| self.schema(&it.type_annotation, 0));
        let args = params.items.get(1);
        Signature {
            params: described,
            optional: args.is_some_and(may_be_left_out),
            result: result.to_string(),
            unfit: None,
        }
    }

    /// What keeps a function from being a method: it says that it is given something else than the context and an object.
    fn unfit(
        &self,
        params: &'d FormalParameters<'a>,
        described: &Signature,
        text: &str,
    ) -> Option<Problem> {
        let given = params.items.get(1..)?;
        let (args, more) = given.split_first()?;
        let third = more.iter().find(|it| !may_be_left_out(it));
        if third.is_none() && (described.params.is_some() || !self.is_no_object(args)) {
            return None;
        }
        let at = third.unwrap_or(args).span.start;
        let names = given
            .iter()
            .flat_map(|it| it.pattern.get_binding_identifiers());
        let names: Vec<_> = names.map(|it| it.name.as_str()).collect();
        let types = given.iter().map(|it| {
            let name = it.pattern.get_identifier_name()?;
            let ty = &it.type_annotation.as_ref()?.type_annotation;
            Some(format!("{name}: {}", ty.span().source_text(text)))
        });
        let types = types.collect::<Option<Vec<_>>>();
        let types = types.map_or(String::new(), |it| format!(": {{ {} }}", it.join("; ")));
        let names = names.join(", ");
        let message = format!(
            "a method takes the context and one object of arguments: write `(cx, {{ {names} }}{types})`"
        );
        Some(Problem::new(at, message))
    }

    /// Whether a parameter is written as something that no object is.
    fn is_no_object(&self, args: &'d FormalParameter<'a>) -> bool {
        self.left.here.set(TYPES_MAX);
        let ty = args.type_annotation.as_ref().map(|it| &it.type_annotation);
        match &args.pattern {
            BindingPattern::ArrayPattern(_) => true,
            BindingPattern::ObjectPattern(_) => false,
            _ => ty.is_some_and(|ty| takes_no_object(&self.schema(ty, 0))),
        }
    }

    /// The arguments of a method: the second parameter, an object.
    fn params(&self, params: &'d FormalParameters<'a>) -> Option<Vec<Param>> {
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
    fn members(&self, ty: &'d TSType<'a>, depth: u32) -> Option<Vec<Member>> {
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
                self.members_of(&it.type_name, depth)
            }
            _ => None,
        }
    }

    /// The members of what is named.
    fn members_of(&self, name: &'d TSTypeName<'a>, depth: u32) -> Option<Vec<Member>> {
        match self.find(name)? {
            (there, Named::Alias(ty)) => there.members(ty, depth + 1),
            (there, Named::Interface(all)) => there.interface(all, depth),
        }
    }

    /// The members of an interface, those that it extends first. What it says itself counts.
    fn interface(
        &self,
        all: &'d [&'p TSInterfaceDeclaration<'a>],
        depth: u32,
    ) -> Option<Vec<Member>> {
        let plain = |it: &&TSInterfaceDeclaration| it.type_parameters.is_none();
        all.iter().all(plain).then_some(())?;
        let parts = all.iter().map(|it| self.listed(&it.body.body, depth));
        let own = merged(parts.collect::<Option<Vec<_>>>()?);
        let extended = all.iter().flat_map(|it| &it.extends);
        let extended = extended.map(|it| match it.type_arguments {
            None if self.follows(depth) => self.members_of(&it.type_name, depth + 1),
            _ => None,
        });
        let mut members = merged(extended.collect::<Option<Vec<_>>>()?);
        members.retain(|it| own.iter().all(|own| own.name != it.name));
        members.extend(own);
        Some(members)
    }

    fn listed(&self, signatures: &'d [TSSignature<'a>], depth: u32) -> Option<Vec<Member>> {
        let member = |signature: &'d TSSignature<'a>| {
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

    /// What a name stands for, where it is used, and the types where that is.
    fn find(&self, name: &'d TSTypeName<'a>) -> Option<(Self, &'d Named<'p, 'a>)> {
        let found = types::find(self.files, self.at, name, || self.left.take());
        found.map(|(at, named)| (Self { at, ..*self }, named))
    }

    fn may_be_undefined(&self, ty: &'d TSType<'a>, depth: u32) -> bool {
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
                Some((there, Named::Alias(ty))) => there.may_be_undefined(ty, depth + 1),
                _ => false,
            },
            _ => false,
        }
    }

    fn schema(&self, ty: &'d TSType<'a>, depth: u32) -> Value {
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
    fn item(&self, ty: &'d TSType<'a>, depth: u32) -> Value {
        match (self.schema(ty, depth), self.may_be_undefined(ty, depth)) {
            (schema, true) if schema != json!({}) => {
                json!({ "anyOf": [schema, { "type": "null" }] })
            }
            (schema, _) => schema,
        }
    }

    fn tuple(&self, elements: &'d [TSTupleElement<'a>], depth: u32) -> Value {
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

    fn union(&self, types: &'d [TSType<'a>], depth: u32) -> Value {
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

    fn reference(&self, it: &'d TSTypeReference<'a>, ty: &'d TSType<'a>, depth: u32) -> Value {
        if let Some((there, Named::Alias(alias))) = self.find(&it.type_name) {
            return there.schema(alias, depth + 1);
        }
        let name = match &it.type_name {
            TSTypeName::IdentifierReference(name) => name,
            _ => return self.members(ty, depth).map_or(json!({}), object),
        };
        if self.files[self.at].symbol(name).is_some() {
            // One of the module's own, which may be called as one of the library is.
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

fn object(members: Vec<Member>) -> Value {
    // Of what it has no members everything is one, texts and numbers too.
    if members.is_empty() {
        return json!({});
    }
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

/// Whether no object is of a schema. Of what is nothing at all nothing is said.
fn takes_no_object(schema: &Value) -> bool {
    match schema["anyOf"].as_array() {
        Some(any) => any
            .iter()
            .all(|it| it["type"] == "null" || takes_no_object(it)),
        None => match schema["type"].as_str() {
            Some(ty) => !["object", "null"].contains(&ty),
            None => schema.get("const").is_some() || schema.get("enum").is_some(),
        },
    }
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
