//! A compiled module: machine code with its imports in place, and what the module says it brings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ordain_types::limits::WASM_FUEL_MAX;
use ordain_types::module::Manifest;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use super::instance::{Data, Instance};
use super::reset::{Pages, Plan};
use super::warm::Warm;
use super::world::ENTITIES;
use super::{describe, imports, trap};
use crate::anatomy::Anatomy;
use crate::lent::lend_nothing;

/// Tells compiled modules of one process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CodeId(u64);

/// A compiled module.
pub(super) struct Code {
    pub pattern: Arc<Pattern>,
    pub manifest: Manifest,
    /// One instance may serve many transactions.
    pub reuse: bool,
    pub warm: Arc<Warm>,
}

/// What instances are made of.
pub(super) struct Pattern {
    pub id: CodeId,
    pub pre: InstancePre<Data>,
    pub exports: Exports,
    /// Fuel of the start of an instance, beside what its start functions take.
    pub start_fuel: u64,
    /// How its instances are set back; none if they cannot be.
    pub plan: Option<Plan>,
}

/// Where its functions are.
pub(super) struct Exports {
    pub describe: ComponentExportIndex,
    pub invoke: ComponentExportIndex,
    pub migrate: ComponentExportIndex,
}

impl Code {
    /// Checks a compiled component and asks it what it brings.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(
        component: &Component,
        anatomy: &Anatomy,
        linker: &Linker<Data>,
        warm: &Arc<Warm>,
        pages: Option<&Arc<Pages>>,
    ) -> Result<Self, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        imports::check(linker.engine(), component)?;
        let exports = Exports::of(component)?;
        let pre = linker.instantiate_pre(component).map_err(|error| {
            format!(
                "the module's imports are not those of the world `ordain:runtime@0.1.0`: {error:#}"
            )
        })?;
        let pattern = Pattern {
            id: CodeId(NEXT.fetch_add(1, Ordering::Relaxed)),
            pre,
            exports,
            start_fuel: anatomy.start_fuel,
            plan: Plan::of(component, pages),
        };
        let mut code = Self {
            pattern: Arc::new(pattern),
            manifest: Manifest {
                language: ordain_types::module::Language::Wasm,
                sdk: String::new(),
                entities: Vec::new(),
            },
            reuse: false,
            warm: warm.clone(),
        };
        let described = code.describe()?;
        code.reuse = described.reuse;
        if code.reuse {
            let pattern = Arc::get_mut(&mut code.pattern);
            pattern.expect("no instance is left").plan = None;
        }
        code.manifest = describe::manifest(described)?;
        Ok(code)
    }

    fn describe(&self) -> Result<super::world::Manifest, String> {
        let instance =
            lend_nothing(|| Instance::new(&self.pattern, WASM_FUEL_MAX, &Arc::default()));
        let mut instance = instance.map_err(|unstarted| {
            let shown = trap::shown(&unstarted.error, unstarted.refused);
            format!("the module does not start: {shown}")
        })?;
        // The first call that needs it may come long after.
        instance.migration(&self.pattern).map_err(|error| {
            format!(
                "`{ENTITIES}` as the module exports it has another function `migrate`: {error:#}"
            )
        })?;
        instance.begin(None, WASM_FUEL_MAX);
        let described = lend_nothing(|| instance.describe(&self.pattern));
        let left = instance.end();
        described.map_err(|error| {
            let shown = trap::shown(&error, left.refused);
            format!("the module does not describe itself: {shown}")
        })
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.warm.forget(self.pattern.id);
    }
}

impl Exports {
    fn of(component: &Component) -> Result<Self, String> {
        let Some(entities) = component.get_export_index(None, ENTITIES) else {
            return Err(format!(
                "the module does not export `{ENTITIES}`, and so brings nothing to call: build it for \
                 the world `module` of `ordain:runtime@0.1.0`"
            ));
        };
        let function = |name: &str| {
            component
                .get_export_index(Some(&entities), name)
                .ok_or_else(|| {
                    format!("`{ENTITIES}` as the module exports it has no function `{name}`")
                })
        };
        Ok(Self {
            describe: function("describe")?,
            invoke: function("invoke")?,
            migrate: function("migrate")?,
        })
    }
}
