//! The segment after the current one, made ready ahead of need. It knows how segments are made and
//! nothing of the records in them.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use ordain_types::{Bug, Seq, planted};

use crate::AppendError;
use crate::disk::Disk;
use crate::segment::{Ready, file_name, header_for, make_ready};

/// Makes the next segment ready while the log goes on appending; from [`Log::preparer`](crate::Log::preparer).
///
/// Writing a whole segment takes a while, so that a node does it on another thread. An append
/// that needs the segment waits for a preparation that is under way, and does it itself otherwise.
#[derive(Clone)]
pub struct Preparer {
    next: Arc<Next>,
}

struct Next {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    slot: Mutex<Slot>,
    /// Once set, the log takes nothing more.
    failed: OnceLock<AppendError>,
}

struct Slot {
    ordinal: u64,
    base_seq: Seq,
    ready: Option<Ready>,
}

impl Preparer {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        segment_bytes: u64,
        ordinal: u64,
        base: Seq,
    ) -> Preparer {
        let slot = Mutex::new(Slot {
            ordinal,
            base_seq: base,
            ready: None,
        });
        Preparer {
            next: Arc::new(Next {
                disk,
                segment_bytes,
                slot,
                failed: OnceLock::new(),
            }),
        }
    }

    /// Makes the next segment ready, unless it is. After [`AppendError::Full`] it may be called again
    /// when there may be space; what the attempt took is given back.
    pub fn prepare(&self) -> Result<(), AppendError> {
        self.check()?;
        self.fill(&mut self.slot(), self.next.segment_bytes)
    }

    /// Whether the next segment is ready or being made.
    pub fn is_prepared(&self) -> bool {
        match self.next.slot.try_lock() {
            Ok(slot) => slot.ready.is_some(),
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Poisoned(slot)) => slot.into_inner().ready.is_some(),
        }
    }

    /// The next segment, with room for at least `bytes`; the one after it becomes the next.
    pub(crate) fn take(&self, bytes: u64) -> Result<Ready, AppendError> {
        let mut slot = self.slot();
        self.fill(&mut slot, bytes.max(self.next.segment_bytes))?;
        let ready = slot.ready.take().expect("the slot was just filled");
        slot.ordinal += 1;
        Ok(ready)
    }

    /// From now on the next segment cannot begin before this seq.
    pub(crate) fn raise_base(&self, base_seq: Seq) {
        self.slot().base_seq = base_seq;
    }

    /// `Err` if the disk has failed for good.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        self.next
            .failed
            .get()
            .map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Notes the error if it is final, and hands it back.
    pub(crate) fn note(&self, error: AppendError) -> AppendError {
        if matches!(error, AppendError::Failed { .. }) && !planted(Bug::FailedSyncForgotten) {
            let _ = self.next.failed.set(error.clone()); // The first failure is the one to tell.
        }
        error
    }

    fn fill(&self, slot: &mut Slot, bytes: u64) -> Result<(), AppendError> {
        let made = match slot.ready.take() {
            Some(mut ready) => ready.grow(bytes).map(|()| ready),
            None => {
                let header = header_for(slot.ordinal, slot.base_seq, bytes);
                make_ready(&*self.next.disk, header)
            }
        };
        match made {
            Ok(ready) => {
                slot.ready = Some(ready);
                Ok(())
            }
            Err(error) => {
                // No record was ever in it, and what it takes may be what is missing.
                let _ = self.next.disk.remove(&file_name(slot.ordinal));
                Err(self.note(error))
            }
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // A panic while making a segment leaves `ready` empty: it is made again.
        self.next
            .slot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
