//! The typed ways to an entity: a link inside a transaction, an address outside. The macro's handles
//! and request makers are thin wrappers around these.

use std::any::{TypeId, type_name};

use ordain_engine::{MethodIndex, Tx, TypeIndex};
use ordain_types::{
    EntityId, EntityType, FaultKind, Key, Method, MethodKind, NameError, Ready, Rejection, Request,
    RequestError, RequestParts,
};
use serde::Serialize;

use super::entity::Entity;
use super::json::to_json;
use super::key::IntoKey;

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

    /// Calls the method at that place, which `run` runs.
    ///
    /// # Errors
    /// The method's rejection.
    #[inline]
    pub fn call<R>(
        &mut self,
        method: u16,
        run: impl FnOnce(&mut Tx) -> Result<R, Rejection>,
    ) -> Result<R, Rejection> {
        self.tx
            .call(self.ty, self.key.clone(), MethodIndex(method), run)
    }
}

/// An entity's address as a program gives it, perhaps with a key that is none.
#[derive(Debug, Clone)]
pub struct Address(Result<EntityId, NameError>);

impl Address {
    /// The address of the entity of that type and key.
    pub fn new(ty: &str, key: impl IntoKey) -> Self {
        let address = || {
            Ok(EntityId {
                ty: EntityType::new(ty)?,
                key: key.into_key()?,
            })
        };
        Self(address())
    }

    /// A request for `method` with `args`, which are `plain` if reading their JSON gives them back.
    pub fn request<R, A>(&self, method: &str, kind: MethodKind, args: A, plain: bool) -> Request<R>
    where
        A: Serialize + Send + 'static,
    {
        let parts = || -> Result<RequestParts, RequestError> {
            let (entity, method) = (self.0.clone()?, Method::new(method)?);
            match to_json(&args) {
                Ok(json) => Ok(RequestParts {
                    entity,
                    method,
                    kind,
                    args: json,
                    ready: if plain {
                        Ready::new(args)
                    } else {
                        Ready::default()
                    },
                }),
                Err(error) => Err(RequestError::Args {
                    method,
                    reason: error.to_string(),
                }),
            }
        };
        Request::from(parts())
    }
}
