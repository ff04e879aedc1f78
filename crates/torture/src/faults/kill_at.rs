//! Killed at the n-th write or sync of the log or of the store, for every n of a short run: before it,
//! in the middle of it, after it, each of them at each n. On a directory that is new, and on one that has data and load.

use std::time::Duration;

use super::Fault;
use crate::control::{Action, Control, Event, Part};
use crate::load::Mix;
use crate::scene::Scene;

/// The n that are reached: from 1 to this. A prime, so that any step visits each.
const EVENTS: u32 = 61;
/// The step from one repetition's n to the next: a few repetitions are spread over all.
const STEP: u32 = 23;
/// How long the n-th event may take to come.
const COMES_MAX: Duration = Duration::from_secs(30);

macro_rules! fault {
    ($name:literal, $about:literal, $part:expr, $event:expr) => {
        Fault {
            name: $name,
            about: $about,
            ci: 2 * actions($event).len() as u32,
            hand: 2 * actions($event).len() as u32 * EVENTS,
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

/// Where the process may be killed: a sync has no middle.
const fn actions(event: Event) -> &'static [Action] {
    match event {
        Event::Write => &[Action::KillBefore, Action::KillHalfway, Action::KillAfter],
        Event::Sync => &[Action::KillBefore, Action::KillAfter],
    }
}

/// What a repetition does.
#[derive(Debug, Clone, Copy)]
struct Kill {
    nth: u64,
    action: Action,
    /// On a directory that has data, in place of a new one.
    used: bool,
}

impl Kill {
    /// A few repetitions in a row have each action, on a new directory and on a used one; and all of
    /// them each n with each action, since the actions are fewer than the n, whose number is a prime.
    fn of(repetition: u32, event: Event) -> Self {
        let (number, actions) = (repetition / 2, actions(event));
        Self {
            nth: 1 + u64::from(number * STEP % EVENTS),
            action: actions[number as usize % actions.len()],
            used: repetition % 2 == 1,
        }
    }
}

fn run(scene: &mut Scene, part: Part, event: Event) -> anyhow::Result<()> {
    let Kill { nth, action, used } = Kill::of(scene.repetition, event);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_event_is_killed_at_in_every_way() {
        for (fault, event) in [(LOG_WRITE, Event::Write), (STORE_SYNC, Event::Sync)] {
            let kills = |repetitions| -> Vec<Kill> {
                let repetitions = 0..repetitions;
                repetitions.map(|number| Kill::of(number, event)).collect()
            };
            let ways: BTreeSet<_> = kills(fault.ci)
                .iter()
                .map(|kill| (kill.action as u32, kill.used))
                .collect();
            assert_eq!(ways.len(), 2 * actions(event).len(), "in the tests");
            let all: BTreeSet<_> = kills(fault.hand)
                .iter()
                .map(|kill| (kill.nth, kill.action as u32, kill.used))
                .collect();
            let every = EVENTS as usize * 2 * actions(event).len();
            assert_eq!(all.len(), every, "by hand");
        }
    }
}
