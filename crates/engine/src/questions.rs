//! What is asked of the engine between two commands, and changes nothing.

use bytes::Bytes;
use ordain_types::module::{Manifest, ModuleHash};
use ordain_types::{Call, EntityId, EntityType, FieldKey, Json, ModuleName, Rejection, SendId};

use crate::Tx;
use crate::engine::{Answer, Engine, Halt};
use crate::modules::ModuleStatus;
use crate::sends::Invocation;

impl Engine {
    fn ask<R>(&mut self, look: impl FnOnce(&mut Tx) -> R) -> Result<R, Halt> {
        self.tx.begin(self.seq(), self.tx.meta.timestamp);
        self.tx.whole(look)
    }

    /// The first answer to a request with an idempotency key, of a send with its delay; none: it was not
    /// answered, or longer ago than answers are kept, or the key is another request's.
    ///
    /// # Errors
    /// If the durable state cannot be read.
    pub fn answered(&mut self, call: &Call, delay_ms: Option<u64>) -> Result<Option<Answer>, Halt> {
        let same = |answer: &Answer| matches!(answer, Answer::Repeated { .. });
        self.ask(|tx| tx.answer_before(call, delay_ms).filter(same))
    }

    /// What is known of a send; none: never asked for, undone, or forgotten after the retention.
    ///
    /// # Errors
    /// If the durable state cannot be read.
    pub fn invocation(&mut self, send: SendId) -> Result<Option<Invocation>, Halt> {
        self.ask(|tx| tx.invocation(send))
    }

    /// All modules there ever were, as far as their history is kept.
    ///
    /// # Errors
    /// If the durable state cannot be read.
    pub fn modules(&mut self) -> Result<Vec<ModuleStatus>, Halt> {
        self.ask(Tx::module_statuses)
    }

    /// Why the state of entities of these types, which a change of that module would put out of reach,
    /// may not be left behind; none: there is none.
    ///
    /// # Errors
    /// If the durable state cannot be read.
    pub fn left(
        &mut self,
        module: &ModuleName,
        types: &[EntityType],
    ) -> Result<Option<Rejection>, Halt> {
        self.ask(|tx| tx.check_left(module, types).err())
    }

    /// Why a module could not read what entities of its types hold; none: it can.
    ///
    /// # Errors
    /// If the durable state cannot be read.
    pub fn stored(&mut self, manifest: &Manifest) -> Result<Option<Rejection>, Halt> {
        self.ask(|tx| tx.check_stored(manifest).err())
    }

    /// The package of this name, encoded.
    ///
    /// # Errors
    /// If the durable state cannot be read.
    pub fn package(&mut self, hash: &ModuleHash) -> Result<Option<Bytes>, Halt> {
        self.ask(|tx| tx.package(hash))
    }

    /// An entity's root value as JSON (none before the first write) and its first `limit` fields
    /// after `after`: fewer where they are more than [`SCAN_BYTES_MAX`](ordain_types::limits::SCAN_BYTES_MAX), with the one that
    /// makes them so as the last.
    ///
    /// # Errors
    /// If the durable state cannot be read.
    #[expect(clippy::type_complexity, reason = "one pair, used once")]
    pub fn inspect(
        &mut self,
        entity: &EntityId,
        after: Option<&FieldKey>,
        limit: usize,
    ) -> Result<(Option<Json>, Vec<(FieldKey, Json)>), Halt> {
        self.ask(|tx| (tx.root(entity), tx.fields_of(entity, after, limit)))
    }
}
