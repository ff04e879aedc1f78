//! A process killed at any moment leaves a store that stands at a checkpoint, whole, and not
//! before the last one it acknowledged.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{assert_holds, model_after, step};
use ordain_store::{DiskStore, Options, Store};

/// Tells a process that it is the one to be killed, and its directory.
const VICTIM: &str = "ORDAIN_STORE_TEST_VICTIM";
const CHANGES: u64 = 400;
const ROUNDS: u64 = 25;

/// Applies checkpoints and acknowledges each, until killed.
fn run_victim(dir: &str) -> ! {
    let store = DiskStore::open(dir, Options::default()).unwrap();
    let mut out = std::io::stdout();
    for seq in store.seq().0 + 1.. {
        store.apply(&step(seq, CHANGES)).unwrap();
        writeln!(out, "applied {seq}").unwrap();
        out.flush().unwrap();
    }
    unreachable!("a u64 of checkpoints");
}

fn start_victim(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "a_killed_process_loses_no_acknowledged_checkpoint",
            "--nocapture",
        ])
        .env(VICTIM, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a line acknowledges. The test runner's own words may stand before it.
fn acknowledged(line: &str) -> Option<u64> {
    line.rsplit_once("applied ")?.1.parse().ok()
}

#[test]
fn a_killed_process_loses_no_acknowledged_checkpoint() {
    if let Ok(dir) = std::env::var(VICTIM) {
        run_victim(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..ROUNDS {
        let mut victim = start_victim(dir.path());
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut seen = lines
            .map_while(Result::ok)
            .filter_map(|line| acknowledged(&line));
        // Another moment each round: so many checkpoints in, then into the middle of one.
        for _ in 0..1 + round % 4 {
            last = seen.next().expect("the victim runs until it is killed");
        }
        for _ in 0..round * 20_000 {
            std::hint::spin_loop();
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        last = seen.last().unwrap_or(last);

        let store = DiskStore::open(dir.path(), Options::default()).unwrap();
        let seq = store.seq().0;
        assert!(seq >= last, "acknowledged {last}, found {seq}");
        assert!(seq <= last + 1, "acknowledged {last}, found {seq}");
        assert_holds(&store, &model_after(seq, CHANGES));
    }
}
