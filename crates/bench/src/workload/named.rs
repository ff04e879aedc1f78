//! A workload whose requests name what they call, and bring their arguments as JSON: whatever language its
//! methods are written in. The requests are those of the Rust application, without its types.

use std::sync::Arc;

use ordain::Request;

use super::{Loading, Source, Task, Workload};
use crate::answer::{Answer, Ask};
use crate::door::Door;

/// That workload, by names.
pub struct Named(pub Arc<dyn Workload>);

impl Workload for Named {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn about(&self) -> String {
        self.0.about()
    }

    fn load(&self) -> Loading<'_> {
        Box::new(self.0.load().map(named))
    }

    fn loaded(&self, answer: &Answer) -> bool {
        self.0.loaded(answer)
    }

    fn source(&self, slot: usize, of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(ByName(self.0.source(slot, of, seed)))
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        self.0.check(&mut ByName(door))
    }
}

/// The same, by names.
struct ByName<T>(T);

impl Source for ByName<Box<dyn Source>> {
    fn next(&mut self) -> Task {
        let Task { kind, prepare, ask } = self.0.next();
        Task {
            kind,
            prepare: prepare.map(named),
            ask: named(ask),
        }
    }

    fn ended(&mut self, answer: &Answer) {
        self.0.ended(answer);
    }
}

impl Door for ByName<&mut dyn Door> {
    fn each(
        &mut self,
        asks: &mut (dyn Iterator<Item = Ask> + Send),
        take: &mut (dyn FnMut(usize, Answer) -> anyhow::Result<()> + Send),
    ) -> anyhow::Result<()> {
        self.0.each(&mut asks.map(named), take)
    }
}

/// The request without its types: what is left are names and JSON.
fn named(ask: Ask) -> Ask {
    match ask.into_parts() {
        Ok(parts) => Request::new(parts.entity, parts.method, parts.kind, parts.args),
        Err(error) => Err(error).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::ask;
    use ordain_example_transfer::Account;

    #[test]
    fn no_types_are_left() {
        let typed = || ask(Account::at("a").deposit(5));
        let ready = |ask: Ask| ask.into_parts().expect("a call").ready.into_inner();
        assert!(ready(typed()).is_some() && ready(named(typed())).is_none());
        assert_eq!(named(typed()).parts(), typed().parts());
    }
}
