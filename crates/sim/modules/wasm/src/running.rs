//! One method that runs: its operations, what they saw, and its root value, which it works on without
//! anyone's knowledge until it calls or ends.

use std::fmt::Write as _;
use std::hint::black_box;

use ordain::__private::world::ordain::runtime::{calls, context, fields, state, types::Rejection};

use crate::program::{Edge, Invoke, Op, Or, Program, Source, With, field_value, message};
use crate::root::Root;
use crate::shape::shape;

/// A method that runs.
#[derive(Default)]
pub struct Running {
    root: Option<WorkingCopy>,
    /// The values seen, as JSON with commas between.
    seen: String,
}

struct WorkingCopy {
    value: Root,
    /// What it was when all of it was known.
    base: Root,
}

impl Running {
    /// The method's value.
    pub fn end(mut self) -> String {
        self.write_back();
        format!("[{}]", self.seen)
    }

    pub fn ops(&mut self, ops: &[Op]) -> Result<(), Rejection> {
        ops.iter().try_for_each(|op| self.op(op))
    }

    fn op(&mut self, op: &Op) -> Result<(), Rejection> {
        match op {
            Op::Read => {
                let Root { number, notes, pad } = *self.root();
                let release = shape().number;
                self.sees(&format!("[{number},{notes},{pad},{release}]"));
            }
            Op::Add(more) => {
                let root = self.root();
                root.number = root.number.wrapping_add(*more);
            }
            Op::Pad(length) => self.root().pad = *length,
            Op::Note { source, keep } => self.note(*source, *keep),
            Op::Get(field) => match fields::get(field) {
                Some(value) => self.sees_text(&value),
                None => self.sees("null"),
            },
            Op::Put(field, length) => fields::put(field, &value(*length)),
            Op::Delete(field) => fields::delete(field),
            Op::Fill { fields, bytes } => {
                let value = value(*bytes);
                for at in 0..*fields {
                    fields::put(&format!("fill/{at}"), &value);
                }
            }
            Op::Clear { first, fields } => {
                for at in *first..first + fields {
                    fields::delete(&format!("fill/{at}"));
                }
            }
            Op::Scan {
                from,
                to,
                reverse,
                limit,
            } => self.scan(from, to, *reverse, *limit),
            Op::Call { call, or } => match (self.invoke(call), or) {
                (Ok(value), _) => self.sees(&value),
                (Err(rejection), Or::Pass) => return Err(rejection),
                (Err(rejection), Or::Catch | Or::Shield) => self.sees(&told(&rejection)),
            },
            Op::CallMany { times, call } => {
                for _ in 0..*times {
                    self.invoke(call)?;
                }
            }
            Op::Dive { levels, ops } => self.dive(*levels, ops)?,
            Op::Send {
                call,
                delay_ms,
                times,
            } => {
                let Invoke { entity, method, .. } = call;
                let (ty, key, args) = (entity.ty.as_str(), entity.key.as_str(), args(&call.with));
                for _ in 0..*times {
                    let id = calls::send(ty, key, method.as_str(), &args, *delay_ms);
                    self.sees_text(&id);
                }
            }
            Op::Reject {
                code,
                message: length,
                details,
            } => {
                return Err(Rejection {
                    code: code.clone(),
                    message: message(*length),
                    details: details.map(value),
                });
            }
            Op::Panic(_) => std::arch::wasm32::unreachable(),
            Op::Say(length) => {
                let said = value(*length).replace('v', "s");
                self.sees(&said);
            }
            Op::Hoard(mebibytes) => {
                black_box(vec![1u8; (*mebibytes as usize) << 20]);
            }
            Op::Sink => {
                black_box(sink(0));
            }
            Op::Spin => loop {
                black_box(());
            },
            Op::Hold { .. } | Op::Spoil => unreachable!("native alone"),
        }
        Ok(())
    }

    fn sees(&mut self, json: &str) {
        if !self.seen.is_empty() {
            self.seen.push(',');
        }
        self.seen.push_str(json);
    }

    fn sees_text(&mut self, text: &str) {
        self.sees(&quoted(text));
    }

    fn root(&mut self) -> &mut Root {
        let copy = self.root.get_or_insert_with(|| {
            let value = state::get().map_or_else(Root::default, |json| Root::parse(&json));
            let base = value.clone();
            WorkingCopy { value, base }
        });
        &mut copy.value
    }

    fn write_back(&mut self) {
        if let Some(copy) = &mut self.root
            && copy.value != copy.base
        {
            state::set(&copy.value.json());
            copy.base = copy.value.clone();
        }
    }

    fn invoke(&mut self, call: &Invoke) -> Result<String, Rejection> {
        let Invoke { entity, method, .. } = call;
        let (ty, key, args) = (entity.ty.as_str(), entity.key.as_str(), args(&call.with));
        self.call(ty, key, method.as_str(), &args)
    }

    /// Calls another method, which sees all that this one has changed, and whose changes this one sees.
    fn call(&mut self, ty: &str, key: &str, method: &str, args: &str) -> Result<String, Rejection> {
        self.write_back();
        let answer = calls::call(ty, key, method, args);
        if self.root.take().is_some() {
            self.root();
        }
        answer
    }

    fn dive(&mut self, levels: u32, ops: &[Op]) -> Result<(), Rejection> {
        let args = args(&With::Program(Program::dive(levels, ops)));
        let (ty, key) = (context::entity_type(), context::key());
        let value = self.call(&ty, &key, "run", &args)?;
        match levels {
            0 => self.sees(&value),
            _ => self.sees(&value[1..value.len() - 1]), // it saw one value, the one at the ground
        }
        Ok(())
    }

    fn note(&mut self, source: Source, keep: bool) {
        let fact = match source {
            Source::Now => context::now().to_string(),
            Source::Random => (context::random() >> 11).to_string(),
            Source::Uuid => context::uuid().replace('-', ""),
            Source::Seq => context::seq().to_string(),
            Source::Caller => context::caller(),
            Source::Entity => format!("{}/{}", context::entity_type(), context::key()),
        };
        if keep {
            let root = self.root();
            for char in fact.chars() {
                root.notes = root.notes.wrapping_mul(31).wrapping_add(u32::from(char));
            }
        }
        self.sees_text(&fact);
    }

    fn scan(&mut self, from: &Edge, to: &Edge, reverse: bool, limit: usize) {
        let rows = fields::scan(&bound(from), &bound(to), reverse, limit as u32);
        let mut shown = String::new();
        for (key, value) in rows {
            let comma = if shown.is_empty() { "" } else { "," };
            let (key, value) = (quoted(&key), quoted(&value));
            write!(shown, "{comma}[{key},{value}]").expect("a text takes all");
        }
        self.sees(&format!("[{shown}]"));
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

fn value(length: u32) -> String {
    String::from_utf8(field_value(length)).expect("it is text")
}

fn args(with: &With) -> String {
    String::from_utf8(with.bytes()).expect("arguments are text")
}

fn bound(edge: &Edge) -> fields::Bound {
    match edge {
        Edge::Open => fields::Bound::Unbounded,
        Edge::At(key) => fields::Bound::Included(key.clone()),
        Edge::Past(key) => fields::Bound::Excluded(key.clone()),
    }
}

/// What a rejection says, but for its length, in the order of the names.
fn told(rejection: &Rejection) -> String {
    let Rejection {
        code,
        message,
        details,
    } = rejection;
    let details = details
        .as_ref()
        .map_or("null".to_owned(), |details| details.len().to_string());
    let message = message.chars().count();
    format!(r#"{{"code":"{code}","details":{details},"message":{message}}}"#)
}

/// Recurses without end, and keeps something at each level.
fn sink(depth: u64) -> u64 {
    match depth {
        u64::MAX => 0,
        _ => sink(depth + 1).wrapping_mul(3) ^ depth,
    }
}
