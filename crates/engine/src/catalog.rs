//! What can be called: entity types, their methods, and the seams to the hosts that run them.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use ordain_types::{EntityType, Json, Method, MethodKind, Rejection};

use crate::Tx;

/// An entity type's place in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeIndex(pub(crate) u16);

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
    /// How many bytes [`State::encode`] would append.
    ///
    /// # Errors
    /// As [`State::encode`].
    fn encoded_len(&self) -> Result<usize, String>;
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
    /// Checks and reads arguments, before the call becomes a command.
    ///
    /// # Errors
    /// Which argument does not fit.
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError>;

    /// Runs the method within the call that `tx` has just opened. `args` come from
    /// [`Run::decode`] of the same method.
    ///
    /// # Errors
    /// The method's rejection. Faults do not come back: see [`Tx::fault`].
    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection>;

    /// Whether `args` are such as [`Run::decode`] gives.
    fn takes(&self, _args: &Args) -> bool {
        false
    }
}

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name in the arguments object.
    pub name: String,
    /// Its JSON schema, as JSON text; `{}` where nothing is known.
    pub schema: String,
    /// Whether it may be left out.
    pub required: bool,
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
    types: Vec<TypeDef>,
    by_name: BTreeMap<EntityType, TypeIndex>,
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
        self.by_name
            .insert(def.name.clone(), TypeIndex(self.types.len() as u16));
        self.types.push(def);
        Ok(())
    }

    /// All entity types, in the order they were added.
    pub fn types(&self) -> &[TypeDef] {
        &self.types
    }

    /// The entity type of this name.
    pub fn index(&self, name: &str) -> Option<TypeIndex> {
        // The few types of an application: comparing beats hashing.
        self.types
            .iter()
            .position(|def| def.name.as_str() == name)
            .map(|at| TypeIndex(at as u16))
    }

    /// The native entity type whose root value is this Rust type.
    pub fn native(&self, ty: TypeId) -> Option<TypeIndex> {
        self.types
            .iter()
            .position(|def| def.native == Some(ty))
            .map(|at| TypeIndex(at as u16))
    }

    /// The entity type at a place.
    pub fn get(&self, index: TypeIndex) -> &TypeDef {
        &self.types[index.0 as usize]
    }

    /// The entity type and method of these names.
    pub fn find(&self, ty: &str, method: &str) -> Option<(TypeIndex, MethodIndex)> {
        let index = self.index(ty)?;
        Some((index, self.get(index).method(method)?.0))
    }
}
