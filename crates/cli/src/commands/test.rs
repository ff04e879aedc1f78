//! `test`: the tests beside a module, each against a node of its own in memory, whose time the test moves.

mod find;
mod report;
mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Arg, ArgMatches, Command, value_parser};
use ordain_api::modules::wasm_source;
use ordain_client::ModuleSource;
use ordain_node::{Catalog, Modules};
use ordain_types::script::{Ran, Runs, Scripts, World};
use ordain_types::{ModuleName, Package, Source};

use crate::command::{Context, ExtraCommand};
use crate::exit::{Exit, Failure};
use crate::node::modules_only;
use crate::sources::{Gathered, gather};
use find::Pair;
use report::Report;

/// The command.
pub fn test() -> ExtraCommand {
    let path = Arg::new("path")
        .value_name("FILE|DIR")
        .num_args(0..)
        .default_value(".")
        .value_parser(value_parser!(PathBuf))
        .help("A module, a file of tests, or a directory below which tests are looked for");
    let filter = Arg::new("filter")
        .long("filter")
        .value_name("TEXT")
        .default_value("")
        .hide_default_value(true)
        .help("Run only tests that have this in their names");
    let command = Command::new("test")
        .about("Run the tests beside a module on a node in memory")
        .long_about(
            "Run the tests beside a module on a node in memory: those of bank.ts are in bank.test.ts. Each test has \
             a node of its own, with the module deployed and nothing in it, whose time stands still until the \
             test lets it pass. Every update runs twice, so that a method which is not deterministic fails its \
             test.",
        )
        .args([path, filter]);
    ExtraCommand::new(command, &[], |context, given| run(&context, given))
}

fn run(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let paths = given.get_many::<PathBuf>("path").into_iter().flatten();
    let pairs = find::pairs(paths)?;
    let (Some(scripts), Some(host)) = (&context.tests, context.catalog.host()) else {
        return Err(Failure::new(
            Exit::Failed,
            "this program runs no tests of modules; use one that does, as `ordain` does",
        ));
    };
    let filter = given.get_one::<String>("filter").expect("it has a default");
    let bench = Bench {
        scripts: scripts.clone(),
        host: host.clone(),
        catalog: modules_only(&context.catalog),
        filter: filter.clone(),
    };
    let mut report = Report::new(context.output);
    for pair in &pairs {
        bench.file(pair, &mut report)?;
    }
    report.end()
}

/// What all files' tests run with.
struct Bench {
    scripts: Arc<dyn Scripts>,
    host: Arc<dyn Modules>,
    /// Nothing can be called but what is deployed.
    catalog: Catalog,
    filter: String,
}

impl Bench {
    /// Runs the tests of one file.
    fn file(&self, pair: &Pair, report: &mut Report) -> Result<(), Failure> {
        report.file(&pair.script)?;
        let script = match gather(&pair.script) {
            Ok(script) => script,
            Err(why) => return report.unread("the tests cannot be read", why),
        };
        let module = match gather(&pair.module) {
            Ok(module) => module,
            Err(why) => return report.unread("the module cannot be read", why),
        };
        report.of(&script);
        let package = match self.host.compile(&source(&module)) {
            Ok(package) => package,
            Err(error) => return report.unfit("the module does not compile", &module, error),
        };
        let name = module.name.clone();
        let mut running = Running {
            bench: self,
            name: name.unwrap_or_else(|| ModuleName::new("module").expect("a good name")),
            package,
            began: Instant::now(),
            report,
            printed: Ok(()),
        };
        let ended = self.scripts.run(&source(&script), &mut running);
        let printed = running.printed;
        printed?;
        match ended {
            Ok(()) => Ok(()),
            Err(error) => report.unfit("the tests do not start", &script, error),
        }
    }
}

fn source(gathered: &Gathered) -> Source {
    match gathered.source.clone() {
        ModuleSource::Files(files) => files.into(),
        ModuleSource::Component(component) => wasm_source(component),
    }
}

/// One file's tests, while they run.
struct Running<'a> {
    bench: &'a Bench,
    name: ModuleName,
    package: Package,
    /// When the test did that runs.
    began: Instant,
    report: &'a mut Report,
    printed: Result<(), Failure>,
}

impl Runs for Running<'_> {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.bench.filter)
    }

    fn world(&mut self) -> Result<Box<dyn World>, String> {
        self.began = Instant::now();
        let catalog = self.bench.catalog.clone();
        let world = world::InMemory::new(catalog, &self.name, &self.package)?;
        Ok(Box::new(world))
    }

    fn ran(&mut self, ran: Ran) {
        let took = self.began.elapsed();
        if self.printed.is_ok() {
            self.printed = self.report.ran(ran, took);
        }
    }
}
