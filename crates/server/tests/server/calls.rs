//! Calls, queries and sends: every status that they can end in.

use ordain_log::disk::Fault;
use ordain_node::{CallError, CallOptions, Refused};
use ordain_types::{EntityId, Method, MethodKind, Request};
use serde_json::json;

use crate::client::{ABSENT, Client, Reply};
use crate::entities::open_gate;
use crate::world::World;

const DEPOSIT: &str = "/v1/call/account/al/deposit";

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_with_its_value_and_seq() {
    let world = World::start().await;
    let mut client = world.client().await;
    let first = client.post(DEPOSIT, "{\"amount\":5}").await;
    assert_eq!((first.status, first.text()), (200, "5"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("ordain-repeated"), None);
    let second = client.post(DEPOSIT, " {\n\"amount\" : 2 } ").await;
    assert_eq!((second.status, second.text()), (200, "7"));
    assert_eq!(seq(&second), seq(&first) + 1);

    let read = client.get("/v1/query/account/al/balance").await;
    assert_eq!((read.status, read.text()), (200, "7"));
    assert_eq!(seq(&read), seq(&second), "a query says what it saw");
    let called = client.post("/v1/call/account/al/balance", "").await;
    assert_eq!(
        (called.status, called.text()),
        (200, "7"),
        "a query may be called"
    );
    let posted = client.post("/v1/query/account/al/balance", "{}").await;
    assert_eq!(posted.text(), "7");
    let other = client.get("/v1/query/account/a%2Fl/balance").await;
    assert_eq!(other.text(), "0", "another key is another entity");
}

fn seq(reply: &Reply) -> u64 {
    let seq = reply.header("ordain-seq").expect("a seq");
    seq.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_query_takes_arguments_by_name_or_as_one_object() {
    let world = World::start().await;
    let mut client = world.client().await;
    for (query, value) in [
        ("text=5", "[\"5\",null]"),
        ("text=a+b%2Bc&number=1.5", "[\"a b+c\",1.5]"),
        ("args=%7B%22text%22%3A%22x%22%7D", "[\"x\",null]"),
        ("args={%22text%22:%22x%22}&min_seq=1", "[\"x\",null]"),
    ] {
        let reply = client
            .get(&format!("/v1/query/account/al/echo?{query}"))
            .await;
        assert_eq!((reply.status, reply.text()), (200, value), "{query}");
    }
    for (query, code) in [
        ("text=5&txet=6", "bad_argument"),
        ("number=1", "bad_argument"),
        ("text=5&number=x", "bad_argument"),
        ("text=%", "bad_request"),
        ("text=1&text=2", "bad_request"),
        ("text=1&args={}", "bad_request"),
        ("text=1&min_seq=x", "bad_request"),
        ("args={", "malformed_json"),
    ] {
        let reply = client
            .get(&format!("/v1/query/account/al/echo?{query}"))
            .await;
        assert_eq!(reply.problem(), (400, code.to_owned()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_and_a_fault_say_what_the_method_said() {
    let world = World::start().await;
    let mut client = world.client().await;
    let rejected = client
        .post("/v1/call/account/al/withdraw", "{\"amount\":5}")
        .await;
    assert_eq!(rejected.problem(), (422, "insufficient_funds".into()));
    let json = rejected.json();
    assert_eq!(json["kind"], "rejection");
    assert_eq!(json["detail"], "balance is 0");
    assert_eq!(json["details"], json!({"balance": 0}));
    assert!(seq(&rejected) > 0, "it ran, so it has a seq");

    let fault = client.post("/v1/call/account/al/boom", "").await;
    assert_eq!(fault.problem(), (500, "panic".into()));
    assert_eq!(fault.json()["kind"], "fault");
    assert_eq!(fault.json()["at"], "account/al.boom");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said() {
    let world = World::start().await;
    let mut client = world.client().await;
    let deep = format!("{{\"amount\":{}}}", "[".repeat(64));
    let long = format!("/v1/call/account/{}/deposit", "k".repeat(513));
    // Method, path, body, and the answer's status, code and field.
    let post = "POST";
    for (verb, path, body, status, code, field) in [
        (post, DEPOSIT, "{\"amount\":", 400, "malformed_json", ""),
        (post, DEPOSIT, &deep, 400, "json_too_deep", ""),
        (post, DEPOSIT, "{}", 400, "bad_argument", "amount"),
        (post, DEPOSIT, "", 400, "bad_argument", "amount"),
        (
            post,
            DEPOSIT,
            "{\"amount\":\"5\"}",
            400,
            "bad_argument",
            "amount",
        ),
        (
            post,
            DEPOSIT,
            "{\"amount\":5,\"x\":1}",
            400,
            "bad_argument",
            "x",
        ),
        (post, DEPOSIT, "[5]", 400, "bad_argument", ""),
        (post, "/v1/call/account//deposit", "", 400, "bad_key", ""),
        (post, "/v1/call/account/%zz/deposit", "", 400, "bad_key", ""),
        (post, "/v1/call/account/%00/deposit", "", 400, "bad_key", ""),
        (post, "/v1/call/account/%FF/deposit", "", 400, "bad_key", ""),
        (post, &long, "", 400, "bad_key", ""),
        (post, "/v1/call/Account/al/deposit", "", 400, "bad_name", ""),
        (
            post,
            "/v1/call/account/al/deposit?x=1",
            "",
            400,
            "unknown_query_parameter",
            "x",
        ),
        (
            post,
            "/v1/call/account/al/deposit?delay_ms=1",
            "",
            400,
            "unknown_query_parameter",
            "delay_ms",
        ),
        (
            post,
            "/v1/send/account/al/deposit?delay_ms=-1",
            "",
            400,
            "bad_request",
            "delay_ms",
        ),
        (
            post,
            "/v1/send/account/al/deposit?delay_ms=99999999999999",
            "",
            400,
            "bad_request",
            "delay_ms",
        ),
        (
            post,
            "/v1/query/account/al/deposit",
            "{\"amount\":1}",
            400,
            "wrong_method_kind",
            "",
        ),
        (
            post,
            "/v1/send/account/al/balance",
            "",
            400,
            "wrong_method_kind",
            "",
        ),
        // Whatever its arguments are.
        (
            "GET",
            "/v1/query/account/al/deposit",
            "",
            400,
            "wrong_method_kind",
            "",
        ),
        (
            post,
            "/v1/send/account/al/balance",
            "{\"x\":1}",
            400,
            "wrong_method_kind",
            "",
        ),
        (
            post,
            "/v1/call/acount/al/deposit",
            "",
            404,
            "unknown_entity",
            "",
        ),
        (
            post,
            "/v1/call/account/al/depsit",
            "",
            404,
            "unknown_method",
            "",
        ),
        (post, "/v1/call/account/al", "", 404, "not_found", ""),
        (
            post,
            "/v1/call/account/al/deposit/",
            "",
            404,
            "not_found",
            "",
        ),
        (
            "GET",
            "/v2/call/account/al/deposit",
            "",
            404,
            "not_found",
            "",
        ),
        ("GET", "/v1/invocations/1.0", "", 404, "not_found", ""),
        ("GET", "/v1/invocations/x", "", 404, "not_found", ""),
        (
            "GET",
            "/v1/entities/acount/al",
            "",
            404,
            "unknown_entity",
            "",
        ),
        (
            "GET",
            "/v1/entities/account/al?limit=1001",
            "",
            400,
            "bad_request",
            "limit",
        ),
        (
            "GET",
            "/v1/entities/account/al?after=",
            "",
            400,
            "bad_key",
            "",
        ),
        ("GET", "/healthz?x", "", 400, "unknown_query_parameter", "x"),
    ] {
        let reply = client.request(verb, path, &[], body).await;
        assert_eq!(
            reply.problem(),
            (status, code.to_owned()),
            "{verb} {path} {body}"
        );
        assert_eq!(
            reply.json()["field"].as_str().unwrap_or(""),
            field,
            "{verb} {path} {body}"
        );
        assert_eq!(reply.header("ordain-seq"), None, "nothing ran");
    }
    assert_eq!(
        near(&mut client, "/v1/call/acount/al/deposit").await,
        json!(["account"])
    );
    assert_eq!(
        near(&mut client, "/v1/call/account/al/depsit").await,
        json!(["deposit"])
    );
    assert_eq!(near(&mut client, "/healthz?x").await, json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_like_an_unknown_one_are_the_same_over_http_and_in_process() {
    let world = World::start().await;
    let mut client = world.client().await;
    // The beginning of a longer name, from which shorter ones are fewer edits away; and a stranger.
    for (typed, meant) in [("with", json!(["withdraw"])), ("zzz", json!(null))] {
        let path = format!("/v1/call/account/al/{typed}");
        assert_eq!(near(&mut client, &path).await, meant, "{typed}");
        let entity = EntityId::new("account", "al").unwrap();
        let method = Method::new(typed).unwrap();
        let request = Request::<()>::new(entity, method, MethodKind::Update, "{}".into());
        let refused = world
            .node()
            .call_async(request, CallOptions::default())
            .await
            .unwrap_err();
        let CallError::Refused(Refused::UnknownMethod { near, .. }) = refused else {
            panic!("{typed}: {refused}");
        };
        let near = (!near.is_empty()).then_some(near);
        assert_eq!(json!(near), meant, "{typed}");
    }
}

async fn near(client: &mut Client, path: &str) -> serde_json::Value {
    client.post(path, "").await.json()["near"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_media_types_are_checked() {
    let world = World::start().await;
    let mut client = world.client().await;
    for (verb, path, allow) in [
        ("GET", DEPOSIT, "POST"),
        ("PUT", "/v1/query/account/al/balance", "GET, POST"),
        ("POST", "/v1/entities", "GET"),
        ("DELETE", "/v1/entities/account/al", "GET"),
        ("GET", "/v1/batch", "POST"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
    ] {
        let reply = client.request(verb, path, &[], "").await;
        assert_eq!(
            reply.problem(),
            (405, "method_not_allowed".into()),
            "{verb} {path}"
        );
        assert_eq!(reply.header("allow"), Some(allow), "{verb} {path}");
    }
    let body = "{\"amount\":5}";
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
        ABSENT,
    ] {
        let reply = client
            .request("POST", DEPOSIT, &[("content-type", media)], body)
            .await;
        assert_eq!(
            reply.problem(),
            (415, "unsupported_media_type".into()),
            "{media:?}"
        );
    }
    let media = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(
        client.request("POST", DEPOSIT, &media, body).await.status,
        200
    );
    let reply = client.post("/v1/batch", "{}").await;
    assert_eq!(reply.problem().0, 415, "a batch is lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_answer_byte_for_byte() {
    let world = World::start().await;
    let mut client = world.client().await;
    for (key, path, body) in [
        ("one", DEPOSIT, "{\"amount\":5}"),
        ("twö", "/v1/call/account/al/withdraw", "{\"amount\":500}"),
        ("three", "/v1/call/account/al/boom", ""),
        (
            "four",
            "/v1/send/account/al/deposit?delay_ms=86400000",
            "{\"amount\":5}",
        ),
    ] {
        let headers = [("idempotency-key", key)];
        let first = client.request("POST", path, &headers, body).await;
        assert_eq!(first.header("ordain-repeated"), None);
        client.post(DEPOSIT, "{\"amount\":1}").await;
        let again = client.request("POST", path, &headers, body).await;
        assert_eq!(again.body, first.body, "{path}");
        assert_eq!(again.status, first.status);
        assert_eq!(seq(&again), seq(&first), "the seq is that of what ran");
        assert_eq!(again.header("ordain-repeated"), Some("true"));
    }
    let headers = [("idempotency-key", "one")];
    let other = client
        .request("POST", DEPOSIT, &headers, "{\"amount\":6}")
        .await;
    assert_eq!(other.problem(), (409, "idempotency_key_reused".into()));
    let long = "k".repeat(257);
    for bad in ["", &long] {
        let headers = [("idempotency-key", bad)];
        let refused = client
            .request("POST", DEPOSIT, &headers, "{\"amount\":6}")
            .await;
        assert_eq!(refused.problem(), (400, "bad_request".into()), "{bad:?}");
        assert_eq!(refused.json()["field"], "idempotency-key");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let refused = client
        .request("POST", DEPOSIT, &twice, "{\"amount\":6}")
        .await;
    assert_eq!(refused.problem().0, 400);
    assert_eq!(refused.json()["field"], "idempotency-key");
    let mut client = world.client().await;
    let refused = client
        .request("GET", "/v1/query/account/al/balance", &headers, "")
        .await;
    assert_eq!(refused.problem(), (400, "bad_request".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_at_least_what_it_asks_for() {
    let world = World::start().await;
    let mut client = world.client().await;
    let seen = seq(&client.post(DEPOSIT, "{\"amount\":5}").await);
    let path = "/v1/query/account/al/balance";
    let (now, later) = (seen.to_string(), (seen + 1_000).to_string());
    let reply = client
        .request("GET", path, &[("ordain-at-least", &now)], "")
        .await;
    assert_eq!((reply.status, reply.text()), (200, "5"));
    let reply = client
        .request("POST", path, &[("ordain-at-least", &later)], "")
        .await;
    assert_eq!(reply.problem(), (409, "seq_not_reached".into()));
    assert!(reply.header("retry-after").is_some());
    let reply = client.get(&format!("{path}?min_seq={later}")).await;
    assert_eq!(reply.problem().0, 409);
    let reply = client
        .get(&format!("/v1/entities/account/al?min_seq={later}"))
        .await;
    assert_eq!(reply.problem().0, 409);
    let reply = client
        .request(
            "POST",
            DEPOSIT,
            &[("ordain-at-least", "1")],
            "{\"amount\":5}",
        )
        .await;
    assert_eq!(reply.problem(), (400, "bad_request".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_is_accepted_and_its_end_can_be_asked_for() {
    let world = World::start().await;
    let mut client = world.client().await;
    for (method, body, status, member, expected) in [
        ("deposit", "{\"amount\":5}", "completed", "value", json!(5)),
        (
            "withdraw",
            "{\"amount\":50}",
            "rejected",
            "problem",
            json!("insufficient_funds"),
        ),
        ("boom", "", "faulted", "problem", json!("panic")),
    ] {
        let sent = client
            .post(&format!("/v1/send/account/al/{method}"), body)
            .await;
        assert_eq!(sent.status, 202, "{}", sent.text());
        let id = sent.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(id, format!("{}.0", seq(&sent)));
        let told = ended(&mut client, &id).await;
        assert_eq!(told["status"], status);
        assert_eq!(told["entity"], "account/al");
        assert_eq!(told["method"], method);
        let found = match member {
            "problem" => &told["problem"]["code"],
            member => &told[member],
        };
        assert_eq!(*found, expected);
    }
    let later = client
        .post(
            "/v1/send/account/al/deposit?delay_ms=86400000",
            "{\"amount\":5}",
        )
        .await;
    let id = later.json()["id"].as_str().expect("an id").to_owned();
    let told = client.get(&format!("/v1/invocations/{id}")).await.json();
    assert_eq!(told["status"], "pending");
    assert!(
        told["due"].as_u64().is_some_and(|due| due > 86_400_000),
        "{told}"
    );
}

/// Asks until a send has ended: its delivery is a command of its own.
async fn ended(client: &mut Client, id: &str) -> serde_json::Value {
    loop {
        let told = client.get(&format!("/v1/invocations/{id}")).await.json();
        if told["status"] != "pending" {
            return told;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overload_is_answered_with_when_to_come_back() {
    let options = ordain_node::Options {
        queue_commands_max: 2,
        ..Default::default()
    };
    let world = World::start_on(Default::default(), options).await;
    // Two at most are taken from the queue before one stands still, and two more wait.
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut client = world.client().await;
        asking.spawn(async move { client.post("/v1/call/gate/overload/pass", "").await });
    }
    let refused = asking
        .join_next()
        .await
        .expect("an answer")
        .expect("no panic");
    assert_eq!(refused.problem(), (429, "overloaded".into()));
    let secs = refused.header("retry-after").expect("when");
    assert!(secs.parse::<u64>().is_ok_and(|secs| secs >= 1), "{secs}");
    open_gate("overload");
    let statuses: Vec<u16> = asking
        .join_all()
        .await
        .iter()
        .map(|reply| reply.status)
        .collect();
    assert!(statuses.contains(&200), "what was accepted is answered");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_stops_updates_and_not_queries() {
    let world = World::start().await;
    let mut client = world.client().await;
    client.post(DEPOSIT, "{\"amount\":5}").await;
    let kind = std::io::ErrorKind::Other;
    world.disk.inject(0, Fault::Sync { kind });
    let lost = client.post(DEPOSIT, "{\"amount\":5}").await;
    check_unavailable(&mut client, &lost, "disk_failed").await;
    let next = client.post(DEPOSIT, "{\"amount\":5}").await;
    assert_eq!(next.problem(), (503, "disk_failed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_updates_until_there_is_space() {
    let world = World::start().await;
    let mut client = world.client().await;
    client.post(DEPOSIT, "{\"amount\":5}").await;
    world.disk.limit_bytes(Some(0));
    let note = json!({"name": "n", "text": "x".repeat(100_000)}).to_string();
    let lost = loop {
        let reply = client.post("/v1/call/account/al/note", &note).await;
        if reply.status != 200 {
            break reply;
        }
    };
    check_unavailable(&mut client, &lost, "disk_full").await;
    assert!(lost.header("retry-after").is_some());
    world.disk.limit_bytes(None);
    while client.get("/readyz").await.status != 200 {}
    let reply = client.post(DEPOSIT, "{\"amount\":5}").await;
    assert_eq!((reply.status, reply.text()), (200, "10"));
}

async fn check_unavailable(client: &mut Client, lost: &Reply, status: &str) {
    assert_eq!(lost.problem(), (503, status.to_owned()));
    assert_eq!(lost.json()["kind"], "unavailable");
    let ready = client.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (503, &json!(status))
    );
    assert!(ready.json()["reason"].is_string());
    let read = client.get("/v1/query/account/al/balance").await;
    assert_eq!((read.status, read.text()), (200, "5"), "reads go on");
}
