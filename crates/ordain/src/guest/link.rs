//! The typed way to an entity inside a transaction. The macro's handles are thin wrappers around it.

use ordain_types::{FaultKind, Key, Rejection};
use ordain_values::{IntoKey, from_json, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entity::Entity;
use super::tx::{Tx, text};

/// The way from a running method to an entity.
pub struct Link<'a> {
    tx: &'a mut Tx,
    ty: &'static str,
    key: Key,
}

impl<'a> Link<'a> {
    /// The way to the `E` of that key. A key that is none is a fault.
    pub fn new<E: Entity>(tx: &'a mut Tx, key: impl IntoKey) -> Self {
        match key.into_key() {
            Ok(key) => Self {
                tx,
                ty: E::TYPE,
                key,
            },
            Err(error) => {
                let message = format!("a call to an entity of type `{}`: {error}", E::TYPE);
                tx.fault(FaultKind::BadKey, message)
            }
        }
    }

    /// Calls the method of that name. Wherever it runs: who calls cannot know whether the entity type is
    /// this module's own by then.
    ///
    /// # Errors
    /// The method's rejection.
    pub fn call<A: Serialize, R: DeserializeOwned>(
        &mut self,
        _index: u16,
        method: &'static str,
        args: A,
        _run: fn(&mut Tx, A) -> Result<R, Rejection>,
    ) -> Result<R, Rejection> {
        let args = match to_json(&args) {
            Ok(json) => json,
            Err(error) => self.fault(method, "the arguments of", &error),
        };
        let value = self
            .tx
            .call(self.ty, self.key.as_str(), method, text(&args))?;
        match from_json(&value) {
            Ok(value) => Ok(value),
            Err(error) => self.fault(method, "the value of", &error),
        }
    }

    fn fault(&mut self, method: &str, what: &str, error: &dyn std::fmt::Display) -> ! {
        let message = format!("{what} {}/{}.{method}: {error}", self.ty, self.key);
        self.tx.fault(FaultKind::Encoding, message)
    }
}
