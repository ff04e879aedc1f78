//! Mutations for the test over the corpus: the same on every machine and in every run, so that a
//! failure can be made again from a file and a number.

/// The bytes that mutations begin from: numbers at their ends, lengths that promise much, and what
/// texts break at.
const NASTY: &[&[u8]] = &[
    &[0],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0xff; 4],
    &[0xff; 8],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0, 0, 0, 0x40],
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"[[[[[[[[",
    b"%",
    b"%2F",
    b"\xc3\x28",
    b"\n",
    b"\r\n",
    b"-0",
    b"1e999",
    b"18446744073709551616",
];

/// A sequence of numbers from a seed.
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    /// From a text and a number: FNV-1a over both.
    pub fn new(text: &str, number: u64) -> Self {
        let bytes = text.bytes().chain(number.to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    /// Below `end`, which is not 0. Xorshift64*.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

/// One to four changes: bits, bytes, numbers, truncations, doublings, and parts of `other`.
pub fn mutate(data: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=chance.below(4) {
        change(&mut data, other, chance);
    }
    data
}

fn change(data: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(data.len() + 1);
    let length = chance.below(data.len() - at + 1).min(64);
    match chance.below(9) {
        0 if at < data.len() => data[at] ^= 1 << chance.below(8),
        1 if at < data.len() => data[at] = chance.below(256) as u8,
        2 if at < data.len() => {
            data[at] = data[at].wrapping_add(1).wrapping_sub(2 * (at as u8 & 1))
        }
        3 => data.truncate(at),
        4 => drop(data.drain(at..at + length)),
        5 => drop(data.splice(at..at, data[at..at + length].to_vec())),
        6 => {
            let nasty = NASTY[chance.below(NASTY.len())];
            let end = (at + nasty.len()).min(data.len());
            data.splice(at..end, nasty.iter().copied());
        }
        7 => {
            let nasty = NASTY[chance.below(NASTY.len())];
            data.splice(at..at, nasty.iter().copied());
        }
        _ => {
            let from = chance.below(other.len() + 1);
            let until = from + chance.below(other.len() - from + 1).min(256);
            data.splice(at..at + length, other[from..until].iter().copied());
        }
    }
}
