//! The command line as real processes on loopback: what they print, what they write, how they end.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Server, ordain, signal, text};
use serde_json::{Value, json};

/// How long a program that cannot start may take to say so.
const ENDS_MAX: Duration = Duration::from_secs(60);

#[test]
fn a_start_without_threads_ends() {
    let home = tempfile::tempdir().unwrap();
    // Far more stacks than there is address space for.
    let script = "ulimit -v 409600 && exec \"$0\" serve --port 0";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_ordain")]);
    shell
        .env("TOKIO_WORKER_THREADS", "512")
        .env_remove("RUST_BACKTRACE");
    shell.current_dir(home.path()).stdin(Stdio::null());
    shell.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > ENDS_MAX {
            child.kill().unwrap();
            panic!("it neither starts nor ends");
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot start the server's threads"), "{said}");
}

fn run_in(dir: &Path, words: &[&str]) -> (i32, String, String) {
    let output = ordain(dir, words).output().unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn calls_queries_and_sends_give_their_values() {
    let server = Server::start();
    assert_eq!(
        server.get(&["call", "account/alice", "deposit", r#"{"amount":5}"#]),
        "5"
    );
    assert_eq!(server.get(&["query", "account/alice", "balance"]), "5");
    let reply: Value = serde_json::from_str(&server.get(&[
        "call",
        "account/alice",
        "deposit",
        r#"{"amount":2}"#,
        "--json",
    ]))
    .unwrap();
    assert_eq!(reply["value"], 7);
    let seq = reply["seq"].to_string();
    assert_eq!(
        server.get(&["query", "account/alice", "balance", "--min-seq", &seq]),
        "7"
    );

    let once = [
        "call",
        "account/k",
        "deposit",
        r#"{"amount":1}"#,
        "--idempotency-key",
        "k1",
    ];
    assert_eq!(server.get(&once), "1");
    assert_eq!(server.get(&once), "1", "ran once");
    assert_eq!(server.get(&["get", "account/k"]), r#"{"balance":1}"#);

    let id = server.get(&["send", "account/bob", "deposit", r#"{"amount":3}"#]);
    let pending = server.get(&[
        "send",
        "account/bob",
        "deposit",
        r#"{"amount":4}"#,
        "--delay",
        "1h",
    ]);
    assert!(
        server
            .get(&["invocation", &pending])
            .starts_with("pending account/bob.deposit")
    );
    // A send without delay runs at once after it: the seq after its own sees it.
    let seq = id.split('.').next().unwrap().parse::<u64>().unwrap() + 1;
    let bob = [
        "query",
        "account/bob",
        "balance",
        "--min-seq",
        &seq.to_string(),
    ];
    assert_eq!(server.get(&bob), "3");
    let done: Value = serde_json::from_str(&server.get(&["invocation", &id, "--json"])).unwrap();
    assert_eq!(
        (&done["status"], &done["value"]),
        (&json!("completed"), &json!(3))
    );

    let entities = server.get(&["entities"]);
    assert!(
        entities.starts_with("entity\tmethod\tkind\targuments\tvalue\n"),
        "{entities}"
    );
    assert!(entities.contains("account\tdeposit\tupdate\tamount: integer\tinteger"));
    let entities: Value = serde_json::from_str(&server.get(&["entities", "--json"])).unwrap();
    assert!(entities["entities"].as_array().unwrap().len() > 1);
    assert_eq!(server.stop().0, Some(0), "SIGTERM ends with 0");
}

#[test]
fn failures_have_their_codes_and_say_what_to_do() {
    let server = Server::start();
    let (code, said) = server.fails(&["call", "account/a", "withdraw", r#"{"amount":5}"#]);
    assert_eq!(code, 5);
    assert!(
        said.starts_with("rejected: insufficient_funds: balance is 0"),
        "{said}"
    );
    for (words, expected) in [
        (
            ["call", "acount/a", "deposit", "{}"],
            "did you mean account?",
        ),
        (
            ["call", "account/a", "depsoit", "{}"],
            "did you mean deposit?",
        ),
        (["call", "account/a", "deposit", "{"], "malformed_json"),
        (["call", "account/a", "deposit", "{}"], "amount"),
        (
            ["query", "account/a", "deposit", r#"{"amount":1}"#],
            "wrong_method_kind",
        ),
    ] {
        let (code, said) = server.fails(&words);
        assert_eq!(code, 4, "{said}");
        assert!(
            said.starts_with("refused: ") && said.contains(expected),
            "{said}"
        );
    }
    for (words, expected) in [
        (vec!["call", "account", "deposit"], "type/key"),
        (
            vec!["call", "account/a", "deposit", "--url", "nonsense"],
            "http://",
        ),
        (vec!["invocation", "12"], "1234.0"),
        (
            vec!["send", "account/a", "deposit", "--delay", "5"],
            "500ms",
        ),
        (vec!["cal"], "call"),
        (vec!["log"], "verify"),
        (
            vec!["token", "new", "x", "--scope", "root"],
            "call, read, admin",
        ),
    ] {
        let (code, said) = server.fails(&words);
        assert_eq!(code, 2, "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    let (code, said) = server.fails(&["state-hash", "--dir", ".ordain"]);
    assert_eq!(code, 9, "{said}");

    let nobody = [
        "call",
        "account/a",
        "deposit",
        "--url",
        "http://127.0.0.1:1",
        "--retries",
        "0",
    ];
    let (code, said) = server.fails(&nobody);
    assert_eq!(code, 3);
    assert!(said.contains("is the server running"), "{said}");
}

#[test]
fn what_was_answered_is_there_after_a_kill_and_can_be_looked_at() {
    let server = Server::start();
    for _ in 0..3 {
        server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    }
    let home = server.kill();

    let (code, report, _) = run_in(home.path(), &["log", "verify", "--json"]);
    assert_eq!(code, 0);
    let report: Value = serde_json::from_str(&report).unwrap();
    let (code, lines, _) = run_in(home.path(), &["log", "dump"]);
    assert_eq!(code, 0);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.last().unwrap()["seq"], report["last_seq"]);
    assert_eq!(lines[0]["command"], "genesis");
    let calls = lines
        .iter()
        .filter(|line| line["command"] == "call")
        .count();
    assert_eq!(calls, 3);
    assert_eq!(lines.last().unwrap()["args"], json!({ "amount": 5 }));
    let (_, part, _) = run_in(home.path(), &["log", "dump", "--from", "2", "--to", "3"]);
    let seqs: Vec<u64> = part
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["seq"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(seqs, [2, 3]);

    let (code, offline, said) = run_in(home.path(), &["state-hash", "--dir", ".ordain"]);
    assert_eq!(code, 0, "{said}");
    let server = Server::start_in(home, &[]);
    assert_eq!(server.get(&["query", "account/a", "balance"]), "15");
    assert_eq!(server.get(&["state-hash"]), offline);
}

#[test]
fn a_backup_restores_to_the_same_state() {
    let server = Server::start();
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    let said = server.get(&["backup", "one.backup"]);
    assert!(said.starts_with("written: one.backup"), "{said}");
    let hash = server.get(&["state-hash"]);
    let (code, said) = server.fails(&["backup", "one.backup"]);
    assert_eq!(code, 2);
    assert!(said.contains("--force"), "{said}");
    server.get(&["backup", "one.backup", "--force"]);
    server.get(&[
        "restore",
        "one.backup",
        "--dir",
        "two",
        "--segment-size",
        "1MiB",
    ]);
    let log = std::fs::read_dir(server.home.path().join("two/log")).unwrap();
    let log = log.map(|entry| entry.unwrap().metadata().unwrap().len());
    assert_eq!(log.max(), Some(1 << 20), "as it was asked for");
    assert_eq!(server.get(&["state-hash", "--dir", "two"]), hash);
    let (code, said) = server.fails(&["restore", "one.backup", "--dir", "two"]);
    assert_eq!(code, 1, "{said}");

    let (_, home) = server.stop();
    let path = home.path().join("one.backup");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (code, _, said) = run_in(home.path(), &["restore", "one.backup", "--dir", "three"]);
    assert_eq!(code, 7, "{said}");
    let unfinished = std::fs::read_dir(home.path()).unwrap();
    let names = unfinished.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.ends_with("unfinished")));
}

#[test]
fn a_damaged_log_stops_the_start_with_its_code() {
    let server = Server::start();
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    let home = server.kill();
    let log = home.path().join(".ordain/log");
    let segments = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let segment = segments
        .filter(|path| path.extension().is_some_and(|it| it == "segment"))
        .min();
    let segment = segment.unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let needle = b"{\"amount\":5}";
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap();
    bytes[at + 10] = b'6';
    std::fs::write(&segment, bytes).unwrap();
    for words in [
        &["log", "verify"][..],
        &["log", "dump"],
        &["serve", "--port", "0"],
    ] {
        let (code, _, said) = run_in(home.path(), words);
        assert_eq!(code, 7, "{words:?}: {said}");
        let file = segment.file_name().unwrap().to_str().unwrap();
        assert!(
            said.contains(file) && said.contains("offset"),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn another_builds_tail_is_refused_unless_asked_for() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--build", "one"]);
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    let home = server.kill();
    let words = ["serve", "--port", "0", "--build", "two"];
    let (code, _, said) = run_in(home.path(), &words);
    assert_eq!(code, 8, "{said}");
    assert!(
        said.contains("one") && said.contains("--replay-other-build"),
        "{said}"
    );
    let server = Server::start_in(home, &["--build", "two", "--replay-other-build"]);
    assert_eq!(server.get(&["query", "account/a", "balance"]), "5");
}

#[test]
fn without_the_programs_own_entities_it_is_another_build() {
    let home = tempfile::tempdir().unwrap();
    let bank = "import { entity } from 'ordain';\n\
        export const account = entity({ n: 0 }, { add(cx) { return (cx.state.n += 1); } });\n";
    std::fs::write(home.path().join("bank.ts"), bank).unwrap();
    // With the others, the one call and the one deployment would come to faults: no later batch holds their digests.
    let whole = Server::start_in(home, &[]);
    whole.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    let home = whole.kill();
    let (code, _, said) = run_in(home.path(), &["serve", "--port", "0", "--modules-only"]);
    assert_eq!(code, 8, "{said}");
    let whole = Server::start_in(home, &[]);
    assert_eq!(whole.get(&["query", "account/a", "balance"]), "5");
    let (_, home) = whole.stop();
    let bare = Server::start_in(home, &["--dir", "bare", "--modules-only"]);
    bare.get(&["deploy", "bank.ts"]);
    let home = bare.kill();
    for words in [
        &["serve", "--port", "0"][..],
        &["state-hash"],
        &["backup", "all"],
    ] {
        let (code, _, said) = run_in(home.path(), &[words, &["--dir", "bare"]].concat());
        assert_eq!(code, 8, "{words:?}: {said}");
        assert!(said.contains("-modules-only (ordain"), "{words:?}: {said}");
    }
    for words in [&["state-hash"][..], &["backup", "all"]] {
        let words = [words, &["--dir", "bare", "--modules-only"]].concat();
        let (code, _, said) = run_in(home.path(), &words);
        assert_eq!(code, 0, "{words:?}: {said}");
    }
    let bare = Server::start_in(home, &["--dir", "bare", "--modules-only"]);
    assert_eq!(bare.get(&["call", "account/a", "add"]), "1");
}

#[test]
fn a_start_says_a_handful_of_lines() {
    let server = Server::start();
    let [program, data, address, ready] = &server.said[..] else {
        panic!("{:?}", server.said)
    };
    assert!(
        program.starts_with("ordain ") && program.contains(", build "),
        "{program}"
    );
    assert!(
        data.starts_with("data     /") && data.ends_with("/.ordain"),
        "{data}"
    );
    assert_eq!(address, &format!("address  {}", server.url));
    assert_eq!(ready, "ready    seq 0, 0 replayed");
    let version = server.get(&["--version"]);
    let build = version
        .split("build ")
        .nth(1)
        .unwrap()
        .trim_end_matches(')');
    assert!(program.ends_with(build), "{program} {version}");
}

#[test]
fn a_flag_counts_more_than_a_variable_than_the_file_than_the_default() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("ordain.toml"),
        "retries = 1\ntimeout = \"1s\"\nport = 1\n",
    )
    .unwrap();
    let output = ordain(home.path(), &["config", "--json", "--retries", "3"])
        .env("ORDAIN_RETRIES", "2")
        .env("ORDAIN_TIMEOUT", "2s")
        .env("ORDAIN_BEARER_TOKEN", "s3cret")
        .output()
        .unwrap();
    let printed = text(&output.stdout);
    let all: Value = serde_json::from_str(&printed).unwrap();
    let is = |key: &str, value: &str, origin: &str| {
        assert_eq!(all[key], json!({ "value": value, "origin": origin }));
    };
    is("retries", "3", "--retries");
    is("timeout", "2s", "ORDAIN_TIMEOUT");
    is("port", "1", "ordain.toml");
    is("retention", "24h", "default");
    is("bearer_token", "(set)", "ORDAIN_BEARER_TOKEN");
    assert!(!printed.contains("s3cret"));
}

#[test]
fn settings_that_cannot_be_used_are_told_with_their_place() {
    let home = tempfile::tempdir().unwrap();
    let check = |toml: &str, env: Option<(&str, &str)>, words: &[&str], expected: &[&str]| {
        std::fs::write(home.path().join("ordain.toml"), toml).unwrap();
        let mut command = ordain(home.path(), &[&["config"], words].concat());
        command.envs(env);
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{toml} {env:?} {words:?}: {said}"
        );
        for part in expected {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
    };
    check(
        "retrys = 1",
        None,
        &[],
        &["`retrys` (ordain.toml)", "retries"],
    );
    check(
        "port = \"high\"",
        None,
        &[],
        &["port", "high", "ordain.toml", "0 to 65535"],
    );
    check("port = true", None, &[], &["port", "true", "ordain.toml"]);
    check("port = ", None, &[], &["ordain.toml is not TOML"]);
    check(
        "",
        Some(("ORDAIN_RETRYS", "1")),
        &[],
        &["ORDAIN_RETRYS", "did you mean ORDAIN_RETRIES"],
    );
    check(
        "",
        Some(("ORDAIN_TIMEOUT", "5")),
        &[],
        &["ORDAIN_TIMEOUT", "500ms"],
    );
    check(
        "",
        None,
        &["--retries", "many"],
        &["--retries", "whole number"],
    );
    check("", None, &["--config", "none.toml"], &["none.toml"]);
    check("", None, &["--tls-cert", "a.pem"], &["tls_cert", "tls_key"]);
    check(
        "[[token]]\nname = \"a\"",
        None,
        &[],
        &["[[token]]", "scopes"],
    );
    check(
        "[[token]]\nname=\"a\"\nscopes=[\"call\"]\nsha256=\"0\"",
        None,
        &[],
        &["SHA-256"],
    );
    let open = ordain(
        home.path(),
        &["serve", "--listen", "0.0.0.0", "--port", "0"],
    );
    std::fs::write(home.path().join("ordain.toml"), "").unwrap();
    let output = { open }.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("without tokens"));
}

#[test]
fn a_made_token_opens_the_server_it_is_configured_for() {
    let home = tempfile::tempdir().unwrap();
    let words = ["token", "new", "shop", "--scope", "call,read"];
    let (code, printed, said) = run_in(home.path(), &words);
    assert_eq!(code, 0);
    assert!(said.contains("shown only now") && !printed.contains("shown"));
    let token = printed.lines().next().unwrap().to_owned();
    let toml = &printed[printed.find("[[token]]").unwrap()..];
    assert!(!toml.contains(&token));
    std::fs::write(home.path().join("ordain.toml"), toml).unwrap();
    let server = Server::start_in(home, &[]);
    let call = ["call", "account/a", "deposit", r#"{"amount":5}"#];
    let (code, said) = server.fails(&call);
    assert_eq!(code, 4);
    assert!(said.contains("unauthenticated"), "{said}");
    assert!(said.ends_with("as ORDAIN_BEARER_TOKEN"), "{said}");
    let with_token = [&call[..], &["--bearer-token", &token]].concat();
    assert_eq!(server.get(&with_token), "5");
    let (code, said) = server.fails(&["state-hash", "--bearer-token", &token]);
    assert_eq!(code, 4);
    assert!(
        said.contains("forbidden") && said.contains("admin"),
        "{said}"
    );
}

#[test]
fn a_reader_that_goes_away_and_a_taken_port_end_as_documented() {
    let server = Server::start();
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    let mut dump = ordain(server.home.path(), &["log", "dump"]);
    let mut child = dump
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, said) = {
        let (code, _, said) = run_in(
            server.home.path(),
            &["serve", "--dir", "other", "--port", &port],
        );
        (code, said)
    };
    assert_eq!(code, 1);
    assert!(said.contains("listening on"), "{said}");
}

#[test]
fn dev_prints_a_line_to_paste_for_each_method() {
    let home = tempfile::tempdir().unwrap();
    let mut command = ordain(home.path(), &["dev", "--temp", "--port", "0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_curl = |line: &String| line.starts_with("curl ");
    let mut lines = lines.map(Result::unwrap).filter(is_curl);
    let line = lines.next().unwrap();
    let (url, rest) = line["curl ".len()..].split_once("/v1/").unwrap();
    assert_eq!(rest, "call/account/a/deposit --json '{\"amount\":1}'");
    let (_, listed, _) = run_in(home.path(), &["entities", "--json", "--url", url]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let all = listed["entities"].as_array().unwrap().iter();
    let methods = all.map(|it| it["methods"].as_array().unwrap().len());
    signal(&child, "-INT");
    let more: Vec<_> = lines.collect();
    assert_eq!(1 + more.len(), methods.sum::<usize>(), "{more:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(
        std::fs::read_dir(home.path()).unwrap().count(),
        0,
        "nothing is left here"
    );
}

#[test]
fn help_and_completions_are_there() {
    let home = tempfile::tempdir().unwrap();
    let (code, help, _) = run_in(home.path(), &["--help"]);
    assert_eq!(code, 0);
    assert!(
        help.contains("Exit codes:") && !help.contains('\u{1b}'),
        "{help}"
    );
    let (code, help, _) = run_in(home.path(), &["serve", "--help"]);
    assert_eq!(code, 0);
    assert!(
        help.contains("--checkpoint-log") && help.contains("ORDAIN_CHECKPOINT_LOG"),
        "{help}"
    );
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run_in(home.path(), &["completions", shell]);
        assert_eq!(code, 0);
        assert!(script.contains("state-hash"), "{shell}");
    }
}
