//! A server that breaks its promise, made of one that keeps it: after a kill its data directory is put
//! back to what it was a while before, as if nothing since had been durable. The harness must object.

use super::Fault;
use super::backup::copy;
use crate::scene::Scene;

/// Not among the faults to survive: a test of the harness.
pub const PLANTED: Fault = Fault {
    name: "planted",
    about: "acknowledged calls are lost, and the harness must say so",
    ci: 1,
    hand: 1,
    run,
};

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    scene.begin()?;
    scene.wait_acknowledged(200)?;
    scene.kill()?;
    let older = scene.root.join("older");
    copy(&scene.setup.data, &older)?;
    scene.start()?;
    scene.wait_acknowledged(200)?;
    scene.kill()?;
    std::fs::remove_dir_all(&scene.setup.data)?;
    std::fs::rename(&older, &scene.setup.data)?;
    scene.start()?;
    scene.healed();
    scene.bit("an older copy of the data was put back");
    Ok(())
}
