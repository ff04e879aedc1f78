//! Runs one method: arguments in, state read when it is asked for and written if its JSON changed, value
//! out. Knows what a call is; what the context's functions do is [`super::host`].
//!
//! Nothing unwinds through the interpreter. A host function that the engine unwinds (a fault, or the wish
//! to run again carefully) keeps what it caught, throws an error that no `catch` sees, and the unwinding
//! goes on here, when the interpreter's frames are gone.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::Rc;

use ordain_engine::Tx;
use ordain_types::module::{ModuleHash, Place};
use ordain_types::{FaultKind, Json, MethodKind, Rejection};
use rquickjs::{Ctx, Function, Object, Persistent, Value};

use super::cache::{self, Count};
use super::compile::Compiled;
use super::fault::{self, Ending, Thrown};
use super::instance::{Instance, Library, NO_MEMORY, NotStarted};
use super::meter::{Broken, Limits};
use super::syntax::Position;
use super::{host, raw, state};
use crate::lent::lend;

/// A call that runs.
pub struct Frame {
    pub instance: Rc<Instance>,
    /// Which of the module's entity types.
    pub entity: usize,
    pub kind: MethodKind,
    /// Its state, once it was read or set.
    pub held: Option<state::Held>,
    /// Its state is being migrated.
    pub migrates: bool,
}

thread_local! {
    /// The calls that run on this thread, the innermost last.
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
    /// What a host function caught.
    static UNWINDING: Cell<Option<Box<dyn Any + Send>>> = const { Cell::new(None) };
}

/// Looks at the innermost call. `look` must not run JavaScript.
pub fn frame<R>(look: impl FnOnce(&mut Frame) -> R) -> Option<R> {
    FRAMES.with_borrow_mut(|frames| frames.last_mut().map(look))
}

/// Keeps what a host function caught, to go on unwinding later.
pub fn keep_unwinding(caught: Box<dyn Any + Send>) {
    UNWINDING.set(Some(caught));
}

/// A call's place on the stack.
struct Running(Rc<Instance>);

impl Running {
    fn begin(instance: &Rc<Instance>, entity: usize, kind: MethodKind) -> Self {
        instance.running.set(instance.running.get() + 1);
        let frame = Frame {
            instance: instance.clone(),
            entity,
            kind,
            held: None,
            migrates: false,
        };
        FRAMES.with_borrow_mut(|frames| frames.push(frame));
        Self(instance.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let frame = FRAMES.with_borrow_mut(Vec::pop);
        drop(frame); // outside the borrow: it frees JavaScript's values
        self.0.running.set(self.0.running.get() - 1);
    }
}

/// Which method to run.
pub struct Which {
    pub hash: ModuleHash,
    pub entity: usize,
    pub method: usize,
    pub kind: MethodKind,
}

/// Runs a method within the call that `tx` has just opened.
///
/// # Errors
/// The method's rejection.
pub fn run(
    tx: &mut Tx,
    which: &Which,
    compiled: impl FnOnce() -> Result<Compiled, NotStarted>,
    args: &Json,
) -> Result<Json, Rejection> {
    let (careful, places) = (tx.careful(), tx.tells());
    let limits = match careful {
        true => Limits::careful(),
        false => Limits::warm(),
    };
    let count = Count::begin(limits, tx.beside());
    let instance = match cache::instance(which.hash, careful, compiled) {
        Ok(instance) => instance,
        Err(NotStarted::Thrown(thrown)) => throw(tx, thrown),
        Err(NotStarted::Machine(why)) => tx.stop_for_want(why),
    };
    let running = Running::begin(&instance, which.entity, which.kind);
    let ended = lend(tx, || {
        instance.inside(count.floor, |ctx| {
            method(&ctx, &instance, which, args, places)
        })
    });
    drop(running);
    if let Some(caught) = UNWINDING.take() {
        resume_unwind(caught);
    }
    if let Some(broken) = count.meter.broken() {
        let when = match broken {
            Broken::Instructions => "in one transaction",
            Broken::Memory | Broken::Stack => "in one call from outside it",
            Broken::Machine => tx.stop_for_want(NO_MEMORY),
        };
        let thrown = Thrown::broken(broken, when);
        let thrown = match ended {
            Err(Ending::Thrown(last)) => thrown.where_ended(last).of(&instance.compiled),
            _ => thrown,
        };
        throw(tx, thrown);
    }
    count.note(tx.beside());
    match ended {
        Ok(value) => Ok(value),
        Err(Ending::Rejected(rejection, at)) => {
            let place = at.and_then(|at| at.of(&instance.compiled).place);
            if let Some((file, Position { line, column })) = place {
                tx.rejected_at(&rejection, &Place { file, line, column });
            }
            Err(rejection)
        }
        Err(Ending::Thrown(thrown)) => throw(tx, thrown.of(&instance.compiled)),
    }
}

/// Ends the transaction with what was thrown, if this run counts. A warm one may have failed for want of
/// something (stack, say, within the interpreter's own functions) that it names otherwise or not at all.
fn throw(tx: &mut Tx, thrown: Thrown) -> ! {
    if !tx.careful() {
        tx.run_carefully();
    }
    let trace = thrown.trace();
    tx.fault_traced(thrown.kind, thrown.message, trace)
}

/// What arrives where no arguments are given.
const NO_ARGUMENTS: &str = "{}";

/// The call itself, in the interpreter.
fn method(
    ctx: &Ctx<'_>,
    instance: &Instance,
    which: &Which,
    args: &Json,
    places: bool,
) -> Result<Json, Ending> {
    let entity = &instance.entities[which.entity];
    let library = &instance.library;
    let called = &entity.methods[which.method];
    let call = || {
        let run: Function = called.run.clone().restore(ctx)?;
        let prototype: Object = library.context.clone().restore(ctx)?;
        let cx = Object::new_proto(ctx.clone(), Some(&prototype))?;
        let args = match called.optional && args == NO_ARGUMENTS {
            true => Value::new_undefined(ctx.clone()),
            false => raw::parse(ctx, args)?,
        };
        let value: Value = run.call((cx, args))?;
        let result = result(ctx, library, &value)?; // what makes its JSON may write to the state
        state::flush(ctx)?;
        Ok(result)
    };
    let ended: Result<Result<Json, Thrown>, rquickjs::Error> = call();
    match ended {
        Ok(value) => value.map_err(Ending::Thrown),
        Err(error) => Err(fault::ending(ctx, instance, error, places)),
    }
}

/// The value as JSON. What has none (`undefined`) is `null`.
fn result<'js>(
    ctx: &Ctx<'js>,
    library: &Library,
    value: &Value<'js>,
) -> rquickjs::Result<Result<Json, Thrown>> {
    if value.is_undefined() {
        return Ok(Ok(Json::from_static(b"null")));
    }
    host::json(ctx, library, value, "the method's value").map(|json| {
        json.map_err(|message| Thrown {
            kind: FaultKind::Encoding,
            ..Thrown::plain(message)
        })
    })
}

/// A value that outlives the borrow of its context.
pub type Kept = Persistent<Value<'static>>;
