//! The routes: which there are, what they take and who may. What they do is elsewhere.

use http::Method;
use ordain_api::error::HELP_PATH;
use ordain_api::{Op, routes};

use crate::auth::{Scope, scopes_of};

/// A route as it is served: what documentation and tests of the whole surface go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedRoute {
    /// Its path, with what varies in braces.
    pub pattern: &'static str,
    /// The HTTP methods it takes; any other is refused.
    pub methods: &'static [Method],
    /// The scopes of which one is needed; none for what anyone may see.
    pub scopes: &'static [Scope],
}

/// Every route there is.
pub fn served_routes() -> Vec<ServedRoute> {
    let all = Route::ALL.into_iter();
    all.map(|route| ServedRoute {
        pattern: route.pattern(),
        methods: route.methods(),
        scopes: route.scopes(),
    })
    .collect()
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Method(Op),
    Invocation,
    Batch,
    Stream,
    Entities,
    Entity,
    Checkpoint,
    StateHash,
    Backup,
    Modules,
    Module,
    Rollback,
    OpenApi,
    Health,
    Ready,
    Metrics,
    Help,
}

impl Route {
    /// Every route; a route's place here is its place in the metrics.
    pub const ALL: [Route; 19] = [
        Route::Method(Op::Call),
        Route::Method(Op::Query),
        Route::Method(Op::Send),
        Route::Invocation,
        Route::Batch,
        Route::Stream,
        Route::Entities,
        Route::Entity,
        Route::Checkpoint,
        Route::StateHash,
        Route::Backup,
        Route::Modules,
        Route::Module,
        Route::Rollback,
        Route::OpenApi,
        Route::Health,
        Route::Ready,
        Route::Metrics,
        Route::Help,
    ];

    /// The route of a raw path. Whether what follows the route's beginning is well-formed is found
    /// where it is used, so that the answer can say what is wrong.
    pub fn of(path: &str) -> Option<Route> {
        let below = |route: &str| {
            path.strip_prefix(route)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        Some(match path {
            _ if below(routes::CALL) => Route::Method(Op::Call),
            _ if below(routes::QUERY) => Route::Method(Op::Query),
            _ if below(routes::SEND) => Route::Method(Op::Send),
            _ if below(routes::INVOCATIONS) => Route::Invocation,
            _ if below(routes::ENTITIES) => Route::Entity,
            _ if below(routes::MODULES) => of_module(&path[routes::MODULES.len() + 1..]),
            routes::BATCH => Route::Batch,
            routes::STREAM => Route::Stream,
            routes::ENTITIES => Route::Entities,
            routes::CHECKPOINT => Route::Checkpoint,
            routes::STATE_HASH => Route::StateHash,
            routes::BACKUP => Route::Backup,
            routes::MODULES => Route::Modules,
            routes::OPENAPI => Route::OpenApi,
            routes::HEALTH => Route::Health,
            routes::READY => Route::Ready,
            routes::METRICS => Route::Metrics,
            HELP_PATH => Route::Help,
            _ => return None,
        })
    }

    /// Its place among [`Route::ALL`].
    pub fn index(self) -> usize {
        Route::ALL
            .iter()
            .position(|route| *route == self)
            .expect("ALL holds every route")
    }

    /// The pattern, for metrics and logs: never a key.
    pub fn pattern(self) -> &'static str {
        match self {
            Route::Method(Op::Call) => "/v1/call/{entity}/{key}/{method}",
            Route::Method(Op::Query) => "/v1/query/{entity}/{key}/{method}",
            Route::Method(Op::Send) => "/v1/send/{entity}/{key}/{method}",
            Route::Invocation => "/v1/invocations/{id}",
            Route::Entity => "/v1/entities/{type}/{key}",
            Route::Batch => routes::BATCH,
            Route::Stream => routes::STREAM,
            Route::Entities => routes::ENTITIES,
            Route::Checkpoint => routes::CHECKPOINT,
            Route::StateHash => routes::STATE_HASH,
            Route::Backup => routes::BACKUP,
            Route::Modules => routes::MODULES,
            Route::Module => "/v1/admin/modules/{name}",
            Route::Rollback => "/v1/admin/modules/{name}/rollback",
            Route::OpenApi => routes::OPENAPI,
            Route::Health => routes::HEALTH,
            Route::Ready => routes::READY,
            Route::Metrics => routes::METRICS,
            Route::Help => HELP_PATH,
        }
    }

    /// The HTTP methods it takes.
    pub fn methods(self) -> &'static [Method] {
        match self {
            Route::Method(Op::Call | Op::Send)
            | Route::Batch
            | Route::Checkpoint
            | Route::Rollback => &[Method::POST],
            Route::Module => &[Method::GET, Method::POST, Method::DELETE],
            Route::Method(Op::Query) => &[Method::GET, Method::POST],
            Route::Health | Route::Ready => &[Method::GET, Method::HEAD],
            _ => &[Method::GET],
        }
    }

    /// Where to say, asked by this HTTP method, what no body may; none where a body is taken. Nor do those wait for one
    /// that are answered at once, and have nothing that could be asked for otherwise.
    pub fn instead_of_body(self, method: &Method) -> Option<&'static str> {
        Some(match (self, method) {
            (Route::Method(Op::Query), &Method::GET) => {
                "give the arguments as query parameters, or ask with POST"
            }
            (Route::Method(_) | Route::Batch, _) | (Route::Module, &Method::POST) => return None,
            _ if self.lane() == Lane::Probe => return None,
            (Route::Rollback, _) => {
                "the version to go back to, and whether state is kept, are query parameters, as in `?to=1&keep_state=true`"
            }
            (Route::Module, &Method::DELETE) => {
                "whether state is kept is a query parameter, as in `?keep_state=true`"
            }
            _ => "all that can be asked for here is in the path and in query parameters",
        })
    }

    /// The scopes of which one is needed; none for what anyone may see. Batches and streams ask
    /// again for each call.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Route::Method(op) => scopes_of(op),
            Route::Invocation | Route::Entities | Route::OpenApi | Route::Batch | Route::Stream => {
                &[Scope::Read, Scope::Call]
            }
            Route::Entity | Route::Metrics => &[Scope::Read],
            Route::Checkpoint
            | Route::StateHash
            | Route::Backup
            | Route::Modules
            | Route::Module
            | Route::Rollback => &[Scope::Admin],
            Route::Health | Route::Ready | Route::Help => &[],
        }
    }

    /// Among whom its requests are counted.
    pub fn lane(self) -> Lane {
        match (self, self.scopes()) {
            (Route::Metrics, _) | (_, []) => Lane::Probe,
            (_, [Scope::Admin]) => Lane::Admin,
            _ => Lane::Call,
        }
    }
}

/// Among whom a request is counted: those who look after a server that has too much to do are not turned away
/// with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// How the server is: answered at once, whatever else there is.
    Probe,
    /// What operators ask.
    Admin,
    /// All the others.
    Call,
}

impl Lane {
    /// So many lanes are there.
    pub const COUNT: usize = 3;
}

/// What is asked of one module, by what follows the beginning that all such paths have.
fn of_module(rest: &str) -> Route {
    match rest.split_once('/') {
        Some((_, routes::ROLLBACK)) => Route::Rollback,
        _ => Route::Module,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_pattern() {
        for (at, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(Route::of(route.pattern()), Some(route));
            assert_eq!(route.index(), at);
        }
        for none in [
            "",
            "/",
            "/v1",
            "/v1/call",
            "/v1/callx/a",
            "/v1/batch/",
            "/healthz/",
        ] {
            assert_eq!(Route::of(none), None, "{none}");
        }
    }
}
