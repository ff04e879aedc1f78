//! A method by its name: JSON arguments in, JSON value out.

use ordain_types::{FaultKind, Json, MethodKind, Rejection};
use ordain_values::{from_json, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tx::Tx;

/// A method and what is known about it.
pub struct MethodDef {
    pub(super) name: &'static str,
    pub(super) kind: MethodKind,
    /// Made when the module describes itself, and for no call.
    pub(super) params: fn() -> Vec<ParamDef>,
    pub(super) returns: &'static str,
    pub(super) run: Box<Run>,
}

/// From the text of the arguments to that of the value.
type Run = dyn Fn(&mut Tx, &str) -> Result<Json, Rejection>;

/// A parameter of a method.
pub struct ParamDef {
    pub(super) name: &'static str,
    pub(super) schema: &'static str,
    pub(super) required: bool,
}

/// The definition of a parameter.
pub fn param(name: &'static str, schema: &'static str, required: bool) -> ParamDef {
    ParamDef {
        name,
        schema,
        required,
    }
}

/// The definition of a method whose arguments are an `A` and whose value is an `R`. Nothing is allocated
/// for it: `run` captures nothing.
pub fn method<A, R, F>(
    name: &'static str,
    kind: MethodKind,
    params: fn() -> Vec<ParamDef>,
    returns: &'static str,
    run: F,
) -> MethodDef
where
    A: DeserializeOwned + 'static,
    R: Serialize + 'static,
    F: Fn(&mut Tx, A) -> Result<R, Rejection> + 'static,
{
    MethodDef {
        name,
        kind,
        params,
        returns,
        run: Box::new(move |tx, args| {
            let args = match from_json(args.as_bytes()) {
                Ok(args) => args,
                Err(error) => tx.fault(FaultKind::Arguments, format!("the arguments: {error}")),
            };
            let value = run(tx, args)?;
            match to_json(&value) {
                Ok(json) => Ok(json),
                Err(error) => tx.fault(
                    FaultKind::Encoding,
                    format!("the method's value is not JSON: {error}"),
                ),
            }
        }),
    }
}
