//! Whether a module goes with what is in force, by its manifest: what holds in every state. What entities hold is asked
//! elsewhere.

use std::collections::BTreeSet;

use ordain_types::module::{EntityManifest, How, Manifest, ModuleHash};
use ordain_types::{EntityType, Method, MethodKind, ModuleName, Rejection, limits};

use crate::catalog::Catalog;

/// Why a module does not go with what is in force.
#[derive(Debug)]
pub struct Misfit {
    /// The reason.
    pub rejection: Box<Rejection>,
    /// The entity type that it is about, and the method; none: it is about no one type.
    pub about: Option<(EntityType, Option<Method>)>,
}

impl From<Rejection> for Misfit {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection: Box::new(rejection),
            about: None,
        }
    }
}

impl Misfit {
    fn of(code: &str, message: String, ty: &EntityType, method: Option<&Method>) -> Self {
        Self {
            rejection: Box::new(Rejection::new(code, message)),
            about: Some((ty.clone(), method.cloned())),
        }
    }
}

impl Catalog {
    /// Holds a deployment against what is in force. Says whether it changes anything: the same package
    /// may be in force already. What entities hold is another matter: see [`Catalog::leaving`] and [`crate::Engine::stored`].
    ///
    /// A method may not turn from an update into a query, unless by a rollback: the name was a query's in the version that
    /// comes back, which nobody can write anew.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check_deploy(
        &self,
        name: &ModuleName,
        hash: ModuleHash,
        manifest: &Manifest,
        how: How,
    ) -> Result<bool, Misfit> {
        let before = self.module(name);
        if before.is_some_and(|before| before.hash == hash) {
            return Ok(false);
        }
        check_manifest(manifest)?;
        if before.is_none() && self.modules().len() >= limits::MODULES_MAX {
            let most = limits::MODULES_MAX;
            let message = format!("{most} modules are in force, as many as there may be");
            return Err(Rejection::new("module_invalid", message).into());
        }
        // Of those in force, not of the places of this process: a replay may begin with fewer.
        let others = self.types().filter(|ty| ty.module.as_ref() != Some(name));
        let types = others.count() + manifest.entities.len();
        if types > limits::ENTITY_TYPES_MAX {
            let most = limits::ENTITY_TYPES_MAX;
            let message = format!("there would be {types} entity types, more than {most}");
            return Err(Rejection::new("module_invalid", message).into());
        }
        for entity in &manifest.entities {
            self.check_owner(name, &entity.name)?;
            let before = before.and_then(|module| entity_of(&module.manifest, &entity.name));
            if let Some(before) = before {
                check_change(before, entity, how)?;
            }
        }
        Ok(true)
    }

    fn check_owner(&self, name: &ModuleName, ty: &EntityType) -> Result<(), Misfit> {
        let Some(whose) = self.other_owner(name, ty) else {
            return Ok(());
        };
        let message = format!("{whose}; give it another name in the module `{name}`");
        Err(Misfit::of("module_clash", message, ty, None))
    }

    /// Whose an entity type is that this module cannot have; none: it can.
    pub(crate) fn other_owner(&self, name: &ModuleName, ty: &EntityType) -> Option<String> {
        let owner = match &self.get(self.index(ty.as_str())?).module {
            Some(owner) if owner == name => return None,
            Some(owner) => format!("to the module `{owner}`"),
            None => "to the server's own program".to_owned(),
        };
        Some(format!("the entity type `{ty}` belongs {owner}"))
    }

    /// The entity types that would leave with this deployment: their entities must hold no state.
    pub fn leaving(&self, name: &ModuleName, manifest: Option<&Manifest>) -> Vec<EntityType> {
        let Some(before) = self.module(name) else {
            return Vec::new();
        };
        let before = before.manifest.entities.iter().map(|entity| &entity.name);
        let stays = |ty: &&EntityType| manifest.is_none_or(|new| entity_of(new, ty).is_none());
        before.filter(stays).cloned().collect()
    }
}

fn entity_of<'a>(manifest: &'a Manifest, name: &EntityType) -> Option<&'a EntityManifest> {
    manifest.entities.iter().find(|entity| entity.name == *name)
}

fn check_manifest(manifest: &Manifest) -> Result<(), Rejection> {
    let invalid = |message| Err(Rejection::new("module_invalid", message));
    if manifest.entities.is_empty() {
        return invalid("the module has no entity type".to_owned());
    }
    let mut types = BTreeSet::new();
    for EntityManifest { name, methods, .. } in &manifest.entities {
        if !types.insert(name) {
            return invalid(format!("the module has the entity type `{name}` twice"));
        }
        if methods.len() > limits::METHODS_MAX {
            let most = limits::METHODS_MAX;
            return invalid(format!(
                "the entity type `{name}` has more than {most} methods"
            ));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = methods.iter().find(|method| !names.insert(&method.name)) {
            let twice = &twice.name;
            return invalid(format!(
                "the entity type `{name}` has the method `{twice}` twice"
            ));
        }
    }
    Ok(())
}

/// What may not become of an entity type from one version to the next.
fn check_change(before: &EntityManifest, after: &EntityManifest, how: How) -> Result<(), Misfit> {
    let ty = &after.name;
    for method in &after.methods {
        let name = &method.name;
        let was = before.methods.iter().find(|before| before.name == *name);
        let was = was.map(|before| before.kind);
        let becomes_query = was == Some(MethodKind::Update) && method.kind == MethodKind::Query;
        if becomes_query && how != How::Rollback {
            let message = format!(
                "`{ty}.{name}` is an update in the version in force and a query in this one, while \
                 callers may rely on what it writes; give the query another name, or go back by a rollback to a \
                 version that had it"
            );
            return Err(Misfit::of("method_kind", message, ty, Some(name)));
        }
    }
    if after.version < before.version && !after.migrates {
        let (old, new) = (before.version, after.version);
        let message = format!(
            "the state of `{ty}` has version {old} in force and {new} in this module, which could not \
             read what was written since; raise the version, or add a `migrate` that takes states of \
             version {old}"
        );
        return Err(Misfit::of("state_version", message, ty, None));
    }
    Ok(())
}
