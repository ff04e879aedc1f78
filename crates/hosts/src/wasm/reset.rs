//! Sets an instance back after a transaction to what it was when it was new, which takes a fraction of the time that
//! a new one takes.
//!
//! What must hold: an instance that was set back cannot be told from a new one. What a call can change of one is its
//! memory, mutable globals, tables, and which segments are left. Components whose code changes more than memory and
//! globals are not set back ([`equip`]); globals get their first values by a function added to the component; of
//! memory, each page that was ever written gets the bytes of a new one ([`pages`]); and an instance whose memory grew,
//! or whose call did not come to its end, is let go. `hosts/tests/wasm/reset.rs` looks at all of it.

mod equip;
mod module;
mod pages;

use std::sync::OnceLock;

use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, TypedFunc, WasmList};

pub(super) use equip::equip;
use pages::{Memory, Pages};

use super::instance::Data;

/// Fuel that the added functions never use up; no transaction pays for them.
const FUEL: u64 = u64::MAX >> 1;

/// Bytes of the written part of a new memory, beyond which there is no copy of it to set others back by.
const IMAGE_BYTES_MAX: usize = 16 << 20;

/// How instances of one component are set back.
pub(super) struct Resets {
    memory: ComponentExportIndex,
    first: ComponentExportIndex,
    globals: Vec<ComponentExportIndex>,
    image: OnceLock<Option<Image>>,
}

impl Resets {
    /// None if the component has not the functions for it.
    pub fn of(component: &Component) -> Option<Self> {
        let export = |name: &str| component.get_export_index(None, name);
        let globals = (0..).map_while(|index| export(&equip::globals(index)));
        Some(Self {
            memory: export(equip::MEMORY)?,
            first: export(equip::FIRST)?,
            globals: globals.collect(),
            image: OnceLock::new(),
        })
    }
}

/// How one instance is set back.
pub(super) struct Reset {
    memory: Memory,
    globals: Vec<TypedFunc<(), ()>>,
}

impl Reset {
    /// Learns it of a new instance, which it leaves as new; none if it cannot be set back.
    pub fn of(
        resets: &Resets,
        instance: &Instance,
        store: &mut Store<Data>,
    ) -> wasmtime::Result<Option<Self>> {
        if pages().is_none() {
            return Ok(None);
        }
        let fuel = store.get_fuel()?;
        store.set_fuel(FUEL)?;
        let first = instance.get_typed_func::<(), (u64,)>(&mut *store, resets.first)?;
        let (first,) = first.call(&mut *store, ())?;
        let all = instance.get_typed_func::<(), (WasmList<u8>,)>(&mut *store, resets.memory)?;
        let (all,) = all.call(&mut *store, ())?;
        let bytes = all.as_le_slice(&*store);
        let image = resets.image.get_or_init(|| Image::of(bytes, first));
        let reset = Self {
            memory: Memory::of(bytes),
            globals: resets
                .globals
                .iter()
                .map(|index| instance.get_typed_func(&mut *store, *index))
                .collect::<Result<_, _>>()?,
        };
        store.set_fuel(fuel)?;
        let usable = image.is_some() && reset.memory(resets, store);
        Ok(usable.then_some(reset))
    }

    /// Sets the instance back; false if that did not succeed, and it is of no use any more.
    pub fn apply(&self, resets: &Resets, store: &mut Store<Data>) -> bool {
        let mut globals = || -> wasmtime::Result<()> {
            store.set_fuel(FUEL)?;
            let mut functions = self.globals.iter();
            functions.try_for_each(|function| function.call(&mut *store, ()))
        };
        globals().is_ok() && self.memory(resets, store)
    }

    fn memory(&self, resets: &Resets, store: &mut Store<Data>) -> bool {
        let (Some(pages), Some(Some(image))) = (pages(), resets.image.get()) else {
            return false;
        };
        let write = |at, bytes: &mut [u8]| image.write(at, bytes);
        self.memory.rewrite(pages, store, write).is_ok()
    }
}

/// The memory of a new instance: zeros but for a part.
struct Image {
    start: usize,
    bytes: Box<[u8]>,
}

impl Image {
    /// Of a memory that is as new but for its first eight bytes, which were these. None if too much would be kept.
    fn of(memory: &[u8], first: u64) -> Option<Self> {
        let mut bytes = memory.to_vec();
        let first = first.to_le_bytes();
        bytes[..first.len()].copy_from_slice(&first);
        let is_used = |byte: &u8| *byte != 0;
        let start = bytes.iter().position(is_used).unwrap_or(0);
        let end = bytes.iter().rposition(is_used).map_or(0, |last| last + 1);
        let bytes: Box<[u8]> = bytes[start..end].into();
        (bytes.len() <= IMAGE_BYTES_MAX).then_some(Self { start, bytes })
    }

    /// Makes `bytes` what is at `at` and behind it.
    fn write(&self, at: usize, bytes: &mut [u8]) {
        let end = at + bytes.len();
        let from = self.start.clamp(at, end);
        let to = (self.start + self.bytes.len()).clamp(from, end);
        bytes[..from - at].fill(0);
        if from < to {
            let image = &self.bytes[from - self.start..to - self.start];
            bytes[from - at..to - at].copy_from_slice(image);
        }
        bytes[to - at..].fill(0);
    }
}

fn pages() -> Option<&'static Pages> {
    static PAGES: OnceLock<Option<Pages>> = OnceLock::new();
    PAGES.get_or_init(Pages::open).as_ref()
}
