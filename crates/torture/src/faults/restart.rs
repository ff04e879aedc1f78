//! Killed while it replays, again and again: at the beginning of the replay, in its midst, near its end.

use std::time::Duration;

use anyhow::ensure;
use ordain_client::{Call, Client};
use ordain_example_probe::Counter;
use rand::RngExt;
use rustix::process::Signal;

use super::Fault;
use crate::scene::Scene;
use crate::server::START_MAX;

/// Commands beside those of the clients: a replay of a few would be over before anyone saw it.
const COMMANDS: u64 = 50_000;
/// Counters that they count on.
const COUNTERS: u64 = 100;
/// Starts that are killed in one run.
const STARTS: u32 = 6;
/// Of these, so many must be killed within the replay, or the run shows nothing.
const WITHIN_MIN: u32 = 3;
/// The part of the replay that a start is let come to at most: what is left is longer than a kill takes.
const PART_MAX: f64 = 0.7;

/// The fault.
pub const RESTART: Fault = Fault {
    name: "restart",
    about: "killed while it replays, again and again",
    ci: 1,
    hand: 30,
    run,
};

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    // No checkpoint but the first: everything is replayed.
    scene.setup.set("--checkpoint-interval", "1h");
    scene.begin()?;
    scene.wait_acknowledged(500)?;
    lengthen(scene)?;
    scene.kill()?;
    let mut within = Vec::new();
    for _ in 0..STARTS {
        within.extend(killed_within(scene)?);
    }
    let what = format!("of {STARTS} starts killed after these parts of the replay: {within:?}");
    match within.len() as u32 >= WITHIN_MIN {
        true => scene.bit(what),
        false => scene.note(what),
    }
    scene.start()?;
    scene.healed();
    Ok(())
}

/// Makes the log so long that its replay takes a while.
fn lengthen(scene: &Scene) -> anyhow::Result<()> {
    let client = scene.load.client()?;
    let add = |n| Call::new(Counter::at(format!("long-{}", n % COUNTERS)).add());
    let calls: Vec<Call> = (0..COMMANDS).map(add).collect::<Result<_, _>>()?;
    let answered = scene.load.handle().block_on(async {
        let (mut replies, mut answered) = (client.batch(calls).await?, 0);
        while let Some(reply) = replies.next().await? {
            answered += u64::from(reply.is_ok());
        }
        anyhow::Ok(answered)
    })?;
    ensure!(answered == COMMANDS, "{answered} of {COMMANDS} calls ran");
    Ok(())
}

/// Starts a server and kills it within its replay: gives the part that was done, in percent. None: it was ready
/// before it was killed, or nobody saw it replay.
fn killed_within(scene: &mut Scene) -> anyhow::Result<Option<u64>> {
    let part = scene.chance.random_range(0.0..PART_MAX);
    let (url, handle) = (scene.setup.url(), scene.load.handle().clone());
    let client = Client::builder(&url).retries(0).build()?;
    let mut server = scene.setup.spawn()?;
    let mut done = None;
    scene.until(START_MAX, |_| {
        let Ok(ready) = handle.block_on(client.ready()) else {
            return false; // it does not listen yet
        };
        done = ready.progress.and_then(|at| {
            let (of, came) = (at.to.0 - at.from.0, at.seq.0.saturating_sub(at.from.0));
            (0 < came && came < of).then_some(came as f64 / of as f64)
        });
        ready.ready || done.is_some_and(|done| done >= part)
    })?;
    server.signal(Signal::KILL)?;
    // What it said is read to its end: a start that was ready before it died was not killed within the replay.
    let was_ready = server.wait_ready(Duration::from_secs(10)).is_ok();
    let percent = done.map(|done| (done * 100.0) as u64);
    Ok(percent.filter(|_| !was_ready))
}
