//! The trace of a fault: for those who operate the server, whichever way they asked, and for no one else.

use ordain_server::{Config, Scope};
use serde_json::Value;

use crate::client::Client;
use crate::world::{World, token};

const TRACE: &str = "at throw (bank.ts:3:7)";

async fn world(traces: bool) -> World {
    let config = Config {
        tokens: vec![
            token("user", &[Scope::Call]),
            token("ops", &[Scope::Call, Scope::Admin]),
        ],
        traces,
        ..Config::default()
    };
    World::start_with(config).await
}

/// The problems that a caller is told of one fault: of a call, of a line of a batch, of a send.
async fn told(client: &mut Client, who: &str) -> Vec<Value> {
    let token = format!("Bearer {who}-token");
    let headers = [("authorization", token.as_str())];
    let post = "/v1/call/account/al/throw";
    let called = client.request("POST", post, &headers, "{}").await;
    assert_eq!(called.problem(), (500, "exception".into()));

    let line = r#"{"entity":"account","key":"al","method":"throw"}"#;
    let lines = [headers[0], ("content-type", "application/x-ndjson")];
    let batch = client.request("POST", "/v1/batch", &lines, line).await;
    let batch: Value = batch.json();

    let send = "/v1/send/account/al/throw";
    let sent = client.request("POST", send, &headers, "{}").await.json();
    let id = sent["id"].as_str().expect("an id").to_owned();
    // A send without delay runs at once after it: whoever saw a later seq saw it end.
    client.request("POST", post, &headers, "{}").await;
    let path = format!("/v1/invocations/{id}");
    let ended = client.request("GET", &path, &headers, "").await.json();
    vec![
        called.json(),
        batch["error"].clone(),
        ended["problem"].clone(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_for_the_admin_scope() {
    let world = world(false).await;
    let mut client = world.client().await;
    for problem in told(&mut client, "ops").await {
        assert_eq!(problem["trace"], TRACE, "{problem}");
    }
    for problem in told(&mut client, "user").await {
        assert_eq!(problem["code"], "exception", "{problem}");
        assert!(!problem.to_string().contains("bank.ts"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_development_a_trace_is_for_everyone() {
    let world = world(true).await;
    let mut client = world.client().await;
    for problem in told(&mut client, "user").await {
        assert_eq!(problem["trace"], TRACE, "{problem}");
    }
}
