//! Modules of simulated worlds: releases of the interpreter in `modules/programs.ts`, which differ in what they
//! export and in nothing that shows, or in what a deployment is about: the version of the state's shape,
//! whether it migrates, what a method takes. What deploying one means is not known here.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ordain_engine::{Catalog, Modules};
use ordain_hosts::Hosts;
use ordain_types::module::{self, File, Language, ModuleHash};
use ordain_types::{Package, Source};

use crate::generate::Dialect;
use crate::host;

/// One release.
#[derive(Debug)]
pub struct Release {
    /// Its package's name.
    pub hash: ModuleHash,
    /// Its package.
    pub package: Bytes,
    /// What it is written in.
    pub language: Language,
    /// What it has.
    pub shape: Shape,
}

/// What of a release matters to whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Its entity types, in order.
    pub types: &'static [&'static str],
    /// The version of their state's shape.
    pub version: u32,
    /// Whether it takes states of other versions: it adds the version to the number.
    pub migrates: bool,
    /// Whether `run` wants an argument that no program has.
    pub strict: bool,
    /// What tells it from releases that are alike.
    pub comment: &'static str,
}

const PLAIN: Shape = Shape {
    types: &[],
    version: 1,
    migrates: false,
    strict: false,
    comment: "a release",
};

/// What there is of each set of types.
const SHAPES: [Shape; 6] = [
    PLAIN,
    Shape {
        comment: "the same once more",
        ..PLAIN
    },
    Shape {
        version: 2,
        migrates: true,
        ..PLAIN
    },
    Shape {
        migrates: true,
        ..PLAIN
    },
    Shape {
        version: 3,
        ..PLAIN
    },
    Shape {
        strict: true,
        ..PLAIN
    },
];

const TYPES: [&[&str]; 3] = [&["alpha", "beta"], &["alpha"], &["beta"]];

/// Every release in JavaScript.
pub fn javascript() -> &'static [Release] {
    static RELEASES: LazyLock<Vec<Release>> = LazyLock::new(|| {
        let host = Hosts::default();
        let shapes = TYPES
            .iter()
            .flat_map(|types| SHAPES.map(|shape| Shape { types, ..shape }));
        shapes.map(|shape| release(&host, shape)).collect()
    });
    &RELEASES
}

/// The release of a package.
pub fn find(hash: &ModuleHash) -> &'static Release {
    let found = javascript().iter().find(|release| release.hash == *hash);
    found.expect("only releases are deployed")
}

/// A host that has compiled nothing yet.
pub fn new_host() -> Arc<dyn Modules> {
    Arc::new(Hosts::default())
}

/// Drops what this thread keeps of modules for the next calls, as the end of a process does.
pub fn forget() {
    ordain_hosts::javascript::clear();
}

fn release(host: &dyn Modules, shape: Shape) -> Release {
    let package = host.compile(&source(shape));
    let package = package.unwrap_or_else(|error| panic!("{shape:?} does not compile: {error}"));
    let language = package.manifest.language;
    check(&package, shape);
    let package = package.encode();
    Release {
        hash: module::hash(&package),
        package,
        language,
        shape,
    }
}

/// What compiling found must be what was asked for.
fn check(package: &Package, shape: Shape) {
    let entities = package.manifest.entities.iter();
    let names: Vec<_> = entities
        .clone()
        .map(|entity| entity.name.as_str())
        .collect();
    assert_eq!(names, shape.types);
    for entity in entities {
        assert_eq!(
            (entity.version, entity.migrates),
            (shape.version, shape.migrates)
        );
        let described = entity.methods.iter().all(|method| method.params.is_some());
        assert!(described, "unknown arguments are refused: {entity:?}");
    }
}

fn source(shape: Shape) -> Source {
    let file = |path: &str, text: String| File {
        path: path.to_owned(),
        bytes: text.into(),
    };
    let programs = include_str!("../modules/programs.ts").to_owned();
    Source {
        main: "main.ts".to_owned(),
        files: vec![file("main.ts", main(shape)), file("programs.ts", programs)],
    }
}

/// The entry file: it has the entity types.
fn main(shape: Shape) -> String {
    let Shape {
        types,
        version,
        comment,
        ..
    } = shape;
    let (taken, type_taken) = match shape.strict {
        true => ("ops, more", "ops: Op[]; more: number"),
        false => ("ops", "ops: Op[]"),
    };
    let migrate = if shape.migrates { ", migrate" } else { "" };
    let mut text = format!(
        "// {comment}\nimport {{ entity, query }} from \"ordain\";\nimport {{ initial, migrate, program, type Op, \
         type Own }} from \"./programs\";\n"
    );
    for ty in types {
        text.push_str(&format!(
            "\nexport const {ty} = entity(initial, {{\n  run(cx, {{ {taken} }}: {{ {type_taken} }}) {{\n    \
             return program(cx, ops, own);\n  }},\n  look: query((cx, {{ ops }}: {{ ops: Op[] }}) => \
             program(cx, ops, own)),\n}}, {{ version: {version}{migrate} }});\n"
        ));
    }
    text.push_str(&format!("\nconst own: Own = {{ {} }};\n", types.join(", ")));
    text
}

/// Who runs the entity types of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast {
    /// Those that the program brings; all others are modules'.
    pub native: &'static [&'static str],
}

impl Cast {
    /// Whether there are modules.
    pub fn has_modules(self) -> bool {
        self.native.len() < host::TYPES.len()
    }

    /// What its programs may be made of.
    pub fn dialect(self) -> Dialect {
        match self.has_modules() {
            true => Dialect::Portable,
            false => Dialect::Native,
        }
    }

    /// What can be called before anything is deployed.
    pub fn catalog(self, modules: Option<&Arc<dyn Modules>>) -> Catalog {
        let catalog = host::catalog_with(self.native);
        match modules {
            Some(modules) => catalog.with_host(modules.clone()),
            None => catalog,
        }
    }
}
