//! What is kept to take batches back with, if the log fails: bounded, however large states are.
//!
//! A state's before-image may have as many bytes as a state, and a batch thousands of them. Beyond
//! [`IMAGE_BYTES_MAX`] no batch begins, and one that is under way rests until it is durable: nothing of it will be
//! taken back then, and it goes on without keeping any. If the log fails instead, it is broken off.

use std::collections::VecDeque;

use ordain_types::{Bug, planted};

use super::{Executor, Placed};
use crate::IMAGE_BYTES_MAX;
use crate::committer::Standing;
use crate::ingress::{Item, Work};
use crate::reply::Unavailable;

/// Whether a batch that is under way may go on.
pub(super) enum Images {
    Fit,
    /// Once the log has come on.
    Wait,
    /// No more: the log failed, and it will be taken back.
    Lost(Unavailable),
}

impl Executor {
    /// Whether so much is kept that no more is run before the log has come on.
    pub(super) fn images_are_full(&self) -> bool {
        self.engine.undo_bytes() > IMAGE_BYTES_MAX
    }

    /// Whether a batch that is under way may go on.
    pub(super) fn images_wait(&mut self, placed: &Placed, standing: &Standing) -> Images {
        let Some(Some(first_seq)) = placed.begun else {
            return Images::Fit;
        };
        self.engine.durable(standing.durable);
        if standing.durable >= first_seq {
            // Records are durable as a whole.
            self.engine.batch_is_durable();
        }
        if !self.images_are_full() || planted(Bug::ImagesUnbounded) {
            return Images::Fit;
        }
        match &standing.failure {
            Some(failure) => Images::Lost(failure.clone()),
            None => Images::Wait,
        }
    }

    /// Breaks off a batch that will be taken back.
    pub(super) fn abandon(&mut self, placed: Placed, failure: &Unavailable) {
        self.engine.end_batch();
        let mut others = self.refuse_updates(placed.draft.items, failure);
        self.backlog_bytes += others.iter().map(Item::bytes).sum::<usize>();
        others.append(&mut self.backlog);
        self.backlog = others;
    }

    /// Refuses what writes; what does not is left.
    pub(super) fn refuse_updates(
        &self,
        items: VecDeque<Item>,
        why: &Unavailable,
    ) -> VecDeque<Item> {
        let (updates, others) = items
            .into_iter()
            .partition::<Vec<_>, _>(|item| matches!(item.work, Work::Update { .. }));
        self.refuse(updates.into_iter(), why);
        others.into()
    }
}
