//! Measures transfers in a WebAssembly module, on one thread and with nothing but the engine around:
//! `cargo run --release -p ordain-hosts --features wasm --example wasm_transfers [COUNT]`.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock, its arguments and the modules' files"
)]

use std::time::Instant;

use ordain_engine::{Catalog, Empty, Engine, Modules, Options};
use ordain_hosts::wasm::WasmHost;
use ordain_types::module::{File, Source, hash};
use ordain_types::{Call, Command, EntityId, LogId, Method, Timestamp};

/// Accounts, between which the transfers go round.
const ACCOUNTS: u64 = 1_000;
/// Commands of one batch.
const BATCH: u64 = 500;

fn main() {
    let count = std::env::args()
        .nth(1)
        .map_or(100_000, |count| count.parse().expect("a count"));
    let dir = std::env::temp_dir().join(format!("ordain-wasm-{}", std::process::id()));
    for name in ["transfer", "transfer_reuse"] {
        measure(name, count, &dir);
    }
    std::fs::remove_dir_all(&dir).expect("it was made above");
}

fn measure(name: &str, count: u64, dir: &std::path::Path) {
    let path = format!("{}/tests/fixtures/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    let source = Source {
        main: path.clone(),
        files: vec![File {
            bytes: std::fs::read(&path).expect("the fixture is there").into(),
            path,
        }],
    };
    let begun = Instant::now();
    let package = WasmHost::new(Some(dir.to_owned()))
        .compile(&source)
        .expect("it compiles");
    println!(
        "{name}: compiled in {:.1} ms",
        begun.elapsed().as_secs_f64() * 1e3
    );

    let host = WasmHost::new(Some(dir.to_owned()));
    let begun = Instant::now();
    let mut catalog = Catalog::default();
    for def in host
        .load(hash(&package.encode()), &package)
        .expect("it loads")
    {
        catalog.add(def).expect("names differ");
    }
    let mut engine =
        Engine::open(catalog, Box::new(Empty), Options::default()).expect("nothing to read");
    run(&mut engine, [Command::Genesis { log_id: LogId(1) }]);
    run(
        &mut engine,
        [call("account/0", "deposit", r#"{"amount":1}"#.to_owned())],
    );
    println!(
        "{name}: first call after {:.1} ms, read from the cache",
        begun.elapsed().as_secs_f64() * 1e3
    );

    for account in 0..ACCOUNTS {
        let deposit = r#"{"amount":1000000}"#.to_owned();
        run(
            &mut engine,
            [call(&format!("account/{account}"), "deposit", deposit)],
        );
    }
    let begun = Instant::now();
    for batch in 0..count / BATCH {
        let transfers = (0..BATCH).map(|at| {
            let from = (batch * BATCH + at) * 7 % ACCOUNTS;
            let to = (from + 1) % ACCOUNTS;
            let args = format!(r#"{{"from":"{from}","to":"{to}","amount":1}}"#);
            call("bank/main", "transfer", args)
        });
        run(&mut engine, transfers);
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{name}: {:.0} transfers/s, {:.2} µs each",
        count as f64 / took,
        took * 1e6 / count as f64
    );
}

fn run(engine: &mut Engine, commands: impl IntoIterator<Item = Command>) {
    let first = engine.seq().next();
    engine.begin_batch(first, Timestamp(1));
    for command in commands {
        let executed = engine.execute(&command, None).expect("it is readable");
        assert!(
            matches!(
                &executed.answer,
                ordain_engine::Answer::Done(ordain_types::Outcome::Value(_))
            ),
            "{:?}",
            executed.answer
        );
    }
    engine.end_batch();
    engine.durable(engine.seq());
}

fn call(entity: &str, method: &str, args: String) -> Command {
    let (ty, key) = entity.split_once('/').expect("type/key");
    Command::Call(Box::new(Call {
        entity: EntityId::new(ty, key).expect("a sound entity"),
        method: Method::new(method).expect("a name"),
        args: args.into(),
        caller: String::new(),
        idempotency_key: None,
    }))
}
