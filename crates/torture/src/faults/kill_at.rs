//! Killed at the n-th write or sync of the log or of the store, for every n of a short run: before it,
//! in the middle of it, after it. On a directory that is new, and on one that has data and load.

use std::time::Duration;

use super::Fault;
use crate::control::{Action, Control, Event, Part};
use crate::load::Mix;
use crate::scene::Scene;

/// The n that are reached: from 1 to this. A prime, so that any step visits each.
const EVENTS: u32 = 61;
/// The step from one repetition's n to the next: a few repetitions are spread over all.
const STEP: u32 = 23;
/// By hand: every n, on a new directory and on a used one.
const EVERY: u32 = 2 * EVENTS;
/// How long the n-th event may take to come.
const COMES_MAX: Duration = Duration::from_secs(30);

macro_rules! fault {
    ($name:literal, $about:literal, $part:expr, $event:expr) => {
        Fault {
            name: $name,
            about: $about,
            ci: 4,
            hand: EVERY,
            run: |scene| run(scene, $part, $event),
        }
    };
}

/// At a write of the log.
pub const LOG_WRITE: Fault = fault!(
    "kill-log-write",
    "killed at the n-th write of the log, every n",
    Part::Log,
    Event::Write
);
/// At a sync of the log.
pub const LOG_SYNC: Fault = fault!(
    "kill-log-sync",
    "killed at the n-th sync of the log, every n",
    Part::Log,
    Event::Sync
);
/// At a write of the store.
pub const STORE_WRITE: Fault = fault!(
    "kill-store-write",
    "killed at the n-th write of the store, every n",
    Part::Store,
    Event::Write
);
/// At a sync of the store.
pub const STORE_SYNC: Fault = fault!(
    "kill-store-sync",
    "killed at the n-th sync of the store, every n",
    Part::Store,
    Event::Sync
);

fn run(scene: &mut Scene, part: Part, event: Event) -> anyhow::Result<()> {
    let (number, used) = (scene.repetition / 2, scene.repetition % 2 == 1);
    let nth = 1 + u64::from(number * STEP % EVENTS);
    let action = match (number % 3, event) {
        (0, _) => Action::KillBefore,
        (1, Event::Write) => Action::KillHalfway,
        _ => Action::KillAfter,
    };
    let control = Control::new(&scene.root)?;
    scene.setup.environment = control.environment()?;
    scene.setup.set("--checkpoint-interval", "50ms");
    match used {
        true => {
            scene.begin()?;
            scene.wait_acknowledged(100)?;
            control.arm(part, event, nth..=nth, action)?;
        }
        false => {
            // Nothing is prepared: the directory itself is in the making.
            scene.mix(Mix {
                banks: 0,
                ..Mix::default()
            })?;
            control.arm(part, event, nth..=nth, action)?;
            let server = scene.setup.spawn()?;
            scene.adopt(server);
            scene.load.start()?;
        }
    }
    let mut server = scene.take()?;
    let ended = scene.until(COMES_MAX, |_| {
        matches!(server.wait(Duration::ZERO), Ok(Some(_)))
    })?;
    if ended && control.bites()? == 1 {
        let place = if used { "with data" } else { "new" };
        scene.bit(format!(
            "{action:?} {event:?} {nth} of the {part:?}, {place}"
        ));
    }
    drop(server);
    scene.setup.environment.clear();
    scene.start()?;
    scene.healed();
    Ok(())
}
