//! Modules over HTTP, in the toy language of the engine's tests: deployed, planned, gone back to, taken
//! out of force, listed; what is no module; two at once.

use std::sync::Arc;

use ordain_node::Options;
use ordain_server::{Config, Limits, Scope};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::entities;
use crate::host::Host;
use crate::toy::counter;
use crate::world::{World, token};

const BANK: &str = "/v1/admin/modules/bank";

async fn start_on(config: Config, host: Arc<Host>) -> World {
    let mut world = World::starting(config).await;
    let catalog = entities::catalog().with_host(host);
    world.open_with(catalog, Options::default());
    world
}

async fn start() -> World {
    start_on(Config::default(), Arc::default()).await
}

fn body(toy: &Value) -> String {
    json!({"main": "toy.json", "files": {"toy.json": toy.to_string()}}).to_string()
}

async fn deploy(client: &mut Client, toy: &Value) -> Reply {
    client.post(BANK, &body(toy)).await
}

async fn add(client: &mut Client) -> String {
    let reply = client.post("/v1/call/counter/a/add", "{}").await;
    reply.text().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_deployed_called_changed_gone_back_to_and_taken_away() {
    let world = start().await;
    let mut client = world.client().await;
    let first = deploy(&mut client, &counter(1)).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let first = first.json();
    assert_eq!(first["module"], "bank");
    assert_eq!(
        (&first["version"], &first["changed"]),
        (&json!(1), &json!(true))
    );
    let hash = first["hash"].as_str().expect("a hash").to_owned();
    assert_eq!(hash.len(), 64);
    assert_eq!(add(&mut client).await, "1");

    let same = deploy(&mut client, &counter(1)).await.json();
    assert_eq!(
        (&same["version"], &same["changed"]),
        (&json!(1), &json!(false))
    );
    let second = deploy(&mut client, &counter(10)).await.json();
    assert_eq!(second["version"], 2);
    assert_eq!(add(&mut client).await, "11");

    let rollback = client.post(&format!("{BANK}/rollback"), "").await.json();
    assert_eq!(
        (&rollback["version"], &rollback["hash"]),
        (&json!(3), &json!(hash))
    );
    assert_eq!(add(&mut client).await, "12");
    let to = client
        .post(&format!("{BANK}/rollback?to=2"), "")
        .await
        .json();
    assert_eq!(to["version"], 4);
    assert_eq!(add(&mut client).await, "22");

    let module = client.get(BANK).await.json();
    assert_eq!(module["in_force"]["version"], 4);
    assert_eq!(module["in_force"]["language"], "javascript");
    let entities = json!([{"name": "counter", "state_version": 1}]);
    assert_eq!(module["in_force"]["entities"], entities);
    let lines = module["history"].as_array().expect("lines");
    let line = |line: &Value| {
        let how = line["how"].as_str().expect("a word").to_owned();
        (line["version"].as_u64(), line["origin"].as_u64(), how)
    };
    let lines: Vec<_> = lines.iter().map(line).collect();
    let expected = [
        (1, 1, "deploy"),
        (2, 2, "deploy"),
        (3, 1, "rollback"),
        (4, 2, "rollback"),
    ];
    let expected = expected.map(|(a, b, how)| (Some(a), Some(b), how.to_owned()));
    assert_eq!(lines, expected);

    let held = client.request("DELETE", BANK, &[], "").await;
    assert_eq!(held.problem(), (409, "holds_state".into()));
    assert!(held.text().contains("keep-state"), "{}", held.text());
    let gone = format!("{BANK}?keep_state=true");
    let gone = client.request("DELETE", &gone, &[], "").await;
    assert_eq!(gone.json(), json!({"module": "bank", "version": 5}));
    let call = client.post("/v1/call/counter/a/add", "{}").await;
    assert_eq!(call.problem(), (404, "unknown_entity".into()));
    let modules = client.get("/v1/admin/modules").await.json();
    assert_eq!(modules["modules"][0]["in_force"], json!(null));
    let back = client.post(&format!("{BANK}/rollback"), "").await;
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(add(&mut client).await, "32", "what was kept is there");
}

/// Whoever got no answer and asks again after a deployment was told that nothing ran.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_answer_though_its_method_is_gone() {
    let world = start().await;
    let mut client = world.client().await;
    deploy(&mut client, &counter(1)).await;
    let (call, send) = (
        "/v1/call/counter/a/add",
        "/v1/send/counter/b/add?delay_ms=1000",
    );
    let mut ask = async |path, key| {
        client
            .request("POST", path, &[("idempotency-key", key)], "{}")
            .await
    };
    let (called, sent) = (ask(call, "k1").await, ask(send, "k2").await);
    assert_eq!((called.status, sent.status), (200, 202));
    let gone = format!("{BANK}?keep_state=true");
    let mut operator = world.client().await;
    operator.request("DELETE", &gone, &[], "").await;
    for (path, key, first) in [(call, "k1", called), (send, "k2", sent)] {
        let again = ask(path, key).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("ordain-seq"), first.header("ordain-seq"));
        assert_eq!(again.header("ordain-repeated"), Some("true"));
    }
    for (path, key) in [
        (call, "never"),
        ("/v1/call/counter/b/add", "k1"),
        ("/v1/send/counter/b/add?delay_ms=1001", "k2"),
    ] {
        assert_eq!(
            ask(path, key).await.problem(),
            (404, "unknown_entity".into())
        );
    }
}

/// A rollback makes a query of what was called, and of what was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_answer_though_its_method_is_a_query() {
    let world = start().await;
    let mut client = world.client().await;
    let mut looks = counter(1);
    looks["counter"]["methods"]["add"] = looks["counter"]["methods"]["look"].clone();
    deploy(&mut client, &looks).await;
    deploy(&mut client, &counter(1)).await;
    let mut ask = async |path: &str, key| {
        client
            .request("POST", path, &[("idempotency-key", key)], "{}")
            .await
    };
    let (call, send) = (
        "/v1/call/counter/a/add",
        "/v1/send/counter/b/add?delay_ms=3600000",
    );
    let (called, sent) = (ask(call, "k1").await, ask(send, "k2").await);
    assert_eq!((called.status, sent.status), (200, 202));
    let mut operator = world.client().await;
    let back = operator.post(&format!("{BANK}/rollback"), "").await;
    assert_eq!(back.status, 200);
    for (path, key, first) in [(call, "k1", called), (send, "k2", sent)] {
        let again = ask(path, key).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("ordain-repeated"), Some("true"));
    }
    let refused = ask(send, "never").await.problem();
    assert_eq!(refused, (400, "wrong_method_kind".into()));
}

/// Passed over, a rollback that was tried again went back twice.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_modules_take_no_idempotency_key() {
    let world = start().await;
    let mut client = world.client().await;
    deploy(&mut client, &counter(1)).await;
    deploy(&mut client, &counter(2)).await;
    let (rollback, key) = (format!("{BANK}/rollback"), [("idempotency-key", "k1")]);
    for (method, path, body) in [
        ("POST", &*rollback, String::new()),
        ("POST", BANK, body(&counter(3))),
        ("DELETE", BANK, String::new()),
    ] {
        let refused = client.request(method, path, &key, &body).await;
        assert_eq!(
            refused.problem(),
            (400, "bad_request".into()),
            "{method} {path}"
        );
        assert_eq!(refused.json()["field"], "idempotency-key");
        assert!(refused.text().contains("history"), "{}", refused.text());
    }
    assert_eq!(client.get(BANK).await.json()["in_force"]["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let world = start().await;
    let mut client = world.client().await;
    let dry = format!("{BANK}?dry_run=true");
    let plan = client.post(&dry, &body(&counter(1))).await.json();
    assert_eq!(plan["version"], json!(null));
    assert_eq!(plan["changed"], true);
    assert_eq!(plan["entities"][0]["change"], "added");
    assert_eq!(client.get(BANK).await.problem().1, "unknown_module");

    deploy(&mut client, &counter(1)).await;
    let mut next = counter(1);
    next["counter"]["version"] = json!(2);
    let methods = next["counter"]["methods"].as_object_mut().expect("methods");
    methods.remove("note");
    methods.insert(
        "take".into(),
        json!({"kind": "update", "does": "add", "by": -1}),
    );
    methods["look"]["kind"] = json!("update");
    let plan = client.post(&dry, &body(&next)).await.json();
    let entity = &plan["entities"][0];
    assert_eq!(plan["version"], 1);
    assert_eq!(entity["change"], "altered");
    assert_eq!(
        (&entity["old_state_version"], &entity["new_state_version"]),
        (&json!(1), &json!(2))
    );
    let methods = entity["methods"].as_array().expect("methods");
    let methods: Vec<_> = methods
        .iter()
        .map(|method| (&method["name"], &method["change"]))
        .collect();
    let word = |word: &str| json!(word);
    let expected = [("look", "altered"), ("note", "removed"), ("take", "added")];
    let expected = expected.map(|(name, change)| (word(name), word(change)));
    assert_eq!(
        methods,
        expected.each_ref().map(|(name, change)| (name, change))
    );
    assert_eq!(entity["methods"][0]["old"]["kind"], "query");
    assert_eq!(entity["methods"][0]["new"]["kind"], "update");
    let same = client.post(&dry, &body(&counter(1))).await.json();
    assert_eq!(
        (&same["changed"], &same["entities"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(client.get(BANK).await.json()["in_force"]["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_called_is_described_anew_after_each_change() {
    let world = start().await;
    let mut client = world.client().await;
    let path = "/v1/call/counter/{key}/add";
    let before = client.get("/openapi.json").await.json();
    assert!(before["paths"][path].is_null());
    deploy(&mut client, &counter(1)).await;
    let entities = client.get("/v1/entities").await.json();
    let there = entities["entities"].as_array().expect("types");
    let there = there.iter().find(|entity| entity["name"] == "counter");
    let method = &there.expect("the module's type")["methods"][0];
    assert_eq!(
        (&method["name"], &method["any_args"]),
        (&json!("add"), &json!(true))
    );
    let after = client.get("/openapi.json").await.json();
    let body = &after["paths"][path]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(
        body["schema"],
        json!({"type": "object"}),
        "they are not described"
    );
    add(&mut client).await;
    let state = client.get("/v1/entities/counter/a").await.json();
    assert_eq!(state["state"], "1", "as its host shows it");

    client
        .request("DELETE", &format!("{BANK}?keep_state=true"), &[], "")
        .await;
    let entities = client.get("/v1/entities").await;
    assert!(!entities.text().contains("counter"), "{}", entities.text());
    let kept = client.get("/v1/entities/counter/a").await;
    assert_eq!(kept.json()["state"], state["state"], "{}", kept.text());
    let nothing = client.get("/v1/entities/counter/b").await;
    assert_eq!(nothing.problem(), (404, "unknown_entity".into()));
}

/// The place that a problem names.
fn place(reply: &Reply) -> Value {
    let problem = reply.json();
    json!([problem["file"], problem["line"], problem["column"]])
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_is_wrong_and_change_nothing() {
    let world = start().await;
    let mut client = world.client().await;
    let wrong = deploy(&mut client, &json!("wrong")).await;
    assert_eq!(wrong.problem(), (400, "module_source".into()));
    assert_eq!(place(&wrong), json!(["toy.json", 3, 7]));
    assert_eq!(wrong.json()["detail"], "expected something right");
    let place_of_none = deploy(&mut client, &json!({})).await;
    assert_eq!(place(&place_of_none), json!([null, null, null]));

    deploy(&mut client, &counter(1)).await;
    let other = "/v1/admin/modules/other";
    let clash = client.post(other, &body(&counter(2))).await;
    assert_eq!(clash.problem(), (409, "module_clash".into()));
    assert_eq!(place(&clash), json!(["toy.json", 5, "counter".len()]));
    let account = json!({"account": {"methods": {"m": {"kind": "update"}}}});
    let clash = client.post(other, &body(&account)).await;
    assert_eq!(
        clash.problem(),
        (409, "module_clash".into()),
        "the program's own"
    );
    let mut query = counter(1);
    query["counter"]["methods"]["add"]["kind"] = json!("query");
    let kind = deploy(&mut client, &query).await;
    assert_eq!(kind.problem(), (409, "method_kind".into()));
    assert_eq!(place(&kind), json!(["toy.json", 5, "counteradd".len()]));
    let none = deploy(&mut client, &json!({})).await;
    assert_eq!(none.problem(), (400, "module_invalid".into()));

    for (method, path, expected) in [
        ("GET", other, (404, "unknown_module")),
        ("DELETE", other, (404, "unknown_module")),
        (
            "POST",
            "/v1/admin/modules/other/rollback",
            (404, "unknown_module"),
        ),
        (
            "POST",
            "/v1/admin/modules/bank/rollback",
            (404, "unknown_version"),
        ),
        (
            "POST",
            "/v1/admin/modules/bank/rollback?to=9",
            (404, "unknown_version"),
        ),
        (
            "POST",
            "/v1/admin/modules/bank/rollback?to=x",
            (400, "bad_request"),
        ),
        (
            "POST",
            "/v1/admin/modules/bank/rollback?dry_run=true",
            (400, "unknown_query_parameter"),
        ),
        (
            "DELETE",
            "/v1/admin/modules/bank?keep_state=yes",
            (400, "bad_request"),
        ),
        ("GET", "/v1/admin/modules/Bank", (400, "bad_name")),
        (
            "GET",
            "/v1/admin/modules?x=1",
            (400, "unknown_query_parameter"),
        ),
        ("GET", "/v1/admin/modules/bank/roll", (404, "not_found")),
        ("PUT", BANK, (405, "method_not_allowed")),
    ] {
        let reply = client.request(method, path, &[], "").await;
        let (status, code) = expected;
        assert_eq!(
            reply.problem(),
            (status, code.to_owned()),
            "{method} {path}"
        );
    }
    assert_eq!(client.get(BANK).await.json()["in_force"]["version"], 1);
    assert_eq!(add(&mut client).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_module_is_refused_at_the_door() {
    let world = start().await;
    let mut client = world.client().await;
    let json = ("content-type", "application/json");
    for (headers, sent, expected) in [
        (json, "", (400, "malformed_json")),
        (json, "{\"main\"", (400, "malformed_json")),
        (json, "{\"main\":\"a\",\"files\":{}}", (400, "bad_request")),
        (
            json,
            "{\"main\":\"a\",\"files\":{\"b\":\"\"}}",
            (400, "bad_request"),
        ),
        (
            json,
            "{\"main\":\"a\",\"files\":{\"a\":\"\"},\"x\":1}",
            (400, "bad_request"),
        ),
        (
            json,
            "{\"main\":\"../a\",\"files\":{\"../a\":\"\"}}",
            (400, "module_source"),
        ),
        (
            ("content-type", "text/typescript"),
            "export",
            (415, "unsupported_media_type"),
        ),
        (
            ("content-type", crate::client::ABSENT),
            "export",
            (415, "unsupported_media_type"),
        ),
        (
            ("content-type", "application/wasm"),
            "no component",
            (400, "module_source"),
        ),
        (
            ("content-encoding", "gzip"),
            "{}",
            (415, "unsupported_media_type"),
        ),
    ] {
        let reply = client.request("POST", BANK, &[headers], sent).await;
        let (status, code) = expected;
        assert_eq!(
            reply.problem(),
            (status, code.to_owned()),
            "{headers:?} {sent}"
        );
    }
    let head = |media: &str, bytes: usize| {
        format!(
            "POST {BANK} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media}\r\ncontent-length: {bytes}\r\n\r\n"
        )
    };
    // Refused by its length alone.
    for (media, bytes) in [
        ("application/json", 81 << 20),
        ("application/wasm", (64 << 20) + 1),
    ] {
        let mut client = world.client().await;
        client.send(head(media, bytes)).await;
        let reply = client.reply().await;
        assert_eq!(
            reply.problem(),
            (413, "request_too_large".into()),
            "{media}"
        );
    }
    let mut client = world.client().await;
    client
        .send([head("application/json", 3).as_bytes(), b"{\xff}"].concat())
        .await;
    assert_eq!(
        client.reply().await.problem(),
        (400, "malformed_json".into())
    );
    // More than other routes take.
    let large = "x".repeat(2 << 20);
    let mut toy = counter(1);
    toy["counter"]["comment"] = json!(large);
    assert_eq!(deploy(&mut client, &toy).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_host_says_so() {
    let world = World::start().await;
    let mut client = world.client().await;
    let refused = deploy(&mut client, &counter(1)).await;
    assert_eq!(refused.problem(), (409, "no_modules".into()));
    let none = client.get("/v1/admin/modules").await.json();
    assert_eq!(none, json!({"modules": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_take_turns_while_calls_go_on() {
    let host = Arc::new(Host::default());
    let world = start_on(Config::default(), host.clone()).await;
    let mut client = world.client().await;
    host.stand(true);
    let asked = ["one", "two"].map(|name| {
        let (addr, name) = (world.addr, name.to_owned());
        let mut toy = counter(1);
        let entity = toy["counter"].take();
        let toy = json!({ &name: entity });
        tokio::spawn(async move {
            let mut client = Client::connect(addr).await;
            let path = format!("/v1/admin/modules/{name}");
            client.post(&path, &body(&toy)).await.status
        })
    });
    let one = host.clone();
    tokio::task::spawn_blocking(move || one.wait_for_one())
        .await
        .expect("one comes");
    let call = client
        .post("/v1/call/account/al/deposit", "{\"amount\":5}")
        .await;
    assert_eq!(call.text(), "5");
    assert_eq!(client.get("/v1/admin/modules").await.status, 200);
    host.stand(false);
    for asked in asked {
        assert_eq!(asked.await.expect("it does not panic"), 200);
    }
    assert_eq!(host.most(), 1, "one after the other");
}

/// What brings no module waits for no body.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_does_not_wait_for_a_module_that_is_still_coming() {
    let world = start().await;
    let mut client = world.client().await;
    deploy(&mut client, &counter(1)).await;
    deploy(&mut client, &counter(2)).await;
    let other = body(&json!({"other": counter(1)["counter"].take()}));
    let (first, rest) = other.split_at(other.len() / 2);
    let mut slow = world.client().await;
    let head = "POST /v1/admin/modules/other HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\nexpect: 100-continue\r\n";
    let length = other.len();
    slow.send(format!("{head}content-length: {length}\r\n\r\n"))
        .await;
    assert_eq!(slow.head().await.status, 100, "it is its turn");
    slow.send(first).await;
    let back = client.post(&format!("{BANK}/rollback"), "").await;
    assert_eq!(back.status, 200, "{}", back.text());
    slow.send(rest).await;
    let done = slow.reply().await;
    assert_eq!(done.status, 200, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waited_too_long_is_told_to_come_back() {
    let host = Arc::new(Host::default());
    let limits = Limits {
        deploy_wait: std::time::Duration::from_millis(1),
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    let world = start_on(config, host.clone()).await;
    host.stand(true);
    let all = [(); 2].map(|()| {
        let addr = world.addr;
        tokio::spawn(async move { deploy(&mut Client::connect(addr).await, &counter(1)).await })
    });
    let (ended, _, mut others) = futures_util::future::select_all(all).await;
    let refused = ended.expect("it does not panic");
    assert_eq!(refused.problem(), (429, "deploying".into()));
    assert!(refused.header("retry-after").is_some());
    host.stand(false);
    let other = others.remove(0).await.expect("it does not panic");
    assert_eq!(other.status, 200, "{}", other.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_deployed_is_remembered_by_the_name_of_the_token() {
    let config = Config {
        tokens: vec![token("ops", &[Scope::Admin])],
        ..Config::default()
    };
    let world = start_on(config, Arc::default()).await;
    let mut client = world.client().await;
    let headers = [("authorization", "Bearer ops-token")];
    let deployed = client
        .request("POST", BANK, &headers, &body(&counter(1)))
        .await;
    assert_eq!(deployed.status, 200, "{}", deployed.text());
    let module = client.request("GET", BANK, &headers, "").await.json();
    assert_eq!(module["history"][0]["caller"], "ops");
    assert!(module["history"][0]["at"].as_u64().is_some_and(|at| at > 0));
}
