//! The `impl` block under `#[entity]`, checked: an entity type and its methods.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, Parser};
use syn::{
    Error, GenericArgument, ImplItem, Item, ItemImpl, LitInt, LitStr, Path, PathArguments, Result,
    Type,
};

use crate::method::Method;
use crate::types;

/// An entity type and its methods.
pub struct Block {
    /// The type as written.
    pub ty: Type,
    /// Its last segment.
    pub ident: Ident,
    /// The entity type's name.
    pub name: String,
    pub version: u32,
    /// The function that brings states of other versions to this one.
    pub migrate: Option<Path>,
    pub methods: Vec<Method>,
}

/// The `impl` block that an attribute was put on.
pub fn parse(item: TokenStream) -> Result<ItemImpl> {
    let wrong = "#[entity] goes on the `impl` block that holds the methods: write `#[entity] impl \
                 Account { … }`";
    match syn::parse2::<Item>(item)? {
        Item::Impl(block) => Ok(block),
        other => Err(Error::new_spanned(other, wrong)),
    }
}

/// Reads the block and takes the attributes off it that are the macro's own. What is wrong with a
/// method comes beside the others, so that not all that uses the entity is an error too.
pub fn read(options: TokenStream, block: &mut ItemImpl) -> Result<(Block, Option<Error>)> {
    check_header(block)?;
    let ident = type_ident(&block.self_ty)?;
    let mut errors = Errors::default();
    let options = errors.note(Options::read(options)).unwrap_or_default();
    let name = errors.note(options.entity_name(&ident));
    let name = name.unwrap_or_else(|| snake_case(&ident.to_string()));
    let version = errors.note(options.version()).unwrap_or(1);
    let mut methods = Vec::new();
    for item in &mut block.items {
        match item {
            ImplItem::Fn(function) => {
                methods.extend(errors.note(Method::read(&block.self_ty, function)));
            }
            // It is expanded after this attribute, which would pass over what it makes without a word.
            ImplItem::Macro(call) => errors.push(Error::new_spanned(
                call,
                "#[entity] does not see the functions that a macro makes within the block: write the methods \
                 out, or let the macro make the whole block with its #[entity]",
            )),
            _ => {}
        }
    }
    Ok((
        Block {
            ty: (*block.self_ty).clone(),
            ident,
            name,
            version,
            migrate: options.migrate,
            methods,
        },
        errors.0,
    ))
}

fn check_header(block: &ItemImpl) -> Result<()> {
    if let Some((_, path, _)) = &block.trait_ {
        let message = "#[entity] goes on a plain `impl` block: the methods of a trait cannot be called \
                       from outside";
        return Err(Error::new_spanned(path, message));
    }
    if !block.generics.params.is_empty() {
        let message = "an entity type cannot be generic: its name stands for one type of state; write \
                       one entity type for each";
        return Err(Error::new_spanned(&block.generics, message));
    }
    Ok(())
}

fn type_ident(ty: &Type) -> Result<Ident> {
    let message =
        "an entity type is a struct or an enum of yours, named as in `impl Account { … }`";
    match types::ungrouped(ty) {
        Type::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last().expect("a path has a segment");
            check_owns(&last.arguments)?;
            Ok(last.ident.clone())
        }
        other => Err(Error::new_spanned(other, message)),
    }
}

/// What borrows cannot be a state: it is kept.
fn check_owns(arguments: &PathArguments) -> Result<()> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return Ok(());
    };
    let mut arguments = arguments.args.iter();
    match arguments.find(|argument| matches!(argument, GenericArgument::Lifetime(_))) {
        None => Ok(()),
        Some(lifetime) => Err(Error::new_spanned(
            lifetime,
            "a state is kept from one transaction to the next, so it owns its data: write `String` for \
             `&str`, `Vec<…>` for `&[…]`, and no lifetime",
        )),
    }
}

/// Takes the value of an option, which is not there yet.
fn once<T: Parse>(option: &mut Option<T>, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if option.is_some() {
        return Err(meta.error("it is there already: say each option once"));
    }
    *option = Some(meta.value()?.parse()?);
    Ok(())
}

/// What stands in the brackets of the attribute.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    version: Option<LitInt>,
    migrate: Option<Path>,
}

impl Options {
    fn read(options: TokenStream) -> Result<Self> {
        let mut given = Self::default();
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("name") {
                once(&mut given.name, &meta)
            } else if meta.path.is_ident("version") {
                once(&mut given.version, &meta)
            } else if meta.path.is_ident("migrate") {
                once(&mut given.migrate, &meta)
            } else {
                Err(meta.error(
                    "the options are `name`, `version` and `migrate`: write for instance \
                     `#[entity(name = \"account\")]` or `#[entity(version = 2, migrate = from_earlier)]`",
                ))
            }
        });
        parser.parse2(options)?;
        Ok(given)
    }

    fn entity_name(&self, ident: &Ident) -> Result<String> {
        let what = "an entity type's name";
        match &self.name {
            None => check_name(snake_case(&ident.to_string()), ident, what),
            Some(name) => check_name(name.value(), name, what),
        }
    }

    fn version(&self) -> Result<u32> {
        let version = match &self.version {
            None => 1,
            Some(version) => version
                .base10_parse()
                .ok()
                .filter(|&version| version > 0)
                .ok_or_else(|| {
                    Error::new_spanned(version, "a version is a number from 1 to 4294967295")
                })?,
        };
        match &self.migrate {
            Some(migrate) if version == 1 => Err(Error::new_spanned(
                migrate,
                "there is no version before 1 to migrate from: write `version = 2`, or as many as \
                 there have been",
            )),
            _ => Ok(version),
        }
    }
}

/// The rule of `ordain_types::EntityType` and `ordain_types::Method`.
pub fn check_name(name: String, place: impl ToTokens, what: &str) -> Result<String> {
    let good = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    match begins && name.len() <= 64 && name.bytes().all(good) {
        true => Ok(name),
        false => {
            let message = format!(
                "{what} holds only a-z, 0-9 and _, begins with a letter and has at most 64 bytes; \
                 `{name}` does not"
            );
            Err(Error::new_spanned(place, message))
        }
    }
}

/// `HTTPServer` is `http_server`, `OrderLine2` is `order_line2`.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1).copied();
        let begins_word = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && after.is_some_and(char::is_lowercase))
            });
        if begins_word {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// All that is wrong, to be said at once.
#[derive(Default)]
pub struct Errors(Option<Error>);

impl Errors {
    pub fn push(&mut self, error: Error) {
        match &mut self.0 {
            None => self.0 = Some(error),
            Some(first) => first.combine(error),
        }
    }

    pub fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub fn end<T>(self, value: T) -> Result<T> {
        match self.0 {
            None => Ok(value),
            Some(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::{Options, snake_case};

    #[test]
    fn names_in_snake_case() {
        let check = |name: &str, expected: &str| assert_eq!(snake_case(name), expected);
        check("Account", "account");
        check("OrderLine", "order_line");
        check("HTTPServer", "http_server");
        check("OrderLine2", "order_line2");
        check("Level3Cache", "level3_cache");
        check("already_snake", "already_snake");
    }

    #[test]
    fn an_option_is_said_once() {
        assert!(Options::read(quote!(name = "a", version = 2)).is_ok());
        let twice = Options::read(quote!(name = "a", version = 2, name = "a"));
        let why = twice.err().expect("it is refused").to_string();
        assert!(why.contains("once"), "{why}");
    }
}
