//! The next segment in the making, off the committer's thread: on a thread of its own, or as a step
//! that whoever steps the node takes when it likes. It knows nothing of the segments' order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use ordain_log::{AppendError, Preparer};

use crate::panics::caught;
use crate::stepped::Stepped;

/// What came of it, or what it panicked with.
type Made = Result<Result<(), AppendError>, String>;

fn make(preparer: &Preparer) -> Made {
    caught(|| preparer.prepare())
}

/// The committer's side.
pub(crate) enum Preparation {
    /// Each on a thread of its own.
    Threads(Option<JoinHandle<Made>>),
    /// Each a step.
    Steps(Arc<Errand>),
}

/// A preparation that waits for its step, or its result that waits for the committer.
#[derive(Default)]
pub(crate) struct Errand(Mutex<At>);

#[derive(Default)]
enum At {
    #[default]
    Idle,
    Asked(Preparer),
    Made(Made),
}

impl Preparation {
    /// Begins one. None may be under way.
    pub fn begin(&mut self, preparer: Preparer) {
        match self {
            Self::Threads(thread) => *thread = Some(thread::spawn(move || make(&preparer))),
            Self::Steps(errand) => *errand.lock() = At::Asked(preparer),
        }
    }

    /// Whether none is under way.
    pub fn is_idle(&self) -> bool {
        match self {
            Self::Threads(thread) => thread.is_none(),
            Self::Steps(errand) => matches!(*errand.lock(), At::Idle),
        }
    }

    /// What came of one, once.
    pub fn result(&mut self) -> Option<Made> {
        match self {
            Self::Threads(thread) => {
                let thread = thread.take_if(|thread| thread.is_finished())?;
                Some(thread.join().expect("its panics are caught"))
            }
            Self::Steps(errand) => {
                let mut at = errand.lock();
                match std::mem::take(&mut *at) {
                    At::Made(made) => Some(made),
                    other => {
                        *at = other;
                        None
                    }
                }
            }
        }
    }

    /// Waits for the one under way, if any; one that did not begin yet never does.
    pub fn finish(&mut self) {
        match self {
            Self::Threads(thread) => drop(thread.take().map(JoinHandle::join)),
            Self::Steps(errand) => *errand.lock() = At::Idle,
        }
    }
}

impl Errand {
    fn lock(&self) -> MutexGuard<'_, At> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the segment that was asked for.
    pub fn step(&self) -> Stepped {
        let mut at = self.lock();
        match std::mem::take(&mut *at) {
            At::Asked(preparer) => {
                *at = At::Made(make(&preparer));
                Stepped::Did
            }
            other => {
                *at = other;
                Stepped::Idle(None)
            }
        }
    }
}
