//! The command `demo`: the marketplace under load on a server that is killed in the middle of it, and
//! an account of what became of every transaction.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Args, Command, FromArgMatches};
use indicatif::ProgressBar;
use ordain::Request;
use ordain_cli::{Context, Exit, ExtraCommand, Failure, Output};
use ordain_client::{Client, Error};
use ordain_types::IdempotencyKey;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::answer::{Answer, Ask};
use crate::bench::load;
use crate::choose::Spread;
use crate::door::{Remote, raw};
use crate::measure::Counts;
use crate::report::{thousands, time};
use crate::run::{new_dir, new_seed, until_interrupted};
use crate::server::Server;
use crate::workload::market::{Market, Sizes};
use crate::workload::{Source, Workload};

/// How long the load lasts before the kill, and again after it.
const HALF: Duration = Duration::from_secs(11);
/// The same of a short demo.
const HALF_SHORT: Duration = Duration::from_secs(2);
/// How often the live line changes.
const TICK: Duration = Duration::from_millis(250);
/// How many of these make a line where there is no terminal.
const TICKS_A_LINE: u32 = 8;
/// How long a client waits before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// How long it goes on asking.
const ASK_MAX: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Args)]
struct Words {
    /// Keep the data and the server's log in this directory, which must be new
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Take about eight seconds in place of thirty
    #[arg(long)]
    short: bool,
    /// Clients, each with a connection
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// What all choices follow from [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
}

/// The command.
pub fn command() -> ExtraCommand {
    let about = "Run a marketplace, kill its server under load, and check that nothing was lost";
    let command = Words::augment_args(Command::new("demo").about(about));
    ExtraCommand::new(command, &[], |context, given| {
        let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
        let outcome = run(words)?;
        outcome.print(&context)?;
        match outcome.good() {
            true => Ok(()),
            false => Err(Failure::new(
                Exit::Failed,
                "the demo's promises did not hold",
            )),
        }
    })
}

fn run(words: Words) -> anyhow::Result<Outcome> {
    ensure!(words.clients > 0, "there must be a client");
    until_interrupted(|_| demo(words))
}

async fn demo(words: Words) -> anyhow::Result<Outcome> {
    let (root, _removed_at_the_end) = new_dir(words.dir.as_deref(), "ordain-demo-")?;
    let seed = words.seed.unwrap_or_else(new_seed);
    let sizes = Sizes {
        customers: 2_000,
        sellers: 200,
        products_each: 10,
        stock: 10_000,
    };
    let market = Market::new(sizes, Spread::Uniform);
    let live = Live::new();
    live.say("starting a server");
    let mut server = Server::start(&root, &[]).await?;
    live.say(&format!(
        "server {} runs on {}; loading",
        server.pid(),
        root.display()
    ));
    let client = server.client().clone();
    blocking(&client, market.clone(), |market, mut door| {
        load(&market, &mut door)
    })
    .await?;
    live.say(&format!("driving {}", market.about()));
    let half = if words.short { HALF_SHORT } else { HALF };
    let clients = Clients::start(&client, &market, words.clients, seed);
    let began = Instant::now();
    clients.watch(half, &live).await;
    let pid = server.pid();
    server.kill()?;
    live.say(&format!(
        "killed server {pid} with SIGKILL; starting it again"
    ));
    let ready_after = server.start_again().await?;
    live.say(&format!("ready again after {}", time(ready_after)));
    clients.watch(half, &live).await;
    let (counts, retries) = clients.stop().await;
    let driven = began.elapsed();
    live.say("checking every entity and every acknowledged transaction");
    let audited = blocking(&client, market, |market, mut door| market.audit(&mut door)).await?;
    Ok(Outcome {
        transactions: counts.committed(),
        per_second: counts.committed() as f64 / driven.as_secs_f64(),
        p50_ms: counts.latency.value_at_quantile(0.5) as f64 / 1e6,
        p99_ms: counts.latency.value_at_quantile(0.99) as f64 / 1e6,
        rejections: counts.rejected(),
        faults: counts.faults,
        retries,
        ready_after_kill_ms: ready_after.as_secs_f64() * 1e3,
        orders: audited.orders,
        lost: audited.lost,
        duplicated: audited.more,
        unanswered: audited.unanswered,
        violations: audited.violations,
        trouble: counts.first_trouble,
        seed,
    })
}

/// Loads or checks the market, off the threads that serve the clients.
async fn blocking<T: Send + 'static>(
    client: &Client,
    market: Market,
    work: impl FnOnce(Market, Remote) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (client, handle) = (client.clone(), Handle::current());
    let done = tokio::task::spawn_blocking(move || work(market, Remote::open(&handle, &client)?));
    done.await?
}

/// The clients and what came back to them.
struct Clients {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Since the load began.
    all: Counts,
    /// Since the live line last changed.
    lately: Counts,
    retries: u64,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clients {
    fn start(client: &Client, market: &Market, count: usize, seed: u64) -> Self {
        let (mut tasks, shared) = (JoinSet::new(), Arc::<Shared>::default());
        for number in 0..count {
            let one = One {
                client: client.clone(),
                source: market.source(number, count, seed),
                shared: shared.clone(),
                name: format!("demo-{seed}-{number}"),
                asked: 0,
            };
            tasks.spawn(one.run());
        }
        Self { tasks, shared }
    }

    /// Lets them work for so long, and tells what they see.
    async fn watch(&self, duration: Duration, live: &Live) {
        let (end, mut ticks, mut ticker) =
            (Instant::now() + duration, 0, tokio::time::interval(TICK));
        ticker.tick().await;
        let mut since = Instant::now();
        while Instant::now() < end {
            ticker.tick().await;
            ticks += 1;
            if live.terminal() || ticks % TICKS_A_LINE == 0 {
                let lately = std::mem::take(&mut self.shared.seen().lately);
                let per_second = lately.committed() as f64 / since.elapsed().as_secs_f64();
                since = Instant::now();
                live.show(&lately, per_second);
            }
        }
    }

    /// Lets each finish its transaction; gives what they saw in all.
    async fn stop(mut self) -> (Counts, u64) {
        self.shared.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        let seen = std::mem::take(&mut *self.shared.seen());
        (seen.all, seen.retries)
    }
}

/// One client: asks each request until it is answered, always with the same idempotency key.
struct One {
    client: Client,
    source: Box<dyn Source>,
    shared: Arc<Shared>,
    name: String,
    asked: u64,
}

impl One {
    async fn run(mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let task = self.source.next();
            let prepared = match task.prepare {
                Some(prepare) => self.ask(prepare).await,
                None => Answer::Value(Default::default()),
            };
            let began = Instant::now();
            let answer = match prepared {
                Answer::Value(_) => self.ask(task.ask).await,
                none => none,
            };
            self.source.ended(&answer);
            let mut seen = self.shared.seen();
            seen.all.add(task.kind, began.elapsed(), &answer);
            seen.lately.add(task.kind, began.elapsed(), &answer);
        }
    }

    async fn ask(&mut self, ask: Ask) -> Answer {
        self.asked += 1;
        let key = IdempotencyKey::new(&format!("{}-{}", self.name, self.asked));
        let key = key.expect("a short text is a key");
        let request = Request::from(ask.into_parts());
        let began = Instant::now();
        loop {
            let reply = raw(self.client.call_with(request.clone(), key.clone()).await);
            match reply {
                Err(error) if may_pass(&error) && began.elapsed() < ASK_MAX => {
                    self.shared.seen().retries += 1;
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                reply => return reply.into(),
            }
        }
    }
}

/// Whether it is the server that is gone or busy, and not the request that is wrong.
fn may_pass(error: &Error) -> bool {
    use Error::{Connect, Lost, Timeout, Unavailable};
    matches!(
        error,
        Connect { .. } | Lost { .. } | Timeout { .. } | Unavailable(_)
    )
}

/// What is told while it runs, on standard error: one line that changes on a terminal, else a line now
/// and then.
struct Live {
    bar: Option<ProgressBar>,
}

impl Live {
    fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            bar: terminal.then(ProgressBar::new_spinner),
        }
    }

    fn terminal(&self) -> bool {
        self.bar.is_some()
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    fn show(&self, lately: &Counts, per_second: f64) {
        let at = |quantile| {
            time(Duration::from_nanos(
                lately.latency.value_at_quantile(quantile),
            ))
        };
        let per_second = thousands(per_second as u64);
        let line = format!("{per_second} tx/s   p50 {}   p99 {}", at(0.5), at(0.99));
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None => eprintln!("{line}"),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What became of it all.
#[derive(Debug, Serialize)]
struct Outcome {
    violations: Vec<String>,
    transactions: u64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    rejections: u64,
    faults: u64,
    retries: u64,
    ready_after_kill_ms: f64,
    orders: u64,
    lost: u64,
    duplicated: u64,
    unanswered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    seed: u64,
}

impl Outcome {
    /// Whether all that was promised held, and anything happened at all.
    fn good(&self) -> bool {
        let bad = self.lost + self.duplicated + self.unanswered + self.faults;
        self.violations.is_empty() && bad == 0 && self.orders > 0
    }

    fn print(&self, context: &Context) -> std::io::Result<()> {
        let output: Output = context.output;
        if output.json {
            return output.json(self);
        }
        for violation in &self.violations {
            output.line(format!("VIOLATED  {violation}"))?;
        }
        if let Some(trouble) = &self.trouble {
            output.line(format!("TROUBLE   {trouble}"))?;
        }
        let ms = |ms: f64| time(Duration::from_secs_f64(ms / 1e3));
        let held = if self.violations.is_empty() {
            "held"
        } else {
            "VIOLATED"
        };
        let rows = [
            ("transactions", thousands(self.transactions)),
            (
                "throughput",
                format!("{}/s", thousands(self.per_second as u64)),
            ),
            ("latency p50", ms(self.p50_ms)),
            ("latency p99", ms(self.p99_ms)),
            ("rejections", thousands(self.rejections)),
            ("faults", thousands(self.faults)),
            ("retries by clients", thousands(self.retries)),
            ("ready after kill -9", ms(self.ready_after_kill_ms)),
            ("orders checked", thousands(self.orders)),
            ("unanswered", thousands(self.unanswered)),
            ("lost", thousands(self.lost)),
            ("duplicated", thousands(self.duplicated)),
            ("invariants", held.to_owned()),
            ("seed", self.seed.to_string()),
        ];
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value])
            .collect();
        output.table(&["demo", ""], &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_all_of_it_is_good() {
        let good = || Outcome {
            violations: vec![],
            transactions: 9,
            per_second: 1.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            rejections: 1,
            faults: 0,
            retries: 5,
            ready_after_kill_ms: 1.0,
            orders: 3,
            lost: 0,
            duplicated: 0,
            unanswered: 0,
            trouble: None,
            seed: 1,
        };
        assert!(good().good());
        for spoil in [
            (|outcome| outcome.lost = 1) as fn(&mut Outcome),
            |outcome| outcome.duplicated = 1,
            |outcome| outcome.unanswered = 1,
            |outcome| outcome.faults = 1,
            |outcome| outcome.orders = 0,
            |outcome| outcome.violations.push("no".into()),
        ] {
            let mut outcome = good();
            spoil(&mut outcome);
            assert!(!outcome.good(), "{outcome:?}");
        }
    }
}
