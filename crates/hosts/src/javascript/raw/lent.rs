//! The running transaction, lent to functions that the interpreter calls: they are called through C and
//! get no Rust reference.

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
pub fn lend<R>(tx: &mut Tx, run: impl FnOnce() -> R) -> R {
    let _restore = Restore(TX.replace(Some(NonNull::from(tx))));
    run()
}

/// Gives the lent transaction to `run`; none: nothing is lent here (a module starts, say).
pub fn lent<R>(run: impl FnOnce(&mut Tx) -> R) -> Option<R> {
    let mut tx = TX.take()?;
    let _restore = Restore(Some(tx));
    // SAFETY: the pointer comes from the `&mut Tx` of a `lend` that is on this thread's stack below:
    // `Restore` takes it away when that ends, and a thread's own pointer reaches no other thread. The
    // lender cannot use its reference meanwhile, since `lend` holds it. No second `lent` has it, since
    // it was taken out and is put back only when `run` has ended; an inner `lend` gets a reborrow of the
    // reference made here, and puts `None` back when it ends.
    Some(run(unsafe { tx.as_mut() }))
}
