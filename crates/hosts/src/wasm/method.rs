//! One method of a module as the engine runs it.

use std::panic::resume_unwind;
use std::sync::Arc;

use ordain_engine::{Args, ArgumentError, Decoded, Run, Tx};
use ordain_types::{FaultKind, Json, Rejection, limits};

use super::code::Code;
use super::{json, running, trap, world};
use crate::json_state::{self, JsonState};
use crate::lent::lend;
use crate::params::{self, Parameter};

/// A method of a module.
pub(super) struct WasmMethod {
    pub target: Arc<Target>,
    pub name: Arc<str>,
    pub params: Option<Vec<Parameter>>,
}

/// Whose method runs, for the functions that a module imports.
pub(super) struct Target {
    pub code: Arc<Code>,
    pub ty: Arc<str>,
    pub version: u32,
    pub migrates: bool,
}

/// Arguments that were checked against a method.
struct Checked {
    json: Arc<str>,
    /// The method: that of another module, or version, has another name in memory.
    of: Arc<str>,
}

impl Run for WasmMethod {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        let canonical = params::canonical(self.params.as_deref(), json)?;
        let text = std::str::from_utf8(&canonical).expect("JSON is text");
        let args = Checked {
            json: text.into(),
            of: self.name.clone(),
        };
        Ok(Decoded {
            args: Box::new(args),
            canonical,
        })
    }

    fn takes(&self, args: &Args) -> bool {
        let checked = args.downcast_ref::<Checked>();
        checked.is_some_and(|checked| Arc::ptr_eq(&checked.of, &self.name))
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let args = args.downcast::<Checked>();
        let args = args.expect("arguments come from `decode` of the same method");
        let (target, code) = (&self.target, &self.target.code);
        let mut instance = running::take(tx, code);
        let call = Some(target.clone());
        let (answer, left) = running::within(tx, &mut instance, call, |tx, instance| {
            lend(tx, || instance.invoke(&target.ty, &self.name, &args.json))
        });
        let unset = left
            .held
            .as_ref()
            .is_some_and(|held| held.write && is_unset(held));
        if let Some(held) = left.held {
            tx.put_back(held.state);
        }
        if let Some(unwinding) = left.unwinding {
            drop(instance); // what it was doing is not undone in it
            resume_unwind(unwinding);
        }
        match answer {
            Err(error) => {
                drop(instance);
                trap::end(tx, &error, left.refused)
            }
            Ok(answer) => {
                running::give_back(tx, code, instance);
                let answer = checked(tx, answer)?;
                if unset {
                    let message = "the method held its state to write it, and never set it";
                    tx.fault(FaultKind::ModuleState, message);
                }
                Ok(answer)
            }
        }
    }
}

fn is_unset(held: &super::instance::Held) -> bool {
    let state: &dyn std::any::Any = &*held.state;
    let state: &JsonState = state.downcast_ref().expect(json_state::ITS_OWN);
    state.json.is_none()
}

fn checked(tx: &mut Tx, answer: Result<String, world::Rejection>) -> Result<Json, Rejection> {
    match answer {
        Ok(value) => {
            running::pay_for_json(tx, value.len());
            check_value(tx, &value, "the method's value");
            Ok(value.into())
        }
        Err(rejection) => {
            running::pay_for_text(tx, rejection.code.len() + rejection.message.len());
            if let Some(details) = &rejection.details {
                running::pay_for_json(tx, details.len());
                check_json(tx, details, "the details of the rejection"); // how long: the engine
            }
            let rejection = Rejection {
                code: rejection.code,
                message: rejection.message,
                details: rejection.details.map(Json::from),
            };
            Err(rejection.bounded())
        }
    }
}

/// Ends the transaction unless the text is JSON, and no more of it than any value may be.
pub(super) fn check_value(tx: &mut Tx, text: &str, what: &str) {
    let limit = limits::VALUE_BYTES_MAX;
    if text.len() > limit {
        trap::exactly(tx);
        let message = format!("{what} has more bytes than the limit of {limit}; divide it");
        tx.fault(FaultKind::ValueBytes, message);
    }
    check_json(tx, text, what);
}

fn check_json(tx: &mut Tx, text: &str, what: &str) {
    if let Err(error) = json::check(text) {
        trap::exactly(tx);
        tx.fault(FaultKind::Encoding, format!("{what} is not JSON: {error}"));
    }
}
