//! The command `ordain-torture`: which faults there are, and runs of them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use comfy_table::Table;
use ordain_torture::faults::{FAULTS, Fault, find};
use ordain_torture::report::{Plan, Summary, run};

/// Tortures a real server: load, a fault, healing, and checks of everything that was recorded.
#[derive(Debug, Parser)]
#[command(name = "ordain-torture", version)]
struct Words {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell which faults there are
    List,
    /// Run some of them, or all
    Run(Run),
}

#[derive(Debug, Args)]
struct Run {
    /// Names of faults, or `all`
    #[arg(default_value = "all")]
    faults: Vec<String>,
    /// How often each; otherwise its own number by hand
    #[arg(long)]
    repetitions: Option<u32>,
    /// What all choices follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The server's program; otherwise `ordain` beside this one
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Keep the directories of all runs, not only of those that fail
    #[arg(long)]
    keep_dir: bool,
}

fn main() -> ExitCode {
    let done = match Words::parse().command {
        Command::List => {
            list();
            Ok(true)
        }
        Command::Run(words) => torture(&words),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn list() {
    let mut table = Table::new();
    table.set_header(["fault", "in tests", "by hand", "what it does"]);
    for fault in FAULTS {
        table.add_row([
            fault.name.to_owned(),
            fault.ci.to_string(),
            fault.hand.to_string(),
            fault.about.to_owned(),
        ]);
    }
    println!("{table}");
}

/// Whether everything held.
fn torture(words: &Run) -> anyhow::Result<bool> {
    let program = match &words.server {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("ordain"),
    };
    let program = std::fs::canonicalize(&program)
        .with_context(|| format!("no server at {}", program.display()))?;
    let dir = tempfile::Builder::new()
        .prefix("ordain-torture-")
        .tempdir()?;
    let plan = Plan {
        program,
        root: dir.path().to_owned(),
        seed: words.seed,
        keep: words.keep_dir,
    };
    let mut summaries = Vec::new();
    for fault in chosen(&words.faults)? {
        let repetitions = words.repetitions.unwrap_or(fault.hand);
        let tell = &mut |line: &str| eprintln!("{line}");
        summaries.push(run(&plan, fault, repetitions, tell));
    }
    println!("{}", table(&summaries));
    let passed = summaries.iter().all(Summary::passed);
    if words.keep_dir || !passed {
        println!("kept: {}", dir.keep().display());
    }
    Ok(passed)
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Fault>> {
    let mut faults = Vec::new();
    for name in names {
        match (name.as_str(), find(name)) {
            ("all", _) => faults.extend(FAULTS),
            (_, Some(fault)) => faults.push(fault),
            (_, None) => bail!("there is no fault `{name}`; `ordain-torture list` tells which"),
        }
    }
    Ok(faults)
}

fn table(summaries: &[Summary]) -> Table {
    let mut table = Table::new();
    table.set_header([
        "fault",
        "runs",
        "void",
        "acked",
        "after healing",
        "checks",
        "took",
        "verdict",
    ]);
    for summary in summaries {
        let verdict = if summary.passed() {
            "passed"
        } else {
            "VIOLATED"
        };
        table.add_row([
            summary.fault.to_owned(),
            summary.runs.to_string(),
            summary.void.to_string(),
            summary.acknowledged.to_string(),
            summary.after_healing.to_string(),
            summary.checks.to_string(),
            format!("{:.1} s", summary.took.as_secs_f64()),
            verdict.to_owned(),
        ]);
    }
    table
}
