//! kill -9 at random, again and again, under load.

use rand::RngExt;

use super::Fault;
use crate::scene::Scene;

/// Kills in one run.
const KILLS: u32 = 4;

/// The fault.
pub const KILL: Fault = Fault {
    name: "kill",
    about: "kill -9 at random moments under load",
    ci: 2,
    hand: 100,
    run,
};

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    scene.begin()?;
    for _ in 0..KILLS {
        let calls = scene.chance.random_range(50..400);
        scene.wait_acknowledged(calls)?;
        scene.kill()?;
        scene.start()?;
    }
    scene.healed();
    scene.bit(format!("killed {KILLS} times"));
    Ok(())
}
