//! Who runs the entity types of a life: the program, or hosts of modules, which live as long as a process does.
//! What deploying a module means is not known here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ordain_engine::{Catalog, Modules, TypeDef};
use ordain_hosts::javascript::{self, JavaScript};
use ordain_hosts::wasm::WasmHost;
use ordain_types::module::{Language, ModuleHash};
use ordain_types::{Json, Package, Source, SourceError};

use crate::chance::Chance;
use crate::generate::Dialect;
use crate::host::{self, Change};
use crate::modules::{Release, releases};

/// Who runs the entity types of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast {
    /// Those that the program brings; all others are modules'.
    pub native: &'static [&'static str],
    /// What modules may be written in.
    pub languages: &'static [Language],
}

impl Cast {
    /// All types are the program's.
    pub const NATIVE: Self = Self {
        native: &host::TYPES,
        languages: &[],
    };

    /// One of those with types of several kinds: native, and in modules in one language or both.
    pub fn mixed(chance: &mut Chance) -> Self {
        Self {
            native: chance.pick(&[&["alpha"][..], &["beta"], &[]]),
            languages: chance.pick(&[
                &[Language::JavaScript][..],
                &[Language::Wasm],
                &[Language::JavaScript, Language::Wasm],
            ]),
        }
    }

    /// Whether there are modules.
    pub fn has_modules(self) -> bool {
        self.native.len() < host::TYPES.len()
    }

    /// The types that modules bring.
    pub fn module_types(self) -> Vec<&'static str> {
        let all = host::TYPES.into_iter();
        all.filter(|ty| !self.native.contains(ty)).collect()
    }

    /// What may be deployed.
    pub fn releases(self) -> Vec<&'static Release> {
        let languages = self.languages.iter();
        languages.flat_map(|language| releases(*language)).collect()
    }

    /// What its programs may be made of.
    pub fn dialect(self) -> Dialect {
        match self.has_modules() {
            true => Dialect::Portable,
            false => Dialect::Native,
        }
    }
}

/// What runs the entity types of a life, from process to process.
pub(crate) struct Hosting {
    pub cast: Cast,
    /// What runs modules, if there are any.
    modules: Option<Arc<dyn Modules>>,
}

impl Hosting {
    /// That of the first process, with nothing warm.
    pub fn new(cast: Cast) -> Self {
        let modules = cast.has_modules().then(|| {
            forget();
            new_host()
        });
        Self { cast, modules }
    }

    /// The process ends: what it kept warm is gone, or at times still there, which must not show.
    pub fn end_process(&mut self, chance: &mut Chance) {
        if self.modules.is_none() {
            return;
        }
        if chance.one_in(2) {
            forget();
        }
        if chance.one_in(8) {
            self.modules = Some(new_host()); // it has to compile what is deployed
        }
    }

    /// What can be called before anything is deployed.
    pub fn catalog(&self) -> Catalog {
        self.with_modules(host::catalog(self.cast.native))
    }

    /// The same with native methods that are not what they were.
    pub fn changed_catalog(&self, change: Change) -> Catalog {
        self.with_modules(host::changed_catalog(self.cast.native, change))
    }

    fn with_modules(&self, catalog: Catalog) -> Catalog {
        match &self.modules {
            Some(modules) => catalog.with_host(modules.clone()),
            None => catalog,
        }
    }
}

/// A host that has compiled no JavaScript yet. To compile WebAssembly takes too long to do it again in each
/// process of a life: that is done once on each thread, which also gives it a pool of instances of its own.
struct HostHere {
    javascript: JavaScript,
    wasm: Arc<WasmHost>,
}

/// Where machine code is kept for other threads and later runs.
static KEPT_IN: OnceLock<PathBuf> = OnceLock::new();

/// Has machine code of modules kept in a directory, from the first life on: to compile them all takes longer
/// than hundreds of lives.
pub fn keep_compiled_in(dir: impl Into<PathBuf>) {
    let _ = KEPT_IN.set(dir.into()); // the first one counts
}

thread_local! {
    static WASM: (Arc<WasmHost>, RefCell<BTreeMap<ModuleHash, Vec<TypeDef>>>) =
        (Arc::new(WasmHost::new(KEPT_IN.get().cloned())), RefCell::default());
}

impl HostHere {
    fn new() -> Self {
        Self {
            javascript: JavaScript::new(),
            wasm: WASM.with(|(host, _)| host.clone()),
        }
    }
}

impl Modules for HostHere {
    fn shown(&self, stored: Json) -> Json {
        self.javascript.shown(stored) // components have theirs stored alike
    }

    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        match source.main.ends_with(".wasm") {
            true => self.wasm.compile(source),
            false => self.javascript.compile(source),
        }
    }

    fn load(&self, hash: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String> {
        match package.manifest.language {
            Language::JavaScript => self.javascript.load(hash, package),
            Language::Wasm => WASM.with(|(host, kept)| {
                let types = host.load(hash, package)?;
                kept.borrow_mut().insert(hash, types.clone()); // so that it stays compiled
                Ok(types)
            }),
        }
    }
}

/// What runs modules in a process that begins.
pub(crate) fn new_host() -> Arc<dyn Modules> {
    Arc::new(HostHere::new())
}

/// Drops what this thread keeps of modules for the next calls, as the end of a process does.
fn forget() {
    javascript::clear();
    WASM.with(|(host, _)| host.clear());
}
