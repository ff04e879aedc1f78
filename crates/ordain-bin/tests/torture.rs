//! Real server processes under faults, each as often as a test run has time for. By hand, and more
//! often: `ordain-torture run`.

use std::path::Path;

use ordain_torture::faults::{PLANTED, PLANTED_CHECKS, find};
use ordain_torture::report::{Plan, run};

fn plan(root: &Path) -> Plan {
    Plan {
        program: Path::new(env!("CARGO_BIN_EXE_ordain")).to_owned(),
        root: root.to_owned(),
        seed: 1,
        keep: false,
    }
}

/// Every repetition of the fault must pass; what fails is kept for looking at.
#[track_caller]
fn torture(name: &str) {
    let fault = find(name).expect("a fault of that name");
    let dir = tempfile::Builder::new().prefix("ordain-torture-").tempdir();
    let dir = dir.expect("a directory");
    let summary = run(&plan(dir.path()), fault, fault.ci, &mut |line| {
        println!("{line}")
    });
    if !summary.passed() {
        panic!(
            "{} kept in {}",
            summary.violations.join("\n"),
            dir.keep().display()
        );
    }
    assert_eq!(summary.runs, fault.ci);
}

macro_rules! faults {
    ($(fn $test:ident() = $name:literal;)*) => {
        $(#[test]
        fn $test() {
            torture($name);
        })*

        #[test]
        fn every_fault_has_its_test() {
            let tested = [$($name),*];
            let all = ordain_torture::faults::FAULTS;
            let missing = all.iter().filter(|fault| !tested.contains(&fault.name));
            let missing: Vec<_> = missing.map(|fault| fault.name).collect();
            assert!(missing.is_empty(), "without a test: {missing:?}");
        }
    };
}

faults! {
    fn killed_at_random() = "kill";
    fn killed_at_a_write_of_the_log() = "kill-log-write";
    fn killed_at_a_sync_of_the_log() = "kill-log-sync";
    fn killed_at_a_write_of_the_store() = "kill-store-write";
    fn killed_at_a_sync_of_the_store() = "kill-store-sync";
    fn killed_while_it_starts() = "restart";
    fn stopped_and_continued() = "pause";
    fn the_clock_jumps() = "clock";
    fn slow_and_broken_clients() = "clients";
    fn too_few_descriptors() = "descriptors";
    fn too_little_memory() = "memory";
    fn killed_in_backup_and_restore() = "backup";
    fn every_file_damaged() = "damage";
    fn a_full_disk() = "disk-full";
    fn a_sync_of_the_log_fails() = "log-sync-error";
    fn a_write_of_the_log_fails() = "log-write-error";
    fn a_write_of_the_log_is_short() = "log-short-write";
    fn a_write_of_the_note_fails() = "note-write-error";
    fn a_sync_of_the_store_fails() = "store-sync-error";
    fn a_write_of_the_store_fails() = "store-write-error";
}

/// The harness as a whole sees what it is for: a server that loses what it acknowledged.
#[test]
fn a_server_that_loses_is_caught() {
    let dir = tempfile::tempdir().expect("a directory");
    let summary = run(&plan(dir.path()), &PLANTED, 1, &mut |_| {});
    let found = summary.violations.join("\n");
    assert!(!summary.passed() && summary.runs == 1);
    // Each by its own evidence: the lists that were read, the seqs, the counters.
    for what in ["not strictly serializable", "was given to", "told before"] {
        assert!(found.contains(what), "{what} was not seen: {found}");
    }
}

/// So does each check that a fault makes of its own.
#[test]
fn each_check_of_a_fault_sees_what_it_is_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let summary = run(&plan(dir.path()), &PLANTED_CHECKS, 1, &mut |_| {});
    let found = summary.violations.join("\n");
    assert!(!summary.passed() && summary.runs == 1);
    let expected = [
        "health said Ready, not that the disk failed",
        "on a failed disk",
        "no update was refused on a full disk",
        "backed up as another hash",
        "half a restore was opened as a whole one",
        "a backup has its name and is not whole",
        "no damage was detected",
        "was read all the same",
        "another format in the directory came to None",
        "for another hash",
        "the state's hash was another hash",
    ];
    for what in expected {
        assert!(found.contains(what), "{what} was not seen: {found}");
    }
    // They failed, and nothing went wrong before them.
    assert!(!found.contains("seed "), "{found}");
}
