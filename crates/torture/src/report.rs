//! Repetitions of a fault, and the verdict over them. A run in which the fault did not bite, or after
//! which too few calls were acknowledged, is void: it is tried again, and never counted as passed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::faults::Fault;
use crate::scene::{AFTER_HEALING, Outcome, Scene};

/// Void runs in a row after which a fault is given up.
const VOID_MAX: u32 = 3;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's program.
    pub program: PathBuf,
    /// Where runs have their directories; those that fail are kept.
    pub root: PathBuf,
    /// What all choices follow from.
    pub seed: u64,
    /// Keep the directories of runs that pass, too.
    pub keep: bool,
}

/// What all repetitions of a fault came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The fault's name.
    pub fault: &'static str,
    /// Runs that count.
    pub runs: u32,
    /// Runs that show nothing.
    pub void: u32,
    /// Operations acknowledged in runs that count.
    pub acknowledged: u64,
    /// Of these, after healing.
    pub after_healing: u64,
    /// Checks made.
    pub checks: u64,
    /// What did not hold, and where to look.
    pub violations: Vec<String>,
    /// What happened in the last run, for people.
    pub notes: Vec<String>,
    /// How long it all took.
    pub took: Duration,
}

/// What a run is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything held.
    Passed,
    /// It shows nothing.
    Void,
    /// Something did not hold.
    Violated,
}

/// What this run is worth. A violation counts, however little else the run shows.
pub fn verdict(outcome: &Outcome) -> Verdict {
    if !outcome.violations.is_empty() {
        return Verdict::Violated;
    }
    match outcome.bit && outcome.after_healing >= AFTER_HEALING && outcome.checks > 0 {
        true => Verdict::Passed,
        false => Verdict::Void,
    }
}

impl Summary {
    /// Whether every repetition passed.
    pub fn passed(&self) -> bool {
        self.violations.is_empty() && self.runs > 0
    }
}

/// Runs a fault so many times; `tell` hears of each run.
pub fn run(
    plan: &Plan,
    fault: &'static Fault,
    repetitions: u32,
    tell: &mut dyn FnMut(&str),
) -> Summary {
    let began = Instant::now();
    let mut summary = Summary {
        fault: fault.name,
        ..Summary::default()
    };
    let (mut repetition, mut void_in_a_row) = (0, 0);
    while repetition < repetitions {
        let attempt = summary.runs + summary.void;
        let root = plan.root.join(format!("{}-{attempt}", fault.name));
        let outcome = one(plan, fault, repetition, attempt, &root);
        let verdict = verdict(&outcome);
        tell(&line(fault, attempt, verdict, &outcome));
        match verdict {
            Verdict::Void => {
                summary.void += 1;
                void_in_a_row += 1;
            }
            Verdict::Passed | Verdict::Violated => {
                summary.add(&outcome);
                (repetition, void_in_a_row) = (repetition + 1, 0);
            }
        }
        if verdict == Verdict::Violated {
            let kept = format!("{} is kept", root.display());
            summary.violations.push(kept);
        } else if !plan.keep {
            // Left over files only take room.
            let _ = std::fs::remove_dir_all(&root);
        }
        if void_in_a_row == VOID_MAX {
            let why = format!("void {VOID_MAX} times in a row: {:?}", outcome.notes);
            summary.violations.push(why);
            break;
        }
    }
    summary.took = began.elapsed();
    summary
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.acknowledged += outcome.acknowledged;
        self.after_healing += outcome.after_healing;
        self.checks += outcome.checks;
        self.violations.extend(outcome.violations.iter().cloned());
        self.notes.clone_from(&outcome.notes);
    }
}

/// One run, whatever becomes of it.
fn one(plan: &Plan, fault: &Fault, repetition: u32, attempt: u32, root: &Path) -> Outcome {
    let seed = plan.seed.wrapping_add(u64::from(attempt));
    let mut scene = match Scene::new(&plan.program, root, seed, repetition) {
        Ok(scene) => scene,
        Err(error) => return broken(seed, &error),
    };
    let concluded = (fault.run)(&mut scene).and_then(|()| scene.conclude());
    let mut outcome = concluded.unwrap_or_else(|error| {
        let mut outcome = broken(seed, &error);
        outcome.violations.extend(scene.load.shared.troubles());
        outcome
    });
    if (plan.keep || !outcome.violations.is_empty())
        && let Err(error) = scene.keep()
    {
        let why = format!("history and data could not be kept: {error:#}");
        outcome.violations.push(why);
    }
    outcome
}

/// A run that came to no end is no passed one.
fn broken(seed: u64, error: &anyhow::Error) -> Outcome {
    Outcome {
        violations: vec![format!("seed {seed}: {error:#}")],
        ..Outcome::default()
    }
}

fn line(fault: &Fault, attempt: u32, verdict: Verdict, outcome: &Outcome) -> String {
    let verdict = match verdict {
        Verdict::Passed => "passed",
        Verdict::Void => "VOID",
        Verdict::Violated => "VIOLATED",
    };
    let (acknowledged, after) = (outcome.acknowledged, outcome.after_healing);
    let mut line = format!(
        "{} {attempt}: {verdict}, {acknowledged} acknowledged, {after} after healing",
        fault.name
    );
    for note in &outcome.notes {
        line.push_str("; ");
        line.push_str(note);
    }
    for violation in &outcome.violations {
        line.push_str("\n  VIOLATED ");
        line.push_str(violation);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_shows_nothing_is_void() {
        let good = Outcome {
            bit: true,
            acknowledged: 2_000,
            after_healing: AFTER_HEALING,
            checks: 5,
            ..Outcome::default()
        };
        assert_eq!(verdict(&good), Verdict::Passed);
        let spoil: [fn(&mut Outcome); 3] = [
            |outcome| outcome.bit = false,
            |outcome| outcome.after_healing -= 1,
            |outcome| outcome.checks = 0,
        ];
        for spoil in spoil {
            let mut outcome = good.clone();
            spoil(&mut outcome);
            assert_eq!(verdict(&outcome), Verdict::Void, "{outcome:?}");
            outcome.violations.push("lost".into());
            assert_eq!(verdict(&outcome), Verdict::Violated, "{outcome:?}");
        }
    }

    #[test]
    fn nothing_but_runs_that_count_is_passed() {
        let run_once = Summary {
            runs: 1,
            ..Summary::default()
        };
        assert!(run_once.passed());
        assert!(!Summary::default().passed());
    }
}
