//! The running transaction, as methods see it: calls, limits, ends, and what it answers of itself. What
//! methods read and write is in `state`.
//!
//! Calls are plain nested function calls between [`Tx::call`] brackets. A bracket notes where the undo
//! list stands; a rejection that leaves it rolls back to there. A fault unwinds the whole stack: it is
//! kept in the transaction, so that even a method that catches the unwinding cannot answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use ordain_types::{
    Bug, EntityId, Fault, FaultKind, Json, Key, Method, MethodKind, Rejection, Seq, Timestamp,
    limits, planted,
};

use crate::catalog::{Args, Catalog, Decoded, MethodIndex, TypeIndex};
use crate::chance::Chance;
use crate::checkpoint::Capture;
use crate::cold::{Cold, ColdError};
use crate::commands::{cut, panic_fault};
use crate::engine::Halt;
use crate::engine::Meta;
use crate::rows::Rows;
use crate::sends::{NewSend, PendingSends};
use crate::slots::{SlotIndex, Slots};
use crate::told::{LogLine, Told};
use crate::twice::Trace;
use crate::undo::Undo;

/// The running transaction and the state it runs on.
pub struct Tx {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) cold: Box<dyn Cold>,
    pub(crate) read_back: bool,
    pub(crate) twice: bool,
    pub(crate) slots: Slots,
    pub(crate) rows: Rows,
    pub(crate) pending: PendingSends,
    pub(crate) undo: Vec<Undo>,
    pub(crate) capture: Capture,
    pub(crate) meta: Meta,
    /// No expiry is earlier; none: there is none.
    pub(crate) next_expiry: Option<Timestamp>,
    pub(crate) running: Running,
}

/// What belongs to one transaction alone.
#[derive(Default)]
pub(crate) struct Running {
    pub seq: Seq,
    pub now: Timestamp,
    pub caller: String,
    pub frames: Vec<Frame>,
    pub calls: usize,
    pub written: usize,
    pub read: usize,
    pub sends: Vec<NewSend>,
    pub chance: Chance,
    /// Reads only, whatever is called.
    pub query: bool,
    /// Everything in it must come out as in a process that runs nothing else: see [`Tx::careful`].
    pub careful: bool,
    /// Set once: all that was done is undone, and the transaction runs again, carefully.
    pub again: bool,
    /// What methods said for people to read, and its bytes.
    pub logs: Vec<LogLine>,
    pub log_bytes: usize,
    /// What else is told, where that is wanted.
    pub told: Option<Box<Told>>,
    /// What it does, where that is compared.
    pub trace: Option<Trace>,
    /// What hosts keep for it.
    pub beside: Vec<Box<dyn Any + Send>>,
    /// Set once: nothing after it counts.
    pub fault: Option<Box<Fault>>,
    /// Set once: the engine stops.
    pub broken: Option<Halt>,
}

/// One call on the stack.
pub(crate) struct Frame {
    pub slot: SlotIndex,
    ty: TypeIndex,
    method: MethodIndex,
    pub kind: MethodKind,
    undo: usize,
    sends: usize,
    pub written: bool,
}

/// What unwinding carries: the reason is in the transaction.
struct Ended;

impl Tx {
    /// All that can be called.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Runs one call of `method` of the entity `key` of type `ty`: everything `run` does belongs to
    /// it. If it is rejected, exactly that is undone.
    ///
    /// # Errors
    /// The method's rejection.
    pub fn call<R>(
        &mut self,
        ty: TypeIndex,
        key: &Key,
        method: MethodIndex,
        run: impl FnOnce(&mut Tx) -> Result<R, Rejection>,
    ) -> Result<R, Rejection> {
        self.call_spelled(ty, key, method, None, run)
    }

    /// The same, with the arguments in JSON where there is any, for whoever compares two runs.
    fn call_spelled<R>(
        &mut self,
        ty: TypeIndex,
        key: &Key,
        method: MethodIndex,
        args: Option<&[u8]>,
        run: impl FnOnce(&mut Tx) -> Result<R, Rejection>,
    ) -> Result<R, Rejection> {
        self.trace_call(ty, key, method, args);
        self.enter(ty, key, method);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let result = run(self);
            self.go_on(); // unless a method caught the unwinding of a fault
            match &result {
                Ok(_) => self.settle(),
                Err(_) => self.undo_frame(),
            }
            result
        }));
        if let Err(unwinding) = &ended {
            self.note_panic(&**unwinding);
        }
        self.running.frames.pop();
        ended.unwrap_or_else(|unwinding| resume_unwind(unwinding))
    }

    /// Goes on unwinding if the transaction has ended already.
    fn go_on(&mut self) {
        if self.ended() {
            self.end();
        }
    }

    /// Whether the transaction has ended already, by a fault or worse: whatever runs is to give up as
    /// soon as it can.
    pub fn ended(&self) -> bool {
        let running = &self.running;
        running.fault.is_some() || running.broken.is_some() || running.again
    }

    /// Whether this run must come out exactly as it would in any other process: a host then makes anew
    /// whatever it else keeps warm, and counts to its limits from there.
    pub fn careful(&self) -> bool {
        self.running.careful
    }

    /// What a host keeps from its first method in this run of the transaction to the end of the run: the
    /// one value of that type, made when it is first asked for and dropped when the run ended.
    pub fn beside<T: Any + Send + Default>(&mut self) -> &mut T {
        let beside = &mut self.running.beside;
        let is_it = |kept: &Box<dyn Any + Send>| kept.is::<T>();
        let at = beside.iter().position(is_it).unwrap_or_else(|| {
            beside.push(Box::<T>::default());
            beside.len() - 1
        });
        beside[at].downcast_mut().expect("just looked for")
    }

    /// Undoes everything and runs the transaction again, carefully. For hosts that come near a limit
    /// with something warm, whose count is not exact: what they count then decides nothing.
    ///
    /// # Panics
    /// If the run is careful already.
    pub fn run_carefully(&mut self) -> ! {
        assert!(!self.running.careful, "a careful run counts exactly");
        self.running.again = true;
        self.end()
    }

    /// A panic is a fault from where it leaves its call: a method that catches it later cannot answer.
    fn note_panic(&mut self, unwinding: &(dyn Any + Send)) {
        if planted(Bug::PanicCaught) {
            return;
        }
        if !self.ended() {
            let fault = panic_fault(unwinding, self.place());
            self.running.fault = Some(Box::new(fault));
        }
    }

    /// The same with names, for callers that know no Rust types.
    ///
    /// # Errors
    /// The method's rejection.
    pub fn call_dynamic(
        &mut self,
        entity: &EntityId,
        method: &Method,
        args: &[u8],
    ) -> Result<Json, Rejection> {
        let ready = self.decode(entity, method, args).args;
        // As they were given: their own spelling may be another each time, of a map that has no order.
        self.call_decoded(entity, method, ready, args)
    }

    /// The same with arguments that [`crate::Run::decode`] of that method gave, perhaps in another
    /// version of it.
    pub(crate) fn call_decoded(
        &mut self,
        entity: &EntityId,
        method: &Method,
        ready: Args,
        json: &[u8],
    ) -> Result<Json, Rejection> {
        let (ty, at) = self.find(entity, method);
        let run = self.catalog.get(ty).methods[at.0 as usize].run.clone();
        let args = match run.takes(&ready) || planted(Bug::StaleArguments) {
            true => ready,
            false => self.decode(entity, method, json).args,
        };
        self.call_spelled(ty, &entity.key, at, Some(json), |tx| {
            let value = run.run(tx, args)?;
            tx.check_value(value.len(), "the value of a method");
            Ok(value)
        })
    }

    /// Arguments in their method's own spelling, checked.
    pub(crate) fn canonical(&mut self, entity: &EntityId, method: &Method, args: &[u8]) -> Json {
        self.decode(entity, method, args).canonical
    }

    fn decode(&mut self, entity: &EntityId, method: &Method, args: &[u8]) -> Decoded {
        let (ty, at) = self.find(entity, method);
        if args.len() > limits::ARGUMENT_BYTES_MAX {
            let (size, limit) = (args.len(), limits::ARGUMENT_BYTES_MAX);
            let message = format!("{size} bytes of arguments for {entity}.{method}, limit {limit}");
            self.fault(FaultKind::ArgumentBytes, message);
        }
        match self.catalog.get(ty).methods[at.0 as usize].run.decode(args) {
            Ok(decoded) => decoded,
            Err(error) => {
                let message = format!("arguments of {entity}.{method}: {error}");
                self.fault(FaultKind::Arguments, message)
            }
        }
    }

    fn find(&mut self, entity: &EntityId, method: &Method) -> (TypeIndex, MethodIndex) {
        let Some(ty) = self.catalog.index(entity.ty.as_str()) else {
            self.fault(
                FaultKind::UnknownEntity,
                format!("no entity type is named `{}`", entity.ty),
            )
        };
        let found = self
            .catalog
            .get(ty)
            .method(method.as_str())
            .map(|(at, _)| at);
        let Some(at) = found else {
            let message = format!("the entity type `{}` has no method `{method}`", entity.ty);
            self.fault(FaultKind::UnknownMethod, message)
        };
        (ty, at)
    }

    fn enter(&mut self, ty: TypeIndex, key: &Key, method: MethodIndex) {
        self.go_on();
        let kind = self.catalog.get(ty).methods[method.0 as usize].kind;
        if self.running.frames.len()
            >= limits::CALL_DEPTH_MAX + usize::from(planted(Bug::DeeperByOne))
        {
            let limit = limits::CALL_DEPTH_MAX;
            self.fault(
                FaultKind::CallDepth,
                format!("calls nest deeper than {limit}"),
            );
        }
        self.running.calls += 1;
        if self.running.calls > limits::CALLS_MAX {
            let limit = limits::CALLS_MAX;
            self.fault(
                FaultKind::Calls,
                format!("more than {limit} calls in one transaction"),
            );
        }
        if kind == MethodKind::Update && self.in_query() {
            let name = &self.catalog.get(ty).methods[method.0 as usize].name;
            let message = format!("a query called the update `{name}`; make the caller an update");
            self.fault(FaultKind::WriteInQuery, message);
        }
        let slot = self.slot(ty, key);
        self.count_read(self.slots.get(slot).len as usize);
        let (undo, sends) = (self.undo.len(), self.running.sends.len());
        self.running.frames.push(Frame {
            slot,
            ty,
            method,
            kind,
            undo,
            sends,
            written: false,
        });
    }

    /// Faults if a value is too large.
    pub(crate) fn check_value(&mut self, len: usize, what: &str) {
        if len > limits::VALUE_BYTES_MAX {
            let limit = limits::VALUE_BYTES_MAX;
            let entity = self.entity();
            let message = format!(
                "{what} of {entity} has {len} bytes, more than the limit of {limit}; divide it, \
                 for instance into fields"
            );
            self.fault(FaultKind::ValueBytes, message);
        }
    }

    /// Counts what was written against the limit.
    pub(crate) fn count_written(&mut self, len: usize) {
        self.running.written += len + limits::WRITE_BYTES;
        if self.running.written > limits::WRITTEN_BYTES_MAX {
            let limit = limits::WRITTEN_BYTES_MAX;
            let message = format!("more than {limit} bytes written in one transaction");
            self.fault(FaultKind::WrittenBytes, message);
        }
    }

    /// Counts what was read against the limit.
    pub(crate) fn count_read(&mut self, len: usize) {
        self.running.read += len;
        if self.running.read > limits::READ_BYTES_MAX && !planted(Bug::ReadsUncounted) {
            let limit = limits::READ_BYTES_MAX;
            let message = format!(
                "more than {limit} bytes of states and fields read in one transaction; divide it, \
                 for instance by a send to the entity itself that goes on"
            );
            self.fault(FaultKind::ReadBytes, message);
        }
    }

    /// Ends a call that was rejected: undoes exactly it.
    fn undo_frame(&mut self) {
        let Frame { undo, sends, .. } = *self.frame();
        self.roll_back(undo);
        if !planted(Bug::SendsStay) {
            self.running.sends.truncate(sends);
        }
    }

    /// Whether the running transaction may only read.
    pub(crate) fn in_query(&self) -> bool {
        let frame = self.running.frames.last();
        self.running.query || frame.is_some_and(|frame| frame.kind == MethodKind::Query)
    }

    /// Ends the transaction with a fault. It unwinds the stack; no method can catch it.
    pub fn fault(&mut self, kind: FaultKind, message: impl Into<String>) -> ! {
        self.fault_traced(kind, message, "")
    }

    /// The same with the module's own stack, for those who operate or develop it.
    pub fn fault_traced(
        &mut self,
        kind: FaultKind,
        message: impl Into<String>,
        trace: impl Into<String>,
    ) -> ! {
        if !self.ended() {
            let at = self.place();
            let within = |text: String| cut(&text, limits::MESSAGE_BYTES_MAX).to_owned();
            self.running.fault = Some(Box::new(Fault {
                kind,
                message: within(message.into()),
                at,
                trace: within(trace.into()),
            }));
        }
        self.end()
    }

    /// Ends everything: the durable state cannot be read.
    pub(crate) fn stop(&mut self, error: ColdError) -> ! {
        self.halt(error.into())
    }

    /// Ends everything: the machine gave not what it takes to run the method. No outcome can say so, since the same
    /// call may go well in a replay.
    pub fn stop_for_want(&mut self, of: impl Into<String>) -> ! {
        self.halt(Halt::Machine(of.into()))
    }

    fn halt(&mut self, why: Halt) -> ! {
        self.running.broken.get_or_insert(why);
        self.end()
    }

    fn end(&mut self) -> ! {
        resume_unwind(Box::new(Ended))
    }

    /// Where the transaction is: `account/alice.withdraw`.
    pub(crate) fn place(&self) -> String {
        let Some(frame) = self.running.frames.last() else {
            return String::new();
        };
        let def = self.catalog.get(frame.ty);
        let key = &self.slots.get(frame.slot).key;
        format!(
            "{}/{key}.{}",
            def.name, def.methods[frame.method.0 as usize].name
        )
    }

    pub(crate) fn frame(&self) -> &Frame {
        self.running
            .frames
            .last()
            .expect("a method runs within a call")
    }

    pub(crate) fn frame_mut(&mut self) -> &mut Frame {
        self.running
            .frames
            .last_mut()
            .expect("a method runs within a call")
    }

    /// The timestamp of the batch: never less than that of any earlier command.
    pub fn now(&self) -> Timestamp {
        self.running.now
    }

    /// The transaction's seq; in a query, that of the last command it sees.
    pub fn seq(&self) -> Seq {
        self.running.seq
    }

    /// Who asked for the transaction: the name of a token, or the entity that sent it.
    pub fn caller(&self) -> &str {
        &self.running.caller
    }

    /// A number from a stream that the seq determines.
    pub fn random(&mut self) -> u64 {
        self.running.chance.next()
    }

    /// A version 7 UUID from the same stream.
    pub fn uuid(&mut self) -> u128 {
        let now = self.running.now;
        self.running.chance.uuid(now)
    }

    /// The entity whose method runs.
    pub fn entity(&self) -> EntityId {
        let slot = self.slots.get(self.frame().slot);
        EntityId {
            ty: self.catalog.get(slot.ty).name.clone(),
            key: slot.key.clone(),
        }
    }
}
