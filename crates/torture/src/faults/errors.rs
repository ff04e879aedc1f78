//! Writes and syncs that fail. After one of the log nothing is acknowledged, health says so, queries go
//! on, and a restart heals. After one of the store what is acknowledged stays so: the log has it. A
//! write that is only short is got over without a restart.

use std::time::Duration;

use ordain_client::{Client, Error};
use ordain_example_probe::Counter;
use rand::RngExt;

use super::Fault;
use crate::control::{Action, Control, Event, Part};
use crate::scene::Scene;

/// How long the failure may take to come, and to be told.
const COMES_MAX: Duration = Duration::from_secs(30);
/// Updates asked for while the log has failed.
const ASKED: usize = 20;
/// Events that fail: all, from the first one on.
const FOR_EVER: u64 = u64::MAX;

macro_rules! fault {
    ($name:literal, $about:literal, $part:expr, $event:expr, $action:expr) => {
        Fault {
            name: $name,
            about: $about,
            ci: 1,
            hand: 20,
            run: |scene| run(scene, $part, $event, $action),
        }
    };
}

/// A sync of the log fails.
pub const LOG_SYNC: Fault = fault!(
    "log-sync-error",
    "a sync of the log fails with EIO",
    Part::Segments,
    Event::Sync,
    Action::Fail
);
/// A write of the log fails.
pub const LOG_WRITE: Fault = fault!(
    "log-write-error",
    "a write of the log fails with EIO",
    Part::Segments,
    Event::Write,
    Action::Fail
);
/// A write of the log is short.
pub const LOG_SHORT: Fault = fault!(
    "log-short-write",
    "writes of the log write half, and it goes on by itself",
    Part::Segments,
    Event::Write,
    Action::Short
);
/// A write of the log's note fails. It only tells more of damage: the log goes on without it.
pub const NOTE_WRITE: Fault = fault!(
    "note-write-error",
    "a write of the note of what was acknowledged fails with EIO",
    Part::Note,
    Event::Write,
    Action::Fail
);
/// A sync of the store fails.
pub const STORE_SYNC: Fault = fault!(
    "store-sync-error",
    "a sync of the store fails with EIO",
    Part::Store,
    Event::Sync,
    Action::Fail
);
/// A write of the store fails.
pub const STORE_WRITE: Fault = fault!(
    "store-write-error",
    "a write of the store fails with EIO",
    Part::Store,
    Event::Write,
    Action::Fail
);

fn run(scene: &mut Scene, part: Part, event: Event, action: Action) -> anyhow::Result<()> {
    let control = Control::new(&scene.root)?;
    scene.setup.environment = control.environment()?;
    scene.begin()?;
    scene.wait_acknowledged(100)?;
    let nth = scene.chance.random_range(1..50);
    // Every second run it is one failure only, and everything after it would work again.
    let last = if scene.repetition.is_multiple_of(2) {
        FOR_EVER
    } else {
        nth
    };
    control.arm(part, event, nth..=last, action)?;
    let came = scene.until(COMES_MAX, |_| control.bites().is_ok_and(|bites| bites > 0))?;
    if came {
        scene.bit(format!("{action:?} {event:?} {nth} of the {part:?}"));
    }
    match (part, action) {
        // Half a write is what a disk does that is about to be full: that is got over.
        (Part::Segments, Action::Short) => {
            control.disarm()?;
            scene.wait_acknowledged(200)?;
        }
        (Part::Segments, _) => check_failed(scene, COMES_MAX)?,
        (Part::Store | Part::Note | Part::Log, _) => {
            // Nobody who calls notices: the log is sound.
            scene.wait_acknowledged(200)?;
        }
    }
    scene.kill()?;
    control.disarm()?;
    scene.start()?;
    scene.healed();
    Ok(())
}

/// The log has failed: that is told within `max`, no update is acknowledged, and queries are answered.
pub fn check_failed(scene: &mut Scene, max: Duration) -> anyhow::Result<()> {
    let handle = scene.load.handle().clone();
    let client = Client::builder(&scene.setup.url()).retries(0).build()?;
    let mut told = String::new();
    scene.until(max, |_| {
        told = match handle.block_on(client.ready()) {
            Ok(ready) => format!("{:?}", ready.status),
            Err(error) => error.to_string(),
        };
        told == "DiskFailed"
    })?;
    scene.check(told == "DiskFailed", || {
        format!("health said {told}, not that the disk failed")
    });
    for _ in 0..ASKED {
        let update = handle.block_on(client.call(Counter::at("harness").add()));
        let refused = matches!(&update, Err(Error::Unavailable(answer)) if answer.status == 503);
        scene.check(refused, || {
            format!("an update came to {update:?} on a failed disk")
        });
        let query = handle.block_on(client.query(Counter::at("harness").count()));
        let answered = query.as_ref().is_ok_and(|reply| reply.value == 0);
        scene.check(answered, || {
            format!("a query came to {query:?} on a failed disk")
        });
    }
    Ok(())
}
