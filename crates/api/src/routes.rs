//! The fixed names of the HTTP API: paths, headers, query parameters, media types. Server,
//! clients and the OpenAPI document take them from here.

/// POST: call a method. Followed by `/{entity}/{key}/{method}`; [`crate::path`] writes and reads it.
pub const CALL: &str = "/v1/call";
/// GET or POST: run a query. Followed by `/{entity}/{key}/{method}`.
pub const QUERY: &str = "/v1/query";
/// POST: ask for a call later. Followed by `/{entity}/{key}/{method}`.
pub const SEND: &str = "/v1/send";
/// GET: how a send ended. Followed by `/{id}`.
pub const INVOCATIONS: &str = "/v1/invocations";
/// GET: the entity types; followed by `/{type}/{key}`: one entity's state.
pub const ENTITIES: &str = "/v1/entities";
/// POST: many calls as lines of JSON.
pub const BATCH: &str = "/v1/batch";
/// GET, WebSocket: many calls in flight.
pub const STREAM: &str = "/v1/stream";
/// GET: a hash over the whole state.
pub const STATE_HASH: &str = "/v1/admin/state-hash";
/// POST: take a checkpoint now.
pub const CHECKPOINT: &str = "/v1/admin/checkpoint";
/// GET: a backup of the whole state, taken while the server goes on.
pub const BACKUP: &str = "/v1/admin/backup";
/// GET: all modules; followed by `/{name}`: one (GET), deploy it (POST), take it out of force (DELETE).
pub const MODULES: &str = "/v1/admin/modules";
/// What follows a module's path to put an earlier version in force again. POST.
pub const ROLLBACK: &str = "rollback";
/// GET: the process is alive.
pub const HEALTH: &str = "/healthz";
/// GET: calls are answered.
pub const READY: &str = "/readyz";
/// GET: Prometheus metrics.
pub const METRICS: &str = "/metrics";
/// GET: the OpenAPI document.
pub const OPENAPI: &str = "/openapi.json";

/// Fields in one page of an entity's state, at most.
pub const PAGE_FIELDS_MAX: usize = 1_000;
/// Fields in one page of an entity's state unless asked otherwise.
pub const PAGE_FIELDS: usize = 100;

/// Request header: by which a retry of a call or send is known.
pub const HEADER_IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Reply header: the seq of an update; of a query, the last seq it saw.
pub const HEADER_SEQ: &str = "ordain-seq";
/// Reply header: `true` when the answer is that of an earlier request with the same idempotency key.
pub const HEADER_REPEATED: &str = "ordain-repeated";
/// Request header of a query, or of a look at a state: the seq it must see at least; as [`PARAM_MIN_SEQ`].
pub const HEADER_AT_LEAST: &str = "ordain-at-least";

/// Query parameter of a query, or of a look at a state: the seq it must see at least.
pub const PARAM_MIN_SEQ: &str = "min_seq";
/// Query parameter of a `GET` query: the arguments, one JSON object. Without it each is a parameter of
/// its own name.
pub const PARAM_ARGS: &str = "args";
/// Query parameter of a send: how long to wait, in milliseconds.
pub const PARAM_DELAY_MS: &str = "delay_ms";
/// Query parameter of an entity's state: only fields after this one.
pub const PARAM_AFTER: &str = "after";
/// Query parameter of an entity's state: how many fields at most.
pub const PARAM_LIMIT: &str = "limit";
/// Query parameter of a change of modules: entities of types that go may hold state, which stays.
pub const PARAM_KEEP_STATE: &str = "keep_state";
/// Query parameter of a deployment: change nothing, say what would change.
pub const PARAM_DRY_RUN: &str = "dry_run";
/// Query parameter of a rollback: the version to go back to.
pub const PARAM_TO: &str = "to";

/// JSON.
pub const MEDIA_JSON: &str = "application/json";
/// A WebAssembly component.
pub const MEDIA_WASM: &str = "application/wasm";
/// Lines of JSON.
pub const MEDIA_NDJSON: &str = "application/x-ndjson";
/// A backup.
pub const MEDIA_BACKUP: &str = "application/octet-stream";
/// What Prometheus reads.
pub const MEDIA_METRICS: &str = "application/openmetrics-text";

/// Scope: call, query and send.
pub const SCOPE_CALL: &str = "call";
/// Scope: query, read states, invocations and metrics.
pub const SCOPE_READ: &str = "read";
/// Scope: modules, checkpoints, hashes, backups, the traces of faults.
pub const SCOPE_ADMIN: &str = "admin";
