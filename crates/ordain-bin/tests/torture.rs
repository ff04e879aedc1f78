//! Real server processes under faults, each as often as a test run has time for. By hand, and more
//! often: `ordain-torture run`.

use std::path::Path;

use ordain_torture::faults::find;
use ordain_torture::report::{Plan, run};

/// Every repetition of the fault must pass; what fails is kept for looking at.
#[track_caller]
fn torture(name: &str) {
    let fault = find(name).expect("a fault of that name");
    let dir = tempfile::Builder::new().prefix("ordain-torture-").tempdir();
    let dir = dir.expect("a directory");
    let plan = Plan {
        program: Path::new(env!("CARGO_BIN_EXE_ordain")).to_owned(),
        root: dir.path().to_owned(),
        seed: 1,
        keep: false,
    };
    let summary = run(&plan, fault, fault.ci, &mut |line| println!("{line}"));
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
    ($($test:ident = $name:literal;)*) => {
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
    killed_at_random = "kill";
}
