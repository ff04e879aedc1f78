//! The entity types that targets call: arguments and states of every shape that JSON can have, fields,
//! sends. They stand for an application; what they compute means nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use ordain::prelude::*;

/// One of each kind of variant.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// Without contents.
    #[default]
    Point,
    /// One value.
    Circle(f64),
    /// Several.
    Box(u8, i16),
    /// Named ones.
    Path {
        /// May nest.
        parts: Vec<Shape>,
        /// May be missing.
        name: Option<String>,
    },
}

/// A state with numbers, text, lists, maps, options and variants.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    total: i64,
    large: u64,
    ratio: f32,
    last: Option<String>,
    initial: char,
    shape: Shape,
    tags: BTreeMap<String, Vec<Option<bool>>>,
    pair: (u8, String),
}

#[entity]
impl Ledger {
    /// Adds; keeps the note as a field.
    pub fn add(cx: &mut Context<Self>, amount: i64, note: Option<String>) -> Result<i64> {
        let state = cx.state_mut();
        match state.total.checked_add(amount) {
            Some(total) => state.total = total,
            None => reject!("too_much", "{} and {amount} are too much", state.total),
        }
        state.last = note.clone();
        let total = state.total;
        if let Some(note) = note.filter(|note| Key::new(note).is_ok()) {
            cx.field(&note).put(&amount);
        }
        Ok(total)
    }

    /// Adds to another one later.
    pub fn add_later(
        cx: &mut Context<Self>,
        to: Key,
        amount: i64,
        delay_ms: u32,
    ) -> Result<SendId> {
        let delay = Duration::from_millis(delay_ms.into());
        Ok(cx.send_after(delay, Ledger::at(&to).add(amount, None)))
    }

    /// Takes everything that arguments can be.
    pub fn set(
        cx: &mut Context<Self>,
        large: u64,
        ratio: f32,
        initial: char,
        shape: Shape,
        tags: BTreeMap<String, Vec<Option<bool>>>,
        pair: (u8, String),
    ) -> Result<()> {
        let state = cx.state_mut();
        (state.large, state.ratio, state.initial) = (large, ratio, initial);
        (state.shape, state.tags, state.pair) = (shape, tags, pair);
        Ok(())
    }

    /// The notes after one.
    #[query]
    pub fn notes(cx: &mut QueryContext<Self>, after: String) -> Result<Vec<(String, i64)>> {
        cx.fields().range(after..).limit(100).read()
    }

    /// The sum.
    #[query]
    pub fn total(&self) -> Result<i64> {
        Ok(self.total)
    }
}

/// All of them.
pub fn entities() -> Entities {
    entities![Ledger]
}
