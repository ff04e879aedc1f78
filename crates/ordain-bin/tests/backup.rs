//! `ordain backup`: what it replaces and what it never does, and what is left when it is ended.

mod common;

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Server, hangups_are_heard, ordain, signal, text};

/// How long a program may take to do what it is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> Server {
    let server = Server::start();
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    server
}

#[test]
fn what_is_no_file_is_never_replaced() {
    let server = server();
    let home = server.home.path();
    assert!(
        Command::new("mkfifo")
            .args([home.join("pipe"), home.join("free.unfinished")])
            .status()
            .unwrap()
            .success()
    );
    let _socket = UnixListener::bind(home.join("socket")).unwrap();
    fs::create_dir(home.join("dir")).unwrap();
    fs::write(home.join("file"), "mine").unwrap();
    symlink("nowhere", home.join("dangling")).unwrap();
    symlink("file", home.join("link")).unwrap();
    symlink("file", home.join("led.unfinished")).unwrap();
    for (path, kind) in [
        ("pipe", "pipe is a pipe"),
        ("socket", "socket is a socket"),
        ("dir", "dir is a directory"),
        ("dangling", "dangling is a symbolic link"),
        ("link", "link is a symbolic link"),
        // Where the bytes would be until they are whole.
        ("free", "free.unfinished is a pipe"),
        ("led", "led.unfinished is a symbolic link"),
        // Standard output, elsewhere.
        ("-", "goes to a file"),
    ] {
        let before = fs::symlink_metadata(home.join(path)).ok();
        for words in [&["backup", path][..], &["backup", path, "--force"]] {
            let (code, said) = server.fails(words);
            assert_eq!(code, 2, "{words:?}: {said}");
            assert!(said.contains(kind), "{words:?}: {said}");
        }
        let after = fs::symlink_metadata(home.join(path)).ok();
        let types = [before, after].map(|there| there.map(|there| there.file_type()));
        assert_eq!(types[0], types[1], "{path}");
    }
    assert_eq!(fs::read_to_string(home.join("file")).unwrap(), "mine");
    assert!(!home.join("nowhere").exists());
    let (code, said) = server.fails(&["backup", "file"]);
    assert_eq!(code, 2);
    assert!(said.contains("--force"), "{said}");
    let (code, said) = server.fails(&["backup", "new/"]);
    assert_eq!(code, 2, "{said}");
    let (code, said) = server.fails(&["restore", "-", "--dir", "new"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("/dev/stdin"), "{said}");
    server.get(&["backup", "file", "--force"]);
    assert_eq!(&fs::read(home.join("file")).unwrap()[..8], b"ORDSNAPS");
}

#[test]
fn a_path_need_not_be_utf8() {
    let server = server();
    let name = OsString::from_vec(b"a\xffb.ordain".to_vec());
    for json in [false, true] {
        let mut command = ordain(server.home.path(), &["backup", "--force"]);
        command.arg(&name).args(json.then_some("--json"));
        let output = command.env("ORDAIN_URL", &server.url).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("a\u{fffd}b.ordain"));
    }
    let mut restore = ordain(server.home.path(), &["restore", "--dir", "again"]);
    let output = restore.arg(&name).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// A server that begins a backup and does not go on.
fn stuck() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let held: Vec<_> = listener
            .incoming()
            .map(|stream| {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nORDSNAPS and not more",
                );
                stream
            })
            .collect();
        drop(held);
    });
    url
}

fn wait_for(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < PATIENCE, "it does not come");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn begin(home: &Path, url: &str) -> std::process::Child {
    let mut command = ordain(home, &["backup", "all.ordain"]);
    command.env("ORDAIN_URL", url).stdout(Stdio::null());
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| home.join("all.ordain.unfinished").exists());
    // The bytes so far need not be in the file, so this waits until the signals are listened to.
    let status = format!("/proc/{}/status", child.id());
    wait_for(|| {
        let status = fs::read_to_string(&status).unwrap();
        let caught = status.lines().find(|line| line.starts_with("SigCgt"));
        let mask = caught.unwrap().split_whitespace().nth(1).unwrap();
        u64::from_str_radix(mask, 16).unwrap() & 1 << 1 != 0
    });
    child
}

#[test]
fn a_backup_that_breaks_off_speaks_of_no_call() {
    let home = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nORDSNAPS");
        }
    });
    let mut command = ordain(home.path(), &["backup", "a.ordain", "--retries", "0"]);
    let output = command.env("ORDAIN_URL", &url).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("broke off") && said.contains("ask again"),
        "{said}"
    );
    assert!(!said.contains("idempotency"), "{said}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_signal_after_a_backup_has_its_name_says_that_it_is_there() {
    let server = server();
    let home = server.home.path();
    // Nobody reads what it is to say in the end, and there is no room for it.
    let (mut full, held) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    full.set_nonblocking(false).unwrap();
    let mut command = ordain(home, &["backup", "all.ordain"]);
    command
        .env("ORDAIN_URL", &server.url)
        .stdout(OwnedFd::from(full));
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| home.join("all.ordain").exists());
    signal(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("all.ordain is written"), "{said}");
    drop(held);
    server.get(&["restore", "all.ordain", "--dir", "restored"]);
}

#[test]
fn a_signal_removes_what_is_unfinished_and_a_kill_leaves_what_the_next_replaces() {
    let server = server();
    let (home, url) = (server.home.path(), stuck());
    let unfinished = home.join("all.ordain.unfinished");
    let names = &["-INT", "-TERM", "-HUP"][..if hangups_are_heard() { 3 } else { 2 }];
    for name in names {
        let child = begin(home, &url);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains("all.ordain is not written"), "{said}");
        assert!(!unfinished.exists(), "{name}");
    }
    let mut child = begin(home, &url);
    let (code, said) = server.fails(&["backup", "all.ordain"]);
    assert_eq!(code, 1);
    assert!(said.contains("another program is writing"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(unfinished.exists());
    server.get(&["backup", "all.ordain"]);
    assert!(!unfinished.exists());
}
