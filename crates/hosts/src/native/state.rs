//! Live root values of native entities: made, copied before a write, encoded for a checkpoint, lent
//! to the method that runs.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ordain_engine::{State, StateType, Tx, panic_text};
use ordain_types::Json;
use ordain_values::{append_json, encoded_len, from_json};

use super::entity::{Entity, Migrate, copy};
use crate::versioned;

/// A live root value.
#[derive(Debug)]
#[repr(C)] // what is read lies where the value begins
pub(crate) struct NativeState<E> {
    /// Read to have the value near: of `E` itself nothing is known.
    touched: u8,
    value: E,
}

impl<E> NativeState<E> {
    fn new(value: E) -> Self {
        Self { touched: 0, value }
    }
}

impl<E: Entity> State for NativeState<E> {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(Self::new(copy(&self.value)))
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        let value = |out: &mut Vec<u8>| append_json(&self.value, out);
        versioned::encode(E::VERSION, out, value).map_err(|error| error.to_string())
    }

    fn encoded_len(&self) -> Result<usize, String> {
        let value = encoded_len(&self.value).map_err(|error| error.to_string())?;
        Ok(value + versioned::around(E::VERSION))
    }

    fn touch(&self) -> u8 {
        self.touched
    }
}

/// Makes live root values of `E`.
#[derive(Debug)]
pub struct NativeType<E>(PhantomData<fn() -> E>);

impl<E> Default for NativeType<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E: Entity> StateType for NativeType<E> {
    fn initial(&self) -> Box<dyn State> {
        Box::new(NativeState::new(E::default()))
    }

    fn decode(&self, stored: &[u8]) -> Result<Box<dyn State>, String> {
        let (version, json) = versioned::parse(stored);
        let value = match E::MIGRATE {
            Some(migrate) if version != E::VERSION => migrated(migrate, json, version)?,
            None if version > E::VERSION => {
                let own = E::VERSION;
                return Err(format!(
                    "it has version {version}, this program's is {own} and it does not migrate"
                ));
            }
            _ => from_json::<E>(json)?,
        };
        Ok(Box::new(NativeState::new(value)))
    }

    fn shown(&self, stored: Json) -> Json {
        versioned::shown(stored)
    }
}

fn migrated<E>(migrate: Migrate<E>, json: &[u8], from: u32) -> Result<E, String> {
    let migrated = catch_unwind(|| migrate(json, from));
    let migrated = migrated.unwrap_or_else(|panic| {
        let message = panic_text(&*panic).unwrap_or("no message");
        Err(format!("its migration panicked: {message}"))
    });
    migrated.map_err(|error| format!("of version {from}: {error}"))
}

const ITS_OWN: &str = "a native entity's state is a value of its Rust type";

/// The state of the entity of the running call, for a method that takes `&self`.
#[inline]
pub fn state<E: Entity>(tx: &mut Tx) -> &E {
    let state: &dyn Any = tx.state();
    &state.downcast_ref::<NativeState<E>>().expect(ITS_OWN).value
}

/// The state of the entity of the running call, for a method that takes `&mut self`.
#[inline]
pub fn state_mut<E: Entity>(tx: &mut Tx) -> &mut E {
    let state: &mut dyn Any = tx.state_mut();
    &mut state.downcast_mut::<NativeState<E>>().expect(ITS_OWN).value
}

/// Runs a method that takes `&self` and a context. It holds its state: a call that comes back to the
/// entity is refused, since it would see the state while someone else may write it.
pub fn held<E: Entity, R>(tx: &mut Tx, run: impl FnOnce(&E, &mut Tx) -> R) -> R {
    let held = tx.hold();
    with_held(tx, held, |state, tx| run(state, tx))
}

/// Runs a method that takes `&mut self` and a context. It holds its state: a call that comes back to
/// the entity is refused, since what it wrote would be overwritten.
pub fn held_mut<E: Entity, R>(tx: &mut Tx, run: impl FnOnce(&mut E, &mut Tx) -> R) -> R {
    let held = tx.hold_mut();
    with_held(tx, held, run)
}

/// Gives the state back however the method ends: a fault undoes writes, but it does not make values.
fn with_held<E: Entity, R>(
    tx: &mut Tx,
    mut held: Box<dyn State>,
    run: impl FnOnce(&mut E, &mut Tx) -> R,
) -> R {
    let state: &mut dyn Any = &mut *held;
    let state = &mut state.downcast_mut::<NativeState<E>>().expect(ITS_OWN).value;
    let ended = catch_unwind(AssertUnwindSafe(|| run(state, tx)));
    tx.put_back(held);
    ended.unwrap_or_else(|unwinding| resume_unwind(unwinding))
}
