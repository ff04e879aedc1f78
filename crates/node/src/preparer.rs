//! The next segment in the making, off the committer's thread: on a thread of its own, or as a step
//! that whoever steps the node takes when it likes. Once it is made, or could not be, the committer is
//! told. It knows nothing of the segments' order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use ordain_log::{AppendError, Preparer};

use crate::committer::Commit;
use crate::panics::caught;
use crate::stepped::Stepped;

/// What came of it, or what it panicked with.
type Made = Result<Result<(), AppendError>, String>;

/// The committer's side.
pub(crate) struct Preparation {
    errand: Arc<Errand>,
    way: Way,
}

enum Way {
    /// Each on a thread of its own.
    Threads(Option<JoinHandle<()>>),
    /// Each a step.
    Steps,
}

/// A preparation that waits to be made, or its result that waits for the committer.
pub(crate) struct Errand {
    at: Mutex<At>,
    commit: Arc<Commit>,
}

#[derive(Default)]
enum At {
    #[default]
    Idle,
    Asked(Preparer),
    Making,
    Made(Made),
}

impl Preparation {
    /// Preparations as steps of the errand.
    pub fn steps(errand: Arc<Errand>) -> Self {
        let way = Way::Steps;
        Self { errand, way }
    }

    /// The same on threads.
    pub fn on_threads(self) -> Self {
        let way = Way::Threads(None);
        Self { way, ..self }
    }

    /// Begins one. None may be under way.
    pub fn begin(&mut self, preparer: Preparer) {
        *self.errand.lock() = At::Asked(preparer);
        if let Way::Threads(thread) = &mut self.way {
            let errand = self.errand.clone();
            let thread_of_its_own = thread::Builder::new().name("ordain-preparer".to_owned());
            match thread_of_its_own.spawn(move || _ = errand.step()) {
                Ok(started) => *thread = Some(started),
                // The system gives no thread: that is no reason to stop writing.
                Err(_) => _ = self.errand.step(),
            }
        }
    }

    /// Whether none is under way.
    pub fn is_idle(&self) -> bool {
        matches!(*self.errand.lock(), At::Idle)
    }

    /// What came of one, once.
    pub fn result(&mut self) -> Option<Made> {
        let mut at = self.errand.lock();
        match std::mem::take(&mut *at) {
            At::Made(made) => Some(made),
            other => {
                *at = other;
                None
            }
        }
    }

    /// Waits for the one under way, if any; one that waits for its step never begins.
    pub fn finish(&mut self) {
        match &mut self.way {
            Way::Threads(thread) => drop(thread.take().map(JoinHandle::join)),
            Way::Steps => *self.errand.lock() = At::Idle,
        }
    }
}

impl Errand {
    /// Nothing to be made yet; the committer of `commit` is told when something was.
    pub fn new(commit: Arc<Commit>) -> Self {
        let at = Mutex::default();
        Self { at, commit }
    }

    fn lock(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the segment that was asked for.
    pub fn step(&self) -> Stepped {
        let mut at = self.lock();
        let preparer = match std::mem::replace(&mut *at, At::Making) {
            At::Asked(preparer) => preparer,
            other => {
                *at = other;
                return Stepped::Idle(None);
            }
        };
        drop(at);
        let made = caught(|| preparer.prepare());
        *self.lock() = At::Made(made);
        self.commit.prepared();
        Stepped::Did
    }
}
