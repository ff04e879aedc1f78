//! What shows of the node from outside after a step: its log, its checkpoints, its replies. All of it is
//! held against the history at once.

use std::sync::Arc;

use ordain_log::disk::Disk;
use ordain_log::{Record, read_from};
use ordain_node::{Body, Reply, Stepped};
use ordain_types::{Outcome, Seq};

use super::Lapse;
use super::asks::What;
use super::store::copy;
use super::world::World;
use crate::compare::{Difference, Same, holds, same, same_state};
use crate::dump::{self, Dump};

/// Stores of earlier checkpoints that are kept to replay from.
const FORKS_MAX: usize = 3;

impl World<'_> {
    /// Everything that shows from outside.
    pub(super) fn look(&mut self) -> Same {
        if self.lapses_early() {
            self.read_replies()?;
        }
        self.read_log()?;
        self.check_failed_sync()?;
        self.check_checkpoint()?;
        self.read_replies()
    }

    /// Together with the record, the reply: as if the reply had left before.
    fn lapses_early(&mut self) -> bool {
        let last = self.history.last();
        let Some(life) = &mut self.life else {
            return false;
        };
        if self.scope.lapse != Some(Lapse::AnsweredEarly) || life.node.durable_seq() <= last {
            return false;
        }
        while life.steps.committer() == Stepped::Did {}
        life.inbox.has_update_after(last) && self.lapses(Lapse::AnsweredEarly)
    }

    /// What is durable now and was not before.
    fn read_log(&mut self) -> Same {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let durable = life.node.durable_seq();
        if durable <= self.history.last() {
            return same(
                || "what is durable".to_owned(),
                &durable,
                &self.history.last(),
            );
        }
        for record in self.records(self.history.last().next(), durable)? {
            self.exercised.add("records", 1);
            self.history.extend(record)?;
            if self.scope.lapse == Some(Lapse::SentTwice)
                && self.history.has_delivered()
                && self.lapses(Lapse::SentTwice)
            {
                self.history.deliver_again()?;
            }
        }
        self.check_kept()?;
        same(
            || "what is durable".to_owned(),
            &self.history.last(),
            &durable,
        )
    }

    /// The log still has all that a start would replay.
    fn check_kept(&self) -> Same {
        let checkpoint = self.life.as_ref().map(|life| life.store.durable().seq());
        let from = checkpoint.unwrap_or_default().next();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let kept = from > self.history.last() || read_from(disk, from).is_ok();
        holds(kept, || {
            let what = format!("the log after the checkpoint of {}", Seq(from.0 - 1));
            Difference::new(what, "it is gone", "it is kept")
        })
    }

    /// Records as the disk has them now.
    pub fn records(&self, from: Seq, until: Seq) -> Result<Vec<Record>, Difference> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let read = || read_from(disk, from)?.until(until).collect();
        let read: Result<Vec<Record>, ordain_log::ReadError> = read();
        read.map_err(|error| {
            let what = format!("the log from {from} to {until}");
            Difference::new(what, error.to_string(), "it can be read")
        })
    }

    fn check_failed_sync(&mut self) -> Same {
        let counts = self.disk.counts();
        // Earlier the life may end before anything more becomes durable.
        let pretended = self.healed && self.lapses(Lapse::WentOnAfterFailedSync);
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let durable = life.node.durable_seq();
        match life.failed_sync {
            None if counts.failed_syncs > life.failed_syncs_before || pretended => {
                life.failed_sync = Some(durable);
                self.note("failed syncs");
                Ok(())
            }
            None => Ok(()),
            Some(before) => same(
                || "what is durable after a failed sync".to_owned(),
                &durable,
                &before,
            ),
        }
    }

    /// A checkpoint that is new in the store is the oracle's state.
    fn check_checkpoint(&mut self) -> Same {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let store = life.store.durable();
        let seq = store.seq();
        if seq == life.checkpoint {
            return Ok(());
        }
        life.checkpoint = seq;
        if seq == Seq::ZERO {
            return Ok(()); // nothing was ever checkpointed
        }
        let state = whole_state(store)?;
        let fork = copy(store).map_err(unreadable)?;
        let last = self.history.last();
        holds(seq <= last, || {
            let found = seq.to_string();
            Difference::new("the seq of a checkpoint", found, format!("{last} at most"))
        })?;
        let expected = self.history.state_at(seq).expect("durable");
        let what = format!("state as of {seq} in the checkpoint");
        same_state(&what, &state, &dump::of_oracle(&expected))?;
        self.note("checkpoints");
        match self.forks.len() < FORKS_MAX {
            true => self.forks.push(fork),
            false => {
                let at = self.chance.below(2 * FORKS_MAX as u64) as usize;
                if let Some(kept) = self.forks.get_mut(at) {
                    *kept = fork;
                }
            }
        }
        Ok(())
    }

    fn read_replies(&mut self) -> Same {
        let Some(life) = &self.life else {
            return Ok(());
        };
        for (number, reply) in life.inbox.take() {
            // Earlier a crash may come between, and no one would wonder.
            if self.healed && self.lapses(Lapse::Unanswered) {
                continue;
            }
            let reply = self.pretend(number, reply);
            let ask = self.history.answered(number, &reply)?;
            self.tell(|| format!("reply to {number}: {reply:?}"));
            match (&ask.what, &reply.body) {
                (_, Body::Unavailable(_)) => self.exercised.add("told unavailable", 1),
                (What::Checkpoint { backup }, _) => self.checkpoint_came(reply.seq, *backup)?,
                (What::Update(_), Body::KeyReused { .. }) => self.exercised.add("keys reused", 1),
                (What::Update(_), Body::Outcome { repeated: true, .. }) => {
                    self.exercised.add("repeated", 1);
                }
                (What::Update(_), _) => self.exercised.add("acked", 1),
                _ => self.exercised.add("reads", 1),
            }
        }
        Ok(())
    }

    /// A reply as a breach would have it.
    fn pretend(&mut self, number: u64, mut reply: Reply) -> Reply {
        let ask = self.history.asks()[number as usize].clone();
        let floor = ask.floor;
        let query = matches!(
            ask.what,
            What::Query { .. } | What::Inspect(_) | What::NextDue
        );
        if let Body::Outcome {
            outcome: Outcome::Value(value),
            ..
        } = &mut reply.body
            && self.scope.lapse == Some(Lapse::AnswerChanged)
            && self.lapses(Lapse::AnswerChanged)
        {
            *value = [&value[..], b" "].concat().into();
        }
        let update = matches!(ask.what, What::Update(_));
        let ran = matches!(
            &reply.body,
            Body::Outcome {
                repeated: false,
                ..
            }
        );
        if update && ran && self.lapses(Lapse::OutOfOrder) {
            self.history.raise_floor(number, reply.seq);
        }
        let stale = query
            && floor > Seq::ZERO
            && !matches!(reply.body, Body::Unavailable(_) | Body::SeqNotReached);
        if stale && self.lapses(Lapse::StaleQuery) {
            reply.seq = Seq(floor.0 - 1);
        }
        reply
    }

    fn checkpoint_came(&mut self, seq: Seq, backup: bool) -> Same {
        let life = self.life.as_ref().expect("it answered");
        let durable = life.store.durable();
        let at = durable.seq();
        holds(at >= seq, || {
            let found = format!("the store has {at}");
            Difference::new(
                "a checkpoint that was answered",
                found,
                format!("{seq} at least"),
            )
        })?;
        if backup && at > Seq::ZERO {
            let mut file = Vec::new();
            let snapshot = durable.snapshot().map_err(unreadable)?;
            ordain_store::snapshot::write(&*snapshot, &mut file, &mut |_| {})
                .map_err(unreadable)?;
            self.backups.push(file);
            self.note("backups");
        }
        Ok(())
    }
}

/// All that a store holds.
pub(super) fn whole_state(store: &dyn ordain_store::Store) -> Result<Dump, Difference> {
    let snapshot = store.snapshot().map_err(unreadable)?;
    let granule =
        |(key, value): (Box<[u8]>, bytes::Bytes)| (ordain_types::Granule::from_bytes(&key), value);
    let entries = snapshot.entries().map(|entry| entry.map(granule));
    let granules = entries.collect::<Result<_, _>>().map_err(unreadable)?;
    Ok(dump::of_granules(&granules))
}

pub(super) fn unreadable(error: ordain_store::Error) -> Difference {
    Difference::new("reading a sound store", error.to_string(), "it can be read")
}
