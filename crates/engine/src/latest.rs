//! Which versions the states of entities may have whose type is out of force, or in force in an earlier version than
//! they were written in. A module that could not read them is refused before it meets them.
//!
//! Of a type in force it is the module's own version, and nothing is kept beside that: a row says otherwise, the latest
//! version that was in force. It comes when a type that holds state goes, or goes on in an earlier version, and goes
//! once a version is in force that is no earlier.

use ordain_types::module::{EntityManifest, Manifest};
use ordain_types::{EntityType, Granule, Rejection};

use crate::Tx;
use crate::sends::encode;

fn row(ty: &EntityType) -> Granule {
    Granule::meta(&format!("latest/{ty}"))
}

impl Tx {
    /// Refuses a module that could not read what is there.
    pub(crate) fn check_stored(&mut self, manifest: &Manifest) -> Result<(), Rejection> {
        for EntityManifest {
            name: ty,
            version,
            migrates,
            ..
        } in &manifest.entities
        {
            if *migrates {
                continue;
            }
            if let Some(latest) = self.latest(ty).filter(|latest| latest > version) {
                let message = format!(
                    "entities of the type `{ty}` may hold states of version {latest}, which were kept, and this \
                     module, which has version {version}, could not read them; raise the version, or add a `migrate` \
                     that takes states of version {latest}"
                );
                return Err(Rejection::new("state_version", message));
            }
        }
        Ok(())
    }

    fn latest(&mut self, ty: &EntityType) -> Option<u32> {
        self.decode_row(&row(ty))
    }

    /// Notes what the states may have that a module leaves behind, and forgets it where that is known again.
    pub(crate) fn note_latest(&mut self, before: Option<&Manifest>, after: Option<&Manifest>) {
        for EntityManifest {
            name: ty, version, ..
        } in entities(before)
        {
            let latest = self.latest(ty).unwrap_or(0).max(*version);
            let next = entities(after).iter().find(|it| it.name == *ty);
            if next.is_none_or(|next| next.version < latest) && self.holds_state(ty) {
                self.write_row(row(ty), Some(encode(&latest)));
            }
        }
        for EntityManifest {
            name: ty, version, ..
        } in entities(after)
        {
            if self.latest(ty).is_some_and(|latest| latest <= *version) {
                self.write_row(row(ty), None);
            }
        }
    }
}

fn entities(manifest: Option<&Manifest>) -> &[EntityManifest] {
    manifest.map_or(&[], |manifest| &manifest.entities)
}
