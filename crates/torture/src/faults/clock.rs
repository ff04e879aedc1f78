//! The wall clock jumps while the server runs and while it does not: by an hour, by a day, forwards and
//! back. Sends with a delay arrive when the log's time is there, also those that are on their way while it jumps,
//! and not before; `now` never goes back, keys go on working.

use std::time::Duration;

use ordain_client::Client;
use ordain_example_probe::Timer;
use ordain_types::Timestamp;
use rand::RngExt;
use tokio::runtime::Handle;

use super::Fault;
use crate::check::timers::{Set, by_now};
use crate::control::Control;
use crate::scene::Scene;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Where the clock is put, one after the other, from where it was. The last is beyond all that was set before.
const JUMPS: [i64; 6] = [HOUR_MS, 0, -HOUR_MS, DAY_MS, -DAY_MS, 2 * DAY_MS];
/// Delays that outlive a jump: one of an hour brings the first, one of a day all.
const DELAYS_MS: [u64; 3] = [30 * MINUTE_MS, 90 * MINUTE_MS, 12 * 60 * MINUTE_MS];
/// How long it may take until what is due has arrived: a jump is noticed within a second.
const ARRIVES_MAX: Duration = Duration::from_secs(10);

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
    let mut long = LongTimers::new(scene)?;
    for offset_ms in JUMPS {
        scene.wait_acknowledged(100)?;
        for delay_ms in DELAYS_MS {
            long.set(delay_ms)?;
        }
        control.clock(offset_ms)?;
        // Every other jump is noticed by a start.
        if scene.chance.random() {
            scene.kill()?;
            scene.start()?;
        }
        long.check(scene)?;
    }
    // Where it ends is an hour ahead of the machine, or a day behind it, and behind what the log has seen.
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
    let LongTimers { came, waited, .. } = long;
    if jumped && came > 0 && waited > 0 {
        scene.bit(format!(
            "{} jumps; the log's time jumped too; after one {came} long timers had come, {waited} had not",
            JUMPS.len() + 1
        ));
    }
    scene.healed();
    Ok(())
}

/// Timers that are set before a jump and looked at after it.
struct LongTimers {
    client: Client,
    handle: Handle,
    sets: Vec<Set>,
    /// How many had arrived when they were looked at, and how many had not, over all looks.
    came: usize,
    waited: usize,
}

impl LongTimers {
    fn new(scene: &Scene) -> anyhow::Result<Self> {
        Ok(Self {
            client: scene.load.client()?,
            handle: scene.load.handle().clone(),
            sets: Vec::new(),
            came: 0,
            waited: 0,
        })
    }

    /// Sets one; gives the time at which that was, by the log.
    fn set(&mut self, delay_ms: u64) -> anyhow::Result<Timestamp> {
        let number = self.sets.len() as u64;
        let set = Timer::at("long").set(number, delay_ms);
        let set = self.handle.block_on(self.client.call(set))?.value;
        self.sets.push(Set {
            number,
            set,
            delay_ms,
        });
        Ok(set)
    }

    fn told(&self) -> anyhow::Result<Timer> {
        let told = self.client.query(Timer::at("long").told());
        Ok(self.handle.block_on(told)?.value)
    }

    /// What is due by the log's time arrives soon, and nothing else does.
    fn check(&mut self, scene: &mut Scene) -> anyhow::Result<()> {
        // The log's time before and after, told by transactions: both are timers themselves, due at once.
        let before = self.set(0)?;
        let is_late =
            |told: &Timer| !by_now(&self.sets, told, before, Timestamp(u64::MAX)).is_empty();
        let mut told = self.told();
        scene.until(ARRIVES_MAX, |_| {
            told = self.told();
            told.as_ref().is_ok_and(|told| !is_late(told))
        })?;
        let told = told?;
        let sets = self.sets.clone();
        let after = self.set(0)?;
        let found = by_now(&sets, &told, before, after);
        scene.check(found.is_empty(), || found.join("\n"));
        let arrived = |set: &&Set| told.fired.iter().any(|fired| fired.number == set.number);
        let long: Vec<_> = sets.iter().filter(|set| set.delay_ms > 0).collect();
        let came = long.iter().filter(|set| arrived(set)).count();
        self.came += came;
        self.waited += long.len() - came;
        Ok(())
    }
}
