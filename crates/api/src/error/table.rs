//! The one table of public codes: code, status, kind, title. `docs/errors.md` has an entry for
//! each; a test compares the two.

use serde::{Deserialize, Serialize};

/// Who says no, and so what is known about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The method said no. The call ran and everything it did is undone. The code is the method's.
    Rejection,
    /// The call broke a limit or crashed, and everything it did is undone.
    Fault,
    /// The request was not accepted, and nothing ran. The same request will fare no better.
    Refused,
    /// The server could not answer. Try again; unless the code's entry says that nothing ran, only
    /// with the same idempotency key.
    Unavailable,
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal, $status:literal, $kind:ident, $title:literal;)+) => {
        /// A public error code. The names are stable: they are only ever added to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in the table's order.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The code as programs see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)+ }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)+ }
            }

            /// Who says no.
            pub fn kind(self) -> Kind {
                match self { $(Code::$variant => Kind::$kind,)+ }
            }

            /// What the code means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)+ }
            }

            /// The help entry, as a reference relative to the server.
            pub fn help(self) -> &'static str {
                match self { $(Code::$variant => concat!("/docs/errors.md#", $name),)+ }
            }
        }
    };
}

codes! {
    /// Not JSON.
    MalformedJson = "malformed_json", 400, Refused, "The body is not well-formed JSON";
    /// JSON nested deeper than the limit.
    JsonTooDeep = "json_too_deep", 400, Refused, "The JSON nests too deep";
    /// A key that is empty, too long, holds a control character or is badly encoded.
    BadKey = "bad_key", 400, Refused, "The key is not a valid key";
    /// The name of an entity type or method that no such thing can have.
    BadName = "bad_name", 400, Refused, "The name is not a valid name";
    /// An argument is missing, unknown or of the wrong type.
    BadArgument = "bad_argument", 400, Refused, "An argument does not fit the method";
    /// A header, query parameter, line or frame that is not what it should be.
    BadRequest = "bad_request", 400, Refused, "The request is not of the documented form";
    /// A query parameter that the endpoint does not have.
    UnknownQueryParameter = "unknown_query_parameter", 400, Refused, "The endpoint has no such query parameter";
    /// A query of an update, or a send of a query.
    WrongMethodKind = "wrong_method_kind", 400, Refused, "The method is not of the kind asked for";
    /// Sources of a module that do not compile.
    ModuleSource = "module_source", 400, Refused, "The module does not compile";
    /// A module that breaks a rule of modules.
    ModuleInvalid = "module_invalid", 400, Refused, "The module breaks a rule of modules";
    /// No or unknown credentials.
    Unauthenticated = "unauthenticated", 401, Refused, "A valid bearer token is needed";
    /// Credentials without the scope that is needed.
    Forbidden = "forbidden", 403, Refused, "The token lacks a scope";
    /// A Host header that does not name this server.
    BadHost = "bad_host", 403, Refused, "The Host header does not name this server";
    /// A request from another site's page.
    BadOrigin = "bad_origin", 403, Refused, "Requests from this origin are not allowed";
    /// No entity type of this name.
    UnknownEntity = "unknown_entity", 404, Refused, "There is no such entity type";
    /// No method of this name.
    UnknownMethod = "unknown_method", 404, Refused, "The entity type has no such method";
    /// No module of this name.
    UnknownModule = "unknown_module", 404, Refused, "There is no such module";
    /// No such version of the module, or none any more.
    UnknownVersion = "unknown_version", 404, Refused, "The module has no such version";
    /// No such route or invocation.
    NotFound = "not_found", 404, Refused, "There is nothing at this address";
    /// The route exists, not with this HTTP method.
    MethodNotAllowed = "method_not_allowed", 405, Refused, "The route does not take this HTTP method";
    /// The request did not arrive in time.
    RequestTimeout = "request_timeout", 408, Refused, "The request did not arrive in time";
    /// The key was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", 409, Refused, "The idempotency key was used for another request";
    /// An entity type of the module belongs to another.
    ModuleClash = "module_clash", 409, Refused, "An entity type belongs to another module";
    /// An update would become a query.
    MethodKind = "method_kind", 409, Refused, "An update would become a query";
    /// The module could not read states that are there.
    StateVersion = "state_version", 409, Refused, "The module could not read states that are there";
    /// State would be out of reach.
    HoldsState = "holds_state", 409, Refused, "State would be left behind";
    /// A package that this program cannot run.
    ModuleUnusable = "module_unusable", 409, Refused, "The server cannot run the module's package";
    /// A program without a host for modules.
    NoModules = "no_modules", 409, Refused, "The server runs no modules";
    /// The query asks to see a seq that is not there yet.
    SeqNotReached = "seq_not_reached", 409, Unavailable, "The asked-for seq is not there yet";
    /// Larger than a limit.
    RequestTooLarge = "request_too_large", 413, Refused, "The request is too large";
    /// Not the media type of the endpoint.
    UnsupportedMediaType = "unsupported_media_type", 415, Refused, "The endpoint does not take this media type";
    /// The method said no. A problem of this kind carries the method's own code.
    Rejected = "rejected", 422, Rejection, "The method rejected the call";
    /// The queue is full.
    Overloaded = "overloaded", 429, Unavailable, "The server's queue is full";
    /// Another deployment is under way.
    Deploying = "deploying", 429, Unavailable, "Another deployment is under way";
    /// The transaction broke a limit or crashed. A problem of this kind carries the fault's own code.
    Fault = "fault", 500, Fault, "The call broke a limit or crashed";
    /// A defect of the server.
    Internal = "internal", 500, Unavailable, "The server failed";
    /// What the store reads is not what it wrote.
    StoreDamaged = "store_damaged", 500, Unavailable, "The server's store is damaged";
    /// The system does not let the store be read or written.
    StoreFailed = "store_failed", 500, Unavailable, "The server's store cannot be used";
    /// The log is being replayed.
    Starting = "starting", 503, Unavailable, "The server is starting";
    /// The server is finishing what it accepted.
    Stopping = "stopping", 503, Unavailable, "The server is stopping";
    /// There is no space for the log.
    DiskFull = "disk_full", 503, Unavailable, "The server's disk is full";
    /// The disk did not keep what was written.
    DiskFailed = "disk_failed", 503, Unavailable, "The server's disk failed";
    /// The node has ended, because it could not go on.
    Halted = "halted", 503, Unavailable, "The server's node has stopped";
    /// No more connections.
    TooManyConnections = "too_many_connections", 503, Unavailable, "The server has too many connections";
}

impl Code {
    /// The code of this name.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}
