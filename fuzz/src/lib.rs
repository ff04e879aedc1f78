//! Fuzz targets: one a decoder, one file each. A target takes any bytes and panics when a property of
//! the decoder does not hold; that it must not panic by itself is only the first of them.
//!
//! ```text
//!   targets/   one file a decoder: what must hold of whatever it makes of the bytes
//!   entities   the entity types that targets with methods call
//!   input      cutting a target's bytes into parts
//!   seal       checksums of the log's and the snapshot's formats, so that mutations get past them
//!   mutate     the same mutations on every machine, for the test over the corpus
//!   seeds      the first files of the corpora, made by the product itself
//! ```
//!
//! `corpus/TARGET/` holds the inputs that every test run takes, each as it is and mutated. `guided/`
//! hands the same targets to libFuzzer. This crate knows every crate with a decoder and reaches each
//! through its public door; nothing imports it.

pub mod entities;
pub mod input;
pub mod mutate;
pub mod seal;
pub mod seeds;
pub mod targets;

pub use targets::TARGETS;

/// A decoder under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also of its corpus and its libFuzzer program.
    pub name: &'static str,
    /// Checks the decoder with these bytes. Panics if a property does not hold.
    pub check: fn(&[u8]),
    /// Bytes that may be in use at once, whatever the input: buffers of a fixed size.
    pub bytes_base: u64,
    /// Bytes more for each byte of input. A length that is believed breaks this.
    pub bytes_each: u64,
    /// Mutations that a test run makes, spread over the corpus.
    pub mutations: u64,
}

impl Target {
    /// The target of this name.
    pub fn find(name: &str) -> Option<&'static Target> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Checks the decoder, and that what this thread had allocated at once is within bounds.
    pub fn run(&self, data: &[u8]) {
        let used = allocation_counter::measure(|| (self.check)(data));
        let most = self.bytes_base + self.bytes_each * data.len() as u64;
        assert!(
            used.bytes_max <= most,
            "{}: {} bytes of input made it allocate {} bytes at once, more than {most}",
            self.name,
            data.len(),
            used.bytes_max
        );
    }
}

/// Checks a refusal: it must say something, and name `place`.
#[track_caller]
pub fn refused(error: &dyn std::fmt::Display, place: &str) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "a refusal without a word");
    assert!(text.contains(place), "{text:?} does not name {place:?}");
}
