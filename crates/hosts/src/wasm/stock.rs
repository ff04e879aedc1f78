//! New instances, made ahead of the calls that need one by a thread of their own, which also takes apart
//! those that have served: both take longer than a small call. For each instance taken another is made,
//! and for each that was missing one more, so the stock follows the need; the one that waited longest
//! goes first when there are too many.
//!
//! What must hold: an instance from the stock cannot be told from one that the transaction made itself.
//! Neither sees a transaction while it starts; both are given the same memory, unless the transaction
//! had not enough of it or of fuel, and then it makes its own and fails where that fails.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use ordain_types::limits::{CALL_DEPTH_MAX, WASM_FUEL_MAX, WASM_IDLE_MAX, WASM_INSTANCES_MAX};

use super::code::{CodeId, Pattern};
use super::instance::{DoesNotStart, Instance, Memory};
use super::trap;
use super::warm::WARM_MAX;
use crate::lent::lend_nothing;

/// New instances that wait, of all modules.
const READY_MAX: usize = 32;
/// Instances that wait to be taken apart. Beyond that, who used one does it.
const USED_MAX: usize = 32;
/// Bytes of the memory of an instance, beyond which none is made ahead and none waits.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Fuel of the start of an instance, beyond which none is made ahead: what one module's starts take of the
/// keeper, all others lack.
const START_FUEL_MAX: u64 = WASM_FUEL_MAX / 10;

// Room for what a transaction has at its deepest, for all that wait, for one in the keeper's hand and
// for one that describes its module: the pool never refuses an instance.
const _: () = assert!(
    CALL_DEPTH_MAX + WASM_IDLE_MAX + WARM_MAX + READY_MAX + USED_MAX + 2 < WASM_INSTANCES_MAX
);

/// The stock, and the thread that keeps it.
pub(super) struct Stock {
    shelves: Arc<Shelves>,
    /// None where the system has no thread to give: then each makes its own.
    keeper: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shelves {
    goods: Mutex<Goods>,
    /// There is work, and the keeper sleeps.
    work: Condvar,
    /// The keeper has done all there was, and goes to sleep.
    rests: Condvar,
}

#[derive(Default)]
struct Goods {
    ready: VecDeque<Instance>,
    orders: VecDeque<Arc<Pattern>>,
    used: Vec<Instance>,
    /// Used instances that the keeper has in hand.
    in_hand: usize,
    asleep: bool,
    closing: bool,
}

impl Stock {
    #[expect(
        clippy::disallowed_methods,
        reason = "no outcome depends on this thread: what it makes ahead is made the same without it"
    )]
    pub fn open() -> Self {
        let shelves = Arc::<Shelves>::default();
        let of_keeper = shelves.clone();
        let keeper = std::thread::Builder::new()
            .name("ordain-instances".to_owned())
            .spawn(move || of_keeper.keep());
        Self {
            shelves,
            keeper: keeper.ok(),
        }
    }

    /// A new instance for a transaction that has so much fuel, from which its start is paid, and has
    /// taken so much memory.
    ///
    /// # Errors
    /// A trap of its start, or a limit.
    pub fn take(
        &self,
        pattern: &Arc<Pattern>,
        fuel: u64,
        memory: &Arc<Memory>,
    ) -> Result<Instance, DoesNotStart> {
        let ready = self
            .keeper
            .as_ref()
            .and_then(|_| self.shelves.take(pattern));
        if let Some(mut ready) = ready
            && let Some(left) = fuel.checked_sub(ready.start_fuel)
            && ready.joins_within(memory)
        {
            ready.set_fuel(left);
            return Ok(ready);
        }
        Instance::new(pattern, fuel, memory)
    }

    /// Has one that served taken apart.
    pub fn give_back(&self, instance: Instance) {
        if self.keeper.is_none() || instance.bytes() > WAITING_BYTES_MAX {
            return;
        }
        let mut goods = self.shelves.lock();
        if goods.used.len() + goods.in_hand < USED_MAX {
            goods.used.push(instance);
            self.shelves.wake(goods);
        }
    }

    /// Lets go of all that wait.
    pub fn clear(&self) {
        let mut goods = self.shelves.lock();
        goods.orders.clear();
        let gone = std::mem::take(&mut goods.ready);
        drop(goods); // taking instances apart takes its time
        drop(gone);
    }

    /// New instances that wait, once all that were ordered are made.
    pub fn ready(&self) -> usize {
        let goods = self.shelves.lock();
        if self.keeper.is_none() {
            return goods.ready.len();
        }
        // It sleeps while there is nothing to do, and only then: who brings work wakes it under the same lock.
        let at_work = |goods: &mut Goods| !goods.asleep;
        let goods = self.shelves.rests.wait_while(goods, at_work);
        goods.unwrap_or_else(PoisonError::into_inner).ready.len()
    }

    /// Lets go of those of a module that is gone.
    pub fn forget(&self, code: CodeId) {
        let mut goods = self.shelves.lock();
        goods.orders.retain(|pattern| pattern.id != code);
        let all = std::mem::take(&mut goods.ready);
        let (gone, kept): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|ready| ready.code == code);
        goods.ready = kept;
        drop(goods);
        drop(gone);
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        let mut goods = self.shelves.lock();
        goods.closing = true;
        self.shelves.wake(goods);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join(); // a panic of its own was printed, and there is nothing left to lose
        }
    }
}

impl Shelves {
    fn lock(&self) -> MutexGuard<'_, Goods> {
        self.goods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is ready, and another ordered.
    fn take(&self, pattern: &Arc<Pattern>) -> Option<Instance> {
        let mut goods = self.lock();
        let of_pattern = |ready: &Instance| ready.code == pattern.id;
        let at = goods.ready.iter().rposition(of_pattern);
        let ready = at.and_then(|at| goods.ready.remove(at));
        if goods.orders.len() < READY_MAX && !pattern.large.load(Ordering::Relaxed) {
            goods.orders.push_back(pattern.clone());
            self.wake(goods);
        }
        ready
    }

    /// Wakes the keeper if it sleeps: a call of the system, and most of the time none.
    fn wake(&self, mut goods: MutexGuard<'_, Goods>) {
        let asleep = std::mem::take(&mut goods.asleep);
        drop(goods);
        if asleep {
            self.work.notify_one();
        }
    }

    fn keep(&self) {
        let mut goods = self.lock();
        loop {
            if goods.closing {
                return;
            }
            let used = std::mem::take(&mut goods.used);
            let order = goods.orders.pop_front();
            if used.is_empty() && order.is_none() {
                goods.asleep = true;
                self.rests.notify_all();
                goods = self
                    .work
                    .wait(goods)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            goods.in_hand = used.len();
            drop(goods);
            drop(used);
            let ready = order.as_ref().and_then(|pattern| make(pattern));
            goods = self.lock();
            goods.in_hand = 0;
            match (ready, order) {
                (Some(ready), Some(order)) if Arc::strong_count(&order) > 1 => {
                    goods.ready.push_back(ready);
                }
                (ready, _) => goods.used.extend(ready), // no one needs it any more
            }
            if goods.ready.len() > READY_MAX
                && let Some(first) = goods.ready.pop_front()
            {
                goods.used.push(first);
            }
        }
    }
}

/// None if it does not start, or starts too large or too slowly: whoever needs it finds out. Where the machine
/// had no room, it may have some for the next.
fn make(pattern: &Pattern) -> Option<Instance> {
    match lend_nothing(|| Instance::new(pattern, START_FUEL_MAX, &Arc::default())) {
        Ok(instance) if instance.bytes() <= WAITING_BYTES_MAX => return Some(instance),
        Err(unstarted) if trap::is_want(&unstarted.error) => {}
        _ => pattern.large.store(true, Ordering::Relaxed),
    }
    None
}
