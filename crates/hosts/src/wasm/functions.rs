//! What a module imports: the running transaction, as functions. Each works on the transaction that is
//! lent; where none is, at the start, in `describe` and in `migrate`, it traps.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ordain_engine::Tx;
use ordain_types::id::uuid_text;
use ordain_types::limits::{WASM_BYTES_PER_FUEL, WASM_FUNCTION_FUEL};
use ordain_types::{EntityId, EntityType, FaultKind, FieldKey, Json, Key, Method, limits};
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{StoreContextMut, Trap, WasmBacktrace};

use super::instance::{Data, Held};
use super::method::json_or_fault;
use super::running::Running;
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
        move |mut store: Store<'_>, ()| Ok((within(&mut store, 0, |tx, _| read(tx))?,))
    };
    context.func_wrap("entity-type", known(|tx| tx.entity().ty.to_string()))?;
    context.func_wrap("key", known(|tx| tx.entity().key.to_string()))?;
    context.func_wrap("uuid", known(|tx| uuid_text(tx.uuid())))?;
    context.func_wrap("caller", known(|tx| tx.caller().to_owned()))?;
    let number = |read: fn(&mut Tx) -> u64| {
        move |mut store: Store<'_>, ()| Ok((within(&mut store, 0, |tx, _| read(tx))?,))
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

/// Runs `run` on the lent transaction, for its price in fuel. What unwinds out of it waits until the
/// module's frames are gone.
fn within<R>(
    store: &mut Store<'_>,
    bytes: usize,
    run: impl FnOnce(&mut Tx, &mut Data) -> R,
) -> wasmtime::Result<R> {
    let price = WASM_FUNCTION_FUEL + bytes as u64 / WASM_BYTES_PER_FUEL;
    let left = store.get_fuel()?.checked_sub(price);
    let left = left.ok_or(Trap::OutOfFuel)?;
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

/// The price of what is given to the module.
fn charge(store: &mut Store<'_>, bytes: usize) -> wasmtime::Result<()> {
    let price = bytes as u64 / WASM_BYTES_PER_FUEL;
    let left = store.get_fuel()?.checked_sub(price);
    store.set_fuel(left.ok_or(Trap::OutOfFuel)?)
}

/// A copy of a text of the module, within its limit.
fn copy(store: &mut Store<'_>, text: &WasmStr, limit: usize) -> wasmtime::Result<String> {
    let text = text.to_str(&*store)?;
    // One byte more than the limit is enough to break it.
    let end = match text.len() > limit {
        true => text.ceil_char_boundary(limit + 1),
        false => text.len(),
    };
    Ok(text[..end].to_owned())
}

fn state_get(mut store: Store<'_>) -> wasmtime::Result<Option<String>> {
    let json = within(&mut store, 0, |tx, data| {
        let target = data.target.clone().expect("a method runs");
        migrate::present(tx, &target, data.held.as_ref())
    })?;
    charge(&mut store, json.as_ref().map_or(0, Json::len))?;
    Ok(json.as_ref().map(text))
}

fn state_set(mut store: Store<'_>, json: &WasmStr) -> wasmtime::Result<()> {
    let json = copy(&mut store, json, limits::VALUE_BYTES_MAX)?;
    within(&mut store, json.len(), |tx, data| {
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
    within(&mut store, 0, |tx, data| {
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
    let json = within(&mut store, key.len(), |tx, _| {
        let key = field_key(tx, &key);
        tx.field_get(&key)
    })?;
    charge(&mut store, json.as_ref().map_or(0, Json::len))?;
    Ok(json.as_ref().map(text))
}

fn field_put(mut store: Store<'_>, key: &WasmStr, json: &WasmStr) -> wasmtime::Result<()> {
    let key = copy(&mut store, key, limits::FIELD_KEY_BYTES_MAX)?;
    let json = copy(&mut store, json, limits::VALUE_BYTES_MAX)?;
    within(&mut store, key.len() + json.len(), |tx, _| {
        let key = field_key(tx, &key);
        check_value(tx, &json, "the value of a field");
        tx.field_put(&key, json.into());
    })
}

fn field_delete(mut store: Store<'_>, key: &WasmStr) -> wasmtime::Result<()> {
    let key = copy(&mut store, key, limits::FIELD_KEY_BYTES_MAX)?;
    within(&mut store, key.len(), |tx, _| {
        let key = field_key(tx, &key);
        tx.field_delete(&key);
    })
}

fn field_scan(
    mut store: Store<'_>,
    (start, end, reverse, limit): (world::Bound, world::Bound, bool, u32),
) -> wasmtime::Result<Vec<(String, String)>> {
    let rows = within(&mut store, 0, |tx, _| {
        tx.field_scan(bound(&start), bound(&end), reverse, limit as usize)
    })?;
    let row = |(key, json): &(FieldKey, Json)| (key.as_str().to_owned(), text(json));
    let rows: Vec<_> = rows.iter().map(row).collect();
    let bytes = rows.iter().map(|(key, json)| key.len() + json.len());
    let price = rows.len() as u64 * WASM_FUNCTION_FUEL * WASM_BYTES_PER_FUEL;
    charge(&mut store, bytes.sum::<usize>() + price as usize)?;
    Ok(rows)
}

fn bound(bound: &world::Bound) -> Bound<&str> {
    match bound {
        world::Bound::Unbounded => Bound::Unbounded,
        world::Bound::Included(key) => Bound::Included(key),
        world::Bound::Excluded(key) => Bound::Excluded(key),
    }
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
    let ty = copy(store, ty, limits::NAME_BYTES_MAX)?;
    let key = copy(store, key, limits::KEY_BYTES_MAX)?;
    let method = copy(store, method, limits::NAME_BYTES_MAX)?;
    let args = copy(store, args, limits::ARGUMENT_BYTES_MAX)?;
    let bytes = ty.len() + key.len() + method.len() + args.len();
    within(store, bytes, |tx, _| {
        let ty = or_fault(tx, EntityType::new(&ty), FaultKind::UnknownEntity);
        let key = or_fault(tx, Key::new(&key), FaultKind::BadKey);
        let method = or_fault(tx, Method::new(&method), FaultKind::UnknownMethod);
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
    charge(&mut store, answer.as_ref().map_or(0, Json::len))?;
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
    within(&mut store, message.len(), |tx, _| tx.log(&message))
}

fn fault(mut store: Store<'_>, kind: Raised, message: &WasmStr) -> wasmtime::Result<()> {
    let message = copy(&mut store, message, limits::MESSAGE_BYTES_MAX)?;
    if store.data().target.is_none() {
        return Err(trap::RaisedOutside(kind.into(), message).into());
    }
    let trace = WasmBacktrace::force_capture(&store).to_string();
    within(&mut store, 0, |tx, _| {
        trap::exactly(tx);
        tx.fault_traced(kind.into(), message, trace)
    })
}

fn check_value(tx: &mut Tx, json: &str, what: &str) {
    let limit = limits::VALUE_BYTES_MAX;
    if json.len() > limit {
        let message = format!("{what} has more bytes than the limit of {limit}; divide it");
        tx.fault(FaultKind::ValueBytes, message);
    }
    json_or_fault(tx, json, what);
}
