//! What a module answers: what it brings, and the value of one method.

use std::panic;
use std::sync::Once;

use ordain_types::MethodKind;

use super::entity::{Entities, Listed};
use super::method::{MethodDef, ParamDef};
use super::state::flush;
use super::tx::{Tx, text};
use super::world::exports::ordain::runtime::entities as export;
use super::world::ordain::runtime::{log, types};

/// A module: its entity types, and whether one instance may serve many transactions.
pub trait Module {
    /// Its entity types.
    fn entities() -> Entities;
    /// Whether one instance may serve many transactions.
    const REUSE: bool;
}

impl<M: Module> export::Guest for M {
    fn describe() -> export::Manifest {
        report_panics();
        export::Manifest {
            sdk: SDK.to_owned(),
            entities: M::entities().0.iter().map(described).collect(),
            reuse: M::REUSE,
        }
    }

    fn invoke(ty: String, method: String, args: String) -> Result<String, types::Rejection> {
        report_panics();
        let methods = (listed::<M>(&ty).define)().methods;
        let Some(def) = methods.iter().find(|def| def.name == method) else {
            panic!("the entity type `{ty}` of the module has no method `{method}`")
        };
        let mut tx = Tx::default();
        let value = (def.run)(&mut tx, &args)?;
        flush(&mut tx);
        Ok(String::from_utf8(value.into()).expect("JSON is text"))
    }

    fn migrate(ty: String, state: String, from: u32) -> String {
        report_panics();
        let listed = listed::<M>(&ty);
        match (listed.migrate)(&state, from) {
            Ok(json) => text(&json).to_owned(),
            Err(error) => {
                let message = format!("a state of `{ty}` of version {from}: {error}");
                log::fault(log::FaultKind::StoredValue, &message);
                unreachable!("a fault does not return")
            }
        }
    }
}

fn listed<M: Module>(ty: &str) -> Listed {
    let mut all = M::entities().0.into_iter();
    let listed = all.find(|listed| listed.name == ty);
    listed.unwrap_or_else(|| panic!("the module has no entity type `{ty}`"))
}

/// The version of the world.
const SDK: &str = "0.1";

/// What a panic says is the message of the fault; without this it would be a trap without words.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            log::fault(log::FaultKind::Panic, &info.to_string());
        }))
    });
}

fn described(listed: &Listed) -> export::EntityType {
    let methods = (listed.define)().methods;
    export::EntityType {
        name: listed.name.to_owned(),
        version: listed.version,
        migrates: listed.migrates,
        methods: methods.into_iter().map(method).collect(),
    }
}

fn method(def: MethodDef) -> export::Method {
    export::Method {
        name: def.name.to_owned(),
        kind: match def.kind {
            MethodKind::Query => export::Kind::Query,
            MethodKind::Update => export::Kind::Update,
        },
        params: Some((def.params)().into_iter().map(param).collect()),
        returns: def.returns.to_owned(),
    }
}

fn param(def: ParamDef) -> export::Param {
    export::Param {
        name: def.name.to_owned(),
        schema: def.schema.to_owned(),
        required: def.required,
    }
}
