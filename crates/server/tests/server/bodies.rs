//! Bodies where none is taken: what they say would be passed over, so they are refused, and nothing runs.

use std::sync::Arc;

use ordain_node::Options;
use ordain_server::Config;
use serde_json::json;

use crate::client::ABSENT;
use crate::entities;
use crate::toy::{Toy, counter};
use crate::world::World;

const BANK: &str = "/v1/admin/modules/bank";

/// With three versions of a module.
async fn start() -> World {
    let mut world = World::starting(Config::default()).await;
    let catalog = entities::catalog().with_host(Arc::new(Toy));
    world.open_with(catalog, Options::default());
    let mut client = world.client().await;
    for add in 1..=3 {
        let files = json!({"toy.json": counter(add).to_string()});
        let body = json!({"main": "toy.json", "files": files}).to_string();
        assert_eq!(client.post(BANK, &body).await.status, 200);
    }
    world
}

/// Passed over, a rollback `{"to":1}` went back to another version than was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_would_be_passed_over_is_refused_with_where_to_say_it() {
    let world = start().await;
    let rollback = format!("{BANK}/rollback");
    for (method, path, body, instead) in [
        ("POST", &*rollback, "{\"to\":1}", "?to=1"),
        ("DELETE", BANK, "{\"keep_state\":true}", "?keep_state=true"),
        (
            "GET",
            "/v1/query/account/al/echo",
            "{\"text\":\"a\"}",
            "with POST",
        ),
        ("POST", "/v1/admin/checkpoint", "{}", "query parameters"),
        ("GET", "/v1/entities/account/al", "{\"limit\":1}", "query"),
        ("GET", "/v1/entities", "x", "query"),
    ] {
        let length = body.len().to_string();
        let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        for (header, value, sent) in [
            ("content-length", &*length, body),
            ("transfer-encoding", "chunked", &chunked),
        ] {
            let headers = [("content-length", ABSENT), (header, value)];
            let mut client = world.client().await;
            let refused = client.request(method, path, &headers, sent).await;
            let told = refused.problem();
            assert_eq!(told, (400, "bad_request".into()), "{method} {path}");
            assert_eq!(refused.json()["field"], "body");
            let said = refused.text();
            assert!(said.contains(instead), "{said} lacks {instead}");
        }
    }
    let module = world.client().await.get(BANK).await.json();
    assert_eq!(module["in_force"]["version"], 3, "nothing ran");
    // What has no parameters and is answered at once waits for no body.
    let length = [("content-length", "1")];
    let mut client = world.client().await;
    let health = client.request("GET", "/healthz", &length, "").await;
    assert_eq!(health.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body_is_none_however_it_is_sent() {
    let world = start().await;
    let mut client = world.client().await;
    let rollback = format!("{BANK}/rollback?to=1");
    let typed = ("content-type", "application/json");
    let chunked = [
        typed,
        ("content-length", ABSENT),
        ("transfer-encoding", "chunked"),
    ];
    for (method, path) in [
        ("POST", &*rollback),
        ("POST", "/v1/admin/checkpoint"),
        ("GET", "/v1/query/account/al/balance"),
        ("GET", "/healthz"),
        ("DELETE", BANK),
    ] {
        if method != "DELETE" {
            let reply = client.request(method, path, &[typed], "").await;
            assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
        }
        let reply = client.request(method, path, &chunked, "0\r\n\r\n").await;
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text());
    }
}
