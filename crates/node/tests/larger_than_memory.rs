//! State much larger than the memory budget: 1 GiB of it under a budget of 64 MiB.

mod common;

use common::{catalog_with, request};
use ordain_node::{Node, Options};
use ordain_types::{FieldKey, Json};
use serde_json::json;

const ENTITIES: usize = 16_384;
const VALUE_BYTES: usize = 64 << 10;
const BUDGET_BYTES: usize = 64 << 20;
const IN_FLIGHT: u64 = 64;

#[test]
fn a_gibibyte_of_state_works_within_64_mebibytes() {
    const { assert!(ENTITIES * VALUE_BYTES >= 1 << 30) };
    let dir = tempfile::tempdir().expect("a directory");
    let options = || Options {
        memory_budget_bytes: BUDGET_BYTES,
        store_cache_bytes: 8 << 20,
        history_bytes: 64 << 20,
        ..Options::default()
    };
    // `add` also fills a field of its entity with as many bytes as make up the gibibyte.
    let entities = || {
        catalog_with(|tx, args| {
            let n = args["n"].as_i64().expect("a number");
            let field = FieldKey::new("ballast").expect("a key");
            let before = tx.field_get(&field).map_or(0, |json| json.len());
            let letter = char::from(b'a' + (n % 26) as u8);
            let value = format!("\"{}\"", letter.to_string().repeat(VALUE_BYTES));
            tx.field_put(&field, Json::from(value));
            *common::counter(tx) += n;
            Ok(json!({ "sum": *common::counter(tx), "before": before }))
        })
    };
    let (node, _) = Node::open_with(dir.path(), entities(), options(), &mut |_| {}).expect("opens");
    let mut highest = 0;
    for round in 1..=2 {
        let mut pipeline = node.pipeline();
        for n in 0..ENTITIES {
            if pipeline.in_flight() == IN_FLIGHT {
                check(pipeline.receive().expect("in flight"), round);
            }
            let call = request::<serde_json::Value>(&format!("e{n}"), "add", json!({ "n": n }));
            pipeline.submit(call).expect("room");
            highest = highest.max(memory(&node));
        }
        while let Some(received) = pipeline.receive() {
            check(received, round);
        }
    }
    // What is not in the store yet has to stay: the budget may be passed for as long as that takes.
    assert!(
        highest < 4 * BUDGET_BYTES as u64,
        "{highest} bytes in memory at most"
    );
    let (_, hash) = node.state_hash().expect("a hash");
    node.stop();
    let (node, _) = Node::open_with(dir.path(), entities(), options(), &mut |_| {}).expect("opens");
    for n in (0..ENTITIES).step_by(97) {
        let look = request::<i64>(&format!("e{n}"), "look", json!({}));
        assert_eq!(node.query(look), Ok(2 * n as i64));
    }
    assert_eq!(node.state_hash().expect("a hash").1, hash);
}

fn memory(node: &Node) -> u64 {
    node.counters()
        .memory_bytes
        .load(std::sync::atomic::Ordering::Relaxed)
}

/// In the second round every entity finds what the first put there, wherever it was meanwhile.
fn check(received: ordain_node::Received, round: i64) {
    let n = received.number as i64;
    let expected = if round == 1 { 0 } else { VALUE_BYTES + 2 };
    let value = received.value::<serde_json::Value>().expect("a value");
    assert_eq!(value, json!({ "sum": round * n, "before": expected }));
}
