//! Sets an instance back after a transaction to what it was when it was new, which takes a fraction of the time that
//! a new one takes.
//!
//! What must hold: an instance that was set back cannot be told from a new one. What a call can change of one is its
//! memory, mutable globals, tables, and which segments are left. Components whose code changes more than memory and
//! globals are not set back ([`equip`]); globals get their first values by a function added to the component; of
//! memory, each page that was ever written gets the bytes of a new one ([`pages`]); and an instance whose memory grew,
//! or whose call did not come to its end, is let go. Nor can one that is able to be set back be told from one that is
//! not: that depends on the machine. `hosts/tests/wasm/reset.rs` looks at all of it.

mod equip;
mod module;
mod pages;

use std::sync::{Arc, OnceLock};

use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, TypedFunc, WasmList};

pub(super) use equip::{VERSION, equip};
use pages::Mapped;
pub(super) use pages::Pages;

use super::instance::Data;
use super::warm::WARM_INSTANCE_BYTES_MAX;

/// Fuel that the added functions never use up; no transaction pays for them.
const FUEL: u64 = u64::MAX >> 1;

/// Bytes of a new memory from the first to the last that is not zero, beyond which there is no copy to set back by.
const IMAGE_BYTES_MAX: usize = 4 << 20;

/// How instances of one component are set back.
pub(super) struct Plan {
    pages: Arc<Pages>,
    memory: ComponentExportIndex,
    globals: Vec<ComponentExportIndex>,
    /// None: they cannot be set back after all.
    image: OnceLock<Option<Image>>,
}

impl Plan {
    /// None if the component has not the functions for it.
    pub fn of(component: &Component, pages: Option<&Arc<Pages>>) -> Option<Self> {
        let export = |name: &str| component.get_export_index(None, name);
        let globals = (0..).map_while(|index| export(&equip::globals(index)));
        Some(Self {
            pages: pages?.clone(),
            memory: export(module::MEMORY)?,
            globals: globals.collect(),
            image: OnceLock::new(),
        })
    }

    /// Learns of a new instance how to set it back, and leaves it as new; none if it cannot be.
    ///
    /// # Errors
    /// If it may not be as new, and is to be let go. The next one is not asked.
    pub fn learn(
        &self,
        instance: &Instance,
        store: &mut Store<Data>,
    ) -> wasmtime::Result<Option<Reset>> {
        if let Some(None) = self.image.get() {
            return Ok(None);
        }
        let fuel = store.get_fuel().expect("fuel is counted");
        let at_once = store.hostcall_fuel();
        store.set_fuel(FUEL).expect("fuel is counted");
        store.set_hostcall_fuel(WARM_INSTANCE_BYTES_MAX); // for a list of all
        let learned = self.look(instance, store);
        if learned.is_err() {
            let _ = self.image.set(None); // another thread came to the same
        }
        store.set_hostcall_fuel(at_once);
        store.set_fuel(fuel).expect("fuel is counted");
        learned
    }

    fn look(
        &self,
        instance: &Instance,
        store: &mut Store<Data>,
    ) -> wasmtime::Result<Option<Reset>> {
        let globals = self.globals.iter();
        let globals = globals.map(|index| instance.get_typed_func(&mut *store, *index));
        let globals = globals.collect::<Result<_, _>>()?;
        let all = instance.get_typed_func::<(), (WasmList<u8>,)>(&mut *store, self.memory)?;
        let (all,) = all.call(&mut *store, ())?;
        let bytes = all.as_le_slice(&*store);
        let image = self.image.get_or_init(|| Image::of(bytes));
        let memory = Mapped::of(bytes);
        Ok(image.is_some().then_some(Reset { memory, globals }))
    }

    /// Sets the instance back; false if that did not succeed, and it is to be let go.
    pub fn apply(&self, reset: &Reset, store: &mut Store<Data>) -> bool {
        let mut globals = || -> wasmtime::Result<()> {
            store.set_fuel(FUEL)?;
            let mut functions = reset.globals.iter();
            functions.try_for_each(|function| function.call(&mut *store, ()))
        };
        let Some(Some(image)) = self.image.get() else {
            return false;
        };
        globals().is_ok()
            && reset
                .memory
                .rewrite(&self.pages, store, |place| image.write(place))
    }
}

/// How one instance is set back.
pub(super) struct Reset {
    memory: Mapped,
    globals: Vec<TypedFunc<(), ()>>,
}

/// The memory of a new instance: zeros but for a part.
struct Image {
    start: usize,
    bytes: Box<[u8]>,
}

impl Image {
    /// None if too much of it would be kept.
    fn of(memory: &[u8]) -> Option<Self> {
        let is_used = |byte: &u8| *byte != 0;
        let start = memory.iter().position(is_used).unwrap_or(0);
        let end = memory.iter().rposition(is_used).map_or(0, |last| last + 1);
        let bytes = &memory[start..end];
        (bytes.len() <= IMAGE_BYTES_MAX).then(|| Self {
            start,
            bytes: bytes.into(),
        })
    }

    /// Makes the bytes at a place what they were.
    fn write(&self, pages::Place { at, bytes, zero }: pages::Place<'_>) {
        let end = at + bytes.len();
        let from = self.start.clamp(at, end);
        let to = (self.start + self.bytes.len()).clamp(from, end);
        if zero && from == to {
            return;
        }
        bytes[..from - at].fill(0);
        if from < to {
            let image = &self.bytes[from - self.start..to - self.start];
            bytes[from - at..to - at].copy_from_slice(image);
        }
        bytes[to - at..].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};
    use wasmtime::Engine;
    use wasmtime::component::Linker;

    use super::*;
    use crate::wasm::config;
    use crate::wasm::instance::{Limits, Memory};

    /// A component of one module with a memory and a global, made twice; one that uses the memory of the first and
    /// the globals of both; and one without anything. Each `count` counts all of them up, and gives their sum.
    const SEVERAL: &str = r#"(component
      (core module $kept
        (memory (export "memory") 1)
        (global (export "count") (mut i32) (i32.const 100)))
      (core module $also (global (export "count") (mut i32) (i32.const 10)) (global (mut i64) (i64.const 1)))
      (core module $none)
      (core module $main
        (import "kept" "memory" (memory 1))
        (import "kept" "count" (global $first (mut i32)))
        (import "one" "count" (global $second (mut i32)))
        (import "two" "count" (global $third (mut i32)))
        (global $own (mut i32) (i32.const 1))
        (data (i32.const 5000) "\07")
        (func (export "count") (result i32)
          (global.set $first (i32.add (global.get $first) (i32.const 1)))
          (global.set $second (i32.add (global.get $second) (i32.const 1)))
          (global.set $third (i32.add (global.get $third) (i32.const 1)))
          (global.set $own (i32.add (global.get $own) (i32.const 1)))
          (i32.store8 (i32.const 5000) (i32.add (i32.load8_u (i32.const 5000)) (i32.const 1)))
          (i32.store8 (i32.const 3) (i32.add (i32.load8_u (i32.const 3)) (i32.const 1)))
          (i32.add (i32.add (i32.add (global.get $first) (global.get $second))
            (i32.add (global.get $third) (global.get $own)))
            (i32.add (i32.load8_u (i32.const 5000)) (i32.load8_u (i32.const 3))))))
      (core instance $k (instantiate $kept))
      (core instance $n (instantiate $none))
      (core instance $one (instantiate $also))
      (core instance $two (instantiate $also))
      (core instance $main (instantiate $main
        (with "kept" (instance $k)) (with "one" (instance $one)) (with "two" (instance $two))))
      (func (export "count") (result u32) (canon lift (core func $main "count"))))"#;

    const ENOUGH: u64 = 1_000_000;

    fn start(engine: &Engine, component: &Component) -> (Store<Data>, Instance) {
        let data = Data {
            limits: Limits::new(Arc::<Memory>::default()),
            target: None,
            held: None,
            unwinding: None,
        };
        let mut store = Store::new(engine, data);
        store.set_fuel(ENOUGH).expect("fuel is counted");
        store.set_hostcall_fuel(ENOUGH as usize);
        let instance = Linker::new(engine).instantiate(&mut store, component);
        (store, instance.expect("it starts"))
    }

    /// No component that is compiled here has such functions: those of its own are refused, and ours do not trap.
    #[test]
    fn one_that_cannot_be_asked_is_let_go_and_no_other_is_asked() {
        let Some(pages) = Pages::open().map(Arc::new) else {
            return;
        };
        let engine = config::engine(true).expect("it starts");
        let traps = r#"(component
          (core module $m (memory (export "m") 1) (func (export "f") (result i32) unreachable))
          (core instance $i (instantiate $m))
          (alias core export $i "m" (core memory $memory))
          (func (export "ordain-reset-memory") (result (list u8))
            (canon lift (core func $i "f") (memory $memory))))"#;
        let component = Component::new(&engine, wat::parse_str(traps).expect("a component"));
        let component = component.expect("it compiles");
        let plan = Plan::of(&component, Some(&pages)).expect("it has the function");
        let (mut store, instance) = start(&engine, &component);
        assert!(plan.learn(&instance, &mut store).is_err());
        let (mut store, instance) = start(&engine, &component);
        assert!(matches!(plan.learn(&instance, &mut store), Ok(None)));
    }

    /// Machine code is kept by it.
    #[test]
    fn what_is_added_has_its_version() {
        let bytes = wat::parse_str(SEVERAL).expect("a component");
        let added = Sha256::digest(equip(&bytes).expect("it can be set back"));
        let known = (1, [34, 66, 23, 66]);
        let message = "another version, if it is not the text format's encoder that has changed";
        assert_eq!(
            (VERSION, added[..4].try_into().expect("four")),
            known,
            "{message}"
        );
    }

    #[test]
    fn globals_of_all_modules_and_a_memory_of_another_are_set_back() {
        let Some(pages) = Pages::open().map(Arc::new) else {
            return; // `hosts/tests/wasm/reset.rs` says whether it should be there
        };
        let engine = config::engine(true).expect("it starts");
        let bytes = wat::parse_str(SEVERAL).expect("a component");
        let component = Component::new(&engine, equip(&bytes).expect("it can be set back"));
        let component = component.expect("it compiles");
        let plan = Plan::of(&component, Some(&pages)).expect("it is equipped");
        assert_eq!(plan.globals.len(), 4);
        let (mut store, instance) = start(&engine, &component);
        let fuel = store.get_fuel().expect("fuel is counted");
        let reset = plan.learn(&instance, &mut store).expect("it is as new");
        let reset = reset.expect("it can be set back");
        let left = store.get_fuel().expect("fuel is counted");
        assert_eq!((left, store.hostcall_fuel()), (fuel, ENOUGH as usize));
        let count = instance.get_typed_func::<(), (u32,)>(&mut store, "count");
        let count = count.expect("it is exported");
        for _ in 0..3 {
            for expected in [134, 140, 146] {
                assert_eq!(count.call(&mut store, ()).expect("it counts"), (expected,));
            }
            assert!(plan.apply(&reset, &mut store));
        }
    }

    #[test]
    fn an_image_is_written_where_it_is() {
        let mut memory = vec![0; 20];
        memory[5] = 5;
        memory[9] = 9;
        let image = Image::of(&memory).expect("it is small");
        assert_eq!((image.start, &image.bytes[..]), (5, &memory[5..10]));
        for at in 0..20 {
            for end in at..=20 {
                for (mut bytes, zero) in [(vec![1; end - at], false), (vec![0; end - at], true)] {
                    let bytes = &mut bytes[..];
                    image.write(pages::Place { at, bytes, zero });
                    assert_eq!(bytes, &memory[at..end], "{at} {end} {zero}");
                }
            }
        }
    }
}
