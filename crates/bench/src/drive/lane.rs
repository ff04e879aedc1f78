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
        if self.plan.phase(now) == Phase::Over {
            return None;
        }
        let slot = &mut self.slots[slot];
        let task = slot.source.next();
        slot.kind = task.kind;
        slot.began = now;
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
        let at = &mut self.slots[slot];
        if let Some(ask) = at.after_preparing.take()
            && matches!(answer, Answer::Value(_))
        {
            at.began = now;
            return Some(ask);
        }
        self.record.add(at.kind, at.began, now, answer);
        at.source.ended(answer);
        self.start(slot, now)
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
