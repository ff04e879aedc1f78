//! Every bound of the engine, in one place, with the relations between them proved at compile time.
//!
//! Limits are part of the executor's meaning: a transaction that breaks one ends in a fault, and a
//! replay must break it at the same place. Changing one is a change of [`EXECUTOR_VERSION`].

/// The executor's semantic version: what a replay relies on beside the methods' own code.
pub const EXECUTOR_VERSION: u32 = 9;

/// Bytes of UTF-8 in an entity's key.
pub const KEY_BYTES_MAX: usize = 512;
/// Bytes in the name of an entity type or a method.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of UTF-8 in a field's key.
pub const FIELD_KEY_BYTES_MAX: usize = 512;
/// Bytes of UTF-8 in an idempotency key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

/// Bytes in the name of who calls: of a token, or of the entity that sent.
pub const CALLER_BYTES_MAX: usize = 1_024;

/// Nested calls on the stack of one transaction.
pub const CALL_DEPTH_MAX: usize = 64;
/// Calls one transaction may make, the outermost included.
pub const CALLS_MAX: usize = 10_000;
/// Bytes one transaction may write: states and fields, each write counted with its key and
/// [`WRITE_BYTES`].
pub const WRITTEN_BYTES_MAX: usize = 16 << 20;
/// Bytes that a write counts beside its key and value: what it costs to keep and to undo, however small
/// it is. Without it a transaction of many tiny writes would hold many times the limit.
pub const WRITE_BYTES: usize = 128;
/// Bytes of one encoded state or field value, or of one result.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Bytes of one call's encoded arguments.
pub const ARGUMENT_BYTES_MAX: usize = 1 << 20;
/// Sends one transaction may ask for.
pub const SENDS_MAX: usize = 1_000;
/// Sends that may wait for their delivery, in the whole system.
pub const SENDS_PENDING_MAX: usize = 1_000_000;
/// Rows one scan of fields may return.
pub const SCAN_ROWS_MAX: usize = 10_000;
/// Bytes one scan of fields may return, keys and values.
pub const SCAN_BYTES_MAX: usize = 8 << 20;
/// Bytes one transaction may read: fields and scans of them with their keys, and for each call the
/// state of the entity called. It bounds what a transaction can hold, and how long it can hold up all
/// others.
pub const READ_BYTES_MAX: usize = 256 << 20;
/// Bytes of a rejection's or a fault's message; a longer one is cut at a character.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Bytes of what one transaction may say to the server's log, each line counted with [`WRITE_BYTES`];
/// what passes it is not said.
pub const LOG_BYTES_MAX: usize = 64 << 10;
/// Bytes of a rejection's code.
pub const CODE_BYTES_MAX: usize = 64;
/// How deep JSON may nest.
pub const JSON_DEPTH_MAX: usize = 64;
/// The longest delay of a send, in milliseconds: ten years of 365 days.
pub const SEND_DELAY_MS_MAX: u64 = 10 * 365 * 24 * 3_600_000;
/// Expired answers removed by one command: keeps forgetting cheaper than remembering.
pub const EXPIRIES_PER_COMMAND: usize = 4;

/// Bytes of one module: its files with their paths.
pub const MODULE_BYTES_MAX: usize = 64 << 20;
/// Files of one module.
pub const MODULE_FILES_MAX: usize = 1_000;
/// Bytes of the path of a file of a module.
pub const MODULE_PATH_BYTES_MAX: usize = 256;
/// Bytes of one file of JavaScript or TypeScript.
pub const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// How deep expressions and statements may nest in such a file.
pub const SCRIPT_DEPTH_MAX: usize = 10_000;
/// Modules in force at a time.
pub const MODULES_MAX: usize = 10_000;
/// Versions of one module that are kept to go back to; older ones are forgotten.
pub const MODULE_VERSIONS_MAX: usize = 100;
/// Entity types there are at a time, those of all modules and of the program.
pub const ENTITY_TYPES_MAX: usize = 60_000;
/// Methods of one entity type of a module.
pub const METHODS_MAX: usize = 1_000;

/// Ticks of the JavaScript interpreter in one transaction, all calls together: each stands for ten thousand steps
/// into a function or in a loop, a turn of which is one with `do … while` and two with `for` and `while`; or for as
/// much work of a built-in function. Of the order of a tenth of a second, in which everyone else waits.
pub const JAVASCRIPT_TICKS_MAX: u64 = 1_000;
/// Bytes that JavaScript may take in one call from outside it, beside what its modules hold.
pub const JAVASCRIPT_MEMORY_BYTES_MAX: usize = 64 << 20;
/// Bytes of stack that JavaScript may use from where it is entered first; and a module's start as many, from where it begins.
pub const JAVASCRIPT_STACK_BYTES_MAX: usize = 1 << 20;
/// Bytes of stack that a thread needs on which JavaScript runs.
pub const JAVASCRIPT_THREAD_STACK_BYTES_MIN: usize = 4 << 20;

/// Fuel of the WebAssembly modules of one transaction, all calls together: an instruction is about one. Of the order of a
/// tenth of a second, in which everyone else waits.
pub const WASM_FUEL_MAX: u64 = 200_000_000;
/// Fuel of a function that a WebAssembly module imports, beside what its instructions take: what it costs the engine.
pub const WASM_FUNCTION_FUEL: u64 = 500;
/// Bytes that a WebAssembly module gives to or takes from such a function for one of fuel.
pub const WASM_BYTES_PER_FUEL: u64 = 4;
/// Fuel of a byte that is read as JSON besides: states, fields, arguments and values, where a module gives them.
pub const WASM_FUEL_PER_JSON_BYTE: u64 = 4;
/// Fuel of a byte of the tables, globals and elements of a WebAssembly module, for each instance that starts.
pub const WASM_FUEL_PER_START_BYTE: u64 = 32;
/// Bytes that a WebAssembly module may give in one crossing, all texts and lists together.
pub const WASM_CROSSING_BYTES_MAX: usize = 8 << 20;
/// Bytes of the memory of one instance of a WebAssembly module.
pub const WASM_MEMORY_BYTES_MAX: usize = 64 << 20;
/// Bytes of the memory and tables of all instances of one transaction.
pub const WASM_TRANSACTION_MEMORY_BYTES_MAX: usize = 256 << 20;
/// Elements of one table.
pub const WASM_TABLE_ELEMENTS_MAX: usize = 65_536;
/// Core modules, and tables, of one component.
pub const WASM_MODULES_PER_COMPONENT_MAX: usize = 64;
/// Results of one function or block of a component's code.
pub const WASM_RESULTS_MAX: usize = 16;
/// Functions of all core modules of one component.
pub const WASM_FUNCTIONS_MAX: usize = 100_000;
/// Types of components and instances that a component writes within each other.
pub const WASM_TYPES_DEPTH_MAX: usize = 100;
/// Bytes of native stack of one call into a WebAssembly module.
pub const WASM_STACK_BYTES_MAX: usize = 512 << 10;
/// Instances of one transaction that wait for its next call.
pub const WASM_IDLE_MAX: usize = 32;
/// Instances of WebAssembly modules in one process: what a transaction has at its deepest, what waits, and some that are
/// asked what they bring.
pub const WASM_INSTANCES_MAX: usize = 256;

/// Commands in one batch.
pub const BATCH_COMMANDS_MAX: usize = 8_192;
/// Bytes of commands after which a batch is full. One command more may pass it.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

const _: () = assert!(VALUE_BYTES_MAX <= WRITTEN_BYTES_MAX);
const _: () = assert!(VALUE_BYTES_MAX + FIELD_KEY_BYTES_MAX <= SCAN_BYTES_MAX);
const _: () = assert!(SCAN_BYTES_MAX <= READ_BYTES_MAX);
const _: () = assert!(CALL_DEPTH_MAX <= CALLS_MAX);
// The calls, the start of a module that the deepest of them calls first, and what lies between and passes.
const _: () = assert!(3 * JAVASCRIPT_STACK_BYTES_MAX <= JAVASCRIPT_THREAD_STACK_BYTES_MIN);
const _: () = assert!(16 * VALUE_BYTES_MAX <= JAVASCRIPT_MEMORY_BYTES_MAX / 2);
const _: () = assert!(NAME_BYTES_MAX + 1 + KEY_BYTES_MAX <= CALLER_BYTES_MAX);
const _: () = assert!(ARGUMENT_BYTES_MAX <= BATCH_BYTES_MAX);
const _: () = assert!(SENDS_MAX <= SENDS_PENDING_MAX);
const _: () = assert!(EXPIRIES_PER_COMMAND > 2);
const _: () = assert!(WASM_CROSSING_BYTES_MAX >= 4 * VALUE_BYTES_MAX);
const _: () = assert!(WASM_CROSSING_BYTES_MAX >= 4 * ARGUMENT_BYTES_MAX);
// A transaction may write all that it may as JSON, and has fuel left.
const _: () = assert!(WASM_FUEL_PER_JSON_BYTE * (WRITTEN_BYTES_MAX as u64) < WASM_FUEL_MAX / 2);
const _: () = assert!(VALUE_BYTES_MAX * 16 <= WASM_MEMORY_BYTES_MAX);
const _: () = assert!(WASM_MEMORY_BYTES_MAX <= WASM_TRANSACTION_MEMORY_BYTES_MAX);
const _: () = assert!(METHODS_MAX < u16::MAX as usize);
