//! Killed while it starts, again and again: in the middle of the replay, before it, at its end.

use std::time::Duration;

use rand::RngExt;

use super::Fault;
use crate::scene::Scene;

/// Starts that are killed in one run.
const STARTS: u32 = 8;
/// The longest time that a start is left alone.
const ALONE_MS_MAX: u64 = 400;

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
    scene.wait_acknowledged(1_500)?;
    scene.kill()?;
    let mut unready = 0;
    for _ in 0..STARTS {
        let mut server = scene.setup.spawn()?;
        let alone = Duration::from_millis(scene.chance.random_range(1..ALONE_MS_MAX));
        let ready = server.wait_ready(alone).is_ok();
        unready += u32::from(!ready);
        server.kill()?;
    }
    if unready > 0 {
        scene.bit(format!(
            "killed in {STARTS} starts, {unready} times before it was ready"
        ));
    }
    scene.start()?;
    scene.healed();
    Ok(())
}
