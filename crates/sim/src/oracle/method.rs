//! One transaction of the oracle: programs run on the maps themselves; whatever may be undone is copied
//! before.

use std::collections::BTreeMap;
use std::mem;

use bytes::Bytes;
use ordain_types::module::Language;
use ordain_types::{EntityId, FaultKind, Method, Outcome, Rejection, SendId, limits};
use serde_json::{Value, json};

use super::stream::Stream;
use super::{Defect, Entity, Host, Oracle, Root, Version, Waiting, first_bytes, stopped};
use crate::dump;
use crate::program::{Edge, Invoke, Op, Or, Program, Source, dived, field_value, message};

/// Why a method did not come to its value.
pub(crate) enum Stop {
    Rejected(Rejection),
    Fault {
        kind: FaultKind,
        at: String,
        /// What a panic said.
        text: String,
    },
}

/// A call on the stack.
struct Level {
    entity: EntityId,
    method: Method,
    host: Host,
    wrote_root: bool,
    holds: bool,
    /// What a module's method works on, once it has looked at its root value.
    copy: Option<WorkingCopy>,
}

/// A root value that a method changes without anyone's knowledge, until it calls or ends.
struct WorkingCopy {
    value: Root,
    /// What it was when all of it was known.
    base: Root,
}

pub(crate) struct Running<'a> {
    world: &'a mut Oracle,
    stream: Stream,
    caller: String,
    query: bool,
    levels: Vec<Level>,
    calls: usize,
    written: usize,
    read: usize,
    sends: Vec<Waiting>,
}

type Entities = BTreeMap<EntityId, Entity>;

impl<'a> Running<'a> {
    pub fn new(world: &'a mut Oracle, caller: String, query: bool) -> Self {
        let seq = match world.defect {
            Some(Defect::SameChance) => ordain_types::Seq(1),
            _ => world.seq,
        };
        Self {
            stream: Stream::new(world.log_id, seq),
            world,
            caller,
            query,
            levels: Vec::new(),
            calls: 0,
            written: 0,
            read: 0,
            sends: Vec::new(),
        }
    }

    /// The sends asked for and not undone.
    pub fn into_sends(self) -> Vec<Waiting> {
        self.sends
    }

    /// Runs a method and all it calls, from the empty stack.
    pub fn transaction(&mut self, entity: &EntityId, method: &Method, args: &[u8]) -> Outcome {
        let before = self.world.entities.clone();
        match self.call(entity, method, args) {
            Ok(value) => Outcome::Value(value),
            Err(stop) => {
                self.undo(before, 0);
                stopped(stop, &format!("{entity}.{method}"))
            }
        }
    }

    fn undo(&mut self, before: Entities, sends: usize) {
        let after = mem::replace(&mut self.world.entities, before);
        match self.world.defect {
            Some(Defect::FieldsStay) => {
                for (id, entity) in after {
                    self.world.entities.entry(id).or_default().fields = entity.fields;
                }
            }
            Some(Defect::RootsStay) => {
                for (id, entity) in after {
                    self.world.entities.entry(id).or_default().root = entity.root;
                }
            }
            _ => {}
        }
        if self.world.defect != Some(Defect::SendsStay) {
            self.sends.truncate(sends);
        }
    }

    fn call(&mut self, entity: &EntityId, method: &Method, args: &[u8]) -> Result<Bytes, Stop> {
        let (host, program) = self.program(entity, method, args)?;
        let deepest = limits::CALL_DEPTH_MAX + usize::from(self.is(Defect::DeeperByOne));
        if self.levels.len() >= deepest {
            return self.fault(FaultKind::CallDepth);
        }
        self.calls += 1;
        if self.calls > limits::CALLS_MAX {
            return self.fault(FaultKind::Calls);
        }
        if method.as_str() == "run" && self.reads_only() {
            return self.fault(FaultKind::WriteInQuery);
        }
        let called = self.world.entities.get(entity);
        self.count_read(called.map_or(0, |called| called.root_len))?;
        let (before, sends) = (self.world.entities.clone(), self.sends.len());
        self.levels.push(Level {
            entity: entity.clone(),
            method: method.clone(),
            host,
            wrote_root: false,
            holds: false,
            copy: None,
        });
        let result = self.method(&program);
        self.levels.pop();
        if let Err(Stop::Rejected(_)) = &result {
            self.undo(before, sends);
        }
        result
    }

    fn method(&mut self, program: &Program) -> Result<Bytes, Stop> {
        let mut seen = Vec::new();
        self.ops(&program.ops, &mut seen)?;
        self.write_back()?;
        if self.world.changed {
            seen.push(Value::Null);
        }
        let value = Bytes::from(Value::from(seen).to_string());
        if value.len() > limits::VALUE_BYTES_MAX {
            return self.fault(FaultKind::ValueBytes);
        }
        if self.level().wrote_root {
            let root = self.root().clone();
            if root.spoilt {
                return self.fault(FaultKind::Encoding);
            }
            let len = root.stored().len();
            self.count(len, 0)?;
            self.entity().root_len = len;
        }
        Ok(value)
    }

    fn is(&self, defect: Defect) -> bool {
        self.world.defect == Some(defect)
    }

    fn level(&self) -> &Level {
        self.levels.last().expect("a method runs")
    }

    fn reads_only(&self) -> bool {
        let top = self.levels.last();
        self.query || top.is_some_and(|level| level.method.as_str() == "look")
    }

    fn fault<T>(&self, kind: FaultKind) -> Result<T, Stop> {
        self.fault_saying(kind, "")
    }

    fn fault_saying<T>(&self, kind: FaultKind, text: &str) -> Result<T, Stop> {
        let at = self.levels.last();
        let at = at.map(|level| format!("{}.{}", level.entity, level.method));
        Err(Stop::Fault {
            kind,
            at: at.unwrap_or_default(),
            text: first_bytes(text, limits::MESSAGE_BYTES_MAX),
        })
    }

    /// The arguments of a method and who runs it, if there is such a method and they are its.
    fn program(
        &self,
        entity: &EntityId,
        method: &Method,
        args: &[u8],
    ) -> Result<(Host, Program), Stop> {
        let Some(host) = self.world.host(entity.ty.as_str()) else {
            return self.fault(FaultKind::UnknownEntity);
        };
        if !["run", "look"].contains(&method.as_str()) {
            return self.fault(FaultKind::UnknownMethod);
        }
        if args.len() > limits::ARGUMENT_BYTES_MAX {
            return self.fault(FaultKind::ArgumentBytes);
        }
        let fits = match host {
            Host::Native => true,
            Host::Module(release) => {
                let has_all = !release.shape.strict || method.as_str() == "look";
                has_all && depth(args) <= limits::JSON_DEPTH_MAX
            }
        };
        match serde_json::from_slice(args) {
            Ok(program) if fits => Ok((host, program)),
            Ok(_) | Err(_) => self.fault(FaultKind::Arguments),
        }
    }

    fn count(&mut self, value: usize, key: usize) -> Result<(), Stop> {
        if value > limits::VALUE_BYTES_MAX {
            return self.fault(FaultKind::ValueBytes);
        }
        self.written += value + key + limits::WRITE_BYTES;
        match self.written > limits::WRITTEN_BYTES_MAX {
            true => self.fault(FaultKind::WrittenBytes),
            false => Ok(()),
        }
    }

    fn count_read(&mut self, bytes: usize) -> Result<(), Stop> {
        self.read += bytes;
        match self.read > limits::READ_BYTES_MAX {
            true => self.fault(FaultKind::ReadBytes),
            false => Ok(()),
        }
    }

    fn entity(&mut self) -> &mut Entity {
        let entity = self.level().entity.clone();
        self.world.entities.entry(entity).or_default()
    }

    fn root(&mut self) -> &Root {
        self.entity().root.get_or_insert_default()
    }

    fn read(&mut self, holding: Option<bool>) -> Result<Root, Stop> {
        if holding.is_none() {
            self.not_held()?;
        }
        if let Some(copy) = self.copy()? {
            return Ok(copy.value.clone());
        }
        Ok(self.entity().root.clone().unwrap_or_default())
    }

    /// The root value, to be written. `holding`: whether the method holds it, and for writing.
    fn write(&mut self, holding: Option<bool>) -> Result<&mut Root, Stop> {
        match self.level().host {
            Host::Native if holding == Some(true) => {}
            Host::Native => self.may_write()?,
            Host::Module(_) => {
                let copy = self.copy()?;
                return Ok(&mut copy.expect("modules work on copies").value);
            }
        }
        Ok(self.entity().root.get_or_insert_default())
    }

    /// The copy that a module's method works on, made if need be; none: its host knows no copies.
    fn copy(&mut self) -> Result<Option<&mut WorkingCopy>, Stop> {
        let Host::Module(release) = self.level().host else {
            return Ok(None);
        };
        if self.level().copy.is_none() {
            let mut value = self.entity().root.clone().unwrap_or_else(|| Root {
                version: Version(release.shape.version),
                ..Root::default()
            });
            let (own, Version(other)) = (release.shape.version, value.version);
            if own != other && release.shape.migrates {
                value.number = value.number.wrapping_add(other as i32);
            } else if own < other {
                return self.fault(FaultKind::StoredValue);
            }
            value.version = Version(own);
            let base = value.clone();
            self.levels.last_mut().expect("a method runs").copy = Some(WorkingCopy { value, base });
        }
        Ok(self.levels.last_mut().expect("a method runs").copy.as_mut())
    }

    /// Writes what a module's method has changed.
    fn write_back(&mut self) -> Result<(), Stop> {
        let copy = self.level().copy.as_ref();
        let Some(copy) = copy.filter(|copy| copy.value != copy.base) else {
            return Ok(());
        };
        let value = copy.value.clone();
        self.may_write()?;
        // What a component writes is copied out of it, and held to its limit there.
        if self.language() == Some(Language::Wasm) && value.json().len() > limits::VALUE_BYTES_MAX {
            return self.fault(FaultKind::ValueBytes);
        }
        self.entity().root = Some(value.clone());
        let base = value.clone();
        self.levels.last_mut().expect("a method runs").copy = Some(WorkingCopy { value, base });
        Ok(())
    }

    /// Calls another method, which sees all that this one has changed, and whose changes this one sees.
    fn call_from_method(
        &mut self,
        entity: &EntityId,
        method: &Method,
        args: &[u8],
    ) -> Result<Bytes, Stop> {
        self.write_back()?;
        let result = self.call(entity, method, args);
        let goes_on = matches!(result, Ok(_) | Err(Stop::Rejected(_)));
        if goes_on
            && self
                .levels
                .last_mut()
                .and_then(|level| level.copy.take())
                .is_some()
        {
            self.copy()?;
        }
        result
    }

    fn not_held(&self) -> Result<(), Stop> {
        let id = &self.level().entity;
        match self
            .levels
            .iter()
            .any(|level| level.holds && level.entity == *id)
        {
            true => self.fault(FaultKind::EntityHeld),
            false => Ok(()),
        }
    }

    fn may_write(&mut self) -> Result<(), Stop> {
        self.not_held()?;
        if self.reads_only() {
            return self.fault(FaultKind::WriteInQuery);
        }
        self.levels.last_mut().expect("a method runs").wrote_root = true;
        Ok(())
    }

    fn ops(&mut self, ops: &[Op], seen: &mut Vec<Value>) -> Result<(), Stop> {
        ops.iter().try_for_each(|op| self.op(op, None, seen))
    }

    fn op(&mut self, op: &Op, holding: Option<bool>, seen: &mut Vec<Value>) -> Result<(), Stop> {
        match op {
            Op::Read => {
                let root = self.read(holding)?;
                seen.push(json!([root.number, root.notes, root.pad]));
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
                // What makes a module's rejections keeps them within their limits; the native
                // interpreter makes its own, which is cut in the end.
                let longest = match self.language() {
                    None => usize::MAX,
                    Some(_) => limits::MESSAGE_BYTES_MAX,
                };
                return Err(Stop::Rejected(Rejection {
                    code: code.clone(),
                    message: first_bytes(&message(*length), longest),
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
            Op::Sink => {}
        }
        Ok(())
    }

    /// What the method is written in; none: it is native.
    fn language(&self) -> Option<Language> {
        match self.level().host {
            Host::Native => None,
            Host::Module(release) => Some(release.language),
        }
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
        self.world.taken += u64::from(carefully);
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

/// How deep JSON nests. Programs have no brackets in their texts.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut most) = (0, 0);
    for byte in json {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        most = depth.max(most);
    }
    most
}

fn text(value: &Bytes) -> String {
    dump::lossy(value)
}

fn parse(value: &Bytes) -> Value {
    serde_json::from_slice(value).expect("values are JSON")
}
