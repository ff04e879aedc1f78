//! What the command line prints of answers, whatever is in them: from a server that says anything.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use common::{ordain, text};

/// Answers each request with this body.
fn answering(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nordain-seq: 7\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn a_value_is_printed_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    for value in [r#""\ud800""#, r#"{"b":1.00,"a":[12345678901234567890123]}"#] {
        let url = answering(value);
        for word in ["call", "query"] {
            let mut command = ordain(home.path(), &[word, "account/a", "balance", "--json"]);
            let output = command.env("ORDAIN_URL", &url).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            let expected = format!(r#"{{"seq":7,"value":{value}}}"#);
            assert_eq!(text(&output.stdout), expected);
        }
    }
}

/// Whoever got no answer can ask again under the key that was used.
#[test]
fn the_key_of_a_call_that_may_have_run_is_told() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap();
        let head = text(&head[..read]).to_lowercase();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("idempotency-key: "));
        key.expect("each call has one").trim().to_owned()
    });
    let mut command = ordain(home.path(), &["call", "account/a", "deposit"]);
    let output = command.env("ORDAIN_URL", &url).output().unwrap();
    let (key, said) = (server.join().unwrap(), text(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("whether the call ran is not known"), "{said}");
    assert!(
        said.contains(&format!("its idempotency key: {key}")),
        "{said}"
    );

    // Nobody listens there any more.
    let mut command = ordain(home.path(), &["call", "account/a", "deposit"]);
    let output = command.env("ORDAIN_URL", &url).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(!said.contains("key"), "nothing was sent: {said}");
}
