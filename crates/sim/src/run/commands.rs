//! Which commands come next: calls and sends from outside, retries of them, deliveries due, early,
//! repeated and of nothing.

use ordain_types::{BuildId, Call, Command, InForce, LogId, SendId, Seq, limits};

use super::World;
use crate::deployments::Deployments;
use crate::generate;

impl World {
    /// The commands of the next batch.
    pub(super) fn new_commands(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.oracle.seq == Seq::ZERO {
            let log_id = u128::from(self.chance.number()) << 64 | u128::from(self.chance.number());
            commands.push(Command::Genesis {
                log_id: LogId(log_id),
            });
            commands.push(self.in_force());
            if self.hosting.cast.has_modules() {
                commands.extend(self.deployments().first());
            }
        }
        if self.hosting.cast.has_modules() {
            commands.extend(self.deployments().missing());
        }
        if !self.chance.one_in(4) {
            let most = self.chance.below(5) as usize;
            let due = self.oracle.due(self.now).into_iter().take(most);
            commands.extend(due.map(|send| Command::Deliver { send }));
        }
        for _ in 0..1 + self.chance.below(6) {
            let command = self.new_command();
            commands.push(command);
        }
        commands
    }

    fn new_command(&mut self) -> Command {
        let deployments = if self.hosting.cast.has_modules() {
            5
        } else {
            0
        };
        match self.chance.weighted(&[30, 6, 12, 4, 1, deployments]) {
            0 => {
                let call = generate::call(&mut self.chance, self.hosting.cast.dialect());
                self.asked.push((call.clone(), None));
                Command::Call(Box::new(call))
            }
            1 => {
                let call = generate::call(&mut self.chance, self.hosting.cast.dialect());
                let long = limits::SEND_DELAY_MS_MAX + self.chance.below(2);
                let delay_ms = self.chance.pick(&[0, 0, 0, 7, 100, 3_000, long]);
                self.asked.push((call.clone(), Some(delay_ms)));
                Command::Send {
                    call: Box::new(call),
                    delay_ms,
                }
            }
            2 => self.retry(),
            3 => Command::Deliver {
                send: self.some_send(),
            },
            5 => self.deployments().next(),
            _ => self.in_force(),
        }
    }

    fn retry(&mut self) -> Command {
        let keyed: Vec<_> = self
            .asked
            .iter()
            .filter(|(call, _)| call.idempotency_key.is_some())
            .collect();
        if keyed.is_empty() {
            let send = self.some_send();
            return Command::Deliver { send };
        }
        let (mut call, mut delay_ms): (Call, Option<u64>) = self.chance.pick(&keyed).clone();
        match self.chance.below(12) {
            0 => call.entity = generate::entity(&mut self.chance),
            1 => call.args = generate::call(&mut self.chance, self.hosting.cast.dialect()).args,
            2 => delay_ms = delay_ms.map_or(Some(1), |ms| ms.checked_sub(1)),
            3 => call.caller.push('x'),
            _ => {}
        }
        match delay_ms {
            None => Command::Call(Box::new(call)),
            Some(delay_ms) => Command::Send {
                call: Box::new(call),
                delay_ms,
            },
        }
    }

    fn deployments(&mut self) -> Deployments<'_> {
        Deployments {
            chance: &mut self.chance,
            cast: self.hosting.cast,
            oracle: &self.oracle,
        }
    }

    /// A send that waits, was delivered, or never was.
    pub(super) fn some_send(&mut self) -> SendId {
        let waiting = self.oracle.waiting.keys();
        let known: Vec<_> = waiting.chain(self.oracle.delivered.keys()).collect();
        match known.is_empty() || self.chance.one_in(5) {
            false => *self.chance.pick(&known),
            true => SendId {
                seq: Seq(self.chance.below(self.oracle.seq.0 + 3)),
                index: self.chance.below(3) as u32,
            },
        }
    }

    fn in_force(&mut self) -> Command {
        Command::InForce(Box::new(InForce {
            build: BuildId(format!("build {}", self.chance.below(9))),
            build_name: "sim".to_owned(),
            executor_version: limits::EXECUTOR_VERSION,
            retention_ms: self.chance.pick(&[0, 10, 500, 5_000, 86_400_000]),
        }))
    }
}
