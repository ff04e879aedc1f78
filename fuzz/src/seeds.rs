//! A small life of the product: its log, its state, its store; and the first files of the corpora, made
//! from them. `cargo run -p ordain-fuzz -- seeds` writes those anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ordain_engine::{Empty, Engine};
use ordain_log::disk::MemoryDisk;
use ordain_log::{Log, Options as LogOptions};
use ordain_node::{Options, VirtualClock};
use ordain_store::Checkpoint;
use ordain_types::{
    Batch, BuildId, Call, ChangeList, Command, EntityId, IdempotencyKey, InForce, LogId, Method,
    Seq, Timestamp, limits,
};

use crate::{entities, input};

mod component;
mod files;
mod http;

/// When the life began.
pub const BEGIN: Timestamp = Timestamp(1_704_067_200_000);

/// The batches, the rows of the state after them, and how the log ends.
struct Life {
    batches: Vec<Batch>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    end: (Seq, Timestamp),
}

fn life() -> &'static Life {
    static LIFE: OnceLock<Life> = OnceLock::new();
    LIFE.get_or_init(live)
}

fn live() -> Life {
    let catalog = entities::entities().build().expect("they fit together");
    let mut engine = Engine::open(catalog, Box::new(Empty), ordain_engine::Options::default())
        .expect("a new engine opens");
    let mut batches = Vec::new();
    let mut digests = Vec::new();
    for (commands, at) in commands().into_iter().zip(0..) {
        let timestamp = BEGIN.plus_ms(1_000 * at);
        let first_seq = engine.seq().next();
        engine.begin_batch(first_seq, timestamp);
        for command in &commands {
            engine.execute(command, None).expect("it runs");
        }
        let digest = engine.end_batch();
        engine.durable(engine.seq());
        batches.push(Batch {
            first_seq,
            timestamp,
            digests: std::mem::replace(&mut digests, vec![digest]),
            commands,
        });
    }
    engine.begin_checkpoint();
    let changes = loop {
        if let Some(changes) = engine.step_checkpoint(1_000) {
            break changes;
        }
    };
    let row = |(key, value): (&[u8], Option<&[u8]>)| Some((key.to_vec(), value?.to_vec()));
    Life {
        rows: changes.granules.iter().filter_map(row).collect(),
        end: (engine.seq(), engine.meta().timestamp),
        batches,
    }
}

fn commands() -> Vec<Vec<Command>> {
    let call = |key: &str, method: &str, args: &'static str, once: Option<&str>| Call {
        entity: EntityId::new("ledger", key).expect("a name and a key"),
        method: Method::new(method).expect("a name"),
        args: Bytes::from_static(args.as_bytes()),
        caller: "me".to_owned(),
        idempotency_key: once.map(|key| IdempotencyKey::new(key).expect("a key")),
    };
    let set = r#"{"large":18446744073709551615,"ratio":0.1,"initial":"ü","shape":{"Path":{"parts":["Point",{"Circle":1.5},{"Box":[1,-2]}],"name":null}},"tags":{"x":[true,null]},"pair":[7,"t"]}"#;
    let send = Box::new(call(
        "b",
        "add",
        r#"{"amount":7,"note":null}"#,
        Some("sent"),
    ));
    let later = r#"{"to":"b","amount":9,"delay_ms":60000}"#;
    vec![
        vec![
            Command::Genesis { log_id: LogId(7) },
            Command::InForce(Box::new(InForce {
                build: BuildId("fuzz".to_owned()),
                build_name: "fuzz".to_owned(),
                executor_version: limits::EXECUTOR_VERSION,
                retention_ms: 86_400_000,
            })),
        ],
        vec![
            Command::Call(Box::new(call(
                "a",
                "add",
                r#"{"amount":5,"note":"b"}"#,
                Some("once"),
            ))),
            Command::Call(Box::new(call(
                "a",
                "add",
                r#"{"amount":6,"note":"c/1"}"#,
                None,
            ))),
            Command::Call(Box::new(call("b", "set", set, None))),
        ],
        vec![
            Command::Send {
                call: send.clone(),
                delay_ms: 0,
            },
            Command::Send {
                call: send,
                delay_ms: 0,
            },
            Command::Call(Box::new(call("a", "add_later", later, None))),
            Command::Call(Box::new(call("a", "no_such", "{}", Some("fault")))),
        ],
        vec![Command::Deliver {
            send: ordain_types::SendId {
                seq: Seq(6),
                index: 0,
            },
        }],
    ]
}

/// The rows of a real state.
pub fn state() -> &'static BTreeMap<Vec<u8>, Vec<u8>> {
    &life().rows
}

/// The last seq of the real log and its timestamp.
pub fn log_end() -> &'static (Seq, Timestamp) {
    &life().end
}

/// A real log. To be forked, not written to.
pub fn log() -> &'static MemoryDisk {
    static LOG: OnceLock<MemoryDisk> = OnceLock::new();
    LOG.get_or_init(|| log_of(&life().batches, options().segment_bytes))
}

fn log_of(batches: &[Batch], segment_bytes: u64) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let options = LogOptions { segment_bytes };
    let (mut log, _) = Log::open(Arc::new(disk.clone()), options).expect("a new log");
    for batch in batches {
        let count = batch.commands.len() as u32;
        log.append(batch.first_seq, count, &batch.encode())
            .expect("it is appended");
    }
    disk
}

/// How nodes are opened on the real log.
pub fn options() -> Options {
    Options {
        segment_bytes: 64 << 10,
        build: Some("fuzz".to_owned()),
        build_name: "fuzz".to_owned(),
        clock: Arc::new(VirtualClock::new(BEGIN.plus_ms(10_000))),
        ..Options::default()
    }
}

/// The real state as several checkpoints, some of which overwrite and delete.
pub fn checkpoints() -> Vec<Checkpoint> {
    let all: Vec<_> = state().iter().collect();
    let mut checkpoints = Vec::new();
    for (part, at) in all.chunks(all.len().div_ceil(3)).zip(1..) {
        let change = |(key, value): &(&Vec<u8>, &Vec<u8>)| (key.to_vec(), Some(value.to_vec()));
        let mut changes: ChangeList = part.iter().map(change).collect();
        let passing = Bytes::from_static(b"gone at last");
        changes.push(b"\x06passing", (at != 3).then_some(&passing));
        checkpoints.push(Checkpoint {
            seq: Seq(at),
            changes,
        });
    }
    checkpoints
}

/// Writes the first files of all corpora below `dir`.
///
/// # Errors
/// What the system says.
pub fn write(dir: &Path) -> io::Result<()> {
    let files = files::all(&life().batches).into_iter();
    for (target, name, bytes) in files.chain(http::all()).chain(component::all()) {
        let dir = dir.join(target);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(format!("seed-{name}")), bytes)?;
    }
    Ok(())
}

/// A target, a name, an input.
type Seed = (&'static str, String, Vec<u8>);

fn seed(target: &'static str, name: impl Into<String>, parts: &[&[u8]]) -> Seed {
    (target, name.into(), parts.concat())
}

/// Rows as an input of entries.
fn rows<'a>(all: impl IntoIterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>) -> Vec<u8> {
    input::entries(all.into_iter().map(|(key, value)| (&key[..], &value[..])))
}
