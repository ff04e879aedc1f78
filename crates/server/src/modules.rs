//! Modules over HTTP: deployed, gone back to, taken out of force, looked at. Sources are read one after the
//! other, and compiled on threads of their own one after the other: however many deployments are asked for, two
//! bodies are in memory. What brings no sources waits for no body.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use hyper::body::Incoming;
use ordain_api::modules::{self as wire, DEPLOY_BODY_BYTES_MAX, ModuleFiles};
use ordain_api::path::parse_module_path;
use ordain_api::{Op, Problem, routes};
use ordain_node::plan::{Change, EntityChange, Plan};
use ordain_node::{ChangeOptions, DeployError, Deployed, ModuleStatus, Node};
use ordain_types::limits::MODULE_BYTES_MAX;
use ordain_types::module::{Deployment, MethodManifest};
use ordain_types::{ModuleName, Param, Source};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::{internal, refusal, unavailable};
use crate::auth::Caller;
use crate::body::{self, HttpReply, json};
use crate::params::Params;
use crate::route::Route;
use crate::service::{Asking, without};
use crate::shared::{Shared, param};

/// When to come back after waiting in vain, in milliseconds.
const RETRY_AFTER_MS: u64 = 2_000;

/// Any of the routes for modules.
pub(crate) async fn answer(asking: Asking, route: Route) -> Result<HttpReply, Problem> {
    let Asking {
        shared,
        caller,
        request,
        held: _held,
    } = asking;
    let node = shared.answering()?.node.clone();
    let (head, body) = request.into_parts();
    let query = head.uri.query();
    if route == Route::Modules {
        Params::of(query, &[])?;
        let modules = statuses(node).await?.iter().map(module).collect();
        return Ok(json(&wire::Modules { modules }));
    }
    let name = parse_module_path(head.uri.path())?;
    if head.method == Method::GET {
        Params::of(query, &[])?;
        return one(node, &name).await;
    }
    without(
        &head.headers,
        routes::HEADER_IDEMPOTENCY_KEY,
        "changes of modules take no idempotency key, and a second rollback goes back further: before \
         asking again, look at the module's history, or name the version with `to`",
    )?;
    let asked = Asked {
        node,
        name,
        params: Params::of(query, known(route, &head.method))?,
        caller,
    };
    match (route, head.method) {
        (Route::Rollback, _) => asked.rollback(&shared).await,
        (_, Method::DELETE) => asked.undeploy(&shared).await,
        _ => asked.deploy(&shared, &head.headers, body).await,
    }
}

/// The query parameters there are.
fn known(route: Route, method: &Method) -> &'static [&'static str] {
    match (route, method) {
        (Route::Rollback, _) => &[routes::PARAM_TO, routes::PARAM_KEEP_STATE],
        (_, &Method::DELETE) => &[routes::PARAM_KEEP_STATE],
        _ => &[routes::PARAM_KEEP_STATE, routes::PARAM_DRY_RUN],
    }
}

/// A change that is asked for.
struct Asked<'q> {
    node: Node,
    name: ModuleName,
    params: Params<'q>,
    caller: Caller,
}

impl Asked<'_> {
    fn options(&self) -> Result<ChangeOptions, Problem> {
        Ok(ChangeOptions {
            keep_state: self.params.flag(routes::PARAM_KEEP_STATE)?,
            caller: self.caller.name.to_string(),
        })
    }

    async fn deploy(
        self,
        shared: &Shared,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<HttpReply, Problem> {
        let options = self.options()?;
        let dry_run = self.params.flag(routes::PARAM_DRY_RUN)?;
        if self.node.catalog().host().is_none() {
            return Err(Problem::no_modules());
        }
        let form = Form::of(headers)?;
        // Before the body is read: those who wait hold none.
        let reading = turn(shared, &shared.reading_module).await?;
        let timeout = shared.config.limits.body_timeout;
        let body = body::read(body, form.bytes_max(), timeout).await?;
        let turn = turn(shared, &shared.deploying).await?;
        drop(reading);
        let (node, name) = (self.node, self.name);
        blocking(turn, move || {
            let package = node
                .compile(&form.source(body)?)
                .map_err(|why| problem(&why))?;
            if dry_run {
                let planned = node.plan(&name, &package, &options);
                return Ok(json(&plan(&planned.map_err(|why| problem(&why))?)));
            }
            let done = node.deploy(&name, &package, &options);
            Ok(json(&deployed(done.map_err(|why| problem(&why))?)))
        })
        .await
    }

    async fn rollback(self, shared: &Shared) -> Result<HttpReply, Problem> {
        let options = self.options()?;
        let to = self.params.number(routes::PARAM_TO)?;
        let turn = turn(shared, &shared.deploying).await?;
        let (node, name) = (self.node, self.name);
        blocking(turn, move || {
            let done = node.rollback(&name, to, &options);
            Ok(json(&deployed(done.map_err(|why| problem(&why))?)))
        })
        .await
    }

    async fn undeploy(self, shared: &Shared) -> Result<HttpReply, Problem> {
        let options = self.options()?;
        let turn = turn(shared, &shared.deploying).await?;
        let (node, name) = (self.node, self.name);
        blocking(turn, move || {
            let done = node.undeploy(&name, &options);
            let done = done.map_err(|why| problem(&why))?;
            Ok(json(&wire::Undeployed {
                module: done.module.to_string(),
                version: done.version,
            }))
        })
        .await
    }
}

/// What a body may be.
#[derive(Clone, Copy)]
enum Form {
    Files,
    Component,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let wasm = routes::MEDIA_WASM;
        let given = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media = given.map(|given| given.split(';').next().unwrap_or("").trim());
        let (form, media) = match media {
            Some(media) if media.eq_ignore_ascii_case(wasm) => (Self::Component, wasm),
            Some(media) if media.eq_ignore_ascii_case(routes::MEDIA_JSON) => {
                (Self::Files, routes::MEDIA_JSON)
            }
            _ => {
                let wanted = "application/json with the files of a module, or application/wasm";
                return Err(Problem::unsupported_media_type(given, wanted));
            }
        };
        body::check_media(headers, media)?;
        Ok(form)
    }

    fn bytes_max(self) -> usize {
        match self {
            Form::Files => DEPLOY_BODY_BYTES_MAX,
            Form::Component => MODULE_BYTES_MAX,
        }
    }

    fn source(self, body: Bytes) -> Result<Source, Problem> {
        match self {
            Form::Files => ModuleFiles::parse(&body),
            Form::Component => Ok(wire::wasm_source(body)),
        }
    }
}

/// Waits until no other deployment is so far, and not for long.
async fn turn(shared: &Shared, of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    let turn = of.clone().acquire_owned();
    match tokio::time::timeout(shared.config.limits.deploy_wait, turn).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(Problem::deploying(RETRY_AFTER_MS)),
    }
}

/// Does one change to its end, also if whoever asked is gone meanwhile.
async fn blocking(
    turn: OwnedSemaphorePermit,
    change: impl FnOnce() -> Result<HttpReply, Problem> + Send + 'static,
) -> Result<HttpReply, Problem> {
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        change()
    });
    done.await
        .unwrap_or_else(|_| Err(internal("the deployment's thread panicked")))
}

async fn statuses(node: Node) -> Result<Vec<ModuleStatus>, Problem> {
    match tokio::task::spawn_blocking(move || node.modules()).await {
        Ok(statuses) => statuses.map_err(|why| problem(&why)),
        Err(_) => Err(internal("the request's thread panicked")),
    }
}

async fn one(node: Node, name: &ModuleName) -> Result<HttpReply, Problem> {
    let statuses = statuses(node).await?;
    match statuses.iter().find(|status| status.name == *name) {
        Some(status) => Ok(json(&module(status))),
        None => {
            let known = statuses.iter().map(|status| status.name.as_str());
            Err(Problem::unknown_module(name.as_str(), known))
        }
    }
}

fn problem(why: &DeployError) -> Problem {
    match why {
        DeployError::Source(error) => error.into(),
        DeployError::Rejected(rejection) => Problem::module_refused(rejection, None),
        DeployError::Misfit { rejection, place } => Problem::module_refused(rejection, Some(place)),
        DeployError::NoModules => Problem::no_modules(),
        DeployError::Package { .. } => Problem::module_unusable(&why.to_string()),
        DeployError::Refused(refused) => refusal(refused.clone(), Op::Call),
        DeployError::Unavailable(why) => unavailable(why),
    }
}

fn deployed(done: Deployed) -> wire::Deployed {
    wire::Deployed {
        module: done.module.to_string(),
        version: done.version,
        hash: done.hash,
        changed: done.changed,
    }
}

fn module(status: &ModuleStatus) -> wire::Module {
    let in_force = status.in_force.as_ref().map(|module| {
        let entities = module.manifest.entities.iter();
        wire::InForce {
            version: module.version,
            hash: module.hash.to_string(),
            language: module.manifest.language,
            sdk: module.manifest.sdk.clone(),
            entities: entities
                .map(|entity| wire::ModuleEntity {
                    name: entity.name.to_string(),
                    state_version: entity.version,
                })
                .collect(),
        }
    });
    wire::Module {
        name: status.name.to_string(),
        in_force,
        history: status.history.iter().map(deployment).collect(),
    }
}

fn deployment(line: &Deployment) -> wire::Deployment {
    wire::Deployment {
        version: line.version,
        origin: line.origin,
        hash: line.hash.to_string(),
        how: line.how,
        caller: line.caller.clone(),
        at: line.at,
        seq: line.seq,
    }
}

fn plan(plan: &Plan) -> wire::Plan {
    wire::Plan {
        module: plan.module.to_string(),
        version: plan.version,
        old_hash: plan.old.map(|hash| hash.to_string()),
        new_hash: plan.new.to_string(),
        changed: plan.changes(),
        entities: plan.entities.iter().map(entity).collect(),
    }
}

fn entity(entity: &EntityChange) -> wire::EntityChange {
    let (old, new) = entity.state_version.sides();
    let methods = entity.methods.iter().map(|(name, method)| {
        let (old, new) = method.sides();
        wire::MethodChange {
            name: name.to_string(),
            change: change(method),
            old: old.map(shape),
            new: new.map(shape),
        }
    });
    wire::EntityChange {
        name: entity.name.to_string(),
        change: change(&entity.state_version),
        old_state_version: old.copied(),
        new_state_version: new.copied(),
        methods: methods.collect(),
    }
}

fn change<T>(of: &Change<T>) -> wire::Change {
    match of {
        Change::Added(_) => wire::Change::Added,
        Change::Removed(_) => wire::Change::Removed,
        Change::Altered { .. } => wire::Change::Altered,
    }
}

fn shape(method: &MethodManifest) -> wire::MethodShape {
    let params = |params: &Vec<Param>| params.iter().map(param).collect();
    wire::MethodShape {
        kind: method.kind,
        params: method.params.as_ref().map(params),
        result: crate::shared::schema(&method.result),
    }
}
