//! What tells one release from another, written into the built component by whoever makes releases of it:
//! the bytes from [`MARK`] on, filled up with spaces.

use std::hint::black_box;

/// What a release has.
pub struct Shape {
    /// The names of its entity types, with commas.
    pub types: &'static str,
    /// The version of their state's shape.
    pub version: u32,
    /// Whether it takes states of other versions.
    pub migrates: bool,
    /// Whether `run` wants an argument that no program has.
    pub strict: bool,
    /// Whether one instance may serve many transactions.
    pub reuse: bool,
    /// What it says of itself, which tells it from all others.
    pub number: u32,
}

const MARK: &str = "ordain-sim release: ";

/// The words `types version migrates|- strict|- reuse|- number` behind the mark.
static RELEASE: &[u8; 96] = b"ordain-sim release: alpha,beta 1 - - - 0                                                        ";

/// This release's.
pub fn shape() -> Shape {
    let text = std::str::from_utf8(black_box(RELEASE)).expect("a release is text");
    let mut words = text[MARK.len()..].split_ascii_whitespace();
    let mut word = || words.next().expect("six words");
    Shape {
        types: word(),
        version: word().parse().expect("a version"),
        migrates: word() == "migrates",
        strict: word() == "strict",
        reuse: word() == "reuse",
        number: word().parse().expect("a number"),
    }
}
