//! What the `#[entity]` macro implements for a type, and the list of a module's entity types.

use ordain_types::Json;
use ordain_values::to_json;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::link::Link;
use super::method::MethodDef;

/// Makes a state of one of another version: its JSON, and that version.
pub type Migrate<E> = fn(&[u8], u32) -> Result<E, String>;

/// An entity type written in Rust: the type of its root value, with its methods. Implemented by
/// `#[entity]`, never by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity type",
    note = "an entity type has `#[entity]` on the `impl` block with its methods"
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

    /// Its methods.
    fn define() -> TypeDef;

    #[doc(hidden)]
    fn __clone(&self) -> Option<Self>;
    #[doc(hidden)]
    fn __handle(link: Link<'_>) -> Self::Handle<'_>;
    #[doc(hidden)]
    fn __query_handle(link: Link<'_>) -> Self::QueryHandle<'_>;
}

/// An entity type with its methods.
pub struct TypeDef {
    pub(super) methods: Vec<MethodDef>,
}

/// The definition of `E` with these methods.
pub fn define<E: Entity>(methods: Vec<MethodDef>) -> TypeDef {
    TypeDef { methods }
}

/// The JSON of a state, made of that of another version.
fn migrate<E: Entity>(json: &str, from: u32) -> Result<Json, String> {
    let Some(migrate) = E::MIGRATE else {
        return Err(format!("the entity type `{}` does not migrate", E::TYPE));
    };
    let state = migrate(json.as_bytes(), from)?;
    to_json(&state).map_err(|error| error.to_string())
}

/// The entity types of a module.
#[derive(Default)]
#[must_use = "a list of entity types does nothing until it is exported"]
pub struct Entities(pub(super) Vec<Listed>);

/// An entity type, defined when it is asked for: an instance may live for one call.
pub(super) struct Listed {
    pub name: &'static str,
    pub define: fn() -> TypeDef,
    pub version: u32,
    pub migrates: bool,
    pub migrate: fn(&str, u32) -> Result<Json, String>,
}

impl Entities {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// And `E`.
    pub fn with<E: Entity>(mut self) -> Self {
        self.0.push(Listed {
            name: E::TYPE,
            define: E::define,
            version: E::VERSION,
            migrates: E::MIGRATE.is_some(),
            migrate: migrate::<E>,
        });
        self
    }

    /// And all of another list.
    pub fn and(mut self, others: Entities) -> Self {
        self.0.extend(others.0);
        self
    }
}
