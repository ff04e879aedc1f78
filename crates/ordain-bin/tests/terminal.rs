//! What others say is no order to the terminal of whoever reads it.

mod common;

use std::io::{BufReader, Read};

use common::{Dev, Server, ordain, text};
use serde_json::{Value, json};

/// Says what it is told in every way there is.
const ECHO: &str = r#"
import { entity, query, reject } from "ordain";
type Said = { s: string };
export const echo = entity({ said: "" }, {
  throws(_, { s }: Said): null { throw new Error(s); },
  rejects(_, { s }: Said): null { reject("no", s, { s }); },
  says(cx, { s }: Said): string { cx.log(s); cx.state.said = s; return s; },
  said: query((cx): string => cx.state.said),
});
"#;

/// Orders to a terminal: its title, colours, a mark that turns the direction of the text.
const ORDERS: &str = "a\u{1b}]0;pwn\u{7}\u{1b}[31m\u{9b}31m\u{7f}\r\u{202e}b";

#[track_caller]
fn no_orders(what: &str, said: &str) {
    let order = |it: char| it.is_control() && it != '\n' && it != '\t' || it == '\u{202e}';
    assert!(!said.contains(order), "{what}: {said:?}");
}

#[test]
fn what_others_say_is_no_order_to_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("echo.ts"), ECHO).unwrap();
    let mut server = Server::start_in(home, &["--log-format", "human"]);
    server.get(&["deploy", "echo.ts"]);
    let args = json!({ "s": ORDERS }).to_string();
    let (code, fault) = server.fails(&["call", "echo/a", "throws", &args]);
    assert!(code == 6 && fault.contains("pwn\\u0007"), "{fault:?}");
    assert!(fault.contains("\n    at throws (echo.ts:5:"), "{fault}");
    let (code, rejected) = server.fails(&["call", "echo/a", "rejects", &args]);
    assert!(code == 5 && rejected.contains("details: "), "{rejected:?}");
    no_orders("fault", &fault);
    no_orders("rejection", &rejected);
    for words in [
        ["call", "echo/a", "says", &args].as_slice(),
        &["query", "echo/a", "said"],
        &["--json", "query", "echo/a", "said"],
        &["get", "echo/a"],
    ] {
        let said = server.get(words);
        no_orders(&format!("{words:?}"), &said);
        let value: Value = serde_json::from_str(&said).unwrap();
        let value = ["value", "said"]
            .iter()
            .find_map(|at| value.get(at))
            .unwrap_or(&value);
        assert_eq!(value, ORDERS, "{words:?}: who reads it gets the same value");
    }
    let stderr = server.child.stderr.take().unwrap();
    let (_, home) = server.stop();
    let mut log = String::new();
    BufReader::new(stderr).read_to_string(&mut log).unwrap();
    assert!(
        log.contains("a method failed fault=") && log.contains("pwn\\u0007"),
        "{log}"
    );
    assert!(log.contains("at throws (echo.ts:5:"), "{log}");
    no_orders("the server's log", &log);
    let output = ordain(home.path(), &["log", "dump"]).output().unwrap();
    let dump = text(&output.stdout);
    assert!(output.status.success() && dump.contains("pwn"), "{dump}");
    no_orders("log dump", &dump);
}

#[test]
fn what_dev_tells_is_no_order_to_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("echo.ts"), ECHO).unwrap();
    let mut dev = Dev::start(home.path(), &["echo.ts"]);
    let args = json!({ "s": ORDERS }).to_string();
    for (method, begins) in [
        ("says", "log      "),
        ("rejects", "rejected "),
        ("throws", "fault    "),
    ] {
        let mut call = ordain(home.path(), &["call", "echo/a", method, &args]);
        let call = call.env("ORDAIN_URL", &dev.url);
        no_orders(method, &text(&call.output().unwrap().stderr));
        let said = dev.until(begins).join("\n");
        assert!(said.contains("pwn\\u0007"), "{said}");
        no_orders(method, &said);
    }
    let place = dev.until("         at ");
    assert_eq!(place.len(), 1, "{place:?}");
    assert!(place[0].contains("throws (echo.ts:5:"), "{place:?}");
}
