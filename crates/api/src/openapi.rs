//! The OpenAPI 3.1 document of a server: its fixed routes, and one path for each method of the
//! entity types present. How requests are handled is not known here.

mod fixed;
mod modules;
mod shapes;

use serde_json::{Map, Value, json};

use crate::call::Op;
use crate::describe::{EntityDescription, MethodDescription};
use crate::routes;
use ordain_types::MethodKind;

/// The document. `version` is the program's.
pub fn document(entities: &[EntityDescription], version: &str) -> Value {
    let mut paths = fixed::paths();
    for entity in entities {
        for method in &entity.methods {
            add_method(&mut paths, entity, method);
        }
    }
    let tags: Vec<Value> = entities.iter().map(tag).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ordain",
            "version": version,
            "description": "Strictly serializable, durable, exactly-once calls of entities.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": shapes::components(),
    })
}

fn tag(entity: &EntityDescription) -> Value {
    json!({ "name": entity.name, "description": entity.description })
}

fn add_method(
    paths: &mut Map<String, Value>,
    entity: &EntityDescription,
    method: &MethodDescription,
) {
    let path = |op: Op| format!("{}/{}/{{key}}/{}", op.route(), entity.name, method.name);
    match method.kind {
        MethodKind::Query => {
            let item = json!({
                "parameters": [reference("parameters", "key")],
                "get": get_query(entity, method),
                "post": post(entity, method, Op::Query),
            });
            paths.insert(path(Op::Query), item);
            let item = json!({
                "parameters": [reference("parameters", "key")],
                "post": post(entity, method, Op::Call),
            });
            paths.insert(path(Op::Call), item);
        }
        MethodKind::Update => {
            for op in [Op::Call, Op::Send] {
                let item = json!({
                    "parameters": [reference("parameters", "key")],
                    "post": post(entity, method, op),
                });
                paths.insert(path(op), item);
            }
        }
    }
}

fn get_query(entity: &EntityDescription, method: &MethodDescription) -> Value {
    let args = json!({
        "name": routes::PARAM_ARGS,
        "in": "query",
        "description": "The arguments: one JSON object. Or leave it out and give each argument as a parameter of its own name.",
        "content": { routes::MEDIA_JSON: { "schema": method.args_schema() } },
    });
    let mut operation = operation(entity, method, "get", Op::Query);
    operation["parameters"] = json!([
        args,
        reference("parameters", "min_seq"),
        reference("parameters", "at_least")
    ]);
    operation["responses"] = responses(value_response(method));
    operation
}

fn post(entity: &EntityDescription, method: &MethodDescription, op: Op) -> Value {
    let mut operation = operation(entity, method, op.as_str(), op);
    operation["parameters"] = match op {
        // Of a query, which changes nothing, no key is kept.
        Op::Call if method.kind == MethodKind::Query => json!([]),
        Op::Call => json!([reference("parameters", "idempotency_key")]),
        Op::Query => json!([
            reference("parameters", "min_seq"),
            reference("parameters", "at_least"),
        ]),
        Op::Send => json!([
            reference("parameters", "idempotency_key"),
            reference("parameters", "delay_ms"),
        ]),
    };
    operation["requestBody"] = json!({
        "required": method.required().next().is_some(),
        "content": { routes::MEDIA_JSON: { "schema": method.args_schema() } },
    });
    operation["responses"] = match op {
        Op::Send => json!({
            "202": reference("responses", "sent"),
            "default": reference("responses", "problem"),
        }),
        Op::Call | Op::Query => responses(value_response(method)),
    };
    operation
}

fn operation(entity: &EntityDescription, method: &MethodDescription, verb: &str, op: Op) -> Value {
    let scopes: &[&str] = match op {
        Op::Call | Op::Send => &[routes::SCOPE_CALL],
        Op::Query => &[routes::SCOPE_READ, routes::SCOPE_CALL],
    };
    json!({
        "operationId": format!("{verb}.{}.{}", entity.name, method.name),
        "summary": format!("{verb} {}.{}", entity.name, method.name),
        "description": method.description,
        "tags": [entity.name],
        "security": security(scopes),
    })
}

/// Who may ask: whoever has a token with one of the scopes, or anyone where there are none. A server without
/// tokens asks no one for one.
fn security(scopes: &[&str]) -> Value {
    let anyone = std::iter::once(json!({}));
    let with = scopes.iter().map(|scope| json!({ "bearer": [scope] }));
    anyone.chain(with).collect()
}

fn value_response(method: &MethodDescription) -> Value {
    json!({
        "description": "The method's value.",
        "headers": shapes::ran(),
        "content": { routes::MEDIA_JSON: { "schema": method.result } },
    })
}

fn responses(ok: Value) -> Value {
    json!({
        "200": ok,
        "422": reference("responses", "rejection"),
        "default": reference("responses", "problem"),
    })
}

fn reference(section: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{section}/{name}") })
}
