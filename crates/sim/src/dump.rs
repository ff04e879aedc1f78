//! Whole states in a form in which the engine's and the oracle's can be compared: every granule, in
//! order, as text. The engine's system rows are decoded here from what their documentation says they
//! are; only the hash of an answered request and the prose of faults are left out.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use ordain_types::granule::Part;
use ordain_types::module::{Deployment, InForceModule};
use ordain_types::{
    Command, EntityId, FaultKind, FieldKey, Granule, InForce, LogId, Method, Outcome, Rejection,
    SendId, Seq, Timestamp,
};
use serde::de::DeserializeOwned;

use crate::oracle::{Modules, Oracle, Remembered};

/// A whole state: granules and what they say.
pub type Dump = BTreeMap<Granule, String>;

/// What an outcome says, but for the prose of a fault; of a panic, the text is the program's.
pub fn plain(mut outcome: Outcome) -> Outcome {
    if let Outcome::Fault(fault) = &mut outcome {
        fault.trace.clear();
        // Two runs that differ are never right, and what they differ in is to be told.
        if !matches!(fault.kind, FaultKind::Panic | FaultKind::Differs) {
            fault.message.clear();
        }
    }
    outcome
}

/// An outcome of a command without its prose. That of a refused deployment is in its message.
pub fn told(command: &Command, outcome: Outcome) -> Outcome {
    match (command, outcome) {
        (Command::Deploy(_) | Command::Undeploy(_), Outcome::Rejected(mut no)) => {
            no.message.clear();
            Outcome::Rejected(no)
        }
        (_, outcome) => plain(outcome),
    }
}

/// The state in durable granules.
pub fn of_granules(granules: &BTreeMap<Granule, Bytes>) -> Dump {
    let says = |(granule, bytes): (&Granule, &Bytes)| (granule.clone(), says(granule, bytes));
    granules.iter().map(says).collect()
}

fn says(granule: &Granule, bytes: &Bytes) -> String {
    match granule.part() {
        None => "no granule's key".to_owned(),
        Some(Part::Root(_) | Part::Field(..)) => lossy(bytes),
        Some(Part::Answered(..)) => row(bytes, |(_, seq, outcome): (u128, Seq, Outcome)| {
            answered(seq, &plain(outcome))
        }),
        Some(Part::Send(_)) => row(bytes, waiting),
        Some(Part::Invocation(_)) => row(
            bytes,
            |(entity, method, seq, outcome): (EntityId, Method, Seq, Outcome)| {
                delivered(&entity, &method, seq, &plain(outcome))
            },
        ),
        Some(Part::Expiry(..)) => format!("{:?}", Granule::from_bytes(bytes)),
        Some(Part::Package(_)) => text(bytes),
        Some(Part::Deployment(..)) => row(bytes, |line: Deployment| format!("{line:?}")),
        Some(Part::Meta(name)) if name == "modules" => row(bytes, |modules: Vec<InForceModule>| {
            in_force(modules.iter())
        }),
        Some(Part::Meta(name)) if name.starts_with("latest/") => {
            row(bytes, |version: u32| version.to_string())
        }
        Some(Part::Meta(_)) => row(bytes, meta),
    }
}

fn row<T: DeserializeOwned>(bytes: &[u8], says: impl Fn(T) -> String) -> String {
    match postcard::take_from_bytes(bytes) {
        Ok((row, [])) => says(row),
        Ok((_, rest)) => format!("{} bytes too many", rest.len()),
        Err(error) => format!("does not decode: {error}"),
    }
}

fn answered(seq: Seq, outcome: &Outcome) -> String {
    format!("{seq}: {}", ended(outcome))
}

fn waiting(
    (due, entity, method, args, sender): (Timestamp, EntityId, Method, Bytes, String),
) -> String {
    format!("{due:?} {entity}.{method} {} from {sender:?}", text(&args))
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Value(value) => format!("value {}", text(value)),
        Outcome::Rejected(rejection) => {
            let Rejection {
                code,
                message,
                details,
            } = &**rejection;
            let details = details.as_ref().map(|details| text(details));
            format!("rejected {code:?} {} {details:?}", text(message.as_bytes()))
        }
        Outcome::Fault(fault) => format!(
            "fault {:?} {:?} {}",
            fault.kind,
            fault.at,
            text(fault.message.as_bytes())
        ),
    }
}

/// Bytes as text. The standard library looks for a mistake byte by byte; most texts have none.
pub fn lossy(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// A text as it is, or of a long one its length and a hash.
fn text(bytes: &[u8]) -> String {
    if bytes.len() <= 256 {
        return lossy(bytes);
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{} bytes, hash {:016x}", bytes.len(), hasher.finish())
}

fn delivered(entity: &EntityId, method: &Method, seq: Seq, outcome: &Outcome) -> String {
    format!("{entity}.{method} at {seq}: {}", ended(outcome))
}

fn in_force<'a>(modules: impl Iterator<Item = &'a InForceModule>) -> String {
    format!("{:?}", modules.collect::<Vec<_>>())
}

fn meta(row: (LogId, InForce, Timestamp, Seq)) -> String {
    format!("{row:?}")
}

/// The oracle's state.
pub fn of_oracle(oracle: &Oracle) -> Dump {
    let mut dump = Dump::new();
    for (id, entity) in &oracle.entities {
        if let Some(root) = &entity.root {
            dump.insert(Granule::root(id), root.stored());
        }
        for (key, value) in &entity.fields {
            let key = FieldKey::new(key).expect("programs name sound fields");
            let value = lossy(value);
            dump.insert(Granule::field(id, &key), value);
        }
    }
    for (id, send) in &oracle.waiting {
        let send = send.clone();
        let row = (send.due, send.entity, send.method, send.args, send.sender);
        dump.insert(Granule::send(*id), waiting(row));
    }
    for (id, done) in &oracle.delivered {
        let says = delivered(&done.entity, &done.method, done.seq, &done.outcome);
        dump.insert(Granule::invocation(*id), says);
    }
    for ((caller, key), answer) in &oracle.answered {
        let says = answered(answer.seq, &answer.outcome);
        dump.insert(Granule::answered(caller, key), says);
    }
    for ((at, id), what) in &oracle.expiries {
        dump.insert(Granule::expiry(*at, *id), format!("{:?}", remembered(what)));
    }
    let row = (
        oracle.log_id,
        oracle.in_force.clone(),
        oracle.now,
        oracle.seq,
    );
    dump.insert(Granule::meta("engine"), meta(row));
    dump_modules(&oracle.modules, &mut dump);
    dump
}

fn dump_modules(modules: &Modules, dump: &mut Dump) {
    for (hash, package) in &modules.packages {
        dump.insert(Granule::package(hash), text(package));
    }
    for (name, history) in &modules.history {
        for line in history {
            let granule = Granule::deployment(name, line.version);
            dump.insert(granule, format!("{line:?}"));
        }
    }
    for (ty, version) in &modules.latest {
        let granule = Granule::meta(&format!("latest/{ty}"));
        dump.insert(granule, version.to_string());
    }
    if !modules.history.is_empty() {
        let list = in_force(modules.in_force.values());
        dump.insert(Granule::meta("modules"), list);
    }
}

fn remembered(what: &Remembered) -> Granule {
    match what {
        Remembered::Answer(caller, key) => Granule::answered(caller, key),
        Remembered::Delivery(SendId { seq, index }) => Granule::invocation(SendId {
            seq: *seq,
            index: *index,
        }),
    }
}

/// The first granule in which two states differ, and what each has there.
pub fn first_difference(engine: &Dump, oracle: &Dump) -> Option<(String, String)> {
    let says = |dump: &Dump, granule: &Granule| match dump.get(granule) {
        Some(value) => format!("{granule:?} = {}", short(value)),
        None => format!("{granule:?} is not there"),
    };
    let mut all = engine.keys().chain(oracle.keys());
    let granule = all.find(|&granule| engine.get(granule) != oracle.get(granule))?;
    Some((says(engine, granule), says(oracle, granule)))
}

/// A text for people: long ones are cut.
pub fn short(text: &str) -> String {
    const LONG: usize = 600;
    match text.len() <= LONG {
        true => text.to_owned(),
        false => format!(
            "{}… ({} bytes)",
            &text[..text.floor_char_boundary(LONG)],
            text.len()
        ),
    }
}
