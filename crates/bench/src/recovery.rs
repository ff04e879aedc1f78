//! A server that is killed at full load: how soon it is ready again, and, where no checkpoint was taken, how many
//! commands a second it replays. What was acknowledged must be there: a log that had lost its end would be
//! replayed sooner.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain_cli::{Context, Failure, parse_duration};
use ordain_client::Client;
use rand::RngExt;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::bench::load;
use crate::choose::{Spread, chance};
use crate::door::{Door, Remote};
use crate::drive::closed;
use crate::drive::lane::Lane;
use crate::measure::Plan;
use crate::report::{Figure, Findings, Name};
use crate::run::{blocking, new_dir, new_seed, until_interrupted};
use crate::server::Server;
use crate::workload::told::Told;
use crate::workload::transfer::Transfer;
use crate::workload::{Loading, Source, Task, Workload};

/// Streams that ask, and calls that each has in flight.
const CLIENTS: usize = 64;
const IN_FLIGHT: usize = 40;
/// How much longer than it was asked for the load goes on at most, by the seed: what is replayed depends on how
/// long ago the last checkpoint was, and these are as long as the time between two.
const LONGER_MAX: Duration = Duration::from_secs(5);
/// Settings with which no checkpoint is ever taken: all is replayed.
const NO_CHECKPOINTS: [&str; 4] = ["--checkpoint-interval", "7d", "--checkpoint-log", "64TiB"];

const READY: Name = Name {
    key: "ready_ms",
    name: "ready after kill -9, ms",
};
const REPLAYED: Name = Name {
    key: "per_second",
    name: "commands replayed a second",
};
const COMMANDS: Name = Name {
    key: "commands",
    name: "commands in the log",
};

#[derive(Debug, Clone, Args)]
struct Words {
    /// Accounts
    #[arg(long, default_value_t = 1_000_000)]
    accounts: usize,
    /// How long it is loaded at least before it is killed, and up to five seconds more by the seed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
    /// How often it is killed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What all choices follow from [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
}

/// The commands.
pub fn commands() -> [Command; 2] {
    let recovery = "Kill a server at full load, with default settings, and time until it is ready";
    let replay =
        "The same with no checkpoint ever taken: the log is replayed from its first command";
    [("recovery", recovery), ("replay", replay)]
        .map(|(name, about)| Words::augment_args(Command::new(name).about(about)))
}

/// Runs the command of this name.
///
/// # Errors
/// If a server does not start, or money is not conserved.
pub fn run(name: &'static str, context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    let settings: &[&str] = match name {
        "replay" => &NO_CHECKPOINTS,
        _ => &[],
    };
    let findings = until_interrupted(|_| measure(name, words, settings))?;
    findings.conclude(context.output)
}

async fn measure(what: &'static str, words: Words, settings: &[&str]) -> anyhow::Result<Findings> {
    ensure!(words.runs > 0, "there must be a run");
    let seed = words.seed.unwrap_or_else(new_seed);
    let mut kills = Vec::new();
    let mut violations = Vec::new();
    for run in 0..words.runs {
        let (root, _removed_at_the_end) = new_dir(None, "ordain-recovery-")?;
        let mut server = Server::start(&root, settings).await?;
        let workload = Counted {
            transfers: Transfer::keynote(words.accounts, Spread::Uniform),
            told: Arc::default(),
        };
        let kill = kill(&mut server, &workload, &words, seed + run as u64).await?;
        violations.extend(lost(&kill, workload.told.counted()));
        kills.push(kill);
        let client = server.client().clone();
        violations.extend(with_door(&client, move |door| workload.check(door)).await?);
    }
    Ok(Findings {
        what,
        about: format!(
            "{} accounts, {CLIENTS} streams, {IN_FLIGHT} in flight each",
            words.accounts
        ),
        figures: figures(what, &kills),
        violations,
        seed,
    })
}

/// What the kills came to. Where checkpoints are taken, most commands of the log are not replayed.
fn figures(what: &str, kills: &[Kill]) -> Vec<Figure> {
    let over = |name, of: fn(&Kill) -> f64| Figure::over(name, kills.iter().map(of).collect());
    let replayed = match what {
        "replay" => over(REPLAYED, |kill| {
            kill.commands as f64 / kill.ready.as_secs_f64()
        }),
        _ => None,
    };
    let figures = [
        over(READY, |kill| kill.ready.as_secs_f64() * 1e3),
        replayed,
        over(COMMANDS, |kill| kill.commands as f64),
    ];
    figures.into_iter().flatten().collect()
}

/// What came of a kill.
struct Kill {
    /// From the start of the process until it was ready.
    ready: Duration,
    /// The last seq before the load.
    loaded: u64,
    /// The last seq of the log.
    commands: u64,
}

/// Says so if the log has fewer commands of the load than were acknowledged.
fn lost(kill: &Kill, acknowledged: u64) -> Option<String> {
    let there = kill.commands.saturating_sub(kill.loaded);
    (there < acknowledged).then(|| {
        format!("{acknowledged} transfers were acknowledged, and after the kill {there} are there")
    })
}

/// Transfers, with the number of those that were acknowledged.
#[derive(Clone)]
struct Counted {
    transfers: Transfer,
    told: Arc<Told>,
}

impl Workload for Counted {
    fn name(&self) -> &'static str {
        self.transfers.name()
    }

    fn about(&self) -> String {
        self.transfers.about()
    }

    fn load(&self) -> Loading<'_> {
        self.transfers.load()
    }

    fn source(&self, slot: usize, of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Counting {
            source: self.transfers.source(slot, of, seed),
            told: self.told.clone(),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        self.transfers.check(door)
    }
}

/// What one slot asks, counted when it is acknowledged.
struct Counting {
    source: Box<dyn Source>,
    told: Arc<Told>,
}

impl Source for Counting {
    fn next(&mut self) -> Task {
        self.source.next()
    }

    fn ended(&mut self, answer: &Answer) {
        self.told.ended(answer);
        self.source.ended(answer);
    }
}

async fn kill(
    server: &mut Server,
    workload: &Counted,
    words: &Words,
    seed: u64,
) -> anyhow::Result<Kill> {
    let client = server.client().clone();
    let loaded = workload.clone();
    with_door(&client, move |door| load(&loaded, door)).await?;
    let loaded = client.ready().await?.seq.0;
    // A runtime of its own: what it runs goes with it, and asks nothing of the server that comes back.
    let clients = Runtime::new()?;
    let plan = Plan {
        begin: Instant::now(),
        warm_up: Duration::ZERO,
        window: (words.duration + LONGER_MAX) * 10,
        windows: 1,
    };
    let lane = |at| {
        Lane::new(
            workload,
            plan,
            at * IN_FLIGHT,
            IN_FLIGHT,
            CLIENTS * IN_FLIGHT,
            seed,
        )
    };
    let lanes: Vec<_> = (0..CLIENTS).map(lane).collect();
    let asking =
        clients.spawn(async move { closed::streams(&client, lanes, false).await.map(drop) });
    let longer = LONGER_MAX.mul_f64(chance(seed, usize::MAX).random_range(0.0..1.0));
    under_load(asking, words.duration + longer).await?;
    server.kill()?;
    clients.shutdown_background();
    let ready = server.start_again().await?;
    let commands = server.client().ready().await?.seq.0;
    check_load(loaded, commands)?;
    Ok(Kill {
        ready,
        loaded,
        commands,
    })
}

/// Waits so long while the clients ask.
///
/// # Errors
/// Why they stopped: a server that nobody asks anything is not killed at full load.
async fn under_load(
    mut asking: JoinHandle<anyhow::Result<()>>,
    duration: Duration,
) -> anyhow::Result<()> {
    tokio::select! {
        ended = &mut asking => {
            ended?.context("the load ended before the kill")?;
            bail!("the load ended before the kill: every stream was cut off")
        }
        () = tokio::time::sleep(duration) => Ok(()),
    }
}

/// Whether each client had at least its calls in flight answered between the two seqs.
fn check_load(loaded: u64, commands: u64) -> anyhow::Result<()> {
    let least = (CLIENTS * IN_FLIGHT) as u64;
    let asked = commands.saturating_sub(loaded);
    ensure!(
        asked >= least,
        "there was no full load before the kill: {asked} commands beyond seq {loaded}, where at least {least} \
         were to come"
    );
    Ok(())
}

async fn with_door<T: Send + 'static>(
    client: &Client,
    work: impl FnOnce(&mut Remote) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (client, handle) = (client.clone(), tokio::runtime::Handle::current());
    blocking(move || work(&mut Remote::open(&handle, &client).context("cannot ask the server")?))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_all_replayed_has_a_rate_of_it() {
        let kills = [Kill {
            ready: Duration::from_millis(500),
            loaded: 0,
            commands: 1_000,
        }];
        let keys = |what| -> Vec<_> {
            let figures = figures(what, &kills);
            let shown = figures.iter().map(|it| (it.name.key, it.median));
            shown.collect()
        };
        let [ready, commands] = [("ready_ms", 500.0), ("commands", 1_000.0)];
        assert_eq!(keys("replay"), [ready, ("per_second", 2_000.0), commands]);
        assert_eq!(keys("recovery"), [ready, commands]);
    }

    #[test]
    fn a_log_that_lost_its_end_is_seen() {
        let kill = Kill {
            ready: Duration::ZERO,
            loaded: 100,
            commands: 150,
        };
        // Those that were in flight may be there too.
        assert_eq!(lost(&kill, 40), None);
        assert_eq!(lost(&kill, 50), None);
        assert!(lost(&kill, 51).is_some());
    }

    #[test]
    fn what_is_acknowledged_is_counted() {
        let workload = Counted {
            transfers: Transfer::keynote(10, Spread::Uniform),
            told: Arc::default(),
        };
        let mut source = workload.source(0, 1, 7);
        source.ended(&Answer::Value("1".into()));
        source.ended(&Answer::None("lost".into()));
        assert_eq!(workload.told.counted(), 1);
    }

    #[test]
    fn a_kill_without_a_load_before_it_counts_for_nothing() {
        let full = (CLIENTS * IN_FLIGHT) as u64;
        assert!(check_load(1_000_000, 1_000_000 + full).is_ok());
        assert!(check_load(1_000_000, 1_000_000 + full - 1).is_err());
        // What was loaded is no load.
        assert!(check_load(1_000_000, 1_000_003).is_err());
    }

    #[tokio::test]
    async fn a_load_that_ends_before_the_kill_says_why() {
        let long = Duration::from_secs(3_600);
        let failed = tokio::spawn(async { bail!("no connection") });
        let why = under_load(failed, long).await.unwrap_err();
        assert_eq!(
            format!("{why:#}"),
            "the load ended before the kill: no connection"
        );
        let cut_off = tokio::spawn(async { Ok(()) });
        assert!(under_load(cut_off, long).await.is_err());
        let asking = tokio::spawn(std::future::pending());
        assert!(under_load(asking, Duration::ZERO).await.is_ok());
    }
}
