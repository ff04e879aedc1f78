//! What a component is made of, read from its bytes before anything is made of them: what making an instance of
//! it takes, and that this has a bound. Knows sections, and nothing of what is in code: the compiler judges that.

use ordain_types::limits::{
    WASM_BYTES_PER_FUEL, WASM_FUEL_PER_START_BYTE, WASM_FUNCTIONS_MAX,
    WASM_MODULES_PER_COMPONENT_MAX, WASM_RESULTS_MAX, WASM_TYPES_DEPTH_MAX,
};
use wasmparser::{
    BinaryReader, BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentExternalKind,
    ComponentInstance, ComponentOuterAliasKind, ComponentType, ComponentTypeDeclaration,
    CompositeInnerType, Encoding, FromReader, Instance, Parser, Payload, RecGroup, SectionLimited,
};

/// Begins the names of what the runtime adds to a component's exports before it compiles it.
pub(crate) const OWN_EXPORTS: &str = "ordain-reset-";

/// What a component is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Anatomy {
    /// Fuel of the start of an instance, beside what its start functions take.
    pub start_fuel: u64,
    /// Functions of all core modules: each takes the compiler some kilobytes, however short it is.
    pub functions: usize,
    /// Instances of components within it.
    pub components: usize,
}

/// Reads a component.
///
/// # Errors
/// Why there are no modules like this one.
pub fn read(component: &[u8]) -> Result<Anatomy, String> {
    let mut body = Body::default();
    let mut within = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(damaged)?;
        match &payload {
            Payload::Version { encoding, .. } => within.push(*encoding),
            Payload::End(_) => drop(within.pop()),
            Payload::ComponentTypeSection(types) => {
                let range = types.range();
                let bytes = &component[range.clone()];
                check_depth(BinaryReader::new(bytes, range.start))?;
            }
            _ => {}
        }
        match within[..] {
            [Encoding::Component] => body.section(payload)?,
            [Encoding::Component, Encoding::Component] => check_inner(payload)?,
            [Encoding::Component, Encoding::Module] => body.module(payload)?,
            _ => {}
        }
    }
    if body.anatomy.functions > WASM_FUNCTIONS_MAX {
        let (count, most) = (body.anatomy.functions, WASM_FUNCTIONS_MAX);
        return Err(format!(
            "the module has {count} functions, more than the limit of {most}"
        ));
    }
    if body.anatomy.components > WASM_MODULES_PER_COMPONENT_MAX {
        let (count, most) = (body.anatomy.components, WASM_MODULES_PER_COMPONENT_MAX);
        return Err(format!(
            "the module makes {count} instances of components within it, more than the limit of {most}"
        ));
    }
    Ok(body.anatomy)
}

/// What was met of the outermost component.
#[derive(Default)]
struct Body {
    /// Fuel of the start of each core module.
    modules: Vec<u64>,
    anatomy: Anatomy,
}

impl Body {
    fn section(&mut self, section: Payload<'_>) -> Result<(), String> {
        match section {
            Payload::ModuleSection { .. } => {
                self.modules.push(0);
                Ok(())
            }
            Payload::InstanceSection(instances) => each(instances, |instance| {
                if let Instance::Instantiate { module_index, .. } = instance {
                    // One that is not there is the compiler's to refuse.
                    let fuel = self.modules.get(module_index as usize);
                    let all = &mut self.anatomy.start_fuel;
                    *all = all.saturating_add(*fuel.unwrap_or(&0));
                }
                Ok(())
            }),
            Payload::ComponentInstanceSection(instances) => each(instances, |instance| {
                self.anatomy.components += usize::from(is_made(&instance));
                Ok(())
            }),
            Payload::ComponentAliasSection(aliases) => each(aliases, |alias| match alias {
                ComponentAlias::InstanceExport { kind, .. } => check_kind(kind),
                ComponentAlias::Outer { kind, .. } => match kind {
                    ComponentOuterAliasKind::CoreModule | ComponentOuterAliasKind::Component => {
                        Err(PASSED_ON.to_owned())
                    }
                    ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => Ok(()),
                },
                ComponentAlias::CoreInstanceExport { .. } => Ok(()),
            }),
            Payload::ComponentExportSection(exports) => each(exports, |export| {
                if export.name.name.starts_with(OWN_EXPORTS) {
                    return Err(format!(
                        "the module exports `{}`, and names that begin with `{OWN_EXPORTS}` are the runtime's own",
                        export.name.name
                    ));
                }
                check_kind(export.kind)
            }),
            Payload::ComponentCanonicalSection(functions) => {
                each(functions, |function| match function {
                    CanonicalFunction::Lift { .. } | CanonicalFunction::Lower { .. } => Ok(()),
                    // What the others take is paid by no fuel.
                    _ => Err(
                        "the module has resources, tasks or streams of its own, and the world \
                              `ordain:runtime@0.1.0` has none: build it without them"
                            .to_owned(),
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    /// A section of the core module that was met last. No code of it runs when an instance starts, but its bytes
    /// are gone through, one step or more for each; those of its data are copied.
    fn module(&mut self, section: Payload<'_>) -> Result<(), String> {
        let steps = |bytes: usize| bytes as u64 * WASM_FUEL_PER_START_BYTE;
        let fuel = match section {
            Payload::TypeSection(groups) => return check_types(groups),
            Payload::FunctionSection(functions) => {
                self.anatomy.functions += functions.count() as usize;
                return Ok(());
            }
            Payload::TableSection(tables) => steps(tables.range().len()),
            Payload::GlobalSection(globals) => steps(globals.range().len()),
            Payload::ElementSection(elements) => steps(elements.range().len()),
            Payload::DataSection(data) => data.range().len() as u64 / WASM_BYTES_PER_FUEL,
            _ => 0,
        };
        if let Some(module) = self.modules.last_mut() {
            *module += fuel;
        }
        Ok(())
    }
}

/// How a type of a component begins, one of an instance, and a type within either.
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;
const DECLARED_TYPE: u8 = 0x01;

/// A level is three bytes, and the compiler's reader calls itself for each: it would end its stack, and the process.
fn check_depth(mut types: BinaryReader<'_>) -> Result<(), String> {
    let next = |types: &BinaryReader<'_>| types.clone().read_u8().map_err(damaged);
    // How many are left of each list that is open, the section's first.
    let mut left = vec![types.read_var_u32().map_err(damaged)?];
    while let Some(count) = left.last_mut() {
        if *count == 0 {
            left.pop();
            continue;
        }
        *count -= 1;
        if left.len() > 1 {
            if next(&types)? != DECLARED_TYPE {
                let other = types.read::<ComponentTypeDeclaration<'_>>();
                other.map_err(damaged)?;
                continue;
            }
            types.read_u8().map_err(damaged)?;
        }
        if !matches!(next(&types)?, COMPONENT_TYPE | INSTANCE_TYPE) {
            types.read::<ComponentType<'_>>().map_err(damaged)?;
            continue;
        }
        types.read_u8().map_err(damaged)?;
        left.push(types.read_var_u32().map_err(damaged)?);
        if left.len() > 1 + WASM_TYPES_DEPTH_MAX {
            return Err(format!(
                "the module has types of components or instances within each other, more than {WASM_TYPES_DEPTH_MAX} deep"
            ));
        }
    }
    Ok(())
}

/// Each block of a type is three bytes, and as many values as it has results, which the compiler keeps apart.
fn check_types(groups: SectionLimited<'_, RecGroup>) -> Result<(), String> {
    each(groups, |group| {
        for ty in group.types() {
            let results = match &ty.composite_type.inner {
                CompositeInnerType::Func(function) => function.results().len(),
                _ => 0,
            };
            if results > WASM_RESULTS_MAX {
                return Err(format!(
                    "the module has a function or a block with {results} results, more than the limit of \
                     {WASM_RESULTS_MAX}"
                ));
            }
        }
        Ok(())
    })
}

/// A component within the component may give types and functions other names, as toolchains have it do. Were it
/// to make instances, a few of them could make any number: each level of them as many times as the one before.
fn check_inner(section: Payload<'_>) -> Result<(), String> {
    let refused = || {
        Err(
            "a component within the module has code or instances of its own, and all code of a module has one \
             memory: link it into one core module rather than composing components"
                .to_owned(),
        )
    };
    match section {
        Payload::ModuleSection { .. }
        | Payload::InstanceSection(_)
        | Payload::ComponentSection { .. }
        | Payload::ComponentCanonicalSection(_) => refused(),
        Payload::ComponentInstanceSection(instances) => {
            each(instances, |instance| match is_made(&instance) {
                true => refused(),
                false => Ok(()),
            })
        }
        _ => Ok(()),
    }
}

/// Whether an instance is made of a component, and not put together of what is there.
fn is_made(instance: &ComponentInstance<'_>) -> bool {
    matches!(instance, ComponentInstance::Instantiate { .. })
}

/// Core modules and components keep the index at which they are: instances are counted by it.
fn check_kind(kind: ComponentExternalKind) -> Result<(), String> {
    match kind {
        ComponentExternalKind::Module | ComponentExternalKind::Component => {
            Err(PASSED_ON.to_owned())
        }
        _ => Ok(()),
    }
}

const PASSED_ON: &str =
    "the module passes on core modules or components as a whole: link them into one core module";

fn each<'b, T: FromReader<'b>>(
    section: SectionLimited<'b, T>,
    mut look: impl FnMut(T) -> Result<(), String>,
) -> Result<(), String> {
    section
        .into_iter()
        .try_for_each(|item| look(item.map_err(damaged)?))
}

fn damaged(error: BinaryReaderError) -> String {
    format!("the module does not compile: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFER: &[u8] = include_bytes!("../tests/fixtures/transfer.wasm");

    #[test]
    fn a_toolchains_component_starts_for_little() {
        let fuel = read(TRANSFER).map(|anatomy| anatomy.start_fuel);
        assert!(matches!(fuel, Ok(1..200_000)), "{fuel:?}");
    }

    #[test]
    fn exports_with_names_of_the_runtime_are_refused() {
        let name = b"ordain-reset-memory";
        let mut export = vec![1, 0, name.len() as u8]; // one, by a name without a version
        export.extend(name);
        export.extend([1, 0, 0]); // the first function, without a type
        let section = [&[11, export.len() as u8], &export[..]].concat();
        let error = read(&[TRANSFER, &section].concat()).unwrap_err();
        assert!(
            error.starts_with("the module exports `ordain-reset-memory`, and names"),
            "{error}"
        );
    }

    #[test]
    fn whatever_is_cut_or_damaged_is_read_or_refused() {
        for len in (0..TRANSFER.len()).step_by(61) {
            let _ = read(&TRANSFER[..len]);
        }
        let end = TRANSFER.len() - 3_000; // where instances, aliases and exports are
        for at in end..TRANSFER.len() {
            let mut damaged = TRANSFER.to_vec();
            damaged[at] ^= 0x91;
            let _ = read(&damaged);
        }
        let endless = [2, 0xff, 0xff, 0xff, 0xff, 0x0f];
        let error = read(&[&TRANSFER[..8], &endless].concat()).unwrap_err();
        assert!(
            error.starts_with("the module does not compile: "),
            "{error}"
        );
    }
}
