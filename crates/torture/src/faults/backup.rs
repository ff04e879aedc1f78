//! Killed in the middle of a backup and of a restore, server and command alike; and data directories of
//! another format. There is one format today, so that no upgrade can be interrupted: what there is, is
//! that markers of an older or newer format are refused, and nothing is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use rand::RngExt;

use super::Fault;
use crate::load::Mix;
use crate::scene::Scene;
use crate::server::{Ended, START_MAX};

/// Backups and restores that are killed in one run.
const KILLS: u32 = 5;
/// The longest time that one is left alone.
const ALONE_MS_MAX: u64 = 60;
/// How the program ends when data is damaged, incomplete, or of another version.
const DAMAGED: i32 = 7;
/// What the marker of a data directory says before its format.
const DIRECTORY: &str = "ordain data directory, format";
/// The log's first file.
const FIRST_SEGMENT: &str = "log/0000000001.segment";

/// The fault.
pub const BACKUP: Fault = Fault {
    name: "backup",
    about: "killed during backup and restore; markers of other formats",
    ci: 1,
    hand: 20,
    run,
};

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    // No sends that come due when a copy is opened: one backup, one state.
    scene.mix(Mix {
        timers: 0,
        banks: 0,
        ..Mix::default()
    })?;
    scene.begin()?;
    scene.wait_acknowledged(500)?;
    let mut cut_short = 0;
    for number in 0..KILLS {
        cut_short += u32::from(killed_backup(scene, number)?);
    }
    let file = scene.root.join("backup");
    let hash = backup(scene, &file)?;
    for number in 0..KILLS {
        cut_short += u32::from(killed_restore(scene, &file, number)?);
    }
    restored(scene, &file, &hash)?;
    other_formats(scene)?;
    if cut_short > 0 {
        scene.bit(format!(
            "{cut_short} of {} backups and restores cut short",
            2 * KILLS
        ));
    }
    scene.healed();
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is no text")
}

/// Kills the server or the command in the middle; true if it was the middle. What is left is no backup,
/// or a whole one.
fn killed_backup(scene: &mut Scene, number: u32) -> anyhow::Result<bool> {
    let file = scene.root.join(format!("killed-{number}"));
    let url = scene.setup.url();
    let words = ["backup", text(&file)?, "--url", &url, "--retries", "0"];
    let mut command = scene.setup.command(&words);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let alone = Duration::from_millis(scene.chance.random_range(1..ALONE_MS_MAX));
    scene.until(alone, |_| false)?;
    let middle = child.try_wait()?.is_none();
    if number.is_multiple_of(2) {
        scene.kill()?;
        child.wait()?;
        scene.start()?;
    } else {
        child.kill()?;
        child.wait()?;
    }
    if file.exists() {
        // It has its name, so it is whole.
        let dir = scene.root.join(format!("killed-{number}-restored"));
        let done = restore(scene, &file, &dir).output()?;
        scene.check(done.status.success(), || {
            format!("a backup has its name and is not whole: {}", said(&done))
        });
    }
    Ok(middle)
}

/// A backup that nothing disturbs; gives the hash it tells.
fn backup(scene: &Scene, file: &Path) -> anyhow::Result<String> {
    let url = scene.setup.url();
    let words = ["backup", text(file)?, "--url", &url, "--json"];
    let done = scene.setup.command(&words).output()?;
    ensure!(done.status.success(), "the backup failed: {}", said(&done));
    let told: serde_json::Value = serde_json::from_slice(&done.stdout)?;
    Ok(told["hash"]
        .as_str()
        .context("a backup tells its hash")?
        .to_owned())
}

fn restore(scene: &Scene, file: &Path, dir: &Path) -> Command {
    let mut command = scene.setup.command(&["restore"]);
    command.arg(file).arg("--dir").arg(dir);
    command
}

/// Kills a restore; true if it was in the middle. What is left is refused, or whole.
fn killed_restore(scene: &mut Scene, file: &Path, number: u32) -> anyhow::Result<bool> {
    let dir = scene.root.join(format!("restored-{number}"));
    let mut command = restore(scene, file, &dir);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let alone = Duration::from_millis(scene.chance.random_range(1..ALONE_MS_MAX));
    scene.until(alone, |_| false)?;
    let middle = child.try_wait()?.is_none();
    child.kill()?;
    child.wait()?;
    let before = fs::read(dir.join("ordain")).ok();
    let hash = hash_of(scene, &dir)?;
    let whole = hash_of_backup(scene, file)?;
    let right = match &hash {
        // Not begun yet: without a word in its marker a directory is a new one.
        Ok(hash) => *hash == whole || before.is_none_or(|marker| marker.is_empty()),
        Err(_) => true,
    };
    scene.check(right, || {
        format!("half a restore was opened as a whole one: {hash:?}, not {whole}")
    });
    Ok(middle)
}

/// The hash of a directory's state, or why it was refused.
fn hash_of(scene: &Scene, dir: &Path) -> anyhow::Result<Result<String, String>> {
    let words = ["state-hash", "--json", "--dir", text(dir)?];
    let done = scene.setup.command(&words).output()?;
    if !done.status.success() {
        return Ok(Err(said(&done)));
    }
    let told: serde_json::Value = serde_json::from_slice(&done.stdout)?;
    Ok(Ok(told["hash"].as_str().unwrap_or_default().to_owned()))
}

/// The hash that a whole restore comes to.
fn hash_of_backup(scene: &Scene, file: &Path) -> anyhow::Result<String> {
    let dir = tempfile::tempdir_in(&scene.root)?;
    let done = restore(scene, file, &dir.path().join("data")).output()?;
    ensure!(done.status.success(), "the restore failed: {}", said(&done));
    let hash = hash_of(scene, &dir.path().join("data"))?;
    hash.map_err(|said| anyhow::anyhow!("what was restored is refused: {said}"))
}

/// What was restored is what was backed up.
fn restored(scene: &mut Scene, file: &Path, hash: &str) -> anyhow::Result<()> {
    let found = hash_of_backup(scene, file)?;
    scene.check(found == hash, || {
        format!("restored to {found}, backed up as {hash}")
    });
    Ok(())
}

/// A directory that says it has another format is refused by its name, and not touched.
fn other_formats(scene: &mut Scene) -> anyhow::Result<()> {
    let from = scene.setup.data.clone();
    scene.kill()?;
    for format in [0, 3, 99] {
        let dir = scene.root.join("other-format");
        copy(&from, &dir)?;
        fs::write(dir.join("ordain"), format!("{DIRECTORY} {format}\n"))?;
        refused(scene, &dir, "the directory")?;
        fs::remove_dir_all(&dir)?;
        for (file, at) in [("store/STORE", 8), (FIRST_SEGMENT, 8)] {
            let Ok(mut bytes) = fs::read(from.join(file)) else {
                continue; // the first segment may be too old to be kept
            };
            copy(&from, &dir)?;
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(format));
            fs::write(dir.join(file), bytes)?;
            refused(scene, &dir, file)?;
            fs::remove_dir_all(&dir)?;
        }
    }
    scene.start()
}

fn refused(scene: &mut Scene, dir: &Path, marker: &str) -> anyhow::Result<()> {
    let before = contents(dir)?;
    let mut setup = scene.setup.clone();
    setup.data = dir.to_owned();
    setup.port = 0;
    let ended = match setup.spawn()?.wait_ready(START_MAX) {
        Ok(()) => None,
        Err(error) => Some(error.downcast::<Ended>()?),
    };
    let code = ended.as_ref().and_then(|ended| ended.status.code());
    scene.check(code == Some(DAMAGED), || {
        format!("another format in {marker} came to {ended:?}")
    });
    let changed = changes(&before, &contents(dir)?);
    scene.check(changed.is_empty(), || {
        format!("refusing {marker} changed {changed:?}")
    });
    Ok(())
}

/// Files and what is in them.
pub type Contents = BTreeMap<PathBuf, Vec<u8>>;

/// The files that differ. What an interrupted checkpoint left behind in the store's tree, and nothing
/// refers to, any opening may sweep away: files there that are only gone do not count.
pub fn changes(before: &Contents, after: &Contents) -> Vec<PathBuf> {
    let names: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let swept =
        |name: &Path| !after.contains_key(name) && name.to_string_lossy().contains("/store/tree/");
    let differ = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name) && !swept(name));
    differ.cloned().collect()
}

/// Every file of a directory.
pub fn contents(dir: &Path) -> anyhow::Result<Contents> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match path.is_dir() {
            true => all.extend(contents(&path)?),
            false => drop(all.insert(path.clone(), fs::read(&path)?)),
        }
    }
    Ok(all)
}

/// Copies a directory, whole.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
