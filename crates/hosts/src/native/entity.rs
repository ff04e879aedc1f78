//! What the `#[entity]` macro implements for a type, and the list of entities a program brings.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use ordain_engine::{Catalog, CatalogError, MethodDef, TypeDef};
use ordain_types::EntityType;
use ordain_values::{from_json, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::link::Link;
use super::state::NativeType;

/// Makes a state of one of another version: its JSON, and that version.
pub type Migrate<E> = fn(&[u8], u32) -> Result<E, String>;

/// An entity type written in Rust: the type of its root value, with its methods. Implemented by
/// `#[entity]`, never by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity type",
    note = "an entity type has `#[entity]` on the `impl` block with its methods",
    note = "a method that uses its own entity through the context takes `cx: &mut Context<Self>`, or \
            `cx: &mut QueryContext<Self>` in a query"
)]
pub trait Entity: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The entity type's name, as in `account/alice`.
    const TYPE: &'static str;
    /// The version of the shape of its states.
    const VERSION: u32;
    /// Brings a state of another version to this one; none: one of an earlier is read as if it were of this.
    const MIGRATE: Option<Migrate<Self>> = None;

    /// Calls every method of one entity, inside a transaction.
    type Handle<'a>;
    /// Calls the queries of one entity, inside a transaction.
    type QueryHandle<'a>;

    /// What the engine needs to know.
    fn define() -> TypeDef;

    /// The copy of a state that is `Clone`.
    #[doc(hidden)]
    fn __clone(&self) -> Option<Self>;
    #[doc(hidden)]
    fn __handle(link: Link<'_>) -> Self::Handle<'_>;
    #[doc(hidden)]
    fn __query_handle(link: Link<'_>) -> Self::QueryHandle<'_>;
}

/// A copy of a state: by `Clone` where it has it, else through JSON, which takes many times as long.
///
/// # Panics
/// If it has no `Clone` and cannot be read back from JSON. In a method that is a fault.
pub(super) fn copy<E: Entity>(state: &E) -> E {
    state.__clone().unwrap_or_else(|| {
        let json = to_json(state).unwrap_or_else(|error| panic!("the state is not JSON: {error}"));
        from_json(&json).unwrap_or_else(|error| {
            panic!("the state does not decode from its own encoding: {error}")
        })
    })
}

/// The definition of `E` with these methods.
///
/// # Panics
/// If the entity type's name is none: the macro checks it when it compiles.
pub fn define<E: Entity>(methods: Vec<MethodDef>) -> TypeDef {
    TypeDef {
        name: EntityType::new(E::TYPE).expect("the macro checked the name"),
        state: Arc::new(NativeType::<E>::default()),
        methods,
        native: Some(TypeId::of::<E>()),
        module: None,
    }
}

/// The entity types a program brings.
#[derive(Clone, Default)]
#[must_use = "a list of entity types does nothing until a node is opened with it"]
pub struct Entities {
    catalog: Catalog,
    error: Option<CatalogError>,
}

impl Entities {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// And `E`. What is wrong with it is said by [`Entities::build`].
    pub fn with<E: Entity>(mut self) -> Self {
        if self.error.is_none() {
            self.error = self.catalog.add(E::define()).err();
        }
        self
    }

    /// And all of another program's. What is wrong with them is said by [`Entities::build`].
    pub fn and(mut self, others: Entities) -> Self {
        let mut error = self.error.take().or(others.error);
        for def in others.catalog.types() {
            error = error.or_else(|| self.catalog.add(def.clone()).err());
        }
        self.error = error;
        self
    }

    /// And whatever modules are deployed, in the languages this program was built for.
    pub fn with_modules(mut self) -> Self {
        self.catalog = self.catalog.with_host(Arc::new(crate::Hosts::default()));
        self
    }

    /// All of them as the engine wants them.
    ///
    /// # Errors
    /// If two entity types, or two methods of one, have the same name.
    pub fn build(self) -> Result<Catalog, CatalogError> {
        match self.error {
            None => Ok(self.catalog),
            Some(error) => Err(error),
        }
    }
}

/// Their names, or what is wrong with them.
impl fmt::Debug for Entities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => f
                .debug_set()
                .entries(self.catalog.types().map(|def| &def.name))
                .finish(),
            Some(error) => f.debug_tuple("Entities").field(error).finish(),
        }
    }
}

impl TryFrom<Entities> for Catalog {
    type Error = CatalogError;

    fn try_from(entities: Entities) -> Result<Self, CatalogError> {
        entities.build()
    }
}
