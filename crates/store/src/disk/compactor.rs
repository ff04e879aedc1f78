//! The thread that merges what checkpoints leave side by side.
//!
//! One thread: merging is never urgent, and the cores are for the executor. It does not know what
//! a checkpoint is; it merges while the tree finds something worth it, then sleeps until told. It begins when it is
//! first told: whoever opens a store may refuse what lies beside it, and then nothing is to have changed.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::tree::Tree;
use crate::{Error, give_way};

/// Unmerged checkpoints at which the next one waits: reads look into each, and the tree's manifest
/// counts them in a byte.
const UNMERGED_MAX: usize = 64;
const _: () = assert!(UNMERGED_MAX < u8::MAX as usize / 2);

/// The thread's handle. Dropped, it ends the thread after the merge it is in.
pub(super) struct Compactor {
    tree: Arc<Tree>,
    signals: Arc<Signals>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Signals {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    asked: bool,
    idle: bool,
    stop: bool,
    failed: Option<Arc<Error>>,
}

impl Signals {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits to be asked; false to stop.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        state.idle = true;
        self.changed.notify_all();
        let asleep = |state: &mut State| !state.asked && !state.stop;
        state = self
            .changed
            .wait_while(state, asleep)
            .unwrap_or_else(PoisonError::into_inner);
        (state.asked, state.idle) = (false, false);
        !state.stop
    }
}

impl Compactor {
    /// Starts the thread. What an earlier process left to merge waits until something is asked for.
    pub(super) fn start(tree: Arc<Tree>) -> io::Result<Self> {
        let signals = Arc::new(Signals::default());
        let (of_thread, theirs) = (tree.clone(), signals.clone());
        let thread = std::thread::Builder::new()
            .name("ordain-compact".into())
            .spawn(move || run(&of_thread, &theirs))?;
        Ok(Self {
            tree,
            signals,
            thread: Some(thread),
        })
    }

    /// Why it gave up; none while it works.
    pub(super) fn failure(&self) -> Option<Arc<Error>> {
        self.signals.lock().failed.clone()
    }

    /// Tells it that there is something new.
    pub(super) fn ask(&self) {
        self.signals.lock().asked = true;
        self.signals.changed.notify_all();
    }

    /// Waits until it has caught up far enough for one more checkpoint.
    ///
    /// # Errors
    /// Why it has not.
    pub(super) fn make_room(&self) -> Result<(), Arc<Error>> {
        let crowded = || self.tree.unmerged() >= UNMERGED_MAX;
        let busy = |state: &mut State| (state.asked || !state.idle) && !state.stop && crowded();
        if crowded() {
            self.ask();
        }
        drop(self.signals.changed.wait_while(self.signals.lock(), busy));
        if !crowded() {
            return Ok(());
        }
        let nothing_merged = || Arc::new(self.tree.damaged("it cannot be compacted"));
        Err(self.failure().unwrap_or_else(nothing_merged))
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.signals.lock().stop = true;
        self.signals.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It catches the tree's panics and has none of its own.
            let _ = thread.join();
        }
    }
}

fn run(tree: &Tree, signals: &Signals) {
    give_way();
    while signals.wait() {
        loop {
            let merged = tree.compact();
            let mut state = signals.lock();
            let go_on = match merged {
                Ok(merged) => merged && !state.stop,
                Err(error) => {
                    state.failed = Some(Arc::new(error));
                    state.stop = true;
                    false
                }
            };
            drop(state);
            signals.changed.notify_all();
            if !go_on {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ordain_types::Seq;

    use super::*;

    const MANY: usize = 9;

    /// Waits until nothing is left that was asked for.
    fn rest(compactor: &Compactor) {
        let signals = &compactor.signals;
        let works = |state: &mut State| state.asked || !state.idle;
        drop(signals.changed.wait_while(signals.lock(), works));
    }

    #[test]
    fn what_was_left_to_merge_stays_until_something_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Arc::new(Tree::open(&dir.path().join("tree"), 1 << 20).unwrap());
        for seq in 1..=MANY {
            let changes = [Ok((&b"key"[..], Some(&b"value"[..])))];
            tree.ingest(Seq(seq as u64), changes.into_iter()).unwrap();
        }
        let compactor = Compactor::start(tree.clone()).unwrap();
        rest(&compactor);
        assert_eq!(tree.unmerged(), MANY);
        compactor.ask();
        rest(&compactor);
        assert!(tree.unmerged() < MANY, "{}", tree.unmerged());
    }
}
