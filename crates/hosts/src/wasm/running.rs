//! What one transaction has of instances, memory and work, over all its calls into all modules.
//!
//! An instance that is free again serves the next call of the same transaction into its module, the
//! last one first: which instance a call gets follows from the calls alone.

use std::sync::Arc;

use ordain_engine::Tx;
use ordain_types::limits::{
    WASM_BYTES_PER_FUEL, WASM_FUEL_MAX, WASM_FUEL_PER_JSON_BYTE, WASM_IDLE_MAX,
};

use super::code::{Code, Pattern};
use super::instance::{Instance, Left, Memory};
use super::trap;
use super::warm::Warm;

/// Fuel that is left over where instances are not new: half of the limit. Passing it decides nothing;
/// the transaction then runs again in new instances, where the limit is exact. The start of an instance is
/// paid by each transaction that gets it. What else an instance's past may change of the fuel that a call
/// takes (a list of free memory that is longer, a table that has been made already) is far less, unless its
/// module keeps results of long calls: `docs/wasm.md`.
const INEXACT: u64 = WASM_FUEL_MAX / 2;

/// What a transaction has.
pub(super) struct Running {
    /// What is left of the fuel of the transaction.
    pub fuel: u64,
    memory: Arc<Memory>,
    idle: Vec<Free>,
}

impl Running {
    /// Whether instances with a past have run: counts are near, not exact.
    pub fn is_inexact(&self) -> bool {
        self.memory.is_inexact()
    }
}

/// An instance that waits.
struct Free {
    instance: Instance,
    after: After,
}

/// Where an instance goes after the transaction.
enum After {
    /// To the next one, since its module asked for that.
    Warm(Arc<Warm>),
    /// The same, once it is as new.
    Reset(Arc<Warm>, Arc<Pattern>),
    /// Nowhere.
    Gone,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            fuel: WASM_FUEL_MAX,
            memory: Arc::default(),
            idle: Vec::new(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for Free {
            mut instance,
            after,
        } in self.idle.drain(..)
        {
            match after {
                After::Warm(warm) => warm.put(instance),
                After::Reset(warm, pattern) if instance.reset(&pattern) => warm.put(instance),
                After::Reset(..) | After::Gone => {}
            }
        }
    }
}

/// An instance of the module for one call.
pub(super) fn take(tx: &mut Tx, code: &Code) -> Instance {
    let warm = code.reuse && !tx.careful();
    let running = tx.beside::<Running>();
    let of_code = |free: &Free| free.instance.code == code.pattern.id;
    if let Some(at) = running.idle.iter().rposition(of_code) {
        return running.idle.remove(at).instance;
    }
    if warm && !running.is_inexact() {
        running.memory.becomes_inexact();
        running.fuel = running.fuel.saturating_sub(INEXACT);
    }
    if warm && let Some(mut instance) = code.warm.take(code.pattern.id) {
        let memory = running.memory.clone();
        pay(tx, instance.start_fuel); // as if it had started for this transaction
        instance.joins(&memory);
        return instance;
    }
    if !code.reuse
        && let Some(mut instance) = code.warm.take(code.pattern.id)
        && let Some(left) = running.fuel.checked_sub(instance.start_fuel)
        && instance.joins_within(&running.memory)
    {
        running.fuel = left; // as if it had started for this transaction
        return instance;
    }
    let make = || Instance::new(&code.pattern, running.fuel, &running.memory);
    let mut made = make();
    if made
        .as_ref()
        .is_err_and(|unstarted| trap::is_want(&unstarted.error))
    {
        code.warm.clear(); // what only waits makes room
        made = make();
    }
    match made {
        Ok(instance) => {
            running.fuel = instance.fuel();
            instance
        }
        Err(unstarted) => trap::end(tx, &unstarted.error, unstarted.refused),
    }
}

/// Runs a call into an instance, which has nothing but its transaction's share of fuel and memory.
pub(super) fn within<R>(
    tx: &mut Tx,
    instance: &mut Instance,
    target: Option<Arc<super::method::Target>>,
    run: impl FnOnce(&mut Tx, &mut Instance) -> R,
) -> (R, Left) {
    let running = tx.beside::<Running>();
    instance.begin(target, running.fuel);
    let result = run(tx, instance);
    let left = instance.end();
    tx.beside::<Running>().fuel = left.fuel;
    (result, left)
}

/// The price of a text that crosses.
pub(super) fn price_of_text(bytes: usize) -> u64 {
    bytes as u64 / WASM_BYTES_PER_FUEL
}

/// What one is paid besides that is read as JSON, which takes longer.
pub(super) fn price_of_json(bytes: usize) -> u64 {
    bytes as u64 * WASM_FUEL_PER_JSON_BYTE
}

/// Pays for a text where no instance runs that could.
pub(super) fn pay_for_text(tx: &mut Tx, bytes: usize) {
    pay(tx, price_of_text(bytes));
}

/// The same of one that is read as JSON.
pub(super) fn pay_for_json(tx: &mut Tx, bytes: usize) {
    pay(tx, price_of_text(bytes) + price_of_json(bytes));
}

fn pay(tx: &mut Tx, fuel: u64) {
    let running = tx.beside::<Running>();
    match running.fuel.checked_sub(fuel) {
        Some(left) => running.fuel = left,
        None => trap::end(tx, &wasmtime::Trap::OutOfFuel.into(), false),
    }
}

/// Takes an instance back whose call came to its end.
pub(super) fn give_back(tx: &mut Tx, code: &Code, instance: Instance) {
    let after = match (code.reuse, tx.careful()) {
        (true, false) => After::Warm(code.warm.clone()),
        (true, true) => After::Gone, // among those that wait none is new
        (false, _) => After::Reset(code.warm.clone(), code.pattern.clone()),
    };
    let idle = &mut tx.beside::<Running>().idle;
    if idle.len() == WASM_IDLE_MAX {
        idle.remove(0);
    }
    idle.push(Free { instance, after });
}
