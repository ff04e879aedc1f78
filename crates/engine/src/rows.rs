//! Ordered granules in memory: fields and system tables, as bytes over what [`Cold`] has.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use ordain_types::{Bug, Granule, planted};

use crate::cold::{Cold, ColdError};
use crate::slots::Mark;

/// One granule in memory. A value of none hides one that `Cold` may have.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub value: Option<Bytes>,
    pub mark: Mark,
}

/// Bounds over granule bytes.
pub(crate) type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

const ROW_BYTES: usize = 112;

/// Rows asked of cold at a time: where each question costs more than a row, few questions.
const ASK_MIN: usize = 16;
const ASK_MAX: usize = 4_096;

#[derive(Default)]
pub(crate) struct Rows {
    rows: BTreeMap<Granule, Row>,
    bytes: usize,
    hand: Option<Granule>,
}

impl Rows {
    pub fn get(&self, granule: &Granule) -> Option<&Row> {
        self.rows.get(granule)
    }

    pub fn get_mut(&mut self, granule: &Granule) -> Option<&mut Row> {
        self.rows.get_mut(granule)
    }

    /// Puts a row and gives back the one it replaces.
    pub fn put(&mut self, granule: Granule, row: Row) -> Option<Row> {
        self.bytes += cost(&granule, &row);
        let key_len = granule.as_bytes().len();
        let before = self.rows.insert(granule, row);
        if let Some(before) = &before {
            self.bytes -= cost_of(key_len, before);
        }
        before
    }

    /// Puts back what [`Rows::put`] gave.
    pub fn restore(&mut self, granule: Granule, before: Option<Row>) {
        match before {
            Some(row) => drop(self.put(granule, row)),
            None => {
                if let Some(row) = self.rows.remove(&granule) {
                    self.bytes -= cost(&granule, &row);
                }
            }
        }
    }

    /// Roughly the bytes of all rows.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// At most `limit` granules with values within `range`, from its first upwards or its last
    /// downwards: memory over cold.
    pub fn scan(
        &self,
        cold: &dyn Cold,
        range: Range<'_>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<(Granule, Bytes)>, ColdError> {
        let mut found = Vec::new();
        let (mut from, mut to) = (owned(range.0), owned(range.1));
        let mut ask = limit.max(ASK_MIN);
        loop {
            if limit == 0 || is_empty((borrowed(&from), borrowed(&to))) {
                return Ok(found); // bounds that cross are asked of nobody: maps panic on them
            }
            let chunk = cold.scan(borrowed(&from), borrowed(&to), reverse, ask)?;
            let whole = chunk.len() < ask;
            // What memory hides cost a look for nothing: ask for more at a time.
            ask = (4 * ask).min(ASK_MAX).max(ask);
            // Memory counts only as far as this chunk of cold has come.
            let reached = chunk.last().map(|(granule, _)| granule.as_bytes().to_vec());
            let (low, high) = match (&reached, whole, reverse) {
                (Some(last), false, false) => (from.clone(), Bound::Included(last.clone())),
                (Some(last), false, true) if !planted(Bug::ReverseOverreach) => {
                    (Bound::Included(last.clone()), to.clone())
                }
                _ => (from.clone(), to.clone()),
            };
            self.merge(
                chunk,
                (borrowed(&low), borrowed(&high)),
                reverse,
                limit,
                &mut found,
            );
            match (reached, whole || found.len() >= limit) {
                (Some(last), false) if reverse => to = Bound::Excluded(last),
                (Some(last), false) => from = Bound::Excluded(last),
                _ => return Ok(found),
            }
        }
    }

    fn merge(
        &self,
        cold: Vec<(Granule, Bytes)>,
        range: Range<'_>,
        reverse: bool,
        limit: usize,
        found: &mut Vec<(Granule, Bytes)>,
    ) {
        let hot: Box<dyn Iterator<Item = _>> = match (is_empty(range), reverse) {
            (true, _) => Box::new(std::iter::empty()),
            (_, false) => Box::new(self.rows.range::<[u8], _>(range)),
            (_, true) => Box::new(self.rows.range::<[u8], _>(range).rev()),
        };
        let (mut hot, mut cold) = (hot.peekable(), cold.into_iter().peekable());
        let first = |a: &Granule, b: &Granule| if reverse { a > b } else { a < b };
        while found.len() < limit {
            let take_cold = match (hot.peek(), cold.peek()) {
                (None, None) => return,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((h, _)), Some((c, _))) if *h == c && !planted(Bug::HidesNothing) => {
                    cold.next();
                    false
                }
                (Some((h, _)), Some((c, _))) => first(c, h),
            };
            if take_cold {
                found.extend(cold.next());
            } else if let Some((
                granule,
                Row {
                    value: Some(value), ..
                },
            )) = hot.next()
            {
                found.push((granule.clone(), value.clone()));
            }
        }
    }

    /// Forgets a row that hides nothing any more: it is deleted, and so it is in `Cold`.
    pub fn forget_deleted(&mut self, granule: Granule, applied: u64) {
        let row = self.rows.get(&granule);
        let cold = |mark: Mark| mark.is_cold(applied) || planted(Bug::DeletionForgotten);
        if row.is_some_and(|row| row.value.is_none() && cold(row.mark)) {
            self.restore(granule, None);
        }
    }

    /// Forgets rows that `Cold` has, until `bytes` are freed or all were looked at once.
    pub fn evict(&mut self, bytes: usize, applied: u64) {
        const STEP: usize = 1_024;
        let goal = self.bytes.saturating_sub(bytes);
        let mut looked = 0;
        let all = self.rows.len();
        while self.bytes > goal && looked < all {
            let from = self.hand.take().map_or(Bound::Unbounded, Bound::Excluded);
            let step: Vec<_> = self
                .rows
                .range((from, Bound::Unbounded))
                .take(STEP)
                .map(|(granule, row)| (granule.clone(), row.mark.is_cold(applied)))
                .collect();
            looked += step.len().max(1);
            self.hand = (step.len() == STEP).then(|| step[STEP - 1].0.clone());
            for (granule, _) in step.into_iter().filter(|(_, cold)| *cold) {
                self.restore(granule, None);
            }
        }
    }
}

fn owned(bound: Bound<&[u8]>) -> Bound<Vec<u8>> {
    bound.map(<[u8]>::to_vec)
}

fn borrowed(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// A map panics on bounds that cross; here they are just empty.
fn is_empty(range: Range<'_>) -> bool {
    use Bound::{Excluded, Included, Unbounded};
    match range {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(from), Included(to)) => from > to,
        (Included(from) | Excluded(from), Included(to) | Excluded(to)) => from >= to,
    }
}

fn cost(granule: &Granule, row: &Row) -> usize {
    cost_of(granule.as_bytes().len(), row)
}

fn cost_of(key_len: usize, row: &Row) -> usize {
    ROW_BYTES + key_len + row.value.as_ref().map_or(0, Bytes::len)
}
