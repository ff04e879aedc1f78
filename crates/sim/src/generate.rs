//! Random programs, calls and commands. The worlds are small, so that everything meets everything:
//! a few entities, a few fields, a few callers and idempotency keys.

use ordain_types::{Call, EntityId, IdempotencyKey, Method, limits};

use crate::chance::Chance;
use crate::program::{Edge, Invoke, Op, Or, Program, Source, With};

const KEYS: [&str; 4] = ["a", "b", "a/b", "ü"];
const FIELDS: [&str; 9] = [
    "a", "b", "b/1", "b/2", "line/1", "line/2", "line/3", "ü", "z",
];
const EDGES: [&str; 8] = ["", "a", "b", "b/", "fill/2", "line/2", "m", "\u{10ffff}"];
const CALLERS: [&str; 3] = ["", "ann", "bob"];

/// Fields that are put together: more than the engine reads from cold at once.
const FILL: u64 = 60;

/// How deep programs nest in programs.
const NESTED: u32 = 3;

/// Whose methods run the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Native methods alone.
    Native,
    /// Methods in any language.
    Portable,
}

/// What a program may be made of.
#[derive(Debug, Clone, Copy)]
struct Within {
    /// How deep programs may nest in it.
    nested: u32,
    dialect: Dialect,
}

impl Within {
    fn new(nested: u32, dialect: Dialect) -> Self {
        Self { nested, dialect }
    }

    fn inner(self) -> Self {
        Self::new(self.nested - 1, self.dialect)
    }

    fn leaf(self) -> Self {
        Self::new(0, self.dialect)
    }

    /// How long a state gets: every call of it reads all of it, so in portable programs it stays short.
    fn long_state(self, length: u32) -> u32 {
        match self.dialect {
            Dialect::Native => length,
            Dialect::Portable => length % 4_096,
        }
    }

    /// Where a long value goes: in portable programs into one field of an entity. The oracle does not count
    /// instructions, and what makes texts of many such values takes more than there are.
    fn long_field(self, field: String) -> String {
        match self.dialect {
            Dialect::Native => field,
            Dialect::Portable => "b".to_owned(),
        }
    }
}

/// A call from outside, perhaps one that is bound to fail.
pub fn call(chance: &mut Chance, dialect: Dialect) -> Call {
    let mut invoke = invoke(chance, Within::new(NESTED, dialect), 4);
    if let With::Program(program) = &mut invoke.with {
        lighten(program, dialect);
    }
    let keyed = chance.one_in(3);
    let name = format!("k{}", chance.below(6));
    let with = match invoke.with {
        With::TooMuch => With::Nonsense,
        with => with,
    };
    Call {
        entity: invoke.entity,
        method: invoke.method,
        args: with.bytes().into(),
        caller: chance.pick(&CALLERS).to_owned(),
        idempotency_key: keyed.then(|| IdempotencyKey::new(&name).expect("a sound key")),
    }
}

/// A query from outside.
pub fn query(chance: &mut Chance, dialect: Dialect) -> Call {
    let mut call = call(chance, dialect);
    call.idempotency_key = None;
    if !chance.one_in(8) {
        call.method = method("look");
        let mut program = program(chance, Within::new(1, dialect), true);
        lighten(&mut program, dialect);
        call.args = program.json().into();
    }
    call
}

/// Leaves at most one operation in each transaction that takes a good part of an interpreter's instructions: the
/// oracle does not count these, and two could be too many.
fn lighten(program: &mut Program, dialect: Dialect) {
    if dialect == Dialect::Portable {
        lighten_ops(&mut program.ops, &mut false);
    }
}

fn lighten_ops(ops: &mut Vec<Op>, had_one: &mut bool) {
    ops.retain_mut(|op| match op {
        Op::Fill { .. } | Op::CallMany { .. } => !std::mem::replace(had_one, true),
        Op::Dive { levels, ops } => {
            let goes_far = *levels > 1;
            ops.retain(|op| !(goes_far && is_long(op)));
            lighten_ops(ops, had_one);
            true
        }
        Op::Call { call, .. } => lighten_call(call, had_one),
        Op::Send { call, .. } => lighten_call(call, &mut false),
        _ => true,
    });
}

/// What gives so much that each method on its way back takes a part of the instructions.
fn is_long(op: &Op) -> bool {
    match op {
        Op::Say(length) => *length > 10_000,
        Op::Reject { details, .. } => details.is_some_and(|length| length > 10_000),
        _ => false,
    }
}

fn lighten_call(call: &mut Invoke, had_one: &mut bool) -> bool {
    if let With::Program(program) = &mut call.with {
        lighten_ops(&mut program.ops, had_one);
    }
    true
}

/// A query that scans an entity from both ends, in parts of several sizes; in a portable program of one, for making
/// texts of long rows takes many instructions.
pub fn pages(entity: EntityId, dialect: Dialect, turn: u64) -> Call {
    let scan = |reverse, limit| Op::Scan {
        from: Edge::Open,
        to: Edge::Open,
        reverse,
        limit,
    };
    let limits = [1, 9, 16, 21, 40];
    let limits = match dialect {
        Dialect::Native => &limits[..],
        Dialect::Portable => &limits[turn as usize % limits.len()..][..1],
    };
    let ops = limits
        .iter()
        .flat_map(|limit| [scan(true, *limit), scan(false, *limit)]);
    let program = Program { ops: ops.collect() };
    Call {
        entity,
        method: method("look"),
        args: program.json().into(),
        caller: String::new(),
        idempotency_key: None,
    }
}

/// One of the entities.
pub fn entity(chance: &mut Chance) -> EntityId {
    let ty = if chance.one_in(3) { "beta" } else { "alpha" };
    EntityId::new(ty, chance.pick::<&str>(&KEYS)).expect("a sound entity")
}

fn method(name: &str) -> Method {
    Method::new(name).expect("a method's name")
}

/// `updates`: how many calls in five are to updates.
fn invoke(chance: &mut Chance, within: Within, updates: u64) -> Invoke {
    let mut invoke = Invoke {
        entity: entity(chance),
        method: method(if chance.below(5) < updates {
            "run"
        } else {
            "look"
        }),
        with: With::Nonsense,
    };
    let reads = invoke.method.as_str() == "look";
    invoke.with = With::Program(program(chance, within, reads));
    match chance.rarely(4, 300) {
        Some(0) => invoke.entity = EntityId::new("gamma", "a").expect("a sound entity"),
        Some(1) => invoke.method = method("jump"),
        Some(2) => invoke.with = With::Nonsense,
        Some(_) => invoke.with = With::TooMuch,
        None => {}
    }
    invoke
}

fn program(chance: &mut Chance, within: Within, reads: bool) -> Program {
    let ops = (0..1 + chance.below(6))
        .map(|_| op(chance, within, reads))
        .collect();
    Program { ops }
}

fn op(chance: &mut Chance, within: Within, reads: bool) -> Op {
    if reads && !chance.one_in(40) {
        return read_op(chance, within);
    }
    if chance.one_in(400) {
        return extreme_op(chance, within);
    }
    let native = within.dialect == Dialect::Native;
    if !native && chance.one_in(500) {
        return taking_op(chance);
    }
    let calls = if within.nested > 0 { 6 } else { 0 };
    let holds = if native { calls / 2 } else { 0 };
    match chance.weighted(&[8, 5, 2, 6, 3, 8, calls, 3, holds, 3, 1, 2]) {
        0 => Op::Add(chance.below(100) as i32 - 20),
        1 => read_op(chance, within),
        2 => Op::Pad(chance.below(40) as u32),
        3 => Op::Put(field(chance), chance.below(20) as u32),
        4 => Op::Delete(field(chance)),
        5 => Op::Note {
            source: source(chance),
            keep: true,
        },
        6 => call_op(chance, within),
        7 => send_op(chance, within),
        8 => {
            let (write, reads) = (!chance.one_in(3), chance.one_in(3));
            let ops = program(chance, within.inner(), reads).ops;
            Op::Hold { write, ops }
        }
        9 => reject_op(chance),
        10 => match chance.below(3) {
            0 if native => Op::Spoil,
            1 => Op::Panic("nobody expected this: ü".repeat(1 + chance.below(300) as usize)),
            _ => Op::Dive {
                levels: chance.below(6) as u32,
                ops: program(chance, within.leaf(), false).ops,
            },
        },
        _ => match chance.one_in(2) {
            true => Op::Fill {
                fields: chance.below(FILL) as u32,
                bytes: chance.below(4) as u32,
            },
            false => Op::Clear {
                first: chance.below(FILL) as u32,
                fields: chance.below(FILL / 2) as u32,
            },
        },
    }
}

fn read_op(chance: &mut Chance, within: Within) -> Op {
    let calls = if within.nested > 0 { 2 } else { 0 };
    match chance.weighted(&[4, 4, 5, 3, calls]) {
        0 => Op::Read,
        1 => Op::Get(field(chance)),
        2 => Op::Scan {
            from: edge(chance),
            to: edge(chance),
            reverse: chance.one_in(2),
            limit: chance.pick(&[0, 1, 2, 3, 5, 17, 30, 100]),
        },
        3 => Op::Note {
            source: source(chance),
            keep: false,
        },
        _ => Op::Call {
            call: invoke(chance, within.inner(), 0),
            or: or(chance),
        },
    }
}

fn call_op(chance: &mut Chance, within: Within) -> Op {
    Op::Call {
        call: invoke(chance, within.inner(), 4),
        or: or(chance),
    }
}

fn or(chance: &mut Chance) -> Or {
    chance.pick(&[Or::Pass, Or::Catch, Or::Catch, Or::Shield])
}

fn send_op(chance: &mut Chance, within: Within) -> Op {
    Op::Send {
        call: invoke(chance, Within::new(within.nested.min(1), within.dialect), 4),
        delay_ms: chance.pick(&[0, 0, 0, 5, 50, 2_000]),
        times: 1 + chance.below(2) as u32,
    }
}

fn reject_op(chance: &mut Chance) -> Op {
    Op::Reject {
        code: chance.pick(&["no", "sold_out"]).to_owned(),
        message: chance.pick(&[0, 3, 3, 2_047, 2_048, 2_049]),
        details: chance.pick(&[None, None, Some(7)]),
    }
}

/// What comes close to a limit or breaks it.
fn extreme_op(chance: &mut Chance, within: Within) -> Op {
    let small = || With::Program(Program::default());
    let to = Invoke {
        entity: entity(chance),
        method: method(if chance.one_in(2) { "run" } else { "look" }),
        with: small(),
    };
    let edge = |limit: usize, chance: &mut Chance| (limit + chance.below(3) as usize - 1) as u32;
    match chance.weighted(&[12, 1, 6, 6, 6, 6, 12, 12, 4, 2, 1, 1]) {
        0 => Op::Dive {
            levels: edge(limits::CALL_DEPTH_MAX - 2, chance),
            ops: program(chance, within.leaf(), false).ops,
        },
        1 => Op::CallMany {
            times: edge(limits::CALLS_MAX - 2, chance),
            call: to,
        },
        2 => {
            let pad = edge(limits::VALUE_BYTES_MAX - 100, chance) + 70 * chance.below(2) as u32;
            Op::Pad(within.long_state(pad))
        }
        3 => {
            let (field, length) = (field(chance), edge(limits::VALUE_BYTES_MAX - 2, chance));
            Op::Put(within.long_field(field), length)
        }
        4 => Op::Say(edge(limits::VALUE_BYTES_MAX - 4, chance)),
        5 => Op::Reject {
            code: "long".to_owned(),
            message: 5,
            details: Some(edge(limits::VALUE_BYTES_MAX - 2, chance)),
        },
        6 => Op::Scan {
            from: Edge::Open,
            to: Edge::Open,
            reverse: false,
            limit: edge(limits::SCAN_ROWS_MAX, chance) as usize,
        },
        7 => Op::Send {
            call: to,
            delay_ms: limits::SEND_DELAY_MS_MAX + chance.below(2),
            times: 1,
        },
        8 => Op::Send {
            call: to,
            delay_ms: 1_000_000_000,
            times: edge(limits::SENDS_MAX, chance),
        },
        9 => Op::Fill {
            fields: 15 + chance.below(3) as u32,
            bytes: match within.dialect {
                Dialect::Native => (limits::VALUE_BYTES_MAX - 10) as u32,
                Dialect::Portable => 1_000,
            },
        },
        // A component that makes JSON of so much takes more instructions than there are.
        10 if within.dialect == Dialect::Native => long_scan(chance),
        _ => long_reading(chance, within, to.entity),
    }
}

/// What takes much of an interpreter: more than it has, or so much that the transaction runs again carefully.
fn taking_op(chance: &mut Chance) -> Op {
    match chance.weighted(&[4, 1, 1, 1]) {
        0 => Op::Hoard(40),
        1 => Op::Hoard(80),
        2 => Op::Sink,
        _ => Op::Spin,
    }
}

/// A scan that returns as much as one may, or a little less or more.
fn long_scan(chance: &mut Chance) -> Op {
    let fields = 8;
    let key = "fill/0".len();
    let value = limits::SCAN_BYTES_MAX / fields - key - 2;
    let fill = Op::Fill {
        fields: fields as u32,
        bytes: (value + chance.below(3) as usize - 1) as u32,
    };
    let scan = Op::Scan {
        from: Edge::At("fill/0".to_owned()),
        to: Edge::Past("fill/8".to_owned()),
        reverse: chance.one_in(2),
        limit: fields,
    };
    let ops = vec![fill, scan];
    Op::Dive { levels: 0, ops }
}

/// Calls of an entity with a long state, as often as one transaction may, or a little less or more.
fn long_reading(chance: &mut Chance, within: Within, entity: EntityId) -> Op {
    let length = limits::VALUE_BYTES_MAX - 100;
    let call = |name, ops| Invoke {
        entity: entity.clone(),
        method: method(name),
        with: With::Program(Program { ops }),
    };
    let grow = Op::Call {
        call: call("run", vec![Op::Pad(within.long_state(length as u32))]),
        or: Or::Pass,
    };
    let read = Op::CallMany {
        times: (limits::READ_BYTES_MAX / length + chance.below(3) as usize - 1) as u32,
        call: call("look", Vec::new()),
    };
    let ops = vec![grow, read];
    Op::Dive { levels: 0, ops }
}

fn field(chance: &mut Chance) -> String {
    match chance.one_in(4) {
        true => format!("fill/{}", chance.below(FILL)),
        false => chance.pick(&FIELDS).to_owned(),
    }
}

fn edge(chance: &mut Chance) -> Edge {
    let key = chance.pick(&EDGES).to_owned();
    match chance.below(3) {
        0 => Edge::Open,
        1 => Edge::At(key),
        _ => Edge::Past(key),
    }
}

fn source(chance: &mut Chance) -> Source {
    use Source::{Caller, Entity, Now, Random, Seq, Uuid};
    chance.pick(&[Now, Random, Uuid, Seq, Caller, Entity])
}
