//! The shapes that paths refer to: parameters, headers, responses and the schemas of
//! [`crate::replies`] and [`crate::error::Problem`]. A test holds the schemas against what the
//! types write.

use ordain_types::limits;
use serde_json::{Value, json};

use super::{modules, reference};
use crate::error::PROBLEM_JSON;
use crate::routes;

/// What keys are made of: anything but control characters.
const NO_CONTROL: &str = r"^[^\u0000-\u001F\u007F-\u009F]+$";
/// What the names of entity types and modules are made of.
const NAME: &str = "^[a-z][a-z0-9_]*$";

pub(super) fn components() -> Value {
    json!({
        "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        "parameters": parameters(),
        "headers": {
            "seq": {
                "description": "The seq of an update; of a query, the last seq it saw.",
                "schema": seq(),
            },
            "repeated": {
                "description": "Whether this is the answer of an earlier request with the same idempotency key.",
                "schema": { "type": "boolean" },
            },
            "retry_after": {
                "description": "After how many seconds to try again.",
                "schema": { "type": "integer", "minimum": 1 },
            },
        },
        "responses": {
            "sent": {
                "description": "The send is durable and will happen exactly once.",
                "headers": ran(),
                "content": { routes::MEDIA_JSON: { "schema": reference("schemas", "sent") } },
            },
            "rejection": problem_response("The method said no; the code is its own.", ran()),
            "problem": problem_response("What went wrong and what to do.", refused_or_ran()),
        },
        "schemas": schemas(),
    })
}

/// The headers of an answer to what ran.
pub(super) fn ran() -> Value {
    json!({
        "Ordain-Seq": reference("headers", "seq"),
        "Ordain-Repeated": reference("headers", "repeated"),
    })
}

/// Those of a problem: a fault ran, and what was refused for now says when to come back.
fn refused_or_ran() -> Value {
    let mut headers = ran();
    headers["Retry-After"] = reference("headers", "retry_after");
    headers
}

fn problem_response(description: &str, headers: Value) -> Value {
    json!({
        "description": description,
        "headers": headers,
        "content": { PROBLEM_JSON: { "schema": reference("schemas", "problem") } },
    })
}

fn parameters() -> Value {
    let path = |name: &str, description: &str, schema: Value| {
        json!({
            "name": name, "in": "path", "required": true,
            "description": description, "schema": schema,
        })
    };
    let query = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    let text = |max: usize, pattern: &str| json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": pattern });
    let key = text(limits::KEY_BYTES_MAX, NO_CONTROL);
    let name = text(limits::NAME_BYTES_MAX, NAME);
    let delay = json!({
        "type": "integer", "minimum": 0, "maximum": limits::SEND_DELAY_MS_MAX,
    });
    json!({
        "key": path("key", "The entity's key, percent-encoded.", key),
        "type": path("type", "The entity's type.", name.clone()),
        "module": path("name", "The module's name.", name),
        "keep_state": query(
            routes::PARAM_KEEP_STATE,
            "Entities of types that go may hold state, which stays.",
            json!({ "type": "boolean" }),
        ),
        "dry_run": query(
            routes::PARAM_DRY_RUN,
            "Change nothing; say what would change.",
            json!({ "type": "boolean" }),
        ),
        "to": query(
            routes::PARAM_TO,
            "The version to go back to; else the one before that in force.",
            json!({ "type": "integer", "minimum": 1 }),
        ),
        "id": path(
            "id",
            "The id that the send was answered with.",
            json!({ "type": "string", "pattern": r"^[0-9]+\.[0-9]+$" }),
        ),
        "min_seq": query(routes::PARAM_MIN_SEQ, "The seq to see at least.", seq()),
        "at_least": {
            "name": "Ordain-At-Least",
            "in": "header",
            "description": "The seq to see at least; as the parameter.",
            "schema": seq(),
        },
        "delay_ms": query(routes::PARAM_DELAY_MS, "How long to wait, in milliseconds.", delay),
        "after": query(routes::PARAM_AFTER, "Only fields after this one.", json!({ "type": "string" })),
        "limit": query(
            routes::PARAM_LIMIT,
            "How many fields at most.",
            json!({
                "type": "integer",
                "minimum": 1,
                "maximum": routes::PAGE_FIELDS_MAX,
                "default": routes::PAGE_FIELDS,
            }),
        ),
        "idempotency_key": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A retry with the same key gets the first answer; the call runs once.",
            "schema": text(limits::IDEMPOTENCY_KEY_BYTES_MAX, NO_CONTROL),
        },
    })
}

pub(super) fn seq() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// An object: members, and of them those always there.
pub(super) fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

pub(super) fn words(all: &[&str]) -> Value {
    json!({ "type": "string", "enum": all })
}

fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let sent = object(json!({ "id": text() }), &["id"]);
    let progress = object(
        json!({ "from": seq(), "seq": seq(), "to": seq() }),
        &["from", "seq", "to"],
    );
    let ready = json!({
        "ready": { "type": "boolean" },
        "status": words(&["ready", "starting", "stopping", "disk_full", "disk_failed", "halted"]),
        "seq": seq(),
        "progress": reference("schemas", "progress"),
        "reason": text(),
    });
    let state_hash = object(json!({ "seq": seq(), "hash": text() }), &["seq", "hash"]);
    let mut all = modules::schemas();
    let others = json!({
        "problem": problem(),
        "sent": sent,
        "invocation": invocation(),
        "entities": entities(),
        "entity_state": entity_state(),
        "progress": progress,
        "ready": object(ready, &["ready", "status", "seq"]),
        "state_hash": state_hash,
        "checkpoint": object(json!({ "seq": seq() }), &["seq"]),
    });
    let Value::Object(others) = others else {
        unreachable!("written above");
    };
    all.extend(others);
    all.into()
}

fn problem() -> Value {
    let text = || json!({ "type": "string" });
    let limit = object(
        json!({ "name": text(), "max": { "type": "integer" } }),
        &["name", "max"],
    );
    let members = json!({
        "type": { "type": "string", "format": "uri-reference" },
        "title": text(),
        "status": { "type": "integer", "minimum": 400, "maximum": 599 },
        "detail": text(),
        "kind": words(&["rejection", "fault", "refused", "unavailable"]),
        "code": text(),
        "details": true,
        "at": text(),
        "trace": text(),
        "file": text(),
        "line": { "type": "integer", "minimum": 1 },
        "column": { "type": "integer", "minimum": 1 },
        "field": text(),
        "near": { "type": "array", "items": text() },
        "limit": limit,
        "scope": text(),
        "progress": reference("schemas", "progress"),
        "retry_after_ms": { "type": "integer", "minimum": 0 },
        "instance": text(),
    });
    object(
        members,
        &["type", "title", "status", "detail", "kind", "code"],
    )
}

fn invocation() -> Value {
    let members = json!({
        "id": { "type": "string" },
        "status": words(&["pending", "completed", "rejected", "faulted"]),
        "entity": { "type": "string" },
        "method": { "type": "string" },
        "due": { "type": "integer", "description": "Milliseconds since the Unix epoch." },
        "seq": seq(),
        "value": true,
        "problem": reference("schemas", "problem"),
    });
    object(members, &["id", "status", "entity", "method"])
}

fn entities() -> Value {
    let text = || json!({ "type": "string" });
    let schema = || json!({ "type": ["object", "boolean"] });
    let param = object(
        json!({ "name": text(), "schema": schema(), "required": { "type": "boolean" } }),
        &["name", "schema", "required"],
    );
    let method = json!({
        "name": text(),
        "kind": words(&["query", "update"]),
        "description": text(),
        "params": { "type": "array", "items": param },
        "any_args": { "type": "boolean" },
        "result": schema(),
    });
    let method = object(method, &["name", "kind", "params", "result"]);
    let entity = json!({
        "name": text(),
        "description": text(),
        "methods": { "type": "array", "items": method },
    });
    let entity = object(entity, &["name", "methods"]);
    let all = json!({ "entities": { "type": "array", "items": entity } });
    object(all, &["entities"])
}

fn entity_state() -> Value {
    let field = object(
        json!({ "field": { "type": "string" }, "value": true }),
        &["field", "value"],
    );
    let members = json!({
        "entity": { "type": "string" },
        "key": { "type": "string" },
        "seq": seq(),
        "state": true,
        "fields": { "type": "array", "items": field },
        "next": { "type": "string" },
    });
    object(members, &["entity", "key", "seq", "state", "fields"])
}
