//! What deployments come to: which module has which entity type, which package is its, what its history
//! says. Everything is worked out anew from plain maps each time it is asked for.

use std::collections::BTreeMap;

use bytes::Bytes;
use ordain_types::module::{Deployment, How, InForceModule, ModuleHash};
use ordain_types::{Deploy, ModuleName, Outcome, Rejection, Undeploy};

use super::{Entity, Oracle};
use crate::modules::{self, Release, Shape};

/// All modules there ever were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modules {
    pub in_force: BTreeMap<ModuleName, InForceModule>,
    pub history: BTreeMap<ModuleName, Vec<Deployment>>,
    pub packages: BTreeMap<ModuleHash, Bytes>,
    /// The latest version of a type's states, where it is out of force or in force in an earlier one.
    pub latest: BTreeMap<&'static str, u32>,
}

/// Who runs the methods of an entity type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Host {
    Native,
    Module(&'static Release),
}

impl Host {
    /// Whether the other's methods run in another way: a call between them goes from one host to another.
    pub fn is_apart_from(self, other: Self) -> bool {
        let language = |host| match host {
            Host::Native => None,
            Host::Module(release) => Some(release.language),
        };
        language(self) != language(other)
    }
}

/// How often commands met what worlds with modules are for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Met {
    /// A method took so much that its transaction had to run carefully.
    pub careful_runs: u64,
    /// A method's module migrated the state that it met.
    pub migrated: u64,
    /// A method called one that another host runs.
    pub between_hosts: u64,
}

impl Met {
    /// What was met since then, by its name among what is exercised.
    pub fn since(self, before: Self) -> [(&'static str, u64); 3] {
        [
            ("careful runs", self.careful_runs - before.careful_runs),
            ("states migrated", self.migrated - before.migrated),
            (
                "calls between hosts",
                self.between_hosts - before.between_hosts,
            ),
        ]
    }
}

impl Oracle {
    /// Who runs the methods of an entity type; none: nobody.
    pub(crate) fn host(&self, ty: &str) -> Option<Host> {
        if self.native.contains(&ty) {
            return Some(Host::Native);
        }
        let (_, release) = self.owner(ty)?;
        Some(Host::Module(release))
    }

    /// The module that has an entity type.
    pub(crate) fn owner(&self, ty: &str) -> Option<(&ModuleName, &'static Release)> {
        let modules = self.modules.in_force.iter();
        let mut modules = modules.map(|(name, module)| (name, modules::find(&module.hash)));
        modules.find(|(_, release)| release.shape.types.contains(&ty))
    }

    pub(super) fn deploy(&mut self, deploy: &Deploy) -> Outcome {
        let Deploy { name, hash, .. } = deploy;
        if deploy.package.is_none() && !self.modules.packages.contains_key(hash) {
            return refused("unknown_version");
        }
        let before = self.modules.in_force.get(name);
        let changed = before.is_none_or(|before| before.hash != *hash);
        let version = match before {
            Some(before) if !changed => before.version,
            _ => match self.check(deploy, modules::find(hash)) {
                Some(code) => return refused(code),
                None => self.put_in_force(deploy),
            },
        };
        let json = format!(
            r#"{{"module":"{name}","version":{version},"hash":"{hash}","changed":{changed}}}"#
        );
        Outcome::Value(json.into())
    }

    /// Why a release may not come into force.
    fn check(&self, deploy: &Deploy, release: &Release) -> Option<&'static str> {
        let before = self.modules.in_force.get(&deploy.name);
        let before = before.map(|before| modules::find(&before.hash).shape);
        let shape = release.shape;
        for ty in shape.types {
            let owner = self.owner(ty).map(|(name, _)| name);
            if self.native.contains(ty) || owner.is_some_and(|owner| *owner != deploy.name) {
                return Some("module_clash");
            }
            let was = before.filter(|before| before.types.contains(ty));
            if was.is_some_and(|was| was.version > shape.version) && !shape.migrates {
                return Some("state_version");
            }
        }
        let latest = &self.modules.latest;
        let mut kept = shape.types.iter().filter_map(|ty| latest.get(ty));
        if kept.any(|latest| *latest > shape.version) && !shape.migrates {
            return Some("state_version");
        }
        let before = before.map_or(&[][..], |before| before.types);
        let mut leave = before.iter().filter(|ty| !shape.types.contains(ty));
        let left = leave.any(|ty| self.holds_state(ty));
        (left && !deploy.keep_state).then_some("holds_state")
    }

    fn put_in_force(&mut self, deploy: &Deploy) -> u32 {
        let Deploy { name, hash, .. } = deploy;
        if let Some(package) = &deploy.package {
            self.modules.packages.insert(*hash, package.clone());
        }
        let before = self.modules.in_force.get(name);
        let before = before.map(|before| modules::find(&before.hash).shape);
        self.note_latest(before, Some(modules::find(hash).shape));
        let version = self.write_history(name, *hash, deploy.how, &deploy.caller);
        let module = InForceModule {
            name: name.clone(),
            version,
            hash: *hash,
        };
        self.modules.in_force.insert(name.clone(), module);
        version
    }

    pub(super) fn undeploy(&mut self, undeploy: &Undeploy) -> Outcome {
        let name = &undeploy.name;
        let Some(module) = self.modules.in_force.get(name).cloned() else {
            return refused("unknown_module");
        };
        let mut leave = modules::find(&module.hash).shape.types.iter();
        if !undeploy.keep_state && leave.any(|ty| self.holds_state(ty)) {
            return refused("holds_state");
        }
        self.note_latest(Some(modules::find(&module.hash).shape), None);
        self.modules.in_force.remove(name);
        let version = self.write_history(name, module.hash, How::Undeploy, &undeploy.caller);
        Outcome::Value(format!(r#"{{"module":"{name}","version":{version}}}"#).into())
    }

    /// Keeps which versions the states may have that the module in force does not say itself.
    fn note_latest(&mut self, before: Option<Shape>, after: Option<Shape>) {
        let version = |shape: Option<Shape>, ty: &&str| {
            let shape = shape.filter(|shape| shape.types.contains(ty));
            shape.map(|shape| shape.version)
        };
        for ty in before.iter().flat_map(|before| before.types) {
            let known = self.modules.latest.get(ty).copied();
            let latest = known.max(version(before, ty));
            if self.holds_state(ty) {
                self.modules
                    .latest
                    .extend(latest.map(|latest| (*ty, latest)));
            }
        }
        let latest = &mut self.modules.latest;
        latest.retain(|ty, latest| version(after, ty) < Some(*latest));
    }

    /// Adds a line to a module's history.
    fn write_history(&mut self, name: &ModuleName, hash: ModuleHash, how: How, by: &str) -> u32 {
        let history = self.modules.history.entry(name.clone()).or_default();
        let version = history.len() as u32 + 1;
        let earlier = history.iter().rev().find(|line| line.hash == hash);
        let origin = match how {
            How::Deploy => version,
            How::Rollback | How::Undeploy => earlier.map_or(version, |line| line.origin),
        };
        history.push(Deployment {
            version,
            origin,
            hash,
            how,
            caller: by.to_owned(),
            seq: self.seq,
            at: self.now,
        });
        version
    }

    /// Whether any entity of a type has a root value or a field.
    pub(crate) fn holds_state(&self, ty: &str) -> bool {
        let holds = |entity: &Entity| entity.root.is_some() || !entity.fields.is_empty();
        let mut entities = self.entities.iter();
        entities.any(|(id, entity)| id.ty.as_str() == ty && holds(entity))
    }
}

/// A refusal, without its prose.
fn refused(code: &str) -> Outcome {
    Outcome::Rejected(Box::new(Rejection::new(code, "")))
}
