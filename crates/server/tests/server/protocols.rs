//! HTTP/2 and TLS: the same answers over other wires.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ordain_server::{BindError, Config, Server, TlsFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, Io};
use crate::entities::open_gate;
use crate::world::{PATIENCE, World};

type H2 = http2::SendRequest<Full<Bytes>>;

async fn h2(io: impl Io + 'static) -> H2 {
    let io = TokioIo::new(io);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn ask(sender: &mut H2, method: &str, uri: &str, body: &'static str) -> (u16, String) {
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .expect("a request");
    let reply = sender.send_request(request).await.expect("a reply");
    let status = reply.status().as_u16();
    let body = reply
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_carries_many_requests_at_once() {
    let world = World::start().await;
    let stream = TcpStream::connect(world.addr).await.expect("it listens");
    let mut sender = h2(stream).await;
    let mut waiting = sender.clone();
    let pass = tokio::spawn(async move {
        ask(
            &mut waiting,
            "POST",
            "http://localhost/v1/call/gate/h2/pass",
            "",
        )
        .await
    });
    // The gate's call stands still, and others on the connection are looked at all the same.
    let (status, text) = ask(&mut sender, "GET", "http://localhost/v1/entities", "").await;
    assert_eq!(status, 200, "{text}");
    let (status, text) = ask(&mut sender, "GET", "http://evil.test/v1/entities", "").await;
    assert_eq!(status, 403, "{text}");
    assert!(!pass.is_finished());
    open_gate("h2");
    assert_eq!(pass.await.expect("no panic").0, 200);
    let path = "http://localhost/v1/call/account/al/deposit";
    assert_eq!(
        ask(&mut sender, "POST", path, "{\"amount\":5}").await,
        (200, "5".into())
    );
    assert_eq!(ask(&mut sender, "POST", path, "{\"amount\":").await.0, 400);
    let (status, text) = ask(&mut sender, "GET", "http://localhost/v1/stream", "").await;
    assert_eq!(status, 400);
    assert!(text.contains("HTTP/1.1"), "{text}");
    // Over HTTP/1.1 it would be another key.
    let keyed = http::Request::post(path).header("idempotency-key", "a ");
    let keyed = keyed.body(Full::default()).expect("a request");
    let refused = sender.send_request(keyed).await.expect("a reply");
    assert_eq!(refused.status(), 400);
    let stopping = world.begin_stop();
    assert!(
        stopping.await.expect("it stops").drained,
        "an idle HTTP/2 connection is let go"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_who_is_gone_without_a_word() {
    let world = World::limited(|limits| limits.stop_timeout = PATIENCE / 4).await;
    let mut stream = TcpStream::connect(world.addr).await.expect("it listens");
    // The preface, settings, those of the server acknowledged, and `GET /healthz`.
    let asked = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
        \0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0\
        \0\0\x17\x01\x05\0\0\0\x01\x82\x86\x04\x08/healthz\x01\x09localhost";
    stream.write_all(asked).await.expect("it reads");
    let mut told = Vec::new();
    while !told.ends_with(b"ok\n") {
        let read = stream.read_buf(&mut told).await.expect("it answers");
        assert!(read > 0, "it closed: {told:?}");
    }
    // From here on nothing is said: the connection is there, and nobody at its other end.
    assert!(world.stop().await.drained);
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_is_told_to() {
    let world = World::start_with(Config {
        tls: Some(files()),
        ..Config::default()
    })
    .await;
    for path in ["/healthz", "/v1/query/account/al/balance"] {
        let reply = world.client().await.get(path).await;
        assert_eq!(reply.problem(), (400, "bad_request".into()));
        assert!(reply.text().contains("https://"), "{}", reply.text());
    }
    world.stop().await;
}

pub fn files() -> TlsFiles {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/tls");
    TlsFiles {
        cert: dir.join("cert.pem"),
        key: dir.join("key.pem"),
    }
}

pub async fn connect(world: &World, protocol: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let cert = CertificateDer::from_pem_file(files().cert).expect("a certificate");
    roots.add(cert).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(world.addr).await.expect("it listens");
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.expect("a handshake")
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_carries_both_protocols() {
    let config = Config {
        tls: Some(files()),
        ..Config::default()
    };
    let world = World::start_with(config).await;
    let stream = connect(&world, "http/1.1").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut client = Client::over(stream);
    let reply = client
        .post("/v1/call/account/al/deposit", "{\"amount\":5}")
        .await;
    assert_eq!((reply.status, reply.text()), (200, "5"));

    let stream = connect(&world, "h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut sender = h2(stream).await;
    let uri = "https://localhost/v1/query/account/al/balance";
    assert_eq!(ask(&mut sender, "GET", uri, "").await, (200, "5".into()));

    let mut plain = world.client().await;
    plain
        .send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    let mut other = Client::over(connect(&world, "http/1.1").await);
    assert_eq!(
        other.get("/healthz").await.status,
        200,
        "one without TLS hurts no other"
    );
    world.stop().await;
}

/// The only answer there is to it is text of HTTP/1.1, so nothing else may be agreed on.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_offers_http2_beyond_the_limit_is_turned_away_in_words_it_reads() {
    let mut config = Config {
        tls: Some(files()),
        ..Config::default()
    };
    config.limits.connections_max = 1;
    let world = World::start_with(config).await;
    let mut one = Client::over(connect(&world, "http/1.1").await);
    assert_eq!(one.get("/healthz").await.status, 200);
    for protocol in ["h2", "http/1.1"] {
        let stream = connect(&world, protocol).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), None, "{protocol}");
        let mut client = Client::over(stream);
        let reply = client.get("/healthz").await;
        assert_eq!(reply.problem(), (503, "too_many_connections".into()));
    }
}

#[tokio::test]
async fn certificates_that_are_none_stop_the_start() {
    let bind = |cert, key| {
        let tls = Some(TlsFiles { cert, key });
        Server::bind(Config {
            tls,
            ..Config::default()
        })
    };
    let TlsFiles { cert, key } = files();
    let missing = bind(cert.with_file_name("nothing.pem"), key.clone())
        .await
        .err();
    assert!(
        matches!(missing, Some(BindError::TlsFile { .. })),
        "{missing:?}"
    );
    let swapped = bind(key.clone(), cert.clone())
        .await
        .err()
        .expect("a refusal");
    assert!(swapped.to_string().contains("key.pem"), "{swapped}");
    let keyless = bind(cert.clone(), cert).await.err().expect("a refusal");
    let said = keyless.to_string();
    assert!(
        said.ends_with("no private key that could be used; one with a passphrase cannot"),
        "{said}"
    );
}
