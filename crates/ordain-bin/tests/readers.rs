//! Readers that go away: what a process does is the same, whether anyone takes what it says or not.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use common::{Server, hangups_are_heard, ordain, signal};

#[test]
fn a_server_whose_messages_nobody_takes_goes_on() {
    for format in ["json", "human"] {
        let home = tempfile::tempdir().unwrap();
        let more = ["--log-level", "debug", "--log-format", format];
        let mut server = Server::start_in(home, &more);
        drop(server.child.stderr.take());
        for balance in ["1", "2"] {
            let said = server.get(&["call", "account/a", "deposit", "{\"amount\":1}"]);
            assert_eq!(said, balance, "each call is a message");
        }
        assert_eq!(server.stop().0, Some(0), "and so is the stop");
    }
}

#[test]
fn a_backup_whose_terminal_is_gone_ends() {
    let home = tempfile::tempdir().unwrap();
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command = ordain(home.path(), &["backup", "file", "--url", &url]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let _asked = silent.accept().unwrap();
    let name = if hangups_are_heard() { "-HUP" } else { "-TERM" };
    signal(&child, name);
    let code = child.wait().unwrap().code();
    assert_eq!(
        code,
        Some(1),
        "it is interrupted, and does not wait for an answer"
    );
    assert_eq!(home.path().read_dir().unwrap().count(), 0);
}

#[test]
fn tests_that_nobody_reads_of_end_as_they_came_out() {
    let home = tempfile::tempdir().unwrap();
    let module = "import { entity } from \"ordain\";\nexport const one = entity({}, { m() {} });\n";
    std::fs::write(home.path().join("one.ts"), module).unwrap();
    let tests = "import { test } from \"ordain/test\";\n";
    for (body, expected) in [("", 0), ("throw new Error();", 1)] {
        let tests = format!("{tests}test(\"it\", () => {{ {body} }});\n");
        std::fs::write(home.path().join("one.test.ts"), tests).unwrap();
        for more in [&[][..], &["--json"]] {
            let mut command = ordain(home.path(), &[&["test"], more].concat());
            // Nobody reads from the beginning on.
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let status = command.stdout(writer).stderr(Stdio::null()).status();
            assert_eq!(status.unwrap().code(), Some(expected), "{body} {more:?}");
        }
    }
}

#[test]
fn a_server_whose_messages_nobody_reads_does_not_wait() {
    let home = tempfile::tempdir().unwrap();
    let module = "import { entity } from \"ordain\";\n\
                  export const loud = entity({}, { fails(): null { throw new Error(\"x\".repeat(1000)); } });";
    std::fs::write(home.path().join("loud.ts"), module).unwrap();
    let server = Server::start_in(home, &[]);
    server.get(&["deploy", "loud.ts"]);
    // More than a pipe holds: each fault is a message.
    let line = "{\"entity\":\"loud\",\"key\":\"a\",\"method\":\"fails\"}\n";
    let batch = line.repeat(500);
    let mut tcp = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        batch.len()
    );
    tcp.write_all(head.as_bytes()).unwrap();
    let mut writing = tcp.try_clone().unwrap();
    std::thread::spawn(move || writing.write_all(batch.as_bytes()));
    let mut replies = String::new();
    tcp.read_to_string(&mut replies).unwrap();
    assert_eq!(replies.matches("\"kind\":\"fault\"").count(), 500);
    let said = server.get(&["call", "account/a", "deposit", "{\"amount\":1}"]);
    assert_eq!(said, "1");
    assert_eq!(server.stop().0, Some(0));
}
