//! One transaction of the oracle: programs run on the maps themselves; whatever may be undone is copied
//! before.

use std::collections::BTreeMap;
use std::mem;

use bytes::Bytes;
use ordain_types::module::Language;
use ordain_types::{EntityId, FaultKind, Method, Outcome, Rejection, limits};
use serde_json::Value;

use super::stream::Stream;
use super::{Defect, Entity, Host, Oracle, Root, Version, Waiting, first_bytes, stopped};
use crate::program::Program;

mod ops;

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
        let caller = self.levels.last().map(|level| level.host);
        let between = caller.is_some_and(|caller| caller.is_apart_from(host));
        self.world.met.between_hosts += u64::from(between);
        let (before, sends) = (self.world.entities.clone(), self.sends.len());
        self.levels.push(Level {
            entity: entity.clone(),
            method: method.clone(),
            host,
            wrote_root: false,
            holds: false,
            copy: None,
        });
        let mut result = self.method(&program);
        self.levels.pop();
        if let Err(Stop::Rejected(rejection)) = &mut result {
            self.undo(before, sends);
            // A module's rejection, also one that it passes on, is made anew and kept within its limits; the
            // native interpreter's is cut in the end.
            if matches!(host, Host::Module(_)) {
                rejection.message = first_bytes(&rejection.message, limits::MESSAGE_BYTES_MAX);
            }
        }
        result
    }

    fn method(&mut self, program: &Program) -> Result<Bytes, Stop> {
        let mut seen = Vec::new();
        self.ops(&program.ops, &mut seen)?;
        self.write_back()?;
        if self.world.changed && matches!(self.level().host, Host::Native) {
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
                self.world.met.migrated += 1;
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
        self.copied_out(value.json().len())?;
        self.may_write()?;
        self.entity().root = Some(value.clone());
        let base = value.clone();
        self.levels.last_mut().expect("a method runs").copy = Some(WorkingCopy { value, base });
        Ok(())
    }

    /// What a component writes is copied out of it, and held to its limit before anything else.
    fn copied_out(&self, bytes: usize) -> Result<(), Stop> {
        match self.language() == Some(Language::Wasm) && bytes > limits::VALUE_BYTES_MAX {
            true => self.fault(FaultKind::ValueBytes),
            false => Ok(()),
        }
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

    /// What the method is written in; none: it is native.
    fn language(&self) -> Option<Language> {
        match self.level().host {
            Host::Native => None,
            Host::Module(release) => Some(release.language),
        }
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
