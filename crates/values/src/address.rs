//! Where requests go: the typed way to an entity from outside of a transaction. The macro's request
//! makers are thin wrappers around it.

use ordain_types::{
    EntityId, EntityType, Method, MethodKind, NameError, Ready, Request, RequestError, RequestParts,
};
use serde::Serialize;

use crate::json::to_json;
use crate::key::IntoKey;

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
