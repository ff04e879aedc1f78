//! Entities in Rust: what an application adds.
//!
//! An entity type is a type of yours with an [`entity`] block of methods. Its value is the state of one
//! entity, addressed by type and key (`account/alice`); every entity exists, and before its first write
//! its state is the type's default. A call from outside is one strictly serializable, durable
//! transaction, with everything it calls.
//!
//! ```
//! use ordain::prelude::*;
//!
//! #[derive(Default, Clone, Serialize, Deserialize)]
//! struct Account {
//!     balance: i64,
//! }
//!
//! #[entity]
//! impl Account {
//!     fn deposit(&mut self, amount: i64) -> Result<i64> {
//!         self.balance += amount;
//!         Ok(self.balance)
//!     }
//!
//!     fn withdraw(&mut self, amount: i64) -> Result<i64> {
//!         ensure!(self.balance >= amount, "insufficient_funds", "balance is {}", self.balance);
//!         self.balance -= amount;
//!         Ok(self.balance)
//!     }
//!
//!     #[query]
//!     fn balance(&self) -> Result<i64> {
//!         Ok(self.balance)
//!     }
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Bank;
//!
//! #[entity]
//! impl Bank {
//!     fn transfer(cx: &mut Context, from: Key, to: Key, amount: i64) -> Result<()> {
//!         cx.entity::<Account>(&from).withdraw(amount)?;
//!         cx.entity::<Account>(&to).deposit(amount)?; // either both happen or neither
//!         Ok(())
//!     }
//! }
//!
//! let entities = ordain::entities![Account, Bank];
//! # entities.build().unwrap();
//! ```
//!
//! # The forms of a method
//!
//! | | signature | |
//! |---|---|---|
//! | update | `fn f(&mut self, …)` | its state alone; calls no one |
//! | | `fn f(cx: &mut Context<Self>, …)` | state by [`Context::state_mut`], and calls, sends, fields |
//! | | `fn f(&mut self, cx: &mut Context, …)` | the same, and holds its state meanwhile |
//! | query | `#[query] fn f(&self, …)` | its state alone |
//! | | `#[query] fn f(cx: &mut QueryContext<Self>, …)` | state by [`QueryContext::state`], and queries |
//! | | `#[query] fn f(&self, cx: &mut QueryContext, …)` | the same, and holds its state meanwhile |
//!
//! Parameters and results are any serde types that own their data; on the wire the arguments are one
//! JSON object of names and values. A method returns a [`Result`]: a [`Rejection`] undoes all that the
//! method did, and what it called; who called it may go on.
//!
//! # Calls that come back
//!
//! A call may come back to an entity that is on the stack already, and sees what the transaction wrote.
//! Nothing a method holds can then overwrite what the inner call wrote: with `self` alone a method calls
//! no one; through `cx.state_mut()` no reference lives across a call (the borrow checker sees to it); and
//! a method that takes both `self` and a context *holds* its state, so that a call that comes back is a
//! fault, `entity_held`, whose message says to take `cx: &mut Context<Self>` instead. Hold it where no one
//! comes back, for the convenience.
//!
//! # What a method must not do
//!
//! Its outcome must follow from the log alone, for it will be replayed: time, chance and ids come from
//! the context, never from the machine; no statics that change, no threads, files or network; no
//! iteration over a `HashMap`, in the state least of all. A state's `Serialize` and `Deserialize` must be
//! each other's inverse: a `#[serde(skip)]` field would differ between a state that stayed in memory and
//! one that was read back. Deriving `Clone` for a state is worth it: it is copied before its first write
//! in each call, through JSON where it is not `Clone`.

extern crate self as ordain;

mod context;
mod export;
mod fields;
#[cfg(target_arch = "wasm32")]
mod guest;
/// The allocator of modules, which is tested here.
#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "guest/memory.rs"]
mod memory;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod reject;

/// What methods stand on: the engine in this program, or the one that a module is deployed to.
#[cfg(target_arch = "wasm32")]
use guest as ground;
#[cfg(not(target_arch = "wasm32"))]
use native as ground;

pub mod prelude;

pub use context::{Context, QueryContext};
pub use fields::{Field, FieldMut, Fields};
pub use ground::{Entities, Entity};
pub use ordain_macros::entity;
#[cfg(not(target_arch = "wasm32"))]
pub use ordain_node::{
    Backup, BackupError, Body, CallError, CallOptions, Clock, Health, Heard, Invocation,
    InvocationStatus, Listener, LogLine, Node, OpenError, Options, Pipeline, Received, Recovered,
    Refused, Reply, StoreTrouble, SystemClock, TestNode, Told, Unavailable, VirtualClock, restore,
};
pub use ordain_types::{
    EntityId, Fault, FaultKind, IdempotencyKey, Key, NameError, Outcome, Rejection, Request,
    RequestError, SendId, Seq, Timestamp,
};
pub use ordain_values::{IntoKey, WithDetails};
pub use serde_json::json;

#[cfg(not(target_arch = "wasm32"))]
pub mod embedded;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

/// The whole command line with these entities in it: `serve`, `dev`, `call`, `log`, `backup` and
/// the others of `docs/cli.md`. All that a server of your own needs:
///
/// ```no_run
/// use ordain::prelude::*;
///
/// #[derive(Default, Clone, Serialize, Deserialize)]
/// struct Counter(u64);
///
/// #[entity]
/// impl Counter {
///     fn add(&mut self, count: u64) -> Result<u64> {
///         self.0 += count;
///         Ok(self.0)
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     ordain::main(ordain::entities![Counter])
/// }
/// ```
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub fn main(entities: Entities) -> std::process::ExitCode {
    ordain_cli::run_hosting(entities, hosting(), Vec::new())
}

/// What runs modules in this program: those of the languages whose features it was built with.
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub fn hosting() -> ordain_cli::Hosting {
    ordain_cli::Hosting {
        modules: std::sync::Arc::new(ordain_hosts::Hosts::default()),
        #[cfg(feature = "javascript")]
        types: ordain_hosts::javascript::TYPES,
        #[cfg(not(feature = "javascript"))]
        types: "",
        #[cfg(feature = "javascript")]
        tests: Some(std::sync::Arc::new(
            ordain_hosts::javascript::JavaScript::new(),
        )),
        #[cfg(not(feature = "javascript"))]
        tests: None,
    }
}

/// The client of a running server.
#[cfg(all(feature = "server", not(target_arch = "wasm32")))]
pub use ordain_client as client;

/// What a method returns: its value, or the rejection that undoes it.
pub type Result<T, E = Rejection> = std::result::Result<T, E>;

/// What the code that `#[entity]` writes refers to. No one else should.
#[doc(hidden)]
pub mod __private {
    pub use ordain_types::{MethodKind, Request};
    pub use ordain_values::{
        Address, ByClone, ByPlain, Cloned, IntoKey, MethodResult, NotByClone, NotPlain, Plainly,
        from_json,
    };
    pub use serde;

    pub use crate::context::{Context, QueryContext};
    pub use crate::ground::{
        Entity, Link, Migrate, Tx, TypeDef, define, held, held_mut, method, param, state, state_mut,
    };
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::{Module, world};
}

/// The code in the documentation, kept true.
#[cfg(doctest)]
mod documentation {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/entities.md")]
    struct Entities;
}
