//! The first inputs of the target `component`: a real one without its code, and small ones that are taken or refused
//! for one thing each. Sections are those of the binary formats of WebAssembly's core and component model.

use super::{Seed, seed};

const TRANSFER: &[u8] = include_bytes!("../../../crates/hosts/tests/fixtures/transfer.wasm");

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut put = |name: &str, sections: &[Vec<u8>]| {
        seeds.push(seed("component", name, &[COMPONENT, &sections.concat()]));
    };
    put("empty", &[]);
    let module = |sections: &[Vec<u8>]| section(1, &[MODULE, &sections.concat()].concat());
    let inner = |sections: &[Vec<u8>]| section(4, &[COMPONENT, &sections.concat()].concat());
    let table = section(4, &[1, 0x70, 0, 200]);
    let global = section(6, &[1, 0x7f, 0, 0x41, 1, 0x0b]);
    let data = section(11, &[1, 0, 0x41, 0, 0x0b, 3, b'a', b'b', b'c']);
    let instances = section(2, &[2, 0, 0, 0, 0, 0, 0]);
    put("starts", &[module(&[table, global, data]), instances]);
    put(
        "instances",
        &[inner(&[]), section(5, &[2, 0, 0, 0, 0, 0, 0])],
    );
    let many = [vec![65], [0, 0, 0].repeat(65)].concat();
    put("many-instances", &[inner(&[]), section(5, &many)]);
    put("inner-code", &[inner(&[module(&[])])]);
    put("inner-types", &[inner(&[section(7, &[1, 0x73])])]);
    put("outer", &[module(&[]), section(6, &[1, 0, 0x11, 2, 0, 0])]);
    put(
        "resource",
        &[section(7, &[1, 0x3f, 0x7f, 0]), section(8, &[1, 2, 0])],
    );
    put(
        "passed-on",
        &[module(&[]), section(11, &[1, 0, 1, b'm', 0, 0x11, 0, 0])],
    );
    let wide = [&[1, 0x60, 0, 17][..], &[0x7f; 17]].concat();
    put("results", &[module(&[section(1, &wide)])]);
    put("functions", &[module(&[section(3, &[0xa1, 0x8d, 0x06])])]);
    put(
        "types",
        &[module(&[section(
            1,
            &[2, 0x4e, 2, 0x5f, 0, 0x5e, 0x7f, 0, 0x60, 0, 0],
        )])],
    );
    let deep = [&[1][..], &[0x42, 1, 1].repeat(100), &[0x41, 0]].concat();
    put("deep", &[section(7, &deep)]);
    put(
        "types-within",
        &[section(
            7,
            &[
                1, 0x41, 3, 1, 0x42, 1, 1, 0x7f, 0, 0x50, 0, 3, 0, 1, b'a', 5, 0,
            ],
        )],
    );
    seeds.push(seed("component", "core", &[MODULE]));
    seeds.push(seed("component", "transfer", &[&without_code(TRANSFER)]));
    seeds
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![id];
    let mut left = content.len();
    while left > 0x7f {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// A module or component without functions' bodies, data and what is for tools, in the modules within it too.
fn without_code(whole: &[u8]) -> Vec<u8> {
    let (head, mut rest) = whole.split_at(COMPONENT.len());
    let is_component = head == COMPONENT;
    let mut kept = head.to_vec();
    while let [id, after @ ..] = rest {
        let (len, after) = length(after);
        let (content, next) = after.split_at(len);
        match (is_component, id) {
            (_, 0) | (false, 10 | 11) => {}
            (true, 1) => kept.extend(section(1, &without_code(content))),
            _ => kept.extend(section(*id, content)),
        }
        rest = next;
    }
    kept
}

/// A number of seven bits a byte, and what follows it.
fn length(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0);
    let (number, rest) = bytes.split_at(end.expect("it ends") + 1);
    let digits = number.iter().rev();
    let number = digits.fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
    (number, rest)
}
