//! Killed in the middle of a backup and of a restore, server and command alike; and data directories of
//! another format. No format but the newest is read, so that no upgrade can be interrupted: what there is, is
//! that markers of an older or newer format are refused, and nothing is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use ordain_example_probe::Note;
use rand::RngExt;

use super::Fault;
use crate::load::Mix;
use crate::scene::Scene;
use crate::server::{Ended, START_MAX};

/// Backups and restores that are killed in one run.
const KILLS: u32 = 5;
/// How long one may take to begin.
const BEGINS_MAX: Duration = Duration::from_secs(20);
/// The longest time that one is left alone once it has begun.
const ALONE_MS_MAX: u64 = 20;
/// Notes, and the bytes of each: what makes a backup and a restore take a while.
const NOTES: u64 = 64;
const NOTE_BYTES: u64 = 256 << 10;
/// How the program ends when data is damaged, incomplete, or of another version.
const DAMAGED: i32 = 7;
/// What the marker of a data directory says before its format.
const DIRECTORY: &str = "ordain data directory, format";
/// What it says at its end while a restore is on its way.
const RESTORING: &[u8] = b"a restore has not ended\n";
/// Formats of directory, store and log, old, known and to come. What has the one that it should have is left out.
const FORMATS: [u32; 5] = [0, 1, 2, 3, 99];
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
    fill(scene)?;
    let (mut backups, mut restores) = (0, 0);
    for number in 0..KILLS {
        backups += u32::from(killed_backup(scene, number)?);
    }
    let file = scene.root.join("backup");
    let hash = backup(scene, &file)?;
    restored(scene, &file, &hash)?;
    for number in 0..KILLS {
        restores += u32::from(killed_restore(scene, &file, &hash, number)?);
    }
    other_formats(scene)?;
    let what = format!("of {KILLS} each, {backups} backups and {restores} restores cut short");
    match backups > 0 && restores > 0 {
        true => scene.bit(what),
        false => scene.note(what),
    }
    scene.healed();
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is no text")
}

/// Makes the state so large that it is not written in a moment.
fn fill(scene: &Scene) -> anyhow::Result<()> {
    let client = scene.load.client()?;
    scene.load.handle().block_on(async {
        for number in 0..NOTES {
            let note = Note::at(format!("large-{number}"));
            client.call(note.fill(NOTE_BYTES)).await?;
        }
        Ok(())
    })
}

/// Lets a command go on until it `has_begun` and a little longer. False: it ended before.
fn let_begin(
    scene: &mut Scene,
    command: &mut Child,
    has_begun: impl Fn() -> bool,
) -> anyhow::Result<bool> {
    let mut ended = false;
    let begun = scene.until(BEGINS_MAX, |_| {
        ended = matches!(command.try_wait(), Ok(Some(_)));
        ended || has_begun()
    })?;
    let alone = Duration::from_millis(scene.chance.random_range(0..ALONE_MS_MAX));
    scene.until(alone, |_| false)?;
    Ok(begun && !ended)
}

/// Kills the server or the command in the middle; true if it was the middle: there were bytes of the backup already,
/// and it did not come to its end. What is left is no backup, or a whole one.
fn killed_backup(scene: &mut Scene, number: u32) -> anyhow::Result<bool> {
    let file = scene.root.join(format!("killed-{number}"));
    let unfinished = file.with_extension("unfinished");
    let url = scene.setup.url();
    let words = ["backup", text(&file)?, "--url", &url, "--retries", "0"];
    let mut command = scene.setup.command(&words);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let has_bytes = || fs::metadata(&unfinished).is_ok_and(|file| file.len() > 0);
    let begun = let_begin(scene, &mut child, has_bytes)?;
    if number.is_multiple_of(2) {
        scene.kill()?;
        child.wait()?;
        scene.start()?;
    } else {
        child.kill()?;
        child.wait()?;
    }
    let finished = file.exists();
    if finished {
        // It has its name, so it is whole.
        check_whole(scene, &file)?;
    }
    Ok(begun && !finished)
}

/// A backup that has its name can be restored.
pub fn check_whole(scene: &mut Scene, file: &Path) -> anyhow::Result<()> {
    let done = restore(scene, file, &file.with_extension("restored")).output()?;
    scene.check(done.status.success(), || {
        format!("a backup has its name and is not whole: {}", said(&done))
    });
    Ok(())
}

/// A backup that nothing disturbs; gives the hash it tells.
pub fn backup(scene: &Scene, file: &Path) -> anyhow::Result<String> {
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

/// The command that restores it.
pub fn restore(scene: &Scene, file: &Path, dir: &Path) -> Command {
    let mut command = scene.setup.command(&["restore"]);
    command.arg(file).arg("--dir").arg(dir);
    command
}

/// Kills a restore; true if it was in the middle: what is left says that it is none.
fn killed_restore(scene: &mut Scene, file: &Path, hash: &str, number: u32) -> anyhow::Result<bool> {
    let dir = scene.root.join(format!("restored-{number}"));
    let marker = dir.join("ordain");
    let mut command = restore(scene, file, &dir);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let has_marker = || fs::metadata(&marker).is_ok_and(|marker| marker.len() > 0);
    let_begin(scene, &mut child, has_marker)?;
    child.kill()?;
    child.wait()?;
    let cut_short = fs::read(&marker).is_ok_and(|marker| marker.ends_with(RESTORING));
    check_killed(scene, &dir, hash)?;
    Ok(cut_short)
}

/// What a restore left that was killed is refused, or whole.
pub fn check_killed(scene: &mut Scene, dir: &Path, hash: &str) -> anyhow::Result<()> {
    let before = fs::read(dir.join("ordain")).ok();
    let found = hash_of(scene, dir)?;
    let right = match &found {
        // Not begun yet: without a word in its marker a directory is a new one.
        Ok(found) => found == hash || before.is_none_or(|marker| marker.is_empty()),
        Err(_) => true,
    };
    scene.check(right, || {
        format!("half a restore was opened as a whole one: {found:?}, not {hash}")
    });
    Ok(())
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
pub fn restored(scene: &mut Scene, file: &Path, hash: &str) -> anyhow::Result<()> {
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
    let marker = fs::read_to_string(from.join("ordain"))?;
    for format in FORMATS {
        let dir = scene.root.join("other-format");
        let text = format!("{DIRECTORY} {format}\n");
        if text != marker {
            copy(&from, &dir)?;
            fs::write(dir.join("ordain"), text)?;
            refused(scene, &dir, "the directory")?;
            fs::remove_dir_all(&dir)?;
        }
        for (file, at) in [("store/STORE", 8), (FIRST_SEGMENT, 8)] {
            let Ok(mut bytes) = fs::read(from.join(file)) else {
                continue; // the first segment may be too old to be kept
            };
            let said = &mut bytes[at..at + 4];
            if *said == u32::to_le_bytes(format) {
                continue;
            }
            said.copy_from_slice(&u32::to_le_bytes(format));
            copy(&from, &dir)?;
            fs::write(dir.join(file), bytes)?;
            refused(scene, &dir, file)?;
            fs::remove_dir_all(&dir)?;
        }
    }
    scene.start()
}

/// A directory is refused as damaged or of another version, and not touched.
pub fn refused(scene: &mut Scene, dir: &Path, marker: &str) -> anyhow::Result<()> {
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
