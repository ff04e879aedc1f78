//! What clients do: ask, ask again with the same request or another under the same key, ask much at
//! once. A request without a key is made once: whoever makes it has a name of its own, by which
//! its command is known in the log.

use ordain_node::{Accepted, Op, Refused, ReplyTo};
use ordain_types::{Call, Command, MethodKind, Seq, limits};

use super::Lapse;
use super::asks::{Standing, What};
use super::world::World;
use crate::compare::{Difference, Same};
use crate::generate;
use crate::program::{Op as Step, Program};

/// Of how many of the latest requests one is chosen to be made again.
const REMEMBERED: usize = 24;

impl World<'_> {
    /// One request of one client.
    pub(super) fn ask(&mut self) -> Same {
        self.deploy_what_is_missing()?;
        let (changes, looks) = match self.hosting.cast.has_modules() {
            true => (5, 2),
            false => (0, 0),
        };
        match (self.chance).weighted(&[16, 3, 6, 7, 1, 1, 1, 2, 2, changes, looks]) {
            0 => {
                let call = self.new_call();
                self.call(call, None)
            }
            1 => {
                let call = self.new_call();
                let long = limits::SEND_DELAY_MS_MAX + self.chance.below(2);
                let delay_ms = self.chance.pick(&[0, 0, 7, 100, 3_000, long]);
                self.call(call, Some(delay_ms))
            }
            2 => self.query(),
            3 => self.ask_again(),
            4 => {
                let send = self.some_send();
                self.submit(Op::Invocation(send), What::Invocation(send))
            }
            5 => self.submit(Op::NextDue, What::NextDue),
            6 => {
                let entity = generate::entity(&mut self.chance);
                let op = Op::Inspect {
                    entity: Box::new(entity.clone()),
                    after: None,
                    limit: 1_000,
                };
                self.submit(op, What::Inspect(entity))
            }
            7 => self.checkpoint(false),
            8 => self.checkpoint(true),
            9 => self.change_modules(),
            _ => self.ask_about_modules(),
        }
    }

    /// Many requests at once, perhaps more than the queue takes.
    pub(super) fn burst(&mut self) -> Same {
        for _ in 0..2 + self.chance.below(10) {
            if self.hosting.cast.has_modules() && self.chance.one_in(6) {
                self.change_modules()?;
            }
            let call = self.new_call();
            self.call(call, None)?;
        }
        Ok(())
    }

    /// A call that no one made before.
    pub(super) fn new_call(&mut self) -> Call {
        let dialect = self.hosting.cast.dialect();
        let mut call = generate::call(&mut self.chance, dialect);
        if call.idempotency_key.is_none() {
            call.caller = format!("client {}", self.history.asks().len());
        }
        let pad = 150_000 + self.chance.below(250_000) as u32;
        let words = self.chance.below(40) as usize;
        if let Ok(mut program) = serde_json::from_slice::<Program>(&call.args) {
            // A module reads all of a state with each call of it, for instructions that the oracle does not count.
            let large = self.settings.large && dialect == generate::Dialect::Native;
            if large && call.method.as_str() == "run" {
                program.ops.insert(0, Step::Pad(pad));
            }
            if self.settings.wordy {
                let word = Step::Get("word".repeat(120));
                program.ops.extend(vec![word; words]);
            }
            call.args = program.json().into();
        }
        call
    }

    fn query(&mut self) -> Same {
        let call = generate::query(&mut self.chance, self.hosting.cast.dialect());
        let ahead = self.chance.pick(&[None, None, Some(0), Some(0), Some(3)]);
        let at_least = ahead.map(|ahead| self.history.floor().plus(ahead));
        match self.accept(&call) {
            Some(accepted) if accepted.kind == MethodKind::Query => {
                let call = Call::clone(&accepted.call);
                self.submit(
                    Op::Query { accepted, at_least },
                    What::Query { call, at_least },
                )
            }
            _ => Ok(()),
        }
    }

    /// One of the latest requests, by preference one whose end is not known.
    fn ask_again(&mut self) -> Same {
        let asks = self.history.asks().iter().rev().take(REMEMBERED);
        let known = asks.filter_map(|ask| match &ask.what {
            What::Update(Command::Call(call)) => Some((ask.standing, (**call).clone(), None)),
            What::Update(Command::Send { call, delay_ms }) => {
                Some((ask.standing, (**call).clone(), Some(*delay_ms)))
            }
            _ => None,
        });
        let mut known: Vec<_> = known
            .filter(|(_, call, _)| call.idempotency_key.is_some())
            .collect();
        let unsure = known
            .iter()
            .any(|(standing, ..)| *standing == Standing::Unknown);
        if unsure && !self.chance.one_in(4) {
            known.retain(|(standing, ..)| *standing == Standing::Unknown);
        }
        if known.is_empty() {
            return Ok(());
        }
        let (_, mut call, mut delay_ms) = self.chance.pick(&known);
        match self.chance.rarely(4, 16) {
            Some(0) => call.entity = generate::entity(&mut self.chance),
            Some(1) => {
                call.args = generate::call(&mut self.chance, self.hosting.cast.dialect()).args
            }
            Some(2) => delay_ms = delay_ms.map_or(Some(1), |ms| ms.checked_sub(1)),
            Some(_) => call.caller.push('x'),
            None => {}
        }
        self.exercised.add("asked again", 1);
        self.call(call, delay_ms)
    }

    /// A call, or with a delay a send.
    pub(super) fn call(&mut self, call: Call, delay_ms: Option<u64>) -> Same {
        let Some(accepted) = self.accept(&call) else {
            return Ok(());
        };
        let call = Call::clone(&accepted.call);
        match delay_ms {
            None if accepted.kind == MethodKind::Query => {
                let at_least = None;
                self.submit(Op::Call(accepted), What::Query { call, at_least })
            }
            None => {
                let command = Command::Call(Box::new(call.clone()));
                self.submit(Op::Call(accepted), What::Update(command))?;
                self.run_twice(&call)
            }
            Some(delay_ms) => {
                let command = Command::Send {
                    call: Box::new(call),
                    delay_ms,
                };
                self.submit(Op::Send { accepted, delay_ms }, What::Update(command))
            }
        }
    }

    /// If that is the breach to be pretended: the request once more, unknown to the history.
    fn run_twice(&mut self, call: &Call) -> Same {
        // Earlier it may be lost in a crash, and does not run at all.
        let pretended = self.healed && self.scope.lapse == Some(Lapse::RanTwice);
        if pretended
            && call.idempotency_key.is_none()
            && let Some(accepted) = self.accept(call)
            && let Some(life) = &self.life
            && life.node.ask(Op::Call(accepted)).is_ok()
        {
            self.lapses(Lapse::RanTwice);
        }
        Ok(())
    }

    fn accept(&mut self, call: &Call) -> Option<Accepted> {
        let node = &self.life.as_ref()?.node;
        let Call {
            entity,
            method,
            args,
            caller,
            idempotency_key,
        } = call.clone();
        let accepted = node.accept(entity, method.as_str(), &args, &caller, idempotency_key);
        if accepted.is_err() {
            self.exercised.add("refused at the door", 1);
        }
        accepted.ok()
    }

    pub(super) fn submit(&mut self, op: Op, what: What) -> Same {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let number = self.history.asked(what.clone());
        let reply = ReplyTo::Sink(life.inbox.clone(), number);
        // By itself, or as the only one of many: it is taken or refused alike.
        let submitted = match number % 2 {
            0 => life.node.submit(op, reply),
            _ => match life.node.submit_many([(op, reply)]).pop() {
                None => Ok(()),
                Some((_, why)) => Err(why),
            },
        };
        self.submitted(number, what, submitted)
    }

    fn checkpoint(&mut self, backup: bool) -> Same {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let what = What::Checkpoint { backup };
        let number = self.history.asked(what.clone());
        let reply = ReplyTo::Sink(life.inbox.clone(), number);
        let begun = life.node.begin_checkpoint(reply);
        self.submitted(number, what, begun.map_err(Refused::Unavailable))
    }

    fn submitted(&mut self, number: u64, what: What, submitted: Result<(), Refused>) -> Same {
        let Err(refused) = submitted else {
            self.exercised.add("asked", 1);
            self.tell(|| format!("ask {number}: {what:?}"));
            return Ok(());
        };
        self.history.refused();
        self.tell(|| format!("refused: {refused}"));
        let life = self.life.as_ref().expect("it refused");
        match refused {
            Refused::Overloaded { .. } => self.exercised.add("overloads", 1),
            Refused::Unavailable(_) if what_is_begun(&what) => {}
            Refused::Unavailable(why)
                if life.health() == ordain_node::Health::Ready && !life.stopping =>
            {
                return Err(Difference::new(
                    "a request refused",
                    why.to_string(),
                    "the node is ready",
                ));
            }
            Refused::Unavailable(_) => self.exercised.add("refused unavailable", 1),
            _ => self.exercised.add("refused at the door", 1),
        }
        Ok(())
    }

    /// A send that waits, was delivered, or never was.
    fn some_send(&mut self) -> ordain_types::SendId {
        let oracle = self.history.oracle();
        let known: Vec<_> = oracle
            .waiting
            .keys()
            .chain(oracle.delivered.keys())
            .copied()
            .collect();
        match known.is_empty() || self.chance.one_in(5) {
            false => self.chance.pick(&known),
            true => ordain_types::SendId {
                seq: Seq(self.chance.below(self.history.last().0 + 3)),
                index: self.chance.below(3) as u32,
            },
        }
    }
}

/// A checkpoint that finds the queue full is refused as one that cannot be taken.
fn what_is_begun(what: &What) -> bool {
    matches!(what, What::Checkpoint { .. })
}
