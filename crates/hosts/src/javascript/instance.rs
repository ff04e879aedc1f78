//! One context of one module: made from bytecode, started, named, frozen. It keeps nothing of one call
//! that another could see, so any is as good as any other, and a new one is always the same.

use std::cell::Cell;
use std::rc::Rc;

use ordain_types::{EntityType, Json, Method, MethodKind};
use rquickjs::atom::PredefinedAtom;
use rquickjs::context::intrinsic;
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::{Array, Context, Ctx, Function, Module, Object, Persistent, Runtime, Value};

use super::compile::Compiled;
use super::fault::{self, Thrown};
use super::meter::{Broken, Limits, Meter};
use super::raw::{self, Brake, Entry, Inside};
use super::{cache, freeze, host};

type Kept<T> = Persistent<T>;

/// A context of a module.
pub struct Instance {
    pub entities: Vec<Entity>,
    pub library: Library,
    /// What the module that imports all files exports: what each of them does.
    pub started: Kept<Object<'static>>,
    /// Bytes it held when it was new.
    pub bytes: usize,
    /// How many calls on the stack run in it.
    pub running: Cell<usize>,
    pub compiled: Compiled,
    context: Context,
    _runtime: Runtime,
}

/// An entity type of the module.
pub struct Entity {
    pub name: EntityType,
    /// What the module exports it as.
    pub export: String,
    pub version: u32,
    /// The state before the first write.
    pub initial: Json,
    /// The names at its top level.
    pub names: Option<raw::Names>,
    pub migrate: Option<Kept<Function<'static>>>,
    pub methods: Vec<Callable>,
}

/// A method.
pub struct Callable {
    pub name: Method,
    pub kind: MethodKind,
    pub run: Kept<Function<'static>>,
    /// Whether it is called without arguments where none are given.
    pub optional: bool,
}

/// What the prelude brings to run methods with.
pub struct Library {
    /// What plain objects are, whose JSON is written fast.
    pub plain: raw::Plain,
    /// The prototype of contexts.
    pub context: Kept<Object<'static>>,
    /// What entities of `entity(…)` are.
    pub entity: Kept<Value<'static>>,
    pub rejection: Kept<Object<'static>>,
    pub module_state: Kept<Object<'static>>,
    pub refresh: Kept<Function<'static>>,
    pub fill: Kept<Function<'static>>,
    pub lossy: Kept<Function<'static>>,
}

/// What is said where the machine had no memory.
pub const NO_MEMORY: &str = "no memory for JavaScript";

/// Why a module did not start.
#[derive(Debug, Clone)]
pub enum NotStarted {
    /// For what it is: it ends so in every process.
    Thrown(Thrown),
    /// The machine gave not what it takes; another time it may.
    Machine(String),
}

impl Instance {
    /// Makes a new one. What it takes is counted apart from what runs now, with limits of its own, the stack from here: who
    /// finds a context made would otherwise come further than who has to make it.
    #[inline(never)] // so that the stack is the same, whoever asks
    pub fn new(compiled: &Compiled, meter: &Rc<Meter>) -> Result<Self, NotStarted> {
        let limits = Limits::careful();
        let (_entry, floor) = Entry::apart(limits.stack_bytes);
        let before = meter.begin(limits, floor);
        let held = meter.held();
        let made = Self::make(compiled, meter, floor);
        let broken = meter.broken();
        meter.resume(before);
        let thrown = match (made, broken) {
            (_, Some(Broken::Machine)) => return Err(NotStarted::Machine(NO_MEMORY.to_owned())),
            (Err(last), Some(broken)) => {
                Thrown::broken(broken, "when it started").where_ended(last)
            }
            (Ok(_), Some(broken)) => Thrown::broken(broken, "when it started"),
            (Ok(mut made), None) => {
                made.bytes = meter.held() - held;
                return Ok(made);
            }
            (Err(thrown), None) => thrown,
        };
        Err(NotStarted::Thrown(thrown))
    }

    fn make(compiled: &Compiled, meter: &Rc<Meter>, floor: usize) -> Result<Self, Thrown> {
        let (runtime, brake) = raw::runtime(meter).map_err(fault::internal)?;
        let files = Files(compiled.clone());
        runtime.set_loader(files.clone(), files);
        let context = Context::custom::<Intrinsics>(&runtime).map_err(fault::internal)?;
        let (entities, library, started) = context.inside(floor, |ctx| {
            raw::add_big_int(&ctx);
            let made = start(&ctx, compiled, &brake);
            made.map_err(|error| error.into_thrown(&ctx, compiled))
        })?;
        Ok(Self {
            entities,
            library,
            started,
            bytes: 0,
            running: Cell::new(0),
            compiled: compiled.clone(),
            context,
            _runtime: runtime,
        })
    }

    /// Runs in the context what reads what the module made, and so may run code of its own; counted apart, as a start is.
    ///
    /// # Errors
    /// The limit that was passed.
    pub fn apart<R>(&self, run: impl for<'js> FnOnce(Ctx<'js>) -> R) -> Result<R, Broken> {
        let limits = Limits::careful();
        let (_entry, floor) = Entry::apart(limits.stack_bytes);
        cache::with_meter(|meter| {
            let before = meter.begin(limits, floor);
            let done = self.inside(floor, run);
            let broken = meter.broken();
            meter.resume(before);
            broken.map_or(Ok(done), Err)
        })
    }

    /// Runs `run` in the context.
    pub fn inside<R>(&self, floor: usize, run: impl for<'js> FnOnce(Ctx<'js>) -> R) -> R {
        self.context.inside(floor, run)
    }
}

type Intrinsics = (
    intrinsic::Date,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::WeakRef, // taken away from modules by the prelude
    intrinsic::Promise, // modules end in one, if only inside the interpreter
);

/// Why a context did not come about.
pub enum NotMade {
    /// Something was thrown, and is pending.
    Js(rquickjs::Error),
    /// A rule was broken.
    Rule(Thrown),
}

impl From<rquickjs::Error> for NotMade {
    fn from(error: rquickjs::Error) -> Self {
        Self::Js(error)
    }
}

impl NotMade {
    fn into_thrown(self, ctx: &Ctx<'_>, compiled: &Compiled) -> Thrown {
        match self {
            Self::Js(error) => {
                let thrown = fault::thrown(ctx, error, &|path| compiled.has(path));
                compiled.of_links(thrown.of(compiled))
            }
            Self::Rule(thrown) => thrown,
        }
    }
}

fn start(
    ctx: &Ctx<'_>,
    compiled: &Compiled,
    brake: &Brake,
) -> Result<(Vec<Entity>, Library, Kept<Object<'static>>), NotMade> {
    raw::keep_stack(ctx)?;
    let functions = host::install(ctx)?;
    evaluate(ctx, raw::load(ctx, super::compile::prelude())?)?;
    let prelude: Object = functions.get("prelude")?;
    brake.belongs_to(ctx); // what was taken until here is little, and the same for all
    let started = evaluate(ctx, raw::load(ctx, compiled.start())?)?;
    let (mut entities, mut methods) = (Vec::new(), Vec::new());
    let main: Object = started.get(compiled.namespace(0))?;
    let mut exported: Vec<(Value, String)> = Vec::new();
    for name in main.keys::<String>() {
        let name = name?;
        let value: Value = main.get(&*name)?;
        if let Some((_, before)) = exported.iter().find(|(it, _)| *it == value) {
            let at = if name == "default" { before } else { &name };
            let message = format!("`{before}` and `{name}` are one entity type; export each once");
            return Err(NotMade::Rule(compiled.at_export(at, message)));
        }
        if let Some(entity) = entity(&prelude, compiled, &name, value.clone(), &mut methods)? {
            entities.push(entity);
            exported.push((value, name));
        }
    }
    freeze::all(ctx, &prelude, &started, compiled, functions, methods)?;
    let library = library(ctx, &prelude)?;
    Ok((entities, library, Persistent::save(ctx, started)))
}

/// Runs a module to its end and gives what it exports.
fn evaluate<'js>(ctx: &Ctx<'js>, module: Module<'js>) -> Result<Object<'js>, NotMade> {
    let (module, promise) = module.eval()?;
    match promise.result::<Value>() {
        Some(Ok(_)) => Ok(module.namespace()?),
        Some(Err(error)) => Err(error.into()),
        None => Err(NotMade::Rule(Thrown::plain(format!(
            "a module must start at once; leave out `await` ({ctx:?})"
        )))),
    }
}

fn library<'js>(ctx: &Ctx<'js>, prelude: &Object<'js>) -> rquickjs::Result<Library> {
    let object = |name: &str| {
        Ok::<_, rquickjs::Error>(Persistent::save(ctx, prelude.get::<_, Object>(name)?))
    };
    let function = |name: &str| {
        Ok::<_, rquickjs::Error>(Persistent::save(ctx, prelude.get::<_, Function>(name)?))
    };
    Ok(Library {
        plain: raw::Plain::new(ctx)?,
        context: object("context")?,
        entity: Persistent::save(ctx, prelude.get::<_, Value>("Entity")?),
        rejection: object("Rejection")?,
        module_state: object("ModuleState")?,
        refresh: function("refresh")?,
        fill: function("fill")?,
        lossy: function("lossy")?,
    })
}

/// The entity type that an export is, if it is one. Adds its functions to what is found: an object may make them
/// when they are asked for.
fn entity<'js>(
    prelude: &Object<'js>,
    compiled: &Compiled,
    export: &str,
    value: Value<'js>,
    found: &mut Vec<Value<'js>>,
) -> Result<Option<Entity>, NotMade> {
    let Some(def) = value.as_object() else {
        return Ok(None);
    };
    if !def.is_instance_of(prelude.get::<_, Value>("Entity")?) {
        return Ok(None);
    }
    let refuse = |message: String| NotMade::Rule(compiled.at_export(export, message));
    let options: Object = def.get("options")?;
    let given: Option<Value> = options.get("name")?;
    let given = match given.filter(|it| !it.is_undefined()) {
        None => None,
        Some(it) => Some(raw::text(&it).ok_or_else(|| {
            refuse(format!(
                "the option `name` of the entity type `{export}` is not a text: {{ name: \"account\" }}"
            ))
        })?),
    };
    let name = EntityType::new(given.as_deref().unwrap_or(export)).map_err(|error| {
        refuse(format!(
            "`{export}` is an entity type: {error}; export it under such a name, or give one: entity(state, \
             methods, {{ name: \"account\" }})"
        ))
    })?;
    let version: Option<Value> = options.get("version")?;
    let version = match version.filter(|it| !it.is_undefined()) {
        None => 1,
        Some(it) => it.as_int().filter(|it| *it >= 1).ok_or_else(|| {
            refuse(format!(
                "the version of the entity type `{name}` is a whole number from 1 on"
            ))
        })? as u32,
    };
    let type_name = name.as_str();
    prelude
        .get::<_, Function>("name")?
        .call::<_, ()>((def.clone(), type_name))?;
    let ctx = def.ctx();
    let migrate: Option<Value> = options.get("migrate")?;
    let migrate = match migrate.filter(|it| !it.is_undefined()) {
        None => None,
        Some(it) => Some(it.into_function().ok_or_else(|| {
            refuse(format!(
                "`migrate` of the entity type `{name}` is not a function: write `migrate(state, fromVersion) {{ … }}`"
            ))
        })?),
    };
    found.extend(migrate.iter().map(|it| it.clone().into_value()));
    let initial = initial(prelude, def, &refuse)?;
    let names = raw::parse(ctx, &initial)?.into_object();
    let names = names.filter(|it| !it.is_array());
    Ok(Some(Entity {
        names: names.map(|it| raw::Names::of(ctx, it)).transpose()?,
        initial,
        version,
        migrate: migrate.map(|it| Persistent::save(ctx, it)),
        methods: methods(prelude, def, compiled, &name, &refuse, found)?,
        name,
        export: export.to_owned(),
    }))
}

fn initial<'js>(
    prelude: &Object<'js>,
    def: &Object<'js>,
    refuse: &dyn Fn(String) -> NotMade,
) -> Result<Json, NotMade> {
    let state: Value = def.get("state")?;
    let lossy: Function = prelude.get("lossy")?;
    let within = Value::new_null(def.ctx().clone());
    let asked = (state.clone(), "the default state", within);
    if let Some(lost) = lossy.call::<_, Option<String>>(asked)? {
        return Err(refuse(format!("{lost}, which JSON cannot hold")));
    }
    let json = raw::stringify(def.ctx(), &state, |text| {
        Json::copy_from_slice(text.as_bytes())
    })?;
    json.ok_or_else(|| {
        refuse("the default state is not JSON; write `entity({}, { … })`".to_owned())
    })
}

fn methods<'js>(
    prelude: &Object<'js>,
    def: &Object<'js>,
    compiled: &Compiled,
    entity: &EntityType,
    refuse: &dyn Fn(String) -> NotMade,
    functions: &mut Vec<Value<'js>>,
) -> Result<Vec<Callable>, NotMade> {
    let (ctx, query): (_, Value) = (def.ctx(), prelude.get("Query")?);
    let methods: Object = def.get("methods")?;
    let mut found = Vec::new();
    for name in methods.own_keys::<String>(rquickjs::object::Filter::new().string()) {
        let name = name?;
        let value: Value = methods.get(&*name)?;
        let marked = value.as_object().filter(|it| it.is_instance_of(&query));
        let (kind, run) = match marked {
            Some(query) => (MethodKind::Query, query.get("run")?),
            None => (MethodKind::Update, value),
        };
        let Some(run) = run.into_function() else {
            return Err(refuse(format!(
                "`{entity}.{name}` is not a function: write `{name}(cx, args) {{ … }}`"
            )));
        };
        let method = Method::new(&name).map_err(|error| {
            NotMade::Rule(Thrown::at_function(
                &run,
                format!("`{name}` is a method of `{entity}`: {error}"),
            ))
        })?;
        if run
            .get::<_, Value>(PredefinedAtom::SymbolToStringTag)?
            .is_string()
        {
            return Err(NotMade::Rule(Thrown::at_function(
                &run,
                format!(
                    "`{entity}.{name}` is a generator, of which nothing would run: a method gives its value at once; \
                     collect what it yields in an array, and return that"
                ),
            )));
        }
        functions.push(run.clone().into_value());
        found.push(Callable {
            name: method,
            kind,
            optional: compiled.signature(&run).is_some_and(|it| it.optional),
            run: Persistent::save(ctx, run),
        });
    }
    if found.is_empty() {
        return Err(refuse(format!(
            "the entity type `{entity}` has no methods; what could not be called has no use"
        )));
    }
    Ok(found)
}

/// Finds the files of a module for the interpreter.
#[derive(Clone)]
struct Files(Compiled);

impl Resolver for Files {
    fn resolve<'js>(
        &mut self,
        _ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        Ok(self.0.resolve(base, name))
    }
}

impl Loader for Files {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js>> {
        match self.0.bytecode(name) {
            Some(bytes) => raw::load(ctx, bytes),
            None => Err(rquickjs::Error::new_loading(name)),
        }
    }
}

/// The values of an array.
pub fn each<'js>(array: Array<'js>) -> rquickjs::Result<Vec<Value<'js>>> {
    array.into_iter().collect()
}
