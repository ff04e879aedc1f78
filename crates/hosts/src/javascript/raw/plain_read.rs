//! The values of plain JSON, read here: most states, arguments and values are small objects of numbers and
//! short texts, for which the interpreter's `JSON.parse`, made for everything, does much. At whatever is not
//! plain (white space, escapes, exponents, errors), this gives up, and the interpreter's own does it.

use std::str::from_utf8;

use rquickjs::{Ctx, Value, qjs};

use super::plain::DEPTH_MAX;

/// Bytes of a text that is read here; with more, giving up late would cost much.
const BYTES_MAX: usize = 4 << 10;
/// Digits of a whole number that is exact for certain.
const DIGITS_MAX: usize = 15;

/// The value of a JSON text; none: the interpreter is to say what it is.
pub fn read<'js>(ctx: &Ctx<'js>, json: &[u8]) -> Option<Value<'js>> {
    if json.len() > BYTES_MAX {
        return None;
    }
    let mut reader = Reader {
        ctx,
        text: json,
        at: 0,
    };
    let value = reader.value(DEPTH_MAX)?;
    // SAFETY: the value was just made by the interpreter of this context, and no one else frees it.
    let value = unsafe { Value::from_raw(ctx.clone(), value) };
    (reader.at == json.len()).then_some(value)
}

struct Reader<'t, 'js> {
    ctx: &'t Ctx<'js>,
    text: &'t [u8],
    at: usize,
}

/// Each function gives a value that the caller owns.
impl<'t> Reader<'t, '_> {
    fn value(&mut self, depth: u32) -> Option<qjs::JSValue> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => {
                let text = self.string()?;
                // SAFETY: the text is UTF-8 and copied.
                self.made(unsafe {
                    qjs::JS_NewStringLen(self.raw(), text.as_ptr().cast(), text.len() as _)
                })
            }
            b't' => self.word(b"true", qjs::JS_TRUE),
            b'f' => self.word(b"false", qjs::JS_FALSE),
            b'n' => self.word(b"null", qjs::JS_NULL),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<qjs::JSValue> {
        // SAFETY: it makes an object.
        let object = self.made(unsafe { qjs::JS_NewObject(self.raw()) })?;
        self.filled(object, b'}', |reader, _| reader.member(object, depth))
    }

    fn array(&mut self, depth: u32) -> Option<qjs::JSValue> {
        // SAFETY: it makes an array.
        let array = self.made(unsafe { qjs::JS_NewArray(self.raw()) })?;
        self.filled(array, b']', |reader, at| {
            let value = reader.value(depth)?;
            // SAFETY: the array is alive and takes the value, also if it fails.
            reader.done(unsafe {
                let flags = qjs::JS_PROP_C_W_E as i32;
                qjs::JS_DefinePropertyValueUint32(reader.raw(), array, at, value, flags)
            })
        })
    }

    /// Puts into an object what follows, one after the other, up to `end`.
    fn filled(
        &mut self,
        object: qjs::JSValue,
        end: u8,
        mut next: impl FnMut(&mut Self, u32) -> Option<()>,
    ) -> Option<qjs::JSValue> {
        let mut fill = || {
            self.at += 1;
            if self.skip(end) {
                return Some(());
            }
            for at in 0.. {
                next(self, at)?;
                if self.skip(end) {
                    break;
                }
                self.skip(b',').then_some(())?;
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
        let name = self.string()?;
        self.skip(b':').then_some(())?;
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

    /// A text without escapes.
    fn string(&mut self) -> Option<&'t str> {
        self.skip(b'"').then_some(())?;
        let rest = &self.text[self.at..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
        let len = rest.iter().position(special)?;
        self.at += len;
        self.skip(b'"').then_some(())?;
        from_utf8(&rest[..len]).ok()
    }

    fn number(&mut self) -> Option<qjs::JSValue> {
        let from = self.at;
        let negative = self.skip(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole[0] == b'0' {
            return None; // no JSON
        }
        if self.skip(b'.') {
            self.digits()?;
            let text = from_utf8(&self.text[from..self.at]).ok()?;
            return text.parse().ok().map(qjs::JS_NewFloat64);
        }
        if whole.len() > DIGITS_MAX || negative && whole[0] == b'0' {
            return None; // minus zero is no whole number of the interpreter's
        }
        let add = |number: i64, digit: &u8| number * 10 + i64::from(digit - b'0');
        let sign = if negative { -1 } else { 1 };
        let number = sign * whole.iter().fold(0, add);
        Some(match i32::try_from(number) {
            Ok(int) => qjs::JS_MKVAL(qjs::JS_TAG_INT, int),
            Err(_) => qjs::JS_NewFloat64(number as f64),
        })
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<&'t [u8]> {
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += len;
        (len > 0).then_some(&rest[..len])
    }

    fn word(&mut self, word: &[u8], value: qjs::JSValue) -> Option<qjs::JSValue> {
        let there = self.text[self.at..].starts_with(word);
        self.at += word.len();
        there.then_some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
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
