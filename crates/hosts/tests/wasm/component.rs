//! Components written as WebAssembly text: what toolchains would never make.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A core module of the world, with the parts that a test wants otherwise.
#[derive(Clone)]
pub struct Wat {
    pub entity: &'static str,
    pub methods: Vec<(&'static str, Kind)>,
    pub reuse: bool,
    pub version: u32,
    pub migrates: bool,
    /// Pages of its memory.
    pub pages: u32,
    /// Imports, by their WebAssembly text.
    pub imports: String,
    /// Functions and globals.
    pub items: String,
    /// Instructions of `invoke`, which leave the address of its result: `$type`, `$method` and
    /// `$arguments` are addresses, each with `_len`.
    pub invoke: String,
    /// Instructions of `describe`; none: the manifest of the fields above.
    pub describe: Option<String>,
    /// Instructions of `migrate`, which leave the address of its result: `$state`, `$state_len`.
    pub migrate: String,
}

#[derive(Clone, Copy)]
pub enum Kind {
    Query,
    Update,
}

impl Default for Wat {
    fn default() -> Self {
        Self {
            entity: "thing",
            methods: vec![("run", Kind::Update)],
            reuse: false,
            version: 1,
            migrates: false,
            pages: 2,
            imports: String::new(),
            items: String::new(),
            invoke: "(call $ok (i32.const 16) (i32.const 4))".to_owned(), // null
            describe: None,
            migrate: "unreachable".to_owned(),
        }
    }
}

/// Goes round as often as the local `$left` says.
pub const ROUNDS: &str = "(loop $again
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $again (i64.gt_s (local.get $left) (i64.const 0))))";

/// Where the manifest lies; below is room for tests, above 32 KiB what the runtime asks room for.
const MANIFEST: u32 = 4096;

impl Wat {
    /// The core module.
    pub fn core(&self) -> Vec<u8> {
        let (manifest, data) = self.manifest();
        let describe = match &self.describe {
            Some(describe) => describe.clone(),
            None => format!("i32.const {manifest}"),
        };
        let Self {
            pages,
            imports,
            items,
            invoke,
            migrate,
            ..
        } = self;
        let text = format!(
            r#"(module $hostile
  {imports}
  (memory (export "memory") {pages})
  (data (i32.const 16) "null")
  (data (i32.const {MANIFEST}) "{data}")
  (global $next (mut i32) (i32.const 32768))
  (func $allocate (export "cabi_realloc")
    (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $len)))
    (block $enough
      (br_if $enough (i32.le_u (global.get $next)
        (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $len) (i32.const 65536))))))
    (local.get $at))
  (func $ok (param $at i32) (param $len i32) (result i32)
    (i32.store (i32.const 64) (i32.const 0))
    (i32.store (i32.const 68) (local.get $at))
    (i32.store (i32.const 72) (local.get $len))
    (i32.const 64))
  {items}
  (func $invoke (export "ordain:runtime/entities@0.1.0#invoke")
    (param $type i32) (param $type_len i32) (param $method i32) (param $method_len i32)
    (param $arguments i32) (param $arguments_len i32) (result i32)
    {invoke})
  (func $describe (export "ordain:runtime/entities@0.1.0#describe") (result i32)
    {describe})
  (func $migrate (export "ordain:runtime/entities@0.1.0#migrate")
    (param $type i32) (param $type_len i32) (param $state i32) (param $state_len i32)
    (param $from i32) (result i32)
    {migrate})
)"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        component(&self.core())
    }

    /// Its address, and what lies from [`MANIFEST`] on as the text format writes bytes.
    fn manifest(&self) -> (u32, String) {
        let mut data = Data(Vec::new());
        let null = data.text("{}");
        let methods: Vec<_> = self
            .methods
            .iter()
            .map(|(name, _)| data.text(name))
            .collect();
        let entity = data.text(self.entity);
        let sdk = data.text("0.1");
        data.align();
        let list = data.at();
        for ((_, kind), name) in self.methods.iter().zip(methods) {
            data.words(&[name.0, name.1, matches!(kind, Kind::Update).into()]);
            data.words(&[0, 0, 0, null.0, null.1]); // parameters: not described
        }
        let entities = data.at();
        let version = [self.version, self.migrates.into()];
        data.words(&[entity.0, entity.1, version[0], version[1]]);
        data.words(&[list, self.methods.len() as u32]);
        let manifest = data.at();
        data.words(&[sdk.0, sdk.1, entities, 1, self.reuse.into()]);
        let escaped = data.0.iter().map(|byte| format!("\\{byte:02x}"));
        (manifest, escaped.collect())
    }
}

/// Bytes at [`MANIFEST`].
struct Data(Vec<u8>);

impl Data {
    fn at(&self) -> u32 {
        MANIFEST + self.0.len() as u32
    }

    fn text(&mut self, text: &str) -> (u32, u32) {
        let at = self.at();
        self.0.extend_from_slice(text.as_bytes());
        (at, text.len() as u32)
    }

    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.0.extend_from_slice(&word.to_le_bytes());
        }
    }
}

/// Makes a component of a core module of the world.
pub fn component(core: &[u8]) -> Vec<u8> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/ordain-runtime.wit");
    component_of(
        core,
        &std::fs::read_to_string(wit).expect("the world is there"),
    )
}

/// The same of what calls itself the world.
pub fn component_of(core: &[u8], wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("ordain-runtime.wit", wit);
    let package = package.expect("the world parses");
    let world = resolve
        .select_world(&[package], Some("module"))
        .expect("it has a world");
    let mut module = core.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the world fits in a section");
    let mut encoder = ComponentEncoder::default().validate(true).module(&module);
    let encoder = encoder.as_mut().expect("the module is of the world");
    encoder.encode().expect("the module makes a component")
}
