//! What a context gives: fields, sends, calls by names and requests, time and chance.

use std::time::Duration;

use crate::world::{World, request};
use ordain::prelude::*;
use ordain::{Entities, FaultKind, Outcome, Request};
use ordain_types::limits::SCAN_ROWS_MAX;
use ordain_types::{Json, MethodKind};

#[derive(Default, Clone, Serialize, Deserialize)]
struct Ledger {
    heard: Vec<String>,
}

#[entity]
impl Ledger {
    fn put(cx: &mut Context, field: String, value: u32) -> Result<Option<u32>> {
        let mut field = cx.field(&field);
        let before = field.get()?;
        field.put(&value);
        Ok(before)
    }

    fn delete(cx: &mut Context, field: String) -> Result<()> {
        cx.field(&field).delete();
        Ok(())
    }

    fn put_many(cx: &mut Context, count: u32) -> Result<()> {
        for number in 0..count {
            cx.field(&format!("many/{number:05}")).put(&number);
        }
        Ok(())
    }

    /// Writes, scans and then refuses if it is told to.
    fn write_and_scan(cx: &mut Context, refuse: bool) -> Result<Vec<(String, u32)>> {
        cx.field("line/2").delete();
        cx.field("line/4").put(&40);
        let rows = cx.fields().prefix("line/").read()?;
        ensure!(!refuse, "refused", "as told");
        Ok(rows)
    }

    #[query]
    fn get(cx: &mut QueryContext, field: String) -> Result<Option<u32>> {
        cx.field(&field).get()
    }

    #[query]
    fn prefix(cx: &mut QueryContext, prefix: String) -> Result<Vec<String>> {
        cx.fields().prefix(&prefix).keys()
    }

    #[query]
    fn last(cx: &mut QueryContext, prefix: String, limit: usize) -> Result<Vec<(String, u32)>> {
        cx.fields().prefix(&prefix).rev().limit(limit).read()
    }

    #[query]
    fn between(
        cx: &mut QueryContext,
        from: String,
        to: String,
        inclusive: bool,
    ) -> Result<Vec<String>> {
        match inclusive {
            true => cx.fields().prefix("line/").range(from..=to).keys(),
            false => cx.fields().prefix("line/").range(from..to).keys(),
        }
    }

    #[query]
    fn as_text(cx: &mut QueryContext, field: String) -> Result<Option<String>> {
        cx.field(&field).get()
    }

    fn put_nan(cx: &mut Context) -> Result<()> {
        cx.field("nan").put(&f64::NAN);
        Ok(())
    }

    #[query]
    fn nan(&self) -> Result<f64> {
        Ok(f64::NAN)
    }

    fn hear(&mut self, word: String) -> Result<usize> {
        ensure!(word != "no", "unheard", "not that");
        self.heard.push(word);
        Ok(self.heard.len())
    }

    fn tell(cx: &mut Context, to: Key, words: Vec<String>, refuse: bool) -> Result<Vec<SendId>> {
        let sends = words
            .into_iter()
            .map(|word| cx.send(Ledger::at(&to).hear(word)))
            .collect();
        ensure!(!refuse, "refused", "as told");
        Ok(sends)
    }

    fn tell_later(cx: &mut Context, to: Key, micros: u64, word: String) -> Result<SendId> {
        Ok(cx.send_after(Duration::from_micros(micros), Ledger::at(to).hear(word)))
    }

    fn tell_no_one(cx: &mut Context) -> Result<SendId> {
        Ok(cx.send(Ledger::at("").hear("x".into())))
    }

    fn by_names(cx: &mut Context, ty: String, key: String, method: String) -> Result<Json> {
        let value = cx.call_json(&ty, key, &method, json!({ "word": "hi" }))?;
        Ok(Json::from(value.to_string()))
    }

    fn send_by_names(
        cx: &mut Context,
        ty: String,
        key: String,
        method: String,
        delay_ms: u64,
    ) -> Result<SendId> {
        let delay = Duration::from_millis(delay_ms);
        Ok(cx.send_json(&ty, key, &method, json!({ "word": "sent" }), delay))
    }

    fn by_request(cx: &mut Context, to: Key) -> Result<usize> {
        cx.call(Ledger::at(to).hear("asked".into()))
    }

    fn by_wrong_type(cx: &mut Context, to: Key) -> Result<bool> {
        let parts = Ledger::at(to).hear("asked".into()).into_parts();
        cx.call(Request::<bool>::from(parts))
    }

    #[query]
    fn write_by_request(cx: &mut QueryContext, to: Key) -> Result<usize> {
        cx.call(Ledger::at(to).hear("asked".into()))
    }

    fn facts(cx: &mut Context<Self>) -> Result<Facts> {
        Ok(Facts {
            now: cx.now(),
            seq: cx.seq(),
            caller: cx.caller().to_owned(),
            id: cx.id().to_string(),
            random: cx.random(),
            below: (0..100).map(|_| cx.random_below(3)).collect(),
            uuids: (0..2).map(|_| cx.uuid()).collect(),
        })
    }

    fn refuse_with(&mut self, code: String) -> Result<()> {
        let details = json!({ "left": [1, 2] });
        Err(Rejection {
            code,
            ..Rejection::new("", "no")
        }
        .with_details(&details))
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Facts {
    now: Timestamp,
    seq: Seq,
    caller: String,
    id: String,
    random: u64,
    below: Vec<u64>,
    uuids: Vec<String>,
}

fn world() -> World {
    World::new(Entities::new().with::<Ledger>())
}

fn with_lines() -> World {
    let mut world = world();
    for (field, value) in [
        ("line/1", 1),
        ("line/2", 2),
        ("line/3", 3),
        ("linf", 9),
        ("lin", 8),
    ] {
        assert_eq!(world.value(Ledger::at("a").put(field.into(), value)), None);
    }
    world
}

#[test]
fn fields_are_put_got_and_deleted() {
    let mut world = with_lines();
    assert_eq!(
        world.value(Ledger::at("a").put("line/1".into(), 10)),
        Some(1)
    );
    assert_eq!(world.value(Ledger::at("a").get("line/1".into())), Some(10));
    assert_eq!(
        world.value(Ledger::at("b").get("line/1".into())),
        None,
        "another entity's"
    );
    world.value(Ledger::at("a").delete("line/1".into()));
    assert_eq!(world.value(Ledger::at("a").get("line/1".into())), None);
}

#[test]
fn fields_are_scanned_in_order_both_ways_with_a_limit() {
    let mut world = with_lines();
    let mut keys = |prefix: &str| world.value(Ledger::at("a").prefix(prefix.into()));
    assert_eq!(keys("line/"), ["line/1", "line/2", "line/3"]);
    assert_eq!(keys(""), ["lin", "line/1", "line/2", "line/3", "linf"]);
    assert!(keys("x").is_empty());
    let mut last = |limit| world.value(Ledger::at("a").last("line/".into(), limit));
    assert_eq!(
        last(2),
        [("line/3".to_owned(), 3), ("line/2".to_owned(), 2)]
    );
    assert!(last(0).is_empty());
    let mut between = |from: &str, to: &str, inclusive| {
        world.value(Ledger::at("a").between(from.into(), to.into(), inclusive))
    };
    assert_eq!(between("line/1", "line/3", false), ["line/1", "line/2"]);
    assert_eq!(between("line/2", "line/3", true), ["line/2", "line/3"]);
    assert_eq!(
        between("", "line/2", false),
        ["line/1"],
        "within the prefix"
    );
    assert_eq!(
        between("line/2", "z", true),
        ["line/2", "line/3"],
        "within the prefix"
    );
    assert!(between("line/2", "line/2", false).is_empty());
    assert!(between("line/3", "line/1", true).is_empty());
    assert!(between("", "", false).is_empty());
}

#[test]
fn a_scan_sees_the_transactions_own_writes_and_their_undoing() {
    let mut world = with_lines();
    assert_eq!(
        world.rejection(Ledger::at("a").write_and_scan(true)).code,
        "refused"
    );
    assert_eq!(world.value(Ledger::at("a").prefix("line/".into())).len(), 3);
    assert_eq!(world.value(Ledger::at("a").get("line/2".into())), Some(2));
    let rows = world.value(Ledger::at("a").write_and_scan(false));
    let expected = [("line/1", 1), ("line/3", 3), ("line/4", 40)];
    assert_eq!(
        rows,
        expected.map(|(field, value)| (field.to_owned(), value))
    );
}

#[test]
fn a_scan_without_a_limit_is_never_cut_silently() {
    let mut world = world();
    let most = SCAN_ROWS_MAX as u32;
    world.value(Ledger::at("a").put_many(most));
    let all = world.value(Ledger::at("a").prefix("many/".into()));
    assert_eq!(all.len(), SCAN_ROWS_MAX);
    world.value(Ledger::at("a").put("many/x".into(), 0));
    let scan = Ledger::at("a").prefix("many/".into());
    world.fault(scan, FaultKind::ScanRows, "give it a `limit`");
    let last = Ledger::at("a").last("many/".into(), SCAN_ROWS_MAX + 1);
    world.fault(last, FaultKind::ScanRows, "more than the limit");
}

#[test]
fn what_does_not_fit_a_field_is_a_fault() {
    let mut world = with_lines();
    let text = Ledger::at("a").as_text("line/1".into());
    world.fault(
        text,
        FaultKind::StoredValue,
        "the field `line/1` does not decode",
    );
    world.fault(
        Ledger::at("a").get("".into()),
        FaultKind::BadKey,
        "the field key is empty",
    );
    world.fault(
        Ledger::at("a").put_nan(),
        FaultKind::Encoding,
        "field `nan`",
    );
    world.fault(
        Ledger::at("a").nan(),
        FaultKind::Encoding,
        "the method's value is not JSON",
    );
}

#[test]
fn sends_happen_in_order_if_and_only_if_their_transaction_commits() {
    let mut world = world();
    let words = || vec!["one".to_owned(), "no".to_owned(), "two".to_owned()];
    let to = || crate::world::key("b");
    assert_eq!(
        world
            .rejection(Ledger::at("a").tell(to(), words(), true))
            .code,
        "refused"
    );
    assert!(world.deliver().is_empty());
    let sends = world.value(Ledger::at("a").tell(to(), words(), false));
    assert_eq!(
        world.state("ledger/b"),
        "",
        "later, in transactions of their own"
    );
    let outcomes = world.deliver();
    assert_eq!(outcomes.len(), sends.len());
    assert!(matches!(&outcomes[1], Outcome::Rejected(no) if no.code == "unheard"));
    assert_eq!(world.state("ledger/b"), r#"{"heard":["one","two"]}"#);
    world.fault(
        Ledger::at("a").tell_no_one(),
        FaultKind::BadKey,
        "the key is empty",
    );
}

#[test]
fn a_delayed_send_waits_whole_milliseconds_rounded_up() {
    let mut world = world();
    world.value(Ledger::at("a").tell_later(crate::world::key("b"), 1_001, "late".into()));
    world.now = world.now.plus_ms(1);
    assert!(world.deliver().is_empty());
    world.now = world.now.plus_ms(1);
    assert_eq!(world.deliver().len(), 1);
}

#[test]
fn sends_by_names_are_checked_and_wait() {
    let mut world = world();
    let named = |ty: &str, key: &str, method: &str, delay_ms| {
        Ledger::at("a").send_by_names(ty.into(), key.into(), method.into(), delay_ms)
    };
    world.value(named("ledger", "b", "hear", 0));
    world.value(named("ledger", "c", "hear", 2));
    assert_eq!(world.deliver().len(), 1);
    assert_eq!(world.state("ledger/b"), r#"{"heard":["sent"]}"#);
    world.now = world.now.plus_ms(2);
    assert_eq!(world.deliver().len(), 1);
    assert_eq!(world.state("ledger/c"), r#"{"heard":["sent"]}"#);
    let bad_type = named("Ledger!", "b", "hear", 0);
    world.fault(bad_type, FaultKind::UnknownEntity, "Ledger!");
    world.fault(named("ledger", "", "hear", 0), FaultKind::BadKey, "empty");
}

#[test]
fn calls_by_names_and_by_request() {
    let mut world = world();
    let named = |ty: &str, key: &str, method: &str| {
        Ledger::at("a").by_names(ty.into(), key.into(), method.into())
    };
    world.value(Ledger::at("b").hear("first".into()));
    assert!(matches!(
        world.outcome(named("ledger", "b", "hear")),
        Outcome::Value(_)
    ));
    assert_eq!(
        world.value(Ledger::at("a").by_request(crate::world::key("b"))),
        3
    );
    world.fault(
        named("lodger", "b", "hear"),
        FaultKind::UnknownEntity,
        "lodger",
    );
    world.fault(
        named("Ledger!", "b", "hear"),
        FaultKind::UnknownEntity,
        "Ledger!",
    );
    world.fault(named("ledger", "", "hear"), FaultKind::BadKey, "empty");
    world.fault(
        named("ledger", "b", "shout"),
        FaultKind::UnknownMethod,
        "shout",
    );
    world.fault(named("ledger", "b", "facts"), FaultKind::Arguments, "word");
    let wrong = Ledger::at("a").by_wrong_type(crate::world::key("b"));
    world.fault(wrong, FaultKind::Encoding, "ledger/b.hear");
    let writing = Ledger::at("a").write_by_request(crate::world::key("b"));
    world.fault(writing, FaultKind::WriteInQuery, "hear");
    assert_eq!(
        world.state("ledger/b"),
        r#"{"heard":["first","hi","asked"]}"#
    );
}

#[test]
fn time_chance_and_names_follow_from_the_log() {
    let facts = || world().value(Ledger::at("a").facts());
    let Facts {
        now,
        seq,
        caller,
        id,
        random,
        below,
        uuids,
    } = facts();
    assert_eq!(
        (now, seq, caller.as_str(), id.as_str()),
        (Timestamp(1_000), Seq(2), "tester", "ledger/a")
    );
    assert!((0..3).all(|n| below.contains(&n)) && below.iter().all(|n| *n < 3));
    assert_ne!(uuids[0], uuids[1]);
    let shape: Vec<usize> = uuids[0].split('-').map(str::len).collect();
    assert_eq!(shape, [8, 4, 4, 4, 12]);
    assert!(uuids[0].starts_with("00000000-03e8-7"), "{}", uuids[0]);
    assert_eq!(
        facts(),
        Facts {
            now,
            seq,
            caller,
            id,
            random,
            below,
            uuids
        }
    );
}

#[test]
fn a_rejections_code_is_held_to_its_rule_and_details_are_json() {
    let mut world = world();
    let rejection = world.rejection(Ledger::at("a").refuse_with("Not So".into()));
    assert_eq!(rejection.code, "not_so");
    assert_eq!(rejection.details.unwrap(), r#"{"left":[1,2]}"#);
}

#[test]
fn nothing_at_all_is_the_empty_object() {
    let mut world = world();
    let facts = request("ledger/a", "facts", MethodKind::Update, "");
    assert!(matches!(world.outcome(facts), Outcome::Value(_)));
}
