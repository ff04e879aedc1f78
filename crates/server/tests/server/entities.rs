//! Two entity types for tests: `account`, a small bank, and `gate`, whose method stands still until a
//! test lets it go.

use std::any::Any;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Arc, Condvar, Mutex};

use ordain_engine::{Catalog, MethodDef, State, StateType, Tx, TypeDef};
use ordain_hosts::native::{method, param};
use ordain_types::{EntityId, EntityType, FaultKind, FieldKey, Method, MethodKind, Rejection};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Gate {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArgs {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    amount: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    name: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    text: String,
    number: Option<f64>,
}

fn deposit(tx: &mut Tx, args: Amount) -> Result<i64, Rejection> {
    let account = account(tx);
    account.balance += args.amount;
    Ok(account.balance)
}

fn withdraw(tx: &mut Tx, args: Amount) -> Result<i64, Rejection> {
    let account = account(tx);
    if account.balance < args.amount {
        let message = format!("balance is {}", account.balance);
        let mut rejection = Rejection::new("insufficient_funds", message);
        rejection.details = Some(format!("{{\"balance\":{}}}", account.balance).into());
        return Err(rejection);
    }
    account.balance -= args.amount;
    Ok(account.balance)
}

fn balance(tx: &mut Tx, _: NoArgs) -> Result<i64, Rejection> {
    let state: &dyn Any = tx.state();
    let Root(account) = state.downcast_ref::<Root<Account>>().expect("an account");
    Ok(account.balance)
}

fn caller(tx: &mut Tx, _: NoArgs) -> Result<String, Rejection> {
    Ok(tx.caller().to_owned())
}

fn echo(_: &mut Tx, args: Echo) -> Result<(String, Option<f64>), Rejection> {
    Ok((args.text, args.number))
}

fn note(tx: &mut Tx, args: Note) -> Result<(), Rejection> {
    let field = FieldKey::new(&args.name).map_err(|_| Rejection::new("bad_field", ""))?;
    let text = serde_json::to_vec(&args.text).expect("text is JSON");
    tx.field_put(&field, text.into());
    Ok(())
}

/// What one `work` reckons: a few tenths of a millisecond in a debug build, so that asking costs far less than being
/// answered.
const WORK: u64 = 100_000;

fn work(tx: &mut Tx, _: NoArgs) -> Result<i64, Rejection> {
    let mut sum = 0_u64;
    for n in 0..WORK {
        sum = std::hint::black_box(sum.rotate_left(5) ^ n);
    }
    let account = account(tx);
    account.balance ^= sum as i64 & 1;
    Ok(account.balance)
}

fn boom(_: &mut Tx, _: NoArgs) -> Result<(), Rejection> {
    std::panic::resume_unwind(Box::new("boom"))
}

fn throw(tx: &mut Tx, _: NoArgs) -> Result<(), Rejection> {
    let trace = "at throw (bank.ts:3:7)";
    tx.fault_traced(FaultKind::Exception, "no such thing", trace)
}

/// Keys of gates that are open.
static OPEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static OPENED: Condvar = Condvar::new();

/// Lets every call of `gate/{key}.pass` go, from now on. Keys are shared by all tests.
pub fn open_gate(key: &str) {
    OPEN.lock()
        .expect("no test panics in here")
        .insert(key.to_owned());
    OPENED.notify_all();
}

fn pass(tx: &mut Tx, _: NoArgs) -> Result<(), Rejection> {
    let key = tx.entity().key.to_string();
    let open = OPEN.lock().expect("no test panics in here");
    drop(OPENED.wait_while(open, |open| !open.contains(&key)));
    Ok(())
}

fn args<A: Serialize + DeserializeOwned + Send + 'static, R: Serialize + 'static>(
    name: &str,
    kind: MethodKind,
    params: &[(&str, &str)],
    run: fn(&mut Tx, A) -> Result<R, Rejection>,
) -> MethodDef {
    let required = |name: &str| name != "number";
    let params = params
        .iter()
        .map(|(name, ty)| param(name, &format!("{{\"type\":\"{ty}\"}}"), required(name)));
    method(name, kind, params.collect(), "{}", run)
}

/// A root value of either type.
struct Root<T>(T);

impl<T: Clone + Serialize + Send + 'static> State for Root<T> {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(Root(self.0.clone()))
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        serde_json::to_writer(out, &self.0).map_err(|error| error.to_string())
    }

    fn encoded_len(&self) -> Result<usize, String> {
        let mut out = Vec::new();
        self.encode(&mut out).map(|()| out.len())
    }
}

struct Roots<T>(PhantomData<fn() -> T>);

impl<T> StateType for Roots<T>
where
    T: Default + Clone + Serialize + DeserializeOwned + Send + 'static,
{
    fn initial(&self) -> Box<dyn State> {
        Box::new(Root(T::default()))
    }

    fn decode(&self, json: &[u8]) -> Result<Box<dyn State>, String> {
        let root: Result<T, _> = serde_json::from_slice(json);
        root.map(|root| Box::new(Root(root)) as Box<dyn State>)
            .map_err(|error| error.to_string())
    }
}

fn account(tx: &mut Tx) -> &mut Account {
    let state: &mut dyn Any = tx.state_mut();
    &mut state.downcast_mut::<Root<Account>>().expect("an account").0
}

fn define<T>(name: &str, methods: Vec<MethodDef>) -> TypeDef
where
    T: Default + Clone + Serialize + DeserializeOwned + Send + 'static,
{
    TypeDef {
        name: EntityType::new(name).expect("a name"),
        state: Arc::new(Roots::<T>(PhantomData)),
        methods,
        native: None,
        module: None,
    }
}

/// The same with `relay`, whose method hands its text on where a number belongs.
pub fn relaying() -> Catalog {
    let relay = args(
        "pass_on",
        MethodKind::Update,
        &[("text", "string")],
        pass_on,
    );
    let mut catalog = catalog();
    let relay = define::<Gate>("relay", vec![relay]);
    catalog.add(relay).expect("a name of its own");
    catalog
}

fn pass_on(tx: &mut Tx, args: Text) -> Result<(), Rejection> {
    tx.log("it was asked");
    let to = EntityId::new("account", "secretcallee").expect("an id");
    let method = Method::new("deposit").expect("a name");
    let args = serde_json::json!({ "amount": args.text }).to_string();
    tx.call_dynamic(&to, &method, args.as_bytes()).map(drop)
}

pub fn catalog() -> Catalog {
    use MethodKind::{Query, Update};
    let methods = vec![
        args("deposit", Update, &[("amount", "integer")], deposit),
        args("withdraw", Update, &[("amount", "integer")], withdraw),
        args(
            "note",
            Update,
            &[("name", "string"), ("text", "string")],
            note,
        ),
        args("work", Update, &[], work),
        args("boom", Update, &[], boom),
        args("throw", Update, &[], throw),
        args("caller", Update, &[], caller),
        args("balance", Query, &[], balance),
        args(
            "echo",
            Query,
            &[("text", "string"), ("number", "number")],
            echo,
        ),
    ];
    let mut catalog = Catalog::default();
    let account = define::<Account>("account", methods);
    catalog.add(account).expect("a name of its own");
    let gate = define::<Gate>("gate", vec![args("pass", Update, &[], pass)]);
    catalog.add(gate).expect("a name of its own");
    catalog
}
