//! From sources to bytecode, and to the manifest that starting the module shows. The bytecode is of this
//! process: what is kept and deployed are the sources.

mod exports;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ordain_types::module::{EntityManifest, Language, Manifest, MethodManifest, Place};
use ordain_types::{EntityType, Method, Package, Source, SourceError};
use rquickjs::context::intrinsic;
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::{Context, Ctx, Function, Module, Runtime};

use super::cache;
use super::fault::{self, IsFile, Thrown};
use super::instance::{Instance, NotStarted};
use super::meter::{Limits, Meter};
use super::raw::{Bytecode, Entry, Inside};
use super::sources::{self, NotCompiled, Resolved, SDK, Sources};
use super::syntax::{HOLDS, Lines, Links, NOT_THEIRS, Position, Purpose, STARTED, Signature};

/// The function of the host that a file tells at its end how to come by what it binds at its top level: the host must
/// reach it to freeze it.
const KEEPS: &str = "__ordain_keeps";
/// The module that imports all files of a module.
const START: &str = "ordain:start";
/// The version of what "ordain" gives.
const SDK_VERSION: &str = "0.1";

const PRELUDE: &str = concat!(
    include_str!("shared.js"),
    include_str!("prelude.js"),
    include_str!("lists.js"),
    include_str!("work.js"),
    include_str!("dates.js"),
    include_str!("library.js"),
);

/// A module that can be started.
#[derive(Clone)]
pub struct Compiled(Arc<Inner>);

struct Inner {
    files: Vec<File>,
    resolved: Resolved,
    start: Bytecode,
    untold: Option<SourceError>,
}

struct File {
    path: String,
    bytecode: Bytecode,
    /// What it binds at its top level.
    bindings: Vec<Variable>,
    /// Where it exports what may have no name.
    default: Option<Position>,
    /// What its closures hold.
    held: Vec<Variable>,
    /// What it takes from other files by name, and gives them.
    links: Links,
    signatures: BTreeMap<Position, Signature>,
    lines: Lines,
}

/// What compiling a module comes to.
pub struct Made {
    /// What is deployed.
    pub package: Package,
    /// What is run.
    pub compiled: Compiled,
    /// Where its types and their methods are written.
    pub places: Places,
}

/// Where the types of a module are written, and their methods.
pub type Places = BTreeMap<(EntityType, Option<Method>), Place>;

/// A variable, and where it is.
struct Variable {
    name: String,
    position: Position,
    /// Where a function assigns it that could do so in any call.
    assigned: Option<Position>,
}

impl Compiled {
    /// Checks and compiles sources, the same whatever the caller's stack holds.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn new(source: &Source) -> Result<Self, NotCompiled> {
        sources::on_own_stack(|| {
            prelude(); // made here: who starts a module may have less stack
            Ok(Self::new_here(source)?)
        })
    }

    fn new_here(source: &Source) -> Result<Self, SourceError> {
        let sources = sources::read(source, Purpose::Module)?;
        let compiler = Compiler::new(&sources)?;
        let is_file: IsFile = &|path| sources.has(path);
        let mut files = Vec::new();
        for (at, (path, script)) in sources.files.iter().enumerate() {
            let text = source.files.iter().find(|file| file.path == *path);
            let text = text
                .and_then(|file| std::str::from_utf8(&file.bytes).ok())
                .unwrap_or_default();
            let variable = |name: &String, at, assigned: Option<u32>| Variable {
                name: name.clone(),
                position: script.lines.position(text, at),
                assigned: assigned.map(|at| script.lines.position(text, at)),
            };
            let bindings = script.bindings.iter();
            let held = script.held.iter();
            files.push(File {
                path: path.clone(),
                bytecode: compiler
                    .compile(path, &whole(at, script), is_file)
                    .map_err(|error| compiler.placed(error, &sources))?,
                bindings: bindings.map(|it| variable(&it.name, it.at, None)).collect(),
                default: script.default.map(|at| script.lines.position(text, at)),
                held: held
                    .map(|it| variable(&it.name, it.at, it.assigned))
                    .collect(),
                links: script.links.clone(),
                signatures: script.signatures.clone(),
                lines: script.lines.clone(),
            });
        }
        let start = compiler.compile(START, &start(&sources), is_file)?;
        let (resolved, untold) = (sources.resolved, sources.untold);
        Ok(Self(Arc::new(Inner {
            files,
            resolved,
            start,
            untold,
        })))
    }

    /// The bytecode of the module that imports all files.
    pub fn start(&self) -> &Bytecode {
        &self.0.start
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

    /// Something wrong with what a file keeps at its top level.
    pub fn at_kept(&self, file: usize, index: usize, what: &str) -> Thrown {
        match self.0.files.get(file) {
            Some(file) => file.at_variable(file.bindings.get(index), what),
            None => Thrown::plain(NOT_THEIRS),
        }
    }

    /// The files that export something that may have no name.
    pub fn with_default(&self) -> impl Iterator<Item = usize> {
        let files = self.0.files.iter().enumerate();
        files.filter_map(|(at, file)| file.default.map(|_| at))
    }

    /// Something wrong with what a file exports that may have no name.
    pub fn at_default(&self, file: usize, what: &str) -> Thrown {
        let file = &self.0.files[file];
        let position = file.default.unwrap_or(Position { line: 1, column: 1 });
        let message = format!("the export `default` {what}; entity state lives in `cx.state`");
        file.at(position, message)
    }

    /// Something wrong with what closures of a file hold.
    pub fn at_held(&self, file: usize, index: usize, what: &str) -> Thrown {
        match self.0.files.get(file) {
            Some(file) => file.at_variable(file.held.get(index), what),
            None => Thrown::plain(format!("what a function was bound to {what}")),
        }
    }

    /// What is wrong with a variable that closures hold whatever its value is, if something is.
    pub fn assigned(&self, file: usize, index: usize) -> Option<Thrown> {
        let file = self.0.files.get(file)?;
        let variable = file.held.get(index)?;
        let message = format!(
            "`{}` would keep its changes from one call to the next: the function that has it runs when the module \
             starts, a function in it changes it, and one that is kept holds it; entity state lives in `cx.state`",
            variable.name
        );
        variable.assigned.map(|position| file.at(position, message))
    }

    /// What a function says of itself.
    pub fn signature(&self, function: &Function<'_>) -> Option<&Signature> {
        let (path, at) = fault::place_of(function)?;
        let file = self.0.files.iter().find(|file| file.path == path)?;
        file.signatures.get(&file.lines.in_characters(at))
    }

    /// What keeps files from being linked, with the place that the interpreter does not know, if it is a name that several
    /// give.
    pub fn of_links(&self, thrown: Thrown) -> Thrown {
        let said = thrown.message.strip_prefix("SyntaxError: export '");
        let said = said.and_then(|it| it.strip_suffix("' is ambiguous"));
        let Some((name, path)) = said.and_then(|it| it.split_once("' in module '")) else {
            return thrown;
        };
        let taken = self.0.files.iter().find_map(|file| {
            let mut takes = file.links.takes.iter();
            let taken =
                takes.find(|it| it.name == name && self.resolve(&file.path, &it.from) == path);
            taken.map(|it| (file, it))
        });
        let Some((file, taken)) = taken else {
            return thrown;
        };
        let from = &taken.from;
        let message = format!(
            "`{name}` is ambiguous: \"{from}\" passes on all names of several files that have it; take it from the one \
             that is meant, or have \"{from}\" export it by name"
        );
        file.at(taken.at, message)
    }

    /// What keeps a function from being a method, if it says so itself.
    fn unfit(&self, function: &Function<'_>) -> Option<SourceError> {
        let (path, _) = fault::place_of(function)?;
        let (position, message) = self.signature(function)?.unfit.as_ref()?;
        Some(sources::error(&path, *position, message))
    }

    /// Where a function begins.
    fn place_of(&self, function: &Function<'_>) -> Option<Place> {
        let (path, at) = fault::place_of(function)?;
        let at = self.place(&path, at);
        Some(place((path, at)))
    }

    /// Whether a path is that of one of its files.
    pub fn has(&self, path: &str) -> bool {
        self.0.files.iter().any(|file| file.path == path)
    }

    /// The place that the interpreter, which counts bytes, calls so.
    pub fn place(&self, path: &str, position: Position) -> Position {
        let file = self.0.files.iter().find(|file| file.path == path);
        file.map_or(position, |file| file.lines.in_characters(position))
    }
}

impl File {
    fn at(&self, position: Position, message: String) -> Thrown {
        Thrown {
            place: Some((self.path.clone(), position)),
            ..Thrown::plain(message)
        }
    }

    /// None: the module said what only the host's insertions should.
    fn at_variable(&self, variable: Option<&Variable>, what: &str) -> Thrown {
        let Some(Variable { name, position, .. }) = variable else {
            return Thrown::plain(NOT_THEIRS);
        };
        let message = format!("`{name}` {what}; entity state lives in `cx.state`");
        self.at(*position, message)
    }
}

/// A file's JavaScript, which says at its end how to come by all it binds, and what its closures say as of this file.
fn whole(at: usize, script: &super::syntax::Script) -> String {
    let mut text = script.javascript.clone();
    text.push_str(&format!(
        "\nimport {{ {STARTED}, {HOLDS} as {HOLDS}_of, {KEEPS} }} from \"{SDK}\";\nfunction {HOLDS}(first, ...give) {{ \
         {HOLDS}_of({at}, first, give); }}\n{KEEPS}({at}, () => ["
    ));
    for binding in &script.bindings {
        text.push_str(&format!("{}, ", binding.name));
    }
    text.push_str("]);\n");
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
        let compiled = compiler.compile(SDK, PRELUDE, &|path| path == SDK);
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
        for (at, (path, script)) in sources.files.iter().enumerate() {
            texts.texts.push((path.clone(), whole(at, script)));
        }
        Self::with(texts).map_err(|error| SourceError::new(error.to_string()))
    }

    fn with(texts: Texts) -> rquickjs::Result<Self> {
        let (entry, floor) = Entry::apart(Limits::careful().stack_bytes);
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

    fn compile(&self, name: &str, text: &str, is_file: IsFile) -> Result<Bytecode, SourceError> {
        let made = self.context.inside(self.floor, |ctx| {
            let module = Module::declare(ctx.clone(), name, text);
            let bytecode = module.and_then(|module| Bytecode::of(&module));
            bytecode.map_err(|error| fault::thrown(&ctx, error, is_file))
        });
        made.map_err(|thrown| source_error(&thrown))
    }

    /// The same error at the place that people count. If it has none: at that of the regular expression that does not
    /// compile.
    fn placed(&self, error: SourceError, sources: &Sources) -> SourceError {
        if let (Some(file), Some(line), Some(column)) = (&error.file, error.line, error.column) {
            let at = sources.place(file, Position { line, column });
            return sources::error(file, at, &error.message);
        }
        let is_file: IsFile = &|path| sources.has(path);
        for (path, script) in &sources.files {
            for (position, pattern) in &script.patterns {
                if let Err(bad) = self.compile("pattern", &format!("{pattern};"), is_file) {
                    return sources::error(path, *position, bad.message);
                }
            }
        }
        error
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
pub fn package(source: &Source) -> Result<Made, SourceError> {
    source.check()?;
    let compiled = Compiled::new(source)?;
    // What it says would not be held to, or not be where it is said to be. What was deployed before runs on.
    if let Some(error) = &compiled.0.untold {
        return Err(error.clone());
    }
    let instance = cache::with_meter(|meter| Instance::new(&compiled, meter));
    let instance = instance.map_err(|not| match not {
        NotStarted::Thrown(thrown) => source_error(&thrown),
        NotStarted::Machine(why) => SourceError::new(why),
    })?;
    if let Some(thrown) = compiled.without_type(&instance) {
        return Err(source_error(&thrown));
    }
    if instance.entities.is_empty() {
        return Err(sources::error(
            &source.main,
            Position { line: 1, column: 1 },
            "the module exports no entity type; write `export const account = entity({ balance: 0 }, { … })`",
        ));
    }
    let mut places = Places::new();
    let manifest = Manifest {
        language: Language::JavaScript,
        sdk: SDK_VERSION.to_owned(),
        entities: manifests(&instance, &compiled, &mut places)?,
    };
    let source = source.clone();
    Ok(Made {
        package: Package { manifest, source },
        compiled,
        places,
    })
}

fn manifests(
    instance: &Instance,
    compiled: &Compiled,
    places: &mut Places,
) -> Result<Vec<EntityManifest>, SourceError> {
    let mut found: Vec<EntityManifest> = Vec::new();
    for entity in &instance.entities {
        let at = |message: String| compiled.at_export(&entity.export, message);
        if found.iter().any(|other| other.name == entity.name) {
            let message = format!(
                "two entity types are named `{}`; export each once",
                entity.name
            );
            return Err(source_error(&at(message)));
        }
        let of_type = at(String::new()).place.map(place);
        places.extend(of_type.map(|place| ((entity.name.clone(), None), place)));
        found.push(EntityManifest {
            name: entity.name.clone(),
            version: entity.version,
            migrates: entity.migrate.is_some(),
            methods: instance.inside(Meter::UNBOUND, |ctx| {
                let methods = entity.methods.iter().map(|method| {
                    let run = method.run.clone().restore(&ctx).ok();
                    if let Some(place) = run.as_ref().and_then(|run| compiled.place_of(run)) {
                        let name = Some(method.name.clone());
                        places.insert((entity.name.clone(), name), place);
                    }
                    match run.as_ref().and_then(|run| compiled.unfit(run)) {
                        Some(error) => Err(error),
                        None => Ok(method_manifest(run.as_ref(), method, compiled)),
                    }
                });
                methods.collect::<Result<_, _>>()
            })?,
        });
    }
    Ok(found)
}

fn place((file, Position { line, column }): (String, Position)) -> Place {
    Place { file, line, column }
}

fn method_manifest(
    run: Option<&Function<'_>>,
    method: &super::instance::Callable,
    compiled: &Compiled,
) -> MethodManifest {
    let signature = run.and_then(|run| compiled.signature(run));
    MethodManifest {
        name: method.name.clone(),
        kind: method.kind,
        params: signature.and_then(|it| it.params.clone()),
        result: signature.map_or_else(|| "{}".to_owned(), |it| it.result.clone()),
    }
}
