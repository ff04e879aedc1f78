//! The world `ordain:runtime` as Rust: made from its WIT text when this compiles.

#![allow(missing_docs, reason = "the WIT text documents it")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "module",
    pub_export_macro: true,
    default_bindings_module: "::ordain::__private::world",
    runtime_path: "::ordain::__private::world::wit_bindgen_rt",
    export_macro_name: "__export_world",
});

/// What the generated code refers to from the crate that exports.
pub use wit_bindgen::rt as wit_bindgen_rt;
