//! The stack that an error has, by the interpreter's own function, as it was before a module could put another in its place:
//! so no code of a module runs, and it can be asked when the interpreter was stopped.

use rquickjs::function::This;
use rquickjs::{Ctx, Error, Function, JsLifetime, Object, Result, Value};

use super::context::release;
use super::values::text;

/// The function.
struct Getter<'js>(Function<'js>);

// SAFETY: it is of the same context as what it holds.
unsafe impl<'js> JsLifetime<'js> for Getter<'js> {
    type Changed<'to> = Getter<'to>;
}

/// Keeps what gives the stack of an error of a new context.
///
/// # Errors
/// The exception that the interpreter threw.
pub fn keep_stack(ctx: &Ctx<'_>) -> Result<()> {
    let global = |name: &str| ctx.globals().get::<_, Object>(name);
    let describe: Function = global("Object")?.get("getOwnPropertyDescriptor")?;
    let prototype: Object = global("Error")?.get("prototype")?;
    let found: Object = describe.call((prototype, "stack"))?;
    let kept = ctx.store_userdata(Getter(found.get("get")?));
    kept.map(drop).map_err(|_| Error::Unknown)
}

/// The stack of an error; none if that is not known. `floor` is where the interpreter's own ends.
pub fn stack(error: &Object<'_>, floor: usize) -> Option<String> {
    let ctx = error.ctx();
    let getter = ctx.userdata::<Getter>()?.0.clone();
    release(ctx, floor);
    let stack: Value = getter.call((This(error.clone()),)).ok()?;
    text(&stack)
}
