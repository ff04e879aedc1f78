//! How the runtime is set up. Everything that could make two runs differ is off or fixed; everything a
//! module could take without end has a limit.

use ordain_types::limits::{
    WASM_INSTANCES_MAX, WASM_MEMORY_BYTES_MAX, WASM_MODULES_PER_COMPONENT_MAX,
    WASM_STACK_BYTES_MAX, WASM_TABLE_ELEMENTS_MAX,
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, OptLevel,
    PoolingAllocationConfig, RegallocAlgorithm, Strategy,
};

/// Bytes of a memory that the pool sets back by writing rather than by asking the system, where no instance is set
/// back: all that a small module has, for asking takes longer. Where some are, none: what the pool keeps counts as
/// used by the next instance, all of whose pages would be written again each time.
const KEPT_MEMORY_BYTES: usize = 1 << 20;
/// The same of a table, wherever: those of a small module.
const KEPT_TABLE_BYTES: usize = 16 << 10;

/// The runtime, where instances are set back or are not.
///
/// # Errors
/// If the system has no address space for the pool, or the machine is not supported.
pub(super) fn engine(sets_back: bool) -> Result<Engine, String> {
    let built = config(sets_back).and_then(|config| Engine::new(&config));
    built.map_err(|error| format!("the WebAssembly runtime does not start: {error:#}"))
}

fn config(sets_back: bool) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    // Machine code that does not depend on which features this processor has: where a stack overflows
    // is the same on each of its kind.
    if let Some(target) = target() {
        config.target(target)?;
    }
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_component_model(true)
        .consume_fuel(true)
        .operator_cost(operators())
        .max_wasm_stack(WASM_STACK_BYTES_MAX)
        .generate_address_map(false)
        .native_unwind_info(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(sets_back)));
    Ok(config)
}

/// Fuel of instructions, where it is not one: of those that take many times as long as an addition. What they are
/// was measured, one loop for each.
fn operators() -> OperatorCost {
    OperatorCost {
        // Calls of the runtime.
        MemoryGrow: 250,
        TableGrow: 250,
        RefFunc: 250,
        ElemDrop: 100,
        // Calls of a function of ours, for no feature of the processor is counted on.
        F32x4Ceil: 20,
        F32x4Floor: 20,
        F32x4Trunc: 20,
        F32x4Nearest: 20,
        F64x2Ceil: 20,
        F64x2Floor: 20,
        F64x2Trunc: 20,
        F64x2Nearest: 20,
        I8x16Swizzle: 20,
        // Slow on any processor.
        CallIndirect: 6,
        I64DivS: 4,
        I64DivU: 4,
        I64RemS: 4,
        I64RemU: 4,
        F32x4Sqrt: 4,
        F64x2Sqrt: 4,
        ..OperatorCost::new()
    }
}

fn pool(sets_back: bool) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let instances = WASM_INSTANCES_MAX as u32;
    pool.total_component_instances(instances)
        .total_core_instances(instances * WASM_MODULES_PER_COMPONENT_MAX as u32)
        .total_memories(instances)
        .total_tables(instances * WASM_MODULES_PER_COMPONENT_MAX as u32)
        .max_core_instances_per_component(WASM_MODULES_PER_COMPONENT_MAX as u32)
        .max_memories_per_component(1)
        .max_tables_per_component(WASM_MODULES_PER_COMPONENT_MAX as u32)
        .max_memory_size(WASM_MEMORY_BYTES_MAX)
        .table_elements(WASM_TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(if sets_back { 0 } else { KEPT_MEMORY_BYTES })
        .table_keep_resident(KEPT_TABLE_BYTES)
        // What the system tells of pages is not asked for here: the runtime takes one that is swapped out for one that
        // was not written (bytecodealliance/wasmtime#14357). Instances are set back elsewhere.
        .pagemap_scan(Enabled::No);
    pool
}

/// This machine as a target without the features of its processor; none: it is not known here, and the
/// compiler looks.
fn target() -> Option<&'static str> {
    if cfg!(not(target_env = "gnu")) && cfg!(target_os = "linux") {
        return None;
    }
    match (std::env::consts::ARCH, std::env::consts::OS) {
        ("x86_64", "linux") => Some("x86_64-unknown-linux-gnu"),
        ("aarch64", "linux") => Some("aarch64-unknown-linux-gnu"),
        ("aarch64", "macos") => Some("aarch64-apple-darwin"),
        _ => None,
    }
}
