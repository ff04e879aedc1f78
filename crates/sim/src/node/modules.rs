//! Modules of a node's life: which deployments are asked for, what is said of them, and whether what can be
//! called is what the log has put in force. In a world without modules nothing of it happens.

use ordain_node::{Body, Change, Op, Reply};
use ordain_types::module::{InForceModule, ModuleHash};
use ordain_types::{Command, Deploy, EntityType, ModuleName, Package, Seq};

use super::asks::What;
use super::history::History;
use super::world::World;
use crate::compare::{Difference, Same, same};
use crate::deployments::{self, Deployments};
use crate::host::TYPES;
use crate::modules;
use crate::oracle::Met;

impl World<'_> {
    fn deployments(&mut self) -> Deployments<'_> {
        Deployments {
            chance: &mut self.chance,
            cast: self.hosting.cast,
            oracle: self.history.oracle(),
        }
    }

    /// What is deployed before anything is called.
    pub(super) fn first_deployments(&mut self) -> Same {
        if !self.hosting.cast.has_modules() {
            return Ok(());
        }
        let first = self.deployments().first();
        first
            .into_iter()
            .try_for_each(|command| self.change(command))
    }

    /// Perhaps a module for an entity type that is out of force.
    pub(super) fn deploy_what_is_missing(&mut self) -> Same {
        if !self.hosting.cast.has_modules() {
            return Ok(());
        }
        match self.deployments().missing() {
            Some(command) => self.change(command),
            None => Ok(()),
        }
    }

    /// A deployment or the like, which may be refused.
    pub(super) fn change_modules(&mut self) -> Same {
        let command = self.deployments().next();
        self.change(command)
    }

    /// Asks for a deployment as a node's own functions do, whose waiting is what steps cannot do: what there
    /// is to be said without waiting is said at the door, perhaps long before the command runs.
    fn change(&mut self, command: Command) -> Same {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let change = match &command {
            Command::Deploy(deploy) => {
                if self.chance.one_in(2) && !passes_the_door(&life.node, deploy) {
                    self.note("deployments refused at the door");
                    return Ok(());
                }
                let catalog = life.node.catalog();
                let host = catalog.host().expect("there are modules");
                let loaded = modules::load(host, &deploy.hash);
                Change::Deploy(deploy.clone(), Box::new(loaded))
            }
            Command::Undeploy(undeploy) => Change::Undeploy(undeploy.clone()),
            other => unreachable!("{other:?} changes no modules"),
        };
        self.submit(Op::Change(change), What::Update(command))
    }

    /// What those ask who deploy.
    pub(super) fn ask_about_modules(&mut self) -> Same {
        match self.chance.weighted(&[3, 1, 1]) {
            0 => self.submit(Op::Modules, What::Modules),
            1 => {
                let releases = self.hosting.cast.releases();
                let hash = self.chance.pick(&releases).hash;
                self.submit(Op::Package(hash), What::Package(hash))
            }
            _ => {
                let types = self.chance.pick(&[&TYPES[..1], &TYPES[1..], &TYPES]);
                let types = types.iter().map(|ty| EntityType::new(ty));
                let types: Vec<_> = types.map(|ty| ty.expect("a type's name")).collect();
                let name = ModuleName::new("one").expect("a module's name");
                self.submit(Op::Left(name, types.clone()), What::Left(types))
            }
        }
    }

    /// What can be called is what the durable log has put in force, unless the executor has ended.
    pub(super) fn check_in_force(&self, when: &str) -> Same {
        let Some(life) = self.life.as_ref().filter(|life| !life.ended) else {
            return Ok(());
        };
        let oracle = self.history.oracle();
        let catalog = life.node.catalog();
        let mut found: Vec<_> = catalog.modules().map(in_force).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let expected: Vec<_> = oracle.modules.in_force.values().cloned().collect();
        same(|| format!("the modules in force {when}"), &found, &expected)?;
        TYPES.iter().try_for_each(|ty| {
            let found = catalog.find(ty, "run").is_some();
            let expected = oracle.host(ty).is_some();
            same(
                || format!("whether {ty} can be called {when}"),
                &found,
                &expected,
            )
        })
    }

    /// Counts the deployments that a start has replayed.
    pub(super) fn count_replayed(&mut self, checkpoint: Seq) {
        let replayed = self.history.log.iter().skip(checkpoint.0 as usize);
        let deploys = replayed.filter(|logged| matches!(logged.command, Command::Deploy(_)));
        self.exercised
            .add("deployments replayed", deploys.count() as u64);
    }

    /// Counts what came of all commands of a life with modules.
    pub(super) fn count_outcomes(&mut self) {
        if !self.hosting.cast.has_modules() {
            return;
        }
        for logged in &self.history.log {
            if let Some(what) = deployments::came_of(&logged.command, &logged.expected) {
                self.exercised.add(what, 1);
            }
        }
        for (what, times) in self.history.oracle().met.since(Met::default()) {
            self.exercised.add(what, times);
        }
    }
}

/// Whether the door lets a deployment through, but for what it would have to wait for: what the executor says of the
/// state that is there.
fn passes_the_door(node: &ordain_node::Node, deploy: &Deploy) -> bool {
    let release = modules::find(&deploy.hash);
    let package = Package::decode(&release.package).expect("compiled here");
    let checked =
        node.catalog()
            .check_deploy(&deploy.name, deploy.hash, &package.manifest, deploy.how);
    checked.is_ok()
}

fn in_force(module: &ordain_node::Module) -> InForceModule {
    InForceModule {
        name: module.name.clone(),
        version: module.version,
        hash: module.hash,
    }
}

impl History {
    pub(super) fn check_modules(&self, floor: Seq, reply: &Reply) -> Same {
        let state = self.seen(floor, reply)?.modules;
        let Body::Modules(statuses) = &reply.body else {
            return Err(other_kind("modules", reply));
        };
        let found: Vec<_> = statuses
            .0
            .iter()
            .map(|status| {
                let now = status.in_force.as_ref().map(in_force);
                (status.name.clone(), now, status.history.clone())
            })
            .collect();
        let expected: Vec<_> = state
            .history
            .into_iter()
            .map(|(name, history)| {
                let now = state.in_force.get(&name).cloned();
                (name, now, history)
            })
            .collect();
        same(
            || format!("the modules at {}", reply.seq),
            &found,
            &expected,
        )
    }

    pub(super) fn check_package(&self, floor: Seq, hash: &ModuleHash, reply: &Reply) -> Same {
        let state = self.seen(floor, reply)?.modules;
        let Body::Package(found) = &reply.body else {
            return Err(other_kind("a package", reply));
        };
        let what = || format!("the package {hash} at {}", reply.seq);
        same(what, &found.as_ref(), &state.packages.get(hash))
    }

    pub(super) fn check_left(&self, floor: Seq, types: &[EntityType], reply: &Reply) -> Same {
        let state = self.seen(floor, reply)?;
        let Body::Left(found) = &reply.body else {
            return Err(other_kind("what is left", reply));
        };
        let expected = types.iter().any(|ty| state.holds_state(ty.as_str()));
        let what = || format!("whether any of {types:?} holds state at {}", reply.seq);
        same(what, &found.is_some(), &expected)
    }
}

fn other_kind(asked: &str, reply: &Reply) -> Difference {
    let what = format!("the kind of the reply about {asked}");
    Difference::new(what, format!("{:?}", reply.body), asked)
}
