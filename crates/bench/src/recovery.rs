//! A server that is killed at full load: how soon it is ready again, and, where no checkpoint was taken, how many
//! commands a second it replays.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain_cli::{Context, Failure, parse_duration};
use ordain_client::Client;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::bench::load;
use crate::choose::Spread;
use crate::door::Remote;
use crate::drive::closed;
use crate::drive::lane::Lane;
use crate::measure::Plan;
use crate::report::{Figure, Findings, Name};
use crate::run::{blocking, new_dir, new_seed, until_interrupted};
use crate::server::Server;
use crate::workload::Workload;
use crate::workload::transfer::Transfer;

/// Streams that ask, and calls that each has in flight.
const CLIENTS: usize = 64;
const IN_FLIGHT: usize = 40;
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
    /// How long it is loaded before it is killed
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
        let workload = Transfer::keynote(words.accounts, Spread::Uniform);
        kills.push(kill(&mut server, &workload, &words, seed + run as u64).await?);
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
    /// The last seq of the log.
    commands: u64,
}

async fn kill(
    server: &mut Server,
    workload: &Transfer,
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
        window: words.duration * 10,
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
    under_load(asking, words.duration).await?;
    server.kill()?;
    clients.shutdown_background();
    let ready = server.start_again().await?;
    let commands = server.client().ready().await?.seq.0;
    check_load(loaded, commands)?;
    Ok(Kill { ready, commands })
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
