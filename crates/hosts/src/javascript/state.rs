//! The entity's state within a call: parsed when it is asked for, written back when its JSON changed (at the
//! end, and before each call of another method, which may come back to the entity), and brought up to date in
//! place when such a call wrote it.

use ordain_types::{FaultKind, Json, MethodKind};
use rquickjs::{Ctx, Function, Persistent, Result, Value};

use super::run::{Kept, frame};
use super::{host, raw};
use crate::json_state;
use crate::lent::lend_nothing;

/// A state that a call has read or set.
pub struct Held {
    value: Kept,
    /// Its JSON when it was last the same as what is stored.
    base: Json,
    /// What is stored; none: nothing was ever written.
    stored: Option<Json>,
}

/// The state, read if need be.
pub fn get<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    let held = frame(|frame| frame.held.as_ref().map(|held| held.value.clone()));
    match held.flatten() {
        Some(value) => value.restore(ctx),
        None => read(ctx),
    }
}

/// Sets the whole state.
pub fn set<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<()> {
    get(ctx)?; // what is stored is what the change is measured by
    let value = Persistent::save(ctx, value);
    let before = frame(|frame| {
        let held = frame.held.as_mut()?;
        Some(std::mem::replace(&mut held.value, value))
    });
    drop(before);
    Ok(())
}

fn read<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    let (stored, version) = host::with(ctx, |tx| {
        let state = json_state::state(tx);
        Ok((state.json.clone(), state.version))
    })?;
    let (value, base) = shaped(ctx, stored.as_ref(), version)?;
    let held = Held {
        value: Persistent::save(ctx, value.clone()),
        base,
        stored,
    };
    frame(|frame| frame.held = Some(held));
    Ok(value)
}

/// What is stored, or the state before the first write, with its JSON.
fn parsed<'js>(ctx: &Ctx<'js>, stored: Option<&Json>) -> Result<(Value<'js>, Json)> {
    if let Some(stored) = stored {
        let value = host::parse_stored(ctx, stored, || "the state".to_owned())?;
        return Ok((value, stored.clone()));
    }
    let (instance, at) = host::current(ctx)?;
    let initial = instance.entities[at].initial.clone();
    Ok((raw::parse(ctx, &initial)?, initial))
}

/// The same in the shape of this version of the module. Names at the top level that a value lacks take their defaults,
/// whether or not the version that wrote it said that it was another.
fn shaped<'js>(ctx: &Ctx<'js>, stored: Option<&Json>, version: u32) -> Result<(Value<'js>, Json)> {
    let (instance, at) = host::current(ctx)?;
    let (entity, library) = (&instance.entities[at], &instance.library);
    let (mut value, base) = parsed(ctx, stored)?;
    if stored.is_none() {
        return Ok((value, base)); // no version wrote it
    }
    let mut as_stored = true;
    if version != entity.version {
        if let Some(migrate) = &entity.migrate {
            let migrate = migrate.clone().restore(ctx)?;
            value = migrating(|| migrate.call((value, version)))?;
            as_stored = false;
        } else if version > entity.version {
            let message = format!(
                "the state is of version {version}, which a later version of the module wrote, and this version {} \
                 has no `migrate`",
                entity.version
            );
            return host::with(ctx, |tx| tx.fault(FaultKind::StoredValue, message));
        }
    }
    let lacks = |names: &raw::Names| names.are_lacking(&library.plain, &value);
    if entity.names.as_ref().is_some_and(lacks) {
        let defaults = raw::parse(ctx, &entity.initial)?;
        let fill = library.fill.clone().restore(ctx)?;
        value = migrating(|| fill.call((value, defaults)))?;
        as_stored = false;
    }
    let base = match as_stored {
        true => base,
        false => {
            let json = migrating(|| host::json(ctx, library, &value, "the migrated state"));
            host::or_fault(ctx, json?)?
        }
    };
    Ok((value, base))
}

/// Runs what a migration is made of, without the transaction: what comes of a state must not follow from who touches it
/// first.
fn migrating<R>(run: impl FnOnce() -> R) -> R {
    frame(|frame| frame.migrates = true);
    let made = lend_nothing(run);
    frame(|frame| frame.migrates = false);
    made
}

/// Writes the state if its JSON changed.
pub fn flush(ctx: &Ctx<'_>) -> Result<()> {
    let held = frame(|frame| {
        let held = frame.held.as_ref()?;
        let of = (frame.instance.clone(), frame.entity, frame.kind);
        Some((held.value.clone(), held.base.clone(), of))
    });
    let Some((value, base, (instance, entity, kind))) = held.flatten() else {
        return Ok(());
    };
    let value: Value = value.restore(ctx)?;
    let mut same = false;
    let made = instance.library.plain.json(ctx, &value, |text| {
        same = text.bytes() == &base[..];
        let looked_at = !same || (kind == MethodKind::Update && may_say_less(text));
        looked_at.then(|| host::Text::new(text))
    });
    if matches!(made, Ok(Some(None))) {
        return Ok(());
    }
    let (library, what) = (&instance.library, "the state");
    let checked = match made {
        Err(error) => Err(host::no_json(ctx, library, &value, error, what)?),
        Ok(_) if kind == MethodKind::Query => return changed_in_query(ctx, &value, &base),
        Ok(made) => host::checked(ctx, library, &value, made.flatten(), what)?,
    };
    let json = host::or_fault(ctx, checked)?;
    if same {
        return Ok(());
    }
    let version = instance.entities[entity].version;
    host::with(ctx, |tx| {
        json_state::set_state(tx, json.clone(), version);
        Ok(())
    })?;
    frame(|frame| {
        if let Some(held) = &mut frame.held {
            held.base = json.clone();
            held.stored = Some(json);
        }
    });
    Ok(())
}

/// Whether a text that JSON of before is the same as may stand for what JSON cannot say: `NaN` is written like what is
/// nothing, a map like what is empty.
fn may_say_less(text: raw::Written<'_>) -> bool {
    match text {
        raw::Written::Here(_) => false,
        raw::Written::ByInterpreter(text) => text.contains("null") || text.contains("{}"),
    }
}

/// A query may not write; but JSON that was written elsewhere may have its own way of spelling the same.
fn changed_in_query<'js>(ctx: &Ctx<'js>, value: &Value<'js>, base: &Json) -> Result<()> {
    let text = |value: &Value<'js>| raw::stringify(ctx, value, str::to_owned);
    if text(value)? == text(&raw::parse(ctx, base)?)? {
        return Ok(());
    }
    host::with(ctx, |tx| {
        tx.fault(
            FaultKind::WriteInQuery,
            "a query changed `cx.state`; change a copy, as `toSorted`, `toSpliced` and `{ ...cx.state }` make, or \
             leave out `query(…)`",
        )
    })
}

/// Brings the state up to date with what is stored, after a call that may have come back to the entity.
pub fn refresh(ctx: &Ctx<'_>) -> Result<()> {
    let held = frame(|frame| {
        let held = frame.held.as_ref()?;
        Some((held.value.clone(), held.stored.clone()))
    });
    let Some((value, before)) = held.flatten() else {
        return Ok(());
    };
    let stored = host::with(ctx, |tx| Ok(json_state::state(tx).json.clone()))?;
    if stored == before {
        return Ok(());
    }
    // This version wrote it, in this transaction: what it left out is gone for who is on the stack.
    let (now, base) = parsed(ctx, stored.as_ref())?;
    let (instance, _) = host::current(ctx)?;
    let refresh: Function = instance.library.refresh.clone().restore(ctx)?;
    let old: Value = value.restore(ctx)?;
    let value: Value = refresh.call((old, now))?;
    let held = Held {
        value: Persistent::save(ctx, value),
        base,
        stored,
    };
    let before = frame(|frame| frame.held.replace(held));
    drop(before);
    Ok(())
}
