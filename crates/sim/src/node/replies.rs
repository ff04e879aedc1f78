//! Whether what clients are told agrees with the log and the oracle: each reply with the state at its
//! seq, each seq with what was told before. Faults' prose is left out, nothing else.

use ordain_node::{Body, InvocationStatus, Reply};
use ordain_types::{Call, Command, EntityId, Outcome, SendId, Seq, limits};

use super::asks::{Ask, Standing, What, unavailable};
use super::history::History;
use crate::compare::{Difference, Same, holds, same};
use crate::dump::{plain, told};
use crate::oracle::{Expected, Oracle};

impl History {
    /// A reply came. Gives the request it is for.
    pub fn answered(&mut self, number: u64, reply: &Reply) -> Result<Ask, Difference> {
        let ask = self.asks[number as usize].clone();
        holds(ask.standing == Standing::Open, || {
            Difference::new(format!("replies to {:?}", ask.what), "two", "one")
        })?;
        if unavailable(reply).is_some() {
            self.asks[number as usize].standing = Standing::Unknown;
            return Ok(ask);
        }
        self.asks[number as usize].standing = Standing::Answered;
        holds(reply.seq <= self.last(), || {
            let what = format!("the seq of the reply to {:?}", ask.what);
            Difference::new(
                what,
                reply.seq.to_string(),
                format!("durable: {} at most", self.last()),
            )
        })?;
        match &ask.what {
            What::Update(command) => self.check_update(command, ask.floor, reply)?,
            What::Query { call, at_least } => self.check_query(&ask, call, *at_least, reply)?,
            What::Invocation(send) => self.check_invocation(ask.floor, *send, reply)?,
            What::NextDue => {
                let waiting = self.seen(ask.floor, reply)?.waiting;
                let due = waiting.values().map(|send| send.due).min();
                same(
                    || "the next due".to_owned(),
                    &reply.body,
                    &Body::NextDue(due),
                )?;
            }
            What::Inspect(entity) => self.check_entity(ask.floor, entity, reply)?,
            What::Modules => self.check_modules(ask.floor, reply)?,
            What::Package(hash) => self.check_package(ask.floor, hash, reply)?,
            What::Left(types) => self.check_left(ask.floor, types, reply)?,
            What::Checkpoint { .. } => {
                same(
                    || "the reply to a checkpoint".to_owned(),
                    &reply.body,
                    &Body::Checkpoint,
                )?;
                self.is_after(ask.floor, reply)?;
            }
        }
        self.floor = self.floor.max(reply.seq);
        Ok(ask)
    }

    fn is_after(&self, floor: Seq, reply: &Reply) -> Same {
        holds(reply.seq >= floor, || {
            let found = format!("it saw {}", reply.seq);
            Difference::new(
                "what a read saw",
                found,
                format!("{floor}, which was told of before it was asked"),
            )
        })
    }

    /// The state that a read saw.
    pub(super) fn seen(&self, floor: Seq, reply: &Reply) -> Result<Oracle, Difference> {
        self.is_after(floor, reply)?;
        let state = self.state_at(reply.seq);
        state.ok_or_else(|| Difference::new("the state that was seen", "unknown", "durable"))
    }

    fn check_update(&mut self, command: &Command, floor: Seq, reply: &Reply) -> Same {
        let expected = match reply.body.clone() {
            Body::Outcome {
                outcome,
                repeated: true,
            } => {
                let answer = Expected::Repeated(reply.seq, plain(outcome));
                return self.check_repeated(command, floor, answer);
            }
            Body::Outcome {
                outcome,
                repeated: false,
            } => Expected::Done(told(command, outcome)),
            Body::KeyReused { first } => Expected::KeyReused(first),
            body => {
                let what = format!("the kind of the reply to {command:?}");
                return Err(Difference::new(what, format!("{body:?}"), "an outcome"));
            }
        };
        holds(reply.seq > floor, || {
            let found = format!("it is {}", reply.seq);
            Difference::new(
                "the place of an update",
                found,
                format!("after {floor}, which was told of before it was asked"),
            )
        })?;
        let logged = &self.log[reply.seq.0 as usize - 1];
        same(
            || format!("the command at {}", reply.seq),
            &logged.command,
            command,
        )?;
        same(
            || format!("the reply to {} {command:?}", reply.seq),
            &expected,
            &logged.expected,
        )?;
        holds(self.claimed.insert(reply.seq), || {
            Difference::new(format!("requests answered by {}", reply.seq), "two", "one")
        })
    }

    /// A repeated answer does not say where it was asked again: somewhere it must have been.
    fn check_repeated(&self, command: &Command, floor: Seq, answer: Expected) -> Same {
        let later = self.log.iter().skip(floor.0 as usize).rev();
        let mut same_commands = later.filter(|logged| logged.command == *command).peekable();
        let other = same_commands.peek().map(|logged| logged.expected.clone());
        holds(
            same_commands.any(|logged| logged.expected == answer),
            || {
                Difference::new(
                    format!("the repeated reply to {command:?}"),
                    format!("{answer:?}"),
                    format!("{other:?}"),
                )
            },
        )
    }

    /// What the clock showed between asking and now decides what a query may have seen of time.
    fn check_query(&self, ask: &Ask, call: &Call, at_least: Option<Seq>, reply: &Reply) -> Same {
        let outcome = match &reply.body {
            Body::SeqNotReached => {
                let what = || {
                    Difference::new(
                        "a query that came too early",
                        reply.seq.to_string(),
                        format!("before {at_least:?}"),
                    )
                };
                return holds(at_least.is_some_and(|seq| seq > reply.seq), what);
            }
            Body::Outcome {
                outcome,
                repeated: false,
            } => plain(outcome.clone()),
            body => {
                return Err(Difference::new(
                    "the kind of the reply to a query",
                    format!("{body:?}"),
                    "an outcome",
                ));
            }
        };
        let state = self.seen(ask.floor.max(at_least.unwrap_or_default()), reply)?;
        let readings = self.readings[ask.readings..].iter().rev();
        let mut expected: Vec<Outcome> = Vec::new();
        for now in readings {
            expected.push(state.query(call, *now));
            if expected.last() == Some(&outcome) {
                return Ok(());
            }
        }
        same(
            || format!("the reply to the query {call:?} at {}", reply.seq),
            &Some(&outcome),
            &expected.first(),
        )
    }

    fn check_invocation(&self, floor: Seq, send: SendId, reply: &Reply) -> Same {
        let state = self.seen(floor, reply)?;
        let found = match &reply.body {
            Body::Invocation(found) => found.as_deref().map(|found| match &found.status {
                InvocationStatus::Pending { due } => (found.entity.clone(), Err(*due)),
                InvocationStatus::Done { seq, outcome } => {
                    (found.entity.clone(), Ok((*seq, plain(outcome.clone()))))
                }
            }),
            body => {
                return Err(Difference::new(
                    "the kind of the reply about a send",
                    format!("{body:?}"),
                    "an invocation",
                ));
            }
        };
        let waits = state.waiting.get(&send);
        let waits = waits.map(|waits| (waits.entity.clone(), Err(waits.due)));
        let done = state.delivered.get(&send);
        let done = done.map(|done| (done.entity.clone(), Ok((done.seq, done.outcome.clone()))));
        same(
            || format!("send {send} at {}", reply.seq),
            &found,
            &waits.or(done),
        )
    }

    fn check_entity(&self, floor: Seq, id: &EntityId, reply: &Reply) -> Same {
        let state = self.seen(floor, reply)?;
        let Body::Entity { root, fields } = &reply.body else {
            return Err(Difference::new(
                "the kind of the reply about an entity",
                format!("{:?}", reply.body),
                "an entity",
            ));
        };
        let entity = state.entities.get(id).cloned().unwrap_or_default();
        let root = root
            .as_ref()
            .map(|json| String::from_utf8_lossy(json).into_owned());
        let expected = entity.root.map(|root| root.json());
        same(
            || format!("root of {id} at {}", reply.seq),
            &root,
            &expected,
        )?;
        let fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| (key.as_str().to_owned(), value.clone()))
            .collect();
        // Nothing comes after the field with which they are too many bytes.
        let bytes: usize = fields
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        let most = match bytes > limits::SCAN_BYTES_MAX {
            true => fields.len(),
            false => usize::MAX,
        };
        let expected: Vec<_> = entity.fields.into_iter().take(most).collect();
        same(
            || format!("fields of {id} at {}", reply.seq),
            &fields,
            &expected,
        )
    }
}
