//! Measures the JavaScript host by itself: `cargo run --release -p ordain-hosts --features javascript --example
//! javascript`. Figures go to whoever asked for them; nothing is decided by them.
#![allow(clippy::disallowed_methods, reason = "it measures, from outside")]

use std::time::{Duration, Instant};

use ordain_engine::{Answer, Catalog, Empty, Engine, Modules, Options};
use ordain_hosts::javascript::{JavaScript, clear, kept};
use ordain_types::module::{File, Source, hash};
use ordain_types::{Call, Command, Json, LogId, Method, Outcome, Seq, Timestamp};

const BANK: &str = r#"
import { entity, query, reject } from "ordain";

export const account = entity({ balance: 1000000 }, {
  deposit(cx, { amount }: { amount: number }) {
    return (cx.state.balance += amount);
  },
  transfer(cx, { to, amount }: { to: string; amount: number }) {
    if (cx.state.balance < amount) reject("insufficient_funds", `balance is ${cx.state.balance}`);
    cx.state.balance -= amount;
    cx.call(account, to).deposit({ amount });
    return cx.state.balance;
  },
  nothing() {},
  balance: query((cx) => cx.state.balance),
});
"#;

fn main() {
    let mut engine = engine(BANK);
    let mut seq = 0;
    let mut run = |method: &str, args: &str, count: u32| {
        let call = Command::Call(Box::new(Call {
            entity: "account/al".parse().expect("an entity"),
            method: Method::new(method).expect("a method"),
            args: Json::copy_from_slice(args.as_bytes()),
            caller: String::new(),
            idempotency_key: None,
        }));
        let start = Instant::now();
        for _ in 0..count {
            seq += 1;
            engine.begin_batch(Seq(seq + 1), Timestamp(1));
            let executed = engine.execute(&call, None).expect("memory can be read");
            engine.end_batch();
            engine.durable(Seq(seq + 1));
            assert!(
                matches!(executed.answer, Answer::Done(Outcome::Value(_))),
                "{:?}",
                executed.answer
            );
        }
        start.elapsed() / count
    };
    let first = run("nothing", "", 1);
    println!("first call, compiled              {first:?}");
    for _ in 0..3 {
        println!(
            "empty method                      {:?}",
            run("nothing", "", 200_000)
        );
        println!(
            "deposit                           {:?}",
            run("deposit", r#"{"amount":1}"#, 200_000)
        );
        println!(
            "transfer (two states, one call)   {:?}",
            run("transfer", r#"{"to":"bo","amount":1}"#, 100_000)
        );
    }
    contexts();
}

fn engine(text: &str) -> Engine {
    let source = Source {
        main: "bank.ts".to_owned(),
        files: vec![File {
            path: "bank.ts".to_owned(),
            bytes: Json::copy_from_slice(text.as_bytes()),
        }],
    };
    let host = JavaScript::new();
    let start = Instant::now();
    let package = host.compile(&source).expect("it compiles");
    println!("compile and start                 {:?}", start.elapsed());
    let mut catalog = Catalog::default();
    for def in host
        .load(hash(&package.encode()), &package)
        .expect("it loads")
    {
        catalog.add(def).expect("names are distinct");
    }
    let mut engine =
        Engine::open(catalog, Box::new(Empty), Options::default()).expect("memory can be read");
    engine.begin_batch(Seq(1), Timestamp(1));
    engine
        .execute(&Command::Genesis { log_id: LogId(1) }, None)
        .expect("memory can be read");
    engine.end_batch();
    engine
}

/// The start of a context, and what it holds.
fn contexts() {
    let mut engine = engine(BANK);
    let call = Call {
        entity: "account/al".parse().expect("an entity"),
        method: Method::new("balance").expect("a method"),
        args: Json::from_static(b"{}"),
        caller: String::new(),
        idempotency_key: None,
    };
    let (mut least, mut all) = (Duration::MAX, Duration::ZERO);
    const ROUNDS: u32 = 200;
    for _ in 0..ROUNDS {
        clear();
        let start = Instant::now();
        engine
            .query(&call, None, Timestamp(1))
            .expect("memory can be read");
        let took = start.elapsed();
        (least, all) = (least.min(took), all + took);
    }
    println!(
        "context made and called once      {:?} on average, {least:?} at best",
        all / ROUNDS
    );
    println!("contexts and bytes held           {:?}", kept());
}
