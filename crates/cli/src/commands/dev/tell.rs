//! What is printed while a module is developed: by a thread of its own, for whoever reads may stop
//! reading, and nobody shall wait for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ordain_node::{Deployed, Heard, Listener, Told};
use ordain_types::{Call, Command, ModuleName, Outcome};

use super::watch::CALLER;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Lines that may wait to be printed.
const LINES_MAX: usize = 4_096;

/// Prints lines, in order.
#[derive(Clone)]
pub struct Teller {
    lines: SyncSender<String>,
    /// Lines for which there was no room.
    lost: Arc<AtomicU64>,
}

impl Teller {
    /// Begins to print.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn start(output: Output) -> Result<Self, Failure> {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let teller = Self {
            lines,
            lost: lost.clone(),
        };
        let thread = std::thread::Builder::new().name("ordain-tell".to_owned());
        let started = thread.spawn(move || print(output, &waiting, &lost));
        started.map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(teller)
    }

    /// Prints a line, unless too many wait. What follows in it after a line break, which methods may have said, does not
    /// begin as a line does.
    pub fn say(&self, line: impl Into<String>) {
        let line = line.into().replace('\n', "\n         ");
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says how a command ended, if that is worth a word; `what` it was.
    fn outcome(&self, what: impl FnOnce() -> String, outcome: &Outcome, told: Option<&Told>) {
        match outcome {
            Outcome::Value(_) => {}
            Outcome::Rejected(no) => {
                let what = what();
                let place = match told.and_then(|told| told.rejected_at(outcome)) {
                    None => String::new(),
                    Some((at, place)) if at == what => format!(" ({place})"),
                    Some((at, place)) => format!(" ({at}, {place})"),
                };
                self.say(format!("rejected {what}: {no}{place}"));
            }
            Outcome::Fault(fault) => {
                self.say(format!("fault    {fault}"));
                let trace = fault.trace.lines().filter(|line| !line.trim().is_empty());
                trace.for_each(|line| self.say(format!("         {}", line.trim())));
            }
        }
    }

    /// Says what came of a change by another client, where that is not what was there.
    fn change(&self, done: &str, name: &ModuleName, outcome: &Outcome) {
        match outcome {
            Outcome::Value(json) => {
                let deployed: Option<Deployed> = serde_json::from_slice(json).ok();
                if deployed.is_none_or(|deployed| deployed.changed) {
                    self.say(format!("{done} {name} by another client"));
                }
            }
            Outcome::Rejected(no) => self.say(format!("refused  {name} by another client: {no}")),
            Outcome::Fault(fault) => self.say(format!("fault    {fault}")),
        }
    }
}

fn print(output: Output, waiting: &Receiver<String>, lost: &AtomicU64) {
    for line in waiting {
        // Without a reader the server goes on.
        let _ = output.line(line);
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = output.line(format!("         … and {lost} lines more"));
        }
    }
}

impl Listener for Teller {
    fn heard(&self, heard: Heard<'_>) {
        match heard {
            Heard::Said(line) => self.say(format!("log      {}: {}", line.at, line.message)),
            Heard::Queried {
                call,
                outcome,
                told,
            } => self.outcome(|| method(call), outcome, told),
            Heard::Ran {
                command,
                outcome,
                told,
                ..
            } => match command {
                Command::Call(call) => self.outcome(|| method(call), outcome, told),
                Command::Deliver { send } => {
                    let what =
                        || told.map_or_else(|| format!("send {send}"), |it| it.called.clone());
                    self.outcome(what, outcome, told);
                }
                Command::Deploy(deploy) if deploy.caller != CALLER => {
                    self.change("deployed", &deploy.name, outcome);
                }
                Command::Undeploy(undeploy) if undeploy.caller != CALLER => {
                    self.change("undeployed", &undeploy.name, outcome);
                }
                _ => {}
            },
        }
    }
}

fn method(call: &Call) -> String {
    format!("{}.{}", call.entity, call.method)
}

#[cfg(test)]
mod tests {
    use ordain_types::module::{How, hash};
    use ordain_types::{Deploy, Rejection, Seq};

    use super::*;

    /// What is said of a command's end.
    fn told(command: &Command, outcome: &Outcome) -> Vec<String> {
        let (lines, said) = sync_channel(LINES_MAX);
        let lost = Arc::default();
        let teller = Teller { lines, lost };
        let seq = Seq(1);
        teller.heard(Heard::Ran {
            seq,
            command,
            outcome,
            told: None,
        });
        drop(teller);
        said.iter().collect()
    }

    fn deploy(caller: &str) -> Command {
        Command::Deploy(Box::new(Deploy {
            name: ModuleName::new("bank").unwrap(),
            hash: hash(b"bank"),
            package: None,
            how: How::Deploy,
            keep_state: false,
            caller: caller.to_owned(),
        }))
    }

    #[test]
    fn no_line_of_what_a_method_says_begins_as_one_of_its_own() {
        let rejection = Rejection::new("no", "a\nfault    forged");
        let rejected = Outcome::Rejected(Box::new(rejection));
        let said = told(&deploy("shop"), &rejected).concat();
        let second = said.lines().nth(1);
        assert_eq!(second, Some("         fault    forged"), "{said}");
    }

    #[test]
    fn of_another_clients_deployment_it_is_told_what_came_of_it() {
        let value = |changed: bool| {
            let hash = hash(b"bank");
            let json =
                format!(r#"{{"module":"bank","version":2,"hash":"{hash}","changed":{changed}}}"#);
            Outcome::Value(json.into())
        };
        let rejected = Outcome::Rejected(Box::new(Rejection::new("module_clash", "no")));
        let refused = "refused  bank by another client: module_clash: no";
        for (outcome, expected) in [
            (value(true), Some("deployed bank by another client")),
            (value(false), None),
            (rejected, Some(refused)),
        ] {
            let said = told(&deploy("shop"), &outcome);
            assert_eq!(said, Vec::from_iter(expected), "{outcome:?}");
            assert!(told(&deploy(CALLER), &outcome).is_empty());
        }
    }
}
