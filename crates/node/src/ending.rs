//! The end of a node: what it waits for, and the order in which it lets go of what others may have next.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::lock::DataDir;

/// What the end of a node waits for and what it gives up then.
#[derive(Default)]
pub(crate) struct Ending {
    pub threads: Vec<JoinHandle<()>>,
    /// Released when the threads have ended and the store is closed.
    pub dir: Option<DataDir>,
}

/// Waits for the threads, closes the store, which may be in a merge, and releases the directory: only then may another
/// process have it. Whoever comes second waits as well.
pub(crate) fn end<S>(ending: &Mutex<Ending>, store: &Mutex<Option<S>>) {
    let mut ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
    for thread in ending.threads.drain(..) {
        if thread.join().is_err() {
            tracing::error!("a thread of the node panicked");
        }
    }
    let store = store.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(store);
    ending.dir = None;
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::lock::DirError;

    /// What looks, when it is closed, whether another process could have its directory.
    struct Closing {
        dir: PathBuf,
        in_use: Arc<AtomicBool>,
    }

    impl Drop for Closing {
        fn drop(&mut self) {
            let opened = DataDir::open(&self.dir);
            let in_use = matches!(opened, Err(DirError::InUse { .. }));
            self.in_use.store(in_use, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_directory_is_free_when_the_store_is_closed() {
        let temp = tempfile::tempdir().expect("a directory");
        let dir = temp.path().to_owned();
        let in_use = Arc::new(AtomicBool::new(false));
        let ending = Mutex::new(Ending {
            threads: Vec::new(),
            dir: Some(DataDir::open(&dir).expect("it opens")),
        });
        let store = Closing {
            dir: dir.clone(),
            in_use: in_use.clone(),
        };
        end(&ending, &Mutex::new(Some(store)));
        assert!(in_use.load(Ordering::SeqCst), "not before");
        DataDir::open(&dir).expect("but after");
    }
}
