//! Every file of every corpus through its target, as it is and mutated; and the properties seen to
//! fail where a decoder is wrong.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ordain_fuzz::mutate::{Chance, mutate};
use ordain_fuzz::{TARGETS, Target};

/// Bytes of all corpora: every test run takes all of them.
const CORPORA_BYTES_MAX: u64 = 2 << 20;

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(here("corpus").join(target.name))
        .expect("a corpus")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no corpus", target.name);
    files
}

fn run(name: &str) {
    let target = Target::find(name).expect("a target");
    let files = corpus(target);
    for (at, (file, data)) in files.iter().enumerate() {
        held(target, data, file);
        for number in 0..target.mutations.div_ceil(files.len() as u64) {
            let mut chance = Chance::new(file, number);
            let (_, other) = &files[(at + chance.below(files.len())) % files.len()];
            let mutated = mutate(data, other, &mut chance);
            held(target, &mutated, &format!("{file}, mutation {number}"));
        }
    }
}

#[track_caller]
fn held(target: &Target, data: &[u8], what: &str) {
    if catch_unwind(|| target.run(data)).is_err() {
        let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{}: {what}: {hex}", target.name);
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*
    };
}

targets! {
    log_segment records granule rows replay store_files snapshot http path call_lines reply_lines
    call_frames reply_frames json module_files component names values config_file setting
}

#[test]
fn every_target_has_a_test_a_corpus_and_a_guided_program() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|it| it.name.to_owned()).collect();
    let tested: BTreeSet<String> = TESTED.iter().map(|&it| it.to_owned()).collect();
    assert_eq!(tested, targets);
    let names = |dir: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(here(dir)).expect("a directory");
        let stem = |entry: fs::DirEntry| PathBuf::from(entry.file_name()).with_extension("");
        let stems = entries.map(|entry| stem(entry.expect("an entry")));
        stems.map(|stem| stem.display().to_string()).collect()
    };
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("guided/fuzz_targets"), targets);
    let listed = fs::read_to_string(here("guided/Cargo.toml")).expect("a manifest");
    for name in &targets {
        assert!(listed.contains(&format!("name = \"{name}\"\n")), "{name}");
    }
}

#[test]
fn the_corpora_are_small() {
    let files = TARGETS.iter().flat_map(corpus);
    let bytes: u64 = files.map(|(_, data)| data.len() as u64).sum();
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn mutations_are_the_same_every_time_and_change_something() {
    let data: Vec<u8> = (0..200).collect();
    let all = || (0..100).map(|n| mutate(&data, b"other", &mut Chance::new("file", n)));
    assert!(all().eq(all()));
    let distinct: BTreeSet<Vec<u8>> = all().collect();
    assert!(distinct.len() > 90, "{}", distinct.len());
    assert_eq!(Vec::<u8>::new(), mutate(b"", b"", &mut Chance(3)));
}

/// Whether a check with a decoder of ours fails on any of a corpus, as it is or mutated.
fn fails(name: &str, check: impl Fn(&[u8])) -> bool {
    let target = Target::find(name).expect("a target");
    let held = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| check(input))).is_ok();
    corpus(target).iter().any(|(file, data)| {
        let mut numbers = 0..50;
        !held(data) || numbers.any(|n| !held(&mutate(data, data, &mut Chance::new(file, n))))
    })
}

mod planted {
    //! Decoders with a mistake. Each is noticed, and the right one in its place is not.

    use std::sync::Arc;

    use ordain_api::frame::CallFrame;
    use ordain_fuzz::Target;
    use ordain_fuzz::targets::{frames, log_segment, records, snapshot};
    use ordain_log::disk::{Disk, MemoryDisk};
    use ordain_log::{Record, read_from};
    use ordain_store::snapshot::{Summary, read};
    use ordain_store::{Checkpoint, Error, MemoryStore, Store};
    use ordain_types::batch::BatchError;
    use ordain_types::{Batch, Seq};

    use super::fails;

    #[test]
    fn a_batch_decoder_that_passes_over_what_follows() {
        fn wrong(bytes: &[u8]) -> Result<Batch, BatchError> {
            let whole = (0..bytes.len()).map(|cut| Batch::decode(&bytes[..bytes.len() - cut]));
            whole
                .take(3)
                .find(Result::is_ok)
                .unwrap_or(Batch::decode(bytes))
        }
        let with = |decode| {
            move |data: &[u8]| {
                if let [0, bytes @ ..] = data {
                    records::batch(bytes, decode);
                }
            }
        };
        assert!(fails("records", with(wrong)));
        assert!(!fails("records", with(Batch::decode)));
    }

    #[test]
    fn a_frame_decoder_that_loses_what_is_optional() {
        let check = |lose: bool| {
            move |data: &[u8]| {
                frames::each(data, |body, out| {
                    let Ok(mut frame) = CallFrame::decode(body) else {
                        return false;
                    };
                    if lose {
                        frame.call.delay_ms = None;
                    }
                    frame.write(out);
                    true
                });
            }
        };
        assert!(fails("call_frames", check(true)));
        assert!(!fails("call_frames", check(false)));
    }

    #[test]
    fn a_snapshot_reader_that_keeps_the_half_it_could_read() {
        fn wrong(file: &[u8], into: &MemoryStore) -> Result<Summary, Error> {
            let taken = read(file, into, &mut |_| {});
            if taken.is_err() {
                let changes = [("k", Some("v"))].into_iter().collect();
                let _ = into.apply(&Checkpoint {
                    seq: Seq(1),
                    changes,
                });
            }
            taken
        }
        fn right(file: &[u8], into: &MemoryStore) -> Result<Summary, Error> {
            read(file, into, &mut |_| {})
        }
        let with = |read| {
            move |data: &[u8]| {
                if let [0, file @ ..] = data {
                    snapshot::judge(file, read);
                }
            }
        };
        assert!(fails("snapshot", with(wrong)));
        assert!(!fails("snapshot", with(right)));
    }

    #[test]
    fn a_log_reader_that_does_not_look_at_checksums() {
        let records = |disk: &MemoryDisk| -> Vec<Record> {
            let reader = read_from(Arc::new(disk.fork()), Seq(1));
            reader.into_iter().flatten().map_while(Result::ok).collect()
        };
        let check = |blind: bool| {
            move |data: &[u8]| {
                let disk = log_segment::disk(data);
                let read = records(&disk);
                if blind {
                    let name = disk.list().expect("a list").pop().expect("a segment");
                    let mut bytes = disk.contents(&name).expect("a file");
                    if let Some(record) = read.iter().find(|record| record.file == name) {
                        bytes[record.offset as usize + 33] ^= 1;
                    }
                    disk.set_contents(&name, &bytes);
                }
                log_segment::genuine(&read, &disk);
            }
        };
        assert!(fails("log_segment", check(true)));
        assert!(!fails("log_segment", check(false)));
    }

    #[test]
    fn a_decoder_that_believes_a_length() {
        fn wrong(data: &[u8]) {
            let length = data
                .first_chunk()
                .map_or(0, |four| u32::from_le_bytes(*four));
            drop(vec![0u8; length as usize % (64 << 20)]);
        }
        let records = Target::find("records").expect("a target");
        let check = |check| {
            let target = Target { check, ..*records };
            move |data: &[u8]| target.run(data)
        };
        assert!(fails("records", check(wrong)));
        assert!(!fails("records", check(records.check)));
    }
}
