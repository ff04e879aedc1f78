//! The process is stopped and goes on: as a machine that is suspended, or a system that swaps.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Fault;
use crate::scene::Scene;

/// How long, by repetition; a test run makes the first.
const SECONDS: [u64; 4] = [2, 5, 10, 30];

/// The fault.
pub const PAUSE: Fault = Fault {
    name: "pause",
    about: "SIGSTOP for 2, 5, 10 and 30 s, then SIGCONT",
    ci: 1,
    hand: 8,
    run,
};

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    let seconds = SECONDS[scene.repetition as usize % SECONDS.len()];
    scene.begin()?;
    scene.wait_acknowledged(200)?;
    scene.server()?.signal(Signal::STOP)?;
    let (began, before) = (Instant::now(), scene.acknowledged());
    // What was on its way is let through first; then nothing more may come.
    scene.until(Duration::from_millis(300), |_| false)?;
    let paused_at = scene.acknowledged();
    let rest = Duration::from_secs(seconds).saturating_sub(began.elapsed());
    scene.until(rest, |_| false)?;
    let silent = scene.acknowledged() == paused_at;
    scene.server()?.signal(Signal::CONT)?;
    scene.healed();
    if silent && !scene.load.trouble() {
        let on_its_way = paused_at - before;
        scene.bit(format!(
            "silent for {seconds} s, {on_its_way} answers were on their way"
        ));
    }
    Ok(())
}
