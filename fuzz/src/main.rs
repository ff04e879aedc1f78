//! `ordain-fuzz seeds` writes the first files of the corpora; `ordain-fuzz TARGET FILE…` runs a target
//! with files, as to look at what was found; without files it reads standard input.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use ordain_fuzz::{TARGETS, Target, seeds};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let (command, files) = args.split_first().ok_or_else(usage)?;
    if command == "seeds" {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        return seeds::write(&dir).map_err(|error| format!("{}: {error}", dir.display()));
    }
    let target = Target::find(command).ok_or_else(usage)?;
    if files.is_empty() {
        let mut data = Vec::new();
        let read = std::io::stdin().read_to_end(&mut data);
        read.map_err(|error| format!("cannot read standard input: {error}"))?;
        target.run(&data);
    }
    for file in files {
        let data = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        target.run(&data);
        println!("{file}: {} bytes, nothing wrong", data.len());
    }
    Ok(())
}

fn usage() -> String {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    format!(
        "usage: ordain-fuzz seeds | TARGET [FILE…]\ntargets: {}",
        names.join(", ")
    )
}
