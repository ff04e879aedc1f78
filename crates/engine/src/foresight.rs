//! What the next calls will need, read before they run.
//!
//! With a million entities a call waits for memory longer than it computes: for the table's entry of
//! each entity it touches, for its slot, and for its value. Asked one after the other these are so many
//! waits; asked for several calls at once they are about one. Nothing comes of it but that memory is
//! near: neither outcomes nor state depend on it, and a wrong guess costs a look.

use ordain_types::Call;

use crate::Tx;
use crate::slots::{TOGETHER_MAX, Together};

/// For how many calls one looks ahead: of more, what was read first would be far away again. Whoever has
/// commands of which few are calls looks at no more of them than these.
pub const FORESEEN: usize = 8;

/// Up to so many entities are in the processor's caches anyway.
const NEAR: usize = 4_096;

/// How many texts among its arguments are taken for keys, of each call, and in how many bytes of them.
const GUESSES: usize = 2;
const LOOKED_AT: usize = 96;

const _: () = assert!(FORESEEN * (1 + GUESSES) <= TOGETHER_MAX);

impl Tx {
    pub(crate) fn foresee<'a>(&self, calls: impl Iterator<Item = &'a Call>) {
        if self.slots.len() <= NEAR {
            return;
        }
        let mut together = Together::new(&self.slots);
        for call in calls.take(FORESEEN) {
            let Some(ty) = self.catalog.place(call.entity.ty.as_str()) else {
                continue;
            };
            together.add(ty, call.entity.key.as_str());
            // An entity often calls others of its own type, and is told their keys.
            let keys = texts(&call.args).take(GUESSES);
            keys.for_each(|key| together.add(ty, key));
        }
        together.read();
    }
}

/// Texts among the first arguments. Those with escapes come in pieces.
fn texts(args: &[u8]) -> impl Iterator<Item = &str> {
    let begin = &args[..args.len().min(LOOKED_AT)];
    let mut value = false;
    let parts = begin.split(|byte| *byte == b'"').filter(move |part| {
        let is_one = value;
        value = part.ends_with(b":");
        is_one
    });
    parts.filter_map(|part| str::from_utf8(part).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_values_and_no_names() {
        let of = |args: &'static str| texts(args.as_bytes()).collect::<Vec<_>>();
        assert_eq!(of(r#"{"to":"bob","amount":5}"#), ["bob"]);
        assert_eq!(of(r#"{"from":"a","to":"b"}"#), ["a", "b"]);
        assert_eq!(of("{}"), [""; 0]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(of(r#"{"n":5}"#), [""; 0]);
    }
}
