//! One method, checked. Every refusal says what to write instead.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, ImplItemFn, Pat, PatType, PathArguments, Receiver,
    Result, ReturnType, Signature, Type,
};

use crate::block::{Errors, check_name};
use crate::types;

/// A method that can be called.
pub struct Method {
    pub ident: Ident,
    /// The name on the wire.
    pub name: String,
    pub query: bool,
    pub takes: Takes,
    pub params: Vec<Parameter>,
    /// What it returns, `Self` spelled out.
    pub output: Type,
    pub docs: Vec<Attribute>,
}

/// How a method gets at its state and at others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// `self`: it can call no one.
    State,
    /// `self` and a context: it holds its state while it calls.
    StateAndContext,
    /// A context: the state is reached through it.
    Context,
}

/// A parameter: a name and a value of the arguments.
pub struct Parameter {
    pub ident: Ident,
    /// The name on the wire.
    pub name: String,
    /// Its type, `Self` spelled out.
    pub ty: Type,
}

impl Method {
    /// Reads a function of the block of `self_ty` and takes `#[query]` off it.
    pub fn read(self_ty: &Type, function: &mut ImplItemFn) -> Result<Self> {
        let mut errors = Errors::default();
        let query = errors
            .note(take_query(&mut function.attrs))
            .unwrap_or_default();
        let sig = &function.sig;
        errors.note(check_signature(sig));
        errors.note(check_attributes(&function.attrs));
        let name = sig.ident.unraw().to_string();
        let name = errors.note(check_name(name, &sig.ident, "a method's name"));
        let takes = errors.note(read_takes(self_ty, sig, query));
        let mut params = Vec::new();
        for input in sig.inputs.iter().skip(leading(sig)) {
            params.extend(errors.note(read_parameter(self_ty, input)));
        }
        let output = errors.note(read_output(self_ty, sig));
        errors.end(())?;
        Ok(Self {
            ident: sig.ident.clone(),
            name: name.expect("no error"),
            query,
            takes: takes.expect("no error"),
            params,
            output: output.expect("no error"),
            docs: function
                .attrs
                .iter()
                .filter(|a| a.path().is_ident("doc"))
                .cloned()
                .collect(),
        })
    }
}

fn take_query(attrs: &mut Vec<Attribute>) -> Result<bool> {
    let is_query = |attr: &Attribute| {
        attr.path()
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "query")
    };
    let found = attrs.iter().find(|attr| is_query(attr)).cloned();
    attrs.retain(|attr| !is_query(attr));
    if let Some(attr) = &found {
        attr.meta.require_path_only().map_err(|_| {
            Error::new_spanned(attr, "`#[query]` has no options: write `#[query]` alone")
        })?;
    }
    Ok(found.is_some())
}

fn check_attributes(attrs: &[Attribute]) -> Result<()> {
    match attrs
        .iter()
        .find(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
    {
        None => Ok(()),
        Some(attr) => Err(Error::new_spanned(
            attr,
            "a method cannot depend on `cfg`, for all builds of an entity must answer alike: put what \
             differs into a function of a second, plain `impl` block",
        )),
    }
}

fn check_signature(sig: &Signature) -> Result<()> {
    if sig.ident == "at" {
        let message = "`at` is how requests are made, as in `Account::at(\"alice\")`: give the method \
                       another name";
        return Err(Error::new(sig.ident.span(), message));
    }
    if let Some(token) = &sig.asyncness {
        let message = "a method runs to its end within one transaction, so it cannot be `async`: \
                       remove `async`; calls to other entities need no `.await`, and what shall happen \
                       later is sent with `cx.send(…)`";
        return Err(Error::new_spanned(token, message));
    }
    if let Some(token) = &sig.unsafety {
        return Err(Error::new_spanned(
            token,
            "a method is called from outside: remove `unsafe`",
        ));
    }
    if let Some(token) = &sig.abi {
        return Err(Error::new_spanned(
            token,
            "a method is called by name: remove `extern`",
        ));
    }
    if let Some(param) = sig.generics.params.first() {
        let message = "a method is called by name with JSON, so it cannot be generic: write the types \
                       (and `Context<Self>` without a lifetime)";
        return Err(Error::new_spanned(param, message));
    }
    Ok(())
}

fn read_takes(self_ty: &Type, sig: &Signature, query: bool) -> Result<Takes> {
    let mut inputs = sig.inputs.iter();
    let first = inputs.next();
    match first {
        Some(FnArg::Receiver(receiver)) => {
            check_receiver(receiver, query)?;
            match inputs.next().and_then(context_of) {
                None => Ok(Takes::State),
                Some(context) => {
                    context.check(query)?;
                    context.check_with_self(query)?;
                    Ok(Takes::StateAndContext)
                }
            }
        }
        Some(input) => match context_of(input) {
            Some(context) => {
                context.check(query)?;
                context.check_state(self_ty, query)?;
                Ok(Takes::Context)
            }
            None => Err(no_method(self_ty, sig)),
        },
        None => Err(no_method(self_ty, sig)),
    }
}

/// How many of the first inputs are no parameters: `self`, a context.
fn leading(sig: &Signature) -> usize {
    let receiver = sig
        .inputs
        .first()
        .is_some_and(|first| matches!(first, FnArg::Receiver(_)));
    let next = usize::from(receiver);
    next + usize::from(
        sig.inputs
            .get(next)
            .is_some_and(|input| context_of(input).is_some()),
    )
}

fn no_method(self_ty: &Type, sig: &Signature) -> Error {
    let (name, ty) = (&sig.ident, types::spelled(self_ty));
    let message = format!(
        "`{name}` takes neither `self` nor a context first, so it is no method of the entity: move it \
         to a second, plain `impl {ty} {{ … }}` block without #[entity]"
    );
    Error::new(name.span(), message)
}

fn check_receiver(receiver: &Receiver, query: bool) -> Result<()> {
    let message = match (
        receiver.reference.is_some(),
        receiver.mutability.is_some(),
        query,
    ) {
        _ if receiver.colon_token.is_some() && receiver.reference.is_none() => {
            "write `&mut self`, or `&self` in a query"
        }
        (true, true, false) | (true, false, true) => return Ok(()),
        (true, false, false) => {
            "an update takes `&mut self`; a method that only reads is a query: write `#[query]` above it"
        }
        (true, true, true) => {
            "a query only reads: write `&self`, or remove `#[query]` if the method shall write"
        }
        (false, ..) => {
            "a method borrows its entity's state and cannot take it: write `&mut self`, or `&self` in a \
             query"
        }
    };
    Err(Error::new_spanned(receiver, message))
}

/// A parameter that is spelled like a context.
struct ContextParam<'a> {
    ty: &'a Type,
    borrowed_mut: bool,
    query: bool,
    state: Option<&'a Type>,
}

fn context_of(input: &FnArg) -> Option<ContextParam<'_>> {
    let FnArg::Typed(PatType { ty, .. }) = input else {
        return None;
    };
    let (inner, borrowed_mut) = match types::ungrouped(ty) {
        Type::Reference(reference) => (
            types::ungrouped(&reference.elem),
            reference.mutability.is_some(),
        ),
        other => (other, false),
    };
    let Type::Path(path) = inner else { return None };
    let last = path.path.segments.last()?;
    let query = match last.ident.to_string().as_str() {
        "Context" => false,
        "QueryContext" => true,
        _ => return None,
    };
    let state = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
        }
        _ => None,
    };
    Some(ContextParam {
        ty,
        borrowed_mut,
        query,
        state,
    })
}

impl ContextParam<'_> {
    fn check(&self, query: bool) -> Result<()> {
        let name = if query { "QueryContext" } else { "Context" };
        let message = match (self.borrowed_mut, self.query, query) {
            (true, false, false) | (true, true, true) => return Ok(()),
            (false, ..) => format!("a context is borrowed: write `cx: &mut {name}`"),
            (true, false, true) => {
                "a query only reads, so it gets a context that only reads: write `cx: &mut \
                 QueryContext`, or `cx: &mut QueryContext<Self>` where there is no `self`"
                    .to_owned()
            }
            (true, true, false) => "an update gets `cx: &mut Context`, or `cx: &mut Context<Self>` where \
                                    there is no `self`; if the method only reads, write `#[query]` above \
                                    it"
            .to_owned(),
        };
        Err(Error::new_spanned(self.ty, message))
    }

    fn check_with_self(&self, query: bool) -> Result<()> {
        let name = if query { "QueryContext" } else { "Context" };
        match self.state {
            None => Ok(()),
            Some(state) => Err(Error::new_spanned(
                state,
                format!(
                    "the state is `self` here: write `cx: &mut {name}`; or remove `self` and reach the \
                     state through `cx: &mut {name}<Self>`, which lets calls come back to this entity"
                ),
            )),
        }
    }

    fn check_state(&self, self_ty: &Type, query: bool) -> Result<()> {
        let name = if query { "QueryContext" } else { "Context" };
        match self.state {
            Some(state) if types::with_self(self_ty, state) != *self_ty => Err(Error::new_spanned(
                state,
                format!(
                    "a method reaches the state of its own entity: write `cx: &mut {name}<Self>`"
                ),
            )),
            _ => Ok(()),
        }
    }
}

fn read_parameter(self_ty: &Type, input: &FnArg) -> Result<Parameter> {
    let FnArg::Typed(PatType { attrs, pat, ty, .. }) = input else {
        return Err(Error::new(input.span(), "`self` comes first"));
    };
    if let Some(attr) = attrs.first() {
        return Err(Error::new_spanned(
            attr,
            "a parameter has no attributes: remove it",
        ));
    }
    if context_of(input).is_some() {
        return Err(Error::new_spanned(
            ty,
            "the context comes first, after `self` if there is one",
        ));
    }
    let ident = match &**pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
        other => {
            let message = "a parameter needs a name, for it is the name of the argument: write `name: \
                           Type` and take it apart in the body";
            return Err(Error::new_spanned(other, message));
        }
    };
    types::check_crosses(ty, "a parameter")?;
    Ok(Parameter {
        name: ident.unraw().to_string(),
        ident,
        ty: types::with_self(self_ty, ty),
    })
}

fn read_output(self_ty: &Type, sig: &Signature) -> Result<Type> {
    let ReturnType::Type(_, ty) = &sig.output else {
        let message = "a method returns a `Result`, for it may be refused: write `-> Result<()>` and end \
                       with `Ok(())`";
        return Err(Error::new(sig.ident.span(), message));
    };
    let is_result = match types::ungrouped(ty) {
        Type::Path(path) => {
            let last = path.path.segments.last().expect("a path has a segment");
            last.ident.to_string().ends_with("Result")
        }
        _ => false,
    };
    if !is_result {
        let spelled = types::spelled(ty);
        let message = format!(
            "a method returns a `Result`, for it may be refused: write `-> Result<{spelled}>` and end \
             with `Ok(…)`"
        );
        return Err(Error::new_spanned(ty, message));
    }
    types::check_crosses(ty, "a result")?;
    Ok(types::with_self(self_ty, ty))
}
