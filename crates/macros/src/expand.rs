//! The glue: what `#[entity]` puts beside the methods. All of it is in an anonymous constant, so that
//! no name of it meets a name of the user's, and names everything from `::ordain::__private`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemImpl};

use crate::block::{self, Block};
use crate::method::{Method, Takes};
use crate::types;

/// The block without the macro's own attributes, and the glue; or what is wrong.
pub fn entity(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut impl_block = match block::parse(item.clone()) {
        Ok(block) => block,
        Err(error) => return with_errors(&item, &error),
    };
    match block::read(options, &mut impl_block) {
        Ok((block, None)) => glue(&block, &impl_block),
        Ok((block, Some(error))) => with_errors(&glue(&block, &impl_block), &error),
        Err(error) => with_errors(&impl_block, &error),
    }
}

/// What was written stays, so that not everything that uses it is an error too.
fn with_errors(item: &impl quote::ToTokens, error: &Error) -> TokenStream {
    let errors = error.to_compile_error();
    quote! { #item #errors }
}

fn glue(block: &Block, impl_block: &ItemImpl) -> TokenStream {
    let ty = &block.ty;
    let names = Names::new(&block.ident);
    let arguments = arguments(block);
    let runners = block.methods.iter().map(|method| runner(block, method));
    let handles = handles(block, &names);
    let implementation = implementation(block, &names);
    let (requests, name) = (&names.requests, &block.name);
    let at = format!(
        "Requests to the `{}` of that key, from outside or to be sent.",
        block.name
    );
    quote! {
        #impl_block

        #[allow(
            dead_code,
            deprecated,
            missing_docs,
            nonstandard_style,
            private_interfaces,
            unreachable_pub,
            unused_imports,
            unused_qualifications,
            clippy::all,
            clippy::pedantic
        )]
        const _: () = {
            use ::ordain::__private as __ordain;

            #arguments

            struct __Run;
            impl __Run { #(#runners)* }

            #handles

            pub struct #requests(__ordain::Address);

            #implementation

            impl #ty {
                #[doc = #at]
                pub fn at(key: impl __ordain::IntoKey) -> #requests {
                    #requests(__ordain::Address::new(#name, key))
                }
            }
        };
    }
}

/// The names of the generated types, as error messages show them.
struct Names {
    handle: Ident,
    query_handle: Ident,
    requests: Ident,
}

impl Names {
    fn new(ident: &Ident) -> Self {
        Self {
            handle: format_ident!("__{ident}Handle"),
            query_handle: format_ident!("__{ident}QueriesOnly"),
            requests: format_ident!("__{ident}Requests"),
        }
    }
}

fn args_ident(index: usize) -> Ident {
    format_ident!("__Args{index}")
}

/// One struct a method: its parameters as an object. Generic, so that an argument that is no serde type
/// is an error at its method rather than all over the derives.
fn arguments(block: &Block) -> TokenStream {
    let structs = block.methods.iter().enumerate().map(|(index, method)| {
        let ident = args_ident(index);
        let types: Vec<_> = (0..method.params.len())
            .map(|at| format_ident!("T{at}"))
            .collect();
        let fields = method.params.iter().map(|param| &param.ident);
        quote! {
            #[derive(__ordain::serde::Serialize, __ordain::serde::Deserialize)]
            #[serde(crate = "::ordain::__private::serde", deny_unknown_fields)]
            struct #ident<#(#types),*> { #(#fields: #types,)* }
        }
    });
    quote! { #(#structs)* }
}

/// The parameters as a function declares them.
fn declared(method: &Method) -> TokenStream {
    let params = method.params.iter().map(|param| {
        let (ident, ty) = (&param.ident, &param.ty);
        quote! { #ident: #ty }
    });
    quote! { #(#params),* }
}

/// The parameters as a call passes them.
fn passed(method: &Method) -> TokenStream {
    let params = method.params.iter().map(|param| &param.ident);
    quote! { #(#params),* }
}

/// Runs a method within the call that the transaction has opened: lends it its state, its context or
/// both.
fn runner(block: &Block, method: &Method) -> TokenStream {
    let (ty, ident, output) = (&block.ty, &method.ident, &method.output);
    let (declared, passed) = (declared(method), passed(method));
    let context = match method.query {
        true => quote! { __ordain::QueryContext },
        false => quote! { __ordain::Context },
    };
    let (state, held) = match method.query {
        true => (quote! { __ordain::state }, quote! { __ordain::held }),
        false => (
            quote! { __ordain::state_mut },
            quote! { __ordain::held_mut },
        ),
    };
    let body = match method.takes {
        Takes::State => quote! { <#ty>::#ident(#state::<#ty>(__ordain_tx), #passed) },
        Takes::Context => {
            quote! { <#ty>::#ident(&mut #context::__new(__ordain_tx), #passed) }
        }
        Takes::StateAndContext => quote! {
            #held::<#ty, _>(__ordain_tx, move |__ordain_state, __ordain_tx| {
                <#ty>::#ident(__ordain_state, &mut #context::__new(__ordain_tx), #passed)
            })
        },
    };
    quote! {
        fn #ident(__ordain_tx: &mut __ordain::Tx, #declared) -> #output { #body }
    }
}

/// The typed handles: all methods, and the queries alone.
fn handles(block: &Block, names: &Names) -> TokenStream {
    let (handle, query_handle) = (&names.handle, &names.query_handle);
    let calls = |queries_only: bool| -> TokenStream {
        let methods = block.methods.iter().enumerate();
        methods
            .filter(|(_, method)| method.query || !queries_only)
            .map(|(index, method)| call(index, method))
            .collect()
    };
    let (all, queries) = (calls(false), calls(true));
    quote! {
        pub struct #handle<'a>(__ordain::Link<'a>);
        impl #handle<'_> { #all }

        pub struct #query_handle<'a>(__ordain::Link<'a>);
        impl #query_handle<'_> { #queries }
    }
}

fn call(index: usize, method: &Method) -> TokenStream {
    let (ident, output, docs) = (&method.ident, &method.output, &method.docs);
    let (declared, passed) = (declared(method), passed(method));
    let (name, args, run) = (&method.name, args_ident(index), run(index, method));
    let index = index as u16;
    quote! {
        #(#docs)*
        #[inline]
        pub fn #ident(&mut self, #declared) -> #output {
            self.0.call(#index, #name, #args { #passed }, #run)
        }
    }
}

/// Runs a method with its arguments as one value.
fn run(index: usize, method: &Method) -> TokenStream {
    let ident = &method.ident;
    let args = format_ident!("{}", args_ident(index), span = ident.span());
    let types = method.params.iter().map(|param| &param.ty);
    let fields = method.params.iter().map(|param| &param.ident);
    quote_spanned! { ident.span() =>
        |__ordain_tx, __args: #args<#(#types),*>| __Run::#ident(__ordain_tx, #(__args.#fields),*)
    }
}

fn implementation(block: &Block, names: &Names) -> TokenStream {
    let (ty, name) = (&block.ty, &block.name);
    let Names {
        handle,
        query_handle,
        requests,
    } = names;
    let definitions = block
        .methods
        .iter()
        .enumerate()
        .map(|(at, method)| definition(at, method));
    let makers = block
        .methods
        .iter()
        .enumerate()
        .map(|(at, method)| request(at, method));
    let version = block.version;
    let migrate = block.migrate.as_ref().map(migrate);
    quote_spanned! { ty.span() =>
        impl __ordain::Entity for #ty {
            const TYPE: &'static str = #name;
            const VERSION: u32 = #version;
            type Handle<'a> = #handle<'a>;
            type QueryHandle<'a> = #query_handle<'a>;

            fn define() -> __ordain::TypeDef {
                __ordain::define::<#ty>(::std::vec![#(#definitions),*])
            }

            #migrate

            fn __clone(&self) -> ::core::option::Option<Self> {
                use __ordain::{ByClone as _, NotByClone as _};
                (&__ordain::Cloned(self)).cloned()
            }

            fn __handle(link: __ordain::Link<'_>) -> #handle<'_> {
                #handle(link)
            }

            fn __query_handle(link: __ordain::Link<'_>) -> #query_handle<'_> {
                #query_handle(link)
            }
        }

        impl #requests { #(#makers)* }
    }
}

/// The call of the function that migrates: what it takes says how a state is read.
fn migrate(function: &syn::Path) -> TokenStream {
    quote_spanned! { function.span() =>
        const MIGRATE: ::core::option::Option<__ordain::Migrate<Self>> =
            ::core::option::Option::Some(|__ordain_json, __ordain_from| {
                ::core::result::Result::Ok(#function(
                    __ordain::from_json(__ordain_json)?,
                    __ordain_from,
                ))
            });
    }
}

fn kind(method: &Method) -> TokenStream {
    match method.query {
        true => quote! { __ordain::MethodKind::Query },
        false => quote! { __ordain::MethodKind::Update },
    }
}

fn definition(at: usize, method: &Method) -> TokenStream {
    let (ident, name, kind, run) = (&method.ident, &method.name, kind(method), run(at, method));
    let params = method.params.iter().map(|param| {
        let (name, schema, required) = (
            &param.name,
            types::schema(&param.ty),
            !types::is_option(&param.ty),
        );
        quote! { __ordain::param(#name, #schema, #required) }
    });
    let result = types::result_schema(&method.output);
    let params = quote! { || ::std::vec![#(#params),*] };
    quote_spanned! { ident.span() =>
        __ordain::method(#name, #kind, #params, #result, #run)
    }
}

fn request(at: usize, method: &Method) -> TokenStream {
    let (ident, name, kind) = (&method.ident, &method.name, kind(method));
    let args = format_ident!("{}", args_ident(at), span = ident.span());
    // As the body spells it: to a name that a `macro_rules!` was given, `self` of the attribute is another one.
    let this = quote_spanned! { ident.span() => self };
    let (declared, passed, docs) = (declared(method), passed(method), &method.docs);
    let output = &method.output;
    let value = quote_spanned! { output.span() =>
        <#output as __ordain::MethodResult>::Value
    };
    let types = method.params.iter().map(|param| &param.ty);
    let request = quote_spanned! { ident.span() =>
        {
            use __ordain::{ByPlain as _, NotPlain as _};
            // Its name must be no parameter's: arguments are passed by theirs.
            let __ordain_plain = true #(&& (&__ordain::Plainly::<#types>::new()).plain())*;
            #this.0.request(#name, #kind, #args { #passed }, __ordain_plain)
        }
    };
    quote! {
        #(#docs)*
        pub fn #ident(&#this, #declared) -> __ordain::Request<#value> { #request }
    }
}
