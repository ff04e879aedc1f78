//! Modules in JavaScript and TypeScript, through a real engine: what entities can do, what modules may not,
//! and that limits hold.

mod arguments;
mod calls;
mod comes_back;
mod context;
mod dates;
mod exports;
mod json;
mod library;
mod limits;
mod module_state;
mod private;
mod refused;
mod rules;
mod script;
mod stack;
mod stripping;
mod texts;
mod told;
mod types;
mod versions;
mod work;
mod world;
