//! Clients that send all they have and then shut down their side: they are answered, since a call that ran
//! and is not answered helps no one. And clients that are gone altogether: they leave nothing behind.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::entities::open_gate;
use crate::world::{PATIENCE, World};

/// Everything that comes after `bytes` were sent and no more will be.
async fn send_and_shut(addr: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("it listens");
    stream.write_all(bytes.as_bytes()).await.expect("it reads");
    stream.shutdown().await.expect("it is there");
    let mut told = String::new();
    let rest = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut told));
    let read = rest.await.expect("it answers and closes in time");
    read.expect("it ends in order");
    told
}

fn post(path: &str, media: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shuts_his_side_is_answered() {
    let world = World::start().await;
    for nth in 1..=100 {
        let call = post(
            "/v1/call/account/al/deposit",
            "application/json",
            r#"{"amount":1}"#,
        );
        let told = send_and_shut(world.addr, &call).await;
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        assert!(told.ends_with(&format!("\r\n\r\n{nth}")), "{told}");
    }
    let get = "GET /v1/query/account/al/balance HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let told = send_and_shut(world.addr, get).await;
    assert!(told.ends_with("\r\n\r\n100"), "{told}");
    // Those before it, too.
    let told = send_and_shut(world.addr, &get.repeat(5)).await;
    assert_eq!(told.matches("HTTP/1.1 200").count(), 5, "{told}");

    let line = r#"{"entity":"account","key":"bo","method":"deposit","args":{"amount":1}}"#;
    let lines = format!("{line}\n").repeat(5_000);
    let batch = post("/v1/batch", "application/x-ndjson", &lines);
    let told = send_and_shut(world.addr, &batch).await;
    assert_eq!(told.matches("\"value\":").count(), 5_000);
    assert!(told.ends_with("\r\n0\r\n\r\n"), "the answer is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_not_waited_for() {
    let world = World::start().await;
    for half in [
        "GET /v1/query/account/al/balance HTTP/1.1\r\nhost: loc",
        &post(
            "/v1/call/account/al/deposit",
            "application/json",
            r#"{"amount":1}"#,
        )
        .replace("amount", "amoun"),
        "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
         transfer-encoding: chunked\r\n\r\n5\r\n{\"id\"",
    ] {
        let told = tokio::time::timeout(Duration::from_secs(5), send_and_shut(world.addr, half));
        let told = told.await.expect("long before any body's time is over");
        assert!(!told.contains("\"value\""), "{told}");
    }
    let mut client = world.client().await;
    let balance = client.get("/v1/query/account/al/balance").await;
    assert_eq!(balance.text(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_gone_leaves_nothing_behind() {
    let world = World::start().await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(world.addr).await.expect("it listens");
        let call = post("/v1/call/gate/gone/pass", "application/json", "");
        stream.write_all(call.as_bytes()).await.expect("it reads");
    }
    let mut client = world.client().await;
    open_gate("gone");
    let over = tokio::time::Instant::now() + PATIENCE;
    loop {
        let metrics = client.get("/metrics").await;
        let (text, one) = (metrics.text(), |name: &str| format!("ordain_{name} 1\n"));
        if text.contains(&one("connections")) && text.contains(&one("http_requests_in_flight")) {
            break;
        }
        assert!(tokio::time::Instant::now() < over, "{text}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
