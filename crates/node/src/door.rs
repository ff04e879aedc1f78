//! The door: everything that can be said of a request before it is queued is said here, on the
//! caller's thread, so that what is refused costs the executor nothing and leaves no trace.

use ordain_engine::{Args, ArgumentError, Catalog, Decoded, MethodDef};
use ordain_types::id::check_caller;
use ordain_types::near::near;
use ordain_types::{
    Call, EntityId, IdempotencyKey, MethodKind, NameError, RequestError, RequestParts, limits,
};

use crate::reply::Unavailable;

/// Why a request was refused. Nothing ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A key or name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No such entity type.
    #[error("no entity type is named `{name}`{}", near_text(near))]
    UnknownEntity {
        /// As asked for.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// No such method.
    #[error("the entity type `{entity}` has no method `{name}`{}", near_text(near))]
    UnknownMethod {
        /// The entity type.
        entity: String,
        /// As asked for.
        name: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// A query was asked to run an update.
    #[error("`{entity}.{method}` is an update; call it instead of querying it")]
    NotAQuery {
        /// The entity type.
        entity: String,
        /// The method.
        method: String,
    },
    /// A query was asked to be sent.
    #[error("`{entity}.{method}` is a query; ask it instead of sending it")]
    NotAnUpdate {
        /// The entity type.
        entity: String,
        /// The method.
        method: String,
    },
    /// Arguments that do not fit.
    #[error("{0}")]
    Argument(ArgumentError),
    /// Too many bytes of arguments.
    #[error("the arguments have {bytes} bytes, more than the limit of {limit}")]
    ArgumentBytes {
        /// As given.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// A delay longer than sends may have.
    #[error(
        "a delay of {delay_ms} ms is more than the limit of {} ms",
        limits::SEND_DELAY_MS_MAX
    )]
    Delay {
        /// As given.
        delay_ms: u64,
    },
    /// The queue is full.
    #[error("overloaded: {waiting} requests wait already; try again in {retry_after_ms} ms")]
    Overloaded {
        /// Requests that wait.
        waiting: usize,
        /// When it may be worth trying again.
        retry_after_ms: u64,
    },
    /// Nothing runs, or no updates do.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

fn near_text(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!(" (did you mean {}?)", near.join(" or ")),
    }
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Name(error) => Refused::Name(error),
            RequestError::Args { .. } => Refused::Argument(ArgumentError {
                field: None,
                message: error.to_string(),
            }),
        }
    }
}

impl Refused {
    /// A query was asked to be sent.
    pub fn not_an_update(call: &Call) -> Self {
        Self::NotAnUpdate {
            entity: call.entity.ty.to_string(),
            method: call.method.to_string(),
        }
    }

    /// A query was asked to run an update.
    pub fn not_a_query(call: &Call) -> Self {
        Self::NotAQuery {
            entity: call.entity.ty.to_string(),
            method: call.method.to_string(),
        }
    }
}

/// A call, or with a delay a send, that is refused as methods and their parameters are now. With an idempotency
/// key it may be a retry of what ran when they were others.
pub struct Past {
    /// With arguments as the caller spelled them.
    pub call: Call,
    /// Of a send.
    pub delay_ms: Option<u64>,
    /// What there is to say if it was not answered before.
    pub refused: Refused,
}

impl Past {
    /// What is asked in the place of what was refused.
    ///
    /// # Errors
    /// The refusal, if it says nothing of what methods there are: it would have been the same before.
    pub fn of(call: Call, delay_ms: Option<u64>, refused: Refused) -> Result<Box<Self>, Refused> {
        let of_methods = matches!(
            refused,
            Refused::UnknownEntity { .. }
                | Refused::UnknownMethod { .. }
                | Refused::NotAnUpdate { .. }
                | Refused::Argument(_)
        );
        match of_methods && call.idempotency_key.is_some() {
            true => Ok(Box::new(Self {
                call,
                delay_ms,
                refused,
            })),
            false => Err(refused),
        }
    }
}

/// Checks that a query still is one: its method may have become an update while it waited.
///
/// # Errors
/// If it is none.
pub(crate) fn check_query(catalog: &Catalog, call: &Call) -> Result<(), Refused> {
    let def = find(catalog, call.entity.ty.as_str(), call.method.as_str())?;
    match def.kind {
        MethodKind::Query => Ok(()),
        MethodKind::Update => Err(Refused::not_a_query(call)),
    }
}

/// A call that passed the door.
pub struct Accepted {
    /// With arguments in the method's own spelling.
    pub call: Box<Call>,
    /// Decoded.
    pub args: Args,
    /// Whether the method may write.
    pub kind: MethodKind,
}

/// Checks a call: the type and method exist, the arguments fit.
///
/// # Errors
/// What does not.
pub fn accept(
    catalog: &Catalog,
    entity: EntityId,
    method: &str,
    args: &[u8],
    caller: &str,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<Accepted, Refused> {
    let def = find(catalog, entity.ty.as_str(), method)?;
    check(args, caller)?;
    let decoded = def.run.accept(args).map_err(Refused::Argument)?;
    Ok(accepted(def, entity, decoded, caller, idempotency_key))
}

/// The same for a call that a program made of its types: what is at hand is not read.
///
/// # Errors
/// What does not fit.
pub fn accept_parts(
    catalog: &Catalog,
    parts: RequestParts,
    caller: &str,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<Accepted, Refused> {
    let def = find(catalog, parts.entity.ty.as_str(), parts.method.as_str())?;
    check(&parts.args, caller)?;
    let ready = parts.ready.into_inner();
    let decoded = match ready.filter(|args| def.run.takes(args)) {
        Some(args) => Decoded {
            args,
            canonical: parts.args,
        },
        None => def.run.accept(&parts.args).map_err(Refused::Argument)?,
    };
    Ok(accepted(
        def,
        parts.entity,
        decoded,
        caller,
        idempotency_key,
    ))
}

fn check(args: &[u8], caller: &str) -> Result<(), Refused> {
    let (bytes, limit) = (args.len(), limits::ARGUMENT_BYTES_MAX);
    if bytes > limit {
        return Err(Refused::ArgumentBytes { bytes, limit });
    }
    Ok(check_caller(caller)?)
}

fn accepted(
    def: &MethodDef,
    entity: EntityId,
    decoded: Decoded,
    caller: &str,
    idempotency_key: Option<IdempotencyKey>,
) -> Accepted {
    let call = Call {
        entity,
        method: def.name.clone(),
        args: decoded.canonical,
        caller: caller.to_owned(),
        idempotency_key,
    };
    Accepted {
        call: Box::new(call),
        args: decoded.args,
        kind: def.kind,
    }
}

fn find<'a>(catalog: &'a Catalog, ty: &str, method: &str) -> Result<&'a MethodDef, Refused> {
    let Some(index) = catalog.index(ty) else {
        let names = catalog.types().map(|def| def.name.as_str());
        return Err(Refused::UnknownEntity {
            name: ty.to_owned(),
            near: near(ty, names),
        });
    };
    let def = catalog.get(index);
    def.method(method).map(|(_, method)| method).ok_or_else(|| {
        let names = def.methods.iter().map(|method| method.name.as_str());
        Refused::UnknownMethod {
            entity: ty.to_owned(),
            name: method.to_owned(),
            near: near(method, names),
        }
    })
}
