//! A few functions of the interpreter that the library does not bring, or brings with copies.

use rquickjs::module::WriteOptions;
use rquickjs::{Ctx, Error, Module, Object, Result, Value, qjs};

use super::plain::Text;
use super::{plain_read, room};

fn checked<'js>(ctx: &Ctx<'js>, value: qjs::JSValue) -> Result<Value<'js>> {
    // SAFETY: the value was just made by the interpreter of this context, and no one else frees it.
    let value = unsafe { Value::from_raw(ctx.clone(), value) };
    match value.is_exception() {
        true => Err(Error::Exception),
        false => Ok(value),
    }
}

/// The value of a JSON text.
///
/// # Errors
/// The exception that the interpreter threw.
pub fn parse<'js>(ctx: &Ctx<'js>, json: &[u8]) -> Result<Value<'js>> {
    if let Some(value) = plain_read::read(ctx, json) {
        return Ok(value);
    }
    let value = room::with(|text| {
        text.extend_from_slice(json);
        text.push(0);
        // SAFETY: the text ends in a zero that its length does not count, as the interpreter asks, and
        // stays where it is until the call ends.
        unsafe {
            let (at, len) = (text.as_ptr().cast(), json.len());
            qjs::JS_ParseJSON(ctx.as_raw().as_ptr(), at, len as _, c"json".as_ptr())
        }
    });
    checked(ctx, value)
}

/// The JSON text of a value, given to `read`; none if it has none, as `undefined` has.
///
/// # Errors
/// The exception that the interpreter threw.
pub fn stringify<'js, R>(
    ctx: &Ctx<'js>,
    value: &Value<'js>,
    read: impl FnOnce(&str) -> R,
) -> Result<Option<R>> {
    // SAFETY: the value is of this context's runtime and outlives the call.
    let text = unsafe {
        let ctx = ctx.as_raw().as_ptr();
        qjs::JS_JSONStringify(ctx, value.as_raw(), qjs::JS_UNDEFINED, qjs::JS_UNDEFINED)
    };
    match checked(ctx, text)?.into_string() {
        Some(text) => Ok(Some(read(text.to_cstring()?.as_str()))),
        None => Ok(None),
    }
}

/// A string's text, with a replacement character for each half of a surrogate pair. None: the value is no string, or there
/// was no memory for its text.
pub fn text(value: &Value<'_>) -> Option<String> {
    text_within(value, usize::MAX)
}

/// The same of a text of no more bytes: one that is longer is not copied.
pub fn text_within(value: &Value<'_>, bytes_max: usize) -> Option<String> {
    let (string, ctx) = (value.as_string()?, value.ctx());
    // SAFETY: the value is alive and a text.
    let text = unsafe {
        let mut len = 0;
        let at = qjs::JS_ToCStringLen2(ctx.as_raw().as_ptr(), &mut len, string.as_raw(), false);
        Text::new(ctx, at, len)?
    };
    let bytes = text.bytes();
    let mut bytes = (bytes.len() <= bytes_max).then(|| bytes.to_vec())?;
    // Each half takes three bytes, as the replacement does; in UTF-8 nothing begins so.
    for half in 0..bytes.len().saturating_sub(2) {
        if bytes[half] == 0xed && bytes[half + 1] >= 0xa0 {
            bytes[half..half + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8(bytes).ok()
}

/// Throws an error that no `catch` and no `finally` sees.
pub fn uncatchable(ctx: &Ctx<'_>) -> Error {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the error is new, marked while this function holds it, and handed over by `JS_Throw`. If
    // there was no memory for it, an exception is pending already and marking does nothing.
    unsafe {
        let error = qjs::JS_NewError(raw);
        qjs::JS_SetUncatchableError(raw, error);
        qjs::JS_Throw(raw, error);
    }
    Error::Exception
}

/// Makes an object what `Object.freeze` makes of it.
///
/// # Errors
/// The exception that the interpreter threw.
pub fn freeze(ctx: &Ctx<'_>, object: &Object<'_>) -> Result<()> {
    // SAFETY: the object is of this context's runtime and outlives the call.
    match unsafe { qjs::JS_FreezeObject(ctx.as_raw().as_ptr(), object.as_value().as_raw()) } {
        -1 => Err(Error::Exception),
        _ => Ok(()),
    }
}

/// What an object inherits from; none of a proxy, which would have code to run.
pub fn prototype<'js>(object: &Object<'js>) -> Option<Object<'js>> {
    // SAFETY: the object is alive, and only its kind is looked at.
    match unsafe { qjs::JS_IsProxy(object.as_value().as_raw()) } {
        true => None,
        false => object.get_prototype(),
    }
}

/// What kind of object a value is, as a number that means something within its runtime.
pub fn class_id(value: &Value<'_>) -> u32 {
    // SAFETY: the value is alive; for one that is no object the interpreter gives a number of none.
    unsafe { qjs::JS_GetClassID(value.as_raw()) as u32 }
}

/// Gives each value that an object holds itself to `see` (of an accessor, both functions), without
/// running any code, and whether it has private fields. What says that it has private methods is none: it never changes.
///
/// # Errors
/// The exception that the interpreter threw.
pub fn own_values<'js>(
    ctx: &Ctx<'js>,
    object: &Object<'js>,
    mut see: impl FnMut(Value<'js>),
) -> Result<bool> {
    let raw = ctx.as_raw().as_ptr();
    let this = object.as_value().as_raw();
    let (mut table, mut len) = (std::ptr::null_mut(), 0);
    let public = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_SYMBOL_MASK) as i32;
    let all = public | qjs::JS_GPN_PRIVATE_MASK as i32;
    // SAFETY: the interpreter fills in the table, whose every atom it owns until `JS_FreePropertyEnum`
    // frees it with the same length; in between only descriptors are read, whose values pass to
    // `from_raw`. An object with exotic properties (a module's namespace, say) is never given here.
    unsafe {
        if qjs::JS_GetOwnPropertyNames(raw, &mut table, &mut len, this, all) < 0 {
            return Err(Error::Exception);
        }
        let mut found = Ok(0);
        for at in 0..len {
            let mut it = std::mem::zeroed::<qjs::JSPropertyDescriptor>();
            match qjs::JS_GetOwnProperty(raw, &mut it, this, (*table.add(at as usize)).atom) {
                0 => continue,
                1 => found = found.map(|n| n + 1),
                _ => found = Err(Error::Exception),
            }
            for value in [it.value, it.getter, it.setter] {
                see(Value::from_raw(ctx.clone(), value));
            }
        }
        qjs::JS_FreePropertyEnum(raw, table, len);
        found?;
        let (mut table, mut len) = (std::ptr::null_mut(), 0);
        let private = qjs::JS_GPN_PRIVATE_MASK as i32;
        if qjs::JS_GetOwnPropertyNames(raw, &mut table, &mut len, this, private) < 0 {
            return Err(Error::Exception);
        }
        let fields = (0..len).any(|at| !is_brand(ctx, (*table.add(at as usize)).atom));
        qjs::JS_FreePropertyEnum(raw, table, len);
        Ok(fields)
    }
}

/// Whether a private name is none of a module's, which begin with `#`, but the interpreter's own for a class with private
/// methods.
///
/// # Safety
/// The atom is alive.
unsafe fn is_brand(ctx: &Ctx<'_>, atom: qjs::JSAtom) -> bool {
    let mut len = 0;
    // SAFETY: the caller's promise, and the text is freed with `Text`.
    let text = unsafe {
        let at = qjs::JS_AtomToCStringLen(ctx.as_raw().as_ptr(), &mut len, atom);
        Text::new(ctx, at, len)
    };
    text.is_some_and(|text| text.bytes() == b"<brand>")
}

/// A module from bytecode, with what it imports.
///
/// # Errors
/// The exception that the interpreter threw.
pub fn load<'js>(ctx: &Ctx<'js>, bytecode: &Bytecode) -> Result<Module<'js>> {
    // SAFETY: a `Bytecode` was written by this process's interpreter, and nothing can have changed it.
    let module = unsafe { Module::load(ctx.clone(), &bytecode.0)? };
    Ok(module)
}

/// What the interpreter of this process made of a module.
#[derive(Clone)]
pub struct Bytecode(std::sync::Arc<[u8]>);

impl Bytecode {
    /// # Errors
    /// The exception that the interpreter threw.
    pub fn of(module: &Module<'_>) -> Result<Self> {
        let options = WriteOptions {
            strip_source: true,
            ..WriteOptions::default()
        };
        Ok(Self(module.write(options)?.into()))
    }
}

/// Gives a context big integers, which the library has no name for.
pub fn add_big_int(ctx: &Ctx<'_>) {
    // SAFETY: the context is new, and adding what it lacks is what this function is for.
    unsafe { qjs::JS_AddIntrinsicBigInt(ctx.as_raw().as_ptr()) };
}

/// Frees what is held only in circles.
pub fn collect_garbage(ctx: &Ctx<'_>) {
    // SAFETY: nothing of the runtime is borrowed here but by values, which count as holding.
    unsafe { qjs::JS_RunGC(qjs::JS_GetRuntime(ctx.as_raw().as_ptr())) };
}

/// Where an object is: the same for as long as it lives, and another for any other meanwhile.
pub fn address(object: &Object<'_>) -> usize {
    // SAFETY: the value is an object, so it holds a pointer; it is only looked at as a number.
    unsafe { qjs::JS_VALUE_GET_PTR(object.as_value().as_raw()) as usize }
}

/// Whether an object holds or keeps more than its properties.
pub fn holds_more(object: &Object<'_>) -> bool {
    let raw = object.as_value().as_raw();
    // SAFETY: each only looks at what kind of object the value is, which is alive.
    unsafe {
        qjs::JS_IsMap(raw) || qjs::JS_IsSet(raw) || qjs::JS_IsDate(raw) || qjs::JS_IsRegExp(raw)
    }
}

/// The name of a kind of object.
pub fn class_name(ctx: &Ctx<'_>, class: u32) -> String {
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: the class is one that `class_id` gave of this runtime; the atom is new and passes on.
    let atom = unsafe {
        let atom = qjs::JS_GetClassName(qjs::JS_GetRuntime(raw), class);
        let value = qjs::JS_AtomToString(raw, atom);
        qjs::JS_FreeAtom(raw, atom);
        checked(ctx, value)
    };
    let name = atom
        .ok()
        .and_then(|name| name.into_string()?.to_string().ok());
    name.unwrap_or_default()
}
