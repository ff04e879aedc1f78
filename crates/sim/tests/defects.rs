//! The checks first see what they are for: planted mistakes of the oracle, pretended breaches of the
//! guarantees. And what fails is made small.

use ordain_sim::{Defect, Failure, Lapse, Scope, World};

fn failures(world: World, scope: Scope, seeds: u64) -> impl Iterator<Item = Failure> {
    (0..seeds).filter_map(move |seed| world.run(seed, scope).err().map(|failure| *failure))
}

#[test]
fn planted_mistakes_are_noticed() {
    for defect in Defect::ALL {
        let scope = Scope {
            defect: Some(defect),
            ..Scope::default()
        };
        let noticed = failures(World::Engine, scope, 300).next().is_some();
        assert!(noticed, "{defect:?} went unnoticed");
    }
}

/// Where the node's world is to notice what the engine's does.
#[test]
fn planted_mistakes_are_noticed_through_a_node() {
    let seen = [
        Defect::FieldsStay,
        Defect::SendsStay,
        Defect::RootsStay,
        Defect::RunsAgain,
        Defect::AnswersAnyway,
        Defect::FaultCaught,
        Defect::SameChance,
    ];
    for defect in seen {
        let scope = Scope {
            defect: Some(defect),
            ..Scope::default()
        };
        let noticed = failures(World::Node, scope, 200).next().is_some();
        assert!(noticed, "{defect:?} went unnoticed");
    }
}

#[test]
fn every_pretended_breach_is_objected_to() {
    for lapse in Lapse::ALL {
        let scope = Scope {
            lapse: Some(lapse),
            ..Scope::default()
        };
        let (mut committed, mut seed) = (0, 0);
        while committed < 5 {
            assert!(seed < 200, "{lapse:?} was committed {committed} times only");
            match World::Node.run(seed, scope) {
                Ok(report) => assert_eq!(
                    report.exercised.times("lapses"),
                    0,
                    "{lapse:?}, seed {seed}"
                ),
                Err(_) => committed += 1,
            }
            seed += 1;
        }
    }
}

#[test]
fn what_fails_is_made_small() {
    for world in [World::Engine, World::Node] {
        let scope = Scope {
            defect: Some(Defect::RootsStay),
            ..Scope::default()
        };
        // With so few tries not every failure comes to its smallest; one of the first few does.
        let few = failures(world, scope, 300).take(6);
        let mut shrunk = few.map(|failure| {
            let (kind, before) = (failure.kind(), failure.tape.len());
            let shrunk = world.shrink(failure, scope, &mut |tries| tries < 2_000);
            (kind, before, shrunk)
        });
        let small = shrunk.find(|(.., shrunk)| shrunk.tape.len() < 120);
        let (kind, before, shrunk) = small.expect("one becomes small");
        assert_eq!(shrunk.kind(), kind);
        assert!(
            shrunk.tape.len() < 120,
            "{before} to {}:\n{shrunk}",
            shrunk.tape.len()
        );
        let told = shrunk.trace.iter();
        let calls = told.filter(|line| line.contains("ask ") || line.contains("Call("));
        assert!((1..=6).contains(&calls.count()), "{shrunk}");
        let again = world.replay(shrunk.tape.clone(), shrunk.seed, scope);
        assert_eq!(again.expect_err("it fails again").kind(), kind);
    }
}
