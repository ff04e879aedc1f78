//! What a workload's methods are written in: Rust in this program, or a module that the bench deploys. The
//! modules of the examples are in the program.

use anyhow::Context as _;
use bytes::Bytes;
use clap::ValueEnum;
use ordain::Node;
use ordain_node::ChangeOptions;
use ordain_types::module::File;
use ordain_types::{ModuleName, Source};
use serde::Serialize;

use crate::words::What;

/// What methods are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Rust, compiled into this program
    Rust,
    /// TypeScript, deployed as a module
    Ts,
    /// A WebAssembly component, deployed as a module
    Wasm,
    /// The same, with instances that serve many transactions
    WasmReuse,
}

/// A module of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// What it is deployed as.
    pub name: &'static str,
    /// Its file.
    pub file: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

/// The applications that are there in TypeScript.
const SCRIPTS: &[(What, Module)] = &[
    (
        What::Transfer,
        script(
            "bank",
            "bank.ts",
            include_bytes!("../../../examples/bank.ts"),
        ),
    ),
    (
        What::Smallbank,
        script(
            "smallbank",
            "smallbank.ts",
            include_bytes!("../../../examples/smallbank.ts"),
        ),
    ),
    (
        What::Marketplace,
        script(
            "marketplace",
            "marketplace.ts",
            include_bytes!("../../../examples/marketplace.ts"),
        ),
    ),
    (
        What::Travel,
        script(
            "travel",
            "travel.ts",
            include_bytes!("../../../examples/travel.ts"),
        ),
    ),
    (
        What::Movie,
        script(
            "movie",
            "movie.ts",
            include_bytes!("../../../examples/movie.ts"),
        ),
    ),
    (
        What::Retwis,
        script(
            "retwis",
            "retwis.ts",
            include_bytes!("../../../examples/retwis.ts"),
        ),
    ),
];

/// Those that are there as WebAssembly components.
const COMPONENTS: &[(What, Module)] = &[
    (
        What::Transfer,
        script(
            "transfer",
            "transfer.wasm",
            include_bytes!("../../hosts/tests/fixtures/transfer.wasm"),
        ),
    ),
    (
        What::Smallbank,
        script(
            "smallbank",
            "smallbank.wasm",
            include_bytes!("../../hosts/tests/fixtures/smallbank.wasm"),
        ),
    ),
    (
        What::Marketplace,
        script(
            "marketplace",
            "marketplace.wasm",
            include_bytes!("../../hosts/tests/fixtures/marketplace.wasm"),
        ),
    ),
    (
        What::Travel,
        script(
            "travel",
            "travel.wasm",
            include_bytes!("../../hosts/tests/fixtures/travel.wasm"),
        ),
    ),
    (
        What::Movie,
        script(
            "movie",
            "movie.wasm",
            include_bytes!("../../hosts/tests/fixtures/movie.wasm"),
        ),
    ),
    (
        What::Retwis,
        script(
            "retwis",
            "retwis.wasm",
            include_bytes!("../../hosts/tests/fixtures/retwis.wasm"),
        ),
    ),
];

/// Those whose instances serve many transactions.
const REUSED: &[(What, Module)] = &[(
    What::Transfer,
    script(
        "transfer",
        "transfer_reuse.wasm",
        include_bytes!("../../hosts/tests/fixtures/transfer_reuse.wasm"),
    ),
)];

const fn script(name: &'static str, file: &'static str, bytes: &'static [u8]) -> Module {
    Module { name, file, bytes }
}

impl Language {
    /// Its name, as it is given.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Ts => "ts",
            Language::Wasm => "wasm",
            Language::WasmReuse => "wasm-reuse",
        }
    }

    /// The module in which the application is there; none in Rust, which is in the program.
    ///
    /// # Errors
    /// If it is not there in this language.
    pub fn module(self, what: What) -> anyhow::Result<Option<Module>> {
        let modules = match self {
            Language::Rust => return Ok(None),
            Language::Ts => SCRIPTS,
            Language::Wasm => COMPONENTS,
            Language::WasmReuse => REUSED,
        };
        let found = modules.iter().find(|(of, _)| *of == what);
        let found = found.with_context(|| {
            let there: Vec<_> = modules.iter().map(|(what, _)| name_of(*what)).collect();
            let there = match &there[..] {
                [] => "nothing".to_owned(),
                some => some.join(", "),
            };
            let (what, language) = (name_of(what), self.name());
            format!("{what} is not in this program for --lang {language}; there: {there}")
        });
        found.map(|(_, module)| Some(*module))
    }
}

fn name_of(what: What) -> String {
    let value = what.to_possible_value();
    value.expect("no word is hidden").get_name().to_owned()
}

impl Module {
    /// Compiles it, and puts it in force.
    ///
    /// # Errors
    /// Why it is not.
    pub fn deploy(&self, node: &Node) -> anyhow::Result<()> {
        deploy(node, self.name, self.file, Bytes::from_static(self.bytes))
    }
}

/// Compiles a module of one file, and puts it in force.
///
/// # Errors
/// Why it is not.
pub fn deploy(node: &Node, name: &str, path: &str, bytes: Bytes) -> anyhow::Result<()> {
    let name = ModuleName::new(name)?;
    let path = path.to_owned();
    let source = Source {
        main: path.clone(),
        files: vec![File { path, bytes }],
    };
    let options = ChangeOptions {
        caller: "bench".to_owned(),
        ..ChangeOptions::default()
    };
    let deployed = node
        .compile(&source)
        .and_then(|package| node.deploy(&name, &package, &options));
    deployed.with_context(|| format!("cannot deploy {}", source.main))?;
    Ok(())
}

#[cfg(test)]
mod tests;
