//! What a component is made of, read from its bytes before anything is made of them: what making an instance of
//! it takes, and that this has a bound. Knows how sections are laid out (the component model's `Binary.md`), and
//! nothing of what is in code; what it does not understand it refuses, and the compiler judges the rest.

use ordain_types::limits::{
    WASM_BYTES_PER_FUEL, WASM_FUEL_PER_START_BYTE, WASM_FUNCTIONS_MAX,
    WASM_MODULES_PER_COMPONENT_MAX,
};

/// What a component is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Anatomy {
    /// Fuel of the start of an instance, beside what its start functions take.
    pub start_fuel: u64,
}

/// Bytes of the magic number and the version with which modules and components begin.
const HEAD: usize = 8;

/// Reads a component.
///
/// # Errors
/// Why there are no modules like this one.
pub(super) fn read(component: &[u8]) -> Result<Anatomy, String> {
    let mut body = Body::default();
    let mut sections = Bytes::after_head(component)?;
    while let Some((section, bytes)) = sections.section()? {
        match section {
            CORE_MODULE => {
                body.modules.push(fuel_of_start(bytes)?);
                body.functions += functions_in(bytes)?;
            }
            CORE_INSTANCES => body.core_instances(bytes)?,
            COMPONENT => check_inner(bytes)?,
            INSTANCES => body.components += components_made(bytes)?,
            ALIASES => check_aliases(bytes)?,
            CANONICAL_FUNCTIONS => check_canonical(bytes)?,
            EXPORTS => check_exports(bytes)?,
            _ => {}
        }
    }
    if body.functions > WASM_FUNCTIONS_MAX {
        let (count, most) = (body.functions, WASM_FUNCTIONS_MAX);
        return Err(format!(
            "the module has {count} functions, more than the limit of {most}"
        ));
    }
    if body.components > WASM_MODULES_PER_COMPONENT_MAX {
        let (count, most) = (body.components, WASM_MODULES_PER_COMPONENT_MAX);
        return Err(format!(
            "the module makes {count} instances of components within it, more than the limit of {most}"
        ));
    }
    Ok(Anatomy {
        start_fuel: body.start_fuel,
    })
}

/// What was met of the outermost component.
#[derive(Default)]
struct Body {
    /// Fuel of the start of each core module.
    modules: Vec<u64>,
    /// Functions of all core modules.
    functions: usize,
    /// Instances of components within it.
    components: usize,
    start_fuel: u64,
}

// Sections of a component.
const CORE_MODULE: u8 = 1;
const CORE_INSTANCES: u8 = 2;
const COMPONENT: u8 = 4;
const INSTANCES: u8 = 5;
const ALIASES: u8 = 6;
const CANONICAL_FUNCTIONS: u8 = 8;
const EXPORTS: u8 = 11;

/// A core module's section that says how many functions it has.
const FUNCTIONS: u8 = 3;
/// A core module's sections whose bytes are gone through when an instance starts.
const TABLES: u8 = 4;
const GLOBALS: u8 = 6;
const ELEMENTS: u8 = 9;
const DATA: u8 = 11;

/// What instances and exports are made of.
const MADE: u8 = 0;
const OF_EXPORTS: u8 = 1;

/// A kind of thing with an index, as it is spelled: of the core, the second byte tells which.
type Sort = (u8, u8);
const SORT_OF_CORE: u8 = 0;
const SORT_CORE_MODULE: Sort = (SORT_OF_CORE, 0x11);
const SORT_VALUE: Sort = (2, 0);
const SORT_TYPE: Sort = (3, 0);
const SORT_COMPONENT: Sort = (4, 0);

impl Body {
    fn core_instances(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut bytes = Bytes(bytes);
        for _ in 0..bytes.number()? {
            match bytes.byte()? {
                MADE => {
                    let module = self.modules.get(bytes.number()? as usize);
                    let fuel = module.ok_or_else(damaged)?;
                    self.start_fuel = self.start_fuel.saturating_add(*fuel);
                }
                OF_EXPORTS => {}
                _ => return Err(damaged()),
            }
            for _ in 0..bytes.number()? {
                bytes.name()?;
                bytes.byte()?; // its sort
                bytes.number()?;
            }
        }
        Ok(())
    }
}

/// Fuel of the start of an instance of a core module. No code of it runs, but its bytes are gone through, one
/// step or more for each; those of its data are copied.
fn fuel_of_start(module: &[u8]) -> Result<u64, String> {
    let mut sections = Bytes::after_head(module)?;
    let mut fuel = 0;
    while let Some((section, bytes)) = sections.section()? {
        let len = bytes.len() as u64;
        fuel += match section {
            TABLES | GLOBALS | ELEMENTS => len * WASM_FUEL_PER_START_BYTE,
            DATA => len / WASM_BYTES_PER_FUEL,
            _ => 0,
        };
    }
    Ok(fuel)
}

/// The functions of a core module: each takes the compiler some kilobytes, however short it is.
fn functions_in(module: &[u8]) -> Result<usize, String> {
    let mut sections = Bytes::after_head(module)?;
    let mut functions = 0;
    while let Some((section, bytes)) = sections.section()? {
        if section == FUNCTIONS {
            functions += Bytes(bytes).number()? as usize;
        }
    }
    Ok(functions)
}

/// A component within the component may give types and functions other names, as toolchains have it do. Were it
/// to make instances, a few of them could make any number: each level of them as many times as the one before.
fn check_inner(component: &[u8]) -> Result<(), String> {
    let mut sections = Bytes::after_head(component)?;
    while let Some((section, bytes)) = sections.section()? {
        let makes = match section {
            CORE_MODULE | CORE_INSTANCES | COMPONENT | CANONICAL_FUNCTIONS => true,
            INSTANCES => components_made(bytes)? > 0,
            _ => false,
        };
        if makes {
            return Err(
                "a component within the module has code or instances of its own, and all code of a \
                        module has one memory: link it into one core module rather than composing components"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// How many instances of components are made, and not put together of what is there.
fn components_made(bytes: &[u8]) -> Result<usize, String> {
    let mut bytes = Bytes(bytes);
    let mut made = 0;
    for _ in 0..bytes.number()? {
        let of_exports = match bytes.byte()? {
            MADE => false,
            OF_EXPORTS => true,
            _ => return Err(damaged()),
        };
        if !of_exports {
            made += 1;
            bytes.number()?;
        }
        for _ in 0..bytes.number()? {
            match of_exports {
                true => bytes.exported_name()?,
                false => bytes.name()?,
            }
            bytes.sort()?;
            bytes.number()?;
        }
    }
    Ok(made)
}

/// Aliases, none of which may give a core module or a component another index: instances are counted by it.
fn check_aliases(bytes: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes(bytes);
    for _ in 0..bytes.number()? {
        check_sort(bytes.sort()?)?;
        match bytes.byte()? {
            0 | 1 => {
                bytes.number()?;
                bytes.name()?;
            }
            2 => {
                bytes.number()?;
                bytes.number()?;
            }
            _ => return Err(damaged()),
        }
    }
    Ok(())
}

/// Exports, of which the same holds.
fn check_exports(bytes: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes(bytes);
    for _ in 0..bytes.number()? {
        bytes.exported_name()?;
        check_sort(bytes.sort()?)?;
        bytes.number()?;
        if bytes.byte()? == 0 {
            continue; // no type is given
        }
        match bytes.sort()? {
            SORT_TYPE if bytes.byte()? != 0 => {}
            SORT_VALUE => return Err(damaged()), // there are none yet
            _ => {
                bytes.number()?;
            }
        }
    }
    Ok(())
}

fn check_sort(sort: Sort) -> Result<(), String> {
    match sort {
        SORT_CORE_MODULE | SORT_COMPONENT => Err(
            "the module passes on core modules or components as a whole: link them into one core \
             module"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// What is made at the border of core code and components: functions that are lifted and lowered, and nothing
/// else, for what the others take no fuel pays.
fn check_canonical(bytes: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes(bytes);
    for _ in 0..bytes.number()? {
        let lifted = match bytes.byte()? {
            0 => true,
            1 => false,
            _ => {
                return Err(
                    "the module has resources, tasks or streams of its own, and the world \
                            `ordain:runtime@0.1.0` has none: build it without them"
                        .to_owned(),
                );
            }
        };
        bytes.byte()?;
        bytes.number()?;
        for _ in 0..bytes.number()? {
            match bytes.byte()? {
                0..=2 => {} // how texts are encoded
                3..=5 => {
                    bytes.number()?;
                }
                _ => return Err(damaged()),
            }
        }
        if lifted {
            bytes.number()?; // its type
        }
    }
    Ok(())
}

fn damaged() -> String {
    "the module does not compile: a section of it is damaged, cut off, or of a later format"
        .to_owned()
}

/// Bytes that are still to be read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn after_head(bytes: &'b [u8]) -> Result<Self, String> {
        bytes.get(HEAD..).map(Self).ok_or_else(damaged)
    }

    fn take(&mut self, len: usize) -> Result<&'b [u8], String> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A number in LEB128.
    fn number(&mut self) -> Result<u32, String> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(damaged())
    }

    /// The next section's id and what is in it; none: that was the last.
    fn section(&mut self) -> Result<Option<(u8, &'b [u8])>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let id = self.byte()?;
        let len = self.number()?;
        Ok(Some((id, self.take(len as usize)?)))
    }

    fn name(&mut self) -> Result<(), String> {
        let len = self.number()?;
        self.take(len as usize).map(|_| ())
    }

    /// A name with the byte before it that tells its form.
    fn exported_name(&mut self) -> Result<(), String> {
        match self.byte()? {
            0 | 1 => self.name(),
            _ => Err(damaged()),
        }
    }

    fn sort(&mut self) -> Result<Sort, String> {
        Ok(match self.byte()? {
            SORT_OF_CORE => (SORT_OF_CORE, self.byte()?),
            sort => (sort, 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFER: &[u8] = include_bytes!("../../tests/fixtures/transfer.wasm");

    #[test]
    fn a_toolchains_component_starts_for_little() {
        let fuel = read(TRANSFER).map(|anatomy| anatomy.start_fuel);
        assert!(matches!(fuel, Ok(1..200_000)), "{fuel:?}");
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
        assert_eq!(
            read(&[&TRANSFER[..HEAD], &endless].concat()),
            Err(damaged())
        );
    }
}
