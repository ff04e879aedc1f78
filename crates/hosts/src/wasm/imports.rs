//! What a component may import: the world and nothing else. Who has more is told what it is and how to
//! build without it.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::world::{CALLS, CONTEXT, FIELDS, LOG, STATE, TYPES};

/// Names shown where there are too many.
const SHOWN: usize = 3;

/// Checks that the component imports the world alone.
///
/// # Errors
/// What else it imports.
pub(super) fn check(engine: &Engine, component: &Component) -> Result<(), String> {
    let known = [STATE, FIELDS, CALLS, CONTEXT, LOG, TYPES];
    let ty = component.component_type();
    let names = ty.imports(engine).map(|(name, _)| name);
    let foreign: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
    let Some(first) = foreign.first() else {
        return Ok(());
    };
    let shown = foreign.iter().take(SHOWN);
    let shown: Vec<String> = shown.map(|name| format!("`{name}`")).collect();
    let more = match foreign.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(format!(
        "the module imports {}{more}, and there is nothing but the world `ordain:runtime@0.1.0`: {}",
        shown.join(", "),
        hint(first)
    ))
}

fn hint(import: &str) -> &'static str {
    if import.starts_with("wasi:") {
        "there are no clocks, files and sockets in a transaction. Rust: build for \
         wasm32-unknown-unknown; Python: `componentize-py … --stub-wasi`; JavaScript: componentize-js \
         with `disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event']`"
    } else if import.starts_with("ordain:runtime/") {
        "it was built for another version of the world: build it with the SDK of this release"
    } else {
        "remove what needs it, or link it into the module"
    }
}
