//! The schemas of [`crate::modules`].

use serde_json::{Map, Value, json};

use super::reference;
use super::shapes::{object, seq, words};

/// The schemas, by name.
pub(super) fn schemas() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let files = json!({
        "main": text(),
        "files": { "type": "object", "additionalProperties": text(), "minProperties": 1 },
    });
    let deployed = json!({
        "module": text(),
        "version": version(),
        "hash": hash(),
        "changed": { "type": "boolean" },
    });
    let all = [
        ("module_files", object(files, &["main", "files"])),
        (
            "deployed",
            object(deployed, &["module", "version", "hash", "changed"]),
        ),
        (
            "undeployed",
            object(
                json!({ "module": text(), "version": version() }),
                &["module", "version"],
            ),
        ),
        (
            "modules",
            object(
                json!({ "modules": list(reference("schemas", "module")) }),
                &["modules"],
            ),
        ),
        ("module", module()),
        ("plan", plan()),
    ];
    let named = all.into_iter();
    named
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

fn version() -> Value {
    json!({ "type": "integer", "minimum": 1 })
}

fn hash() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A schema, or null.
fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn module() -> Value {
    let text = || json!({ "type": "string" });
    let entity = object(
        json!({ "name": text(), "state_version": { "type": "integer", "minimum": 0 } }),
        &["name", "state_version"],
    );
    let in_force = json!({
        "version": version(),
        "hash": hash(),
        "language": words(&["javascript", "wasm"]),
        "sdk": text(),
        "entities": list(entity),
    });
    let in_force = object(
        in_force,
        &["version", "hash", "language", "sdk", "entities"],
    );
    let line = json!({
        "version": version(),
        "origin": version(),
        "hash": hash(),
        "how": words(&["deploy", "rollback", "undeploy"]),
        "caller": text(),
        "at": { "type": "integer", "description": "Milliseconds since the Unix epoch." },
        "seq": seq(),
    });
    let line = object(
        line,
        &["version", "origin", "hash", "how", "caller", "at", "seq"],
    );
    let members = json!({ "name": text(), "in_force": or_null(in_force), "history": list(line) });
    object(members, &["name", "in_force", "history"])
}

fn plan() -> Value {
    let text = || json!({ "type": "string" });
    let change = || words(&["added", "removed", "altered"]);
    let param = object(
        json!({
            "name": text(),
            "schema": { "type": ["object", "boolean"] },
            "required": { "type": "boolean" },
        }),
        &["name", "schema", "required"],
    );
    let shape = json!({
        "kind": words(&["query", "update"]),
        "params": list(param),
        "result": { "type": ["object", "boolean"] },
    });
    let shape = object(shape, &["kind", "result"]);
    let method = json!({ "name": text(), "change": change(), "old": shape.clone(), "new": shape });
    let state_version = || json!({ "type": "integer", "minimum": 0 });
    let entity = json!({
        "name": text(),
        "change": change(),
        "old_state_version": state_version(),
        "new_state_version": state_version(),
        "methods": list(object(method, &["name", "change"])),
    });
    let members = json!({
        "module": text(),
        "version": or_null(version()),
        "old_hash": or_null(hash()),
        "new_hash": hash(),
        "changed": { "type": "boolean" },
        "entities": list(object(entity, &["name", "change", "methods"])),
    });
    object(
        members,
        &[
            "module", "version", "old_hash", "new_hash", "changed", "entities",
        ],
    )
}
