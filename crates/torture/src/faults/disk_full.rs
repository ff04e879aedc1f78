//! A disk that is full, and that has space again. On a small file system of its own where the system
//! lets us mount one; otherwise, and every second time, by a preloaded library that says so.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use ordain_client::{Client, Error};
use ordain_example_probe::Counter;

use super::Fault;
use crate::control::Control;
use crate::scene::Scene;

/// Bytes that the disk has, and bytes of something else on it, which goes away.
const DISK_BYTES: u64 = 16 << 20;
const OTHERS_BYTES: u64 = 13 << 20;
/// Bytes until a disk is full that is only said to be.
const SPACE_BYTES: u64 = 1 << 20;
/// How long it may take to become full, and to go on.
const COMES_MAX: Duration = Duration::from_secs(40);
/// Updates asked for meanwhile.
const ASKED: usize = 20;

/// The fault.
pub const DISK_FULL: Fault = Fault {
    name: "disk-full",
    about: "a full disk (a small tmpfs, or by preload), and its release",
    ci: 2,
    hand: 20,
    run,
};

/// What fills the disk.
pub enum Disk {
    /// It is small.
    Mounted(Mounted),
    /// It is said to be full.
    Said(Control),
}

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    let disk = disk(scene)?;
    // Nothing of the log goes away while there is so little of it.
    scene.setup.set("--history-size", "1GiB");
    scene.begin()?;
    scene.wait_acknowledged(100)?;
    if let Disk::Said(control) = &disk {
        control.space(Some(SPACE_BYTES))?;
    }
    let full = wait_status(scene, "DiskFull")?;
    if full {
        let how = match &disk {
            Disk::Mounted(_) => "a tmpfs was full",
            Disk::Said(_) => "the preload said full",
        };
        scene.bit(how);
        check_full(scene, &disk)?;
    }
    match &disk {
        Disk::Mounted(mounted) => fs::remove_file(mounted.others())?,
        Disk::Said(control) => control.space(None)?,
    }
    // It goes on by itself: the same process.
    let goes_on = wait_status(scene, "Ready")?;
    scene.check(goes_on, || "it did not go on by itself".into());
    scene.healed();
    if let Disk::Mounted(mounted) = disk {
        scene.keep_until_end(mounted);
    }
    Ok(())
}

fn disk(scene: &mut Scene) -> anyhow::Result<Disk> {
    if scene.repetition.is_multiple_of(2) {
        match Mounted::new(&scene.root.join("disk")) {
            Ok(mounted) => {
                scene.setup.data = mounted.path.join("data");
                return Ok(Disk::Mounted(mounted));
            }
            Err(why) => scene.note(format!("no tmpfs: {why:#}")),
        }
    }
    let control = Control::new(&scene.root)?;
    scene.setup.environment = control.environment()?;
    Ok(Disk::Said(control))
}

fn wait_status(scene: &mut Scene, status: &str) -> anyhow::Result<bool> {
    let handle = scene.load.handle().clone();
    let client = Client::builder(&scene.setup.url()).retries(0).build()?;
    scene.until(COMES_MAX, |_| {
        let ready = handle.block_on(client.ready());
        ready.is_ok_and(|ready| format!("{:?}", ready.status) == status)
    })
}

/// Updates are refused and queries answered for as long as it is full. What the server's own merges
/// free of a real disk is taken again; between the two an update may find a place, and counts then.
pub fn check_full(scene: &mut Scene, disk: &Disk) -> anyhow::Result<()> {
    let handle = scene.load.handle().clone();
    let client = Client::builder(&scene.setup.url()).retries(0).build()?;
    let (mut refused, mut counted) = (0, 0);
    for _ in 0..ASKED {
        if let Disk::Mounted(mounted) = disk {
            mounted.fill()?;
        }
        match handle.block_on(client.call(Counter::at("harness").add())) {
            Ok(_) => counted += 1,
            Err(Error::Unavailable(answer)) if answer.status == 503 => refused += 1,
            Err(error) => scene.check(false, || format!("on a full disk: {error}")),
        }
        let query = handle.block_on(client.query(Counter::at("harness").count()));
        let answered = query.as_ref().is_ok_and(|reply| reply.value == counted);
        scene.check(answered, || {
            format!("a query came to {query:?} on a full disk, {counted} were counted")
        });
    }
    scene.check(refused > 0, || {
        "no update was refused on a full disk".into()
    });
    Ok(())
}

/// A small file system, unmounted when dropped.
pub struct Mounted {
    path: PathBuf,
}

impl Mounted {
    fn new(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "tmpfs"]);
        let done = mount.arg(path).output().context("there is no `mount`")?;
        let said = String::from_utf8_lossy(&done.stderr);
        anyhow::ensure!(done.status.success(), "{}", said.trim());
        let path = path.to_owned();
        let mounted = Self { path };
        let mut others = File::create(mounted.others())?;
        for _ in 0..OTHERS_BYTES >> 20 {
            others.write_all(&[1; 1 << 20])?;
        }
        Ok(mounted)
    }

    /// Takes what space there is.
    fn fill(&self) -> anyhow::Result<()> {
        let mut others = File::options().append(true).open(self.others())?;
        loop {
            match others.write(&[1; 64 << 10]) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn others(&self) -> PathBuf {
        self.path.join("others")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there is about to end.
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}
