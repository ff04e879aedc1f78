//! Stores that cannot be written or read: what a server says of them, how it stops, how commands end.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use common::{Server, ordain, text};
use tempfile::TempDir;

/// Changes what is in the middle of the store's tables; the blocks at their ends say where what is.
fn damage(dir: &Path) {
    let tables = dir.join("store/tree/tables");
    for table in fs::read_dir(tables).unwrap() {
        let path = table.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let (from, to) = (bytes.len() / 4, bytes.len() / 2);
        bytes[from..to].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::write(path, bytes).unwrap();
    }
}

/// The whole answer to a request.
fn post(server: &Server, path: &str, media: &str, body: &str) -> String {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {media}\r\n\
         content-length: {length}\r\n\r\n"
    );
    let mut reading = stream.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut answer = String::new();
        reading.read_to_string(&mut answer).unwrap();
        answer
    });
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    reader.join().unwrap()
}

/// A server with a store that has many blocks, none of them in memory.
fn with_a_store(more: &[&str]) -> Server {
    let server = Server::start();
    let line = |key| {
        format!(r#"{{"entity":"account","key":"{key}","method":"deposit","args":{{"amount":5}}}}"#)
    };
    let lines: Vec<String> = (0..5_000).map(line).collect();
    let answer = post(
        &server,
        "/v1/batch",
        "application/x-ndjson",
        &lines.join("\n"),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (code, home) = server.stop();
    assert_eq!(code, Some(0));
    Server::start_in(home, more)
}

fn said_by(server: &mut Server) -> String {
    let mut said = String::new();
    server.signal("-KILL");
    let mut stderr = server.child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn a_damaged_store_is_called_damaged_in_words() {
    let mut server = with_a_store(&["--checkpoint-interval", "1h"]);
    let home = server.home.path().to_owned();
    damage(&home.join(".ordain"));
    let (code, said) = server.fails(&["state-hash"]);
    assert_eq!(code, 7, "{said}");
    assert!(said.starts_with("damaged: store_damaged:"), "{said}");
    assert!(
        said.contains("a block is not what its checksum says"),
        "{said}"
    );
    let in_words = |said: &str| {
        assert!(!said.contains('{') && !said.contains("Checksum"), "{said}");
        assert!(!said.contains("has stopped"), "{said}");
    };
    in_words(&said);
    // Calls go on.
    server.get(&["call", "account/0", "deposit", r#"{"amount":5}"#]);
    let (code, said) = server.fails(&["backup", "a.ordain"]);
    assert_eq!(code, 7, "{said}");
    in_words(&said);
    assert!(!said.contains("idempotency"), "{said}");
    assert!(!home.join("a.ordain.unfinished").exists());
    let logged = said_by(&mut server);
    assert!(
        logged.contains("the state could not be read for its hash"),
        "{logged}"
    );
    assert!(
        logged.contains("a backup was not taken to its end"),
        "{logged}"
    );
    server.child.wait().unwrap();
    for words in [
        &["state-hash", "--dir", ".ordain"][..],
        &["backup", "a.ordain", "--dir", ".ordain"],
    ] {
        let output = ordain(&home, words).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{words:?}: {said}");
        in_words(&said);
    }
}

/// A file system with little space, unmounted when dropped. None where nothing can be mounted.
struct Small {
    path: PathBuf,
    _home: TempDir,
}

impl Small {
    fn mount(size: &str) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("small");
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        let option = format!("size={size}");
        mount.args(["-t", "tmpfs", "-o", &option, "ordain-test"]);
        let mounted = mount.arg(&path).status().is_ok_and(|ended| ended.success());
        mounted.then_some(Self { path, _home: home })
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Takes all space that is left.
fn fill(dir: &Path) {
    let mut dd = Command::new("dd");
    let out = format!("of={}", dir.join("others").display());
    let _ = dd.args(["if=/dev/zero", &out, "bs=4k"]).output().unwrap();
}

#[test]
fn a_stop_on_a_full_disk_says_what_it_left_and_how_to_go_on() {
    let Some(small) = Small::mount("16m") else {
        eprintln!("nothing can be mounted here: not tried");
        return;
    };
    let data = small.path.join("data");
    let words = [
        "--dir",
        data.to_str().unwrap(),
        "--segment-size",
        "1MiB",
        "--checkpoint-interval",
        "1h",
    ];
    let old = [&words[..], &["--build", "old"]].concat();
    let server = Server::start_in(tempfile::tempdir().unwrap(), &old);
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    fill(&small.path);
    let said = post(&server, "/v1/admin/checkpoint", "application/json", "");
    assert!(said.contains(r#""code":"disk_full""#), "{said}");
    assert!(!said.contains("has stopped"), "{said}");
    let stopped = stop(server);
    assert_eq!(stopped.0, 10, "{}", stopped.1);
    assert!(
        stopped.1.contains("stopped without a last checkpoint"),
        "{}",
        stopped.1
    );
    assert!(
        stopped.1.contains("start this build once more"),
        "{}",
        stopped.1
    );

    fs::remove_file(small.path.join("others")).unwrap();
    let new = [&["serve", "--port", "0"], &words[..], &["--build", "new"]].concat();
    let refused = ordain(&small.path, &new).output().unwrap();
    assert_eq!(refused.status.code(), Some(8), "{}", text(&refused.stderr));
    let server = Server::start_in(tempfile::tempdir().unwrap(), &old);
    assert_eq!(server.get(&["query", "account/a", "balance"]), "5");
    let stopped = stop(server);
    assert_eq!(stopped.0, 0, "{}", stopped.1);
    let server = Server::start_in(tempfile::tempdir().unwrap(), &new[3..]);
    assert_eq!(server.get(&["query", "account/a", "balance"]), "5");
}

#[test]
fn a_start_without_room_for_the_log_says_what_it_takes() {
    let Some(small) = Small::mount("512k") else {
        eprintln!("nothing can be mounted here: not tried");
        return;
    };
    let words = [
        "serve",
        "--port",
        "0",
        "--dir",
        "d",
        "--segment-size",
        "1MiB",
    ];
    let output = ordain(&small.path, &words).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("A start needs space for one segment (1048576 bytes)"),
        "{said}"
    );
    assert!(!said.contains("by itself"), "{said}");
}

/// Its exit code, and what it said.
fn stop(mut server: Server) -> (i32, String) {
    server.signal("-TERM");
    let mut said = String::new();
    let mut stderr = server.child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    (server.child.wait().unwrap().code().unwrap(), said)
}
