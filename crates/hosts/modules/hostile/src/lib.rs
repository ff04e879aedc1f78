//! Methods that mean harm, as someone would write them in Rust: each has to end in a clear fault, and soon.
//! What no toolchain makes is written as text, in the tests of the host. Built by
//! `.ci/components`.

use std::hint::black_box;

use ordain::prelude::*;

ordain::export!(entities![Hostile]);

/// Bytes of a text that is longer than any value may be.
const LONG: usize = 2 << 20;

/// It has nothing to keep.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Hostile {}

#[entity]
impl Hostile {
    /// Never ends.
    pub fn endless(&mut self) -> Result<()> {
        loop {
            black_box(&*self);
        }
    }

    /// Calls itself for ever.
    pub fn recursion(&mut self) -> Result<u64> {
        Ok(deeper(0))
    }

    /// Takes memory for ever.
    pub fn memory(&mut self) -> Result<()> {
        let mut all = Vec::new();
        loop {
            all.push(black_box(vec![1_u8; 1 << 16]));
        }
    }

    /// Has the server look at long texts for ever, of each of which it keeps next to nothing.
    pub fn chatter(cx: &mut Context<Self>) -> Result<()> {
        let text = "é".repeat(LONG);
        loop {
            cx.log(&text);
        }
    }

    /// A value that no one can take.
    pub fn text(&mut self) -> Result<String> {
        Ok("x".repeat(LONG))
    }

    /// Calls an entity whose key is none.
    pub fn key(cx: &mut Context<Self>, key: String) -> Result<()> {
        cx.entity::<Self>(key).endless()
    }
}

fn deeper(depth: u64) -> u64 {
    if black_box(false) {
        return depth;
    }
    1 + black_box(deeper(black_box(depth + 1)))
}
