//! Damage of the log at rest: a bit that flipped, a file cut short or gone. It is told of by the file's
//! name, or everything that is served is as it was.

use std::sync::Arc;

use ordain_log::disk::{Disk, MemoryDisk};
use ordain_store::{MemoryStore, StateHash, Store};
use ordain_types::Seq;

use super::Lapse;
use super::crashes::all_records;
use super::finish::hash_of;
use super::world::World;
use crate::compare::{Difference, Same, holds, same};

/// How many times a world's log is damaged, each by itself.
const TIMES: u64 = 3;

impl World<'_> {
    /// The world has ended well with the state `end` at the last seq: what of it is served if the log
    /// is damaged?
    pub(super) fn damage_at_rest(&mut self, end: &MemoryStore, hash: StateHash) -> Same {
        for _ in 0..TIMES {
            let disk = self.disk.fork();
            let file = self.damage(&disk);
            let empty = self.chance.one_in(2);
            let store: Arc<dyn Store> = match empty {
                true => Arc::new(MemoryStore::default()),
                false => Arc::new(end.fork()),
            };
            self.serve_damaged(disk, &file, store, hash)?;
        }
        Ok(())
    }

    /// Damages one file, and says which.
    fn damage(&mut self, disk: &MemoryDisk) -> String {
        let mut files = disk.list().expect("a disk in memory");
        files.sort();
        let file = self.chance.pick(&files);
        let mut bytes = disk.contents(&file).expect("just listed");
        // Most of a segment is zeros that were never written to.
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        let within = if self.chance.one_in(4) {
            bytes.len()
        } else {
            end
        };
        let at = self.chance.below(within.max(1) as u64) as usize;
        match self.chance.weighted(&[6, 2]) {
            0 if !bytes.is_empty() => {
                let bit = self.chance.below(8);
                bytes[at] ^= 1 << bit;
                self.tell(|| format!("bit {bit} of byte {at} of {file} flips"));
                self.exercised.add("bits flipped", 1);
            }
            _ => {
                bytes.truncate(at);
                self.tell(|| format!("{file} is cut to {at} bytes"));
                self.exercised.add("files cut", 1);
            }
        }
        disk.set_contents(&file, &bytes);
        file
    }

    fn serve_damaged(
        &mut self,
        disk: MemoryDisk,
        file: &str,
        store: Arc<dyn Store>,
        hash: StateHash,
    ) -> Same {
        let gone = store.seq() == Seq::ZERO && self.first_seq()? > Seq(1);
        let mut recovered = match self.live_once(disk.clone(), store.clone()) {
            Ok(recovered) => recovered,
            Err(error) => {
                self.exercised.add("damage told of", 1);
                let error = error.to_string();
                self.tell(|| error.clone());
                let places = ["offset", "first bytes are damaged", "is in log format"];
                let told = gone
                    || error.contains(file) && places.iter().any(|place| error.contains(place));
                return holds(told, || {
                    Difference::new(
                        format!("the report of damage in {file}"),
                        error,
                        "it names file and place",
                    )
                });
            }
        };
        if self.lapses(Lapse::DamageServed) {
            recovered.seq = Seq(recovered.seq.0 - 1);
        }
        let last = self.history.last();
        same(
            || format!("the end of a log with damage in {file}"),
            &recovered.seq,
            &last,
        )?;
        same(
            || format!("the state with damage in {file}"),
            &hash_of(&*store)?,
            &hash,
        )?;
        let disk: Arc<dyn Disk> = Arc::new(disk);
        match all_records(&disk) {
            Err(error) => {
                self.exercised.add("damage told of to readers", 1);
                let error = error.to_string();
                holds(error.contains(file), || {
                    Difference::new(
                        format!("the report of damage in {file} to a reader"),
                        error,
                        "it names the file",
                    )
                })
            }
            Ok(records) => {
                self.exercised.add("damage did no harm", 1);
                records
                    .iter()
                    .try_for_each(|record| self.history.is_known(record))
            }
        }
    }

    fn first_seq(&self) -> Result<Seq, Difference> {
        let records = self.surviving()?;
        Ok(records
            .first()
            .map_or(self.history.last().next(), |record| record.first_seq))
    }
}
