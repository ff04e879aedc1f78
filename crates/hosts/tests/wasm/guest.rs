//! Entities written in Rust behave in a module as they do in a program. The modules are the examples,
//! built by `sdk/rust/build.sh`.

use ordain_hosts::wasm::WasmHost;
use ordain_types::{FaultKind, MethodKind, Outcome};

use super::world::{World, compile, fixture, types};

#[test]
fn a_transfer_moves_money_or_does_nothing() {
    let mut world = World::of(fixture("transfer"));
    assert_eq!(
        world.value("account/alice", "deposit", r#"{"amount":100}"#),
        "100"
    );
    let transfer = r#"{"from":"alice","to":"bob","amount":30}"#;
    assert_eq!(world.value("bank/main", "transfer", transfer), "null");
    let total = r#"{"accounts":["alice","bob"]}"#;
    assert_eq!(world.value("bank/main", "total", total), "100");
    let too_much = r#"{"from":"alice","to":"bob","amount":71}"#;
    assert_eq!(
        world.rejection("bank/main", "transfer", too_much),
        "insufficient_funds"
    );
    assert_eq!(world.value("account/alice", "balance", "{}"), "70");
    assert_eq!(world.value("account/bob", "balance", "{}"), "30");
}

#[test]
fn a_call_that_comes_back_sees_what_was_written() {
    let mut world = World::of(fixture("transfer"));
    world.value("account/alice", "deposit", r#"{"amount":100}"#);
    // Alice pays herself: the inner deposit sees the withdrawal, and the outer method what it wrote.
    let to_self = r#"{"to":"alice","amount":30}"#;
    assert_eq!(world.value("account/alice", "transfer", to_self), "100");
    assert_eq!(world.value("account/alice", "balance", "{}"), "100");
}

#[test]
fn a_rejection_can_be_caught() {
    let mut world = World::of(fixture("transfer"));
    world.value("account/rich", "deposit", r#"{"amount":50}"#);
    let collect = r#"{"sources":["poor","rich"],"to":"shop","amount":40}"#;
    assert_eq!(world.value("bank/main", "collect", collect), r#""rich""#);
    assert_eq!(world.value("account/rich", "balance", "{}"), "10");
    assert_eq!(world.value("account/shop", "balance", "{}"), "40");
    assert_eq!(
        world.rejection("bank/main", "collect", collect),
        "insufficient_funds"
    );
}

#[test]
fn a_query_runs_as_a_query() {
    let mut world = World::of(fixture("transfer"));
    world.value("account/alice", "deposit", r#"{"amount":5}"#);
    let balance = world.query("account/alice", "balance", "");
    assert_eq!(balance, Outcome::Value("5".to_owned().into()));
    match world.query("account/alice", "deposit", r#"{"amount":5}"#) {
        Outcome::Fault(fault) => assert_eq!(fault.kind, FaultKind::WriteInQuery),
        other => panic!("{other:?}"),
    }
}

#[test]
fn arguments_are_checked_before_and_within() {
    let mut world = World::of(fixture("transfer"));
    let mut check = |args: &str, message: &str| {
        let fault = world.fault("account/alice", "deposit", args, FaultKind::Arguments);
        assert!(fault.message.contains(message), "{fault}");
        assert_eq!(fault.kind.code(), "bad_arguments");
    };
    check("{}", "missing field `amount`");
    check(r#"{"amount":5,"tip":1}"#, "unknown field `tip`");
    check("[5]", "not a JSON object");
    check(r#"{"amount":"five"}"#, "expected i64");
}

/// Names are held to what the module describes before a call becomes a command, values are not: `docs/wasm.md`.
#[test]
fn values_of_arguments_pass_the_door() {
    let types = types(&WasmHost::new(None), fixture("transfer"));
    let account = types.iter().find(|def| def.name.as_str() == "account");
    let (_, deposit) = account
        .expect("it is there")
        .method("deposit")
        .expect("so is the method");
    let of_wrong_type = deposit.run.accept(br#"{"amount":"five"}"#);
    assert_eq!(
        of_wrong_type.map(|decoded| decoded.canonical),
        Ok(r#"{"amount":"five"}"#.into())
    );
    let unknown = deposit
        .run
        .accept(br#"{"amount":5,"tip":1}"#)
        .map(|decoded| decoded.canonical);
    assert_eq!(
        unknown.expect_err("no such name").field.as_deref(),
        Some("tip")
    );
}

#[test]
fn a_module_says_what_it_brings() {
    let host = WasmHost::new(None);
    let package = compile(&host, fixture("smallbank")).expect("it compiles");
    let [customer] = &package.manifest.entities[..] else {
        panic!("{:?}", package.manifest);
    };
    assert_eq!(customer.name.as_str(), "bank_customer");
    let balance = customer
        .methods
        .iter()
        .find(|method| method.name.as_str() == "balance");
    let balance = balance.expect("it has the method");
    assert_eq!(
        (balance.kind, balance.params.as_deref()),
        (MethodKind::Query, Some(&[][..]))
    );
    assert!(balance.result.contains("integer"), "{}", balance.result);
    let methods = customer.methods.iter().map(|method| method.name.as_str());
    assert!(methods.is_sorted(), "in the order of their names");
}

#[test]
fn smallbank_keeps_its_money() {
    let mut world = World::of(fixture("smallbank"));
    for customer in ["a", "b", "c"] {
        let entity = format!("bank_customer/{customer}");
        world.value(&entity, "open", r#"{"checking":100,"savings":50}"#);
    }
    let many = r#"{"destinations":["b","c","a"],"amount":20}"#;
    assert_eq!(world.value("bank_customer/a", "multi_transfer", many), "60");
    assert_eq!(
        world.value("bank_customer/a", "amalgamate", r#"{"to":"b"}"#),
        "110"
    );
    assert_eq!(
        world.rejection("bank_customer/a", "open", r#"{"checking":-1,"savings":0}"#),
        "bad_amount"
    );
    let values = r#"{"checking":230,"savings":50}"#;
    assert_eq!(world.value("bank_customer/b", "values", ""), values);
}
