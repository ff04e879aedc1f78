//! Runs an update twice and holds the second run, a careful one, against the first: a method that is
//! not deterministic shows when it is written, not when its log is replayed. For development: it costs
//! a run, and nothing else may depend on it.

use bytes::Bytes;
use ordain_types::{Call, Fault, FaultKind, Granule, Key, Outcome, limits};

use crate::Tx;
use crate::catalog::{Args, MethodIndex, TypeIndex};
use crate::commands::cut;

/// What a run does, in order, for comparison.
#[derive(Debug, Default)]
pub(crate) struct Trace(Vec<Event>);

#[derive(Debug, PartialEq, Eq)]
struct Event {
    /// The method that does it: `account/alice.withdraw`; empty: none does, as it is asked for from outside.
    at: String,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    /// Which method, and with what; none: the arguments are Rust values, which have no spelling.
    Calls(String, Option<Bytes>),
    Writes(Granule, Option<Bytes>),
    Sends(String),
    Ends(Outcome),
}

impl Tx {
    /// Runs a call twice. What stays is what the second run did, or nothing if they differ.
    pub(crate) fn run_twice(&mut self, call: &Call, args: Option<Args>) -> Outcome {
        let mark = self.undo.len();
        self.running.trace = Some(Trace::default());
        let first = self.attempt(call, args);
        let Some(first) = first else {
            return self.attempt_carefully(call); // it came near a limit: that run is the one that counts
        };
        let first = self.end_trace(first);
        self.roll_back(mark);
        self.restart();
        self.running.careful = true;
        self.running.trace = Some(Trace::default());
        let outcome = (self.attempt(call, None)).expect("a careful run does not ask for another");
        let second = self.end_trace(outcome.clone());
        let Some(message) = difference(&first, &second) else {
            return outcome;
        };
        self.running.frames.clear();
        self.running.sends.clear();
        self.roll_back(mark);
        Outcome::Fault(Box::new(Fault {
            kind: FaultKind::Differs,
            message,
            at: format!("{}.{}", call.entity, call.method),
            trace: String::new(),
        }))
    }

    fn end_trace(&mut self, outcome: Outcome) -> Trace {
        let mut trace = self.running.trace.take().unwrap_or_default();
        for send in &self.running.sends {
            let args = String::from_utf8_lossy(&send.args);
            let (entity, method, delay) = (&send.entity, &send.method, send.delay_ms);
            trace.0.push(Event {
                at: send.sender.clone(),
                what: What::Sends(format!("{entity}.{method} {args} after {delay} ms")),
            });
        }
        let (at, what) = (String::new(), What::Ends(outcome));
        trace.0.push(Event { at, what });
        trace
    }

    fn trace(&mut self, what: impl FnOnce(&mut Tx) -> What) {
        if self.running.trace.is_some() {
            let (at, what) = (self.place(), what(self));
            let trace = self.running.trace.as_mut().expect("just seen");
            trace.0.push(Event { at, what });
        }
    }

    /// A call is about to begin.
    pub(crate) fn trace_call(
        &mut self,
        ty: TypeIndex,
        key: &Key,
        method: MethodIndex,
        args: Option<&[u8]>,
    ) {
        self.trace(|tx| {
            let def = tx.catalog().get(ty);
            let method = &def.methods[method.0 as usize].name;
            let callee = format!("{}/{key}.{method}", def.name);
            What::Calls(callee, args.map(Bytes::copy_from_slice))
        });
    }

    /// A row is written.
    pub(crate) fn trace_row(&mut self, granule: &Granule, value: Option<&Bytes>) {
        self.trace(|_| What::Writes(granule.clone(), value.cloned()));
    }

    /// A call that wrote its root value comes to its end.
    pub(crate) fn trace_state(&mut self) {
        self.trace(|tx| {
            let entity = tx.entity();
            let mut json = Vec::new();
            let encoded = tx.state().encode(&mut json);
            What::Writes(Granule::root(&entity), encoded.ok().map(|()| json.into()))
        });
    }
}

/// What the first difference is, for people.
fn difference(first: &Trace, second: &Trace) -> Option<String> {
    let pairs = first.0.iter().zip(&second.0);
    let differs = pairs.into_iter().find(|(a, b)| a != b);
    let (a, b) = match differs {
        Some((a, b)) => (Some(a), Some(b)),
        None => {
            let len = first.0.len().min(second.0.len());
            (first.0.get(len), second.0.get(len))
        }
    };
    let place = a.or(b)?.at.clone();
    let describe = |event: Option<&Event>| event.map_or("nothing more".to_owned(), Event::text);
    let where_ = match place.is_empty() {
        true => String::new(),
        false => format!("in {place}, "),
    };
    Some(format!(
        "{where_}the first of two runs came to: {}; the second to: {}. A method's outcome must follow from \
         its state, its arguments and its context alone",
        describe(a),
        describe(b)
    ))
}

impl Event {
    fn text(&self) -> String {
        let shown = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            cut(&text, limits::MESSAGE_BYTES_MAX / 4).to_owned()
        };
        match &self.what {
            What::Calls(callee, None) => format!("a call of {callee}"),
            What::Calls(callee, Some(args)) => format!("a call of {callee} with {}", shown(args)),
            What::Writes(granule, Some(value)) => format!("{granule:?} = {}", shown(value)),
            What::Writes(granule, None) => format!("{granule:?} deleted"),
            What::Sends(send) => format!("a send of {}", shown(send.as_bytes())),
            What::Ends(Outcome::Value(value)) => format!("the value {}", shown(value)),
            What::Ends(Outcome::Rejected(no)) => {
                let details = no.details.as_deref().unwrap_or_default();
                format!("the rejection {no} {}", shown(details))
            }
            What::Ends(Outcome::Fault(fault)) => format!("the fault {}", fault.with_place()),
        }
    }
}
