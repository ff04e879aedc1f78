//! Batches: lines in, lines out, in order, however long.

use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::world::World;

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const HEAD: &str = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
                    transfer-encoding: chunked\r\n\r\n";

async fn batch(client: &mut Client, lines: &str) -> Reply {
    client.request("POST", "/v1/batch", &[NDJSON], lines).await
}

fn lines(text: &str) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).expect("a line is JSON");
    text.lines().map(line).collect()
}

fn deposit(id: usize, key: &str) -> String {
    format!(
        "{{\"id\":{id},\"entity\":\"account\",\"key\":\"{key}\",\"method\":\"deposit\",\"args\":{{\"amount\":1}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_is_its_own_transaction_and_a_bad_one_hurts_no_other() {
    let world = World::start().await;
    let mut client = world.client().await;
    let long = format!("{{\"id\":9,\"x\":\"{}\"}}", "x".repeat(2 << 20));
    let text = [
        r#"{"id":1,"entity":"account","key":"al","method":"deposit","args":{"amount":5}}"#,
        r#"{"id":"two","entity":"account","key":"al","method":"withdraw","args":{"amount":50}}"#,
        r#"{"id":3,"entity":"account","key":"al","method":"#,
        r#"{"id":4,"entity":"account","key":"al","method":"deposit","args":{"amount":"x"}}"#,
        "",
        r#"{"id":5,"entity":"account","key":"al","method":"depsit"}"#,
        &long,
        r#"{"id":[6],"op":"query","entity":"account","key":"al","method":"balance"}"#,
        r#"{"entity":"account","key":"al","method":"deposit","args":{"amount":1},"idempotency_key":"k"}"#,
        r#"{"entity":"account","key":"al","method":"deposit","args":{"amount":1},"idempotency_key":"k"}"#,
        r#"{"op":"send","entity":"account","key":"al","method":"deposit","args":{"amount":1},"delay_ms":86400000}"#,
        r#"{"op":"query","entity":"account","key":"al","method":"balance","min_seq":100000}"#,
        r#"{"id":7,"op":"query","entity":"account","key":"al","method":"balance"}"#,
    ]
    .join("\n");
    let reply = batch(&mut client, &text).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let lines = lines(reply.text());
    let told: Vec<Value> = lines
        .iter()
        .map(|line| json!([line["id"], line["value"], line["error"]["code"]]))
        .collect();
    let send = lines[9]["value"].clone();
    assert_eq!(
        told,
        [
            json!([1, 5, null]),
            json!(["two", null, "insufficient_funds"]),
            json!([null, null, "malformed_json"]),
            json!([4, null, "bad_argument"]),
            json!([5, null, "unknown_method"]),
            json!([null, null, "request_too_large"]),
            json!([[6], 5, null]),
            json!([null, 6, null]),
            json!([null, 6, null]),
            json!([null, send, null]),
            json!([null, null, "seq_not_reached"]),
            json!([7, 6, null]),
        ]
    );
    assert!(send["id"].is_string(), "a send's value is its id");
    assert_eq!(lines[7], lines[8], "a retry gets the first answer");
    assert_eq!(
        lines[0]["seq"].as_u64().map(|seq| seq + 1),
        lines[1]["seq"].as_u64()
    );
    assert_eq!(
        batch(&mut client, "").await.text(),
        "",
        "no line, no answer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_batch_is_answered_in_order_while_it_is_sent() {
    let world = World::limited(|limits| limits.batch_calls_max = 16).await;
    let mut client = world.client().await;
    let count = 2_000;
    let text: String = (0..count)
        .map(|id| deposit(id, &format!("k{}", id % 7)))
        .collect();
    let reply = batch(&mut client, &text).await;
    let lines = lines(reply.text());
    assert_eq!(lines.len(), count);
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["id"], at);
        assert_eq!(line["value"], at / 7 + 1);
    }
}

/// The line of that number is answered, at once: deposits of 1 are counted. The first brings the head.
async fn answered(client: &mut Client, round: usize) {
    if round == 1 {
        assert_eq!(client.head().await.status, 200);
    }
    let chunk = client.chunk().await.expect("an answer");
    let answer = &lines(std::str::from_utf8(&chunk).expect("text"))[0];
    assert_eq!(answer["value"], round);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_before_the_batch_has_ended() {
    let world = World::start().await;
    let mut client = world.client().await;
    client.send(HEAD).await;
    for round in 1..=3 {
        let line = deposit(round, "al");
        // A line may come in pieces.
        for piece in [&line[..10], &line[10..]] {
            client
                .send(format!("{:x}\r\n{piece}\r\n", piece.len()))
                .await;
        }
        answered(&mut client, round).await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.chunk().await, None);
    assert_eq!(
        client.get("/healthz").await.status,
        200,
        "the connection goes on"
    );
}

/// RFC 9110, section 10.1.1: such a client sends nothing before that, and does not take an answer for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_to_be_asked_for_its_lines_is_asked() {
    let world = World::start().await;
    let mut client = world.client().await;
    let head = HEAD.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    client.send(&head).await;
    assert_eq!(client.head().await.status, 100);
    for round in 1..=2 {
        let line = deposit(round, "al");
        client.send(format!("{:x}\r\n{line}\r\n", line.len())).await;
        answered(&mut client, round).await;
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.chunk().await, None);

    // One without a line gets an answer without one.
    client.send(&head).await;
    assert_eq!(client.head().await.status, 100);
    client.send("0\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.text()), (200, ""));

    // One that will not be read is not asked for its lines, and one that does not send them is not waited for.
    let refused = head.replace("x-ndjson", "json");
    client.send(refused).await;
    assert_eq!(client.head().await.status, 415);
    let mut client = world.client().await;
    client.send(&head).await;
    assert_eq!(client.head().await.status, 100);
    let stopping = world.begin_stop();
    assert_eq!(client.reply().await.problem(), (503, "stopping".into()));
    assert!(stopping.await.expect("it stops").drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_falls_silent_ends_with_a_line_that_says_so() {
    let world = World::limited(|limits| {
        limits.body_timeout = std::time::Duration::from_millis(500);
    })
    .await;
    let mut client = world.client().await;
    client.send(HEAD).await;
    let line = deposit(1, "al");
    client.send(format!("{:x}\r\n{line}\r\n", line.len())).await;
    let reply = client.reply().await;
    let lines = lines(reply.text());
    assert_eq!(lines[0]["value"], 1);
    let error = &lines[1]["error"];
    assert_eq!(error["code"], "request_timeout");
    let detail = error["detail"].as_str().expect("words");
    assert!(!detail.contains("nothing ran"), "{detail}: a line did");
    assert!(detail.contains("none after them ran"), "{detail}");
    assert_eq!(lines.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_not_read_is_given_up_without_harm() {
    let world = World::limited(|limits| {
        limits.write_timeout = std::time::Duration::from_millis(100);
        limits.batch_calls_max = 64;
    })
    .await;
    let mut client = world.client().await;
    client.send(HEAD).await;
    let text = "x".repeat(100_000);
    let line = format!(
        "{{\"op\":\"query\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"echo\",\"args\":{{\"text\":\"{text}\"}}}}\n"
    );
    let chunk = format!("{:x}\r\n{line}\r\n", line.len());
    // Far more than the sockets hold: the server must stop reading, and in the end hang up.
    let mut sent = 0;
    while client.try_send(&chunk).await {
        sent += 1;
        assert!(sent < 100_000, "the server takes in without bound");
    }
    assert_eq!(world.client().await.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_the_whole_batch_is_refused_since_each_line_has_its_own() {
    let world = World::start().await;
    let mut client = world.client().await;
    let headers = [NDJSON, ("idempotency-key", "k")];
    let refused = client
        .request("POST", "/v1/batch", &headers, &deposit(1, "al"))
        .await;
    assert_eq!(refused.problem(), (400, "bad_request".into()));
    assert!(refused.text().contains("of its own"), "{}", refused.text());
    let balance = client.get("/v1/query/account/al/balance").await;
    assert_eq!(balance.text(), "0");
}
