//! The running transaction, lent to functions that foreign code calls: between them and the method that
//! was begun stand frames of an interpreter or a sandbox, through which no Rust reference passes. All
//! hosts on a thread lend by this one place, whoever calls whom.

#![expect(
    unsafe_code,
    reason = "one pointer, whose scope is the function that lends it"
)]

use std::cell::Cell;
use std::ptr::NonNull;

use ordain_engine::Tx;

thread_local! {
    /// The transaction that the innermost [`lend`] lends and that no [`lent`] has taken.
    static TX: Cell<Option<NonNull<Tx>>> = const { Cell::new(None) };
}

/// Puts back what was there before, however the scope is left.
struct Restore(Option<NonNull<Tx>>);

impl Drop for Restore {
    fn drop(&mut self) {
        TX.set(self.0);
    }
}

/// Lends `tx` while `run` runs, which cannot reach it otherwise.
pub(crate) fn lend<R>(tx: &mut Tx, run: impl FnOnce() -> R) -> R {
    let _restore = Restore(TX.replace(Some(NonNull::from(tx))));
    run()
}

/// Lends nothing while `run` runs.
pub(crate) fn lend_nothing<R>(run: impl FnOnce() -> R) -> R {
    let _restore = Restore(TX.take());
    run()
}

/// Gives the lent transaction to `run`; none: nothing is lent here.
pub(crate) fn lent<R>(run: impl FnOnce(&mut Tx) -> R) -> Option<R> {
    let mut tx = TX.take()?;
    let _restore = Restore(Some(tx));
    // SAFETY: the pointer is that of a `lend` further down this thread's stack: `Restore` takes it away
    // before that returns or unwinds, and a thread-local reaches no other thread. The lender's own
    // reference is not used meanwhile, since `lend` has it as its argument. No second `lent` has the
    // pointer: it was taken out, and is put back when `run` has ended. A `lend` within `run` lends a
    // reborrow of the reference made here, and leaves nothing behind.
    Some(run(unsafe { tx.as_mut() }))
}
