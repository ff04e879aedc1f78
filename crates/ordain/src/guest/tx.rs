//! The running transaction, as the imports show it.

use std::any::Any;
use std::cell::OnceCell;
use std::ops::Bound;

use ordain_types::{
    EntityId, EntityType, FaultKind, FieldKey, Json, Key, Method, Rejection, SendId, Seq, Timestamp,
};

use super::state::flush;
use super::world::ordain::runtime::{calls, context, fields, log, types};

/// The running transaction, as one method sees it.
#[derive(Default)]
pub struct Tx {
    pub(super) state: Option<Live>,
    /// A method has the state as a variable: no one else can see it meanwhile.
    pub(super) held: bool,
    caller: OnceCell<String>,
}

/// The state, once it was looked at.
pub(super) struct Live {
    pub value: Box<dyn Any>,
    /// Writes the value, if it may have changed since it was read or written.
    pub dirty: Option<fn(&dyn Any, &mut Tx)>,
}

impl Tx {
    /// Calls by names.
    ///
    /// # Errors
    /// The method's rejection.
    pub fn call_dynamic(
        &mut self,
        entity: &EntityId,
        method: &Method,
        args: &[u8],
    ) -> Result<Json, Rejection> {
        let (ty, key) = (entity.ty.as_str(), entity.key.as_str());
        self.call(ty, key, method.as_str(), text(args))
    }

    /// Calls, with the state written before and read again after: the call may come back to this entity.
    pub(super) fn call(
        &mut self,
        ty: &str,
        key: &str,
        method: &str,
        args: &str,
    ) -> Result<Json, Rejection> {
        if !self.held {
            flush(self);
            self.state = None;
        }
        match calls::call(ty, key, method, args) {
            Ok(value) => Ok(value.into()),
            Err(rejection) => Err(Rejection {
                code: rejection.code,
                message: rejection.message,
                details: rejection.details.map(Json::from),
            }),
        }
    }

    /// Asks for a call after this transaction.
    pub fn send(&mut self, entity: EntityId, method: Method, args: &[u8], delay_ms: u64) -> SendId {
        let (ty, key) = (entity.ty.as_str(), entity.key.as_str());
        let id = calls::send(ty, key, method.as_str(), text(args), delay_ms);
        id.parse().expect("the runtime gives a send's id")
    }

    /// The value of a field.
    pub fn field_get(&mut self, field: &FieldKey) -> Option<Json> {
        fields::get(field.as_str()).map(Json::from)
    }

    /// Puts a field.
    pub fn field_put(&mut self, field: &FieldKey, value: Json) {
        fields::put(field.as_str(), text(&value));
    }

    /// Deletes a field.
    pub fn field_delete(&mut self, field: &FieldKey) {
        fields::delete(field.as_str());
    }

    /// At most `limit` fields with keys within the bounds.
    pub fn field_scan(
        &mut self,
        from: Bound<&str>,
        to: Bound<&str>,
        reverse: bool,
        limit: usize,
    ) -> Vec<(FieldKey, Json)> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let rows = fields::scan(&bound(from), &bound(to), reverse, limit);
        let row = |(key, value): (String, String)| {
            let key = FieldKey::new(&key).expect("the runtime gives the keys of fields");
            (key, value.into())
        };
        rows.into_iter().map(row).collect()
    }

    /// The time of the batch.
    pub fn now(&self) -> Timestamp {
        Timestamp(context::now())
    }

    /// The transaction's seq.
    pub fn seq(&self) -> Seq {
        Seq(context::seq())
    }

    /// Who asked for the transaction.
    pub fn caller(&self) -> &str {
        self.caller.get_or_init(context::caller)
    }

    /// A random number.
    pub fn random(&mut self) -> u64 {
        context::random()
    }

    /// A new UUID.
    pub fn uuid(&mut self) -> u128 {
        let digits = context::uuid().replace('-', "");
        u128::from_str_radix(&digits, 16).expect("the runtime gives a UUID")
    }

    /// The entity whose method runs.
    pub fn entity(&self) -> EntityId {
        EntityId {
            ty: EntityType::new(&context::entity_type()).expect("the runtime gives a type"),
            key: Key::new(&context::key()).expect("the runtime gives a key"),
        }
    }

    /// Notes a line.
    pub fn log(&mut self, message: &str) {
        log::write(message);
    }

    /// Ends the transaction with a fault.
    pub fn fault(&mut self, kind: FaultKind, message: impl Into<String>) -> ! {
        let kind = match kind {
            FaultKind::Arguments => log::FaultKind::Arguments,
            FaultKind::BadKey => log::FaultKind::BadKey,
            FaultKind::UnknownEntity => log::FaultKind::UnknownEntity,
            FaultKind::UnknownMethod => log::FaultKind::UnknownMethod,
            FaultKind::StoredValue => log::FaultKind::StoredValue,
            FaultKind::Encoding => log::FaultKind::Encoding,
            FaultKind::ScanRows => log::FaultKind::ScanRows,
            _ => log::FaultKind::Panic,
        };
        log::fault(kind, &message.into());
        unreachable!("a fault ends the transaction")
    }
}

/// JSON of this module's own making is text.
pub(super) fn text(json: &[u8]) -> &str {
    std::str::from_utf8(json).expect("JSON is text")
}

fn bound(bound: Bound<&str>) -> fields::Bound {
    match bound {
        Bound::Unbounded => fields::Bound::Unbounded,
        Bound::Included(key) => fields::Bound::Included(key.to_owned()),
        Bound::Excluded(key) => fields::Bound::Excluded(key.to_owned()),
    }
}

impl From<Rejection> for types::Rejection {
    fn from(rejection: Rejection) -> Self {
        Self {
            code: rejection.code,
            message: rejection.message,
            details: rejection.details.map(|json| text(&json).to_owned()),
        }
    }
}
