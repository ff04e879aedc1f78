//! From the first byte before there is a node to the last reply of a stop.

use ordain_node::Progress;
use ordain_server::Config;
use ordain_types::Seq;
use serde_json::json;

use crate::client::Client;
use crate::entities::open_gate;
use crate::protocols;
use crate::world::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_starting_server_says_how_far_it_is() {
    let mut world = World::starting(Config::default()).await;
    let mut client = world.client().await;
    assert_eq!(client.get("/healthz").await.status, 200);
    assert_eq!(client.get("/metrics").await.status, 200);
    let ready = client.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()["status"].clone()),
        (503, json!("starting"))
    );
    assert_eq!(ready.json()["progress"], json!(null));
    world.handle.set_progress(Progress {
        first: Seq(10),
        at: Seq(15),
        last: Seq(20),
    });
    let ready = client.get("/readyz").await.json();
    assert_eq!(ready["progress"], json!({"from": 10, "seq": 15, "to": 20}));
    for (verb, path) in [
        ("POST", "/v1/call/account/al/deposit"),
        ("GET", "/v1/query/account/al/balance"),
        ("GET", "/v1/entities"),
        ("GET", "/v1/admin/state-hash"),
        ("GET", "/v1/stream"),
        ("GET", "/openapi.json"),
    ] {
        let reply = client.request(verb, path, &[], "").await;
        assert_eq!(reply.problem(), (503, "starting".into()), "{path}");
        assert_eq!(reply.json()["progress"]["seq"], 15);
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    world.open(Default::default());
    let ready = client.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()["ready"].clone()),
        (200, json!(true))
    );
    assert_eq!(client.request("HEAD", "/readyz", &[], "").await.status, 200);
    assert_eq!(
        client
            .post("/v1/call/account/al/deposit", "{\"amount\":5}")
            .await
            .status,
        200
    );
    assert!(world.stop().await.drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_what_was_accepted_and_takes_nothing_new() {
    let world = World::start().await;
    let addr = world.addr;
    let mut waiting = world.client().await;
    let mut idle = world.client().await;
    assert_eq!(idle.get("/healthz").await.status, 200);
    let pass =
        "POST /v1/call/gate/stop/pass HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    waiting.send(pass).await;
    while !in_flight(&world).await {}
    let node = world.node().clone();
    let stopping = world.begin_stop();
    assert!(
        idle.is_closed().await,
        "idle connections are closed at once"
    );
    while tokio::net::TcpStream::connect(addr).await.is_ok() {}
    assert!(!stopping.is_finished(), "a reply is still owed");
    open_gate("stop");
    let reply = waiting.reply().await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(waiting.is_closed().await);
    assert!(stopping.await.expect("it stops").drained);
    let refused = node.checkpoint().expect_err("the node is stopped, too");
    assert_eq!(refused, ordain_node::Unavailable::Stopping);
}

/// Whether the gate's call is being answered, beside the asking for it.
async fn in_flight(world: &World) -> bool {
    let metrics = world.client().await.get("/metrics").await;
    metrics.text().contains("ordain_http_requests_in_flight 2")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_ever_for_a_client() {
    let world = World::limited(|limits| {
        limits.stop_timeout = std::time::Duration::from_millis(50);
    })
    .await;
    let mut client = world.client().await;
    // A request whose body never comes.
    client
        .send(
            "POST /v1/call/account/al/deposit HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\ncontent-length: 12\r\n\r\n",
        )
        .await;
    while !in_flight(&world).await {}
    assert!(!world.stop().await.drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_who_never_asked() {
    for tls in [false, true] {
        let mut config = Config {
            tls: tls.then(protocols::files),
            ..Config::default()
        };
        // So long that whoever waits for it does not stop in time.
        config.limits.head_timeout = 4 * PATIENCE;
        config.limits.stop_timeout = 4 * PATIENCE;
        let world = World::start_with(config).await;
        let (silent, mut begun) = (world.client().await, world.client().await);
        let (beginning, mut third): (&[u8], _) = match tls {
            false => (b"GET /healthz HTTP/1.1\r\nhost: loc", world.client().await),
            true => (
                b"\x16\x03\x01\x02\x00\x01",
                Client::over(protocols::connect(&world, "http/1.1").await),
            ),
        };
        begun.send(beginning).await;
        // Connections are accepted in their order.
        assert_eq!(third.get("/healthz").await.status, 200);
        assert!(world.stop().await.drained);
        drop((silent, begun));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_live_in_one_process() {
    let (one, other) = (World::start().await, World::start().await);
    one.client()
        .await
        .post("/v1/call/account/al/deposit", "{\"amount\":5}")
        .await;
    let read = other
        .client()
        .await
        .get("/v1/query/account/al/balance")
        .await;
    assert_eq!(read.text(), "0");
    one.stop().await;
    assert_eq!(other.client().await.get("/readyz").await.status, 200);
    other.stop().await;
}
