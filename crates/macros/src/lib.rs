//! The `#[entity]` attribute: reads an `impl` block of methods and writes the glue between them and
//! the crate `ordain`, in programs and in modules. It knows syntax alone: what a type is, it cannot
//! see, and whatever needs that is left to traits.
//!
//! ```text
//!   block     the impl block, checked: an entity type and its methods
//!   method    one method, checked; what is wrong with it and what to write instead
//!   types     what can be seen of a type from its spelling: JSON schema, references, `Self`
//!   expand    the glue
//! ```

mod block;
mod expand;
mod method;
mod types;

use proc_macro::TokenStream;

/// Makes an entity type of a Rust type: its value is the entity's state, the methods of this `impl`
/// block are what can be called.
///
/// The entity type's name is the type's in snake case, or `#[entity(name = "…")]`. A type has one such
/// block; functions that are no methods go into another, plain one. See the `ordain` crate for the
/// forms a method can have.
#[proc_macro_attribute]
pub fn entity(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::entity(options.into(), item.into()).into()
}
