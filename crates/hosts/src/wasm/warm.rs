//! Instances that wait for the next transaction: as new, or of modules that asked to keep theirs. Bounded in number
//! and bytes: the one that waited longest goes first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ordain_types::limits::{CALL_DEPTH_MAX, WASM_IDLE_MAX, WASM_INSTANCES_MAX};

use super::code::CodeId;
use super::instance::{Instance, Memory};

/// Instances kept, of all modules.
const WARM_MAX: usize = 64;
/// Bytes of their memory.
const WARM_BYTES_MAX: usize = 256 << 20;
/// Bytes of the memory of one, beyond which it is not kept: a large call must not be paid for ever.
pub(super) const WARM_INSTANCE_BYTES_MAX: usize = 32 << 20;

// Room for what a transaction has at its deepest, for all that wait, and for one that describes its module: the pool
// never refuses an instance.
const _: () = assert!(CALL_DEPTH_MAX + WASM_IDLE_MAX + WARM_MAX + 1 < WASM_INSTANCES_MAX);

/// Instances that wait.
#[derive(Default)]
pub(super) struct Warm(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    instances: VecDeque<Instance>,
    bytes: usize,
    /// What they count as the memory of.
    no_transaction: Arc<Memory>,
}

impl Warm {
    /// One of the module, the last that came.
    pub fn take(&self, code: CodeId) -> Option<Instance> {
        let mut waiting = self.lock();
        let of_code = |instance: &Instance| instance.code == code;
        let at = waiting.instances.iter().rposition(of_code)?;
        let instance = waiting.instances.remove(at)?;
        waiting.bytes -= instance.bytes();
        Some(instance)
    }

    /// Keeps one.
    pub fn put(&self, mut instance: Instance) {
        let bytes = instance.bytes();
        if bytes > WARM_INSTANCE_BYTES_MAX {
            return;
        }
        let mut gone = Vec::new();
        let mut waiting = self.lock();
        instance.joins(&waiting.no_transaction);
        waiting.bytes += bytes;
        waiting.instances.push_back(instance);
        while waiting.instances.len() > WARM_MAX || waiting.bytes > WARM_BYTES_MAX {
            let first = waiting
                .instances
                .pop_front()
                .expect("there is one too many");
            waiting.bytes -= first.bytes();
            gone.push(first);
        }
        drop(waiting); // taking an instance apart takes its time
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().instances.len()
    }

    /// Lets go of all.
    pub fn clear(&self) {
        let gone = std::mem::take(&mut *self.lock());
        drop(gone);
    }

    /// Lets go of those of a module that is gone.
    pub fn forget(&self, code: CodeId) {
        let mut waiting = self.lock();
        let all = std::mem::take(&mut waiting.instances);
        let (gone, kept): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|instance| instance.code == code);
        waiting.instances = kept;
        waiting.bytes -= gone.iter().map(Instance::bytes).sum::<usize>();
        drop(waiting);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
