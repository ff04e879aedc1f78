//! Room for a text on its way into or out of the interpreter, kept from one to the next.

use std::cell::Cell;

thread_local! {
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A longer text's room is not kept.
const KEPT_BYTES: usize = 64 << 10;

/// Gives the room to `run`, empty. Who asks for it meanwhile gets another.
pub fn with<R>(run: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut room = ROOM.take();
    room.clear();
    let result = run(&mut room);
    if room.capacity() <= KEPT_BYTES {
        ROOM.set(room);
    }
    result
}
