//! Slow, silent, large and many: every one of them is bounded and hurts no one else.

use std::time::Duration;

use ordain_server::{
    ADMIN_REQUESTS_MAX, ANSWER_BYTES_MAX, BODY_BYTES_PER_SEC_MIN, HEAD_BYTES_MAX, LINE_BYTES_MAX,
    Limits,
};
use ordain_types::limits::JSON_DEPTH_MAX;

use crate::client::Client;
use crate::entities::open_gate;
use crate::world::World;

/// Short, and yet long enough for a client on a busy machine to say something.
const SHORT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_answered_with_408() {
    let world = World::limited(|limits| limits.body_timeout = SHORT).await;
    let mut client = world.client().await;
    let head = "POST /v1/call/account/al/deposit HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\ncontent-length: 12\r\n\r\n";
    client.send(format!("{head}{{\"amo")).await;
    let reply = client.reply().await;
    assert_eq!(reply.problem(), (408, "request_timeout".into()));
}

/// As a module over a slow line.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_that_keeps_coming_has_more_time() {
    let world = World::limited(|limits| limits.body_timeout = SHORT).await;
    let mut client = world.client().await;
    let (spaces, last) = (" ".repeat(6 * BODY_BYTES_PER_SEC_MIN), "{\"amount\":5}");
    let length = spaces.len() + last.len();
    client
        .send(format!(
            "POST /v1/call/account/al/deposit HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{spaces}"
        ))
        .await;
    // Past the time that one has of which nothing comes.
    tokio::time::sleep(2 * SHORT).await;
    client.send(last).await;
    assert_eq!(client.reply().await.text(), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_closes_the_connection() {
    let world = World::limited(|limits| limits.head_timeout = SHORT).await;
    let mut all = tokio::task::JoinSet::new();
    for begun in ["", "P", "PRI * HTT", "GET /healthz HTTP/1.1\r\nhost: loc"] {
        let mut first = world.client().await;
        all.spawn(async move {
            first.send(begun).await;
            assert!(first.is_closed().await, "{begun:?} as the first");
        });
        let mut second = world.client().await;
        all.spawn(async move {
            assert_eq!(second.get("/healthz").await.status, 200);
            second.send(begun).await;
            assert!(
                begun.is_empty() || second.is_closed().await,
                "{begun:?} as the second"
            );
        });
    }
    all.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let world = World::limited(|limits| {
        limits.idle_timeout = SHORT;
        limits.head_timeout = SHORT;
    })
    .await;
    let mut idle = world.client().await;
    assert_eq!(idle.get("/healthz").await.status, 200);
    let mut busy = world.client().await;
    let pass =
        "POST /v1/call/gate/idle/pass HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    busy.send(pass).await;
    assert!(idle.is_closed().await);
    // By now the other has waited for its answer longer than any connection may be idle.
    open_gate("idle");
    assert_eq!(busy.reply().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_limit_are_refused() {
    let world = World::limited(|limits| limits.body_bytes_max = 100).await;
    let path = "/v1/call/account/al/deposit";
    let fits = format!("{{\"amount\":5}}{}", " ".repeat(88));
    assert_eq!(fits.len(), 100);
    assert_eq!(world.client().await.post(path, &fits).await.status, 200);
    let reply = world.client().await.post(path, &format!("{fits} ")).await;
    assert_eq!(reply.problem(), (413, "request_too_large".into()));
    assert_eq!(reply.json()["limit"]["name"], "body_bytes");
    assert_eq!(reply.json()["limit"]["max"], 100);

    // Without a length it shows only as it comes.
    let mut client = world.client().await;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    client
        .send(format!("{head}64\r\n{fits}\r\n64\r\n{fits}\r\n0\r\n\r\n"))
        .await;
    assert_eq!(client.reply().await.problem().0, 413);

    // And a huge one is refused before it comes.
    let mut client = world.client().await;
    let head = head.replace("transfer-encoding: chunked", "content-length: 99999999999");
    client.send(head).await;
    assert_eq!(client.reply().await.problem().0, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_beyond_the_limit_are_refused() {
    let world = World::start().await;
    let mut client = world.client().await;
    let large = "x".repeat(ordain_server::HEAD_BYTES_MAX);
    // The server may close while it is being written.
    client
        .try_send(format!(
            "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {large}\r\n\r\n"
        ))
        .await;
    assert_eq!(client.head().await.status, 431);
    for (others, status) in [(99, 200), (100, 431)] {
        let mut client = world.client().await;
        let others = "x: y\r\n".repeat(others);
        let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{others}\r\n");
        client.send(head).await;
        assert_eq!(client.head().await.status, status, "beside one");
    }
    let mut client = world.client().await;
    client.send("NONSENSE\r\n\r\n").await;
    assert_eq!(client.head().await.status, 400);
    assert_eq!(world.client().await.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_so() {
    let world = World::limited(|limits| limits.connections_max = 2).await;
    let (mut one, mut two) = (world.client().await, world.client().await);
    for client in [&mut one, &mut two] {
        assert_eq!(client.get("/healthz").await.status, 200);
    }
    let mut three = world.client().await;
    let reply = three.get("/healthz").await;
    assert_eq!(reply.problem(), (503, "too_many_connections".into()));
    assert_eq!(reply.json()["limit"]["max"], 2);
    assert!(reply.header("retry-after").is_some());
    assert!(three.is_closed().await);
    drop(two);
    // The place is free as soon as the server has seen the end.
    while world.client().await.get("/healthz").await.status != 200 {}
    assert_eq!(
        one.get("/healthz").await.status,
        200,
        "those within it go on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_are_told_when_to_come_back() {
    let world = World::limited(|limits| limits.requests_max = 1).await;
    let _gate = Gate("requests");
    let mut one = world.client().await;
    let pass =
        "POST /v1/call/gate/requests/pass HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    one.send(pass).await;
    let mut two = Client::connect(world.addr).await;
    // Whoever looks is there, too, and takes no room; another request might have the only one when the call comes.
    while metric(&mut two, "ordain_http_requests_in_flight").await < 2 {}
    let refused = two.get("/v1/entities").await;
    assert_eq!(refused.problem(), (429, "overloaded".into()));
    assert!(refused.header("retry-after").is_some());
    for path in ["/healthz", "/readyz"] {
        assert_eq!(two.get(path).await.status, 200, "{path}: it is only busy");
    }
    assert_ne!(metric(&mut two, "ordain_overloads_total").await, 0);
    // What operators ask is let in, as far as to find the parameter that does not exist.
    let reply = two.get("/v1/admin/modules?nonsense=1").await;
    assert_eq!(reply.problem(), (400, "unknown_query_parameter".into()));
    open_gate("requests");
    assert_eq!(one.reply().await.status, 200);
    assert_eq!(one.get("/v1/entities").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_requests_are_bounded_by_themselves() {
    let world = World::start().await;
    let _gate = Gate("operators");
    let mut first = world.client().await;
    let post =
        |path| format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    first.send(post("/v1/call/gate/operators/pass")).await;
    let mut operators = Vec::new();
    for _ in 0..ADMIN_REQUESTS_MAX {
        let mut operator = world.client().await;
        operator.send(post("/v1/admin/checkpoint")).await;
        operators.push(operator);
    }
    let mut other = world.client().await;
    let all = ADMIN_REQUESTS_MAX as u64 + 1; // with the call
    // Whoever looks is there, too.
    while metric(&mut other, "ordain_http_requests_in_flight").await < all + 1 {}
    let reply = other.get("/v1/admin/modules").await;
    assert_eq!(reply.problem(), (429, "overloaded".into()));
    assert_eq!(other.get("/v1/entities").await.status, 200);
    open_gate("operators");
    assert_eq!(first.reply().await.status, 200);
    for operator in &mut operators {
        assert_eq!(operator.reply().await.status, 200);
    }
    assert_eq!(other.get("/v1/admin/modules").await.status, 200);
}

#[test]
fn the_table_of_limits_is_the_code_s() {
    let page = include_str!("../../../../docs/http-api.md");
    let (_, section) = page
        .split_once("\n## Limits\n")
        .expect("a section of limits");
    let section = section.split("\n## ").next().expect("its beginning");
    let told = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (what, how_much) = (cells.next()?, cells.next()?);
        Some((
            what.split([',', ';', '(']).next()?.trim(),
            how_much.parse().ok()?,
        ))
    });
    let limits = Limits::default();
    let secs = |time: Duration| time.as_secs() as usize;
    assert_eq!(limits.stream_calls_max, limits.batch_calls_max);
    let is = [
        ("bytes of a body", limits.body_bytes_max),
        ("bytes of a line of a batch", LINE_BYTES_MAX),
        ("levels of JSON", JSON_DEPTH_MAX),
        ("bytes of a head", HEAD_BYTES_MAX),
        ("seconds for a head", secs(limits.head_timeout)),
        (
            "seconds in which nothing is asked or answered on a connection",
            secs(limits.idle_timeout),
        ),
        ("seconds for a body", secs(limits.body_timeout)),
        (
            "seconds in which no piece of a reply of a batch",
            secs(limits.write_timeout),
        ),
        ("requests at once", limits.requests_max),
        ("of those that need the scope `admin`", ADMIN_REQUESTS_MAX),
        (
            "seconds that a deployment waits for others",
            secs(limits.deploy_wait),
        ),
        (
            "requests at once of one connection of HTTP/2",
            limits.h2_streams_max as usize,
        ),
        ("calls at once of one batch", limits.batch_calls_max),
        (
            "bytes of answers to them that nobody took yet",
            ANSWER_BYTES_MAX,
        ),
    ];
    assert_eq!(told.collect::<Vec<_>>(), is, "docs/http-api.md, Limits");
}

/// Opens a gate in the end, also that of a test that fails: its node would wait for it.
struct Gate(&'static str);

impl Drop for Gate {
    fn drop(&mut self) {
        open_gate(self.0);
    }
}

async fn metric(client: &mut Client, name: &str) -> u64 {
    let reply = client.get("/metrics").await;
    let text = reply.text();
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .trim()
        .parse()
        .expect("a number")
}
