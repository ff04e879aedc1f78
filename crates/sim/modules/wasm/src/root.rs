//! The root value as JSON: `[{"number":…,"notes":…,"pad":…},"   "]`.

use serde::{Deserialize, Serialize};

/// What of it matters; the padding follows from its length.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    pub number: i32,
    pub notes: u32,
    pub pad: u32,
}

impl Root {
    pub fn parse(json: &str) -> Self {
        let (root, _): (Root, &str) = serde_json::from_str(json).expect("written by a release");
        root
    }

    pub fn json(&self) -> String {
        let pad = " ".repeat(self.pad as usize);
        serde_json::to_string(&(self, pad)).expect("it is JSON")
    }
}
