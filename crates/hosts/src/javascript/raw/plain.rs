//! The JSON of plain values, written here: most states, arguments and values are small objects of numbers
//! and short texts, for which the interpreter's `JSON.stringify`, made for everything, does much. Where anything
//! could come out differently (own code would run, a number is no whole one, a text needs escapes, something
//! is no plain object), this gives up before anything has happened, and the interpreter's own does it.

use rquickjs::atom::PredefinedAtom;
use rquickjs::{Ctx, Object, Result, Value, qjs};

use super::room;
use super::values::{address, class_id, stringify};

/// What tells plain objects and arrays from others.
pub struct Plain {
    object: Kind,
    array: Kind,
}

struct Kind {
    class: u32,
    /// Where its prototype is; nowhere, if it says what the JSON of all that inherit from it is.
    prototype: usize,
}

impl Kind {
    /// That of an object with nothing of its own, made when nothing above it changes any more.
    fn of(object: &Object<'_>) -> Result<Self> {
        let prototype = match object.contains_key(TO_JSON)? {
            true => None,
            false => object.get_prototype(),
        };
        Ok(Self {
            class: class_id(object.as_value()),
            prototype: prototype.map_or(0, |it| address(&it)),
        })
    }

    /// Whether an object is of this kind. Its class comes first: a proxy would have code to run.
    fn has(&self, object: &Object<'_>) -> bool {
        class_id(object.as_value()) == self.class
            && (object.get_prototype()).is_some_and(|it| address(&it) == self.prototype)
    }
}

const TO_JSON: PredefinedAtom = PredefinedAtom::ToJSON;
/// Values of one text that are written here; of more, the interpreter's way is fast enough.
const VALUES_MAX: u32 = 1_000;
/// How deep they nest.
pub(super) const DEPTH_MAX: u32 = 16;
/// Above, whole numbers are written with exponents, or are not exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

impl Plain {
    /// # Errors
    /// The exception that the interpreter threw.
    pub fn new(ctx: &Ctx<'_>) -> Result<Self> {
        let array = rquickjs::Array::new(ctx.clone())?;
        Ok(Self {
            object: Kind::of(&Object::new(ctx.clone())?)?,
            array: Kind::of(array.as_object())?,
        })
    }

    /// Whether an object is plain and says nothing of what its JSON is.
    pub(super) fn is_object(&self, object: &Object<'_>) -> bool {
        self.object.has(object) && !has_own_json(object.ctx(), object)
    }

    /// The JSON text of a value, given to `read`; none if it has none, as `undefined` has.
    ///
    /// # Errors
    /// The exception that the interpreter threw.
    pub fn json<'js, R>(
        &self,
        ctx: &Ctx<'js>,
        value: &Value<'js>,
        read: impl FnOnce(Written<'_>) -> R,
    ) -> Result<Option<R>> {
        room::with(|text| {
            let mut writer = Writer {
                plain: self,
                left: VALUES_MAX,
                text,
            };
            match writer.value(ctx, value, DEPTH_MAX) {
                Some(()) => Ok(Some(read(Written::Here(text)))),
                None => stringify(ctx, value, |text| read(Written::ByInterpreter(text))),
            }
        })
    }
}

/// The JSON text of a value.
#[derive(Clone, Copy)]
pub enum Written<'t> {
    /// Written here: it says all that the value holds.
    Here(&'t [u8]),
    /// Written by `JSON.stringify`, which leaves out what JSON cannot say, or says something else.
    ByInterpreter(&'t str),
}

impl<'t> Written<'t> {
    pub fn bytes(self) -> &'t [u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::ByInterpreter(text) => text.as_bytes(),
        }
    }
}

/// Writes; none: it gives up.
struct Writer<'p> {
    plain: &'p Plain,
    left: u32,
    text: &'p mut Vec<u8>,
}

impl Writer<'_> {
    fn value<'js>(&mut self, ctx: &Ctx<'js>, value: &Value<'js>, depth: u32) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: only the kind of the value is looked at.
        match unsafe { qjs::JS_VALUE_GET_NORM_TAG(value.as_raw()) } {
            qjs::JS_TAG_INT => self.whole(i64::from(value.as_int()?)),
            qjs::JS_TAG_FLOAT64 => {
                let number = value.as_float()?;
                let whole = number.trunc() == number && number.abs() <= WHOLE_MAX;
                whole.then_some(number as i64).and_then(|it| self.whole(it))
            }
            qjs::JS_TAG_OBJECT => self.any_object(ctx, value.as_object()?, depth),
            qjs::JS_TAG_STRING | qjs::JS_TAG_STRING_ROPE => {
                // SAFETY: the value is alive and a text.
                let text = unsafe {
                    let mut len = 0;
                    let raw = ctx.as_raw().as_ptr();
                    let at = qjs::JS_ToCStringLen2(raw, &mut len, value.as_raw(), false);
                    Text::new(ctx, at, len)?
                };
                self.string(text.bytes())
            }
            qjs::JS_TAG_BOOL => self.word(if value.as_bool()? { b"true" } else { b"false" }),
            qjs::JS_TAG_NULL => self.word(b"null"),
            _ => None,
        }
    }

    fn any_object<'js>(&mut self, ctx: &Ctx<'js>, object: &Object<'js>, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let is_object = self.plain.object.has(object);
        let is_plain = is_object || self.plain.array.has(object);
        if !is_plain || has_own_json(ctx, object) {
            return None;
        }
        match is_object {
            true => self.object(ctx, object, depth),
            false => self.array(ctx, object, depth),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text.extend_from_slice(word);
        Some(())
    }

    fn whole(&mut self, number: i64) -> Option<()> {
        self.word(itoa::Buffer::new().format(number).as_bytes())
    }

    fn string(&mut self, text: &[u8]) -> Option<()> {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if !text.iter().all(plain) {
            return None;
        }
        self.text.push(b'"');
        self.text.extend_from_slice(text);
        self.text.push(b'"');
        Some(())
    }

    fn object<'js>(&mut self, ctx: &Ctx<'js>, object: &Object<'js>, depth: u32) -> Option<()> {
        self.text.push(b'{');
        let names = Names::of(ctx, object)?;
        for (at, name) in names.atoms().iter().enumerate() {
            if at > 0 {
                self.text.push(b',');
            }
            self.name(ctx, name.atom)?;
            self.text.push(b':');
            self.value(ctx, &own(ctx, object, name.atom)?, depth)?;
        }
        self.text.push(b'}');
        Some(())
    }

    fn array<'js>(&mut self, ctx: &Ctx<'js>, array: &Object<'js>, depth: u32) -> Option<()> {
        let mut length = 0;
        // SAFETY: the array is alive; its length is a property of its own that runs no code.
        let found = unsafe {
            qjs::JS_GetLength(
                ctx.as_raw().as_ptr(),
                array.as_value().as_raw(),
                &mut length,
            )
        };
        let length = u32::try_from(length)
            .ok()
            .filter(|it| found == 0 && *it < VALUES_MAX)?;
        self.text.push(b'[');
        for at in 0..length {
            if at > 0 {
                self.text.push(b',');
            }
            // SAFETY: such a small number is an atom by itself, which nobody has to free.
            let atom = unsafe { qjs::JS_NewAtomUInt32(ctx.as_raw().as_ptr(), at) };
            self.value(ctx, &own(ctx, array, atom)?, depth)?;
        }
        self.text.push(b']');
        Some(())
    }

    fn name(&mut self, ctx: &Ctx<'_>, atom: qjs::JSAtom) -> Option<()> {
        // SAFETY: the atom is alive.
        let name = unsafe {
            let mut len = 0;
            let at = qjs::JS_AtomToCStringLen(ctx.as_raw().as_ptr(), &mut len, atom);
            Text::new(ctx, at, len)?
        };
        self.string(name.bytes())
    }
}

/// Whether a plain object says itself what its JSON is.
fn has_own_json<'js>(ctx: &Ctx<'js>, object: &Object<'js>) -> bool {
    let (raw, this) = (ctx.as_raw().as_ptr(), object.as_value().as_raw());
    // SAFETY: the object is alive and plain, so that no code runs; the atom is there in every runtime, and
    // without a descriptor nothing is given.
    unsafe { qjs::JS_GetOwnProperty(raw, std::ptr::null_mut(), this, TO_JSON as qjs::JSAtom) != 0 }
}

/// A text as the interpreter gives it: UTF-8 but for halves of surrogate pairs.
pub(super) struct Text<'c, 'js> {
    ctx: &'c Ctx<'js>,
    at: *const std::ffi::c_char,
    len: usize,
}

impl<'c, 'js> Text<'c, 'js> {
    /// None: there was no memory for it.
    ///
    /// # Safety
    /// The interpreter has just given the text, or null and an exception.
    pub(super) unsafe fn new(
        ctx: &'c Ctx<'js>,
        at: *const std::ffi::c_char,
        len: qjs::size_t,
    ) -> Option<Self> {
        if at.is_null() {
            drop(ctx.catch());
            return None;
        }
        let len = len as usize;
        Some(Self { ctx, at, len })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the interpreter said the length, and keeps the text until it is freed.
        unsafe { std::slice::from_raw_parts(self.at.cast(), self.len) }
    }
}

impl Drop for Text<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: it was given to be freed so, once.
        unsafe { qjs::JS_FreeCString(self.ctx.as_raw().as_ptr(), self.at) }
    }
}

/// The names of an object's enumerable properties, in the order in which JSON has them.
pub(super) struct Names<'c, 'js> {
    ctx: &'c Ctx<'js>,
    table: *mut qjs::JSPropertyEnum,
    len: u32,
}

impl<'c, 'js> Names<'c, 'js> {
    pub(super) fn of(ctx: &'c Ctx<'js>, object: &Object<'js>) -> Option<Self> {
        let (mut table, mut len) = (std::ptr::null_mut(), 0);
        let flags = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_ENUM_ONLY) as i32;
        // SAFETY: the object is alive and plain, so that no code runs; the table is freed with `Names`.
        let made = unsafe {
            let (raw, this) = (ctx.as_raw().as_ptr(), object.as_value().as_raw());
            qjs::JS_GetOwnPropertyNames(raw, &mut table, &mut len, this, flags)
        };
        if made < 0 {
            drop(ctx.catch());
            return None;
        }
        Some(Self { ctx, table, len })
    }

    pub(super) fn atoms(&self) -> &[qjs::JSPropertyEnum] {
        match self.len {
            0 => &[],
            // SAFETY: the interpreter made a table of so many, which lives as long as `self`.
            len => unsafe { std::slice::from_raw_parts(self.table, len as usize) },
        }
    }
}

impl Drop for Names<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the table is the one that the interpreter made, with its length.
        unsafe { qjs::JS_FreePropertyEnum(self.ctx.as_raw().as_ptr(), self.table, self.len) }
    }
}

/// A property's value; none if the object has no such property, or a function that would give it.
fn own<'js>(ctx: &Ctx<'js>, object: &Object<'js>, atom: qjs::JSAtom) -> Option<Value<'js>> {
    // SAFETY: the object is alive and plain, so that no code runs; all that a descriptor holds passes on.
    unsafe {
        let mut it = std::mem::zeroed::<qjs::JSPropertyDescriptor>();
        let (raw, this) = (ctx.as_raw().as_ptr(), object.as_value().as_raw());
        match qjs::JS_GetOwnProperty(raw, &mut it, this, atom) {
            1 => {}
            0 => return None,
            _ => {
                drop(ctx.catch());
                return None;
            }
        }
        if it.flags & qjs::JS_PROP_GETSET as i32 != 0 {
            for function in [it.getter, it.setter] {
                qjs::JS_FreeValue(raw, function);
            }
            return None;
        }
        Some(Value::from_raw(ctx.clone(), it.value))
    }
}
