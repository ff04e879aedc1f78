//! What is said to whoever gave a word, a setting or a file that cannot be used: which it was, where it was
//! said, and what to do.

mod common;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Server, ordain, signal, text};

fn fails(dir: &Path, words: &[&str]) -> (i32, String) {
    let output = ordain(dir, words).output().unwrap();
    assert_eq!(text(&output.stdout), "", "{words:?}");
    (output.status.code().unwrap(), text(&output.stderr))
}

#[test]
fn a_certificate_that_is_not_trusted_is_no_server_that_is_away() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/server/tls");
    let (cert, key) = (files.join("cert.pem"), files.join("key.pem"));
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let home = tempfile::tempdir().unwrap();
    let server = Server::start_in(home, &["--tls-cert", cert, "--tls-key", key]);
    assert_eq!(
        server.get(&["call", "account/a", "balance", "--root-cert", cert]),
        "0"
    );
    let (code, said) = server.fails(&["call", "account/a", "balance"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("UnknownIssuer") && said.contains("`root_cert`"),
        "{said}"
    );
    assert!(!said.contains("running"), "{said}");
    // What `openssl req -x509` makes unless it is told otherwise.
    let (ca, home) = (files.join("ca.pem"), tempfile::tempdir().unwrap());
    let ca = ca.to_str().unwrap();
    let signs = Server::start_in(home, &["--tls-cert", ca, "--tls-key", key]);
    let (code, said) = signs.fails(&["call", "account/a", "balance", "--root-cert", ca]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("CA:FALSE"), "{said}");
    let plain = server.url.replace("https", "http");
    let (code, said) = server.fails(&["call", "account/a", "balance", "--url", &plain]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("https://"), "{said}");
    let plain = Server::start();
    let url = plain.url.replace("http", "https");
    let (code, said) = plain.fails(&["call", "account/a", "balance", "--url", &url]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("with http:// it may answer"), "{said}");
}

/// The line that is wrong may be that of the bearer token.
#[test]
fn a_file_of_settings_that_is_none_is_not_told_of_word_for_word() {
    let home = tempfile::tempdir().unwrap();
    let written = "port = 1\nbearer_token = \"secret\n";
    fs::write(home.path().join("ordain.toml"), written).unwrap();
    let (code, said) = fails(home.path(), &["config"]);
    assert_eq!(code, 2, "{said}");
    let place = "ordain.toml is not TOML: line 2, column 23: ";
    assert!(said.contains(place) && !said.contains("secret"), "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_one_is_named() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let serve = |dir: &str| {
        let words = ["serve", "--port", "0", "--dir", dir];
        let output = ordain(home.path(), &words).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let said = "cannot use the data directory: file: not a directory".to_owned();
    assert_eq!(serve("file"), (Some(1), said));
    let (code, said) = serve("file/below");
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("cannot use the data directory: file/below: "),
        "{said}"
    );
}

#[test]
fn a_current_directory_that_is_gone_is_not_taken_for_damage() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let start = format!(
        "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" serve --port 0 --dir '{}'",
        dir.display()
    );
    let output = Command::new("sh")
        .args(["-c", &start, env!("CARGO_BIN_EXE_ordain")])
        .current_dir(home.path())
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("cannot find the current directory to open "),
        "{said}"
    );
    // Nothing is wrong with what was begun.
    drop(Server::start_in(home, &["--dir", "data"]));
}

#[test]
fn settings_out_of_their_bounds_are_named_as_they_are_written() {
    let home = tempfile::tempdir().unwrap();
    let serve = |more: &[&str]| {
        let words = [&["serve", "--port", "0", "--dir", "d"], more].concat();
        ordain(home.path(), &words)
    };
    for (key, value, bounds) in [
        ("memory_budget", "0B", "at least 1048576 bytes"),
        ("store_cache", "1B", "at least 1048576 bytes"),
        ("segment_size", "1B", "at least 65536 bytes"),
        ("segment_size", "64GiB", "at most 4294967296"),
        ("checkpoint_log", "0B", "at least 1 byte"),
        ("checkpoint_interval", "0s", "at least 1 ms"),
        ("retention", "0s", "at least 1 ms"),
        ("queue_size", "1B", "at least 2097152 bytes"),
        ("queue_commands", "0", "at least 1"),
        ("connections", "0", "at least 1"),
        ("log_level", "wran", "did you mean warn?"),
        ("log_format", "jason", "did you mean json?"),
    ] {
        let flag = key.replace('_', "-");
        let variable = format!("ORDAIN_{}", key.to_uppercase());
        let file = home.path().join("ordain.toml");
        let by_flag = serve(&[&format!("--{flag}"), value]).output();
        let by_variable = serve(&[]).env(&variable, value).output();
        fs::write(&file, format!("{key} = \"{value}\"")).unwrap();
        let by_file = serve(&[]).output();
        let tried = ordain(home.path(), &["config"]).output();
        fs::remove_file(&file).unwrap();
        for (output, origin) in [
            (by_flag, format!("--{flag}")),
            (by_variable, variable),
            (by_file, "ordain.toml".to_owned()),
            (tried, "ordain.toml".to_owned()),
        ] {
            let output = output.unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{said}");
            let begin = format!("the setting {key} is `{value}` ({origin}), but must be ");
            assert!(said.starts_with(&begin), "{said}");
            assert!(said.contains(bounds), "{said}");
        }
    }
    assert!(!home.path().join("d").exists(), "nothing was begun");
}

#[test]
fn a_result_that_cannot_be_written_is_named() {
    let server = Server::start();
    for words in [
        &["config"][..],
        &["config", "--json"],
        &["types", "-"],
        &["log", "dump"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = ordain(server.home.path(), words);
        let output = command.stdout(full.unwrap()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        let expected = "cannot write standard output: No space left on device";
        assert!(said.starts_with(expected), "{words:?}: {said}");
    }
}

#[test]
fn a_server_has_no_json() {
    let home = tempfile::tempdir().unwrap();
    for words in [
        &["serve", "--json"][..],
        &["dev", "--json", "--temp"],
        &["--json", "serve"],
    ] {
        let words = [words, &["--port", "0"]].concat();
        let (code, said) = fails(home.path(), &words);
        assert!(
            code == 2 && said.contains("--log-format json"),
            "{words:?}: {said}"
        );
    }
    for (word, listed) in [("serve", false), ("dev", false), ("config", true)] {
        let help = ordain(home.path(), &[word, "--help"]).output().unwrap();
        assert_eq!(text(&help.stdout).contains("  --json"), listed, "{word}");
    }
}

#[test]
fn a_line_to_paste_shows_the_token_where_one_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let printed = ordain(home.path(), &["token", "new", "shop", "--scope", "call"]).output();
    let printed = text(&printed.unwrap().stdout);
    let lines = &printed[printed.find("[[token]]").unwrap()..];
    fs::write(home.path().join("ordain.toml"), lines).unwrap();
    let module = "import { entity } from \"ordain\";\nexport const one = entity({}, { m() {} });\n";
    fs::write(home.path().join("one.ts"), module).unwrap();
    for words in [&["dev"][..], &["dev", "one.ts"]] {
        let mut command = ordain(home.path(), &[words, &["--temp", "--port", "0"]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find_map(|line| line.ok().filter(|line| line.starts_with("curl ")));
        signal(&child, "-INT");
        child.wait().unwrap();
        let line = line.unwrap();
        let token = " -H \"Authorization: Bearer $ORDAIN_BEARER_TOKEN\"";
        assert!(line.ends_with(token), "{line}");
    }
}

#[test]
fn a_project_in_rust_says_how_it_becomes_a_component() {
    let home = tempfile::tempdir().unwrap();
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let clone = fs::canonicalize(clone).unwrap();
    let clone = clone.to_str().unwrap();
    let new = |name: &str, more: &[&str]| {
        let words = [&["new", name, "--lang", "rust"], more].concat();
        let output = ordain(home.path(), &words).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let readme = fs::read_to_string(home.path().join(name).join("README.md"));
        (text(&output.stderr), readme.unwrap())
    };
    let unpublished = "is not in the registry yet";
    let (said, readme) = new("shop", &["--sdk", clone]);
    assert_eq!(said, "");
    let build = format!("{clone}/sdk/rust/build.sh shop shop.wasm");
    assert!(
        readme.contains(&build) && !readme.contains(unpublished),
        "{readme}"
    );
    let (said, readme) = new("bank", &[]);
    assert!(
        said.contains(unpublished) && said.contains("--sdk"),
        "{said}"
    );
    assert!(readme.contains(unpublished), "{readme}");
    let core = "target/wasm32-unknown-unknown/release/bank.wasm";
    let component = format!("wasm-tools component new {core} --output bank.wasm");
    assert!(readme.contains(&component), "{readme}");
}

#[test]
fn an_id_that_is_none_is_told_what_one_is() {
    let home = tempfile::tempdir().unwrap();
    for id in ["", "7", "1.2.3"] {
        let (code, said) = fails(home.path(), &["invocation", id]);
        assert_eq!(code, 2);
        assert!(said.contains("of the form 1234.0"), "{said}");
        assert!(!said.contains("a-z"), "{said}");
    }
}

#[test]
fn a_marker_that_is_none_is_named() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("d");
    fs::create_dir(&data).unwrap();
    let serve = ["serve", "--port", "0", "--dir", "d"];
    let refused = || {
        let output = ordain(home.path(), &serve).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    fs::write(data.join("ordain"), "ordain data directory, format 2").unwrap();
    let (code, said) = refused();
    assert_eq!(code, Some(7), "{said}");
    assert!(
        said.starts_with("d/ordain is no data directory's marker"),
        "{said}"
    );
    fs::remove_file(data.join("ordain")).unwrap();
    fs::create_dir(data.join("ordain")).unwrap();
    let (code, said) = refused();
    assert_eq!(code, Some(7), "{said}");
    assert!(
        said.contains("d/ordain") && said.contains("it is no file"),
        "{said}"
    );
}

#[test]
fn a_backup_that_cannot_be_restored_is_named() {
    let server = Server::start();
    server.get(&["call", "account/a", "deposit", r#"{"amount":5}"#]);
    server.get(&["backup", "good.ordain"]);
    let home = server.home.path();
    let mut bytes = fs::read(home.join("good.ordain")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(home.join("bad.ordain"), bytes).unwrap();
    fs::write(home.join("other.ordain"), "no backup at all").unwrap();
    for file in ["bad.ordain", "other.ordain"] {
        let (code, said) = fails(home, &["restore", file, "--dir", &format!("{file}.d")]);
        assert_eq!(code, 7, "{said}");
        assert!(
            said.starts_with(&format!("cannot restore {file}: ")),
            "{said}"
        );
    }
    // One directory, one code, whatever is done with it: half a restore is not whole, and nothing is wrong with what
    // belongs to others.
    fs::create_dir(home.join("others")).unwrap();
    fs::write(home.join("others/file"), "").unwrap();
    for (dir, expected) in [("bad.ordain.d", 7), ("others", 1)] {
        for words in [&["restore", "good.ordain"][..], &["serve", "--port", "0"]] {
            let words = [words, &["--dir", dir]].concat();
            let output = ordain(home, &words).output().unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(expected), "{words:?}: {said}");
        }
    }
    let (code, said) = fails(home, &["restore", "others", "--dir", "new"]);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn a_variable_that_is_no_text_is_no_other_directory() {
    let home = tempfile::tempdir().unwrap();
    let name = OsString::from_vec(b"a\xffb".to_vec());
    let mut verify = ordain(home.path(), &["log", "verify"]);
    let output = verify.env("ORDAIN_DIR", &name).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let expected = "(ORDAIN_DIR), but must be a path in UTF-8";
    assert!(said.contains(expected), "{said}");
    // A path in a file of settings begins where the file is.
    fs::create_dir(home.path().join(&name)).unwrap();
    let file = home.path().join(&name).join("ordain.toml");
    fs::write(&file, "dir = \"data\"").unwrap();
    let mut verify = ordain(home.path(), &["log", "verify", "--config"]);
    let output = verify.arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

/// A path given by mistake may be that of anything. Nothing of it is read beyond what may be there.
#[test]
fn files_and_input_that_are_too_large_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    for name in ["large.toml", "large.ts", "large.wasm", "large.pem"] {
        let file = std::fs::File::create(home.path().join(name)).unwrap();
        file.set_len(64 << 30).unwrap();
    }
    let refused = |words: &[&str], code: i32, expected: &str| {
        let command = ordain(home.path(), words);
        // Room for a program, and not for such a file.
        let mut shell = Command::new("sh");
        let script = "ulimit -v 8388608 && exec \"$0\" \"$@\" < large.toml";
        shell.args(["-c", script]).arg(command.get_program());
        shell.args(command.get_args()).current_dir(home.path());
        let output = shell.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    };
    refused(
        &["serve", "--config", "large.toml"],
        2,
        "large.toml: it has more than 1048576 bytes",
    );
    refused(
        &["deploy", "large.ts"],
        2,
        "large.ts: a module has at most 67108864 bytes",
    );
    refused(
        &["deploy", "large.wasm"],
        2,
        "large.wasm: a module has at most 67108864 bytes",
    );
    refused(
        &["query", "account/a", "balance", "-"],
        2,
        "the arguments: it has more than",
    );
    let call = [
        "call",
        "account/a",
        "balance",
        "{}",
        "--root-cert",
        "large.pem",
    ];
    refused(&call, 1, "large.pem: it has more than 16777216 bytes");
}

/// Files, lines and columns of a module are for whoever operates or develops it: callers are told what was thrown.
#[test]
fn where_a_method_failed_is_said_to_who_has_the_admin_scope_alone() {
    let home = tempfile::tempdir().unwrap();
    let module =
        "import { entity } from 'ordain';\nexport const e = entity({}, { bad(cx) { null.x; } });";
    fs::write(home.path().join("shop.ts"), module).unwrap();
    let mut settings = String::new();
    let tokens = [("user", "call"), ("ops", "call,admin")].map(|(name, scopes)| {
        let mut new = ordain(home.path(), &["token", "new", name, "--scope", scopes]);
        let made = text(&new.output().unwrap().stdout);
        let (token, table) = made.split_once("[[token]]").unwrap();
        settings.push_str(&format!("[[token]]{table}\n"));
        token.trim().to_owned()
    });
    fs::write(home.path().join("ordain.toml"), settings).unwrap();
    let server = Server::start_in(home, &[]);
    let [user, ops] = tokens.each_ref();
    server.get(&["deploy", "shop.ts", "--bearer-token", ops]);
    let said = |token| {
        let (code, said) = server.fails(&["call", "e/a", "bad", "--bearer-token", token]);
        assert_eq!(code, 6, "{said}");
        said
    };
    let what = "fault: exception in e/a.bad: TypeError: cannot read property 'x' of null";
    assert_eq!(said(user), what);
    assert_eq!(said(ops), format!("{what}\n    at bad (shop.ts:2:41)"));
}
