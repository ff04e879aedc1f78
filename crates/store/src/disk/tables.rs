//! What is read of the tree: its tables, as they were in force when a checkpoint or a merge last ended.
//!
//! The tree's own reads take its lock, which it holds over half a dozen syncs while it puts other tables in
//! force: on a slow disk a second, in which whoever executes would stand still. Tables do not change, and
//! their files stay for as long as they are held here, so a read needs no lock at all; but it must hold
//! them: no iterator over a table does. Nothing is ever in the tree's tables in memory: checkpoints are
//! ingested.

use std::ops::Bound;

use lsm_tree::merge::{BoxedIterator, Merger};
use lsm_tree::mvcc_stream::MvccStream;
use lsm_tree::table::filter::standard_bloom::Builder as Filter;
use lsm_tree::{AbstractTree, AnyTree, KvPair, SeqNo, Slice, Table};

use crate::KeyRange;

/// Runs of tables, the newest first. The tables of a run have no keys in common, and lie in the order of
/// their keys.
pub(super) struct Tables(Vec<Vec<Table>>);

impl Tables {
    pub(super) fn of(tree: &AnyTree) -> Self {
        let version = tree.current_version();
        let runs = version.iter_levels().flat_map(|level| level.iter());
        Self(runs.map(|run| run.iter().cloned().collect()).collect())
    }

    /// The newest value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Slice>, lsm_tree::Error> {
        let hash = Filter::get_hash(key);
        for run in &self.0 {
            let at = run.partition_point(|table| max(table) < key);
            let Some(table) = run.get(at).filter(|table| min(table) <= key) else {
                continue;
            };
            if let Some(found) = table.get(key, SeqNo::MAX, hash)? {
                return Ok((!found.is_tombstone()).then_some(found.value));
            }
        }
        Ok(None)
    }

    /// The newest values of the keys in a range, in their order.
    pub(super) fn range(
        &self,
        (start, end): KeyRange<'_>,
    ) -> impl DoubleEndedIterator<Item = Result<KvPair, lsm_tree::Error>> {
        let bounds = (start.map(Slice::from), end.map(Slice::from));
        let of_run = |run: &Vec<Table>| {
            let from = run.partition_point(|table| is_below(table, start));
            let to = run.partition_point(|table| !is_above(table, end));
            let tables = run.get(from..to).unwrap_or_default().to_vec();
            let bounds = bounds.clone();
            let entries = tables.into_iter();
            let entries = entries.flat_map(move |table| table.range(bounds.clone()));
            Box::new(entries) as BoxedIterator<'static>
        };
        let runs = self.0.iter().map(of_run).collect();
        // Of a key, the newest is first; what deletes it is an entry too.
        MvccStream::new(Merger::new(runs)).filter_map(|entry| match entry {
            Ok(entry) if entry.is_tombstone() => None,
            Ok(entry) => Some(Ok((entry.key.user_key, entry.value))),
            Err(error) => Some(Err(error)),
        })
    }
}

/// The first key of a table.
fn min(table: &Table) -> &[u8] {
    table.metadata.key_range.min()
}

/// The last.
fn max(table: &Table) -> &[u8] {
    table.metadata.key_range.max()
}

/// All keys of the table lie before the range.
fn is_below(table: &Table, start: Bound<&[u8]>) -> bool {
    match start {
        Bound::Included(start) => max(table) < start,
        Bound::Excluded(start) => max(table) <= start,
        Bound::Unbounded => false,
    }
}

/// They lie behind it.
fn is_above(table: &Table, end: Bound<&[u8]>) -> bool {
    match end {
        Bound::Included(end) => min(table) > end,
        Bound::Excluded(end) => min(table) >= end,
        Bound::Unbounded => false,
    }
}
