//! A server that breaks its promise, made of one that keeps it: after a kill its data directory is put
//! back to what it was a while before, as if nothing since had been durable. And checks that faults make of their
//! own, where what they are to see is not so. The harness must object.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Fault;
use super::backup::{backup, check_killed, check_whole, copy, refused, restore, restored};
use super::damage::{Damage, attempt, check_record, check_some, sound};
use super::disk_full::{Disk, check_full};
use super::errors::check_failed;
use super::records::last_of_each_kind;
use crate::control::Control;
use crate::scene::Scene;

/// No state has this hash.
const OTHER: &str = "another hash";
/// How long a sound server is given to say that its disk has failed.
const SOON: Duration = Duration::from_millis(100);

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

/// Not among the faults to survive either: each check of a fault's own, on a server that is sound where it should
/// not be, or whose state is said to be another.
pub const PLANTED_CHECKS: Fault = Fault {
    name: "planted-checks",
    about: "what the faults' own checks are for, and each must say so",
    ci: 1,
    hand: 1,
    run: checks,
};

fn checks(scene: &mut Scene) -> anyhow::Result<()> {
    scene.begin()?;
    scene.wait_acknowledged(200)?;
    check_failed(scene, SOON)?;
    check_full(scene, &Disk::Said(Control::new(&scene.root)?))?;
    let (file, dir) = (scene.root.join("backup"), scene.root.join("restored"));
    backup(scene, &file)?;
    restored(scene, &file, OTHER)?;
    restore(scene, &file, &dir).output()?;
    check_killed(scene, &dir, OTHER)?;
    // Half of it.
    let half = fs::metadata(&file)?.len() / 2;
    fs::File::options().write(true).open(&file)?.set_len(half)?;
    check_whole(scene, &file)?;
    // Of the right format.
    refused(scene, &dir, "the directory")?;
    scene.kill()?;
    let sound = sound(scene)?;
    let marker = Path::new("ordain");
    let bytes = fs::metadata(sound.join(marker))?.len();
    // As long as it was, so that nothing is damaged.
    let damage = Damage::Cut { bytes };
    let detected = attempt(scene, &sound, marker, damage, OTHER)?;
    check_some(scene, detected.into());
    for place in last_of_each_kind(&scene.setup, &sound)? {
        check_record(scene, &place, 0, damage, detected);
    }
    scene.start()?;
    scene.check_restart(OTHER)?;
    scene.start()?;
    scene.healed();
    scene.bit("every check of a fault's own was made in vain");
    Ok(())
}
