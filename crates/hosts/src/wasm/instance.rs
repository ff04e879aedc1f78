//! One instance of a module with its memory, its limits and the call it is in. It serves one call at a
//! time: a call that comes back to the module gets another instance.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ordain_engine::State;
use ordain_types::limits::{
    WASM_CROSSING_BYTES_MAX, WASM_MEMORY_BYTES_MAX, WASM_MODULES_PER_COMPONENT_MAX,
    WASM_TABLE_ELEMENTS_MAX, WASM_TRANSACTION_MEMORY_BYTES_MAX,
};
use wasmtime::component::{Instance as Component, TypedFunc};
use wasmtime::{ResourceLimiter, Store, Trap};

use super::code::{CodeId, Pattern};
use super::method::Target;
use super::reset::{Plan, Reset};
use super::trap;
use super::warm::WARM_INSTANCE_BYTES_MAX;
use super::world::{Manifest, Rejection};

/// A method's call: entity type, method and arguments in, value or rejection out.
type Invoke = TypedFunc<(Arc<str>, Arc<str>, Arc<str>), (Result<String, Rejection>,)>;
/// Entity type, state and its version in, state out.
type Migrate = TypedFunc<(Arc<str>, String, u32), (String,)>;

/// An instance.
pub(super) struct Instance {
    pub code: CodeId,
    /// Fuel that its start took.
    pub start_fuel: u64,
    store: Store<Data>,
    component: Component,
    invoke: Invoke,
    /// How it is set back; none if it cannot be.
    reset: Option<Reset>,
    /// Bytes of its memory and tables as it was new.
    new_bytes: usize,
}

/// What the functions that a module imports find beside its memory.
pub(super) struct Data {
    pub limits: Limits,
    /// The method that runs; none while the module describes itself or migrates a state.
    pub target: Option<Arc<Target>>,
    pub held: Option<Held>,
    /// What unwound out of the transaction, to go on when the module's frames are gone.
    pub unwinding: Option<Box<dyn Any + Send>>,
}

/// The state of the method's entity, kept from everyone else.
pub(super) struct Held {
    pub state: Box<dyn State>,
    pub write: bool,
}

/// What an instance leaves behind when its call ended.
pub(super) struct Left {
    pub fuel: u64,
    pub held: Option<Held>,
    pub unwinding: Option<Box<dyn Any + Send>>,
    /// It was refused memory.
    pub refused: bool,
}

/// Why there is no instance.
pub(super) struct DoesNotStart {
    pub error: wasmtime::Error,
    /// It was refused memory.
    pub refused: bool,
}

impl Instance {
    /// A new instance, for a transaction that has so much fuel and has taken so much memory.
    ///
    /// # Errors
    /// A trap of its start, or a limit.
    pub fn new(pattern: &Pattern, fuel: u64, memory: &Arc<Memory>) -> Result<Self, DoesNotStart> {
        let data = Data {
            limits: Limits::new(memory.clone()),
            target: None,
            held: None,
            unwinding: None,
        };
        let mut store = Store::new(pattern.pre.engine(), data);
        store.limiter(|data| &mut data.limits);
        store.set_hostcall_fuel(WASM_CROSSING_BYTES_MAX);
        let left = fuel.checked_sub(pattern.start_fuel);
        let left = left.ok_or_else(|| Trap::OutOfFuel.into());
        let started = left.and_then(|left| {
            store.set_fuel(left)?;
            let component = pattern.pre.instantiate(&mut store)?;
            let invoke = component.get_typed_func(&mut store, pattern.exports.invoke)?;
            Ok((component, invoke))
        });
        match started {
            Ok((component, invoke)) => {
                let start_fuel = fuel - store.get_fuel().expect("fuel is counted");
                let new_bytes = store.data().limits.bytes;
                let plan = pattern.plan.as_ref();
                let plan = plan.filter(|_| new_bytes <= WARM_INSTANCE_BYTES_MAX);
                let learn = |plan: &Plan| plan.learn(&component, &mut store);
                let Ok(reset) = plan.map_or(Ok(None), learn) else {
                    drop(store); // it is not as new, and its memory is given back
                    return Self::new(pattern, fuel, memory);
                };
                Ok(Self {
                    code: pattern.id,
                    start_fuel,
                    new_bytes,
                    store,
                    component,
                    invoke,
                    reset,
                })
            }
            Err(error) => Err(DoesNotStart {
                error,
                refused: store.data().limits.refused,
            }),
        }
    }

    /// Begins a call.
    pub fn begin(&mut self, target: Option<Arc<Target>>, fuel: u64) {
        let data = self.store.data_mut();
        data.target = target;
        data.limits.refused = false;
        self.set_fuel(fuel);
    }

    /// Ends it, however it went.
    pub fn end(&mut self) -> Left {
        let fuel = self.fuel();
        let data = self.store.data_mut();
        data.target = None;
        Left {
            fuel,
            held: data.held.take(),
            unwinding: data.unwinding.take(),
            refused: data.limits.refused,
        }
    }

    /// The fuel that is left.
    pub fn fuel(&self) -> u64 {
        self.store.get_fuel().expect("fuel is counted")
    }

    pub fn set_fuel(&mut self, fuel: u64) {
        self.store.set_fuel(fuel).expect("fuel is counted");
    }

    /// Bytes of its memory and tables.
    pub fn bytes(&self) -> usize {
        self.store.data().limits.bytes
    }

    /// Makes it what it was when it was new; false if it cannot be, and is to be let go.
    pub fn reset(&mut self, pattern: &Pattern) -> bool {
        let (Some(reset), Some(plan)) = (&self.reset, &pattern.plan) else {
            return false;
        };
        self.store.data().limits.bytes == self.new_bytes && plan.apply(reset, &mut self.store)
    }

    /// Counts its memory as that of another transaction.
    pub fn joins(&mut self, memory: &Arc<Memory>) {
        self.store.data_mut().limits.joins(memory);
    }

    /// The same, unless the transaction then had more than its limit.
    pub fn joins_within(&mut self, memory: &Arc<Memory>) -> bool {
        let all = memory.bytes().saturating_add(self.bytes());
        let within = all <= WASM_TRANSACTION_MEMORY_BYTES_MAX;
        if within {
            self.joins(memory);
        }
        within
    }

    pub fn invoke(
        &mut self,
        ty: &Arc<str>,
        method: &Arc<str>,
        args: &Arc<str>,
    ) -> wasmtime::Result<Result<String, Rejection>> {
        let params = (ty.clone(), method.clone(), args.clone());
        Ok(self.invoke.call(&mut self.store, params)?.0)
    }

    pub fn migrate(
        &mut self,
        pattern: &Pattern,
        ty: &Arc<str>,
        state: String,
        from: u32,
    ) -> wasmtime::Result<String> {
        let function = self.migration(pattern)?;
        Ok(function.call(&mut self.store, (ty.clone(), state, from))?.0)
    }

    /// The function that [`Instance::migrate`] calls.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn migration(&mut self, pattern: &Pattern) -> wasmtime::Result<Migrate> {
        let (component, export) = (&self.component, pattern.exports.migrate);
        component.get_typed_func(&mut self.store, export)
    }

    pub fn describe(&mut self, pattern: &Pattern) -> wasmtime::Result<Manifest> {
        let (component, store) = (&self.component, &mut self.store);
        let function =
            component.get_typed_func::<(), (Manifest,)>(&mut *store, pattern.exports.describe)?;
        Ok(function.call(store, ())?.0)
    }
}

/// The memory of all instances of one transaction.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bytes: AtomicUsize,
    inexact: AtomicBool,
}

impl Memory {
    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) // one thread runs a transaction
    }

    /// Whether an instance with a past may have been among them: its memory is then counted, and may be
    /// larger than that of a new one. What is refused from then on, to whichever instance, decides nothing.
    pub fn is_inexact(&self) -> bool {
        self.inexact.load(Ordering::Relaxed)
    }

    pub fn becomes_inexact(&self) {
        self.inexact.store(true, Ordering::Relaxed);
    }
}

/// Bytes of an element of a table.
const TABLE_ELEMENT_BYTES: usize = 8;

/// The memory of one instance with its tables, within that of its transaction.
pub(super) struct Limits {
    bytes: usize,
    memory: Arc<Memory>,
    refused: bool,
}

impl Limits {
    pub fn new(memory: Arc<Memory>) -> Self {
        Self {
            bytes: 0,
            memory,
            refused: false,
        }
    }

    fn joins(&mut self, memory: &Arc<Memory>) {
        self.memory.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        memory.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        self.memory = memory.clone();
    }

    fn take(&mut self, more: usize) -> bool {
        let all = self.memory.bytes().saturating_add(more);
        if all > WASM_TRANSACTION_MEMORY_BYTES_MAX {
            return false;
        }
        self.memory.bytes.store(all, Ordering::Relaxed);
        self.bytes += more;
        true
    }

    /// Tells the module of a refusal that is the same wherever and whenever the transaction runs. Any other ends
    /// the run, which is done again with exact counts.
    fn answer(&mut self, granted: bool) -> wasmtime::Result<bool> {
        self.refused |= !granted;
        match granted || !self.memory.is_inexact() {
            true => Ok(granted),
            false => Err(wasmtime::Error::msg("to be counted exactly")),
        }
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        self.memory.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let within = maximum.is_none_or(|maximum| desired <= maximum);
        let within = within && desired <= WASM_MEMORY_BYTES_MAX;
        let granted = within && self.take(desired.saturating_sub(current));
        self.answer(granted)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let within = maximum.is_none_or(|maximum| desired <= maximum);
        let within = within && desired <= WASM_TABLE_ELEMENTS_MAX;
        let more = desired.saturating_sub(current) * TABLE_ELEMENT_BYTES;
        let granted = within && self.take(more);
        self.answer(granted)
    }

    /// The machine's refusal is not the module's to make something of: in a replay it may not come.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        match trap::is_want(&error) {
            true => Err(error),
            false => Ok(()),
        }
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_grow_failed(error)
    }

    fn instances(&self) -> usize {
        WASM_MODULES_PER_COMPONENT_MAX
    }

    fn tables(&self) -> usize {
        WASM_MODULES_PER_COMPONENT_MAX
    }

    fn memories(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_the_machine_refuses_is_told_to_no_module() {
        let mut limits = Limits::new(Arc::default());
        let of_system = || io::Error::from(io::ErrorKind::OutOfMemory);
        let of_module = || wasmtime::Error::msg("memory growth exceeds memory type's limits");
        assert!(limits.memory_grow_failed(of_module()).is_ok());
        assert!(limits.table_grow_failed(of_module()).is_ok());
        assert!(limits.memory_grow_failed(of_system().into()).is_err());
        assert!(limits.table_grow_failed(of_system().into()).is_err());
        let told_where = wasmtime::Error::from(of_system()).context("in the pool");
        assert!(limits.memory_grow_failed(told_where).is_err());
    }
}
