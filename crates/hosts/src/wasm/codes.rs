//! Compiled modules by their bytes. What is in use is found again as long as it is used; what was just
//! compiled is kept until it is deployed; and what was ever compiled lies in a directory, if there is
//! one, for the next start of the program.
//!
//! By the module's bytes and not by its package's: the machine code depends on nothing else.

mod disk;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::code::Code;
use super::reset::equip;
use crate::anatomy::{self, Anatomy};
use disk::Disk;

/// SHA-256 of a module's bytes.
pub(super) type Digest = [u8; 32];

/// Modules kept though nothing uses them, from their compilation to their deployment.
const RECENT_MAX: usize = 8;

/// Compiled modules.
pub(super) struct Codes {
    memory: Mutex<Memory>,
    disk: Option<Disk>,
}

#[derive(Default)]
struct Memory {
    used: Vec<(Digest, Weak<Code>)>,
    recent: VecDeque<Arc<Code>>,
}

impl Codes {
    /// None yet, and those of the directory.
    pub fn new(dir: Option<PathBuf>, engine: &Engine) -> Self {
        Self {
            memory: Mutex::default(),
            disk: dir.map(|dir| Disk::new(dir, engine)),
        }
    }

    /// The module of these bytes: one that is at hand, or made by `check` from its machine code, which is
    /// read or compiled.
    ///
    /// # Errors
    /// Why it does not compile, or what `check` says.
    pub fn get(
        &self,
        engine: &Engine,
        bytes: &[u8],
        check: impl FnOnce(&Component, &Anatomy) -> Result<Code, String>,
    ) -> Result<Arc<Code>, String> {
        let digest: Digest = Sha256::digest(bytes).into();
        if let Some(code) = self.lock().find(&digest) {
            return Ok(code);
        }
        begins_as_component(bytes)?;
        let anatomy = anatomy::read(bytes)?;
        // Not under the lock: it may take seconds, and two that do the same do no harm.
        let stored = self
            .disk
            .as_ref()
            .and_then(|disk| disk.read(engine, &digest));
        let component = match &stored {
            Some(component) => component.clone(),
            None => compile(engine, bytes)?,
        };
        let code = Arc::new(check(&component, &anatomy)?);
        if let (Some(disk), None) = (&self.disk, &stored) {
            disk.write(&digest, &component);
        }
        self.lock().keep(digest, &code);
        Ok(code)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parser has assertions that a component can break, as by types that refer to each other too deep. Nothing of
/// what it was making is left then.
fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, String> {
    let make = || {
        // Of one that is in error, what is wrong is said with the places in the file as it was given.
        let equipped = equip(bytes).and_then(|bytes| Component::from_binary(engine, &bytes).ok());
        equipped.map_or_else(|| Component::from_binary(engine, bytes), Ok)
    };
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(made) => made.map_err(|error| format!("the module does not compile: {error:#}")),
        Err(_) => {
            Err("the module does not compile: it breaks an assertion of the compiler".to_owned())
        }
    }
}

impl Memory {
    fn find(&mut self, digest: &Digest) -> Option<Arc<Code>> {
        self.used.retain(|(_, code)| code.strong_count() > 0);
        let (_, code) = self.used.iter().find(|(known, _)| known == digest)?;
        code.upgrade()
    }

    fn keep(&mut self, digest: Digest, code: &Arc<Code>) {
        self.used.push((digest, Arc::downgrade(code)));
        self.recent.push_back(code.clone());
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
    }
}

/// Magic number of WebAssembly, then the layers of a module and of a component.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn begins_as_component(bytes: &[u8]) -> Result<(), String> {
    if bytes.starts_with(MODULE) {
        return Err(
            "this is a core module, and a component is needed: make one of it with \
                    `wasm-tools component new`"
                .to_owned(),
        );
    }
    if !bytes.starts_with(COMPONENT) {
        return Err("this is no WebAssembly component: it does not begin as one".to_owned());
    }
    Ok(())
}
