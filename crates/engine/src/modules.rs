//! Modules in force: what a deployment changes, and what is kept of it in the state. Whether it goes with what is
//! there is in `fit`.
//!
//! What always holds:
//!
//! - **What is in force is a function of the log**: deployments are commands, and everything they are
//!   checked against is state. Packages, histories and the list of modules in force are rows, so that
//!   stores, backups and replays have them.
//! - **A change comes between two transactions, whole**: the catalog is replaced, never changed.
//!   Undoing the command puts the one before back.
//! - **A type's place in the catalog never changes** while the engine lives: slots go by it. A type that
//!   is out of force keeps its place, and what its entities hold.
//! - **An entity type belongs to one module**, or to the program.
//!
//! What a package's methods do, and in which language, is the business of [`Modules`].

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ordain_types::granule::{Part, prefix_end};
use ordain_types::module::{self, Deployment, How, InForceModule, Manifest, ModuleHash, Place};
use ordain_types::{
    Bug, Deploy, EntityType, Granule, Json, Method, ModuleName, Outcome, Package, Rejection,
    Source, SourceError, Undeploy, limits, planted,
};

use crate::catalog::{Args, Catalog, TypeDef, TypeIndex};
use crate::engine::{Answer, Halt};
use crate::known::{Cut, Stretch};
use crate::rows::Look;
use crate::sends::encode;
use crate::undo::Undo;
use crate::{ColdError, Tx};

/// Turns sources into packages, and packages into what can be called. Both are functions of their input
/// alone.
pub trait Modules: Send + Sync {
    /// Compiles and checks sources. It may take its time: it is never called on an executor's thread.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn compile(&self, source: &Source) -> Result<Package, SourceError>;

    /// The entity types of a package that was compiled before, perhaps by an earlier process. What is
    /// costly to make is made when it is first needed, or was made by [`Modules::compile`].
    ///
    /// # Errors
    /// Why this program cannot run it.
    fn load(&self, hash: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String>;

    /// Where a type, or a method of it, is written in a package that was compiled here lately; none: that is not known,
    /// or not for people to read.
    fn place(
        &self,
        _hash: ModuleHash,
        _ty: &EntityType,
        _method: Option<&Method>,
    ) -> Option<Place> {
        None
    }

    /// What people are shown of a value that a type of a module stored, which is not in force any more.
    fn shown(&self, stored: Json) -> Json {
        stored
    }

    /// A directory in which what was costly to make may be kept for the next start. It may be missing
    /// or removed at any time.
    fn cache_in(&self, _dir: &Path) {}
}

/// A package that was loaded ahead of the command that deploys it: what goes with that as its [`Args`].
pub struct Loaded {
    /// Its name.
    pub hash: ModuleHash,
    /// What is in it.
    pub manifest: Arc<Manifest>,
    /// What of it can be called.
    pub types: Vec<TypeDef>,
}

/// A module in force.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its name.
    pub name: ModuleName,
    /// Which version.
    pub version: u32,
    /// Its package.
    pub hash: ModuleHash,
    /// What is in it.
    pub manifest: Arc<Manifest>,
}

/// What is known of a module, in force or not.
#[derive(Debug, Clone)]
pub struct ModuleStatus {
    /// Its name.
    pub name: ModuleName,
    /// What of it is in force, if anything is.
    pub in_force: Option<Module>,
    /// What was done to it, oldest first.
    pub history: Vec<Deployment>,
}

/// How a deployment ended that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The version in force.
    pub version: u32,
    /// Whether it was not in force before.
    pub changed: bool,
}

impl Loaded {
    /// Decodes and loads a package.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub fn new(host: &dyn Modules, hash: ModuleHash, encoded: &[u8]) -> Result<Self, String> {
        let package = Package::decode(encoded).map_err(|error| error.to_string())?;
        Ok(Self {
            hash,
            types: host.load(hash, &package)?,
            manifest: Arc::new(package.manifest),
        })
    }
}

/// Lines of all histories together.
const HISTORY_ROWS_MAX: usize = limits::MODULES_MAX * limits::MODULE_VERSIONS_MAX;

/// The row that lists the modules in force.
fn list() -> Granule {
    Granule::meta("modules")
}

impl Tx {
    /// Puts the modules in force that the state lists.
    pub(crate) fn load_modules(&mut self) -> Result<(), Halt> {
        for InForceModule {
            name,
            version,
            hash,
        } in self.in_force_modules()
        {
            let hash = match planted(Bug::NewestOnStart) {
                true => self.deployed_last(&name).unwrap_or(hash),
                false => hash,
            };
            let loaded = self.load_package(&name, hash, None)?;
            let Some(loaded) = loaded else {
                let why = format!("the package {hash} of the module `{name}` is not there");
                return Err(Halt::Cold(ColdError(why)));
            };
            let mut types = loaded.manifest.entities.iter().map(|it| &it.name);
            if let Some(whose) = types.find_map(|ty| self.catalog.other_owner(&name, ty)) {
                return Err(Halt::Clash(name, whose));
            }
            let checked = (self.catalog).check_deploy(&name, hash, &loaded.manifest, How::Deploy);
            if let Err(misfit) = checked {
                return Err(Halt::Module(name, misfit.rejection.message));
            }
            let catalog = self.catalog.with_module(name, version, loaded);
            self.catalog = Arc::new(catalog);
        }
        Ok(())
    }

    fn in_force_modules(&mut self) -> Vec<InForceModule> {
        self.decode_row(&list()).unwrap_or_default()
    }

    /// A package as it can be called; none: it is not there.
    fn load_package(
        &mut self,
        name: &ModuleName,
        hash: ModuleHash,
        given: Option<&Bytes>,
    ) -> Result<Option<Loaded>, Halt> {
        let stored = match given {
            Some(given) => Some(given.clone()),
            None => self.read_row(&Granule::package(&hash)),
        };
        let Some(encoded) = stored else {
            return Ok(None);
        };
        let unfit = |why: String| Halt::Module(name.clone(), why);
        if module::hash(&encoded) != hash {
            return Err(unfit(format!("its package is not the one named {hash}")));
        }
        let Some(host) = self.catalog.host().cloned() else {
            return Err(unfit("this program runs no modules".to_owned()));
        };
        Loaded::new(&*host, hash, &encoded).map(Some).map_err(unfit)
    }

    /// Puts a module in force. `ready` is what was loaded of it ahead of time.
    pub(crate) fn deploy(&mut self, deploy: &Deploy, ready: Option<Args>) -> Result<Answer, Halt> {
        let ready = ready.and_then(|ready| ready.downcast::<Loaded>().ok());
        let ready = ready.filter(|loaded| loaded.hash == deploy.hash);
        let known = deploy.package.is_some() || self.has_row(&Granule::package(&deploy.hash));
        let loaded = match ready.filter(|_| known) {
            Some(loaded) => Some(*loaded),
            None => self.load_package(&deploy.name, deploy.hash, deploy.package.as_ref())?,
        };
        let outcome = match loaded {
            None => Err(Rejection::new(
                "unknown_version",
                format!(
                    "no package of the module `{}` is {}",
                    deploy.name, deploy.hash
                ),
            )),
            Some(loaded) => self.put_in_force(deploy, loaded),
        };
        Ok(Answer::Done(match outcome {
            Ok(Deployed { version, changed }) => {
                let Deploy { name, hash, .. } = deploy;
                let json = format!(
                    r#"{{"module":"{name}","version":{version},"hash":"{hash}","changed":{changed}}}"#
                );
                Outcome::Value(json.into())
            }
            Err(rejection) => Outcome::Rejected(Box::new(rejection)),
        }))
    }

    fn put_in_force(&mut self, deploy: &Deploy, loaded: Loaded) -> Result<Deployed, Rejection> {
        let Deploy { name, hash, .. } = deploy;
        let checked = (self.catalog).check_deploy(name, *hash, &loaded.manifest, deploy.how);
        if !checked.map_err(|misfit| *misfit.rejection)? {
            let version = self.catalog.module(name).map_or(0, |module| module.version);
            return Ok(Deployed {
                version,
                changed: false,
            });
        }
        self.check_stored(&loaded.manifest)?;
        if !deploy.keep_state {
            let leaving = self.catalog.leaving(name, Some(&loaded.manifest));
            self.check_left(name, &leaving)?;
        }
        let before = self.catalog.module(name).map(|it| it.manifest.clone());
        self.note_latest(before.as_deref(), Some(&loaded.manifest));
        let row = Granule::package(hash);
        if let Some(package) = deploy.package.clone().filter(|_| !self.has_row(&row)) {
            self.write_row(row, Some(package));
        }
        let version = self.write_history(name, *hash, deploy.how, &deploy.caller);
        self.change_catalog(self.catalog.with_module(name.clone(), version, loaded));
        Ok(Deployed {
            version,
            changed: true,
        })
    }

    /// Takes a module out of force.
    pub(crate) fn undeploy(&mut self, undeploy: &Undeploy) -> Answer {
        let Undeploy {
            name,
            keep_state,
            caller,
        } = undeploy;
        let mut out_of_force = || {
            let Some(module) = self.catalog.module(name) else {
                let message = format!("no module named `{name}` is in force");
                return Err(Rejection::new("unknown_module", message));
            };
            let (hash, manifest) = (module.hash, module.manifest.clone());
            if !keep_state {
                let leaving = self.catalog.leaving(name, None);
                self.check_left(name, &leaving)?;
            }
            self.note_latest(Some(&manifest), None);
            let version = self.write_history(name, hash, How::Undeploy, caller);
            self.change_catalog(self.catalog.without_module(name));
            Ok(format!(r#"{{"module":"{name}","version":{version}}}"#))
        };
        Answer::Done(match out_of_force() {
            Ok(json) => Outcome::Value(json.into()),
            Err(rejection) => Outcome::Rejected(Box::new(rejection)),
        })
    }

    fn change_catalog(&mut self, catalog: Catalog) {
        let before = std::mem::replace(&mut self.catalog, Arc::new(catalog));
        self.undo.push(Undo::Catalog(before));
        let listed = self.catalog.modules().map(|module| InForceModule {
            name: module.name.clone(),
            version: module.version,
            hash: module.hash,
        });
        let listed = encode(&listed.collect::<Vec<_>>());
        self.write_row(list(), Some(listed));
    }

    /// Refuses to leave state of these types behind, which no one could reach.
    pub(crate) fn check_left(
        &mut self,
        name: &ModuleName,
        leaving: &[EntityType],
    ) -> Result<(), Rejection> {
        for ty in leaving {
            if self.holds_state(ty) && !planted(Bug::StateLeftBehind) {
                let message = format!(
                    "entities of the type `{ty}` hold state, which nobody could reach without the \
                     module `{name}` as it is; keep the state on purpose (--keep-state), or keep the type"
                );
                return Err(Rejection::new("holds_state", message));
            }
        }
        Ok(())
    }

    /// Whether any entity of a type has a root value or a field.
    pub(crate) fn holds_state(&mut self, ty: &EntityType) -> bool {
        let place = self.catalog.place(ty.as_str());
        if place.is_some_and(|at| self.slots.any_exists(at)) {
            return true;
        }
        let prefix = Granule::type_prefix(ty);
        self.rows.any_lives(&prefix) || self.cold_holds_state(&prefix)
    }

    /// The same of the store alone, but for what memory knows to be deleted.
    fn cold_holds_state(&mut self, prefix: &[u8]) -> bool {
        const ASKED: usize = 256;
        const BYTES: usize = 1 << 20;
        if self.rows.cold_is_empty() {
            return false;
        }
        let end = prefix_end(prefix).expect("a type's prefix has an end");
        let mut from = std::ops::Bound::Included(prefix.to_vec());
        loop {
            let to = std::ops::Bound::Excluded(&end[..]);
            let lower = from.as_ref().map(|key| &key[..]);
            let found = match self.cold.scan(lower, to, false, ASKED, BYTES) {
                Ok(found) => found,
                Err(error) => self.stop(error),
            };
            let stands = |granule: &Granule| match granule.part() {
                Some(Part::Field(..)) => !matches!(self.rows.look(granule), Look::Gone),
                _ => true, // a root is never deleted
            };
            if found.iter().any(|(granule, _)| stands(granule)) {
                return true;
            }
            match found.last() {
                Some((last, _)) => {
                    from = std::ops::Bound::Excluded(last.as_bytes().to_vec());
                }
                None => return false,
            }
        }
    }

    fn has_row(&mut self, granule: &Granule) -> bool {
        self.read_row(granule).is_some()
    }

    /// A module's history, oldest first.
    pub(crate) fn history(&mut self, name: &ModuleName) -> Vec<Deployment> {
        let prefix = Granule::deployments(name);
        let (owner, from) = prefix.split_at(1);
        let end = prefix_end(from).expect("a name's prefix has an end");
        let stretch = Stretch {
            from: Cut::before(from),
            to: Cut::before(&end),
        };
        let rows = self.scan_rows(owner, stretch, false, HISTORY_ROWS_MAX);
        let rows = rows.into_iter();
        rows.map(|(key, value)| {
            let granule = Granule::from_bytes(&[owner, &key].concat());
            self.decode_value(&granule, &value)
        })
        .collect()
    }

    /// The package of a module that was deployed last, and not gone back to.
    fn deployed_last(&mut self, name: &ModuleName) -> Option<ModuleHash> {
        let history = self.history(name);
        let last = history.iter().rfind(|line| line.how == How::Deploy);
        last.map(|line| line.hash)
    }

    /// Adds a line to a module's history and forgets the oldest beyond the limit. Gives its version.
    fn write_history(&mut self, name: &ModuleName, hash: ModuleHash, how: How, by: &str) -> u32 {
        let mut history = self.history(name);
        let version = history.last().map_or(1, |last| last.version + 1);
        let of_hash = history.iter().rev().find(|line| line.hash == hash);
        let origin = match (how, of_hash) {
            (How::Deploy, _) | (_, None) => version,
            (_, Some(line)) => line.origin,
        };
        let line = Deployment {
            version,
            origin,
            hash,
            how,
            caller: by.to_owned(),
            seq: self.running.seq,
            at: self.running.now,
        };
        self.write_row(Granule::deployment(name, version), Some(encode(&line)));
        history.push(line);
        while history.len() > limits::MODULE_VERSIONS_MAX {
            let oldest = history.remove(0);
            self.write_row(Granule::deployment(name, oldest.version), None);
            self.forget_package(oldest.hash);
        }
        version
    }

    /// Forgets a package that no history names any more.
    fn forget_package(&mut self, hash: ModuleHash) {
        let owner = Granule::all_deployments();
        let rows = self.scan_rows(owner, Stretch::ALL, false, HISTORY_ROWS_MAX);
        let names = rows.iter().any(|(key, value)| {
            let granule = Granule::from_bytes(&[owner, key].concat());
            self.decode_value::<Deployment>(&granule, value).hash == hash
        });
        if !names {
            self.write_row(Granule::package(&hash), None);
        }
    }

    /// All modules there ever were, as far as that is kept.
    pub(crate) fn module_statuses(&mut self) -> Vec<ModuleStatus> {
        let owner = Granule::all_deployments();
        let rows = self.scan_rows(owner, Stretch::ALL, false, HISTORY_ROWS_MAX);
        let mut statuses: Vec<ModuleStatus> = Vec::new();
        for (key, value) in rows {
            let granule = Granule::from_bytes(&[owner, &key].concat());
            let line = self.decode_value(&granule, &value);
            let Some(Part::Deployment(name, _)) = granule.part() else {
                self.stop_at(&granule, "the history of modules holds deployments");
            };
            match statuses.last_mut().filter(|status| status.name == name) {
                Some(status) => status.history.push(line),
                None => statuses.push(ModuleStatus {
                    in_force: self.catalog.module(&name).cloned(),
                    name,
                    history: vec![line],
                }),
            }
        }
        statuses
    }

    /// The package of this name, encoded.
    pub(crate) fn package(&mut self, hash: &ModuleHash) -> Option<Bytes> {
        self.read_row(&Granule::package(hash))
    }
}

/// A type's place, from its number.
pub(crate) fn type_index(at: usize) -> TypeIndex {
    TypeIndex(u32::try_from(at).expect("no process sees so many types"))
}
