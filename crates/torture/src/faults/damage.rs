//! Flipped bits and truncations in every file of a data directory, the machine code of its modules too: at its
//! beginning, its end, and chosen places; and in the log, where each kind of command is recorded. Each is detected
//! (the start ends, says why, and changes nothing) or harmless (the state is the same, to the bit); never is
//! something else served.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, ensure};
use ordain_client::{Client, ModuleFiles, ModuleSource};
use ordain_example_probe::Counter;
use ordain_types::ModuleName;
use rand::RngExt;

use super::Fault;
use super::backup::{changes, contents, copy};
use super::records::{Place, last_of_each_kind};
use crate::scene::Scene;
use crate::server::free_port;

/// Places in one file that are damaged in one run, beside its beginning and its end.
const PLACES: usize = 5;
/// The bytes at the beginning of a file where headers are.
const HEADER_BYTES: u64 = 64;
/// Longer than the longest delay of a send.
const REST: Duration = Duration::from_millis(1_500);
/// How the program ends when data is damaged.
const DAMAGED: i32 = 7;
/// The kinds of commands that a start must have to replay. (A log has one genesis, and tells which build is in force
/// when that changes.)
const KINDS: [&str; 5] = ["call", "deliver", "deploy", "send", "undeploy"];
/// A module of no types that the program has, which is compiled to machine code.
const COMPONENT: &[u8] = include_bytes!("../../../hosts/tests/fixtures/person.wasm");
/// Another, of which there are versions.
const SCRIPT: &str = r#"
import { entity, type Context } from "ordain";
export const torture_tally = entity({ count: 0 }, {
  add(cx: Context<{ count: number }>) {
    return (cx.state.count += BY);
  },
});
"#;

/// The fault.
pub const DAMAGE: Fault = Fault {
    name: "damage",
    about: "flipped bits and truncations in every file of a data directory",
    ci: 1,
    hand: 20,
    run,
};

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
pub enum Damage {
    /// A bit is flipped.
    Flip {
        /// Of this byte.
        offset: u64,
        /// Which.
        bit: u8,
    },
    /// Its end is cut off.
    Cut {
        /// How much is left.
        bytes: u64,
    },
    /// It is removed.
    Gone,
}

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    scene.begin()?;
    let url = scene.setup.url();
    deploy(
        scene,
        &url,
        "person",
        ModuleSource::Component(COMPONENT.into()),
    )?;
    deploy(scene, &url, "tally", script(1))?;
    scene.wait_acknowledged(600)?;
    scene.kill()?;
    let sound = sound(scene)?;
    let replayed = replayed(scene, &sound)?;
    // Of a copy: whoever opens a directory and closes it leaves a checkpoint, and no log to be damaged.
    let untouched = scene.root.join("untouched");
    copy(&sound, &untouched)?;
    let expected = opened(scene, &untouched)?;
    ensure!(
        expected.status.success(),
        "the undamaged copy does not open: {}",
        said(&expected)
    );
    let hash = String::from_utf8(expected.stdout)?;
    let (mut detected, mut harmless) = (0, 0);
    let files: Vec<PathBuf> = contents(&sound)?.into_keys().collect();
    for file in &files {
        let name = file.strip_prefix(&sound)?.to_owned();
        for damage in damages(scene, file)? {
            match attempt(scene, &sound, &name, damage, &hash)? {
                true => detected += 1,
                false => harmless += 1,
            }
        }
    }
    check_some(scene, detected);
    let places = last_of_each_kind(&scene.setup, &sound)?;
    let last = places.iter().map(|place| place.seq).max();
    let checkpoint = last.unwrap_or_default() - replayed;
    let kinds = damage_records(scene, &sound, &places, checkpoint, &hash)?;
    let what = format!(
        "{} files, {replayed} commands to replay, of which {kinds:?} were damaged; {detected} damages detected, \
         {harmless} harmless",
        files.len()
    );
    // What is not replayed is not read.
    match KINDS.iter().all(|kind| kinds.contains(kind)) {
        true => scene.bit(what),
        false => scene.note(what),
    }
    scene.start()?;
    scene.healed();
    Ok(())
}

/// Damages the record of a command of each kind, its header and what it holds. Those after `checkpoint` must be
/// detected: the start needs them. Gives the kinds of these.
fn damage_records<'a>(
    scene: &mut Scene,
    sound: &Path,
    places: &'a [Place],
    checkpoint: u64,
    hash: &str,
) -> anyhow::Result<Vec<&'a str>> {
    let mut kinds = Vec::new();
    for place in places {
        for range in [&place.header, &place.payload] {
            let offset = scene.chance.random_range(range.clone());
            let bit = scene.chance.random_range(0..8);
            let name = place.file.strip_prefix(sound)?;
            let damage = Damage::Flip { offset, bit };
            let detected = attempt(scene, sound, name, damage, hash)?;
            check_record(scene, place, checkpoint, damage, detected);
        }
        if place.seq > checkpoint {
            kinds.push(place.kind.as_str());
        }
    }
    Ok(kinds)
}

/// Of so many damages some must be detected, or nothing was damaged.
pub fn check_some(scene: &mut Scene, detected: u64) {
    scene.check(detected > 0, || "no damage was detected".into());
}

/// Damage of a record after `checkpoint` must be detected.
pub fn check_record(
    scene: &mut Scene,
    place: &Place,
    checkpoint: u64,
    damage: Damage,
    detected: bool,
) {
    scene.check(detected || place.seq <= checkpoint, || {
        format!("{damage:?}: {place:?} was read all the same")
    });
}

/// A copy of the data that is at rest: all sends have arrived, so that whenever it is opened its state
/// is the same. Beyond the last checkpoint its log has commands of all kinds that follow one.
pub fn sound(scene: &mut Scene) -> anyhow::Result<PathBuf> {
    let mut setup = scene.setup.clone();
    setup.data = scene.root.join("sound");
    setup.port = free_port()?;
    setup.set("--checkpoint-interval", "1h");
    copy(&scene.setup.data, &setup.data)?;
    let (server, url) = (setup.start()?, setup.url());
    let (client, handle) = (Client::new(&url)?, scene.load.handle().clone());
    deploy(scene, &url, "tally", script(2))?;
    handle.block_on(client.undeploy(&ModuleName::new("tally")?, true))?;
    handle.block_on(client.call(Counter::at("sound").add()))?;
    handle.block_on(client.send(Counter::at("sound").add(), Duration::ZERO))?;
    scene.until(REST, |_| false)?;
    server.kill()?;
    Ok(setup.data)
}

/// One version of a module that is written in TypeScript.
fn script(by: u32) -> ModuleSource {
    let text = SCRIPT.replace("BY", &by.to_string());
    ModuleSource::Files(ModuleFiles {
        main: "tally.ts".to_owned(),
        files: [("tally.ts".to_owned(), text)].into(),
    })
}

fn deploy(scene: &Scene, url: &str, name: &str, source: ModuleSource) -> anyhow::Result<()> {
    let (client, name) = (Client::new(url)?, ModuleName::new(name)?);
    let deployed = client.deploy(&name, &source, false);
    scene.load.handle().block_on(deployed)?;
    Ok(())
}

/// How many commands a start on a copy replays.
fn replayed(scene: &Scene, sound: &Path) -> anyhow::Result<u64> {
    let mut setup = scene.setup.clone();
    setup.data = scene.root.join("replayed");
    setup.port = 0;
    copy(sound, &setup.data)?;
    let server = setup.start()?;
    let replayed = server.replayed();
    server.kill()?;
    replayed.context("a server that is ready tells what it replayed")
}

/// Where a file is damaged: its beginning, its end, the last thing written to it, and chosen places.
fn damages(scene: &mut Scene, file: &Path) -> anyhow::Result<Vec<Damage>> {
    let bytes = fs::read(file)?;
    let length = bytes.len() as u64;
    let mut damages = vec![Damage::Gone];
    if length == 0 {
        return Ok(damages);
    }
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64 + 1;
    let mut offsets = vec![0, written - 1, length - 1];
    for _ in 0..PLACES {
        offsets.push(scene.chance.random_range(0..length.min(HEADER_BYTES)));
        offsets.push(scene.chance.random_range(0..written));
    }
    for offset in offsets {
        let bit = scene.chance.random_range(0..8);
        damages.push(Damage::Flip { offset, bit });
    }
    for bytes in [0, 1, length / 2, written / 2, written - 1, length - 1] {
        damages.push(Damage::Cut { bytes });
    }
    Ok(damages)
}

/// Opens a damaged copy with the real program; whether it was detected.
pub fn attempt(
    scene: &mut Scene,
    sound: &Path,
    name: &Path,
    damage: Damage,
    hash: &str,
) -> anyhow::Result<bool> {
    let dir = scene.root.join("damaged");
    copy(sound, &dir)?;
    apply(&dir.join(name), damage)?;
    let before = contents(&dir)?;
    let done = opened(scene, &dir)?;
    let what = || format!("{damage:?} of {}", name.display());
    let (text, told) = (
        String::from_utf8_lossy(&done.stdout).into_owned(),
        said(&done),
    );
    let detected = !done.status.success();
    if detected {
        // Damage of a block may be found once it is read, when the node is there already; and a
        // directory without its marker is none of ours.
        let code = done.status.code();
        let foreign = code == Some(1) && told.contains("is no Ordain");
        let later = foreign || told.contains("cannot read the state");
        scene.check(code == Some(DAMAGED) || foreign, || {
            format!("{}: exit {code:?}: {told}", what())
        });
        let changed = changes(&before, &contents(&dir)?);
        scene.check(later || changed.is_empty(), || {
            format!("{}: refused, and yet changed {changed:?}: {told}", what())
        });
        let named = !told.trim().is_empty() && !told.contains("panicked");
        scene.check(named, || format!("{}: it said {told:?}", what()));
    } else {
        scene.check(text == hash, || {
            format!("{}: served {text} for {hash}", what())
        });
    }
    fs::remove_dir_all(&dir)?;
    Ok(detected)
}

fn apply(path: &Path, damage: Damage) -> anyhow::Result<()> {
    match damage {
        Damage::Gone => fs::remove_file(path)?,
        Damage::Cut { bytes } => fs::File::options().write(true).open(path)?.set_len(bytes)?,
        Damage::Flip { offset, bit } => {
            let mut bytes = fs::read(path)?;
            bytes[offset as usize] ^= 1 << bit;
            fs::write(path, bytes)?;
        }
    }
    Ok(())
}

/// Opens a copy as `serve` would and asks for the hash of its whole state.
fn opened(scene: &Scene, dir: &Path) -> anyhow::Result<Output> {
    let dir = dir.to_str().context("a path is no text")?;
    Ok(scene
        .setup
        .command(&["state-hash", "--dir", dir])
        .output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
