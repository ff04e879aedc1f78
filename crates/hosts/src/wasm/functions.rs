//! What a module imports: the running transaction, as functions. Each works on the transaction that is
//! lent; where none is, at the start, in `describe` and in `migrate`, it traps.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ordain_engine::Tx;
use ordain_types::id::uuid_text;
use ordain_types::limits::WASM_FUNCTION_FUEL;
use ordain_types::{EntityId, EntityType, FaultKind, FieldKey, Json, Key, Method, limits};
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{StoreContextMut, Trap, WasmBacktrace};

use super::instance::{Data, Held};
use super::method::check_value;
use super::running::{Running, price_of_json, price_of_text};
use super::world::{self, CALLS, CONTEXT, FIELDS, LOG, Raised, Rejection, STATE, text};
use super::{migrate, trap};
use crate::json_state;
use crate::lent::lent;

type Store<'a> = StoreContextMut<'a, Data>;

/// Defines them all.
///
/// # Errors
/// If two have one name.
pub(super) fn link(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let mut state = linker.instance(STATE)?;
    state.func_wrap("get", |store, ()| Ok((state_get(store)?,)))?;
    state.func_wrap("set", |store, (json,)| state_set(store, &json))?;
    state.func_wrap("hold", |store, (write,)| state_hold(store, write))?;

    let mut fields = linker.instance(FIELDS)?;
    fields.func_wrap("get", |store, (key,)| Ok((field_get(store, &key)?,)))?;
    fields.func_wrap("put", |store, (key, json)| field_put(store, &key, &json))?;
    fields.func_wrap("delete", |store, (key,)| field_delete(store, &key))?;
    fields.func_wrap("scan", |store, range| Ok((field_scan(store, range)?,)))?;

    let mut calls = linker.instance(CALLS)?;
    calls.func_wrap("call", |store, call| Ok((call_entity(store, &call)?,)))?;
    calls.func_wrap("send", |store, (ty, key, method, args, delay)| {
        Ok((send(store, &(ty, key, method, args), delay)?,))
    })?;

    let mut context = linker.instance(CONTEXT)?;
    let known = |read: fn(&mut Tx) -> String| {
        move |mut store: Store<'_>, ()| Ok((within(&mut store, |tx, _| read(tx))?,))
    };
    context.func_wrap("entity-type", known(|tx| tx.entity().ty.to_string()))?;
    context.func_wrap("key", known(|tx| tx.entity().key.to_string()))?;
    context.func_wrap("uuid", known(|tx| uuid_text(tx.uuid())))?;
    context.func_wrap("caller", known(|tx| tx.caller().to_owned()))?;
    let number = |read: fn(&mut Tx) -> u64| {
        move |mut store: Store<'_>, ()| Ok((within(&mut store, |tx, _| read(tx))?,))
    };
    context.func_wrap("now", number(|tx| tx.now().0))?;
    context.func_wrap("random", number(Tx::random))?;
    context.func_wrap("seq", number(|tx| tx.seq().0))?;

    let mut log = linker.instance(LOG)?;
    log.func_wrap("write", |store, (message,)| write_log(store, &message))?;
    log.func_wrap("fault", |store, (kind, message)| {
        fault(store, kind, &message)
    })
}

/// Runs `run` on the lent transaction, for the price of a function; what crosses is paid by [`charge`]. What
/// unwinds out of it waits until the module's frames are gone.
fn within<R>(
    store: &mut Store<'_>,
    run: impl FnOnce(&mut Tx, &mut Data) -> R,
) -> wasmtime::Result<R> {
    pay(store, WASM_FUNCTION_FUEL)?;
    let left = store.get_fuel()?;
    let data = store.data_mut();
    // What is called may use fuel of the same transaction.
    let used = catch_unwind(AssertUnwindSafe(|| {
        lent(|tx| {
            tx.beside::<Running>().fuel = left;
            let result = run(tx, data);
            (result, tx.beside::<Running>().fuel)
        })
    }));
    match used {
        Ok(Some((result, left))) => {
            store.set_fuel(left)?;
            Ok(result)
        }
        Ok(None) => Err(wasmtime::Error::msg(
            "the imports of the world `ordain:runtime` are for methods: `describe` and `migrate` use none",
        )),
        Err(unwinding) => {
            store.data_mut().unwinding = Some(unwinding);
            Err(wasmtime::Error::msg("the transaction has ended"))
        }
    }
}

fn pay(store: &mut Store<'_>, fuel: u64) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(fuel);
    store.set_fuel(left.ok_or(Trap::OutOfFuel)?)
}

/// The price of what crosses.
fn charge(store: &mut Store<'_>, bytes: usize) -> wasmtime::Result<()> {
    pay(store, price_of_text(bytes))
}

/// What is made of a text of the module, within its limit. All of it was looked at, so all of it is paid.
fn read<T>(
    store: &mut Store<'_>,
    text: &WasmStr,
    limit: usize,
    make: impl FnOnce(&str) -> T,
) -> wasmtime::Result<T> {
    let text = text.to_str(&*store)?;
    let bytes = text.len();
    // One byte more than the limit is enough to break it.
    let end = match bytes > limit {
        true => text.ceil_char_boundary(limit + 1),
        false => bytes,
    };
    let made = make(&text[..end]);
    charge(store, bytes)?;
    pay(store, (bytes - end) as u64)?; // no one needs to give it
    Ok(made)
}

/// A copy of one.
fn copy(store: &mut Store<'_>, text: &WasmStr, limit: usize) -> wasmtime::Result<String> {
    read(store, text, limit, str::to_owned)
}

/// The same of a text that is read as JSON.
fn copy_json(store: &mut Store<'_>, json: &WasmStr, limit: usize) -> wasmtime::Result<String> {
    let json = copy(store, json, limit)?;
    pay(store, price_of_json(json.len()))?;
    Ok(json)
}

fn state_get(mut store: Store<'_>) -> wasmtime::Result<Option<String>> {
    let json = within(&mut store, |tx, data| {
        let target = data.target.clone().expect("a method runs");
        migrate::present(tx, &target, data.held.as_ref())
    })?;
    charge(&mut store, json.as_ref().map_or(0, String::len))?;
    Ok(json)
}

fn state_set(mut store: Store<'_>, json: &WasmStr) -> wasmtime::Result<()> {
    let json = copy_json(&mut store, json, limits::VALUE_BYTES_MAX)?;
    within(&mut store, |tx, data| {
        let version = data.target.as_ref().expect("a method runs").version;
        check_value(tx, &json, "the state");
        match &mut data.held {
            None => json_state::set_state(tx, json.into(), version),
            Some(held) if held.write => migrate::put(&mut held.state, &json.into(), version),
            Some(_) => {
                let message = "the method holds its state to read it, and tried to write it";
                tx.fault(FaultKind::ModuleState, message)
            }
        }
    })
}

fn state_hold(mut store: Store<'_>, write: bool) -> wasmtime::Result<()> {
    within(&mut store, |tx, data| {
        if data.held.is_some() {
            tx.fault(FaultKind::ModuleState, "the method holds its state already");
        }
        let state = match write {
            true => tx.hold_mut(),
            false => tx.hold(),
        };
        data.held = Some(Held { state, write });
    })
}

fn field_key(tx: &mut Tx, key: &str) -> FieldKey {
    match FieldKey::new(key) {
        Ok(key) => key,
        Err(error) => tx.fault(FaultKind::BadKey, error.to_string()),
    }
}

fn field_get(mut store: Store<'_>, key: &WasmStr) -> wasmtime::Result<Option<String>> {
    let key = copy(&mut store, key, limits::FIELD_KEY_BYTES_MAX)?;
    let json = within(&mut store, |tx, _| {
        let key = field_key(tx, &key);
        tx.field_get(&key)
    })?;
    charge(&mut store, json.as_ref().map_or(0, Json::len))?;
    Ok(json.as_ref().map(text))
}

fn field_put(mut store: Store<'_>, key: &WasmStr, json: &WasmStr) -> wasmtime::Result<()> {
    let key = copy(&mut store, key, limits::FIELD_KEY_BYTES_MAX)?;
    let json = copy_json(&mut store, json, limits::VALUE_BYTES_MAX)?;
    within(&mut store, |tx, _| {
        let key = field_key(tx, &key);
        check_value(tx, &json, "the value of a field");
        tx.field_put(&key, json.into());
    })
}

fn field_delete(mut store: Store<'_>, key: &WasmStr) -> wasmtime::Result<()> {
    let key = copy(&mut store, key, limits::FIELD_KEY_BYTES_MAX)?;
    within(&mut store, |tx, _| {
        let key = field_key(tx, &key);
        tx.field_delete(&key);
    })
}

fn field_scan(
    mut store: Store<'_>,
    (start, end, reverse, limit): (world::Bound, world::Bound, bool, u32),
) -> wasmtime::Result<Vec<(String, String)>> {
    let (start, end) = (bound(&mut store, start)?, bound(&mut store, end)?);
    let rows = within(&mut store, |tx, _| {
        let (start, end) = (start.as_ref(), end.as_ref());
        let (start, end) = (start.map(String::as_str), end.map(String::as_str));
        tx.field_scan(start, end, reverse, limit as usize)
    })?;
    let row = |(key, json): &(FieldKey, Json)| (key.as_str().to_owned(), text(json));
    let rows: Vec<_> = rows.iter().map(row).collect();
    let bytes = rows.iter().map(|(key, json)| key.len() + json.len());
    let price = rows.len() as u64 * WASM_FUNCTION_FUEL + price_of_text(bytes.sum());
    pay(&mut store, price)?;
    Ok(rows)
}

/// A bound as long as it can tell keys apart: what it says after more than a key can have makes no difference.
fn bound(store: &mut Store<'_>, bound: world::Bound) -> wasmtime::Result<Bound<String>> {
    let mut key = |key| copy(store, &key, limits::FIELD_KEY_BYTES_MAX);
    Ok(match bound {
        world::Bound::Unbounded => Bound::Unbounded,
        world::Bound::Included(at) => Bound::Included(key(at)?),
        world::Bound::Excluded(at) => Bound::Excluded(key(at)?),
    })
}

/// A call as it crosses: entity type, key, method, arguments.
type Call = (WasmStr, WasmStr, WasmStr, WasmStr);

/// The same with its names checked.
struct Named {
    entity: EntityId,
    method: Method,
    args: String,
}

fn named<R>(
    store: &mut Store<'_>,
    (ty, key, method, args): &Call,
    run: impl FnOnce(&mut Tx, Named) -> R,
) -> wasmtime::Result<R> {
    let ty = read(store, ty, limits::NAME_BYTES_MAX, EntityType::new)?;
    let key = read(store, key, limits::KEY_BYTES_MAX, Key::new)?;
    let method = read(store, method, limits::NAME_BYTES_MAX, Method::new)?;
    let args = copy_json(store, args, limits::ARGUMENT_BYTES_MAX)?;
    within(store, |tx, _| {
        let ty = or_fault(tx, ty, FaultKind::UnknownEntity);
        let key = or_fault(tx, key, FaultKind::BadKey);
        let method = or_fault(tx, method, FaultKind::UnknownMethod);
        let entity = EntityId { ty, key };
        run(
            tx,
            Named {
                entity,
                method,
                args,
            },
        )
    })
}

fn or_fault<T, E: std::fmt::Display>(tx: &mut Tx, name: Result<T, E>, kind: FaultKind) -> T {
    match name {
        Ok(name) => name,
        Err(error) => tx.fault(kind, format!("a call by names: {error}")),
    }
}

fn call_entity(mut store: Store<'_>, call: &Call) -> wasmtime::Result<Result<String, Rejection>> {
    let answer = named(&mut store, call, |tx, named| {
        tx.call_dynamic(&named.entity, &named.method, named.args.as_bytes())
    })?;
    let bytes = match &answer {
        Ok(value) => value.len(),
        Err(no) => no.message.len() + no.details.as_ref().map_or(0, Json::len),
    };
    charge(&mut store, bytes)?;
    Ok(match answer {
        Ok(value) => Ok(text(&value)),
        Err(rejection) => Err(rejection.into()),
    })
}

fn send(mut store: Store<'_>, call: &Call, delay_ms: u64) -> wasmtime::Result<String> {
    let id = named(&mut store, call, |tx, named| {
        tx.send(named.entity, named.method, named.args.as_bytes(), delay_ms)
    })?;
    Ok(id.to_string())
}

fn write_log(mut store: Store<'_>, message: &WasmStr) -> wasmtime::Result<()> {
    let message = copy(&mut store, message, limits::MESSAGE_BYTES_MAX)?;
    within(&mut store, |tx, _| tx.log(&message))
}

fn fault(mut store: Store<'_>, kind: Raised, message: &WasmStr) -> wasmtime::Result<()> {
    let message = copy(&mut store, message, limits::MESSAGE_BYTES_MAX)?;
    if store.data().target.is_none() {
        return Err(trap::RaisedOutside(kind.into(), message).into());
    }
    let trace = trap::short(&WasmBacktrace::force_capture(&store));
    within(&mut store, |tx, _| {
        trap::exactly(tx);
        trap::raise(tx, kind.into(), &message, &trace)
    })
}
