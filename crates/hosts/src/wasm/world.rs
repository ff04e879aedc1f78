//! The types of the world `ordain:runtime` as they cross, and its names.

use ordain_types::{FaultKind, Json};
use wasmtime::component::{ComponentType, Lift, Lower, WasmStr};

/// The version of the world, as a manifest says it.
pub(super) const SDK: &str = "0.1";
/// What a module exports.
pub(super) const ENTITIES: &str = "ordain:runtime/entities@0.1.0";
pub(super) const STATE: &str = "ordain:runtime/state@0.1.0";
pub(super) const FIELDS: &str = "ordain:runtime/fields@0.1.0";
pub(super) const CALLS: &str = "ordain:runtime/calls@0.1.0";
pub(super) const CONTEXT: &str = "ordain:runtime/context@0.1.0";
pub(super) const LOG: &str = "ordain:runtime/log@0.1.0";
/// What the others share; it has no functions.
pub(super) const TYPES: &str = "ordain:runtime/types@0.1.0";

#[derive(Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Rejection {
    pub code: String,
    pub message: String,
    pub details: Option<String>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Bound {
    #[component(name = "unbounded")]
    Unbounded,
    #[component(name = "included")]
    Included(WasmStr),
    #[component(name = "excluded")]
    Excluded(WasmStr),
}

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes them by their number")]
pub(super) enum Raised {
    #[component(name = "panic")]
    Panic,
    #[component(name = "exception")]
    Exception,
    #[component(name = "arguments")]
    Arguments,
    #[component(name = "bad-key")]
    BadKey,
    #[component(name = "unknown-entity")]
    UnknownEntity,
    #[component(name = "unknown-method")]
    UnknownMethod,
    #[component(name = "stored-value")]
    StoredValue,
    #[component(name = "encoding")]
    Encoding,
    #[component(name = "scan-rows")]
    ScanRows,
    #[component(name = "module-state")]
    ModuleState,
}

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes them by their number")]
pub(super) enum Kind {
    #[component(name = "query")]
    Query,
    #[component(name = "update")]
    Update,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(super) struct Param {
    pub name: String,
    pub schema: String,
    pub required: bool,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(super) struct Method {
    pub name: String,
    pub kind: Kind,
    pub params: Option<Vec<Param>>,
    pub returns: String,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(super) struct EntityType {
    pub name: String,
    pub version: u32,
    pub migrates: bool,
    pub methods: Vec<Method>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(super) struct Manifest {
    pub sdk: String,
    pub entities: Vec<EntityType>,
    pub reuse: bool,
}

impl From<Raised> for FaultKind {
    fn from(raised: Raised) -> Self {
        match raised {
            Raised::Panic => Self::Panic,
            Raised::Exception => Self::Exception,
            Raised::Arguments => Self::Arguments,
            Raised::BadKey => Self::BadKey,
            Raised::UnknownEntity => Self::UnknownEntity,
            Raised::UnknownMethod => Self::UnknownMethod,
            Raised::StoredValue => Self::StoredValue,
            Raised::Encoding => Self::Encoding,
            Raised::ScanRows => Self::ScanRows,
            Raised::ModuleState => Self::ModuleState,
        }
    }
}

impl From<ordain_types::Rejection> for Rejection {
    fn from(rejection: ordain_types::Rejection) -> Self {
        Self {
            code: rejection.code,
            message: rejection.message,
            details: rejection.details.map(|json| text(&json)),
        }
    }
}

/// JSON as text. What is no UTF-8 never came to be an argument, a value or a state.
pub(super) fn text(json: &Json) -> String {
    // Quicker than to look for what is no text at once.
    match std::str::from_utf8(json) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(json).into_owned(),
    }
}
