//! A store's directory with one file changed: what is served is what was written, or the damage is
//! reported and names the directory.
//!
//! Input: which file; how it is changed (replaced, cut, bytes changed); the bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ordain_store::{DiskStore, Entry, Error, Options, Store};
use ordain_types::Seq;
use tempfile::TempDir;

use crate::input::Input;
use crate::{refused, seeds};

/// The whole file is replaced.
pub const REPLACED: u8 = 0;
/// The file is cut.
pub const CUT: u8 = 1;
/// Bytes are changed: offset u16, what is added to the byte u8.
pub const CHANGED: u8 = 2;

/// A store as it was left, file by file.
pub struct Template {
    dir: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
    entries: Vec<Entry>,
    seq: Seq,
}

/// The target.
pub fn check(data: &[u8]) {
    let template = template();
    let mut input = Input(data);
    let (file, how) = (input.byte().into(), input.byte());
    let changed = changed(template, file, how, input);
    for (path, bytes) in &template.files {
        fs::write(template.dir.join(path), bytes).expect("a file is written");
    }
    let (path, _) = &template.files[file % template.files.len()];
    fs::write(template.dir.join(path), changed).expect("a file is written");
    judge(template);
    empty(&template.dir);
}

fn changed(template: &Template, file: usize, how: u8, mut input: Input<'_>) -> Vec<u8> {
    let mut bytes = template.files[file % template.files.len()].1.clone();
    match how % 3 {
        REPLACED => return input.0.to_vec(),
        CUT => bytes.truncate(input.u16().into()),
        _ => {
            while !input.0.is_empty() && !bytes.is_empty() {
                let at = usize::from(input.u16()) % bytes.len();
                bytes[at] = bytes[at].wrapping_add(input.byte());
            }
        }
    }
    bytes
}

fn judge(template: &Template) {
    let place = template.dir.to_str().expect("a path is text");
    let verified = DiskStore::verify(&template.dir, &mut |_| {});
    match served(&template.dir) {
        Ok((seq, entries)) => {
            // A store that says it is new may be: nobody could have told it from one.
            let new = seq == Seq::ZERO && entries.is_empty() && verified.is_ok();
            let whole = seq == template.seq && entries == template.entries;
            assert!(whole || new, "what was not written was served");
        }
        Err(error) => refused(&error, place),
    }
    if let Err(error) = verified {
        refused(&error, place);
    }
}

fn served(dir: &Path) -> Result<(Seq, Vec<Entry>), Error> {
    let store = DiskStore::open(dir, options())?;
    let entries: Vec<Entry> = store.snapshot()?.entries().collect::<Result<_, _>>()?;
    for (key, value) in &entries {
        assert_eq!(store.get(key)?.as_ref(), Some(value), "two answers");
    }
    Ok((store.seq(), entries))
}

fn options() -> Options {
    Options {
        cache_bytes: 1 << 20,
    }
}

/// The real store that is damaged, in memory where the system has a directory there.
pub fn template() -> &'static Template {
    static TEMPLATE: OnceLock<(TempDir, Template)> = OnceLock::new();
    let (_, template) = TEMPLATE.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let temp = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let temp = temp.expect("a directory");
        let dir = temp.path().join("store");
        let store = DiskStore::open(&dir, options()).expect("a new store");
        for checkpoint in seeds::checkpoints() {
            store.apply(&checkpoint).expect("it is applied");
        }
        let entries = store.snapshot().expect("a snapshot");
        let entries: Result<Vec<Entry>, Error> = entries.entries().collect();
        let (seq, entries) = (store.seq(), entries.expect("entries"));
        drop(store);
        let mut files = Vec::new();
        read_files(&dir, Path::new(""), &mut files);
        files.sort();
        empty(&dir);
        let template = Template {
            dir,
            files,
            entries,
            seq,
        };
        (temp, template)
    });
    template
}

impl Template {
    /// The files, by their paths in the store's directory.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let all = self.files.iter();
        all.map(|(path, bytes)| (path.as_path(), &bytes[..]))
    }
}

fn read_files(dir: &Path, below: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir.join(below)).expect("a directory") {
        let entry = entry.expect("an entry");
        let path = below.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => read_files(dir, &path, files),
            false => files.push((path, fs::read(entry.path()).expect("a file"))),
        }
    }
}

/// Removes all files and leaves the directories.
fn empty(dir: &Path) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let entry = entry.expect("an entry");
        match entry.file_type().expect("a type").is_dir() {
            true => empty(&entry.path()),
            false => fs::remove_file(entry.path()).expect("it is removed"),
        }
    }
}
