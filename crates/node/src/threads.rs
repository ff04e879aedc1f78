//! How the threads that a start needs are begun: with a name, a stack that fits, and a word where the system
//! gives none.

use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

use ordain_types::limits::{
    CALL_DEPTH_MAX, JAVASCRIPT_THREAD_STACK_BYTES_MIN, WASM_STACK_BYTES_MAX,
};

use crate::recovery::OpenError;

/// Stack of each thread: the executor's holds the deepest calls of methods with large frames, and an
/// overflow there would end the process. Untouched pages cost nothing.
const STACK_BYTES: usize = 64 << 20;
// A call into a WebAssembly module may use all of its share, at every depth; as much again is for what lies between.
const _: () = assert!(2 * CALL_DEPTH_MAX * WASM_STACK_BYTES_MAX <= STACK_BYTES);
// JavaScript is measured from where it is entered first, whatever calls lie between, and a start nests in no other.
const _: () = assert!(
    CALL_DEPTH_MAX * WASM_STACK_BYTES_MAX + JAVASCRIPT_THREAD_STACK_BYTES_MIN <= STACK_BYTES
);

fn builder(name: &'static str) -> Builder {
    let thread = Builder::new().stack_size(STACK_BYTES);
    thread.name(name.to_owned())
}

/// A thread of a node.
pub(crate) fn spawn(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let started = builder(name).spawn(run);
    started.map_err(|error| OpenError::Thread { name, error })
}

/// A thread that does not outlive its scope.
pub(crate) fn spawn_within<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    run: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, OpenError> {
    let started = builder(name).spawn_scoped(scope, run);
    started.map_err(|error| OpenError::Thread { name, error })
}
