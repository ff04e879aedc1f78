//! The typed way to an entity inside a transaction. The macro's handles are thin wrappers around it.

use std::any::{TypeId, type_name};

use ordain_engine::{MethodIndex, Tx, TypeIndex};
use ordain_types::{FaultKind, Key, Rejection};
use ordain_values::IntoKey;

use super::entity::Entity;

/// The way from a running method to an entity.
pub struct Link<'a> {
    tx: &'a mut Tx,
    ty: TypeIndex,
    key: Key,
}

impl<'a> Link<'a> {
    /// The way to the `E` of that key. A key that is none, or an `E` that this node does not have,
    /// is a fault.
    pub fn new<E: Entity>(tx: &'a mut Tx, key: impl IntoKey) -> Self {
        let Some(ty) = tx.catalog().native(TypeId::of::<E>()) else {
            let (ty, rust) = (E::TYPE, type_name::<E>());
            let message = format!(
                "a call to the entity type `{ty}`, which this node does not have: add \
                 `.with::<{rust}>()` to the entities it is opened with"
            );
            tx.fault(FaultKind::UnknownEntity, message)
        };
        match key.into_key() {
            Ok(key) => Self { tx, ty, key },
            Err(error) => {
                let message = format!("a call to an entity of type `{}`: {error}", E::TYPE);
                tx.fault(FaultKind::BadKey, message)
            }
        }
    }

    /// Calls the method at that place, which `run` runs. Its name is for those who cannot run it.
    ///
    /// # Errors
    /// The method's rejection.
    #[inline]
    pub fn call<A, R>(
        &mut self,
        method: u16,
        _name: &'static str,
        args: A,
        run: impl FnOnce(&mut Tx, A) -> Result<R, Rejection>,
    ) -> Result<R, Rejection> {
        let (ty, key, method) = (self.ty, &self.key, MethodIndex(method));
        self.tx.call(ty, key, method, move |tx| run(tx, args))
    }
}
