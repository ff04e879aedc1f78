//! The state of the running method: read at its first use, written before anyone else could see it.

use std::any::Any;

use ordain_types::FaultKind;
use ordain_values::{from_json, to_json};

use super::entity::Entity;
use super::tx::{Live, Tx, text};
use super::world::ordain::runtime::state as import;

const ITS_OWN: &str = "a method uses the state of its own entity type";

/// The state of the entity of the running call, for a method that takes `&self`.
pub fn state<E: Entity>(tx: &mut Tx) -> &E {
    let live: &dyn Any = &*live::<E>(tx).value;
    live.downcast_ref().expect(ITS_OWN)
}

/// The state of the entity of the running call, for a method that takes `&mut self`.
pub fn state_mut<E: Entity>(tx: &mut Tx) -> &mut E {
    let live = live::<E>(tx);
    live.dirty = Some(write::<E>);
    let value: &mut dyn Any = &mut *live.value;
    value.downcast_mut().expect(ITS_OWN)
}

/// Runs a method that takes `&self` and a context. It holds its state: a call that comes back to the
/// entity is refused, since it would see the state while someone else may write it.
pub fn held<E: Entity, R>(tx: &mut Tx, run: impl FnOnce(&E, &mut Tx) -> R) -> R {
    import::hold(false);
    let value = read::<E>(tx);
    tx.held = true;
    run(&value, tx)
}

/// Runs a method that takes `&mut self` and a context. It holds its state: a call that comes back to
/// the entity is refused, since what it wrote would be overwritten.
pub fn held_mut<E: Entity, R>(tx: &mut Tx, run: impl FnOnce(&mut E, &mut Tx) -> R) -> R {
    import::hold(true);
    let mut value = read::<E>(tx);
    tx.held = true;
    let result = run(&mut value, tx);
    tx.state = Some(Live {
        value: Box::new(value),
        dirty: Some(write::<E>),
    });
    result
}

/// Writes the state if it may have changed.
pub(super) fn flush(tx: &mut Tx) {
    if let Some(mut live) = tx.state.take() {
        if let Some(write) = live.dirty.take() {
            write(&*live.value, tx);
        }
        tx.state = Some(live);
    }
}

fn live<E: Entity>(tx: &mut Tx) -> &mut Live {
    if tx.state.is_none() {
        let value = Box::new(read::<E>(tx));
        tx.state = Some(Live { value, dirty: None });
    }
    tx.state.as_mut().expect("just put there")
}

fn read<E: Entity>(tx: &mut Tx) -> E {
    let Some(json) = import::get() else {
        return E::default();
    };
    match from_json(json.as_bytes()) {
        Ok(value) => value,
        Err(error) => {
            let message = format!(
                "the stored state of {} does not decode: {error}",
                tx.entity()
            );
            tx.fault(FaultKind::StoredValue, message)
        }
    }
}

fn write<E: Entity>(value: &dyn Any, tx: &mut Tx) {
    match to_json(value.downcast_ref::<E>().expect(ITS_OWN)) {
        Ok(json) => import::set(text(&json)),
        Err(error) => {
            let message = format!("the state of {} is not JSON: {error}", tx.entity());
            tx.fault(FaultKind::Encoding, message)
        }
    }
}
