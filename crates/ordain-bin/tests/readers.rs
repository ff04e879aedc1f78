//! Readers that go away: what a process does is the same, whether anyone takes what it says or not.

mod common;

use std::net::TcpListener;
use std::process::{Command, Stdio};

use common::{Server, ordain};

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
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-HUP", &id]).status().unwrap();
    assert!(killed.success());
    let code = child.wait().unwrap().code();
    assert_eq!(
        code,
        Some(1),
        "it is interrupted, and does not wait for an answer"
    );
    assert_eq!(home.path().read_dir().unwrap().count(), 0);
}
