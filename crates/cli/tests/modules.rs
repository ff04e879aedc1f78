//! Modules from the command line, by real processes: this program is both the tests and, started again
//! by them, a command line with a host of toys in it.

#[path = "../../engine/tests/common/toy.rs"]
#[allow(
    dead_code,
    reason = "shared with the engine's tests; here a part is used"
)]
mod toy;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;

use ordain_engine::{Catalog, Modules, TypeDef};
use ordain_types::module::{ModuleHash, Package, Place, Source, SourceError};
use ordain_types::{EntityType, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use toy::{Toy, counter};

/// Set for those processes that are the command line.
const PROGRAM: &str = "A_PROGRAM_WITH_TOYS";
const TYPES: &str = "declare module \"ordain\" {}\n";

/// Toys, but that one which is `wrong` has a place.
struct Host;

impl Modules for Host {
    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        let main = source.files.iter().find(|file| file.path == source.main);
        let main = main.expect("the source was checked");
        match main.bytes.starts_with(b"wrong") {
            true => Err(SourceError {
                file: Some(main.path.clone()),
                line: Some(3),
                column: Some(7),
                message: "expected something right".to_owned(),
            }),
            false => Toy.compile(source),
        }
    }

    fn place(&self, _: ModuleHash, _: &EntityType, _: Option<&Method>) -> Option<Place> {
        Some(Place {
            file: "3d.ts".to_owned(),
            line: 2,
            column: 14,
        })
    }

    fn load(&self, hash: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String> {
        Toy.load(hash, package)
    }
}

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_some() {
        let hosting = ordain_cli::Hosting {
            modules: Arc::new(Host),
            types: TYPES,
            tests: None,
        };
        return ordain_cli::run_hosting(Catalog::default(), hosting, Vec::new());
    }
    let tests: [(&str, fn()); 8] = [
        ("deployed, listed, gone back to, taken away", a_life),
        ("what is refused", refusals),
        ("where the asker is", elsewhere),
        ("projects and types", projects),
        ("development", development),
        ("development under another name", another_name),
        ("what is not dropped", not_dropped),
        ("where development keeps its state", scratch),
    ];
    for (name, test) in tests {
        println!("test {name}");
        test();
    }
    ExitCode::SUCCESS
}

fn program(home: &Path, words: &[&str]) -> Command {
    let this = std::env::current_exe().expect("this program");
    let mut command = Command::new(this);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORDAIN_") {
            command.env_remove(name);
        }
    }
    command.env(PROGRAM, "1").stdin(Stdio::null());
    command.current_dir(home).args(words);
    command
}

/// Exit code, standard output and standard error.
fn run(home: &Path, url: &str, words: &[&str]) -> (i32, String, String) {
    let mut command = program(home, words);
    if !url.is_empty() {
        command.env("ORDAIN_URL", url);
    }
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let code = output.status.code().expect("it ends by itself");
    (code, text(&output.stdout), text(&output.stderr))
}

/// A process that serves.
struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Server {
    fn start(home: &Path, words: &[&str]) -> Self {
        Self::of(program(home, &[words, &["--port", "0"]].concat()))
    }

    fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let out = child.stdout.take().expect("it is piped");
        let mut server = Self {
            child,
            lines: BufReader::new(out).lines(),
            url: String::new(),
        };
        let address = server.hear("address  ");
        server.url = address["address  ".len()..].to_owned();
        server.hear("ready");
        server
    }

    /// The next line that begins so.
    fn hear(&mut self, begins: &str) -> String {
        let mut others = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.expect("it is text");
            if line.starts_with(begins) {
                return line;
            }
            others.push(line);
        }
        panic!("no line begins with `{begins}`: {others:?}");
    }

    fn stop(mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("there is a kill").success());
        let code = self.child.wait().expect("it ends").code();
        assert_eq!(code, Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn save(home: &TempDir, file: &str, text: &str) {
    fs::write(home.path().join(file), text).expect("it can be written");
}

fn make_pipe(home: &TempDir, file: &str) {
    let pipe = home.path().join(file);
    let made = Command::new("mkfifo").arg(pipe).status();
    assert!(made.expect("it runs").success());
}

#[track_caller]
fn does(home: &TempDir, server: &Server, words: &[&str]) -> String {
    let (code, out, error) = run(home.path(), &server.url, words);
    assert_eq!(code, 0, "{words:?}: {error}");
    out
}

#[track_caller]
fn fails(home: &TempDir, server: &Server, words: &[&str]) -> (i32, String) {
    let (code, out, error) = run(home.path(), &server.url, words);
    assert_eq!(out, "", "{words:?}");
    (code, error)
}

fn a_life() {
    let home = home();
    let server = Server::start(home.path(), &["serve"]);
    save(&home, "bank.ts", &counter(1).to_string());
    let planned = does(&home, &server, &["deploy", "bank.ts", "--dry-run"]);
    assert!(planned.starts_with("module bank: ") && planned.contains("none is in force"));
    assert!(
        planned.contains("counter\tadd\tadded\t\tupdate (any)"),
        "{planned}"
    );
    assert_eq!(
        does(&home, &server, &["modules"]).lines().count(),
        1,
        "the head"
    );

    let said = does(&home, &server, &["deploy", "bank.ts"]);
    assert!(said.starts_with("module bank: version 1 (") && said.ends_with(") is in force"));
    let said = does(&home, &server, &["deploy", "bank.ts"]);
    assert!(said.ends_with("is in force already"), "{said}");
    assert_eq!(does(&home, &server, &["call", "counter/a", "add"]), "1");
    let entities = does(&home, &server, &["entities"]);
    assert!(entities.contains("counter\tadd\tupdate\tany"), "{entities}");

    save(&home, "bank.ts", &counter(10).to_string());
    let planned = does(&home, &server, &["deploy", "bank.ts", "--dry-run"]);
    assert!(
        planned.contains("only what methods do is different"),
        "{planned}"
    );
    let json = does(&home, &server, &["deploy", "bank.ts", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["version"], &json["changed"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(does(&home, &server, &["call", "counter/a", "add"]), "11");
    let said = does(&home, &server, &["rollback", "bank"]);
    assert!(said.starts_with("module bank: version 3"), "{said}");
    assert_eq!(does(&home, &server, &["call", "counter/a", "add"]), "12");
    does(&home, &server, &["rollback", "bank", "--to", "2"]);

    let list = does(&home, &server, &["modules"]);
    let row: Vec<&str> = list.lines().nth(1).expect("a row").split('\t').collect();
    assert_eq!(
        (row[0], row[1], row[3], row[4]),
        ("bank", "4", "javascript", "counter")
    );
    let versions = does(&home, &server, &["modules", "bank"]);
    assert!(versions.contains("\n3\trollback to 1\t"), "{versions}");
    assert!(
        versions
            .lines()
            .nth(4)
            .is_some_and(|line| line.ends_with("\tyes"))
    );

    // What opens the directory by itself has the host as well.
    let hash = does(&home, &server, &["state-hash"]);
    server.stop();
    let (code, offline, error) = run(home.path(), "", &["state-hash", "--dir", ".ordain"]);
    assert_eq!((code, offline), (0, hash), "{error}");
    let server = Server::start(home.path(), &["serve"]);
    assert_eq!(does(&home, &server, &["call", "counter/a", "add"]), "22");

    let (code, said) = fails(&home, &server, &["undeploy", "bank"]);
    assert!(
        code == 4 && said.contains("holds_state") && said.contains("--keep-state"),
        "{said}"
    );
    let said = does(&home, &server, &["undeploy", "bank", "--keep-state"]);
    assert_eq!(said, "module bank: out of force");
    assert!(does(&home, &server, &["modules"]).contains("bank\tnone\t"));
    server.stop();
}

fn refusals() {
    let home = home();
    let server = Server::start(home.path(), &["serve"]);
    fs::create_dir(home.path().join("shop")).expect("a directory");
    save(&home, "shop/main.ts", "wrong");
    let (code, said) = fails(&home, &server, &["deploy", "shop"]);
    assert_eq!(
        (code, &*said),
        (4, "shop/main.ts:3:7: expected something right")
    );
    save(&home, "bank.ts", &counter(1).to_string());
    save(&home, "3d.ts", &counter(1).to_string());
    does(&home, &server, &["deploy", "bank.ts"]);
    for (words, code, says) in [
        (
            &["deploy", "3d.ts", "--name", "other"][..],
            4,
            "3d.ts:2:14: the entity type `counter` belongs to the module `bank`",
        ),
        (&["deploy", "3d.ts"], 2, "--name"),
        (&["deploy", "none.ts"], 1, "none.ts"),
        (&["deploy", "bank.ts", "--name", "Bank"], 2, "a-z"),
        (&["rollback", "bank"], 4, "unknown_version"),
        (&["rollback", "other"], 4, "unknown_module"),
        (&["undeploy", "other"], 4, "unknown_module"),
        (&["modules", "other"], 4, "unknown_module"),
        (&["dev", "none.ts"], 1, "none.ts"),
    ] {
        let (is, said) = fails(&home, &server, words);
        assert!(is == code && said.contains(says), "{words:?}: {is} {said}");
    }
    assert_eq!(
        does(&home, &server, &["call", "counter/a", "add"]),
        "1",
        "it goes on"
    );
    server.stop();
}

/// What is deployed is the same wherever the asker is, and its places are shown from there.
fn elsewhere() {
    let home = home();
    let server = Server::start(home.path(), &["serve"]);
    fs::create_dir(home.path().join("app")).expect("a directory");
    save(&home, "shared.ts", "");
    let mut toy = counter(1);
    toy["counter"]["from"] = json!("../shared");
    let mut planned = BTreeSet::new();
    for (below, file, place) in [
        ("", "app/bank.ts", "app/bank.ts"),
        ("app", "bank.ts", "bank.ts"),
        ("app", "../app/bank.ts", "bank.ts"),
    ] {
        let at = home.path().join(below);
        let words = ["deploy", file, "--dry-run"];
        save(&home, "app/bank.ts", &toy.to_string());
        let (code, out, error) = run(&at, &server.url, &words);
        assert_eq!(code, 0, "{file} in `{below}`: {error}");
        planned.insert(out);
        save(&home, "app/bank.ts", "wrong: '../shared'");
        let (code, _, said) = run(&at, &server.url, &words);
        let expected = format!("{place}:3:7: expected something right");
        assert_eq!((code, said), (4, expected), "{file} in `{below}`");
    }
    assert_eq!(planned.len(), 1, "one module: {planned:?}");
    server.stop();
}

fn projects() {
    let home = home();
    for (words, files) in [
        (
            &["new", "bank"][..],
            &[
                "bank/bank.ts",
                "bank/bank.test.ts",
                "bank/ordain.d.ts",
                "bank/tsconfig.json",
            ][..],
        ),
        (
            &["new", "shop", "--lang", "rust"],
            &["shop/Cargo.toml", "shop/src/lib.rs"],
        ),
        (&["types"], &["ordain.d.ts"]),
    ] {
        let (code, _, error) = run(home.path(), "", words);
        assert_eq!(code, 0, "{words:?}: {error}");
        for file in files {
            assert!(home.path().join(file).is_file(), "{file}");
        }
    }
    let types = fs::read_to_string(home.path().join("bank/ordain.d.ts")).expect("a file");
    assert_eq!(types, TYPES);
    let (code, _, said) = run(home.path(), "", &["new", "bank"]);
    assert!(code == 2 && said.contains("not empty"), "{said}");
    let (code, out, _) = run(home.path(), "", &["types", "-"]);
    assert_eq!((code, &*out), (0, TYPES.trim_end()));

    // Types are written over types alone.
    save(&home, "bank.ts", "mine");
    symlink("bank.ts", home.path().join("link.ts")).expect("a link");
    symlink("ordain.d.ts", home.path().join("types.ts")).expect("a link");
    make_pipe(&home, "pipe.ts");
    for file in ["bank.ts", "link.ts", "types.ts", "pipe.ts", "bank"] {
        let (code, _, said) = run(home.path(), "", &["types", file]);
        let expected = format!("{file} is there, and `types` did not write it");
        assert!(code == 2 && said.starts_with(&expected), "{file}: {said}");
    }
    let kept = fs::read_to_string(home.path().join("bank.ts")).expect("a file");
    assert_eq!(kept, "mine");
    let (code, out, error) = run(home.path(), "", &["types"]);
    assert_eq!((code, &*out), (0, "written: ordain.d.ts"), "{error}");
}

fn development() {
    let home = home();
    let mut toy = counter(1);
    save(&home, "bank.ts", &toy.to_string());
    let mut server = Server::start(home.path(), &["dev", "bank.ts"]);
    server.hear("deployed bank version 1 in ");
    let curl = server.hear("curl ");
    assert!(
        curl.ends_with("/v1/call/counter/a/add --json '{}'"),
        "{curl}"
    );
    assert_eq!(does(&home, &server, &["call", "counter/a", "add"]), "1");

    toy["counter"]["methods"]["tell"] = json!({"kind": "update", "does": "careful"});
    save(&home, "bank.ts", &toy.to_string());
    server.hear("deployed bank version 2 in ");
    server.hear("         + counter.tell");
    let curl = server.hear("curl ");
    assert!(curl.contains("/counter/a/tell"), "only what is new: {curl}");
    assert_eq!(does(&home, &server, &["call", "counter/a", "tell"]), "2");
    server.hear("log      counter/a.tell: the second run");

    save(&home, "bank.ts", "wrong");
    server.hear("bank.ts:3:7: expected something right");
    let said = server.hear("error    ");
    assert!(said.ends_with("not deployed; version 2 goes on"), "{said}");
    assert_eq!(does(&home, &server, &["call", "counter/a", "add"]), "3");
    fs::remove_file(home.path().join("bank.ts")).expect("it is there");
    server.hear("error    cannot read bank.ts");
    make_pipe(&home, "bank.ts");
    server.hear("error    bank.ts is no file");
    fs::remove_file(home.path().join("bank.ts")).expect("it is there");
    server.hear("error    cannot read bank.ts");
    server.stop();

    save(&home, "bank.ts", &toy.to_string());
    let mut server = Server::start(home.path(), &["dev", "bank.ts"]);
    server.hear("in force bank version 2");
    assert_eq!(
        does(&home, &server, &["query", "counter/a", "look"]),
        "3",
        "it was kept"
    );
    server.stop();
    // What another version of the program left is dropped as well.
    save(
        &home,
        ".ordain-dev/ordain",
        "ordain data directory, format 1\n",
    );
    let mut server = Server::start(home.path(), &["dev", "bank.ts", "--fresh"]);
    server.hear("deployed bank version 1");
    assert_eq!(does(&home, &server, &["query", "counter/a", "look"]), "0");
    server.stop();
}

/// The module of the name before would be in the way of the same one under another.
fn another_name() {
    let home = home();
    let rename = |from: &str, to: &str| {
        fs::rename(home.path().join(from), home.path().join(to)).expect("it is there");
    };
    save(&home, "bank.ts", &counter(1).to_string());
    let mut server = Server::start(home.path(), &["dev", "bank.ts"]);
    server.hear("deployed bank version 1");
    does(&home, &server, &["call", "counter/a", "add"]);
    server.stop();

    rename("bank.ts", "ledger.ts");
    let mut server = Server::start(home.path(), &["dev", "ledger.ts"]);
    let said = server.hear("undeployed bank");
    assert_eq!(said, "undeployed bank: what its entities hold is kept");
    server.hear("deployed ledger version 1");
    assert_eq!(does(&home, &server, &["query", "counter/a", "look"]), "1");
    assert!(does(&home, &server, &["modules"]).contains("bank\tnone\t"));
    server.stop();

    // In a directory that is named, others may be in force on purpose.
    rename("ledger.ts", "bank.ts");
    let mut server = Server::start(home.path(), &["dev", "bank.ts", "--dir", ".ordain-dev"]);
    let said = server.hear("refused  ");
    assert!(said.contains("ledger"), "{said}");
    server.stop();
}

/// What cannot start drops nothing, and nothing that is not Ordain's is dropped.
fn not_dropped() {
    let home = home();
    save(&home, "bank.ts", &counter(1).to_string());
    let server = Server::start(home.path(), &["dev", "bank.ts"]);
    let port = server.url.rsplit(':').next().expect("it has one");
    let there = || {
        let log = fs::read_dir(home.path().join("other/log"));
        log.expect("it is there").count()
    };
    let words = ["dev", "bank.ts", "--dir", "other"];
    drop(Server::start(home.path(), &words));
    let before = there();
    for (port, says) in [
        (port, "listening on"),
        ("0", "other/mine.ts is not Ordain's"),
    ] {
        let words = [&words[..], &["--fresh", "--port", port]].concat();
        let (code, _, said) = run(home.path(), "", &words);
        assert!(code == 1 && said.contains(says), "{code} {said}");
        assert_eq!(there(), before, "{says}");
        save(&home, "other/mine.ts", "mine");
    }
    server.stop();
}

/// What it drops is what it made, never what servers are told to use.
fn scratch() {
    let home = home();
    save(&home, "bank.ts", &counter(1).to_string());
    save(&home, "ordain.toml", "dir = \"data\"");
    let server = Server::start(home.path(), &["serve"]);
    does(&home, &server, &["deploy", "bank.ts"]);
    assert_eq!(does(&home, &server, &["call", "counter/a", "add"]), "1");
    server.stop();
    let fresh = ["dev", "bank.ts", "--fresh", "--port", "0"];
    let by_file = program(home.path(), &fresh);
    let mut by_variable = program(home.path(), &fresh);
    by_variable.env("ORDAIN_DIR", "data");
    for command in [by_file, by_variable] {
        let mut server = Server::of(command);
        server.hear("deployed bank version 1");
        server.stop();
    }
    let server = Server::start(home.path(), &["serve"]);
    assert_eq!(
        does(&home, &server, &["query", "counter/a", "look"]),
        "1",
        "a server's data stay"
    );
    server.stop();
}
