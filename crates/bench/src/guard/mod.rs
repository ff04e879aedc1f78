//! The command `bench guard`: how many instructions the hot paths take, against figures that are committed.
//!
//! ```text
//!   paths      what is counted: one operation each, over and over
//!   figures    the committed figures, and for what compiler and machine they are
//! ```
//!
//! Times are of no use on a machine that others use too; instructions are the same every time. They are
//! counted by valgrind's callgrind, over this same program, which runs every path once to be warm and once
//! to be counted. Callgrind counts only what happens inside the one function that runs a path, and dumps
//! its count whenever that function returns, so neither start-up nor preparation is in it. There are
//! maintained crates for this (gungraun); they bring a runner to be installed beside the program and a
//! harness for every path, which is more than the two flags of callgrind that are needed.

mod figures;
mod paths;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use anyhow::{Context as _, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain_cli::{Context, Exit, Failure, Output};

use self::figures::{Difference, Figures};
use self::paths::{OPERATIONS, Planted};
use crate::pick::picked;
use crate::process::output;
use crate::run::{new_dir, until_interrupted};

/// What valgrind is called.
const VALGRIND: &str = "valgrind";
/// The C library picks its copying by the processor; this keeps it to what all have.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM";

#[derive(Debug, Clone, Args)]
struct Words {
    /// Only these paths, by names with commas between; * is any part of a name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// The committed figures
    #[arg(long, value_name = "FILE", default_value = "crates/bench/guard.toml")]
    figures: PathBuf,
    /// Write what is counted in their place
    #[arg(long)]
    write: bool,
    /// By how many hundredths a path may take more
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0)]
    tolerance: f64,
    /// Let a path take so many instructions more an operation: PATH=INSTRUCTIONS
    #[arg(long, hide = true)]
    plant: Option<Planted>,
    /// Run the paths: what is counted
    #[arg(long, hide = true)]
    counted: bool,
}

/// The command.
pub fn command() -> Command {
    let about = "Count the instructions of the hot paths, and compare with the committed figures";
    Words::augment_args(Command::new("guard").about(about))
}

/// Counts and compares, or writes.
///
/// # Errors
/// If a path takes more than it may, or nothing can be counted for another reason than that this machine
/// cannot: that is said, and is no failure.
pub fn run(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    if words.counted {
        paths::run(&words.only, words.plant.as_ref());
        return Ok(());
    }
    if !has_valgrind() {
        return Ok(context
            .output
            .line("not compared: valgrind is not installed")?);
    }
    let committed = Figures::read(&words.figures)?;
    let why_not = committed
        .as_ref()
        .and_then(|committed| committed.why_not(&Figures::here()));
    if let (Some(why), false) = (why_not, words.write) {
        return Ok(context.output.line(format!("not compared: {why}"))?);
    }
    let counted = until_interrupted(|_| count(&words))?;
    let here = Figures {
        instructions: counted,
        ..Figures::here()
    };
    if words.write {
        return Ok(here.write(&words.figures)?);
    }
    let committed = committed.unwrap_or_default();
    if let Some(gone) = committed.without(paths::names()) {
        let said = format!(
            "{} has figures of {gone}, which is counted no more; renew them with --write",
            words.figures.display()
        );
        return Err(Failure::new(Exit::Failed, said));
    }
    let differences = committed.against(&here.instructions, words.tolerance);
    print(&differences, context.output)?;
    match differences
        .iter()
        .filter(|difference| difference.too_much)
        .count()
    {
        0 => Ok(()),
        more => {
            let said = format!(
                "{more} paths take over {} % more instructions than {} says; if that is meant: ordain bench guard --write",
                words.tolerance,
                words.figures.display()
            );
            Err(Failure::new(Exit::Failed, said))
        }
    }
}

fn has_valgrind() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(VALGRIND).is_file())
}

/// Instructions for one operation of each path.
async fn count(words: &Words) -> anyhow::Result<BTreeMap<String, f64>> {
    let (dir, _removed_at_the_end) = new_dir(None, "ordain-guard-")?;
    let out = dir.join("count");
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Process::new(VALGRIND);
    command.arg("--tool=callgrind");
    // By its whole name: with a pattern, callgrind takes one of the two and forgets the other.
    command.arg(format!("--toggle-collect={}", paths::COUNTED));
    command.arg(format!("--dump-after={}", paths::COUNTED));
    command.arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(program).args(["bench", "guard", "--counted"]);
    if !words.only.is_empty() {
        command.arg("--only").arg(words.only.join(","));
    }
    if let Some(planted) = &words.plant {
        command.arg("--plant").arg(planted.to_string());
    }
    command.env("GLIBC_TUNABLES", TUNABLES);
    // The allocator gives memory back by the clock; not at all is the same every time.
    command.env("MIMALLOC_PURGE_DELAY", "-1");
    let said = output(command).await?;
    ensure!(
        said.status.success(),
        "valgrind failed ({}): {}",
        said.status,
        said.err
    );
    let names = paths::names().filter(|name| picked(&words.only, name));
    let mut counted = BTreeMap::new();
    for (name, number) in names.zip(1..) {
        let dump = PathBuf::from(format!("{}.{number}", out.display()));
        counted.insert(name.to_owned(), instructions(&dump)? / OPERATIONS as f64);
    }
    ensure!(!counted.is_empty(), "there is no such path");
    Ok(counted)
}

/// All that one dump of callgrind counted.
fn instructions(dump: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(dump).with_context(|| {
        format!(
            "callgrind did not write {}: is the program stripped of its names?",
            dump.display()
        )
    })?;
    let summary = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let count: f64 = summary
        .context("callgrind wrote no summary")?
        .trim()
        .parse()?;
    ensure!(count > 0.0, "callgrind counted nothing");
    Ok(count)
}

fn print(differences: &[Difference], output: Output) -> std::io::Result<()> {
    if output.json {
        return output.json(&differences);
    }
    let shown = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.0}"));
    let row = |difference: &Difference| {
        let percent = difference
            .percent
            .map_or("new".to_owned(), |percent| format!("{percent:+.1} %"));
        let verdict = match (difference.too_much, difference.percent) {
            (true, _) => "TOO MUCH",
            (false, Some(percent)) if percent < -1.0 => "less: renew with --write",
            _ => "ok",
        };
        vec![
            difference.path.clone(),
            shown(difference.committed),
            format!("{:.0}", difference.counted),
            percent,
            verdict.to_owned(),
        ]
    };
    let rows: Vec<_> = differences.iter().map(row).collect();
    output.table(&["path", "committed", "counted", "difference", ""], &rows)
}
