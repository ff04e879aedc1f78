//! Modules of a running server: deployed, gone back to, taken out of force, looked at.

use bytes::Bytes;
use http::Method as Verb;
use ordain_api::modules::{Deployed, Module, ModuleFiles, Modules, Plan, Undeployed};
use ordain_api::{path, routes};
use ordain_types::{Json, ModuleName};
use serde::de::DeserializeOwned;

use crate::client::{Client, Outline, with_pairs};
use crate::error::{Effect, Error};

/// What is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleSource {
    /// Files, all of them text.
    Files(ModuleFiles),
    /// A WebAssembly component.
    Component(Bytes),
}

impl ModuleSource {
    fn body(&self) -> (&'static str, Json) {
        match self {
            Self::Files(files) => {
                let body = serde_json::to_vec(files).expect("text encodes into memory");
                (routes::MEDIA_JSON, body.into())
            }
            Self::Component(component) => (routes::MEDIA_WASM, component.clone()),
        }
    }
}

impl Client {
    /// Puts a module in force, and gives its version once that is durable. With `keep_state`, entities of
    /// types that go may hold state. The same again changes nothing: it is tried again as calls are.
    ///
    /// # Errors
    /// Where its sources are wrong, why it was refused, or why there was no answer.
    pub async fn deploy(
        &self,
        name: &ModuleName,
        source: &ModuleSource,
        keep_state: bool,
    ) -> Result<Deployed, Error> {
        let path = with_pairs(path::module_path(name), &keeping(keep_state));
        self.change(Verb::POST, path, source.body(), Effect::Idempotent)
            .await
    }

    /// What [`Client::deploy`] would change.
    ///
    /// # Errors
    /// As [`Client::deploy`].
    pub async fn plan(
        &self,
        name: &ModuleName,
        source: &ModuleSource,
        keep_state: bool,
    ) -> Result<Plan, Error> {
        let mut pairs = keeping(keep_state);
        pairs.push((routes::PARAM_DRY_RUN, true.to_string()));
        let path = with_pairs(path::module_path(name), &pairs);
        self.change(Verb::POST, path, source.body(), Effect::Safe)
            .await
    }

    /// All modules there ever were.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn modules(&self) -> Result<Modules, Error> {
        self.get(routes::MODULES.to_owned()).await
    }

    /// One module.
    ///
    /// # Errors
    /// If there never was one of this name, or why there was no answer.
    pub async fn module(&self, name: &ModuleName) -> Result<Module, Error> {
        self.get(path::module_path(name)).await
    }

    /// Puts an earlier version of a module in force again: `to`, or the one before that in force. Tried
    /// again only where it is known that nothing changed: going back twice is another thing.
    ///
    /// # Errors
    /// Why it was refused, or why there was no answer.
    pub async fn rollback(
        &self,
        name: &ModuleName,
        to: Option<u32>,
        keep_state: bool,
    ) -> Result<Deployed, Error> {
        let mut pairs = keeping(keep_state);
        pairs.extend(to.map(|to| (routes::PARAM_TO, to.to_string())));
        let path = with_pairs(path::rollback_path(name), &pairs);
        let body = (routes::MEDIA_JSON, Json::new());
        self.change(Verb::POST, path, body, Effect::Once).await
    }

    /// Takes a module out of force. Tried again as [`Client::rollback`] is.
    ///
    /// # Errors
    /// Why it was refused, or why there was no answer.
    pub async fn undeploy(&self, name: &ModuleName, keep_state: bool) -> Result<Undeployed, Error> {
        let path = with_pairs(path::module_path(name), &keeping(keep_state));
        let body = (routes::MEDIA_JSON, Json::new());
        self.change(Verb::DELETE, path, body, Effect::Once).await
    }

    async fn change<R: DeserializeOwned>(
        &self,
        verb: Verb,
        path: String,
        (media, body): (&'static str, Json),
        effect: Effect,
    ) -> Result<R, Error> {
        let outline = Outline {
            verb,
            path,
            media,
            body,
            key: None,
            effect,
            ordered: false,
        };
        self.decoded(&outline).await
    }
}

fn keeping(keep_state: bool) -> Vec<(&'static str, String)> {
    let keep_state = keep_state.then(|| (routes::PARAM_KEEP_STATE, true.to_string()));
    keep_state.into_iter().collect()
}
