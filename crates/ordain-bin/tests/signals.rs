//! Signals to a server, one that still owes an answer among them.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use common::{Server, hangups_are_heard, ordain, signal, text};

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
    get(server.url.trim_start_matches("http://"), "/metrics")
}

/// The whole answer.
fn get(address: &str, path: &str) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    tcp.write_all(head.as_bytes()).unwrap();
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

#[test]
fn who_asks_again_finds_nothing_left_of_what_was_temporary() {
    let home = tempfile::tempdir().unwrap();
    let mut dev = ordain(home.path(), &["dev", "--temp", "--port", "0"]);
    dev.env("TMPDIR", home.path());
    let mut server = Server::of(dev, home);
    let left = |server: &Server| std::fs::read_dir(server.home.path()).unwrap().count();
    assert_eq!(left(&server), 1);
    let _tcp = begun(&server);
    let code = loop {
        match server.child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None => server.signal("-TERM"),
        }
    };
    assert_eq!((code, left(&server)), (Some(1), 0));
}

#[test]
fn a_terminal_that_closes_stops_a_server_in_good_order() {
    if !hangups_are_heard() {
        return;
    }
    let mut server = Server::start();
    server.signal("-HUP");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

/// Takes a while, in a replay as well.
const SLOW: &str = "import { entity } from \"ordain\";\n\
    export const slow = entity({ n: 0 }, {\n\
      work(cx): number { for (let i = 0; i < 3_000_000; i++) { } return (cx.state.n += 1); } });\n";

#[test]
fn a_stop_during_a_replay_says_that_nothing_was_saved() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("slow.ts"), SLOW).unwrap();
    let more = ["--checkpoint-interval", "1h", "--build"];
    let build = |name| [&more[..], &[name]].concat();
    let server = Server::start_in(home, &build("old"));
    server.get(&["deploy", "slow.ts"]);
    for _ in 0..25 {
        server.get(&["call", "slow/a", "work"]);
    }
    let home = server.kill();
    let serve = |name| {
        let words = [
            &["serve", "--port", "0", "--log-format", "json"][..],
            &build(name),
        ];
        let mut command = ordain(home.path(), &words.concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut child = serve("old").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address =
        lines.find_map(|line| Some(line.unwrap().strip_prefix("address  http://")?.to_owned()));
    let address = address.unwrap();
    while !get(&address, "/readyz").contains("\"progress\"") {
        assert_eq!(child.try_wait().unwrap(), None);
    }
    signal(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{said}");
    assert!(said.contains("\"saved\":false"), "{said}");
    for line in said.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("all of it is JSON");
    }
    assert!(said.contains("stopped without a last checkpoint"), "{said}");
    let refused = serve("new").output().unwrap();
    assert_eq!(refused.status.code(), Some(8), "{}", text(&refused.stderr));
    let server = Server::start_in(home, &build("old"));
    assert_eq!(server.get(&["get", "slow/a"]), r#"{"n":25}"#);
    let (code, home) = server.stop();
    assert_eq!(code, Some(0));
    drop(Server::start_in(home, &build("new")));
}

/// The same command, to outlive its terminal, as `nohup` arranges.
fn outliving(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap());
    shell
}

#[test]
fn a_server_outlives_its_terminal_if_it_is_to() {
    let home = tempfile::tempdir().unwrap();
    let serve = ordain(home.path(), &["serve", "--port", "0"]);
    let server = Server::of(outliving(&serve), home);
    server.signal("-HUP");
    let said = server.get(&["call", "account/a", "deposit", BODY]);
    assert_eq!(said, "5");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_backup_outlives_its_terminal_if_it_is_to() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let words = ["backup", "file", "--url", &url, "--retries", "0"];
    let backup = ordain(home.path(), &words);
    let mut child = outliving(&backup).spawn().unwrap();
    let (mut asked, _) = listener.accept().unwrap();
    assert!(asked.read(&mut [0; 4]).unwrap() > 0);
    signal(&child, "-HUP");
    drop((asked, listener));
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(3), "it was the connection that ended it");
}
