//! What is added to one core module of a component: functions that set its globals back and give its memory's bytes.

use wasm_encoder::{Encode as _, ExportKind, Instruction, MemArg, Module, RawSection, SectionId};
use wasmparser::{
    BinaryReaderError, ConstExpr, Export, FunctionBody, Operator, Parser, Payload, SectionLimited,
    TypeRef,
};

use crate::anatomy::OWN_EXPORTS;

/// What is exported: the memory itself, the function that gives all of its bytes and the one to be called after it,
/// and the one for the globals.
pub(super) const BYTES: &str = "ordain-reset-bytes";
pub(super) const MEMORY: &str = "ordain-reset-memory";
pub(super) const AFTER: &str = "ordain-reset-after";
pub(super) const GLOBALS: &str = "ordain-reset-globals";

/// What was added to a module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    pub memory: bool,
    pub globals: bool,
}

/// A module with what was added.
pub(super) struct Equipped {
    pub bytes: Vec<u8>,
    pub added: Added,
}

/// The module with functions that set its globals back, and tell of its memory; none if they would not be enough.
pub(super) fn equip(module: &[u8]) -> Result<Option<Equipped>, BinaryReaderError> {
    let Some(found) = Found::look(module)? else {
        return Ok(None);
    };
    let added = Added {
        memory: found.memory,
        globals: !found.globals.is_empty(),
    };
    let bytes = with(module, &found.additions())?;
    Ok(Some(Equipped { bytes, added }))
}

/// What there is in a module.
#[derive(Default)]
struct Found<'m> {
    types: u32,
    functions: u32,
    all_globals: u32,
    /// Mutable ones of its own, with the values they begin with.
    globals: Vec<(u32, ConstExpr<'m>)>,
    /// It has a memory of its own, of a page at least.
    memory: bool,
}

impl<'m> Found<'m> {
    /// None if a call can change what is not set back.
    fn look(module: &'m [u8]) -> Result<Option<Self>, BinaryReaderError> {
        let mut found = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(groups) => {
                    for group in groups {
                        found.types += group?.types().len() as u32;
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(_) | TypeRef::FuncExact(_) => found.functions += 1,
                            TypeRef::Global(_) => found.all_globals += 1,
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(functions) => found.functions += functions.count(),
                Payload::MemorySection(memories) if memories.count() > 1 => return Ok(None),
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        found.memory = memory?.initial > 0;
                    }
                }
                Payload::GlobalSection(globals) => {
                    for global in globals {
                        let global = global?;
                        if global.ty.mutable {
                            found.globals.push((found.all_globals, global.init_expr));
                        }
                        found.all_globals += 1;
                    }
                }
                Payload::ExportSection(exports) if has_own(exports.clone())? => return Ok(None),
                Payload::StartSection { .. } => return Ok(None),
                Payload::CodeSectionEntry(body) if changes_more(&body)? => return Ok(None),
                _ => {}
            }
        }
        Ok(Some(found))
    }

    /// The items to be added to the sections of the module.
    fn additions(&self) -> Additions {
        let mut add = Additions::default();
        let mut next = (self.types, self.functions);
        let mut function = |name, ty: &[u8], body: &[u8]| {
            add.item(SectionId::Type, |item| item.extend(ty));
            add.item(SectionId::Function, |item| next.0.encode(item));
            add.item(SectionId::Export, |item| {
                export(item, name, ExportKind::Func, next.1);
            });
            add.item(SectionId::Code, |item| {
                let locals = [0];
                [&locals, body, &[END]].concat().as_slice().encode(item);
            });
            next = (next.0 + 1, next.1 + 1);
        };
        if self.memory {
            function(MEMORY, &[0x60, 0, 1, I32], &self.body_of_memory());
            function(AFTER, &[0x60, 1, I32, 0], &self.body_of_after());
        }
        if !self.globals.is_empty() {
            function(GLOBALS, &[0x60, 0, 0], &self.body_of_globals());
        }
        if self.memory {
            add.item(SectionId::Global, |item| {
                item.extend([I64, 1]); // mutable
                Instruction::I64Const(0).encode(item);
                item.push(END);
            });
            add.item(SectionId::Export, |item| {
                export(item, BYTES, ExportKind::Memory, 0);
            });
        }
        add
    }

    /// Writes a list of all bytes at 0, where the result is read, for a list has no room but in memory. What was there
    /// is kept in a global that is added.
    fn body_of_memory(&self) -> Vec<u8> {
        instructions(&[
            Instruction::I32Const(0),
            Instruction::I64Load(at_word(0)),
            Instruction::GlobalSet(self.all_globals),
            Instruction::I32Const(0),
            Instruction::I32Const(0),
            Instruction::I32Store(at_word(0)),
            Instruction::I32Const(0),
            Instruction::MemorySize(0),
            Instruction::I32Const(16),
            Instruction::I32Shl,
            Instruction::I32Store(at_word(4)),
            Instruction::I32Const(0),
        ])
    }

    /// Writes what was there again.
    fn body_of_after(&self) -> Vec<u8> {
        instructions(&[
            Instruction::I32Const(0),
            Instruction::GlobalGet(self.all_globals),
            Instruction::I64Store(at_word(0)),
        ])
    }

    /// What is an expression for the first value is one in a function.
    fn body_of_globals(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (global, value) in &self.globals {
            let mut value = value.get_binary_reader();
            let len = value.bytes_remaining() - 1; // without its end
            body.extend(value.read_bytes(len).expect("so many are left"));
            Instruction::GlobalSet(*global).encode(&mut body);
        }
        body
    }
}

/// Value types, and the end of an expression.
const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const END: u8 = 0x0b;

fn export(item: &mut Vec<u8>, name: &str, kind: ExportKind, index: u32) {
    name.encode(item);
    kind.encode(item);
    index.encode(item);
}

fn at_word(offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 2,
        memory_index: 0,
    }
}

fn instructions(all: &[Instruction<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    all.iter()
        .for_each(|instruction| instruction.encode(&mut body));
    body
}

/// Whether a name would be there twice.
fn has_own(exports: SectionLimited<'_, Export<'_>>) -> Result<bool, BinaryReaderError> {
    for export in exports {
        if export?.name.starts_with(OWN_EXPORTS) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether code changes what is neither memory nor a global: tables, or which segments are there.
fn changes_more(body: &FunctionBody<'_>) -> Result<bool, BinaryReaderError> {
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. } => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

/// Sections that get items more, in the order in which they are in a module.
const ADDED_TO: [SectionId; 5] = [
    SectionId::Type,
    SectionId::Function,
    SectionId::Global,
    SectionId::Export,
    SectionId::Code,
];

/// Items for the ends of these sections: how many, and their bytes.
#[derive(Default)]
struct Additions([(u32, Vec<u8>); ADDED_TO.len()]);

impl Additions {
    fn item(&mut self, section: SectionId, write: impl FnOnce(&mut Vec<u8>)) {
        let at = ADDED_TO.iter().position(|id| *id == section);
        let (count, items) = &mut self.0[at.expect("one of them")];
        *count += 1;
        write(items);
    }
}

/// The module with these items at the ends of its sections, or in sections of their own.
fn with(module: &[u8], additions: &Additions) -> Result<Vec<u8>, BinaryReaderError> {
    let mut out = Module::new();
    let mut left = ADDED_TO.iter().zip(&additions.0).peekable();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let mut data = module[range].to_vec();
        // Sections without a place in the order may be anywhere.
        let place = PLACES.iter().position(|place| *place == id);
        while let Some((section, (count, items))) =
            left.next_if(|(section, _)| place.is_some_and(|place| place_of(**section) <= place))
        {
            if *section as u8 == id {
                let mut reader = wasmparser::BinaryReader::new(&data, 0);
                let all = reader.read_var_u32()? + count;
                let before = reader.read_bytes(reader.bytes_remaining())?;
                data = items_of(all, &[before, items].concat());
            } else {
                own(&mut out, *section, *count, items);
            }
        }
        out.section(&RawSection { id, data: &data });
    }
    for (section, (count, items)) in left {
        own(&mut out, *section, *count, items);
    }
    Ok(out.finish())
}

/// The order of sections by their numbers.
const PLACES: [u8; 13] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

fn place_of(section: SectionId) -> usize {
    let at = PLACES.iter().position(|place| *place == section as u8);
    at.expect("each is in the order")
}

fn own(out: &mut Module, section: SectionId, count: u32, items: &[u8]) {
    if count > 0 {
        let data = items_of(count, items);
        let id = section as u8;
        out.section(&RawSection { id, data: &data });
    }
}

fn items_of(count: u32, items: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    count.encode(&mut data);
    data.extend(items);
    data
}
