//! Modules of a running node: compiled and checked on the caller's thread, put in force by a command.
//!
//! What is refused here leaves no trace. The engine checks all of it again, in its place in the order: two
//! deployments may pass this door at once.

use std::sync::Arc;

use bytes::Bytes;
use ordain_engine::{Catalog, Loaded, Misfit, ModuleStatus, Modules};
use ordain_types::module::{self, How, Manifest, ModuleHash, Place};
use ordain_types::{
    Deploy, EntityType, ModuleName, Outcome, Package, Rejection, Source, SourceError, Undeploy,
};
use serde::Deserialize;

use crate::door::Refused;
use crate::node::{Node, Op};
use crate::reply::{Body, Unavailable};

/// Why modules are as they were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeployError {
    /// Sources that do not compile.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It does not go with what is in force.
    #[error(transparent)]
    Rejected(Rejection),
    /// Something in it, which is written there, does not go with what is in force.
    #[error("{place}: {rejection}")]
    Misfit {
        /// Why.
        rejection: Rejection,
        /// Where.
        place: Place,
    },
    /// This program runs no modules.
    #[error("this server runs no modules; start one that was built with them")]
    NoModules,
    /// A package that this program cannot run.
    #[error("the package {hash} cannot be run: {why}")]
    Package {
        /// Which.
        hash: ModuleHash,
        /// Why.
        why: String,
    },
    /// Nothing ran.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nothing ran, or no one knows whether the command will survive: look at what is in force.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A module that is in force now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deployed {
    /// Its name.
    pub module: ModuleName,
    /// The version in force.
    pub version: u32,
    /// The name of its package, in hex digits.
    pub hash: String,
    /// Whether it was not in force before.
    pub changed: bool,
}

/// A module that is in force no more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Undeployed {
    /// Its name.
    pub module: ModuleName,
    /// The line of its history that says so.
    pub version: u32,
}

/// What may be said of a change beside what to change.
#[derive(Debug, Clone, Default)]
pub struct ChangeOptions {
    /// Entities of types that go may hold state, which stays.
    pub keep_state: bool,
    /// Who asks.
    pub caller: String,
}

/// How an operator's request about modules is put to the executor.
pub enum Change {
    /// Put a module in force; what was loaded of it goes along.
    Deploy(Box<Deploy>, Box<Loaded>),
    /// Take one out of force.
    Undeploy(Box<Undeploy>),
}

/// A package that passed the door.
struct Ready {
    encoded: Bytes,
    loaded: Loaded,
}

impl Node {
    fn host(&self) -> Result<Arc<dyn Modules>, DeployError> {
        let catalog = self.catalog();
        catalog.host().cloned().ok_or(DeployError::NoModules)
    }

    /// Compiles sources on this thread, which may take its time. Nothing changes.
    ///
    /// # Errors
    /// What is wrong with them, and where.
    pub fn compile(&self, source: &Source) -> Result<Package, DeployError> {
        let host = self.host()?;
        source.check()?;
        Ok(host.compile(source)?)
    }

    /// Says whether a package could be deployed now, as [`Node::deploy`] would, and gives its name.
    ///
    /// # Errors
    /// Why it could not.
    pub fn check_deploy(
        &self,
        name: &ModuleName,
        package: &Package,
        options: &ChangeOptions,
    ) -> Result<ModuleHash, DeployError> {
        let ready = self.ready(package.encode())?;
        self.check_ready(name, &ready.loaded, How::Deploy, options)?;
        Ok(ready.loaded.hash)
    }

    /// Puts a package in force as the module of this name. Blocks until that is durable: then every
    /// call that begins afterwards meets it, and none before it did.
    ///
    /// # Errors
    /// Why it is not in force.
    pub fn deploy(
        &self,
        name: &ModuleName,
        package: &Package,
        options: &ChangeOptions,
    ) -> Result<Deployed, DeployError> {
        let Ready { encoded, loaded } = self.ready(package.encode())?;
        self.put(name, loaded, Some(encoded), How::Deploy, options)
    }

    /// Puts an earlier version of a module in force again: that of the given number, or the one before
    /// that which is in force.
    ///
    /// # Errors
    /// Why it is not.
    pub fn rollback(
        &self,
        name: &ModuleName,
        to: Option<u32>,
        options: &ChangeOptions,
    ) -> Result<Deployed, DeployError> {
        let statuses = self.modules()?;
        let status = statuses.iter().find(|status| status.name == *name);
        let hash = earlier(name, status, to).map_err(DeployError::Rejected)?;
        let Body::Package(Some(encoded)) = self.read(Op::Package(hash))? else {
            let message = format!("the package {hash} of the module `{name}` is not kept any more");
            return Err(DeployError::Rejected(Rejection::new(
                "unknown_version",
                message,
            )));
        };
        let Ready { loaded, .. } = self.ready(encoded)?;
        self.put(name, loaded, None, How::Rollback, options)
    }

    /// Takes a module out of force. Its history stays, and with [`ChangeOptions::keep_state`] what its
    /// entities hold.
    ///
    /// # Errors
    /// Why it is still in force.
    pub fn undeploy(
        &self,
        name: &ModuleName,
        options: &ChangeOptions,
    ) -> Result<Undeployed, DeployError> {
        let catalog = self.catalog();
        if catalog.module(name).is_none() {
            let message = format!("no module named `{name}` is in force");
            return Err(DeployError::Rejected(Rejection::new(
                "unknown_module",
                message,
            )));
        }
        self.check_left(&catalog, name, None, options)?;
        let undeploy = Undeploy {
            name: name.clone(),
            keep_state: options.keep_state,
            caller: options.caller.clone(),
        };
        self.change(Change::Undeploy(Box::new(undeploy)))
    }

    /// All modules there ever were, with what is in force and what was done to them.
    ///
    /// # Errors
    /// Why nothing can be said.
    pub fn modules(&self) -> Result<Vec<ModuleStatus>, DeployError> {
        match self.read(Op::Modules)? {
            Body::Modules(statuses) => Ok(statuses.0),
            _ => unreachable!("modules were asked for"),
        }
    }

    fn read(&self, op: Op) -> Result<Body, DeployError> {
        match self.ask_and_wait(op)?.body {
            Body::Unavailable(why) => Err(why.into()),
            body => Ok(body),
        }
    }

    fn ready(&self, encoded: Bytes) -> Result<Ready, DeployError> {
        let host = self.host()?;
        let hash = module::hash(&encoded);
        match Loaded::new(&*host, hash, &encoded) {
            Ok(loaded) => Ok(Ready { encoded, loaded }),
            Err(why) => Err(DeployError::Package { hash, why }),
        }
    }

    fn check_ready(
        &self,
        name: &ModuleName,
        loaded: &Loaded,
        how: How,
        options: &ChangeOptions,
    ) -> Result<(), DeployError> {
        let catalog = self.catalog();
        let checked = catalog.check_deploy(name, loaded.hash, &loaded.manifest, how);
        match checked.map_err(|misfit| self.misfit(loaded.hash, misfit))? {
            false => Ok(()),
            true => {
                self.check_state(Op::Stored(loaded.manifest.clone()))?;
                self.check_left(&catalog, name, Some(&loaded.manifest), options)
            }
        }
    }

    /// With the place in the sources, for whoever has just written them.
    fn misfit(&self, hash: ModuleHash, misfit: Misfit) -> DeployError {
        let (rejection, about) = (*misfit.rejection, misfit.about);
        let host = self.host().ok();
        let place = host.zip(about);
        let place = place.and_then(|(host, (ty, method))| host.place(hash, &ty, method.as_ref()));
        match place {
            Some(place) => DeployError::Misfit { rejection, place },
            None => DeployError::Rejected(rejection),
        }
    }

    fn put(
        &self,
        name: &ModuleName,
        loaded: Loaded,
        package: Option<Bytes>,
        how: How,
        options: &ChangeOptions,
    ) -> Result<Deployed, DeployError> {
        self.check_ready(name, &loaded, how, options)?;
        let deploy = Deploy {
            name: name.clone(),
            hash: loaded.hash,
            package,
            how,
            keep_state: options.keep_state,
            caller: options.caller.clone(),
        };
        self.change(Change::Deploy(Box::new(deploy), Box::new(loaded)))
    }

    fn change<T: for<'a> Deserialize<'a>>(&self, change: Change) -> Result<T, DeployError> {
        match self.read(Op::Change(change))? {
            Body::Outcome {
                outcome: Outcome::Value(json),
                ..
            } => Ok(serde_json::from_slice(&json).expect("the engine's own words")),
            Body::Outcome {
                outcome: Outcome::Rejected(rejection),
                ..
            } => Err(DeployError::Rejected(*rejection)),
            _ => unreachable!("a deployment ends in a value or a rejection"),
        }
    }

    /// Refuses to leave state behind, before anything is logged.
    fn check_left(
        &self,
        catalog: &Catalog,
        name: &ModuleName,
        new: Option<&Manifest>,
        options: &ChangeOptions,
    ) -> Result<(), DeployError> {
        if options.keep_state {
            return Ok(());
        }
        let leaving: Vec<EntityType> = catalog.leaving(name, new);
        if leaving.is_empty() {
            return Ok(());
        }
        self.check_state(Op::Left(name.clone(), leaving))
    }

    fn check_state(&self, op: Op) -> Result<(), DeployError> {
        match self.read(op)? {
            Body::Left(None) => Ok(()),
            Body::Left(Some(rejection)) => Err(DeployError::Rejected(*rejection)),
            _ => unreachable!("what entities hold was asked for"),
        }
    }
}

/// The package that a rollback goes to.
fn earlier(
    name: &ModuleName,
    status: Option<&ModuleStatus>,
    to: Option<u32>,
) -> Result<ModuleHash, Rejection> {
    let Some(status) = status else {
        let message = format!("there never was a module named `{name}`");
        return Err(Rejection::new("unknown_module", message));
    };
    let lines = || {
        status
            .history
            .iter()
            .filter(|line| line.how != How::Undeploy)
    };
    let found = match to {
        Some(version) => lines().find(|line| line.version == version),
        None => {
            // What is in force, or was last: its own number counts, not those of rollbacks to it.
            let now = lines().next_back().map_or(0, |line| line.origin);
            match &status.in_force {
                Some(_) => lines().rfind(|line| line.origin < now && line.version < now),
                None => lines().next_back(),
            }
        }
    };
    found.map(|line| line.hash).ok_or_else(|| {
        let message = match to {
            Some(version) => format!("the module `{name}` has no version {version} to go back to"),
            None => format!("the module `{name}` has no earlier version to go back to"),
        };
        Rejection::new("unknown_version", message)
    })
}
