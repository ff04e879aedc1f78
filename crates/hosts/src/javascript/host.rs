//! The functions that the context's methods are made of, as the interpreter calls them. Each checks its
//! arguments, reaches the running transaction, and lets nothing unwind through the interpreter.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use ordain_engine::Tx;
use ordain_types::granule::text_prefix_end;
use ordain_types::id::uuid_text;
use ordain_types::{
    EntityId, EntityType, FaultKind, FieldKey, Json, Key, Method, Rejection, limits,
};
use rquickjs::function::{Constructor, Func, Opt};
use rquickjs::{Array, Ctx, Error, Exception, Function, Object, Result, Value};

use super::instance::{Instance, Library};
use super::raw::Written;
use super::run::{frame, keep_unwinding};
use super::{cache, fault, numbers, raw, state};
use crate::depth::nests_deeper;
use crate::halves;
use crate::lent::lent;

/// Gives the prelude its functions, in an object that the prelude adds itself to.
pub fn install<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    host.set("state", Func::from(get_state))?;
    host.set("setState", Func::from(set_state))?;
    host.set("call", Func::from(call))?;
    host.set("send", Func::from(send))?;
    host.set("fieldGet", Func::from(field_get))?;
    host.set("fieldPut", Func::from(field_put))?;
    host.set("fieldDelete", Func::from(field_delete))?;
    host.set("scan", Func::from(scan))?;
    host.set("key", Func::from(key))?;
    host.set("id", Func::from(id))?;
    host.set("caller", Func::from(caller))?;
    host.set("seq", Func::from(seq))?;
    host.set("now", Func::from(now))?;
    host.set("random", Func::from(random))?;
    host.set("uuid", Func::from(uuid))?;
    host.set("log", Func::from(log))?;
    host.set("caught", Func::from(caught))?;
    host.set("works", Func::from(works))?;
    host.set("traced", Func::from(traced))?;
    ctx.globals().set("__host", host.clone())?;
    Ok(host)
}

/// Runs `run` with the running transaction. If that unwinds, it does so later.
pub fn with<'js, R>(
    ctx: &Ctx<'js>,
    run: impl FnOnce(&mut Tx) -> std::result::Result<R, Rejection>,
) -> Result<R> {
    go_on(ctx)?;
    match catch_unwind(AssertUnwindSafe(|| lent(run))) {
        Ok(Some(Ok(value))) => Ok(value),
        Ok(Some(Err(rejection))) => Err(throw_rejection(ctx, rejection)),
        Ok(None) => Err(Exception::throw_type(ctx, nothing_is_lent())),
        Err(caught) => {
            keep_unwinding(caught);
            Err(raw::uncatchable(ctx))
        }
    }
}

/// What is said where there is no transaction.
fn nothing_is_lent() -> &'static str {
    match frame(|frame| frame.migrates) {
        Some(true) => {
            "`migrate` has neither time nor chance, for it makes the same of a state whoever touches it first: take \
             them in the method that changes the state, by its `cx`"
        }
        _ => {
            "a module starts without a transaction: time, chance and entities are there in methods, by their `cx`"
        }
    }
}

/// What a `catch` begins with: goes on, or throws again what is a fault.
pub fn caught<'js>(ctx: Ctx<'js>, error: Value<'js>) -> Result<()> {
    let message = match error.as_object().filter(|_| error.is_error()) {
        Some(error) => message_of(&ctx, error)?,
        None => None,
    };
    let overflow = message.is_some_and(|message| fault::is_overflow(&message));
    if overflow {
        cache::with_meter(|meter| meter.overflowed());
    }
    go_on(&ctx)
}

/// An error's message, if it is a text: a module may make it what it likes, and may have code give it that fails.
fn message_of<'js>(ctx: &Ctx<'js>, error: &Object<'js>) -> Result<Option<String>> {
    match error.get::<_, Value>("message") {
        Ok(message) => Ok(raw::text(&message)),
        Err(Error::Exception) => {
            let thrown = ctx.catch();
            match thrown.is_uncatchable_error() {
                true => Err(ctx.throw(thrown)),
                false => Ok(None),
            }
        }
        Err(error) => Err(error),
    }
}

/// What a built-in function is about to do that the interpreter does not count.
fn works(ctx: Ctx<'_>, work: f64) -> Result<()> {
    cache::with_meter(|meter| meter.works(work as u64));
    go_on(&ctx)
}

/// How many calls the stack of an error tells. The interpreter asks as it makes one, also where it finds no stack for any
/// other call: who drops that error may not make it unseen.
fn traced() -> i32 {
    cache::with_meter(|meter| meter.looks_at_stack());
    TRACED
}

const TRACED: i32 = 10;

/// Ends the call if a limit was passed.
fn go_on(ctx: &Ctx<'_>) -> Result<()> {
    match cache::with_meter(|meter| meter.broken()) {
        None => Ok(()),
        Some(_) => Err(raw::uncatchable(ctx)),
    }
}

/// The context that runs, and which of its entity types.
pub fn current(ctx: &Ctx<'_>) -> Result<(Rc<Instance>, usize)> {
    let current = frame(|frame| (frame.instance.clone(), frame.entity));
    current.ok_or_else(|| Exception::throw_type(ctx, "no method runs"))
}

fn throw_rejection(ctx: &Ctx<'_>, rejection: Rejection) -> Error {
    let thrown = || -> Result<Error> {
        let (instance, _) = current(ctx)?;
        let class: Object = instance.library.rejection.clone().restore(ctx)?;
        let class = Constructor::from_value(class.into_value())?;
        let details = match &rejection.details {
            Some(json) => parse_exactly(ctx, json, "the details of the rejection hold")?,
            None => Value::new_undefined(ctx.clone()),
        };
        let value: Value = class.construct((rejection.code, rejection.message, details))?;
        Ok(ctx.throw(value))
    };
    thrown().unwrap_or_else(|error| error)
}

/// What the interpreter made of a value.
pub struct Text {
    json: Json,
    /// There may have been more in the value.
    suspect: bool,
    /// It holds half of a surrogate pair.
    halved: bool,
}

impl Text {
    pub fn new(text: Written<'_>) -> Self {
        let (suspect, halved) = match text {
            Written::Here(_) => (false, false),
            // Much that is no plain value has JSON that says less.
            Written::ByInterpreter(text) => (true, halves::find(text).is_some()),
        };
        Self {
            json: Json::copy_from_slice(text.bytes()),
            suspect,
            halved,
        }
    }
}

/// What is said of such a text.
const HALVED: &str = "has half of a surrogate pair, which is no character";

/// A value as JSON, or why it has none that says the same.
pub fn json<'js>(
    ctx: &Ctx<'js>,
    library: &Library,
    value: &Value<'js>,
    what: &str,
) -> Result<std::result::Result<Json, String>> {
    match library.plain.json(ctx, value, Text::new) {
        Ok(made) => checked(ctx, library, value, made, what),
        Err(error) => no_json(ctx, library, value, error, what).map(Err),
    }
}

/// What the interpreter says, without a place, of what has no JSON at all.
const NO_JSON: [&str; 2] = [
    "circular reference",
    "BigInt are forbidden in JSON.stringify",
];

/// Why a value has no JSON of which the interpreter throws an error. One that code of the module threw is thrown again.
pub fn no_json<'js>(
    ctx: &Ctx<'js>,
    library: &Library,
    value: &Value<'js>,
    error: Error,
    what: &str,
) -> Result<String> {
    if !error.is_exception() {
        return Err(error);
    }
    let thrown = ctx.catch();
    let message = match thrown.as_object().filter(|_| thrown.is_error()) {
        Some(error) => message_of(ctx, error)?,
        None => None,
    };
    if message.is_none_or(|it| !NO_JSON.contains(&&*it)) {
        return Err(ctx.throw(thrown));
    }
    let lossy: Function = library.lossy.clone().restore(ctx)?;
    let within = Value::new_null(ctx.clone());
    match lossy.call::<_, Option<String>>((value.clone(), what, within))? {
        Some(lost) => Ok(cannot_hold(&lost)),
        None => Err(ctx.throw(thrown)),
    }
}

fn cannot_hold(lost: &str) -> String {
    format!("{lost}, which JSON cannot hold; keep objects, arrays, texts and numbers")
}

/// The JSON made of a value, if it says the same.
pub fn checked<'js>(
    ctx: &Ctx<'js>,
    library: &Library,
    value: &Value<'js>,
    made: Option<Text>,
    what: &str,
) -> Result<std::result::Result<Json, String>> {
    let Some(made) = made else {
        let kind = match value.type_name() {
            "undefined" => "undefined".to_owned(),
            kind => format!("a {kind}"),
        };
        return Ok(Err(format!("{what} is {kind}, which JSON cannot hold")));
    };
    let Text {
        json,
        suspect,
        halved,
    } = made;
    if suspect {
        let lossy: Function = library.lossy.clone().restore(ctx)?;
        if let Some(lost) = lossy.call::<_, Option<String>>((value.clone(), what))? {
            return Ok(Err(cannot_hold(&lost)));
        }
        if halved {
            return Ok(Err(format!("what {what} gives as its JSON {HALVED}")));
        }
    }
    let limit = limits::JSON_DEPTH_MAX;
    Ok(match nests_deeper(&json, limit) {
        true => Err(format!("{what} nests deeper than {limit} levels")),
        false => Ok(json),
    })
}

/// The same, where having none is a fault.
pub fn json_or_fault<'js>(ctx: &Ctx<'js>, value: &Value<'js>, what: &str) -> Result<Json> {
    let (instance, _) = current(ctx)?;
    or_fault(ctx, json(ctx, &instance.library, value, what)?)
}

/// The JSON, where having none is a fault.
pub fn or_fault(ctx: &Ctx<'_>, json: std::result::Result<Json, String>) -> Result<Json> {
    match json {
        Ok(json) => Ok(json),
        Err(message) => with(ctx, |tx| tx.fault(FaultKind::Encoding, message)),
    }
}

fn get_state(ctx: Ctx<'_>) -> Result<Value<'_>> {
    state::get(&ctx)
}

fn set_state<'js>(ctx: Ctx<'js>, value: Value<'js>) -> Result<()> {
    state::set(&ctx, value)
}

/// An argument's JSON: nothing at all is the empty object.
fn arguments<'js>(ctx: &Ctx<'js>, args: Option<Value<'js>>) -> Result<Json> {
    match args.filter(|args| !args.is_undefined()) {
        None => Ok(Json::from_static(b"{}")),
        Some(args) => json_or_fault(ctx, &args, "the argument"),
    }
}

fn call<'js>(
    ctx: Ctx<'js>,
    ty: String,
    key: Value<'js>,
    method: String,
    args: Opt<Value<'js>>,
) -> Result<Value<'js>> {
    let args = arguments(&ctx, args.0)?;
    let key = text(&key);
    state::flush(&ctx)?;
    let called = with(&ctx, |tx| {
        let (entity, method) = named(tx, ty, key, method);
        tx.call_dynamic(&entity, &method, &args)
    });
    match called {
        Ok(json) => {
            state::refresh(&ctx)?;
            parse_exactly(&ctx, &json, "the value holds")
        }
        Err(_) => {
            let thrown = ctx.catch();
            if !thrown.is_uncatchable_error() {
                state::refresh(&ctx)?;
            }
            Err(ctx.throw(thrown))
        }
    }
}

/// The value of JSON that another method gave, whose whole numbers must fit a JavaScript number.
fn parse_exactly<'js>(ctx: &Ctx<'js>, json: &Json, holds: &str) -> Result<Value<'js>> {
    let Some(number) = numbers::inexact(json) else {
        return raw::parse(ctx, json);
    };
    let message =
        format!("{holds} {number}, which no JavaScript number is: let the method give it as text");
    with(ctx, |tx| tx.fault(FaultKind::Encoding, message))
}

/// The value of what is stored, whose whole numbers must not be others when they are written back: a version of the
/// module in another language may have written them.
pub fn parse_stored<'js>(
    ctx: &Ctx<'js>,
    json: &Json,
    what: impl FnOnce() -> String,
) -> Result<Value<'js>> {
    let Some(number) = numbers::changing(json) else {
        return raw::parse(ctx, json);
    };
    let what = what();
    let message = format!(
        "{what} holds {number}, which no JavaScript number is: let the version that wrote it store it as text"
    );
    with(ctx, |tx| tx.fault(FaultKind::StoredValue, message))
}

/// Names, checked.
fn named(
    tx: &mut Tx,
    ty: String,
    key: std::result::Result<String, String>,
    method: String,
) -> (EntityId, Method) {
    let ty = EntityType::new(&ty);
    let ty =
        ty.unwrap_or_else(|error| tx.fault(FaultKind::UnknownEntity, format!("a call: {error}")));
    let key = key.and_then(|key| Key::new(&key).map_err(|error| error.to_string()));
    let key = key.unwrap_or_else(|error| tx.fault(FaultKind::BadKey, format!("a call: {error}")));
    let method = Method::new(&method);
    let method = method
        .unwrap_or_else(|error| tx.fault(FaultKind::UnknownMethod, format!("a call: {error}")));
    (EntityId { ty, key }, method)
}

/// A key's text.
fn text(value: &Value<'_>) -> std::result::Result<String, String> {
    let Some(text) = value.as_string() else {
        return Err(format!("a key is a string, not a {}", value.type_name()));
    };
    text.to_string()
        .map_err(|_| "half a surrogate pair is no character".to_owned())
}

fn send<'js>(
    ctx: Ctx<'js>,
    ty: String,
    key: Value<'js>,
    method: String,
    args: Value<'js>,
    delay: f64,
) -> Result<String> {
    let args = arguments(&ctx, Some(args))?;
    let key = text(&key);
    with(&ctx, |tx| {
        let (entity, method) = named(tx, ty, key, method);
        Ok(tx.send(entity, method, &args, delay as u64).to_string())
    })
}

fn field_key(tx: &mut Tx, name: std::result::Result<String, String>) -> FieldKey {
    let key = name.and_then(|name| FieldKey::new(&name).map_err(|error| error.to_string()));
    key.unwrap_or_else(|error| tx.fault(FaultKind::BadKey, format!("a field: {error}")))
}

fn field_name(key: &FieldKey) -> String {
    format!("the field `{}`", key.as_str())
}

fn field_get<'js>(ctx: Ctx<'js>, name: Value<'js>) -> Result<Value<'js>> {
    let name = text(&name);
    let (key, value) = with(&ctx, |tx| {
        let key = field_key(tx, name);
        let value = tx.field_get(&key);
        Ok((key, value))
    })?;
    match value {
        Some(json) => parse_stored(&ctx, &json, || field_name(&key)),
        None => Ok(Value::new_undefined(ctx)),
    }
}

fn field_put<'js>(ctx: Ctx<'js>, name: Value<'js>, value: Value<'js>) -> Result<()> {
    let name = text(&name);
    let what = format!("the field `{}`", name.as_deref().unwrap_or_default());
    let json = json_or_fault(&ctx, &value, &what)?;
    with(&ctx, |tx| {
        let key = field_key(tx, name);
        tx.field_put(&key, json);
        Ok(())
    })
}

fn field_delete<'js>(ctx: Ctx<'js>, name: Value<'js>) -> Result<()> {
    let name = text(&name);
    with(&ctx, |tx| {
        let key = field_key(tx, name);
        tx.field_delete(&key);
        Ok(())
    })
}

/// Fields as pairs of name and value, in the order of their names.
fn scan<'js>(
    ctx: Ctx<'js>,
    from: Option<String>,
    to: Option<String>,
    prefix: Option<String>,
    reverse: bool,
    limit: Option<f64>,
) -> Result<Array<'js>> {
    let limit = match limit {
        None => None,
        Some(limit) if limit >= 0.0 && limit.fract() == 0.0 => Some(limit as usize),
        Some(limit) => {
            return Err(Exception::throw_type(
                &ctx,
                &format!("the option `limit` of cx.scan(…) is a whole number, not {limit}"),
            ));
        }
    };
    let rows = with(&ctx, |tx| Ok(rows(tx, from, to, prefix, reverse, limit)))?;
    let found = Array::new(ctx.clone())?;
    for (at, (key, json)) in rows.iter().enumerate() {
        let row = Array::new(ctx.clone())?;
        row.set(0, key.as_str())?;
        row.set(1, parse_stored(&ctx, json, || field_name(key))?)?;
        found.set(at, row)?;
    }
    Ok(found)
}

fn rows(
    tx: &mut Tx,
    from: Option<String>,
    to: Option<String>,
    prefix: Option<String>,
    reverse: bool,
    limit: Option<usize>,
) -> Vec<(FieldKey, Json)> {
    let prefix = prefix.unwrap_or_default();
    let end = text_prefix_end(&prefix);
    let first = from.unwrap_or_default().max(prefix);
    let last = [to, end].into_iter().flatten().min();
    let to = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    // Without a limit all come, or none: one more than may come shows that there are more.
    let most = limit.unwrap_or(limits::SCAN_ROWS_MAX);
    let mut rows = tx.field_scan(Bound::Included(&first), to, reverse, most);
    if limit.is_none() && rows.len() == limits::SCAN_ROWS_MAX {
        let rest = rows.last().expect("a full scan has rows").0.clone();
        let more = match reverse {
            false => tx.field_scan(Bound::Excluded(rest.as_str()), to, false, 1),
            true => tx.field_scan(
                Bound::Included(&first),
                Bound::Excluded(rest.as_str()),
                true,
                1,
            ),
        };
        if !more.is_empty() {
            let message = format!(
                "a scan found more than {} fields; give it a `limit`",
                limits::SCAN_ROWS_MAX
            );
            tx.fault(FaultKind::ScanRows, message);
        }
        rows.truncate(limits::SCAN_ROWS_MAX);
    }
    rows
}

fn key(ctx: Ctx<'_>) -> Result<String> {
    with(&ctx, |tx| Ok(tx.entity().key.as_str().to_owned()))
}

fn id(ctx: Ctx<'_>) -> Result<String> {
    with(&ctx, |tx| Ok(tx.entity().to_string()))
}

fn caller(ctx: Ctx<'_>) -> Result<String> {
    with(&ctx, |tx| Ok(tx.caller().to_owned()))
}

fn seq(ctx: Ctx<'_>) -> Result<f64> {
    with(&ctx, |tx| Ok(tx.seq().0 as f64))
}

fn now(ctx: Ctx<'_>) -> Result<f64> {
    with(&ctx, |tx| Ok(tx.now().0 as f64))
}

/// Uniform over the 2^53 multiples of 2^-53 from 0 to below 1.
fn random(ctx: Ctx<'_>) -> Result<f64> {
    with(&ctx, |tx| {
        Ok((tx.random() >> 11) as f64 / (1u64 << 53) as f64)
    })
}

fn uuid(ctx: Ctx<'_>) -> Result<String> {
    with(&ctx, |tx| Ok(uuid_text(tx.uuid())))
}

fn log<'js>(ctx: Ctx<'js>, message: Value<'js>) -> Result<()> {
    let message = raw::text(&message).unwrap_or_default();
    with(&ctx, |tx| {
        tx.log(&message);
        Ok(())
    })
}
