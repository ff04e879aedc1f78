//! A host of toys that can be watched and made to stand still.

use std::sync::{Condvar, Mutex, MutexGuard};

use ordain_engine::{Modules, TypeDef};
use ordain_types::module::{ModuleHash, Package, Place, Source, SourceError};
use ordain_types::{EntityType, Method};

use crate::toy::Toy;

/// Toys, but that one which is `"wrong"` has a place, and that one may stand still until it is let go.
#[derive(Default)]
pub struct Host {
    compiling: Mutex<Compiling>,
    changed: Condvar,
}

#[derive(Default)]
struct Compiling {
    stands: bool,
    /// How many compile now, and how many did at once.
    now: usize,
    most: usize,
}

impl Host {
    pub fn stand(&self, stands: bool) {
        self.compiling().stands = stands;
        self.changed.notify_all();
    }

    /// Until one compiles.
    pub fn wait_for_one(&self) {
        let compiling = self.compiling();
        drop(self.changed.wait_while(compiling, |it| it.now == 0));
    }

    /// How many compiled at once.
    pub fn most(&self) -> usize {
        self.compiling().most
    }

    fn compiling(&self) -> MutexGuard<'_, Compiling> {
        self.compiling.lock().expect("no one panics in here")
    }

    /// Counts who compiles, as long as it stands still.
    fn stay(&self) {
        let mut compiling = self.compiling();
        compiling.now += 1;
        compiling.most = compiling.most.max(compiling.now);
        self.changed.notify_all();
        let let_go = self.changed.wait_while(compiling, |it| it.stands);
        let_go.expect("no one panics in here").now -= 1;
    }
}

impl Modules for Host {
    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        self.stay();
        if source.files[0]
            .bytes
            .windows(5)
            .any(|five| five == b"wrong")
        {
            return Err(SourceError {
                file: Some(source.main.clone()),
                line: Some(3),
                column: Some(7),
                message: "expected something right".to_owned(),
            });
        }
        Toy.compile(source)
    }

    fn place(&self, _: ModuleHash, ty: &EntityType, method: Option<&Method>) -> Option<Place> {
        let column = ty.as_str().len() + method.map_or(0, |method| method.as_str().len());
        Some(Place {
            file: "toy.json".to_owned(),
            line: 5,
            column: column as u32,
        })
    }

    fn load(&self, hash: ModuleHash, package: &Package) -> Result<Vec<TypeDef>, String> {
        Toy.load(hash, package)
    }
}
