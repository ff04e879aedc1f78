//! Ordered fields beside an entity's root value, as the methods of that entity see them.

use std::ops::Bound;

use ordain_types::{
    Bug, EntityId, FaultKind, FieldKey, Granule, Json, granule::Part, granule::prefix_end, limits,
    planted,
};

use crate::Tx;

impl Tx {
    /// The value of a field of the entity whose method runs.
    pub fn field_get(&mut self, field: &FieldKey) -> Option<Json> {
        let granule = Granule::field(&self.entity(), field);
        self.read_row(&granule)
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
        self.fields_between(&self.entity(), from, to, reverse, limit)
    }

    /// An entity's fields after `after`.
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
        let prefix = Granule::prefix(entity);
        let join = |key: &str| [&prefix, key.as_bytes()].concat();
        let from = match from {
            Bound::Unbounded => Bound::Excluded(prefix.clone()),
            Bound::Included("") | Bound::Excluded("") => Bound::Excluded(prefix.clone()),
            Bound::Included(key) => Bound::Included(join(key)),
            Bound::Excluded(key) => Bound::Excluded(join(key)),
        };
        let to = match to {
            Bound::Unbounded => Bound::Excluded(prefix_end(&prefix).expect("a prefix ends in 0")),
            Bound::Included(key) if planted(Bug::ScanEndsEarly) => Bound::Excluded(join(key)),
            Bound::Included(key) => Bound::Included(join(key)),
            Bound::Excluded(key) => Bound::Excluded(join(key)),
        };
        let rows = self.scan_rows((bytes(&from), bytes(&to)), reverse, limit);
        rows.into_iter()
            .map(|(granule, value)| (self.field_key(&granule), value))
            .collect()
    }

    /// Rows in order, from memory over cold.
    pub(crate) fn scan_rows(
        &mut self,
        range: crate::rows::Range<'_>,
        reverse: bool,
        limit: usize,
    ) -> Vec<(Granule, Json)> {
        let found = match self.cold_used {
            true => self.rows.scan(&*self.cold, range, reverse, limit),
            false => self.rows.scan(&crate::Empty, range, reverse, limit),
        };
        match found {
            Ok(rows) => rows,
            Err(error) => self.stop(error),
        }
    }

    /// The field of a granule between an entity's root and its end.
    fn field_key(&mut self, granule: &Granule) -> FieldKey {
        match granule.part() {
            Some(Part::Field(_, field)) => field,
            _ => self.stop_at(
                granule,
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

fn bytes(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}
