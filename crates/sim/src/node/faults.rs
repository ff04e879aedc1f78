//! Faults that the disk and the store will have: only such as the guarantees promise to survive, or to
//! tell of.

use std::io::ErrorKind;

use ordain_log::disk::Fault;

use super::store::Landed;
use super::world::World;

impl World<'_> {
    /// Plans a fault of the disk or of the store.
    pub(super) fn plan_fault(&mut self) {
        let after = self.chance.below(6);
        let landed = self.chance.pick(&[0, 40, 600, 3_000, 9_000]) as usize;
        let write = |kind| Fault::Write { landed, kind };
        let kind = ErrorKind::Other;
        let fault = match self.chance.weighted(&[3, 3, 3, 3, 2, 3, 3, 1, 1]) {
            0 => Some(write(ErrorKind::StorageFull)),
            1 => Some(Fault::ShortWrite { landed }),
            2 => Some(write(kind)),
            3 => Some(Fault::Sync { kind }),
            4 => {
                self.disk.stop_after(after);
                self.tell(|| format!("the machine stops after {after} changes"));
                None
            }
            5 => self.fail_apply(Landed::Nothing),
            6 => self.fail_apply(Landed::All),
            7 => self.fail_reads(after),
            _ => self.damage_store(),
        };
        if let Some(fault) = fault {
            self.tell(|| format!("after {after} more: {fault:?}"));
            self.disk.inject(after, fault);
        }
    }

    fn fail_apply(&mut self, landed: Landed) -> Option<Fault> {
        let store = self.life.as_ref().map(|life| life.store.clone());
        store?.fail_apply(landed);
        self.tell(|| format!("the next checkpoint fails with {landed:?} of it in"));
        None
    }

    fn fail_reads(&mut self, reads: u64) -> Option<Fault> {
        let store = self.life.as_ref().map(|life| life.store.clone());
        store?.fail_reads(reads);
        self.tell(|| format!("reads of the store fail after {reads}"));
        None
    }

    /// One value of the store is damaged at rest.
    fn damage_store(&mut self) -> Option<Fault> {
        let keys = self.durable_keys().ok()?;
        if keys.is_empty() {
            return None;
        }
        let key = self.chance.pick(&keys);
        let store = self.life.as_ref().map(|life| life.store.clone());
        store?.damage(&key);
        self.tell(|| {
            format!(
                "damaged in the store: {:?}",
                ordain_types::Granule::from_bytes(&key)
            )
        });
        None
    }

    /// Leaves little room on the disk, or none.
    pub(super) fn fill_disk(&mut self) {
        let room = self.chance.pick(&[0, 4_096, 70_000]);
        let limit = self.disk.bytes() + room;
        self.settings.limit = Some(limit);
        self.disk.limit_bytes(Some(limit));
        self.tell(|| format!("room for {room} bytes more"));
    }

    /// There is room again.
    pub(super) fn free_disk(&mut self) {
        if self.settings.limit.take().is_some() {
            self.disk.limit_bytes(None);
            self.note("disks freed");
        }
    }

    /// Counts the faults that came true in a life.
    pub(super) fn count_faults(&mut self) {
        let counts = self.disk.counts();
        self.exercised.add("failed writes", counts.failed_writes);
        self.exercised.add("failed reads", counts.failed_reads);
        self.exercised.add("writes without room", counts.full);
        self.exercised
            .add("machines stopped", u64::from(counts.stopped > 0));
    }

    /// Counts the faults of the store that came true, at the end of a life.
    pub(super) fn count_store_faults(&mut self) {
        let Some(life) = &self.life else {
            return;
        };
        let bit = life.store.bit();
        let applies = bit.applies_with_nothing;
        self.exercised
            .add("failed checkpoints with nothing in", applies);
        self.exercised
            .add("failed checkpoints with all in", bit.applies_with_all);
        self.exercised.add("failed reads of the store", bit.reads);
        self.exercised.add("damage in the store met", bit.damage);
    }
}
