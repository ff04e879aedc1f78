//! From sources to bytecode, and to the manifest that starting the module shows. The bytecode is of this
//! process: what is kept and deployed are the sources.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ordain_types::module::{EntityManifest, Language, Manifest, MethodManifest};
use ordain_types::{Package, Source, SourceError};
use rquickjs::context::intrinsic;
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::{Context, Ctx, Module, Persistent, Runtime};

use super::cache;
use super::fault::{self, Thrown};
use super::instance::Instance;
use super::meter::{Limits, Meter};
use super::raw::{Bytecode, Entry, Inside};
use super::sources::{self, Resolved, SDK, Sources};
use super::syntax::{Lines, Position, Signature};

/// How what a file keeps at its top level is exported beside what it exports itself: the host must reach
/// it to freeze it.
pub const KEPT: &str = "__kept_";
/// The module that imports all files of a module.
const START: &str = "ordain:start";
/// The version of what "ordain" gives.
const SDK_VERSION: &str = "0.1";

const PRELUDE: &str = concat!(include_str!("shared.js"), include_str!("prelude.js"));

/// A module that can be started.
#[derive(Clone)]
pub struct Compiled(Arc<Inner>);

struct Inner {
    files: Vec<File>,
    resolved: Resolved,
    start: Bytecode,
}

struct File {
    path: String,
    bytecode: Bytecode,
    bindings: Vec<(String, Position)>,
    signatures: BTreeMap<Position, Signature>,
    lines: Lines,
}

impl Compiled {
    /// Checks and compiles sources.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn new(source: &Source) -> Result<Self, SourceError> {
        let sources = sources::read(source)?;
        let compiler = Compiler::new(&sources)?;
        let mut files = Vec::new();
        for (path, script) in &sources.files {
            let text = source.files.iter().find(|file| file.path == *path);
            let text = text
                .and_then(|file| std::str::from_utf8(&file.bytes).ok())
                .unwrap_or_default();
            let position = |at| script.lines.position(text, at);
            files.push(File {
                path: path.clone(),
                bytecode: compiler.compile(path, &whole(script))?,
                bindings: script
                    .bindings
                    .iter()
                    .map(|it| (it.name.clone(), position(it.at)))
                    .collect(),
                signatures: script.signatures.clone(),
                lines: script.lines.clone(),
            });
        }
        let start = compiler.compile(START, &start(&sources))?;
        let resolved = sources.resolved;
        Ok(Self(Arc::new(Inner {
            files,
            resolved,
            start,
        })))
    }

    /// The bytecode of the module that imports all files.
    pub fn start(&self) -> &Bytecode {
        &self.0.start
    }

    /// How many files there are.
    pub fn files(&self) -> usize {
        self.0.files.len()
    }

    /// The name under which the start exports what a file exports.
    pub fn namespace(&self, at: usize) -> String {
        format!("m{at}")
    }

    /// What an import stands for.
    pub fn resolve(&self, base: &str, import: &str) -> String {
        let found = self.0.resolved.get(&(base.to_owned(), import.to_owned()));
        found.map_or(import, String::as_str).to_owned()
    }

    /// The bytecode of a module.
    pub fn bytecode(&self, name: &str) -> Option<&Bytecode> {
        match name {
            SDK => Some(prelude()),
            name => Some(&self.0.files.iter().find(|file| file.path == name)?.bytecode),
        }
    }

    /// Something wrong with what the entry file binds under a name.
    pub fn at_binding(&self, name: &str, message: String) -> Thrown {
        let main = &self.0.files[0];
        let binding = main.bindings.iter().find(|(bound, _)| bound == name);
        let position = binding.map_or(Position { line: 1, column: 1 }, |(_, position)| *position);
        Thrown {
            place: Some((main.path.clone(), position)),
            ..Thrown::plain(message)
        }
    }

    /// Something wrong with what a file keeps.
    pub fn at_kept(&self, file: usize, index: &str, what: &str) -> Thrown {
        let file = &self.0.files[file];
        let binding = index
            .parse::<usize>()
            .ok()
            .and_then(|at| file.bindings.get(at));
        let (name, position) = binding.expect("what is kept was numbered by this list");
        Thrown {
            place: Some((file.path.clone(), *position)),
            ..Thrown::plain(format!("`{name}` {what}; entity state lives in `cx.state`"))
        }
    }

    /// What a function says of itself.
    fn signature(&self, place: &(String, Position)) -> Option<&Signature> {
        let file = self.0.files.iter().find(|file| file.path == place.0)?;
        file.signatures.get(&file.lines.in_characters(place.1))
    }

    /// The place that the interpreter, which counts bytes, calls so.
    pub fn place(&self, path: &str, position: Position) -> Position {
        let file = self.0.files.iter().find(|file| file.path == path);
        file.map_or(position, |file| file.lines.in_characters(position))
    }
}

/// A file's JavaScript, with all it keeps exported.
fn whole(script: &super::syntax::Script) -> String {
    let mut text = script.javascript.clone();
    text.push_str("\nexport {");
    for (at, binding) in script.bindings.iter().enumerate() {
        text.push_str(&format!(" {} as {KEPT}{at},", binding.name));
    }
    text.push_str(" };\n");
    text
}

fn start(sources: &Sources) -> String {
    let mut text = String::new();
    for (at, (path, _)) in sources.files.iter().enumerate() {
        let path = serde_json::Value::from(path.as_str());
        text.push_str(&format!(
            "import * as m{at} from {path};\nexport {{ m{at} }};\n"
        ));
    }
    text
}

/// The bytecode of what the host itself brings.
pub fn prelude() -> &'static Bytecode {
    static PRELUDE_CODE: OnceLock<Bytecode> = OnceLock::new();
    PRELUDE_CODE.get_or_init(|| {
        let compiler = Compiler::with(Texts::default()).expect("an interpreter can be made");
        let compiled = compiler.compile(SDK, PRELUDE);
        compiled.unwrap_or_else(|error| panic!("the prelude does not compile: {error}"))
    })
}

/// An interpreter that compiles and runs nothing.
struct Compiler {
    context: Context,
    floor: usize,
    _runtime: Runtime,
    _entry: Entry,
}

impl Compiler {
    fn new(sources: &Sources) -> Result<Self, SourceError> {
        let mut texts = Texts {
            texts: vec![(SDK.to_owned(), PRELUDE.to_owned())],
            resolved: sources.resolved.clone(),
        };
        for (path, script) in &sources.files {
            texts.texts.push((path.clone(), whole(script)));
        }
        Self::with(texts).map_err(|error| SourceError::new(error.to_string()))
    }

    fn with(texts: Texts) -> rquickjs::Result<Self> {
        let (entry, floor) = Entry::new(Limits::careful().stack_bytes);
        let runtime = Runtime::new()?;
        runtime.set_loader(texts.clone(), texts);
        let context = Context::custom::<(
            intrinsic::Eval,
            intrinsic::RegExpCompiler,
            intrinsic::Promise,
        )>(&runtime)?;
        Ok(Self {
            context,
            floor,
            _runtime: runtime,
            _entry: entry,
        })
    }

    fn compile(&self, name: &str, text: &str) -> Result<Bytecode, SourceError> {
        let made = self.context.inside(self.floor, |ctx| {
            let module = Module::declare(ctx.clone(), name, text);
            let bytecode = module.and_then(|module| Bytecode::of(&module));
            bytecode.map_err(|error| fault::thrown(&ctx, error))
        });
        made.map_err(|thrown| source_error(&thrown))
    }
}

/// Gives an interpreter the texts of what is imported.
#[derive(Clone, Default)]
pub struct Texts {
    pub texts: Vec<(String, String)>,
    pub resolved: Resolved,
}

impl Resolver for Texts {
    fn resolve<'js>(
        &mut self,
        _ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        let found = self.resolved.get(&(base.to_owned(), name.to_owned()));
        Ok(found.map_or(name, String::as_str).to_owned())
    }
}

impl Loader for Texts {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js>> {
        match self.texts.iter().find(|(path, _)| path == name) {
            Some((_, text)) => Module::declare(ctx.clone(), name, text.as_str()),
            None => Err(rquickjs::Error::new_loading(name)),
        }
    }
}

/// What was thrown, as an error of sources.
pub fn source_error(thrown: &Thrown) -> SourceError {
    match &thrown.place {
        Some((file, position)) => sources::error(file, *position, &thrown.message),
        None => SourceError::new(&thrown.message),
    }
}

/// Compiles sources, starts them once, and writes down what that shows.
///
/// # Errors
/// What is wrong, and where.
pub fn package(source: &Source) -> Result<(Package, Compiled), SourceError> {
    source.check()?;
    let compiled = Compiled::new(source)?;
    let instance = cache::with_meter(|meter| Instance::new(&compiled, meter));
    let instance = instance.map_err(|not| source_error(&not.0))?;
    if instance.entities.is_empty() {
        return Err(SourceError {
            file: Some(source.main.clone()),
            ..SourceError::new(
                "the module exports no entity type; write `export const account = entity({ balance: 0 }, { … })`",
            )
        });
    }
    let manifest = Manifest {
        language: Language::JavaScript,
        sdk: SDK_VERSION.to_owned(),
        entities: manifests(&instance, &compiled)?,
    };
    let source = source.clone();
    Ok((Package { manifest, source }, compiled))
}

fn manifests(instance: &Instance, compiled: &Compiled) -> Result<Vec<EntityManifest>, SourceError> {
    let mut found: Vec<EntityManifest> = Vec::new();
    for entity in &instance.entities {
        if found.iter().any(|other| other.name == entity.name) {
            return Err(SourceError::new(format!(
                "two entity types are named `{}`; export each once",
                entity.name
            )));
        }
        found.push(EntityManifest {
            name: entity.name.clone(),
            version: entity.version,
            migrates: entity.migrate.is_some(),
            methods: instance.inside(Meter::UNBOUND, |ctx| {
                let methods = entity.methods.iter();
                methods
                    .map(|method| method_manifest(&ctx, method, compiled))
                    .collect()
            }),
        });
    }
    Ok(found)
}

fn method_manifest(
    ctx: &Ctx<'_>,
    method: &super::instance::Callable,
    compiled: &Compiled,
) -> MethodManifest {
    let run: Persistent<_> = method.run.clone();
    let place = run
        .restore(ctx)
        .ok()
        .and_then(|function| fault::place_of(&function));
    let signature = place.and_then(|place| compiled.signature(&place));
    MethodManifest {
        name: method.name.clone(),
        kind: method.kind,
        params: signature.and_then(|it| it.params.clone()),
        result: signature.map_or_else(|| "{}".to_owned(), |it| it.result.clone()),
    }
}
