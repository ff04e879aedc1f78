//! Parameters and types as JSON schemas, as far as a file says: names taken apart in a parameter,
//! type literals, and the types that the same file declares. What is not understood is `{}`.

use std::collections::BTreeMap;

use ordain_engine::Param;
use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_semantic::Semantic;
use oxc_span::{GetSpan, Span};
use serde_json::{Map, Value, json};

use super::{Lines, Position};

/// How deep types are followed: they may name each other in a circle.
const DEPTH_MAX: u32 = 8;

/// What a function says of itself, if it were a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Its arguments; none: not described, any object goes.
    pub params: Option<Vec<Param>>,
    /// The JSON schema of its value.
    pub result: String,
}

/// What the functions of a file say, by each place that may be called their beginning.
pub fn signatures(
    program: &Program,
    semantic: &Semantic,
    lines: &Lines,
) -> BTreeMap<Position, Signature> {
    let types = Types::of(program);
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
        let mut starts = vec![params.start, node.kind().span().start];
        match semantic.nodes().parent_kind(node.id()) {
            AstKind::ObjectProperty(it) => starts.push(it.span.start),
            // The interpreter says where what it is an argument of is named.
            AstKind::CallExpression(it) => starts.push(callee(&it.callee).start),
            AstKind::VariableDeclarator(it) => starts.push(it.span.start),
            _ => {}
        }
        for start in starts {
            found.insert(
                lines.position(program.source_text, start),
                signature.clone(),
            );
        }
    }
    found
}

/// The types that a file declares at its top level.
struct Types<'p, 'a> {
    named: BTreeMap<&'p str, Named<'p, 'a>>,
}

#[derive(Clone, Copy)]
enum Named<'p, 'a> {
    Alias(&'p TSType<'a>),
    Interface(&'p TSInterfaceDeclaration<'a>),
}

/// A member of an object type.
struct Member {
    name: String,
    schema: Value,
    required: bool,
}

impl<'p, 'a> Types<'p, 'a> {
    fn of(program: &'p Program<'a>) -> Self {
        let mut named = BTreeMap::new();
        for statement in &program.body {
            match statement {
                Statement::TSTypeAliasDeclaration(it) if it.type_parameters.is_none() => {
                    named.insert(it.id.name.as_str(), Named::Alias(&it.type_annotation));
                }
                Statement::TSInterfaceDeclaration(it) => {
                    named.insert(it.id.name.as_str(), Named::Interface(it));
                }
                Statement::ExportDeclaration(it) => match &it.declaration {
                    Declaration::TSTypeAliasDeclaration(it) if it.type_parameters.is_none() => {
                        named.insert(it.id.name.as_str(), Named::Alias(&it.type_annotation));
                    }
                    Declaration::TSInterfaceDeclaration(it) => {
                        named.insert(it.id.name.as_str(), Named::Interface(it));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Self { named }
    }

    fn signature(
        &self,
        params: &FormalParameters<'a>,
        result: Option<&TSTypeAnnotation<'a>>,
    ) -> Signature {
        let result = result.map_or(json!({}), |it| self.schema(&it.type_annotation, 0));
        Signature {
            params: self.params(params),
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
        if let Some(members) = members {
            let defaults = |name: &str| pattern.is_some_and(|it| defaults(it, name));
            return Some(
                members
                    .into_iter()
                    .map(|it| Param {
                        required: it.required && !defaults(&it.name),
                        schema: it.schema.to_string(),
                        name: it.name,
                    })
                    .collect(),
            );
        }
        let pattern = pattern.filter(|it| typed.is_none() && it.rest.is_none())?;
        let param = |property: &BindingProperty| {
            Some(Param {
                name: property.key.static_name()?.into_owned(),
                schema: "{}".to_owned(),
                required: !matches!(property.value, BindingPattern::AssignmentPattern(_)),
            })
        };
        pattern.properties.iter().map(param).collect()
    }

    /// The members of an object type; none if it is not one, or not a closed one.
    fn members(&self, ty: &TSType<'a>, depth: u32) -> Option<Vec<Member>> {
        if depth > DEPTH_MAX {
            return None;
        }
        match ty {
            TSType::TSTypeLiteral(it) => self.listed(&it.members, depth),
            TSType::TSParenthesizedType(it) => self.members(&it.type_annotation, depth + 1),
            TSType::TSIntersectionType(it) => {
                let parts = it.types.iter().map(|part| self.members(part, depth + 1));
                Some(
                    parts
                        .collect::<Option<Vec<_>>>()?
                        .into_iter()
                        .flatten()
                        .collect(),
                )
            }
            TSType::TSTypeReference(it) if it.type_arguments.is_none() => match self
                .find(&it.type_name)?
            {
                Named::Alias(ty) => self.members(ty, depth + 1),
                Named::Interface(it) if it.extends.is_empty() && it.type_parameters.is_none() => {
                    self.listed(&it.body.body, depth)
                }
                Named::Interface(_) => None,
            },
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
                required: !it.optional && !ty.is_some_and(may_be_undefined),
            })
        };
        signatures.iter().map(member).collect()
    }

    fn find(&self, name: &TSTypeName) -> Option<Named<'p, 'a>> {
        match name {
            TSTypeName::IdentifierReference(it) => self.named.get(it.name.as_str()).copied(),
            _ => None,
        }
    }

    fn schema(&self, ty: &TSType<'a>, depth: u32) -> Value {
        if depth > DEPTH_MAX {
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
                json!({ "type": "array", "items": self.schema(&it.element_type, depth + 1) })
            }
            TSType::TSTypeOperatorType(it) if it.operator == TSTypeOperatorOperator::Readonly => {
                self.schema(&it.type_annotation, depth + 1)
            }
            TSType::TSTupleType(it) => {
                json!({ "type": "array", "minItems": 0, "maxItems": it.element_types.len() })
            }
            TSType::TSUnionType(it) => self.union(&it.types, depth),
            TSType::TSTypeReference(it) => self.reference(it, ty, depth),
            _ => self.members(ty, depth).map_or(json!({}), object),
        }
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
        let arguments = it
            .type_arguments
            .as_ref()
            .map_or(&[][..], |it| &it.params[..]);
        match (name.name.as_str(), arguments) {
            ("Array" | "ReadonlyArray", [item]) => {
                json!({ "type": "array", "items": self.schema(item, depth + 1) })
            }
            ("Record", [_, value]) => {
                json!({ "type": "object", "additionalProperties": self.schema(value, depth + 1) })
            }
            _ => self.members(ty, depth).map_or(json!({}), object),
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
        TSLiteral::NumericLiteral(it) if it.value.fract() == 0.0 && it.value.abs() < 1e15 => {
            Some(json!(it.value as i64))
        }
        TSLiteral::NumericLiteral(it) => Some(json!(it.value)),
        _ => None,
    }
}

fn may_be_undefined(ty: &TSType) -> bool {
    let TSType::TSUnionType(it) = ty else {
        return false;
    };
    it.types
        .iter()
        .any(|ty| matches!(ty, TSType::TSUndefinedKeyword(_)))
}

/// Whether a pattern gives a name a default.
fn defaults(pattern: &ObjectPattern, name: &str) -> bool {
    let mut properties = pattern.properties.iter();
    properties.any(|it| {
        it.key.static_name().as_deref() == Some(name)
            && matches!(it.value, BindingPattern::AssignmentPattern(_))
    })
}
