//! What the operations of a program do.

use bytes::Bytes;
use ordain_types::module::Language;
use ordain_types::{FaultKind, Method, Rejection, SendId, limits};
use serde_json::{Value, json};

use super::super::{Defect, Host, Waiting};
use super::{Running, Stop};
use crate::dump;
use crate::program::{Edge, Invoke, Op, Or, Program, Source, dived, field_value, message};

impl Running<'_> {
    pub(super) fn ops(&mut self, ops: &[Op], seen: &mut Vec<Value>) -> Result<(), Stop> {
        ops.iter().try_for_each(|op| self.op(op, None, seen))
    }

    fn op(&mut self, op: &Op, holding: Option<bool>, seen: &mut Vec<Value>) -> Result<(), Stop> {
        match op {
            Op::Read => {
                let root = self.read(holding)?;
                let (number, notes, pad) = (root.number, root.notes, root.pad);
                seen.push(match self.level().host {
                    Host::Native => json!([number, notes, pad]),
                    Host::Module(of) => json!([number, notes, pad, of.shape.number]),
                });
            }
            Op::Add(more) => {
                let root = self.write(holding)?;
                root.number = root.number.wrapping_add(*more);
            }
            Op::Pad(length) => self.write(holding)?.pad = *length,
            Op::Spoil => {
                let root = self.write(holding)?;
                root.spoilt = !root.spoilt;
            }
            Op::Note { source, keep } => {
                let fact = self.fact(*source);
                if *keep {
                    let root = self.write(holding)?;
                    let mix =
                        |notes: u32, c: char| notes.wrapping_mul(31).wrapping_add(u32::from(c));
                    root.notes = fact.chars().fold(root.notes, mix);
                }
                seen.push(json!(fact));
            }
            Op::Get(field) => {
                let value = self.entity().fields.get(field).cloned();
                self.count_read(field.len() + value.as_ref().map_or(0, Bytes::len))?;
                seen.push(json!(value.as_ref().map(text)));
            }
            Op::Put(field, length) => self.put(field, Some(field_value(*length).into()))?,
            Op::Delete(field) => self.put(field, None)?,
            Op::Fill { fields, bytes } => {
                let value = Bytes::from(field_value(*bytes));
                for at in 0..*fields {
                    self.put(&format!("fill/{at}"), Some(value.clone()))?;
                }
            }
            Op::Clear { first, fields } => {
                for at in *first..first + fields {
                    self.put(&format!("fill/{at}"), None)?;
                }
            }
            Op::Scan {
                from,
                to,
                reverse,
                limit,
            } => {
                let rows = self.scan(from, to, *reverse, *limit)?;
                seen.push(json!(rows));
            }
            Op::Call { call, or } => self.call_op(call, *or, seen)?,
            Op::CallMany { times, call } => {
                for _ in 0..*times {
                    self.invoke(call)?;
                }
            }
            Op::Dive { levels, ops } => {
                let (entity, run) = (self.level().entity.clone(), Method::new("run"));
                let args = Program::dive(*levels, ops).json();
                let run = run.expect("a method's name");
                let value = self.call_from_method(&entity, &run, &args)?;
                seen.push(dived(*levels, parse(&value)));
            }
            Op::Send {
                call,
                delay_ms,
                times,
            } => {
                for _ in 0..*times {
                    let id = self.send(call, *delay_ms)?;
                    seen.push(json!(id.to_string()));
                }
            }
            Op::Hold { write, ops } => self.hold(*write, ops, seen)?,
            Op::Reject {
                code,
                message: length,
                details,
            } => {
                return Err(Stop::Rejected(Rejection {
                    code: code.clone(),
                    message: message(*length),
                    details: details.map(|length| field_value(length).into()),
                }));
            }
            Op::Panic(text) => {
                return match self.language() {
                    None => self.fault_saying(FaultKind::Panic, text),
                    Some(Language::JavaScript) => self.fault(FaultKind::Exception),
                    Some(Language::Wasm) => self.fault(FaultKind::Trap),
                };
            }
            Op::Say(length) => seen.push(json!("s".repeat(*length as usize))),
            Op::Hoard(mebibytes) => self.hoard(*mebibytes)?,
            Op::Sink if self.language().is_some() => return self.fault(FaultKind::Stack),
            Op::Spin if self.language().is_some() => return self.fault(FaultKind::Instructions),
            Op::Sink | Op::Spin => {}
        }
        Ok(())
    }

    fn hoard(&mut self, mebibytes: u32) -> Result<(), Stop> {
        let bytes = (mebibytes as usize) << 20;
        let most = match self.language() {
            None => return Ok(()),
            Some(Language::JavaScript) => limits::JAVASCRIPT_MEMORY_BYTES_MAX,
            Some(Language::Wasm) => limits::WASM_MEMORY_BYTES_MAX,
        };
        if bytes > most {
            return self.fault(FaultKind::Memory);
        }
        let carefully = self.language() == Some(Language::JavaScript) && bytes > most / 2;
        self.world.met.careful_runs += u64::from(carefully);
        Ok(())
    }

    fn fact(&mut self, source: Source) -> String {
        match source {
            Source::Now => self.world.now.0.to_string(),
            Source::Random => (self.stream.random() >> 11).to_string(),
            Source::Uuid => format!("{:032x}", self.stream.uuid(self.world.now)),
            Source::Seq => self.world.seq.to_string(),
            Source::Caller => self.caller.clone(),
            Source::Entity => self.level().entity.to_string(),
        }
    }

    fn put(&mut self, field: &str, value: Option<Bytes>) -> Result<(), Stop> {
        self.copied_out(value.as_ref().map_or(0, Bytes::len))?;
        if self.reads_only() {
            return self.fault(FaultKind::WriteInQuery);
        }
        self.count(value.as_ref().map_or(0, Bytes::len), field.len())?;
        let fields = &mut self.entity().fields;
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
        Ok(())
    }

    fn scan(
        &mut self,
        from: &Edge,
        to: &Edge,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<(String, String)>, Stop> {
        if limit > limits::SCAN_ROWS_MAX {
            return self.fault(FaultKind::ScanRows);
        }
        let early = self.is(Defect::ScanEndsEarly);
        let inside = |key: &str| {
            let after = match from {
                Edge::Open => true,
                Edge::At(from) => key >= from.as_str(),
                Edge::Past(from) => key > from.as_str(),
            };
            let before = match to {
                Edge::Open => true,
                Edge::At(to) if !early => key <= to.as_str(),
                Edge::At(to) | Edge::Past(to) => key < to.as_str(),
            };
            after && before
        };
        let fields = self.entity().fields.clone();
        let mut rows: Vec<_> = fields.iter().filter(|(key, _)| inside(key)).collect();
        if reverse && !self.is(Defect::ScanForwards) {
            rows.reverse();
        }
        rows.truncate(limit);
        let bytes = rows.iter().map(|(key, value)| key.len() + value.len());
        let bytes = bytes.sum();
        if bytes > limits::SCAN_BYTES_MAX {
            return self.fault(FaultKind::ReadBytes);
        }
        self.count_read(bytes)?;
        let row = |(key, value): (&String, &Bytes)| (key.clone(), text(value));
        Ok(rows.into_iter().map(row).collect())
    }

    fn invoke(&mut self, call: &Invoke) -> Result<Bytes, Stop> {
        self.call_from_method(&call.entity, &call.method, &call.with.bytes())
    }

    fn call_op(&mut self, call: &Invoke, or: Or, seen: &mut Vec<Value>) -> Result<(), Stop> {
        seen.push(match self.invoke(call) {
            Ok(value) => parse(&value),
            Err(Stop::Rejected(rejection)) if or != Or::Pass => json!({
                "code": rejection.code,
                "message": rejection.message.chars().count(),
                "details": rejection.details.map(|details| details.len()),
            }),
            Err(Stop::Fault { .. }) if or == Or::Shield && self.is(Defect::FaultCaught) => {
                json!("nothing happened")
            }
            Err(stop) => return Err(stop),
        });
        Ok(())
    }

    fn send(&mut self, call: &Invoke, delay_ms: u64) -> Result<SendId, Stop> {
        if self.reads_only() {
            return self.fault(FaultKind::WriteInQuery);
        }
        let waiting = self.world.waiting.len() + self.sends.len();
        if self.sends.len() >= limits::SENDS_MAX
            || waiting >= limits::SENDS_PENDING_MAX
            || delay_ms > limits::SEND_DELAY_MS_MAX
        {
            return self.fault(FaultKind::Sends);
        }
        let (_, program) = self.program(&call.entity, &call.method, &call.with.bytes())?;
        let id = SendId {
            seq: self.world.seq,
            index: self.sends.len() as u32,
        };
        self.sends.push(Waiting {
            due: self.world.now.plus_ms(delay_ms),
            entity: call.entity.clone(),
            method: call.method.clone(),
            args: program.json().into(),
            sender: self.level().entity.to_string(),
        });
        Ok(id)
    }

    fn hold(&mut self, write: bool, ops: &[Op], seen: &mut Vec<Value>) -> Result<(), Stop> {
        match write {
            true => {
                self.may_write()?;
                self.root();
            }
            false => self.not_held()?,
        }
        self.levels.last_mut().expect("a method runs").holds = true;
        let result = ops.iter().try_for_each(|op| self.op(op, Some(write), seen));
        self.levels.last_mut().expect("a method runs").holds = false;
        result
    }
}

fn text(value: &Bytes) -> String {
    dump::lossy(value)
}

fn parse(value: &Bytes) -> Value {
    serde_json::from_slice(value).expect("values are JSON")
}
