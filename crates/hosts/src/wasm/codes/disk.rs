//! Machine code in a directory, so that a start does not compile again. Nothing depends on it: a file
//! that is missing, damaged, or of another version of the runtime is made anew, and what cannot be
//! written is not.
//!
//! Machine code is believed: whoever can write to the directory can make this program do anything, as
//! with the program's own file. It belongs into the data directory, with its rights.

#![expect(unsafe_code, reason = "machine code is run as it was written")]
#![expect(
    clippy::disallowed_methods,
    reason = "what is in the files shows in no outcome: it only saves compiling"
)]

use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::Digest;

/// What a file begins with; the digest of the rest follows.
const MAGIC: &[u8; 8] = b"ORDWASM1";
const HEAD: usize = MAGIC.len() + 32;

/// A directory of machine code.
pub(super) struct Disk {
    dir: PathBuf,
    /// The runtime's version and settings: others have other files.
    runtime: String,
}

impl Disk {
    pub fn new(dir: PathBuf, engine: &Engine) -> Self {
        let mut sum = Sum(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut sum);
        Self {
            dir,
            runtime: hex(&sum.0.finalize()[..8]),
        }
    }

    /// The machine code of the module with this digest, if it is there as it was written.
    pub fn read(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let file = fs::read(self.path(digest)).ok()?;
        let (head, code) = file.split_at_checked(HEAD)?;
        let intact = head.starts_with(MAGIC) && head[MAGIC.len()..] == Sha256::digest(code)[..];
        if !intact {
            return None;
        }
        // SAFETY: wants bytes that `Component::serialize` gave, unchanged. The file was written by
        // `write` below and by no one else: the directory is this program's own. Its digest shows that
        // it is whole. Machine code of another version of the runtime, other settings or another
        // processor is refused by `deserialize` itself.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// Writes machine code, whole or not at all. Not being able to costs the next start its time.
    pub fn write(&self, digest: &Digest, component: &Component) {
        let Ok(code) = component.serialize() else {
            return;
        };
        let file = [&MAGIC[..], &Sha256::digest(&code), &code].concat();
        let path = self.path(digest);
        let part = path.with_extension("part");
        let written = fs::create_dir_all(&self.dir)
            .and_then(|()| fs::write(&part, file))
            .and_then(|()| fs::rename(&part, &path));
        if written.is_err() {
            let _ = fs::remove_file(&part); // there may be none
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir
            .join(format!("{}-{}.code", hex(digest), self.runtime))
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

/// A hash that is the same in every process.
struct Sum(Sha256);

impl Hasher for Sum {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let sum = self.0.clone().finalize();
        u64::from_le_bytes(sum[..8].try_into().expect("eight bytes"))
    }
}
