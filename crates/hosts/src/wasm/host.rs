//! From a file to a package, and from a package to what can be called.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ordain_engine::{MethodDef, Modules, TypeDef};
use ordain_types::Json;
use ordain_types::module::{
    EntityManifest, File, MethodManifest, ModuleHash, Package, Source, SourceError,
};
use wasmtime::Engine;
use wasmtime::component::Linker;

use super::code::Code;
use super::codes::Codes;
use super::instance::Data;
use super::method::{Target, WasmMethod};
use super::reset::Pages;
use super::warm::Warm;
use super::{config, functions};
use crate::json_state::JsonType;
use crate::params::Parameter;

/// Runs modules that are WebAssembly components.
///
/// The runtime, with its pool of instances, is made when the first module comes.
pub struct WasmHost {
    cache_dir: OnceLock<PathBuf>,
    runtime: OnceLock<Result<Runtime, String>>,
}

struct Runtime {
    engine: Engine,
    linker: Linker<Data>,
    codes: Codes,
    warm: Arc<Warm>,
    /// None where the system does not tell of pages: then no instance waits but those that are kept.
    pages: Option<Arc<Pages>>,
    describing: Mutex<()>,
}

impl WasmHost {
    /// A host that keeps machine code in `cache_dir`, which is its own; without one, a start compiles
    /// all modules in force again.
    pub fn new(cache_dir: Option<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.map_or_else(OnceLock::new, OnceLock::from),
            runtime: OnceLock::new(),
        }
    }

    fn runtime(&self) -> Result<&Runtime, String> {
        let runtime = self
            .runtime
            .get_or_init(|| Runtime::new(self.cache_dir.get().cloned()));
        runtime.as_ref().map_err(Clone::clone)
    }

    /// Instances that wait for the next transaction.
    pub fn waiting(&self) -> usize {
        match self.runtime.get() {
            Some(Ok(runtime)) => runtime.warm.len(),
            _ => 0,
        }
    }

    /// Drops the instances that wait for the next transaction, as the end of a process does.
    pub fn clear(&self) {
        if let Some(Ok(runtime)) = self.runtime.get() {
            runtime.warm.clear();
        }
    }

    /// The compiled module: at hand after its compilation, and while it is in force.
    fn code(&self, file: &File) -> Result<Arc<Code>, String> {
        let Runtime {
            engine,
            linker,
            codes,
            warm,
            pages,
            describing,
        } = self.runtime()?;
        codes.get(engine, &file.bytes, |component, anatomy| {
            // One at a time: the pool has room for few beside those that transactions use.
            let _describing = describing.lock().unwrap_or_else(PoisonError::into_inner);
            Code::new(component, anatomy, linker, warm, pages.as_ref())
        })
    }
}

impl Runtime {
    fn new(cache_dir: Option<PathBuf>) -> Result<Self, String> {
        let pages = Pages::open().map(Arc::new);
        let engine = config::engine(pages.is_some())?;
        let mut linker = Linker::new(&engine);
        functions::link(&mut linker).map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            codes: Codes::new(cache_dir, &engine),
            engine,
            linker,
            warm: Arc::default(),
            pages,
            describing: Mutex::default(),
        })
    }
}

impl Modules for WasmHost {
    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        let file = only_file(source).map_err(SourceError::new)?;
        let code = self.code(file).map_err(|message| SourceError {
            file: Some(file.path.clone()),
            ..SourceError::new(message)
        })?;
        Ok(Package {
            manifest: code.manifest.clone(),
            source: source.clone(),
        })
    }

    fn shown(&self, stored: Json) -> Json {
        crate::versioned::shown(stored)
    }

    /// The first directory counts, and none after a module has come.
    fn cache_in(&self, dir: &Path) {
        let _ = self.cache_dir.set(dir.join("wasm"));
    }

    /// Compiles where the machine code is not at hand: at the start of a program whose cache is missing
    /// or another version's.
    fn load(&self, _: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String> {
        let code = self.code(only_file(&package.source)?)?;
        if code.manifest != package.manifest {
            return Err(
                "the package's manifest is not what its module describes: compile it again"
                    .to_owned(),
            );
        }
        let entities = package.manifest.entities.iter();
        Ok(entities.map(|entity| type_def(&code, entity)).collect())
    }
}

fn only_file(source: &Source) -> Result<&File, String> {
    match &source.files[..] {
        [file] if file.path == source.main => Ok(file),
        files => Err(format!(
            "a WebAssembly module is one file, and {} were given",
            files.len()
        )),
    }
}

fn type_def(code: &Arc<Code>, entity: &EntityManifest) -> TypeDef {
    let ty: Arc<str> = entity.name.as_str().into();
    let method = |method: &MethodManifest| {
        let target = Target {
            code: code.clone(),
            ty: ty.clone(),
            version: entity.version,
            migrates: entity.migrates,
        };
        let run = WasmMethod {
            target: Arc::new(target),
            name: method.name.as_str().into(),
            params: method
                .params
                .as_ref()
                .map(|params| params.iter().map(Parameter::named).collect()),
        };
        MethodDef {
            name: method.name.clone(),
            kind: method.kind,
            params: method.params.clone().unwrap_or_default(),
            result: method.result.clone(),
            run: Arc::new(run),
        }
    };
    TypeDef {
        name: entity.name.clone(),
        state: Arc::new(JsonType {
            version: entity.version,
        }),
        methods: entity.methods.iter().map(method).collect(),
        native: None,
        module: None,
    }
}
