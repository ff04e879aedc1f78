//! States of other versions: the module brings them to its own when a method first looks.

use std::any::Any;
use std::panic::resume_unwind;

use ordain_engine::Tx;
use ordain_types::{FaultKind, Json};

use super::instance::Held;
use super::method::{Target, check_value};
use super::{running, trap, world};
use crate::json_state::{self, JsonState};
use crate::lent::lend_nothing;

/// The state of the method's entity in the module's own version; none if it was never written. What was
/// migrated is written with the first change.
pub(super) fn present(tx: &mut Tx, target: &Target, held: Option<&Held>) -> Option<String> {
    let state: &dyn Any = match held {
        Some(held) => &*held.state,
        None => tx.state(),
    };
    let state: &JsonState = state.downcast_ref().expect(json_state::ITS_OWN);
    let (json, version) = (state.json.as_ref()?, state.version);
    let keep_as_it_is = version < target.version && !target.migrates;
    if version == target.version || keep_as_it_is {
        return Some(world::text(json));
    }
    if !target.migrates {
        let (entity, own) = (tx.entity(), target.version);
        let message = format!(
            "the state of {entity} has version {version}, this module's is {own} and it does not migrate"
        );
        tx.fault(FaultKind::StoredValue, message)
    }
    let json = json.clone();
    Some(migrate(tx, target, &json, version))
}

/// Writes a state that is held.
pub(super) fn put(held: &mut Box<dyn ordain_engine::State>, json: &Json, version: u32) {
    let state: &mut dyn Any = &mut **held;
    let state: &mut JsonState = state.downcast_mut().expect(json_state::ITS_OWN);
    (state.json, state.version) = (Some(json.clone()), version);
}

fn migrate(tx: &mut Tx, target: &Target, json: &Json, from: u32) -> String {
    let code = &target.code;
    running::pay_for_text(tx, json.len());
    let mut instance = running::take(tx, code);
    let (migrated, left) = running::within(tx, &mut instance, None, |_, instance| {
        lend_nothing(|| instance.migrate(&code.pattern, &target.ty, world::text(json), from))
    });
    if let Some(unwinding) = left.unwinding {
        resume_unwind(unwinding);
    }
    let migrated = match migrated {
        Ok(migrated) => migrated,
        Err(error) => {
            drop(instance);
            trap::end(tx, &error, left.refused)
        }
    };
    running::give_back(tx, code, instance);
    running::pay_for_json(tx, migrated.len());
    let what = format!("the migrated state of {}", tx.entity());
    check_value(tx, &migrated, &what);
    migrated
}
