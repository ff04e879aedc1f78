//! The interpreter's memory: taken from Rust's allocator and counted by a [`Meter`].

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use rquickjs::allocator::Allocator;
use rquickjs::{Ctx, Result, Runtime, qjs};

use crate::javascript::meter::Meter;

/// Bytes before each block, which hold its size. As many as keep the block's alignment.
const HEADER: usize = 16;

/// An allocator that a meter counts.
struct Metered {
    meter: Rc<Meter>,
    collector: Collector,
}

/// The garbage collector of a runtime, which rests once memory was refused: the interpreter throws its error in the
/// middle of things, makes an object for that, and would collect among what is half done, which ends the process. A
/// runtime that was refused something is dropped when the call has ended.
#[derive(Clone, Default)]
pub struct Collector(Rc<Cell<Option<NonNull<qjs::JSRuntime>>>>);

impl Collector {
    /// From now on that of the context's runtime.
    pub fn belongs_to(&self, ctx: &Ctx<'_>) {
        // SAFETY: a context has a runtime.
        let runtime = unsafe { qjs::JS_GetRuntime(ctx.as_raw().as_ptr()) };
        self.0.set(NonNull::new(runtime));
    }

    fn rests(&self) {
        if let Some(runtime) = self.0.get() {
            // SAFETY: it is asked for memory, so it is alive; this sets a number in it.
            unsafe { qjs::JS_SetGCThreshold(runtime.as_ptr(), usize::MAX as _) };
        }
    }
}

/// A runtime whose memory and work a meter counts. Its collector is to be told to which context it belongs.
///
/// # Errors
/// If it cannot be made.
pub fn runtime(meter: &Rc<Meter>) -> Result<(Runtime, Collector)> {
    let collector = Collector::default();
    let runtime = Runtime::new_with_alloc(Metered {
        meter: meter.clone(),
        collector: collector.clone(),
    })?;
    let ticks = meter.clone();
    runtime.set_interrupt_handler(Some(Box::new(move || ticks.tick())));
    Ok((runtime, collector))
}

impl Metered {
    fn refused(&self) -> *mut u8 {
        self.collector.rests();
        std::ptr::null_mut()
    }

    fn layout(size: usize) -> Option<Layout> {
        let whole = size.checked_add(HEADER)?;
        Layout::from_size_align(whole, HEADER).ok()
    }

    fn take(&self, size: usize, zeroed: bool) -> *mut u8 {
        let Some(layout) = Self::layout(size) else {
            return self.refused();
        };
        if !self.meter.take(size) {
            return self.refused();
        }
        // SAFETY: the layout is never empty, it has the header.
        let block = unsafe {
            match zeroed {
                true => alloc_zeroed(layout),
                false => alloc(layout),
            }
        };
        // SAFETY: the block was just made with room for the header, aligned for it.
        unsafe { with_size(block, size) }
    }
}

/// Writes the size into a block's header and gives what lies behind it; null stays null.
///
/// # Safety
/// The block is null, or has room for a header and is aligned as one.
unsafe fn with_size(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        return block;
    }
    // SAFETY: the caller's promise.
    unsafe {
        block.cast::<usize>().write(size);
        block.add(HEADER)
    }
}

/// The size of a block.
///
/// # Safety
/// `at` comes from [`with_size`] and was not freed.
unsafe fn size_of(at: *mut u8) -> usize {
    // SAFETY: the header lies before what `with_size` gave.
    unsafe { at.sub(HEADER).cast::<usize>().read() }
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
        unsafe {
            let size = size_of(at);
            self.meter.give(size);
            dealloc(
                at.sub(HEADER),
                Layout::from_size_align_unchecked(size + HEADER, HEADER),
            );
        }
    }

    unsafe fn realloc(&mut self, at: *mut u8, new: usize) -> *mut u8 {
        if at.is_null() {
            return self.alloc(new);
        }
        // SAFETY: the interpreter gives what it got here.
        let old = unsafe { size_of(at) };
        let Some(layout) = Self::layout(new) else {
            return self.refused();
        };
        if new > old && !self.meter.grows(old, new) {
            return self.refused();
        }
        self.meter.give(old.saturating_sub(new));
        // SAFETY: the block was made with this layout, and the new size was just checked to make one.
        unsafe {
            let from = Layout::from_size_align_unchecked(old + HEADER, HEADER);
            with_size(realloc(at.sub(HEADER), from, layout.size()), new)
        }
    }

    unsafe fn usable_size(at: *mut u8) -> usize {
        // SAFETY: the interpreter asks of what it got here.
        unsafe { size_of(at) }
    }
}
