//! Bytes sent to a server's socket: heads, paths, query strings, headers, bodies, batches, HTTP/2,
//! WebSocket messages. Whatever they are, what comes back is HTTP whose failures are problem documents,
//! the connection ends, and the server answers the next one.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ordain_api::Problem;
use ordain_log::disk::MemoryDisk;
use ordain_node::Node;
use ordain_server::{Config, Limits, Server};
use ordain_store::MemoryStore;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use crate::{entities, seeds};

/// Long after every time limit of the server.
const PATIENCE: Duration = Duration::from_secs(20);

/// The target.
pub fn check(data: &[u8]) {
    let mut socket = connect();
    // The server may have refused, answered and gone before all was sent.
    let _ = socket.write_all(data);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection did not end: {error}"),
    }
    judge(&answer);
}

/// Holds the first answer of HTTP/1 against what every answer must be.
fn judge(answer: &[u8]) {
    if answer.is_empty() || !answer.starts_with(b"HTTP/1.") {
        return;
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("a head has an end");
    let head = std::str::from_utf8(&answer[..end]).expect("a head is text");
    let status: u16 = head[9..12].parse().expect("a status is a number");
    assert!((101..600).contains(&status) && status != 500, "{head}");
    let body = &answer[end + 4..];
    let value = |name: &str| {
        let mut lines = head.lines().map(str::to_ascii_lowercase);
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let length = value("content-length:").and_then(|length| length.parse().ok());
    if let Some(body) = length.and_then(|length| body.get(..length))
        && status >= 400
        && !body.is_empty()
    {
        let problem: Problem = serde_json::from_slice(body).expect("a problem document");
        assert_eq!(problem.status, status);
        assert!(problem.table_code().is_some() || status == 422, "{problem}");
        assert_eq!(
            value("content-type:").as_deref(),
            Some("application/problem+json")
        );
    }
}

/// Each connection from an address of its own, so that ports do not run out.
fn connect() -> TcpStream {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (runtime, server) = server();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, a, b, _] = (next / 250).to_be_bytes();
    let from = Ipv4Addr::new(127, a, b, 2 + (next % 250) as u8);
    let opened = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        socket.connect(*server).await?.into_std()
    });
    let socket = opened.expect("the server takes a connection");
    socket.set_nonblocking(false).expect("it blocks");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// One server for all inputs of the process.
fn server() -> &'static (Runtime, SocketAddr) {
    static SERVER: OnceLock<(Runtime, SocketAddr)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let limits = Limits {
            head_timeout: Duration::from_secs(2),
            body_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(2),
            write_timeout: Duration::from_secs(2),
            ..Limits::default()
        };
        let config = Config {
            limits,
            ..Config::default()
        };
        let server = runtime.block_on(Server::bind(config)).expect("it listens");
        let disk = Arc::new(MemoryDisk::new());
        let store = Arc::new(MemoryStore::default());
        let catalog = entities::entities();
        let opened = Node::open_on(disk, store, catalog, seeds::options(), &mut |_| {});
        server.handle().set_node(opened.expect("a node opens").0);
        let addr = server.local_addr();
        runtime.spawn(server.serve(std::future::pending()));
        (runtime, addr)
    })
}
