//! Which deployments come: the first ones, releases that follow, what is gone back to, what is taken out of
//! force and comes again, and such as are refused.

use ordain_types::module::How;
use ordain_types::{Command, Deploy, FaultKind, ModuleName, Outcome, Undeploy};

use crate::chance::Chance;
use crate::host::TYPES;
use crate::hosting::Cast;
use crate::modules::{self, Release, Shape};
use crate::oracle::{Expected, Oracle};

const NAMES: [&str; 2] = ["one", "two"];

/// Who makes them.
pub(crate) struct Deployments<'a> {
    pub chance: &'a mut Chance,
    pub cast: Cast,
    /// What is in force, and was.
    pub oracle: &'a Oracle,
}

impl Deployments<'_> {
    /// What is deployed before anything is called: one module with all types, or one a type.
    pub fn first(&mut self) -> Vec<Command> {
        let types = self.cast.module_types();
        let together = types.len() == 1 || self.chance.one_in(2);
        let sets = match together {
            true => vec![types],
            false => types.into_iter().map(|ty| vec![ty]).collect(),
        };
        let sets = NAMES.iter().zip(sets);
        let first = |(name, types): (&&str, Vec<&str>)| {
            let mut releases = self.cast.releases().into_iter();
            let found = releases.find(|it| it.shape.types == types);
            deploy(name, found.expect("there is one of each set"), true)
        };
        sets.map(first).collect()
    }

    /// A deployment or the like, which may be refused.
    pub fn next(&mut self) -> Command {
        let name = self.chance.pick(&NAMES);
        match self.chance.weighted(&[8, 4, 3, 2]) {
            0 => self.following(name),
            1 => self.going_back(name),
            2 => Command::Undeploy(Box::new(Undeploy {
                name: module_name(name),
                keep_state: !self.chance.one_in(3),
                caller: "ann".to_owned(),
            })),
            _ => {
                let release = self.chance.pick(&self.cast.releases());
                let keep_state = self.chance.one_in(2);
                deploy(name, release, keep_state)
            }
        }
    }

    /// A module for an entity type that is out of force, if one is.
    pub fn missing(&mut self) -> Option<Command> {
        let types = self.cast.module_types().into_iter();
        let missing: Vec<_> = types.filter(|ty| self.oracle.owner(ty).is_none()).collect();
        if missing.is_empty() || !self.chance.one_in(2) {
            return None;
        }
        let in_force = &self.oracle.modules.in_force;
        let free = NAMES
            .iter()
            .find(|name| !in_force.contains_key(&module_name(name)));
        let name = *free?;
        let fits = |shape: &Shape| shape.types.iter().all(|ty| missing.contains(ty));
        let release = self.some_release(fits)?;
        Some(deploy(name, release, true))
    }

    /// A release with the entity types of the one in force.
    fn following(&mut self, name: &str) -> Command {
        let in_force = self.oracle.modules.in_force.get(&module_name(name));
        let types = in_force.map(|module| modules::find(&module.hash).shape.types);
        let types = types.unwrap_or(&TYPES);
        let release = self.some_release(|shape| shape.types == types);
        let keep_state = self.chance.one_in(2);
        deploy(name, release.expect("there is one of each set"), keep_state)
    }

    /// One that fits. A strict one, whose `run` nobody can call, is rare.
    fn some_release(&mut self, fits: impl Fn(&Shape) -> bool) -> Option<&'static Release> {
        let strict = self.chance.one_in(8);
        let all = self.cast.releases().into_iter();
        let fitting: Vec<_> = all
            .filter(|release| fits(&release.shape) && release.shape.strict == strict)
            .collect();
        (!fitting.is_empty()).then(|| self.chance.pick(&fitting))
    }

    /// A version of the module that was in force before, or a package that nobody knows.
    fn going_back(&mut self, name: &str) -> Command {
        let name = module_name(name);
        let history = self.oracle.modules.history.get(&name);
        let known: Vec<_> = history
            .into_iter()
            .flatten()
            .map(|line| line.hash)
            .collect();
        let some = self.cast.releases()[0].hash;
        let hash = match known.is_empty() {
            true => some,
            false => self.chance.pick(&known),
        };
        Command::Deploy(Box::new(Deploy {
            name,
            hash,
            package: None,
            how: How::Rollback,
            keep_state: self.chance.one_in(2),
            caller: "bob".to_owned(),
        }))
    }
}

/// What came of a command in a life with modules, for the count: of a deployment all, of others faults.
pub(crate) fn came_of(command: &Command, expected: &Expected) -> Option<&'static str> {
    let change = matches!(command, Command::Deploy(_) | Command::Undeploy(_));
    match (command, expected) {
        (_, Expected::Done(Outcome::Fault(fault))) => Some(match fault.kind {
            FaultKind::UnknownEntity => "faults: unknown entity",
            FaultKind::Arguments => "faults: arguments",
            FaultKind::Exception => "faults: exception",
            FaultKind::Trap => "faults: trap",
            FaultKind::Memory => "faults: memory",
            FaultKind::Stack => "faults: stack",
            FaultKind::Instructions => "faults: instructions",
            FaultKind::StoredValue => "faults: stored value",
            FaultKind::CallDepth => "faults: call depth",
            FaultKind::WriteInQuery => "faults: write in query",
            FaultKind::Panic => "faults: panic",
            _ => "faults: others",
        }),
        (_, Expected::Done(Outcome::Rejected(no))) if change => Some(match no.code.as_str() {
            "module_clash" => "refused: module_clash",
            "state_version" => "refused: state_version",
            "holds_state" => "refused: holds_state",
            "unknown_module" => "refused: unknown_module",
            _ => "refused: unknown_version",
        }),
        (Command::Undeploy(_), _) => Some("undeployments"),
        (Command::Deploy(deploy), _) if deploy.how == How::Rollback => Some("modules gone back"),
        (Command::Deploy(_), _) => Some("deployments"),
        _ => None,
    }
}

fn module_name(name: &str) -> ModuleName {
    ModuleName::new(name).expect("a module's name")
}

fn deploy(name: &str, release: &Release, keep_state: bool) -> Command {
    Command::Deploy(Box::new(Deploy {
        name: module_name(name),
        hash: release.hash,
        package: Some(release.package.clone()),
        how: How::Deploy,
        keep_state,
        caller: "ann".to_owned(),
    }))
}
