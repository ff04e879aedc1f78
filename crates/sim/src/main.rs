//! `ordain-sim`: lives the lives of many seeds on all cores, tells what they exercised, and of a seed
//! that fails the smallest life that fails alike and how to see it again.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ordain_sim::{Exercised, Failure, Scope, World};

const USAGE: &str = "\
Runs random programs from seeds, on an engine alone and on whole nodes with a bad disk, against a naive oracle.

usage: ordain-sim --seeds N [--from S] [--minutes M] [--world WORLD] [--jobs J]
       ordain-sim --seed X [--world WORLD]

  --seeds N      run N seeds, S and those after it; without N, seeds until the minutes are over
  --from S       the first seed (default 0)
  --minutes M    begin no seed after so many minutes
  --seed X       run one seed and print what happens, step by step
  --world WORLD  engine, node, javascript, wasm, mixed, node-mixed or all (default all)
  --jobs J       threads, each with a seed of its own (default: one for each core)
  --help         print this

Exits with 0 if all seeds agreed, 1 if one did not, 2 if the arguments make no sense.";

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long a failing seed is made smaller.
const SHRINK_FOR: Duration = Duration::from_secs(60);

/// What was asked for.
struct Task {
    seed: Option<u64>,
    seeds: Option<u64>,
    from: u64,
    minutes: Option<u64>,
    worlds: Vec<World>,
    jobs: u64,
}

/// A life is a third allocation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match task(&args) {
        Ok(task) => {
            keep_compiled();
            match task.seed {
                Some(seed) => one(seed, &task.worlds),
                None => many(&task),
            }
        }
        Err(wrong) => {
            eprintln!("ordain-sim: {wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Machine code of modules is kept beside this program.
fn keep_compiled() {
    let program = std::env::current_exe().ok();
    if let Some(dir) = program.as_deref().and_then(Path::parent) {
        ordain_sim::hosting::keep_compiled_in(dir.join("ordain-sim-modules"));
    }
}

fn task(args: &[String]) -> Result<Task, String> {
    let jobs = thread::available_parallelism().map_or(1, usize::from) as u64;
    let mut task = Task {
        seed: None,
        seeds: None,
        from: 0,
        minutes: None,
        worlds: World::ALL.to_vec(),
        jobs,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"));
        let number = || {
            let value = value.clone()?;
            let number = value.parse::<u64>();
            number.map_err(|_| format!("{arg} needs a number, not {value:?}"))
        };
        match arg.as_str() {
            "--seed" => task.seed = Some(number()?),
            "--seeds" => task.seeds = Some(number()?),
            "--from" => task.from = number()?,
            "--minutes" => task.minutes = Some(number()?),
            "--jobs" => task.jobs = number()?,
            "--world" => task.worlds = worlds(value?)?,
            other => return Err(format!("there is no option {other}")),
        }
    }
    if task.jobs == 0 {
        return Err("--jobs must be at least 1".to_owned());
    }
    let many = task.seeds.is_some() || task.minutes.is_some();
    match (task.seed, many) {
        (Some(_), true) => Err("either one --seed, or many".to_owned()),
        (None, false) => Err("say --seeds, --minutes or --seed".to_owned()),
        _ => Ok(task),
    }
}

fn worlds(name: &str) -> Result<Vec<World>, String> {
    match name {
        "all" => Ok(World::ALL.to_vec()),
        name => match World::ALL.into_iter().find(|world| world.name() == name) {
            Some(world) => Ok(vec![world]),
            None => Err(format!(
                "--world is {} or all, not {name:?}",
                World::ALL.map(World::name).join(", ")
            )),
        },
    }
}

fn one(seed: u64, worlds: &[World]) -> ExitCode {
    let scope = Scope {
        trace: true,
        ..Scope::default()
    };
    for world in worlds {
        println!("seed {seed}, world {}", world.name());
        match world.run(seed, scope) {
            Ok(report) => {
                report.trace.iter().for_each(|line| println!("{line}"));
                println!("seed {seed}: as it must be; {}", report.exercised);
            }
            Err(failure) => {
                println!("{failure}");
                tell_failure(*world, *failure);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// What the threads share.
struct Shared<'a> {
    task: &'a Task,
    next: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
    exercised: Mutex<Exercised>,
    began: Instant,
}

fn many(task: &Task) -> ExitCode {
    let shared = Shared {
        task,
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        exercised: Mutex::default(),
        began: Instant::now(),
    };
    let (failed, failures) = mpsc::channel();
    thread::scope(|threads| {
        for _ in 0..task.jobs {
            let (shared, failed) = (&shared, failed.clone());
            // The deepest programs need more than a thread has by default.
            let thread = thread::Builder::new().stack_size(64 << 20);
            let work = move || work(shared, &failed);
            thread.spawn_scoped(threads, work).expect("a thread");
        }
        drop(failed);
        loop {
            match failures.recv_timeout(TELL_EVERY) {
                Ok((world, failure)) => {
                    shared.stop.store(true, Ordering::Relaxed);
                    println!("{failure}");
                    tell_failure(world, failure);
                    return ExitCode::FAILURE;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => tell_progress(&shared),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        tell_progress(&shared);
        ExitCode::SUCCESS
    })
}

fn work(shared: &Shared<'_>, failed: &mpsc::Sender<(World, Failure)>) {
    let over = |began: Instant| {
        let minutes = shared.task.minutes;
        minutes.is_some_and(|minutes| began.elapsed() >= Duration::from_secs(60 * minutes))
    };
    while !shared.stop.load(Ordering::Relaxed) && !over(shared.began) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if shared.task.seeds.is_some_and(|seeds| number >= seeds) {
            return;
        }
        let seed = shared.task.from.wrapping_add(number);
        for world in &shared.task.worlds {
            match world.run(seed, Scope::default()) {
                Ok(report) => {
                    let mut all = shared
                        .exercised
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    all.merge(&report.exercised);
                }
                Err(failure) => return drop(failed.send((*world, *failure))),
            }
        }
        shared.done.fetch_add(1, Ordering::Relaxed);
    }
}

fn tell_progress(shared: &Shared<'_>) {
    let done = shared.done.load(Ordering::Relaxed);
    let seconds = shared.began.elapsed().as_secs_f64();
    let exercised = shared
        .exercised
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    println!(
        "{done} seeds from {}, {seconds:.0} s, {:.0} seeds/s: {exercised}",
        shared.task.from,
        done as f64 / seconds
    );
}

fn tell_failure(world: World, failure: Failure) {
    let (seed, drawn) = (failure.seed, failure.tape.len());
    println!(
        "\nmaking it smaller, for {} s at most …",
        SHRINK_FOR.as_secs()
    );
    let began = Instant::now();
    let shrunk = world.shrink(failure, Scope::default(), &mut |_| {
        began.elapsed() < SHRINK_FOR
    });
    println!("from {drawn} choices to {}:\n{shrunk}", shrunk.tape.len());
    println!(
        "\nto see all of it: ordain-sim --seed {seed} --world {}",
        world.name()
    );
}
