//! Entering a context, at the bottom of the stack and again from a function that the interpreter called.

use std::cell::Cell;

use rquickjs::{Context, Ctx, qjs};

thread_local! {
    /// Where the stack was when the first interpreter of this thread's stack was entered, or the last that is measured
    /// apart; 0: none is.
    static BASE: Cell<usize> = const { Cell::new(0) };
}

/// An entry into the interpreters of this thread: the stack is measured from the first.
pub struct Entry {
    first: bool,
    /// The base before it.
    before: usize,
}

impl Entry {
    /// Notes the entry. The second value says where the stack ends for the entries within.
    pub fn new(stack_bytes: usize) -> (Self, usize) {
        let before = BASE.get();
        let first = before == 0;
        if first {
            BASE.set(stack_address());
        }
        let entry = Self { first, before };
        (entry, BASE.get().saturating_sub(stack_bytes))
    }

    /// The same for what must not depend on what is below it on the stack: measured from here, as if it were the first.
    pub fn apart(stack_bytes: usize) -> (Self, usize) {
        let before = BASE.replace(0);
        let (mut entry, floor) = Self::new(stack_bytes);
        entry.before = before;
        (entry, floor)
    }

    /// Whether no interpreter was entered on this thread's stack before.
    pub fn is_first(&self) -> bool {
        self.first
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.first {
            BASE.set(self.before);
        }
    }
}

/// About where the stack is. It grows downwards wherever this project is built.
#[inline]
pub fn stack_address() -> usize {
    let mark = 0u8;
    std::hint::black_box(&raw const mark) as usize
}

/// A context that can be entered to any depth.
pub trait Inside {
    /// Runs `run` in the context, with the stack ending at `floor`.
    fn inside<R>(&self, floor: usize, run: impl for<'js> FnOnce(Ctx<'js>) -> R) -> R;
}

/// Lets the stack of an interpreter end at `floor`.
///
/// # Safety
/// The runtime is alive.
unsafe fn bound(runtime: *mut qjs::JSRuntime, floor: usize) {
    let bytes = match floor {
        0 => 0, // which the interpreter takes for no bound
        floor => stack_address().saturating_sub(floor).max(1),
    };
    // SAFETY: the caller's promise. Both calls only set the bounds that the interpreter compares its stack pointer
    // with; they are the same for every entry within one outermost entry, but for the few bytes by which `here`
    // and the C function see the stack differently.
    unsafe {
        qjs::JS_UpdateStackTop(runtime);
        qjs::JS_SetMaxStackSize(runtime, bytes as _);
    }
}

/// Lets an interpreter that was stopped go on, on a stack that ends at `floor`.
pub fn release(ctx: &Ctx<'_>, floor: usize) {
    // SAFETY: a context has a runtime.
    unsafe { bound(qjs::JS_GetRuntime(ctx.as_raw().as_ptr()), floor) };
}

impl Inside for Context {
    fn inside<R>(&self, floor: usize, run: impl for<'js> FnOnce(Ctx<'js>) -> R) -> R {
        // SAFETY: the runtime lives as long as `self`.
        unsafe { bound(self.get_runtime_ptr(), floor) };
        // SAFETY: `from_raw` asks that the runtime is locked, and that the lifetime is unique. Without the
        // feature `parallel` the lock is a `RefCell` that keeps `Context::with` from nesting; what it
        // protects is that one thread at a time uses the runtime, and neither `Runtime` nor `Context` can
        // leave its thread (both are `!Send`). QuickJS itself is made to be entered again from a function
        // that it calls. The lifetime cannot leave: `run` must take any, so nothing of it is in `R`.
        let ctx = unsafe { Ctx::from_raw(self.as_raw()) };
        run(ctx)
    }
}
