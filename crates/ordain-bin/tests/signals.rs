//! Signals to a server that still owes an answer.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use common::Server;

const HEAD: &str = "POST /v1/call/account/a/deposit HTTP/1.1\r\nhost: localhost\r\n\
                    content-type: application/json\r\ncontent-length: 12\r\n\r\n";
const BODY: &str = "{\"amount\":5}";

/// A request whose body is still to come, once the server knows of it.
fn begun(server: &Server) -> TcpStream {
    let mut tcp = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    tcp.write_all(HEAD.as_bytes()).unwrap();
    // The asking itself is one of them.
    while !metrics(server).contains("ordain_http_requests_in_flight 2") {}
    tcp
}

fn metrics(server: &Server) -> String {
    let mut tcp = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let get = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    tcp.write_all(get.as_bytes()).unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn one_wish_that_comes_twice_is_one_wish() {
    let mut server = Server::start();
    let mut tcp = begun(&server);
    let id = server.child.id();
    let both = format!("kill -TERM {id}; kill -INT {id}");
    assert!(
        Command::new("sh")
            .args(["-c", &both])
            .status()
            .unwrap()
            .success()
    );
    // The port is closed: the first was taken, and the second came with it.
    while TcpStream::connect(server.url.trim_start_matches("http://")).is_ok() {}
    tcp.write_all(BODY.as_bytes()).unwrap();
    let mut reply = String::new();
    tcp.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn who_asks_again_does_not_wait() {
    let mut server = Server::start();
    let _tcp = begun(&server);
    let code = loop {
        match server.child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None => server.signal("-TERM"),
        }
    };
    assert_eq!(code, Some(1), "a reply was still owed");
}
