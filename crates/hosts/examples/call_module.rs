//! Calls methods of a WebAssembly module in an engine of its own, to try what a toolchain made:
//! `cargo run -p ordain-hosts --features wasm --example call_module -- FILE [ENTITY METHOD ARGUMENTS]…`.

#![expect(
    clippy::disallowed_methods,
    reason = "a tool reads its arguments and a file"
)]

use std::process::ExitCode;

use ordain_engine::{Answer, Catalog, Empty, Engine, Modules, Options};
use ordain_hosts::wasm::WasmHost;
use ordain_types::module::{File, Source, hash};
use ordain_types::{Call, Command, EntityId, LogId, Method, Outcome, Timestamp};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((file, calls)) if calls.len() % 3 == 0 => match run(file, calls) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: call_module FILE [ENTITY METHOD ARGUMENTS]…");
            ExitCode::from(2)
        }
    }
}

fn run(file: &str, calls: &[String]) -> Result<(), String> {
    let mut engine = engine(file)?;
    execute(&mut engine, Command::Genesis { log_id: LogId(1) });
    for call in calls.chunks(3) {
        let [entity, method, args] = call else {
            unreachable!("chunks of three, and their number is whole")
        };
        let outcome = execute(&mut engine, command(entity, method, args)?);
        match outcome {
            Outcome::Value(value) => {
                println!("{entity}.{method}: {}", String::from_utf8_lossy(&value));
            }
            Outcome::Rejected(rejection) => println!("{entity}.{method}: rejected, {rejection}"),
            Outcome::Fault(fault) => {
                println!("{entity}.{method}: fault, {fault}\n{}", fault.trace);
            }
        }
    }
    Ok(())
}

fn engine(file: &str) -> Result<Engine, String> {
    let source = Source {
        main: file.to_owned(),
        files: vec![File {
            path: file.to_owned(),
            bytes: std::fs::read(file)
                .map_err(|error| format!("{file}: {error}"))?
                .into(),
        }],
    };
    let host = WasmHost::new(None);
    let package = host.compile(&source).map_err(|error| error.to_string())?;
    let mut catalog = Catalog::default();
    for def in host.load(hash(&package.encode()), &package)? {
        let methods = def.methods.iter().map(|method| method.name.as_str());
        println!("{}: {}", def.name, methods.collect::<Vec<_>>().join(", "));
        catalog.add(def).map_err(|error| error.to_string())?;
    }
    Engine::open(catalog, Box::new(Empty), Options::default()).map_err(|error| error.to_string())
}

fn execute(engine: &mut Engine, command: Command) -> Outcome {
    engine.begin_batch(engine.seq().next(), Timestamp(1));
    let executed = engine
        .execute(&command, None)
        .expect("nothing is read from outside");
    engine.end_batch();
    match executed.answer {
        Answer::Done(outcome) => outcome,
        other => unreachable!("there are no idempotency keys here: {other:?}"),
    }
}

fn command(entity: &str, method: &str, args: &str) -> Result<Command, String> {
    let (ty, key) = entity.split_once('/').ok_or("an entity is TYPE/KEY")?;
    Ok(Command::Call(Box::new(Call {
        entity: EntityId::new(ty, key).map_err(|error| error.to_string())?,
        method: Method::new(method).map_err(|error| error.to_string())?,
        args: args.to_owned().into(),
        caller: String::new(),
        idempotency_key: None,
    })))
}
