//! Looking around and looking after: states, descriptions, metrics, checkpoints, hashes, backups.

use ordain_server::served_routes;
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_entitys_state_is_read_page_by_page() {
    let world = World::start().await;
    let mut client = world.client().await;
    let fresh = client.get("/v1/entities/account/al").await.json();
    assert_eq!(fresh["state"], json!(null), "before the first write");
    assert_eq!(fresh["fields"], json!([]));
    client
        .post("/v1/call/account/al/deposit", "{\"amount\":5}")
        .await;
    for name in ["a", "b/c", "d e", "f"] {
        let args = json!({"name": name, "text": format!("of {name}")}).to_string();
        let noted = client.post("/v1/call/account/al/note", &args).await;
        assert_eq!(noted.status, 200, "{}", noted.text());
    }
    let whole = client.get("/v1/entities/account/al").await.json();
    assert_eq!(whole["state"], json!({"balance": 5}));
    assert_eq!(whole["fields"].as_array().map(Vec::len), Some(4));
    assert_eq!(whole["next"], json!(null));
    let first = client.get("/v1/entities/account/al?limit=2").await.json();
    assert_eq!(
        first["fields"][1],
        json!({"field": "b/c", "value": "of b/c"})
    );
    assert_eq!(first["next"], "b/c");
    let second = client
        .get("/v1/entities/account/al?limit=2&after=b%2Fc")
        .await
        .json();
    assert_eq!(second["fields"][0]["field"], "d e");
    assert_eq!(second["fields"].as_array().map(Vec::len), Some(2));
    assert_eq!(second["next"], json!(null), "exactly to the end");
    for none in ["0", "1001"] {
        let path = format!("/v1/entities/account/al?limit={none}");
        let refused = client.get(&path).await;
        assert_eq!(refused.problem(), (400, "bad_request".into()));
    }
}

/// A header that says what to see at least is heeded or refused, and never passed over.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_seen_at_least_is_seen() {
    let world = World::start().await;
    let mut client = world.client().await;
    let path = "/v1/entities/account/al";
    let late = [("ordain-at-least", "999")];
    let refused = client.request("GET", path, &late, "").await;
    assert_eq!(refused.problem(), (409, "seq_not_reached".into()));
    let refused = client.get(&format!("{path}?min_seq=999")).await;
    assert_eq!(refused.problem(), (409, "seq_not_reached".into()));
    let there = [("ordain-at-least", "0")];
    let seen = client.request("GET", path, &there, "").await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let lines = ("content-type", "application/x-ndjson");
    for (method, path) in [("POST", "/v1/batch"), ("GET", "/v1/stream")] {
        let refused = client.request(method, path, &[late[0], lines], "").await;
        assert_eq!(refused.problem(), (400, "bad_request".into()), "{path}");
        assert_eq!(refused.json()["field"], "ordain-at-least", "{path}");
    }
    let document = client.get("/openapi.json").await.json();
    let takes = &document["paths"]["/v1/entities/{type}/{key}"]["get"]["parameters"];
    assert!(takes.to_string().contains("at_least"), "{takes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_called_is_described() {
    let world = World::start().await;
    let mut client = world.client().await;
    let entities = client.get("/v1/entities").await.json();
    assert_eq!(entities["entities"][0]["name"], "account");
    assert_eq!(entities["entities"][1]["name"], "gate");
    let methods = &entities["entities"][0]["methods"];
    assert_eq!(methods[0]["name"], "balance");
    assert_eq!(methods[0]["kind"], "query");
    assert_eq!(methods[3]["name"], "deposit");
    assert_eq!(
        methods[3]["params"],
        json!([{"name": "amount", "schema": {"type": "integer"}, "required": true}])
    );

    let document = client.get("/openapi.json").await.json();
    let schema = include_str!("../../../api/tests/fixtures/openapi-3.1-structure.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    jsonschema::validate(&schema, &document).expect("an OpenAPI document");
    for path in [
        "/v1/call/account/{key}/deposit",
        "/v1/send/account/{key}/deposit",
        "/v1/query/account/{key}/balance",
        "/v1/call/account/{key}/balance",
        "/v1/admin/backup",
        "/v1/admin/checkpoint",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let help = client.get("/docs/errors.md").await;
    assert!(help.text().contains("### idempotency_key_reused"));
}

/// With each of its HTTP methods, and the scopes of which a token needs one.
#[tokio::test(flavor = "multi_thread")]
async fn each_route_is_described_with_its_scopes() {
    let world = World::start().await;
    let document = world.client().await.get("/openapi.json").await.json();
    for route in served_routes() {
        let method = match route.pattern.contains("query") {
            true => "account/{key}/balance",
            false => "account/{key}/deposit",
        };
        let path = route.pattern.replace("{entity}/{key}/{method}", method);
        let with = route.scopes.iter();
        let with = with.map(|scope| json!({"bearer": [scope.as_str()]}));
        let expected: Vec<_> = std::iter::once(json!({})).chain(with).collect();
        for method in route.methods {
            let operation = &document["paths"][&path][method.as_str().to_lowercase()];
            assert_eq!(operation["security"], json!(expected), "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_answers_are_described() {
    let world = World::start().await;
    let mut client = world.client().await;
    let document = client.get("/openapi.json").await.json();
    for (op, method, body, status) in [
        ("call", "deposit", "{\"amount\":5}", 200),
        ("call", "withdraw", "{\"amount\":50}", 422),
        ("call", "boom", "{}", 500),
        ("send", "deposit", "{\"amount\":5}", 202),
    ] {
        let path = format!("/v1/{op}/account/al/{method}");
        let key = format!("{op}-{method}");
        for _ in 0..2 {
            let key = [("idempotency-key", key.as_str())];
            let reply = client.request("POST", &path, &key, body).await;
            assert_eq!(reply.status, status, "{}", reply.text());
            let described = format!("/v1/{op}/account/{{key}}/{method}");
            let answers = &document["paths"][described]["post"]["responses"];
            let answer = answers
                .get(status.to_string())
                .unwrap_or(&answers["default"]);
            let answer = match answer["$ref"].as_str() {
                Some(target) => document.pointer(&target[1..]).expect("it leads somewhere"),
                None => answer,
            };
            let headers = answer["headers"].as_object().expect("some");
            let ours = reply
                .headers
                .iter()
                .filter(|(name, _)| name.starts_with("ordain-"));
            for (name, _) in ours {
                let known = headers.keys().any(|known| known.eq_ignore_ascii_case(name));
                assert!(known, "{name} of {path}, {status}");
            }
        }
    }
}

/// The end of a connection tells its end, and one that breaks off ends it as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_over_http_1_0_is_refused() {
    let world = World::start().await;
    let ask = async |version| {
        let mut client = world.client().await;
        let ask = format!("GET /v1/admin/backup HTTP/{version}\r\nhost: localhost\r\n\r\n");
        client.send(ask).await;
        client.reply().await
    };
    let refused = ask("1.0").await;
    assert_eq!(refused.problem(), (400, "bad_request".into()));
    assert!(refused.text().contains("HTTP/1.1"), "{}", refused.text());
    assert_eq!(ask("1.1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_requests_and_commands() {
    let world = World::start().await;
    let mut client = world.client().await;
    client
        .post("/v1/call/account/al/deposit", "{\"amount\":5}")
        .await;
    client
        .post("/v1/call/account/al/withdraw", "{\"amount\":50}")
        .await;
    client.get("/nowhere").await;
    let metrics = client.get("/metrics").await;
    let media = metrics.header("content-type").expect("a media type");
    assert!(media.starts_with("application/openmetrics-text"), "{media}");
    let call = "route=\"/v1/call/{entity}/{key}/{method}\"";
    for line in [
        format!("ordain_http_requests_total{{{call},status=\"2xx\"}} 1"),
        format!("ordain_http_requests_total{{{call},status=\"4xx\"}} 1"),
        format!("ordain_http_request_duration_seconds_count{{{call}}} 2"),
        format!("ordain_http_request_duration_seconds_bucket{{le=\"+Inf\",{call}}} 2"),
        "ordain_http_unrouted_total 1".into(),
        "ordain_rejections_total 1".into(),
        "ordain_ready 1".into(),
        "ordain_connections 1".into(),
        "# EOF".into(),
    ] {
        let there = metrics.text().lines().any(|other| other == line);
        assert!(there, "{line} is not in\n{}", metrics.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_hashes_and_backups_hold_what_was_answered() {
    let world = World::start().await;
    let mut client = world.client().await;
    let before = client.get("/v1/admin/state-hash").await.json();
    let reply = client
        .post("/v1/call/account/al/deposit", "{\"amount\":5}")
        .await;
    let seq: u64 = reply
        .header("ordain-seq")
        .expect("a seq")
        .parse()
        .expect("a number");
    let checkpoint = client.post("/v1/admin/checkpoint", "").await;
    assert_eq!(checkpoint.status, 200, "{}", checkpoint.text());
    assert!(
        checkpoint.json()["seq"]
            .as_u64()
            .is_some_and(|at| at >= seq)
    );
    let after = client.get("/v1/admin/state-hash").await.json();
    assert_ne!(before["hash"], after["hash"]);
    assert_eq!(after["hash"].as_str().map(str::len), Some(32));

    let backup = client.get("/v1/admin/backup").await;
    assert_eq!(backup.status, 200);
    assert_eq!(
        backup.header("content-type"),
        Some("application/octet-stream")
    );
    let dir = tempfile::tempdir().expect("a directory");
    let restored = ordain_node::restore(
        &backup.body[..],
        &dir.path().join("data"),
        &ordain_node::Options::default(),
        &mut |_| {},
    );
    assert!(restored.is_ok(), "{:?}", restored.err());
}
