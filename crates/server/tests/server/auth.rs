//! Who may ask: how a token is read, whose name calls carry, and, without tokens, which sites' pages may
//! ask. Every route with every kind of caller is in `tests/attacks/matrix.rs`.

use std::io::Write;
use std::sync::Mutex;

use ordain_node::Options;
use ordain_server::{BindError, Config, Scope, Server, Token};

use crate::client::ABSENT;
use crate::entities;
use crate::world::{World, token};

fn guarded() -> Config {
    Config {
        tokens: vec![
            token("call", &[Scope::Call]),
            token("read", &[Scope::Read]),
            token("admin", &[Scope::Admin]),
            token("all", &Scope::ALL),
        ],
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_read_as_the_standard_says_and_no_other_way() {
    let world = World::start_with(guarded()).await;
    for (header, status) in [
        ("Bearer all-token", 200),
        ("bearer all-token", 200),
        ("BEARER  all-token ", 200),
        ("all-token", 401),
        ("Basic all-token", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer all-token2", 401),
        ("Bearer all-toke", 401),
    ] {
        let mut client = world.client().await;
        let headers = [("authorization", header)];
        let reply = client.request("GET", "/v1/entities", &headers, "").await;
        assert_eq!(reply.status, status, "{header}");
    }
    let headers = [
        ("authorization", "Bearer all-token"),
        ("authorization", "Bearer wrong"),
    ];
    let reply = world
        .client()
        .await
        .request("GET", "/v1/entities", &headers, "")
        .await;
    assert_eq!(reply.status, 400, "either may be taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_see_the_tokens_name_as_their_caller() {
    let world = World::start_with(guarded()).await;
    let headers = [
        ("authorization", "Bearer all-token"),
        ("host", "anything.test"),
    ];
    let mut client = world.client().await;
    let reply = client
        .request("POST", "/v1/call/account/al/caller", &headers, "")
        .await;
    assert_eq!(
        reply.text(),
        "\"all\"",
        "and with tokens no host is refused"
    );
    let open = World::start().await;
    let reply = open
        .client()
        .await
        .post("/v1/call/account/al/caller", "")
        .await;
    assert_eq!(reply.text(), "\"\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_a_batch_asks_for_its_scope() {
    let world = World::start_with(guarded()).await;
    let headers = [
        ("authorization", "Bearer read-token"),
        ("content-type", "application/x-ndjson"),
    ];
    let lines = "{\"op\":\"query\",\"entity\":\"account\",\"key\":\"al\",\"method\":\"balance\"}\n\
                 {\"entity\":\"account\",\"key\":\"al\",\"method\":\"deposit\",\"args\":{\"amount\":5}}\n";
    let reply = world
        .client()
        .await
        .request("POST", "/v1/batch", &headers, lines)
        .await;
    let lines: Vec<&str> = reply.text().lines().collect();
    assert!(lines[0].contains("\"value\":0"), "{}", lines[0]);
    assert!(lines[1].contains("\"code\":\"forbidden\""), "{}", lines[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_are_kept_out() {
    let config = Config {
        names: vec!["ordain.test".into()],
        ..Config::default()
    };
    let world = World::start_with(config).await;
    for (host, origin, answer) in [
        ("localhost:8080", ABSENT, "200"),
        ("127.0.0.1", ABSENT, "200"),
        ("[::1]:8080", ABSENT, "200"),
        ("ordain.test", ABSENT, "200"),
        ("localhost:8080", "http://localhost:8080", "200"),
        ("ordain.test", "https://ordain.test", "200"),
        ("evil.test", ABSENT, "bad_host"),
        ("evil.test", "http://evil.test", "bad_host"),
        (ABSENT, ABSENT, "bad_request"),
        ("localhost:8080", "http://localhost:3000", "bad_origin"),
        ("localhost:8080", "http://evil.test", "bad_origin"),
        ("localhost:8080", "null", "bad_origin"),
    ] {
        for path in ["/healthz", "/v1/entities", "/nowhere"] {
            let headers = [("host", host), ("origin", origin)];
            let reply = world
                .client()
                .await
                .request("GET", path, &headers, "")
                .await;
            let expected = if path == "/nowhere" && answer == "200" {
                "not_found"
            } else {
                answer
            };
            let got = match reply.status {
                200 => "200".to_owned(),
                _ => reply.problem().1,
            };
            assert_eq!(got, expected, "{host:?} {origin:?} {path}");
        }
    }
    let mut client = world.client().await;
    client
        .send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n")
        .await;
    assert_eq!(client.reply().await.problem(), (400, "bad_request".into()));
    let mut client = world.client().await;
    client
        .send("GET http://evil.test/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert_eq!(client.reply().await.problem(), (400, "bad_request".into()));
}

#[tokio::test]
async fn only_loopback_is_served_without_tokens() {
    let everywhere = || Config {
        listen: "0.0.0.0:0".parse().expect("an address"),
        ..Config::default()
    };
    let refused = Server::bind(everywhere()).await.err().expect("a refusal");
    assert!(matches!(refused, BindError::Open(_)));
    let message = refused.to_string();
    assert!(
        message.contains("tokens") && message.contains("127.0.0.1"),
        "{message}"
    );
    let guarded = Config {
        tokens: vec![token("all", &Scope::ALL)],
        ..everywhere()
    };
    assert!(Server::bind(guarded).await.is_ok());
    let twice = Config {
        tokens: vec![token("a", &[Scope::Call]), token("a", &[Scope::Read])],
        ..Config::default()
    };
    assert!(matches!(
        Server::bind(twice).await.err(),
        Some(BindError::TokenName(_))
    ));
    let text = Token::hash("one text");
    let twins = Config {
        tokens: vec![
            Token::new("a", &text, &[Scope::Call]).expect("a token"),
            token("b", &[Scope::Call]),
            Token::new("c", &text.to_uppercase(), &[Scope::Admin]).expect("a token"),
        ],
        ..Config::default()
    };
    let refused = Server::bind(twins).await.err().expect("a refusal");
    let message = refused.to_string();
    assert!(message.contains("`a` and `c`"), "{message}");
}

/// What this process logs, of every level, from the first test on that asks for it.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock()
            .expect("no test panics in here")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_key_or_payload_is_logged_or_measured() {
    let filter = "ordain_server=trace,ordain_node=trace,ordain_engine=trace,ordain_log=trace";
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(|| Log);
    subscriber.init();
    let mut world = World::starting(guarded()).await;
    world.open_with(entities::relaying(), Options::default());
    let mut client = world.client().await;
    let headers = [
        ("authorization", "Bearer all-token"),
        ("idempotency-key", "secretkey"),
    ];
    let path = "/v1/call/account/secretentity/withdraw";
    let reply = client
        .request("POST", path, &headers, "{\"amount\":987654321}")
        .await;
    assert_eq!(reply.status, 422);
    let path = "/v1/query/account/secretentity/echo?text=secrettext&x=987654321";
    assert_eq!(
        client.request("GET", path, &headers[..1], "").await.status,
        400
    );
    let relay = "/v1/call/relay/secretrelay/pass_on";
    let body = "{\"text\":\"secrettext\"}";
    let reply = client.request("POST", relay, &headers[..1], body).await;
    assert_eq!(reply.problem().1, "bad_arguments");
    assert!(
        reply.text().contains("secretcallee") && reply.text().contains("secrettext"),
        "who asked is told: {}",
        reply.text()
    );
    let throw = "/v1/call/account/secretentity/throw";
    let reply = client.request("POST", throw, &headers[..1], "{}").await;
    assert_eq!(reply.problem().1, "exception");
    let wrong = [("authorization", "Bearer all-token-wrong")];
    assert_eq!(client.request("GET", path, &wrong, "").await.status, 401);
    let metrics = client.request("GET", "/metrics", &headers[..1], "").await;
    world.stop().await;
    let log = String::from_utf8(LOG.lock().expect("as above").clone()).expect("text");
    let withdrawn = "route=\"/v1/call/{entity}/{key}/{method}\" status=422";
    assert!(
        log.contains(withdrawn),
        "what was asked is logged, without what it was about:\n{log}"
    );
    for told in [
        r#"a method failed fault="bad_arguments" at="relay.pass_on""#,
        r#"it was asked at="relay.pass_on""#,
        r#"fault="exception" at="account.throw" said=no such thing trace=at throw (bank.ts:3:7)"#,
    ] {
        assert!(log.contains(told), "{told}:\n{log}");
    }
    for secret in ["all-token", "secret", "987654321"] {
        assert!(!metrics.text().contains(secret), "{secret}");
        assert!(!log.contains(secret), "{secret}");
    }
}
