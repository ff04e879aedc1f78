//! Open loop: transactions begin at a fixed rate, whoever still waits. Latency counts from when a
//! transaction should have begun, so a stall is felt by all that fell into it and not by one
//! ("coordinated omission"), and by those, too, that have not begun when the run is over.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ordain_client::{Client, Stream};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::closed;
use crate::answer::{Answer, Ask};
use crate::door::{call, raw};
use crate::measure::{Phase, Plan, Record};
use crate::workload::{Source, Workload};

/// Where single requests go.
#[derive(Clone)]
pub enum Target {
    /// A server, a request at a time.
    Calls(Client),
    /// A server, by streams in turn.
    Streams(Arc<[Stream]>),
}

impl Target {
    async fn ask(&self, turn: usize, ask: Ask) -> Answer {
        match self {
            Target::Calls(client) => closed::one(client, ask).await,
            Target::Streams(streams) => {
                let started = match call(ask) {
                    Ok(call) => streams[turn % streams.len()].start(call).await,
                    Err(error) => Err(error),
                };
                match started {
                    Ok(in_flight) => raw(in_flight.await).into(),
                    Err(error) => raw(Err(error)).into(),
                }
            }
        }
    }
}

/// What is shared by all transactions of a run.
struct Run {
    target: Target,
    plan: Plan,
    state: Mutex<State>,
    idle: Notify,
}

struct State {
    /// Slots without a transaction.
    free: Vec<Box<dyn Source>>,
    slots: usize,
    /// When transactions should have begun for which no slot was free.
    late: VecDeque<Instant>,
    record: Record,
}

/// Begins `rate` transactions a second until the plan is over, at most `slots` of them in flight;
/// those beyond wait, and their waiting counts. Blocks until all are answered.
pub fn run(
    handle: &Handle,
    target: Target,
    workload: &dyn Workload,
    plan: Plan,
    rate: f64,
    slots: usize,
    seed: u64,
) -> Record {
    let free = (0..slots)
        .map(|slot| workload.source(slot, slots, seed))
        .collect();
    let record = Record::new(plan);
    let state = Mutex::new(State {
        free,
        slots,
        late: VecDeque::new(),
        record,
    });
    let run = Arc::new(Run {
        target,
        plan,
        state,
        idle: Notify::new(),
    });
    // This thread keeps the time: the runtime's timers count in milliseconds.
    for number in 0.. {
        let due = plan.begin + Duration::from_secs_f64(f64::from(number) / rate);
        if plan.phase(due) == Phase::Over {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        run.begin(handle, due);
    }
    handle.block_on(run.all_answered());
    run.state().concluded(Instant::now())
}

impl State {
    /// What was recorded, with what should have begun and has not.
    fn concluded(&mut self, now: Instant) -> Record {
        for due in self.late.drain(..) {
            self.record.add_late(due, now);
        }
        self.record.clone()
    }
}

impl Run {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, handle: &Handle, due: Instant) {
        let mut state = self.state();
        match state.free.pop() {
            Some(source) => {
                let turn = state.free.len();
                drop(state);
                handle.spawn(self.clone().transactions(source, due, turn));
            }
            None => state.late.push_back(due),
        }
    }

    /// One transaction, and those that are late by then.
    async fn transactions(
        self: Arc<Self>,
        mut source: Box<dyn Source>,
        mut due: Instant,
        turn: usize,
    ) {
        loop {
            let task = source.next();
            let began = Instant::now();
            let prepared = match task.prepare {
                Some(prepare) => self.target.ask(turn, prepare).await,
                None => Answer::Value(Default::default()),
            };
            // Preparing is not the transaction's own time.
            due += began.elapsed();
            let answer = match prepared {
                Answer::Value(_) => self.target.ask(turn, task.ask).await,
                none => none,
            };
            source.ended(&answer);
            let mut state = self.state();
            let now = Instant::now();
            state.record.add_due(task.kind, due, now, &answer);
            let over = self.plan.phase(now) == Phase::Over;
            match if over { None } else { state.late.pop_front() } {
                Some(late) => due = late,
                None => {
                    state.free.push(source);
                    if state.free.len() == state.slots {
                        self.idle.notify_one();
                    }
                    return;
                }
            }
        }
    }

    async fn all_answered(&self) {
        while !self.is_idle() {
            self.idle.notified().await;
        }
    }

    fn is_idle(&self) -> bool {
        let state = self.state();
        state.free.len() == state.slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_began_has_taken_as_long_as_it_waited() {
        let plan = Plan {
            begin: Instant::now(),
            warm_up: Duration::ZERO,
            window: Duration::from_secs(10),
            windows: 1,
        };
        let second = Duration::from_secs(1);
        let mut state = State {
            free: Vec::new(),
            slots: 0,
            late: [plan.starts(1) - second, plan.starts(1) - 2 * second].into(),
            record: Record::new(plan),
        };
        let record = state.concluded(plan.starts(1) + 3 * second);
        let latency = &record.windows[0].latency;
        let seconds = |q| (latency.value_at_quantile(q) as f64 / 1e9).round() as u64;
        assert_eq!((seconds(0.5), seconds(1.0)), (4, 5));
        assert_eq!(record.windows[0].committed(), 0, "it did not happen");
    }
}
