//! The language of simulated methods (`program.rs`) once more, as a WebAssembly module has it: what an
//! operation does by way of the world's imports. Nothing at all but for `wasm32`. `.ci/components` builds
//! the component that lives deploy.

#![cfg(target_arch = "wasm32")]

#[allow(dead_code, reason = "it is shared with who makes programs")]
#[path = "../../../src/program.rs"]
mod program;
mod root;
mod running;
mod shape;

use ordain::__private::world;
use world::exports::ordain::runtime::entities::{EntityType, Guest, Kind, Manifest, Method, Param};
use world::ordain::runtime::types::Rejection;

use program::Program;
use root::Root;
use running::Running;

struct Programs;

world::__export_world!(Programs with_types_in world);

impl Guest for Programs {
    fn describe() -> Manifest {
        let shape = shape::shape();
        let ops = || param("ops");
        let mut taken = vec![ops()];
        if shape.strict {
            taken.push(param("more"));
        }
        let entity = |name: &str| EntityType {
            name: name.to_owned(),
            version: shape.version,
            migrates: shape.migrates,
            methods: vec![
                method("run", Kind::Update, taken.clone()),
                method("look", Kind::Query, vec![ops()]),
            ],
        };
        Manifest {
            sdk: "0.1".to_owned(),
            entities: shape.types.split(',').map(entity).collect(),
            reuse: shape.reuse,
        }
    }

    fn invoke(_: String, _: String, args: String) -> Result<String, Rejection> {
        let program: Program = serde_json::from_str(&args).expect("lives make sound programs");
        drop(args);
        let mut running = Running::default();
        running.ops(&program.ops)?;
        Ok(running.end())
    }

    /// The number shows which shape it came from.
    fn migrate(_: String, state: String, from: u32) -> String {
        let mut root = Root::parse(&state);
        root.number = root.number.wrapping_add(from as i32);
        root.json()
    }
}

fn param(name: &str) -> Param {
    Param {
        name: name.to_owned(),
        schema: "{}".to_owned(),
        required: true,
    }
}

fn method(name: &str, kind: Kind, params: Vec<Param>) -> Method {
    Method {
        name: name.to_owned(),
        kind,
        params: Some(params),
        returns: "{}".to_owned(),
    }
}
