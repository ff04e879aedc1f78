//! Adds to a component what sets its instances back: functions that give the mutable globals their first values, one
//! that tells where its memory is, and one that is called after it. None of them runs within a call.
//!
//! Only what changes nothing else is taken: a component whose code changes tables or drops segments, or that has a
//! start function, is left as it is, and each transaction has new instances.

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentTypeSection, ComponentValType,
    ExportKind, PrimitiveValType, RawSection,
};
use wasmparser::{BinaryReaderError, Instance, Parser, Payload, Validator};

use super::module::{self, Added};

/// Counts what is added: machine code of another version is another.
pub const VERSION: u32 = 1;

/// The name of the `index`th function that gives globals their first values.
pub(super) fn globals(index: usize) -> String {
    format!("{}{index}", module::GLOBALS)
}

/// The component with these functions; none if its instances cannot be set back. What does not parse is none: the
/// compiler says what is wrong with it.
pub fn equip(component: &[u8]) -> Option<Vec<u8>> {
    equipped(component).ok().flatten()
}

fn equipped(component: &[u8]) -> Result<Option<Vec<u8>>, BinaryReaderError> {
    let types = Validator::new().validate_all(component)?;
    let types = types.as_ref();
    let counts = Counts {
        functions: types.function_count(),
        memories: types.memory_count(),
        types: types.component_type_count(),
        component_functions: types.component_function_count(),
    };
    let mut out = Component::new();
    let mut modules = Vec::new();
    let mut instances = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
        let Some((id, range)) = payload.as_section().filter(|_| depth == 1) else {
            continue;
        };
        let Some(mut data) = component.get(range) else {
            return Ok(None); // cut off, where the parser does not mind
        };
        let added;
        match &payload {
            Payload::ModuleSection { .. } => {
                let Some(module) = module::equip(data)? else {
                    return Ok(None);
                };
                added = module.bytes;
                data = &added;
                modules.push(module.added);
            }
            Payload::InstanceSection(made) => {
                for instance in made.clone() {
                    instances.push(match instance? {
                        Instance::Instantiate { module_index, .. } => Some(module_index),
                        Instance::FromExports(_) => None,
                    });
                }
            }
            _ => {}
        }
        out.section(&RawSection { id, data });
    }
    let of_instance = |module: &Option<u32>| module.map(|at| modules[at as usize]);
    let added: Vec<Option<Added>> = instances.iter().map(of_instance).collect();
    Ok(exports(&mut out, &added, &counts).then(|| out.finish()))
}

/// How many the component has of what sections at its end count on from.
struct Counts {
    functions: u32,
    memories: u32,
    types: u32,
    component_functions: u32,
}

/// Exports the functions of its core instances; false if there is not one memory to set back.
fn exports(out: &mut Component, instances: &[Option<Added>], counts: &Counts) -> bool {
    let having = |has: fn(&Added) -> bool| {
        let with_index = instances.iter().zip(0..);
        with_index.filter(move |(added, _)| added.as_ref().is_some_and(has))
    };
    let mut memories = having(|added| added.memory);
    let (Some((_, memory)), None) = (memories.next(), memories.next()) else {
        return false;
    };
    let mut aliases = ComponentAliasSection::new();
    let mut alias = |instance, kind, name| {
        aliases.alias(Alias::CoreInstanceExport {
            instance,
            kind,
            name,
        });
    };
    alias(memory, ExportKind::Memory, module::BYTES);
    alias(memory, ExportKind::Func, module::AFTER);
    alias(memory, ExportKind::Func, module::MEMORY);
    let mut names = vec![module::MEMORY.to_owned()];
    for (index, (_, instance)) in having(|added| added.globals).enumerate() {
        alias(instance, ExportKind::Func, module::GLOBALS);
        names.push(globals(index));
    }
    let after = counts.functions;

    let mut types = ComponentTypeSection::new();
    types.defined_type().list(PrimitiveValType::U8);
    let bytes = ComponentValType::Type(counts.types);
    for result in [Some(bytes), None] {
        let none: [(&str, ComponentValType); 0] = [];
        types.function().params(none).result(result);
    }

    let mut lifted = CanonicalFunctionSection::new();
    let mut exported = ComponentExportSection::new();
    for (name, at) in names.iter().zip(0..) {
        let memory = CanonicalOption::Memory(counts.memories);
        let (ty, options) = match at {
            0 => (1, vec![memory, CanonicalOption::PostReturn(after)]),
            _ => (2, Vec::new()),
        };
        lifted.lift(after + 1 + at, counts.types + ty, options);
        let function = counts.component_functions + at;
        exported.export(name.as_str(), ComponentExportKind::Func, function, None);
    }
    out.section(&aliases);
    out.section(&types);
    out.section(&lifted);
    out.section(&exported);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFER: &[u8] = include_bytes!("../../../tests/fixtures/transfer.wasm");

    #[test]
    fn a_toolchains_component_is_equipped_and_valid() {
        let equipped = equip(TRANSFER).expect("it can be set back");
        Validator::new()
            .validate_all(&equipped)
            .expect("it is valid");
        assert!(equipped.len() < TRANSFER.len() + 1_000);
    }

    #[test]
    fn whatever_is_damaged_is_left_or_stays_valid() {
        // Cut at the end of a section, it may be a component still.
        let payloads = Parser::new(0).parse_all(TRANSFER);
        let sections = payloads.filter_map(|payload| payload.expect("it is whole").as_section());
        let ends = sections.map(|(_, range)| range.end);
        for at in ends.chain((0..TRANSFER.len()).step_by(499)) {
            if at == TRANSFER.len() {
                continue;
            }
            let mut damaged = TRANSFER.to_vec();
            damaged[at] ^= 1 << (at % 8);
            for bytes in [&damaged[..], &TRANSFER[..at]] {
                if let Some(equipped) = equip(bytes) {
                    let valid = Validator::new().validate_all(&equipped);
                    valid.unwrap_or_else(|error| panic!("{at}: {error}"));
                }
            }
        }
    }
}
