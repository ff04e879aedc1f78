//! A load of transfers beside upgrades of the module that runs them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ordain::{Node, Request};
use ordain_types::{Method, MethodKind};

use super::{Place, ms, named, request, version};
use crate::language::{Language, deploy};
use crate::report::Figure;
use crate::words::What;

/// Callers of the load, each with one call in flight.
pub const CALLERS: usize = 256;
/// What is in each caller's account: more than it gives away in any run.
const BALANCE: i64 = 1_000_000;
/// How often the load without and with upgrades take turns.
const TURNS: u32 = 5;
/// Between two upgrades under load.
const UPGRADE_EVERY: Duration = Duration::from_millis(500);

/// A load of transfers, alone and beside upgrades of the module that runs them.
///
/// # Errors
/// If a node does not open, or an upgrade fails.
pub fn run(
    place: &Place,
    duration: Duration,
    violations: &mut Vec<String>,
) -> anyhow::Result<Vec<Figure>> {
    let module = Language::Ts.module(What::Transfer)?;
    let module = module.context("the module is in the program")?;
    let node = place.open()?;
    deploy(&node, module.name, module.file, version(&module, 0))?;
    fill(&node)?;
    load(&node, duration / 4, &mut || Ok(()))?; // to warm up
    let mut number = 0;
    let mut upgrade = || {
        number += 1;
        deploy(&node, module.name, module.file, version(&module, number))?;
        std::thread::sleep(UPGRADE_EVERY);
        Ok(())
    };
    // They take turns, since a disk has good and bad moments.
    let turn = duration / TURNS;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.push(load(&node, turn, &mut || Ok(()))?);
        beside.push(load(&node, turn, &mut upgrade)?);
    }
    let all = alone.iter().chain(&beside);
    violations.extend(all.filter_map(|load| load.failed.clone()));
    violations.extend(lost(&node)?);
    node.stop();
    let rates = |loads: &[Load]| loads.iter().map(|load| load.rate).collect();
    let late = |loads: &[Load]| loads.iter().map(|load| load.p999_ms).collect();
    let pairs = alone.iter().zip(&beside);
    let later = pairs.map(|(alone, beside)| beside.p999_ms - alone.p999_ms);
    let figures = [
        Figure::over(
            named("load_per_second", "load alone, calls/s"),
            rates(&alone),
        ),
        Figure::over(named("load_p999_ms", "load alone, p99.9 ms"), late(&alone)),
        Figure::over(
            named("upgrades", "upgrades meanwhile"),
            vec![f64::from(number as u32)],
        ),
        Figure::over(
            named("upgrades_per_second", "load beside upgrades, calls/s"),
            rates(&beside),
        ),
        Figure::over(
            named("upgrades_p999_ms", "load beside upgrades, p99.9 ms"),
            late(&beside),
        ),
        Figure::over(
            named("upgrades_later_ms", "… than alone, turn by turn, ms"),
            later.collect(),
        ),
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// Gives each caller's account its balance.
fn fill(node: &Node) -> anyhow::Result<()> {
    for at in 0..CALLERS {
        let args = format!(r#"{{"amount":{BALANCE}}}"#);
        node.call(request(&format!("account/{at}"), "deposit", args)?)?;
    }
    Ok(())
}

/// Says so if the accounts do not add up to what was put in.
fn lost(node: &Node) -> anyhow::Result<Option<String>> {
    let keys: Vec<_> = (0..CALLERS).map(|at| format!("\"{at}\"")).collect();
    let total = Request::<i64>::new(
        "bank/upgrades".parse()?,
        Method::new("total")?,
        MethodKind::Query,
        format!(r#"{{"accounts":[{}]}}"#, keys.join(",")).into(),
    );
    let (total, expected) = (node.query(total)?, BALANCE * CALLERS as i64);
    Ok((total != expected)
        .then(|| format!("the balances beside upgrades add up to {total}, not to {expected}")))
}

/// How a load went.
struct Load {
    rate: f64,
    p999_ms: f64,
    failed: Option<String>,
}

/// Runs the load while `beside` is done again and again.
fn load(
    node: &Node,
    duration: Duration,
    beside: &mut dyn FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Load> {
    let (done, ready) = (AtomicBool::new(false), Barrier::new(CALLERS + 1));
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|at| {
                let (done, ready) = (&done, &ready);
                scope.spawn(move || {
                    ready.wait();
                    let from = format!("account/{at}");
                    let args = format!(r#"{{"to":"{}","amount":1}}"#, (at + 1) % CALLERS);
                    let mut took = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let began = Instant::now();
                        let request = request(&from, "transfer", args.clone())?;
                        // Each account has enough: a rejection is a failure too.
                        node.call(request)?;
                        took.push(ms(began));
                    }
                    anyhow::Ok(took)
                })
            })
            .collect();
        ready.wait();
        let began = Instant::now();
        let mut went = Ok(());
        while went.is_ok() && began.elapsed() < duration {
            went = beside();
            std::thread::sleep(Duration::from_millis(1));
        }
        let went_on = began.elapsed();
        done.store(true, Ordering::Relaxed);
        let (mut took, mut failed) = (Vec::new(), None);
        for caller in callers {
            match caller.join().expect("no caller panics") {
                Ok(calls) => took.extend(calls),
                Err(error) => failed = Some(format!("a call beside upgrades: {error:#}")),
            }
        }
        went?;
        ensure!(!took.is_empty(), "no call came to an end");
        took.sort_by(f64::total_cmp);
        Ok(Load {
            rate: took.len() as f64 / went_on.as_secs_f64(),
            p999_ms: took[(took.len() - 1) * 999 / 1_000],
            failed,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordain::TestNode;

    /// The same accounts in Rust: which language they are in does not matter here.
    fn node() -> TestNode {
        TestNode::new(ordain_example_transfer::entities())
    }

    fn a_moment(node: &Node) -> Load {
        load(node, Duration::from_millis(50), &mut || Ok(())).expect("some calls come to an end")
    }

    #[test]
    fn a_load_loses_no_money_and_money_that_is_lost_is_seen() {
        let test = node();
        let node = test.node();
        fill(node).expect("deposits");
        assert_eq!(a_moment(node).failed, None);
        assert_eq!(lost(node).expect("the accounts can be read"), None);
        let one = request("account/7", "withdraw", r#"{"amount":1}"#.into());
        node.call(one.expect("a request")).expect("it has enough");
        let said = lost(node).expect("the accounts can be read");
        let said = said.expect("one is missing");
        assert!(said.contains("255999999, not to 256000000"), "{said}");
    }

    #[test]
    fn a_rejection_beside_upgrades_is_a_failure() {
        let test = node();
        let node = test.node();
        // One account has money, so that some calls come to an end.
        let args = format!(r#"{{"amount":{BALANCE}}}"#);
        let rich = request("account/0", "deposit", args).expect("a request");
        node.call(rich).expect("a deposit");
        let failed = a_moment(node).failed.expect("the others have none");
        assert!(failed.contains("insufficient_funds"), "{failed}");
    }
}
