//! The program's own commands, one file each.

mod backup;
mod call;
pub mod completions;
mod config;
mod deploy;
mod dev;
mod entities;
mod hash;
mod inspect;
mod log;
mod modules;
mod new;
pub(crate) mod serve;
mod telling;
mod test;
mod token;
mod types;

use crate::command::ExtraCommand;

/// All of them, in the order of `--help`.
pub fn all() -> Vec<ExtraCommand> {
    vec![
        dev::dev(),
        serve::serve(),
        new::new(),
        types::types(),
        test::test(),
        deploy::deploy(),
        modules::modules(),
        modules::rollback(),
        modules::undeploy(),
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
