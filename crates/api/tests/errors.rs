//! The table of codes, its documentation, and the documents that go out.

use std::collections::BTreeSet;

use ordain_api::error::{ArgumentFault, HELP_PATH, HELP_TEXT};
use ordain_api::{Code, Kind, Op, Problem};
use ordain_types::{Fault, FaultKind, Json, Key, Method, MethodKind, Rejection, Seq};

#[test]
fn every_code_and_every_fault_has_its_help_entry_and_nothing_else_has_one() {
    let headings: Vec<&str> = HELP_TEXT
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let documented: BTreeSet<&str> = headings.iter().copied().collect();
    assert_eq!(headings.len(), documented.len(), "an entry is there twice");
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let faults = FaultKind::ALL.iter().map(|kind| kind.code());
    assert_eq!(documented, codes.chain(faults).collect());
}

/// A server serves this page and no other.
#[test]
fn the_page_has_no_links_to_others() {
    let links = HELP_TEXT.split("](").skip(1);
    let others: Vec<_> = links.filter(|link| !link.starts_with('#')).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn a_code_that_also_is_a_fault_says_what_it_means_for_each() {
    for kind in FaultKind::ALL {
        let entry = HELP_TEXT
            .split("\n### ")
            .find(|entry| entry.lines().next() == Some(kind.code()));
        let both = Code::from_name(kind.code()).is_some();
        assert_eq!(
            entry.unwrap().contains("**Fault:**"),
            both,
            "{}",
            kind.code()
        );
    }
}

#[test]
fn the_table_is_consistent() {
    for &code in Code::ALL {
        assert_eq!(Code::from_name(code.as_str()), Some(code));
        assert_eq!(code.help(), format!("{HELP_PATH}#{}", code.as_str()));
        let expected = match code.status() {
            422 => Kind::Rejection,
            500 if code == Code::Fault => Kind::Fault,
            409 if code == Code::SeqNotReached => Kind::Unavailable,
            429 | 500.. => Kind::Unavailable,
            _ => Kind::Refused,
        };
        assert_eq!(code.kind(), expected, "{}", code.as_str());
    }
}

#[track_caller]
fn check(problem: &Problem, document: &str) {
    let written = String::from_utf8(problem.to_json()).unwrap();
    assert_eq!(written, document);
    let read: Problem = serde_json::from_str(&written).unwrap();
    assert_eq!(String::from_utf8(read.to_json()).unwrap(), document);
}

#[test]
fn a_rejection_keeps_its_own_words_even_when_the_table_has_them() {
    let problem = Problem::from(&Rejection {
        code: "overloaded".into(),
        message: "the \"truck\" is".into(),
        details: Some(Json::from_static(br#"{"n":1.50}"#)),
    });
    check(
        &problem,
        r##"{"type":"/docs/errors.md#rejected","title":"The method rejected the call","status":422,"detail":"the \"truck\" is","kind":"rejection","code":"overloaded","details":{"n":1.50}}"##,
    );
    assert_eq!(problem.table_code(), Some(Code::Rejected));
}

#[test]
fn details_that_are_not_json_do_not_break_the_document() {
    for details in [&b"{\"a\""[..], b"\xff", b""] {
        let problem = Problem::from(&Rejection {
            details: Some(Json::from_static(details)),
            ..Rejection::new("no", "no")
        });
        let document: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        assert!(document["details"].is_string());
    }
}

#[test]
fn a_fault_says_where() {
    let problem = Problem::from(&Fault {
        kind: FaultKind::CallDepth,
        message: "more than 64 calls deep".into(),
        at: "account/alice.withdraw".into(),
        trace: String::new(),
    });
    check(
        &problem,
        r##"{"type":"/docs/errors.md#call_depth_exceeded","title":"The call broke a limit or crashed","status":500,"detail":"more than 64 calls deep","kind":"fault","code":"call_depth_exceeded","at":"account/alice.withdraw"}"##,
    );
}

#[test]
fn problems_carry_their_facts() {
    check(
        &Problem::unknown_method("account", "depsoit", ["deposit", "balance"]),
        r##"{"type":"/docs/errors.md#unknown_method","title":"The entity type has no such method","status":404,"detail":"`account` has no method `depsoit` (did you mean deposit?); GET /v1/entities lists all","kind":"refused","code":"unknown_method","near":["deposit"]}"##,
    );
    check(
        &Problem::request_too_large("the body", "request_bytes", 10),
        r##"{"type":"/docs/errors.md#request_too_large","title":"The request is too large","status":413,"detail":"the body is larger than request_bytes, 10 bytes","kind":"refused","code":"request_too_large","limit":{"name":"request_bytes","max":10}}"##,
    );
    let field = |fault| Problem::bad_argument("account.deposit", "amonut", fault);
    let known = vec!["amount".to_owned()];
    let unknown = field(ArgumentFault::Unknown { known });
    assert_eq!(unknown.near, ["amount"]);
    for fault in [
        ArgumentFault::Missing,
        ArgumentFault::Type("not a number".into()),
    ] {
        assert_eq!(field(fault).field.as_deref(), Some("amonut"));
    }
}

#[test]
fn what_came_from_outside_is_repeated_only_in_part() {
    let long = "é".repeat(1 << 20);
    for problem in [
        Problem::unknown_entity(&long, ["account"]),
        Problem::unknown_query_parameter(&long, &["args"]),
        Problem::idempotency_key_reused(&long),
        Problem::bad_host(&long),
        Problem::no_route(&long),
        Problem::bad_argument("a.b", &long, ArgumentFault::Missing),
        Problem::bad_argument("a.b", "c", ArgumentFault::Type(long.clone())),
        Problem::bad_request("line", &long),
        Problem::malformed_json("the line", &long),
        Problem::from(Method::new(&long).unwrap_err()),
        Problem::from(Key::new(&long).unwrap_err()),
    ] {
        assert!(problem.to_json().len() < 2_000, "{}", problem.code);
    }
}

#[test]
fn retry_after_is_whole_seconds_and_never_zero() {
    for (ms, secs) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2)] {
        assert_eq!(Problem::overloaded(ms).retry_after_secs(), Some(secs));
    }
    assert_eq!(Problem::unauthenticated().retry_after_secs(), None);
    assert!(
        Problem::seq_not_reached(Seq(9), Seq(3))
            .retry_after_secs()
            .is_some()
    );
}

#[test]
fn names_and_keys_are_told_apart() {
    let code = |result: Result<_, ordain_types::NameError>| {
        Problem::from(result.unwrap_err()).code.clone()
    };
    for bad in ["", "a b", &"a".repeat(65)] {
        assert_eq!(code(Method::new(bad).map(drop)), "bad_name", "{bad}");
    }
    for bad in ["", "\n", &"a".repeat(513)] {
        assert_eq!(code(Key::new(bad).map(drop)), "bad_key", "{bad}");
    }
}

#[test]
fn a_wrong_kind_says_what_to_use_instead() {
    let problem = Problem::wrong_method_kind("account", "deposit", MethodKind::Update, Op::Query);
    assert_eq!(
        problem.detail,
        "account.deposit is an update and takes no query; call or send it"
    );
}

#[test]
fn a_newer_server_s_members_are_passed_over() {
    let text = r#"{"type":"x","title":"t","status":418,"detail":"d","kind":"refused","code":"teapot","more":1}"#;
    let problem: Problem = serde_json::from_str(text).unwrap();
    assert_eq!(problem.table_code(), None);
    assert_eq!(problem.to_string(), "teapot: d");
}

#[test]
fn sources_that_do_not_compile_are_told_with_their_place() {
    let mut error = ordain_types::SourceError::new("expected `}`");
    (error.file, error.line, error.column) = (Some("bank.ts".into()), Some(3), Some(7));
    check(
        &Problem::from(&error),
        r##"{"type":"/docs/errors.md#module_source","title":"The module does not compile","status":400,"detail":"expected `}`","kind":"refused","code":"module_source","file":"bank.ts","line":3,"column":7}"##,
    );
}

#[test]
fn a_refused_deployment_has_a_code_of_the_table() {
    for code in [
        "module_clash",
        "method_kind",
        "state_version",
        "unknown_module",
        "unknown_version",
        "holds_state",
        "module_invalid",
    ] {
        let problem = Problem::module_refused(&Rejection::new(code, "why"), None);
        assert_eq!((&*problem.code, problem.kind), (code, Kind::Refused));
        assert_eq!(problem.detail, "why");
    }
}
