//! Data directories: what looks into one changes nothing, and what a start that was told something else says.

mod common;

use std::fs;

use common::{Server, ordain, text};
use serde_json::Value;
use tempfile::TempDir;

/// What a command that succeeds prints, as JSON.
fn json(home: &TempDir, words: &[&str]) -> Value {
    let output = ordain(home.path(), &[words, &["--json"]].concat())
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A module whose calls take much of the log.
const NOTES: &str = "import { entity } from \"ordain\";\n\
    export const notes = entity({ n: 0 }, { add(cx, { text }: { text: string }) { cx.state.n += text.length; } });\n";

#[test]
fn what_looks_into_a_directory_leaves_its_log_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("notes.ts"), NOTES).unwrap();
    let server = Server::start_in(home, &["--segment-size", "64KiB"]);
    server.get(&["deploy", "notes.ts"]);
    let args = format!("{{\"text\":\"{}\"}}", "x".repeat(50_000));
    for _ in 0..10 {
        server.get(&["call", "notes/a", "add", &args]);
    }
    let (_, home) = server.stop();
    // A segment that was made ahead and not used goes whenever a log is opened.
    let log = || {
        let report = json(&home, &["log", "verify"]);
        ["first_seq", "last_seq", "records", "bytes"].map(|it| report[it].as_u64().unwrap())
    };
    let before = log();
    let [first_seq, _, _, bytes] = before;
    assert!(first_seq == 1 && bytes > 9 * 50_000, "{before:?}");
    // Of each of these, a start would make something in the log.
    let others = [
        "--dir",
        ".ordain",
        "--history-size",
        "0B",
        "--retention",
        "1h",
    ];
    let hash = json(&home, &[&["state-hash"], &others[..]].concat());
    let backup = json(&home, &[&["backup", "all"], &others[..]].concat());
    let bare = ["state-hash", "--dir", ".ordain", "--modules-only"];
    assert_eq!(json(&home, &bare), hash);
    assert_eq!(backup["hash"], hash["hash"]);
    assert_eq!(log(), before);
}

#[test]
fn a_start_with_entities_that_clash_says_how_it_was_served() {
    let home = tempfile::tempdir().unwrap();
    let bank = "import { entity } from \"ordain\";\n\
        export const account = entity({ n: 0 }, { add(cx) { return (cx.state.n += 1); } });\n";
    fs::write(home.path().join("bank.ts"), bank).unwrap();
    let server = Server::start_in(home, &["--modules-only"]);
    server.get(&["deploy", "bank.ts"]);
    let (code, home) = server.stop();
    assert_eq!(code, Some(0));
    for words in [
        &["serve", "--port", "0"][..],
        &["state-hash", "--dir", ".ordain"],
    ] {
        let output = ordain(home.path(), words).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(8), "{said}");
        let whose = "the entity type `account` belongs to the server's own program";
        assert!(
            said.contains(whose) && said.contains("--modules-only"),
            "{said}"
        );
        assert!(!said.contains("another name"), "{said}");
    }
    let server = Server::start_in(home, &["--modules-only"]);
    assert_eq!(server.get(&["call", "account/a", "add"]), "1");
    // And so does a deployment to a server that has them, whose author is told of another name as well.
    let whole = Server::start();
    let bank = server.home.path().join("bank.ts");
    let (code, said) = whole.fails(&["deploy", bank.to_str().unwrap()]);
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains(
            "bank.ts:2:14: the entity type `account` belongs to the server's own program"
        ),
        "{said}"
    );
    assert!(said.ends_with("(--modules-only)"), "{said}");
    let other = "import { entity } from \"ordain\";\n\
        export const account = entity({ n: 1 }, { get(cx) { return cx.state.n; } });\n";
    fs::write(server.home.path().join("other.ts"), other).unwrap();
    let (code, said) = server.fails(&["deploy", "other.ts"]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("belongs to the module `bank`"), "{said}");
    assert!(!said.contains("--modules-only"), "{said}");
}

#[test]
fn what_looks_into_another_builds_log_names_the_command_that_replays_it() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--build", "one"]);
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    let home = server.kill();
    let others = ["--dir", ".ordain", "--build", "two"];
    for words in [&["state-hash"][..], &["backup", "all"]] {
        let output = ordain(home.path(), &[words, &others].concat())
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(8), "{words:?}: {said}");
        assert!(said.contains("(serve --replay-other-build)"), "{said}");
    }
}

#[test]
fn an_unfinished_write_and_a_log_without_records_are_told() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--segment-size", "64KiB"]);
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    server.get(&["backup", "all"]);
    server.get(&["restore", "all", "--dir", "restored"]);
    let home = server.kill();
    let empty = json(&home, &["log", "verify", "--dir", "restored"]);
    let (next, last) = (&empty["first_seq"], &empty["last_seq"]);
    assert_eq!(next.as_u64().unwrap(), last.as_u64().unwrap() + 1);
    assert_eq!(empty["unfinished"], Value::Null);
    let verify = |words: &[&str]| {
        let mut command = ordain(home.path(), &[&["log", "verify"], words].concat());
        text(&command.output().unwrap().stdout)
    };
    let said = verify(&["--dir", "restored"]);
    assert_eq!(said, format!("in order: empty, the next seq is {next}"));

    // The beginning of a write, where the next record would be.
    let segment = home.path().join(".ordain/log/0000000001.segment");
    let mut bytes = fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let offset = end.next_multiple_of(32);
    bytes[offset] = 1;
    fs::write(&segment, bytes).unwrap();
    let report = json(&home, &["log", "verify"]);
    let expected =
        serde_json::json!({ "file": "0000000001.segment", "offset": offset, "bytes": 1 });
    assert_eq!(report["unfinished"], expected);
    let said = verify(&[]);
    let told = format!("an unfinished write at 0000000001.segment, offset {offset}, never");
    assert!(said.contains(&told), "{said}");
}

#[test]
fn why_a_start_failed_is_json_where_that_was_asked_for() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let words = ["serve", "--port", "0", "--dir", "file"];
    let run = |more: &[&str]| {
        let output = ordain(home.path(), &[&words, more].concat())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let why = "cannot use the data directory: file: not a directory";
    assert_eq!(run(&["--log-format", "human"]), why);
    let said: Value = serde_json::from_str(&run(&["--log-format", "json"])).unwrap();
    assert_eq!(
        (&said["level"], &said["message"], &said["exit"]),
        (&"ERROR".into(), &why.into(), &1.into())
    );
    // Where the level lets no message of this through, it is not lost.
    let part = ["--log-format", "json", "--log-level", "ordain_log=info"];
    assert_eq!(run(&part), why);
}

#[test]
fn what_no_start_takes_is_refused_by_config() {
    let home = tempfile::tempdir().unwrap();
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/server/tls");
    let (cert, key) = (format!("{tls}/cert.pem"), format!("{tls}/key.pem"));
    let config = |words: &[&str]| {
        let output = ordain(home.path(), &[&["config"], words].concat()).output();
        let output = output.unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let levels = ["--log-level", "WARN, ordain_node=debug"];
    assert_eq!(config(&levels), (Some(0), String::new()));
    let server = Server::start_in(tempfile::tempdir().unwrap(), &levels);
    assert_eq!(server.stop().0, Some(0), "and so does a start");
    let (code, said) = config(&["--log-level", "info,x[=debug"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("log_level") && said.contains("x[=debug"),
        "{said}"
    );
    let of = |cert: &str, key: &str| config(&["--tls-cert", cert, "--tls-key", key]);
    assert_eq!(of(&cert, &key), (Some(0), String::new()));
    for (cert, key, named) in [
        ("none.pem", &*key, "none.pem"),
        (&*cert, "none.pem", "none.pem"),
        (&*cert, &*cert, "no private key"),
    ] {
        let (code, said) = of(cert, key);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(named), "{said}");
    }
}
