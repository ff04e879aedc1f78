//! What the next calls will need, read before they run.
//!
//! With a million entities a call waits for memory longer than it computes: for the table's entry of
//! each entity it touches, and for its slot. Asked one after the other these are so many waits; asked for
//! several calls at once they are about one. Nothing comes of it but that memory is near: neither
//! outcomes nor state depend on it, and a wrong guess costs a look.

use ordain_types::Call;

use crate::slots::Slots;
use crate::{Catalog, Tx, TypeIndex};

/// For how many calls one looks ahead: of more, what was read first would be far away again.
pub const FORESEEN: usize = 8;

/// How many texts among its arguments are taken for keys, of each call.
const GUESSES: usize = 2;

const _: () = assert!(FORESEEN * (1 + GUESSES) <= Slots::TOGETHER);

impl Tx {
    pub(crate) fn foresee<'a>(&self, calls: impl Iterator<Item = &'a Call>) {
        let touched = calls
            .take(FORESEEN)
            .flat_map(|call| touched(&self.catalog, call));
        self.slots.foresee(touched);
    }
}

/// The entity that is called, and those that may be called by it.
fn touched<'a>(
    catalog: &Catalog,
    call: &'a Call,
) -> impl Iterator<Item = (TypeIndex, &'a str)> + use<'a> {
    let ty = catalog.place(call.entity.ty.as_str());
    let keys = [call.entity.key.as_str()].into_iter();
    let keys = keys.chain(texts(&call.args).take(GUESSES));
    ty.into_iter()
        .flat_map(move |ty| keys.clone().map(move |key| (ty, key)))
}

/// Texts among arguments: an entity often calls others of its own type, and is told their keys. Those with
/// escapes come in pieces, which are no keys then.
fn texts(args: &[u8]) -> impl Iterator<Item = &str> + Clone {
    let parts = args.split(|byte| *byte == b'"');
    let values = parts.clone().zip(parts.skip(1));
    let values = values.filter(|(before, _)| before.ends_with(b":"));
    values.filter_map(|(_, value)| str::from_utf8(value).ok())
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
