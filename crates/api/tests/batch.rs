//! Lines of JSON: what is read, what is refused, and that both directions agree.

use std::borrow::Cow;

use ordain_api::batch::{self, CallLine, ReplyLine};
use ordain_api::{Op, Problem, WireCall};
use ordain_types::Seq;
use proptest::prelude::*;

fn call() -> WireCall<'static> {
    WireCall {
        op: Op::Call,
        entity: "account".into(),
        key: "al".into(),
        method: "deposit".into(),
        args: b"{\"amount\":5}",
        idempotency_key: None,
        delay_ms: None,
        min_seq: None,
    }
}

#[test]
fn a_line_is_borrowed_unless_it_holds_escapes() {
    let line = br#"{"id":7,"entity":"account","key":"al","method":"deposit","args":{"amount":5}}"#;
    let read = CallLine::parse(line).unwrap();
    assert_eq!(read.id, Some("7"));
    assert_eq!(read.call, call());
    assert!(matches!(read.call.key, Cow::Borrowed(_)));
    assert!(line.as_ptr_range().contains(&read.call.args.as_ptr()));
    let line = br#"{"entity":"account","key":"\u0061l","method":"deposit"}"#;
    let read = CallLine::parse(line).unwrap();
    assert_eq!(
        (&*read.call.key, read.call.args, read.id),
        ("al", &b"{}"[..], None)
    );
}

#[test]
fn golden_lines() {
    let mut out = Vec::new();
    CallLine {
        id: Some("7"),
        call: call(),
    }
    .write(&mut out);
    let send = WireCall {
        op: Op::Send,
        key: "a\"\n".into(),
        args: b"{\r\n}",
        idempotency_key: Some("k".into()),
        delay_ms: Some(5),
        ..call()
    };
    CallLine {
        id: None,
        call: send,
    }
    .write(&mut out);
    let query = WireCall {
        op: Op::Query,
        min_seq: Some(3),
        ..call()
    };
    CallLine {
        id: Some("null"),
        call: query,
    }
    .write(&mut out);
    batch::write_value(&mut out, Some("{\"a\":1}"), Some(Seq(9)), b"15");
    batch::write_value(&mut out, None, None, b"[1,\n2]");
    batch::write_problem(&mut out, Some("\"x\""), None, &Problem::stopping());
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r##"{"id":7,"entity":"account","key":"al","method":"deposit","args":{"amount":5}}
{"op":"send","entity":"account","key":"a\"\n","method":"deposit","args":{  },"idempotency_key":"k","delay_ms":5}
{"id":null,"op":"query","entity":"account","key":"al","method":"deposit","args":{"amount":5},"min_seq":3}
{"id":{"a":1},"seq":9,"value":15}
{"value":[1, 2]}
{"id":"x","error":{"type":"/docs/errors.md#stopping","title":"The server is stopping","status":503,"detail":"the server finishes what it accepted and takes nothing new; nothing ran","kind":"unavailable","code":"stopping","retry_after_ms":1000}}
"##
    );
}

#[test]
fn bad_lines_are_refused_with_their_id_where_it_can_be_read() {
    let deep = format!(r#"{{"id":1,"args":{}"#, "[".repeat(65));
    let large = format!(
        r#"{{"id":"{}","entity":"a","key":"k","method":"m"}}"#,
        "x".repeat(300)
    );
    let utf8 = b"{\"entity\":\"\xff\"}";
    for (line, code, id) in [
        (&b""[..], "malformed_json", None),
        (b"{", "malformed_json", None),
        (b"nonsense", "malformed_json", None),
        (utf8, "malformed_json", None),
        (b"[]", "bad_request", None),
        (b"7", "bad_request", None),
        (
            br#"[1,"call","a","k","m",{},null,null,null]"#,
            "bad_request",
            None,
        ),
        (b"{}", "bad_request", None),
        (br#"{"id":[1],"key":"k"}"#, "bad_request", Some("[1]")),
        (
            br#"{"id":1,"entity":"a","key":7,"method":"m"}"#,
            "bad_request",
            Some("1"),
        ),
        (
            br#"{"id":1,"op":"drop","entity":"a","key":"k","method":"m"}"#,
            "bad_request",
            Some("1"),
        ),
        (
            br#"{"id":1,"entity":"a","key":"k","method":"m","arg":{}}"#,
            "bad_request",
            Some("1"),
        ),
        (
            br#"{"id":1,"entity":"a","key":"k","method":"m","key":"l"}"#,
            "bad_request",
            Some("1"),
        ),
        (
            br#"{"id":1,"entity":"a","key":"k","method":"m","delay_ms":-1}"#,
            "bad_request",
            Some("1"),
        ),
        (
            br#"{"entity":"a","key":"k","method":"m"} {}"#,
            "malformed_json",
            None,
        ),
        (deep.as_bytes(), "json_too_deep", None),
        (large.as_bytes(), "bad_request", None),
    ] {
        let error = CallLine::parse(line).unwrap_err();
        let shown = String::from_utf8_lossy(line);
        assert_eq!((&*error.problem.code, error.id), (code, id), "{shown}");
    }
}

#[test]
fn arguments_may_nest_as_deep_in_a_line_as_alone() {
    let args = format!("{}{}", "[".repeat(64), "]".repeat(64));
    let line = format!(r#"{{"entity":"a","key":"k","method":"m","args":{args}}}"#);
    let read = CallLine::parse(line.as_bytes()).unwrap();
    assert!(read.call.check().is_ok());
}

#[test]
fn replies_are_read() {
    let read = ReplyLine::parse(br#"{"id":7,"seq":9,"value":null,"new":1}"#).unwrap();
    assert_eq!((read.id, read.seq), (Some("7"), Some(Seq(9))));
    assert_eq!(read.result.unwrap(), "null");
    let mut line = Vec::new();
    batch::write_problem(&mut line, Some("7"), None, &Problem::overloaded(5));
    let read = ReplyLine::parse(&line).unwrap();
    assert_eq!(read.result.unwrap_err().retry_after_ms, Some(5));
    for neither in ["{}", r#"{"id":1,"seq":2}"#, "[]", "", "{"] {
        assert!(ReplyLine::parse(neither.as_bytes()).is_err(), "{neither}");
    }
}

#[test]
fn blank_lines_are_passed_over() {
    let found: Vec<&[u8]> = batch::lines(b"\n{}\r\n \n\n1\n2").collect();
    assert_eq!(found, [&b"{}\r"[..], b"1", b"2"]);
}

proptest! {
    #[test]
    fn calls_round_trip(
        id in prop::option::of(any::<u64>().prop_map(|id| id.to_string())),
        op in prop_oneof![Just(Op::Call), Just(Op::Query), Just(Op::Send)],
        (entity, key, method, idempotency_key) in (".*", ".*", ".*", prop::option::of(".*")),
        delay_ms in prop::option::of(any::<u64>()),
        min_seq in prop::option::of(any::<u64>()),
        text in ".*",
    ) {
        let args = serde_json::json!({ "text": text }).to_string();
        let call = WireCall {
            op,
            entity: entity.into(),
            key: key.into(),
            method: method.into(),
            args: args.as_bytes(),
            idempotency_key: idempotency_key.map(Cow::Owned),
            delay_ms,
            min_seq,
        };
        let line = CallLine { id: id.as_deref(), call };
        let mut out = Vec::new();
        line.write(&mut out);
        prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1);
        prop_assert_eq!(CallLine::parse(&out).unwrap(), line);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = CallLine::parse(&bytes);
        let _ = ReplyLine::parse(&bytes);
    }
}
