//! The values of plain JSON, read here: most states, arguments and values are small objects of numbers and
//! short texts, for which the interpreter's `JSON.parse`, made for everything, does much. At whatever is not
//! plain (white space, escapes, exponents, errors), this gives up, and the interpreter's own does it.

use rquickjs::{Ctx, Value, qjs};

use super::plain::DEPTH_MAX;
use crate::scanner::{Number, Scanner};

/// Bytes of a text that is read here; with more, giving up late would cost much.
const BYTES_MAX: usize = 4 << 10;
/// The value of a JSON text; none: the interpreter is to say what it is.
pub fn read<'js>(ctx: &Ctx<'js>, json: &[u8]) -> Option<Value<'js>> {
    if json.len() > BYTES_MAX {
        return None;
    }
    let json = Scanner::new(json);
    let mut reader = Reader { ctx, json };
    let value = reader.value(DEPTH_MAX)?;
    // SAFETY: the value was just made by the interpreter of this context, and no one else frees it.
    let value = unsafe { Value::from_raw(ctx.clone(), value) };
    reader.json.at_end().then_some(value)
}

struct Reader<'t, 'js> {
    ctx: &'t Ctx<'js>,
    json: Scanner<'t>,
}

/// Each function gives a value that the caller owns.
impl Reader<'_, '_> {
    fn value(&mut self, depth: u32) -> Option<qjs::JSValue> {
        match self.json.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => {
                let text = self.json.string()?;
                // SAFETY: the text is UTF-8 and copied.
                self.made(unsafe {
                    qjs::JS_NewStringLen(self.raw(), text.as_ptr().cast(), text.len() as _)
                })
            }
            b't' => self.json.word(b"true").then_some(qjs::JS_TRUE),
            b'f' => self.json.word(b"false").then_some(qjs::JS_FALSE),
            b'n' => self.json.word(b"null").then_some(qjs::JS_NULL),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<qjs::JSValue> {
        // SAFETY: it makes an object.
        let object = self.made(unsafe { qjs::JS_NewObject(self.raw()) })?;
        self.filled(object, b'{', b'}', |reader, _| reader.member(object, depth))
    }

    fn array(&mut self, depth: u32) -> Option<qjs::JSValue> {
        // SAFETY: it makes an array.
        let array = self.made(unsafe { qjs::JS_NewArray(self.raw()) })?;
        self.filled(array, b'[', b']', |reader, at| {
            let value = reader.value(depth)?;
            // SAFETY: the array is alive and takes the value, also if it fails.
            reader.done(unsafe {
                let flags = qjs::JS_PROP_C_W_E as i32;
                qjs::JS_DefinePropertyValueUint32(reader.raw(), array, at, value, flags)
            })
        })
    }

    /// Puts into an object what is between `begin` and `end`, one after the other.
    fn filled(
        &mut self,
        object: qjs::JSValue,
        begin: u8,
        end: u8,
        mut next: impl FnMut(&mut Self, u32) -> Option<()>,
    ) -> Option<qjs::JSValue> {
        let mut fill = || {
            self.json.skip(begin).then_some(())?;
            if self.json.skip(end) {
                return Some(());
            }
            for at in 0.. {
                next(self, at)?;
                if self.json.skip(end) {
                    break;
                }
                self.json.skip(b',').then_some(())?;
            }
            Some(())
        };
        let filled = fill();
        if filled.is_none() {
            // SAFETY: the object was made here, and nobody else has it.
            unsafe { qjs::JS_FreeValue(self.raw(), object) };
        }
        filled.map(|()| object)
    }

    fn member(&mut self, object: qjs::JSValue, depth: u32) -> Option<()> {
        let name = self.json.string()?;
        self.json.skip(b':').then_some(())?;
        let value = self.value(depth)?;
        // SAFETY: the name is UTF-8 and copied; the object is alive and takes the value, also if it fails;
        // the atom is freed once.
        self.done(unsafe {
            let name = qjs::JS_NewAtomLen(self.raw(), name.as_ptr().cast(), name.len() as _);
            if name == qjs::JS_ATOM_NULL {
                qjs::JS_FreeValue(self.raw(), value);
                -1
            } else {
                let flags = qjs::JS_PROP_C_W_E as i32;
                let done = qjs::JS_DefinePropertyValue(self.raw(), object, name, value, flags);
                qjs::JS_FreeAtom(self.raw(), name);
                done
            }
        })
    }

    fn number(&mut self) -> Option<qjs::JSValue> {
        let number = match self.json.number()? {
            Number::Whole(number) => number,
            Number::Fraction(number) => return Some(qjs::JS_NewFloat64(number)),
        };
        Some(match i32::try_from(number) {
            Ok(int) => qjs::JS_MKVAL(qjs::JS_TAG_INT, int),
            Err(_) => qjs::JS_NewFloat64(number as f64),
        })
    }

    fn raw(&self) -> *mut qjs::JSContext {
        self.ctx.as_raw().as_ptr()
    }

    /// A value that the interpreter made; none: there was no memory for it.
    fn made(&self, value: qjs::JSValue) -> Option<qjs::JSValue> {
        // SAFETY: only the kind of the value is looked at.
        let failed = unsafe { qjs::JS_IsException(value) };
        self.done(if failed { -1 } else { 0 }).map(|()| value)
    }

    /// What came of a call of the interpreter; none: there was no memory for it.
    fn done(&self, result: i32) -> Option<()> {
        if result < 0 {
            drop(self.ctx.catch());
            return None;
        }
        Some(())
    }
}
