//! What can be seen of a type from its spelling: its JSON schema, whether it can cross from outside,
//! and where it says `Self`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Error, Expr, ExprLit, GenericArgument, Lit, PathArguments, Result, Type};

/// The type as a person would write it.
pub fn spelled(ty: &Type) -> String {
    let spaced = ty.to_token_stream().to_string();
    let mut text = String::new();
    for part in spaced.split(' ') {
        let opens = |c: char| "<(&[:".contains(c);
        let closes = |c: char| "<>()&[],:;".contains(c);
        let glued = text.ends_with(opens) || (part.starts_with(closes) && !text.ends_with(','));
        if !text.is_empty() && !glued {
            text.push(' ');
        }
        text.push_str(part);
    }
    text
}

/// The type with `Self` spelled out, for use outside of the `impl` block.
pub fn with_self(self_ty: &Type, ty: &Type) -> Type {
    fn replace(tokens: TokenStream, self_ty: &TokenStream) -> TokenStream {
        tokens
            .into_iter()
            .flat_map(|token| match token {
                TokenTree::Ident(ident) if ident == "Self" => self_ty.clone(),
                TokenTree::Group(group) => {
                    let stream = replace(group.stream(), self_ty);
                    let mut replaced = proc_macro2::Group::new(group.delimiter(), stream);
                    replaced.set_span(group.span());
                    TokenTree::Group(replaced).into()
                }
                other => other.into(),
            })
            .collect()
    }
    let tokens = replace(ty.to_token_stream(), &self_ty.to_token_stream());
    syn::parse2(tokens).expect("a type in the place of `Self` is a type")
}

/// Refuses types that cannot cross between JSON and a method: `what` is the place.
pub fn check_crosses(ty: &Type, what: &str) -> Result<()> {
    match find(ty.to_token_stream()) {
        None => Ok(()),
        Some(Found::Reference(span)) => {
            let owns = format!("{what} crosses from or to JSON, so it owns its data");
            Err(match owned(ty) {
                Some(instead) => Error::new_spanned(ty, format!("{owns}: write `{instead}`")),
                None => Error::new(span, format!("{owns}: write `String`, `Vec<…>`, `Box<…>`")),
            })
        }
        Some(Found::Impl(span)) => {
            let message =
                format!("{what} has one type, for JSON does not tell it: write that type");
            Err(Error::new(span, message))
        }
        Some(Found::Unordered(ident)) => {
            let ordered = ident.to_string().replace("Hash", "BTree");
            let message = format!(
                "a `{ident}` is in another order on every run, and a replay must see the same: write \
                 `{ordered}`"
            );
            Err(Error::new(ident.span(), message))
        }
    }
}

enum Found {
    Reference(Span),
    Impl(Span),
    Unordered(Ident),
}

fn find(tokens: TokenStream) -> Option<Found> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Punct(punct) if punct.as_char() == '&' => Some(Found::Reference(punct.span())),
        TokenTree::Ident(ident) if ident == "impl" => Some(Found::Impl(ident.span())),
        TokenTree::Ident(ident) if ident == "HashMap" || ident == "HashSet" => {
            Some(Found::Unordered(ident))
        }
        TokenTree::Group(group) => find(group.stream()),
        _ => None,
    })
}

/// What owns the data that `ty` refers to.
fn owned(ty: &Type) -> Option<String> {
    let Type::Reference(reference) = ungrouped(ty) else {
        return None;
    };
    match ungrouped(&reference.elem) {
        Type::Slice(slice) => Some(format!("Vec<{}>", spelled(&slice.elem))),
        Type::Path(path) if path.path.is_ident("str") => Some("String".to_owned()),
        Type::TraitObject(_) => None,
        other => Some(spelled(other)),
    }
}

/// Whether an argument of the type may be left out.
pub fn is_option(ty: &Type) -> bool {
    named(ty).is_some_and(|(name, arguments)| name == "Option" && arguments.len() == 1)
}

/// The JSON schema of the type as far as its spelling tells, as JSON text.
pub fn schema(ty: &Type) -> String {
    match ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => r#"{"type":"null"}"#.to_owned(),
        Type::Tuple(tuple) => {
            let items: Vec<_> = tuple.elems.iter().map(schema).collect();
            let (items, count) = (items.join(","), items.len());
            format!(
                r#"{{"type":"array","prefixItems":[{items}],"minItems":{count},"maxItems":{count}}}"#
            )
        }
        Type::Array(array) => {
            let items = schema(&array.elem);
            match &array.len {
                Expr::Lit(ExprLit {
                    lit: Lit::Int(count),
                    ..
                }) => {
                    let count = count.base10_digits();
                    format!(
                        r#"{{"type":"array","items":{items},"minItems":{count},"maxItems":{count}}}"#
                    )
                }
                _ => format!(r#"{{"type":"array","items":{items}}}"#),
            }
        }
        Type::Paren(inner) => schema(&inner.elem),
        Type::Group(inner) => schema(&inner.elem),
        other => named(other).map_or_else(unknown, |(name, of)| named_schema(&name, &of)),
    }
}

/// The schema of what a `Result<…>` holds. Of another name that stands for one nothing is known: its arguments
/// may be anything.
pub fn result_schema(output: &Type) -> String {
    match named(output) {
        Some((name, of)) if name == "Result" && !of.is_empty() => schema(of[0]),
        _ => unknown(),
    }
}

fn unknown() -> String {
    "{}".to_owned()
}

fn named_schema(name: &str, of: &[&Type]) -> String {
    match (name, of) {
        ("bool", []) => r#"{"type":"boolean"}"#.to_owned(),
        ("String" | "CompactString", []) => r#"{"type":"string"}"#.to_owned(),
        ("char", []) => r#"{"type":"string","minLength":1,"maxLength":1}"#.to_owned(),
        ("Key", []) => r#"{"type":"string","minLength":1,"maxLength":512}"#.to_owned(),
        ("f32" | "f64", []) => r#"{"type":"number"}"#.to_owned(),
        ("Option", [inner]) => format!(r#"{{"anyOf":[{},{{"type":"null"}}]}}"#, schema(inner)),
        ("Box" | "Arc" | "Rc", [inner]) => schema(inner),
        ("Vec" | "VecDeque", [item]) => format!(r#"{{"type":"array","items":{}}}"#, schema(item)),
        ("BTreeSet", [item]) => {
            format!(
                r#"{{"type":"array","items":{},"uniqueItems":true}}"#,
                schema(item)
            )
        }
        ("BTreeMap", [_, value]) => {
            format!(
                r#"{{"type":"object","additionalProperties":{}}}"#,
                schema(value)
            )
        }
        (integer, []) => match range(integer) {
            Some((min, max)) => format!(r#"{{"type":"integer","minimum":{min},"maximum":{max}}}"#),
            None => unknown(),
        },
        _ => unknown(),
    }
}

fn range(integer: &str) -> Option<(i128, i128)> {
    Some(match integer {
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => (i64::MIN.into(), i64::MAX.into()),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// The type itself, where a `macro_rules!` that was given it has put it into an invisible group.
pub fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}

/// The last segment of a path and its type arguments.
fn named(ty: &Type) -> Option<(String, Vec<&Type>)> {
    let Type::Path(path) = ungrouped(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let of = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((last.ident.to_string(), of))
}

#[cfg(test)]
mod tests {
    use syn::parse_str;

    use super::*;

    #[test]
    fn schemas() {
        let check = |ty: &str, expected: &str| {
            assert_eq!(schema(&parse_str(ty).unwrap()), expected, "{ty}");
        };
        check("bool", r#"{"type":"boolean"}"#);
        check("u8", r#"{"type":"integer","minimum":0,"maximum":255}"#);
        check(
            "i64",
            r#"{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}"#,
        );
        check("std::string::String", r#"{"type":"string"}"#);
        check(
            "Option<bool>",
            r#"{"anyOf":[{"type":"boolean"},{"type":"null"}]}"#,
        );
        check(
            "Vec<Key>",
            r#"{"type":"array","items":{"type":"string","minLength":1,"maxLength":512}}"#,
        );
        check(
            "BTreeMap<String, f64>",
            r#"{"type":"object","additionalProperties":{"type":"number"}}"#,
        );
        check(
            "(bool, String)",
            r#"{"type":"array","prefixItems":[{"type":"boolean"},{"type":"string"}],"minItems":2,"maxItems":2}"#,
        );
        check(
            "[bool; 3]",
            r#"{"type":"array","items":{"type":"boolean"},"minItems":3,"maxItems":3}"#,
        );
        check("()", r#"{"type":"null"}"#);
        check("Order", "{}");
        check("Vec<Order>", r#"{"type":"array","items":{}}"#);
        assert_eq!(
            result_schema(&parse_str("ordain::Result<()>").unwrap()),
            r#"{"type":"null"}"#
        );
        let two = "Result<bool, Rejection>";
        assert_eq!(
            result_schema(&parse_str(two).unwrap()),
            r#"{"type":"boolean"}"#
        );
        for unknown in [
            "io::Result",
            "PageResult<bool>",
            "bank::NoResult<bool, String>",
        ] {
            assert_eq!(
                result_schema(&parse_str(unknown).unwrap()),
                "{}",
                "{unknown}"
            );
        }
    }

    #[test]
    fn self_is_spelled_out() {
        let check = |ty: &str, expected: &str| {
            let ty = with_self(
                &parse_str("bank::Account").unwrap(),
                &parse_str(ty).unwrap(),
            );
            assert_eq!(spelled(&ty), expected);
        };
        check(
            "Result<Vec<(Self, [Self; 2])>>",
            "Result<Vec<(bank::Account, [bank::Account; 2])>>",
        );
        check("SelfMade", "SelfMade");
    }
}
