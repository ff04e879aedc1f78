//! Ordered fields beside an entity's root value, as the methods of that entity see them.

use std::ops::Bound;

use ordain_types::{Bug, EntityId, FaultKind, FieldKey, Granule, Json, limits, planted};

use crate::known::{Cut, Stretch};
use crate::rows::{Found, Most};
use crate::{Cold, Tx};

impl Tx {
    /// The value of a field of the entity whose method runs.
    pub fn field_get(&mut self, field: &FieldKey) -> Option<Json> {
        let granule = Granule::field(&self.entity(), field);
        let value = self.read_row(&granule);
        self.count_read(field.as_str().len() + value.as_ref().map_or(0, Json::len));
        value
    }

    /// Puts a field of the entity whose method runs. `value` is JSON.
    pub fn field_put(&mut self, field: &FieldKey, value: Json) {
        self.field_write(field, Some(value));
    }

    /// Deletes a field of the entity whose method runs, if it is there.
    pub fn field_delete(&mut self, field: &FieldKey) {
        self.field_write(field, None);
    }

    fn field_write(&mut self, field: &FieldKey, value: Option<Json>) {
        if self.in_query() && !planted(Bug::QueryWrites) {
            self.fault(
                FaultKind::WriteInQuery,
                format!("a query tried to write the field {field}"),
            );
        }
        let len = value.as_ref().map_or(0, |value| value.len());
        self.check_value(len, "a field");
        self.count_written(len + field.as_str().len());
        let granule = Granule::field(&self.entity(), field);
        self.write_row(granule, value);
    }

    /// At most `limit` fields of the entity whose method runs with keys within the bounds, from the
    /// first upwards or from the last downwards. Sees what the transaction wrote.
    pub fn field_scan(
        &mut self,
        from: Bound<&str>,
        to: Bound<&str>,
        reverse: bool,
        limit: usize,
    ) -> Vec<(FieldKey, Json)> {
        if limit > limits::SCAN_ROWS_MAX {
            let most = limits::SCAN_ROWS_MAX;
            let message = format!("a scan asked for {limit} fields, more than the limit of {most}");
            self.fault(FaultKind::ScanRows, message);
        }
        let fields = self.fields_between(&self.entity(), from, to, reverse, limit);
        let bytes = fields
            .iter()
            .map(|(key, value)| key.as_str().len() + value.len());
        let bytes = bytes.sum();
        if bytes > limits::SCAN_BYTES_MAX && !planted(Bug::ScanCutShort) {
            let most = limits::SCAN_BYTES_MAX;
            let message = format!(
                "a scan would return more than {most} bytes; give it a smaller limit and go on after \
                 the last key, or a narrower range"
            );
            self.fault(FaultKind::ReadBytes, message);
        }
        self.count_read(bytes);
        fields
    }

    /// An entity's fields after `after`: at most `limit`, and none after the one with which they are
    /// more than [`limits::SCAN_BYTES_MAX`].
    pub(crate) fn fields_of(
        &mut self,
        entity: &EntityId,
        after: Option<&FieldKey>,
        limit: usize,
    ) -> Vec<(FieldKey, Json)> {
        let from = after.map_or(Bound::Unbounded, |field| Bound::Excluded(field.as_str()));
        self.fields_between(entity, from, Bound::Unbounded, false, limit)
    }

    fn fields_between(
        &mut self,
        entity: &EntityId,
        from: Bound<&str>,
        to: Bound<&str>,
        reverse: bool,
        limit: usize,
    ) -> Vec<(FieldKey, Json)> {
        let from = match from {
            // No field has an empty key.
            Bound::Unbounded | Bound::Included("") | Bound::Excluded("") => Cut::Start,
            Bound::Included(key) => Cut::before(told_apart(key)),
            Bound::Excluded(key) => Cut::after(told_apart(key)),
        };
        let to = match to {
            Bound::Unbounded => Cut::End,
            Bound::Included("") | Bound::Excluded("") => Cut::Start,
            Bound::Included(key) if planted(Bug::ScanEndsEarly) => Cut::before(told_apart(key)),
            Bound::Included(key) => Cut::after(told_apart(key)),
            Bound::Excluded(key) => Cut::before(told_apart(key)),
        };
        let prefix = Granule::prefix(entity);
        let most = Most::new(limit, limits::SCAN_BYTES_MAX);
        let rows = self.scan_within(&prefix, Stretch { from, to }, reverse, most);
        rows.into_iter()
            .map(|(key, value)| (self.field_key(&prefix, &key), value))
            .collect()
    }

    /// Rows in order, from memory over cold.
    pub(crate) fn scan_rows(
        &mut self,
        prefix: &[u8],
        stretch: Stretch,
        reverse: bool,
        limit: usize,
    ) -> Vec<Found> {
        self.scan_within(prefix, stretch, reverse, Most::new(limit, usize::MAX))
    }

    fn scan_within(
        &mut self,
        prefix: &[u8],
        stretch: Stretch,
        reverse: bool,
        most: Most,
    ) -> Vec<Found> {
        let cold: &dyn Cold = match self.rows.cold_is_empty() {
            true => &crate::Empty,
            false => &*self.cold,
        };
        let applied = self.capture.applied;
        let found = (self.rows).scan(cold, prefix, stretch, reverse, most, applied);
        match found {
            Ok(rows) => rows,
            Err(error) => self.stop(error),
        }
    }

    /// The field of a granule between an entity's root and its end.
    fn field_key(&mut self, prefix: &[u8], key: &[u8]) -> FieldKey {
        let field = std::str::from_utf8(key).ok();
        match field.and_then(|field| FieldKey::new(field).ok()) {
            Some(field) => field,
            None => self.stop_at(
                &Granule::from_bytes(&[prefix, key].concat()),
                "between an entity's root and its end there are fields",
            ),
        }
    }

    /// Ends everything: a row of the durable state is not one.
    pub(crate) fn stop_at(&mut self, granule: &Granule, why: &str) -> ! {
        self.stop(crate::ColdError(format!(
            "the stored row {granule:?} does not decode ({why}): restore the data directory from a \
             backup"
        )))
    }
}

/// A bound as long as it can tell keys apart: it may be of any length, and stores take none beyond that of their keys.
fn told_apart(bound: &str) -> &[u8] {
    &bound.as_bytes()[..bound.len().min(limits::FIELD_KEY_BYTES_MAX + 1)]
}
