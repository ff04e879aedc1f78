//! Machine code in a directory, so that a start does not compile again. Nothing depends on it: a file
//! that is missing, damaged, or of another version of the runtime is made anew, and what cannot be
//! written is not.
//!
//! Machine code is believed: whoever can write to the directory can make this program do anything, as
//! with the program's own file. It belongs into the data directory, with its rights.

#![expect(unsafe_code, reason = "machine code is run as it was written")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what is in the files shows in no outcome: it only saves compiling"
)]

use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::Digest;
use crate::wasm::reset::VERSION;

/// What a file begins with; the digest of the rest follows.
const MAGIC: &[u8; 8] = b"ORDWASM1";
const HEAD: usize = MAGIC.len() + 32;

/// Bytes of all files, beyond which those go that were used longest ago.
const BYTES_MAX: u64 = 4 << 30;

/// A directory of machine code.
pub(super) struct Disk {
    dir: PathBuf,
    /// The runtime's version and settings, and what is added to modules: others have other files.
    runtime: String,
}

impl Disk {
    pub fn new(dir: PathBuf, engine: &Engine) -> Self {
        let mut sum = Sum(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut sum);
        VERSION.hash(&mut sum);
        Self {
            dir,
            runtime: hex(&sum.0.finalize()[..8]),
        }
    }

    /// The machine code of the module with this digest, if it is there as it was written.
    pub fn read(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let path = self.path(digest);
        let file = fs::read(&path).ok()?;
        let (head, code) = file.split_at_checked(HEAD)?;
        is_used(&path);
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
        trim(&self.dir, BYTES_MAX);
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir
            .join(format!("{}-{}.code", hex(digest), self.runtime))
    }
}

/// Notes that a file is used now.
fn is_used(path: &Path) {
    if let Ok(file) = fs::File::options().write(true).open(path) {
        let _ = file.set_modified(SystemTime::now()); // it may go sooner than it had to
    }
}

/// Removes the files that were used longest ago until there are no more bytes than `most`. Whoever can have
/// modules compiled, though none is deployed, would fill the disk, and with it the log's.
fn trim(dir: &Path, most: u64) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let of = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let own = path
                .extension()
                .is_some_and(|it| it == "code" || it == "part");
            own.then_some((of.modified().ok()?, of.len(), path))
        })
        .collect();
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, len, _)| len).sum();
    for (_, len, path) in files {
        if bytes <= most {
            return;
        }
        if fs::remove_file(path).is_ok() {
            bytes -= len;
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        for (age, name) in ["d.code", "c.code", "b.part", "a.code"].iter().enumerate() {
            fs::write(path(name), [0; 100]).expect("writable");
            let file = fs::File::options().write(true).open(path(name));
            let then = SystemTime::now() - Duration::from_secs(60 * (1 + age as u64));
            file.and_then(|file| file.set_modified(then))
                .expect("its time is ours");
        }
        let left = || {
            let entries = fs::read_dir(dir.path()).expect("readable").flatten();
            let names = entries.map(|entry| entry.file_name().into_string().expect("text"));
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        trim(dir.path(), 400);
        assert_eq!(left().len(), 4);
        is_used(&path("a.code"));
        trim(dir.path(), 299);
        assert_eq!(left(), ["a.code", "d.code"]);
        fs::write(path("of-others"), [0; 100]).expect("writable");
        trim(dir.path(), 0);
        assert_eq!(left(), ["of-others"]);
        trim(&path("none"), 0);
    }
}
