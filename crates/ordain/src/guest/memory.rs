//! The module's allocator. A call usually takes a few kilobytes of an instance as new: those come from
//! room that its memory has from the start, one block after the other, and only what does not fit goes to
//! Rust's allocator. That one asks the host for more memory before it gives any, which takes the host
//! longer than a small method runs. Once no block of the room is left, as between the calls of an instance that is
//! kept, it is given from its start again.

#![expect(
    unsafe_code,
    reason = "an allocator gives raw memory: the one room for it, and each block says why it holds"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Bytes of the room.
const BYTES: usize = 64 << 10;

#[cfg_attr(target_arch = "wasm32", global_allocator)]
static ROOM: Room = Room {
    bytes: UnsafeCell::new([0; BYTES / 16]),
    taken: Cell::new(0),
    live: Cell::new(0),
};

const _: () = assert!(align_of::<u128>() == 16);

struct Room {
    /// Of numbers that are aligned to 16 bytes.
    bytes: UnsafeCell<[u128; BYTES / 16]>,
    /// Bytes given away, from the start on.
    taken: Cell<usize>,
    /// Blocks given away and not freed.
    live: Cell<usize>,
}

// SAFETY: a module has one thread.
unsafe impl Sync for Room {}

impl Room {
    fn start(&self) -> *mut u8 {
        self.bytes.get().cast()
    }

    /// Where in the room a block begins; none: it is not from here.
    fn place(&self, block: *mut u8) -> Option<usize> {
        let at = (block as usize).checked_sub(self.start() as usize)?;
        (at < BYTES).then_some(at)
    }
}

// SAFETY: a block from the room lies within it, is aligned (the room to 16 bytes, and more goes to the
// other allocator) and overlaps no other: `taken` is behind every block that was given and not freed, and goes back
// only over the last one, when it is freed, or to the start, when none is left. Whatever is not in the room came from
// `System`.
unsafe impl GlobalAlloc for Room {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let at = self.taken.get().next_multiple_of(layout.align());
        let end = at.saturating_add(layout.size());
        if end > BYTES || layout.align() > 16 {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        }
        self.taken.set(end);
        self.live.set(self.live.get() + 1);
        // SAFETY: `at` is within the room.
        unsafe { self.start().add(at) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(at) = self.place(block) else {
            // SAFETY: it is not from the room.
            return unsafe { System.dealloc(block, layout) };
        };
        let live = self.live.get() - 1;
        self.live.set(live);
        if live == 0 {
            self.taken.set(0);
        } else if at + layout.size() == self.taken.get() {
            self.taken.set(at);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(at) = self.place(block) else {
            // SAFETY: it is not from the room.
            return unsafe { System.realloc(block, layout, size) };
        };
        let is_last = at + layout.size() == self.taken.get();
        if is_last && at.saturating_add(size) <= BYTES {
            self.taken.set(at + size);
            return block;
        }
        // SAFETY: the new layout is sound by the caller's promise; both blocks hold what is copied, and do not
        // overlap, for the old one is freed after.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).expect("a sound layout")
    }

    /// Blocks freed in whatever order leave the room as it was, wherever they went meanwhile.
    #[test]
    fn the_room_is_given_again_once_no_block_is_left() {
        let start = ROOM.start() as usize;
        for round in 0..100 {
            // SAFETY: each block is given back once, with the layout that it has by then, and written within it.
            unsafe {
                let first = ROOM.alloc(layout(1_000));
                assert_eq!(first as usize, start, "{round}");
                let second = ROOM.alloc(layout(24));
                second.write_bytes(7, 24);
                let third = ROOM.alloc(layout(100));
                let third = ROOM.realloc(third, layout(100), 200); // in its place
                ROOM.dealloc(first, layout(1_000));
                let moved = ROOM.realloc(second, layout(24), 48); // within the room
                assert!(ROOM.place(moved).is_some() && moved != second);
                ROOM.dealloc(third, layout(200));
                let fourth = ROOM.alloc(layout(8));
                assert_ne!(fourth as usize, start, "one is left");
                let large = ROOM.realloc(moved, layout(48), BYTES + 1); // out of it
                assert!(ROOM.place(large).is_none());
                assert_eq!(*large.add(23), 7);
                ROOM.dealloc(fourth, layout(8));
                ROOM.dealloc(large, layout(BYTES + 1));
            }
        }
    }
}
