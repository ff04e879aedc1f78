//! Entities written in JavaScript and TypeScript, run by QuickJS-ng in this process.
//!
//! ```text
//!   sources     a module's files, from the entry file on
//!   syntax      what is known of a file before it runs: types out, rules, parameters
//!   links       whether what files take from each other is there
//!   compile     bytecode and manifest (exports: where what files export is bound)
//!   instance    one context of a module: started, named, frozen (freeze)
//!   cache       the contexts that a thread keeps
//!   run         a method: state in and out (state), what it reaches (host), how it ends (fault)
//!   meter       ticks, bytes and stack, against their limits
//!   script      tests of modules (testing.js), against any world
//!   numbers     whole numbers that no JavaScript number is
//!   raw         the one room with `unsafe`
//!   prelude.js  the module "ordain"
//!   library.js  the library made deterministic, of which
//!   lists.js    how long what is gone through is
//!   work.js     what going through it costs
//!   dates.js    dates of UTC
//!   shared.js   what prelude.js and testing.js have in common
//!   ordain.d.ts the types of the module "ordain", for editors
//! ```
//!
//! # What a module may keep
//!
//! Nothing: contexts are kept warm, made anew and dropped as the host likes, and the same call on any of
//! them gives the same bytes. Held to that by rules about the text (assignments to module-level variables),
//! by refusing variables that closures hold and assign, and by freezing the library, all that a module's top
//! level reaches and all that its closures hold, with Map, Set, Date and regular expressions shut.
//!
//! # Numbers
//!
//! A JavaScript number holds whole numbers exactly up to 2^53. A whole number in arguments, in what a
//! call gives or in what is stored that none holds is refused and never rounded: let such numbers travel as text, and
//! take BigInt for reckoning with them. BigInt is no JSON: in state, it is text as well.
//!
//! # What the machine still decides
//!
//! Functions of Math beyond the arithmetic ones (`Math.sin`, `Math.pow`, …) are those of the C library
//! that the program runs with. Instructions are counted where the interpreter looks (loops, calls, array
//! functions, regular expressions), not within one operation on a long string or a BigInt.

mod cache;
mod compile;
mod fault;
mod freeze;
mod host;
mod instance;
mod links;
mod meter;
mod numbers;
mod raw;
mod run;
mod script;
mod sources;
mod state;
mod syntax;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use ordain_engine::{Args, ArgumentError, Decoded, MethodDef, Modules, Run, Tx, TypeDef};
use ordain_types::module::{ModuleHash, Package, Place, Source, SourceError};
use ordain_types::{EntityType, Json, Method, Rejection};

use crate::json_state::JsonType;
use crate::params::{self, Parameter};
use compile::{Compiled, Places};
use fault::Thrown;
use instance::NotStarted;
use run::Which;
use sources::NotCompiled;
use syntax::Position;

pub use cache::{clear, kept};

/// The types of the module "ordain", for editors: what `ordain types` writes as `ordain.d.ts`.
pub const TYPES: &str = include_str!("ordain.d.ts");

/// Compiled modules that are kept for their deployment.
const COMPILED_MAX: usize = 32;

/// The host of modules in JavaScript and TypeScript.
#[derive(Default)]
pub struct JavaScript {
    /// What was compiled last: it is deployed next.
    compiled: Mutex<Vec<(ModuleHash, Compiled, Places)>>,
}

impl JavaScript {
    /// A host that has compiled nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn find<T>(&self, hash: ModuleHash, of: impl FnOnce(&Compiled, &Places) -> T) -> Option<T> {
        let compiled = self.compiled();
        let found = compiled.iter().find(|(other, ..)| *other == hash);
        found.map(|(_, compiled, places)| of(compiled, places))
    }

    fn keep(&self, hash: ModuleHash, made: Compiled, places: Places) {
        let mut compiled = self.compiled();
        compiled.retain(|(other, ..)| *other != hash);
        if compiled.len() >= COMPILED_MAX {
            compiled.remove(0);
        }
        compiled.push((hash, made, places));
    }

    fn compiled(&self) -> MutexGuard<'_, Vec<(ModuleHash, Compiled, Places)>> {
        let compiled = self.compiled.lock();
        compiled.unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Modules for JavaScript {
    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        let made = compile::package(source)?;
        let hash = ordain_types::module::hash(&made.package.encode());
        self.keep(hash, made.compiled, made.places);
        Ok(made.package)
    }

    fn place(&self, hash: ModuleHash, ty: &EntityType, method: Option<&Method>) -> Option<Place> {
        let name = (ty.clone(), method.cloned());
        self.find(hash, |_, places| places.get(&name).cloned())?
    }

    fn shown(&self, stored: Json) -> Json {
        crate::versioned::shown(stored)
    }

    fn load(&self, hash: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String> {
        let compiled = OnceLock::new();
        if let Some(found) = self.find(hash, |compiled, _| compiled.clone()) {
            let _ = compiled.set(found);
        }
        let module = Arc::new(Module {
            hash,
            source: package.source.clone(),
            compiled,
        });
        let entities = package.manifest.entities.iter().enumerate();
        let types = entities.map(|(at, entity)| TypeDef {
            name: entity.name.clone(),
            state: Arc::new(JsonType {
                version: entity.version,
            }),
            methods: methods(&module, at, entity),
            native: None,
            module: None,
        });
        Ok(types.collect())
    }
}

fn methods(
    module: &Arc<Module>,
    entity: usize,
    manifest: &ordain_types::module::EntityManifest,
) -> Vec<MethodDef> {
    let methods = manifest.methods.iter().enumerate();
    let def = |(at, method): (usize, &ordain_types::module::MethodManifest)| MethodDef {
        name: method.name.clone(),
        kind: method.kind,
        params: method.params.clone().unwrap_or_default(),
        result: method.result.clone(),
        run: Arc::new(ModuleMethod {
            module: module.clone(),
            which: Which {
                hash: module.hash,
                entity,
                method: at,
                kind: method.kind,
            },
            params: method
                .params
                .as_ref()
                .map(|params| params.iter().map(Parameter::typed).collect()),
        }),
    };
    methods.map(def).collect()
}

/// A module in force.
struct Module {
    hash: ModuleHash,
    source: Source,
    /// Made at first use where this process has not compiled it.
    compiled: OnceLock<Compiled>,
}

impl Module {
    fn compiled(&self) -> Result<Compiled, NotStarted> {
        if let Some(compiled) = self.compiled.get() {
            return Ok(compiled.clone());
        }
        let made = Compiled::new(&self.source).map_err(|not| match not {
            NotCompiled::Source(error) => {
                let message = format!("the module does not compile any more: {}", error.message);
                let position = error.line.zip(error.column);
                let position = position.map(|(line, column)| Position { line, column });
                NotStarted::Thrown(Thrown {
                    place: error.file.zip(position),
                    ..Thrown::plain(message)
                })
            }
            NotCompiled::Machine(why) => NotStarted::Machine(why),
        })?;
        Ok(self.compiled.get_or_init(|| made).clone())
    }
}

struct ModuleMethod {
    module: Arc<Module>,
    which: Which,
    params: Option<Vec<Parameter>>,
}

/// Arguments that fit one method of one module version.
struct Fitting {
    hash: ModuleHash,
    entity: usize,
    method: usize,
    json: Json,
}

impl Run for ModuleMethod {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        let canonical = params::canonical(self.params.as_deref(), json)?;
        if let Some(number) = numbers::inexact(&canonical) {
            let message = format!(
                "{number} is no JavaScript number, which are exact up to 2^53: send it as text"
            );
            return Err(ArgumentError {
                field: None,
                message,
            });
        }
        let args = Fitting {
            hash: self.which.hash,
            entity: self.which.entity,
            method: self.which.method,
            json: canonical.clone(),
        };
        Ok(Decoded {
            args: Box::new(args),
            canonical,
        })
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let args = args
            .downcast::<Fitting>()
            .expect("arguments come from `decode` of the same method");
        run::run(tx, &self.which, || self.module.compiled(), &args.json)
    }

    fn takes(&self, args: &Args) -> bool {
        args.downcast_ref::<Fitting>().is_some_and(|args| {
            (args.hash, args.entity, args.method)
                == (self.which.hash, self.which.entity, self.which.method)
        })
    }
}
