//! Programs through the engine's seams, natively: entity types whose methods run the program they are given,
//! every operation by way of [`Tx`].

use std::any::Any;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use ordain_engine::{
    Args, ArgumentError, Catalog, Decoded, MethodDef, Run, State, StateType, Tx, TypeDef,
};
use ordain_types::{EntityType, FieldKey, Json, Method, MethodKind, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::dump;
use crate::program::{Edge, Invoke, Op, Or, Program, Source, dived, field_value, message};

/// The entity types of every simulated world.
pub const TYPES: [&str; 2] = ["alpha", "beta"];

/// What can be called of these types: of each the update `run` and the query `look`.
pub fn catalog(types: &[&str]) -> Catalog {
    catalog_of(types, None)
}

/// How methods differ from what they were when their commands first ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Values have something more in them.
    Values,
    /// Details of rejections are longer.
    Details,
    /// Sends are due a millisecond later.
    Delays,
}

/// The same with methods that are not what they were.
pub fn changed_catalog(types: &[&str], change: Change) -> Catalog {
    catalog_of(types, Some(change))
}

fn catalog_of(types: &[&str], change: Option<Change>) -> Catalog {
    let mut catalog = Catalog::default();
    for name in types {
        let method = |name: &str, kind| MethodDef {
            name: Method::new(name).expect("a method's name"),
            kind,
            params: Vec::new(),
            result: "{}".to_owned(),
            run: Arc::new(Interpreter { change }),
        };
        let def = TypeDef {
            name: EntityType::new(name).expect("a type's name"),
            state: Arc::new(Roots),
            methods: vec![
                method("run", MethodKind::Update),
                method("look", MethodKind::Query),
            ],
            native: None,
            module: None,
        };
        catalog.add(def).expect("names differ");
    }
    catalog
}

/// The live root value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Root {
    number: i32,
    notes: u32,
    pad: u32,
    #[serde(skip)]
    spoilt: bool,
}

impl State for Root {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(self.clone())
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        if self.spoilt {
            return Err("it is spoilt".to_owned());
        }
        // As a pair with its padding, which is long and needs no escapes.
        out.push(b'[');
        serde_json::to_writer(&mut *out, self).map_err(|error| error.to_string())?;
        out.extend_from_slice(b",\"");
        out.resize(out.len() + self.pad as usize, b' ');
        out.extend_from_slice(b"\"]");
        Ok(())
    }

    fn encoded_len(&self) -> Result<usize, String> {
        let mut json = Vec::new();
        let pad = self.pad as usize;
        Root {
            pad: 0,
            ..self.clone()
        }
        .encode(&mut json)?;
        Ok(json.len() - 1 + self.pad.to_string().len() + pad)
    }
}

struct Roots;

impl StateType for Roots {
    fn initial(&self) -> Box<dyn State> {
        Box::new(Root::default())
    }

    fn decode(&self, json: &[u8]) -> Result<Box<dyn State>, String> {
        let (root, _): (Root, String) =
            serde_json::from_slice(json).map_err(|error| error.to_string())?;
        Ok(Box::new(root))
    }
}

struct Interpreter {
    change: Option<Change>,
}

impl Run for Interpreter {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        match serde_json::from_slice::<Program>(json) {
            Ok(program) => Ok(Decoded {
                canonical: program.json().into(),
                args: Box::new(program),
            }),
            Err(error) => Err(ArgumentError {
                field: Some("ops".to_owned()),
                message: error.to_string(),
            }),
        }
    }

    fn takes(&self, args: &Args) -> bool {
        args.is::<Program>()
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let program = args.downcast::<Program>().expect("decoded above");
        let mut seen = Vec::new();
        let mut ops = program.ops;
        if let Some(change) = self.change {
            ops.iter_mut().for_each(|op| change.make(op));
        }
        run_ops(tx, None, &ops, &mut seen)?;
        if self.change == Some(Change::Values) {
            seen.push(Value::Null);
        }
        Ok(serde_json::to_vec(&seen).expect("values are JSON").into())
    }
}

impl Change {
    fn make(self, op: &mut Op) {
        match (self, op) {
            (_, Op::Hold { ops, .. }) => ops.iter_mut().for_each(|op| self.make(op)),
            (
                Change::Details,
                Op::Reject {
                    details: Some(length),
                    ..
                },
            ) => *length += 1,
            (Change::Delays, Op::Send { delay_ms, .. }) => *delay_ms += 1,
            _ => {}
        }
    }
}

/// The root value while the method holds it.
struct Held<'a> {
    root: &'a mut Root,
    write: bool,
}

fn run_ops(
    tx: &mut Tx,
    mut held: Option<&mut Held<'_>>,
    ops: &[Op],
    seen: &mut Vec<Value>,
) -> Result<(), Rejection> {
    for op in ops {
        run_op(tx, held.as_deref_mut(), op, seen)?;
    }
    Ok(())
}

fn run_op(
    tx: &mut Tx,
    held: Option<&mut Held<'_>>,
    op: &Op,
    seen: &mut Vec<Value>,
) -> Result<(), Rejection> {
    match op {
        Op::Read => {
            let Root {
                number, notes, pad, ..
            } = read(tx, held);
            seen.push(json!([number, notes, pad]));
        }
        Op::Add(more) => {
            let root = write(tx, held);
            root.number = root.number.wrapping_add(*more);
        }
        Op::Pad(length) => write(tx, held).pad = *length,
        Op::Spoil => {
            let root = write(tx, held);
            root.spoilt = !root.spoilt;
        }
        Op::Note { source, keep } => note(tx, held, *source, *keep, seen),
        Op::Get(field) => {
            let value = tx.field_get(&key(field));
            seen.push(value.map_or(Value::Null, |value| text(&value)));
        }
        Op::Put(field, length) => tx.field_put(&key(field), field_value(*length).into()),
        Op::Delete(field) => tx.field_delete(&key(field)),
        Op::Fill { fields, bytes } => {
            let value = Json::from(field_value(*bytes));
            for at in 0..*fields {
                tx.field_put(&key(&format!("fill/{at}")), value.clone());
            }
        }
        Op::Clear { first, fields } => {
            for at in *first..first + fields {
                tx.field_delete(&key(&format!("fill/{at}")));
            }
        }
        Op::Scan {
            from,
            to,
            reverse,
            limit,
        } => {
            let rows = tx.field_scan(bound(from), bound(to), *reverse, *limit);
            let rows = rows
                .iter()
                .map(|(field, value)| json!([field.as_str(), text(value)]));
            seen.push(rows.collect());
        }
        Op::Call { call, or } => match or {
            Or::Pass => seen.push(value(&invoke(tx, call)?)),
            Or::Catch => catch(invoke(tx, call), seen),
            Or::Shield => match catch_unwind(AssertUnwindSafe(|| invoke(tx, call))) {
                Ok(result) => catch(result, seen),
                Err(_) => seen.push(json!("nothing happened")),
            },
        },
        Op::CallMany { times, call } => {
            for _ in 0..*times {
                invoke(tx, call)?;
            }
        }
        Op::Dive { levels, ops } => {
            let call = Invoke {
                entity: tx.entity(),
                method: Method::new("run").expect("a method's name"),
                with: crate::program::With::Program(Program::dive(*levels, ops)),
            };
            seen.push(dived(*levels, value(&invoke(tx, &call)?)));
        }
        Op::Send {
            call,
            delay_ms,
            times,
        } => {
            for _ in 0..*times {
                let Invoke {
                    entity,
                    method,
                    with,
                } = call.clone();
                let id = tx.send(entity, method, &with.bytes(), *delay_ms);
                seen.push(json!(id.to_string()));
            }
        }
        Op::Hold { write, ops } => hold(tx, *write, ops, seen)?,
        Op::Reject {
            code,
            message: length,
            details,
        } => {
            return Err(Rejection {
                code: code.clone(),
                message: message(*length),
                details: details.map(|length| field_value(length).into()),
            });
        }
        // Unwinds as a panic does, without the hook that would print it.
        Op::Panic(text) => resume_unwind(Box::new(text.clone())),
        Op::Say(length) => seen.push(json!("s".repeat(*length as usize))),
        Op::Hoard(_) | Op::Sink | Op::Spin => {}
    }
    Ok(())
}

fn read<'a>(tx: &'a mut Tx, held: Option<&'a mut Held<'_>>) -> &'a Root {
    match held {
        Some(held) => held.root,
        None => {
            let state: &dyn Any = tx.state();
            state.downcast_ref().expect("all roots are alike")
        }
    }
}

fn write<'a>(tx: &'a mut Tx, held: Option<&'a mut Held<'_>>) -> &'a mut Root {
    match held {
        Some(Held { root, write: true }) => root,
        _ => {
            let state: &mut dyn Any = tx.state_mut();
            state.downcast_mut().expect("all roots are alike")
        }
    }
}

fn hold(tx: &mut Tx, write: bool, ops: &[Op], seen: &mut Vec<Value>) -> Result<(), Rejection> {
    let mut state = match write {
        true => tx.hold_mut(),
        false => tx.hold(),
    };
    let root: &mut dyn Any = &mut *state;
    let root = root.downcast_mut().expect("all roots are alike");
    let held = &mut Held { root, write };
    let ended = catch_unwind(AssertUnwindSafe(|| run_ops(tx, Some(held), ops, seen)));
    tx.put_back(state);
    ended.unwrap_or_else(|unwinding| resume_unwind(unwinding))
}

fn note(
    tx: &mut Tx,
    held: Option<&mut Held<'_>>,
    source: Source,
    keep: bool,
    seen: &mut Vec<Value>,
) {
    let fact = match source {
        Source::Now => tx.now().0.to_string(),
        Source::Random => (tx.random() >> 11).to_string(),
        Source::Uuid => format!("{:032x}", tx.uuid()),
        Source::Seq => tx.seq().to_string(),
        Source::Caller => tx.caller().to_owned(),
        Source::Entity => tx.entity().to_string(),
    };
    if keep {
        let root = write(tx, held);
        for char in fact.chars() {
            root.notes = root.notes.wrapping_mul(31).wrapping_add(u32::from(char));
        }
    }
    seen.push(json!(fact));
}

fn invoke(tx: &mut Tx, call: &Invoke) -> Result<Json, Rejection> {
    tx.call_dynamic(&call.entity, &call.method, &call.with.bytes())
}

fn catch(result: Result<Json, Rejection>, seen: &mut Vec<Value>) {
    seen.push(match result {
        Ok(json) => value(&json),
        Err(rejection) => json!({
            "code": rejection.code,
            "message": rejection.message.chars().count(),
            "details": rejection.details.map(|details| details.len()),
        }),
    });
}

fn bound(edge: &Edge) -> Bound<&str> {
    match edge {
        Edge::Open => Bound::Unbounded,
        Edge::At(key) => Bound::Included(key),
        Edge::Past(key) => Bound::Excluded(key),
    }
}

fn key(field: &str) -> FieldKey {
    FieldKey::new(field).expect("programs name sound fields")
}

fn text(json: &Json) -> Value {
    json!(dump::lossy(json))
}

fn value(json: &Json) -> Value {
    serde_json::from_slice(json).expect("values are JSON")
}
