//! Ordered fields beside an entity's state: values of their own, for what does not fit one value or is
//! not needed all at once. A transaction sees its own writes.

use std::ops::{Bound, RangeBounds};

use ordain_types::granule::text_prefix_end;
use ordain_types::{FaultKind, FieldKey, Json, limits};
use ordain_values::{from_json, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::ground::Tx;

/// One field of the running method's entity, to be read.
pub struct Field<'a> {
    tx: &'a mut Tx,
    key: FieldKey,
}

/// One field of the running method's entity.
///
/// ```
/// # use ordain::prelude::*;
/// # fn add<S>(cx: &mut Context<S>) -> Result<()> {
/// let mut line = cx.field("line/00042");
/// let count = line.get::<u32>()?.unwrap_or(0);
/// line.put(&(count + 1));
/// # Ok(())
/// # }
/// ```
pub struct FieldMut<'a>(Field<'a>);

impl<'a> Field<'a> {
    pub(crate) fn new(tx: &'a mut Tx, key: &str) -> Self {
        match FieldKey::new(key) {
            Ok(key) => Self { tx, key },
            Err(error) => tx.fault(FaultKind::BadKey, error.to_string()),
        }
    }

    /// Its value; none if it was never put, or deleted. A value that is no `T` is a fault.
    ///
    /// # Errors
    /// None so far: a `Result`, so that reading fields reads as calling does.
    pub fn get<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let json = self.tx.field_get(&self.key);
        Ok(json.map(|json| decoded(self.tx, &self.key, &json)))
    }
}

impl<'a> FieldMut<'a> {
    pub(crate) fn new(tx: &'a mut Tx, key: &str) -> Self {
        Self(Field::new(tx, key))
    }

    /// Its value; none if it was never put, or deleted. A value that is no `T` is a fault.
    ///
    /// # Errors
    /// None so far: a `Result`, so that reading fields reads as calling does.
    pub fn get<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        self.0.get()
    }

    /// Gives it a value. One that cannot be read back from JSON is a fault.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        let Field { tx, key } = &mut self.0;
        match to_json(value) {
            Ok(json) => tx.field_put(key, json),
            Err(error) => {
                let message = format!("the value of the field `{key}` is not JSON: {error}");
                tx.fault(FaultKind::Encoding, message)
            }
        }
    }

    /// Deletes it, if it is there.
    pub fn delete(&mut self) {
        let Field { tx, key } = &mut self.0;
        tx.field_delete(key);
    }
}

/// The fields of the running method's entity in the order of their keys, narrowed step by step and
/// then read.
///
/// ```
/// # use ordain::prelude::*;
/// # fn last<S>(cx: &mut QueryContext<S>) -> Result<()> {
/// let last_ten: Vec<(String, u32)> = cx.fields().prefix("line/").rev().limit(10).read()?;
/// let some: Vec<(String, u32)> = cx.fields().range("line/00010".."line/00020").read()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "fields are read by `read` or `keys`"]
pub struct Fields<'a> {
    tx: &'a mut Tx,
    from: Bound<String>,
    to: Bound<String>,
    reverse: bool,
    limit: Option<usize>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(tx: &'a mut Tx) -> Self {
        Self {
            tx,
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            reverse: false,
            limit: None,
        }
    }

    /// Only those whose keys begin with `prefix`.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.raise(Bound::Included(prefix));
        if let Some(end) = text_prefix_end(prefix) {
            self.lower(Bound::Excluded(&end));
        }
        self
    }

    /// Only those whose keys are in `range`: `"a".."b"`, `"a"..="b"`, `"a"..`, or a pair of bounds.
    pub fn range<K: AsRef<str>>(mut self, range: impl RangeBounds<K>) -> Self {
        self.raise(range.start_bound().map(AsRef::as_ref));
        self.lower(range.end_bound().map(AsRef::as_ref));
        self
    }

    /// From the last downwards.
    pub fn rev(mut self) -> Self {
        self.reverse = !self.reverse;
        self
    }

    /// At most so many. Without a limit, more than one scan may return
    /// ([`SCAN_ROWS_MAX`](ordain_types::limits::SCAN_ROWS_MAX)) are a fault; so is a limit beyond that,
    /// however few there are.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Their keys and values. A value that is no `T` is a fault.
    ///
    /// # Errors
    /// None so far: a `Result`, so that reading fields reads as calling does.
    pub fn read<T: DeserializeOwned>(mut self) -> Result<Vec<(String, T)>> {
        let rows = self.rows();
        let row = |(key, json): (FieldKey, Json)| {
            (key.as_str().to_owned(), decoded(self.tx, &key, &json))
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Their keys.
    ///
    /// # Errors
    /// None so far: a `Result`, so that reading fields reads as calling does.
    pub fn keys(mut self) -> Result<Vec<String>> {
        Ok(self
            .rows()
            .into_iter()
            .map(|(key, _)| key.as_str().to_owned())
            .collect())
    }

    fn rows(&mut self) -> Vec<(FieldKey, Json)> {
        if self.is_empty() {
            return Vec::new();
        }
        let limit = self.limit.unwrap_or(limits::SCAN_ROWS_MAX);
        let rows = self.scan(limit);
        if self.limit.is_none()
            && let Some((last, _)) = rows.get(limit - 1)
        {
            self.refuse_more_after(last);
        }
        rows
    }

    fn refuse_more_after(&mut self, last: &FieldKey) {
        match self.reverse {
            true => self.lower(Bound::Excluded(last.as_str())),
            false => self.raise(Bound::Excluded(last.as_str())),
        }
        if !self.is_empty() && !self.scan(1).is_empty() {
            let message = format!(
                "a scan would return more than {} fields; give it a `limit` and go on after the last \
                 key with `range`",
                limits::SCAN_ROWS_MAX
            );
            self.tx.fault(FaultKind::ScanRows, message);
        }
    }

    fn scan(&mut self, limit: usize) -> Vec<(FieldKey, Json)> {
        let (from, to) = (self.from.as_ref(), self.to.as_ref());
        let text = String::as_str;
        self.tx
            .field_scan(from.map(text), to.map(text), self.reverse, limit)
    }

    /// Whether no key can be within the bounds.
    fn is_empty(&self) -> bool {
        use Bound::{Excluded, Included};
        match (&self.from, &self.to) {
            (Included(from), Included(to)) => from > to,
            (Included(from) | Excluded(from), Included(to) | Excluded(to)) => from >= to,
            (_, Excluded(to) | Included(to)) => to.is_empty(),
            _ => false,
        }
    }

    /// Raises the lower bound to `bound`, if that is higher.
    fn raise(&mut self, bound: Bound<&str>) {
        let higher = match (self.from.as_ref().map(String::as_str), bound) {
            (_, Bound::Unbounded) => false,
            (Bound::Unbounded, _) => true,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(new)) => new > from,
            (Bound::Included(from), Bound::Excluded(new)) => new >= from,
            (Bound::Excluded(from), Bound::Excluded(new)) => new > from,
        };
        if higher {
            self.from = bound.map(str::to_owned);
        }
    }

    /// Lowers the upper bound to `bound`, if that is lower.
    fn lower(&mut self, bound: Bound<&str>) {
        let lower = match (self.to.as_ref().map(String::as_str), bound) {
            (_, Bound::Unbounded) => false,
            (Bound::Unbounded, _) => true,
            (Bound::Included(to) | Bound::Excluded(to), Bound::Included(new)) => new < to,
            (Bound::Included(to), Bound::Excluded(new)) => new <= to,
            (Bound::Excluded(to), Bound::Excluded(new)) => new < to,
        };
        if lower {
            self.to = bound.map(str::to_owned);
        }
    }
}

fn decoded<T: DeserializeOwned>(tx: &mut Tx, key: &FieldKey, json: &[u8]) -> T {
    match from_json(json) {
        Ok(value) => value,
        Err(error) => {
            let rust = std::any::type_name::<T>();
            let message = format!("the field `{key}` does not decode as `{rust}`: {error}");
            tx.fault(FaultKind::StoredValue, message)
        }
    }
}
