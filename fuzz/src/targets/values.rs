//! JSON that becomes typed values: the arguments of methods and the states of entities. What is taken is
//! JSON; its own spelling reads the same and is spelt the same; what is refused names the parameter.
//!
//! Input: which method, or the state; then the JSON.

use std::sync::OnceLock;

use ordain_engine::{Catalog, MethodDef, TypeDef};
use ordain_types::limits::ARGUMENT_BYTES_MAX;
use serde_json::Value;

use crate::input::Input;
use crate::{entities, refused};

/// The target.
pub fn check(data: &[u8]) {
    let ty = ledger();
    let mut input = Input(data);
    match usize::from(input.byte()) {
        0 => state(ty, input.0),
        method => arguments(&ty.methods[method % ty.methods.len()], input.0),
    }
}

fn ledger() -> &'static TypeDef {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    let build = || entities::entities().build().expect("they fit together");
    let mut types = CATALOG.get_or_init(build).types();
    types.next().expect("there is one")
}

fn arguments(method: &MethodDef, json: &[u8]) {
    match method.run.decode(json) {
        Ok(decoded) => {
            let canonical = decoded.canonical;
            assert!(canonical.len() <= ARGUMENT_BYTES_MAX);
            let value: Value = serde_json::from_slice(&canonical).expect("it is JSON");
            let given = value.as_object().expect("it is an object");
            for (name, _) in given {
                let known = method.params.iter().any(|param| param.name == *name);
                assert!(known, "{name} was taken");
            }
            let again = method.run.decode(&canonical);
            let again = again.unwrap_or_else(|error| panic!("{canonical:?}: {error}"));
            assert_eq!(again.canonical, canonical, "two spellings of one value");
        }
        Err(error) => {
            refused(&error, "");
            if let Some(field) = &error.field {
                assert!(!field.is_empty());
            }
        }
    }
}

fn state(ty: &TypeDef, json: &[u8]) {
    let state = match ty.state.decode(json) {
        Ok(state) => state,
        Err(error) => return refused(&error, ""),
    };
    let mut spelt = Vec::new();
    state.encode(&mut spelt).expect("what was read is written");
    assert_eq!(state.encoded_len(), Ok(spelt.len()));
    let again = ty.state.decode(&spelt);
    let again =
        again.unwrap_or_else(|error| panic!("{:?}: {error}", String::from_utf8_lossy(&spelt)));
    let mut twice = Vec::new();
    again.encode(&mut twice).expect("what was read is written");
    assert_eq!(
        String::from_utf8_lossy(&twice),
        String::from_utf8_lossy(&spelt)
    );
    let mut copy = Vec::new();
    again
        .snapshot()
        .encode(&mut copy)
        .expect("a copy is written");
    assert_eq!(copy, spelt, "a copy is not the same");
}
