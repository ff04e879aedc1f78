//! The interpreter's memory: taken from Rust's allocator and counted by a [`Meter`].

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use rquickjs::allocator::Allocator;
use rquickjs::{Ctx, Result, Runtime, qjs};

use crate::javascript::meter::{LARGE, Meter};

/// What stands before each block, aligned as blocks are to be.
#[repr(align(16))]
struct Header {
    size: usize,
    /// Which of the allocator's blocks it is.
    place: usize,
}

const HEADER: usize = size_of::<Header>();

/// An allocator that a meter counts.
struct Metered {
    meter: Rc<Meter>,
    brake: Brake,
    /// All that are not given back. The interpreter forgets some where it is refused others: those go with it.
    blocks: Vec<NonNull<Header>>,
}

/// What stops an interpreter where it stands, once a limit was passed or it was refused memory. The library looks for that
/// every ten thousand steps only; until then it would make small blocks past the limit, and come to where it is refused
/// those too, in the middle of any of its own functions. Those are trusted with it where they ask for large blocks, and
/// where it is what they took themselves that passed the limit by much. (`JSON.stringify` forgets to free what it
/// holds where it finds no memory for an index, and what is not freed ends the process.) So:
///
/// - No call begins any more, of a function of the module or of the interpreter, nor a level of JSON or of a pattern: it
///   finds no stack.
/// - No garbage is collected: the interpreter throws the error in the middle of things, makes an object for that, and
///   would collect among what is half done, which ends the process.
///
/// It is for good: a runtime that passed a limit is dropped when the call has ended.
#[derive(Clone, Default)]
pub struct Brake(Rc<Cell<Option<NonNull<qjs::JSRuntime>>>>);

/// Bytes of a stack that ends above all there is of it: so many are below nothing, and it begins where it was entered last,
/// which may be deeper than where it is stopped.
const NO_STACK: usize = (1_usize << 30).wrapping_neg();

impl Brake {
    /// From now on that of the context's runtime, in which a module is to begin.
    pub fn belongs_to(&self, ctx: &Ctx<'_>) {
        // SAFETY: a context has a runtime.
        let runtime = unsafe { qjs::JS_GetRuntime(ctx.as_raw().as_ptr()) };
        self.0.set(NonNull::new(runtime));
    }

    fn is_fitted(&self) -> bool {
        self.0.get().is_some()
    }

    fn pull(&self) {
        if let Some(runtime) = self.0.get() {
            // SAFETY: it asks for memory, so it is alive; both only set numbers in it.
            unsafe {
                qjs::JS_SetGCThreshold(runtime.as_ptr(), usize::MAX as _);
                qjs::JS_SetMaxStackSize(runtime.as_ptr(), NO_STACK as _);
            }
        }
    }
}

/// A runtime whose memory and work a meter counts. Its brake is to be told to which context it belongs.
///
/// # Errors
/// If it cannot be made.
pub fn runtime(meter: &Rc<Meter>) -> Result<(Runtime, Brake)> {
    let brake = Brake::default();
    let runtime = Runtime::new_with_alloc(Metered {
        meter: meter.clone(),
        brake: brake.clone(),
        blocks: Vec::new(),
    })?;
    let ticks = meter.clone();
    runtime.set_interrupt_handler(Some(Box::new(move || ticks.tick())));
    Ok((runtime, brake))
}

impl Metered {
    fn refused(&self) -> *mut u8 {
        self.brake.pull();
        std::ptr::null_mut()
    }

    fn layout(size: usize) -> Option<Layout> {
        let whole = size.checked_add(HEADER)?;
        Layout::from_size_align(whole, HEADER).ok()
    }

    /// Counts a block that is to be taken, or to grow by so much.
    fn counts(&self, old: usize, new: usize) -> bool {
        let taken = self.meter.takes(old, new, self.brake.is_fitted());
        if self.meter.is_spent() {
            self.brake.pull();
        }
        taken
    }

    /// The machine has no such block, which is to be counted no more.
    fn wants(&self, bytes: usize, layout: Layout) -> *mut u8 {
        if layout.size() < LARGE {
            handle_alloc_error(layout); // as for all else in this process
        }
        self.meter.give(bytes);
        self.meter.wants();
        self.refused()
    }

    fn take(&mut self, size: usize, zeroed: bool) -> *mut u8 {
        let Some(layout) = Self::layout(size) else {
            return self.refused();
        };
        if !self.counts(0, size) {
            return self.refused();
        }
        // SAFETY: the layout is never empty, it has the header.
        let block = unsafe {
            match zeroed {
                true => alloc_zeroed(layout),
                false => alloc(layout),
            }
        };
        let Some(block) = NonNull::new(block.cast::<Header>()) else {
            return self.wants(size, layout);
        };
        let place = self.blocks.len();
        self.blocks.push(block);
        // SAFETY: the block was just made with room for the header, aligned for it.
        unsafe {
            block.write(Header { size, place });
            block.add(1).as_ptr().cast()
        }
    }

    /// Frees a block.
    ///
    /// # Safety
    /// It is one of `blocks`.
    unsafe fn free(&mut self, block: NonNull<Header>) {
        // SAFETY: the headers of all blocks are alive, and none is lent; the layout is what the block was made with.
        unsafe {
            let Header { size, place } = block.read();
            self.blocks.swap_remove(place);
            if let Some(moved) = self.blocks.get_mut(place) {
                moved.as_mut().place = place;
            }
            self.meter.give(size);
            let layout = Layout::from_size_align_unchecked(size + HEADER, HEADER);
            dealloc(block.as_ptr().cast(), layout);
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        while let Some(block) = self.blocks.last() {
            // SAFETY: it is one, and its runtime is gone.
            unsafe { self.free(*block) };
        }
    }
}

/// The header of a block.
///
/// # Safety
/// `at` was given by a [`Metered`] and not freed.
unsafe fn header(at: *mut u8) -> NonNull<Header> {
    // SAFETY: it lies before what was given.
    unsafe { NonNull::new_unchecked(at.cast::<Header>().sub(1)) }
}

// SAFETY: what is given is null or a block of at least the size asked for, aligned to 16 bytes, which is
// more than a `usize` asks; `usable_size` is the size asked for, which is there.
unsafe impl Allocator for Metered {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        self.take(size, false)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        match count.checked_mul(size) {
            Some(size) => self.take(size, true),
            None => self.refused(),
        }
    }

    unsafe fn dealloc(&mut self, at: *mut u8) {
        // SAFETY: the interpreter frees what it got here, once.
        unsafe { self.free(header(at)) };
    }

    unsafe fn realloc(&mut self, at: *mut u8, new: usize) -> *mut u8 {
        if at.is_null() {
            return self.alloc(new);
        }
        // SAFETY: the interpreter gives what it got here, whose header is alive.
        let (before, old) = unsafe { (header(at), header(at).as_ref().size) };
        let Some(layout) = Self::layout(new) else {
            return self.refused();
        };
        if new > old && !self.counts(old, new) {
            return self.refused();
        }
        // SAFETY: the block was made with this layout, and the new size was just checked to make one.
        let block = unsafe {
            let from = Layout::from_size_align_unchecked(old + HEADER, HEADER);
            realloc(before.as_ptr().cast(), from, layout.size())
        };
        let Some(mut block) = NonNull::new(block.cast::<Header>()) else {
            return self.wants(new.saturating_sub(old), layout); // and the old one stays
        };
        self.meter.give(old.saturating_sub(new));
        // SAFETY: the header came with the block.
        unsafe {
            block.as_mut().size = new;
            self.blocks[block.as_ref().place] = block;
            block.add(1).as_ptr().cast()
        }
    }

    unsafe fn usable_size(at: *mut u8) -> usize {
        // SAFETY: the interpreter asks of what it got here.
        unsafe { header(at).as_ref().size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::javascript::meter::Broken;

    #[test]
    fn a_machine_without_memory_is_no_limit_that_was_passed() {
        let meter = Rc::new(Meter::new());
        let metered = Metered {
            meter: meter.clone(),
            brake: Brake::default(),
            blocks: Vec::new(),
        };
        assert!(metered.counts(0, 2 * LARGE));
        let layout = Metered::layout(2 * LARGE).unwrap();
        assert!(metered.wants(2 * LARGE, layout).is_null());
        assert_eq!((meter.broken(), meter.held()), (Some(Broken::Machine), 0));
    }
}
