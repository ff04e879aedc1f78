//! A native method as the engine runs it: JSON arguments in, JSON value out. Calls between native
//! entities do not come this way.

use std::sync::Arc;

use ordain_engine::{Args, ArgumentError, Decoded, MethodDef, Param, Run, Tx};
use ordain_types::{FaultKind, Json, Method, MethodKind, Rejection};
use ordain_values::to_json;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments;

struct NativeMethod<A, R> {
    run: fn(&mut Tx, A) -> Result<R, Rejection>,
}

/// The definition of a method whose arguments are an `A` and whose value is an `R`.
///
/// # Panics
/// If `name` is none: the macro checks it when it compiles.
pub fn method<A, R>(
    name: &str,
    kind: MethodKind,
    params: Vec<Param>,
    result: &str,
    run: fn(&mut Tx, A) -> Result<R, Rejection>,
) -> MethodDef
where
    A: Serialize + DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    MethodDef {
        name: Method::new(name).expect("the macro checked the name"),
        kind,
        params,
        result: result.to_owned(),
        run: Arc::new(NativeMethod { run }),
    }
}

/// The definition of a parameter.
pub fn param(name: &str, schema: &str, required: bool) -> Param {
    Param {
        name: name.to_owned(),
        schema: schema.to_owned(),
        required,
    }
}

impl<A, R> Run for NativeMethod<A, R>
where
    A: Serialize + DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        let (args, canonical) = arguments::decode::<A>(json)?;
        Ok(Decoded {
            args: Box::new(args),
            canonical,
        })
    }

    fn accept(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        let (args, canonical) = arguments::accept::<A>(json)?;
        Ok(Decoded {
            args: Box::new(args),
            canonical,
        })
    }

    fn takes(&self, args: &Args) -> bool {
        args.is::<A>()
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let args = args
            .downcast::<A>()
            .expect("arguments come from `decode` of the same method");
        let value = (self.run)(tx, *args).map_err(Rejection::bounded)?;
        match to_json(&value) {
            Ok(json) => Ok(json),
            Err(error) => tx.fault(
                FaultKind::Encoding,
                format!("the method's value is not JSON: {error}"),
            ),
        }
    }
}
