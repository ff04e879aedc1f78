//! Entities whose answers say whether the system kept its promises: lists that tell the order of all
//! appends, counters that tell how often a call ran, and timers that tell when a send arrived.
//!
//! An ordinary application like its neighbours. It records and judges nothing: whoever calls it does.

use ordain::prelude::*;

/// What there is to call.
pub fn entities() -> Entities {
    entities![List, Lists, Counter, Timer, Note]
}

/// One step of a transaction over lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Puts a value at the end of a list.
    Append {
        /// Which list.
        key: Key,
        /// What is put there.
        value: u64,
    },
    /// Reads a list, whole.
    Read {
        /// Which list.
        key: Key,
    },
}

/// A list that only grows: every read of it shows the order of all appends before.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// In the order of the appends.
    pub values: Vec<u64>,
}

#[entity(name = "probe_list")]
impl List {
    /// Puts a value at the end.
    pub fn append(&mut self, value: u64) -> Result<()> {
        self.values.push(value);
        Ok(())
    }

    /// All of it.
    #[query]
    pub fn read(&self) -> Result<Vec<u64>> {
        Ok(self.values.clone())
    }
}

/// Transactions over several lists.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Lists;

#[entity(name = "probe_lists")]
impl Lists {
    /// Runs all steps, in order; gives what each read, and none for an append.
    pub fn apply(cx: &mut Context, ops: Vec<Op>) -> Result<Vec<Option<Vec<u64>>>> {
        let mut seen = Vec::with_capacity(ops.len());
        for op in ops {
            seen.push(match op {
                Op::Append { key, value } => {
                    cx.entity::<List>(&key).append(value)?;
                    None
                }
                Op::Read { key } => Some(cx.entity::<List>(&key).read()?),
            });
        }
        Ok(seen)
    }

    /// The same lists that [`Lists::apply`] writes, at one moment.
    #[query]
    pub fn read(cx: &mut QueryContext, keys: Vec<Key>) -> Result<Vec<Vec<u64>>> {
        let mut seen = Vec::with_capacity(keys.len());
        for key in &keys {
            seen.push(cx.entity::<List>(key).read()?);
        }
        Ok(seen)
    }
}

/// Counts the calls that ran.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// How many.
    pub count: u64,
}

#[entity(name = "probe_counter")]
impl Counter {
    /// Counts one more; gives how many that are.
    pub fn add(&mut self) -> Result<u64> {
        self.count += 1;
        Ok(self.count)
    }

    /// How many there were.
    #[query]
    pub fn count(&self) -> Result<u64> {
        Ok(self.count)
    }
}

/// A count beside a text of any length: what a large state costs.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How often it was counted.
    pub counter: Counter,
    /// Nothing but its length matters.
    pub text: String,
}

#[entity(name = "probe_note")]
impl Note {
    /// Makes the text so many bytes long; gives the count.
    pub fn fill(&mut self, bytes: u64) -> Result<u64> {
        ensure!(
            bytes <= TEXT_BYTES_MAX,
            "too_long",
            "a text has {TEXT_BYTES_MAX} bytes at most"
        );
        self.text = "x".repeat(bytes as usize);
        self.counter.count()
    }

    /// Counts one more; gives how many that are.
    pub fn add(&mut self) -> Result<u64> {
        self.counter.add()
    }

    /// How many there were.
    #[query]
    pub fn count(&self) -> Result<u64> {
        self.counter.count()
    }
}

/// Bytes of a note's text.
const TEXT_BYTES_MAX: u64 = 256 << 10;

/// One arrival of a send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fired {
    /// Which send, as whoever asked numbered it.
    pub number: u64,
    /// When it was asked for, by the transaction that asked.
    pub set: Timestamp,
    /// How much later it was to arrive, in milliseconds.
    pub delay_ms: u64,
    /// When it arrived, by the transaction that it was.
    pub now: Timestamp,
}

/// Sends that arrive later, and what the clock showed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// How many sends were asked for.
    pub set: u64,
    /// What arrived, in order.
    pub fired: Vec<Fired>,
    /// The latest time that any transaction here was told.
    pub latest: Timestamp,
    /// How often a transaction was told an earlier one than a transaction before it.
    pub went_back: u64,
}

#[entity(name = "probe_timer")]
impl Timer {
    /// Asks for a send that arrives `delay_ms` later; gives the time.
    pub fn set(cx: &mut Context<Self>, number: u64, delay_ms: u64) -> Result<Timestamp> {
        let (now, me) = (cx.now(), cx.key());
        let timer = cx.state_mut();
        timer.look(now);
        timer.set += 1;
        let fire = Timer::at(me).fire(number, now, delay_ms);
        cx.send_after(std::time::Duration::from_millis(delay_ms), fire);
        Ok(now)
    }

    /// The send arrives.
    pub fn fire(
        &mut self,
        cx: &mut Context,
        number: u64,
        set: Timestamp,
        delay_ms: u64,
    ) -> Result<()> {
        let now = cx.now();
        self.look(now);
        self.fired.push(Fired {
            number,
            set,
            delay_ms,
            now,
        });
        Ok(())
    }

    /// All that is known here.
    #[query]
    pub fn told(&self) -> Result<Timer> {
        Ok(self.clone())
    }
}

impl Timer {
    /// A transaction was told this time.
    fn look(&mut self, now: Timestamp) {
        self.went_back += u64::from(now < self.latest);
        self.latest = self.latest.max(now);
    }
}
