//! The OpenAPI document: valid, complete, and true of what the types write.

use std::collections::{BTreeMap, BTreeSet};

use ordain_api::modules::{
    Change, Deployed, Deployment, EntityChange, InForce, MethodChange, MethodShape, Module,
    ModuleEntity, ModuleFiles, Modules, Plan, Undeployed,
};
use ordain_api::replies::{
    Checkpoint, Entities, EntityState, Field, Invocation, InvocationStatus, Progress, Ready, Sent,
    StateHash, Status,
};
use ordain_api::{EntityDescription, MethodDescription, Param, Problem, openapi};
use ordain_types::module::{How, Language};
use ordain_types::{
    EntityType, Fault, FaultKind, IdempotencyKey, Json, Key, MethodKind, ModuleName, Rejection,
    SendId, Seq, SourceError, Timestamp,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn entities() -> Vec<EntityDescription> {
    let method = |name: &str, kind, params, result| MethodDescription {
        name: name.into(),
        kind,
        description: format!("What {name} does."),
        params,
        any_args: false,
        result,
    };
    let amount = Param {
        name: "amount".into(),
        schema: json!({ "type": "integer" }),
        required: true,
    };
    let note = Param {
        name: "note".into(),
        schema: json!(true),
        required: false,
    };
    vec![EntityDescription {
        name: "account".into(),
        description: "Money.".into(),
        methods: vec![
            method(
                "balance",
                MethodKind::Query,
                vec![],
                json!({ "type": "integer" }),
            ),
            method(
                "deposit",
                MethodKind::Update,
                vec![amount, note],
                json!(true),
            ),
        ],
    }]
}

fn document() -> Value {
    openapi::document(&entities(), "0.0.0")
}

/// Every value in the document with its path.
fn walk(value: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, value);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(member, &format!("{path}/{name}"), visit);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, &format!("{path}/{at}"), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn the_document_is_valid() {
    let schema: Value =
        serde_json::from_str(include_str!("fixtures/openapi-3.1-structure.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for document in [document(), openapi::document(&[], "0.0.0")] {
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
    let mut broken = document();
    broken["paths"]["/healthz"]["get"]["responses"] = json!({ "200": {} });
    assert!(
        !validator.is_valid(&broken),
        "the validator lets everything pass"
    );
}

#[test]
fn every_schema_is_a_schema_and_every_reference_leads_somewhere() {
    let document = document();
    let mut schemas = 0;
    walk(&document, "", &mut |path, value| {
        if path.ends_with("/schema")
            || path
                .rsplit_once('/')
                .is_some_and(|(up, _)| up == "/components/schemas")
        {
            let is_member =
                value.get("type").is_none() && value.get("$ref").is_none() && !value.is_boolean();
            assert!(!is_member, "{path} is no schema");
            assert!(jsonschema::meta::is_valid(value), "{path}");
            schemas += 1;
        }
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{path}: {target}");
        }
    });
    assert!(schemas > 20);
}

#[test]
fn operations_are_named_once_and_declare_what_their_paths_hold() {
    let document = document();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let templated: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let operations = item
            .as_object()
            .unwrap()
            .iter()
            .filter(|(verb, _)| *verb != "parameters");
        for (_, operation) in operations {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} is there twice");
            let shared = item.get("parameters").and_then(Value::as_array);
            let own = operation["parameters"].as_array();
            let declared: BTreeSet<&str> = [shared, own]
                .into_iter()
                .flatten()
                .flatten()
                .map(
                    |parameter| match parameter.get("$ref").and_then(Value::as_str) {
                        Some(target) => document.pointer(&target[1..]).unwrap(),
                        None => parameter,
                    },
                )
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(declared, templated, "{path}");
        }
    }
}

#[test]
fn where_parameters_are_not_described_any_object_is_taken() {
    let mut entities = entities();
    entities[0].methods[1].params.clear();
    entities[0].methods[1].any_args = true;
    let document = openapi::document(&entities, "0.0.0");
    let body = &document["paths"]["/v1/call/account/{key}/deposit"]["post"]["requestBody"];
    let schema = &body["content"]["application/json"]["schema"];
    assert_eq!(schema, &json!({ "type": "object" }));
    check("entities", &Entities { entities });
}

#[test]
fn each_method_has_its_paths() {
    let document = document();
    let paths: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(|path| path.contains("/account/"))
        .collect();
    let expected = [
        "/v1/call/account/{key}/balance",
        "/v1/call/account/{key}/deposit",
        "/v1/query/account/{key}/balance",
        "/v1/send/account/{key}/deposit",
    ];
    assert_eq!(paths, expected.into());
    let body = &document["paths"]["/v1/call/account/{key}/deposit"]["post"]["requestBody"];
    let expected = json!({
        "type": "object",
        "properties": { "amount": { "type": "integer" }, "note": true },
        "required": ["amount"],
        "additionalProperties": false,
    });
    assert_eq!(body["content"]["application/json"]["schema"], expected);
    assert_eq!(body["required"], true);
    let call = &document["paths"]["/v1/call/account/{key}/balance"]["post"];
    assert_eq!(call["parameters"], json!([]), "no key is kept for a query");
    let limit = &document["components"]["parameters"]["limit"]["schema"];
    assert_eq!(
        (&limit["minimum"], &limit["maximum"]),
        (&json!(1), &json!(1000))
    );
}

/// Members that no schema lists are refused here, so that none is forgotten there.
fn strict(schema: &mut Value) {
    if let Some(members) = schema.as_object_mut() {
        if members.contains_key("properties") {
            members.insert("additionalProperties".into(), false.into());
        }
        members.values_mut().for_each(strict);
    } else if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(strict);
    }
}

#[track_caller]
fn check(name: &str, reply: &impl serde::Serialize) {
    let mut components = document()["components"].clone();
    strict(&mut components["schemas"]);
    let schema = json!({
        "$ref": format!("#/components/schemas/{name}"),
        "components": components,
    });
    let reply = serde_json::to_value(reply).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    if let Err(error) = validator.validate(&reply) {
        panic!("{name}: {reply} at {}: {error}", error.instance_path());
    }
}

#[test]
fn the_schemas_are_true_of_what_is_written() {
    let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
    let progress = Progress {
        from: Seq(1),
        seq: Seq(2),
        to: Seq(3),
    };
    let rejection = Rejection {
        details: Some(Json::from_static(b"[1]")),
        ..Rejection::new("no", "no")
    };
    let fault = Fault {
        kind: FaultKind::Panic,
        message: "oh".into(),
        at: "account/al.deposit".into(),
        trace: String::new(),
    };
    let mut traced = Problem::from(&fault);
    traced.trace = Some("at deposit (bank.ts:3:7)".into());
    for problem in [
        Problem::from(&rejection),
        Problem::from(&fault),
        Problem::starting(Some(progress)),
        Problem::forbidden("admin"),
        Problem::unknown_query_parameter("arg", &["args"]),
        Problem::too_many_connections(5),
        Problem::from(&SourceError {
            file: Some("bank.ts".into()),
            line: Some(3),
            column: Some(7),
            message: "no".into(),
        }),
        Problem::deploying(5),
        traced,
    ] {
        check("problem", &problem);
    }
    let id = "12.3".parse().unwrap();
    check("sent", &Sent { id });
    let invocation = Invocation {
        id,
        status: InvocationStatus::Completed,
        entity: "account/al".into(),
        method: "deposit".into(),
        due: Some(Timestamp(5)),
        seq: Some(Seq(14)),
        value: raw("1.5"),
        problem: Some(Problem::from(&rejection)),
    };
    check("invocation", &invocation);
    check(
        "entities",
        &Entities {
            entities: entities(),
        },
    );
    let field = Field {
        field: "line/1".into(),
        value: raw("2").unwrap(),
    };
    let state = EntityState {
        entity: "cart".into(),
        key: "a".into(),
        seq: Seq(9),
        state: None,
        fields: vec![field],
        next: Some("line/1".into()),
    };
    check("entity_state", &state);
    let hash = "00ff".to_owned();
    check("state_hash", &StateHash { seq: Seq(9), hash });
    check("checkpoint", &Checkpoint { seq: Seq(9) });
    for status in [
        Status::Ready,
        Status::Starting,
        Status::Stopping,
        Status::DiskFull,
        Status::DiskFailed,
        Status::Halted,
    ] {
        let ready = Ready {
            ready: false,
            status,
            seq: Seq(3),
            progress: Some(progress),
            reason: Some("why".into()),
        };
        check("ready", &ready);
    }
}

#[test]
fn the_schemas_of_modules_are_true_of_what_is_written() {
    let hash = "0f".repeat(32);
    let files = BTreeMap::from([("bank.ts".to_owned(), "…".to_owned())]);
    let main = "bank.ts".to_owned();
    check("module_files", &ModuleFiles { main, files });
    let deployed = Deployed {
        module: "bank".into(),
        version: 2,
        hash: hash.clone(),
        changed: true,
    };
    check("deployed", &deployed);
    let undeployed = Undeployed {
        module: "bank".into(),
        version: 3,
    };
    check("undeployed", &undeployed);
    for language in [Language::JavaScript, Language::Wasm] {
        let in_force = InForce {
            version: 2,
            hash: hash.clone(),
            language,
            sdk: "0.1".into(),
            entities: vec![ModuleEntity {
                name: "account".into(),
                state_version: 1,
            }],
        };
        let line = |how| Deployment {
            version: 1,
            origin: 1,
            hash: hash.clone(),
            how,
            caller: "ops".into(),
            at: Timestamp(5),
            seq: Seq(4),
        };
        let module = |in_force| Module {
            name: "bank".into(),
            in_force,
            history: [How::Deploy, How::Rollback, How::Undeploy].map(line).into(),
        };
        check("module", &module(Some(in_force)));
        let modules = vec![module(None)];
        check("modules", &Modules { modules });
    }
    let shape = |params| MethodShape {
        kind: MethodKind::Update,
        params,
        result: json!({}),
    };
    let amount = entities()[0].methods[1].params.clone();
    let entity = |change| EntityChange {
        name: "account".into(),
        change,
        old_state_version: Some(1),
        new_state_version: None,
        methods: vec![MethodChange {
            name: "deposit".into(),
            change: Change::Altered,
            old: Some(shape(Some(amount.clone()))),
            new: Some(shape(None)),
        }],
    };
    let all = [Change::Added, Change::Removed, Change::Altered];
    let mut plan = Plan {
        module: "bank".into(),
        version: None,
        old_hash: None,
        new_hash: hash.clone(),
        changed: true,
        entities: all.map(entity).into(),
    };
    check("plan", &plan);
    (plan.version, plan.old_hash) = (Some(2), Some(hash));
    check("plan", &plan);
}

/// What a parameter's schema lets pass is what its type takes.
#[test]
fn the_schemas_of_parameters_say_what_their_types_take() {
    let document = document();
    let check = |parameter: &str, takes: fn(&str) -> bool, texts: &[&str]| {
        let schema = &document["components"]["parameters"][parameter]["schema"];
        let validator = jsonschema::validator_for(schema).unwrap();
        for text in texts {
            let valid = validator.is_valid(&json!(text));
            assert_eq!(valid, takes(text), "{parameter}: {text:?}");
        }
    };
    let key_like = [
        "a",
        "é and 中",
        " ",
        "~",
        "\u{a0}",
        "a/b%",
        "",
        "\n",
        "a\u{1f}",
        "\u{7f}",
        "\u{80}",
        "\u{9f}a",
    ];
    check("key", |text| Key::new(text).is_ok(), &key_like);
    let idempotency_key = |text: &str| IdempotencyKey::new(text).is_ok();
    check("idempotency_key", idempotency_key, &key_like);
    let name_like = ["a", "a_1", "_a", "1a", "A", "aB", "a-b", "é", "a\n", ""];
    check("type", |text| EntityType::new(text).is_ok(), &name_like);
    check("module", |text| ModuleName::new(text).is_ok(), &name_like);
    let id_like = [
        "1.0", "12.34", "1", "1.", ".1", "a.0", "1.0.0", "-1.0", "1.0\n",
    ];
    check("id", |text| text.parse::<SendId>().is_ok(), &id_like);
}
