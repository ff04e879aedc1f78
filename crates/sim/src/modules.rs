//! Modules of simulated worlds: releases of the interpreters in `modules/programs.ts` and `modules/wasm`, which
//! differ in the number they give when they are asked for it, and in what a deployment is about: what they
//! export, the version of the state's shape, whether it migrates, what a method takes. What deploying one
//! means is not known here.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ordain_engine::{Loaded, Modules};
use ordain_types::module::{self, File, Language, ModuleHash};
use ordain_types::{Package, Source};

use crate::hosting;

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
    /// Whether an instance may serve many transactions, where that is asked.
    pub reuse: bool,
    /// What it says of itself, which tells it from all others.
    pub number: u32,
}

const PLAIN: Shape = Shape {
    types: &[],
    version: 1,
    migrates: false,
    strict: false,
    reuse: false,
    number: 0,
};

/// What there is of each set of types.
const SHAPES: [Shape; 6] = [
    PLAIN,
    Shape {
        reuse: true,
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

/// Every release of a language.
pub fn releases(language: Language) -> &'static [Release] {
    slot(language).get_or_init(|| {
        let shapes = TYPES
            .iter()
            .flat_map(|types| SHAPES.map(|shape| Shape { types, ..shape }));
        let first = match language {
            Language::JavaScript => 100,
            Language::Wasm => 200,
        };
        let numbered = (first..).zip(shapes);
        let release = |(number, shape)| release(language, Shape { number, ..shape });
        numbered.map(release).collect()
    })
}

fn slot(language: Language) -> &'static OnceLock<Vec<Release>> {
    static SLOTS: [OnceLock<Vec<Release>>; 2] = [OnceLock::new(), OnceLock::new()];
    match language {
        Language::JavaScript => &SLOTS[0],
        Language::Wasm => &SLOTS[1],
    }
}

/// The release of a package.
pub fn find(hash: &ModuleHash) -> &'static Release {
    let made = [Language::JavaScript, Language::Wasm].map(|it| slot(it).get());
    let mut all = made.into_iter().flatten().flatten();
    let found = all.find(|release| release.hash == *hash);
    found.expect("only releases are deployed")
}

/// What is loaded of a release ahead of the command that deploys it.
pub(crate) fn load(host: &Arc<dyn Modules>, hash: &ModuleHash) -> Loaded {
    let release = find(hash);
    let loaded = Loaded::new(&**host, release.hash, &release.package);
    loaded.expect("what was compiled can be loaded")
}

fn release(language: Language, shape: Shape) -> Release {
    let source = match language {
        Language::JavaScript => typescript(shape),
        Language::Wasm => component(shape),
    };
    let package = hosting::new_host().compile(&source);
    let package = package.unwrap_or_else(|error| panic!("{shape:?} does not compile: {error}"));
    assert_eq!(package.manifest.language, language);
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

/// The built component with another release written into it: see `modules/wasm/src/shape.rs`.
fn component(shape: Shape) -> Source {
    const MARK: &[u8] = b"ordain-sim release: ";
    const BYTES: usize = 96;
    let Shape {
        types,
        version,
        number,
        ..
    } = shape;
    let or_dash = |is: bool, word| if is { word } else { "-" };
    let text = format!(
        "{} {version} {} {} {} {number}",
        types.join(","),
        or_dash(shape.migrates, "migrates"),
        or_dash(shape.strict, "strict"),
        or_dash(shape.reuse, "reuse"),
    );
    let mut bytes = include_bytes!("../modules/programs.wasm").to_vec();
    let mut windows = bytes.windows(BYTES);
    let at = windows.position(|it| it.starts_with(MARK) && it.ends_with(b"   "));
    let at = at.expect("the component has room for a release") + MARK.len();
    let room = &mut bytes[at..at + BYTES - MARK.len()];
    room.fill(b' ');
    room[..text.len()].copy_from_slice(text.as_bytes());
    Source {
        main: "programs.wasm".to_owned(),
        files: vec![File {
            path: "programs.wasm".to_owned(),
            bytes: bytes.into(),
        }],
    }
}

fn typescript(shape: Shape) -> Source {
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
        number,
        ..
    } = shape;
    let (taken, type_taken) = match shape.strict {
        true => ("ops, more", "ops: Op[]; more: number"),
        false => ("ops", "ops: Op[]"),
    };
    let migrate = if shape.migrates { ", migrate" } else { "" };
    let mut text = String::from(
        "import { entity, query } from \"ordain\";\nimport { initial, migrate, program, type Op, type Own } \
         from \"./programs\";\n",
    );
    for ty in types {
        text.push_str(&format!(
            "\nexport const {ty} = entity(initial, {{\n  run(cx, {{ {taken} }}: {{ {type_taken} }}) {{\n    \
             return program(cx, ops, own);\n  }},\n  look: query((cx, {{ ops }}: {{ ops: Op[] }}) => \
             program(cx, ops, own)),\n}}, {{ version: {version}{migrate} }});\n"
        ));
    }
    let types = types.join(", ");
    text.push_str(&format!(
        "\nconst own: Own = {{ release: {number}, types: {{ {types} }} }};\n"
    ));
    text
}
