//! What can be called: entity types, their methods, and the seams to the hosts that run them.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use ordain_types::Param;
use ordain_types::{Bug, EntityType, Json, Method, MethodKind, ModuleName, Rejection, planted};

use crate::Tx;
use crate::modules::{Loaded, Module, Modules, type_index};

/// An entity type's place in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeIndex(pub(crate) u32);

/// A method's place in its entity type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MethodIndex(pub u16);

/// The live root value of one entity. Its host knows the concrete type; the engine only copies it
/// before a write and encodes it for a checkpoint.
pub trait State: Any + Send {
    /// A copy, to be put back if the write is undone.
    fn snapshot(&self) -> Box<dyn State>;
    /// Appends the value as JSON.
    ///
    /// # Errors
    /// Why it is not JSON (a NaN, a map whose keys are no strings).
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String>;
    /// How many bytes the value takes as JSON, with what its host keeps beside it: what limits count. It
    /// depends on nothing but the value.
    ///
    /// # Errors
    /// As [`State::encode`].
    fn encoded_len(&self) -> Result<usize, String>;
    /// Reads a byte from where the value begins, if the host has one there: its beginning is then near when
    /// it is needed. What the byte is means nothing.
    fn touch(&self) -> u8 {
        0
    }
}

/// Makes live root values of one entity type.
pub trait StateType: Send + Sync {
    /// The value before the first write.
    fn initial(&self) -> Box<dyn State>;
    /// The value from what [`State::encode`] wrote, perhaps by an earlier version of the type.
    ///
    /// # Errors
    /// Why it does not decode.
    fn decode(&self, json: &[u8]) -> Result<Box<dyn State>, String>;
    /// What people are shown of a value as stored, where its host keeps more than the value in it.
    fn shown(&self, stored: Json) -> Json {
        stored
    }
}

/// Arguments as the host wants them.
pub type Args = Box<dyn Any + Send>;

/// Arguments that fit their method.
pub struct Decoded {
    /// As the host wants them.
    pub args: Args,
    /// The same in the method's own spelling: declared order, no white space.
    pub canonical: Json,
}

/// Arguments that do not fit their method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ArgumentError {
    /// The parameter at fault, with a path into it where it is nested; none for the whole object.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// One method, as its host runs it.
pub trait Run: Send + Sync {
    /// Checks and reads arguments.
    ///
    /// # Errors
    /// Which argument does not fit.
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError>;

    /// The same of arguments from outside, before the call becomes a command. What runs is what
    /// [`Run::decode`] makes of the own spelling, for that is what a log holds and a replay reads. A host
    /// whose arguments are no more than their spelling need not do anything about it.
    ///
    /// # Errors
    /// Which argument does not fit, or would not be the same in a replay.
    fn accept(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        self.decode(json)
    }

    /// Runs the method within the call that `tx` has just opened. `args` come from
    /// [`Run::decode`] of the same method.
    ///
    /// # Errors
    /// The method's rejection. Faults do not come back: see [`Tx::fault`].
    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection>;

    /// Whether `args` are such as [`Run::decode`] of this method, in this version, gives. Between
    /// decoding and running, another version of the method may come into force.
    fn takes(&self, args: &Args) -> bool;
}

/// A method and what is known about it.
#[derive(Clone)]
pub struct MethodDef {
    /// Its name.
    pub name: Method,
    /// Whether it may write.
    pub kind: MethodKind,
    /// Its parameters in declared order.
    pub params: Vec<Param>,
    /// The JSON schema of its value, as JSON text.
    pub result: String,
    /// How it runs.
    pub run: Arc<dyn Run>,
}

/// An entity type.
#[derive(Clone)]
pub struct TypeDef {
    /// Its name.
    pub name: EntityType,
    /// Its root values.
    pub state: Arc<dyn StateType>,
    /// Its methods; a [`MethodIndex`] is a place here.
    pub methods: Vec<MethodDef>,
    /// The Rust type of its root values, if it is native: what typed handles look it up by.
    pub native: Option<TypeId>,
    /// The module it belongs to; none: the program. Whoever makes a type leaves it to the engine.
    pub module: Option<ModuleName>,
}

impl TypeDef {
    /// The method of this name.
    pub fn method(&self, name: &str) -> Option<(MethodIndex, &MethodDef)> {
        let at = self
            .methods
            .iter()
            .position(|method| method.name.as_str() == name)?;
        Some((MethodIndex(at as u16), &self.methods[at]))
    }
}

/// All that can be called.
#[derive(Clone, Default)]
pub struct Catalog {
    types: Vec<Place>,
    by_name: BTreeMap<EntityType, TypeIndex>,
    modules: BTreeMap<ModuleName, Module>,
    host: Option<Arc<dyn Modules>>,
}

/// A type's place, which is its own for ever.
#[derive(Clone)]
struct Place {
    def: Arc<TypeDef>,
    /// Whether it can be called. A type whose module is out of force keeps its place, for the sake of
    /// what its entities hold.
    in_force: bool,
}

impl Place {
    /// The same out of force. Nothing runs its methods any more, and what they run is not kept for it.
    fn out_of_force(&self) -> Self {
        let def = TypeDef {
            methods: Vec::new(),
            ..TypeDef::clone(&self.def)
        };
        Self {
            def: Arc::new(def),
            in_force: false,
        }
    }
}

/// A catalog that is one already needs no building.
impl From<std::convert::Infallible> for CatalogError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Two things of one name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// Two entity types of one name.
    #[error(
        "two entity types are named `{0}`; rename one, for instance with #[entity(name = \"…\")]"
    )]
    Type(EntityType),
    /// Two methods of one name.
    #[error("two methods of the entity type `{0}` are named `{1}`")]
    Method(EntityType, Method),
}

impl Catalog {
    /// Adds an entity type.
    ///
    /// # Errors
    /// If its name, or that of two of its methods, is taken.
    pub fn add(&mut self, def: TypeDef) -> Result<(), CatalogError> {
        let mut names: Vec<_> = def.methods.iter().map(|method| &method.name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CatalogError::Method(def.name.clone(), twice[0].clone()));
        }
        if self.by_name.contains_key(&def.name) {
            return Err(CatalogError::Type(def.name));
        }
        self.put(def);
        Ok(())
    }

    /// Puts a type in its place, or in a new one.
    fn put(&mut self, def: TypeDef) {
        let name = def.name.clone();
        let place = Place {
            def: Arc::new(def),
            in_force: true,
        };
        match self.by_name.get(&name) {
            Some(at) => self.types[at.0 as usize] = place,
            None => {
                self.by_name.insert(name, type_index(self.types.len()));
                self.types.push(place);
            }
        }
    }

    /// The same, able to run modules.
    #[must_use]
    pub fn with_host(mut self, host: Arc<dyn Modules>) -> Self {
        self.host = Some(host);
        self
    }

    /// What runs modules, if anything does.
    pub fn host(&self) -> Option<&Arc<dyn Modules>> {
        self.host.as_ref()
    }

    /// The modules in force, in the order of their names.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = &Module> {
        self.modules.values()
    }

    /// The module of this name, if one is in force.
    pub fn module(&self, name: &ModuleName) -> Option<&Module> {
        self.modules.get(name)
    }

    /// The same with this module in force, in the place of its version before.
    pub(crate) fn with_module(&self, name: ModuleName, version: u32, loaded: Loaded) -> Self {
        let mut catalog = self.without_module(&name);
        for mut def in loaded.types {
            if planted(Bug::CodeStays)
                && let Some(before) = self.index(def.name.as_str())
            {
                def = self.get(before).clone();
            }
            def.module = Some(name.clone());
            catalog.put(def);
        }
        let module = Module {
            name: name.clone(),
            version,
            hash: loaded.hash,
            manifest: loaded.manifest,
        };
        catalog.modules.insert(name, module);
        catalog
    }

    /// The same without this module.
    pub(crate) fn without_module(&self, name: &ModuleName) -> Self {
        let mut catalog = self.clone();
        catalog.modules.remove(name);
        for place in &mut catalog.types {
            if place.in_force && place.def.module.as_ref() == Some(name) {
                *place = place.out_of_force();
            }
        }
        catalog
    }

    /// The same with the places that came since, out of force: slots of their entities may still be there.
    pub(crate) fn with_places_of(&self, later: &Self) -> Self {
        let mut catalog = self.clone();
        for place in &later.types[self.types.len()..] {
            let (name, at) = (place.def.name.clone(), type_index(catalog.types.len()));
            catalog.by_name.insert(name, at);
            catalog.types.push(place.out_of_force());
        }
        catalog
    }

    /// All entity types that can be called, in the order they came.
    pub fn types(&self) -> impl Iterator<Item = &TypeDef> {
        let in_force = self.types.iter().filter(|place| place.in_force);
        in_force.map(|place| &*place.def)
    }

    /// The same without any module: what the program brings.
    #[must_use]
    pub fn of_program(&self) -> Self {
        let mut catalog = Self {
            host: self.host.clone(),
            ..Self::default()
        };
        let native = self.types().filter(|def| def.module.is_none());
        native.cloned().for_each(|def| catalog.put(def));
        catalog
    }

    /// The entity type of this name, if it can be called.
    pub fn index(&self, name: &str) -> Option<TypeIndex> {
        let at = self.place(name)?;
        self.types[at.0 as usize].in_force.then_some(at)
    }

    /// The place of the entity type of this name, whether it can be called or not.
    pub(crate) fn place(&self, name: &str) -> Option<TypeIndex> {
        if self.types.len() > FEW_TYPES {
            return self.by_name.get(name).copied();
        }
        // Of few, comparing beats searching.
        let mut types = self.types.iter();
        let at = types.position(|place| place.def.name.as_str() == name)?;
        Some(type_index(at))
    }

    /// The native entity type whose root value is this Rust type.
    pub fn native(&self, ty: TypeId) -> Option<TypeIndex> {
        let mut types = self.types.iter();
        let at = types.position(|place| place.def.native == Some(ty))?;
        Some(type_index(at))
    }

    /// The entity type at a place.
    pub fn get(&self, index: TypeIndex) -> &TypeDef {
        &self.types[index.0 as usize].def
    }

    /// The entity type and method of these names.
    pub fn find(&self, ty: &str, method: &str) -> Option<(TypeIndex, MethodIndex)> {
        let index = self.index(ty)?;
        Some((index, self.get(index).method(method)?.0))
    }
}

/// Types up to which a name is looked for one by one.
const FEW_TYPES: usize = 16;
