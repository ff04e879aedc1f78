//! Some slots that share a connection or a thread: what each is doing, and what came of it.

use std::time::Instant;

use crate::answer::{Answer, Ask};
use crate::measure::{Phase, Plan, Record};
use crate::workload::{Source, Workload};

/// Some slots and their record.
pub struct Lane {
    slots: Vec<Slot>,
    plan: Plan,
    record: Record,
}

/// One transaction at a time.
struct Slot {
    source: Box<dyn Source>,
    kind: &'static str,
    began: Instant,
    /// When its first request was made.
    asked: Instant,
    /// While the request before it is in flight: the transaction's own.
    after_preparing: Option<Ask>,
}

impl Lane {
    /// The slots `first..first + count` of `of`.
    pub fn new(
        workload: &dyn Workload,
        plan: Plan,
        first: usize,
        count: usize,
        of: usize,
        seed: u64,
    ) -> Self {
        let slot = |slot| Slot {
            source: workload.source(slot, of, seed),
            kind: "",
            began: plan.begin,
            asked: plan.begin,
            after_preparing: None,
        };
        let slots = (first..first + count).map(slot).collect();
        Self {
            slots,
            plan,
            record: Record::new(plan),
        }
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// What the slot asks first; none: the run is over.
    pub fn start(&mut self, slot: usize, now: Instant) -> Option<Ask> {
        self.start_late(slot, now, now)
    }

    /// The same for what should have begun at `due`.
    pub fn start_late(&mut self, slot: usize, due: Instant, now: Instant) -> Option<Ask> {
        if self.plan.phase(due) == Phase::Over {
            return None;
        }
        let slot = &mut self.slots[slot];
        let task = slot.source.next();
        slot.kind = task.kind;
        (slot.began, slot.asked) = (due, now);
        match task.prepare {
            None => Some(task.ask),
            Some(prepare) => {
                slot.after_preparing = Some(task.ask);
                Some(prepare)
            }
        }
    }

    /// The slot's request came back. Gives what it asks next; none: the run is over.
    pub fn answered(&mut self, slot: usize, answer: &Answer, now: Instant) -> Option<Ask> {
        self.go_on(slot, answer, now, Record::add)
            .or_else(|| self.start(slot, now))
    }

    /// The slot's request came back, of a transaction of an open loop. Gives what it asks next; none: it has ended.
    pub fn ended(&mut self, slot: usize, answer: &Answer, now: Instant) -> Option<Ask> {
        self.go_on(slot, answer, now, Record::add_due)
    }

    /// What the slot's transaction asks next; none: it has ended, and is recorded.
    fn go_on(
        &mut self,
        slot: usize,
        answer: &Answer,
        now: Instant,
        add: fn(&mut Record, &'static str, Instant, Instant, &Answer),
    ) -> Option<Ask> {
        let at = &mut self.slots[slot];
        if let Some(ask) = at.after_preparing.take()
            && matches!(answer, Answer::Value(_))
        {
            // Preparing is not the transaction's own time.
            at.began += now.saturating_duration_since(at.asked);
            return Some(ask);
        }
        add(&mut self.record, at.kind, at.began, now, answer);
        at.source.ended(answer);
        None
    }

    /// What was recorded.
    pub fn into_record(self) -> Record {
        self.record
    }

    /// What was recorded so far.
    pub fn record(&self) -> &Record {
        &self.record
    }
}
