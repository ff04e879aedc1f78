//! `ordain-sim`: runs seeds and tells of those on which the engine and the oracle differ.

use std::process::ExitCode;

use ordain_sim::{Scope, run};

const USAGE: &str = "usage: ordain-sim --seeds N [--from S]   run N seeds
       ordain-sim --seed X               run one and print what happens";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match numbers(&args) {
        Some((Some(seed), None, None)) => one(seed),
        Some((None, Some(seeds), from)) => many(from.unwrap_or(0), seeds),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

type Numbers = (Option<u64>, Option<u64>, Option<u64>);

fn numbers(args: &[String]) -> Option<Numbers> {
    let mut numbers = Numbers::default();
    for pair in args.chunks(2) {
        let number = pair.get(1)?.parse().ok()?;
        match pair[0].as_str() {
            "--seed" => numbers.0 = Some(number),
            "--seeds" => numbers.1 = Some(number),
            "--from" => numbers.2 = Some(number),
            _ => return None,
        }
    }
    Some(numbers)
}

fn one(seed: u64) -> ExitCode {
    let scope = Scope {
        trace: true,
        ..Scope::default()
    };
    match run(seed, scope) {
        Ok(report) => {
            report.trace.iter().for_each(|line| println!("{line}"));
            println!("seed {seed}: {} commands agreed", report.commands);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let (mut commands, mut failed) = (0, 0);
    for seed in from..from.saturating_add(seeds) {
        match run(seed, Scope::default()) {
            Ok(report) => commands += report.commands,
            Err(failure) => {
                failed += 1;
                println!("{failure}");
            }
        }
    }
    println!("{seeds} seeds from {from}, {commands} commands, {failed} seeds failed");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
