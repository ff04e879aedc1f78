//! Counts what a transaction takes of the interpreters: work, bytes, stack. Knows no transaction; says only
//! that a limit was passed, which whoever runs methods turns into a fault.
//!
//! Work is the ticks of the interpreters' interrupt handlers, and what these do not see: an interpreter counts
//! its own steps, and takes a function that goes through a million elements for one of them. So the bytes
//! of each block that is not small count too (built-in functions that make something large ask for such), and
//! the elements that a built-in function goes through without making anything, which work.js says.
//!
//! A context that has been used before counts from an unknown phase: its tick counter stands somewhere
//! between two ticks, garbage of earlier calls may be freed now, what is made at first use is there
//! already. So such a run has limits half as high ([`Limits::warm`]), and passing one decides nothing:
//! the transaction runs again in contexts made anew, where everything is counted from the same point
//! and the limits are exact ([`Limits::careful`]). What a used context may differ by is less than the
//! gap: one tick and some tables for each context that was used, the garbage that [`crate::javascript::cache`] lets a
//! context keep and as much again until the collector runs, and the memory of lazily made functions.

use std::cell::Cell;

use ordain_types::limits;
use ordain_types::planted::{Memory, Scarcity};

use super::raw;

/// A limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Instructions,
    Memory,
    Stack,
    /// None of ours: the machine had no memory. Another time it may.
    Machine,
}

/// How much one transaction may take of work, and one entry from outside of the rest.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    work: u64,
    bytes: i64,
    pub stack_bytes: usize,
}

impl Limits {
    /// Those that decide.
    pub const fn careful() -> Self {
        Self {
            work: limits::JAVASCRIPT_TICKS_MAX * TICK,
            bytes: limits::JAVASCRIPT_MEMORY_BYTES_MAX as i64,
            stack_bytes: limits::JAVASCRIPT_STACK_BYTES_MAX,
        }
    }

    /// Those of a test, which makes many calls and may take its time.
    pub const fn test() -> Self {
        let hard = Self::careful();
        Self {
            work: hard.work * 2,
            bytes: hard.bytes * 4,
            ..hard
        }
    }

    /// Those of a context that has been used before.
    pub const fn warm() -> Self {
        let hard = Self::careful();
        Self {
            work: hard.work / 2,
            bytes: hard.bytes / 2,
            stack_bytes: hard.stack_bytes / 2,
        }
    }
}

/// Bytes by which small allocations may pass the limit: the interpreter gets to stop at its next tick,
/// rather than to run out of memory at any place whatever. A large one is refused at once.
const BEYOND: i64 = 16 << 20;
/// Bytes of stack that must be left where an error is made, as the interpreter's is when it has no stack, or where it asks for
/// a block: less is none, whatever becomes of that error. More than all but monstrous functions take at once.
const STACK_SPARE: usize = 64 << 10;
/// Bytes from which an allocation is large.
pub const LARGE: usize = 1 << 20;
/// Work of one tick of an interpreter, and so of as many bytes of blocks. Those take about as long in the slower of the
/// built-in functions, and less where they are only copied.
const TICK: u64 = 256 << 10;
/// Bytes from which a block counts as work. Smaller ones take as many steps. So do those of a page, which the interpreter
/// divides into small ones: at the edge of one, a loop that makes and drops something takes and gives back a page each time.
const WORK_BYTES_MIN: usize = (4 << 10) + 1;
/// Bytes from which a block is refused when there was too much work. What the interpreter makes of sets of characters is
/// smaller: where it is refused memory for those, it goes on for ever, frees them twice, or reads beyond them.
const REFUSED_BYTES_MIN: usize = 64 << 10;

/// What the interpreters of one thread have taken since the first was entered.
#[derive(Debug)]
pub struct Meter {
    limits: Cell<Limits>,
    work: Cell<u64>,
    bytes: Cell<i64>,
    /// The most of them at once.
    peak: Cell<i64>,
    /// Bytes that all interpreters of this thread hold.
    held: Cell<usize>,
    /// The address at which the stack ends.
    floor: Cell<usize>,
    broken: Cell<Option<Broken>>,
    /// What a test makes of the memory.
    planted: Cell<Scarcity>,
}

/// The state of a meter, to go on from later.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    limits: Limits,
    work: u64,
    bytes: i64,
    peak: i64,
    floor: usize,
    broken: Option<Broken>,
    planted: Scarcity,
}

impl Meter {
    /// The floor of a stack that nobody measures.
    pub const UNBOUND: usize = 0;

    pub fn new() -> Self {
        Self {
            limits: Cell::new(Limits::careful()),
            work: Cell::new(0),
            bytes: Cell::new(0),
            peak: Cell::new(0),
            held: Cell::new(0),
            floor: Cell::new(0),
            broken: Cell::new(None),
            planted: Cell::new(Scarcity::NONE),
        }
    }

    /// Begins to count from nothing. Gives what was counted before.
    pub fn begin(&self, limits: Limits, floor: usize) -> Reading {
        Reading {
            limits: self.limits.replace(limits),
            work: self.work.replace(0),
            bytes: self.bytes.replace(0),
            peak: self.peak.replace(0),
            floor: self.floor.replace(floor),
            broken: self.broken.replace(None),
            planted: self.planted.replace(Scarcity::of_run()),
        }
    }

    /// Goes on from what [`Meter::begin`] gave.
    pub fn resume(&self, reading: Reading) {
        self.limits.set(reading.limits);
        self.work.set(reading.work);
        self.bytes.set(reading.bytes);
        self.peak.set(reading.peak);
        self.floor.set(reading.floor);
        self.broken.set(reading.broken);
        self.planted.set(reading.planted);
    }

    /// The first limit that was passed.
    pub fn broken(&self) -> Option<Broken> {
        self.broken.get()
    }

    /// Whether an interpreter that goes on would only take more.
    #[inline]
    pub fn is_spent(&self) -> bool {
        !matches!(self.broken.get(), None | Some(Broken::Stack))
    }

    /// Where the stack ends.
    pub fn floor(&self) -> usize {
        self.floor.get()
    }

    /// The most bytes taken since the count began, less those given back.
    pub fn peak(&self) -> i64 {
        self.peak.get()
    }

    /// Runs `run` without counting what it takes and gives back.
    pub fn apart<R>(&self, run: impl FnOnce() -> R) -> R {
        let before = self.begin(Limits::careful(), 0);
        let result = run();
        self.resume(before);
        result
    }

    /// Bytes that all interpreters of this thread hold.
    pub fn held(&self) -> usize {
        self.held.get()
    }

    fn breaks(&self, what: Broken) {
        if self.broken.get().is_none() {
            self.broken.set(Some(what));
        }
    }

    /// Counts a tick. True: the interpreter must stop.
    pub fn tick(&self) -> bool {
        self.works(TICK);
        self.broken.get().is_some()
    }

    /// Counts work.
    pub fn works(&self, work: u64) {
        let work = self.work.get().saturating_add(work);
        self.work.set(work);
        if work > self.limits.get().work {
            self.breaks(Broken::Instructions);
        }
    }

    /// Work since the count began.
    pub fn work(&self) -> u64 {
        self.work.get()
    }

    /// Notes that the interpreter said it had no stack.
    pub fn overflowed(&self) {
        self.breaks(Broken::Stack);
    }

    /// Notes that the machine had no memory.
    pub fn wants(&self) {
        self.broken.set(Some(Broken::Machine));
    }

    /// Counts a block that is to be taken, or to grow by so much, which copies what it holds. False: it must not be.
    /// `tried`: a test may say so.
    #[inline]
    pub fn takes(&self, old: usize, new: usize, tried: bool) -> bool {
        self.fills(old);
        let size = new - old;
        let bytes = self.bytes.get() + size as i64;
        let limit = self.limits.get().bytes;
        let memory = match tried {
            true => self.planted(new),
            false => Memory::There,
        };
        if bytes > limit || memory != Memory::There {
            self.breaks(Broken::Memory);
            if size >= LARGE || bytes > limit + BEYOND || memory == Memory::Gone {
                return false;
            }
        }
        self.fills(size);
        if new >= REFUSED_BYTES_MIN && self.broken.get() == Some(Broken::Instructions) {
            return false; // the interpreter would notice only when it has made ten thousand steps more
        }
        self.bytes.set(bytes);
        self.peak.set(self.peak.get().max(bytes));
        self.held.set(self.held.get() + size);
        self.looks_at_stack();
        true
    }

    /// Notes whether too little of the stack is left for an error or a block to be made here.
    pub fn looks_at_stack(&self) {
        if raw::stack_address() < self.floor.get().saturating_add(STACK_SPARE) {
            self.breaks(Broken::Stack);
        }
    }

    /// What a test makes of the memory for a block.
    #[inline]
    fn planted(&self, size: usize) -> Memory {
        let mut scarcity = self.planted.get();
        let memory = scarcity.next(size);
        self.planted.set(scarcity);
        memory
    }

    /// Counts the work of a block's bytes.
    #[inline]
    fn fills(&self, size: usize) {
        if size >= WORK_BYTES_MIN {
            self.works(size as u64);
        }
    }

    /// Counts bytes that are given back.
    #[inline]
    pub fn give(&self, size: usize) {
        self.bytes.set(self.bytes.get() - size as i64);
        self.held.set(self.held.get() - size);
    }
}
