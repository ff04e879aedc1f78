//! The command `bench`: from its words to a report.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain::Options;
use ordain_cli::settings::Group;
use ordain_cli::{Bar, Context, ExtraCommand, Failure};
use ordain_client::Client;
use ordain_node::Catalog;
use tokio::runtime::Handle;

use crate::answer::Answer;
use crate::door::Door;
use crate::language::Language;
use crate::report::{Report, violated};
use crate::run::{blocking, new_dir, new_seed, until_interrupted};
use crate::server::Server;
use crate::side_by_side::SideBySide;
use crate::subject::{Place, Subject, open_node};
use crate::words::Words;
use crate::workload::Workload;
use crate::{compare, echo, guard, limits, memory, modules, recovery};

/// The command.
pub fn command() -> ExtraCommand {
    let about = "Measure a workload, and check its invariants";
    let words = Words::augment_args(Command::new("bench").about(about))
        .subcommand_negates_reqs(true)
        .args_conflicts_with_subcommands(true)
        .subcommands([limits::command(), compare::command()])
        .subcommands([guard::command(), echo::command(), modules::command()])
        .subcommands(recovery::commands())
        .subcommands(memory::commands());
    let groups = &[Group::Client];
    ExtraCommand::new(words, groups, |context, given| match given.subcommand() {
        None => workload(&context, given),
        Some(("limits", given)) => limits::run(&context, given),
        Some(("compare", given)) => compare::run(&context, given),
        Some(("guard", given)) => guard::run(&context, given),
        Some(("echo", given)) => echo::run(given),
        Some(("modules", given)) => modules::run(&context, given),
        Some(("recovery", given)) => recovery::run("recovery", &context, given),
        Some(("replay", given)) => recovery::run("replay", &context, given),
        Some((name, given)) => memory::run(name, &context, given),
    })
}

fn workload(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    let url_given = given.value_source("url").is_some();
    words.check(url_given).map_err(Failure::usage)?;
    let client = match url_given {
        true => Some(context.client()?),
        false => None,
    };
    let catalog = context.catalog.clone();
    let reports = until_interrupted(|handle| {
        let bench = Bench::new(words, handle);
        async move { bench.run(client, &catalog).await }
    })?;
    let side_by_side = SideBySide { reports };
    side_by_side.print(context.output)?;
    match side_by_side.violated() {
        false => Ok(()),
        true => Err(violated()),
    }
}

/// One measurement: a workload in one language or several.
pub struct Bench {
    words: Words,
    seed: u64,
    handle: Handle,
}

impl Bench {
    /// What these words say.
    pub fn new(words: Words, handle: Handle) -> Self {
        let seed = words.seed.unwrap_or_else(new_seed);
        Self {
            words,
            seed,
            handle,
        }
    }

    /// Measures it; gives a report for each language. `catalog` is what an embedded node can call.
    ///
    /// # Errors
    /// If a node or server does not start, or cannot be asked.
    pub async fn run(
        self,
        client: Option<Client>,
        catalog: &Catalog,
    ) -> anyhow::Result<Vec<Report>> {
        let (root, _removed_at_the_end) = match &client {
            Some(_) => (PathBuf::new(), None),
            None => new_dir(self.words.dir.as_deref(), "ordain-bench-")?,
        };
        // Held here, so that servers end with this future.
        let (mut servers, mut subjects) = (Vec::new(), Vec::new());
        for &language in &self.words.lang {
            let root = match &self.words.lang[..] {
                [_] => root.clone(),
                _ => root.join(language.name()),
            };
            let (server, subject) = self
                .subject(language, root, client.clone(), catalog)
                .await?;
            servers.push(server);
            subjects.push(subject);
        }
        let subjects = self.drive(subjects).await?;
        let mut reports = Vec::new();
        for subject in subjects {
            reports.push(blocking(move || subject.report(self.seed)).await?);
        }
        Ok(reports)
    }

    /// The workload in that language, loaded; and its server, if that is our child.
    async fn subject(
        &self,
        language: Language,
        root: PathBuf,
        client: Option<Client>,
        catalog: &Catalog,
    ) -> anyhow::Result<(Option<Server>, Subject)> {
        let (words, handle) = (self.words.clone(), self.handle.clone());
        let (dir, catalog) = (root.join("data"), catalog.clone());
        if let Some(client) = client {
            let place = Place::Server(client, None);
            let load = move || Subject::load(words, language, handle, place);
            return Ok((None, blocking(load).await?));
        }
        if words.echo || words.server {
            let server = self.server(language, &root, &catalog).await?;
            let place = Place::Server(server.client().clone(), Some(server.pid()));
            let load = move || Subject::load(words, language, handle, place);
            return Ok((Some(server), blocking(load).await?));
        }
        let subject = blocking(move || {
            let node = open_node(language, &words, &catalog, &dir, words.options())?;
            let times = words.state_over_memory;
            let subject = Subject::load(words, language, handle, Place::Node(node))?;
            match times {
                Some(times) => subject.squeezed(times, &catalog, &dir),
                None => Ok(subject),
            }
        });
        Ok((None, subject.await?))
    }

    /// Starts a server. Its module is deployed before, into the directory in which it begins.
    async fn server(
        &self,
        language: Language,
        root: &Path,
        catalog: &Catalog,
    ) -> anyhow::Result<Server> {
        if self.words.echo {
            return Server::echo(root).await;
        }
        if language == Language::Rust {
            return Server::start(root, &[]).await;
        }
        let (words, catalog, dir) = (self.words.clone(), catalog.clone(), root.join("data"));
        std::fs::create_dir_all(root)?;
        blocking(move || {
            open_node(language, &words, &catalog, &dir, Options::default())?.stop();
            Ok(())
        })
        .await?;
        Server::start(root, &["--modules-only"]).await
    }

    /// Drives all of them: one through all its runs, several by turns, a run each.
    async fn drive(&self, mut subjects: Vec<Subject>) -> anyhow::Result<Vec<Subject>> {
        let (rounds, runs) = match subjects.len() {
            1 => (1, self.words.runs),
            _ => (self.words.runs, 1),
        };
        for round in 0..rounds {
            // Another round makes other choices, and the same in every language.
            let seed = self.seed.wrapping_add(round as u64);
            let mut driven = Vec::new();
            for mut subject in subjects {
                let words = self.words.clone();
                driven.push(
                    blocking(move || {
                        subject.drive(words.plan(runs), seed)?;
                        Ok(subject)
                    })
                    .await?,
                );
            }
            subjects = driven;
        }
        Ok(subjects)
    }
}

const EARLIER_DATA: &str = "there is data of an earlier run; begin with an empty data directory";

/// Makes a workload's data.
///
/// # Errors
/// If a part of it does not commit.
pub fn load(workload: &dyn Workload, door: &mut dyn Door) -> anyhow::Result<()> {
    let mut asks = workload.load();
    let of = asks.len() as u64;
    let mut bar = Bar::of_things("loading");
    door.each(&mut asks, &mut |at, answer| {
        bar.at(at as u64 + 1, Some(of));
        match answer {
            Answer::Rejected(_) => bail!(EARLIER_DATA),
            Answer::Value(_) if !workload.loaded(&answer) => bail!(EARLIER_DATA),
            Answer::Value(_) => Ok(()),
            other => other.value(),
        }
    })
}
