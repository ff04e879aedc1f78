//! What things take that do nothing: memory of an entity, memory and processor time of an idle server.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain::{Key, Node};
use ordain_cli::{Context, Failure, parse_duration};
use ordain_example_smallbank::Customer;

use crate::answer::ask;
use crate::door::{Door, Embedded};
use crate::process::{self, ExactCpu};
use crate::report::{Figure, Findings, Name};
use crate::run::{blocking, new_dir, until_interrupted};
use crate::server::Server;

/// How long an idle server is left alone before it is looked at.
const SETTLE: Duration = Duration::from_secs(3);
/// How often the threads of an idle server are looked at, of which some end.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

const BYTES: Name = Name {
    key: "bytes",
    name: "bytes resident for each entity",
};
const CPU: Name = Name {
    key: "cpu_percent",
    name: "% of a core",
};
const RESIDENT: Name = Name {
    key: "resident_mib",
    name: "MiB resident",
};

#[derive(Debug, Clone, Args)]
struct Words {
    /// memory: entities, each with a key of 16 bytes and two integers
    #[arg(long, default_value_t = 1_000_000)]
    entities: usize,
    /// idle: how long it is looked at
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
}

/// The commands.
pub fn commands() -> [Command; 2] {
    let memory = "Measure the memory that an entity takes";
    let idle = "Measure what a server takes that nobody asks anything";
    [("memory", memory), ("idle", idle)]
        .map(|(name, about)| Words::augment_args(Command::new(name).about(about)))
}

/// Runs the command of this name.
///
/// # Errors
/// If a node or server does not start, or the system does not tell what it takes.
pub fn run(name: &str, context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    let catalog = context.catalog.clone();
    let findings = until_interrupted(async |_| match name {
        "idle" => idle(words).await,
        _ => {
            let (root, _removed_at_the_end) = new_dir(None, "ordain-memory-")?;
            blocking(move || memory(&Node::open(root.join("data"), catalog)?, words)).await
        }
    })?;
    findings.conclude(context.output)
}

/// Twice as many entities against as many: what a process takes anyway is in both.
fn memory(node: &Node, words: Words) -> anyhow::Result<Findings> {
    let mut door = Embedded(node.clone());
    let mut resident = Vec::new();
    for half in 0..2 {
        let numbers = half * words.entities..(half + 1) * words.entities;
        let mut asks = numbers.map(|number| {
            let key = Key::new(&format!("{number:016}")).expect("digits are a key");
            ask(Customer::at(&key).open(number as i64, 1))
        });
        door.each(&mut asks, &mut |_, answer| answer.value::<()>())?;
        // What a checkpoint needs on its way is not the entities'.
        node.checkpoint()?;
        resident.push(process::resident().context("the system does not tell the memory")?);
    }
    node.stop();
    let more = resident[1].saturating_sub(resident[0]);
    let bytes = more as f64 / words.entities as f64;
    Ok(Findings {
        what: "memory",
        about: format!(
            "{} entities more, each a key of 16 bytes and two integers",
            words.entities
        ),
        figures: Figure::over(BYTES, vec![bytes]).into_iter().collect(),
        violations: Vec::new(),
        seed: 0,
    })
}

async fn idle(words: Words) -> anyhow::Result<Findings> {
    let (root, _removed_at_the_end) = new_dir(None, "ordain-idle-")?;
    let server = Server::start(&root, &[]).await?;
    tokio::time::sleep(SETTLE).await;
    let mut cpu = ExactCpu::of(server.pid());
    let mut spent = || {
        let spent = cpu.look();
        spent.context("the system does not tell processor time")
    };
    let (began, before) = (Instant::now(), spent()?);
    while began.elapsed() < words.duration {
        let left = words.duration.saturating_sub(began.elapsed());
        tokio::time::sleep(left.min(LOOK_AGAIN)).await;
        spent()?;
    }
    let share = (spent()? - before).as_secs_f64() / began.elapsed().as_secs_f64();
    let resident =
        process::resident_of(server.pid()).context("the system does not tell the memory")?;
    let figures = [
        Figure::over(CPU, vec![share * 100.0]),
        Figure::over(RESIDENT, vec![resident as f64 / f64::from(1 << 20)]),
    ];
    Ok(Findings {
        what: "idle",
        about: "a server without data".to_owned(),
        figures: figures.into_iter().flatten().collect(),
        violations: Vec::new(),
        seed: 0,
    })
}
