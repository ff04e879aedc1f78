//! Hostile modules, in each language: what their methods are told, how long their calls take, how long someone
//! else waits meanwhile, and what memory stays.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use ordain::{CallError, FaultKind, Node};

use super::{Place, deposit, ms, named, request};
use crate::language::{Language, Module};
use crate::process;
use crate::report::{Figure, Name};
use crate::words::What;

/// Calls of each method: the first may have to make what the others find.
const CALLS: usize = 5;

/// A hostile module, and what is measured of it.
struct Hostile {
    module: Module,
    methods: &'static [Method],
    /// The longest that someone waits beside no hostile call.
    alone: Name,
    memory: Name,
}

/// A method, and the fault that it has to come to.
struct Method {
    name: &'static str,
    kind: FaultKind,
    /// How long a call takes.
    takes: Name,
    /// The longest that someone else waits beside it.
    waits: Name,
}

macro_rules! method {
    ($language:literal, $name:literal, $kind:ident, $about:literal) => {
        Method {
            name: $name,
            kind: FaultKind::$kind,
            takes: named(
                concat!("hostile_", $language, "_", $name, "_ms"),
                concat!("hostile ", $language, ": ", $about, ", ms"),
            ),
            waits: named(
                concat!("hostile_", $language, "_", $name, "_wait_ms"),
                "… others wait at most, ms",
            ),
        }
    };
}

const IN_TYPESCRIPT: Hostile = Hostile {
    module: Module {
        name: "hostile",
        file: "hostile.ts",
        bytes: include_bytes!("hostile.ts"),
    },
    methods: &[
        method!("ts", "endless", Instructions, "endless loop"),
        method!("ts", "recursion", Stack, "endless recursion"),
        method!("ts", "memory", Memory, "memory without end"),
        method!("ts", "texts", Instructions, "huge texts without end"),
        method!(
            "ts",
            "searches",
            Instructions,
            "searches of a huge text without end"
        ),
    ],
    alone: named(
        "hostile_ts_alone_wait_ms",
        "hostile ts: without a call, others wait at most, ms",
    ),
    memory: named("hostile_ts_mib", "hostile ts: MiB resident more after all"),
};

/// `crates/hosts/modules/hostile`.
const IN_WEBASSEMBLY: Hostile = Hostile {
    module: Module {
        name: "hostile",
        file: "hostile.wasm",
        bytes: include_bytes!("../../../hosts/tests/fixtures/hostile.wasm"),
    },
    methods: &[
        method!("wasm", "endless", Instructions, "endless loop"),
        method!("wasm", "recursion", Stack, "endless recursion"),
        method!("wasm", "memory", Memory, "memory without end"),
        method!("wasm", "text", ValueBytes, "a huge value"),
        method!("wasm", "chatter", Instructions, "huge texts without end"),
    ],
    alone: named(
        "hostile_wasm_alone_wait_ms",
        "hostile wasm: without a call, others wait at most, ms",
    ),
    memory: named(
        "hostile_wasm_mib",
        "hostile wasm: MiB resident more after all",
    ),
};

/// Calls each method of the language's hostile module beside one who goes on depositing.
///
/// # Errors
/// If a node does not open, a method comes to anything but its fault, or the other one fails.
pub fn run(place: &Place, language: Language) -> anyhow::Result<Vec<Figure>> {
    let hostile = match language {
        Language::Ts => IN_TYPESCRIPT,
        _ => IN_WEBASSEMBLY,
    };
    let node = place.open()?;
    let other = Language::Ts.module(What::Transfer)?;
    other
        .context("the module is in the program")?
        .deploy(&node)?;
    hostile.module.deploy(&node)?;
    for _ in 0..100 {
        deposit(&node)?; // to warm up
    }
    let before = process::resident().context("the system does not tell the memory")?;
    let mut alone = Vec::new();
    for _ in 0..CALLS {
        alone.push(beside(&node, || Ok(quiet()))?.1);
    }
    let mut figures = Vec::from_iter(Figure::over(hostile.alone, alone));
    for method in hostile.methods {
        let (mut took, mut waited) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            let (call, wait) = beside(&node, || call(&node, method))?;
            took.push(call);
            waited.push(wait);
        }
        figures.extend(Figure::over(method.takes, took));
        figures.extend(Figure::over(method.waits, waited));
    }
    let after = process::resident().context("the system does not tell the memory")?;
    node.stop();
    let more = (after as f64 - before as f64) / f64::from(1 << 20);
    figures.extend(Figure::over(hostile.memory, vec![more]));
    Ok(figures)
}

/// As long as a call may take, without one.
fn quiet() -> f64 {
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(100));
    ms(began)
}

/// Calls a method, which has to come to its fault, with words; gives how long that takes.
fn call(node: &Node, method: &Method) -> anyhow::Result<f64> {
    let began = Instant::now();
    let answer = node.call(request("hostile/a", method.name, String::new())?);
    let took = ms(began);
    match answer {
        Err(CallError::Fault(fault)) if fault.kind == method.kind => {
            ensure!(!fault.message.is_empty(), "{} is told nothing", method.name);
            Ok(took)
        }
        other => bail!("{} comes to {other:?}", method.name),
    }
}

/// Runs `run` while another deposits, one deposit after the other; gives also the longest that one took, from
/// the one under way when `run` began to the first after its end.
fn beside(node: &Node, run: impl FnOnce() -> anyhow::Result<f64>) -> anyhow::Result<(f64, f64)> {
    let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut longest = 0.0_f64;
            let mut last = false;
            while !last {
                last = done.load(Ordering::Acquire);
                let began = Instant::now();
                deposit(node)?;
                longest = longest.max(ms(began));
                begun.store(true, Ordering::Release);
            }
            anyhow::Ok(longest)
        });
        while !begun.load(Ordering::Acquire) && !other.is_finished() {
            std::thread::yield_now();
        }
        let ran = run();
        done.store(true, Ordering::Release);
        let waited = other.join().expect("who deposits does not panic");
        Ok((ran?, waited?))
    })
}
