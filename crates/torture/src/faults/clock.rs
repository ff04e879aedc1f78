//! The wall clock jumps while the server runs and while it does not: by an hour, by a day, forwards and
//! back. Sends with a delay arrive after it and not before, `now` never goes back, keys go on working.

use rand::RngExt;

use super::Fault;
use crate::control::Control;
use crate::scene::Scene;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Where the clock is put, one after the other, from where it was.
const JUMPS: [i64; 6] = [HOUR_MS, 0, -HOUR_MS, DAY_MS, -DAY_MS, HOUR_MS];

/// The fault.
pub const CLOCK: Fault = Fault {
    name: "clock",
    about: "the wall clock jumps by an hour and a day, forwards and back",
    ci: 1,
    hand: 20,
    run,
};

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    let control = Control::new(&scene.root)?;
    scene.setup.environment = control.environment()?;
    // A jump of a day must not make answered keys old: retries would run again, as they should.
    scene.setup.set("--retention", "30d");
    scene.begin()?;
    for offset_ms in JUMPS {
        scene.wait_acknowledged(100)?;
        control.clock(offset_ms)?;
        // Every other jump is noticed by a start.
        if scene.chance.random() {
            scene.kill()?;
            scene.start()?;
        }
    }
    // Where it ends is an hour ahead, or a day behind what the log has seen.
    control.clock(if scene.repetition.is_multiple_of(2) {
        -DAY_MS
    } else {
        HOUR_MS
    })?;
    scene.wait_acknowledged(100)?;
    let told = scene.times_told();
    let jumped = told
        .iter()
        .zip(told.iter().skip(1))
        .any(|(a, b)| b - a > HOUR_MS as u64 / 2);
    if jumped {
        scene.bit(format!(
            "{} jumps; the log's time jumped too",
            JUMPS.len() + 1
        ));
    }
    scene.healed();
    Ok(())
}
