//! Many calls on their way, of one batch or one stream: handed to the node together, answered as
//! their replies come. How calls and answers are written is not known here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ordain_api::{Problem, WireCall};
use ordain_node::{Health, Node, Op, Reply, ReplyTo, Sink, Unavailable};
use tokio::sync::Notify;

use crate::answer::{self, Answer, Asked};
use crate::auth::Caller;
use crate::room::Room;

/// In which order answers are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// That of the calls.
    AsAsked,
    /// As the replies come.
    AsAnswered,
}

/// Calls on their way. `W` is what whoever writes the answer must know.
pub(crate) struct Calls<W> {
    node: Node,
    caller: Caller,
    order: Order,
    room: Room,
    inbox: Arc<Inbox>,
    /// To be handed over with the next [`Calls::submit`].
    ops: Vec<(Op, ReplyTo)>,
    /// By token, from `first` on.
    slots: VecDeque<Slot<W>>,
    slots_max: usize,
    first: u64,
    /// Tokens with an answer, as they came; kept only for [`Order::AsAnswered`].
    answered: VecDeque<u64>,
    spare: Vec<(u64, Reply)>,
    /// Calls and messages since others had their turn.
    turn: usize,
}

/// Calls and messages after which a batch or a stream lets others have their turn. One that always finds
/// more to read would keep its thread for as long as its sockets' buffers last, and others waiting.
const TURN_MAX: usize = 1_024;

/// Slots for each call that may be on its way. With [`Order::AsAnswered`] one that is answered late keeps the slots
/// of all behind it, whose answers were taken: no more of those are read than this.
const SLOTS_PER_CALL: usize = 4;

enum Slot<W> {
    Waiting(W, Asked),
    Answered(W, Answer),
    Taken,
}

/// Where the node puts replies: many at once, with one wake.
#[derive(Default)]
struct Inbox {
    replies: Mutex<Vec<(u64, Reply)>>,
    came: Notify,
}

impl Sink for Inbox {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (u64, Reply)>) {
        self.replies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(replies);
        self.came.notify_one();
    }
}

impl<W> Calls<W> {
    /// No calls yet; at most so many at once.
    pub fn new(node: Node, caller: Caller, order: Order, most: usize) -> Self {
        Self {
            node,
            caller,
            order,
            room: Room::new(most),
            inbox: Arc::default(),
            ops: Vec::new(),
            slots: VecDeque::new(),
            slots_max: most.saturating_mul(SLOTS_PER_CALL),
            first: 0,
            answered: VecDeque::new(),
            spare: Vec::new(),
            turn: 0,
        }
    }

    /// Counts something that was read.
    pub fn count(&mut self) {
        self.turn += 1;
    }

    /// Whether others have waited long enough for this task's thread.
    pub fn turn_is_over(&self) -> bool {
        self.turn >= TURN_MAX
    }

    /// Lets others have their turn, if this one is over.
    pub async fn take_turns(&mut self) {
        if self.turn_is_over() {
            self.turn = 0;
            tokio::task::yield_now().await;
        }
    }

    /// Whether another call may come in.
    pub fn has_room(&self) -> bool {
        self.room.is_there() && self.slots.len() < self.slots_max
    }

    /// Whether every answer was given.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes a call in, or the problem it is refused with. It leaves with the next
    /// [`Calls::submit`].
    pub fn take(&mut self, who: W, call: Result<WireCall<'_>, Problem>) {
        self.count();
        self.room.asked();
        let token = self.first + self.slots.len() as u64;
        let admitted = call.and_then(|call| {
            let request = call.check()?;
            answer::admit(&self.node, &self.caller, request)
        });
        match admitted {
            Ok((op, asked)) => {
                let sink: Arc<dyn Sink> = self.inbox.clone();
                self.ops.push((op, ReplyTo::Sink(sink, token)));
                self.slots.push_back(Slot::Waiting(who, asked));
            }
            Err(problem) => {
                let answer = Answer::refused(problem);
                self.room.refused(answer.bytes());
                self.slots.push_back(Slot::Answered(who, answer));
                self.note(token);
            }
        }
    }

    /// Hands over all that was taken in, at once. How many that were.
    pub fn submit(&mut self) -> usize {
        let count = self.ops.len();
        if count == 0 {
            return 0;
        }
        for (reply, refused) in self.node.submit_many(std::mem::take(&mut self.ops)) {
            if let ReplyTo::Sink(_, token) = reply {
                self.settle(token, |asked| {
                    Answer::refused(answer::refusal(refused, asked.op()))
                });
            }
        }
        count
    }

    /// Waits until replies may have come: look with [`Calls::collect`].
    pub fn came(&self) -> impl Future<Output = ()> + use<W> {
        let inbox = self.inbox.clone();
        async move { inbox.came.notified().await }
    }

    /// Takes in the replies that came.
    pub fn collect(&mut self) {
        let mut replies = std::mem::take(&mut self.spare);
        std::mem::swap(
            &mut replies,
            &mut *self
                .inbox
                .replies
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for (token, reply) in replies.drain(..) {
            self.settle(token, |asked| asked.answer(reply));
        }
        self.spare = replies;
    }

    /// Answers what will get no reply any more, because the node has ended.
    pub fn give_up_if_halted(&mut self) {
        let Health::Unavailable(why @ Unavailable::Halted(_)) = self.node.health() else {
            return;
        };
        self.collect();
        for token in self.first..self.first + self.slots.len() as u64 {
            self.settle(token, |_| Answer::refused(answer::unavailable(&why)));
        }
    }

    /// The next answer, if it is there.
    pub fn answer(&mut self) -> Option<(W, Answer)> {
        let token = match self.order {
            Order::AsAsked => self.first,
            Order::AsAnswered => self.answered.pop_front()?,
        };
        let slot = self.slots.get_mut((token - self.first) as usize)?;
        if !matches!(slot, Slot::Answered(..)) {
            return None;
        }
        let Slot::Answered(who, answer) = std::mem::replace(slot, Slot::Taken) else {
            unreachable!("just looked");
        };
        self.room.given(answer.bytes());
        while let Some(Slot::Taken) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        Some((who, answer))
    }

    fn settle(&mut self, token: u64, answer: impl FnOnce(&Asked) -> Answer) {
        // What was given up on is answered and may have been taken: its reply comes all the same.
        let at = token.checked_sub(self.first);
        let Some(slot) = at.and_then(|at| self.slots.get_mut(at as usize)) else {
            return;
        };
        match std::mem::replace(slot, Slot::Taken) {
            Slot::Waiting(who, asked) => {
                let answer = answer(&asked);
                self.room.answered(answer.bytes());
                *slot = Slot::Answered(who, answer);
                self.note(token);
            }
            settled => *slot = settled,
        }
    }

    fn note(&mut self, token: u64) {
        if self.order == Order::AsAnswered {
            self.answered.push_back(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use ordain_node::{Body, Catalog, TestNode};
    use ordain_types::Seq;

    use super::*;
    use crate::auth::Doorman;

    fn calls(order: Order, most: usize) -> Calls<u64> {
        let node = TestNode::new(Catalog::default()).node().clone();
        let anyone = Doorman::new(Vec::new(), false).admit(&HeaderMap::new(), &[]);
        Calls::new(node, anyone.expect("anyone may"), order, most)
    }

    fn reply(calls: &mut Calls<u64>, token: u64) {
        let body = Body::Unavailable(Unavailable::Stopping);
        let reply = Reply {
            seq: Seq::ZERO,
            body,
        };
        calls.inbox.deliver(&mut [(token, reply)].into_iter());
        calls.collect();
    }

    #[test]
    fn a_reply_that_comes_after_it_was_given_up_on_is_passed_over() {
        let mut calls = calls(Order::AsAsked, 8);
        for who in 0..2 {
            calls.take(who, Err(Problem::internal("it was given up on")));
        }
        assert_eq!(calls.answer().map(|(who, _)| who), Some(0));
        reply(&mut calls, 0);
        reply(&mut calls, 1);
        assert_eq!(calls.answer().map(|(who, _)| who), Some(1));
        reply(&mut calls, 0);
        reply(&mut calls, 1);
        assert!(calls.is_empty() && calls.answer().is_none());
    }

    #[test]
    fn one_call_without_an_answer_holds_up_so_many_others_and_then_is_waited_for() {
        let most = 8;
        let mut calls = calls(Order::AsAnswered, most);
        calls.room.asked();
        calls.slots.push_back(Slot::Waiting(0, Asked::query()));
        let mut who = 0;
        while calls.has_room() {
            who += 1;
            calls.take(who, Err(Problem::internal("refused at once")));
            assert_eq!(calls.answer().map(|(who, _)| who), Some(who));
            assert!(calls.slots.len() <= SLOTS_PER_CALL * most, "they pile up");
        }
        assert!(who as usize >= most, "a few are no trouble");
        reply(&mut calls, 0);
        assert_eq!(calls.answer().map(|(who, _)| who), Some(0));
        assert!(calls.is_empty() && calls.has_room());
    }
}
