//! JSON of the HTTP API: the depth that is counted is the depth there is, and the documents that
//! clients read are written so that they read the same.
//!
//! Input: which document, then its text.

use ordain_api::Problem;
use ordain_api::json::check_depth_to;
use ordain_api::replies;
use ordain_types::near::near;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::input::Input;
use crate::refused;

/// The target.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let kind = input.byte();
    let text = input.0;
    match kind % 8 {
        0 => depth(text),
        1 => document::<Problem>(text),
        2 => document::<replies::Invocation>(text),
        3 => document::<replies::EntityState>(text),
        4 => document::<replies::Ready>(text),
        5 => document::<replies::Entities>(text),
        6 => document::<replies::Sent>(text),
        _ => names(text),
    }
}

fn depth(text: &[u8]) {
    for limit in [0, 1, 2, 5, 64] {
        let counted = check_depth_to(text, limit);
        if let Err(error) = &counted {
            refused(error, &limit.to_string());
        }
        // serde_json goes no deeper than 127.
        if let Ok(value) = serde_json::from_slice::<Value>(text) {
            let within = depth_of(&value) <= limit;
            match counted {
                Ok(()) => assert!(within, "deeper than {limit} and taken"),
                Err(_) => assert!(!within || repeats(text), "within {limit} and refused"),
            }
        }
    }
}

/// A name that is there twice hides the depth of its first value in what is parsed.
fn repeats(text: &[u8]) -> bool {
    let written = serde_json::from_slice::<Value>(text).map(|value| value.to_string());
    let count = |text: &[u8]| text.iter().filter(|byte| **byte == b':').count();
    written.is_ok_and(|written| count(written.as_bytes()) != count(text))
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(all) => 1 + all.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

fn document<T: Serialize + DeserializeOwned>(text: &[u8]) {
    let Ok(document) = serde_json::from_slice::<T>(text) else {
        return;
    };
    let written = serde_json::to_vec(&document).expect("what was read is written");
    let again = serde_json::from_slice::<T>(&written).expect("what was written reads");
    let again = serde_json::to_vec(&again).expect("what was read is written");
    assert_eq!(
        String::from_utf8_lossy(&again),
        String::from_utf8_lossy(&written)
    );
}

fn names(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let known = ["account", "bank", "ledger", "a", ""];
    for name in near(&text, known) {
        assert!(known.contains(&&*name));
    }
}
