//! What a component is made of, read from its bytes before they are compiled: the counts of what is taken are within
//! their limits, and what says nothing changes none of them.

use ordain_hosts::anatomy;
use ordain_types::limits::{
    WASM_FUEL_PER_START_BYTE, WASM_FUNCTIONS_MAX, WASM_MODULES_PER_COMPONENT_MAX,
};

use crate::refused;

/// A section of no meaning, named `x`.
const CUSTOM: &[u8] = &[0, 2, 1, b'x'];
/// A section that is longer than any file.
const ENDLESS: &[u8] = &[2, 0xff, 0xff, 0xff, 0xff, 0x0f];

const NOT_COMPILED: &str = "the module does not compile";

/// The target.
pub fn check(data: &[u8]) {
    let read = anatomy::read(data);
    let anatomy = match &read {
        Ok(anatomy) => anatomy,
        Err(message) => {
            refused(message, "the module");
            assert!(message.len() < 1_000, "{message}");
            return;
        }
    };
    assert!(anatomy.functions <= WASM_FUNCTIONS_MAX);
    assert!(anatomy.components <= WASM_MODULES_PER_COMPONENT_MAX);
    // An instance is some bytes of the file, and starts one module of it.
    let len = data.len() as u64;
    assert!(anatomy.start_fuel <= len * len * WASM_FUEL_PER_START_BYTE);
    // Where the last section is cut short it becomes a part of that, which the compiler would refuse anyway.
    match anatomy::read(&[data, CUSTOM].concat()) {
        Err(message) => refused(&message, NOT_COMPILED),
        longer => assert_eq!(longer, read),
    }
    let endless = anatomy::read(&[data, ENDLESS].concat());
    refused(
        &endless.expect_err("a section without its end"),
        NOT_COMPILED,
    );
}
