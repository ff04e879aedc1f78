//! What a deployment would change, found without changing anything: a module's manifest held against
//! the one in force. What methods do is not compared: packages that differ may show no difference here.

use std::collections::{BTreeMap, BTreeSet};

use ordain_types::module::{EntityManifest, Manifest, MethodManifest, ModuleHash};
use ordain_types::{EntityType, Method, ModuleName, Package};

use crate::deploy::{ChangeOptions, DeployError};
use crate::node::Node;

/// What a deployment would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The module's name.
    pub module: ModuleName,
    /// The version in force; none if nothing is.
    pub version: Option<u32>,
    /// The package in force.
    pub old: Option<ModuleHash>,
    /// The package that would be.
    pub new: ModuleHash,
    /// The entity types that would look different, in the order of their names.
    pub entities: Vec<EntityChange>,
}

/// Of two, that which is and that which would be; one of them at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// It is not there yet.
    Added(T),
    /// It would not be there any more.
    Removed(T),
    /// It would be another.
    Altered {
        /// As it is.
        old: T,
        /// As it would be.
        new: T,
    },
}

/// What would become of an entity type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityChange {
    /// Its name.
    pub name: EntityType,
    /// The version of its state's shape. Altered also where only methods are, and then the same twice.
    pub state_version: Change<u32>,
    /// The methods that would look different, in the order of their names.
    pub methods: Vec<(Method, Change<MethodManifest>)>,
}

impl Plan {
    /// Whether anything would change, and be it only what methods do.
    pub fn changes(&self) -> bool {
        self.old != Some(self.new)
    }

    /// Holds a package against what is in force.
    fn new(
        module: &ModuleName,
        before: Option<&ordain_engine::Module>,
        hash: ModuleHash,
        manifest: &Manifest,
    ) -> Self {
        Self {
            module: module.clone(),
            version: before.map(|before| before.version),
            old: before.map(|before| before.hash),
            new: hash,
            entities: changes(before.map(|before| &*before.manifest), manifest),
        }
    }
}

impl<T> Change<T> {
    /// None: neither is there.
    fn of(old: Option<T>, new: Option<T>) -> Option<Self> {
        match (old, new) {
            (None, None) => None,
            (None, Some(new)) => Some(Change::Added(new)),
            (Some(old), None) => Some(Change::Removed(old)),
            (Some(old), Some(new)) => Some(Change::Altered { old, new }),
        }
    }

    /// As it is, and as it would be.
    pub fn sides(&self) -> (Option<&T>, Option<&T>) {
        match self {
            Change::Added(new) => (None, Some(new)),
            Change::Removed(old) => (Some(old), None),
            Change::Altered { old, new } => (Some(old), Some(new)),
        }
    }
}

impl<T: PartialEq> Change<T> {
    /// Whether what is would be the same.
    fn is_none(&self) -> bool {
        matches!(self, Change::Altered { old, new } if old == new)
    }
}

impl Node {
    /// Says what [`Node::deploy`] of this package would change now.
    ///
    /// # Errors
    /// Why it would be refused.
    pub fn plan(
        &self,
        name: &ModuleName,
        package: &Package,
        options: &ChangeOptions,
    ) -> Result<Plan, DeployError> {
        let hash = self.check_deploy(name, package, options)?;
        let catalog = self.catalog();
        Ok(Plan::new(
            name,
            catalog.module(name),
            hash,
            &package.manifest,
        ))
    }
}

fn changes(old: Option<&Manifest>, new: &Manifest) -> Vec<EntityChange> {
    fn by_name(manifest: &Manifest) -> BTreeMap<&EntityType, &EntityManifest> {
        let entities = manifest.entities.iter();
        entities.map(|entity| (&entity.name, entity)).collect()
    }
    let (old, new) = (old.map(by_name).unwrap_or_default(), by_name(new));
    let names: BTreeSet<&EntityType> = old.keys().chain(new.keys()).copied().collect();
    let each = names.into_iter();
    each.filter_map(|name| entity_change(old.get(name).copied(), new.get(name).copied()))
        .collect()
}

/// None: it would look the same.
fn entity_change(
    old: Option<&EntityManifest>,
    new: Option<&EntityManifest>,
) -> Option<EntityChange> {
    let name = &old.or(new)?.name;
    let version = |entity: Option<&EntityManifest>| entity.map(|entity| entity.version);
    let state_version = Change::of(version(old), version(new))?;
    let methods = method_changes(old, new);
    if state_version.is_none() && methods.is_empty() {
        return None;
    }
    Some(EntityChange {
        name: name.clone(),
        state_version,
        methods,
    })
}

fn method_changes(
    old: Option<&EntityManifest>,
    new: Option<&EntityManifest>,
) -> Vec<(Method, Change<MethodManifest>)> {
    fn by_name(entity: &EntityManifest) -> BTreeMap<&Method, &MethodManifest> {
        let methods = entity.methods.iter();
        methods.map(|method| (&method.name, method)).collect()
    }
    let old = old.map(by_name).unwrap_or_default();
    let new = new.map(by_name).unwrap_or_default();
    let names: BTreeSet<&Method> = old.keys().chain(new.keys()).copied().collect();
    let change = |name: &Method| {
        let (old, new) = (old.get(name).copied(), new.get(name).copied());
        let change = Change::of(old.cloned(), new.cloned())?;
        (!change.is_none()).then(|| (name.clone(), change))
    };
    names.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordain_types::module::Language;
    use ordain_types::{MethodKind, Param};

    fn method(name: &str, kind: MethodKind, params: Option<&[&str]>) -> MethodManifest {
        let param = |name: &&str| Param {
            name: (*name).to_owned(),
            schema: "{}".to_owned(),
            required: true,
        };
        MethodManifest {
            name: Method::new(name).unwrap(),
            kind,
            params: params.map(|params| params.iter().map(param).collect()),
            result: "{}".to_owned(),
        }
    }

    fn manifest(entities: &[(&str, u32, &[MethodManifest])]) -> Manifest {
        let entity = |(name, version, methods): &(&str, u32, &[MethodManifest])| EntityManifest {
            name: EntityType::new(name).unwrap(),
            version: *version,
            migrates: false,
            methods: methods.to_vec(),
        };
        Manifest {
            language: Language::JavaScript,
            sdk: "0.1".to_owned(),
            entities: entities.iter().map(entity).collect(),
        }
    }

    /// Entity types and their methods, each with `+`, `-` or `~`, and versions that change.
    fn shown(old: Option<&Manifest>, new: &Manifest) -> Vec<String> {
        fn sign<T>(change: &Change<T>) -> char {
            match change {
                Change::Added(_) => '+',
                Change::Removed(_) => '-',
                Change::Altered { .. } => '~',
            }
        }
        let mut lines = Vec::new();
        for entity in changes(old, new) {
            let version = match entity.state_version {
                Change::Altered { old, new } if old != new => format!(" {old} to {new}"),
                _ => String::new(),
            };
            let sign_of = sign(&entity.state_version);
            lines.push(format!("{sign_of}{}{version}", entity.name));
            let methods = entity.methods.iter();
            lines.extend(methods.map(|(name, change)| format!("  {}{name}", sign(change))));
        }
        lines
    }

    #[test]
    fn a_plan_names_what_comes_goes_and_becomes_another() {
        use MethodKind::{Query, Update};
        let add = method("add", Update, Some(&["n"]));
        let look = method("look", Query, None);
        let old = manifest(&[
            ("account", 1, &[add.clone(), look.clone()]),
            ("gone", 1, std::slice::from_ref(&look)),
            ("same", 4, std::slice::from_ref(&add)),
        ]);
        let added = method("add", Update, Some(&["n", "note"]));
        let now = manifest(&[
            ("account", 2, &[added, method("take", Update, None)]),
            ("fresh", 1, std::slice::from_ref(&look)),
            ("same", 4, std::slice::from_ref(&add)),
        ]);
        let expected = [
            "~account 1 to 2",
            "  ~add",
            "  -look",
            "  +take",
            "+fresh",
            "  +look",
            "-gone",
            "  -look",
        ];
        assert_eq!(shown(Some(&old), &now), expected);
        assert_eq!(shown(Some(&old), &old), [""; 0]);
        let first = manifest(&[("account", 1, std::slice::from_ref(&look))]);
        assert_eq!(shown(None, &first), ["+account", "  +look"]);
    }

    #[test]
    fn kinds_and_results_count_as_changes() {
        let update = method("m", MethodKind::Update, None);
        let query = method("m", MethodKind::Query, None);
        let mut told = query.clone();
        told.result = r#"{"type":"integer"}"#.to_owned();
        for (old, new) in [(&update, &query), (&query, &told)] {
            let old = manifest(&[("a", 1, std::slice::from_ref(old))]);
            let new = manifest(&[("a", 1, std::slice::from_ref(new))]);
            assert_eq!(shown(Some(&old), &new), ["~a", "  ~m"]);
        }
    }
}
