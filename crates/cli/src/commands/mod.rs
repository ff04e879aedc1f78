//! The program's own commands, one file each.

mod backup;
mod call;
pub mod completions;
mod config;
mod entities;
mod hash;
mod inspect;
mod log;
pub(crate) mod serve;
mod telling;
mod token;

use crate::command::ExtraCommand;

/// All of them, in the order of `--help`.
pub fn all() -> Vec<ExtraCommand> {
    vec![
        serve::dev(),
        serve::serve(),
        call::call(),
        call::query(),
        call::send(),
        inspect::invocation(),
        inspect::get(),
        entities::entities(),
        hash::state_hash(),
        log::log(),
        backup::backup(),
        backup::restore(),
        token::token(),
        config::config(),
        completions::completions(),
    ]
}
