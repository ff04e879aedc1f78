//! The routes that every server has.

use serde_json::{Map, Value, json};

use super::{reference, security};
use crate::error::HELP_PATH;
use crate::routes;

/// One route with one HTTP method.
struct Route {
    path: String,
    verb: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: Value,
    body: Option<Value>,
    ok: (&'static str, Value),
    may_be_unready: bool,
}

impl Route {
    fn get(path: impl Into<String>, id: &'static str, summary: &'static str, schema: &str) -> Self {
        let content = json!({ routes::MEDIA_JSON: { "schema": reference("schemas", schema) } });
        Self {
            path: path.into(),
            verb: "get",
            id,
            summary,
            parameters: json!([]),
            body: None,
            ok: ("200", json!({ "description": summary, "content": content })),
            may_be_unready: false,
        }
    }

    fn item(self) -> (String, Value) {
        let (status, ok) = self.ok;
        let mut responses = json!({ status: ok, "default": reference("responses", "problem") });
        if self.may_be_unready {
            responses["503"] = responses[status].clone();
        }
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "parameters": self.parameters,
            "responses": responses,
            "security": security(scopes(&self.path)),
        });
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        (self.path, json!({ self.verb: operation }))
    }
}

/// The scopes of which a token needs one; none where anyone may ask.
fn scopes(path: &str) -> &'static [&'static str] {
    let below = |route: &str| {
        path.strip_prefix(route)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    match path {
        routes::HEALTH | routes::READY | HELP_PATH => &[],
        routes::METRICS => &[routes::SCOPE_READ],
        _ if below(routes::ENTITIES) => &[routes::SCOPE_READ],
        _ if path.starts_with("/v1/admin/") => &[routes::SCOPE_ADMIN],
        _ => &[routes::SCOPE_READ, routes::SCOPE_CALL],
    }
}

/// The items of the fixed paths.
pub(super) fn paths() -> Map<String, Value> {
    let all = reading().into_iter().chain(calling()).chain(watching());
    let mut paths = Map::new();
    for (path, item) in all.chain(modules()).chain(heads()).map(Route::item) {
        let there = paths.entry(path).or_insert_with(|| json!({}));
        let (Some(there), Value::Object(item)) = (there.as_object_mut(), item) else {
            unreachable!("items are objects");
        };
        there.extend(item);
    }
    paths
}

fn reading() -> [Route; 4] {
    let below = |rest: &str| format!("{}/{rest}", routes::ENTITIES);
    let invocation = format!("{}/{{id}}", routes::INVOCATIONS);
    [
        Route::get(
            routes::ENTITIES,
            "entities",
            "The entity types present.",
            "entities",
        ),
        Route {
            parameters: json!([
                reference("parameters", "type"),
                reference("parameters", "key"),
                reference("parameters", "after"),
                reference("parameters", "limit"),
                reference("parameters", "min_seq"),
                reference("parameters", "at_least"),
            ]),
            ..Route::get(
                below("{type}/{key}"),
                "entity",
                "An entity's state.",
                "entity_state",
            )
        },
        Route {
            parameters: json!([reference("parameters", "id")]),
            ..Route::get(invocation, "invocation", "How a send ended.", "invocation")
        },
        Route::get(
            routes::STATE_HASH,
            "state_hash",
            "A hash over all state.",
            "state_hash",
        ),
    ]
}

fn calling() -> [Route; 4] {
    let lines = json!({ routes::MEDIA_NDJSON: { "schema": true } });
    let replies = json!({ "description": "One reply a line, in order.", "content": lines.clone() });
    let upgraded = json!({ "description": "A WebSocket; see the stream page." });
    let backup = json!({ routes::MEDIA_BACKUP: {} });
    let backup = json!({ "description": "A backup, to be restored from.", "content": backup });
    [
        Route {
            verb: "post",
            body: Some(json!({ "required": true, "content": lines })),
            ok: ("200", replies),
            ..Route::get(routes::BATCH, "batch", "Many calls, one a line.", "problem")
        },
        Route {
            ok: ("101", upgraded),
            ..Route::get(routes::STREAM, "stream", "Many calls in flight.", "problem")
        },
        Route {
            ok: ("200", backup),
            ..Route::get(
                routes::BACKUP,
                "backup",
                "A consistent copy while running.",
                "problem",
            )
        },
        Route {
            verb: "post",
            ..Route::get(
                routes::CHECKPOINT,
                "checkpoint",
                "Take a checkpoint now.",
                "checkpoint",
            )
        },
    ]
}

fn modules() -> [Route; 5] {
    let one = || format!("{}/{{name}}", routes::MODULES);
    let rollback = format!("{}/{}", one(), routes::ROLLBACK);
    let name = || reference("parameters", "module");
    let keep_state = || reference("parameters", "keep_state");
    let sources = json!({
        routes::MEDIA_JSON: { "schema": reference("schemas", "module_files") },
        routes::MEDIA_WASM: {},
    });
    let either = [
        reference("schemas", "deployed"),
        reference("schemas", "plan"),
    ];
    let either = json!({ routes::MEDIA_JSON: { "schema": { "type": "object", "oneOf": either } } });
    [
        Route::get(routes::MODULES, "modules", "All modules.", "modules"),
        Route {
            parameters: json!([name()]),
            ..Route::get(one(), "module", "One module.", "module")
        },
        Route {
            verb: "post",
            parameters: json!([name(), keep_state(), reference("parameters", "dry_run")]),
            body: Some(json!({ "required": true, "content": sources })),
            ok: (
                "200",
                json!({ "description": "What is in force; of a dry run, what would change.", "content": either }),
            ),
            ..Route::get(one(), "deploy", "Deploy a module.", "deployed")
        },
        Route {
            verb: "delete",
            parameters: json!([name(), keep_state()]),
            ..Route::get(
                one(),
                "undeploy",
                "Take a module out of force.",
                "undeployed",
            )
        },
        Route {
            verb: "post",
            parameters: json!([name(), reference("parameters", "to"), keep_state()]),
            ..Route::get(
                rollback,
                "rollback",
                "Put an earlier version in force again.",
                "deployed",
            )
        },
    ]
}

fn watching() -> [Route; 5] {
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    let alive = json!({ "description": "The process is alive.", "content": text });
    let metrics = json!({ routes::MEDIA_METRICS: { "schema": { "type": "string" } } });
    let metrics = json!({ "description": "Metrics for Prometheus.", "content": metrics });
    let json = json!({ routes::MEDIA_JSON: { "schema": { "type": "object" } } });
    let document = json!({ "description": "This document.", "content": json });
    let page = json!({ "text/markdown": { "schema": { "type": "string" } } });
    let page =
        json!({ "description": "Every code, what happened and what to do.", "content": page });
    [
        Route {
            ok: ("200", alive),
            ..Route::get(routes::HEALTH, "health", "The process is alive.", "problem")
        },
        Route {
            may_be_unready: true,
            ..Route::get(
                routes::READY,
                "ready",
                "Whether calls are answered.",
                "ready",
            )
        },
        Route {
            ok: ("200", metrics),
            ..Route::get(
                routes::METRICS,
                "metrics",
                "Metrics for Prometheus.",
                "problem",
            )
        },
        Route {
            ok: ("200", document),
            ..Route::get(routes::OPENAPI, "openapi", "This document.", "problem")
        },
        Route {
            ok: ("200", page),
            ..Route::get(
                HELP_PATH,
                "errors",
                "The help page that problems refer to.",
                "problem",
            )
        },
    ]
}

/// What load balancers ask, without the body.
fn heads() -> [Route; 2] {
    let head = |path, id, summary| Route {
        verb: "head",
        ok: ("200", json!({ "description": summary })),
        ..Route::get(path, id, summary, "problem")
    };
    [
        head(routes::HEALTH, "health_head", "The process is alive."),
        Route {
            may_be_unready: true,
            ..head(routes::READY, "ready_head", "Whether calls are answered.")
        },
    ]
}
