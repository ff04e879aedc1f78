//! Names that are looked for in many objects: as the interpreter numbers them, so that looking costs a step each.

use rquickjs::{Ctx, Object, Persistent, Result, Value, qjs};

use super::plain::{Names as Table, Plain};

/// The names of an object.
pub struct Names {
    atoms: Vec<qjs::JSAtom>,
    /// Whose names they are: it is given to nobody, so it has them as long as it is there, and they stay what they are.
    _of: Persistent<Object<'static>>,
}

impl Names {
    /// # Errors
    /// There was no memory for them.
    pub fn of<'js>(ctx: &Ctx<'js>, object: Object<'js>) -> Result<Self> {
        let table = Table::of(ctx, &object).ok_or(rquickjs::Error::Allocation)?;
        let atoms = table.atoms().iter().map(|name| name.atom).collect();
        drop(table);
        let _of = Persistent::save(ctx, object);
        Ok(Self { atoms, _of })
    }

    /// Whether a value is a plain object that lacks one of them.
    pub fn are_lacking(&self, plain: &Plain, value: &Value<'_>) -> bool {
        let Some(object) = value.as_object().filter(|it| plain.is_object(it)) else {
            return false;
        };
        let (raw, this) = (value.ctx().as_raw().as_ptr(), object.as_value().as_raw());
        self.atoms.iter().any(|atom| {
            // SAFETY: the object is alive and plain, so that no code runs; the atom is alive with the object that it is a
            // name of; without a descriptor nothing is given.
            unsafe { qjs::JS_GetOwnProperty(raw, std::ptr::null_mut(), this, *atom) == 0 }
        })
    }
}
